"""Extended votes: what they keep, what they add, how far they reach, and what they are good for."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import consilience as cs
from consilience.errors import DataError, VoteError
from consilience.label_models import Epoxy
from consilience.labeling.extend import EmbeddingExtender
from consilience.labeling.matrix import LabelMatrix

LABELS = ["low", "high"]


def matrix_of(votes, gold=None, ids=None):
    names = None if gold is None else [LABELS[code] for code in gold]
    return LabelMatrix.from_votes(votes, LABELS, ids=ids, gold=names)


def digits_task(seed):
    """Is a digit 5 or more? Ten functions, each speaks of 12% of the rows of five digits, and is right on 87%."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    pixels, digit = load_digits(return_X_y=True)
    order = rng.permutation(len(pixels))
    pixels, digit = pixels[order], digit[order]
    truth = (digit >= 5).astype(int)
    vectors = PCA(20, random_state=0).fit_transform(pixels)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    votes = np.full((len(digit), 10), -1)
    for j in range(10):
        rows = np.flatnonzero(np.isin(digit, rng.choice(10, 5, replace=False)))
        rows = rows[rng.random(len(rows)) < 0.12]
        votes[rows, j] = np.where(rng.random(len(rows)) < 0.87, truth[rows], 1 - truth[rows])
    return votes, vectors, truth


def test_digits_are_told_apart_by_functions_of_little_coverage():
    """The acceptance of Chen et al.'s method on 1100 train and 150 dev rows, three draws; the bars are ours."""
    from sklearn.linear_model import LogisticRegression

    plain, extended, blind, probe = [], [], [], []
    for seed in range(3):
        votes, vectors, truth = digits_task(seed)
        train, dev, test = slice(0, 1100), slice(1100, 1250), slice(1250, None)
        parts = [matrix_of(votes[part], truth[part]) for part in (train, dev, test)]
        model = Epoxy().fit(parts[0], vectors[train], dev=parts[1], dev_embeddings=vectors[dev])
        extended.append((model.predict_codes(parts[2], vectors[test]) == truth[test]).mean())
        model = Epoxy().fit(parts[0], vectors[train])
        blind.append((model.predict_codes(parts[2], vectors[test]) == truth[test]).mean())
        plain.append((cs.LabelModel().fit(parts[0]).predict_codes(parts[2]) == truth[test]).mean())
        line = LogisticRegression(max_iter=1000).fit(vectors[dev], truth[dev])
        probe.append(line.score(vectors[test], truth[test]))
    assert np.mean(extended) >= np.mean(plain) + 0.15
    assert np.mean(extended) >= np.mean(probe) + 0.05
    assert np.mean(blind) >= np.mean(plain) + 0.15  # the rule that needs no gold


@pytest.mark.parametrize(("metric", "nothing", "all_of_it"), [("cosine", 1.0, -1.1), ("l2", 0.0, np.inf)])
def test_votes_that_were_cast_stay_and_the_smallest_radius_adds_none(metric, nothing, all_of_it):
    votes, vectors, _ = digits_task(0)
    matrix = matrix_of(votes)
    extender = EmbeddingExtender(metric=metric, radii=nothing).fit(matrix, vectors)
    assert np.array_equal(extender.transform(matrix, vectors).votes, votes)
    assert not extender.coverage_gain_.any()
    extender = EmbeddingExtender(metric=metric, radii=all_of_it).fit(matrix, vectors)
    found = extender.transform(matrix, vectors).votes
    assert np.array_equal(found[votes >= 0], votes[votes >= 0])
    assert (found >= 0).mean() > 0.99
    assert extender.coverage_gain_ == pytest.approx((found >= 0).mean(axis=0) - (votes >= 0).mean(axis=0))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_order_of_rows_and_functions_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    votes = np.where(rng.random((40, 4)) < 0.4, rng.integers(0, 2, (40, 4)), -1)
    vectors = rng.normal(size=(40, 5))
    rows, columns = rng.permutation(40), rng.permutation(4)
    turned = LabelMatrix.from_votes(votes[rows][:, columns], LABELS, ids=rows, names=[f"f{j}" for j in columns])
    one = EmbeddingExtender().fit(matrix_of(votes), vectors)
    two = EmbeddingExtender().fit(turned, vectors[rows])
    assert one.radii_[columns] == pytest.approx(two.radii_, abs=1e-5)
    fixed = EmbeddingExtender(radii=0.3)
    here = fixed.fit(matrix_of(votes), vectors).transform(matrix_of(votes), vectors).votes
    there = fixed.fit(turned, vectors[rows]).transform(turned, vectors[rows]).votes
    assert np.array_equal(here[rows][:, columns], there)


def world(seed, n=3000, d=10, m=8, accuracy=0.9, coverage=0.08, noise=0.6):
    """Functions that vote on a few rows of two clouds each, whose vectors tell the class."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, d))
    cloud = rng.integers(0, 12, n)
    truth = cloud % 2
    vectors = centres[cloud] + noise * rng.normal(size=(n, d))
    speaks = rng.random((n, m)) < coverage
    votes = np.where(speaks, np.where(rng.random((n, m)) < accuracy, truth[:, None], 1 - truth[:, None]), -1)
    return votes, vectors, truth, rng


def test_functions_reach_far_where_vectors_tell_the_class_and_nowhere_where_they_do_not():
    votes, vectors, truth, rng = world(0)
    told = EmbeddingExtender().fit(matrix_of(votes), vectors)
    assert (told.radii_ < 1).all()
    assert (told.coverage_gain_ > 0.3).all()
    new = (told.transform(matrix_of(votes), vectors).votes == truth[:, None])[votes < 0].mean()
    assert new > 0.5
    lost = EmbeddingExtender().fit(matrix_of(votes), rng.normal(size=vectors.shape))
    assert lost.coverage_gain_.mean() < 0.02


def test_the_estimate_of_how_often_extended_votes_are_right_is_near_the_truth():
    votes, vectors, truth, _ = world(1)
    extender = EmbeddingExtender().fit(matrix_of(votes), vectors)
    found = extender.transform(matrix_of(votes), vectors).votes
    new = (found >= 0) & (votes < 0)
    right = np.array([(found[new[:, j], j] == truth[new[:, j]]).mean() for j in range(votes.shape[1])])
    assert extender.est_vote_precision_ == pytest.approx(right, abs=0.12)


def test_a_function_near_chance_is_not_extended():
    votes, vectors, _, rng = world(2)
    spoken = votes[:, 0] >= 0
    votes[spoken, 0] = rng.integers(0, 2, spoken.sum())
    extender = EmbeddingExtender().fit(matrix_of(votes), vectors)
    assert extender.radii_[0] == 1
    assert np.isnan(extender.est_vote_precision_[0])
    assert (extender.radii_[1:] < 1).all()


def test_distances_learn_radii_too():
    votes, vectors, truth, _ = world(3)
    extender = EmbeddingExtender(metric="l2").fit(matrix_of(votes), vectors)
    assert (extender.radii_ > 0).any()
    found = extender.transform(matrix_of(votes), vectors).votes
    assert (found == truth[:, None])[(votes < 0) & (found >= 0)].mean() > 0.75


def test_gold_may_stop_extending():
    """Dev rows whose extended votes are all wrong: nothing is extended then."""
    votes, vectors, truth, _ = world(4)
    train, dev = np.arange(2000), np.arange(2000, 3000)
    said = votes[dev] >= 0
    wrong = matrix_of(np.where(said, 1 - votes[dev], -1), 1 - truth[dev])
    extender = EmbeddingExtender().fit(matrix_of(votes[train]), vectors[train], dev=wrong, dev_embeddings=vectors[dev])
    assert not extender.coverage_gain_.any()


def test_support_is_the_train_rows_alone():
    """What other rows say never reaches a third row."""
    train = matrix_of([[0], [-1]])
    extender = EmbeddingExtender(radii=0.5).fit(train, np.eye(2))
    others = matrix_of([[1], [-1]], ids=[7, 8])
    assert extender.transform(others, [[0.0, 1.0], [0.0, 1.0]]).votes.tolist() == [[1], [-1]]


def test_extend_keeps_dev_and_test_out_of_the_support():
    table = cs.read([{"text": f"{word} {k}", "y": "b"} for k in range(3) for word in ("ab", "cd")], gold="y")
    votes = LabelMatrix.from_votes([[0], [-1], [-1], [1], [-1], [-1]], ["a", "b"], ids=table.ids.to_list())
    vectors = np.array([[1, 0], [0, 1]] * 3)
    train, test = table.take([0, 1, 2]), table.take([3, 4, 5])
    assert cs.extend(votes, vectors, train=train, radii=0.5).votes.ravel().tolist() == [0, -1, 0, 1, 0, -1]
    assert cs.extend(votes, vectors, radii=0.5).votes.ravel().tolist() == [0, 1, 0, 1, 0, 1]
    checked = cs.extend(votes, vectors, dev=test, radii=0.5)
    assert checked.votes.ravel().tolist() == [0, -1, 0, 1, 0, -1]


def test_groups_of_labels_are_carried_over_as_they_are():
    labels = cs.Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    train = LabelMatrix.from_votes([[3, 2], [2, -1]], labels)
    rows = LabelMatrix.from_votes([[-1, -1]], labels, ids=[5])
    extender = EmbeddingExtender(radii=0.5).fit(train, np.eye(2))
    assert extender.transform(rows, [[1.0, 0.1]]).votes.tolist() == [[3, 2]]
    assert EmbeddingExtender().fit(train, np.eye(2)).radii_.shape == (2,)


@pytest.mark.parametrize("votes", [np.full((5, 2), -1), np.zeros((5, 2), int), np.empty((0, 2), int)])
def test_votes_that_teach_nothing_extend_nothing(votes):
    vectors = np.random.default_rng(0).normal(size=(len(votes), 3))
    extender = EmbeddingExtender().fit(matrix_of(votes), vectors)
    assert np.array_equal(extender.transform(matrix_of(votes), vectors).votes, votes)


def test_rows_without_direction_abstain():
    train = matrix_of([[0], [1], [-1]])
    extender = EmbeddingExtender(radii=-1.1).fit(train, [[1.0, 0], [0, 0], [0, 0]])
    found = extender.transform(train, [[1.0, 0], [0, 0], [0, 0]])
    assert found.votes.tolist() == [[0], [1], [-1]]


def test_what_cannot_be_is_said():
    matrix = matrix_of([[0, 1]])
    with pytest.raises(VoteError, match=r"There is no 'cosin' for an extender.\nFix: Did you mean 'cosine'"):
        EmbeddingExtender(metric="cosin")
    with pytest.raises(VoteError, match=r"are none for 2 functions.\nFix: "):
        EmbeddingExtender(radii=[0.1, 0.2, 0.3]).fit(matrix, [[1.0]])
    with pytest.raises(VoteError, match=r"no votes yet.\nFix: "):
        EmbeddingExtender().transform(matrix, [[1.0]])
    fitted = EmbeddingExtender(radii=0.5).fit(matrix, [[1.0]])
    with pytest.raises(VoteError, match=r"The matrix has functions"):
        fitted.transform(matrix.only("f0"), [[1.0]])
    with pytest.raises(DataError, match=r"1 rows of 1 dimensions"):
        fitted.transform(matrix, [[1.0, 2.0]])
    with pytest.raises(VoteError, match=r"no embeddings.\nFix: "):
        EmbeddingExtender().fit(matrix, [[1.0]], dev=matrix)
    with pytest.raises(VoteError, match=r"None of the dev rows has gold.\nFix: "):
        EmbeddingExtender().fit(matrix, [[1.0]], dev=matrix, dev_embeddings=[[1.0]])
    with pytest.raises(VoteError, match=r"None of the train rows"):
        cs.extend(matrix, [[1.0]], train=cs.Table(pl.DataFrame({"id": [9]}), text=None))
