"""LabelModel: picks between counting and learning, and says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference import counting
from tests.reference.partial import simulate_partial
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote
from consilience.label_models import Committee
from consilience.label_models.advantage import advantage_bound, is_crowd, overturned, residual_correlation, tie_share
from consilience.label_models.base import gather
from consilience.label_models.dawid_skene import prior_tables
from consilience.testing import simulate


def evidence_of(votes, k):
    return gather(LabelMatrix.from_votes(votes, class_names(k)), None)


@given(vote_matrices())
def test_the_bound_and_the_ties_agree_with_counting_row_by_row(made):
    votes, k = made
    assert np.isclose(advantage_bound(evidence_of(votes, k)), counting.advantage(votes.tolist(), k))
    assert np.isclose(tie_share(evidence_of(votes, k)), counting.ties(votes.tolist(), k))


@given(st.integers(0, 50), st.integers(2, 3))
def test_residual_correlation_agrees_with_loops(seed, k):
    made = simulate(60, 4, class_names(k), coverage=(0.3, 0.9), seed=seed)
    votes = made.matrix.votes.tolist()
    found = residual_correlation(evidence_of(made.matrix.votes, k), made.theta, made.balance)
    assert np.isclose(found, counting.residual(votes, made.theta, made.balance))


def test_residual_correlation_agrees_with_loops_on_votes_for_sets():
    made = simulate_partial(80, 4, ["sets", "not", "label", "sets"], seed=2)
    found = residual_correlation(gather(made.matrix, None), made.theta, np.full(4, 0.25))
    assert np.isclose(found, counting.residual(made.matrix.votes.tolist(), made.theta, [0.25] * 4))


def test_votes_for_sets_are_learned_where_they_are_independent_and_beat_counting():
    for seed in range(2):
        made = simulate_partial(3000, 6, ["sets"] * 6 + ["not"] * 4 + ["label"] * 2, seed=seed)
        model = LabelModel().fit(made.matrix)
        assert model.findings_.chosen == "Dawid-Skene" and model.findings_.residual < 1.15
        counted = (MajorityVote().fit(made.matrix).predict_codes(made.matrix) == made.truth).mean()
        assert (model.predict_codes(made.matrix) == made.truth).mean() > counted


def test_shares_of_votes_for_sets_tie_like_whole_votes():
    labels = Labels("a", "b", "c", "d", groups={"x": ["a", "b", "c"], "y": ["b", "c", "d"], "z": ["a", "d"]})
    matrix = LabelMatrix.from_votes([[4, 5, 4, 5], [6, 0, 3, -1], [4, 4, 4, 0]], labels)
    assert np.isclose(tie_share(gather(matrix, None)), 2 / 3)


def test_votes_too_few_to_tell_have_no_residual():
    evidence = evidence_of([[0, 1]], 2)
    assert residual_correlation(evidence, prior_tables(evidence), np.full(2, 0.5)) == 0.0


def test_a_clear_majority_is_overturned_where_another_label_is_more_probable():
    evidence = evidence_of([[0, 0, 1], [1, 1, 1], [0, 1, -1], [-1, -1, -1]], 2)
    turned = np.array([[0.0, 1.0] if row.tolist() == [0, 0, 1] else [0.5, 0.5] for row in evidence.votes])
    assert overturned(evidence, turned) == 0.5
    assert overturned(evidence, np.full((4, 2), 0.5)) == 0.0
    assert overturned(evidence_of([[0]], 1), np.ones((1, 1))) == 0.0


# the choice


def test_where_votes_never_contradict_each_other_counting_is_enough():
    model = LabelModel().fit(LabelMatrix.from_votes([[0, 0, -1], [1, -1, 1]] * 50, ["a", "b"]))
    assert model.findings_.chosen == "majority vote" and "counting is enough" in str(model)
    assert isinstance(model.chosen_, MajorityVote) and model.accuracy_means == "agrees with the majority"


@pytest.mark.parametrize("seed", range(3))
def test_independent_functions_are_learned(seed):
    made = simulate(10_000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=seed)
    model = LabelModel().fit(made.matrix)
    assert model.findings_.chosen == "Dawid-Skene" and model.findings_.residual < 1.15
    plain = DawidSkene().fit(made.matrix)
    assert (model.predict_proba(made.matrix) == plain.predict_proba(made.matrix)).all()


@pytest.mark.parametrize("seed", range(3))
def test_functions_that_copy_each_other_are_found_and_counted_once(seed):
    made = simulate(10_000, 9, ["a", "b"], coverage=(0.4, 0.8), copies=4, seed=seed)
    model = LabelModel().fit(made.matrix)
    found = model.findings_
    assert found.chosen == "Dawid-Skene with dependencies" and found.residual > 1.15 >= found.linked_residual
    assert {frozenset(pair) for pair in found.dependencies} == {frozenset((f"f{8 - c}", f"f{c}")) for c in range(4)}
    assert "4 pairs of functions depend on one another" in str(model)
    right = (model.predict_codes(made.matrix) == made.truth).mean()
    plain = DawidSkene().fit(made.matrix)
    assert right > max((plain.predict_codes(made.matrix) == made.truth).mean(), 0.7)


def test_workers_who_were_given_rows_are_a_crowd():
    made = simulate(3000, 12, ["a", "b", "c"], coverage=(1.0, 1.0), accuracy=(0.4, 0.8), seed=2)
    votes, rng = made.matrix.votes.copy(), np.random.default_rng(0)
    votes[np.arange(3000)[:, None], np.argsort(rng.random((3000, 12)), axis=1)[:, 4:]] = -1
    model = LabelModel().fit(LabelMatrix.from_votes(votes, ["a", "b", "c"]))
    assert model.findings_.chosen == "Dawid-Skene of crowds" and model.chosen_.abstains == "ignored"
    assert not is_crowd(evidence_of(simulate(3000, 12, ["a", "b", "c"], seed=2).matrix.votes, 3))


def misleading(n=6000, seed=0):
    """Rows of which a fifth look like the other class to all functions: no model of independent functions is true."""
    made = simulate(n, 9, ["a", "b"], coverage=(0.25, 0.5), accuracy=(0.7, 0.9), class_dependent=True, seed=seed)
    rng = np.random.default_rng(seed)
    lively = rng.random(n) < 0.5
    return LabelMatrix.from_votes(np.where(lively[:, None], made.matrix.votes, -1), ["a", "b"])


def test_where_no_single_model_fits_a_committee_decides():
    model = LabelModel().fit(misleading())
    assert model.findings_.chosen == "committee" and "no single model" in model.findings_.reason


def test_a_model_that_overturns_more_than_is_believable_is_not_used(monkeypatch):
    monkeypatch.setattr("consilience.label_models.choose.overturned", lambda *_: 0.9)
    model = LabelModel().fit(misleading())
    assert model.findings_.chosen == "majority vote" and "which the votes do not justify" in model.findings_.reason
    counted = MajorityVote().fit(misleading()).predict_proba(misleading())
    assert (model.predict_proba(misleading()) == counted).all()


def gold_of(made, n):
    return [name if i < n else None for i, name in enumerate(made.matrix.labels.decode(made.truth.tolist()))]


def test_gold_that_speaks_for_another_model_decides():
    made = simulate(3000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=1)
    turned = [{"a": "b", "b": "a", None: None}[name] for name in gold_of(made, 400)]
    model = LabelModel().fit(made.matrix, gold=turned)  # gold that contradicts all: whoever is least wrong wins
    found = model.findings_
    assert set(found.gold_accuracy) == {"majority vote", "Dawid-Skene", "Dawid-Skene of crowds", "committee"}
    assert found.gold_accuracy[found.chosen] == max(found.gold_accuracy.values())
    assert found.chosen != "Dawid-Skene" and "better than Dawid-Skene on the" in found.reason


def test_gold_that_speaks_for_no_other_model_leaves_the_choice():
    made = simulate(3000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=1)
    found = LabelModel().fit(made.matrix, gold=gold_of(made, 60)).findings_
    assert found.chosen == "Dawid-Skene" and "no other model is better by more than chance" in found.reason


def test_a_little_gold_is_reported_but_does_not_decide():
    made = simulate(3000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=1)
    gold = [name if i < 20 else None for i, name in enumerate(made.matrix.labels.decode(made.truth.tolist()))]
    model = LabelModel().fit(made.matrix, gold=gold)
    assert 0 < model.findings_.gold_rows <= 20 and "by more than chance" not in model.findings_.reason


@pytest.mark.parametrize("options", [{}, {"copies": 4}, {"coverage": (0.01, 0.02)}])
def test_findings_and_choice_survive_the_disk(options, tmp_path):
    made = simulate(3000, 9, ["a", "b"], seed=1, **options)
    model = LabelModel().fit(made.matrix)
    model.save(tmp_path / "model.npz")
    again = LabelModel.load(tmp_path / "model.npz")
    assert again.findings_ == model.findings_ and str(again) == str(model)
    assert type(again.chosen_) is type(model.chosen_) and again.accuracy_means == model.accuracy_means
    assert np.array_equal(again.predict_proba(made.matrix), model.predict_proba(made.matrix))


def test_a_model_that_was_not_fitted_says_so():
    assert str(LabelModel()) == "LabelModel, not fitted"


CANDIDATES = {
    "majority vote": MajorityVote,
    "Dawid-Skene": DawidSkene,
    "Dawid-Skene of crowds": lambda: DawidSkene(abstains="ignored"),
    "committee": Committee,
}


@pytest.mark.parametrize("n_gold", [20, 100])
@pytest.mark.parametrize("seed", range(3))
def test_accuracy_on_gold_is_that_of_models_that_have_not_seen_it(n_gold, seed):
    made = simulate(300, 6, ["a", "b"], coverage=(0.6, 0.9), accuracy=(0.5, 0.62), seed=seed)
    gold = made.matrix.labels.decode(np.where(np.arange(300) < n_gold, made.truth, -1).tolist())
    found = LabelModel().fit(made.matrix, gold=gold).findings_
    for name, make in CANDIDATES.items():
        right = make().fit(made.matrix).predict_codes(made.matrix) == made.truth
        assert found.gold_accuracy[name] == pytest.approx(right[:n_gold][made.matrix.covered[:n_gold]].mean())
