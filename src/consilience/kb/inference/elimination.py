"""In which order to sum out the variables of a component, and the tables that takes: the plan of a junction tree.

Source: Kjaerulff 1990 (least fill). Departs: fills are brought up to date when a variable's turn comes, not before.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.inference.arrays import Arrays, distinct_open


class Bags(NamedTuple):
    """Tables of junction trees, one a variable summed out, in that order, component behind component.

    component_offsets: (components + 1,) of bags. The variables of bag b are variables[variable_offsets[b]:...[b + 1]],
    the one summed out last; factors likewise; children: the bags whose sums go into b. message_offsets: (bags,) where
    the sum of b is kept, from 0 in each component. most_worlds, most_messages: of one bag, and of one component.
    """

    component_offsets: NDArray[np.int64]
    variable_offsets: NDArray[np.int64]
    variables: NDArray[np.int32]
    factor_offsets: NDArray[np.int64]
    factors: NDArray[np.int32]
    child_offsets: NDArray[np.int64]
    children: NDArray[np.int64]
    message_offsets: NDArray[np.int64]
    most_worlds: int
    most_messages: int


class Plan(NamedTuple):
    """One component: lists by bag, bags and children numbered from 0."""

    variables: list[list[int]]
    factors: list[list[int]]
    children: list[list[int]]
    messages: list[int]
    most_worlds: int


def scopes(g: Arrays, factors: NDArray[np.int32], mark: NDArray[np.int32]) -> list[list[int]]:
    """The open variables of each factor. mark: (n,) int32 scratch, -1."""
    offsets, found = _scopes(g, factors, mark)
    flat, ends = found.tolist(), offsets.tolist()
    return [flat[a:b] for a, b in itertools.pairwise(ends)]


@compiled
def _scopes(g, factors, mark):
    literals = 0
    for f in factors:
        literals += g.offsets[f + 1] - g.offsets[f]
    found = np.empty(literals, np.int32)
    offsets = np.zeros(len(factors) + 1, np.int64)
    for i in range(len(factors)):
        offsets[i + 1] = offsets[i] + distinct_open(g, factors[i], mark, found[offsets[i] :])
    return offsets, found[: offsets[-1]]


def plan(
    variables: Sequence[int],
    cardinality: Sequence[int],
    factors: Sequence[int],
    scope_of: Sequence[Sequence[int]],
    *,
    most_worlds: int,
    most_total: int,
) -> Plan | None:
    """How to sum out a component; None if a table needs more than most_worlds entries, or all more than most_total.

    Greedy: the variable whose neighbours lack the fewest links goes first. About 20 microseconds a variable.
    """
    size = dict(zip(variables, cardinality, strict=True))
    near: dict[int, set[int]] = {v: set() for v in variables}
    for scope in scope_of:
        if math.prod(size[v] for v in scope) > most_worlds:
            return None
        for v in scope:
            near[v].update(scope)
    for v in variables:
        near[v].discard(v)
    place: dict[int, int] = {}
    bags: list[list[int]] = []
    total = 0
    for v in _least_fill(near, size, most_worlds):
        place[v] = len(bags)
        bags.append([*sorted(near[v]), v])
        total += math.prod(size[u] for u in bags[-1])
        if total > most_total:
            return None
    if len(bags) < len(variables):
        return None
    return _assembled(bags, place, size, factors, scope_of)


def _least_fill(near: dict[int, set[int]], size: dict[int, int], most_worlds: int) -> Iterator[int]:
    """Variables in the order they are summed out; stops early if every table left is too large.

    When a variable comes, near[v] are its neighbours; when the next is asked for, they have been linked.
    """
    too_many = math.log2(most_worlds) + 1e-9
    log_size = {v: math.log2(k) for v, k in size.items()}

    def cost(v: int) -> tuple[int, float, int]:
        others = near[v]
        if len(others) > too_many:  # no variable left has fewer than two values
            return (1 << 60, len(others), v)
        table = log_size[v] + sum(log_size[u] for u in others)
        if table > too_many:
            return (1 << 60, table, v)
        return (sum(len(others - near[u]) for u in others) - len(others), table, v)

    heap = [cost(v) for v in near]
    heapq.heapify(heap)
    gone: set[int] = set()
    while heap:
        said = heapq.heappop(heap)
        v = said[2]
        if v in gone:
            continue
        now = cost(v)
        if now > said:
            heapq.heappush(heap, now)
            continue
        if now[0] == 1 << 60:
            return
        yield v
        gone.add(v)
        others = near[v]
        for u in others:
            near[u] |= others
            near[u] -= {u, v}
        for u in others:
            heapq.heappush(heap, cost(u))


def _assembled(
    bags: list[list[int]],
    place: dict[int, int],
    size: dict[int, int],
    factors: Sequence[int],
    scope_of: Sequence[Sequence[int]],
) -> Plan:
    """Factors go to the bag of the first of their variables that is summed out; so do sums."""
    own: list[list[int]] = [[] for _ in bags]
    for f, scope in zip(factors, scope_of, strict=True):
        own[min(place[v] for v in scope)].append(f)
    children: list[list[int]] = [[] for _ in bags]
    messages, at, most = [], 0, 1
    for b, bag in enumerate(bags):
        messages.append(at)
        entries = math.prod(size[v] for v in bag[:-1])
        at += entries
        most = max(most, entries * size[bag[-1]])
        if len(bag) > 1:
            children[min(place[v] for v in bag[:-1])].append(b)
    return Plan(bags, own, children, [*messages, at], most)


def joined(plans: Sequence[Plan]) -> Bags:
    """The plans of several components as arrays."""
    starts = np.cumsum([0, *(len(p.variables) for p in plans)]).astype(np.int64)
    children = [[c + start for c in bag] for p, start in zip(plans, starts, strict=False) for bag in p.children]
    variable_offsets, variables = _flat([bag for p in plans for bag in p.variables])
    factor_offsets, factors = _flat([bag for p in plans for bag in p.factors])
    return Bags(
        starts,
        variable_offsets,
        variables.astype(np.int32),
        factor_offsets,
        factors.astype(np.int32),
        *_flat(children),
        np.array([at for p in plans for at in p.messages[:-1]], np.int64),
        max((p.most_worlds for p in plans), default=1),
        max((p.messages[-1] for p in plans), default=1),
    )


def _flat(lists: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return offsets, np.array([x for part in lists for x in part], np.int64)
