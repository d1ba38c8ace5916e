"""Probabilities against the truth that was kept back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from consilience.errors import DataError
from consilience.kb.results.calibration import Calibration


def held(probability, truth):
    return pl.DataFrame(
        {"x": list(range(len(probability))), "probability": probability, "truth": truth},
        schema={"x": pl.Int64, "probability": pl.Float64, "truth": pl.Boolean},
    )


def calibration(probability, truth):
    return Calibration("likes", held(probability, truth).drop("truth"), held(probability, truth))


def test_what_comes_true_as_often_as_was_said_has_almost_no_error():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    assert calibration(p, rng.random(20_000) < p).error < 0.02
    assert calibration(p, rng.random(20_000) < p**3).error > 0.15


def test_every_fact_is_in_one_bucket_and_edges_belong_to_the_upper_one():
    found = calibration([0.0, 0.1, 0.3, 0.7, 0.9, 1.0], [False, False, True, True, True, True])
    assert [b.n_facts for b in found.buckets] == [1, 1, 0, 1, 0, 0, 0, 1, 0, 2]
    assert sum(b.n_true for b in found.buckets) == 4 and sum(b.n_false for b in found.buckets) == 2


def test_scores_and_mistakes_are_those_of_the_held_out():
    found = calibration([0.9, 0.8, 0.2, 0.6], [True, False, True, True])
    assert found.scores() == pytest.approx((0.5, 2 / 3, 2 / 3, 2 / 3))
    assert found.mistakes()["x"].to_list() == [1, 2]
    assert "precision 0.667" in str(found)
    assert found.records()[9]["n_true"] == 1


def test_without_a_holdout_it_says_so():
    found = calibration([], [])
    assert np.isnan(found.error) and np.isnan(found.brier)
    assert "No fact was held out" in str(found)


def test_what_is_no_probability_is_refused():
    with pytest.raises(DataError, match=r"1.5 is no probability.\nFix:"):
        calibration([1.5], [True])
    with pytest.raises(DataError, match=r"no column 'truth'"):
        Calibration("likes", held([0.5], [True]), held([0.5], [True]).drop("truth"))


def test_the_picture_has_three_parts():
    pytest.importorskip("matplotlib")
    figure = calibration([0.9, 0.8, 0.2, 0.6], [True, False, True, True]).plot()
    assert [axes.get_title() for axes in figure.axes] == ["accuracy", "held-out facts", "all facts inferred"]
