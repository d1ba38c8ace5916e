"""Functions two by two: how often they vote together, agree and contradict each other, and which say nothing new.

Reads a label matrix; counts over its distinct rows. Two votes agree if one label satisfies both.

Source: agreement corrected for chance, Cohen 1960; silence counts as an answer, so that functions of one label (which
cannot disagree where both vote) are compared by where they vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from consilience.labeling.matrix import LabelMatrix
from consilience.views import View

Floats = npt.NDArray[np.float64]
IMPLIED = 0.95  # share of a function's votes that another one repeats, from which the first says nothing new
ROWS_AT_ONCE = 65_536  # distinct rows multiplied together: their indicators stay small
PAIRS = 20  # in a table, at most


@dataclass(frozen=True)
class Implied:
    """A function nearly all of whose votes another one gives too.

    share: of its votes. kappa: agreement beyond chance of the two over all rows, silence being an answer. lost: rows
    that nobody else votes on.
    """

    function: str
    by: str
    share: float
    kappa: float
    lost: int


@dataclass(frozen=True)
class Agreement:
    """Counts of rows, for m functions: on which two vote, agree, contradict each other, and say the very same.

    votes: (m,); both, agree, same: (m, m), symmetric. said: (m, s) how often each gives each vote.
    only: (m,) rows that nobody else votes on.
    """

    names: tuple[str, ...]
    n_rows: int
    votes: Floats
    both: Floats
    agree: Floats
    same: Floats
    said: Floats
    only: Floats

    @property
    def disagree(self) -> Floats:
        """Rows on which two functions vote for what cannot both be true. returns: (m, m)."""
        return self.both - self.agree

    @cached_property
    def kappa(self) -> Floats:
        """Agreement beyond chance over all rows, silence being an answer: 1 is equal, 0 chance. (m, m), NaN if no rows.

        Two functions that are silent on all rows, or say one thing on all, are equal: 1.
        """
        n = max(self.n_rows, 1)
        silent = (n - self.votes) / n
        neither = n - self.votes[:, None] - self.votes[None, :] + self.both
        observed = (self.same + neither) / n
        shares = self.said / n
        chance = shares @ shares.T + np.outer(silent, silent)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = np.where(chance < 1 - 1e-12, (observed - chance) / (1 - chance), 1.0)
        return beyond if self.n_rows else np.full_like(beyond, np.nan)

    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of functions that contradict each other, those that do most often first."""
        first, second = np.nonzero(np.triu(self.disagree, 1) > 0)
        order = np.lexsort((second, first, -self.disagree[first, second]))
        return [(int(first[place]), int(second[place])) for place in order]

    def implied(self, least: float = IMPLIED) -> list[Implied]:
        """Functions that another one makes needless, those that would be missed least first.

        Each is compared with those that are kept: of two that are equal, one stays. A function that is silent on all
        rows is implied by nobody. O(m^2).
        """
        kept = set(np.flatnonzero(self.votes > 0).tolist())
        found = []
        for j in sorted(kept, key=lambda j: (self.votes[j], -j)):
            share = {i: self.same[i, j] / self.votes[j] for i in kept - {j}}
            by = max(share, key=lambda i: (share[i], self.votes[i], -i), default=None)
            if by is None or share[by] < least:
                continue
            kept.discard(j)
            found.append(
                Implied(
                    self.names[j],
                    self.names[by],
                    float(share[by]),
                    float(self.kappa[j, by]),
                    round(float(self.only[j])),
                )
            )
        return sorted(found, key=lambda line: (line.lost, -line.share))

    def conflicts_view(self, most: int = PAIRS) -> View:
        """Pairs that contradict each other, to look at."""
        pairs = self.pairs()
        rows = []
        for i, j in pairs[:most]:
            both, against = self.both[i, j], self.disagree[i, j]
            rows.append(
                [self.names[i], self.names[j], round(both), round(both - against), round(against), against / both]
            )
        notes = [f"{len(pairs)} of {len(self.names) * (len(self.names) - 1) // 2} pairs contradict each other"]
        notes += [f"the {most} pairs that do most often are shown"] if len(pairs) > most else []
        columns = ["function", "and", "both vote", "agree", "disagree", "share"]
        return View(columns, rows, notes=notes, bars=frozenset({"share"}))

    def redundant_view(self, least: float = IMPLIED) -> View:
        """Functions that could be dropped, to look at."""
        lines = self.implied(least)
        rows = [[line.function, line.by, line.share, line.kappa, line.lost] for line in lines]
        lost = sum(line.lost for line in lines)
        notes = [f"a function is here if another one that is kept repeats {least:.0%} of its votes"]
        notes += [f"without all of them, about {lost:,} of {self.n_rows:,} rows lose their only vote"] if lines else []
        return View(["function", "is implied by", "share", "kappa", "rows lost"], rows, notes=notes)


def agreement(matrix: LabelMatrix) -> Agreement:
    """How often each two functions vote together, agree, and say the same.

    O(patterns x functions^2 x labels).

    >>> matrix = LabelMatrix.from_votes([[0, 0, 1], [0, -1, 0], [1, 1, -1]], ["ham", "spam"], names=["a", "b", "c"])
    >>> found = agreement(matrix)
    >>> found.both.astype(int).tolist(), found.disagree.astype(int).tolist()
    ([[3, 2, 2], [2, 2, 1], [2, 1, 2]], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])
    >>> [(line.function, line.by) for line in found.implied()]
    [('b', 'a')]
    """
    patterns, meanings = matrix.patterns, matrix.labels.meanings
    m, symbols = len(matrix.names), len(matrix.labels.votes)
    fits = (meanings.astype(int) @ meanings.T.astype(int)) > 0
    both, agree, same, said, only = (np.zeros(shape) for shape in ((m, m), (m, m), (m, m), (m, symbols), (m,)))
    for start in range(0, len(patterns), ROWS_AT_ONCE):
        part = patterns.votes[start : start + ROWS_AT_ONCE]
        counts = patterns.counts[start : start + ROWS_AT_ONCE].astype(np.float64)[:, None]
        spoke = (part >= 0).astype(np.float64)
        both += (spoke * counts).T @ spoke
        only += ((spoke * counts) * (spoke.sum(axis=1) == 1)[:, None]).sum(axis=0)
        for code in range(symbols):
            own = (part == code) * counts
            said[:, code] += own.sum(axis=0)
            same += own.T @ (part == code)
            agree += own.T @ np.isin(part, np.flatnonzero(fits[code]))
    return Agreement(tuple(matrix.names), matrix.n_rows, both.diagonal().copy(), both, agree, same, said, only)
