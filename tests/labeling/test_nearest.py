"""Nearest supporters: as the plain version finds them, however the search is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.nearest import extended

from consilience.errors import DataError
from consilience.labeling import nearest
from consilience.labeling.extend import EmbeddingExtender
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.nearest import as_vectors, make_support, twins, unit

LABELS = ["ham", "spam", "eggs"]


def drawn(rng, n, m, d, k=3, coverage=0.4):
    """Votes and vectors that are far enough from ties to be told apart, a few of them twins."""
    votes = np.where(rng.random((n, m)) < coverage, rng.integers(0, k, (n, m)), -1)
    vectors = rng.normal(size=(n, d)) * rng.uniform(0.2, 5, (n, 1))
    for row in rng.integers(0, n, n // 5):
        vectors[row] = vectors[rng.integers(0, n)]
    return votes, vectors


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from(["cosine", "l2"]),
)
@settings(max_examples=60, deadline=None)
def test_votes_are_carried_over_as_in_the_plain_version(seed, n_train, n, m, d, metric):
    rng = np.random.default_rng(seed)
    train_votes, train = drawn(rng, n_train, m, d)
    votes, vectors = drawn(rng, n, m, d)
    if rng.random() < 0.5:
        vectors[rng.integers(0, n)] = train[rng.integers(0, n_train)]
        train[rng.integers(0, n_train)] = 0
    radii = rng.uniform(-1, 1, m) if metric == "cosine" else rng.uniform(0, 5, m)
    extender = EmbeddingExtender(metric=metric, radii=radii).fit(LabelMatrix.from_votes(train_votes, LABELS), train)
    found = extender.transform(LabelMatrix.from_votes(votes, LABELS), vectors).votes
    assert np.array_equal(found, extended(train_votes, train, votes, vectors, radii, metric))


def test_similarity_takes_the_largest_and_distance_the_smallest():
    """The public code of the paper keeps the directions of similarity for distances: then the farther class wins."""
    train = LabelMatrix.from_votes([[0], [1]], ["ham", "spam"])
    supporters = np.array([[1.0, 0.1], [0.0, 1.0]])
    asked = LabelMatrix.from_votes([[-1], [-1]], ["ham", "spam"], ids=[7, 8])
    rows = np.array([[1.0, 0.0], [0.1, 1.0]])
    for metric, radius in (("cosine", -1.0), ("l2", 99.0)):
        found = EmbeddingExtender(metric=metric, radii=radius).fit(train, supporters).transform(asked, rows)
        assert found.votes[:, 0].tolist() == [0, 1], metric


def test_long_vectors_do_not_win_by_their_length():
    train = LabelMatrix.from_votes([[0], [1]], ["ham", "spam"])
    extender = EmbeddingExtender(radii=0.0).fit(train, [[1.0, 0.0], [100.0, 100.0]])
    row = LabelMatrix.from_votes([[-1]], ["ham", "spam"], ids=[9])
    assert extender.transform(row, [[1.0, 0.1]]).votes.tolist() == [[0]]


def test_equally_near_supporters_that_disagree_leave_the_row_alone():
    train = LabelMatrix.from_votes([[0], [1]], ["ham", "spam"])
    row = LabelMatrix.from_votes([[-1]], ["ham", "spam"], ids=[9])
    for metric, radius in (("cosine", -1.0), ("l2", 99.0)):
        extender = EmbeddingExtender(metric=metric, radii=radius).fit(train, [[1.0, 0.0], [0.0, 1.0]])
        assert extender.transform(row, [[1.0, 1.0]]).votes.tolist() == [[-1]], metric


def test_twins_are_one_supporter_and_their_disagreement_is_a_tie():
    vectors = np.array([[1.0, 0.0], [1.0, 1e-9], [2.0, 0.0], [0.0, 1.0]])
    support = make_support(np.array([[0], [1], [0], [1]]), vectors)
    assert len(support.vectors) == 2
    assert support.nearest(vectors[:1]).votes.tolist() == [[-1]]
    assert support.group.tolist() == [0, 0, 0, 1]


def test_twins_round_alike():
    first, group = twins(np.array([[0.5, 0.2], [0.1, 0.1], [0.5, 0.2]]), 1e-3)
    assert first.tolist() == [0, 1]
    assert group.tolist() == [0, 1, 0]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("index", ["exact", "cells"])
def test_the_row_itself_is_left_out_where_asked(metric, index):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 4))
    votes = rng.integers(0, 2, (60, 1))
    support = make_support(votes, vectors, metric, index)
    found = support.nearest(vectors, support.group)
    near = -np.linalg.norm(vectors[:, None] - vectors, axis=2) if metric == "l2" else unit(vectors) @ unit(vectors).T
    np.fill_diagonal(near, -np.inf)
    assert np.array_equal(found.votes[:, 0], votes[near.argmax(axis=1), 0])
    assert np.allclose(found.nearness[:, 0], near.max(axis=1) * (-1 if metric == "l2" else 1), atol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_blocks_do_not_show(metric, monkeypatch):
    rng = np.random.default_rng(1)
    votes, vectors = drawn(rng, 300, 5, 6)
    whole = make_support(votes, vectors, metric).nearest(vectors)
    monkeypatch.setattr(nearest, "QUERIES", 7)
    monkeypatch.setattr(nearest, "SUPPORTERS", 11)
    cut = make_support(votes, vectors, metric).nearest(vectors)
    assert np.array_equal(whole.votes, cut.votes)
    assert np.allclose(whole.nearness, cut.nearness, atol=1e-5)


def clustered(rng, n, d, centres=40):
    """Vectors as texts have them: in clusters."""
    return rng.normal(size=(centres, d))[rng.integers(0, centres, n)] + 0.5 * rng.normal(size=(n, d))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("index", ["cells", "hnsw"])
def test_a_search_that_is_not_exact_finds_nearly_all(metric, index):
    if index == "hnsw":
        pytest.importorskip("faiss")
    rng = np.random.default_rng(2)
    vectors = clustered(rng, 3000, 16)
    votes = np.where(rng.random((3000, 4)) < 0.2, rng.integers(0, 3, (3000, 4)), -1)
    exact = make_support(votes, vectors, metric, "exact")
    quick = make_support(votes, vectors, metric, index)
    here, there = exact.nearest(vectors[:500]), quick.nearest(vectors[:500])
    same = np.isclose(here.nearness, there.nearness, atol=1e-5)
    assert same.mean() > 0.97
    assert np.array_equal(here.votes[same], there.votes[same])
    again = make_support(votes, vectors, metric, index).nearest(vectors[:500])
    assert np.array_equal(there.nearness, again.nearness)


def test_what_is_no_vector_is_said():
    with pytest.raises(DataError, match=r"shape \(3, 2\) do not belong to 4 rows.\nFix: "):
        as_vectors(np.zeros((3, 2)), 4)
    with pytest.raises(DataError, match=r"2 rows of 3 dimensions"):
        as_vectors(np.zeros((2, 2)), 2, 3)
    with pytest.raises(DataError, match=r"row 1 is not finite.\nFix: "):
        as_vectors([[0.0], [np.nan]], 2)
    with pytest.raises(DataError, match=r"no numbers.\nFix: "):
        as_vectors([["a"]], 1)


def test_lengths_neither_overflow_nor_vanish():
    assert np.allclose(unit(np.array([[3e200, 4e200], [3e-200, 4e-200], [0, 0]])), [[0.6, 0.8], [0.6, 0.8], [0, 0]])


def test_nothing_is_near_where_nobody_voted():
    support = make_support(np.full((3, 2), -1), np.eye(3))
    found = support.nearest(np.eye(3))
    assert (found.votes == -1).all()
    assert np.isneginf(found.nearness).all()
    assert support.nearest(np.empty((0, 3))).votes.shape == (0, 2)
