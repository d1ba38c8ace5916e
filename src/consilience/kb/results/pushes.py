"""How hard each factor pushes a variable towards a value: the arithmetic under `explain`.

A factor pushes by weight * scale * (what it is worth if the variable has the value, less what it is worth otherwise).
Where its worth depends on other open variables, these are taken at their marginals, independent of each other: exact
for one other variable given its own marginal, an approximation beyond, as any split of a joint distribution must be.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.graph.worth import worth

MOST_WORLDS = 4096  # of the other variables that are enumerated; beyond it as many are drawn
N_DRAWS = 2000


class Push(NamedTuple):
    """One factor's push. log_odds: for the value against the others. others: the other variables of the factor."""

    factor: int
    weight: int
    log_odds: float
    others: tuple[int, ...]


def pushes(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    probability: NDArray[np.float64],
    variable: int,
    value: int = 1,
    *,
    seed: int = 0,
) -> list[Push]:
    """Every factor's push of a variable towards a value, hardest first.

    weights: (W,). probability: laid out by graph.value_offsets. raises: GraphError for a variable or value that is not
    there. O(literals of the graph) to find the factors.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2], [(FactorFunction.IS_TRUE, [(0, 1)], 0), (FactorFunction.IS_TRUE, [(0, 0)], 1)])
    >>> [(p.weight, p.log_odds) for p in pushes(graph, np.array([1.0, 0.25]), np.array([0.2, 0.8]), 0)]
    [(0, 2.0), (1, -0.5)]
    """
    if not 0 <= variable < graph.n_variables or not 0 <= value < graph.cardinality[variable]:
        raise GraphError(
            f"There is no value {value} of a variable {variable}.\nFix: choose among {graph.n_variables} variables."
        )
    literals = np.flatnonzero(graph.factors.variable == variable)
    touched = np.unique(np.searchsorted(graph.factors.offsets, literals, side="right") - 1)
    rng = np.random.default_rng(seed)
    found = [_push(graph, weights, probability, int(f), variable, value, rng) for f in touched]
    return sorted(found, key=lambda push: -abs(push.log_odds))


def _push(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    probability: NDArray[np.float64],
    f: int,
    variable: int,
    value: int,
    rng: np.random.Generator,
) -> Push:
    a = graph.factors
    start, stop = int(a.offsets[f]), int(a.offsets[f + 1])
    names = np.unique(a.variable[start:stop])
    others = [int(v) for v in names if v != variable]
    worlds, shares = _worlds(graph, probability, others, rng)
    mean = np.zeros(graph.cardinality[variable])
    local = np.searchsorted(names, a.variable[start:stop]).astype(np.int32)
    clause = a.clause[start:stop] if len(a.clause) else a.clause
    me = int(np.searchsorted(names, variable))
    for world, share in zip(worlds, shares, strict=True):
        state = np.insert(world, me, 0).astype(np.int32)
        for x in range(len(mean)):
            mean[x] += share * worth(a.function[f], 0, stop - start, local, a.value[start:stop], clause, state, me, x)
    away = np.delete(mean, value).mean() if len(mean) > 1 else mean[value]
    size = float(weights[a.weight[f]]) * float(a.scale[f])
    return Push(f, int(a.weight[f]), size * float(mean[value] - away), tuple(others))


def _worlds(
    graph: FactorGraph, probability: NDArray[np.float64], others: list[int], rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Worlds of the other variables, (worlds, others), and how likely each is when they are independent."""
    offsets = graph.value_offsets
    chances = []
    for v in others:
        known = int(graph.evidence[v])
        given = probability[offsets[v] : offsets[v + 1]]
        chances.append(np.eye(len(given))[known] if known != OPEN else given / given.sum())
    if np.prod([float(len(c)) for c in chances]) <= MOST_WORLDS:
        every = list(product(*(range(len(c)) for c in chances)))
        worlds = np.array(every, np.int32).reshape(len(every), len(others))
        shares = np.array([np.prod([c[x] for c, x in zip(chances, w, strict=True)]) for w in worlds])
        return worlds[shares > 0], shares[shares > 0]
    drawn = np.stack([rng.choice(len(c), N_DRAWS, p=c) for c in chances], axis=1).astype(np.int32)
    return drawn, np.full(N_DRAWS, 1 / N_DRAWS)
