"""Triplets: agree with loops over triples, and find the truth where there is one, unipolar functions included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.reference.triplets import fit_triplets
from tests.strategies import class_names

from consilience import LabelMatrix, Labels
from consilience.errors import ModelError
from consilience.label_models.triplets import COMBINE, Triplets, magnitudes, signs
from consilience.testing import simulate


@pytest.mark.parametrize("combine", COMBINE)
@pytest.mark.parametrize("class_conditional", [True, False])
@pytest.mark.parametrize(("k", "pairs"), [(2, ()), (3, ()), (2, (("f0", "f1"),))])
def test_agrees_with_loops_over_triples(combine, class_conditional, k, pairs):
    made = simulate(400, 6, class_names(k), coverage=(0.5, 0.9), class_dependent=True, seed=k)
    balance = [0.6, 0.4] if k == 2 else [0.5, 0.3, 0.2]
    component = [0, 0, 2, 3, 4, 5] if pairs else None
    slow = fit_triplets(
        made.matrix.votes.tolist(), balance, combine=combine, class_conditional=class_conditional, component=component
    )
    model = Triplets(combine=combine, class_conditional=class_conditional, dependencies=pairs)
    model.fit(made.matrix, class_balance=balance)
    assert np.allclose(model.theta_[:, :, : k + 1], slow.theta, atol=1e-7)
    if not pairs:
        assert np.allclose(model.predict_proba(made.matrix), slow.posterior, atol=1e-7)


@given(hnp.arrays(np.float64, st.integers(3, 8), elements=st.floats(0.05, 0.95)), st.sampled_from(COMBINE))
def test_exact_products_are_taken_apart_exactly(sizes, combine):
    apart = ~np.eye(len(sizes), dtype=bool)
    assert np.allclose(magnitudes(np.outer(sizes, sizes) * apart, apart, 0 * apart, combine), sizes)


@given(
    hnp.arrays(np.float64, st.integers(3, 8), elements=st.floats(0.1, 0.95)),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_signs_are_those_of_the_product(sizes, flipped):
    a = np.where(flipped[: len(sizes)], -sizes, sizes)
    found = signs(np.outer(a, a) * ~np.eye(len(a), dtype=bool), a)
    assert np.array_equal(found, np.sign(a))
    assert np.array_equal(signs(np.outer(a, a) * ~np.eye(len(a), dtype=bool), -a), -np.sign(a))


# the greatest of the errors of 10 accuracies at 20,000 rows: 0.02 is three standard errors or more
@pytest.mark.parametrize("combine", COMBINE)
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ("ab", {}),
        ("ab", {"balance": [0.8, 0.2]}),
        ("ab", {"balance": [0.8, 0.2], "class_dependent": True}),
        ("abcd", {}),
        ("abcd", {"balance": [0.5, 0.3, 0.15, 0.05], "coverage": (0.3, 0.7)}),
    ],
)
@pytest.mark.parametrize("tell", [True, False])
def test_known_truth_is_found(labels, options, combine, tell):
    made = simulate(20_000, 10, labels, seed=11, **options)
    model = Triplets(combine=combine).fit(made.matrix, class_balance=made.balance.tolist() if tell else None)
    covered = made.matrix.covered
    right = (model.predict_codes(made.matrix) == made.truth)[covered].mean()
    assert right > (made.bayes_codes() == made.truth)[covered].mean() - 0.003
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.02
    assert np.abs(model.class_balance_ - made.balance).max() < 0.03


def unipolar(n=20_000, seed=0, flip=()):
    """Ten functions that each say one label only; flip: those that say it of the other class."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.4).astype(int)
    says = np.arange(10) % 2
    own = truth[:, None] == np.where(np.isin(np.arange(10), flip), 1 - says, says)
    return np.where(rng.random((n, 10)) < np.where(own, 0.3, 0.05), says, -1), truth


def test_functions_that_say_one_label_only_are_as_good_as_any():
    votes, truth = unipolar()
    matrix = LabelMatrix.from_votes(votes, ["a", "b"])
    model = Triplets().fit(matrix)
    right = np.array([(truth[votes[:, j] >= 0] == j % 2).mean() for j in range(10)])
    assert np.abs(model.accuracies_ - right).max() < 0.02
    tables = np.array([[[(votes[truth == y, j] == s).mean() for s in (-1, 0, 1)] for y in (0, 1)] for j in range(10)])
    joint = np.log([0.6, 0.4]) + sum(np.log(tables[j][:, votes[:, j] + 1] + 1e-12).T for j in range(10))
    best = (joint.argmax(axis=1) == truth)[matrix.covered].mean()
    assert (model.predict_codes(matrix) == truth)[matrix.covered].mean() > best - 0.003


def test_a_function_worse_than_chance_is_turned_round():
    votes, truth = unipolar(flip=(3,))
    model = Triplets().fit(LabelMatrix.from_votes(votes, ["a", "b"]))
    right = (truth[votes[:, 3] >= 0] == 1).mean()
    assert right < 0.2 and abs(model.accuracies_[3] - right) < 0.03


def test_symmetric_errors_are_the_papers_own_model_and_fail_where_they_do_not_hold():
    made = simulate(20_000, 10, "ab", balance=[0.8, 0.2], seed=11)
    same = Triplets(class_conditional=False).fit(made.matrix, class_balance=[0.8, 0.2])
    assert np.abs(same.accuracies_ - made.accuracies).max() < 0.02
    votes, truth = unipolar()
    right = np.array([(truth[votes[:, j] >= 0] == j % 2).mean() for j in range(10)])
    matrix = LabelMatrix.from_votes(votes, ["a", "b"])
    wrong = Triplets(class_conditional=False).fit(matrix, class_balance=[0.6, 0.4])
    assert np.abs(wrong.accuracies_ - right).max() > 0.05


def test_votes_for_a_set_of_labels_are_learned_too():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 20_000)
    wrong = (truth[:, None] + rng.integers(1, 3, (20_000, 8))) % 3
    says = np.where(rng.random((20_000, 8)) < 0.75, truth[:, None], wrong)
    votes = np.where(rng.random((20_000, 8)) < 0.5, says, -1)
    votes[:, 0] = np.where(votes[:, 0] < 0, -1, np.where(votes[:, 0] == 2, 2, 3))  # says "c", or "a or b"
    model = Triplets().fit(LabelMatrix.from_votes(votes, Labels("a", "b", "c", groups={"a|b": ["a", "b"]})))
    voted = votes[:, 0] >= 0
    right = np.where(votes[voted, 0] == 2, truth[voted] == 2, truth[voted] < 2).mean()
    assert abs(model.accuracies_[0] - right) < 0.02


def test_gold_counts_where_no_triple_can_tell():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    votes = np.where(rng.random((2000, 2)) < [0.95, 0.6], truth[:, None], 1 - truth[:, None])
    matrix = LabelMatrix.from_votes(votes, ["a", "b"])
    blind = Triplets().fit(matrix)
    assert np.allclose(blind.accuracies_, 0.7, atol=0.01)
    assert blind.findings() == ["no triple of functions checks f0, f1: of these prior accuracies are kept"]
    taught = Triplets().fit(matrix, gold=matrix.labels.decode(truth.tolist()))
    assert np.allclose(taught.accuracies_, [0.95, 0.6], atol=0.02)


def test_what_the_user_expects_is_kept_where_no_triple_can_tell():
    matrix = LabelMatrix.from_votes([[0, 1], [1, 1], [0, 0], [1, 0]] * 10, ["a", "b"])
    model = Triplets().fit(matrix, accuracies={"f0": 0.9})
    assert np.allclose(model.accuracies_, [0.9, 0.7], atol=0.01)


@pytest.mark.parametrize(
    "options", [{"combine": "mode"}, {"balance": "even"}, {"abstains": "no"}, {"prior_strength": -1}]
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"Triplets with .* cannot be.\nFix"):
        Triplets(**options)
