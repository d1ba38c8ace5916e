"""Weighted vote: agrees with loops, takes accuracies from the user, gold or the majority, and counts sets of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.weighted import weighted_vote
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, Labels, MajorityVote
from consilience.errors import ModelError
from consilience.label_models import WeightedVote
from consilience.testing import simulate


@given(vote_matrices(), st.sampled_from([1, 2]))
def test_agrees_with_loops(made, rounds):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = WeightedVote(prior_strength=3.0, rounds=rounds).fit(matrix)
    weights, proba = weighted_vote(votes.tolist(), k, strength=3.0, rounds=rounds)
    voted = (votes >= 0).any(axis=0)
    assert np.allclose(model.weights_[voted], np.array(weights)[voted]) and np.isnan(model.weights_[~voted]).all()
    assert np.allclose(model.predict_proba(matrix), proba)


def test_with_the_true_accuracies_it_is_as_good_as_knowing_the_tables():
    made = simulate(20_000, 9, class_names(2), accuracy=(0.55, 0.95), coverage=(0.5, 0.9), seed=2)
    told = dict(zip(made.matrix.names, made.accuracies.tolist(), strict=True))
    model = WeightedVote().fit(made.matrix, accuracies=told)
    covered = made.matrix.covered
    right = (model.predict_codes(made.matrix) == made.truth)[covered].mean()
    counted = (MajorityVote().fit(made.matrix).predict_codes(made.matrix) == made.truth)[covered].mean()
    assert right > (made.bayes_codes() == made.truth)[covered].mean() - 0.001 and right > counted + 0.02
    assert np.allclose(model.accuracies_, made.accuracies)


def test_gold_decides_for_functions_with_enough_of_it():
    made = simulate(600, 5, class_names(2), accuracy=(0.55, 0.95), coverage=(0.8, 0.9), seed=3)
    names = made.matrix.labels.decode(made.truth.tolist())
    gold = WeightedVote(prior_strength=1e-6).fit(made.matrix, gold=names)
    said = made.matrix.votes >= 0
    right = [(made.matrix.votes[said[:, j], j] == made.truth[said[:, j]]).mean() for j in range(5)]
    assert np.allclose(gold.accuracies_, right)
    assert np.allclose(gold.class_balance_, np.bincount(made.truth) / 600)
    few = [name if place < 5 else None for place, name in enumerate(names)]
    assert (
        np.abs(
            WeightedVote().fit(made.matrix, gold=few).accuracies_ - WeightedVote().fit(made.matrix).accuracies_
        ).max()
        < 0.02
    )


def test_what_the_user_says_is_not_drowned_in_agreement_but_gold_may_move_it():
    matrix = LabelMatrix.from_votes([[0, 0, 1]] * 5000 + [[1, 1, 0]] * 5000, ["a", "b"])
    model = WeightedVote().fit(matrix, accuracies={"f2": 0.98, "f0": 0.6, "f1": 0.6})
    assert model.accuracies_[2] == 0.98 and model.predict(matrix)[0] == "b"
    gold = ["a"] * 50 + [None] * 9950
    assert np.isclose(WeightedVote().fit(matrix, accuracies={"f2": 0.98}, gold=gold).accuracies_[2], 98 / 150)


def test_rounds_end_when_nothing_changes():
    made = simulate(500, 6, class_names(3), seed=4)
    model = WeightedVote(rounds=50).fit(made.matrix)
    assert 1 < model.n_rounds_ < 50
    again = WeightedVote(rounds=model.n_rounds_ + 20).fit(made.matrix)
    assert np.array_equal(again.weights_, model.weights_)


def test_a_function_worse_than_chance_counts_against_what_it_says():
    matrix = LabelMatrix.from_votes([[0, 0, 0, 1], [1, 1, 1, 0]] * 50, ["a", "b"])
    model = WeightedVote().fit(matrix)
    assert model.weights_[3] < 0
    assert model.predict(LabelMatrix.from_votes([[-1, -1, -1, 0]], ["a", "b"])) == ["b"]


def test_sets_of_labels_count_for_each_of_them_and_less_as_chance_is_better_at_them():
    labels = Labels("a", "b", "c", groups={"ab": ["a", "b"]})
    matrix = LabelMatrix.from_votes([[3, 0], [3, 1], [2, 2]] * 30, labels)
    model = WeightedVote().fit(matrix, accuracies={"f0": 0.9, "f1": 0.9})
    proba = model.predict_proba(LabelMatrix.from_votes([[3, -1], [3, 0], [0, -1]], labels))
    assert np.allclose(proba[0], [0.45, 0.45, 0.1]) and np.allclose(proba[2], [0.9, 0.05, 0.05])
    assert proba[1].argmax() == 0


@pytest.mark.parametrize("options", [{"prior_strength": 0}, {"rounds": 0}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"WeightedVote\(.*cannot be.\nFix"):
        WeightedVote(**options)
