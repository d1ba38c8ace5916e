"""Inference of the part of a graph that a change touches: exact where it can be had, else Gibbs sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.components import known_values
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.incremental.choose import UpdateSettings
from consilience.kb.inference.exact import UNSOLVED, Prepared
from consilience.kb.inference.gibbs import sample
from consilience.kb.inference.marginals import Marginals


def solved(graph: FactorGraph, weights: NDArray[np.float64], *, settings: UpdateSettings, seed: int) -> Marginals:
    """Marginals of a graph; components beyond the limits are sampled."""
    prepared = Prepared(graph, limits=settings.limits)
    found = prepared.solve(weights).marginals
    hard = np.flatnonzero(found.engine == UNSOLVED).astype(np.int32)
    if len(hard):
        sampled(graph, weights, found, hard, settings=settings, seed=seed)
    return found


def sampled(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    found: Marginals,
    variables: NDArray[np.int32],
    *,
    settings: UpdateSettings,
    seed: int,
) -> None:
    """Put into `found` marginals of these variables, whole components, from four chains of Gibbs sampling.

    They stop when nearly all are worth `settings.least_effective` draws and agree, at the latest after
    `settings.epochs` sweeps.
    """
    drawn = sample(
        graph.with_evidence(known_values(graph)),
        weights,
        variables,
        epochs=settings.epochs,
        effective=settings.least_effective,
        seed=seed,
    )
    here = np.zeros(graph.n_variables, bool)
    here[variables] = True
    of_value = np.repeat(here, graph.cardinality)
    found.probability[of_value] = drawn.probability[of_value]
    found.engine[variables] = UNSOLVED
    found.r_hat[variables], found.effective[variables] = drawn.r_hat[variables], drawn.effective[variables]
