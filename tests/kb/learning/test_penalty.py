"""The penalty that is chosen where none is given."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.graphs import random_graph
from tests.kb.learning.graphs import coins, latent_chains
from tests.reference import factor_graphs

from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.learning.conditionals import conditionals
from consilience.kb.learning.learn import learn
from consilience.kb.learning.penalty import fold_of_components, fold_of_variables, lowest
from consilience.kb.learning.relevant import relevant
from consilience.kb.learning.settings import LearningSettings


def simulated(spread, *, n=600, n_features=60, tied=False, seed=0):
    """Labelled variables under three features each, whose weights lie `spread` apart; tied: all in one chain."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, spread, n_features)
    features = rng.integers(0, n_features, (n, 3))
    truth = rng.random(n) < 1 / (1 + np.exp(-2 * weights[features].sum(axis=1)))
    unary = Factors(
        np.full(3 * n, int(FactorFunction.IS_TRUE), np.uint8), np.arange(3 * n + 1, dtype=np.int32),
        np.repeat(np.arange(n, dtype=np.int32), 3), np.ones(3 * n, np.int32), features.ravel().astype(np.int32),
        np.ones(3 * n, np.float32), np.zeros(0, np.int32),
    )  # fmt: skip
    ties = [(FactorFunction.EQUAL, [(v, 1), (v + 1, 1)], n_features) for v in range(n - 1)] if tied else []
    graph = FactorGraph.of([2] * n, ties, n_weights=n_features + 1, evidence=truth.astype(int).tolist())
    joined = Factors.joined([unary, graph.factors])
    return FactorGraph(graph.cardinality, graph.evidence, joined, graph.weight_is_fixed, graph.soft), weights


@pytest.mark.parametrize(
    ("tied", "method", "how"),
    [(False, "auto", "held-out likelihood"), (True, "auto", "held-out pseudo-likelihood"),
     (False, "sgd", "held-out likelihood"), (True, "sgd", "held-out pseudo-likelihood")],
)  # fmt: skip
def test_weights_that_lie_near_each_other_are_held_nearer_to_0(tied, method, how):
    settings = LearningSettings(method=method, epochs=20)
    found = {}
    for spread in (0.1, 1.0):
        graph, _ = simulated(spread, tied=tied)
        report = learn(graph, np.zeros(graph.n_weights), settings=settings).report
        assert report.l2_from == how and f"l2 {report.l2:.3g} ({how})" in str(report)
        found[spread] = report.l2
    assert found[0.1] > 10 and 0.3 < found[1.0] < 4  # the spreads' own precisions are 100 and 1


def test_the_chosen_penalty_tells_new_facts_better_than_the_default():
    losses = []
    for l2 in (None, 2.0):
        graph, weights = simulated(0.15)
        learned = learn(graph, np.zeros(graph.n_weights), settings=LearningSettings(l2=l2)).weights[:-1]
        features = np.random.default_rng(9).integers(0, 60, (4000, 3))
        p = 1 / (1 + np.exp(-2 * weights[features].sum(axis=1)))
        score = 2 * learned[features].sum(axis=1)
        losses.append(np.mean(p * np.logaddexp(0, -score) + (1 - p) * np.logaddexp(0, score)))
    assert losses[0] < losses[1] - 0.005


def test_what_is_given_wins_and_few_labels_or_an_l1_take_the_default():
    graph, _ = simulated(0.1)
    start = np.zeros(graph.n_weights)
    given = learn(graph, start, settings=LearningSettings(l2=3.5)).report
    assert (given.l2, given.l2_from) == (3.5, "given")
    sparse = learn(graph, start, settings=LearningSettings(l1=1.0)).report
    assert (sparse.l2, sparse.l2_from) == (2.0, "default")
    few = learn(coins(20, 5), np.zeros(1)).report
    assert (few.l2, few.l2_from) == (2.0, "default")


def test_labels_that_all_agree_end_at_a_finite_weight():
    learned = learn(coins(300, 0), np.zeros(1))
    assert learned.report.l2_from == "held-out likelihood" and learned.report.l2 > 1e-3
    assert 1 < learned.weights[0] < 6


def test_folds_are_even_and_do_not_depend_on_what_else_is_there():
    graph, _ = simulated(0.5)
    matters = relevant(graph)
    fold = fold_of_components(matters)
    assert np.bincount(fold).tolist() == [200, 200, 200]
    assert np.bincount(fold_of_variables(matters)).tolist() == [200, 200, 200]
    assert fold_of_components(relevant(coins(9, 9))) is None
    assert (fold_of_variables(relevant(coins(9, 9))) == -1).all()
    assert fold_of_components(relevant(simulated(0.5, tied=True)[0])) is None


def test_more_labels_than_it_takes_are_left_to_the_last_fit(monkeypatch):
    monkeypatch.setattr("consilience.kb.learning.penalty.PLENTY", 300)
    graph, _ = simulated(0.15)
    matters = relevant(graph)
    assert np.bincount(fold_of_components(matters)).tolist() == [100, 100, 100, 300]
    assert np.bincount(fold_of_variables(matters) + 1).tolist() == [300, 100, 100, 100]
    learned = learn(graph, np.zeros(graph.n_weights))
    given = learn(graph, np.zeros(graph.n_weights), settings=LearningSettings(l2=learned.report.l2))
    assert learned.report.l2_from == "held-out likelihood" and learned.report.variables == 600
    assert learned.weights == pytest.approx(given.weights, abs=1e-3)


def test_choosing_does_not_hold_weights_of_latent_variables_at_0():
    learned = learn(latent_chains(170, 30), np.zeros(2))
    assert learned.report.l2_from == "held-out likelihood" and learned.weights.min() > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_conditionals_are_those_of_enumeration(seed):
    graph, weights = random_graph(seed, n=5, n_factors=9, known=1.0)
    matters = relevant(graph)
    fold = np.zeros(matters.graph.n_variables, np.int64)
    got = np.zeros(graph.n_weights)
    value = conditionals(matters, fold, 1)[0].likelihood(weights, got)

    def pseudo_likelihood(w):
        total = 0.0
        for v in matters.variable:  # of each variable, all others known
            open_one = graph.evidence.copy()
            open_one[v] = -1
            both = factor_graphs.distribution(graph.with_evidence(open_one), w)[2]
            total += factor_graphs.distribution(graph, w)[2] - both
        return total

    assert value == pytest.approx(pseudo_likelihood(weights), abs=1e-9)
    for w in range(graph.n_weights):
        step = np.zeros(graph.n_weights)
        step[w] = 1e-5
        slope = (pseudo_likelihood(weights + step) - pseudo_likelihood(weights - step)) / 2e-5
        assert slope == pytest.approx(got[w], abs=1e-6)


def test_factors_of_unknown_neighbours_are_left_out():
    factors = [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0), (FactorFunction.EQUAL, [(0, 1), (2, 1)], 1)]
    graph = FactorGraph.of([2, 2, 2], factors, evidence=[1, 1, -1])
    table = conditionals(relevant(graph), np.array([0, 0, -1]), 1)[0]
    assert set(table.column.tolist()) == {0} and len(table.first_row) == 3


@pytest.mark.parametrize("best", [-9, -3, 0, 1, 4, 9])
def test_the_lowest_point_is_found_within_bounds(best):
    assert lowest(lambda step: (step - best) ** 2) == pytest.approx(np.clip(best, -5, 5), abs=0.5)
    assert lowest(lambda step: 0.0) == 0.0
