"""One sweep of Gibbs sampling: each variable drawn anew, given all others. What sampling and learning share.

Reads `Arrays` and `Potentials` of a structure; writes a state, and adds to a tally the *probability* each value had
when it was drawn. Its mean is a better estimate of the marginal than counting what was drawn (Gelfand & Smith 1990,
sec. 2.3), and it costs the same.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.worth import worth

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
UNIT = 2.0**-53


@inlined
def mixed(z):
    """A counter's 64 bits, scrambled. Source: Steele, Lea & Flood 2014 (splitmix64)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inlined
def uniform(bits):
    """In [0, 1), from 64 random bits."""
    return (bits >> np.uint64(11)) * UNIT


@inlined
def coupled(i, a, p, state, logit):
    """Add to a logit what the Boolean neighbours that are 1 are worth."""
    for e in range(a.coupling_offsets[i], a.coupling_offsets[i + 1]):
        logit += p.coupling[e] * state[a.neighbour[e]]
    return logit


@inlined
def strength(f, a, p):
    """Weight times scale of a factor."""
    return p.weights[a.weight[f]] * a.scale[f]


@inlined
def worth_at(f, a, state, v, to):
    """Worth of a factor with v set to a value."""
    return worth(a.function[f], a.offsets[f], a.offsets[f + 1], a.variable, a.value, a.clause, state, v, to)


@compiled
def logit_of(i, a, p, state):
    """Log-odds of 1 against 0 of the Boolean variable at place i, given all others. O(what touches it)."""
    v = a.variables[i]
    logit = coupled(i, a, p, state, np.float64(p.field[a.slots[i]]))
    for group in range(a.group_offsets[i], a.group_offsets[i + 1]):
        if state[a.group_variable[group]] == a.group_value[group]:
            for e in range(a.entry_offsets[group], a.entry_offsets[group + 1]):
                logit += p.entry[e]
    for k in range(a.general_offsets[i], a.general_offsets[i + 1]):
        f = a.general_factor[k]
        logit += strength(f, a, p) * (worth_at(f, a, state, v, 1) - worth_at(f, a, state, v, 0))
    return logit


@compiled
def scores_of(i, a, p, state, scores):
    """Log of the unnormalised probability of each value of the categorical variable at place i, given all others."""
    v, base = a.variables[i], a.slots[i]
    width = a.slots[i + 1] - base
    for x in range(width):
        scores[x] = p.field[base + x]
    for group in range(a.group_offsets[i], a.group_offsets[i + 1]):
        if state[a.group_variable[group]] == a.group_value[group]:
            for e in range(a.entry_offsets[group], a.entry_offsets[group + 1]):
                scores[a.entry_value[e]] += p.entry[e]
    for k in range(a.general_offsets[i], a.general_offsets[i + 1]):
        f = a.general_factor[k]
        start, stop = a.offsets[f], a.offsets[f + 1]
        before = worth_at(f, a, state, v, -1)
        for j in range(start, stop):
            if a.variable[j] == v and not _asked_before(a, start, j, v):
                scores[a.value[j]] += strength(f, a, p) * (worth_at(f, a, state, v, a.value[j]) - before)
    return width


@inlined
def _asked_before(a, start, j, v):
    """Whether an earlier literal of the factor asks v for the same value."""
    for earlier in range(start, j):  # noqa: SIM110 - kernels have no any()
        if a.variable[earlier] == v and a.value[earlier] == a.value[j]:
            return True
    return False


@inlined
def draw_value(i, width, scores, a, state, tally, u):
    """Draw a value by its scores, and add the probabilities to the tally."""
    top = scores[0]
    for x in range(1, width):
        top = max(top, scores[x])
    total = 0.0
    for x in range(width):
        scores[x] = math.exp(scores[x] - top)
        total += scores[x]
    left, drawn = u * total, width - 1
    for x in range(width):
        if left >= 0.0 and left < scores[x]:
            drawn = x
        left -= scores[x]
        tally[a.slots[i] + x] += scores[x] / total
    while scores[drawn] == 0.0:  # u * total may round up to the sum: the last value must be a possible one
        drawn -= 1
    state[a.variables[i]] = drawn


@compiled
def sweeps(n_sweeps, a, p, state, rng, tally, scores):
    """Draw every variable anew, n_sweeps times.

    a: Arrays. p: Potentials. state: (n,) int8 or int32, evidence at clamped variables, written.
    rng: (1,) uint64, written. tally: (slots,) float32: the probabilities are added. scores: (largest cardinality,)
    scratch, float64. O(terms) each sweep.
    """
    one = np.float32(1.0)
    counter = rng[0]
    for _ in range(n_sweeps):
        for i in range(a.n_simple):
            logit = coupled(i, a, p, state, p.field[i])
            chance = one / (one + math.exp(-logit))
            counter += GOLDEN
            tally[i] += chance
            state[a.variables[i]] = uniform(mixed(counter)) < chance
        for i in range(a.n_simple, len(a.variables)):
            counter += GOLDEN
            u = uniform(mixed(counter))
            if a.slots[i + 1] - a.slots[i] == 1:
                chance = one / (one + np.float32(math.exp(-logit_of(i, a, p, state))))
                tally[a.slots[i]] += chance
                state[a.variables[i]] = u < chance
            else:
                width = scores_of(i, a, p, state, scores)
                draw_value(i, width, scores, a, state, tally, u)
    rng[0] = counter
