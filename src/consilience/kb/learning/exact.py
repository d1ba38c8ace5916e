"""Weights at the optimum of the exact objective: quasi-Newton steps (L-BFGS) along the exact gradient.

Maximises sum of the parts' log-likelihoods - l2/2 |w|^2 - l1 |w|_1 over the learned weights. Each is first scaled by
the square root of its curvature at equal odds, so that a weight seen once and a weight seen a million times take
steps alike, and the gradient is in standard deviations: it stops when no weight would gain from moving by more than
`tolerance` of its own uncertainty. An L1 penalty is made smooth by writing w = u - v with u, v >= 0: weights that the
evidence does not pay for end at exactly 0.

Source: Liu & Nocedal 1989; Byrd et al. 1995 (bounds), as in SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consilience.progress import working

Array = NDArray[np.float64]


class Part(Protocol):
    """Components whose likelihood can be had exactly."""

    def likelihood(self, weights: Array, gradient: Array) -> float:
        """Log-likelihood of the evidence, its gradient added to `gradient` (W,)."""

    def curvature(self, n_weights: int) -> Array:
        """(W,): a rough second derivative by each weight, for scale only."""


@dataclass
class Objective:
    """What is maximised, and its trace: objective and largest scaled gradient at each step."""

    parts: Sequence[Part]
    l2: float
    l1: float
    weights: Array
    free: NDArray[np.intp]  # the weights that move
    values: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        curvature = sum((part.curvature(len(self.weights)) for part in self.parts), np.zeros(len(self.weights)))
        curvature = curvature[self.free] + self.l2
        self.scale = 1 / np.sqrt(np.where(curvature > 0, curvature, 1.0))

    def smooth(self, weights: Array) -> tuple[float, Array]:
        """Objective without L1 and its gradient, both over the free weights."""
        gradient = np.zeros(len(self.weights))
        total = sum(part.likelihood(weights, gradient) for part in self.parts)
        w = weights[self.free]
        return total - self.l2 / 2 * float(w @ w), gradient[self.free] - self.l2 * w

    def at(self, x: Array) -> Array:
        """All weights, with the free ones at the scaled point x, which has u and v one behind the other under L1."""
        n = len(self.free)
        out = self.weights.copy()
        out[self.free] = self.scale * (x[:n] - x[n:] if self.l1 else x)
        return out

    def minimised(self, x: Array) -> tuple[float, Array]:
        """Minus the objective at x and its gradient, as the minimiser wants it."""
        value, gradient = self.smooth(self.at(x))
        gradient *= self.scale
        if self.l1:
            penalty = self.l1 * np.concatenate([self.scale, self.scale])
            value -= float(penalty @ x)
            gradient = np.concatenate([gradient, -gradient]) - penalty
        self._last = value, float(np.abs(_projected(gradient, x) if self.l1 else gradient).max(initial=0.0))
        return -value, -gradient

    def note(self) -> None:
        """Write the latest evaluation into the trace."""
        self.values.append(self._last[0])
        self.norms.append(self._last[1])


def climb(objective: Objective, iterations: int, tolerance: float) -> tuple[Array, bool]:
    """The weights at the optimum, and whether it was reached. O(iterations * likelihood)."""
    from scipy.optimize import minimize

    start = objective.weights[objective.free] / objective.scale
    if objective.l1:
        start = np.concatenate([np.maximum(start, 0), np.maximum(-start, 0)])
    objective.minimised(start)
    objective.note()
    if objective.norms[-1] <= tolerance:
        return objective.at(start), True
    with working("learning weights") as tick:

        def each(_: Array) -> None:
            objective.note()
            tick()

        found = minimize(
            objective.minimised,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * len(start) if objective.l1 else None,
            callback=each,
            options={"maxiter": iterations, "maxfun": 20 * iterations, "gtol": tolerance, "ftol": 0.0, "maxcor": 20},
        )
    objective.minimised(found.x)
    objective.note()
    return objective.at(found.x), objective.norms[-1] <= max(tolerance, 1e-6)


def _projected(gradient: Array, x: Array) -> Array:
    """The part of a gradient that does not push against the bound at 0."""
    return np.where((x <= 0) & (gradient < 0), 0.0, gradient)
