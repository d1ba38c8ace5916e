"""Intervals of what was learned: they hold the truth about as often as they say, and follow their definition."""

from __future__ import annotations

import numpy as np
import pytest

from consilience import DawidSkene, LabelMatrix, LabelModel, MajorityVote
from consilience.errors import ModelError, VoteError
from consilience.label_models.base import gather
from consilience.label_models.calibration import Calibrated
from consilience.label_models.uncertainty import intervals, resampled
from consilience.progress import reporting
from consilience.testing import simulate

MADE = simulate(600, 5, ["ham", "spam"], balance=[0.7, 0.3], coverage=(0.5, 0.9), seed=3)


def held(found, truth):
    return (found[:, 1] <= truth) & (truth <= found[:, 2])


def share_held(n, repeats, seeds, labels="ab", **options):
    """How often intervals of simulated votes hold the true accuracies, coverages and class shares."""
    hits = [[], [], []]
    for seed in seeds:
        made = simulate(n, 6, list(labels), coverage=(0.5, 0.9), seed=seed, **options)
        found = intervals(DawidSkene(), made.matrix, repeats=repeats, seed=seed)
        coverage = made.balance @ (1 - made.theta[:, :, 0]).T
        truths = ((found.accuracies, made.accuracies), (found.coverage, coverage), (found.class_balance, made.balance))
        for place, (interval, truth) in enumerate(truths):
            hits[place] += held(interval, truth).tolist()
    return [np.mean(part) for part in hits]


def test_intervals_hold_the_truth_nearly_as_often_as_they_say():
    accuracies, coverage, _ = share_held(800, 30, range(8))
    # 48 intervals each: two standard errors are 0.06, and percentiles of 30 draws hold less than 95%
    assert accuracies > 0.8 and coverage > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "options"), [("ab", {}), ("ab", {"balance": [0.8, 0.2]}), ("abc", {}), ("ab", {"class_dependent": True})]
)
def test_intervals_hold_the_truth_as_often_as_they_say(labels, options):
    accuracies, coverage, balance = share_held(2000, 100, range(20), labels, **options)
    # 120 correlated intervals each: .87 to .95 measured; percentiles of 100 draws, drawn to a prior, hold a little less
    assert 0.85 < accuracies < 0.99 and 0.9 < coverage < 0.99 and balance > 0.8


def test_more_rows_make_narrower_intervals_and_a_level_a_wider_one():
    width = {}
    for n in (300, 4800):
        found = intervals(MajorityVote(), simulate(n, 5, "ab", seed=1).matrix, repeats=60)
        width[n] = np.diff(found.accuracies[:, 1:]).mean()
    assert 3 < width[300] / width[4800] < 5.5  # four, but for chance
    wide = intervals(MajorityVote(), MADE.matrix, repeats=60, level=0.99).accuracies
    narrow = intervals(MajorityVote(), MADE.matrix, repeats=60, level=0.5).accuracies
    assert (wide[:, 2] - wide[:, 1] > narrow[:, 2] - narrow[:, 1]).all()


def test_coverage_is_that_of_a_binomial():
    found = intervals(MajorityVote(), MADE.matrix, repeats=400)
    p = found.coverage[:, 0]
    assert np.allclose(p, (MADE.matrix.votes >= 0).mean(axis=0))
    assert np.allclose(found.coverage[:, 2] - found.coverage[:, 1], 2 * 1.96 * np.sqrt(p * (1 - p) / 600), rtol=0.25)


@pytest.mark.parametrize("make", [MajorityVote, DawidSkene, LabelModel, lambda: Calibrated(DawidSkene())])
def test_any_model_has_intervals_around_its_estimates_and_is_not_changed(make):
    model = make()
    found = intervals(
        model, MADE.matrix, repeats=5, class_balance=[0.7, 0.3], gold=MADE.matrix.labels.decode(MADE.truth)
    )
    assert not hasattr(model, "class_balance_")
    fitted = make().fit(MADE.matrix, class_balance=[0.7, 0.3], gold=MADE.matrix.labels.decode(MADE.truth))
    assert np.allclose(found.accuracies[:, 0], fitted.accuracies_)
    assert found.accuracies.shape == (5, 3) and (found.accuracies[:, 1] <= found.accuracies[:, 2]).all()
    assert found.class_balance.tolist() == [[0.7, 0.7, 0.7], [0.3, 0.3, 0.3]]


def test_a_draw_has_as_many_rows_and_as_much_gold():
    gold = [name if place < 40 else None for place, name in enumerate(MADE.matrix.labels.decode(MADE.truth))]
    evidence = gather(MADE.matrix, gold)
    for drawn in resampled(evidence, 5, seed=1):
        assert drawn.counts.sum() == 600 and drawn.counts[drawn.known >= 0].sum() == 40
        assert (drawn.counts > 0).all() and len(drawn.votes) == len(drawn.counts) == len(drawn.known)


def test_billions_of_rows_are_drawn_as_counts():
    matrix = LabelMatrix.from_counts([[0, 0], [1, -1], [0, 1]], [900_000_000, 3, 100_000_000], ["ham", "spam"])
    found = intervals(MajorityVote(), matrix, repeats=10)
    assert found.coverage[1, 0] == pytest.approx(1, abs=1e-6)


def test_the_same_seed_gives_the_same_and_functions_that_never_vote_have_none():
    matrix = LabelMatrix.from_votes([[0, -1], [1, -1]] * 20, ["a", "b"])
    first, second = (intervals(DawidSkene(), matrix, repeats=5, seed=2) for _ in range(2))
    assert first.frame.equals(second.frame)
    assert np.isnan(first.accuracies[1]).all() and first.coverage[1].tolist() == [0, 0, 0]
    assert "–" in str(first)


def test_the_table_and_the_frame_name_everything():
    found = intervals(DawidSkene(), MADE.matrix, repeats=5)
    assert found.frame.columns == ["figure", "of", "estimate", "low", "high"] and len(found.frame) == 5 + 5 + 2
    assert "class balance: ham" in str(found) and "95% of 5 draws" in str(found) and "<table>" in found._repr_html_()
    assert found.view().columns[1] == "learned accuracy"


def test_one_bar_shows_how_far_it_is():
    seen = []
    with reporting(seen.append):
        intervals(DawidSkene(), MADE.matrix, repeats=3)
    assert {step.what for step in seen} >= {"drawing rows again"}
    assert [step.done for step in seen if step.what == "drawing rows again" and step.finished] == [3]
    starts = [place for place, step in enumerate(seen) if step.what == "drawing rows again"]
    assert all(step.what == "drawing rows again" for step in seen[starts[0] :])


@pytest.mark.parametrize("options", [{"level": 0}, {"level": 1.5}, {"repeats": 1}])
def test_intervals_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"There are no intervals of level .*\nFix"):
        intervals(MajorityVote(), MADE.matrix, **options)


def test_no_rows_are_a_clear_error():
    with pytest.raises(VoteError, match=r"0 rows"):
        intervals(MajorityVote(), LabelMatrix.from_votes(np.zeros((0, 2), int), ["a"]))
