"""Counting votes, row by row: majority vote, distinct rows, the summary's shares, and the two checks of LabelModel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Rows = Sequence[Sequence[int]]
Table = Sequence[Sequence[Sequence[float]]]


def majority(votes: Rows, k: int) -> list[list[float]]:
    """Share of the votes each class got; uniform where nobody voted."""
    found = []
    for row in votes:
        said = [vote for vote in row if vote >= 0]
        found.append([said.count(c) / len(said) for c in range(k)] if said else [1 / k] * k)
    return found


def patterns(votes: Rows) -> Counter[tuple[int, ...]]:
    """How often each distinct row occurs."""
    return Counter(tuple(int(vote) for vote in row) for row in votes)


def shares(votes: Rows, j: int) -> tuple[float, float, float]:
    """Coverage, overlap and conflict of function j, as shares of all rows."""
    voted = [row for row in votes if row[j] >= 0]
    others = [[vote for place, vote in enumerate(row) if place != j and vote >= 0] for row in voted]
    overlap = sum(bool(other) for other in others)
    conflict = sum(len({row[j], *other}) > 1 for row, other in zip(voted, others, strict=True))
    return len(voted) / len(votes), overlap / len(votes), conflict / len(votes)


def any_share(votes: Rows) -> tuple[float, float, float]:
    """Coverage, overlap and conflict of the whole matrix."""
    said = [[vote for vote in row if vote >= 0] for row in votes]
    n = len(votes)
    return (
        sum(len(row) > 0 for row in said) / n,
        sum(len(row) > 1 for row in said) / n,
        sum(len(set(row)) > 1 for row in said) / n,
    )


def advantage(votes: Rows, k: int, low: float = 0.5, mean: float = 1.0, high: float = 1.5) -> float:
    """Mean over rows of the chance that a rival, at the best of weights, beats the label with most votes."""
    total = 0.0
    for row in votes:
        counts = [sum(vote == c for vote in row) for c in range(k)]
        most = max(counts)
        chances = [math.exp(mean * count) for count in counts]
        for c in range(k):
            if counts[c] < most and counts[c] * high > most * low:
                total += chances[c] / sum(chances)
    return total / len(votes)


def ties(votes: Rows, k: int) -> float:
    """Share of rows on which two labels have the most votes."""
    tied = 0
    for row in votes:
        counts = [sum(vote == c for vote in row) for c in range(k)]
        tied += max(counts) > 0 and counts.count(max(counts)) > 1
    return tied / len(votes)


def residual(votes: Rows, theta: Table, balance: Sequence[float]) -> float:
    """Root mean square of observed minus modelled correlation of votes of two functions, times the root of n."""
    n, m, k = len(votes), len(votes[0]), len(balance)
    n_symbols = len(theta[0][0]) - 1  # labels, and sets of them
    share = {(j, c): sum(row[j] == c for row in votes) / n for j in range(m) for c in range(n_symbols)}
    seen = [(j, c) for (j, c), s in share.items() if s * n >= 5 and s < 1]
    squares = []
    for i, a in seen:
        for j, b in seen:
            if i == j:
                continue
            observed = sum(row[i] == a and row[j] == b for row in votes) / n
            modelled = sum(balance[y] * theta[i][y][a + 1] * theta[j][y][b + 1] for y in range(k))
            spread = [math.sqrt(max(share[f] * (1 - share[f]), 1e-12)) for f in ((i, a), (j, b))]
            squares.append(((observed - modelled) / (spread[0] * spread[1])) ** 2)
    return math.sqrt(sum(squares) / len(squares) * n) if squares else 0.0
