"""Labeling functions that say the label of the most similar examples: a few texts of each label, or rows with gold.

Texts are compared as vectors (see data/embeddings.py), by cosine. What encodes them must not look at other rows, for
votes may not depend on what else is in a batch; several such functions on one column share the vectors of a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.embeddings import Tfidf, embed, encoder_named
from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.errors import ConsilienceError, DataError, FunctionError
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import Batch, Failure, LabelingFunction, Votes, fingerprint_of, short_traceback
from consilience.labeling.nearest import SAME, as_vectors, unit

Vectors = npt.NDArray[np.float32]

ROWS = 8192  # compared at a time


class Neighbours(LabelingFunction):
    """Made by `neighbours`."""

    kind = "neighbours"

    def __init__(
        self,
        seeds: Mapping[str, Any] | Table,
        *,
        name: str | None,
        column: str | None,
        vectors: str | None,
        embedding: Any,
        k: int,
        min_similarity: float,
        cache: Path | str | None,
    ) -> None:
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise FunctionError(f"{k!r} neighbours cannot vote.\nFix: let k be a whole number above 0.")
        if not isinstance(min_similarity, (int, float)) or not -1 <= min_similarity <= 1:
            raise FunctionError(f"No similarity is {min_similarity!r}.\nFix: give min_similarity from -1 to 1.")
        if isinstance(embedding, Tfidf):
            _ = embedding.fingerprint  # a fitted one compares texts as any other; else this raises
        elif embedding == "tfidf":
            raise FunctionError(
                "Vectors by 'tfidf' depend on the other rows, and so would the votes.\n"
                "Fix: take embedding='hashed' or 'minilm', or fit one: embedding=Tfidf().fit(texts)."
            )
        self.name = name
        self.k, self.min_similarity = k, float(min_similarity)
        self.column, self.vectors, self.cache = column, vectors, cache
        self.encoder = encoder_named(embedding) if isinstance(embedding, str) else embedding
        if vectors is None and not callable(self.encoder):
            raise FunctionError(f"{embedding!r} cannot make vectors.\nFix: name an encoder, or give a callable.")
        # taken once: what a callable remembers while it runs must not make it another
        named = vectors is not None or hasattr(self.encoder, "fingerprint")
        self._code = None if named else code_fingerprint(self.encoder)
        self.seeds = _seeds_by_label(seeds, column, vectors)
        self.labels = tuple(self.seeds)
        counts = ", ".join(f"{len(some)} of {label}" for label, some in self.seeds.items())
        self.description = f"as the {'nearest' if k == 1 else f'{k} nearest'} of {counts}"
        self._made: tuple[Vectors, npt.NDArray[np.int64]] | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of the seeds, what compares them, how near they must be and how many are asked."""
        seeds = [(label, _content(some)) for label, some in self.seeds.items()]
        compared = (self.column, self._encoder_fingerprint) if self.vectors is None else self.vectors
        return fingerprint_of(self.kind, seeds, compared, self.k, self.min_similarity)

    @property
    def _encoder_fingerprint(self) -> str:
        return self._code if self._code is not None else str(self.encoder.fingerprint)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """The label most of the nearest seeds have that are near enough; none if two have as many.

        If the encoder raises, that counts as an error on each row of the batch.
        """
        try:
            vectors = self._vectors_of(batch)
            seeds, label_of = self._seed_vectors()
        except ConsilienceError:
            raise
        except Exception as error:
            failure = Failure(len(batch), str(batch.ids[0]) if len(batch) else "", short_traceback(error))
            return Votes(np.full(len(batch), ABSTAIN, np.int16), failure)
        if len(batch) and vectors.shape[1] != seeds.shape[1]:
            raise DataError(
                f"The vectors of the rows have {vectors.shape[1]} dimensions, those of the seeds {seeds.shape[1]}.\n"
                "Fix: let one encoder make both."
            )
        codes = np.array([labels.vote_index(label) for label in self.seeds], np.int16)
        said = np.full(len(batch), ABSTAIN, np.int16)
        for start in range(0, len(batch), ROWS):
            some = slice(start, start + ROWS)
            place = nearest_label(vectors[some], seeds, label_of, len(codes), self.k, self.min_similarity)
            said[some] = np.where(place >= 0, codes[place], ABSTAIN)
        return Votes(said)

    def _vectors_of(self, batch: Batch) -> Vectors:
        """The vectors of a batch, of length 1, made once for all functions that compare the same."""
        if self.vectors is not None:
            name = self.vectors
            return batch.shared(("neighbours", name), lambda: unit(_column_of_vectors(batch, name)))
        key = ("neighbours", self.column, self._encoder_fingerprint)
        return batch.shared(key, lambda: unit(embed(batch.text(self.column), self.encoder, cache=self._kept_in)))

    @property
    def _kept_in(self) -> Path | str | None:
        return self.cache if self._code is None else None

    def _seed_vectors(self) -> tuple[Vectors, npt.NDArray[np.int64]]:
        """Vectors of all seeds, of length 1, and the place of each one's label; those without direction left out."""
        if self._made is None:
            parts = [
                np.asarray(some) if self.vectors is not None else embed(some, self.encoder, cache=self._kept_in)
                for some in self.seeds.values()
            ]
            seeds = unit(np.concatenate(parts))
            label_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
            told = seeds.any(axis=1)
            self._made = seeds[told], label_of[told]
        return self._made


def neighbours(
    seeds: Mapping[str, Any] | Table,
    *,
    name: str | None = None,
    column: str | None = None,
    vectors: str | None = None,
    embedding: Any = "hashed",
    k: int = 1,
    min_similarity: float = 0.5,
    cache: Path | str | None = None,
) -> Neighbours:
    """Labeling function that says the label of the most similar examples, and abstains where none is similar.

    seeds: example texts by label, or a table, whose rows with gold are taken. With `vectors`, by label an (s, d) array.
    column: whose text is compared; default the text column. embedding: "hashed" (how texts are spelled; needs
        nothing), "minilm" (what they say; extra `embed`), or a callable from a list of texts to an array, of which a
        text's vector must not depend on the other texts. cache: a folder in which vectors are kept, see `embed`.
    vectors: instead, a column of vectors (a list or an array a row), made beforehand by any encoder.
    k: how many of the nearest seeds vote; those less similar than min_similarity (a cosine, -1 to 1) do not. The label
        with most votes wins; between two with as many, and two equally near at the last place, it abstains.
    raises: FunctionError for no seeds, or settings that are none; DataError for a column that is not there.

    A row that is a seed gets its own label. Per row 60 µs ("hashed") or 12 ms of one core ("minilm", once with cache),
    and some ns a seed.

    >>> import consilience as cs
    >>> like = cs.neighbours({"spam": ["win a big prize"], "ham": ["see you at home"]}, min_similarity=0.6)
    >>> table = cs.read([{"text": "WIN a prize"}, {"text": "See you at home!"}, {"text": "ok"}])
    >>> cs.apply([like], table).names_of("like")
    ['spam', 'ham', None]
    """
    return Neighbours(
        seeds,
        name=name,
        column=column,
        vectors=vectors,
        embedding=embedding,
        k=k,
        min_similarity=min_similarity,
        cache=cache,
    )


def nearest_label(
    vectors: Vectors, seeds: Vectors, label_of: npt.NDArray[np.int64], n_labels: int, k: int, min_similarity: float
) -> npt.NDArray[np.int64]:
    """Place of the label most of the k nearest seeds have that are near enough, -1 where there is none, or two.

    vectors: (n, d) of length 1 or zero; seeds: (s, d); label_of: (s,). Seeds as near as the k-th vote too. O(n s d).
    """
    n, k = len(vectors), min(k, len(seeds))
    if not n or not k:
        return np.full(n, ABSTAIN, np.int64)
    similar = vectors @ seeds.T
    last = np.partition(similar, -k, axis=1)[:, [-k]]
    near = np.asarray((similar >= last - SAME) & (similar >= min_similarity - SAME))
    votes = near & np.asarray(vectors.any(axis=1))[:, None]
    counts = np.stack([votes[:, label_of == place].sum(axis=1) for place in range(n_labels)], axis=1)
    most = counts.max(axis=1)
    clear = (most > 0) & ((counts == most[:, None]).sum(axis=1) == 1)
    return np.where(clear, counts.argmax(axis=1), ABSTAIN)


def _seeds_by_label(seeds: Any, column: str | None, vectors: str | None) -> dict[str, Any]:
    """Seeds by label: lists of texts, or arrays of vectors. Raises FunctionError if they are none."""
    if isinstance(seeds, Table):
        seeds = _of_table(seeds, column, vectors)
    if not isinstance(seeds, Mapping) or not seeds:
        raise FunctionError(
            f"The seeds {_brief(seeds)} are no examples by label.\nFix: give them as {{'spam': ['a text', ...], ...}}."
        )
    found = {}
    for label, some in seeds.items():
        if not isinstance(label, str) or not label:
            raise FunctionError(f"{label!r} cannot be a label.\nFix: give seeds by the names of labels.")
        found[label] = _texts_of(label, some) if vectors is None else _vectors_of_label(label, some)
    widths = {np.asarray(some).shape[1] for some in found.values()} if vectors is not None else set()
    if len(widths) > 1:
        raise FunctionError(f"The seeds have vectors of {sorted(widths)} dimensions.\nFix: let one encoder make all.")
    return found


def _texts_of(label: str, some: Any) -> list[str]:
    texts = None if isinstance(some, str) or not isinstance(some, Iterable) else list(some)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise FunctionError(
            f"The seeds of {label!r} are {_brief(some)}.\nFix: give one or more texts, in a list, none of them empty."
        )
    return list(dict.fromkeys(texts))


def _vectors_of_label(label: str, some: Any) -> Vectors:
    try:
        array = np.asarray(some, np.float64)
        return np.asarray(as_vectors(array, len(array) if array.ndim else 0), np.float32)
    except (TypeError, ValueError) as error:
        raise FunctionError(f"The seeds of {label!r} are no vectors: {error}") from None


def _of_table(table: Table, column: str | None, vectors: str | None) -> dict[str, Any]:
    """The rows with gold, by label."""
    name = vectors or column or table.text_column
    if table.gold_column is None or name is None or name not in table.frame.columns:
        raise FunctionError(
            f"The table of seeds has no gold, or no column {name!r}.\nFix: read(..., gold='the column'), and name it."
        )
    known = table.frame.filter(pl.col(table.gold_column).is_not_null() & pl.col(name).is_not_null())
    by_label = {}
    for label in table.labels or table.gold_names():
        some = known.filter(pl.col(table.gold_column) == label)[name]
        if len(some):
            texts = some if vectors else some.cast(pl.String)
            by_label[label] = texts.to_list() if vectors else [text for text in texts if text.strip()]
    return by_label


def _column_of_vectors(batch: Batch, name: str) -> Any:
    """A column of lists of numbers as an array; null rows are zeros. Raises DataError for anything else."""
    if name not in batch.frame.columns or batch.gold_column == name:
        raise DataError(f"The rows have no column {name!r} of vectors.\nFix: name one that they have.")
    column = batch.frame[name]
    nested = column.dtype.is_nested() and not isinstance(column.dtype, pl.Struct)
    widths = (column.list if isinstance(column.dtype, pl.List) else column.arr).len().drop_nulls() if nested else None
    if widths is None or widths.n_unique() > 1:
        raise DataError(
            f"Column {name!r} of type {column.dtype} does not hold vectors, each as long.\n"
            "Fix: give a list (or an array) of as many numbers for each row."
        )
    width = int(widths[0]) if len(widths) else 1
    made = np.zeros((len(column), width), np.float32)
    there = column.is_not_null().to_numpy()
    flat = column.drop_nulls().explode().cast(pl.Float32).to_numpy()
    made[there] = flat.reshape(-1, width)
    return as_vectors(made, len(made))


def _content(some: Any) -> Any:
    """What seeds are, to hash."""
    return sorted(some) if isinstance(some, list) else (some.shape, hashlib.sha256(some.tobytes()).hexdigest())


def _brief(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 80 else f"{shown[:77]}..."
