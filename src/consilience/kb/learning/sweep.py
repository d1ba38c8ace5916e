"""One sweep over pairs of Markov chains, which estimates the gradient of the likelihood.

In the *free* chain every variable is drawn; in the *clamped* chain known variables have their value, targets are drawn
from their given distribution, latent ones from their conditional, and so are those with virtual evidence, tilted by it.
Both persist from sweep to sweep while the weights move. A visit of variable v credits each factor of v with its
*expected* worth over the values of v given the rest (and an equal share of the factor goes to each of its variables),
in the clamped chain with +, in the free one with -. So a factor of one variable has its exact gradient, and others less
noise than their drawn worths would have.

Source: Tieleman 2008 (persistent contrastive divergence), De Sa et al. 2016 and the published sampler. Departs: that
sampler credits worths as drawn, only at labelled variables, and moves the weights after each.

A target beside latent variables is drawn anew on one visit in five only, and credited as drawn: the latent
ones must have time to follow, or they would be averaged over a distribution that is not theirs.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.adjacency import adjacency
from consilience.kb.graph.factor_graph import FactorFunction
from consilience.kb.graph.worth import worth
from consilience.kb.learning.relevant import HARD, LATENT, TARGET, VIRTUAL, Relevant

IS_TRUE = int(FactorFunction.IS_TRUE)
REDRAWN = 0.2  # share of visits on which a target beside latent variables is drawn anew


class Swept(NamedTuple):
    """What a sweep reads, as `Relevant` has it; weight numbers are those of the weights in use.

    incident: (n + 1,) int64 into incidence (int32), the factors of each variable. share: (F,) float32: 1 / variables.
    redrawn: (n,) float32: on which share of visits a target is drawn anew. alone: (n,): a component of its own with
    factors IS_TRUE only, whose gradient needs no state.
    """

    cardinality: NDArray[np.int32]
    evidence: NDArray[np.int32]
    known: NDArray[np.uint8]
    soft_start: NDArray[np.int32]
    redrawn: NDArray[np.float32]
    alone: NDArray[np.bool_]
    probability: NDArray[np.float64]
    tilt: NDArray[np.float64]
    function: NDArray[np.uint8]
    offsets: NDArray[np.integer]
    variable: NDArray[np.int32]
    value: NDArray[np.int32]
    clause: NDArray[np.int32]
    weight: NDArray[np.int32]
    scale: NDArray[np.float32]
    incident: NDArray[np.int64]
    incidence: NDArray[np.int32]
    share: NDArray[np.float32]


def swept(relevant: Relevant, weight: NDArray[np.int32]) -> Swept:
    """The arrays of a sweep. weight: (F,) the number of each factor's weight. O(literals)."""
    graph, f = relevant.graph, relevant.graph.factors
    near = adjacency(graph)
    share = (1.0 / np.bincount(near.factors, minlength=len(f))).astype(np.float32)
    n_latent = np.add.reduceat(
        np.append((relevant.known == LATENT) | (relevant.known == VIRTUAL), False).astype(np.int64),
        relevant.first_variable[:-1],
    )
    beside_latent = np.repeat(n_latent > 0, np.diff(relevant.first_variable))
    sizes = np.diff(relevant.first_variable)
    plain = (f.function == IS_TRUE) & (np.diff(f.offsets) == 1)
    other = np.add.reduceat(np.append(~plain, False).astype(np.int64), relevant.first_factor[:-1])
    alone = np.repeat((sizes == 1) & (other == 0), sizes)
    return Swept(
        graph.cardinality,
        graph.evidence,
        relevant.known,
        relevant.soft_start,
        np.where(beside_latent, REDRAWN, 1.0).astype(np.float32),
        alone,
        graph.soft.probability,
        relevant.tilt,
        f.function,
        f.offsets,
        f.variable,
        f.value,
        f.clause,
        weight,
        f.scale,
        near.offsets,
        near.factors,
        share,
    )


@compiled
def sweep(g, weights, first, last, batch, n_batches, block, free, clamped, rng, gradient, p, worths):
    """Visit every n_batches-th block of variables of first..last-1, from the batch-th on, in each pair of chains.

    free, clamped: (chains, n) int32 worlds, changed. rng: (chains,) uint64, changed. gradient: (W,) added to, summed
    over chains. p, worths: scratch for the values of a variable, and for those times its factors.
    """
    # fields of a tuple are taken out once: each look at one in the loop would count references
    cardinality, known, evidence, alone = g.cardinality, g.known, g.evidence, g.alone
    incident, incidence = g.incident, g.incidence
    target = np.zeros(len(p))
    soft_start, redrawn, probability, tilt = g.soft_start, g.redrawn, g.probability, g.tilt
    weight, scale, share = g.weight, g.scale, g.share
    literals = g.function, g.offsets, g.variable, g.value, g.clause
    value, offsets = g.value, g.offsets
    for chain in range(len(rng)):
        here, seen = free[chain], clamped[chain]
        for begin in range(first + batch * block, last, n_batches * block):
            for v in range(begin, min(begin + block, last)):
                k = cardinality[v]
                start, stop = incident[v], incident[v + 1]
                tilted = soft_start[v] if known[v] == VIRTUAL else -1
                if alone[v]:
                    for x in range(k):
                        target[x] = probability[soft_start[v] + x] if known[v] == TARGET else 1.0 * (evidence[v] == x)
                    arrays = weight, scale, weights, offsets, value
                    credit_alone(incidence, start, stop, k, arrays, target, tilt, tilted, p, gradient)
                    continue
                conditional(incidence, start, stop, k, weight, scale, weights, literals, v, here, tilt, -1, p, worths)
                here[v] = drawn(p, k, rng, chain)
                credit(incidence, start, stop, k, weight, scale, share, p, worths, -1.0, gradient)
                as_it_is = known[v] == HARD
                if not as_it_is:
                    conditional(
                        incidence, start, stop, k, weight, scale, weights, literals, v, seen, tilt, tilted, p, worths
                    )
                if known[v] == TARGET:
                    for x in range(k):
                        p[x] = probability[soft_start[v] + x]
                    if uniform(rng, chain) < redrawn[v]:
                        seen[v] = drawn(p, k, rng, chain)
                    as_it_is = redrawn[v] < 1.0
                elif not as_it_is:
                    seen[v] = drawn(p, k, rng, chain)
                if as_it_is:
                    credit_as_it_is(
                        incidence,
                        start,
                        stop,
                        weight,
                        scale,
                        share,
                        literals,
                        v,
                        seen,
                        gradient,
                    )
                else:
                    credit(incidence, start, stop, k, weight, scale, share, p, worths, 1.0, gradient)


@inlined
def conditional(incidence, start, stop, k, weight, scale, weights, literals, v, state, tilt, tilted, p, worths):
    """The probability of each value of v given the rest, into p; what its factors are worth under each, into worths.

    tilted: where in tilt virtual evidence of v stands, or -1.
    """
    function, offsets, variable, value, clause = literals
    for x in range(k):
        p[x] = tilt[tilted + x] if tilted >= 0 else 0.0
    place = 0
    for at in range(start, stop):
        f = incidence[at]
        strength = weights[weight[f]] * scale[f]
        for x in range(k):
            if function[f] == IS_TRUE and offsets[f + 1] == offsets[f] + 1:
                here = 1.0 if value[offsets[f]] == x else -1.0
            else:
                here = worth(function[f], offsets[f], offsets[f + 1], variable, value, clause, state, v, x)
            worths[place] = here
            place += 1
            p[x] += strength * here
    normalise(p, k)


@inlined
def normalise(p, k):
    """Log-potentials to probabilities, in place."""
    if k == 2:
        p[1] = 1.0 / (1.0 + np.exp(p[0] - p[1]))
        p[0] = 1.0 - p[1]
        return
    top = p[0]
    for x in range(1, k):
        top = max(top, p[x])
    mass = 0.0
    for x in range(k):
        p[x] = np.exp(p[x] - top)
        mass += p[x]
    for x in range(k):
        p[x] /= mass


@inlined
def credit_alone(incidence, start, stop, k, arrays, target, tilt, tilted, p, gradient):
    """The exact gradient of a labelled variable under factors IS_TRUE of its own.

    target: (k,) what its label says. tilted: where in tilt virtual evidence stands, from which target is made; or -1.
    """
    weight, scale, weights, offsets, value = arrays
    for x in range(k):
        p[x] = 0.0
    for at in range(start, stop):
        f = incidence[at]
        p[value[offsets[f]]] += 2.0 * weights[weight[f]] * scale[f]  # worth 1 there, and -1 at all other values
    if tilted >= 0:
        for x in range(k):
            target[x] = p[x] + tilt[tilted + x]
        normalise(target, k)
    normalise(p, k)
    for at in range(start, stop):
        f = incidence[at]
        x = value[offsets[f]]
        gradient[weight[f]] += 2.0 * scale[f] * (target[x] - p[x])


@inlined
def credit(incidence, start, stop, k, weight, scale, share, p, worths, sign, gradient):
    """Add each factor's share of its expected worth to the gradient of its weight."""
    place = 0
    for at in range(start, stop):
        f = incidence[at]
        expected = 0.0
        for x in range(k):
            expected += p[x] * worths[place]
            place += 1
        gradient[weight[f]] += sign * share[f] * scale[f] * expected


@inlined
def credit_as_it_is(incidence, start, stop, weight, scale, share, literals, v, state, gradient):
    """The same with the value that v has."""
    function, offsets, variable, value, clause = literals
    for at in range(start, stop):
        f = incidence[at]
        if function[f] == IS_TRUE and offsets[f + 1] == offsets[f] + 1:
            here = 1.0 if value[offsets[f]] == state[v] else -1.0
        else:
            here = worth(function[f], offsets[f], offsets[f + 1], variable, value, clause, state, -1, 0)
        gradient[weight[f]] += share[f] * scale[f] * here


@inlined
def drawn(p, k, rng, chain):
    """A value with probability p[value]."""
    left = uniform(rng, chain)
    for x in range(k - 1):
        left -= p[x]
        if left < 0:
            return x
    return k - 1


@inlined
def uniform(rng, chain):
    """A number from 0 to below 1, by splitmix64 (Steele et al. 2014)."""
    rng[chain] += np.uint64(0x9E3779B97F4A7C15)
    z = rng[chain]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)
