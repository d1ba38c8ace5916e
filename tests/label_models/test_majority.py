"""Majority vote: shares of the votes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.counting import majority
from tests.strategies import class_names, partial_votes, vote_matrices

from consilience import LabelMatrix, Labels, MajorityVote


@given(vote_matrices())
def test_agrees_with_counting_row_by_row(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = MajorityVote().fit(matrix)
    shares = np.array(majority(votes.tolist(), k))
    assert np.allclose(model.predict_proba(matrix), shares)
    covered = (votes >= 0).any(axis=1)
    if covered.any():
        assert np.allclose(model.class_balance_, shares[covered].mean(axis=0))
    for j in range(votes.shape[1]):
        said = votes[:, j] >= 0
        agrees = shares[said, votes[said, j]].mean() if said.any() else np.nan
        assert np.isclose(model.accuracies_[j], agrees, equal_nan=True)


@given(vote_matrices(), st.data())
def test_known_classes_count_as_such_in_what_is_reported(made, data):
    votes, k = made
    gold = data.draw(st.lists(st.integers(-1, k - 1), min_size=len(votes), max_size=len(votes)))
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = MajorityVote().fit(matrix, gold=matrix.labels.decode(gold))
    shares = np.array(majority(votes.tolist(), k))
    known = np.array(gold) >= 0
    shares[known] = np.eye(k)[np.array(gold)[known]]
    counted = (votes >= 0).any(axis=1) | known
    if counted.any():
        assert np.allclose(model.class_balance_, shares[counted].mean(axis=0))
    assert np.allclose(model.predict_proba(matrix), majority(votes.tolist(), k))


@given(partial_votes())
def test_a_vote_for_a_set_is_shared_out_evenly_and_right_if_the_class_is_in_it(made):
    votes, meanings, k = made
    names = class_names(k)
    groups = {f"g{place}": [names[y] for y in group] for place, group in enumerate(meanings[k:])}
    matrix = LabelMatrix.from_votes(votes, Labels(*names, groups=groups))
    model = MajorityVote().fit(matrix)
    shares = []
    for row in votes.tolist():
        said = [meanings[vote] for vote in row if vote >= 0]
        whole = [sum((y in group) / len(group) for group in said) for y in range(k)]
        shares.append([value / len(said) for value in whole] if said else [1 / k] * k)
    assert np.allclose(model.predict_proba(matrix), shares)
    for j in range(votes.shape[1]):
        agrees = [sum(shares[i][y] for y in meanings[vote]) for i, vote in enumerate(votes[:, j].tolist()) if vote >= 0]
        assert np.isclose(model.accuracies_[j], np.mean(agrees) if agrees else np.nan, equal_nan=True)
