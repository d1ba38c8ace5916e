"""Components too large for a table of worlds, but not for exact inference: trees, and graphs of small treewidth.

Their gradient is the difference of two exact expectations, each prepared once and solved again at every step. A
component with soft evidence has no place here: its clamped phase would be solved once for every joint draw of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.kb.inference.exact import Prepared
from consilience.kb.learning.relevant import SOFT, Relevant, part_of


class Solved:
    """The likelihood of some components by exact inference. Raises nothing: ask `solvable` first.

    Memory: what two preparations hold, see `Prepared`.
    """

    def __init__(self, relevant: Relevant, which: NDArray[np.bool_]) -> None:
        self.graph = part_of(relevant, which).graph
        self.soft = bool((relevant.known[np.repeat(which, np.diff(relevant.first_variable))] == SOFT).any())
        self.free = Prepared(self.graph, clamped=False) if not self.soft else None
        self.clamped = Prepared(self.graph) if self.free is not None and len(self.free.unsolved) == 0 else None

    @property
    def solvable(self) -> bool:
        """Whether every component is within the limits of exact inference, in both phases."""
        return self.clamped is not None and len(self.clamped.unsolved) == 0

    def likelihood(self, weights: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
        """log Z(clamped) - log Z, its gradient added to `gradient` (W,). Costs two exact inferences."""
        assert self.free is not None and self.clamped is not None
        free, clamped = (prepared.solve(weights, expected=True) for prepared in (self.free, self.clamped))
        assert free.expected_worth is not None and clamped.expected_worth is not None
        difference = (clamped.expected_worth - free.expected_worth) * self.graph.factors.scale
        gradient += np.bincount(self.graph.factors.weight, difference, len(gradient))
        assert free.marginals.log_partition is not None and clamped.marginals.log_partition is not None
        return clamped.marginals.log_partition - free.marginals.log_partition

    def curvature(self, n_weights: int) -> NDArray[np.float64]:
        """(W,): as if every factor were worth +-1 with even odds."""
        f = self.graph.factors
        return np.bincount(f.weight, f.scale.astype(np.float64) ** 2, n_weights).astype(np.float64)
