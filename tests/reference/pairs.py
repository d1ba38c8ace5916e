"""Functions two by two, row by row: slow and plain."""

from __future__ import annotations

from collections.abc import Sequence


def agreement(votes: Sequence[Sequence[int]], allowed: Sequence[set[int]], i: int, j: int) -> tuple[int, int, int]:
    """Rows on which both vote, on which one label satisfies both, and on which they say the very same."""
    both = [(row[i], row[j]) for row in votes if row[i] >= 0 and row[j] >= 0]
    return len(both), sum(bool(allowed[a] & allowed[b]) for a, b in both), sum(a == b for a, b in both)


def kappa(votes: Sequence[Sequence[int]], i: int, j: int) -> float:
    """Cohen's kappa over all rows, silence being an answer; 1 where chance alone would give full agreement."""
    n = len(votes)
    observed = sum(row[i] == row[j] for row in votes) / n
    answers = {row[i] for row in votes} | {row[j] for row in votes}
    chance = sum(sum(row[i] == a for row in votes) * sum(row[j] == a for row in votes) for a in answers) / n**2
    return 1.0 if chance > 1 - 1e-12 else (observed - chance) / (1 - chance)
