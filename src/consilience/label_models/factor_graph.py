"""Functions that depend on one another as a factor graph: exact sums over all they could say, class by class.

Pairs of dependent functions make components; within one, functions are summed out one by one, in an order that keeps
tables small, and run backwards the same steps give the probabilities of what each function and each pair says. Used by
data_programming.py; gibbs.py stands in where tables would be too large.

Source: the factors of Ratner et al. 2016 and Bach et al. 2017; variable elimination as in Koller & Friedman 2009,
chapter 9, whose gradient is the table of marginals (Darwiche 2003).
Departs: factors speak of right and wrong votes instead of -1 and 1, so they serve any number of classes and sets of
labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from consilience.label_models.base import Floats

KINDS = ("copying", "correlated", "similar", "fixing", "reinforcing", "exclusive")
IMPOSSIBLE = -700.0  # log of what is never said; finite, so that it may be subtracted

Bools = npt.NDArray[np.bool_]
Scope = tuple[int, ...]


def features_of(kind: str, allows: Bools) -> Floats:
    """What a dependency of function a (first axis of what they say) and b (second) counts, 0 or 1.

    copying: both are silent; both give the same right vote; both give the same wrong one (three weights: what a
    function that repeats another on some rows needs). correlated: both do the same, be it silence. similar: both vote,
    and the same. fixing: a is wrong where b is right; and b votes where a is silent. reinforcing: both are right; and b
    votes where a is silent. exclusive: both vote.
    allows: (k, n_symbols), whether a vote is right. returns: (1 to 3, k, s, s), symbol 0 being silence.

    >>> features_of("similar", np.eye(2, dtype=bool))[0, 0].tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    k, s = allows.shape[0], allows.shape[1] + 1
    right = np.concatenate([np.zeros((k, 1), bool), allows], axis=1)
    votes = np.broadcast_to(np.arange(s) > 0, (k, s))
    same = np.broadcast_to(np.eye(s, dtype=bool), (k, s, s))
    late = _both(~votes, votes)
    tables = {
        "copying": [same & _both(~votes, ~votes), same & _both(right, right), same & _both(votes & ~right, votes)],
        "correlated": [same],
        "similar": [same & _both(votes, votes)],
        "fixing": [_both(votes & ~right, right), late],
        "reinforcing": [_both(right, right), late],
        "exclusive": [_both(votes, votes)],
    }
    return np.stack(tables[kind]).astype(np.float64)


def _both(first: Bools, second: Bools) -> Bools:
    """Whether what a says is of one sort, and what b says of another. first, second: (k, s). returns: (k, s, s)."""
    return np.asarray(first[:, :, None] & second[:, None, :])


@dataclass(frozen=True)
class Component:
    """Functions joined by dependencies, and the order in which they are summed out.

    functions: their places in the matrix. edges: places in `functions` of the two of each dependency.
    """

    functions: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]

    @cached_property
    def order(self) -> list[tuple[int, Scope]]:
        """Whom to sum out next, and all whose table that takes, smallest first. Depends on the graph alone."""
        near = {place: set[int]() for place in range(len(self.functions))}
        for a, b in self.edges:
            near[a].add(b)
            near[b].add(a)
        order = []
        while near:
            place = min(near, key=lambda p: (len(near[p]), p))
            others = near.pop(place)
            order.append((place, tuple(sorted(others | {place}))))
            for other in others:
                near[other] = (near[other] | others) - {place, other}
        return order

    def cells(self, s: int) -> int:
        """How many cells the tables of summing out have, a class. s: how many things a function can say."""
        return sum(s ** len(scope) for _, scope in self.order)

    def sums(self, singles: Floats, pairs: Sequence[Floats]) -> tuple[Floats, Floats, list[Floats]]:
        """Sum of exp of all factors over all the functions could say, and what they say in proportion to it.

        singles: (c, k, s) logs; pairs: one (k, s, s) an edge, logs. returns: log of the sum (k,), and the probability
        of what each function (c, k, s) and the functions of each edge (k, s, s) say. O(k cells).
        """
        scopes: list[Scope] = [(place,) for place in range(len(self.functions))]
        scopes += [(min(edge), max(edge)) for edge in self.edges]
        tables = list(singles) + [_turned(table, edge) for table, edge in zip(pairs, self.edges, strict=True)]
        waiting, steps = set(range(len(tables))), []
        for place, scope in self.order:
            used = sorted(f for f in waiting if place in scopes[f])
            total = sum(_spread(tables[f], scopes[f], scope) for f in used)
            axis = 1 + scope.index(place)
            message = _log_sum(np.asarray(total), axis)
            steps.append((scope, axis, used, np.asarray(total), len(tables)))
            waiting = (waiting - set(used)) | {len(tables)}
            tables.append(message)
            scopes.append(tuple(other for other in scope if other != place))
        log_sum = np.asarray(sum(tables[f] for f in waiting))
        slopes: dict[int, Floats] = {f: np.ones_like(tables[f]) for f in waiting}
        for scope, axis, used, total, made in reversed(steps):
            share = np.exp(total - np.expand_dims(tables[made], axis)) * np.expand_dims(slopes[made], axis)
            for f in used:
                outside = tuple(1 + i for i, other in enumerate(scope) if other not in scopes[f])
                slopes[f] = share.sum(axis=outside)
        c = len(self.functions)
        both = [_turned(slopes[c + e], edge) for e, edge in enumerate(self.edges)]
        return log_sum, np.stack([slopes[f] for f in range(c)]), both


def components_of(m: int, edges: Sequence[tuple[int, int]]) -> list[Component]:
    """The components of two or more functions, each with its edges in the order given."""
    mark = list(range(m))
    for a, b in edges:
        mark = [mark[a] if old == mark[b] else old for old in mark]
    found = []
    for first in dict.fromkeys(mark[a] for a, _ in edges):
        members = tuple(j for j in range(m) if mark[j] == first)
        inside = tuple((members.index(a), members.index(b)) for a, b in edges if mark[a] == first)
        found.append(Component(members, inside))
    return found


def _turned(table: Floats, edge: tuple[int, int]) -> Floats:
    """A pair's table with the lower place first, or back again. table: (k, s, s)."""
    return table if edge[0] < edge[1] else table.transpose(0, 2, 1)


def _spread(table: Floats, scope: Scope, wide: Scope) -> Floats:
    """A table over some functions as one over more. table: (k, s, ...)."""
    shape = [table.shape[0], *(table.shape[1 + scope.index(p)] if p in scope else 1 for p in wide)]
    return table.reshape(shape)


def _log_sum(table: Floats, axis: int) -> Floats:
    top = table.max(axis=axis, keepdims=True)
    total: Floats = np.log(np.exp(table - top).sum(axis=axis)) + top.squeeze(axis)
    return total
