"""Every world of each of many small components, in one compiled call.

Worlds are the leaves of a tree that gives the variables of a component their values one by one. A factor is evaluated
at the level where its last variable gets its value, so that worlds which agree so far share the work.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import next_world


@compiled
def enumerate_components(
    g,
    weights,
    which,
    of_variable,
    variable_offsets,
    variables,
    factor_offsets,
    factors,
    state,
    field,
    with_expected,
    expected,
    most_worlds,
):
    """Turn the field of the variables of these components into probabilities, in place. returns: the sum of log Z.

    which: components. of_variable ... factors: of `Components`, joint factors only. state: (n,) scratch; known values
    stay, open ones are left at 0. expected: (F,) gets the expected worth of their factors, if with_expected.
    most_worlds: of the largest component. O(worlds * factors touching a variable) a component.
    """
    total = 0.0
    mass = np.empty(2 * most_worlds)
    most_factors = 0
    for c in which:
        most_factors = max(most_factors, factor_offsets[c + 1] - factor_offsets[c])
    by_level = np.empty(most_factors, np.int32)
    level_of = np.empty(most_factors, np.int32)
    factor_ends = np.empty(66, np.int64)
    level_at = np.empty(66, np.int64)
    for c in which:
        members = variables[variable_offsets[c] : variable_offsets[c + 1]]
        own = factors[factor_offsets[c] : factor_offsets[c + 1]]
        _sort_by_level(g, c, of_variable, members, own, level_of, by_level, factor_ends)
        _score(g, weights, members, by_level, factor_ends, level_at, state, field, mass)
        total += _sum_up(g, members, level_at, field, mass)
        if with_expected:
            _expect(g, members, by_level, factor_ends, level_at, state, mass, expected)
    return total


@compiled
def _sort_by_level(g, c, of_variable, members, own, level_of, by_level, factor_ends):
    """Factors by the level of their last variable; those of level d end at factor_ends[d + 1]."""
    factor_ends[: len(members) + 1] = 0
    for i in range(len(own)):
        last = 0
        for literal in range(g.offsets[own[i]], g.offsets[own[i] + 1]):
            v = g.variable[literal]
            if of_variable[v] != c:
                continue
            while members[last] < v:  # members ascend
                last += 1
        level_of[i] = last
        factor_ends[last + 1] += 1
    for d in range(len(members)):
        factor_ends[d + 1] += factor_ends[d]
    for i in range(len(own) - 1, -1, -1):
        factor_ends[level_of[i] + 1] -= 1
        by_level[factor_ends[level_of[i] + 1]] = own[i]
    for d in range(len(members) - 1):  # what were ends are starts now: move them back by one
        factor_ends[d + 1] = factor_ends[d + 2]
    factor_ends[len(members)] = len(own)


@compiled
def _score(g, weights, members, by_level, factor_ends, level_at, state, field, mass):
    """Log-potential of every partial world, level under level."""
    function, offsets, variable, value, clause = g.function, g.offsets, g.variable, g.value, g.clause
    weight, scale, cardinality, value_offsets = g.weight, g.scale, g.cardinality, g.value_offsets
    level_at[0] = 0
    above, width = -1, 1
    for d in range(len(members)):
        v = members[d]
        k, at, here = cardinality[v], value_offsets[v], level_at[d]
        for i in range(width):
            base = mass[above + i] if d > 0 else 0.0
            for x in range(k):
                state[v] = x
                score = base + field[at + x]
                for j in range(factor_ends[d], factor_ends[d + 1]):
                    f = by_level[j]
                    score += (
                        weights[weight[f]]
                        * scale[f]
                        * worth(function[f], offsets[f], offsets[f + 1], variable, value, clause, state, -1, 0)
                    )
                mass[here + i * k + x] = score
            state[v] = 0
            next_world(state, cardinality, members, d)
        above = here
        width *= k
        level_at[d + 1] = here + width


@compiled
def _sum_up(g, members, level_at, field, mass):
    """Scores of worlds become probabilities, those of partial worlds their sums; marginals replace the field."""
    m = len(members)
    start, stop = level_at[m - 1], level_at[m]
    top = mass[start]
    for i in range(start + 1, stop):
        top = max(top, mass[i])
    z = 0.0
    for i in range(start, stop):
        mass[i] = np.exp(mass[i] - top)
        z += mass[i]
    for i in range(start, stop):
        mass[i] /= z
    for d in range(m - 1, -1, -1):
        k = g.cardinality[members[d]]
        at = g.value_offsets[members[d]]
        field[at : at + k] = 0.0
        for i in range((level_at[d + 1] - level_at[d]) // k):
            together = 0.0
            for x in range(k):
                p = mass[level_at[d] + i * k + x]
                field[at + x] += p
                together += p
            if d > 0:
                mass[level_at[d - 1] + i] = together
    return top + np.log(z)


@compiled
def _expect(g, members, by_level, factor_ends, level_at, state, mass, expected):
    function, offsets, variable, value, clause = g.function, g.offsets, g.variable, g.value, g.clause
    cardinality = g.cardinality
    for j in range(factor_ends[len(members)]):
        expected[by_level[j]] = 0.0
    for d in range(len(members)):
        if factor_ends[d] == factor_ends[d + 1]:
            continue
        for i in range(level_at[d + 1] - level_at[d]):
            for j in range(factor_ends[d], factor_ends[d + 1]):
                f = by_level[j]
                expected[f] += mass[level_at[d] + i] * worth(
                    function[f], offsets[f], offsets[f + 1], variable, value, clause, state, -1, 0
                )
            next_world(state, cardinality, members, d + 1)
