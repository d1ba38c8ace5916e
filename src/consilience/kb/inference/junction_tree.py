"""Exact marginals of components of small treewidth: sums go up a tree of tables, and what they leave out comes down.

Source: Shafer & Shenoy 1990. Departs: tables are made again on the way down instead of being kept.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled, inlined
from consilience.kb.inference.arrays import log_sum, next_world, worth_in


@compiled
def solve_bags(g, weights, bags, state, field, with_expected, expected):
    """Turn the field of the variables of these components into probabilities, in place. returns: the sum of log Z.

    state: (n,) scratch; known values stay, open ones are left at 0. expected: (F,) gets the expected worth of their
    factors, if with_expected. O(sum of the tables' entries).
    """
    table = np.empty(bags.most_worlds)
    up = np.empty(bags.most_messages)
    down = np.empty(bags.most_messages)
    total = 0.0
    for c in range(len(bags.component_offsets) - 1):
        first, stop = bags.component_offsets[c], bags.component_offsets[c + 1]
        for b in range(first, stop):
            total += _send_up(g, weights, bags, b, state, field, table, up)
        for b in range(stop - 1, first - 1, -1):
            _send_down(g, weights, bags, b, state, field, table, up, down, with_expected, expected)
    return total


@inlined
def _entry(g, bags, b, state):
    """Where the sum of bag b stands for the values its other variables have."""
    at = 0
    for i in range(bags.variable_offsets[b], bags.variable_offsets[b + 1] - 1):
        v = bags.variables[i]
        at = at * g.cardinality[v] + state[v]
    return bags.message_offsets[b] + at


@compiled
def _tabulate(g, weights, bags, b, state, field, table, up):
    """Log-potential of each world of a bag with the sums of its children. returns: how many worlds."""
    members = bags.variables[bags.variable_offsets[b] : bags.variable_offsets[b + 1]]
    worlds = 1
    for v in members:
        worlds *= g.cardinality[v]
    own = members[-1]
    for i in range(worlds):
        score = field[g.value_offsets[own] + state[own]]
        for j in range(bags.factor_offsets[b], bags.factor_offsets[b + 1]):
            f = bags.factors[j]
            score += weights[g.weight[f]] * g.scale[f] * worth_in(g, f, state)
        for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
            score += up[_entry(g, bags, bags.children[j], state)]
        table[i] = score
        next_world(g, state, members, 0, len(members))
    return worlds


@compiled
def _send_up(g, weights, bags, b, state, field, table, up):
    """Sum the variable of a bag out of its table. returns: what was scaled out of the sums."""
    worlds = _tabulate(g, weights, bags, b, state, field, table, up)
    k = g.cardinality[bags.variables[bags.variable_offsets[b + 1] - 1]]
    at = bags.message_offsets[b]
    top = -np.inf
    for i in range(worlds // k):
        up[at + i] = log_sum(table, i * k, (i + 1) * k)
        top = max(top, up[at + i])
    for i in range(worlds // k):
        up[at + i] -= top
    return top


@compiled
def _send_down(g, weights, bags, b, state, field, table, up, down, with_expected, expected):
    """Make the table of a bag the joint probability of its variables; tell its children and the marginal of its own."""
    members = bags.variables[bags.variable_offsets[b] : bags.variable_offsets[b + 1]]
    worlds = _tabulate(g, weights, bags, b, state, field, table, up)
    own = members[-1]
    k = g.cardinality[own]
    at = bags.message_offsets[b]
    top = -np.inf
    for i in range(worlds):
        if len(members) > 1:  # what the parent knows, less what it was told from here
            table[i] += down[at + i // k] - up[at + i // k]
        top = max(top, table[i])
    z = 0.0
    for i in range(worlds):
        table[i] = np.exp(table[i] - top)
        z += table[i]
    _clear(g, bags, b, field, down, with_expected, expected)
    for i in range(worlds):
        p = table[i] / z
        field[g.value_offsets[own] + state[own]] += p
        for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
            down[_entry(g, bags, bags.children[j], state)] += p
        if with_expected:
            for j in range(bags.factor_offsets[b], bags.factor_offsets[b + 1]):
                expected[bags.factors[j]] += p * worth_in(g, bags.factors[j], state)
        next_world(g, state, members, 0, len(members))
    for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
        child = bags.children[j]
        for i in range(bags.message_offsets[child], bags.message_offsets[child] + _entries(g, bags, child)):
            down[i] = np.log(down[i])


@inlined
def _entries(g, bags, b):
    entries = 1
    for i in range(bags.variable_offsets[b], bags.variable_offsets[b + 1] - 1):
        entries *= g.cardinality[bags.variables[i]]
    return entries


@inlined
def _clear(g, bags, b, field, down, with_expected, expected):
    own = bags.variables[bags.variable_offsets[b + 1] - 1]
    field[g.value_offsets[own] : g.value_offsets[own + 1]] = 0.0
    for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
        child = bags.children[j]
        down[bags.message_offsets[child] : bags.message_offsets[child] + _entries(g, bags, child)] = 0.0
    if with_expected:
        for j in range(bags.factor_offsets[b], bags.factor_offsets[b + 1]):
            expected[bags.factors[j]] = 0.0
