"""Dawid-Skene of crowds, row by row: silence that says nothing, one accuracy a function. Abstaining is symbol 0.

Source: Dawid & Skene 1979, with Dirichlet priors; Demartini et al. 2012 (one accuracy).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ACCURACY = 0.7
FLOOR = 1e-9


@dataclass
class Fitted:
    """theta[j][y][s], balance[y], posterior[i][y], and the penalised log-likelihood after each iteration."""

    theta: list[list[list[float]]]
    balance: list[float]
    posterior: list[list[float]]
    objective: list[float]


def fit_tied_em(
    votes: list[list[int]],
    k: int,
    *,
    iterations: int,
    strength: float,
    one_coin: bool,
    ignored: bool,
    learn_balance: bool = True,
    known: list[int] | None = None,
) -> Fitted:
    """EM for a fixed number of iterations, from the shares of the votes."""
    n, m = len(votes), len(votes[0])
    known = known or [-1] * n
    accuracy = ACCURACY if k > 1 else 1.0
    silent = [sum(row[j] < 0 for row in votes) / n for j in range(m)]
    balance = [1 / k] * k
    posterior = [[_share(row, y, k) for y in range(k)] for row in votes]
    objective = []
    theta: list[list[list[float]]] = []
    for _ in range(iterations):
        for i in range(n):
            if known[i] >= 0:
                posterior[i] = [float(y == known[i]) for y in range(k)]
        theta = []
        prior = 0.0
        for j in range(m):
            pretended = strength * (1.0 if ignored else 1 - silent[j])
            said = [[sum(posterior[i][y] for i in range(n) if votes[i][j] == s) for s in range(k)] for y in range(k)]
            if one_coin:
                hits = sum(said[y][y] for y in range(k)) + pretended * accuracy
                whole = sum(map(sum, said)) + pretended
                share = hits / whole if whole > 0 else accuracy
                says = [[_coin(share, y, s, k) for s in range(k)] for y in range(k)]
            else:
                says = []
                for y in range(k):
                    counts = [said[y][s] + pretended * _coin(accuracy, y, s, k) for s in range(k)]
                    whole = sum(counts)
                    says.append([c / whole if whole > 0 else _coin(accuracy, y, s, k) for s, c in enumerate(counts)])
            table = []
            for y in range(k):
                quiet = silent[j]
                if not ignored:
                    rows = sum(posterior[i][y] for i in range(n))
                    quiet_rows = sum(posterior[i][y] for i in range(n) if votes[i][j] < 0)
                    whole = rows + strength
                    quiet = (quiet_rows + strength * silent[j]) / whole if whole > 0 else silent[j]
                floored = [max(p, FLOOR) for p in [quiet, *((1 - quiet) * p for p in says[y])]]
                table.append([p / sum(floored) for p in floored])
            theta.append(table)
            for y in range(k):
                speaks = sum(table[y][1:])
                rows_of_table = pretended / (k if one_coin else 1)
                prior += sum(
                    rows_of_table * _coin(accuracy, y, s, k) * math.log(table[y][s + 1] / speaks) for s in range(k)
                )
                if not ignored:
                    prior += strength * silent[j] * math.log(table[y][0])
                    prior += strength * (1 - silent[j]) * math.log(speaks)
        if learn_balance:
            balance = [(sum(p[y] for p in posterior) + 1) / (n + k) for y in range(k)]
            prior += sum(map(math.log, balance))
        total = prior
        for i in range(n):
            joint = [
                math.log(balance[y]) + sum(math.log(theta[j][y][votes[i][j] + 1]) for j in range(m)) for y in range(k)
            ]
            top = max(joint)
            evidence = top + math.log(sum(math.exp(value - top) for value in joint))
            posterior[i] = [math.exp(value - evidence) for value in joint]
            total += joint[known[i]] if known[i] >= 0 else evidence
        objective.append(total)
    return Fitted(theta, balance, posterior, objective)


def _coin(accuracy: float, y: int, s: int, k: int) -> float:
    """What a function of this accuracy says of class y."""
    if k == 1:
        return 1.0
    return accuracy if s == y else (1 - accuracy) / (k - 1)


def _share(row: list[int], y: int, k: int) -> float:
    said = [vote for vote in row if vote >= 0]
    return said.count(y) / len(said) if said else 1 / k
