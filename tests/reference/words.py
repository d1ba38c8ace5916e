"""What the words around a term say of rows that nobody votes on, one row at a time: slow and plain."""

from __future__ import annotations

import math
from collections.abc import Sequence


def weights(
    rows: Sequence[set[str]], proba: Sequence[Sequence[float]], voted: Sequence[bool], smoothing: float
) -> dict[str, list[float]]:
    """Log-probability of each word in rows of each label, from the rows with votes."""
    k, words = len(proba[0]), sorted(set().union(*rows))
    base = [sum(p[y] for p, v in zip(proba, voted, strict=True) if v) / sum(voted) for y in range(k)]
    mass = {
        word: [sum(p[y] for row, p, v in zip(rows, proba, voted, strict=True) if v and word in row) for y in range(k)]
        for word in words
    }
    total = [sum(mass[word][y] for word in words) for y in range(k)]
    smooth = [smoothing * b + 1e-9 for b in base]
    return {
        word: [math.log(mass[word][y] + smooth[y]) - math.log(total[y] + smooth[y] * len(words)) for y in range(k)]
        for word in words
    }


def around(rows: Sequence[set[str]], weight: dict[str, list[float]], left: Sequence[float], term: str) -> list[float]:
    """Share of each label among the open rows that have a word, as their other words say."""
    k = len(next(iter(weight.values())))
    share, total = [0.0] * k, 0.0
    for row, open_ in zip(rows, left, strict=True):
        if term in row and open_ > 0.01:
            score = [sum(weight[word][y] for word in row - {term}) for y in range(k)]
            size = [math.exp(s - max(score)) for s in score]
            share = [share[y] + open_ * size[y] / sum(size) for y in range(k)]
            total += open_
    return [s / total for s in share]
