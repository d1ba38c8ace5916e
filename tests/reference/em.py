"""Dawid-Skene by EM, row by row. Source: Dawid & Skene 1979, with Dirichlet priors; abstaining is symbol 0."""

from __future__ import annotations

import math
from dataclasses import dataclass

ACCURACY = 0.7  # of a function, before learning; with one class nothing can be wrong
FLOOR = 1e-9


@dataclass
class Fitted:
    """theta[j][y][s], balance[y], posterior[i][y], and the penalised log-likelihood after each iteration."""

    theta: list[list[list[float]]]
    balance: list[float]
    posterior: list[list[float]]
    objective: list[float]


def fit_em(
    votes: list[list[int]],
    k: int,
    *,
    iterations: int,
    prior_strength: float = 10.0,
    shrink: float = 0.0,
    balance: list[float] | None = None,
    learn_balance: bool = True,
    known: list[int] | None = None,
) -> Fitted:
    """EM for a fixed number of iterations, from the shares of the votes."""
    n, m = len(votes), len(votes[0])
    known = known or [-1] * n
    prior = [_prior(votes, j, k) for j in range(m)]
    shares = list(balance) if balance is not None else [1 / k] * k
    posterior = [_shares(row, k) for row in votes]
    objective = []
    theta: list[list[list[float]]] = []
    for _ in range(iterations):
        for i in range(n):
            if known[i] >= 0:
                posterior[i] = [float(y == known[i]) for y in range(k)]
        theta = [_table(votes, posterior, prior[j], j, prior_strength, shrink) for j in range(m)]
        if learn_balance and balance is None:
            shares = [(sum(p[y] for p in posterior) + 1) / (n + k) for y in range(k)]
        total = 0.0
        for i in range(n):
            joint = [
                math.log(shares[y]) + sum(math.log(theta[j][y][votes[i][j] + 1]) for j in range(m)) for y in range(k)
            ]
            evidence = _log_sum(joint)
            posterior[i] = [math.exp(value - evidence) for value in joint]
            total += joint[known[i]] if known[i] >= 0 else evidence
        total += sum(
            prior_strength * prior[j][y][s] * math.log(theta[j][y][s])
            for j in range(m)
            for y in range(k)
            for s in range(k + 1)
        )
        if learn_balance and balance is None:
            total += sum(map(math.log, shares))
        objective.append(total)
    return Fitted(theta, shares, posterior, objective)


def _prior(votes: list[list[int]], j: int, k: int) -> list[list[float]]:
    """Abstains as often as it does; is right 70% of the time when it does not."""
    silent = sum(row[j] < 0 for row in votes) / len(votes)
    right = ACCURACY if k > 1 else 1.0
    wrong = (1 - right) / max(k - 1, 1)
    return [[silent] + [(1 - silent) * (right if s == y else wrong) for s in range(k)] for y in range(k)]


def _shares(row: list[int], k: int) -> list[float]:
    said = [vote for vote in row if vote >= 0]
    return [said.count(y) / len(said) for y in range(k)] if said else [1 / k] * k


def _table(
    votes: list[list[int]],
    posterior: list[list[float]],
    prior: list[list[float]],
    j: int,
    strength: float,
    shrink: float,
) -> list[list[float]]:
    k = len(prior)
    table = []
    for y in range(k):
        counts = [strength * prior[y][s] for s in range(k + 1)]
        for row, p in zip(votes, posterior, strict=True):
            counts[row[j] + 1] += p[y]
        whole = sum(counts)
        learned = [count / whole for count in counts] if whole > 0 else prior[y]
        mixed = [max((1 - shrink) * learned[s] + shrink * prior[y][s], FLOOR) for s in range(k + 1)]
        table.append([p / sum(mixed) for p in mixed])
    return table


def _log_sum(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
