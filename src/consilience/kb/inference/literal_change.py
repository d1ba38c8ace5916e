"""What it is worth to a factor that one literal is true, not false: one look at the others, where two worths take two.

Sampling asks for nothing else of factors with three open variables and more. Held to `graph/worth.py` by the tests.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from consilience.engines.compiled import inlined
from consilience.kb.graph.worth import AND_CATEGORICAL, EQUAL, IMPLY, IMPLY_MLN, LINEAR, LOGICAL, OR, counted

REPEATED = -1  # the variable stands in more than one literal


@inlined
def literal_of(start, stop, variable, v):
    """Which literal is of variable v, or REPEATED."""
    mine = REPEATED
    for j in range(start, stop):
        if variable[j] == v:
            if mine != REPEATED:
                return REPEATED
            mine = j
    return mine


@inlined
def change_if_true(function, start, stop, mine, variable, value, clause, state):
    """Worth with literal `mine` true less worth with it false; its variable stands in no other. O(literals)."""
    if function >= LINEAR and function <= LOGICAL:
        return counting_change(function, start, stop, mine, variable, value, clause, state)
    n_true, head = 0, True
    for j in range(start, stop):
        if j != mine:
            holds = state[variable[j]] == value[j]
            n_true += holds
            if j == start:
                head = holds
    others = stop - start - 1
    if function in (IMPLY, IMPLY_MLN):
        full = 1.0 if function == IMPLY_MLN else 2.0
        if mine == start:
            return full if n_true == others else 0.0
        if n_true - head < others - 1:  # the rest of the body
            return 0.0
        if function == IMPLY:
            return 1.0 if head else -1.0
        return 0.0 if head else -1.0
    if function == OR:
        return 2.0 if n_true == 0 else 0.0
    if function == EQUAL:
        if others == 0:
            return 0.0
        return 2.0 if n_true == others else -2.0 if n_true == 0 else 0.0
    if n_true < others:
        return 0.0
    return 1.0 if function == AND_CATEGORICAL else 2.0


@inlined
def counting_change(function, start, stop, mine, variable, value, clause, state):
    """The same of a factor that counts its groundings."""
    n, j, ready = 0, start + 1, False
    while j < stop:
        group, all_true, has_mine = clause[j], True, False
        while j < stop and clause[j] == group:
            if j == mine:
                has_mine = True
            elif state[variable[j]] != value[j]:
                all_true = False
            j += 1
        if has_mine:
            ready = all_true
        elif all_true:
            n += 1
    if mine == start:
        return 2.0 * counted(function, n)
    if not ready:
        return 0.0
    more = counted(function, n + 1) - counted(function, n)
    return more if state[variable[start]] == value[start] else -more
