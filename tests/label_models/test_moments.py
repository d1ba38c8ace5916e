"""Moment matching: its loss is that of loops, its minimum that of any minimiser, its tables those of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import softmax
from tests.reference import moments as slow
from tests.strategies import class_names

from consilience import LabelMatrix
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.class_balance import find_classes
from consilience.label_models.cooccurrence import beliefs, co_occurrence
from consilience.label_models.matching import Match
from consilience.label_models.moments import MomentMatching
from consilience.testing import simulate


def small(k, m=5, n=300, component=None, excess=1.0, seed=1):
    """A match, and the votes behind it."""
    made = simulate(n, m, class_names(k), coverage=(0.4, 0.9), class_dependent=True, seed=seed)
    balance = np.array([0.6, 0.4] if k == 2 else [0.5, 0.3, 0.2])
    evidence = gather(made.matrix, None)
    component = np.arange(m) if component is None else np.array(component)
    together = co_occurrence(evidence, component)
    return Match(together, beliefs(evidence, balance), balance, excess=excess), made, together, evidence


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("component", [[0, 1, 2, 3, 4], [0, 0, 2, 3, 2]])
def test_the_loss_is_that_of_loops_over_pairs(k, component):
    match, made, together, _ = small(k, component=component, excess=2.0)
    votes = made.matrix.votes.tolist()
    found = slow.columns(votes)
    assert np.allclose(together.correlation, found.correlation)
    assert np.allclose(together.variance, found.variance)
    classes = softmax(np.random.default_rng(0).normal(size=(len(found.who), k)), axis=1)
    by_loops = slow.loss(votes, classes.tolist(), match.balance.tolist(), component, excess=2.0)
    assert np.isclose(match.loss(classes)[0], by_loops)


@pytest.mark.parametrize("k", [2, 3])
def test_the_gradient_is_that_of_differences(k):
    match, _, together, evidence = small(k)
    start, _ = match.minimum(match.believed)
    core = find_classes(evidence, together, match, start).core
    for one in (match, Match(together, beliefs(evidence, match.balance), match.balance, core)):
        point = np.random.default_rng(0).normal(size=start.size)

        def loss(logits, one=one):
            return one.loss(softmax(logits.reshape(start.shape), axis=1))[0]

        gradient = one.loss(softmax(point.reshape(start.shape), axis=1))[1].ravel()
        assert np.allclose(gradient, approx_fprime(point, loss, 1e-7), atol=1e-5 * max(1, np.abs(gradient).max()))


def test_the_minimum_is_that_of_a_general_minimiser():
    match, made, _, _ = small(2, m=4, n=200)
    classes, least = match.minimum(match.believed)
    votes = made.matrix.votes.tolist()

    def loss(logits):
        p = softmax(logits.reshape(classes.shape), axis=1)
        return slow.loss(votes, p.tolist(), match.balance.tolist(), [0, 1, 2, 3])

    general = minimize(loss, np.log(match.believed).ravel(), method="BFGS", options={"maxiter": 60})
    assert least <= general.fun + 1e-9
    assert np.isclose(least, general.fun, atol=1e-4)
    assert np.allclose(classes, softmax(general.x.reshape(classes.shape), axis=1), atol=0.02)


# the greatest of the errors of 10 accuracies at 20,000 rows: 0.02 is three standard errors or more
@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ("ab", {}),
        ("ab", {"balance": [0.8, 0.2]}),
        ("ab", {"balance": [0.8, 0.2], "class_dependent": True}),
        ("abc", {"balance": [0.6, 0.3, 0.1]}),
        ("abcd", {}),
        ("abcd", {"balance": [0.5, 0.3, 0.15, 0.05], "coverage": (0.3, 0.7)}),
    ],
)
@pytest.mark.parametrize("tell", [True, False])
def test_known_truth_is_found(labels, options, tell):
    made = simulate(20_000, 10, labels, seed=11, **options)
    model = MomentMatching().fit(made.matrix, class_balance=made.balance.tolist() if tell else None)
    covered = made.matrix.covered
    right = (model.predict_codes(made.matrix) == made.truth)[covered].mean()
    assert right > (made.bayes_codes() == made.truth)[covered].mean() - 0.003
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.02
    assert np.abs(model.class_balance_ - made.balance).max() < 0.03


def round_about(n=50_000, m=10, seed=0):
    """Votes for three classes, each of which is taken for the next one more often than for the one before."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n)
    table = np.array([[0.6, 0.35, 0.05], [0.05, 0.6, 0.35], [0.35, 0.05, 0.6]])
    votes = np.stack([(rng.random((n, 1)) > table.cumsum(axis=1)[truth]).sum(axis=1) for _ in range(m)], axis=1)
    return np.where(rng.random((n, m)) < 0.5, votes, -1), table


def test_triples_tell_tables_apart_that_pairs_do_not(monkeypatch):
    votes, table = round_about()
    matrix = LabelMatrix.from_votes(votes, ["a", "b", "c"])
    model = MomentMatching(balance="uniform").fit(matrix)
    assert np.abs(model.theta_[:, :, 1:4] / 0.5 - table).mean() < 0.01
    assert model.findings() == []
    monkeypatch.setattr("consilience.label_models.moments.find_classes", lambda *_: None)
    by_pairs = MomentMatching(balance="uniform").fit(matrix)  # as good an explanation of pairs, but another
    assert np.abs(by_pairs.theta_[:, :, 1:4] / 0.5 - table).mean() > 0.05


def test_two_functions_alone_say_so():
    matrix = LabelMatrix.from_votes([[0, 0], [1, 1], [2, 2], [2, 1]] * 20, ["a", "b", "c"])
    assert "triples of functions say too little" in MomentMatching().fit(matrix).findings()[0]


def test_functions_that_say_one_label_only_or_never_abstain_are_no_trouble():
    rng = np.random.default_rng(3)
    truth = (rng.random(20_000) < 0.4).astype(int)
    says = np.arange(8) % 2
    fires = rng.random((20_000, 8)) < np.where(truth[:, None] == says, 0.4, 0.1)
    votes = np.where(fires, says, -1)
    votes[:, :2] = np.where(rng.random((20_000, 2)) < 0.8, truth[:, None], 1 - truth[:, None])
    model = MomentMatching().fit(LabelMatrix.from_votes(votes, ["a", "b"]))
    right = [(votes[votes[:, j] >= 0, j] == truth[votes[:, j] >= 0]).mean() for j in range(8)]
    assert np.abs(model.accuracies_ - right).max() < 0.02


def test_abstaining_is_evidence_unless_it_is_to_be_ignored():
    made = simulate(20_000, 10, "ab", accuracy=(0.55, 0.7), class_dependent=True, seed=2)
    covered = made.matrix.covered
    right = {
        abstains: (MomentMatching(abstains=abstains).fit(made.matrix).predict_codes(made.matrix) == made.truth)[covered]
        for abstains in ("evidence", "ignored")
    }
    assert right["evidence"].mean() > right["ignored"].mean() + 0.004  # the same rows
    assert right["evidence"].mean() > (made.bayes_codes() == made.truth)[covered].mean() - 0.003


@pytest.mark.parametrize("options", [{"balance": "even"}, {"abstains": "no"}, {"prior_strength": -1}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ModelError, match=r"MomentMatching\(.*\) cannot be.\nFix"):
        MomentMatching(**options)
