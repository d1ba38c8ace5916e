"""Exact marginals of components of small treewidth: sums go up a tree of tables, and what they leave out comes down.

Source: Shafer & Shenoy 1990. Departs: tables are made again on the way down instead of being kept.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import added, log_sum, next_world


@compiled
def solve_bags(g, weights, bags, state, field, with_expected, expected):
    """Turn the field of the variables of these components into probabilities, in place. returns: the sum of log Z.

    state: (n,) scratch; known values stay, open ones are left at 0. expected: (F,) gets the expected worth of their
    factors, if with_expected. O(sum of the tables' entries, each times what goes into it).
    """
    table = np.empty(bags.most_worlds)
    entries = np.empty(bags.most_worlds, np.int32)
    up = np.empty(bags.most_messages)
    down = np.empty(bags.most_messages)
    total, lost = 0.0, 0.0
    for c in range(len(bags.component_offsets) - 1):
        first, stop = bags.component_offsets[c], bags.component_offsets[c + 1]
        for b in range(first, stop):
            total, lost = added(total, lost, _send_up(g, weights, bags, b, state, field, table, entries, up))
        for b in range(stop - 1, first - 1, -1):
            _send_down(g, weights, bags, b, state, field, table, entries, up, down, with_expected, expected)
    return total + lost


@compiled
def _tabulate(g, weights, bags, b, state, field, table, entries, up):
    """Log-potential of each world of a bag with the sums of its children. returns: how many worlds."""
    members = bags.variables[bags.variable_offsets[b] : bags.variable_offsets[b + 1]]
    worlds = 1
    for v in members:
        worlds *= g.cardinality[v]
    k, at = g.cardinality[members[-1]], g.value_offsets[members[-1]]
    for i in range(0, worlds, k):
        for x in range(k):
            table[i + x] = field[at + x]
    for j in range(bags.factor_offsets[b], bags.factor_offsets[b + 1]):
        f = bags.factors[j]
        _add_factor(g, f, weights[g.weight[f]] * g.scale[f], members, worlds, state, table)
    for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
        _find_entries(g, bags, bags.children[j], members, worlds, state, entries)
        for i in range(worlds):
            table[i] += up[entries[i]]
    return worlds


@compiled
def _add_factor(g, f, weighted, members, worlds, state, table):
    function, variable, value, clause, cardinality = g.function[f], g.variable, g.value, g.clause, g.cardinality
    start, stop = g.offsets[f], g.offsets[f + 1]
    for i in range(worlds):
        table[i] += weighted * worth(function, start, stop, variable, value, clause, state, -1, 0)
        next_world(state, cardinality, members, len(members))


@compiled
def _mean_worth(g, f, members, worlds, state, table):
    function, variable, value, clause, cardinality = g.function[f], g.variable, g.value, g.clause, g.cardinality
    start, stop = g.offsets[f], g.offsets[f + 1]
    mean = 0.0
    for i in range(worlds):
        mean += table[i] * worth(function, start, stop, variable, value, clause, state, -1, 0)
        next_world(state, cardinality, members, len(members))
    return mean


@compiled
def _find_entries(g, bags, child, members, worlds, state, entries):
    """For each world of a bag, where the sum of this child stands."""
    cardinality = g.cardinality
    shared = bags.variables[bags.variable_offsets[child] : bags.variable_offsets[child + 1] - 1]
    for i in range(worlds):
        at = 0
        for j in range(len(shared)):
            at = at * cardinality[shared[j]] + state[shared[j]]
        entries[i] = bags.message_offsets[child] + at
        next_world(state, cardinality, members, len(members))


@compiled
def _send_up(g, weights, bags, b, state, field, table, entries, up):
    """Sum the variable of a bag out of its table. returns: what was scaled out of the sums."""
    worlds = _tabulate(g, weights, bags, b, state, field, table, entries, up)
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
def _send_down(g, weights, bags, b, state, field, table, entries, up, down, with_expected, expected):
    """Make the table of a bag the joint probability of its variables; tell its children and the marginal of its own."""
    members = bags.variables[bags.variable_offsets[b] : bags.variable_offsets[b + 1]]
    worlds = _tabulate(g, weights, bags, b, state, field, table, entries, up)
    k, own = g.cardinality[members[-1]], g.value_offsets[members[-1]]
    _normalise(table, worlds, k, up, down, bags.message_offsets[b], len(members) > 1)
    field[own : own + k] = 0.0
    for i in range(0, worlds, k):
        for x in range(k):
            field[own + x] += table[i + x]
    for j in range(bags.child_offsets[b], bags.child_offsets[b + 1]):
        child = bags.children[j]
        first, n = bags.message_offsets[child], 1
        for v in bags.variables[bags.variable_offsets[child] : bags.variable_offsets[child + 1] - 1]:
            n *= g.cardinality[v]
        down[first : first + n] = 0.0
        _find_entries(g, bags, child, members, worlds, state, entries)
        for i in range(worlds):
            down[entries[i]] += table[i]
        for i in range(first, first + n):
            down[i] = np.log(down[i])
    if with_expected:
        for j in range(bags.factor_offsets[b], bags.factor_offsets[b + 1]):
            expected[bags.factors[j]] = _mean_worth(g, bags.factors[j], members, worlds, state, table)


@compiled
def _normalise(table, worlds, k, up, down, at, has_parent):
    """Add what the parent knows, less what it was told from here; then log-potentials become probabilities."""
    top = -np.inf
    for i in range(worlds):
        if has_parent:
            table[i] += down[at + i // k] - up[at + i // k]
        top = max(top, table[i])
    z = 0.0
    for i in range(worlds):
        table[i] = np.exp(table[i] - top)
        z += table[i]
    for i in range(worlds):
        table[i] /= z
