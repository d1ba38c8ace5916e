"""Functions that depend on one another even when the class is known: which they are, and what they say together.

Models of moments leave dependent functions out of what they compare, and ask here for P(vote | votes it depends on,
class), so that a copy of a vote does not count as a second one.

Source: Lauritzen & Spiegelhalter 1988 (elimination). Each function is asked given its neighbours among those still
left; for a triangulated graph the product is that of clique marginals over separator marginals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ModelError, nearest
from consilience.label_models.base import Evidence, Floats

Ints = npt.NDArray[np.int64]
Pairs = Sequence[Sequence[str]]
BACK_OFF = 2.0  # rows that the table of the function alone is worth beside the joint one


@dataclass(frozen=True)
class Conditional:
    """What a function says given what others say, and the class.

    given: columns of the others; codes: (q,) sorted, each a state of (given, function) that was seen;
    log_theta: (q, k).
    """

    function: int
    given: tuple[int, ...]
    codes: Ints
    log_theta: Floats

    def add_to(self, joint: Floats, votes: npt.NDArray[Any], log_theta: Floats, silence: bool) -> None:
        """Put this in the place of the function's own table. joint: (k, p), changed; log_theta: (k, s) its own.

        silence: whether its abstaining says something.
        """
        symbols = votes[:, self.function].astype(np.int64) + 1
        codes = state_codes(votes, (*self.given, self.function), log_theta.shape[1])
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        seen = (self.codes[places] == codes) & (silence | (symbols > 0))  # else its own table has answered
        joint[:, seen] += self.log_theta[places[seen]].T - log_theta[:, symbols[seen]]


def find_pairs(dependencies: Pairs, names: Sequence[str]) -> list[tuple[int, int]]:
    """Columns of the pairs of names. Raises ModelError for what is no pair of two functions of the matrix."""
    pairs = set()
    for pair in dependencies:
        for name in pair:
            if name not in names:
                raise ModelError(
                    f"A dependency names {name!r}, which is no function here.\nFix: {nearest(name, names)}"
                )
        if len(pair) != 2 or pair[0] == pair[1]:
            raise ModelError(f"The dependency {tuple(pair)} is no pair.\nFix: name two different functions.")
        first, second = sorted((names.index(pair[0]), names.index(pair[1])))
        pairs.add((first, second))
    return sorted(pairs)


def components(m: int, pairs: Sequence[tuple[int, int]]) -> Ints:
    """Number of the component each function is in: those joined by a path of pairs have one number. returns: (m,).

    >>> components(5, [(0, 2), (2, 4)]).tolist()
    [0, 1, 0, 3, 0]
    """
    number = np.arange(m)
    for first, second in pairs:
        low, high = sorted((number[first], number[second]))
        number[number == high] = low
    return number


def elimination(m: int, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, tuple[int, ...]]]:
    """Each function that has neighbours when its turn comes, and these; the function with fewest goes first.

    >>> elimination(4, [(0, 1), (1, 2)])
    [(0, (1,)), (1, (2,))]
    """
    near: dict[int, set[int]] = {v: set() for v in range(m)}
    for first, second in pairs:
        near[first].add(second)
        near[second].add(first)
    order = []
    while near:
        least = min(near, key=lambda v: (len(near[v]), v))
        around = near.pop(least)
        for v in around:
            near[v] |= around - {v}
            near[v].discard(least)
        if around:
            order.append((least, tuple(sorted(around))))
    return order


def state_codes(votes: npt.NDArray[Any], columns: Sequence[int], n_symbols: int) -> Ints:
    """What some functions say together, as one number a pattern; the last column is its last digit. returns: (p,)."""
    if n_symbols ** len(columns) >= 2**62:
        raise ModelError(
            f"{len(columns)} functions depend on one another all at once.\nFix: name fewer dependencies between them."
        )
    codes = np.zeros(len(votes), np.int64)
    for column in columns:
        codes = codes * n_symbols + votes[:, column].astype(np.int64) + 1
    return codes


def conditional(
    evidence: Evidence, function: int, given: tuple[int, ...], codes: Ints, joint: Floats, theta: Floats
) -> Conditional:
    """From how probable each state is with each class. codes: (q,) sorted; joint: (q, k); theta: (k, s) its own table.

    A state seen on few rows is drawn to what the function says alone.
    """
    _, group = np.unique(codes // theta.shape[1], return_inverse=True)
    rows = joint * evidence.counts.sum()
    total = np.zeros((group.max() + 1, joint.shape[1]))
    np.add.at(total, group, rows)
    alone = theta[:, codes % theta.shape[1]].T
    return Conditional(function, given, codes, np.log((rows + BACK_OFF * alone) / (total[group] + BACK_OFF)))
