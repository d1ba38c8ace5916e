"""Inference of the part of a graph that a change touches: exact where it can be had, else Gibbs over whole worlds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.components import Components, components
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.incremental.draw import drawn
from consilience.kb.inference.exact import UNSOLVED, Limits, Prepared
from consilience.kb.inference.marginals import Marginals


def solved(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    *,
    n_worlds: int,
    seed: int,
    limits: Limits | None = None,
    prepared: Prepared | None = None,
) -> Marginals:
    """Marginals of a graph; components beyond the limits from n_worlds sampled ones. prepared: of the same graph."""
    prepared = prepared or Prepared(graph, limits=limits)
    found = prepared.solve(weights).marginals
    if not len(prepared.unsolved):
        return found
    return sampled(graph, weights, found, prepared.unsolved, n_worlds=n_worlds, seed=seed)


def sampled(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    found: Marginals,
    which: NDArray[np.integer],
    *,
    n_worlds: int,
    seed: int,
) -> Marginals:
    """`found` with the variables of some components, numbered as `components` does, put in from sampled worlds."""
    variables, worlds = drawn(graph, weights, n_worlds, seed=seed, found=chosen(components(graph), which))
    offsets = graph.value_offsets
    for x in range(int(graph.cardinality.max(initial=1))):
        has = graph.cardinality[variables] > x
        found.probability[offsets[variables[has]] + x] = (worlds[has] == x).mean(axis=1)
    found.engine[variables] = UNSOLVED
    found.r_hat[variables], found.effective[variables] = agreement(worlds)
    return found


def agreement(worlds: NDArray[np.int32], batches: int = 8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variables,) R-hat of the four chains cut in halves, and how many independent draws their worlds are worth.

    Both from the means of batches (Geyer 1992, sec. 3.2); a variable that never moves has R-hat 1.
    """
    n = worlds.shape[1] // batches * batches
    if n < 2 * batches:
        return np.full(len(worlds), np.nan), np.full(len(worlds), float(worlds.shape[1]))
    parts = worlds[:, :n].reshape(len(worlds), batches, -1)
    within, between = parts.var(axis=2).mean(axis=1), parts.mean(axis=2).var(axis=1, ddof=1)
    total = worlds.var(axis=1)
    length = n // batches
    moves, apart = within > 0, between > 0
    r_hat = np.sqrt((length - 1) / length + between / np.where(moves, within, 1.0))
    r_hat = np.where(moves, r_hat, np.where(apart, np.inf, 1.0))
    effective = np.where(apart, batches * total / np.where(apart, between, 1.0), n)
    return r_hat, np.minimum(effective, n)


def chosen(found: Components, which: NDArray[np.integer]) -> Components:
    """Some of the components, with their variables only numbered anew by list; factors as they were."""
    sizes, n_factors = np.diff(found.variable_offsets)[which], np.diff(found.factor_offsets)[which]
    lists = [np.zeros(0, np.int32)]
    return Components(
        found.of_variable,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        np.concatenate(lists + [found.variables_of(int(c)) for c in which]),
        np.concatenate([[0], np.cumsum(n_factors)]).astype(np.int32),
        np.concatenate(lists + [found.factors_of(int(c)) for c in which]),
    )
