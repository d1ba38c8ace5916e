"""Exact learning: likelihood and gradient against enumeration, the optimum against plain steps along the gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.kb.learning.graphs import coins, labelled, latent_chains
from tests.reference import kb_learning as reference
from tests.reference.factor_graphs import marginals

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph
from consilience.kb.learning.engines import Solved
from consilience.kb.learning.learn import learn
from consilience.kb.learning.relevant import relevant
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.learning.worlds import world_table

EXACT = LearningSettings(method="exact", l2=1.0, tolerance=1e-7, soft="target")


def table_of(graph):
    matters = relevant(graph)
    return world_table(matters, np.ones(matters.n_components, bool))


@pytest.mark.parametrize("function", [None, *FactorFunction])
@pytest.mark.parametrize("seed", range(3))
def test_likelihood_and_gradient_are_those_of_enumeration(function, seed):
    which = tuple(FactorFunction) if function is None else (function,)
    graph, weights = labelled(10 * seed + 1, n=5, n_factors=7, functions=which)
    free = ~graph.weight_is_fixed
    got = np.zeros(graph.n_weights)
    table_of(graph).likelihood(weights, got)
    assert got[free] == pytest.approx(reference.gradient(graph, weights)[free], abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_gradient_is_the_slope_of_the_likelihood(seed):
    graph, weights = labelled(seed, n=5, n_factors=7)
    table, analytic, unused = table_of(graph), np.zeros(graph.n_weights), np.zeros(graph.n_weights)
    base = table.likelihood(weights, analytic) - reference.log_likelihood(graph, weights)  # of skipped components
    for w in np.flatnonzero(~graph.weight_is_fixed):
        step = np.zeros(graph.n_weights)
        step[w] = 1e-5
        up, down = table.likelihood(weights + step, unused), table.likelihood(weights - step, unused)
        assert (up - down) / 2e-5 == pytest.approx(analytic[w], abs=1e-6)
        assert up - reference.log_likelihood(graph, weights + step) == pytest.approx(base, abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_where_plain_steps_end_and_has_no_slope(seed):
    graph, weights = labelled(seed, n=4, n_factors=6, known=1.0, softly=0.0)
    learned = learn(graph, weights, settings=EXACT)
    assert learned.report.concave and learned.report.converged
    free = ~graph.weight_is_fixed
    slope = reference.gradient(graph, learned.weights) - learned.weights
    assert np.abs(slope[free]).max() < 1e-5
    start = np.where(free, 0.0, weights)
    assert learned.weights == pytest.approx(reference.ascend(graph, start, 1.0, 120, 0.05), abs=2e-2)


@pytest.mark.parametrize("seed", range(4))
def test_with_latent_and_soft_variables_the_end_has_no_slope_and_is_better_than_the_start(seed):
    graph, weights = labelled(seed, n=5, n_factors=8, known=0.3)
    learned = learn(graph, weights, settings=EXACT)
    free = ~graph.weight_is_fixed
    slope = reference.gradient(graph, learned.weights) - learned.weights
    assert np.abs(slope[free]).max() < 1e-5
    assert learned.report.objective[-1] >= learned.report.objective[0]


def test_a_coin_lands_as_often_as_it_did():
    learned = learn(coins(8, 1), np.zeros(1), settings=LearningSettings(l2=0.0, tolerance=1e-8))
    assert 1 / (1 + math.exp(-2 * learned.weights[0])) == pytest.approx(8 / 9, abs=1e-6)
    held_back = learn(coins(8, 1), np.zeros(1)).weights[0]
    assert 0 < held_back < learned.weights[0]


def test_a_report_is_a_line_to_read():
    line = str(learn(coins(8, 1), np.zeros(1)).report)
    assert line.startswith("1 weights from 9 variables (0 latent) in 9 components, 9 factors: l2 2 (default), exact, ")
    assert line.endswith("at the optimum")
    assert "nothing was learned" in str(learn(FactorGraph.of([], []), np.zeros(0)).report)


def test_labels_that_agree_do_not_drive_a_weight_to_infinity():
    learned = learn(coins(1000, 0), np.zeros(1), settings=EXACT)
    assert learned.report.converged and 1.5 < learned.weights[0] < 4


def test_a_chain_learns_through_its_unlabelled_middle():
    graph = latent_chains(17, 3)
    learned = learn(graph, np.zeros(2), settings=LearningSettings(l2=0.01))
    assert learned.weights.min() > 0.3 and not learned.report.concave
    small = latent_chains(1, 0).with_evidence(np.array([1, -1, -1], np.int32))
    p_alike = marginals(small, learned.weights)[5]  # P(C | A)
    assert p_alike == pytest.approx(0.85, abs=0.01)


def test_fixed_weights_never_move_and_weights_without_evidence_end_at_0():
    factors = [
        (FactorFunction.IS_TRUE, [(0, 1)], 0),
        (FactorFunction.IS_TRUE, [(0, 1)], 1),
        (FactorFunction.EQUAL, [(1, 1), (2, 1)], 2),
    ]
    graph = FactorGraph.of([2, 2, 2], factors, n_weights=4, evidence=[1, -1, -1], fixed=[1])
    learned = learn(graph, np.array([0.0, -2.0, 0.7, 0.3]))
    assert learned.weights[1] == -2.0 and learned.weights[0] > 0
    assert learned.weights[2:].tolist() == [0.0, 0.0]
    assert learned.report.components == 1 and learned.report.variables == 1
    kept = learn(graph, np.array([0.0, -2.0, 0.7, 0.3]), settings=LearningSettings(l2=0, tolerance=1e-2)).weights
    assert kept[2:].tolist() == [0.7, 0.3]  # without a penalty nothing speaks for another value


@pytest.mark.parametrize("evidence", [[-1, -1], [1, 0]])
def test_nothing_to_learn_is_said(evidence):
    graph = FactorGraph.of([2, 2], [(FactorFunction.AND, [(0, 1), (1, 1)], 0)], evidence=evidence, fixed=[0])
    learned = learn(graph, np.array([1.5]))
    assert learned.report.method == "none" and learned.weights.tolist() == [1.5]
    assert learn(FactorGraph.of([], []), np.zeros(0)).report.method == "none"


def test_l1_makes_weights_that_explain_little_exactly_0():
    rng = np.random.default_rng(3)
    n = 400
    signs = rng.random((n, 6)) < 0.5  # feature 0 tells, the rest is noise
    evidence = np.where(rng.random(n) < 0.9, signs[:, 0], ~signs[:, 0]).astype(int)
    factors = [(FactorFunction.IS_TRUE, [(v, 1)], j, 1.0 if signs[v, j] else -1.0) for v in range(n) for j in range(6)]
    graph = FactorGraph.of([2] * n, factors, evidence=evidence.tolist())
    weights = learn(graph, np.zeros(6), settings=LearningSettings(l2=0, l1=40.0, tolerance=1e-6)).weights
    assert weights[0] > 0.5 and (weights[1:] == 0).all()
    g = reference_slope(graph, weights)
    assert g[0] == pytest.approx(40.0, abs=1e-3) and np.abs(g[1:]).max() <= 40.0


def reference_slope(graph, weights):
    gradient = np.zeros(graph.n_weights)
    table_of(graph).likelihood(weights, gradient)
    return gradient


def test_a_run_that_goes_on_from_another_is_there_at_once():
    graph, weights = labelled(2, known=1.0, softly=0.0)
    first = learn(graph, weights)
    again = learn(graph, first.weights)
    assert again.report.epochs <= 1 and again.weights == pytest.approx(first.weights, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_inference_gives_the_likelihood_of_components_too_large_for_a_table(seed):
    graph, weights = labelled(seed, n=5, n_factors=7, softly=0.0)
    solved = Solved(relevant(graph), np.ones(relevant(graph).n_components, bool))
    assert solved.solvable
    got, want = np.zeros(graph.n_weights), np.zeros(graph.n_weights)
    assert solved.likelihood(weights, got) == pytest.approx(table_of(graph).likelihood(weights, want), abs=1e-8)
    assert got == pytest.approx(want, abs=1e-8)


def test_a_long_chain_is_learned_exactly():
    n, rng = 300, np.random.default_rng(5)
    values = [0]
    while len(values) < n:  # each as the one before in nine of ten
        values.append(values[-1] if rng.random() < 0.9 else 1 - values[-1])
    chain = [(FactorFunction.EQUAL, [(i, 1), (i + 1, 1)], 0) for i in range(n - 1)]
    graph = FactorGraph.of([2] * n, chain, evidence=values)
    learned = learn(graph, np.zeros(1), settings=LearningSettings(l2=0, tolerance=1e-6))
    alike = np.mean(np.array(values[1:]) == np.array(values[:-1]))
    assert learned.report.method == "exact" and learned.report.converged
    assert learned.weights[0] == pytest.approx(0.5 * math.log(alike / (1 - alike)), abs=1e-4)  # sigmoid(2w) = alike


def test_a_graph_of_both_kinds_is_learned_as_one():
    graph, _ = labelled(1, n=6, n_factors=5, softly=0.0)
    small, large = (
        learn(graph, np.zeros(graph.n_weights), settings=LearningSettings(max_worlds=m, tolerance=1e-7))
        for m in (1024, 4)
    )
    assert small.weights == pytest.approx(large.weights, abs=1e-5)


def test_what_cannot_be_solved_exactly_is_said():
    n = 40
    knot = [(FactorFunction.OR, [(i, 1), (j, 1)], 0) for i in range(n) for j in range(i)]
    graph = FactorGraph.of([2] * n, knot, evidence=[1] + [-1] * (n - 1))
    with pytest.raises(GraphError, match=r"neither small nor near a tree.*40 variables.*\nFix: method 'auto'"):
        learn(graph, np.zeros(1), settings=LearningSettings(method="exact"))


def test_a_variable_of_one_value_does_not_break_its_component():
    factors = [(FactorFunction.AND, [(0, 0), (1, 1)], 0), (FactorFunction.EQUAL, [(1, 1), (0, 0), (2, 1)], 1)]
    graph = FactorGraph.of([1, 2, 2], factors, evidence=[-1, 1, -1])
    weights = np.array([0.3, -0.4])
    got = np.zeros(2)
    table_of(graph).likelihood(weights, got)
    assert got == pytest.approx(reference.gradient(graph, weights), abs=1e-12)


def test_initial_weights_that_do_not_fit_are_named():
    with pytest.raises(GraphError, match=r"1 weights, and initial values of shape \(2,\).\nFix:"):
        learn(coins(1, 1), np.zeros(2))
    with pytest.raises(GraphError, match=r"Weight 0 starts at nan"):
        learn(coins(1, 1), np.array([np.nan]))


@pytest.mark.parametrize(
    "setting", [{"l2": -1}, {"epochs": 0}, {"decay": 0}, {"method": "best"}, {"soft": "very"}, {"step": 0.0}]
)
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(GraphError, match=r"\nFix: "):
        LearningSettings(**setting)


def test_relevant_graph_keeps_what_it_takes():
    graph, _ = labelled(7, n=20, n_factors=12)
    matters = relevant(graph)
    sub = matters.graph
    sub.check()
    assert np.array_equal(sub.evidence, graph.evidence[matters.variable])
    for c in range(matters.n_components):
        for f in range(matters.first_factor[c], matters.first_factor[c + 1]):
            used = sub.factors.variable[sub.factors.offsets[f] : sub.factors.offsets[f + 1]]
            assert (used >= matters.first_variable[c]).all() and (used < matters.first_variable[c + 1]).all()
