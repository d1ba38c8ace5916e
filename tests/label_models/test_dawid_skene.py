"""Dawid-Skene: agrees with the formula in loops, climbs its likelihood, and finds the truth where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.em import fit_em
from tests.reference.partial import simulate_partial
from tests.strategies import class_names, partial_votes, vote_matrices, wide_votes

from consilience import DawidSkene, LabelMatrix, Labels, MajorityVote
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.pattern_tables import PatternTables
from consilience.testing import simulate

STEPS = 25
# a tolerance below 0 keeps EM from ending early: the reference takes just as many steps
SETTINGS = [
    {},
    {"shrink": 2 / 3, "balance": "uniform"},
    {"prior_strength": 0.0},
    {"prior_strength": 3.0, "shrink": 0.25},
]


def check_against_reference(votes, k, options, *, gold=None, balance=None, meanings=None):
    names = class_names(k)
    groups = {f"g{place}": [names[y] for y in group] for place, group in enumerate((meanings or [])[k:])}
    matrix = LabelMatrix.from_votes(votes, Labels(*names, groups=groups))
    model = DawidSkene(**options, max_iterations=STEPS, tolerance=-1.0)
    model.fit(matrix, gold=None if gold is None else matrix.labels.decode(gold), class_balance=balance)
    slow = fit_em(
        votes.tolist(),
        k,
        iterations=STEPS,
        prior_strength=options.get("prior_strength", 10.0),
        shrink=options.get("shrink", 0.0),
        learn_balance=options.get("balance") != "uniform",
        balance=balance,
        known=gold,
        meanings=meanings,
    )
    assert np.allclose(model.theta_, slow.theta, atol=1e-8)
    assert np.allclose(model.prior_, slow.balance, atol=1e-8)
    assert np.allclose(model.predict_proba(matrix), slow.posterior, atol=1e-8)
    assert np.isclose(model.log_likelihood_, slow.objective[-1])


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("k", [2, 3])
def test_agrees_with_em_row_by_row(options, k):
    made = simulate(150, 5, class_names(k), class_dependent=True, seed=k)
    check_against_reference(made.matrix.votes, k, options)


@settings(max_examples=15)
@given(vote_matrices(max_rows=8, max_functions=3, max_classes=3), st.sampled_from(SETTINGS))
def test_agrees_with_em_row_by_row_on_any_votes(made, options):
    check_against_reference(*made, options)


def test_agrees_where_some_classes_are_known_and_where_the_balance_is_given():
    made = simulate(120, 4, class_names(3), seed=9)
    gold = np.where(np.arange(120) % 5 == 0, made.truth, -1).tolist()
    check_against_reference(made.matrix.votes, 3, {}, gold=gold)
    check_against_reference(made.matrix.votes, 3, {}, balance=[0.5, 0.3, 0.2])


@settings(max_examples=30)
@given(partial_votes(), st.sampled_from(SETTINGS))
def test_agrees_with_em_row_by_row_on_votes_for_sets(made, options):
    votes, meanings, k = made
    check_against_reference(votes, k, options, meanings=meanings)


def test_the_likelihood_of_votes_for_sets_never_falls():
    matrix = simulate_partial(300, 5, ["sets"] * 3 + ["not"] * 3 + ["label"], seed=1).matrix
    climbed = [DawidSkene(max_iterations=steps, tolerance=-1.0).fit(matrix).log_likelihood_ for steps in range(1, 20)]
    assert (np.diff(climbed) >= -1e-6).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_likelihood_never_falls(seed):
    made = simulate(400, 6, class_names(3), class_dependent=True, copies=2, seed=seed)
    climbed = [
        DawidSkene(max_iterations=steps, tolerance=-1.0).fit(made.matrix).log_likelihood_ for steps in range(1, 25)
    ]
    assert (np.diff(climbed) >= -1e-6).all()


# two standard errors of label accuracy at 20,000 rows are 0.006, but both guesses are scored on the same rows
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ("ab", {}),
        ("ab", {"balance": [0.8, 0.2]}),
        ("abcd", {"balance": [0.5, 0.3, 0.15, 0.05], "coverage": (0.3, 0.7)}),
        ("ab", {"class_dependent": True}),
        ("abc", {"class_dependent": True, "balance": [0.6, 0.3, 0.1]}),
    ],
)
def test_known_truth_is_found_nearly_as_well_as_by_knowing_the_tables(labels, options):
    made = simulate(20_000, 10, labels, seed=11, **options)
    model = DawidSkene().fit(made.matrix)
    covered = made.matrix.covered  # on the others models guess the most frequent label, whatever silence may mean
    right = (model.predict_codes(made.matrix) == made.truth)[covered].mean()
    best = (made.bayes_codes() == made.truth)[covered].mean()
    assert right > best - 0.003
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.03
    assert np.abs(model.class_balance_ - made.balance).max() < 0.03


# with 10 classes a row has little evidence; free tables of 10 x 10 entries would lose 3 to 17 points here
@pytest.mark.parametrize(
    ("kinds", "rows", "loss"),
    [
        (["not"] * 10 + ["sets"] * 6 + ["label"] * 2, 2000, 0.015),
        (["sets"] * 10, 2000, 0.015),
        (["sets"] * 10, 6000, 0.01),
    ],
)
def test_votes_for_sets_come_near_the_best_guess_and_beat_counting(kinds, rows, loss):
    right = np.zeros((3, 3))
    for seed in range(3):
        made = simulate_partial(rows, 10, kinds, seed=seed)
        learned, counted = DawidSkene().fit(made.matrix), MajorityVote().fit(made.matrix)
        for place, proba in enumerate(
            [made.posterior, learned.predict_proba(made.matrix), counted.predict_proba(made.matrix)]
        ):
            right[seed, place] = (proba.argmax(axis=1) == made.truth).mean()
        says = 1 - made.theta[:, :, 0].mean(axis=1)
        truth = np.einsum("sy,jys->j", made.matrix.labels.meanings, made.theta[:, :, 1:]) / 10 / says
        assert np.abs(learned.accuracies_ - truth).max() < 0.1
    best, learned, counted = right.mean(axis=0)
    assert learned > best - loss and learned > counted


def test_with_the_true_tables_the_answer_is_the_exact_posterior():
    made = simulate_partial(500, 4, ["sets", "not", "label", "not"], seed=2)
    model = DawidSkene(balance="uniform").fit(made.matrix)
    model.theta_, model.prior_ = np.maximum(made.theta, 1e-300), np.full(4, 0.25)
    assert np.allclose(model.predict_proba(made.matrix), made.posterior, atol=1e-9)


def test_classes_that_a_function_cannot_tell_apart_have_one_table():
    made = simulate_partial(500, 4, ["not", "sets", "label"], seed=3)
    theta, votes = DawidSkene().fit(made.matrix).theta_, made.matrix.labels.meanings
    (ruled_out,) = np.flatnonzero(~votes[made.matrix.votes[:, 0].max()])
    others = np.delete(theta[0], ruled_out, axis=0)
    assert np.allclose(others, others[0]) and not np.allclose(theta[0][ruled_out], others[0])
    assert not np.allclose(theta[2][0], theta[2][1])


def test_a_word_on_the_accuracy_of_votes_for_sets_draws_it_there():
    made = simulate_partial(400, 10, ["not"] * 4 + ["sets"] * 4, seed=3)
    low, high = (
        DawidSkene(balance="uniform").fit(made.matrix, accuracies={"f5": (word, 500)}) for word in (0.55, 0.95)
    )
    assert high.accuracies_[5] > low.accuracies_[5] + 0.1


def test_known_classes_are_kept_and_teach():
    made = simulate(2000, 5, class_names(2), accuracy=(0.52, 0.6), coverage=(0.6, 0.9), seed=4)
    names = made.matrix.labels.decode(made.truth.tolist())
    taught = DawidSkene().fit(made.matrix, gold=names)
    evidence = gather(made.matrix, names)
    assert evidence.counts.sum() == 2000 and (evidence.known >= 0).all()
    assert np.abs(taught.accuracies_ - made.accuracies).max() < 0.05
    assert np.allclose(taught.class_balance_, (np.bincount(made.truth) + 1) / 2002)


def test_gold_of_other_rows_is_added_to_the_votes():
    made = simulate(500, 5, class_names(2), seed=4)
    scored = made.matrix.with_gold(made.truth.astype(np.int16))
    evidence = gather(made.matrix.take(np.arange(300)), scored.take(np.arange(300, 500)))
    assert evidence.counts.sum() == 500 and evidence.counts[evidence.known >= 0].sum() == 200


def test_a_symbol_never_seen_says_nothing_about_the_class():
    rng = np.random.default_rng(0)
    truth = (rng.random(5000) < 0.1).astype(int)
    votes = np.where(rng.random((5000, 5)) < 0.8, truth[:, None], 1 - truth[:, None])
    model = DawidSkene().fit(LabelMatrix.from_votes(votes, ["ham", "spam"]))
    asked = LabelMatrix.from_votes([[0, -1, -1, -1, -1], [0, 0, -1, -1, -1]], ["ham", "spam"])
    assert (model.predict_proba(asked)[:, 0] > 0.9).all()


def test_functions_that_never_vote_have_no_accuracy():
    model = DawidSkene().fit(LabelMatrix.from_votes([[0, -1], [1, -1]] * 10, ["a", "b"]))
    assert np.isfinite(model.accuracies_[0]) and np.isnan(model.accuracies_[1])


@pytest.mark.parametrize("options", [{"prior_strength": -1}, {"shrink": 1.5}, {"balance": "even"}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"DawidSkene\(.*\) cannot be.\nFix"):
        DawidSkene(**options)


# sums over patterns


@given(vote_matrices() | wide_votes(), st.integers(0, 99))
def test_sums_over_patterns_agree_with_loops(made, seed):
    votes, k = made
    n, m = votes.shape
    rng = np.random.default_rng(seed)
    log_theta, weights = rng.normal(size=(m, k, k + 1)), rng.random((k, n))
    likelihood, counts = np.zeros((k, n)), np.zeros((m, k, k + 1))
    for i in range(n):
        for j in range(m):
            for y in range(k):
                likelihood[y, i] += log_theta[j, y, votes[i, j] + 1]
                counts[j, y, votes[i, j] + 1] += weights[y, i]
    tables = PatternTables(votes, k, k)
    assert np.allclose(tables.log_likelihood(log_theta), likelihood)
    assert np.allclose(tables.expected_counts(weights), counts)
    assert sorted(column for block in tables.blocks for column in block) == list(range(m))


def test_many_rows_make_wide_blocks():
    votes = np.random.default_rng(0).integers(-1, 2, (20_000, 20))
    assert len(PatternTables(votes, 2, 2).blocks) < 5
