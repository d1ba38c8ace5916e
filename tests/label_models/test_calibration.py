"""Calibration: the check by held-out votes and scaling agree with loops, do no harm, and help where they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from tests.reference import trust
from tests.strategies import class_names

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.calibration import Calibrated, _held_out_cost, fit_scaling
from consilience.label_models.held_out import dependence, excess_agreement, held_out, tables_of, votes_check
from consilience.metrics import expected_calibration_error, log_loss
from consilience.testing import simulate


def scores(model, made):
    covered = made.matrix.covered
    proba = model.predict_proba(made.matrix)[covered]
    return expected_calibration_error(proba, made.truth[covered]), log_loss(proba, made.truth[covered])


def named(made, n):
    """Gold for the first n rows."""
    names = made.matrix.labels.decode(made.truth.tolist())
    return [name if place < n else None for place, name in enumerate(names)]


# held-out votes


@settings(max_examples=15)
@given(st.integers(0, 99), st.integers(2, 3), st.integers(0, 2), st.floats(0.1, 2))
def test_the_cost_of_held_out_votes_agrees_with_loops(seed, k, copies, power):
    made = simulate(150, 5, class_names(k), copies=copies, coverage=(0.5, 0.9), seed=seed)
    model = DawidSkene().fit(made.matrix)
    evidence = gather(made.matrix, None)
    votes = made.matrix.votes.astype(int).tolist()
    tables = model.theta_, model.prior_, model.class_balance_
    found = excess_agreement(evidence, tables_of(model, evidence), model.class_balance_)
    assert np.allclose(found, trust.excess(votes, *tables)) and np.allclose(found, dependence(model, made.matrix))
    found = _held_out_cost(list(held_out(model, evidence)), power)
    assert found == pytest.approx(trust.held_out_cost(votes, *tables, power))


def test_functions_that_say_one_thing_are_not_scored():
    rng = np.random.default_rng(0)
    votes = np.where(rng.random((400, 4)) < 0.5, np.arange(4) % 2, -1)
    model = Calibrated(DawidSkene()).fit(LabelMatrix.from_votes(votes, ["a", "b"]))
    assert model.scaling_.source == "nothing" and "says more than one thing" in model.scaling_.reason
    check = votes_check(model, LabelMatrix.from_votes(votes, ["a", "b"]))
    assert np.isnan(check.error) and "gold can" in str(check)


def test_a_true_model_predicts_votes_as_well_as_it_says_and_an_overconfident_one_does_not():
    right, wrong = (simulate(8000, 9, ["a", "b"], copies=c, coverage=(0.6, 0.9), seed=1) for c in (0, 4))
    model = DawidSkene().fit(right.matrix)
    check = votes_check(model, right.matrix)
    assert check.error < 0.015 and len(check.functions) == 9
    for line in check.functions:
        assert line.predicted == pytest.approx(line.observed.value, abs=0.03)
    assert votes_check(DawidSkene().fit(wrong.matrix), wrong.matrix).error > 3 * check.error
    assert "farthest off" in check.view().notes[1] and "cs" in check._repr_html_()


@pytest.mark.parametrize("make", [MajorityVote, LabelModel, DawidSkene, Calibrated])
def test_any_model_can_be_checked(make):
    made = simulate(500, 5, ["a", "b", "c"], seed=1)
    check = votes_check(make().fit(made.matrix), made.matrix)
    assert sum(b.weight for b in check.bins) == (made.matrix.votes >= 0).sum()


def test_votes_for_groups_are_checked_too():
    labels = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    votes = np.random.default_rng(0).integers(-1, 4, (300, 5))
    matrix = LabelMatrix.from_votes(votes, labels)
    for model in (DawidSkene().fit(matrix), MajorityVote().fit(matrix)):
        assert 0 <= votes_check(model, matrix).error < 0.5


@pytest.mark.parametrize(
    "options",
    [{}, {"class_dependent": True}, {"balance": [0.8, 0.2]}, {"coverage": (0.05, 0.3), "accuracy": (0.55, 0.9)}],
)
def test_without_gold_a_true_model_is_left_as_it_is(options):
    made = simulate(5000, 8, ["a", "b"], seed=5, **{"coverage": (0.4, 0.8), **options})
    assert Calibrated(DawidSkene()).fit(made.matrix).power_[0] > 0.9


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("labels", ["ab", "abc"])
def test_without_gold_functions_that_copy_make_it_softer_and_better(labels, seed):
    made = simulate(5000, 9, list(labels), copies=4, coverage=(0.4, 0.8), seed=seed)
    plain, soft = DawidSkene().fit(made.matrix), Calibrated(DawidSkene()).fit(made.matrix)
    assert soft.scaling_.source == "votes" and soft.power_[0] < 0.7
    assert scores(soft, made)[0] < scores(plain, made)[0] and scores(soft, made)[1] < scores(plain, made)[1] - 0.02
    assert (soft.predict_codes(made.matrix) == plain.predict_codes(made.matrix)).all()
    assert "held-out votes: cost" in soft.findings()[-1]


# scaling to gold


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(2, 3), st.sampled_from(["temperature", "bias", "vector"]))
@example(374, 2, "vector")  # where the pull is what parts them
def test_scaling_finds_what_a_search_over_loops_finds(seed, k, method):
    rng = np.random.default_rng(seed)
    logs, usual = (np.log(rng.dirichlet(np.full(k, 0.4), n).clip(1e-6)) for n in (12, 6))
    logs, usual = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in (logs, usual))
    gold, weights, shares = rng.integers(0, k, 12), rng.integers(1, 4, 12).astype(float), rng.random(6)
    power, shift = fit_scaling(logs, gold, weights, usual, shares, method)

    def slow(x):
        powers = x[:k] if method == "vector" else [x[0]] * k
        shifts = x[-k:] if method != "temperature" else [0.0] * k
        return trust.scaling_cost(logs, gold, weights, usual, shares, powers, shifts)

    start = [1.0] * (k if method == "vector" else 1) + [0.0] * (0 if method == "temperature" else k)
    best = minimize(slow, start, method="Nelder-Mead", options={"maxfev": 4000, "xatol": 1e-6, "fatol": 1e-9})
    found = trust.scaling_cost(logs, gold, weights, usual, shares, power, shift)
    pull = 5e-4 * float(((best.x - np.array(start)) ** 2).sum())  # towards doing nothing, which the loops do not have
    assert found < best.fun + pull + 0.005 or (power < 0.01).any()  # the search may step over the bound at 0
    if method == "temperature":
        assert (power == power[0]).all() and not shift.any()


def test_without_gold_rows_scaling_changes_nothing():
    usual = np.log([[0.9, 0.1], [0.3, 0.7]])
    power, shift = fit_scaling(np.empty((0, 2)), np.empty(0, int), np.empty(0), usual, np.ones(2), "vector")
    assert np.allclose(power, 1, atol=1e-4) and np.allclose(shift, 0, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 5, 30])
def test_a_little_gold_does_no_harm_where_the_model_is_right(rows):
    harm = []
    for seed in range(5):
        made = simulate(2000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=seed)
        plain = DawidSkene().fit(made.matrix, gold=named(made, rows))
        harm.append(
            scores(Calibrated(DawidSkene()).fit(made.matrix, gold=named(made, rows)), made)[1] - scores(plain, made)[1]
        )
    assert max(harm) < 0.02 and np.mean(harm) < 0.006


def test_gold_makes_an_overconfident_model_honest_and_keeps_its_labels():
    made = simulate(4000, 6, ["a", "b"], copies=2, coverage=(0.4, 0.8), seed=1)
    gold = named(made, 200)
    plain, made_honest = DawidSkene().fit(made.matrix, gold=gold), Calibrated(DawidSkene()).fit(made.matrix, gold=gold)
    assert made_honest.scaling_.source == "gold" and made_honest.power_[0] < 0.5
    assert scores(made_honest, made)[0] < scores(plain, made)[0] / 1.5
    assert (made_honest.predict_codes(made.matrix) == plain.predict_codes(made.matrix)).all()


def test_shifts_need_enough_gold_and_mend_a_wrong_balance():
    made = simulate(3000, 4, ["a", "b"], balance=[0.9, 0.1], coverage=(0.4, 0.8), seed=3)
    wrong = {"class_balance": [0.5, 0.5]}
    few = Calibrated(DawidSkene(), method="bias").fit(made.matrix, gold=named(made, 12), **wrong)
    assert not few.shift_.any() and "too little gold for method 'bias'" in few.scaling_.reason
    plain = DawidSkene().fit(made.matrix, gold=named(made, 600), **wrong)
    many = Calibrated(DawidSkene(), method="bias").fit(made.matrix, gold=named(made, 600), **wrong)
    assert many.shift_[0] > many.shift_[1] and scores(many, made)[1] < scores(plain, made)[1]


def test_majority_votes_certainties_are_softened_by_gold():
    made = simulate(3000, 5, ["a", "b"], coverage=(0.3, 0.6), seed=3)
    plain, soft = (m.fit(made.matrix, gold=named(made, 200)) for m in (MajorityVote(), Calibrated(MajorityVote())))
    assert scores(soft, made)[1] < scores(plain, made)[1] / 2
    assert Calibrated(MajorityVote()).fit(made.matrix).scaling_.source == "nothing"


def test_rows_without_votes_keep_the_models_probabilities():
    made = simulate(3000, 6, ["a", "b"], copies=2, balance=[0.7, 0.3], seed=1)
    model = Calibrated(DawidSkene()).fit(made.matrix, gold=named(made, 300))
    bare = np.full((1, 6), -1)
    assert model.power_[0] < 1 and (model._proba(bare) == model.model_._proba(bare)).all()


def test_settings_describe_the_model_inside_and_saving_keeps_it(tmp_path):
    made = simulate(500, 5, ["a", "b"], copies=2, coverage=(0.6, 0.9), seed=1)
    model = Calibrated(DawidSkene(shrink=0.5)).fit(made.matrix, gold=named(made, 100))
    inner = model.settings()["model"]
    assert inner["kind"] == "Dawid-Skene" and inner["settings"]["shrink"] == 0.5
    model.save(tmp_path / "m.npz")
    again = Calibrated.load(tmp_path / "m.npz")
    assert again.scaling_ == model.scaling_ and again.settings() == model.settings()
    assert (again.predict_proba(made.matrix) == model.predict_proba(made.matrix)).all()
    refit = again.fit(made.matrix, gold=named(made, 100))
    assert np.allclose(refit.predict_proba(made.matrix), model.predict_proba(made.matrix))


def test_all_rows_may_have_gold():
    made = simulate(200, 5, ["a", "b"], seed=1)
    model = Calibrated(DawidSkene()).fit(made.matrix, gold=named(made, 200))
    assert np.isfinite(model.predict_proba(made.matrix)).all()


def test_methods_there_are_not_are_refused():
    with pytest.raises(ModelError, match=r"There is no scaling 'beta'.\nFix"):
        Calibrated(method="beta")
