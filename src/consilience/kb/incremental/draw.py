"""Worlds drawn from a factor graph, component by component: exactly where all worlds can be listed, else by Gibbs.

What is kept here of each draw is the whole world, which marginals do not need and reweighting does.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.components import Components, components, known_values
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import arrays, next_world
from consilience.kb.inference.chains import generator
from consilience.kb.inference.gibbs import chains_of
from consilience.kb.inference.gibbs_kernels import next_uniform
from consilience.kb.inference.structure import potentials, prepare
from consilience.kb.inference.worlds import Worlds, fill
from consilience.progress import track

MOST_WORLDS = 1 << 12  # of a component whose worlds are listed: a draw is then exact and costs a bisection
BURN_IN = 300
THIN = 5  # sweeps between two worlds that are kept
CHAINS = 4
TOGETHER = 1 << 22  # values of listed components that are held unpacked


def drawn(
    graph: FactorGraph, weights: NDArray[np.float64], n: int, *, seed: int, found: Components | None = None
) -> Worlds:
    """n worlds of the open variables.

    A component of at most 4096 worlds is drawn exactly; for a larger one, every fifth sweep of four chains after 300
    each. found: the components to draw, if not all. O(n * literals) beside listing; n bits a Boolean variable.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> values = drawn(graph, np.array([1.0]), 2000, seed=0).values(np.array([0]))
    >>> bool(abs(values.mean() - 0.881) < 0.03)
    True
    """
    found = components(graph) if found is None else found
    stored = np.zeros(graph.n_variables, bool)
    stored[found.variables] = True
    out = Worlds.empty(graph.cardinality, stored, n)
    sizes = np.add.reduceat(
        np.append(np.log2(graph.cardinality[found.variables]), 0.0), found.variable_offsets[:-1]
    )  # no component is empty
    small = sizes <= np.log2(MOST_WORLDS) + 1e-9
    _draw_small(graph, weights, found, np.flatnonzero(small), generator(seed, 11), out)
    if not small.all():
        large = np.repeat(~small, np.diff(found.variable_offsets))
        structure = prepare(graph.with_evidence(known_values(graph)), found.variables[large])
        chains = chains_of(structure, CHAINS, seed)
        fill(out, chains, structure, potentials(structure, weights), BURN_IN, THIN)
    return out


def _draw_small(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    found: Components,
    which: NDArray[np.integer],
    rng: NDArray[np.uint64],
    out: Worlds,
) -> None:
    """Exact draws of these components into `out`, packed many variables at a time."""
    known = known_values(graph)
    g = arrays(graph, known)
    state = np.where(known == OPEN, np.int32(0), known)
    room = np.empty((max(12, TOGETHER // max(1, out.n)), out.n), np.int32)
    held: list[NDArray[np.int32]] = []
    n_held = 0
    for c in track(which.tolist(), "drawing worlds"):
        variables = found.variables_of(c)
        if n_held + len(variables) > len(room):
            _put(out, held, room)
            held, n_held = [], 0
        n_worlds = int(np.prod(graph.cardinality[variables], dtype=np.int64))
        mine = room[n_held : n_held + len(variables)]
        draw_listed(g, weights, variables, found.factors_of(c), state, n_worlds, rng, mine)
        held.append(variables)
        n_held += len(variables)
    _put(out, held, room)


def _put(out: Worlds, held: list[NDArray[np.int32]], room: NDArray[np.int32]) -> None:
    if held:
        variables = np.concatenate(held)
        out.put(variables, room[: len(variables)])


@compiled
def draw_listed(g, weights, variables, factors, state, n_worlds, rng, out):
    """Exact draws of a component: list its worlds, and find each uniform number among their shares."""
    for v in variables:
        state[v] = 0
    scores = np.zeros(n_worlds)
    for world in range(n_worlds):
        for f in factors:
            value = worth(g.function[f], g.offsets[f], g.offsets[f + 1], g.variable, g.value, g.clause, state, -1, 0)
            scores[world] += weights[g.weight[f]] * g.scale[f] * value
        next_world(state, g.cardinality, variables, len(variables))
    ends = np.cumsum(np.exp(scores - scores.max()))
    for i in range(out.shape[1]):
        world = min(np.searchsorted(ends, next_uniform(rng) * ends[-1], side="right"), n_worlds - 1)
        for j in range(len(variables) - 1, -1, -1):
            k = g.cardinality[variables[j]]
            out[j, i] = world % k
            world //= k
