"""Slow, plain version of carrying votes over: every pair of rows, in double precision, with no matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy.typing as npt


def cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float | None:
    """Similarity of two vectors; None if one has no direction."""
    lengths = math.sqrt(sum(float(x) ** 2 for x in a)) * math.sqrt(sum(float(x) ** 2 for x in b))
    return None if lengths == 0 else sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / lengths


def distance(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def extended(
    train_votes: npt.NDArray[Any],
    train: npt.NDArray[Any],
    votes: npt.NDArray[Any],
    vectors: npt.NDArray[Any],
    radii: npt.NDArray[Any],
    metric: str,
    same: float = 1e-6,
) -> npt.NDArray[Any]:
    """Votes with those of nearest supporters that are near enough, one cell after another. (n, m)."""
    out = votes.copy()
    for i in range(len(votes)):
        for j in range(votes.shape[1]):
            if votes[i, j] >= 0:
                continue
            found = []
            for t in range(len(train_votes)):
                if train_votes[t, j] < 0:
                    continue
                near = cosine(vectors[i], train[t]) if metric == "cosine" else -distance(vectors[i], train[t])
                if near is not None:
                    found.append((near, int(train_votes[t, j])))
            if not found:
                continue
            top = max(near for near, _ in found)
            said = {vote for near, vote in found if near >= top - same}
            close = top > radii[j] if metric == "cosine" else -top < radii[j]
            if len(said) == 1 and close:
                out[i, j] = said.pop()
    return out
