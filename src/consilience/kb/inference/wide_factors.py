"""Messages of a factor of many variables, without its worlds: only the head and how many groups are true matter.

Every function of the table is worth W[head][n], where n counts the groups of literals that are all true: the groundings
of a factor that counts, each literal by itself under OR and EQUAL, all but the first together under the others. If no
open variable stands in it twice, groups are independent given what comes in, and n is summed over by going through them
once forwards and once backwards. In logs: weights may be large.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.factor_graph import OPEN, FactorFunction
from consilience.kb.graph.worth import counted, worth_of

OR, EQUAL = int(FactorFunction.OR), int(FactorFunction.EQUAL)
LINEAR, LOGICAL = int(FactorFunction.LINEAR), int(FactorFunction.LOGICAL)
MANY = 1 << 40  # worlds are counted up to here
WIDE = 64  # worlds of a factor from which this is cheaper than to go through them


class Scratch(NamedTuple):
    """Room for one factor of up to L literals. By literal: comes and goes (L, 2), logs of false and true; group (L,).

    By group: log_group (L, 2), ahead (L + 1, L + 2) for the counts of the groups before, behind (L + 2,).
    """

    comes: NDArray[np.float64]
    goes: NDArray[np.float64]
    group: NDArray[np.int32]
    log_group: NDArray[np.float64]
    ahead: NDArray[np.float64]
    behind: NDArray[np.float64]


def scratch(literals: int, open_literals: int) -> Scratch:
    """Room for factors of so many literals, of which so many are open at most."""
    return Scratch(
        np.zeros((literals, 2)),
        np.zeros((literals, 2)),
        np.zeros(literals, np.int32),
        np.zeros((literals, 2)),
        np.zeros((open_literals + 2, open_literals + 3)),
        np.zeros(open_literals + 3),
    )


@compiled
def can_be_wide(g, f, n_open):
    """Whether each open variable of factor f, n_open of them, stands in one literal alone."""
    literals = 0
    for literal in range(g.offsets[f], g.offsets[f + 1]):
        literals += g.known[g.variable[literal]] == OPEN
    return literals == n_open


@compiled
def log_add(a, b):
    """log(exp(a) + exp(b)), where either may be minus infinity."""
    top, low = max(a, b), min(a, b)
    return top if low == -np.inf else top + np.log1p(np.exp(low - top))


@compiled
def share(values, start, k, asked):
    """Logs of the part of exp(values) that is not `asked`, of the part that is, and of the whole."""
    rest = -np.inf
    for x in range(k):
        if x != asked:
            rest = log_add(rest, values[start + x])
    whole = log_add(rest, values[start + asked])
    return rest - whole, values[start + asked] - whole, whole


@compiled
def grouped_worth(function, head, n, n_groups):
    """W[head][n]: worth of a factor whose head is true or not, and n of whose groups are."""
    if function >= LINEAR and function <= LOGICAL:
        return counted(function, n) if head else -counted(function, n)
    return worth_of(function, head == 1, head + n, 1 + n_groups)


@compiled
def wide_messages(g, f, weighted, room):
    """What goes to each open literal of factor f, from what comes from the others (`room.comes` and `room.goes`).

    Both are logs, by false and true; what comes adds to 1, and where a literal is known it is not read.
    returns: log of the sum over worlds, and the expected worth. O(literals + groups with open literals squared).
    """
    comes, goes, group, log_group, ahead, behind = (
        room.comes,
        room.goes,
        room.group,
        room.log_group,
        room.ahead,
        room.behind,
    )
    function, start, n = g.function[f], g.offsets[f], g.offsets[f + 1] - g.offsets[f]
    variable, value, clause, known = g.variable, g.value, g.clause, g.known
    counts = function >= LINEAR and function <= LOGICAL
    alone = function in (OR, EQUAL)
    for i in range(n):
        v = variable[start + i]
        if known[v] != OPEN:
            comes[i, 0] = -np.inf if known[v] == value[start + i] else 0.0
            comes[i, 1] = 0.0 if known[v] == value[start + i] else -np.inf
    # groups: those that are known only move the count, the others are numbered
    n_groups, n_active, base = 0, 0, 0
    i = 1
    while i < n:
        stop = i + 1
        while stop < n and not alone and (not counts or clause[start + stop] == clause[start + i]):
            stop += 1
        log_true, log_false = 0.0, -np.inf
        is_open = False
        for j in range(i, stop):
            log_false = log_add(log_false, log_true + comes[j, 0])
            log_true += comes[j, 1]
            is_open |= known[variable[start + j]] == OPEN
            group[j] = n_active
        if is_open and log_true > -np.inf:
            log_group[n_active, 1] = log_true
            log_group[n_active, 0] = log_false
            n_active += 1
        else:
            base += log_true == 0.0
            for j in range(i, stop):
                group[j] = -1  # cannot turn true, or is: its literals are told the same either way
        n_groups += 1
        i = stop
    ahead[0, 0] = 0.0
    for j in range(n_active):
        ahead[j, j + 1] = -np.inf
        ahead[j + 1, 0] = ahead[j, 0] + log_group[j, 0]
        for m in range(1, j + 2):
            ahead[j + 1, m] = log_add(ahead[j, m] + log_group[j, 0], ahead[j, m - 1] + log_group[j, 1])
    total, mean = -np.inf, 0.0
    goes[0, 0], goes[0, 1] = -np.inf, -np.inf
    for m in range(n_active + 1):
        behind[m] = -np.inf
        for head in range(2):
            score = weighted * grouped_worth(function, head, base + m, n_groups)
            goes[0, head] = log_add(goes[0, head], ahead[n_active, m] + score)
            behind[m] = log_add(behind[m], comes[0, head] + score)
        total = log_add(total, ahead[n_active, m] + behind[m])
    for m in range(n_active + 1):
        for head in range(2):
            w = grouped_worth(function, head, base + m, n_groups)
            mean += w * np.exp(ahead[n_active, m] + comes[0, head] + weighted * w - total)
    last = n - 1
    for j in range(n_active - 1, -1, -1):
        if_false, if_true = -np.inf, -np.inf
        for m in range(j + 1):
            if_false = log_add(if_false, ahead[j, m] + behind[m])
            if_true = log_add(if_true, ahead[j, m] + behind[m + 1])
        for m in range(j + 1):
            behind[m] = log_add(log_group[j, 0] + behind[m], log_group[j, 1] + behind[m + 1])
        while last > 0 and group[last] != j:
            goes[last, 0], goes[last, 1] = total, total
            last -= 1
        first = last
        while first > 1 and group[first - 1] == j:
            first -= 1
        for i in range(first, last + 1):
            log_true, log_false = 0.0, -np.inf  # of all others of the group
            for k in range(first, last + 1):
                if k != i:
                    log_false = log_add(log_false, log_true + comes[k, 0])
                    log_true += comes[k, 1]
            goes[i, 0] = if_false
            goes[i, 1] = log_add(log_true + if_true, log_false + if_false)
        last = first - 1
    while last > 0:
        goes[last, 0], goes[last, 1] = total, total
        last -= 1
    return total, mean
