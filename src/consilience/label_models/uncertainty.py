"""How sure we can be of what a label model learned: intervals for accuracies, coverage and class balance.

Reads any label model and a matrix. The rows are drawn again and again, with the same model fitted to each draw; since a
row is only its votes, a draw is one multinomial over the patterns' counts, however many rows there are.

Source: Efron & Tibshirani 1993, chapters 6 and 13 (bootstrap, percentile intervals).
Departs: rows with and without gold are drawn apart, so that every draw has as much gold as there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from consilience.errors import ModelError
from consilience.label_models.base import (
    Balance,
    BaseLabelModel,
    Evidence,
    Expected,
    Floats,
    Gold,
    evidence_from,
)
from consilience.labeling.matrix import LabelMatrix
from consilience.progress import reporting, track
from consilience.views import View


@dataclass(frozen=True)
class Intervals:
    """Estimates with their intervals: each (.., 3), an estimate, its low and its high end; NaN where unknown.

    accuracies, coverage: (m, 3), of functions; class_balance: (k, 3). level: how much of the draws an interval holds.
    repeats: how many draws. means: what accuracies are, in this model's words.
    """

    functions: tuple[str, ...]
    labels: tuple[str, ...]
    accuracies: Floats
    coverage: Floats
    class_balance: Floats
    level: float
    repeats: int
    means: str = "learned accuracy"

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One line a figure: what it is, of what, the estimate, and both ends."""
        parts = [
            ("accuracy", self.functions, self.accuracies),
            ("coverage", self.functions, self.coverage),
            ("class balance", self.labels, self.class_balance),
        ]
        lines = [
            (what, name, *map(float, row)) for what, names, rows in parts for name, row in zip(names, rows, strict=True)
        ]
        return pl.DataFrame(lines, schema=["figure", "of", "estimate", "low", "high"], orient="row")

    def view(self) -> View:
        """One line a function, and the class balance below."""
        columns = ["function", self.means, "low", "high", "coverage", "from", "to"]
        rows: list[list[Any]] = [
            [name, *map(float, accuracy), *map(float, coverage)]
            for name, accuracy, coverage in zip(self.functions, self.accuracies, self.coverage, strict=True)
        ]
        shares = ", ".join(
            f"{name} {p:.1%} [{low:.1%}, {high:.1%}]"
            for name, (p, low, high) in zip(self.labels, self.class_balance, strict=True)
        )
        notes = [
            f"class balance: {shares}",
            f"intervals hold {self.level:.0%} of {self.repeats} draws of the rows; they say how far chance goes, "
            "not whether the model is right",
        ]
        return View(columns, rows, notes=notes)

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


def intervals(
    model: BaseLabelModel,
    matrix: LabelMatrix,
    *,
    level: float = 0.95,
    repeats: int = 100,
    seed: int = 0,
    gold: Gold = None,
    class_balance: Balance = None,
    accuracies: Expected = None,
) -> Intervals:
    """Bootstrap intervals for what a label model learns from a matrix.

    model: fitted or not; it is not changed: fresh ones with its settings are fitted, one to all rows and one to each
        draw. repeats: 100 are enough to see how wide intervals are, 1000 to quote them. seed: of the draws.
    gold, class_balance, accuracies: as for `fit`.
    raises: ModelError for a level or repeats that cannot be; what `fit` raises. Takes repeats + 1 fits.

    >>> from consilience import DawidSkene
    >>> from consilience.testing import simulate
    >>> votes = simulate(1000, 6, ["ham", "spam"], seed=1).matrix
    >>> found = intervals(DawidSkene(), votes, repeats=20)
    >>> estimate, low, high = found.accuracies[0]
    >>> bool(low <= estimate <= high)
    True
    """
    if not 0 < level < 1 or repeats < 2:
        raise ModelError(
            f"There are no intervals of level {level} from {repeats} draws.\n"
            "Fix: a level between 0 and 1, and 2 or more repeats."
        )
    evidence, balance = evidence_from(matrix, gold, class_balance, accuracies)
    names = matrix.names

    def figures(evidence: Evidence) -> tuple[Floats, Floats, Floats]:
        fitted = model.fresh().fit_evidence(evidence, names, balance, seed)
        said = evidence.counts @ (evidence.votes >= 0) / evidence.counts.sum()
        return fitted.accuracies_, said, fitted.class_balance_

    estimates = figures(evidence)
    draws = []
    for drawn in track(resampled(evidence, repeats, seed), "drawing rows again", repeats):
        with reporting(lambda step: None):  # one bar for all fits, not one each
            draws.append(figures(drawn))
    ends = [_ends(np.array(part), level) for part in zip(*draws, strict=True)]
    accuracy, coverage, shares = (np.column_stack([x, *end]) for x, end in zip(estimates, ends, strict=True))
    means = model.accuracy_means
    return Intervals(tuple(names), tuple(matrix.labels), accuracy, coverage, shares, level, repeats, means)


def resampled(evidence: Evidence, repeats: int, seed: int) -> Iterator[Evidence]:
    """The same rows drawn again with replacement, as counts of patterns; those with gold apart. O(patterns) a draw."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        counts = np.zeros(len(evidence.counts))
        for part in (evidence.known >= 0, evidence.known < 0):
            weights = evidence.counts[part]
            if weights.sum() > 0:
                counts[part] = rng.multinomial(round(weights.sum()), weights / weights.sum())
        seen = counts > 0
        yield replace(evidence, votes=evidence.votes[seen], counts=counts[seen], known=evidence.known[seen])


def _ends(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentiles of the draws that are numbers, column by column; NaN where none is. draws: (repeats, x)."""
    tail = (1 - level) / 2
    known = ~np.isnan(draws).all(axis=0)
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    if known.any():
        low[known], high[known] = np.nanquantile(draws[:, known], [tail, 1 - tail], axis=0)
    return low, high
