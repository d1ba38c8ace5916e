"""Dawid-Skene for crowds: silence ignored, one accuracy a worker, and sums that cost one step a vote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.tied_em import fit_tied_em
from tests.strategies import class_names, vote_matrices, wide_votes

from consilience import DawidSkene, LabelMatrix, Labels, MajorityVote
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.pattern_tables import PatternTables
from consilience.label_models.tied_tables import TiedTables, right_and_wrong
from consilience.label_models.vote_cells import VoteCells, sums_over_votes
from consilience.testing import simulate

STEPS = 12
FORMS = [
    {"abstains": "ignored"},
    {"abstains": "ignored", "form": "one coin", "balance": "uniform"},
    {"abstains": "evidence", "form": "one coin"},
    {"abstains": "ignored", "prior_strength": 0.0},
]


def crowd_of(n=300, m=60, k=3, answers=6, seed=0, accuracy=(0.4, 0.95)):
    """Items each answered by a few of many workers, whose tables differ. returns: matrix, truth, tables (m, k, k)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    tables = np.empty((m, k, k))
    for j in range(m):
        for y in range(k):
            right = rng.uniform(*accuracy)
            tables[j, y] = rng.dirichlet(np.ones(k)) * (1 - right)
            tables[j, y, y] += right
    votes = np.full((n, m), -1)
    for i in range(n):
        for j in rng.choice(m, answers, replace=False):
            votes[i, j] = rng.choice(k, p=tables[j, truth[i]])
    return LabelMatrix.from_votes(votes, class_names(k)), truth, tables


def check_against_reference(matrix, options, gold=None):
    k = len(matrix.labels)
    model = DawidSkene(**options, max_iterations=STEPS, tolerance=-1.0)
    model.fit(matrix, gold=None if gold is None else matrix.labels.decode(gold))
    slow = fit_tied_em(
        matrix.votes.tolist(),
        k,
        iterations=STEPS,
        strength=options.get("prior_strength", float(k) if options.get("abstains") == "ignored" else 10.0),
        one_coin=options.get("form") == "one coin",
        ignored=options.get("abstains") == "ignored",
        learn_balance=options.get("balance") != "uniform",
        known=gold,
    )
    assert np.allclose(model.theta_, slow.theta, atol=1e-8)
    assert np.allclose(model.prior_, slow.balance, atol=1e-8)
    assert np.allclose(model.predict_proba(matrix), slow.posterior, atol=1e-7)
    assert np.isclose(model.log_likelihood_, slow.objective[-1])


@pytest.mark.parametrize("options", FORMS)
def test_agrees_with_em_row_by_row(options):
    check_against_reference(crowd_of(60, 12, 3, 4, seed=1)[0], options)
    made = simulate(80, 4, class_names(2), class_dependent=True, seed=2)
    check_against_reference(made.matrix, options, gold=np.where(np.arange(80) % 4, -1, made.truth).tolist())


@settings(max_examples=12)
@given(vote_matrices(max_rows=8, max_functions=3, max_classes=3), st.sampled_from(FORMS))
def test_agrees_with_em_row_by_row_on_any_votes(made, options):
    votes, k = made
    check_against_reference(LabelMatrix.from_votes(votes, class_names(k)), options)


@pytest.mark.parametrize("options", FORMS)
def test_the_likelihood_never_falls(options):
    matrix, _, _ = crowd_of(150, 40, seed=3)
    climbed = [
        DawidSkene(**options, max_iterations=steps, tolerance=-1.0).fit(matrix).log_likelihood_
        for steps in range(1, 20)
    ]
    assert (np.diff(climbed) >= -1e-6).all()


def test_all_forms_at_full_freedom_are_the_plain_model():
    """The tied M step with nothing tied is the plain one: silence and what is said factor."""
    made = simulate(300, 5, class_names(3), class_dependent=True, seed=4)
    plain = DawidSkene(max_iterations=8, tolerance=-1.0).fit(made.matrix)
    evidence = gather(made.matrix, None)
    tied = TiedTables.of(evidence, np.full(5, 0.7), np.full(5, 10.0), one_coin=False, ignored=False)
    posterior = plain._proba(evidence.votes).T * evidence.counts
    theta = tied.learn(PatternTables(evidence.votes, 3, 3).expected_counts(posterior))
    more = DawidSkene(max_iterations=9, tolerance=-1.0).fit(made.matrix)
    assert np.allclose(theta, more.theta_, atol=1e-8)


# known truth


def test_a_crowd_with_few_answers_each_is_understood():
    matrix, truth, tables = crowd_of(3000, 80, 3, 5, seed=5)
    model = DawidSkene(abstains="ignored").fit(matrix)
    log_tables = np.log(np.concatenate([np.ones((80, 3, 1)), tables], axis=2))
    best = (VoteCells(matrix.votes, 3, 3).log_likelihood(log_tables).argmax(axis=0) == truth).mean()
    right = (model.predict_codes(matrix) == truth).mean()
    counted = (MajorityVote().fit(matrix).predict_codes(matrix) == truth).mean()
    assert right > best - 0.01 and right > counted + 0.02
    says = model.theta_[:, :, 1:] / model.theta_[:, :, 1:].sum(axis=2, keepdims=True)
    assert np.abs(says - tables).mean() < 0.06  # about 60 answers a worker and class: two standard errors are 0.12


def test_silence_that_hangs_on_the_class_is_evidence_or_not_as_asked():
    made = simulate(4000, 6, ["a", "b"], class_dependent=True, coverage=(0.1, 0.9), seed=6)
    used = (DawidSkene().fit(made.matrix).predict_codes(made.matrix) == made.truth).mean()
    model = DawidSkene(abstains="ignored").fit(made.matrix)
    assert used > (model.predict_codes(made.matrix) == made.truth).mean() + 0.02
    assert np.allclose(model.theta_[:, 0, 0], model.theta_[:, 1, 0])
    assert np.allclose(model.theta_[:, 0, 0], (made.matrix.votes < 0).mean(axis=0))


def test_one_coin_has_one_accuracy():
    made = simulate(3000, 8, class_names(4), seed=7)
    model = DawidSkene(form="one coin", abstains="ignored", balance="uniform").fit(made.matrix)
    says = model.theta_[:, :, 1:] / model.theta_[:, :, 1:].sum(axis=2, keepdims=True)
    right = np.diagonal(says, axis1=1, axis2=2)
    assert np.allclose(right, model.accuracies_[:, None]) and np.abs(model.accuracies_ - made.accuracies).max() < 0.04
    wrong = says[:, ~np.eye(4, dtype=bool)]
    assert np.allclose(wrong, wrong[:, :1])


def test_what_the_user_expects_of_a_worker_counts():
    matrix = LabelMatrix.from_votes([[0, 1], [1, 0]] * 20, ["a", "b"], names=["good", "bad"])
    for options in FORMS[:3]:
        model = DawidSkene(**options).fit(matrix, accuracies={"good": 0.95, "bad": (0.6, 20)})
        assert model.predict(matrix)[:2] == ["a", "b"] and model.accuracies_[0] > 0.9


def test_right_and_wrong_votes_are_spread_over_what_a_function_says():
    labels = Labels("a", "b", "c", groups={"ab": ["a", "b"]})
    evidence = gather(LabelMatrix.from_votes([[3, 0], [2, 1]], labels), None)
    right, wrong = right_and_wrong(evidence)
    assert right[0].tolist() == [[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 1, 0]]
    assert np.allclose(wrong[0, 2], [1 / 3, 1 / 3, 0, 1 / 3]) and right[1, 0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("options", FORMS)
def test_votes_for_sets_of_labels_are_understood(options):
    labels = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    matrix = LabelMatrix.from_votes([[3, 0, 0], [3, 1, 1], [2, 2, 2], [3, 0, -1]] * 20, labels)
    model = DawidSkene(**options).fit(matrix)
    proba = model.predict_proba(LabelMatrix.from_votes([[3, -1, -1], [3, 0, 0], [2, -1, -1]], labels))
    assert proba[0, 2] < 0.2 and proba[1].argmax() == 0 and proba[2].argmax() == 2
    assert (model.accuracies_ > 0.7).all()


@pytest.mark.parametrize("options", [{"abstains": "never"}, {"form": "two coins"}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"DawidSkene\(abstains=.*\) cannot be.\nFix"):
        DawidSkene(**options)


# sums over the votes that were cast


@given(vote_matrices() | wide_votes(), st.integers(1, 5), st.integers(0, 99))
def test_sums_over_cells_are_sums_over_tables(made, n_states, seed):
    votes, k = made
    rng = np.random.default_rng(seed)
    log_theta = rng.normal(size=(votes.shape[1], n_states, k + 1))
    weights = rng.random((n_states, len(votes)))
    tables, cells = PatternTables(votes, n_states, k), VoteCells(votes, n_states, k)
    assert np.allclose(tables.log_likelihood(log_theta), cells.log_likelihood(log_theta))
    assert np.allclose(tables.expected_counts(weights), cells.expected_counts(weights))


def test_sparse_votes_are_summed_as_cells_and_dense_ones_as_tables():
    dense = np.random.default_rng(0).integers(0, 2, (20_000, 12))
    assert isinstance(sums_over_votes(dense, 2, 2), PatternTables)
    assert isinstance(sums_over_votes(crowd_of()[0].votes, 3, 3), VoteCells)
