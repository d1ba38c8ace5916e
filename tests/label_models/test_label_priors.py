"""Priors over combinations of labels: they agree with enumeration, and find what goes together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import combinations

from consilience.label_models import label_priors
from consilience.label_models.label_priors import PRETENDED_ROWS, TablePrior, TreePrior, alone


def rows(seed, p, k):
    """Likelihoods of p kinds of rows that are far from saying nothing, and their counts."""
    rng = np.random.default_rng(seed)
    likely = rng.uniform(0.02, 1, (p, k, 2))
    if k > 1:
        likely[:, 1] = np.where(rng.random((p, 1)) < 0.7, likely[:, 0], likely[:, 1])
    return likely, rng.integers(1, 40, p).astype(float)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 5))
def test_the_table_agrees_with_em_over_all_combinations(seed, p, k):
    likely, counts = rows(seed, p, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_priors, "STEPS", 12)
        shares = alone(likely, counts)[:, 1]
        assert np.allclose(shares, combinations.alone(likely.tolist(), counts.tolist(), steps=12), atol=1e-9)
        patch.setattr(combinations, "alone", lambda *_: shares.tolist())
        prior = TablePrior().fit(likely, counts)
        weight = combinations.table_em(likely.tolist(), counts.tolist(), PRETENDED_ROWS, 12)
    assert np.allclose(prior.arrays["table"].ravel(), list(weight.values()), atol=1e-9)
    proba, reached = prior.answer(likely)
    for i in range(p):
        expected, log_total, _, _ = combinations.posterior(likely[i].tolist(), weight)
        assert np.allclose(proba[i], expected) and np.isclose(reached[i], log_total)


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 5))
def test_the_tree_agrees_with_enumeration(seed, p, k):
    likely, counts = rows(seed, p, k)
    counts *= 50  # so that there are edges
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_priors, "STEPS", 3)
        prior = TreePrior().fit(likely, counts)
        shares = alone(likely, counts)[:, 1].tolist()
    parent = prior.arrays["parent"].tolist()
    tables = [[[1 - share, share]] * 2 for share in shares]
    before, n = -np.inf, counts.sum()
    for _ in range(3):
        weight = combinations.tree_weights(parent, tables)
        reached = sum(
            w * combinations.posterior(row, weight)[1] for row, w in zip(likely.tolist(), counts, strict=True)
        )
        tables = combinations.tree_step(likely.tolist(), counts.tolist(), parent, tables, shares, PRETENDED_ROWS)
        if reached - before < 1e-6 * n:
            break
        before = reached
    assert np.allclose(prior.arrays["given"], tables, atol=1e-9)
    weight = combinations.tree_weights(parent, tables)
    assert np.isclose(sum(weight.values()), 1)
    proba, reached = prior.answer(likely)
    for i in range(p):
        expected, log_total, _, _ = combinations.posterior(likely[i].tolist(), weight)
        assert np.allclose(proba[i], expected) and np.isclose(reached[i], log_total)


def chain(n, k, seed, sure=0.9):
    """Labels of which each is mostly like the one before, seen through votes that are right with `sure`."""
    rng = np.random.default_rng(seed)
    has = np.empty((n, k), bool)
    has[:, 0] = rng.random(n) < 0.4
    for c in range(1, k):
        has[:, c] = np.where(rng.random(n) < 0.85, has[:, c - 1], rng.random(n) < 0.4)
    said = np.where(rng.random((n, k)) < sure, has, ~has)
    return has, np.where(said[:, :, None], [1 - sure, sure], [sure, 1 - sure])


def test_a_chain_of_labels_is_found_and_helps():
    has, likely = chain(3000, 6, seed=0, sure=0.8)
    counts = np.ones(3000)
    tree, table = TreePrior().fit(likely, counts), TablePrior().fit(likely, counts)
    edges = {frozenset((c, parent)) for c, parent in enumerate(tree.arrays["parent"].tolist()) if parent >= 0}
    assert edges == {frozenset((c, c + 1)) for c in range(5)}
    apart = TreePrior(edges=False).fit(likely, counts)
    right = [((prior.answer(likely)[0] > 0.5) == has).mean() for prior in (apart, tree, table)]
    assert right[1] > right[0] + 0.03 and right[2] > right[0] + 0.03


def test_labels_that_have_nothing_to_do_with_each_other_have_no_edges():
    rng = np.random.default_rng(1)
    likely = np.where((rng.random((4000, 8)) < 0.3)[:, :, None], [0.2, 0.8], [0.8, 0.2])
    assert (TreePrior().fit(likely, np.ones(4000)).arrays["parent"] == -1).sum() >= 7


@pytest.mark.parametrize("make", [TablePrior, TreePrior])
def test_the_likelihood_climbs_to_where_it_was_headed(make, monkeypatch):
    _, likely = chain(500, 4, seed=2, sure=0.75)
    counts, reached = np.ones(500), []
    for steps in range(1, 12):
        monkeypatch.setattr(label_priors, "STEPS", steps)
        prior = make().fit(likely, counts)
        reached.append(prior.answer(likely)[1].sum())
    assert reached[-1] > reached[0] + 10 and reached[-1] == max(reached)
