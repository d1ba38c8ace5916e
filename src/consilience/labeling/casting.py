"""One batch, all functions: the step that every way of applying shares, in this process, in workers or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.engines.watch import STOPS, Stopped
from consilience.errors import LabelError
from consilience.labeling.function import Batch, Codes, Failure, LabelingFunction, Votes, fingerprint_of

if TYPE_CHECKING:
    from consilience.labeling.matrix import FunctionInfo


@dataclass(frozen=True)
class Column:
    """The votes of one function on all rows of a table, kept by key: codes (n,) of `labels`, what failed, seconds."""

    codes: Codes
    labels: tuple[str, ...]
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def given_up(self) -> bool:
        """Whether some rows were never tried."""
        return self.failure is not None and self.failure.given_up

    def coded(self, labels: Labels) -> Codes:
        """The codes as places in other labels. Raises LabelError for a vote they do not have."""
        if self.labels == labels.votes:
            return self.codes
        used = set(np.unique(self.codes).tolist())
        places = [labels.vote_index(name) if code in used else -1 for code, name in enumerate(self.labels)]
        return np.array([*places, -1], np.int16)[self.codes]


def cast(functions: Sequence[LabelingFunction], batch: Batch, labels: Labels) -> list[Column]:
    """What each function says of each row of a batch, in their order."""
    batch.functions = tuple(functions)
    return [cast_one(function, batch, labels) for function in functions]


def cast_one(function: LabelingFunction, batch: Batch, labels: Labels) -> Column:
    """What one function says of a batch, and how long it took: its share of what was made for several at once."""
    own = labels.with_votes(function.labels or ())
    began, owed = time.perf_counter(), batch.owed_s
    try:
        votes = function.vote(batch, own)
    except Stopped as error:  # a call on many rows took far too long: it is not tried again
        failure = Failure(len(batch), str(batch.ids[0]), str(error), stops=STOPS, given_up=True)
        votes = Votes(np.full(len(batch), ABSTAIN, np.int16), failure)
    seconds = time.perf_counter() - began + batch.owed_s - owed
    return Column(votes.codes, own.votes, votes.failure, max(seconds, 0.0))


def function_key(function: LabelingFunction | FunctionInfo, labels: Labels) -> str:
    """What a function's votes depend on beside the rows: itself, and what the sets of labels mean that it may give.

    A function that may give any label depends on all labels, but not on what sets of them other functions give.
    """
    if function.labels:
        groups = {name: sorted(labels.members(name)) for name in function.labels if name not in labels}
        meaning = f"-{fingerprint_of(sorted(groups.items()))}" if groups else ""
    else:
        meaning = f"-{fingerprint_of(labels.votes, sorted(labels.groups.items()))}"
    return f"{function.fingerprint}{meaning}"


def label_space(functions: Sequence[LabelingFunction], base: Labels) -> Labels:
    """The labels of the matrix: the given ones, with the sets of them that functions may give."""
    space = base
    for function in functions:
        try:
            space = space.with_votes(function.labels or ())
        except LabelError as error:
            raise LabelError(f"Function {function.name!r} may say what it cannot: {error}") from None
    return space


def vote_series(column: Column) -> pl.Series:
    """The votes of a column as label names, of a type that Parquet keeps small; null abstains."""
    names = [*column.labels, None]
    return pl.Series(names, dtype=pl.Enum(list(column.labels)))[column.codes.astype(np.int64) % len(names)]


def column_codes(votes: pl.Series) -> tuple[Codes, tuple[str, ...]]:
    """The codes of stored votes, and the names they are places in."""
    if isinstance(votes.dtype, pl.Enum):
        codes = votes.to_physical().cast(pl.Int16).fill_null(ABSTAIN).to_numpy()
        return np.asarray(codes, np.int16), tuple(votes.dtype.categories.to_list())
    names = votes.drop_nulls().unique().sort().to_list()  # as earlier versions wrote them
    return Labels(*names).codes_of(votes) if names else np.full(len(votes), ABSTAIN, np.int16), tuple(names)


def joined(parts: Sequence[Column], labels: Labels) -> Column:
    """One column of the columns of batches, in order. All of one function, so that they speak of the same labels."""
    codes = np.concatenate([np.empty(0, np.int16), *(part.codes for part in parts)])
    failures = [part.failure for part in parts if part.failure]
    failure = sum(failures[1:], failures[0]) if failures else None
    said = next((part.labels for part in parts if part.labels != labels.votes), labels.votes)
    return Column(codes, said, failure, sum(part.seconds for part in parts))
