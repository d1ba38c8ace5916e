"""What a factor is worth in a world: the one compiled definition that sampling, learning and enumeration share."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.factor_graph import FactorFunction

IMPLY = int(FactorFunction.IMPLY)
OR = int(FactorFunction.OR)
EQUAL = int(FactorFunction.EQUAL)
LINEAR = int(FactorFunction.LINEAR)
RATIO = int(FactorFunction.RATIO)
LOGICAL = int(FactorFunction.LOGICAL)
AND_CATEGORICAL = int(FactorFunction.AND_CATEGORICAL)
IMPLY_MLN = int(FactorFunction.IMPLY_MLN)


@inlined
def counted(function, n):
    """g(n): what n true groundings are worth."""
    if function == LINEAR:
        return float(n)
    if function == RATIO:
        return np.log2(1.0 + n)
    return 1.0 if n > 0 else 0.0


@inlined
def worth_of(function, first_is_true, n_true, n):
    """Worth of a factor that does not count, n_true of whose n literals are true."""
    if function == EQUAL:
        return 1.0 if n_true == 0 or n_true == n else -1.0
    if function == OR:
        return 1.0 if n_true > 0 else -1.0
    if function == AND_CATEGORICAL:
        return 1.0 if n_true == n else 0.0
    fails = n_true == n - 1 and not first_is_true  # body true, head false
    if function == IMPLY:
        return 1.0 if n_true == n else (-1.0 if fails else 0.0)
    if function == IMPLY_MLN:
        return 0.0 if fails else 1.0
    return 1.0 if n_true == n else -1.0


@compiled
def worth(function, start, stop, variable, value, clause, state, changed, to):
    """Worth of the factor whose literals are start..stop-1, in the world `state` with `changed` set to `to`.

    changed: a variable, or -1 to take the world as it is. O(literals of the factor).
    One loop for all functions, and no array handed on: a second function that took them would cost five times as much,
    and so do arrays that a caller takes out of a tuple for each call.
    """
    counts = function >= LINEAR and function <= LOGICAL
    n_true = 0
    first_is_true = False
    group = -2
    group_is_true = False
    for literal in range(start, stop):
        v = variable[literal]
        holds = (to if v == changed else state[v]) == value[literal]
        if literal == start:
            first_is_true = holds
        if not counts:
            n_true += holds
        elif literal > start:
            if clause[literal] != group:
                n_true += group_is_true
                group = clause[literal]
                group_is_true = True
            group_is_true &= holds
    if counts:
        g = counted(function, n_true + group_is_true)
        return g if first_is_true else -g
    return worth_of(function, first_is_true, n_true, stop - start)


@compiled
def log_potential(function, offsets, variable, value, clause, weight, scale, weights, state):
    """Log of the unnormalised probability of a world: the sum of weight * scale * worth over all factors."""
    total = 0.0
    for f in range(len(function)):
        total += (
            weights[weight[f]]
            * scale[f]
            * worth(function[f], offsets[f], offsets[f + 1], variable, value, clause, state, -1, 0)
        )
    return total
