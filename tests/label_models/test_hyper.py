"""The model learned beforehand: what it computes, and what it is good for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from tests.reference import hyper as reference
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, MajorityVote
from consilience.label_models import HyperLabelModel
from consilience.label_models.hyper import network
from consilience.testing import simulate


@settings(max_examples=15)
@given(vote_matrices(max_rows=8, max_functions=4, max_classes=3))
def test_agrees_with_the_network_vote_by_vote(made):
    votes, k = made
    if k < 2 or (votes < 0).all():
        return
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    slow = reference.probabilities(votes.tolist(), k, reference.arrays_of(network()))
    assert np.allclose(HyperLabelModel().fit(matrix).predict_proba(matrix), slow, atol=1e-9)


@pytest.mark.parametrize("names", ["ab", "abcd"])
def test_near_the_best_guess_on_votes_that_follow_no_assumption_of_its_own(names):
    made = simulate(4000, 12, list(names), accuracy=(0.4, 0.95), coverage=(0.2, 0.6), seed=5)
    covered = made.matrix.covered
    right = {
        "hyper": (HyperLabelModel().fit(made.matrix).predict_codes(made.matrix) == made.truth)[covered].mean(),
        "counting": (MajorityVote().fit(made.matrix).predict_codes(made.matrix) == made.truth)[covered].mean(),
        "best": (made.bayes_codes() == made.truth)[covered].mean(),
    }
    assert right["counting"] + 0.02 < right["hyper"] > right["best"] - 0.02


def test_a_function_that_is_mostly_wrong_is_heard_less():
    made = simulate(3000, 8, ["a", "b"], accuracy=(0.85, 0.9), coverage=(0.5, 0.8), seed=1)
    votes = made.matrix.votes.copy()
    fired = votes[:, 0] >= 0
    votes[fired, 0] = np.random.default_rng(0).integers(0, 2, fired.sum())
    model = HyperLabelModel().fit(LabelMatrix.from_votes(votes, ["a", "b"]))
    strength = np.ptp(model.weights_, axis=2).mean(axis=1)
    assert strength[0] < 0.5 * strength[1:].min() and model.accuracies_[0] < 0.6 < model.accuracies_[1:].min()


def test_a_class_balance_is_the_prior_of_every_row():
    matrix = simulate(500, 5, ["a", "b"], seed=1).matrix
    even, given_ = HyperLabelModel().fit(matrix), HyperLabelModel().fit(matrix, class_balance=[0.9, 0.1])
    odds = [model.predict_proba(matrix)[:, 1] / model.predict_proba(matrix)[:, 0] for model in (even, given_)]
    assert np.allclose(odds[1], odds[0] * 0.1 / 0.9)


def test_what_the_user_expects_of_a_function_is_heard():
    matrix = simulate(500, 5, ["a", "b"], accuracy=(0.6, 0.7), seed=1).matrix
    plain, told = HyperLabelModel().fit(matrix), HyperLabelModel().fit(matrix, accuracies={"f2": (0.99, 1e6)})
    odds = np.ptp(told.weights_[2], axis=1)
    assert np.allclose(odds, np.log(99), atol=0.05) and (odds > np.ptp(plain.weights_[2], axis=1)).all()


def test_many_patterns_are_sampled_and_say_the_same(monkeypatch):
    made = simulate(20_000, 12, ["a", "b"], coverage=(0.5, 0.9), seed=2)
    whole = HyperLabelModel().fit(made.matrix).predict_proba(made.matrix)
    monkeypatch.setattr("consilience.label_models.hyper.MOST_CELLS", 20_000)
    sampled = HyperLabelModel().fit(made.matrix).predict_proba(made.matrix)
    assert np.abs(whole - sampled).mean() < 0.03 and not np.array_equal(whole, sampled)
