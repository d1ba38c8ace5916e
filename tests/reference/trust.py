"""Explanations and the check by held-out votes, in loops, from the formulas; for Dawid-Skene tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

Votes = Sequence[Sequence[int]]
Tables = Sequence[Sequence[Sequence[float]]]


def log_joint(row: Sequence[int], theta: Tables, prior: Sequence[float], without: Sequence[int] = ()) -> list[float]:
    """log P(class) + sum over functions of log P(what it said | class)."""
    return [
        math.log(prior[y]) + sum(math.log(theta[j][y][row[j] + 1]) for j in range(len(row)) if j not in without)
        for y in range(len(prior))
    ]


def softmax(values: Sequence[float]) -> list[float]:
    top = max(values)
    total = sum(math.exp(value - top) for value in values)
    return [math.exp(value - top) / total for value in values]


def excess(votes: Votes, theta: Tables, prior: Sequence[float], balance: Sequence[float]) -> list[list[float]]:
    """Standard errors by which two functions say the same more often than tables and balance explain."""
    n, m, k = len(votes), len(theta), len(prior)
    found = [[0.0] * m for _ in range(m)]
    for i in range(m):
        for j in range(m):
            if i == j:
                continue
            same = sum(row[i] == row[j] and row[i] >= 0 for row in votes) / n
            expected = sum(balance[y] * theta[i][y][c + 1] * theta[j][y][c + 1] for y in range(k) for c in range(k))
            found[i][j] = (same - expected) / math.sqrt(max(expected * (1 - expected), 1 / n) / n)
    return found


def held_out_cost(votes: Votes, theta: Tables, prior: Sequence[float], balance: Sequence[float], power: float) -> float:
    """Minus log-likelihood of each function's votes, where it votes, given those of others that are no partners."""
    m, k = len(theta), len(prior)
    beyond = excess(votes, theta, prior, balance)
    cost = 0.0
    for j in range(m):
        if len({row[j] for row in votes if row[j] >= 0}) < 2:
            continue
        away = [j, *(i for i in range(m) if beyond[j][i] > 4)]
        for row in votes:
            if row[j] < 0:
                continue
            proba = softmax([power * value for value in log_joint(row, theta, prior, away)])
            cost -= math.log(sum(proba[y] * theta[j][y][row[j] + 1] / sum(theta[j][y][1:]) for y in range(k)))
    return cost


def scaling_cost(
    logs: Sequence[Sequence[float]],
    gold: Sequence[int],
    weights: Sequence[float],
    usual: Sequence[Sequence[float]],
    usual_weights: Sequence[float],
    power: Sequence[float],
    shift: Sequence[float],
) -> float:
    """Cost of gold, and of rows whose class is drawn as the model says, under powers and shifts."""

    def scaled(row: Sequence[float]) -> list[float]:
        return [math.log(p) for p in softmax([a * value + b for a, value, b in zip(power, row, shift, strict=True)])]

    cost = -sum(w * scaled(row)[y] for row, y, w in zip(logs, gold, weights, strict=True))
    for row, w in zip(usual, usual_weights, strict=True):
        cost -= w * sum(math.exp(value) * new for value, new in zip(row, scaled(row), strict=True))
    return cost
