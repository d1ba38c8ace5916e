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
def holds(variable, value, state, changed, to, literal):
    """Whether a literal is true in a world where variable `changed` has value `to` and all others their state."""
    v = variable[literal]
    return (to if v == changed else state[v]) == value[literal]


@inlined
def counted(function, n):
    """g(n): what n true groundings are worth."""
    if function == LINEAR:
        return float(n)
    if function == RATIO:
        return np.log2(1.0 + n)
    return 1.0 if n > 0 else 0.0


@compiled
def worth(function, start, stop, variable, value, clause, state, changed, to):
    """Worth of the factor whose literals are start..stop-1, in the world `state` with `changed` set to `to`.

    changed: a variable, or -1 to take the world as it is. O(literals of the factor).
    """
    if function >= LINEAR and function <= LOGICAL:
        n = 0
        literal = start + 1
        while literal < stop:
            group = clause[literal]
            all_true = True
            while literal < stop and clause[literal] == group:
                all_true = all_true and holds(variable, value, state, changed, to, literal)
                literal += 1
            n += all_true
        g = counted(function, n)
        return g if holds(variable, value, state, changed, to, start) else -g
    if function in (IMPLY, IMPLY_MLN):
        head = holds(variable, value, state, changed, to, start)
        for literal in range(start + 1, stop):
            if not holds(variable, value, state, changed, to, literal):
                return 0.0 if function == IMPLY else 1.0
        if head:
            return 1.0
        return -1.0 if function == IMPLY else 0.0
    n_true = 0
    for literal in range(start, stop):
        n_true += holds(variable, value, state, changed, to, literal)
    if function == OR:
        return 1.0 if n_true > 0 else -1.0
    if function == EQUAL:
        return 1.0 if n_true == 0 or n_true == stop - start else -1.0
    if function == AND_CATEGORICAL:
        return 1.0 if n_true == stop - start else 0.0
    return 1.0 if n_true == stop - start else -1.0


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
