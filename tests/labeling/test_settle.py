"""The pair that contradicts each other most, and what would settle it."""

from __future__ import annotations

from hypothesis import given
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix
from consilience.labeling.settle import worst_quarrel


@given(vote_matrices())
def test_it_is_the_pair_with_most_contradictions(made):
    votes, k = made
    m = votes.shape[1]
    most = max(
        (sum(row[i] >= 0 <= row[j] and row[i] != row[j] for row in votes) for i in range(m) for j in range(i)),
        default=0,
    )
    found = worst_quarrel(LabelMatrix.from_votes(votes, class_names(k)))
    assert (found is None) == (most == 0) and (found is None or found.rows == most)


def test_gold_settles_it_before_other_functions_do():
    votes = [[0, 1, 1]] * 20
    matrix = LabelMatrix.from_votes(votes, ["x", "y"], names=["a", "b", "c"], gold=["x"] * 12 + [None] * 8)
    found = worst_quarrel(matrix)
    assert found.gold == (12, 0, 0) and found.others == (0, 20, 0)
    assert found.advice().startswith("gold sides with a (12 of 12 times): let b be silent")
    assert "others" not in worst_quarrel(LabelMatrix.from_votes(votes, ["x", "y"])).advice()


def test_nothing_settles_it():
    found = worst_quarrel(LabelMatrix.from_votes([[0, 1]] * 3, ["x", "y"], names=["a", "not a name"]))
    assert found.query == "" and "label some of these 3 rows" in found.advice()
    assert "label some" in str(found.view(LabelMatrix.from_votes([[0, 1]] * 3, ["x", "y"], names=["a", "not a name"])))


def test_the_query_asks_for_the_rows():
    matrix = LabelMatrix.from_votes([[0, 1], [0, 0], [1, 0]], ["x", "y"], names=["a", "b"])
    found = worst_quarrel(matrix)
    assert matrix.where(found.query).ids.to_list() == [0, 2] == list(found.ids)
