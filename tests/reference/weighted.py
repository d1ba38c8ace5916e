"""Weighted majority vote, row by row: weights are log-odds of smoothed agreement with the majority."""

from __future__ import annotations

import math

ACCURACY = 0.7


def weighted_vote(
    votes: list[list[int]], k: int, *, strength: float, rounds: int
) -> tuple[list[float], list[list[float]]]:
    """Weights of the functions, and the probabilities of the classes of each row."""
    n, m = len(votes), len(votes[0])
    weights = [1.0] * m
    for _ in range(rounds):
        winners = []
        for row in votes:
            score = _score(row, weights, k)
            best = [y for y in range(k) if score[y] >= max(score) - 1e-9]
            winners.append([1 / len(best) if y in best else 0.0 for y in range(k)])
        weights = []
        for j in range(m):
            rows = [i for i in range(n) if votes[i][j] >= 0]
            right = sum(winners[i][votes[i][j]] for i in rows)
            accuracy = (right + strength * (ACCURACY if k > 1 else 1.0)) / (len(rows) + strength)
            accuracy = min(max(accuracy, 1e-9), 1 - 1e-9)
            weights.append(math.log(accuracy / (1 - accuracy)) + math.log(max(k - 1, 1)))
    proba = []
    for row in votes:
        powers = [math.exp(value) for value in _score(row, weights, k)]
        proba.append([power / sum(powers) for power in powers])
    return weights, proba


def _score(row: list[int], weights: list[float], k: int) -> list[float]:
    return [sum(weight for vote, weight in zip(row, weights, strict=True) if vote == y) for y in range(k)]
