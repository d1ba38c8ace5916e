"""The checks find models that break a law, and the simulator does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from consilience import LabelMatrix, MajorityVote
from consilience.label_models.base import BaseLabelModel
from consilience.label_models.majority import vote_shares
from consilience.testing import check_label_model, simulate


class DoesNotSumToOne(MajorityVote):
    def _proba(self, votes):
        return vote_shares(votes, self.labels_) * 0.9


class TrustsTheFirstFunction(MajorityVote):
    def _proba(self, votes):
        first = vote_shares(votes[:, :1], self.labels_)
        return (first + vote_shares(votes, self.labels_)) / 2


class CountsRowsInOrder(MajorityVote):
    """Looks at the rows one by one: what it says depends on which came first."""

    def predict_proba(self, matrix):
        proba = super().predict_proba(matrix)
        drift = np.linspace(0, 0.1, len(proba))[:, None]
        return (1 - drift) * proba + drift / proba.shape[1]


class LikesTheFirstLabel(MajorityVote):
    def _proba(self, votes):
        return 0.8 * vote_shares(votes, self.labels_) + 0.2 * np.eye(len(self.labels_))[0]


class IgnoresItsSeed(MajorityVote):
    def _proba(self, votes):
        noise = np.random.default_rng().dirichlet(np.full(len(self.labels_), 1e9))
        shares = vote_shares(votes, self.labels_)
        return (1 - 1e-9) * shares + 1e-9 * noise


class LosesItsTables(MajorityVote):
    @classmethod
    def load(cls, source):
        model = super().load(source)
        model.loaded = True
        return model

    def _proba(self, votes):
        shares = vote_shares(votes, self.labels_)
        return np.full_like(shares, 1 / shares.shape[1]) if hasattr(self, "loaded") else shares


class Guesses(MajorityVote):
    def _proba(self, votes):
        return np.full((len(votes), len(self.labels_)), 1 / len(self.labels_))


class AnswersUnfitted(MajorityVote):
    def predict_proba(self, matrix):
        return vote_shares(matrix.votes, matrix.labels)


class FitsNothing(MajorityVote):
    def fit(self, matrix, *, gold=None, class_balance=None, seed=0):
        if not len(matrix) or not matrix.functions:
            self.labels_, self.function_names_ = matrix.labels, matrix.names
            return self
        return super().fit(matrix, gold=gold, class_balance=class_balance, seed=seed)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (DoesNotSumToOne, "the probabilities of a row do not sum to 1"),
        (TrustsTheFirstFunction, "the order of the functions changes the probabilities"),
        (CountsRowsInOrder, "the order of the rows changes the probabilities"),
        (LikesTheFirstLabel, "the order of the labels changes the probabilities"),
        (IgnoresItsSeed, "the order of the rows changes the probabilities"),
        (LosesItsTables, "the loaded model gives other probabilities"),
        (Guesses, "where chance is 33%"),
        (AnswersUnfitted, "answers although the model is not fitted"),
        (FitsNothing, "are fitted without a VoteError"),
    ],
)
def test_a_broken_model_is_caught_with_the_law_it_breaks(broken, message):
    assert issubclass(broken, BaseLabelModel)
    with pytest.raises(AssertionError, match=message):
        check_label_model(broken)


def test_a_model_that_keeps_the_laws_passes_under_any_seed():
    for seed in range(3):
        check_label_model(MajorityVote, seed=seed)


# the simulator


def test_simulated_votes_follow_their_tables():
    made = simulate(50_000, 4, ["a", "b", "c"], balance=[0.5, 0.3, 0.2], class_dependent=True, seed=1)
    for j in range(4):
        for y in range(3):
            said = made.matrix.votes[made.truth == y, j] + 1
            shares = np.bincount(said, minlength=4) / len(said)
            assert np.abs(shares - made.theta[j, y]).max() < 0.02  # three standard errors at 10,000 rows
    said = made.matrix.votes >= 0
    right = [(made.matrix.votes[said[:, j], j] == made.truth[said[:, j]]).mean() for j in range(4)]
    assert np.abs(np.array(right) - made.accuracies).max() < 0.02
    assert np.allclose(np.bincount(made.truth) / 50_000, made.balance, atol=0.01)


def test_nobody_beats_the_bayes_guess():
    made = simulate(5000, 8, ["a", "b"], seed=2)
    best = (made.bayes_codes() == made.truth).mean()
    assert best > (MajorityVote().fit(made.matrix).predict_codes(made.matrix) == made.truth).mean() - 0.01


def test_copies_repeat_four_rows_of_five():
    made = simulate(10_000, 6, ["a", "b"], coverage=(0.9, 1.0), copies=1, seed=3)
    same = (made.matrix.votes[:, 5] == made.matrix.votes[:, 0]).mean()
    assert 0.85 < same < 0.95


def test_the_same_seed_simulates_the_same_votes():
    first, again, other = (simulate(100, 3, ["a", "b"], seed=seed).matrix.votes for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert isinstance(simulate(10, 2, ["a"], seed=0).matrix, LabelMatrix)
