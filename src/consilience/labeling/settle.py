"""Two functions that contradict each other on many rows, and what would settle it.

Reads a label matrix: gold on those rows, and what the other functions say of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience.labeling.agreement import agreement
from consilience.labeling.matrix import LabelMatrix, short
from consilience.views import View

ENOUGH = 10  # votes of others, or rows of gold, from which they say something
CLEAR = 0.7  # share of them from which they side with one
EXAMPLES = 5


@dataclass(frozen=True)
class Quarrel:
    """Rows on which two functions contradict each other.

    rows: how many. gold: rows with gold on which the first, the second, neither is right. others: votes of other
    functions for what the first, the second, neither says. ids: some of the rows; query: asks for all of them.
    """

    first: str
    second: str
    rows: int
    gold: tuple[int, int, int]
    others: tuple[int, int, int]
    ids: tuple[Any, ...]
    query: str

    def advice(self) -> str:
        """A sentence on what would settle it."""
        for counts, who in ((self.gold, "gold sides"), (self.others, "the other functions side")):
            n = sum(counts)
            for place, name in enumerate((self.first, self.second)):
                if n >= ENOUGH and counts[place] >= CLEAR * n:
                    other = (self.second, self.first)[place]
                    share = f"{counts[place]:,} of {n:,} times"
                    return f"{who} with {name} ({share}): let {other} be silent where {name} votes, or narrow it"
        return f"neither gold nor other functions side clearly: label some of these {self.rows:,} rows, or read them"

    def view(self, matrix: LabelMatrix) -> View:
        """Some of the rows, to look at."""
        part = matrix.on(list(self.ids))
        texts = part.table.texts if part.table is not None and part.table.text_column else None
        columns = ["id", *(["text"] if texts else []), self.first, self.second]
        said = zip(part.names_of(self.first), part.names_of(self.second), strict=True)
        rows = [
            [str(part.ids[i]), *([short(texts[i] or "", 80)] if texts else []), *pair] for i, pair in enumerate(said)
        ]
        return View(columns, rows, notes=[self.advice()])


def worst_quarrel(matrix: LabelMatrix, *, seed: int = 0) -> Quarrel | None:
    """The two functions that contradict each other on most rows; None if no two do.

    >>> votes = [[0, 1, 0]] * 12 + [[0, 0, -1]] * 5
    >>> found = worst_quarrel(LabelMatrix.from_votes(votes, ["ham", "spam"], names=["a", "b", "c"]))
    >>> found.first, found.second, found.rows, found.others
    ('a', 'b', 12, (12, 0, 0))
    >>> found.advice()
    'the other functions side with a (12 of 12 times): let b be silent where a votes, or narrow it'
    """
    pairs = agreement(matrix).pairs()
    if not pairs:
        return None
    i, j = pairs[0]
    meanings = np.vstack([matrix.labels.meanings, np.zeros(len(matrix.labels), bool)])
    first, second = meanings[matrix.votes[:, i]], meanings[matrix.votes[:, j]]
    rows = np.flatnonzero(first.any(axis=1) & second.any(axis=1) & ~(first & second).any(axis=1))
    first, second = first[rows], second[rows]
    weights = np.ones(len(rows), np.int64) if matrix.counts is None else matrix.counts[rows]
    known = matrix.gold[rows] >= 0
    truth = np.eye(len(matrix.labels), dtype=bool)[matrix.gold[rows][known]]
    gold = _sides(truth, first[known], second[known], weights[known])
    others = np.zeros(3, np.int64)
    for column in range(len(matrix.names)):
        if column not in (i, j):
            said = meanings[matrix.votes[rows, column]]
            spoke = said.any(axis=1)
            others += _sides(said[spoke], first[spoke], second[spoke], weights[spoke])
    drawn = np.sort(np.random.default_rng(seed).choice(rows, min(EXAMPLES, len(rows)), replace=False))
    a, b = matrix.names[i], matrix.names[j]
    return Quarrel(
        a, b, int(weights.sum()), _three(gold), _three(others), tuple(matrix.ids[drawn].to_list()), _query(matrix, i, j)
    )


def _sides(said: Any, first: Any, second: Any, weights: Any) -> Any:
    """How many votes fit what the first said only, what the second said only, or both or neither. (n, k) each."""
    with_first, with_second = (said & first).any(axis=1), (said & second).any(axis=1)
    a, b = int(weights @ (with_first & ~with_second)), int(weights @ (with_second & ~with_first))
    return np.array([a, b, int(weights.sum()) - a - b])


def _three(counts: Any) -> tuple[int, int, int]:
    a, b, c = counts.tolist()
    return a, b, c


def _query(matrix: LabelMatrix, i: int, j: int) -> str:
    """A query for rows on which both vote and somebody contradicts; "" for names that a query cannot hold."""
    names = (matrix.names[i], matrix.names[j])
    return f"{names[0]} & {names[1]} & conflict" if all(name.isidentifier() for name in names) else ""
