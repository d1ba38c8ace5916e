"""Worlds drawn from a factor graph, component by component: exactly where all worlds can be listed, else by Gibbs.

What is kept here of each draw is the whole world, which marginals do not need and reweighting does.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.adjacency import adjacency
from consilience.kb.graph.components import Components, components, known_values
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import arrays, next_world
from consilience.progress import track

MOST_WORLDS = 1 << 12  # of a component whose worlds are listed: a draw is then exact and costs a bisection
BURN_IN = 300
THIN = 5  # sweeps between two worlds that are kept
CHAINS = 4


@inlined
def uniform(rng):
    """In [0, 1). Source: Steele, Lea & Flood 2014 (splitmix64). rng: (1,) uint64, moved on."""
    rng[0] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def generator(*seed: int) -> NDArray[np.uint64]:
    """(1,) uint64: random numbers of their own for each seed."""
    return np.random.SeedSequence(list(seed)).generate_state(1, np.uint64).astype(np.uint64)


def drawn(
    graph: FactorGraph, weights: NDArray[np.float64], n: int, *, seed: int, found: Components | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """n worlds of the open variables: those variables, and (variables, n) their values.

    A component of at most 4096 worlds is drawn exactly; for a larger one, every fifth sweep of four chains after 300
    each. found: the components to draw, if not all. O(n * literals) beside listing.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> variables, worlds = drawn(graph, np.array([1.0]), 2000, seed=0)
    >>> bool(abs(worlds.mean() - 0.881) < 0.03)
    True
    """
    found = components(graph) if found is None else found
    known = known_values(graph)
    g = arrays(graph, known)
    index = adjacency(graph)
    place = np.full(graph.n_variables, -1, np.int32)
    place[found.variables] = np.arange(len(found.variables))
    out = np.zeros((len(found.variables), n), np.int32)
    state = np.where(known == OPEN, np.int32(0), known)
    rng = generator(seed, 11)
    for c in track(range(len(found)), "drawing worlds"):
        variables = found.variables_of(c)
        n_worlds = np.prod(graph.cardinality[variables].astype(float))
        begin = int(found.variable_offsets[c])
        mine = out[begin : begin + len(variables)]
        if n_worlds <= MOST_WORLDS:
            draw_listed(g, weights, variables, found.factors_of(c), state, int(n_worlds), rng, mine)
            continue
        bounds = np.linspace(0, n, CHAINS + 1).astype(int)
        for a, b in pairwise(bounds.tolist()):
            scramble(g, variables, state, rng)
            gibbs(g, weights, index.offsets, index.factors, variables, state, rng, BURN_IN, THIN, mine[:, a:b])
    return found.variables, out


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
        world = min(np.searchsorted(ends, uniform(rng) * ends[-1], side="right"), n_worlds - 1)
        for j in range(len(variables) - 1, -1, -1):
            k = g.cardinality[variables[j]]
            out[j, i] = world % k
            world //= k


@compiled
def scramble(g, variables, state, rng):
    """A world at random."""
    for v in variables:
        state[v] = np.int32(uniform(rng) * g.cardinality[v])


@compiled
def gibbs(g, weights, factor_offsets, factors, variables, state, rng, burn_in, thin, out):
    """Sweeps over the variables, each drawn given all others; every `thin`-th world after the first is kept."""
    energy = np.zeros(g.cardinality.max())
    for sweep in range(burn_in + thin * out.shape[1]):
        for v in variables:
            k = g.cardinality[v]
            energy[:k] = 0.0
            for f in factors[factor_offsets[v] : factor_offsets[v + 1]]:
                strength = weights[g.weight[f]] * g.scale[f]
                for x in range(k):
                    energy[x] += strength * worth(
                        g.function[f], g.offsets[f], g.offsets[f + 1], g.variable, g.value, g.clause, state, v, x
                    )
            state[v], _ = draw_from(energy, k, rng)
        kept = sweep - burn_in
        if kept >= 0 and kept % thin == thin - 1:
            for j in range(len(variables)):
                out[j, kept // thin] = state[variables[j]]


@compiled
def draw_from(energy, k, rng):
    """A value with probability in proportion to exp(energy), and the log of the sum of these."""
    top = energy[0]
    for x in range(1, k):
        top = max(top, energy[x])
    total = 0.0
    for x in range(k):
        total += np.exp(energy[x] - top)
    left = uniform(rng) * total
    chosen = k - 1
    for x in range(k):
        left -= np.exp(energy[x] - top)
        if left < 0:
            chosen = x
            break
    return chosen, top + np.log(total)
