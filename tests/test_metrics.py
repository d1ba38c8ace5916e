"""Metrics: known values, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consilience.metrics import (
    Interval,
    accuracy_of,
    bootstrap_tables,
    confusion,
    f1_by_class,
    macro_f1_of,
    percentile_interval,
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
