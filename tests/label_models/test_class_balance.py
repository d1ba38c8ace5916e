"""The class balance from triples of votes: sums over triples are those of loops, and shares are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.moments import distinct_operator, distinct_products
from tests.strategies import class_names

from consilience import LabelMatrix
from consilience.label_models.base import gather
from consilience.label_models.class_balance import (
    _distinct,
    _distinct_products,
    estimate_class_balance,
    find_classes,
    jointly_diagonal,
    third_moments,
)
from consilience.label_models.cooccurrence import beliefs, co_occurrence
from consilience.label_models.matching import Match
from consilience.testing import simulate


@pytest.mark.parametrize("component", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 4], [0, 1, 0, 0, 1]])
@pytest.mark.parametrize("r", [1, 2, 3])
def test_sums_over_triples_are_those_of_loops(component, r):
    made = simulate(40, 5, class_names(r + 1), coverage=(0.4, 0.9), seed=r)
    evidence = gather(made.matrix, None)
    together = co_occurrence(evidence, np.array(component))
    scores = np.random.default_rng(0).normal(size=(len(together.function), r))
    place = {(j, s): a for a, (j, s) in enumerate(zip(together.function, together.symbol, strict=True))}
    mean = [sum(together.shares[a] * scores[a] for (j, _), a in place.items() if j == i) for i in range(5)]
    rows = [
        [(scores[place[j, v]] if (j, v) in place else np.zeros(r)) - mean[j] for j, v in enumerate(row)]
        for row in made.matrix.votes.tolist()
    ]
    fast, slow = _distinct_products(evidence, together, scores), distinct_products(rows, component)
    assert np.allclose(fast[0], slow[0]) and np.allclose(fast[1], slow[1])


@given(st.integers(3, 6), st.integers(1, 3), st.integers(0, 99))
def test_what_triples_see_is_the_sum_of_products(m, r, seed):
    seen = np.random.default_rng(seed).normal(size=(m, r, r))
    seen[-1] = np.eye(r) - seen[:-1].sum(axis=0)
    assert np.allclose(_distinct(seen), distinct_operator(list(seen)), atol=1e-8)


@given(st.integers(2, 8), st.integers(0, 99))
def test_matrices_with_common_axes_are_made_diagonal(k, seed):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(k, k)))[0]
    values = rng.normal(size=(3, k))
    found = jointly_diagonal(np.einsum("ia,na,ja->nij", axes, values, axes))
    assert np.allclose(found @ found.T, np.eye(k))
    assert np.allclose(np.sort(np.abs(found.T @ axes), axis=0)[-1], 1, atol=1e-6)


@pytest.mark.parametrize(
    "balance",
    [[0.5, 0.5], [0.8, 0.2], [0.1, 0.9], [0.6, 0.3, 0.1], [0.25, 0.25, 0.25, 0.25], [0.05, 0.15, 0.3, 0.5]],
)
@pytest.mark.parametrize("class_dependent", [False, True])
def test_shares_are_found(balance, class_dependent):
    made = simulate(20_000, 10, class_names(len(balance)), balance=balance, class_dependent=class_dependent, seed=5)
    found = estimate_class_balance(gather(made.matrix, None))
    assert np.abs(found.shares - balance).max() < 0.03  # the standard error of gold of 1,000 rows is 0.015
    assert np.isclose(found.shares.sum(), 1)


def test_many_functions_and_classes_are_no_trouble():
    made = simulate(4000, 60, class_names(6), balance=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1], seed=5)
    assert np.abs(estimate_class_balance(gather(made.matrix, None)).shares - made.balance).max() < 0.03


def test_dependent_functions_are_left_out_of_triples():
    made = simulate(20_000, 10, "ab", balance=[0.7, 0.3], coverage=(0.5, 0.9), copies=3, seed=2)
    copied = np.arange(10)
    copied[[9, 8, 7]] = [0, 1, 2]
    known = estimate_class_balance(gather(made.matrix, None), copied).shares
    assert np.abs(known - made.balance).max() < 0.03


def test_where_functions_copy_one_another_third_moments_are_doubted_as_much_as_pairs():
    made = simulate(5000, 10, "ab", balance=[0.7, 0.3], coverage=(0.5, 0.9), copies=4, seed=2)
    evidence = gather(made.matrix, None)
    together = co_occurrence(evidence, np.arange(10))
    match = Match(together, beliefs(evidence, np.array([0.5, 0.5])), np.array([0.5, 0.5]))
    classes, _ = match.minimum(match.believed)
    assert match.misfit(classes) > 10
    plain = third_moments(evidence, together, match.loadings(classes))
    doubted = find_classes(evidence, together, match, classes)
    assert np.allclose(doubted.core.noise, plain.noise * np.sqrt(match.misfit(classes)))


def test_without_triples_shares_are_even_but_for_gold():
    matrix = LabelMatrix.from_votes([[0, 1], [1, 1], [0, 0]] * 30, ["a", "b"])
    assert estimate_class_balance(gather(matrix, None)).shares.tolist() == [0.5, 0.5]
    assert estimate_class_balance(gather(matrix, None)).signal == 0
    taught = estimate_class_balance(gather(matrix, ["a"] * 90))
    assert np.isclose(taught.shares[0], 100 / 110)
