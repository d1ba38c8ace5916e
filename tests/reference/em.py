"""Dawid-Skene by EM, row by row. Source: Dawid & Skene 1979, with Dirichlet priors; abstaining is symbol 0.

A vote may name a set of classes: meanings[code] is the set; codes below k are the classes themselves.
"""

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
    meanings: list[set[int]] | None = None,
) -> Fitted:
    """EM for a fixed number of iterations, from the shares of the votes."""
    n, m = len(votes), len(votes[0])
    known = known or [-1] * n
    meanings = meanings or [{y} for y in range(k)]
    n_symbols = len(meanings) + 1
    prior = [_prior(votes, j, k, meanings) for j in range(m)]
    shares = list(balance) if balance is not None else [1 / k] * k
    posterior = [_shares(row, k, meanings) for row in votes]
    objective = []
    theta: list[list[list[float]]] = []
    for _ in range(iterations):
        for i in range(n):
            if known[i] >= 0:
                posterior[i] = [float(y == known[i]) for y in range(k)]
        theta = [_table(votes, posterior, prior[j], j, prior_strength, shrink, meanings) for j in range(m)]
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
            for s in range(n_symbols)
        )
        if learn_balance and balance is None:
            total += sum(map(math.log, shares))
        objective.append(total)
    return Fitted(theta, shares, posterior, objective)


def _prior(votes: list[list[int]], j: int, k: int, meanings: list[set[int]]) -> list[list[float]]:
    """Abstains as often as it does; is right 70% of the time when it does not, or as much oftener than by chance."""
    silent = sum(row[j] < 0 for row in votes) / len(votes)
    said = {row[j] for row in votes if row[j] >= 0}
    could_say = set(range(k))
    if any(code >= k for code in said):
        could_say = said | {y for y in range(k) if not any(y in meanings[code] for code in said)}
    table = []
    for y in range(k):
        right = {code for code in could_say if y in meanings[code]}
        wrong = could_say - right
        odds = ACCURACY / (1 - ACCURACY)
        if any(code >= k for code in said) and len(right) > len(wrong) > 0:
            odds *= len(right) / len(wrong)
        accuracy = odds / (1 + odds) if wrong else 1.0
        row = [silent] + [0.0] * len(meanings)
        for code in right:
            row[code + 1] = (1 - silent) * accuracy / len(right)
        for code in wrong:
            row[code + 1] = (1 - silent) * (1 - accuracy) / len(wrong)
        table.append(row)
    return table


def _shares(row: list[int], k: int, meanings: list[set[int]]) -> list[float]:
    said = [meanings[vote] for vote in row if vote >= 0]
    return [sum((y in group) / len(group) for group in said) / len(said) for y in range(k)] if said else [1 / k] * k


def _table(
    votes: list[list[int]],
    posterior: list[list[float]],
    prior: list[list[float]],
    j: int,
    strength: float,
    shrink: float,
    meanings: list[set[int]],
) -> list[list[float]]:
    k = len(prior)
    said = {row[j] for row in votes if row[j] >= 0}
    table = []
    for y in range(k):
        alike = [y]
        if any(code >= k for code in said):
            alike = [z for z in range(k) if all((y in meanings[code]) == (z in meanings[code]) for code in said)]
        counts = [strength * sum(prior[z][s] for z in alike) for s in range(len(prior[y]))]
        for row, p in zip(votes, posterior, strict=True):
            counts[row[j] + 1] += sum(p[z] for z in alike)
        whole = sum(counts)
        learned = [count / whole for count in counts] if whole > 0 else prior[y]
        mixed = [max((1 - shrink) * learned[s] + shrink * prior[y][s], FLOOR) for s in range(len(prior[y]))]
        table.append([p / sum(mixed) for p in mixed])
    return table


def _log_sum(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
