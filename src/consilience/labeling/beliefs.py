"""What is believed of each row: a label model's probabilities, or shares of votes; and without one function.

Reads a label matrix, writes probabilities of its distinct rows. Suggestions are made of these; nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import VoteError
from consilience.labeling.matrix import LabelMatrix

Floats = npt.NDArray[np.float64]
Predict = Callable[[LabelMatrix], Floats]  # such as the predict_proba of a fitted label model
PRIOR_VOTES = 1.0  # what the labels' shares are worth beside votes: one vote alone is no certainty


def vote_shares(matrix: LabelMatrix) -> Floats:
    """Share of the votes each label got; uniform where nobody voted. returns: (n, k).

    >>> matrix = LabelMatrix.from_votes([[0, 0], [1, -1], [-1, -1], [0, 1]], ["ham", "spam"])
    >>> vote_shares(matrix).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]]
    """
    counted = _counted(matrix)
    total = counted.sum(axis=1, keepdims=True)
    return np.where(total > 0, counted / np.maximum(total, 1e-300), 1 / counted.shape[1])


def smoothed_shares(matrix: LabelMatrix) -> Floats:
    """Shares of votes, with one vote more that is spread over the labels as all votes are. returns: (n, k).

    >>> matrix = LabelMatrix.from_votes([[0, 0], [1, -1], [-1, -1], [0, 1]], ["ham", "spam"])
    >>> smoothed_shares(matrix).round(2).tolist()
    [[0.87, 0.13], [0.3, 0.7], [0.6, 0.4], [0.53, 0.47]]
    """
    counted = _counted(matrix)
    weight = np.ones(len(matrix)) if matrix.counts is None else matrix.counts.astype(np.float64)
    total = weight @ counted
    prior = (total + 1e-9) / (total + 1e-9).sum()
    return (counted + PRIOR_VOTES * prior) / (counted.sum(axis=1, keepdims=True) + PRIOR_VOTES)


def _counted(matrix: LabelMatrix) -> Floats:
    """Votes for each label; one for a set of labels is spread over them. returns: (n, k)."""
    meanings = matrix.labels.meanings / matrix.labels.meanings.sum(axis=1, keepdims=True)
    counted = np.zeros((len(matrix), len(matrix.labels)))
    for column in matrix.votes.T:
        said = column >= 0
        counted[said] += meanings[column[said]]
    return counted


class Beliefs:
    """Probabilities of the rows of a matrix, and whether anybody voted; also with one function silenced.

    predict: gives (p, k) for a matrix of the same functions; default: smoothed shares of votes. Rows with gold are
    known. raises: VoteError for probabilities of another shape, or that are none.
    """

    def __init__(self, matrix: LabelMatrix, predict: Predict | None = None) -> None:
        self.matrix = matrix
        self.predict = predict or vote_shares
        self.distinct = LabelMatrix.from_counts(
            matrix.patterns.votes, matrix.patterns.counts, matrix.labels, matrix.names
        )
        self.pattern_of_row = matrix.pattern_of_row
        self.known = np.flatnonzero(matrix.gold >= 0)

    def of_rows(self, without: int | None = None) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Probabilities (n, k), and which rows have evidence (n,): a vote (not of the function left out), or gold."""
        votes = self.distinct.votes
        if without is not None:
            votes = votes.copy()
            votes[:, without] = -1
        distinct = self.distinct if without is None else self._like(votes)
        proba = self._checked(self.predict(distinct))[self.pattern_of_row]
        covered = np.asarray((votes >= 0).any(axis=1))[self.pattern_of_row]
        proba[self.known] = np.eye(proba.shape[1])[self.matrix.gold[self.known]]
        covered[self.known] = True
        return proba, covered

    def _like(self, votes: npt.NDArray[Any]) -> LabelMatrix:
        return LabelMatrix.from_counts(votes, self.matrix.patterns.counts, self.matrix.labels, self.matrix.names)

    def _checked(self, proba: Floats) -> Floats:
        proba = np.asarray(proba, np.float64)
        shape = (len(self.distinct), len(self.matrix.labels))
        if proba.shape != shape or not np.isfinite(proba).all() or (proba < 0).any():
            raise VoteError(
                f"Probabilities of shape {proba.shape} are not those of {shape[0]} rows and {shape[1]} labels.\n"
                "Fix: give the predict_proba of a label model fitted on these functions."
            )
        return proba


def openness(proba: Floats, covered: npt.NDArray[np.bool_]) -> Floats:
    """How much is not known of each row: 1 where nobody voted, else its entropy in units of the greatest. (n,)."""
    if proba.shape[1] < 2:
        return np.where(covered, 0.0, 1.0)
    entropy = -(proba * np.log(np.maximum(proba, 1e-300))).sum(axis=1) / np.log(proba.shape[1])
    return np.where(covered, np.clip(entropy, 0, 1), 1.0)
