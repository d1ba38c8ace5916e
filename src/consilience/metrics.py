"""How good predictions are, with how sure we can be. The floor: pure functions of integer arrays.

Classes are 0..k-1 in the order of the labels. Intervals: Wilson's score for proportions, the bootstrap for F1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Z95 = 1.959963984540054  # two-sided 95% point of the normal distribution


class Interval(NamedTuple):
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def wilson(successes: float, n: float) -> Interval:
    """Proportion with Wilson's 95% score interval; all NaN when n is 0. Source: Wilson 1927.

    >>> wilson(9, 10)
    Interval(value=0.9, low=0.5958..., high=0.9821...)
    """
    if n <= 0:
        return NOTHING
    p = successes / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return Interval(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def confusion(gold: Ints, predicted: Ints, n_classes: int) -> Ints:
    """Counts by true class (rows) and predicted class (columns).

    gold, predicted: (n,) classes. returns: (k, k). O(n).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    codes = gold.astype(np.int64) * n_classes + predicted
    return np.bincount(codes, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def accuracy_of(table: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Share of the diagonal. table: (..., k, k). returns: (...,)."""
    total = table.sum(axis=(-2, -1))
    return np.trace(table, axis1=-2, axis2=-1) / np.maximum(total, 1e-300)


def f1_by_class(table: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """F1 of each class, 0 where a class has neither gold nor predictions. table: (..., k, k). returns: (..., k)."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    sizes = table.sum(axis=-1) + table.sum(axis=-2)
    return np.where(sizes > 0, 2 * hits / np.maximum(sizes, 1e-300), 0.0)


def macro_f1_of(table: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Mean F1 over the classes that have gold or predictions. table: (..., k, k). returns: (...,)."""
    present = (table.sum(axis=-1) + table.sum(axis=-2)) > 0
    return (f1_by_class(table) * present).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


def bootstrap_tables(table: Ints, n_samples: int = 1000, seed: int = 0) -> Ints:
    """Confusion tables of resampled rows: a multinomial draw over the cells, since a row is only its cell.

    table: (k, k). returns: (n_samples, k, k). O(n_samples * k^2), whatever the number of rows.
    """
    n = int(table.sum())
    draws = np.random.default_rng(seed).multinomial(n, table.ravel() / max(n, 1), size=n_samples)
    return draws.reshape(n_samples, *table.shape).astype(np.int64)


def percentile_interval(value: float, samples: Floats) -> Interval:
    """Value with the 2.5% and 97.5% points of its bootstrap samples."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(value, float(low), float(high))
