"""Functions that depend on one another, inside a model of independent ones: pairs get a table of their own. Used by EM.

Dependencies are a forest of edges parent -> child. Given the class, a child's symbol depends on its parent's too:
P(votes | y) = prod_j P(s_j | y) x prod_edges P(s_child | s_parent, y) / P(s_child | y), which is a distribution because
each function is the child of at most one edge.

Source: Friedman, Geiger & Goldszmidt 1997 (tree-augmented naive Bayes). Departs: the class is latent, and the forest is
given, not learned here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Edge = tuple[int, int]


def forest(pairs: Sequence[Edge], m: int) -> list[Edge]:
    """Edges parent -> child that connect what the pairs connect, without circles; earlier pairs first.

    >>> forest([(0, 1), (1, 2), (2, 0), (4, 3)], 5)
    [(0, 1), (1, 2), (3, 4)]
    """
    group = list(range(m))
    kept: dict[int, list[int]] = {place: [] for place in range(m)}
    for a, b in pairs:
        if group[a] != group[b]:
            old, new = group[b], group[a]
            group = [new if g == old else g for g in group]
            kept[a].append(b)
            kept[b].append(a)
    edges: list[Edge] = []
    seen: set[int] = set()
    for root in range(m):
        waiting = [root] if root not in seen else []
        while waiting:
            parent = waiting.pop(0)
            seen.add(parent)
            children = [place for place in sorted(kept[parent]) if place not in seen]
            edges += [(parent, child) for child in children]
            waiting += children
    return edges


class EdgeTables:
    """The two sums of PatternTables, for edges.

    votes: (p, m) codes, -1 abstains; n_codes: how many things a vote can say; s = n_codes + 1 symbols.
    """

    def __init__(self, votes: npt.NDArray[Any], edges: Sequence[Edge], n_classes: int, n_codes: int) -> None:
        self.edges, self.n_classes, self.n_symbols = list(edges), n_classes, n_codes + 1
        self.n_patterns = len(votes)
        self.codes = [
            (votes[:, parent].astype(np.intp) + 1) * self.n_symbols + votes[:, child] + 1 for parent, child in edges
        ]

    def log_ratio(self, theta: Floats, pair: Floats) -> Floats:
        """What the edges add to the log-likelihood of independent functions.

        theta: (m, k, s) P(symbol | class). pair: (edges, k, s, s) P(child's | parent's, class). returns: (k, p).
        """
        total = np.zeros((self.n_classes, self.n_patterns))
        for (_, child), codes, table in zip(self.edges, self.codes, pair, strict=True):
            ratio = np.log(table) - np.log(theta[child])[:, None, :]
            for y in range(self.n_classes):
                total[y] += ratio[y].ravel()[codes]
        return total

    def conditionals(self, weights: Floats, theta: Floats, strength: float) -> Floats:
        """P(child's symbol | parent's, class), drawn to independence by `strength` rows of pretended evidence.

        weights: (k, p). theta: (m, k, s). returns: (edges, k, s, s), the last axis summing to 1.
        """
        s = self.n_symbols
        pair = np.empty((len(self.edges), self.n_classes, s, s))
        for place, ((_, child), codes) in enumerate(zip(self.edges, self.codes, strict=True)):
            for y in range(self.n_classes):
                cells = np.bincount(codes, weights[y], s * s).reshape(s, s)
                pair[place, y] = cells + strength * theta[child, y]
        return pair / pair.sum(axis=3, keepdims=True)


def components(edges: Sequence[Edge], m: int) -> list[list[int]]:
    """Functions that edges connect, together; each function is in one of the lists."""
    group = list(range(m))
    for a, b in edges:
        old, new = group[b], group[a]
        group = [new if g == old else g for g in group]
    return [[place for place in range(m) if group[place] == g] for g in dict.fromkeys(group)]
