"""Where somebody is wrong, in buckets: what was said against gold, or, without gold, against what others said.

Reads a label matrix and who is to be looked at: a function, the majority, or probabilities of a label model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.data.labels import ABSTAIN
from consilience.errors import VoteError
from consilience.labeling.matrix import LabelMatrix, short
from consilience.metrics import wilson
from consilience.views import View

Ints = npt.NDArray[np.int64]
EXAMPLES = 3  # ids kept of each bucket
BUCKETS = 20  # in a table, at most


@dataclass(frozen=True)
class Bucket:
    """Rows on which the same was said and the same is true (or was said by the other function).

    said, truth: names. other: the function that said `truth`; "" where it is gold. rows: how many; ids: the first few.
    """

    said: str
    truth: str
    rows: int
    ids: tuple[Any, ...]
    other: str = ""


@dataclass(frozen=True)
class Mistakes:
    """Buckets of rows, the largest first, of `who`; n: rows that were compared, right: how many of them were."""

    who: str
    against: str
    buckets: tuple[Bucket, ...]
    n: int
    right: int
    matrix: LabelMatrix

    def view(self, most: int = BUCKETS) -> View:
        """The table to look at, with an example of each bucket where there are texts."""
        with_text = self.matrix.table is not None and self.matrix.table.text_column is not None
        others = self.against != "gold"
        columns = ["said", *(["function"] if others else []), "said" if others else "gold", "rows", "for example"]
        rows = [
            [b.said, *([b.other] if others else []), b.truth, b.rows, self._example(b, with_text)]
            for b in self.buckets[:most]
        ]
        if self.n:
            right = f"{self.who} against {self.against}: {self.right:,} of {self.n:,} agree ({self.right / self.n:.1%})"
        else:
            right = f"{self.who}: no row to compare with {self.against}"
        notes = [right, *([f"the {most} largest buckets are shown"] if len(self.buckets) > most else [])]
        return View(columns, rows, notes=notes)

    def _example(self, bucket: Bucket, with_text: bool) -> str:
        row = bucket.ids[0]
        if not with_text:
            return str(row)
        assert self.matrix.table is not None
        texts = self.matrix.on([row]).table
        assert texts is not None
        return f"{row}: {short(texts.texts[0] or '', 70)}"


def mistakes(matrix: LabelMatrix, of: str | npt.NDArray[Any] | None = None) -> Mistakes:
    """Rows with gold that are labelled wrong, by what was said and what is true.

    of: a function's name; None for the majority of the votes (rows without one, or with a tie, are left out); or
    codes (n,) with -1 for none, or probabilities (n, k) (rows without votes are left out), as label models give them.
    raises: VoteError for a function there is not, or an array of another shape.

    >>> votes, gold = [[0, 0], [1, -1], [1, 1]], ["ham", "ham", "spam"]
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"], names=["a", "b"], gold=gold)
    >>> [(b.said, b.truth, b.rows, b.ids) for b in mistakes(matrix, "a").buckets]
    [('spam', 'ham', 1, (1,))]
    """
    who, said = _said(matrix, of)
    scored = (said >= 0) & (matrix.gold >= 0)
    right = np.zeros(len(said), bool)
    right[scored] = matrix.labels.meanings[said[scored], matrix.gold[scored]]
    wrong = np.flatnonzero(scored & ~right)
    buckets = _buckets(matrix, said[wrong], matrix.gold[wrong].astype(np.int64), wrong)
    return Mistakes(who, "gold", tuple(buckets), int(_weights(matrix) @ scored), int(_weights(matrix) @ right), matrix)


def disputes(matrix: LabelMatrix, function: str) -> Mistakes:
    """Rows on which one function contradicts others, by what it said, who contradicts, and what they say.

    raises: VoteError for a function there is not.

    >>> matrix = LabelMatrix.from_votes([[0, 0], [1, 0], [1, -1]], ["ham", "spam"], names=["a", "b"])
    >>> [(b.said, b.other, b.truth, b.ids) for b in disputes(matrix, "a").buckets]
    [('spam', 'b', 'ham', (1,))]
    """
    own = matrix.votes[:, matrix.column(function)].astype(np.int64)
    meanings = matrix.labels.meanings.astype(int)
    fits = np.zeros((len(meanings) + 1, len(meanings) + 1), bool)
    fits[:-1, :-1] = meanings @ meanings.T > 0
    compared, against, buckets = np.zeros(len(own), bool), np.zeros(len(own), bool), list[Bucket]()
    for j, name in enumerate(matrix.names):
        if name == function:
            continue
        other = matrix.votes[:, j].astype(np.int64)
        both = (own >= 0) & (other >= 0)
        wrong = np.flatnonzero(both & ~fits[own, other])
        compared |= both
        against[wrong] = True
        buckets += _buckets(matrix, own[wrong], other[wrong], wrong, name)
    buckets.sort(key=lambda bucket: -bucket.rows)
    n = int(_weights(matrix) @ compared)
    return Mistakes(function, "other functions", tuple(buckets), n, n - int(_weights(matrix) @ against), matrix)


def precision_view(matrix: LabelMatrix, function: str) -> View:
    """How often each thing that a function says is right, with 95% intervals, on the rows with gold.

    >>> matrix = LabelMatrix.from_votes([[0], [1]], ["ham", "spam"], gold=["ham", "ham"])
    >>> [row[:4] for row in precision_view(matrix, "f0").rows]
    [['ham', 1, 1, 1.0], ['spam', 1, 1, 0.0]]
    """
    said, rows = matrix.votes[:, matrix.column(function)], []
    for code in np.unique(said[said >= 0]).tolist():
        scored = (said == code) & (matrix.gold >= 0)
        right = int(matrix.labels.meanings[code, matrix.gold[scored]].sum())
        rows.append([matrix.labels.votes[code], int((said == code).sum()), int(scored.sum())])
        rows[-1] += [*wilson(right, int(scored.sum()))]
    return View(["says", "votes", "gold", "right", "low", "high"], rows, title=function)


def _said(matrix: LabelMatrix, of: str | npt.NDArray[Any] | None) -> tuple[str, Ints]:
    """Who is looked at, and what they said of each row, -1 for nothing."""
    if isinstance(of, str):
        return of, matrix.votes[:, matrix.column(of)].astype(np.int64)
    if of is None:
        return "majority vote", majority_codes(matrix)
    given = np.asarray(of)
    if given.shape == (len(matrix), len(matrix.labels)):
        return "the model", np.where(matrix.covered, given.argmax(axis=1), ABSTAIN).astype(np.int64)
    whole = given.shape == (len(matrix),) and np.issubdtype(given.dtype, np.integer)
    if not whole or given.min(initial=-1) < ABSTAIN or given.max(initial=-1) >= len(matrix.labels):
        raise VoteError(
            f"An array of shape {given.shape} and type {given.dtype} does not label {len(matrix)} rows.\n"
            f"Fix: give a code from -1 to {len(matrix.labels) - 1} for each row, or a row of probabilities."
        )
    return "the labels", given.astype(np.int64)


def majority_codes(matrix: LabelMatrix) -> Ints:
    """The label most votes of each row allow; -1 where there is no vote, or a tie. returns: (n,). O(patterns)."""
    votes = matrix.patterns.votes
    counts = np.zeros((len(votes), len(matrix.labels)))
    for column in votes.T:
        counts[column >= 0] += matrix.labels.meanings[column[column >= 0]]
    most = counts.max(axis=1, initial=0)
    clear = (most > 0) & ((counts == most[:, None]).sum(axis=1) == 1)
    return np.where(clear, counts.argmax(axis=1), ABSTAIN)[matrix.pattern_of_row]


def _weights(matrix: LabelMatrix) -> npt.NDArray[np.int64]:
    """How many rows each row stands for. returns: (n,)."""
    return np.ones(len(matrix), np.int64) if matrix.counts is None else matrix.counts


def _buckets(matrix: LabelMatrix, said: Ints, truth: Ints, places: npt.NDArray[Any], other: str = "") -> list[Bucket]:
    """Rows by (said, truth), the largest first."""
    names = matrix.labels.votes
    keys, place = np.unique(said * len(names) + truth, return_inverse=True)
    counts = np.bincount(place, _weights(matrix)[places], len(keys))
    found = []
    for key in np.argsort(-counts, kind="stable").tolist():
        ids = tuple(matrix.ids[places[place == key][:EXAMPLES]].to_list())
        one, two = divmod(int(keys[key]), len(names))
        found.append(Bucket(names[one], names[two], int(counts[key]), ids, other))
    return found
