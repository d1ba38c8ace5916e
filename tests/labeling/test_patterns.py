"""Patterns: the distinct rows of votes and their counts, however many words a row needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.counting import patterns
from tests.strategies import vote_matrices, wide_votes

from consilience.labeling.patterns import columns_per_word, find_patterns, pack

SMALL = [np.int8, np.int16, np.int64]


@given(vote_matrices(min_rows=0) | wide_votes(), st.sampled_from(SMALL))
def test_agrees_with_counting_rows_one_by_one(made, dtype):
    votes, n_classes = made[0].astype(dtype), made[1]
    found = find_patterns(votes, n_classes)
    assert dict(zip(map(tuple, found.votes.tolist()), found.counts.tolist(), strict=True)) == patterns(votes)
    assert found.votes.dtype == dtype


@given(vote_matrices() | wide_votes())
def test_every_row_finds_its_pattern(made):
    votes, n_classes = made
    found = find_patterns(votes, n_classes)
    assert (found.votes[found.places(votes)] == votes).all()
    assert (np.bincount(found.places(votes), minlength=len(found)) == found.counts).all()
    assert (found.n_votes == (found.votes >= 0).sum(axis=1)).all()


@given(vote_matrices() | wide_votes(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made, random):
    votes, n_classes = made
    order = list(range(len(votes)))
    random.shuffle(order)
    first, second = find_patterns(votes, n_classes), find_patterns(votes[order], n_classes)
    assert (first.votes == second.votes).all() and (first.counts == second.counts).all()


@pytest.mark.parametrize("n_classes", [1, 2, 3, 9, 125, 126, 1000])
def test_as_many_columns_as_fit_share_a_word(n_classes):
    fits = columns_per_word(n_classes)
    highest = np.full((1, fits), n_classes - 1, np.int16)
    (word,) = pack(highest, n_classes)
    assert int(word[0]) == (n_classes + 1) ** fits - 1 <= 2**64 - 1
    assert len(pack(np.full((1, fits + 1), -1, np.int16), n_classes)) == 2


def test_no_functions_make_one_pattern_of_all_rows():
    found = find_patterns(np.empty((3, 0), np.int8), 2)
    assert found.counts.tolist() == [3] and found.votes.shape == (1, 0)
