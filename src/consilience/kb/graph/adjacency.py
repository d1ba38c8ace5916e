"""Members by group, and the factors of each variable: the two indexes that everything over a factor graph walks."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.factor_graph import FactorGraph


@dataclass(frozen=True, slots=True)
class Adjacency:
    """The factors of variable v are factors[offsets[v]:offsets[v + 1]], ascending, each once.

    offsets: (n + 1,) int64. factors: (pairs of a variable and a factor,) int32.
    """

    offsets: NDArray[np.int64]
    factors: NDArray[np.int32]

    def of(self, variables: NDArray[np.integer]) -> NDArray[np.int32]:
        """The factors that touch any of these variables, ascending, each once. O(their number, with a sort)."""
        starts, counts = self.offsets[variables], np.diff(self.offsets)[variables]
        places = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return np.unique(self.factors[places])


def adjacency(graph: FactorGraph, *, which: NDArray[np.integer] | None = None) -> Adjacency:
    """The factors of each variable: all of them, or those among `which` (ascending).

    A factor that names a variable twice stands once under it. O(variables + literals) time; 4 bytes a literal, 12 a
    variable.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> a, b = (FactorFunction.IS_TRUE, [(1, 1)], 0), (FactorFunction.AND, [(0, 1), (1, 1)], 0)
    >>> graph = FactorGraph.of([2, 2], [a, b])
    >>> index = adjacency(graph)
    >>> index.offsets.tolist(), index.factors.tolist()
    ([0, 1, 3], [1, 0, 1])
    """
    taken = np.arange(graph.n_factors, dtype=np.int32) if which is None else np.asarray(which, np.int32)
    return Adjacency(*_adjacency(graph.factors.offsets, graph.factors.variable, taken, graph.n_variables))


@compiled
def _adjacency(offsets, variable, taken, n):
    ends = np.zeros(n + 1, np.int64)
    last = np.full(n, -1, np.int32)  # the factor a variable was last seen in: a second literal of it adds nothing
    for f in taken:
        for literal in range(offsets[f], offsets[f + 1]):
            v = variable[literal]
            if last[v] != f:
                last[v] = f
                ends[v + 1] += 1
    for v in range(n):
        ends[v + 1] += ends[v]
    factors = np.empty(ends[n], np.int32)
    place = ends[:-1].copy()
    last[:] = -1
    for f in taken:
        for literal in range(offsets[f], offsets[f + 1]):
            v = variable[literal]
            if last[v] != f:
                last[v] = f
                factors[place[v]] = f
                place[v] += 1
    return ends, factors


@compiled
def grouped(group, n_groups):
    """Members by group, ascending in each: (n_groups + 1,) offsets and (members,), both int32. Group -1 is left out."""
    offsets = np.zeros(n_groups + 1, np.int32)
    for g in group:
        if g >= 0:
            offsets[g + 1] += 1
    for g in range(n_groups):
        offsets[g + 1] += offsets[g]
    members = np.empty(offsets[n_groups], np.int32)
    place = offsets[:-1].copy()
    for member in range(len(group)):
        g = group[member]
        if g >= 0:
            members[place[g]] = member
            place[g] += 1
    return offsets, members
