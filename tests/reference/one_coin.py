"""One accuracy a function by EM, row by row. Source: Ratner et al. 2016, independent case; sets of labels: NPLM."""

from __future__ import annotations

import math
from dataclasses import dataclass

CEILING = 0.999
TINY = 1e-9


@dataclass
class Fitted:
    """accuracy[j], balance[y], posterior[i][y], and the penalised log-likelihood after each iteration."""

    accuracy: list[float]
    balance: list[float]
    posterior: list[list[float]]
    objective: list[float]


def fit_one_coin(
    votes: list[list[int]],
    meanings: list[list[bool]],
    *,
    iterations: int,
    expected: float = 0.75,
    strength: float = 8.0,
    floor: float | None = 0.01,
    balance: list[float] | None = None,
    learn_balance: bool = False,
    known: list[int] | None = None,
) -> Fitted:
    """EM for a fixed number of iterations, from shares of the votes. meanings[s][y]: vote s allows class y."""
    n, m, k = len(votes), len(votes[0]), len(meanings[0])
    known = known or [-1] * n
    says = [sorted({*range(k), *(row[j] for row in votes if row[j] >= k)}) for j in range(m)]
    fires = [sum(row[j] >= 0 for row in votes) for j in range(m)]
    shares = list(balance) if balance is not None else [1 / k] * k
    posterior = [_shares(row, meanings) for row in votes]
    objective: list[float] = []
    accuracy: list[float] = []
    for _ in range(iterations):
        for i in range(n):
            if known[i] >= 0:
                posterior[i] = [float(y == known[i]) for y in range(k)]
        accuracy = []
        for j in range(m):
            right = sum(
                posterior[i][y] for i in range(n) for y in range(k) if votes[i][j] >= 0 and meanings[votes[i][j]][y]
            )
            whole = max(fires[j] + strength, TINY)
            chance = sum(sum(meanings[s][y] for s in says[j]) / len(says[j]) for y in range(k)) / k
            low = 1 - CEILING if floor is None else min(chance + floor, 1.0)
            accuracy.append(min(max((right + strength * expected) / whole, low), max(CEILING, low)))
        if learn_balance:
            shares = [(sum(p[y] for p in posterior) + 1) / (n + k) for y in range(k)]
        total = 0.0
        for i in range(n):
            joint = []
            for y in range(k):
                value = math.log(shares[y])
                for j in range(m):
                    p = _chance(votes[i][j], y, accuracy[j], fires[j] / n, says[j], meanings)
                    value += math.log(max(p, TINY))
                joint.append(value)
            top = max(joint)
            whole = top + math.log(sum(math.exp(v - top) for v in joint))
            posterior[i] = [math.exp(v - whole) for v in joint]
            total += joint[known[i]] if known[i] >= 0 else whole
        for a in accuracy:
            total += strength * (expected * math.log(a) + (1 - expected) * math.log(max(1 - a, TINY)))
        objective.append(total + (sum(map(math.log, shares)) if learn_balance else 0.0))
    return Fitted(accuracy, shares, posterior, objective)


def _shares(row: list[int], meanings: list[list[bool]]) -> list[float]:
    k = len(meanings[0])
    counts = [0.0] * k
    for vote in row:
        if vote >= 0:
            for y in range(k):
                counts[y] += meanings[vote][y] / sum(meanings[vote])
    total = sum(counts)
    return [c / total for c in counts] if total else [1 / k] * k


def _chance(vote: int, y: int, accuracy: float, fires: float, says: list[int], meanings: list[list[bool]]) -> float:
    """P(what a function says | class y)."""
    if vote < 0:
        return 1 - fires
    right = [s for s in says if meanings[s][y]]
    wrong = [s for s in says if not meanings[s][y]]
    sure = accuracy if wrong else 1.0
    return fires * (sure / len(right) if meanings[vote][y] else (1 - sure) / len(wrong))
