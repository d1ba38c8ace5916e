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
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import Arrays, added, distinct_open, log_sum, next_world


class Trees(NamedTuple):
    """The order in which messages pass, for many components: roots first, each factor before those under it.

    roots: (components,). factors: (T,). The variables of factors[i] are edges[edge_offsets[i]:edge_offsets[i + 1]], the
    one towards the root first; message_offsets: (T + 1,) where its message to that variable is kept. most_worlds: of
    one factor.
    """

    roots: NDArray[np.int32]
    factors: NDArray[np.int32]
    edge_offsets: NDArray[np.int32]
    edges: NDArray[np.int32]
    message_offsets: NDArray[np.int64]
    most_worlds: int


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
    came_from = np.full(n, -1, np.int32)
    n_factors, n_edges, most_worlds = 0, 0, 1
    head, tail = 0, 0
    for r in roots:
        queue[tail] = r
        tail += 1
        while head < tail:
            v = queue[head]
            head += 1
            for f in near[near_offsets[v] : near_offsets[v + 1]]:
                if f == came_from[v]:
                    continue
                found = edges[n_edges:]
                count = distinct_open(g, f, mark, found)
                worlds = 1
                for i in range(count):
                    worlds *= g.cardinality[found[i]]
                    if found[i] == v:
                        found[i] = found[0]
                        found[0] = v
                for i in range(1, count):
                    came_from[found[i]] = f
                    queue[tail] = found[i]
                    tail += 1
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
        most_worlds,
    )


@compiled
def solve_trees(g, weights, trees, state, field, with_expected, expected):
    """Turn the field of the variables of these components into probabilities, in place. returns: the sum of log Z.

    state: (n,) scratch; known values stay, open ones are left at 0. expected: (F,) gets the expected worth of their
    factors, if with_expected. O(worlds of each factor).
    """
    messages = np.empty(trees.message_offsets[-1])
    table = np.empty(trees.most_worlds)
    worths = np.empty(trees.most_worlds)
    total = _gather(g, weights, trees, state, field, messages, table, worths)
    for r in trees.roots:
        start, stop = g.value_offsets[r], g.value_offsets[r + 1]
        log_z = log_sum(field, start, stop)
        for i in range(start, stop):
            field[i] -= log_z
        total += log_z
    _spread(g, weights, trees, state, field, messages, table, worths, with_expected, expected)
    for r in trees.roots:
        for i in range(g.value_offsets[r], g.value_offsets[r + 1]):
            field[i] = np.exp(field[i])
    for i in range(len(trees.factors)):
        for v in trees.edges[trees.edge_offsets[i] + 1 : trees.edge_offsets[i + 1]]:
            for j in range(g.value_offsets[v], g.value_offsets[v + 1]):
                field[j] = np.exp(field[j])
    return total


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
def _gather(g, weights, trees, state, field, messages, table, worths):
    """Towards the roots: each field becomes what its variable and all under it bring. returns: what was scaled out."""
    total, lost = 0.0, 0.0
    for i in range(len(trees.factors) - 1, -1, -1):
        edges = trees.edges[trees.edge_offsets[i] : trees.edge_offsets[i + 1]]
        k = g.cardinality[edges[0]]
        block = _tabulate(g, weights, trees.factors[i], edges, state, field, table, worths) // k
        at = trees.message_offsets[i]
        top = -np.inf
        for x in range(k):
            messages[at + x] = log_sum(table, x * block, (x + 1) * block)
            top = max(top, messages[at + x])
        for x in range(k):
            messages[at + x] -= top
            field[g.value_offsets[edges[0]] + x] += messages[at + x]
        total, lost = added(total, lost, top)
    return total + lost


@compiled
def _spread(g, weights, trees, state, field, messages, table, worths, with_expected, expected):
    """Away from the roots: what each variable brings becomes the log of its marginal."""
    cardinality, value_offsets = g.cardinality, g.value_offsets
    for i in range(len(trees.factors)):
        edges = trees.edges[trees.edge_offsets[i] : trees.edge_offsets[i + 1]]
        worlds = _tabulate(g, weights, trees.factors[i], edges, state, field, table, worths)
        above, at = value_offsets[edges[0]], trees.message_offsets[i]
        block = worlds // cardinality[edges[0]]
        top = -np.inf
        for j in range(worlds):
            table[j] += field[above + j // block] - messages[at + j // block]
            top = max(top, table[j])
        z = 0.0
        mean = 0.0
        for j in range(worlds):
            table[j] = np.exp(table[j] - top)
            z += table[j]
            mean += table[j] * worths[j]
        if with_expected:
            expected[trees.factors[i]] = mean / z
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
