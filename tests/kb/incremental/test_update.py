"""Every strategy brings the marginals up to date, held to enumeration of the changed graph."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.changes import random_change
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError, StoreError
from consilience.kb.graph.change import GraphChange, changed
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.choose import UpdateSettings
from consilience.kb.incremental.material import Material, materialise, refreshed
from consilience.kb.incremental.update import update_marginals
from consilience.kb.inference.exact import Limits
from consilience.kb.inference.ladder import infer
from consilience.kb.inference.marginals import Engine, Marginals

PAIRS = (FactorFunction.IS_TRUE, FactorFunction.AND, FactorFunction.EQUAL, FactorFunction.OR, FactorFunction.IMPLY)
NOTHING_EXACT = UpdateSettings(limits=Limits(worlds=1, factor_worlds=1, table=1, tables=1, junction_variables=0))


def small(seed: int, *, largest: int = 2, n: int = 9) -> tuple[FactorGraph, np.ndarray]:
    return random_graph(seed, n=n, n_factors=2 * n, largest=largest, known=0.15, spread=0.6)


def error_of(
    seed: int,
    strategy: str,
    *,
    largest: int = 2,
    n_samples: int = 4000,
    settings: UpdateSettings | None = None,
    **of_change: int,
) -> tuple[float, float, Marginals]:
    """Largest error of any probability after a random change, and before it (0 for new variables)."""
    graph, weights = small(seed, largest=largest)
    change = random_change(graph, seed, spread=0.6, **of_change)
    material = materialise(graph, weights, n_samples=n_samples, seed=seed)
    old = infer(graph, weights).marginals
    after, weights_after = changed(graph, weights, change)
    truth = infer(after, weights_after).marginals.probability  # exact, and itself held to enumeration
    found, _ = update_marginals(
        LiveGraph(graph), weights, change, old, material, seed=seed, strategy=strategy, settings=settings
    )
    before = np.append(old.probability, np.zeros(len(truth) - len(old.probability)))
    return float(np.abs(found.probability - truth).max()), float(np.abs(before - truth).max()), found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("strategy", ["auto", "exact", "full"])
def test_exact_strategies_are_exact(seed, strategy):
    graph, weights = small(seed, n=6)
    change = random_change(graph, seed)
    old = infer(graph, weights).marginals
    found, _ = update_marginals(LiveGraph(graph), weights, change, old, strategy=strategy)
    assert np.allclose(found.probability, reference.marginals(*changed(graph, weights, change)), atol=1e-9)


@pytest.mark.parametrize("kind", ["factors", "weights", "new variables", "evidence", "all"])
@pytest.mark.parametrize("strategy", ["importance", "metropolis"])
def test_stored_worlds_reweighted_are_near(strategy, kind):
    nothing = {"n_new": 0, "n_added": 0, "n_removed": 0, "n_evidence": 0, "n_weights": 0}
    some = {
        "factors": {"n_added": 3, "n_removed": 3},
        "weights": {"n_weights": 4},
        "new variables": {"n_new": 2, "n_added": 4},
        "evidence": {"n_evidence": 2},
        "all": {"n_new": 2, "n_added": 3, "n_removed": 2, "n_evidence": 1, "n_weights": 1},
    }[kind]
    in_errors = []
    for seed in range(8):
        error, _, found = error_of(seed, strategy, largest=3, n_samples=2000, **(nothing | some))
        effective = float(found.effective.min())
        if effective >= 30:  # below, the worlds themselves do not know how little they are worth
            in_errors.append(error / (0.5 / np.sqrt(effective)))
    # the largest of some twenty errors, in standard errors; draws of a chain are less than independent
    assert len(in_errors) >= 4 and np.mean(in_errors) < 3 and max(in_errors) < 6


def test_sampling_anew_is_near():
    settings = UpdateSettings(epochs=2000, least_effective=4000, limits=NOTHING_EXACT.limits)
    found = [error_of(seed, "gibbs", largest=3, n_samples=50, settings=settings) for seed in range(4)]
    assert np.mean([f[0] for f in found]) < 0.03
    assert (found[0][2].engine == Engine.GIBBS).any()


def test_variational_is_near_on_graphs_of_pairs():
    errors = []
    for seed in range(8):
        graph, weights = random_graph(
            seed,
            n=9,
            n_factors=16,
            largest=2,
            known=0.0,
            spread=0.5,
            functions=(FactorFunction.IS_TRUE, FactorFunction.EQUAL),
        )
        change = random_change(graph, seed, functions=PAIRS, spread=0.5)
        material = materialise(graph, weights, n_samples=4000, seed=seed)
        truth = infer(*changed(graph, weights, change)).marginals.probability
        old = infer(graph, weights).marginals
        live = LiveGraph(graph)
        found, report = update_marginals(live, weights, change, old, material, seed=seed, strategy="variational")
        assert report.groups_by("variational") > 0 and (found.engine == Engine.VARIATIONAL).any()
        errors.append(np.abs(found.probability - truth).max())
    assert np.mean(errors) < 0.05


def test_metropolis_is_not_biased():
    graph, weights = small(5, n=7)
    change = random_change(graph, 5, n_evidence=0, n_new=1, n_added=3, n_removed=1, n_weights=0)
    truth = reference.marginals(*changed(graph, weights, change))
    old = infer(graph, weights).marginals
    total, runs, acceptance = np.zeros_like(truth), 40, 0.0
    for seed in range(runs):
        material = materialise(graph, weights, n_samples=1000, seed=seed, variational_up_to=0)
        live = LiveGraph(graph)
        found, report = update_marginals(live, weights, change, old, material, seed=seed, strategy="metropolis")
        total += found.probability / runs
        acceptance += report.lines[0].acceptance / runs
    effective = runs * 1000 * acceptance / 2
    assert np.abs(total - truth).max() < 4 * 0.5 / np.sqrt(effective)


def test_what_is_not_touched_is_kept_to_the_bit():
    graph, weights = random_graph(2, n=30, n_factors=20)
    old = infer(graph, weights).marginals
    old.probability[:] = np.random.default_rng(0).random(len(old.probability))
    change = GraphChange.of(added=Factors.of([(FactorFunction.IS_TRUE, [(3, 1)], 0)]))
    live = LiveGraph(graph)
    found, report = update_marginals(live, weights, change, old)
    same = found.probability == old.probability
    assert report.touched < 30 and same.sum() >= (30 - report.touched) * 2


@pytest.mark.parametrize("strategy", ["auto", "importance"])
def test_an_empty_change_touches_nothing(strategy):
    graph, weights = small(1)
    old = infer(graph, weights).marginals
    material = materialise(graph, weights, n_samples=50)
    found, report = update_marginals(LiveGraph(graph), weights, GraphChange.of(), old, material, strategy=strategy)
    assert np.array_equal(found.probability, old.probability) and report.touched == 0 and report.lines == ()


def test_material_survives_a_file_and_is_refreshed_after_changes(tmp_path):
    graph, weights = small(3, largest=3)
    material = materialise(graph, weights, n_samples=100, seed=1)
    material.save(tmp_path / "material.npz")
    back = Material.load(tmp_path / "material.npz")
    assert np.array_equal(back.worlds.bits, material.worlds.bits) and back.worlds.n == 100
    assert np.array_equal(back.approximation.strength, material.approximation.strength)

    change = random_change(graph, 3, spread=0.6)
    live = LiveGraph(graph)
    old, _ = update_marginals(live, weights, change, infer(graph, weights).marginals, back)
    assert not back.fresh.all()
    after, weights_after = changed(graph, weights, change)
    again = refreshed(back, live, weights_after, seed=2)
    assert again.fresh.all()
    more = random_change(after, 33, spread=0.6, n_evidence=0)
    found, report = update_marginals(live, weights_after, more, old, again, strategy="importance")
    truth = infer(*changed(after, weights_after, more)).marginals.probability
    assert report.groups_by("importance") > 0 and np.abs(found.probability - truth).max() < 0.35


def test_spent_worlds_are_not_used_again():
    graph, weights = small(3)
    material, old = materialise(graph, weights, n_samples=100), infer(graph, weights).marginals
    live = LiveGraph(graph)
    twice = GraphChange.of(weight_to={0: 0.5})
    old, first = update_marginals(live, weights, twice, old, material, strategy="importance")
    weights = twice.weights_after(weights)
    _, second = update_marginals(
        live, weights, GraphChange.of(weight_to={0: 0.1}), old, material, strategy="importance"
    )
    assert first.groups_by("importance") > 0 and second.groups_by("importance") < first.groups_by("importance")
    assert "no stored worlds speak of it" in str(second)


def test_what_is_not_material_is_refused(tmp_path):
    with pytest.raises(GraphError, match="-1 worlds"):
        materialise(*small(1), n_samples=-1)
    (tmp_path / "bad").write_bytes(b"no")
    with pytest.raises(StoreError):
        Material.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("strategy", "of_old", "text"),
    [("magic", 0, "no strategy 'magic'"), ("auto", 1, "old marginals are of 8 variables, the graph has 9")],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(strategy, of_old, text):
    graph, weights = small(1)
    old = infer(graph, weights).marginals
    shorter = Marginals(old.probability, old.engine[of_old:], old.r_hat, old.effective)
    live = LiveGraph(graph)
    with pytest.raises(GraphError, match=text):
        update_marginals(live, weights, random_change(graph, 1), shorter, strategy=strategy)
    assert live.n_variables == 9 and live.n_factors == graph.n_factors


@pytest.mark.parametrize("strategy", ["auto", "importance", "variational", "gibbs", "full"])
def test_a_graph_that_was_empty_takes_its_first_variables(strategy):
    graph, weights = FactorGraph.of([], [], n_weights=1), np.array([0.8])
    material, old = materialise(graph, weights, n_samples=2000), infer(graph, weights).marginals
    first = Factors.of([(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0), (FactorFunction.IS_TRUE, [(0, 1)], 0)])
    change = GraphChange.of(cardinality=[2, 2], added=first)
    found, _ = update_marginals(
        LiveGraph(graph), weights, change, old, material, strategy=strategy, settings=NOTHING_EXACT
    )
    assert np.abs(found.probability - reference.marginals(*changed(graph, weights, change))).max() < 0.03
