"""What is believed of rows: a label model's word or smoothed shares, gold above both, and one function left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, MajorityVote
from consilience.errors import VoteError
from consilience.labeling.beliefs import Beliefs, openness, smoothed_shares, vote_shares


@given(vote_matrices(), st.data())
def test_a_function_left_out_counts_as_if_it_were_not_there(made, data):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    j = data.draw(st.integers(0, votes.shape[1] - 1))
    silent = votes.copy()
    silent[:, j] = -1
    proba, covered = Beliefs(matrix).of_rows(without=j)
    expected, expected_covered = Beliefs(LabelMatrix.from_votes(silent, class_names(k))).of_rows()
    assert np.allclose(proba, expected) and np.array_equal(covered, expected_covered)
    assert np.allclose(proba.sum(axis=1), 1)


@given(vote_matrices())
def test_smoothed_shares_are_shares_with_one_vote_more(made):
    votes, k = made
    shares = smoothed_shares(LabelMatrix.from_votes(votes, class_names(k)))
    total = max(int((votes >= 0).sum()), 1)
    prior = [(int((votes == y).sum()) / total) if (votes >= 0).any() else 1 / k for y in range(k)]
    for row, share in zip(votes.tolist(), shares, strict=True):
        n = sum(vote >= 0 for vote in row)
        assert share == pytest.approx([(row.count(y) + prior[y]) / (n + 1) for y in range(k)], abs=1e-6)


@given(vote_matrices())
def test_plain_shares_are_those_of_majority_vote(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    assert np.allclose(vote_shares(matrix), MajorityVote().fit(matrix).predict_proba(matrix))


def test_gold_is_known_and_counts_as_evidence():
    matrix = LabelMatrix.from_votes([[0], [-1], [-1]], ["a", "b"], gold=["b", "a", None])
    proba, covered = Beliefs(matrix).of_rows()
    assert proba[:2].tolist() == [[0, 1], [1, 0]] and covered.tolist() == [True, True, False]
    assert openness(proba, covered).tolist() == [0, 0, 1]


def test_a_label_model_is_believed():
    matrix = LabelMatrix.from_votes([[0, 0], [1, -1], [0, 1]], ["a", "b"])
    model = MajorityVote().fit(matrix)
    assert np.allclose(Beliefs(matrix, model.predict_proba).of_rows()[0], model.predict_proba(matrix))


def test_what_are_no_probabilities_is_an_error():
    matrix = LabelMatrix.from_votes([[0], [1]], ["a", "b"])
    for wrong in (np.ones((2, 3)), np.full((2, 2), np.nan), np.full((2, 2), -1.0)):
        with pytest.raises(VoteError, match=r"are not those of 2 rows and 2 labels.\nFix: give the predict_proba"):
            Beliefs(matrix, lambda _, wrong=wrong: wrong).of_rows()
