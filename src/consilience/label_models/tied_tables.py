"""Tables of errors with fewer free numbers: silence that says nothing, one accuracy a function. An M step for crowds.

A table says how often a function is silent, and what it says when it is not. Either half may be tied: silence the same
in every class (missing answers are then ignored), what is said ruled by one accuracy whatever the class. Used by
dawid_skene.py.

Source: Dawid & Skene 1979 (answers that are missing carry nothing); one accuracy as in ZenCrowd, Demartini et al. 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.label_models.base import Evidence, Floats


@dataclass(frozen=True)
class TiedTables:
    """What does not change while EM runs.

    silent: (m, 1) how often each function is silent. right: (m, k, c) which of the things it says are right, as shares
    that sum to 1; wrong: the same of the others. centre: (m, k, c) what it is expected to say. votes: (m, 1, 1)
    pretended votes behind each row of that. rows: (m, 1) pretended rows behind silence; None where that is ignored.
    """

    silent: Floats
    right: Floats
    wrong: Floats
    centre: Floats
    votes: Floats
    rows: Floats | None
    one_coin: bool

    @classmethod
    def of(cls, evidence: Evidence, accuracy: Floats, rows: Floats, *, one_coin: bool, ignored: bool) -> TiedTables:
        """From the votes and what is expected of them. accuracy, rows: (m,)."""
        k, silent = evidence.n_classes, silence(evidence)
        right, wrong = right_and_wrong(evidence)
        votes = rows * (1 if ignored else 1 - silent) / (k if one_coin else 1)  # one accuracy is all rows of a table
        return cls(
            silent[:, None],
            right,
            wrong,
            _mixed(accuracy, right, wrong),
            votes[:, None, None],
            None if ignored else rows[:, None],
            one_coin,
        )

    def learn(self, counts: Floats) -> Floats:
        """M step. counts: (m, k, s), expected. returns: theta, (m, k, s)."""
        silent = np.broadcast_to(self.silent, counts.shape[:2])
        if self.rows is not None:
            silent = _share(counts[:, :, 0] + self.rows * self.silent, counts.sum(axis=2) + self.rows, silent)
        says = counts[:, :, 1:] + self.votes * self.centre
        if self.one_coin:
            prior = (self.centre * (self.right > 0)).sum(axis=2).mean(axis=1)
            hits = (says * (self.right > 0)).sum(axis=(1, 2))
            says = _mixed(_share(hits, says.sum(axis=(1, 2)), prior), self.right, self.wrong)
        else:
            says = _share(says, says.sum(axis=2, keepdims=True), self.centre)
        return np.concatenate([silent[:, :, None], (1 - silent)[:, :, None] * says], axis=2)

    def log_prior(self, theta: Floats) -> float:
        """Log density of the pretended evidence, up to a constant. theta: (m, k, s), above 0."""
        silent, says = theta[:, :, 0], theta[:, :, 1:]
        speaks = says.sum(axis=2)
        total = (self.votes * self.centre * np.log(says / speaks[:, :, None])).sum()
        if self.rows is not None:
            total += (self.rows * (self.silent * np.log(silent) + (1 - self.silent) * np.log(speaks))).sum()
        return float(total)


def silence(evidence: Evidence) -> Floats:
    """Share of the rows on which each function is silent. returns: (m,)."""
    return np.array([evidence.counts[column < 0].sum() for column in evidence.votes.T]) / evidence.counts.sum()


def right_and_wrong(evidence: Evidence) -> tuple[Floats, Floats]:
    """How a function's right votes are spread over what it can say, and its wrong ones, evenly. returns: two (m, k, c).

    It can say every label, and the groups it has said. Where nothing is wrong (one class), wrong is as right.
    """
    k, allows = evidence.n_classes, evidence.meanings.T
    says = np.ones((evidence.votes.shape[1], 1, evidence.n_symbols), bool)
    for group in range(k, evidence.n_symbols):
        says[:, 0, group] = (evidence.votes == group).any(axis=0)
    right, wrong = says & allows, says & ~allows
    wrong = np.where(wrong.any(axis=2, keepdims=True), wrong, right)
    return right / right.sum(axis=2, keepdims=True), wrong / wrong.sum(axis=2, keepdims=True)


def _mixed(accuracy: Floats, right: Floats, wrong: Floats) -> Floats:
    """accuracy: (m,); right, wrong: (m, k, c). returns: (m, k, c), rows summing to 1."""
    return accuracy[:, None, None] * right + (1 - accuracy)[:, None, None] * wrong


def _share(part: Floats, whole: Floats, otherwise: Floats) -> Floats:
    """part / whole, and something else where whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), otherwise)
