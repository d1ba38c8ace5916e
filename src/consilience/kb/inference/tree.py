"""Sum-product on components without cycles: all of them in one compiled call, however long or wide they are.

Source: Pearl 1982; Kschischang, Frey & Loeliger 2001. Departs: the message down a factor is its whole belief summed
out, so that nothing is divided by a message but what went up the same edge.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.adjacency import Adjacency
from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import Arrays, added, distinct_open, log_sum, next_world
from consilience.kb.inference.wide_factors import MANY, WIDE, can_be_wide, share, wide_messages


class Trees(NamedTuple):
    """The order in which messages pass, for many components: roots first, each factor before those under it.

    roots: (components,). factors: (T,). The variables of factors[i] are edges[edge_offsets[i]:edge_offsets[i + 1]], the
    one towards the root first; message_offsets: (T + 1,) where its message to that variable is kept. is_wide: (T,)
    whether its messages are those of `wide_factors.py`. most_worlds: of a factor that is not wide, or values of a
    variable. most_literals, most_open: of one that is wide, 0 if none is.
    """

    roots: NDArray[np.int32]
    factors: NDArray[np.int32]
    edge_offsets: NDArray[np.int32]
    edges: NDArray[np.int32]
    message_offsets: NDArray[np.int64]
    is_wide: NDArray[np.bool_]
    most_worlds: int
    most_literals: int
    most_open: int


def plan_trees(
    g: Arrays,
    which: NDArray[np.int32],
    variable_offsets: NDArray[np.int32],
    variables: NDArray[np.int32],
    near: Adjacency,
) -> Trees:
    """Root each component at its first variable and list its factors outwards. near: its joint factors.

    O(literals), without recursion.
    """
    roots = variables[variable_offsets[which]]
    n_variables = int((variable_offsets[which + 1] - variable_offsets[which]).sum())
    return Trees(roots, *_outwards(g, roots, n_variables, near.offsets, near.factors))


@compiled
def _outwards(g, roots, n_variables, near_offsets, near):
    n = len(g.known)
    mark = np.full(n, -1, np.int32)
    # the variables of a tree but its root hang each under one factor: there are n - 1 edges away from the root
    queue = np.empty(n_variables, np.int32)
    factors = np.empty(max(n_variables - len(roots), 0), np.int32)
    edge_offsets = np.zeros(len(factors) + 1, np.int32)
    edges = np.empty(n_variables - len(roots) + len(factors), np.int32)
    message_offsets = np.zeros(len(factors) + 1, np.int64)
    is_wide = np.zeros(len(factors), np.bool_)
    came_from = np.full(n, -1, np.int32)
    n_factors, n_edges, most_worlds, most_literals, most_open = 0, 0, 1, 0, 0
    head, tail = 0, 0
    for r in roots:
        queue[tail] = r
        tail += 1
        while head < tail:
            v = queue[head]
            head += 1
            most_worlds = max(most_worlds, g.cardinality[v])
            for f in near[near_offsets[v] : near_offsets[v + 1]]:
                if f == came_from[v]:
                    continue
                found = edges[n_edges:]
                count = distinct_open(g, f, mark, found)
                worlds = 1
                for i in range(count):
                    worlds = min(worlds * g.cardinality[found[i]], MANY)
                    if found[i] == v:
                        found[i] = found[0]
                        found[0] = v
                for i in range(1, count):
                    came_from[found[i]] = f
                    queue[tail] = found[i]
                    tail += 1
                if worlds > WIDE and can_be_wide(g, f, count):
                    is_wide[n_factors] = True
                    most_literals = max(most_literals, g.offsets[f + 1] - g.offsets[f])
                    most_open = max(most_open, count)
                else:
                    most_worlds = max(most_worlds, worlds)
                factors[n_factors] = f
                n_edges += count
                n_factors += 1
                edge_offsets[n_factors] = n_edges
                message_offsets[n_factors] = message_offsets[n_factors - 1] + g.cardinality[v]
    return (
        factors[:n_factors].copy(),
        edge_offsets[: n_factors + 1].copy(),
        edges[:n_edges].copy(),
        message_offsets[: n_factors + 1].copy(),
        is_wide[:n_factors].copy(),
        most_worlds,
        most_literals,
        most_open,
    )


@compiled
def solve_trees(g, weights, trees, room, state, field, with_expected, expected):
    """Turn the field of the variables of these components into probabilities, in place. returns: the sum of log Z.

    room: `Scratch` of the widest factor. state: (n,) scratch; known values stay, open ones are left at 0. expected:
    (F,) gets the expected worth of their factors, if with_expected. O(worlds of each factor), or of a wide one the
    square of its literals.
    """
    messages = np.empty(trees.message_offsets[-1])
    table = np.empty(trees.most_worlds)
    worths = np.empty(trees.most_worlds)
    total, lost = 0.0, 0.0
    for i in range(len(trees.factors) - 1, -1, -1):  # towards the roots: a field becomes what it and all under it bring
        if trees.is_wide[i]:
            more = _up_wide(g, weights, trees, i, room, field, messages)
        else:
            more = _up(g, weights, trees, i, state, field, messages, table, worths)
        total, lost = added(total, lost, more)
    for r in trees.roots:
        total, lost = added(total, lost, _normalise(field, g.value_offsets[r], g.value_offsets[r + 1]))
    for i in range(len(trees.factors)):  # away from them: what a variable brings becomes the log of its marginal
        if trees.is_wide[i]:
            mean = _down_wide(g, weights, trees, i, room, field, messages, table)
        else:
            mean = _down(g, weights, trees, i, state, field, messages, table, worths)
        if with_expected:
            expected[trees.factors[i]] = mean
    _exponentiate(g, trees, field)
    return total + lost


@compiled
def _normalise(values, start, stop):
    """Let exp(values) add to 1. returns: log of what they added to."""
    whole = log_sum(values, start, stop)
    for i in range(start, stop):
        values[i] -= whole
    return whole


@compiled
def _exponentiate(g, trees, field):
    value_offsets = g.value_offsets
    for v in trees.roots:
        for i in range(value_offsets[v], value_offsets[v + 1]):
            field[i] = np.exp(field[i])
    for i in range(len(trees.factors)):
        for v in trees.edges[trees.edge_offsets[i] + 1 : trees.edge_offsets[i + 1]]:
            for j in range(value_offsets[v], value_offsets[v + 1]):
                field[j] = np.exp(field[j])


@compiled
def _tabulate(g, weights, f, edges, state, field, table, worths):
    """Log-potential of each world of a factor with what its variables bring along; the first variable turns slowest."""
    function, variable, value, clause = g.function[f], g.variable, g.value, g.clause
    start, stop = g.offsets[f], g.offsets[f + 1]
    cardinality, value_offsets = g.cardinality, g.value_offsets
    worlds = 1
    for v in edges:
        worlds *= cardinality[v]
    weighted = weights[g.weight[f]] * g.scale[f]
    for i in range(worlds):
        worths[i] = worth(function, start, stop, variable, value, clause, state, -1, 0)
        score = weighted * worths[i]
        for j in range(1, len(edges)):
            score += field[value_offsets[edges[j]] + state[edges[j]]]
        table[i] = score
        next_world(state, cardinality, edges, len(edges))
    return worlds


@compiled
def _up(g, weights, trees, i, state, field, messages, table, worths):
    """The message of a factor to the variable towards the root. returns: what was scaled out of it."""
    edges = trees.edges[trees.edge_offsets[i] : trees.edge_offsets[i + 1]]
    k = g.cardinality[edges[0]]
    block = _tabulate(g, weights, trees.factors[i], edges, state, field, table, worths) // k
    at = trees.message_offsets[i]
    for x in range(k):
        messages[at + x] = log_sum(table, x * block, (x + 1) * block)
    return _hand_over(messages, at, k, field, g.value_offsets[edges[0]])


@compiled
def _hand_over(messages, at, k, field, above):
    """Scale a message so that its largest is 0 and add it to a field. returns: what was scaled out."""
    top = messages[at]
    for x in range(1, k):
        top = max(top, messages[at + x])
    for x in range(k):
        messages[at + x] -= top
        field[above + x] += messages[at + x]
    return top


@compiled
def _down(g, weights, trees, i, state, field, messages, table, worths):
    """Marginals of the variables under a factor, as logs, from that of the one above. returns: the expected worth."""
    cardinality, value_offsets = g.cardinality, g.value_offsets
    edges = trees.edges[trees.edge_offsets[i] : trees.edge_offsets[i + 1]]
    worlds = _tabulate(g, weights, trees.factors[i], edges, state, field, table, worths)
    above, at = value_offsets[edges[0]], trees.message_offsets[i]
    block = worlds // cardinality[edges[0]]
    top = -np.inf
    for j in range(worlds):
        table[j] += field[above + j // block] - messages[at + j // block]
        top = max(top, table[j])
    z, mean = 0.0, 0.0
    for j in range(worlds):
        table[j] = np.exp(table[j] - top)
        z += table[j]
        mean += table[j] * worths[j]
    for e in range(1, len(edges)):
        for j in range(value_offsets[edges[e]], value_offsets[edges[e] + 1]):
            field[j] = 0.0
    for j in range(worlds):
        for e in range(1, len(edges)):
            field[value_offsets[edges[e]] + state[edges[e]]] += table[j] / z
        next_world(state, cardinality, edges, len(edges))
    for e in range(1, len(edges)):
        for j in range(value_offsets[edges[e]], value_offsets[edges[e] + 1]):
            field[j] = np.log(field[j])
    return mean / z


@compiled
def _up_wide(g, weights, trees, i, room, field, messages):
    """As `_up`, of a wide factor."""
    f, above = trees.factors[i], trees.edges[trees.edge_offsets[i]]
    variable, value, known, value_offsets = g.variable, g.value, g.known, g.value_offsets
    start, stop = g.offsets[f], g.offsets[f + 1]
    scaled, place = 0.0, 0
    for j in range(start, stop):
        v = variable[j]
        if v == above:
            place = j - start
            room.comes[place, 0] = room.comes[place, 1] = np.log(0.5)  # whatever: it does not hear itself
        elif known[v] == OPEN:
            shares = share(field, value_offsets[v], g.cardinality[v], value[j])
            room.comes[j - start, 0], room.comes[j - start, 1] = shares[0], shares[1]
            scaled += shares[2]
    wide_messages(g, f, weights[g.weight[f]] * g.scale[f], room)
    at = trees.message_offsets[i]
    for x in range(g.cardinality[above]):
        messages[at + x] = room.goes[place, 1 if x == value[start + place] else 0]
    return scaled + _hand_over(messages, at, g.cardinality[above], field, value_offsets[above])


@compiled
def _down_wide(g, weights, trees, i, room, field, messages, table):
    """As `_down`, of a wide factor."""
    f, above = trees.factors[i], trees.edges[trees.edge_offsets[i]]
    variable, value, known, value_offsets = g.variable, g.value, g.known, g.value_offsets
    start, stop = g.offsets[f], g.offsets[f + 1]
    k = g.cardinality[above]
    for x in range(k):  # what comes from above, without what went there
        table[x] = field[value_offsets[above] + x] - messages[trees.message_offsets[i] + x]
    for j in range(start, stop):
        v = variable[j]
        if known[v] == OPEN:
            if v == above:
                shares = share(table, 0, k, value[j])
            else:
                shares = share(field, value_offsets[v], g.cardinality[v], value[j])
            room.comes[j - start, 0], room.comes[j - start, 1] = shares[0], shares[1]
    _, mean = wide_messages(g, f, weights[g.weight[f]] * g.scale[f], room)
    for j in range(start, stop):
        v = variable[j]
        if known[v] == OPEN and v != above:
            for x in range(g.cardinality[v]):
                field[value_offsets[v] + x] += room.goes[j - start, 1 if x == value[j] else 0]
            _normalise(field, value_offsets[v], value_offsets[v + 1])
    return mean
