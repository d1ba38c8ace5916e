"""Which strategy is chosen, and the reason given."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.kb.graph.change import GraphChange, changed
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.choose import GroupFacts, Strategy, UpdateSettings, choose
from consilience.kb.incremental.local import solved
from consilience.kb.incremental.material import materialise
from consilience.kb.incremental.update import update_marginals
from consilience.kb.inference.exact import Limits
from consilience.kb.inference.gibbs import sample
from consilience.kb.inference.marginals import Engine, Marginals

NOTHING_EXACT = Limits(worlds=1, factor_worlds=1, table=1, tables=1, junction_variables=0)


def facts(**given: object) -> GroupFacts:
    usual = {
        "size": 50,
        "literals": 400,
        "changed_literals": 4,
        "is_exact": False,
        "stored": True,
        "effective": 1400.0,
        "approximated": False,
        "approximate_literals": 0,
        "evidence_changed": False,
    }
    return GroupFacts(**{name: np.array([value]) for name, value in (usual | given).items()}, n_stored=2000)


@pytest.mark.parametrize(
    ("given", "strategy", "because"),
    [
        ({"is_exact": True}, Strategy.EXACT, "solved exactly"),
        ({}, Strategy.IMPORTANCE, "factors or weights changed, and the 2000 stored worlds are still worth 1400"),
        ({"evidence_changed": True}, Strategy.IMPORTANCE, "evidence changed, and the 2000 stored"),
        ({"effective": 12.0}, Strategy.GIBBS, "worth no more than 12"),
        ({"stored": False, "effective": np.nan}, Strategy.GIBBS, "no stored worlds speak of it"),
        ({"changed_literals": 400}, Strategy.GIBBS, "to weigh 2000 stored worlds by all that changed costs more"),
        (
            {"effective": 12.0, "approximated": True, "approximate_literals": 60},
            Strategy.VARIATIONAL,
            "worth no more than 12; its approximate graph is over 3 times smaller",
        ),
        (
            {"effective": 12.0, "approximated": True, "approximate_literals": 390},
            Strategy.GIBBS,
            "an approximate graph would save too little",
        ),
    ],
)
def test_each_kind_of_change_has_its_strategy_and_its_reason(given, strategy, because):
    (choice,) = choose(facts(**given), UpdateSettings(), n_open=1000)
    assert choice.strategy == strategy and because in choice.because


def test_a_change_of_nearly_everything_is_a_full_run():
    (choice,) = choose(facts(effective=3.0), UpdateSettings(), n_open=52)
    assert choice.strategy == Strategy.FULL and "50 of 52" in choice.because


@pytest.mark.parametrize(
    ("wanted", "given", "strategy"),
    [
        ("importance", {}, Strategy.IMPORTANCE),
        ("importance", {"effective": 0.0}, Strategy.IMPORTANCE),
        ("metropolis", {"stored": False}, Strategy.GIBBS),
        ("variational", {"is_exact": True}, Strategy.EXACT),
        ("exact", {}, Strategy.GIBBS),
        ("full", {}, Strategy.FULL),
    ],
)
def test_what_is_asked_for_is_done_where_it_can_be(wanted, given, strategy):
    (choice,) = choose(facts(**given), UpdateSettings(), n_open=1000, wanted=wanted)
    assert choice.strategy == strategy and "asked for" in choice.because


def grid(side: int) -> tuple[FactorGraph, np.ndarray, Marginals]:
    """A square of variables, each like its neighbours."""
    at = np.arange(side * side).reshape(side, side)
    links = [*zip(at[:, :-1].flat, at[:, 1:].flat, strict=True), *zip(at[:-1].flat, at[1:].flat, strict=True)]
    graph = FactorGraph.of([2] * side**2, [(FactorFunction.EQUAL, [(int(a), 1), (int(b), 1)], 0) for a, b in links])
    n = side**2
    old = Marginals(np.full(2 * n, 0.5), np.full(n, Engine.GIBBS, np.uint8), np.ones(n), np.full(n, 1000.0))
    return graph, np.array([0.1]), old


@pytest.mark.parametrize(("strength", "wanted"), [(0.2, "importance"), (8.0, "full")])
def test_a_small_change_uses_stored_worlds_and_a_large_one_does_not(strength, wanted):
    graph, weights, old = grid(5)
    material = materialise(graph, weights, n_samples=2000)
    pull = Factors.of([(FactorFunction.IS_TRUE, [(v, 1)], 1) for v in (3, 12, 20)])
    change = GraphChange.of(added=pull, weight_is_fixed=[True], weight_to={1: strength})
    settings = UpdateSettings(limits=NOTHING_EXACT)
    found, report = update_marginals(LiveGraph(graph), weights, change, old, material, settings=settings)
    assert report.groups_by(Strategy(wanted)) == 1
    p = 1 / (1 + np.exp(-2 * strength))
    assert found.probability[2 * 12 + 1] == pytest.approx(p, abs=0.06)  # the neighbours are weak
    assert wanted in str(report)


def test_stored_worlds_pay_off_where_a_little_changes_in_a_large_dense_component():
    """They are chosen, look at a few literals of thousands, and are as near to a long run as sampling anew is."""
    n, rng = 80, np.random.default_rng(0)
    pairs = [sorted(rng.choice(n, 2, replace=False).tolist()) for _ in range(20 * n)]
    factors = [(FactorFunction.IS_TRUE, [(v, 1)], v % 7) for v in range(n)]
    factors += [(FactorFunction.EQUAL, [(a, 1), (b, 1)], 7 + i % 2) for i, (a, b) in enumerate(pairs)]
    graph, weights = FactorGraph.of([2] * n, factors), np.append(rng.normal(0, 0.5, 7), [0.05, -0.03])
    settings = UpdateSettings(limits=Limits(junction_variables=0))
    added = Factors.of([(FactorFunction.IS_TRUE, [(3, 1)], 9), (FactorFunction.EQUAL, [(5, 1), (8, 1)], 9)])
    change = GraphChange.of(added=added, weight_is_fixed=[False], weight_to={9: 0.5})
    old = solved(graph, weights, settings=settings, seed=0)
    material = materialise(graph, weights, variational_up_to=0)
    found, report = update_marginals(LiveGraph(graph), weights, change, old, material, settings=settings)
    assert report.groups_by(Strategy.IMPORTANCE) == 1 and "are still worth" in str(report)
    truth = sample(*changed(graph, weights, change), epochs=5000, seed=1).probability
    assert np.abs(found.probability - truth).max() < 0.03
    assert np.abs(old.probability - truth).max() > 0.1
