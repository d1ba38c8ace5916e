"""One coin a function: agrees with the formula in loops, climbs its likelihood, finds the truth where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.label_models.judged import calibration_error
from tests.reference.one_coin import fit_one_coin
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, Labels
from consilience.errors import ModelError
from consilience.label_models.one_coin import OneCoin
from consilience.testing import simulate

STEPS = 20
# a tolerance below 0 keeps EM from ending early, unless the likelihood falls: the reference takes just as many steps
SETTINGS = [{}, {"balance": "learn"}, {"floor": None, "prior_strength": 2.0}, {"prior_accuracy": 0.6, "floor": 0.1}]


def check_against_reference(matrix, options, *, gold=None, balance=None):
    model = OneCoin(**options, max_iterations=STEPS, tolerance=-1.0)
    model.fit(matrix, gold=None if gold is None else matrix.labels.decode(gold), class_balance=balance)
    slow = fit_one_coin(
        matrix.votes.tolist(),
        matrix.labels.meanings.tolist(),
        iterations=STEPS,
        expected=options.get("prior_accuracy", 0.75),
        strength=options.get("prior_strength", 8.0),
        floor=options.get("floor", 0.01),
        learn_balance=options.get("balance") == "learn",
        balance=balance,
        known=gold,
    )
    voted = (matrix.votes >= 0).any(axis=0)
    assert np.allclose(model.accuracies_[voted], np.array(slow.accuracy)[voted], atol=1e-8)
    assert np.isnan(model.accuracies_[~voted]).all()
    assert np.allclose(model.prior_, slow.balance, atol=1e-8)
    assert np.allclose(model.predict_proba(matrix), slow.posterior, atol=1e-8)
    assert np.isclose(model.log_likelihood_, slow.objective[-1])


@pytest.mark.parametrize("options", SETTINGS)
def test_agrees_with_em_row_by_row(options):
    check_against_reference(simulate(120, 5, "abc", seed=3).matrix, options)


@settings(max_examples=15)
@given(vote_matrices(max_rows=8, max_functions=3, max_classes=3), st.sampled_from(SETTINGS))
def test_agrees_with_em_row_by_row_on_any_votes(made, options):
    votes, k = made
    check_against_reference(LabelMatrix.from_votes(votes, class_names(k)), options)


def test_agrees_where_classes_are_known_where_the_balance_is_given_and_where_votes_are_for_groups():
    made = simulate(120, 4, "abc", seed=9)
    gold = np.where(np.arange(120) % 5 == 0, made.truth, -1).tolist()
    check_against_reference(made.matrix, {}, gold=gold)
    check_against_reference(made.matrix, {}, balance=[0.5, 0.3, 0.2])
    votes = made.matrix.votes.copy()
    votes[:, 1] = np.where(votes[:, 1] >= 0, np.where(votes[:, 1] == 0, 3, 4), -1)
    labels = Labels("a", "b", "c", groups={"a|b": ["a", "b"], "not a": ["b", "c"]})
    check_against_reference(LabelMatrix.from_votes(votes, labels), {"balance": "learn"})


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_never_falls(seed):
    made = simulate(400, 6, "abc", class_dependent=True, copies=2, seed=seed)
    climbed = [
        OneCoin(balance="learn", max_iterations=steps, tolerance=-1.0).fit(made.matrix).log_likelihood_
        for steps in range(1, 25)
    ]
    assert (np.diff(climbed) >= -1e-6).all()


# accuracies within .02 and labels within .002 of the Bayes rule; both guesses are scored on the same rows
@pytest.mark.parametrize(
    ("labels", "balance"), [("ab", None), ("ab", [0.8, 0.2]), ("abcd", [0.5, 0.3, 0.15, 0.05]), ("abcd", None)]
)
def test_known_truth_is_found_as_well_as_by_knowing_the_tables(labels, balance):
    made = simulate(20_000, 10, labels, balance=balance, coverage=(0.3, 0.7), seed=11)
    model = OneCoin(balance="uniform" if balance is None else "learn").fit(made.matrix)
    covered = made.matrix.covered
    right = (model.predict_codes(made.matrix) == made.truth)[covered].mean()
    assert right > (made.bayes_codes() == made.truth)[covered].mean() - 0.002
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.02
    assert np.abs(model.class_balance_ - made.balance).max() < 0.02
    assert calibration_error(model.predict_proba(made.matrix), made.truth) < 0.03


def test_functions_that_say_one_label_only_do_not_run_away_with_the_balance():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    fires = rng.random((3000, 8)) < np.where(truth[:, None] == np.arange(8) % 2, 0.3, 0.05)
    matrix = LabelMatrix.from_votes(np.where(fires, np.arange(8) % 2, -1), ["ham", "spam"])
    covered = matrix.covered
    right = (OneCoin().fit(matrix).predict_codes(matrix) == truth)[covered].mean()
    assert right > 0.85
    assert OneCoin().fit(matrix).accuracies_.min() >= 0.51


def test_what_the_user_expects_counts_as_rows():
    matrix = LabelMatrix.from_votes([[0, 1], [1, 0]] * 10, ["a", "b"])
    model = OneCoin().fit(matrix, accuracies={"f0": (0.95, 1000)})
    assert model.predict(matrix)[:2] == ["a", "b"] and abs(model.accuracies_[0] - 0.95) < 0.02


@pytest.mark.parametrize(
    "options", [{"prior_strength": -1}, {"prior_accuracy": 1.0}, {"balance": "even"}, {"floor": 0.7}, {"floor": -0.1}]
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"OneCoin\((.|\n)*\) cannot be.\nFix"):
        OneCoin(**options)
