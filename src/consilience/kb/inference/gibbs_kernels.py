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
from consilience.kb.inference.literal_change import REPEATED, change_if_true, literal_of

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
def next_uniform(rng):
    """In [0, 1). rng: (1,) uint64, a counter that is moved on."""
    rng[0] += GOLDEN
    return uniform(mixed(rng[0]))


@inlined
def coupled(i, coupling_offsets, neighbour, coupling, state, logit):
    """Add to a logit what the Boolean neighbours that are 1 are worth."""
    for e in range(coupling_offsets[i], coupling_offsets[i + 1]):
        logit += coupling[e] * state[neighbour[e]]
    return logit


@inlined
def switched_on(group, group_variable, group_value, state):
    """Whether a neighbour has the value that switches a group of entries on."""
    return state[group_variable[group]] == group_value[group]


@inlined
def boolean_change(v, first, last, which, function, offsets, variable, value, clause, weight, scale, weights, state):
    """What the general factors first..last-1 of a Boolean variable add to its log-odds."""
    total = 0.0
    for k in range(first, last):
        f = which[k]
        start, stop, kind = offsets[f], offsets[f + 1], function[f]
        strength, mine = weights[weight[f]] * scale[f], literal_of(start, stop, variable, v)
        if mine == REPEATED:
            true = worth(kind, start, stop, variable, value, clause, state, v, 1)
            total += strength * (true - worth(kind, start, stop, variable, value, clause, state, v, 0))
        else:
            change = strength * change_if_true(kind, start, stop, mine, variable, value, clause, state)
            total += change if value[mine] == 1 else -change
    return total


@inlined
def value_changes(
    v, first, last, which, function, offsets, variable, value, clause, weight, scale, weights, state, scores
):
    """Add to each value's score what the general factors first..last-1 make of it, above a value nobody asks for."""
    for k in range(first, last):
        f = which[k]
        start, stop, kind, strength = offsets[f], offsets[f + 1], function[f], weights[weight[f]] * scale[f]
        mine = literal_of(start, stop, variable, v)
        if mine != REPEATED:
            change = change_if_true(kind, start, stop, mine, variable, value, clause, state)
            scores[value[mine]] += strength * change
            continue
        before = worth(kind, start, stop, variable, value, clause, state, v, -1)
        for j in range(start, stop):
            if variable[j] == v and not asked_before(variable, value, start, j, v):
                now = worth(kind, start, stop, variable, value, clause, state, v, value[j])
                scores[value[j]] += strength * (now - before)


@inlined
def asked_before(variable, value, start, j, v):
    """Whether an earlier literal of the factor asks v for the same value."""
    for earlier in range(start, j):  # noqa: SIM110 - kernels have no any()
        if variable[earlier] == v and value[earlier] == value[j]:
            return True
    return False


@compiled
def score_place(i, a, p, state, scores):
    """Log of the unnormalised probability of each value of the variable at place i, given all others.

    scores: written; of a Boolean variable two numbers, the first 0. O(what touches it). Not quick: all arrays are
    handed over. `sweeps` does the same with its own.
    """
    v, base, width = a.variables[i], a.slots[i], a.slots[i + 1] - a.slots[i]
    first, last = a.general_offsets[i], a.general_offsets[i + 1]
    factors = (a.general_factor, a.function, a.offsets, a.variable, a.value, a.clause, a.weight, a.scale, p.weights)
    shift = 1 if width == 1 else 0
    scores[0] = 0.0
    for x in range(width):
        scores[x + shift] = p.field[base + x]
    for group in range(a.group_offsets[i], a.group_offsets[i + 1]):
        if switched_on(group, a.group_variable, a.group_value, state):
            for e in range(a.entry_offsets[group], a.entry_offsets[group + 1]):
                scores[a.entry_value[e] + shift] += p.entry[e]
    if width == 1:
        scores[1] = coupled(i, a.coupling_offsets, a.neighbour, p.coupling, state, scores[1])
        scores[1] += boolean_change(v, first, last, *factors, state)
    else:
        value_changes(v, first, last, *factors, state, scores)


@inlined
def draw_value(scores, width, u):
    """A value drawn by its score; the scores become probabilities."""
    top = scores[0]
    for x in range(1, width):
        top = max(top, scores[x])
    total = 0.0
    for x in range(width):
        scores[x] = math.exp(scores[x] - top)
        total += scores[x]
    left, drawn = u * total, -1
    for x in range(width):
        if drawn < 0 and left < scores[x]:
            drawn = x
        left -= scores[x]
        scores[x] /= total
    if drawn < 0:  # rounding: take the last value that is possible
        drawn = width - 1
        while scores[drawn] == 0.0:
            drawn -= 1
    return drawn


@compiled
def flip(cluster, a, p, state, u, scores):
    """Flip a cluster of Boolean variables whole, or leave it: accepted by the Metropolis rule. O(what touches it)."""
    change = 0.0
    for k in range(p.cluster_offsets[cluster], p.cluster_offsets[cluster + 1]):
        i = p.members[k]
        score_place(i, a, p, state, scores)
        v = a.variables[i]
        change += scores[1] if state[v] == 0 else -scores[1]
        state[v] = 1 - state[v]
    if u < math.exp(min(change, 0.0)):
        return
    for k in range(p.cluster_offsets[cluster], p.cluster_offsets[cluster + 1]):
        state[a.variables[p.members[k]]] = 1 - state[a.variables[p.members[k]]]


@compiled
def sweeps(n_sweeps, a, p, state, rng, tally, scores):
    """Draw every variable anew, then offer to flip each cluster, n_sweeps times.

    a: Arrays. p: Potentials. state: (n,) int16 or int32, evidence at clamped variables, written.
    rng: (1,) uint64, written. tally: (slots,) float32: the probabilities are added. scores: (largest cardinality,
    at least 2) scratch, float64. O(terms) each sweep.
    """
    # Arrays are taken out of their tuples here: done in the loops, it costs more than the draws
    variables, slots, field, coupling, entry = a.variables, a.slots, p.field, p.coupling, p.entry
    coupling_offsets, neighbour, group_offsets = a.coupling_offsets, a.neighbour, a.group_offsets
    group_variable, group_value = a.group_variable, a.group_value
    entry_offsets, entry_value, general_offsets = a.entry_offsets, a.entry_value, a.general_offsets
    which, function, offsets, variable, value = a.general_factor, a.function, a.offsets, a.variable, a.value
    clause, weight, scale, weights = a.clause, a.weight, a.scale, p.weights
    one = np.float32(1.0)
    counter = rng[0]
    for _ in range(n_sweeps):
        for i in range(a.n_simple):
            logit = coupled(i, coupling_offsets, neighbour, coupling, state, field[i])
            chance = one / (one + math.exp(-logit))
            counter += GOLDEN
            tally[i] += chance
            state[variables[i]] = uniform(mixed(counter)) < chance
        for i in range(a.n_simple, len(variables)):
            counter += GOLDEN
            u = uniform(mixed(counter))
            v, base, width = variables[i], slots[i], slots[i + 1] - slots[i]
            first, last = general_offsets[i], general_offsets[i + 1]
            for x in range(width):
                scores[x] = field[base + x]
            for group in range(group_offsets[i], group_offsets[i + 1]):
                if switched_on(group, group_variable, group_value, state):
                    for e in range(entry_offsets[group], entry_offsets[group + 1]):
                        scores[entry_value[e]] += entry[e]
            if width == 1:
                logit = coupled(i, coupling_offsets, neighbour, coupling, state, scores[0])
                logit += boolean_change(
                    v, first, last, which, function, offsets, variable, value, clause, weight, scale, weights, state
                )
                chance = one / (one + np.float32(math.exp(-logit)))
                tally[base] += chance
                state[v] = u < chance
            else:
                value_changes(
                    v,
                    first,
                    last,
                    which,
                    function,
                    offsets,
                    variable,
                    value,
                    clause,
                    weight,
                    scale,
                    weights,
                    state,
                    scores,
                )
                state[v] = draw_value(scores, width, u)
                for x in range(width):
                    tally[base + x] += scores[x]
        for cluster in range(len(p.cluster_offsets) - 1):
            counter += GOLDEN
            flip(cluster, a, p, state, uniform(mixed(counter)), scores)
    rng[0] = counter
