"""One batch, all functions: the step that every way of applying shares, in this process, in workers or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consilience.data.labels import Labels
from consilience.labeling.function import Batch, Codes, Failure, LabelingFunction


@dataclass(frozen=True)
class Column:
    """The votes of one function on all rows of a table, kept by key: codes (n,) of `labels`, what failed, seconds."""

    codes: Codes
    labels: tuple[str, ...]
    failure: Failure | None = None
    seconds: float = 0.0

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
    votes = function.vote(batch, own)
    seconds = time.perf_counter() - began + batch.owed_s - owed
    return Column(votes.codes, own.votes, votes.failure, max(seconds, 0.0))
