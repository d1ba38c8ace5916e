"""Metrics: known values, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consilience.errors import DataError
from consilience.metrics import (
    Interval,
    accuracy_of,
    bootstrap_tables,
    brier_score,
    confusion,
    expected_calibration_error,
    f1_by_class,
    log_loss,
    macro_f1_of,
    percentile_interval,
    reliability,
    wilson,
)


# values of the score interval without continuity correction: Newcombe 1998, table I
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_published_values(successes, n, low, high):
    interval = wilson(successes, n)
    assert interval.value == successes / n
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_its_value_and_mirrors(successes, n):
    successes = min(successes, n)
    interval, mirror = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= interval.low <= interval.value + 1e-12 and interval.value <= interval.high + 1e-12 <= 1 + 1e-9
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-12)


def test_nothing_is_known_of_no_rows():
    assert np.isnan(wilson(0, 0)).all() and str(wilson(0, 0)) == "–"
    assert str(Interval(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"


TABLES = hnp.arrays(np.int64, (3, 3), elements=st.integers(0, 9))


@given(TABLES)
def test_figures_of_a_table_follow_their_formulas(table):
    for c, f1 in enumerate(f1_by_class(table)):
        sizes = table[c].sum() + table[:, c].sum()
        assert f1 == pytest.approx(2 * table[c, c] / sizes if sizes else 0)
    if table.sum():
        assert accuracy_of(table) == pytest.approx(np.trace(table) / table.sum())
        present = [c for c in range(3) if table[c].sum() + table[:, c].sum()]
        assert macro_f1_of(table) == pytest.approx(np.mean(f1_by_class(table)[present]))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2))))
def test_confusion_counts_pairs(pairs):
    gold, predicted = np.array(pairs, int).reshape(-1, 2).T
    table = confusion(gold, predicted, 3)
    assert table.tolist() == [[pairs.count((t, p)) for p in range(3)] for t in range(3)]


def test_the_bootstrap_draws_as_many_rows_and_centres_on_the_table():
    table = np.array([[40, 10], [5, 45]])
    samples = bootstrap_tables(table, 4000, seed=1)
    assert samples.shape == (4000, 2, 2) and (samples.sum(axis=(1, 2)) == 100).all()
    assert np.allclose(samples.mean(axis=0), table, atol=0.5)
    assert np.array_equal(samples, bootstrap_tables(table, 4000, seed=1))
    interval = percentile_interval(0.85, accuracy_of(samples))
    # the bootstrap of a proportion is near the normal interval 0.85 +- 1.96 sqrt(.85 .15 / 100)
    assert interval.low == pytest.approx(0.78, abs=0.015) and interval.high == pytest.approx(0.92, abs=0.015)


def test_nineteen_intervals_of_twenty_hold_the_truth():
    rng = np.random.default_rng(0)
    covered = [wilson(k, 50).low <= 0.3 <= wilson(k, 50).high for k in rng.binomial(50, 0.3, 2000)]
    assert 0.93 < np.mean(covered) < 0.97


# probabilities


@st.composite
def predictions(draw, min_rows=0):
    """Probabilities, gold (some unknown) and weights."""
    n, k = draw(st.integers(min_rows, 20)), draw(st.integers(1, 4))
    raw = draw(hnp.arrays(np.int64, (n, k), elements=st.integers(0, 4)))  # few values, so that confidences tie
    proba = (raw + 1e-3) / (raw + 1e-3).sum(axis=1, keepdims=True)
    gold = draw(hnp.arrays(np.int64, n, elements=st.integers(-1, k - 1)))
    return proba, gold, draw(hnp.arrays(np.int64, n, elements=st.integers(1, 5)))


@given(predictions(), st.integers(1, 20), st.sampled_from(["equal mass", "equal width"]))
def test_bins_hold_every_scored_row_once_and_in_order(made, bins, how):
    proba, gold, weights = made
    found = reliability(proba, gold, bins, how=how, weights=weights.astype(float))
    known = gold >= 0
    assert len(found) <= bins
    assert sum(b.weight for b in found) == pytest.approx(weights[known].sum())
    right = proba[known].argmax(axis=1) == gold[known]
    assert sum(b.weight * b.accuracy.value for b in found) == pytest.approx((weights[known] * right).sum())
    assert [b.confidence for b in found] == sorted(b.confidence for b in found)
    for b in found:
        assert 0 <= b.accuracy.low <= b.accuracy.value + 1e-9 and b.accuracy.value <= b.accuracy.high + 1e-9 <= 1 + 2e-9


@given(predictions(), st.integers(1, 20), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter_and_a_weight_is_that_many_rows(made, bins, rnd):
    proba, gold, weights = made
    order = list(range(len(gold)))
    rnd.shuffle(order)
    for score in (lambda *a, **o: expected_calibration_error(a[0], a[1], bins, **o), brier_score, log_loss):
        value = score(proba, gold, weights=weights.astype(float))
        assert value == pytest.approx(
            score(proba[order], gold[order], weights=weights[order].astype(float)), nan_ok=True
        )
        repeated = np.repeat(np.arange(len(gold)), weights)
        assert value == pytest.approx(score(proba[repeated], gold[repeated]), nan_ok=True)


@given(predictions(min_rows=1))
def test_scores_follow_their_formulas_and_are_nothing_without_gold(made):
    proba, gold, _ = made
    rows = [(p, y) for p, y in zip(proba, gold, strict=True) if y >= 0]
    brier = [sum((p[c] - (c == y)) ** 2 for c in range(len(p))) for p, y in rows]
    loss = [-np.log(p[y]) for p, y in rows]
    assert brier_score(proba, gold) == pytest.approx(np.mean(brier) if rows else np.nan, nan_ok=True)
    assert log_loss(proba, gold) == pytest.approx(np.mean(loss) if rows else np.nan, nan_ok=True)
    nothing = np.full(len(gold), -1)
    assert np.isnan([brier_score(proba, nothing), log_loss(proba, nothing)]).all()
    assert np.isnan(expected_calibration_error(proba, nothing)) and reliability(proba, nothing) == []


def test_calibration_error_by_equal_width_agrees_with_loops():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([1, 1, 1], 400)
    gold = rng.integers(0, 3, 400)
    total = 0.0
    for b in range(10):
        inside = [i for i in range(400) if b / 10 <= proba[i].max() < (b + 1) / 10]
        if inside:
            right = np.mean([proba[i].argmax() == gold[i] for i in inside])
            total += len(inside) / 400 * abs(right - np.mean([proba[i].max() for i in inside]))
    assert expected_calibration_error(proba, gold, 10, "equal width") == pytest.approx(total)


def test_honest_probabilities_have_next_to_no_calibration_error_and_boasting_has():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.5, 1, 20_000)
    gold = (rng.random(20_000) > p).astype(int)
    assert expected_calibration_error(np.column_stack([p, 1 - p]), gold) < 0.02
    odds = (p / (1 - p)) ** 3
    boast = odds / (1 + odds)
    assert expected_calibration_error(np.column_stack([boast, 1 - boast]), gold) > 0.1


def test_a_certainty_that_fails_has_a_finite_cost_and_one_class_has_none():
    assert 30 < log_loss(np.array([[1.0, 0.0]]), np.array([1])) < 40
    one = np.ones((3, 1))
    zeros = np.zeros(3, int)
    assert log_loss(one, zeros) == brier_score(one, zeros) == expected_calibration_error(one, zeros) == 0


@pytest.mark.parametrize(
    ("proba", "gold", "said"),
    [
        ([[np.nan, 1.0]], [0], "are no probabilities"),
        ([[0.7, 0.7]], [0], "are no probabilities"),
        ([[-0.5, 1.5]], [0], "are no probabilities"),
        ([[0.5, 0.5]], [2], "do not go with gold"),
        ([[0.5, 0.5]], [0, 1], "do not go with gold"),
    ],
)
def test_what_are_no_probabilities_is_refused(proba, gold, said):
    for score in (log_loss, brier_score, expected_calibration_error):
        with pytest.raises(DataError, match=rf"{said}(.|\n)*\nFix: "):
            score(np.array(proba), np.array(gold))
    assert np.isnan(log_loss(np.array([[np.nan, 1.0]]), np.array([-1])))


@pytest.mark.parametrize(("bins", "how"), [(0, "equal mass"), (5, "equal")])
def test_bins_that_cannot_be_are_refused(bins, how):
    with pytest.raises(DataError, match=r"There are no .* bins of .*\nFix"):
        reliability(np.ones((1, 1)), np.zeros(1, int), bins, how=how)
