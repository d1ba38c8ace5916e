"""What a soft label says of its variable: how much more probable the votes behind it are under one value than another.

A label model that has seen votes only gives p(y) = P(y | votes) under its own prior b: by Bayes' rule
P(votes | y) = p(y) P(votes) / b(y). The features of a variable know more than that prior, so a label must not be read
as what the variable's probability *is* given all, but as evidence beside the factors (Pearl's virtual evidence): a
factor of its own with potential log p(y) - log b(y), which stands in the clamped phase and not in the free one. Then
log Z(clamped) - log Z = log P(votes, hard evidence) - sum over labels of log P(votes), whose second term no weight
moves.

The prior is not handed over with the labels, but if they are calibrated it is their mean. Labels that are (nearly) all
the same differ from their mean by nothing and so say nothing of single variables; what they do say is how often such
variables are true, and they are taken as that: as *targets*, probabilities to repeat.

Source: Pearl 1988, sec. 2.2.2; Dempster, Laird & Rubin 1977 (the clamped phase is their E-step).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.learning.settings import LearningSettings

MOST = 50.0  # a label of probability 0 counts as e^-50: certain, and no infinity
ENOUGH = 20.0  # what labels must tell of their own base rate: its log-odds to within about +-.45
NO_KIND = -1

Array = NDArray[np.float64]


def tilts(graph: FactorGraph, kind: NDArray[np.integer] | None, settings: LearningSettings) -> Array:
    """Log p(y) - log b(y) of each soft label, laid out as `graph.soft.probability`; NaN for labels that are targets.

    kind: (n,): variables of one kind share a base rate; of kind -1 each value has the same. By default Boolean
    variables are all of one kind, and the others, whose values need not mean the same, of none. O(values).
    """
    soft = graph.soft
    if settings.soft == "target" or len(soft.variable) == 0:
        return np.full(len(soft.probability), np.nan)
    cardinality = graph.cardinality[soft.variable].astype(np.int64)
    base = np.repeat(1.0 / cardinality, cardinality)
    is_target = np.zeros(len(base), bool)
    if settings.soft == "virtual":
        given = np.where(graph.cardinality == 2, 0, NO_KIND) if kind is None else kind
        mean, enough = _means(soft.probability, soft.offsets, given[soft.variable], cardinality)
        has_kind = np.repeat(given[soft.variable] != NO_KIND, cardinality)
        base = np.where(has_kind, mean, base)
        is_target = has_kind & ~enough
    with np.errstate(divide="ignore", invalid="ignore"):
        tilt = np.log(soft.probability) - np.log(base)
    tilt = np.clip(np.where(soft.probability > 0, tilt, -MOST), -MOST, MOST)
    return np.where(is_target, np.nan, tilt)


def _means(
    p: Array, offsets: NDArray[np.integer], kind: NDArray[np.integer], cardinality: NDArray[np.int64]
) -> tuple[Array, NDArray[np.bool_]]:
    """Of each entry of p: the mean of its value over all labels of its kind, and whether these differ enough from it.

    Near the base rate, the log-likelihood of votes has second derivative 4 * sum (p - b)^2 by a weight worth +-1.
    """
    place = np.arange(len(p)) - np.repeat(offsets[:-1], cardinality)
    keys = np.stack([np.repeat(kind, cardinality), np.repeat(cardinality, cardinality), place])
    group = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
    mean = (np.bincount(group, p) / np.bincount(group))[group]
    told = 4 * np.bincount(group, (p - mean) ** 2)[group]
    most = np.maximum.reduceat(told, offsets[:-1])  # one value may be always out of the question
    return mean, np.repeat(most >= ENOUGH, cardinality)
