"""EBCC: agrees with the formulas in loops, climbs its bound, and sees through functions that err together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.ebcc import fit_ebcc
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix, Labels, MajorityVote
from consilience.errors import ModelError
from consilience.label_models import EBCC
from consilience.label_models.base import gather
from consilience.label_models.ebcc import first_guess
from consilience.label_models.vote_cells import sums_over_votes
from consilience.testing import simulate

STEPS = 8


def check_against_reference(matrix, subtypes, abstains, gold=None):
    k = len(matrix.labels)
    model = EBCC(subtypes=subtypes, abstains=abstains, starts=1, max_iterations=STEPS, tolerance=-1.0)
    model.fit(matrix, gold=None if gold is None else matrix.labels.decode(gold))
    evidence = gather(matrix, None)
    sums = sums_over_votes(evidence.votes, k * subtypes, k)
    guess = first_guess(evidence, matrix.names, subtypes, "0 0", sums)
    slow = fit_ebcc(
        matrix.votes.tolist(),
        k,
        subtypes,
        guess[:, matrix.pattern_of_row].T.tolist(),
        iterations=STEPS,
        ignored=abstains == "ignored",
        known=gold,
    )
    assert np.isclose(model.lower_bound_, slow.bound[-1], rtol=1e-9)
    assert np.allclose(model.class_balance_, slow.balance, atol=1e-8)
    free = slice(None) if gold is None else np.array(gold) < 0  # where gold says nothing, as it is not in the votes
    assert np.allclose(model.predict_proba(matrix)[free], np.array(slow.proba)[free], atol=1e-7)
    assert (np.diff(slow.bound) >= -1e-9).all()


@pytest.mark.parametrize("abstains", ["evidence", "ignored"])
@pytest.mark.parametrize("subtypes", [1, 3])
def test_agrees_with_variational_bayes_row_by_row(subtypes, abstains):
    made = simulate(60, 4, class_names(3), class_dependent=True, seed=subtypes)
    check_against_reference(made.matrix, subtypes, abstains)
    gold = np.where(np.arange(60) % 3, -1, made.truth).tolist()
    check_against_reference(made.matrix, subtypes, abstains, gold)


@settings(max_examples=10)
@given(vote_matrices(max_rows=7, max_functions=3, max_classes=3), st.sampled_from(["evidence", "ignored"]))
def test_agrees_with_variational_bayes_on_any_votes(made, abstains):
    votes, k = made
    check_against_reference(LabelMatrix.from_votes(votes, class_names(k)), 2, abstains)


@pytest.mark.parametrize("abstains", ["evidence", "ignored"])
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_never_falls(abstains, seed):
    made = simulate(200, 6, class_names(3), class_dependent=True, copies=2, seed=seed)
    gold = [name if i < 20 else None for i, name in enumerate(made.matrix.labels.decode(made.truth.tolist()))]
    bounds = [
        EBCC(subtypes=3, abstains=abstains, starts=1, max_iterations=steps, tolerance=-1.0)
        .fit(made.matrix, gold=gold)
        .lower_bound_
        for steps in range(1, 25)
    ]
    assert (np.diff(bounds) >= -1e-8 * abs(bounds[-1])).all()


# known truth


HARD, EASY = np.array([0.35] * 4 + [0.9] * 4), np.array([0.95] * 4 + [0.65] * 4)


def err_together(n=4000, seed=0):
    """Rows of two kinds: on half of them the first four functions do badly, on the others the last four.

    returns: the matrix, the truth, and the best guess of one who knows all.
    """
    rng = np.random.default_rng(seed)
    truth, hard = rng.integers(0, 2, n), rng.random(n) < 0.5
    right = np.where(hard[:, None], HARD, EASY)
    votes = np.where(rng.random((n, 8)) < right, truth[:, None], 1 - truth[:, None])
    likely = [sum(np.where(votes == y, p, 1 - p).prod(axis=1) for p in (HARD, EASY)) for y in range(2)]
    return LabelMatrix.from_votes(votes, ["a", "b"]), truth, np.argmax(likely, axis=0)


@pytest.mark.parametrize("subtypes", [2, 10])
def test_functions_that_err_together_are_seen_through(subtypes):
    matrix, truth, best = err_together()
    models = [MajorityVote(), DawidSkene(), EBCC(subtypes=1), EBCC(subtypes=subtypes)]
    right = [(model.fit(matrix).predict_codes(matrix) == truth).mean() for model in models]
    assert right[3] > max(right[:3]) + 0.03 and right[3] > (best == truth).mean() - 0.01


@pytest.mark.parametrize("subtypes", [1, 5])
def test_independent_functions_are_learned_as_well_as_by_dawid_skene(subtypes):
    made = simulate(4000, 8, class_names(3), balance=[0.5, 0.3, 0.2], class_dependent=True, seed=3)
    model = EBCC(subtypes=subtypes).fit(made.matrix)
    right = (model.predict_codes(made.matrix) == made.truth)[made.matrix.covered].mean()
    best = (made.bayes_codes() == made.truth)[made.matrix.covered].mean()
    assert right > best - 0.01
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.06
    assert np.abs(model.class_balance_ - made.balance).max() < 0.04


def test_superfluous_subtypes_stay_empty():
    made = simulate(3000, 8, class_names(2), seed=3)
    model = EBCC(subtypes=6).fit(made.matrix)
    assert (model.subtype_shares_[:, 0] > 0.9).all() and (np.diff(model.subtype_shares_, axis=1) <= 0).all()
    assert model.findings() == ["subtypes with more than 5% of their class: c0 1, c1 1"]


def test_more_starts_never_give_a_lower_bound_after_the_race():
    matrix, _, _ = err_together(500)
    few, many = (EBCC(subtypes=4, starts=starts, max_iterations=15).fit(matrix) for starts in (1, 6))
    assert many.lower_bound_ >= few.lower_bound_


def test_what_the_user_expects_of_a_function_counts():
    matrix = LabelMatrix.from_votes([[0, 1], [1, 0]] * 20, ["a", "b"], names=["good", "bad"])
    for abstains in ("evidence", "ignored"):
        model = EBCC(subtypes=2, abstains=abstains).fit(matrix, accuracies={"good": 0.95, "bad": (0.6, 20)})
        assert model.predict(matrix)[:2] == ["a", "b"] and model.accuracies_[0] > model.accuracies_[1]


def test_votes_for_sets_of_labels_are_understood():
    labels = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    votes = [[3, 0, 0], [3, 1, 1], [2, 2, 2], [3, 0, -1]] * 20
    model = EBCC(subtypes=2).fit(LabelMatrix.from_votes(votes, labels))
    asked = LabelMatrix.from_votes([[3, 0, 2], [-1, -1, 3], [2, -1, -1]], labels)
    proba = model.predict_proba(asked)
    assert proba[0, 0] > proba[0, 2] and np.isfinite(proba).all() and proba[2].argmax() == 2


def test_tables_are_distributions():
    made = simulate(200, 5, class_names(3), seed=1)
    evidence, ignored = EBCC(subtypes=2).fit(made.matrix), EBCC(subtypes=2, abstains="ignored").fit(made.matrix)
    assert evidence.tables_.shape == (5, 3, 2, 4) and np.allclose(evidence.tables_.sum(axis=3), 1)
    assert np.allclose(ignored.tables_[..., 1:].sum(axis=3), 1) and (ignored.tables_[..., 0] == 0).all()


@pytest.mark.parametrize(
    "options", [{"subtypes": 0}, {"starts": 0}, {"wrong": 0}, {"sparsity": -1}, {"abstains": "x"}, {"balance": "even"}]
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"EBCC\((.|\n)*cannot be.\nFix"):
        EBCC(**options)
