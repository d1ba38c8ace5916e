"""Functions that copy one another: what a pair says together is a table of its own, and is counted once."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import DawidSkene
from consilience.errors import ModelError
from consilience.label_models.edges import EdgeTables, components, forest
from consilience.testing import simulate


@given(st.integers(1, 9).flatmap(lambda m: st.tuples(st.just(m), st.lists(st.tuples(*[st.integers(0, m - 1)] * 2)))))
def test_a_forest_connects_what_the_pairs_connect_and_has_no_circles(made):
    m, pairs = made
    pairs = [(a, b) for a, b in pairs if a != b]
    edges = forest(pairs, m)
    assert components(edges, m) == components(pairs, m)
    assert len(edges) == m - len(components(edges, m))
    assert len({child for _, child in edges}) == len(edges), "a function is the child of two edges"


def test_all_rows_of_votes_together_have_probability_one():
    """Enumeration: with edges 0 -> 1, 1 -> 2 and function 3 alone, given each class."""
    rng = np.random.default_rng(0)
    m, k, s = 4, 2, 3
    votes = np.array(list(itertools.product(range(-1, k), repeat=m)))
    edges = [(0, 1), (1, 2)]
    theta = rng.dirichlet(np.ones(s), (m, k))
    pair = rng.dirichlet(np.ones(s), (len(edges), k, s))
    ratio = EdgeTables(votes, edges, k, k).log_ratio(theta, pair)
    for y in range(k):
        by_hand = []
        for row in votes + 1:
            p = theta[0, y, row[0]] * pair[0, y, row[0], row[1]] * pair[1, y, row[1], row[2]] * theta[3, y, row[3]]
            by_hand.append(p)
        fast = np.exp(ratio[y] + sum(np.log(theta[j, y, votes[:, j] + 1]) for j in range(m)))
        assert np.allclose(fast, by_hand) and math.isclose(sum(by_hand), 1)


def test_conditionals_are_weighted_shares_drawn_to_independence():
    votes, weights = np.array([[0, 0], [0, 1], [1, 1]]), np.array([[1.0, 3.0, 2.0]])
    theta = np.array([[[0.2, 0.3, 0.5]], [[0.1, 0.6, 0.3]]])
    found = EdgeTables(votes, [(0, 1)], 1, 2).conditionals(weights, theta, 2.0)
    assert np.allclose(found[0, 0, 1], [2 * 0.1 / 6, (1 + 2 * 0.6) / 6, (3 + 2 * 0.3) / 6])
    assert np.allclose(found[0, 0, 0], theta[1, 0]), "no evidence: the child does not depend on its parent"


@pytest.mark.parametrize(
    ("balance", "names"), [([0.5, 0.5], "ab"), ([0.8, 0.2], "ab"), ([0.5, 0.3, 0.15, 0.05], "abcd")]
)
def test_copies_that_are_named_do_no_harm(balance, names):
    made = simulate(20_000, 10, list(names), balance=balance, class_dependent=len(names) == 2, copies=3, seed=2)
    matrix, pairs = made.matrix, [("f9", "f0"), ("f8", "f1"), ("f7", "f2")]
    said = matrix.votes >= 0
    share_right = ((matrix.votes == made.truth[:, None]) & said).sum(axis=0) / said.sum(axis=0)
    plain, aware = DawidSkene().fit(matrix), DawidSkene(dependencies=pairs).fit(matrix)
    right = [(model.predict_codes(matrix) == made.truth)[matrix.covered].mean() for model in (plain, aware)]
    assert right[1] > right[0] + 0.03
    assert np.abs(aware.accuracies_ - share_right).max() < 0.02 < np.abs(plain.accuracies_ - share_right).max()


def test_dependencies_are_saved(tmp_path):
    matrix = simulate(500, 5, ["a", "b"], copies=1, seed=1).matrix
    model = DawidSkene(dependencies=[("f4", "f0")]).fit(matrix)
    model.save(tmp_path / "model.npz")
    again = DawidSkene.load(tmp_path / "model.npz")
    assert again.dependencies == [["f4", "f0"]] and again.edges_ == [("f0", "f4")]
    assert np.array_equal(model.predict_proba(matrix), again.predict_proba(matrix))


@pytest.mark.parametrize("pair", [("f0",), ("f0", "f0"), ("f0", "nobody")])
def test_a_pair_that_is_none_is_refused(pair):
    with pytest.raises(ModelError, match=r"is no pair of functions.\nFix"):
        DawidSkene(dependencies=[pair]).fit(simulate(50, 3, ["a", "b"]).matrix)
