"""Functions two by two: counts, agreement beyond chance, and which could be dropped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.reference import pairs as reference
from tests.strategies import class_names, partial_votes, vote_matrices, wide_votes

from consilience import LabelMatrix, Labels
from consilience.labeling.agreement import agreement


@given(vote_matrices())
def test_counts_are_those_of_going_row_by_row(made):
    votes, k = made
    found = agreement(LabelMatrix.from_votes(votes, class_names(k)))
    for i, j in np.ndindex(found.both.shape):
        both, agree, same = reference.agreement(votes.tolist(), [{y} for y in range(k)], i, j)
        assert (found.both[i, j], found.agree[i, j], found.same[i, j]) == (both, agree, same)
        assert found.kappa[i, j] == pytest.approx(reference.kappa(votes.tolist(), i, j))
    assert found.only.tolist() == [
        sum((row >= 0).sum() == 1 and row[j] >= 0 for row in votes) for j in range(len(votes.T))
    ]


@given(partial_votes())
def test_votes_for_sets_agree_if_one_label_satisfies_both(made):
    votes, allowed, k = made
    names = class_names(k)
    labels = Labels(*names, groups={f"g{i}": [names[y] for y in members] for i, members in enumerate(allowed[k:])})
    found = agreement(LabelMatrix.from_votes(votes, labels))
    for i, j in np.ndindex(found.both.shape):
        assert found.agree[i, j] == reference.agreement(votes.tolist(), allowed, i, j)[1]


@given(wide_votes())
def test_many_functions_and_labels(made):
    votes, k = made
    found = agreement(LabelMatrix.from_votes(votes, class_names(k)))
    assert np.array_equal(found.both, (votes >= 0).T.astype(int) @ (votes >= 0))
    assert (found.disagree >= 0).all() and np.array_equal(found.agree, found.agree.T)


@given(vote_matrices())
def test_dropping_what_is_implied_loses_only_what_is_said(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    dropped = agreement(matrix).implied(1.0)
    kept = [name for name in matrix.names if name not in {line.function for line in dropped}]
    for line in dropped:
        own = matrix.votes[:, matrix.column(line.function)]
        other = matrix.votes[:, matrix.column(line.by)]
        assert np.array_equal(own[own >= 0], other[own >= 0]) and line.by in kept and line.lost == 0
    assert not dropped or np.array_equal(matrix.only(*kept).covered, matrix.covered)


def test_of_equal_functions_one_stays():
    found = agreement(LabelMatrix.from_votes([[0, 0, 0], [1, 1, 1], [-1, -1, -1]], ["a", "b"], names=["x", "y", "z"]))
    assert len(found.implied()) == 2
    assert {line.kappa for line in found.implied()} == {1.0}
    assert "could" not in str(found.conflicts_view()) and "0 of 3 pairs contradict" in str(found.conflicts_view())


def test_nothing_to_compare():
    for votes in (np.empty((0, 2), int), np.full((3, 2), -1), np.full((3, 1), 0)):
        found = agreement(LabelMatrix.from_votes(votes, ["a", "b"]))
        assert found.pairs() == [] and found.implied() == []
        assert str(found.conflicts_view()) and str(found.redundant_view())


def test_counted_rows_count_as_often_as_they_occur():
    found = agreement(LabelMatrix.from_counts([[0, 1], [0, 0]], [1000, 1], ["a", "b"]))
    assert found.disagree[0, 1] == 1000 and found.n_rows == 1001
