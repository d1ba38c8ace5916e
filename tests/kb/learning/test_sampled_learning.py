"""Sampled learning: near the exact optimum, the same for a seed, and obeying the same penalties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.kb.learning.graphs import coins, labelled, latent_chains
from tests.reference import kb_learning as reference

from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.learning.learn import learn
from consilience.kb.learning.relevant import relevant
from consilience.kb.learning.sampled import _chains
from consilience.kb.learning.settings import LearningSettings

EXACT = LearningSettings(method="exact", l2=2.0, max_worlds=4096)
SGD = LearningSettings(method="sgd", l2=2.0, epochs=100, decay=0.97)  # half the default: seconds count here


def estimate(graph, weights, sweeps=400):
    """Mean gradient over many sweeps at fixed weights."""
    matters = relevant(graph)
    chains = _chains(matters, matters.graph.factors.weight, graph.n_weights, seed=0)
    total = np.zeros(graph.n_weights)
    for at in range(sweeps + 20):
        chains.run(weights, 0, 1, None)
        total += chains.gradient.sum(axis=0) * (at >= 20) / sweeps / len(chains.free)
    return total


@pytest.mark.parametrize("function", [None, *FactorFunction])
def test_the_mean_of_sampled_gradients_is_the_gradient(function):
    which = tuple(FactorFunction) if function is None else (function,)
    graph, weights = labelled(8, n=5, n_factors=7, functions=which, known=0.6, softly=0.0, spread=0.7)
    assert relevant(graph).n_components
    free = ~graph.weight_is_fixed
    # 400 sweeps of 400 chains: three standard errors of one factor are about .01
    assert estimate(graph, weights)[free] == pytest.approx(reference.gradient(graph, weights)[free], abs=0.02)


@pytest.mark.parametrize(("seed", "known", "error"), [(1, 1.0, 0.02), (2, 1.0, 0.02), (3, 0.3, 0.1), (4, 0.3, 0.1)])
def test_soft_labels_are_averaged_over(seed, known, error):
    graph, weights = labelled(seed, n=5, n_factors=7, known=known, softly=0.6, spread=0.7)
    evidence = graph.evidence.copy()
    evidence[graph.soft.variable] = -1  # soft and nothing else; latent neighbours follow with a lag: a looser bound
    graph = graph.with_evidence(evidence)
    free = ~graph.weight_is_fixed
    assert estimate(graph, weights)[free] == pytest.approx(reference.gradient(graph, weights)[free], abs=error)


@pytest.mark.parametrize("seed", range(4))
def test_it_ends_near_the_exact_optimum(seed):
    graph, weights = labelled(seed, n=12, n_factors=20, largest=2, known=0.5, softly=0.2)
    start = np.where(graph.weight_is_fixed, weights, 0.0)
    exact, sampled = (learn(graph, start, settings=s).weights for s in (EXACT, SGD))
    assert sampled == pytest.approx(exact, abs=0.06)
    assert sampled[-1] == weights[-1]  # fixed


@pytest.mark.parametrize("copies", [1, 40])
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_steps_suit_the_size_of_the_graph_and_of_its_scales(copies, scale):
    rng = np.random.default_rng(0)
    n = 30 * copies
    factors = [(FactorFunction.IS_TRUE, [(v, 1)], j, scale) for v in range(n) for j in rng.choice(6, 3, replace=False)]
    graph = FactorGraph.of([2] * n, factors, evidence=(rng.random(n) < 0.8).astype(int).tolist())
    exact, sampled = (learn(graph, np.zeros(6), settings=replace(s, l2=scale**2)).weights * scale for s in (EXACT, SGD))
    assert sampled == pytest.approx(exact, abs=0.05)


def test_a_chain_learns_through_its_unlabelled_middle():
    graph = latent_chains(170, 30)
    learned = learn(graph, np.zeros(2), settings=SGD)
    w = learned.weights
    alike = (1 + np.tanh(w[0]) * np.tanh(w[1])) / 2  # P(A = C), B summed out
    assert learned.report.method == "sgd" and w.min() > 0.3
    assert alike == pytest.approx(0.85, abs=0.02)


def test_the_same_seed_gives_the_same_weights_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr("consilience.kb.learning.sampled.WORTH_A_THREAD", 1)
    graph = latent_chains(40, 8)
    runs = [
        learn(graph, np.zeros(2), seed=seed, settings=replace(SGD, epochs=5, threads=threads)).weights
        for seed, threads in ((3, 1), (3, 2), (3, 4), (4, 2))
    ]
    assert np.array_equal(runs[0], runs[1]) and np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0], runs[3])


def test_penalties_hold():
    factors = [(FactorFunction.IS_TRUE, [(0, 1)], 0), (FactorFunction.EQUAL, [(0, 1)], 1), (4, [(1, 1)], 2)]
    graph = FactorGraph.of([2, 2], factors, evidence=[1, -1])
    learned = learn(graph, np.array([0.0, 0.7, 0.7]), settings=SGD).weights
    assert learned[0] > 0.3 and learned[1:].tolist() == [0.0, 0.0]  # one literal is always EQUAL; one is unlabelled
    assert learn(coins(9, 0), np.zeros(1), settings=SGD).weights[0] < 2
    assert learn(coins(8, 7), np.zeros(1), settings=replace(SGD, l1=5.0)).weights[0] == 0.0


def test_a_run_that_goes_on_from_another_stays_there():
    graph, weights = labelled(2, n=12, n_factors=20, largest=2, known=1.0, softly=0.0)
    exact = learn(graph, weights, settings=EXACT).weights
    short = learn(graph, exact, settings=replace(SGD, epochs=10, step=0.02)).weights
    assert short == pytest.approx(exact, abs=0.03)


def test_known_weights_are_found_again():
    rng = np.random.default_rng(7)
    n, true = 4000, np.array([0.8, -0.6, 0.4, 0.5])
    features = rng.random((n, 3)) < 0.5
    field = np.where(features, 1, 0) @ true[:3]
    states = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    pairs = field.reshape(-1, 2)
    scores = pairs @ states.T + true[3] * states[:, 0] * states[:, 1]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    drawn = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
    labels = (states[drawn] > 0).astype(np.int32).ravel()
    v, j = np.nonzero(features)
    unary = Factors.of([])
    unary = Factors(
        np.full(len(v), 4, np.uint8), np.arange(len(v) + 1, dtype=np.int32), v.astype(np.int32),
        np.ones(len(v), np.int32), j.astype(np.int32), np.ones(len(v), np.float32), unary.clause,
    )  # fmt: skip
    couples = Factors.of([(FactorFunction.EQUAL, [(2 * i, 1), (2 * i + 1, 1)], 3) for i in range(n // 2)])
    graph = FactorGraph.of([2] * n, [], n_weights=4, evidence=labels.tolist())
    graph = replace(graph, factors=Factors.joined([unary, couples]))
    for settings in (EXACT, SGD):  # a weight's standard error is about 1 / sqrt(2000): .022; four of them
        assert learn(graph, np.zeros(4), settings=settings).weights == pytest.approx(true, abs=0.09)
