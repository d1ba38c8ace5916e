"""EBCC by mean-field variational Bayes, row by row and term by term. Source: Li, Rubinstein & Cohn 2019, section 4.

Every function's table in a subtype is a Dirichlet over labels; where silence is evidence, whether it speaks is a Beta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RIGHT, WRONG, SPARSITY, SILENCE_ROWS = 4.0, 1.0, 0.1, 10.0


@dataclass
class Fitted:
    """rho[i][g] of states g = class * M + subtype, proba[i][y], balance[y], bound after each iteration."""

    rho: list[list[float]]
    proba: list[list[float]]
    balance: list[float]
    bound: list[float]


def fit_ebcc(
    votes: list[list[int]],
    k: int,
    subtypes: int,
    guess: list[list[float]],
    *,
    iterations: int,
    ignored: bool,
    known: list[int] | None = None,
) -> Fitted:
    """A fixed number of rounds from a first guess of rho."""
    n, m, g = len(votes), len(votes[0]), k * subtypes
    known = known or [-1] * n
    silent = [sum(row[j] < 0 for row in votes) / n for j in range(m)]
    rho = []
    for i in range(n):
        row = [guess[i][s] if known[i] in (-1, s // subtypes) else 0.0 for s in range(g)]
        rho.append([p / sum(row) for p in row])
    bounds = []
    balance: list[float] = []
    for _ in range(iterations):
        tau = [1.0 + sum(rho[i][s] for i in range(n) for s in range(g) if s // subtypes == y) for y in range(k)]
        balance = [value / sum(tau) for value in tau]
        pi = [
            [SPARSITY / subtypes + sum(rho[i][y * subtypes + t] for i in range(n)) for t in range(subtypes)]
            for y in range(k)
        ]
        says = [[_says(votes, rho, j, s, k, subtypes) for s in range(g)] for j in range(m)]
        speaks = [[_speaks(votes, rho, j, s, silent[j]) for s in range(g)] for j in range(m)]
        log_tau, log_pi = _expected_log(tau), [_expected_log(row) for row in pi]
        log_says = [[_expected_log(row) for row in table] for table in says]
        log_speaks = [[_expected_log(row) for row in table] for table in speaks]
        bound = 0.0
        for i in range(n):
            joint = []
            for s in range(g):
                y, t = divmod(s, subtypes)
                value = log_tau[y] + log_pi[y][t]
                for j in range(m):
                    if votes[i][j] >= 0:
                        value += log_says[j][s][votes[i][j]]
                    if not ignored:
                        value += log_speaks[j][s][votes[i][j] >= 0]
                joint.append(value if known[i] in (-1, y) else -math.inf)
            top = max(joint)
            weights = [math.exp(value - top) for value in joint]
            rho[i] = [w / sum(weights) for w in weights]
            bound += sum(p * value - p * math.log(p) for p, value in zip(rho[i], joint, strict=True) if p > 0)
        bound -= _divergence(tau, [1.0] * k)
        for y in range(k):
            bound -= _divergence(pi[y], [SPARSITY / subtypes] * subtypes)
        for j in range(m):
            for s in range(g):
                bound -= _divergence(says[j][s], _prior(s // subtypes, k))
                if not ignored:
                    bound -= _divergence(speaks[j][s], _prior_speaks(silent[j]))
        bounds.append(bound)
    proba = [[sum(row[y * subtypes : (y + 1) * subtypes]) for y in range(k)] for row in rho]
    return Fitted(rho, proba, balance, bounds)


def _prior(y: int, k: int) -> list[float]:
    return [RIGHT if label == y else WRONG for label in range(k)]


def _prior_speaks(silent: float) -> list[float]:
    return [SILENCE_ROWS * silent + 0.5, SILENCE_ROWS * (1 - silent) + 0.5]


def _says(votes: list[list[int]], rho: list[list[float]], j: int, s: int, k: int, subtypes: int) -> list[float]:
    counts = _prior(s // subtypes, k)
    for row, p in zip(votes, rho, strict=True):
        if row[j] >= 0:
            counts[row[j]] += p[s]
    return counts


def _speaks(votes: list[list[int]], rho: list[list[float]], j: int, s: int, silent: float) -> list[float]:
    counts = _prior_speaks(silent)
    for row, p in zip(votes, rho, strict=True):
        counts[row[j] >= 0] += p[s]
    return counts


def _expected_log(counts: list[float]) -> list[float]:
    return [_digamma(c) - _digamma(sum(counts)) for c in counts]


def _divergence(counts: list[float], prior: list[float]) -> float:
    """Kullback-Leibler divergence of one Dirichlet from another."""
    value = math.lgamma(sum(counts)) - math.lgamma(sum(prior))
    for mine, theirs, expected in zip(counts, prior, _expected_log(counts), strict=True):
        value += math.lgamma(theirs) - math.lgamma(mine) + (mine - theirs) * expected
    return value


def _digamma(x: float) -> float:
    """By recurrence up to 10, then the asymptotic series."""
    value = 0.0
    while x < 10:
        value -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    return value + math.log(x) - 0.5 / x - series
