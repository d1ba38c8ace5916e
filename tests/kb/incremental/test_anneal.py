"""Stored worlds led to a graph far from theirs, held to exact answers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.changes import random_change
from tests.kb.graphs import random_graph

from consilience.kb.graph.change import GraphChange, changed
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.anneal import furthest, systematic
from consilience.kb.incremental.choose import UpdateSettings
from consilience.kb.incremental.material import materialise
from consilience.kb.incremental.report import UpdateReport
from consilience.kb.incremental.reweight import effective_size, importance_weights
from consilience.kb.incremental.update import update_marginals
from consilience.kb.inference.exact import Limits
from consilience.kb.inference.ladder import infer
from consilience.kb.inference.marginals import Marginals

EQUAL, IS_TRUE = FactorFunction.EQUAL, FactorFunction.IS_TRUE
NOTHING_EXACT = Limits(worlds=1, factor_worlds=1, table=1, tables=1, junction_variables=0)


def updated(
    graph: FactorGraph, weights: np.ndarray, change: GraphChange, *, seed: int = 0, strategy: str = "importance"
) -> tuple[Marginals, UpdateReport, np.ndarray]:
    """What 2000 stored worlds say after the change, and the truth."""
    material = materialise(graph, weights, n_samples=2000, seed=seed, variational_up_to=0)
    old = infer(graph, weights).marginals
    settings = UpdateSettings(limits=NOTHING_EXACT)
    found, report = update_marginals(
        LiveGraph(graph), weights, change, old, material, seed=seed, strategy=strategy, settings=settings
    )
    truth = infer(*changed(graph, weights, change)).marginals.probability  # exact, and itself held to enumeration
    return found, report, truth


KINDS = {
    "factors": {"n_added": 5, "n_removed": 4},
    "weights": {"n_weights": 6},
    "new variables": {"n_new": 3, "n_added": 6},
    "evidence": {"n_evidence": 4},
    "all": {"n_new": 2, "n_added": 4, "n_removed": 3, "n_evidence": 2, "n_weights": 3},
}
NOTHING = {"n_new": 0, "n_added": 0, "n_removed": 0, "n_evidence": 0, "n_weights": 0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["importance", "metropolis"])
def test_large_changes_of_every_kind_are_near(strategy, kind):
    errors, steps = [], 0
    for seed in range(8):
        graph, weights = random_graph(seed, n=9, n_factors=18, known=0.15, spread=0.6)
        change = random_change(graph, seed, spread=2.0, **(NOTHING | KINDS[kind]))
        found, report, truth = updated(graph, weights, change, seed=seed, strategy=strategy)
        errors.append(np.abs(found.probability - truth).max())
        steps += max((line.steps for line in report.lines), default=0)
    assert np.mean(errors) < 0.03 and max(errors) < 0.08
    assert steps >= 4  # some are too large for one


def ring(n: int, pull: float) -> tuple[FactorGraph, np.ndarray]:
    links = [(EQUAL, [(v, 1), ((v + 1) % n, 1)], 0) for v in range(n)]
    return FactorGraph.of([2] * n, [*links, (IS_TRUE, [(0, 1)], 1)]), np.array([0.3, pull])


def test_the_precision_told_is_the_precision_there_is():
    """Over 40 seeds, the error in units of the standard error told has a root mean square of about 1."""
    graph, weights = ring(8, 0.2)
    change = GraphChange.of(weight_to={0: 1.0, 1: -0.6})
    in_errors = []
    for seed in range(40):
        found, report, truth = updated(graph, weights, change, seed=seed)
        assert report.lines[0].steps > 1
        p = truth[1::2]
        in_errors.append((found.probability[1::2] - p) / np.sqrt(p * (1 - p) / found.effective))
    assert 0.7 < np.sqrt(np.mean(np.square(in_errors))) < 1.4
    assert abs(np.mean(in_errors)) < 0.6  # no bias: 40 runs, whose variables go together


def test_evidence_that_hardly_a_stored_world_has_is_reached():
    graph, weights = ring(8, 4.0)
    found, report, truth = updated(graph, weights, GraphChange.of(evidence_to={0: 0}))  # one world in 3000 has it
    assert report.lines[0].steps > 1 and "annealed" in report.lines[0].because
    assert np.abs(found.probability - truth).max() < 0.03


def test_where_no_world_can_be_led_the_group_is_sampled_anew():
    graph, weights = ring(8, 30.0)
    found, report, truth = updated(graph, weights, GraphChange.of(evidence_to={0: 0}))
    assert "no stored world can be led" in report.lines[0].because and report.groups_by("gibbs") == 1
    assert np.abs(found.probability - truth).max() < 0.04


def test_stored_worlds_are_annealed_where_chains_disagree():
    """Strong links of three part the worlds into two modes that chains do not cross, and that are not alike."""
    links = [(FactorFunction.EQUAL, [(v, 1), ((v + 1) % 8, 1), ((v + 2) % 8, 1)], 0) for v in range(8)]
    graph = FactorGraph.of([2] * 8, [*links, *((IS_TRUE, [(v, 1)], 1) for v in range(8))])
    weights, change = np.array([0.1, 0.05]), GraphChange.of(weight_to={0: 3.0})
    found, report, truth = updated(graph, weights, change, strategy="auto")
    assert "chains disagreed" in report.lines[0].because and report.groups_by("importance") == 1
    assert np.abs(found.probability - truth).max() < 0.05
    anew, _, _ = updated(graph, weights, change, strategy="gibbs")
    assert anew.r_hat.max() > 1.05


def test_the_answer_depends_on_the_seed_alone():
    graph, weights = ring(8, 0.2)
    change = GraphChange.of(
        added=Factors.of([(IS_TRUE, [(v, 1)], 2) for v in range(8)]), weight_is_fixed=[True], weight_to={2: 1.5}
    )
    one, two, other = (updated(graph, weights, change, seed=seed)[0].probability for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_a_step_leaves_worlds_worth_half_their_number():
    gain = np.random.default_rng(0).normal(0, 5, 1000)
    step = furthest(gain, 1.0)
    assert 0 < step < 1
    assert effective_size(importance_weights(step * gain[None]))[0] == pytest.approx(500, abs=1)


@pytest.mark.parametrize("seed", range(5))
def test_systematic_resampling_takes_each_as_often_as_its_share_up_to_one(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(50, 0.2))
    counts = np.bincount(systematic(shares, rng.random()), minlength=50)
    assert counts.sum() == 50 and (np.abs(counts - 50 * shares) < 1).all()


def test_what_is_too_large_to_anneal_is_sampled_anew_and_says_so(monkeypatch):
    monkeypatch.setattr("consilience.kb.incremental.strategies.MOST_STATES", 100)
    graph, weights = ring(8, 0.2)
    found, report, truth = updated(graph, weights, GraphChange.of(weight_to={1: -2.0}))
    assert report.groups_by("gibbs") == 1 and "too large to anneal" in report.lines[0].because
    assert np.abs(found.probability - truth).max() < 0.04


@pytest.mark.parametrize("n_samples", [0, 1, 5, 40])
def test_few_worlds_are_no_trouble(n_samples):
    graph, weights = ring(8, 0.2)
    material = materialise(graph, weights, n_samples=n_samples, variational_up_to=0)
    old = infer(graph, weights).marginals
    change, settings = GraphChange.of(weight_to={1: -2.0}), UpdateSettings(limits=NOTHING_EXACT)
    found, _ = update_marginals(
        LiveGraph(graph), weights, change, old, material, strategy="importance", settings=settings
    )
    assert np.allclose(found.probability.reshape(-1, 2).sum(axis=1), 1)
