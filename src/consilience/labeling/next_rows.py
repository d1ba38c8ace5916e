"""Which rows to label next: those whose label would tell most about how far functions can be trusted.

Reads a label matrix and what is believed of its rows. Rows with the same votes are one question to a label model, so a
pattern of votes is worth its uncertainty times how many rows share it, and less for each row of it, or like it, that is
labelled already or chosen before: not ten rows of one pattern.

Source: uncertainty sampling, Lewis & Gale 1994; times how many rows are alike, Settles & Craven 2008 (information
density); by pattern of votes, Biegel et al. 2021 (Active WeaSuL). Departs: likeness is the share of votes in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.labeling.beliefs import Beliefs, Floats, Predict, openness, smoothed_shares
from consilience.labeling.matrix import LabelMatrix, short
from consilience.views import View

MOST_LABELLED = 1_000  # patterns with gold that others are compared with: those with most
MOST_PATTERNS = 5_000  # compared with each other: those that are worth most


@dataclass(frozen=True)
class NextRow:
    """A row to label: its id and place, how many rows have its votes, how uncertain they are (0 to 1), its worth."""

    id: Any
    place: int
    alike: int
    uncertainty: float
    worth: float
    probabilities: tuple[float, ...]


def rows_to_label(matrix: LabelMatrix, n: int = 10, *, predict: Predict | None = None, seed: int = 0) -> list[NextRow]:
    """Rows to label next, the most telling first; of rows with the same votes one is drawn by the seed.

    predict: how votes become probabilities, such as `model.predict_proba`; default smoothed shares of votes. Rows with
    gold are never chosen. Rows without votes teach a label model nothing, and are chosen only if there are no others.
    O(patterns x n x functions), of the 5,000 patterns that are worth most.

    >>> votes = [[0, 1]] * 5 + [[0, 0]] * 30 + [[-1, 1]] * 4
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"])
    >>> [(row.alike, round(row.uncertainty, 2)) for row in rows_to_label(matrix, 3)]
    [(30, 0.24), (4, 0.99), (30, 0.24)]
    """
    beliefs = Beliefs(matrix.with_gold(np.full(len(matrix), -1, np.int16)), predict or smoothed_shares)
    patterns, pattern_of_row = matrix.patterns, matrix.pattern_of_row
    proba = np.asarray(beliefs.predict(beliefs.distinct), np.float64)
    voted = np.asarray((patterns.votes >= 0).any(axis=1))
    free = np.bincount(pattern_of_row[matrix.gold < 0], minlength=len(patterns))
    usable = (free > 0) & (voted if (voted & (free > 0)).any() else ~voted)
    uncertain = openness(proba, voted)
    kept = np.flatnonzero(usable)
    kept = kept[np.argsort(-(uncertain * patterns.counts)[kept], kind="stable")[:MOST_PATTERNS]]
    labelled = np.bincount(pattern_of_row[matrix.gold >= 0], minlength=len(patterns))
    drawn = _greedy(patterns.votes[kept], (uncertain * patterns.counts)[kept], free[kept], n, patterns.votes, labelled)
    return _rows(matrix, kept[drawn[0]], drawn[1], uncertain, proba, seed)


def next_rows_view(matrix: LabelMatrix, rows: Sequence[NextRow]) -> View:
    """The rows to label, with their votes, to look at."""
    texts = matrix.table.texts if matrix.table is not None and matrix.table.text_column else None
    columns = ["id", *(["text"] if texts else []), "votes", "rows alike", "uncertain"]
    lines = []
    for row in rows:
        text = [] if texts is None else [short(texts[row.place] or "", 70)]
        lines.append([str(row.id), *text, matrix.votes_of(row.place), row.alike, row.uncertainty])
    note = "chosen by how uncertain their votes are, times how many rows have the same votes, each like no other"
    return View(columns, lines, notes=[note if lines else "no row is left to label"])


def _greedy(
    votes: npt.NDArray[Any], worth: Floats, free: npt.NDArray[Any], n: int, every: npt.NDArray[Any], labelled: Any
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Patterns, one after the other, with their worth then. A pattern can come again while it has free rows."""
    seen, free = np.zeros(len(votes)), free.copy()
    for place in np.argsort(-labelled, kind="stable")[: min(MOST_LABELLED, int((labelled > 0).sum()))].tolist():
        seen += labelled[place] * _likeness(votes, every[place])
    chosen, worths = [], []
    for _ in range(n):
        score = np.where(free > 0, worth / (1 + seen), -1.0)
        best = int(score.argmax()) if len(score) else -1
        if best < 0 or score[best] < 0:
            break
        chosen.append(best)
        worths.append(float(score[best]))
        free[best] -= 1
        seen += _likeness(votes, votes[best])
    return np.array(chosen, np.int64), np.array(worths)


def _likeness(votes: npt.NDArray[Any], one: npt.NDArray[Any]) -> Floats:
    """Share of votes in common, of all that either has; 1 for equal ones. returns: (p,)."""
    either = ((votes >= 0) | (one >= 0)).sum(axis=1)
    same = ((votes == one) & (one >= 0)).sum(axis=1)
    return np.where(either > 0, same / np.maximum(either, 1), 1.0)


def _rows(
    matrix: LabelMatrix, chosen: npt.NDArray[np.int64], worth: Floats, uncertain: Floats, proba: Floats, seed: int
) -> list[NextRow]:
    rng = np.random.default_rng(seed)
    taken: set[int] = set()
    rows = []
    for pattern, value in zip(chosen.tolist(), worth.tolist(), strict=True):
        places = np.flatnonzero((matrix.pattern_of_row == pattern) & (matrix.gold < 0)).tolist()
        place = rng.choice([place for place in places if place not in taken])
        taken.add(int(place))
        shares = tuple(round(float(p), 6) for p in proba[pattern])
        alike = int(matrix.patterns.counts[pattern])
        rows.append(NextRow(matrix.ids[int(place)], int(place), alike, float(uncertain[pattern]), value, shares))
    return rows
