"""A factor graph as its exact engines read it: the arrays in one tuple, and the steps their loops share."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph

EQUAL = int(FactorFunction.EQUAL)
LINEAR = int(FactorFunction.LINEAR)
LOGICAL = int(FactorFunction.LOGICAL)
AND_CATEGORICAL = int(FactorFunction.AND_CATEGORICAL)
IMPLY_MLN = int(FactorFunction.IMPLY_MLN)


class Arrays(NamedTuple):
    """What `Factors` and `FactorGraph` hold, with `known`: (n,) the value of each known variable, else OPEN.

    Loops take out of it what they need before they begin: taken out in every turn, arrays cost more than what is done.
    """

    function: NDArray[np.uint8]
    offsets: NDArray[np.integer]
    variable: NDArray[np.int32]
    value: NDArray[np.int32]
    clause: NDArray[np.int32]
    weight: NDArray[np.int32]
    scale: NDArray[np.float32]
    cardinality: NDArray[np.int32]
    value_offsets: NDArray[np.int64]
    known: NDArray[np.int32]


def arrays(graph: FactorGraph, known: NDArray[np.int32]) -> Arrays:
    """The arrays of a graph. Nothing is copied."""
    f = graph.factors
    return Arrays(
        f.function,
        f.offsets,
        f.variable,
        f.value,
        f.clause,
        f.weight,
        f.scale,
        graph.cardinality,
        graph.value_offsets,
        known,
    )


@inlined
def lone_worth(function, holds):
    """Worth of a factor of one literal: what the table of functions comes to."""
    if function == EQUAL:
        return 1.0
    if function >= LINEAR and function <= LOGICAL:
        return 0.0  # no grounding
    if holds:
        return 1.0
    return 0.0 if function in (AND_CATEGORICAL, IMPLY_MLN) else -1.0


@compiled
def next_world(state, cardinality, variables, n):
    """Move the first n of these variables to their next world; the last of them turns fastest."""
    for place in range(n - 1, -1, -1):
        v = variables[place]
        state[v] += 1
        if state[v] < cardinality[v]:
            return
        state[v] = 0


@compiled
def log_sum(values, start, stop):
    """Log of the sum of exp of a stretch of numbers."""
    top = values[start]
    for i in range(start + 1, stop):
        top = max(top, values[i])
    total = 0.0
    for i in range(start, stop):
        total += np.exp(values[i] - top)
    return top + np.log(total)


@inlined
def added(total, lost, more):
    """total + more, and what rounding loses of it: to be handed on, and added at the end (Neumaier's sum)."""
    together = total + more
    if abs(total) >= abs(more):
        lost += (total - together) + more
    else:
        lost += (more - together) + total
    return together, lost


@compiled
def distinct_open(g, f, mark, found):
    """The open variables of factor f, each once, in the order of its literals, into `found`. returns: how many.

    mark: (n,) int32, scratch, in which no entry is f before.
    """
    n = 0
    for literal in range(g.offsets[f], g.offsets[f + 1]):
        v = g.variable[literal]
        if g.known[v] == OPEN and mark[v] != f:
            mark[v] = f
            found[n] = v
            n += 1
    return n
