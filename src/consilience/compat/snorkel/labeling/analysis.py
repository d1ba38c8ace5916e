"""What labeling functions do, counted: coverage, overlaps, conflicts and, with gold, how often they are right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.frames import pandas
from consilience.compat.snorkel.utils.core import to_int_label_array
from consilience.data.labels import ABSTAIN
from consilience.errors import VoteError

Floats = npt.NDArray[np.float64]


class LFAnalysis:
    """Counts on a matrix of votes.

    L: (n, m) integers, -1 abstains. lfs: the m functions, of any kind, for their names.
    raises: VoteError (a ValueError) for another shape, or as many names as there are not columns.

    >>> found = LFAnalysis(np.array([[1, 1], [0, -1], [-1, -1], [0, 1]]))
    >>> float(found.label_coverage()), found.lf_overlaps().tolist(), found.lf_polarities()
    (0.75, [0.5, 0.5], [[0, 1], [1]])
    """

    def __init__(self, L: npt.ArrayLike, lfs: Sequence[Any] | None = None) -> None:
        self.L = np.asarray(L)
        if self.L.ndim != 2:
            raise VoteError(f"Votes have shape {self.L.shape}.\nFix: give a rows x functions array of integers.")
        if lfs is not None and len(lfs) != self.L.shape[1]:
            raise VoteError(
                f"There are {len(lfs)} functions and {self.L.shape[1]} columns of votes.\n"
                "Fix: give the functions that were applied, in their order."
            )
        self._lf_names = None if lfs is None else [lf.name for lf in lfs]

    @cached_property
    def _votes(self) -> npt.NDArray[np.bool_]:
        return np.asfortranarray(self.L != ABSTAIN)

    @cached_property
    def _overlapped(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._votes.sum(axis=1) > 1)

    @cached_property
    def _conflicted(self) -> npt.NDArray[np.bool_]:
        if not self.L.shape[1]:
            return np.zeros(len(self.L), bool)
        most = self.L.max(axis=1, keepdims=True)
        return np.asarray((self._votes & (most != self.L)).any(axis=1))

    def _share(self, rows: npt.NDArray[np.bool_]) -> Any:
        return rows.sum() / len(self.L) if len(self.L) else 0.0

    def label_coverage(self) -> float:
        """Share of the rows with a vote."""
        return self._share(np.asarray(self._votes.any(axis=1)))

    def label_overlap(self) -> float:
        """Share of the rows with two votes or more."""
        return self._share(self._overlapped)

    def label_conflict(self) -> float:
        """Share of the rows with votes for different classes."""
        return self._share(self._conflicted)

    def lf_polarities(self) -> list[list[int]]:
        """The classes each function votes for, sorted."""
        return [np.unique(self.L[said, j]).tolist() for j, said in enumerate(self._votes.T)]

    def lf_coverages(self) -> Floats:
        """Share of the rows each function votes on. returns: (m,)."""
        return self._per_function(np.ones(len(self.L), bool))

    def lf_overlaps(self, normalize_by_coverage: bool = False) -> Floats:
        """Share of the rows each function votes on together with another. returns: (m,).

        normalize_by_coverage: of the rows it votes on, not of all.
        """
        shares = self._per_function(self._overlapped)
        return _ratio(shares, self.lf_coverages()) if normalize_by_coverage else shares

    def lf_conflicts(self, normalize_by_overlaps: bool = False) -> Floats:
        """Share of the rows each function votes on where some two votes differ. returns: (m,).

        normalize_by_overlaps: of the rows it votes on together with another, not of all.
        """
        shares = self._per_function(self._conflicted)
        return _ratio(shares, self.lf_overlaps()) if normalize_by_overlaps else shares

    def lf_empirical_accuracies(self, Y: npt.ArrayLike) -> Floats:
        """Share of each function's votes that is right; 0 for one that never votes. Y: (n,) or (n, 1). returns: (m,).

        A vote on a row whose label is unknown (-1) counts as wrong here, as in Snorkel; `lf_summary` does not count it
        among Incorrect.
        """
        gold = self._gold(Y)[:, None]
        right = (self._votes & (gold == self.L)).sum(axis=0)
        said = self._votes.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(0.5 * ((right - (said - right)) / said + 1))

    def lf_empirical_probs(self, Y: npt.ArrayLike, k: int) -> Floats:
        """How often each function says what in each class.

        returns: (m, k + 1, k), what it says counted from -1; each class sums to 1, and is NaN if no row has it.
        """
        gold = self._gold(Y)
        counts = np.zeros((self.L.shape[1], k + 1, k))
        for j, column in enumerate(self.L.T):
            known = (gold >= 0) & (gold < k) & (column < k)
            counts[j] = np.bincount((column[known] + 1) * k + gold[known], minlength=(k + 1) * k).reshape(k + 1, k)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(counts / np.array([(gold == y).sum() for y in range(k)]))

    def lf_summary(self, Y: npt.ArrayLike | None = None, est_weights: npt.ArrayLike | None = None) -> Any:
        """A pandas frame with one row a function.

        Columns: j (if the functions were given), Polarity, Coverage, Overlaps, Conflicts; with Y, Correct, Incorrect,
        Emp. Acc.; with est_weights (m,), Learned Weight. Raises ExtraError if pandas is not installed.
        """
        pd = pandas("LFAnalysis.lf_summary")
        m = self.L.shape[1]
        columns: dict[str, Any] = {} if self._lf_names is None else {"j": list(range(m))}
        columns["Polarity"] = pd.Series(self.lf_polarities(), dtype=object)
        columns |= {"Coverage": self.lf_coverages(), "Overlaps": self.lf_overlaps(), "Conflicts": self.lf_conflicts()}
        if Y is not None:
            gold = self._gold(Y)[:, None]
            columns["Correct"] = (self._votes & (gold == self.L)).sum(axis=0)
            columns["Incorrect"] = (self._votes & (gold >= 0) & (gold != self.L)).sum(axis=0)
            columns["Emp. Acc."] = self.lf_empirical_accuracies(Y)
        if est_weights is not None:
            columns["Learned Weight"] = np.asarray(est_weights)
        frame = pd.DataFrame(columns)
        frame.index = list(range(m)) if self._lf_names is None else self._lf_names
        return frame

    def _per_function(self, rows: npt.NDArray[np.bool_]) -> Floats:
        """Share of all rows that each function votes on and that are among some. rows: (n,)."""
        counts = (self._votes & rows[:, None]).sum(axis=0)
        return counts / len(self.L) if len(self.L) else counts.astype(np.float64)

    def _gold(self, Y: npt.ArrayLike) -> npt.NDArray[np.int64]:
        gold = to_int_label_array(Y)
        if len(gold) != len(self.L):
            raise VoteError(f"{len(self.L)} rows have {len(gold)} labels.\nFix: give one for each, -1 where unknown.")
        return gold


def _ratio(part: Floats, whole: Floats) -> Floats:
    """One share of another, 0 where there is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(part / whole)
