"""How good predictions are, with how sure we can be. The floor: pure functions of integer arrays.

Classes are 0..k-1 in the order of the labels. Intervals: Wilson's score for proportions, the bootstrap for F1.
Of probabilities: whether they mean what they say (reliability, calibration error), and proper scores (Brier, log loss).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consilience.errors import DataError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Z95 = 1.959963984540054  # two-sided 95% point of the normal distribution
LEAST = 1e-15  # a probability of 0 for what happened costs 34.5 nats, not infinitely many


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


def wilson(successes: float, n: float, z: float = Z95) -> Interval:
    """Proportion with Wilson's score interval, 95% unless z says otherwise; all NaN when n is 0. Source: Wilson 1927.

    >>> wilson(9, 10)
    Interval(value=0.9, low=0.5958..., high=0.9821...)
    """
    if n <= 0:
        return NOTHING
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
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


# probabilities


class Bin(NamedTuple):
    """Predictions of about one confidence: their mean confidence, the share that was right, and how many there are."""

    confidence: float
    accuracy: Interval
    weight: float


def reliability(
    proba: Floats, gold: Ints, bins: int = 15, *, how: str = "equal mass", weights: Floats | None = None
) -> list[Bin]:
    """Predictions in bins of the probability of their most probable class, against how often that class is right.

    proba: (n, k); gold: (n,) classes, -1 where unknown (not counted); weights: (n,) how many rows each stands for.
    how: "equal mass" (bins of about as many rows; equal confidences share one) or "equal width" (of 0 to 1).
    returns: the bins that are not empty, by confidence. raises: DataError for probabilities that are none. O(n log n).

    >>> sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> [(b.confidence, b.accuracy.value) for b in reliability(sure, np.array([0, 0, 0, 1]), bins=2)]
    [(0.6, 0.5), (0.9, 1.0)]
    """
    proba, gold, weights = _scored(proba, gold, weights)
    right = (proba.argmax(axis=1) == gold).astype(np.float64)
    return reliability_of(proba.max(axis=1), right, bins, how=how, weights=weights)


def reliability_of(
    confidence: Floats, right: Floats, bins: int = 15, *, how: str = "equal mass", weights: Floats | None = None
) -> list[Bin]:
    """The same of any predicted event: how probable it was said to be, and whether (or in what share) it came true.

    confidence, right: (n,) between 0 and 1.
    """
    if bins < 1 or how not in ("equal mass", "equal width"):
        raise DataError(f"There are no {bins} bins of {how!r}.\nFix: 1 or more, 'equal mass' or 'equal width'.")
    weights = np.ones(len(confidence)) if weights is None else weights
    place = _bin_places(confidence, weights, bins, how)
    mass, sure, hits = (np.bincount(place, weights * w, bins) for w in (np.ones(len(place)), confidence, right))
    return [
        Bin(float(sure[b] / mass[b]), wilson(float(hits[b]), float(mass[b])), float(mass[b])) for b in mass.nonzero()[0]
    ]


def _bin_places(confidence: Floats, weights: Floats, bins: int, how: str) -> npt.NDArray[np.intp]:
    """Which bin each confidence belongs to. Equal ones share a bin, so the order of rows does not matter."""
    if how == "equal width":
        return np.minimum((confidence * bins).astype(np.intp), bins - 1)
    values, place = np.unique(np.round(confidence, 12), return_inverse=True)
    mass = np.bincount(place, weights, len(values))
    middle = np.cumsum(mass) - mass / 2
    total = max(float(mass.sum()), 1e-300)
    return np.minimum((middle / total * bins).astype(np.intp), bins - 1)[place]


def calibration_error(binned: list[Bin]) -> float:
    """Mean distance between confidence and accuracy over bins, by weight; NaN if there are none."""
    total = sum(b.weight for b in binned)
    return sum(b.weight * abs(b.confidence - b.accuracy.value) for b in binned) / total if total else float("nan")


def expected_calibration_error(
    proba: Floats, gold: Ints, bins: int = 15, how: str = "equal mass", *, weights: Floats | None = None
) -> float:
    """How far, on average, the probability of the most probable class is from how often that class is right.

    Arguments as for `reliability`. NaN if no row has gold. Source: Naeini et al. 2015; equal mass: Nixon et al. 2019.

    >>> float(expected_calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 1, 1])))
    0.25
    """
    return calibration_error(reliability(proba, gold, bins, how=how, weights=weights))


def brier_score(proba: Floats, gold: Ints, *, weights: Floats | None = None) -> float:
    """Mean over rows of the squared distance from probabilities to the truth, summed over classes: 0 best, 2 worst.

    NaN if no row has gold. Source: Brier 1950 (for two classes, twice what is often called by his name).

    >>> float(brier_score(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0])))
    0.25
    """
    proba, gold, weights = _scored(proba, gold, weights)
    distance = ((proba - np.eye(proba.shape[1])[gold]) ** 2).sum(axis=1)
    return float(weights @ distance / weights.sum()) if weights.sum() else float("nan")


def log_loss(proba: Floats, gold: Ints, *, weights: Floats | None = None) -> float:
    """Mean over rows of minus the log-probability of the truth, in nats; NaN if no row has gold.

    >>> round(float(log_loss(np.array([[0.5, 0.5]]), np.array([1]))), 3)
    0.693
    """
    proba, gold, weights = _scored(proba, gold, weights)
    cost = -np.log(np.maximum(proba[np.arange(len(gold)), gold], LEAST))
    return float(weights @ cost / weights.sum()) if weights.sum() else float("nan")


def _scored(proba: Floats, gold: Ints, weights: Floats | None) -> tuple[Floats, Ints, Floats]:
    """The rows with gold, of arrays that were checked."""
    proba, gold = np.asarray(proba, np.float64), np.asarray(gold)
    if proba.ndim != 2 or len(proba) != len(gold) or gold.max(initial=-1) >= proba.shape[-1]:
        raise DataError(
            f"Probabilities of shape {proba.shape} do not go with gold of shape {gold.shape} and greatest class "
            f"{gold.max(initial=-1)}.\nFix: give a row of k probabilities for each row of gold, and classes below k."
        )
    known = gold >= 0
    proba, gold = proba[known], gold[known].astype(np.int64)
    if not (np.isfinite(proba).all() and (proba >= 0).all() and np.allclose(proba.sum(axis=1), 1, atol=1e-6)):
        raise DataError("Some rows are no probabilities.\nFix: give numbers of 0 or more that sum to 1 in each row.")
    return proba, gold, np.ones(len(gold)) if weights is None else np.asarray(weights, np.float64)[known]
