"""How strongly weights are drawn to 0, where the user does not say: as held-out labels are told best.

What suits depends on how far weights lie apart, which no one knows beforehand: too weak a penalty repeats the accidents
of few labels and is too sure, too strong a one is not sure enough. So labels are dealt to three folds (two where there
are many); weights learned without one of them are asked for its log-likelihood, under penalties a factor of 4 apart,
from the default on as long as it gets better; a parabola through the best three says where between them the optimum
lies. A wide prior around the default (its logarithm normal) settles what few labels cannot.

Components are dealt whole, with all their latent variables. Where a few components have most of the labels, or those
that are too large for an exact likelihood, it is that of each labelled variable given its labelled neighbours
(pseudo-likelihood, `conditionals.py`), which needs no components.

Evidence maximisation (MacKay 1992) was tried: it costs as much, but by its normal approximation it underrates weights
that few labels bear on, and its penalties were too strong where weights are large.

Source: Stone 1974; Besag 1975.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from consilience.kb.learning.exact import Objective, Part, climb
from consilience.kb.learning.relevant import LATENT, Relevant

DEFAULT = 2.0  # the l2 where there is nothing to choose by
FOLDS, FOLDS_OF_MANY, MANY = 3, 2, 1000  # folds, and how many from so many labelled variables on
RATIO = 4.0
FARTHEST = 5  # steps of RATIO from the default
SPREAD = math.log(16)  # of the prior of log l2
ENOUGH = 10 * FOLDS  # labelled variables, at least
PLENTY = 20_000  # labelled variables, beyond which more do not tell more of how far weights lie apart
ROUGHLY = 0.1  # tolerance of the fits: a standard deviation tenth moves a log-likelihood by a two-hundredth
STEPS = 60

Array = NDArray[np.float64]


def folds_of(matters: Relevant) -> int:
    """How many folds there are to be."""
    return FOLDS if np.count_nonzero(matters.known != LATENT) < MANY else FOLDS_OF_MANY


def fold_of_components(matters: Relevant) -> NDArray[np.int64] | None:
    """(c,): folds with nearly as many labels each, always the same ones; None if no such folds can be.

    Where there are more labels than it takes to choose, one fold more holds the rest.
    """
    n_folds = folds_of(matters)
    labels = np.add.reduceat(np.append(matters.known != LATENT, False).astype(np.int64), matters.first_variable[:-1])
    total = int(labels.sum())
    if total < ENOUGH or labels.max() * n_folds > min(total, PLENTY):
        return None
    mixed = _hash(matters.variable[matters.first_variable[:-1]])
    order = np.argsort(mixed, kind="stable")
    taken = order[np.cumsum(labels[order]) <= PLENTY]
    fold = np.full(len(labels), n_folds, np.int64)
    fold[taken[np.lexsort((mixed[taken], -labels[taken]))]] = np.arange(len(taken)) % n_folds
    return fold


def fold_of_variables(matters: Relevant) -> NDArray[np.int64]:
    """(n,): folds of single variables, -1 for those without label and beyond PLENTY; or all -1 if they are too few."""
    labelled = np.flatnonzero(matters.known != LATENT)
    fold = np.full(matters.graph.n_variables, -1, np.int64)
    if len(labelled) >= ENOUGH:
        n_folds = folds_of(matters)
        taken = labelled[np.argsort(_hash(matters.variable[labelled]), kind="stable")[:PLENTY]]
        fold[taken] = np.arange(len(taken)) % n_folds
    return fold


def chosen(folds: Sequence[Sequence[Part]], start: Array, free: NDArray[np.intp]) -> tuple[float, Array]:
    """The penalty under which the parts of each fold are told best by weights of the others, and a start near those.

    Costs about as much as learning once or twice more (with few labels thrice), in fits of a rough tolerance that begin
    where the last ended.
    """
    weights = [start.copy() for _ in folds]

    def near(found: Array) -> Array:
        """Where to go on from: no weight nearer to 0 than it was, which may be where no gradient leads away from."""
        return np.where(np.abs(found) < np.abs(start), start, found)

    def loss(step: int) -> float:
        l2 = DEFAULT * RATIO**step
        total = (math.log(l2 / DEFAULT) / SPREAD) ** 2 / 2
        for k, held_out in enumerate(folds):
            parts = [part for j, fold in enumerate(folds) if j != k for part in fold]
            weights[k], _ = climb(Objective(parts, l2, 0.0, near(weights[k]), free), STEPS, ROUGHLY)
            total -= sum(part.likelihood(weights[k], np.zeros(len(start))) for part in held_out)
        return total

    return DEFAULT * RATIO ** lowest(loss), near(np.mean(weights, axis=0))


def lowest(loss: Callable[[int], float]) -> float:
    """Where a function of whole numbers is lowest: down from 0 as long as it falls, then by a parabola between steps.

    >>> round(lowest(lambda step: (step - 2.25) ** 2), 3)
    2.25
    """
    seen: dict[int, float] = {}

    def at(step: int) -> float:
        if step not in seen:
            seen[step] = loss(step)
        return seen[step]

    ahead = 1 if at(1) < at(0) else -1
    best = max(ahead, 0)
    while abs(best) < FARTHEST and at(best + ahead) < at(best):
        best += ahead
    below, here, above = at(best - 1), at(best), at(best + 1)
    bend = below - 2 * here + above
    return best + (float(np.clip((below - above) / (2 * bend), -0.5, 0.5)) if bend > 0 else 0.0)


def _hash(number: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Numbers in an order that has nothing to do with theirs. Source: splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
