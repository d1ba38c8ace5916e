"""Factors of one open variable folded into a field, and components of one variable, all in closed form.

The field holds, for every value of every open variable, what the factors that touch no other open variable add to its
log-probability. A component of one variable is then a softmax; every other engine starts from the field, and reads
only factors that join open variables.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import added, log_sum, lone_worth


@compiled
def fold(g, weights, reach, state, field):
    """Add each factor that touches at most one open variable to its field. returns: the sum of those without any.

    reach: of `components.reaches`. state: (n,) the known values. field: (values,). One pass over the factors, in order.
    """
    function, offsets, variable, value, clause = g.function, g.offsets, g.variable, g.value, g.clause
    weight, scale, cardinality, value_offsets = g.weight, g.scale, g.cardinality, g.value_offsets
    constant = 0.0
    for f in range(len(reach)):
        v = reach[f]
        if v < -1:
            continue
        weighted = weights[weight[f]] * scale[f]
        start, stop = offsets[f], offsets[f + 1]
        if v == -1:
            constant += weighted * worth(function[f], start, stop, variable, value, clause, state, -1, 0)
            continue
        at = value_offsets[v]
        if stop == start + 1:  # most factors of most graphs
            asked = value[start]
            otherwise = weighted * lone_worth(function[f], False)
            for x in range(cardinality[v]):
                field[at + x] += weighted * lone_worth(function[f], True) if x == asked else otherwise
            continue
        for x in range(cardinality[v]):
            field[at + x] += weighted * worth(function[f], start, stop, variable, value, clause, state, v, x)
    return constant


@compiled
def singles(g, variables, field):
    """Turn the field of variables that no factor joins with others into probabilities, in place. returns: log Z."""
    value_offsets = g.value_offsets
    total, lost = 0.0, 0.0
    for v in variables:
        start, stop = value_offsets[v], value_offsets[v + 1]
        log_z = log_sum(field, start, stop)
        for i in range(start, stop):
            field[i] = np.exp(field[i] - log_z)
        total, lost = added(total, lost, log_z)
    return total + lost


@compiled
def expected_of_folded(g, reach, state, probability, expected):
    """Expected worth of each factor that touches at most one open variable, once all marginals are known."""
    function, offsets, variable, value, clause = g.function, g.offsets, g.variable, g.value, g.clause
    cardinality, value_offsets = g.cardinality, g.value_offsets
    for f in range(len(reach)):
        v = reach[f]
        if v < -1:
            continue
        start, stop = offsets[f], offsets[f + 1]
        if v == -1:
            expected[f] = worth(function[f], start, stop, variable, value, clause, state, -1, 0)
            continue
        total = 0.0
        for x in range(cardinality[v]):
            p = probability[value_offsets[v] + x]
            if stop == start + 1:
                total += p * lone_worth(function[f], x == value[start])
            else:
                total += p * worth(function[f], start, stop, variable, value, clause, state, v, x)
        expected[f] = total
