"""Dawid-Skene in which a function may lean on one other: the model that the search for dependencies refits.

Reads patterns of votes and links between functions that form a forest; fits tables by EM and says how often each two
functions should then say each two things. Used by structure.py; pattern_tables.py sums for functions without a link.

Source: Dawid & Skene 1979, with the trees of Friedman, Geiger & Goldszmidt 1997 (tree-augmented naive Bayes) given the
class. Departs: the class is latent, and a function linked to nobody keeps its plain table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consilience.label_models.base import Evidence, Floats
from consilience.label_models.dawid_skene import FLOOR, prior_tables
from consilience.label_models.one_coin import normalised
from consilience.label_models.pattern_tables import PatternTables

PRIOR_ROWS = 2.0  # weak: a stronger pull to 70% accuracy would itself look like dependence in many rows

Edge = tuple[int, int]


@dataclass(frozen=True)
class ForestFit:
    """What was learned.

    theta: (m, k, s) P(symbol | class), symbol 0 is abstaining. links: for each function that leans on another,
    (k, s, s) P(its symbol | the other's symbol, class), the other's first. balance: (k,) mean of the posterior, which
    is (k, p). log_likelihood: of the votes.
    """

    theta: Floats
    links: dict[int, Floats]
    balance: Floats
    posterior: Floats
    log_likelihood: float


class Forest:
    """Patterns of votes and a forest of links, ready to be fitted.

    edges: pairs of places of functions without a cycle; which of the two leans on the other makes no difference.
    """

    def __init__(self, evidence: Evidence, edges: Sequence[Edge], centre: Floats | None = None) -> None:
        self.evidence = evidence
        self.k, self.s = evidence.n_classes, evidence.n_symbols + 1
        self.centre = prior_tables(evidence) if centre is None else centre
        self.parents, self.order = rooted(evidence.votes.shape[1], edges)
        self.roots = np.flatnonzero(self.parents < 0)
        self.children = [j for j in self.order if self.parents[j] >= 0]
        self.tables = PatternTables(evidence.votes[:, self.roots], self.k, evidence.n_symbols)
        said = evidence.votes.astype(np.intp) + 1
        self.codes = {j: said[:, self.parents[j]] * self.s + said[:, j] for j in self.children}

    @property
    def n_extra(self) -> int:
        """How many more free numbers it has than without links."""
        return len(self.children) * self.k * (self.s - 1) ** 2

    def fit(self, posterior: Floats, *, max_iterations: int = 100, tolerance: float = 1e-6) -> ForestFit:
        """EM from a posterior (k, p); with max_iterations=0 the tables that this posterior implies, and no more."""
        counts, known = self.evidence.counts, self.evidence.known >= 0
        before = -np.inf
        for iteration in range(max_iterations + 1):
            posterior[:, known] = np.eye(self.k)[:, self.evidence.known[known]]
            weights = posterior * counts
            plain, links = self._plain(weights), {j: self._link(j, weights) for j in self.children}
            balance = (weights.sum(axis=1) + 1) / (counts.sum() + self.k)
            joint = self.tables.log_likelihood(np.log(plain)) + np.log(balance)[:, None]
            for j, table in links.items():
                joint += np.log(table).reshape(self.k, -1)[:, self.codes[j]]
            updated, row = normalised(joint)
            row[known] = joint[self.evidence.known[known], known]
            likelihood = float(counts @ row)
            if iteration == max_iterations or likelihood - before < tolerance * counts.sum():
                break
            posterior, before = updated, likelihood
        return ForestFit(
            self._marginals(plain, links), links, weights.sum(axis=1) / counts.sum(), posterior, likelihood
        )

    def _plain(self, weights: Floats) -> Floats:
        smooth = self.tables.expected_counts(weights) + PRIOR_ROWS * self.centre[self.roots]
        table: Floats = np.maximum(smooth / smooth.sum(axis=2, keepdims=True), FLOOR)
        return table

    def _link(self, j: int, weights: Floats) -> Floats:
        """Table of a function given the one it leans on, drawn a little to its table without. returns: (k, s, s)."""
        cells = np.stack([np.bincount(self.codes[j], row, self.s**2) for row in weights])
        cells = cells.reshape(self.k, self.s, self.s)
        own = cells.sum(axis=1) + PRIOR_ROWS * self.centre[j]
        smooth = cells + PRIOR_ROWS * (own / own.sum(axis=1, keepdims=True))[:, None, :]
        table: Floats = np.maximum(smooth / smooth.sum(axis=2, keepdims=True), FLOOR)
        return table

    def _marginals(self, plain: Floats, links: dict[int, Floats]) -> Floats:
        theta = np.empty((len(self.parents), self.k, self.s))
        theta[self.roots] = plain
        for j in self.children:  # in order, so the one leaned on is there
            theta[j] = np.einsum("ya,yab->yb", theta[self.parents[j]], links[j])
        return theta

    def joint(self, fit: ForestFit) -> tuple[Floats, Floats]:
        """How often each two functions say each two things: with the links, and if there were none.

        returns: two (m, s, m, s). O((m s)^2 k). Blocks of a function with itself mean nothing.
        """
        m = len(self.parents)
        flat = fit.theta.transpose(1, 0, 2).reshape(self.k, m * self.s)
        independent = ((flat.T * fit.balance) @ flat).reshape(m, self.s, m, self.s)
        linked = independent.copy()
        pairs: dict[Edge, Floats] = {}
        tree: list[int] = []
        for j in self.order:
            parent = int(self.parents[j])
            tree = [] if parent < 0 else tree
            for other in tree:
                start = _diagonal(fit.theta[parent]) if other == parent else pairs[other, parent]
                pairs[other, j] = start @ fit.links[j]
                pairs[j, other] = pairs[other, j].transpose(0, 2, 1)
                linked[other, :, j, :] = np.einsum("y,yab->ab", fit.balance, pairs[other, j])
                linked[j, :, other, :] = linked[other, :, j, :].T
            tree.append(j)
        return linked, independent


def rooted(m: int, edges: Sequence[Edge]) -> tuple[npt.NDArray[np.int64], list[int]]:
    """The forest with a root in each tree. returns: (m,) whom each leans on, or -1; an order, each tree in one run.

    >>> rooted(4, [(2, 3), (0, 3)])
    (array([-1, -1,  3,  0]), [0, 3, 2, 1])
    """
    neighbours: list[list[int]] = [[] for _ in range(m)]
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    parents, order, seen = np.full(m, -1), [], set()
    for root in range(m):
        waiting = [] if root in seen else [root]
        while waiting:
            j = waiting.pop()
            order.append(j)
            seen.add(j)
            for other in neighbours[j]:
                if other not in seen:
                    parents[other] = j
                    waiting.append(other)
    return parents, order


def _diagonal(theta: Floats) -> Floats:
    """A function beside itself. theta: (k, s). returns: (k, s, s)."""
    both: Floats = theta[:, :, None] * np.eye(theta.shape[1])
    return both
