"""The summary: coverage, overlap, conflict and accuracy of each function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.counting import any_share, shares
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, apply, labeling_function, read
from consilience.metrics import wilson


@given(vote_matrices(), st.data())
def test_agrees_with_counting_row_by_row(made, data):
    votes, k = made
    gold = data.draw(st.lists(st.integers(-1, k - 1), min_size=len(votes), max_size=len(votes)))
    names = [None if code < 0 else f"c{code}" for code in gold]
    summary = LabelMatrix.from_votes(votes, class_names(k), gold=names).summary()
    for j, line in enumerate(summary.lines):
        assert (line.coverage, line.overlap, line.conflict) == pytest.approx(shares(votes.tolist(), j))
        scored = [(vote, code) for vote, code in zip(votes[:, j].tolist(), gold, strict=True) if vote >= 0 <= code]
        assert line.n_gold == len(scored) and line.votes == sum(votes[:, j] >= 0)
        right = sum(vote == code for vote, code in scored)
        assert np.allclose(line.accuracy, wilson(right, len(scored)), equal_nan=True)
        assert set(line.says) == {f"c{vote}" for vote in votes[:, j].tolist() if vote >= 0}
    assert (summary.coverage, summary.overlap, summary.conflict) == pytest.approx(any_share(votes.tolist()))
    assert summary.n_patterns == len({tuple(row) for row in votes.tolist()})


def test_columns_appear_when_there_is_something_to_say():
    bare = LabelMatrix.from_votes([[0], [-1]], ["ham"]).summary()
    assert bare.frame.columns == ["function", "says", "votes", "coverage", "overlap", "conflict"]
    assert "no gold" in str(bare)
    scored = LabelMatrix.from_votes([[0], [-1]], ["ham"], gold=["ham", None]).summary()
    assert scored.frame.columns[-4:] == ["gold", "accuracy", "low", "high"] and "1 with gold" in str(scored)


def test_a_function_that_broke_is_noted_with_its_first_row_and_reason():
    @labeling_function("ham")
    def breaks(row):
        return {}[row.text]

    summary = apply([breaks], read([{"id": "r1", "text": "a"}, {"id": "r2", "text": "b"}])).summary()
    assert summary.frame["errors"].to_list() == [2]
    assert "breaks failed on 2 rows and abstained, first on row r1: KeyError: 'a'" in str(summary)


def test_no_rows_have_no_shares():
    summary = LabelMatrix.from_votes(np.empty((0, 1), int), ["ham"]).summary()
    assert summary.n_rows == 0 and summary.lines[0].coverage == 0.0


@given(vote_matrices())
def test_a_large_matrix_has_the_same_figures_without_its_patterns(made):
    votes, k = made
    small = LabelMatrix.from_votes(votes, class_names(k)).summary()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consilience.labeling.summary.COUNT_PATTERNS", -1)
        large = LabelMatrix.from_votes(votes, class_names(k)).summary()
    assert large.n_patterns is None
    assert [line.votes for line in large.lines] == [line.votes for line in small.lines]
    assert large.view().rows == small.view().rows
    assert (large.coverage, large.overlap, large.conflict) == pytest.approx(
        (small.coverage, small.overlap, small.conflict)
    )


@given(vote_matrices())
def test_counted_rows_have_the_shares_of_the_rows_they_count(made):
    votes, k = made
    whole = LabelMatrix.from_votes(votes, class_names(k))
    counted = LabelMatrix.from_counts(whole.patterns.votes, whole.patterns.counts, class_names(k))
    assert str(counted.summary()) == str(whole.summary())
