"""Moments of votes by loops over rows, pairs and triples, and the loss that moment matching makes least.

Source: Ratner et al., AAAI 2019 (pairs); Anandkumar et al., JMLR 2014 (triples). Written from the formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

Row = list[int]
PRIOR_ROWS = 30.0


@dataclass
class Columns:
    """One entry for each (function, symbol) that is said on some rows but not on all."""

    who: list[tuple[int, int]]
    share: list[float]
    correlation: list[list[float]]
    variance: list[list[float]]


def columns(votes: list[Row]) -> Columns:
    """Shares, correlations, and the variances of these times n, each from all rows."""
    n, m = len(votes), len(votes[0])
    who = [
        (j, s)
        for j in range(m)
        for s in range(max(max(row) for row in votes) + 1)
        if 0 < sum(row[j] == s for row in votes) < n
    ]
    x = [[float(row[j] == s) for row in votes] for j, s in who]
    share = [sum(one) / n for one in x]
    spread = [math.sqrt(p * (1 - p)) for p in share]
    z = [[(value - p) / d for value in one] for one, p, d in zip(x, share, spread, strict=True)]
    correlation = [[sum(a * b for a, b in zip(one, two, strict=True)) / n for two in z] for one in z]
    square = [[sum((a * b) ** 2 for a, b in zip(one, two, strict=True)) / n for two in z] for one in z]
    variance = [
        [max(s - r * r, 1.0) for s, r in zip(one, two, strict=True)]
        for one, two in zip(square, correlation, strict=True)
    ]
    return Columns(who, share, correlation, variance)


def prior(symbol: int, balance: list[float]) -> list[float]:
    """P(class | vote) of a vote for one class that is right 70% of the time where classes are even."""
    k = len(balance)
    odds = [(0.7 / 0.3 * (k - 1) if y == symbol else 1.0) * balance[y] for y in range(k)]
    return [o / sum(odds) for o in odds]


def loss(
    votes: list[Row], classes: list[list[float]], balance: list[float], component: list[int], excess: float = 1.0
) -> float:
    """Misfit of pairs, and of what is believed, a row. classes: P(class | said), in the order of `columns`.

    With leans l_ay = P(said a, y) - P(said a) P(y), the covariance of a and b is sum over y of l_ay l_by / P(y).
    """
    n, k, found = len(votes), len(balance), columns(votes)
    total = 0.0
    for a, b in combinations(range(len(found.who)), 2):
        if component[found.who[a][0]] == component[found.who[b][0]]:
            continue
        p, q = found.share[a], found.share[b]
        explained = sum(
            p * (classes[a][y] - balance[y]) * q * (classes[b][y] - balance[y]) / balance[y] for y in range(k)
        )
        explained /= math.sqrt(p * (1 - p) * q * (1 - q))
        total += n / 2 * (found.correlation[a][b] - explained) ** 2 / found.variance[a][b] / excess
    for a, (_, symbol) in enumerate(found.who):
        total -= sum(PRIOR_ROWS * t * math.log(c) for t, c in zip(prior(symbol, balance), classes[a], strict=True))
    return total / n


def distinct_products(scores: list[list[list[float]]], component: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance over rows of the sum, over ordered triples of different components, of products of scores.

    scores[i][j]: the score (a vector) of function j on row i; those of one component are added first.
    """
    n, r = len(scores), len(scores[0][0])
    rows = []
    for row in scores:
        u = [np.sum([row[j] for j in range(len(row)) if component[j] == c], axis=0) for c in sorted(set(component))]
        product = np.zeros((r, r, r))
        for i, j, h in permutations(range(len(u)), 3):
            product += np.einsum("a,b,c->abc", u[i], u[j], u[h])
        rows.append(product)
    mean = sum(rows) / n
    return mean, sum((row - mean) ** 2 for row in rows) / n


def distinct_operator(seen: list[np.ndarray]) -> np.ndarray:
    """Sum over ordered triples of different components of the Kronecker products of what they see."""
    return sum(np.kron(np.kron(seen[i], seen[j]), seen[h]) for i, j, h in permutations(range(len(seen)), 3))
