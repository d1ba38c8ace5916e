"""The one shape of everything that has an opinion on a row: a name, the labels it may give, a fingerprint, `vote`.

Kinds (keywords, pattern, expression, python, recorded) are one file each beside this one; `apply` runs them.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience import __version__
from consilience.data.labels import ABSTAIN, Labels
from consilience.data.rows import Row, make_rows
from consilience.data.table import Table
from consilience.engines.watch import Stopped
from consilience.errors import DataError, FunctionError, nearest

Codes = npt.NDArray[np.int16]


class Batch:
    """Some rows of a table as labeling functions get them: columns for the fast kinds, records for Python ones.

    functions: all that vote on this batch. What several of them need is made once, by `shared`.
    """

    def __init__(
        self, table: Table, start: int = 0, stop: int | None = None, functions: Sequence[LabelingFunction] = ()
    ) -> None:
        self.frame = table.features[start:stop]
        self.ids = table.ids[start:stop]
        self.text_column = table.text_column
        self.gold_column = table.gold_column
        self.functions = tuple(functions)
        self.owed_s = 0.0  # to be added to the seconds of the function that votes: its share, less what it paid for all
        self._shared: dict[Hashable, tuple[Any, float]] = {}

    def shared(self, key: Hashable, make: Callable[[], Any], *, users: int | None = None) -> Any:
        """What make() gives, made when the first function asks for it by this key: tokens, say, or one pass for all.

        users: how many functions ask for it, once each: they share the time evenly. None: the first has all of it.
        """
        if key not in self._shared:
            began, owed = time.perf_counter(), self.owed_s
            made = make()
            seconds = time.perf_counter() - began + self.owed_s - owed
            self._shared[key] = made, seconds
            self.owed_s -= seconds if users else 0.0
        made, seconds = self._shared[key]
        self.owed_s += seconds / users if users else 0.0
        return made

    def name_of(self, column: str | None) -> str | None:
        """The column that is meant: the text column where none is named, which may also be called "text"."""
        if column is None or (column == "text" and "text" not in self.frame.columns):
            return self.text_column or column
        return column

    def take(self, places: Sequence[int]) -> Batch:
        """The rows at these places, as a batch of their own that shares nothing with this one."""
        part = copy(self)
        part.frame, part.ids = self.frame[list(places)], self.ids[list(places)]
        part._shared = {}
        for made in ("rows", "columns"):
            part.__dict__.pop(made, None)
        return part

    @cached_property
    def rows(self) -> list[Row]:
        """The records, made when the first Python function asks for them."""
        return make_rows(self.frame, self.text_column, self.gold_column)

    @cached_property
    def columns(self) -> pl.DataFrame:
        """The frame, with the text column also under the name "text"."""
        if self.text_column is None or "text" in self.frame.columns:
            return self.frame
        return self.frame.with_columns(pl.col(self.text_column).alias("text"))

    def check(self, column: str | None) -> str:
        """The name of the column that is meant. Raises DataError if the rows do not have it, or it is gold."""
        name = self.name_of(column)
        if name is None:
            raise DataError("These rows have no text column.\nFix: read(..., text='the column'), or name a column.")
        if name == self.gold_column:
            raise DataError(f"The gold column {name!r} is hidden from labeling functions.\nFix: name another column.")
        if name not in self.columns.columns:
            raise DataError(f"The rows have no column {name!r}.\nFix: {nearest(name, self.columns.columns)}")
        return name

    def text(self, column: str | None) -> pl.Series:
        """The named column, or the text column, as strings. Raises DataError if there is none."""
        return self.columns[self.check(column)].cast(pl.String, strict=False)

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Failure:
    """Rows on which a function failed: how many, the id of the first, and its traceback.

    stops: rows that had to be stopped, since they took too long or ended their process. given_up: after a few of those
    the rest of the rows were not tried.
    """

    count: int
    first_id: str
    first_error: str
    stops: int = 0
    given_up: bool = False

    def __add__(self, later: Failure | None) -> Failure:
        if later is None:
            return self
        stops, given_up = self.stops + later.stops, self.given_up or later.given_up
        return Failure(self.count + later.count, self.first_id, self.first_error, stops, given_up)


@dataclass(frozen=True)
class Votes:
    """What one function said on one batch: codes (n,) int16 with ABSTAIN, and what went wrong, if anything did."""

    codes: Codes
    failure: Failure | None = None


class LabelingFunction(ABC):
    """Something that looks at a row and says a label, or nothing.

    name: how it is called in tables and queries; None until it is known (a variable's name, say).
    labels: the labels it may give; None: any of the labels it is applied with.
    """

    kind: ClassVar[str]
    all_at_once: ClassVar[bool] = True  # wants all rows in one batch, not the batches Python functions get
    name: str | None
    labels: tuple[str, ...] | None
    description: str

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of all that decides its votes (not of its name): when it changes, its column is computed again."""

    @abstractmethod
    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Its votes on every row of a batch, as codes of labels."""

    def named(self, name: str) -> Self:
        """The same function under another name."""
        twin = copy(self)
        twin.name = name
        return twin

    def __repr__(self) -> str:
        gives = "" if self.labels is None else f" -> {', '.join(self.labels)}"
        return f"<{self.kind} {self.name or '(unnamed)'}{gives}>"


class MaskFunction(LabelingFunction):
    """A function of one label that says where it holds, for a whole batch at once: the fast kinds."""

    def __init__(self, label: str, name: str | None, description: str) -> None:
        if not isinstance(label, str) or not label:
            raise FunctionError(
                f"{label!r} cannot be a label.\nFix: give the label's name first, as in {self.kind}('spam', ...)."
            )
        self.name = name
        self.labels = (label,)
        self.description = description

    @abstractmethod
    def mask(self, batch: Batch) -> pl.Series:
        """Where it holds. returns: (n,) bool; null counts as no."""

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Votes on a batch; if the whole batch cannot be computed, that counts as an error on each of its rows."""
        assert self.labels is not None
        code = labels.vote_index(self.labels[0])
        try:
            holds = self.mask(batch).fill_null(False).to_numpy()
        except DataError:
            raise
        except Exception as error:
            failure = Failure(len(batch), str(batch.ids[0]) if len(batch) else "", short_traceback(error))
            return Votes(np.full(len(batch), ABSTAIN, np.int16), failure)
        codes = np.multiply(holds, code - ABSTAIN, dtype=np.int16)  # in one array: memory is what takes the time
        codes += ABSTAIN
        return Votes(codes)


def fingerprint_of(*parts: object) -> str:
    """Hash of the given parts and of this package's version. They must have a repr that says all they are."""
    return hashlib.sha256(repr((__version__, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def short_traceback(error: BaseException) -> str:
    """The error with its last frame of the user's code: what one line of a table and one page of a log need."""
    shown = [str(error)] if isinstance(error, Stopped) else traceback.format_exception(error, limit=-3)
    text = "".join(shown).strip()
    return text if len(text) < 4000 else f"{text[:1000]}\n...\n{text[-2000:]}"


def check_names(functions: Sequence[LabelingFunction]) -> None:
    """Raise FunctionError if a function has no name or two share one."""
    names = [function.name for function in functions]
    for function in functions:
        if not function.name:
            raise FunctionError(
                f"{function!r} has no name.\nFix: give it one with name=..., or apply({{'name': function}}, ...)."
            )
        if names.count(function.name) > 1:
            raise FunctionError(f"Two labeling functions are called {function.name!r}.\nFix: give each its own name.")
