"""What inference answers: the probability of each value of each variable, and how each was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Engine(IntEnum):
    """How the marginal of a variable was found, from the cheapest to the dearest."""

    EVIDENCE = 0  # clamped: its value is known
    CLOSED_FORM = 1  # a component of one variable
    TREE = 2  # sum-product on a component without cycles
    ENUMERATION = 3  # all worlds of a small component
    JUNCTION_TREE = 4  # exact on a component of small treewidth
    GIBBS = 5  # sampled
    IMPORTANCE = 6  # stored samples, weighted for a change
    METROPOLIS = 7  # stored samples, accepted or rejected whole
    VARIATIONAL = 8  # Gibbs on an approximate graph


@dataclass(frozen=True, slots=True)
class Marginals:
    """probability: (values,) float64, laid out by `FactorGraph.value_offsets`. engine: (n,) uint8 of Engine.

    r_hat, effective: (n,) float64: how far chains disagree, and how many independent draws they are worth; NaN and
    infinity where the answer is exact. log_partition: log of the sum over worlds, if every component was exact.
    """

    probability: NDArray[np.float64]
    engine: NDArray[np.uint8]
    r_hat: NDArray[np.float64]
    effective: NDArray[np.float64]
    log_partition: float | None = None
