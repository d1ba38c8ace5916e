"""Combine votes by counting them. The baseline every other label model must beat.

Reads a label matrix, writes class probabilities. No randomness; what is "learned" serves ties and reports only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.data.labels import Labels
from consilience.label_models.base import BaseLabelModel, Evidence, Floats, count_votes


class MajorityVote(BaseLabelModel):
    """Each label's probability is its share of the votes; a row nobody voted on is uniform.

    class_balance_: the mean of those shares over covered rows (known classes count as such). accuracies_: how often a
    function's vote agrees with the majority.

    >>> from consilience import LabelMatrix
    >>> matrix = LabelMatrix.from_votes([[0, 0, 1], [-1, 1, -1], [-1, -1, -1]], ["ham", "spam"])
    >>> MajorityVote().fit(matrix).predict_proba(matrix).round(2).tolist()
    [[0.67, 0.33], [0.0, 1.0], [0.5, 0.5]]
    >>> MajorityVote().fit(matrix).predict(matrix)
    ['ham', 'spam', None]
    """

    kind = "majority vote"
    accuracy_means = "agrees with the majority"

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k = evidence.n_classes
        self.class_balance_ = np.full(k, 1 / k)
        shares = shares_of(evidence.class_votes)
        shares[evidence.known >= 0] = np.eye(k)[evidence.known[evidence.known >= 0]]
        weight = evidence.counts * (evidence.covered | (evidence.known >= 0))
        if balance is not None:
            self.class_balance_ = balance
        elif weight.sum() > 0:
            self.class_balance_ = weight @ shares / weight.sum()
        self.accuracies_ = expected_accuracies(evidence, shares)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        return vote_shares(votes, self.labels_)


def vote_shares(votes: npt.NDArray[Any], labels: Labels) -> Floats:
    """Share of the votes each class got, row by row; uniform where nobody voted. votes: (n, m). returns: (n, k)."""
    return shares_of(count_votes(votes, labels.meanings))


def shares_of(counts: Floats) -> Floats:
    """Counts of votes as shares; uniform where there are none. counts: (n, k). returns: (n, k)."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), 1 / counts.shape[1])


def expected_accuracies(evidence: Evidence, proba: Floats) -> Floats:
    """Share of each function's votes that is right, if classes have these probabilities. returns: (m,), NaN if none."""
    rows = np.arange(len(evidence.votes))
    agrees = proba @ evidence.meanings.T  # how probable it is that a vote of each kind is right
    accuracies = []
    for column in evidence.votes.T:
        weight = evidence.counts * (column >= 0)
        right = weight @ agrees[rows, np.maximum(column, 0)]
        accuracies.append(right / weight.sum() if weight.sum() > 0 else np.nan)
    return np.array(accuracies)
