"""The log-determinant relaxation: which pairs of variables an approximate graph must join.

    max log det X   s.t.  X_kk = M_kk + 1/3,  |X_kj - M_kj| <= lambda,  and X_kj = 0 where no factor joins k and j

M is the covariance of the variables as -1 and +1 in stored worlds; 1/3 is the variance of uniform noise on [-1, 1],
which makes a continuous variable of a spin (Wainwright & Jordan 2006, sec. 3).
Source: Shin et al. 2015, Algorithm 1. Departs: by default X is *free* where no factor joins k and j, so that its
inverse is 0 there instead. Only that is the program of a graph's structure (Banerjee, El Ghaoui & d'Aspremont 2008,
sec. 4), and only that can always be met: with zeros in X itself there may be no positive definite X at all (three
variables in a row that almost always agree). The published form is there by `outside="zero"`.

Solved by coordinate ascent in X, each step in closed form: along an entry the determinant is a parabola, so the best
value is its vertex, cut to the entry's interval. The program is concave and its constraints separate by entry; hence
ascent by coordinates reaches the optimum.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.errors import GraphError

NOISE = 1 / 3
CLOSE = 1e-9  # how far an entry of X may be from its bound and count as being on it


@dataclass(frozen=True, slots=True)
class Relaxed:
    """x, inverse: (n, n). gap: the largest violation of the optimality conditions. sweeps: how many were done."""

    x: NDArray[np.float64]
    inverse: NDArray[np.float64]
    gap: float
    sweeps: int


def relax(
    covariance: NDArray[np.float64],
    joined: NDArray[np.bool_],
    penalty: float,
    *,
    outside: Literal["free", "zero"] = "free",
    tolerance: float = 1e-6,
    most_sweeps: int = 500,
) -> Relaxed:
    """Solve the relaxation. covariance: (n, n) positive semidefinite. joined: (n, n) pairs that share a factor.

    penalty: lambda, at least 0. raises: GraphError for outside="zero" if no starting point was found: lambda must grow.
    O(pairs * n^2) a sweep.

    >>> m = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> relax(m, np.ones((2, 2), bool), 0.1).x.round(3)
    array([[1.333, 0.4  ],
           [0.4  , 1.333]])
    """
    n = len(covariance)
    low, high = bounds(covariance, joined, penalty, outside)
    x = covariance.astype(np.float64).copy() if outside == "free" else np.clip(0.0, low, high)
    np.fill_diagonal(x, np.diag(covariance) + NOISE)
    if n == 0:
        return Relaxed(x, x.copy(), 0.0, 0)
    if np.linalg.eigvalsh(x)[0] <= 1e-10:
        raise GraphError(
            f"With zeros where no factor joins, and lambda {penalty:g}, no positive definite X was found.\n"
            "Fix: a larger lambda, or outside='free', which always has one."
        )
    inverse = np.linalg.inv(x)
    sweeps, gap = 0, np.inf
    while gap > tolerance and sweeps < most_sweeps:
        _sweep(x, inverse, low, high)
        inverse = np.linalg.inv(x)  # what rank-two steps lose is not handed on
        gap = violation(x, inverse, low, high)
        sweeps += 1
    return Relaxed(x, inverse, gap, sweeps)


def bounds(
    covariance: NDArray[np.float64], joined: NDArray[np.bool_], penalty: float, outside: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, n) least and largest value of each entry off the diagonal."""
    far = np.inf if outside == "free" else 0.0
    return np.where(joined, covariance - penalty, -far), np.where(joined, covariance + penalty, far)


def violation(
    x: NDArray[np.float64], inverse: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """How far X is from the optimum's conditions: the gradient, X^-1, is 0 inside an interval, >= 0 at its upper end
    and <= 0 at its lower; and no entry is outside its interval."""
    off = ~np.eye(len(x), dtype=bool)
    up = np.where(x >= high - CLOSE, np.minimum(inverse, 0), inverse)
    gradient = np.where(x <= low + CLOSE, np.maximum(up, 0), up)
    gradient[(high - low) <= 2 * CLOSE] = 0.0
    outside = np.maximum(np.maximum(low - x, x - high), 0)
    return float(np.where(off, np.maximum(np.abs(gradient), outside), 0.0).max(initial=0.0))


@compiled
def _sweep(x, w, low, high):
    """Bring each entry to its best value given the others; w, the inverse, follows by a change of rank two."""
    n = len(x)
    for k in range(n):
        for j in range(k):
            if high[k, j] <= low[k, j]:
                step = low[k, j] - x[k, j]
            else:
                # det(X + t) / det(X) = (1 + t w_kj)^2 - t^2 w_kk w_jj
                best = x[k, j] + w[k, j] / (w[k, k] * w[j, j] - w[k, j] ** 2)
                step = min(max(best, low[k, j]), high[k, j]) - x[k, j]
            if abs(step) < 1e-15:
                continue
            x[k, j] += step
            x[j, k] = x[k, j]
            a = 1.0 + step * w[k, j]
            det = a * a - step * step * w[k, k] * w[j, j]
            column_k, column_j = w[:, k].copy(), w[:, j].copy()
            kk, jj = column_k[k], column_j[j]
            for p in range(n):
                left = a * column_j[p] - step * jj * column_k[p]
                right = a * column_k[p] - step * kk * column_j[p]
                for q in range(n):
                    w[p, q] -= step / det * (column_k[q] * left + column_j[q] * right)
