"""Buckets of mistakes: against gold, and against other functions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, apply, keywords, read
from consilience.errors import VoteError
from consilience.labeling.mistakes import disputes, majority_codes, mistakes, precision_view
from consilience.labeling.settle import worst_quarrel


@given(vote_matrices(), st.data())
def test_buckets_count_the_wrong_rows(made, data):
    votes, k = made
    gold = data.draw(st.lists(st.integers(-1, k - 1), min_size=len(votes), max_size=len(votes)))
    matrix = LabelMatrix.from_votes(votes, class_names(k), gold=[None if g < 0 else f"c{g}" for g in gold])
    for who in (*matrix.names, None):
        said = votes[:, matrix.column(who)] if who else majority_codes(matrix)
        wrong = Counter((f"c{s}", f"c{g}") for s, g in zip(said, gold, strict=True) if s >= 0 <= g and s != g)
        found = mistakes(matrix, who)
        assert {(b.said, b.truth): b.rows for b in found.buckets} == wrong
        assert found.n - found.right == sum(wrong.values())
        assert [b.rows for b in found.buckets] == sorted((b.rows for b in found.buckets), reverse=True)
        assert all(
            gold[row] == int(b.truth[1:]) and said[row] == int(b.said[1:]) for b in found.buckets for row in b.ids
        )


@given(vote_matrices())
def test_disputes_count_contradictions(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    wrong = Counter(
        (f"c{row[0]}", f"f{j}", f"c{row[j]}")
        for row in votes.tolist()
        for j in range(1, len(row))
        if row[0] >= 0 <= row[j] and row[0] != row[j]
    )
    assert {(b.said, b.other, b.truth): b.rows for b in disputes(matrix, "f0").buckets} == wrong


@given(vote_matrices())
def test_the_majority_is_what_most_say_and_nobody_else_as_often(made):
    votes, k = made
    for row, code in zip(votes.tolist(), majority_codes(LabelMatrix.from_votes(votes, class_names(k))), strict=True):
        (first, second) = [*Counter(vote for vote in row if vote >= 0).most_common(2), (-1, 0), (-1, 0)][:2]
        assert code == (first[0] if first[1] > second[1] else -1)


def test_probabilities_count_where_there_are_votes():
    matrix = LabelMatrix.from_votes([[0], [-1], [0]], ["a", "b"], gold=["b", "b", "a"])
    found = mistakes(matrix, np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2]]))
    assert (found.n, found.right, found.buckets[0].ids) == (2, 1, (0,))
    assert mistakes(matrix, np.array([1, -1, -1])).right == 1


def test_what_is_no_opinion_is_an_error():
    matrix = LabelMatrix.from_votes([[0], [1]], ["a", "b"])
    for wrong in (np.zeros((2, 3)), np.array([0.5, 0.5]), np.array([0, 2]), np.array([0])):
        with pytest.raises(VoteError, match=r"does not label 2 rows.\nFix: "):
            mistakes(matrix, wrong)
    with pytest.raises(VoteError, match="There is no function 'x'"):
        disputes(matrix, "x")


def test_the_table_shows_an_example_as_text():
    table = read(
        [{"id": "r1", "text": "win\x1b[31m cash", "y": "ham"}, {"id": "r2", "text": None, "y": "spam"}], gold="y"
    )
    matrix = apply({"cash": keywords("spam", ["cash"])}, table, labels=["ham", "spam"])
    shown = str(mistakes(matrix, "cash").view())
    assert "r1: win" in shown and "\x1b" not in shown and "0 of 1 agree" in shown
    assert "no row to compare" in str(disputes(matrix, "cash").view())
    assert precision_view(matrix, "cash").rows[0][:4] == ["spam", 1, 1, 0.0]


def test_counted_rows_count_as_often_as_they_occur():
    matrix = LabelMatrix.from_counts([[0, 1], [0, 0]], [1000, 1], ["a", "b"])
    found = disputes(matrix, "f0")
    assert (found.n, found.right, found.buckets[0].rows) == (1001, 1, 1000)
    assert worst_quarrel(matrix).rows == 1000
