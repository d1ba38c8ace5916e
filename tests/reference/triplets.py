"""Triplets by loops over triples and rows. Source: Fu et al., ICML 2020, with covariances for second moments.

Written from the formulas; the class balance is given, and every function is compared with every other that is not of
its component.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from tests.reference.moments import PRIOR_ROWS, prior

Row = list[int]
MOST = 0.98


@dataclass
class Fitted:
    """theta[j][y][s], symbol 0 is abstaining; loading[y][j] of class y against the rest; posterior[i][y]."""

    theta: list[list[list[float]]]
    loading: list[list[float]]
    posterior: list[list[float]]


def fit_triplets(
    votes: list[Row],
    balance: list[float],
    *,
    combine: str,
    class_conditional: bool = True,
    component: list[int] | None = None,
) -> Fitted:
    """Tables of all functions, for classes whose shares are known."""
    k, m, n = len(balance), len(votes[0]), len(votes)
    component = component or list(range(m))
    share = [[sum(row[j] == s - 1 for row in votes) / n for s in range(k + 1)] for j in range(m)]
    classes = [[[0.0] * k for _ in range(k + 1)] for _ in range(m)]  # P(class | function says symbol), to be scaled
    loadings = []
    for y in range(k):
        leans, loading, checked = _one_class(votes, y, balance, component, combine, class_conditional)
        loadings.append(loading)
        for j in range(m):
            for s in range(k + 1):
                believed = prior(s - 1, balance)[y] if s else balance[y]
                found = min(max(balance[y] + leans[j][s] / max(share[j][s], 1e-12), 0.0), 1.0)
                rows = share[j][s] * n * checked[j]
                classes[j][s][y] = (rows * found + PRIOR_ROWS * believed) / (rows + PRIOR_ROWS)
    theta = []
    for j in range(m):
        table = [
            [share[j][s] * classes[j][s][y] / sum(classes[j][s]) / balance[y] for s in range(k + 1)] for y in range(k)
        ]
        theta.append([[value / sum(row) for value in row] for row in table])
    return Fitted(theta, loadings, [_posterior(row, theta, balance) for row in votes])


def _one_class(
    votes: list[Row], y: int, balance: list[float], component: list[int], combine: str, class_conditional: bool
) -> tuple[list[list[float]], list[float], list[float]]:
    """Leans of every symbol of every function on class y, loadings, and how far others check each function."""
    k, m, n, p = len(balance), len(votes[0]), len(votes), balance[y]
    against = -1.0 if k == 2 or not class_conditional else 0.0
    score = [[1.0 if v == y else (against if v >= 0 else 0.0) for v in row] for row in votes]
    mean = [sum(row[j] for row in score) / n for j in range(m)]
    centred = [[row[j] - mean[j] for j in range(m)] for row in score]
    spread = [math.sqrt(sum(row[j] ** 2 for row in centred) / n) for j in range(m)]
    z = [[row[j] / spread[j] for j in range(m)] for row in centred]
    corr = [[sum(row[i] * row[j] for row in z) / n for j in range(m)] for i in range(m)]
    variance = [
        [max(sum((row[i] * row[j]) ** 2 for row in z) / n - corr[i][j] ** 2, 1.0) / n for j in range(m)]
        for i in range(m)
    ]
    apart = [[component[i] != component[j] for j in range(m)] for i in range(m)]
    expected = [
        sum(_lean_believed(votes, j, s, y, balance) * (1.0 if s == y else against) for s in range(k)) for j in range(m)
    ]
    given: list[list[float]] | None = None
    if class_conditional:
        loading = _solve(corr, variance, apart, expected, combine)
    else:
        given = _symmetric(votes, score, y, p, variance, apart, expected, combine)
        loading = [
            sum(given[j][s + 1] * (1.0 if s == y else against) for s in range(k)) / spread[j] / math.sqrt(p * (1 - p))
            for j in range(m)
        ]
    loading = [min(max(a, -MOST), MOST) for a in loading]
    pull = [a / (1 - a * a) for a in loading]
    leans, checked = [], []
    used = [(i, j) for i, j in combinations(range(m), 2) if apart[i][j] and loading[i] and loading[j]]
    misfit = sum((corr[i][j] - loading[i] * loading[j]) ** 2 / variance[i][j] for i, j in used)
    excess = max(misfit / (len(used) - m), 1.0) if len(used) > m else 1.0
    for j in range(m):
        others = [i for i in range(m) if apart[i][j]]
        strength = sum(pull[i] * loading[i] for i in others)
        row = []
        for s in range(k + 1):
            says = [float(vote[j] == s - 1) for vote in votes]
            share = sum(says) / n
            held = sum(pull[i] * sum((says[r] - share) * z[r][i] for r in range(n)) / n for i in others)
            row.append(math.sqrt(p * (1 - p)) * held / strength)
        leans.append(row if given is None else given[j])
        checked.append(strength / (1 + strength) / excess)
    return leans, loading, checked


def _lean_believed(votes: list[Row], j: int, s: int, y: int, balance: list[float]) -> float:
    share = sum(row[j] == s for row in votes) / len(votes)
    return share * (prior(s, balance)[y] - balance[y])


def _symmetric(votes, score, y, p, variance, apart, expected, combine) -> list[list[float]]:
    """The paper's own model: as often right in the class as in the rest, as often silent."""
    n, m, k = len(votes), len(votes[0]), max(max(row) for row in votes) + 1
    cast = [sum(row[j] != 0 for row in score) / n for j in range(m)]
    scaled = [
        [sum(row[i] * row[j] for row in score) / n / math.sqrt(cast[i] * cast[j]) for j in range(m)] for i in range(m)
    ]
    solved = _solve(scaled, variance, apart, expected, combine)
    leans = []
    for j in range(m):
        a = solved[j] * math.sqrt(cast[j])
        silent = 1 - cast[j]
        right = (1 + a - silent) / 2
        plus = sum(row[j] == 1 for row in score) / n
        both = (right + p * (1 - silent) + plus - (1 - silent)) / 2  # P(score 1, class)
        both = min(max(both, 0.0), plus, p * cast[j])
        row = [0.0]
        for s in range(k):
            share = sum(vote[j] == s for vote in votes) / n
            row.append(both - p * plus if s == y else (p * plus - both) * share / (cast[j] - plus))
        leans.append(row)
    return leans


def _solve(scaled, variance, apart, expected, combine) -> list[float]:
    """Signed a with scaled_ij = a_i a_j."""
    m = len(scaled)
    sizes = []
    for i in range(m):
        candidates, weights = [], []
        for j, h in combinations([j for j in range(m) if apart[i][j]], 2):
            if apart[j][h] and abs(scaled[j][h]) > 2 * math.sqrt(variance[j][h]):
                candidates.append(scaled[i][j] * scaled[i][h] / scaled[j][h])
                weights.append(scaled[j][h] ** 2 / variance[j][h])
        if not candidates:
            sizes.append(0.0)
        elif combine == "weighted":
            square = sum(w * c for w, c in zip(weights, candidates, strict=True)) / sum(weights)
            sizes.append(math.sqrt(max(square, 0.0)))
        else:
            roots = [math.sqrt(abs(c)) for c in candidates]
            sizes.append(median(roots) if combine == "median" else sum(roots) / len(roots))
    leading = [1.0 + 0.01 * i for i in range(m)]
    for _ in range(2000):  # power iteration; the shift makes the greatest eigenvalue the greatest in size
        step = [m * leading[i] + sum(scaled[i][j] * leading[j] for j in range(m) if apart[i][j]) for i in range(m)]
        size = math.sqrt(sum(value * value for value in step))
        leading = [value / size for value in step]
    turn = 1.0 if sum(a * b for a, b in zip(leading, expected, strict=True)) >= 0 else -1.0
    return [size if turn * a >= 0 else -size for size, a in zip(sizes, leading, strict=True)]


def _posterior(row: Row, theta: list[list[list[float]]], balance: list[float]) -> list[float]:
    joint = [b * math.prod(theta[j][y][v + 1] for j, v in enumerate(row)) for y, b in enumerate(balance)]
    return [value / sum(joint) for value in joint]
