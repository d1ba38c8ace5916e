"""Components too large for a table of worlds, but not for exact inference: trees, and graphs of small treewidth.

Their gradient is the difference of two exact expectations, each prepared once and solved again at every step. Virtual
evidence is a factor of the clamped phase for each value of its variable, under a weight of 1 behind the others. A
component with targets has no place here: its clamped phase would be solved once for every joint draw of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.inference.exact import Prepared
from consilience.kb.learning.relevant import TARGET, Relevant, part_of


class Solved:
    """The likelihood of some components by exact inference. Raises nothing: ask `solvable` first.

    Memory: what two preparations hold, see `Prepared`.
    """

    def __init__(self, relevant: Relevant, which: NDArray[np.bool_]) -> None:
        part = part_of(relevant, which)
        self.graph = part.graph
        has_targets = bool((part.known == TARGET).any())
        self.free = Prepared(self.graph, clamped=False) if not has_targets else None
        self.clamped = Prepared(_with_tilts(part)) if self.free is not None and len(self.free.unsolved) == 0 else None

    @property
    def solvable(self) -> bool:
        """Whether every component is within the limits of exact inference, in both phases."""
        return self.clamped is not None and len(self.clamped.unsolved) == 0

    def likelihood(self, weights: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
        """log Z(clamped) - log Z, its gradient added to `gradient` (W,). Costs two exact inferences."""
        assert self.free is not None and self.clamped is not None
        free = self.free.solve(weights, expected=True)
        clamped = self.clamped.solve(np.append(weights, 1.0), expected=True)
        assert free.expected_worth is not None and clamped.expected_worth is not None
        difference = (clamped.expected_worth[: self.graph.n_factors] - free.expected_worth) * self.graph.factors.scale
        gradient += np.bincount(self.graph.factors.weight, difference, len(gradient))
        assert free.marginals.log_partition is not None and clamped.marginals.log_partition is not None
        return clamped.marginals.log_partition - free.marginals.log_partition

    def curvature(self, n_weights: int) -> NDArray[np.float64]:
        """(W,): as if every factor were worth +-1 with even odds."""
        f = self.graph.factors
        return np.bincount(f.weight, f.scale.astype(np.float64) ** 2, n_weights).astype(np.float64)


def _with_tilts(part: Relevant) -> FactorGraph:
    """The graph with a weight more, and under it a factor for each value that virtual evidence speaks of."""
    graph = part.graph
    of_variable = np.repeat(graph.soft.variable, np.diff(graph.soft.offsets))
    value = np.arange(len(of_variable)) - part.soft_start[of_variable]
    n = len(of_variable)
    said = Factors(
        np.full(n, FactorFunction.AND_CATEGORICAL, np.uint8),
        np.arange(n + 1, dtype=np.int32),
        of_variable.astype(np.int32),
        value.astype(np.int32),
        np.full(n, graph.n_weights, np.int32),
        part.tilt.astype(np.float32),
        np.zeros(0, np.int32),
    )
    is_fixed = np.append(graph.weight_is_fixed, True)
    return replace(graph, factors=Factors.joined([graph.factors, said]), weight_is_fixed=is_fixed)
