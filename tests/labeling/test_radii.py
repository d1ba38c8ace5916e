"""How far votes reach: likelihoods with known answers, and laws of the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from consilience.labeling.radii import USUAL_VOTES, most_told, never_rising, precision_of, told, trust_of, views


def votes_of(rng, accuracy, truth, coverage=0.6, k=2):
    """Independent votes on rows whose class is known."""
    n = len(truth)
    wrong = (truth + rng.integers(1, k, n)) % k if k > 1 else truth
    said = np.where(rng.random(n) < accuracy, truth, wrong)
    return np.where(rng.random(n) < coverage, said, -1)


@pytest.mark.parametrize(("accuracy", "k"), [(0.9, 2), (0.7, 2), (0.8, 4)])
def test_trust_is_found_from_how_often_votes_agree(accuracy, k):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, k, 20_000)
    votes = np.column_stack([votes_of(rng, accuracy, truth, k=k) for _ in range(5)])
    assert trust_of(votes, np.ones(len(votes)), np.eye(k, dtype=bool)) == pytest.approx(accuracy, abs=0.02)


def test_each_function_is_as_good_as_others_say():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 20_000)
    votes = np.column_stack([votes_of(rng, a, truth) for a in (0.9, 0.85, 0.8, 0.8, 0.5)])
    seen = views(votes, np.ones(len(votes)), np.eye(2, dtype=bool))
    assert seen.precision == pytest.approx([0.9, 0.85, 0.8, 0.8, 0.5], abs=0.06)
    assert np.allclose(seen.p.sum(axis=1), 1)
    assert seen.balance == pytest.approx([0.5, 0.5], abs=0.03)


def test_counts_stand_for_rows():
    rng = np.random.default_rng(2)
    votes = rng.integers(-1, 2, (30, 3))
    times = rng.integers(1, 4, 30)
    one = views(votes, times.astype(float), np.eye(2, dtype=bool))
    two = views(np.repeat(votes, times, axis=0), np.ones(times.sum()), np.eye(2, dtype=bool))
    assert one.precision == pytest.approx(two.precision, abs=1e-4)
    assert np.repeat(one.p, times, axis=0) == pytest.approx(two.p)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.integers(1, 80))
@settings(max_examples=30, deadline=None)
def test_precision_is_where_the_likelihood_is_greatest(seed, chance, n):
    rng = np.random.default_rng(seed)
    right, by_chance = rng.uniform(0.01, 0.99, n), np.full(n, chance)

    def cost(a):
        row = np.log(a * right / chance + (1 - a) * (1 - right) / (1 - chance)).sum()
        return -row - USUAL_VOTES * (chance * np.log(a) + (1 - chance) * np.log(1 - a))

    best = minimize_scalar(cost, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-9})
    found, error = precision_of(right, by_chance)
    assert cost(min(max(found, 1e-6), 1 - 1e-6)) <= best.fun + 1e-3
    assert error > 0


def test_precision_of_votes_whose_truth_is_known_is_their_share():
    right = np.array([1.0] * 80 + [0.0] * 20)
    found, error = precision_of(right, np.full(100, 0.5))
    assert found == pytest.approx((80 + USUAL_VOTES / 2) / (100 + USUAL_VOTES), abs=0.01)
    assert error == pytest.approx(0.04, abs=0.01)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=9))
def test_pooled_values_never_rise_and_keep_their_mean(pairs):
    values, weights = np.array(pairs).T
    pooled = never_rising(values, weights)
    assert (np.diff(pooled) <= 1e-12).all()
    assert weights @ pooled == pytest.approx(weights @ values)
    from sklearn.isotonic import isotonic_regression

    assert pooled == pytest.approx(isotonic_regression(values, sample_weight=weights, increasing=False), abs=1e-9)


def test_votes_tell_nothing_at_chance_and_more_the_farther_from_it():
    assert told(np.array([0.3, 0.5, 0.7, 0.9]), 0.5)[:2].tolist() == [0, 0]
    assert (np.diff(told(np.array([0.5, 0.7, 0.9, 0.99]), 0.5)) > 0).all()


def test_good_bands_are_taken_and_bad_ones_left():
    assert most_told(100, 0.9, np.array([100.0, 100, 100]), np.array([0.88, 0.85, 0.5]), 0.5) == 2
    assert most_told(100, 0.9, np.array([1e6]), np.array([0.6]), 0.5) == 0  # however many they are
    assert most_told(100, 0.9, np.array([]), np.array([]), 0.5) == 0
