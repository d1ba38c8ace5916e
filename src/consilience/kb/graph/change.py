"""What a change does to a factor graph: factors that go and come, new variables and weights, other evidence.

Positions are those of the graph before; new variables and weights follow behind its last. Nothing is renumbered: a
variable that is gone keeps its place, without factors, its evidence set to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import Factors


@dataclass(frozen=True, slots=True)
class GraphChange:
    """One change of a graph, before -> after.

    cardinality, evidence: (new variables,) int32. removed, added: factors by what they are, over positions of the graph
    after the change; a removed factor equals one of the graph before in everything.
    evidence_at, evidence_to: (e,) int32: variables that were there and whose evidence changes (OPEN: taken back).
    weight_is_fixed: (new weights,) bool. weight_at, weight_to: weights that were there and get another value.
    """

    cardinality: NDArray[np.int32]
    evidence: NDArray[np.int32]
    removed: Factors
    added: Factors
    evidence_at: NDArray[np.int32]
    evidence_to: NDArray[np.int32]
    weight_is_fixed: NDArray[np.bool_]
    weight_at: NDArray[np.int32]
    weight_to: NDArray[np.float64]
