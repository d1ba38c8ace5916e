"""Soft labels as virtual evidence: likelihood and gradient against enumeration, and what they teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.kb.learning.graphs import labelled, latent_chains
from tests.kb.learning.test_sampled_learning import estimate
from tests.reference import kb_learning as reference

from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, SoftEvidence
from consilience.kb.learning.engines import Solved
from consilience.kb.learning.learn import learn
from consilience.kb.learning.relevant import relevant
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.learning.soft import tilts
from consilience.kb.learning.worlds import world_table

LIKELIHOOD = LearningSettings(soft="likelihood", l2=1.0, tolerance=1e-7)


def soft_labels(p_true, at=None):
    """Soft labels of Boolean variables."""
    p = np.asarray(p_true, float)
    at = np.arange(len(p)) if at is None else at
    return SoftEvidence(np.array(at, np.int32), np.arange(len(p) + 1, dtype=np.int32) * 2, np.c_[1 - p, p].ravel())


def singles(features, p_true=None, evidence=None):
    """Variables alone, each under the weights of its features."""
    factors = [(FactorFunction.IS_TRUE, [(v, 1)], j) for v, row in enumerate(features) for j in row]
    soft = SoftEvidence.none() if p_true is None else soft_labels(p_true)
    return FactorGraph.of([2] * len(features), factors, soft=soft, evidence=evidence)


def whole_table(graph):
    matters = relevant(graph, tilts(graph, None, LIKELIHOOD))
    return matters, world_table(matters, np.ones(matters.n_components, bool))


@pytest.mark.parametrize("seed", range(8))
def test_the_gradient_is_the_slope_of_the_probability_of_the_votes(seed):
    graph, weights = labelled(seed, n=5, n_factors=7, softly=0.6)
    matters, table = whole_table(graph)
    solved = Solved(matters, np.ones(matters.n_components, bool))
    got, other, unused = (np.zeros(graph.n_weights) for _ in range(3))
    here = table.likelihood(weights, got)
    assert solved.solvable
    assert solved.likelihood(weights, other) == pytest.approx(here, abs=1e-5)  # scales are float32
    assert other == pytest.approx(got, abs=1e-5)

    def votes(w):
        return reference.log_probability_of_votes(graph, w, graph.soft.probability)

    for w in np.flatnonzero(~graph.weight_is_fixed):
        step = np.zeros(graph.n_weights)
        step[w] = 1e-5
        assert (votes(weights + step) - votes(weights - step)) / 2e-5 == pytest.approx(got[w], abs=1e-6)
        up = table.likelihood(weights + step * 1e4, unused)
        assert up - here == pytest.approx(votes(weights + step * 1e4) - votes(weights), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_sampled_gradient_is_the_same_in_the_mean(seed, monkeypatch):
    graph, weights = labelled(seed, n=5, n_factors=7, softly=0.6, spread=0.7)
    matters, table = whole_table(graph)
    want = np.zeros(graph.n_weights)
    table.likelihood(weights, want)
    monkeypatch.setattr("tests.kb.learning.test_sampled_learning.relevant", lambda _: matters)
    free = ~graph.weight_is_fixed
    assert estimate(graph, weights)[free] == pytest.approx(want[free], abs=0.03)


@pytest.mark.parametrize("method", ["exact", "sgd"])
def test_certain_labels_are_hard_evidence(method):
    sure = np.tile([1.0, 0.0, 1.0, 1.0], 20)
    features = [[0], [0, 1], [1], [1]] * 20
    settings = LearningSettings(method=method, l2=1.0)
    soft = learn(singles(features, sure), np.zeros(2), settings=settings)
    hard = learn(singles(features, evidence=sure.astype(int).tolist()), np.zeros(2), settings=settings)
    assert soft.report.virtual == 80 and not soft.report.concave
    assert soft.weights == pytest.approx(hard.weights, abs=0.01)


def test_a_label_is_read_against_the_mean_of_its_kind():
    p = np.repeat([0.9, 0.3, 0.1, 0.5], [50, 50, 100, 100])
    kind = np.repeat([3, 7], [100, 200])
    graph = singles([[0]] * 300, p)
    tilt = tilts(graph, kind, LearningSettings())
    true = np.log(p / np.repeat([0.6, 0.3], [100, 200]))
    false = np.log((1 - p) / np.repeat([0.4, 0.7], [100, 200]))
    assert tilt == pytest.approx(np.c_[false, true].ravel())
    whole = tilts(graph, None, LearningSettings())[1::2]
    assert whole == pytest.approx(np.log(p / p.mean()))
    flat = tilts(graph, np.full(300, -1), LearningSettings())[1::2]
    assert flat == pytest.approx(np.log(p / 0.5))
    assert flat == pytest.approx(tilts(graph, None, LearningSettings(soft="likelihood"))[1::2])
    assert np.isnan(tilts(graph, None, LearningSettings(soft="target"))).all()


def test_categories_are_read_against_even_odds_unless_they_are_of_one_kind():
    p = np.tile([0.7, 0.2, 0.1, 0.1, 0.2, 0.7, 0.7, 0.3, 0.0], 30)
    soft = SoftEvidence(np.arange(90, dtype=np.int32), np.arange(91, dtype=np.int32) * 3, p)
    graph = FactorGraph.of([3] * 90, [(FactorFunction.AND_CATEGORICAL, [(v, 1)], 0) for v in range(90)], soft=soft)
    even = tilts(graph, None, LearningSettings())
    assert even[:3] == pytest.approx(np.log(3 * p[:3])) and even[8] == -50  # 0 is certain, not infinite
    alike = tilts(graph, np.zeros(90, int), LearningSettings())
    assert alike[:3] == pytest.approx(np.log(p[:3] / p.reshape(-1, 3).mean(axis=0)))


@pytest.mark.parametrize("p", [0.9, 1.0, 0.0, 0.5])
def test_labels_that_all_say_the_same_are_repeated(p):
    learned = learn(singles([[0]] * 500, np.full(500, p)), np.zeros(1), settings=LearningSettings(l2=0.01))
    assert learned.report.targets == 500 and learned.report.virtual == 0
    assert 1 / (1 + np.exp(-2 * learned.weights[0])) == pytest.approx(p, abs=0.01)
    assert np.isfinite(learned.weights).all()


def test_the_mean_of_the_labels_is_where_they_lead():
    p = np.tile([0.9, 0.9, 0.9, 0.2], 100)
    learned = learn(singles([[0]] * 400, p), np.zeros(1), settings=LearningSettings(l2=0, tolerance=1e-7))
    assert learned.report.virtual == 400 and learned.report.converged
    assert 1 / (1 + np.exp(-2 * learned.weights[0])) == pytest.approx(p.mean(), abs=1e-4)


def voted(seed, n=6000):
    """Variables with two features of four each, five votes right in 70 of 100, and what follows from votes alone."""
    rng = np.random.default_rng(seed)
    true = np.array([1.0, -1.2, 0.3, -0.4, 0.2])
    features = [[*rng.choice(4, 2, replace=False), 4] for _ in range(n)]
    truth = rng.random(n) < 1 / (1 + np.exp(-2 * np.array([true[f].sum() for f in features])))
    votes = np.where(rng.random((n, 5)) < 0.7, truth[:, None], ~truth[:, None]).sum(axis=1)
    odds = truth.mean() / (1 - truth.mean()) * (0.7 / 0.3) ** (2 * votes - 5.0)
    return singles(features, odds / (1 + odds)), true, np.array(features)


def test_weak_votes_teach_the_truth_and_not_themselves():
    graph, true, features = voted(0)
    errors = {}
    for soft in ("virtual", "target"):
        w = learn(graph, np.zeros(5), settings=LearningSettings(soft=soft, l2=1.0)).weights
        errors[soft] = np.abs(w[features].sum(axis=1) - true[features].sum(axis=1)).mean()
    assert errors["virtual"] < 0.08 < 0.2 < errors["target"]


def test_sampling_ends_where_the_exact_gradient_ends():
    graph, _, _ = voted(1, n=800)
    pairs = [(FactorFunction.EQUAL, [(v, 1), (v + 1, 1)], 5) for v in range(0, 800, 2)]
    tied = FactorGraph.of([2] * 800, pairs, n_weights=6)
    from consilience.kb.graph.factor_graph import Factors

    tied = replace(tied, factors=Factors.joined([graph.factors, tied.factors]), soft=graph.soft)
    exact, sampled = (
        learn(tied, np.zeros(6), settings=LearningSettings(method=method, l2=2.0, epochs=100)).weights
        for method in ("exact", "sgd")
    )
    assert sampled == pytest.approx(exact, abs=0.08)


def test_a_long_chain_of_soft_labels_is_solved_and_not_sampled():
    n, rng = 600, np.random.default_rng(5)
    truth = np.cumsum(rng.random(n) < 0.1) % 2  # changes at one place in ten
    p = np.where(rng.random(n) < 0.8, np.where(truth, 0.8, 0.2), np.where(truth, 0.2, 0.8))
    chain = [(FactorFunction.EQUAL, [(i, 1), (i + 1, 1)], 0) for i in range(n - 1)]
    learned = learn(FactorGraph.of([2] * n, chain, soft=soft_labels(p)), np.zeros(1))
    assert learned.report.method == "exact" and learned.report.converged
    assert 1 / (1 + np.exp(-2 * learned.weights[0])) == pytest.approx(0.9, abs=0.03)


def test_votes_that_say_nothing_do_not_hold_weights_at_0():
    graph = latent_chains(17, 3)
    middle = np.flatnonzero(graph.evidence == OPEN)
    graph = replace(graph, soft=soft_labels(np.full(len(middle), 0.5), middle))
    settings = LearningSettings(l2=0.01, soft="likelihood")
    learned = learn(graph, np.zeros(2), settings=settings)
    assert learned.weights == pytest.approx(
        learn(latent_chains(17, 3), np.zeros(2), settings=settings).weights, abs=1e-3
    )
    assert learned.weights.min() > 0.3
