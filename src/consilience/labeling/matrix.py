"""The label matrix: what each function said of each row. Between applying functions and all that learns from votes.

It knows its labels, its rows' ids and gold, what it cost to make, and its distinct rows (patterns), on which label
models fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.errors import DataError, VoteError, nearest
from consilience.labeling.function import Failure
from consilience.labeling.patterns import Patterns, find_patterns
from consilience.views import Marked, View, vote_mark

if TYPE_CHECKING:
    from consilience.labeling.summary import Summary

Votes = npt.NDArray[Any]


@dataclass(frozen=True)
class FunctionInfo:
    """What is known of a function without its code: its name, what it may say, what it cost, what went wrong."""

    name: str
    kind: str = "votes"
    labels: tuple[str, ...] | None = None
    description: str = ""
    fingerprint: str = ""
    failure: Failure | None = None
    seconds: float = 0.0
    from_store: bool = False


class LabelMatrix:
    """Votes of m functions on n rows, as codes of labels (and of groups of them, after the labels), -1 for abstain.

    votes: (n, m) integers. ids: n distinct ids. functions: m infos. gold: (n,) codes, -1 where unknown.
    table: the rows themselves, if they are at hand. counts: (n,) how many rows of the world each row stands for.
    Made by `apply`, by `from_votes`, or by `from_counts`.
    """

    def __init__(
        self,
        votes: Votes,
        labels: Labels,
        ids: pl.Series,
        functions: Sequence[FunctionInfo],
        gold: npt.NDArray[np.int16] | None = None,
        table: Table | None = None,
        counts: npt.NDArray[np.int64] | None = None,
    ) -> None:
        check_votes(votes, len(labels.votes))
        self.votes = votes
        self.labels = labels
        self.ids = ids
        self.functions = tuple(functions)
        self.gold = np.full(len(votes), ABSTAIN, np.int16) if gold is None else np.asarray(gold, np.int16)
        self.table = table
        self.counts = counts

    @classmethod
    def from_votes(
        cls,
        votes: npt.ArrayLike,
        labels: Labels | Sequence[str],
        ids: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        gold: Sequence[str | None] | None = None,
    ) -> LabelMatrix:
        """Matrix of votes made elsewhere.

        votes: (n, m) integers, -1 abstains, otherwise a place in labels (or, after them, in their groups).
        ids: default 0..n-1. names: of the functions, default f0, f1, ... gold: label names, None where unknown.
        raises: VoteError for a shape, a vote, an id or a name that cannot be.

        >>> matrix = LabelMatrix.from_votes([[0, -1], [1, 1]], ["ham", "spam"])
        >>> matrix
        LabelMatrix(2 rows x 2 functions, 100.0% covered; labels ham, spam)
        >>> matrix.names_of("f1")
        [None, 'spam']
        """
        labels = Labels.of(labels)
        array = np.asarray(votes)
        if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
            raise VoteError(
                f"Votes have shape {array.shape} and type {array.dtype}.\n"
                "Fix: give a rows x functions array of integers, -1 where a function abstains."
            )
        check_votes(array, len(labels.votes))
        n, m = array.shape
        names = [f"f{j}" for j in range(m)] if names is None else list(names)
        series = pl.Series("id", np.arange(n) if ids is None else ids)
        if len(names) != m or len(set(names)) != m:
            raise VoteError(
                f"{m} functions need {m} distinct names, not {len(set(names))}.\nFix: name each column once."
            )
        if len(series) != n or series.n_unique() != n:
            raise VoteError(f"{n} rows need {n} distinct ids, not {series.n_unique()}.\nFix: give each row one id.")
        codes = None if gold is None else labels.encode(gold)
        if codes is not None and len(codes) != n:
            raise VoteError(f"{n} rows need {n} gold labels, not {len(codes)}.\nFix: give None where it is unknown.")
        smallest = np.asarray(array, vote_type(len(labels.votes)), order="F")
        return cls(smallest, labels, series, [FunctionInfo(name) for name in names], codes)

    @classmethod
    def from_counts(
        cls,
        votes: npt.ArrayLike,
        counts: npt.ArrayLike,
        labels: Labels | Sequence[str],
        names: Sequence[str] | None = None,
    ) -> LabelMatrix:
        """Matrix of distinct rows of votes, counted elsewhere: a GROUP BY, a scan of files, a sum over machines.

        votes: (p, m) as for from_votes; counts: (p,) whole numbers above 0. Models learn from it as from the rows.
        raises: VoteError for counts that are none.

        >>> matrix = LabelMatrix.from_counts([[0, 0], [1, -1]], [900_000_000, 3], ["ham", "spam"])
        >>> matrix.n_rows
        900000003
        """
        matrix = cls.from_votes(votes, labels, names=names)
        array = np.asarray(counts)
        if array.shape != (len(matrix),) or not np.issubdtype(array.dtype, np.integer) or (array < 1).any():
            raise VoteError(
                f"Counts of shape {array.shape} and type {array.dtype} do not count {len(matrix)} rows of votes.\n"
                "Fix: give one whole number above 0 for each row."
            )
        matrix.counts = array.astype(np.int64)
        return matrix

    @classmethod
    def scan(
        cls,
        source: Any,
        labels: Labels | Sequence[str],
        functions: Sequence[str] | None = None,
        *,
        count: str | None = None,
    ) -> LabelMatrix:
        """Matrix of the distinct rows of votes that lie elsewhere, counted there and never all in memory.

        source: Parquet files (a path, a glob) or a Polars frame, lazy or not, one column a function: label names (null
            abstains), or codes (-1 or null abstains). functions: those columns; default all.
        count: the column that says how often a row occurs, where somebody has counted already: the result of a GROUP BY
            on a cluster or in a database.
        raises: DataError for columns there are not, VoteError for what is no vote.

        >>> import polars as pl
        >>> votes = pl.LazyFrame({"a": ["spam", None, "spam"], "b": ["spam", "ham", "spam"]})
        >>> matrix = LabelMatrix.scan(votes, ["ham", "spam"])
        >>> matrix.n_rows, len(matrix)
        (3, 2)
        """
        from consilience.labeling.counted import count_rows

        return count_rows(source, labels, functions, count=count)

    # what is in it

    @property
    def n_rows(self) -> int:
        """How many rows it stands for: its own, or the sum of their counts."""
        return len(self) if self.counts is None else int(self.counts.sum())

    @property
    def names(self) -> list[str]:
        """The functions' names, in column order."""
        return [function.name for function in self.functions]

    def names_of(self, function: str) -> list[str | None]:
        """What one function said of each row, as label names."""
        return self.labels.decode(self.votes[:, self.column(function)].tolist())

    def column(self, function: str) -> int:
        """Place of a function. Raises VoteError naming the nearest."""
        if function not in self.names:
            raise VoteError(f"There is no function {function!r}.\nFix: {nearest(function, self.names)}")
        return self.names.index(function)

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Which rows have at least one vote. returns: (n,) bool."""
        return np.asarray((self.votes >= 0).any(axis=1))

    @property
    def n_gold(self) -> int:
        """How many rows have gold."""
        return int((self.gold >= 0).sum())

    # patterns: what label models fit on

    @cached_property
    def patterns(self) -> Patterns:
        """The distinct rows and their counts."""
        return find_patterns(self.votes, len(self.labels.votes), self.counts)

    @property
    def has_patterns(self) -> bool:
        """Whether the distinct rows have been counted already."""
        return "patterns" in self.__dict__

    @cached_property
    def pattern_of_row(self) -> npt.NDArray[np.int64]:
        """Which pattern each row is. returns: (n,)."""
        return self.patterns.places(self.votes)

    # parts of it

    def take(self, places: npt.NDArray[Any]) -> LabelMatrix:
        """The rows at these places, or where a boolean mask holds."""
        places = np.flatnonzero(places) if places.dtype == bool else places
        table = None if self.table is None else self.table.take(places)
        return LabelMatrix(
            np.asfortranarray(self.votes[places]),
            self.labels,
            self.ids[places],
            self.functions,
            self.gold[places],
            table,
            None if self.counts is None else self.counts[places],
        )

    def on(self, rows: Table | LabelMatrix | Iterable[Any]) -> LabelMatrix:
        """The part of the matrix on some rows, in their order: a Table (a split, say), another matrix, or ids.

        raises: DataError for an id the matrix does not have.
        """
        ids = rows.ids if isinstance(rows, (Table, LabelMatrix)) else pl.Series(list(rows))
        if not len(ids) or (ids.dtype.is_integer() and self.ids.dtype.is_integer()):
            ids = ids.cast(self.ids.dtype)
        if ids.dtype != self.ids.dtype:
            raise DataError(
                f"The rows have ids of type {ids.dtype}, the matrix {self.ids.dtype}.\nFix: use rows of one table."
            )
        mine = pl.DataFrame({"id": self.ids}).with_row_index("place")
        found = pl.DataFrame({"id": ids}).join(mine, on="id", how="left", maintain_order="left")
        lost = found.filter(pl.col("place").is_null())
        if len(lost):
            raise DataError(
                f"{len(lost)} of the rows are not in the matrix, such as id {lost['id'][0]!r}.\n"
                "Fix: apply the functions to these rows too."
            )
        return self.take(found["place"].to_numpy())

    def where(self, query: str) -> LabelMatrix:
        """The rows that answer a query about votes, such as `asks=spam & !link`; see consilience.labeling.query.

        >>> matrix = LabelMatrix.from_votes([[0, -1], [1, 1], [1, 0]], ["ham", "spam"], names=["a", "b"])
        >>> matrix.where("a=spam & b").ids.to_list(), matrix.where("conflict").ids.to_list()
        ([1, 2], [2])
        """
        from consilience.labeling.query import rows_where

        return self.take(rows_where(self, query))

    def only(self, *functions: str) -> LabelMatrix:
        """The matrix of some of the functions."""
        places = [self.column(name) for name in functions]
        infos = [self.functions[place] for place in places]
        return LabelMatrix(self.votes[:, places], self.labels, self.ids, infos, self.gold, self.table, self.counts)

    def with_gold(self, gold: npt.NDArray[np.int16]) -> LabelMatrix:
        """The same votes with other gold. gold: (n,) codes, -1 where unknown."""
        return LabelMatrix(self.votes, self.labels, self.ids, self.functions, gold, self.table, self.counts)

    @classmethod
    def stack(cls, parts: Sequence[LabelMatrix], table: Table) -> LabelMatrix:
        """One matrix of the rows of all parts, whose functions and labels are the same; table holds the same rows."""
        votes = np.asfortranarray(np.concatenate([part.votes for part in parts]))
        infos = []
        for same in zip(*(part.functions for part in parts), strict=True):
            failures = [info.failure for info in same if info.failure]
            failure = sum(failures[1:], failures[0]) if failures else None
            seconds = sum(info.seconds for info in same)
            kept = all(info.from_store for info in same)
            infos.append(replace(same[0], failure=failure, seconds=seconds, from_store=kept))
        return cls(votes, parts[0].labels, table.ids, infos, table.gold_codes(parts[0].labels), table)

    # how it looks

    def summary(self) -> Summary:
        """Coverage, overlap, conflict and, where there is gold, accuracy of each function."""
        from consilience.labeling.summary import summarize

        return summarize(self)

    def view(self, rows: int = 10) -> View:
        """The first rows with their votes, to read."""
        texts = self.table.texts if self.table is not None and self.table.text_column else None
        columns = ["id", *(["text"] if texts else []), "votes", *(["gold"] if self.n_gold else [])]
        lines = []
        for place in range(min(rows, len(self))):
            votes = self.votes_of(place)
            gold = self.labels.decode([int(self.gold[place])])
            lines.append(
                [
                    str(self.ids[place]),
                    *([short(texts[place])] if texts else []),
                    votes,
                    *(gold if self.n_gold else []),
                ]
            )
        return View(columns, lines, notes=[repr(self)])

    def votes_of(self, place: int) -> Marked:
        """Who said what of one row, to read."""
        row = self.votes[place]
        votes = [(self.functions[j].name, int(row[j])) for j in np.flatnonzero(row >= 0)]
        text = ", ".join(f"{name}={self.labels.votes[code]}" for name, code in votes) or "(none)"
        return Marked(text, "".join(vote_mark(name, self.labels.votes[code], code) for name, code in votes))

    def _repr_html_(self) -> str:
        """The summary, and the first rows with their votes: self-contained and escaped."""
        return self.summary()._repr_html_() + self.view().html()

    def __len__(self) -> int:
        return len(self.votes)

    def __repr__(self) -> str:
        n, m = self.votes.shape
        share = f", {self.covered.mean():.1%} covered" if n and m else ""
        return f"LabelMatrix({n} rows x {m} functions{share}; labels {', '.join(self.labels)})"

    def __str__(self) -> str:
        return str(self.view())


def check_votes(votes: Votes, n_classes: int) -> None:
    """Raise VoteError naming the first vote that is neither a class nor ABSTAIN. votes: (n, m)."""
    if votes.size == 0 or (votes.min() >= ABSTAIN and votes.max() < n_classes):
        return
    row, column = np.argwhere((votes < ABSTAIN) | (votes >= n_classes))[0]
    raise VoteError(
        f"Function {column} voted {votes[row, column]} on row {row}, but the classes are 0..{n_classes - 1}.\n"
        f"Fix: give the place of a label, or {ABSTAIN} where the function abstains."
    )


def vote_type(n_classes: int) -> type[np.signedinteger[Any]]:
    """The smallest integer that holds every code and one more (packing counts from 1)."""
    return np.int8 if n_classes < 127 else np.int16


def short(text: str, limit: int = 110) -> str:
    """A text on one line, cut where it is too long."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
