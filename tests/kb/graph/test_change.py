"""Changes applied the plain way: laws, and what is said of a change that does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.changes import random_change
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.change import GraphChange, canonical, changed, contents, inverse
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors


def same_factors(one: Factors, other: Factors) -> bool:
    return contents(one) == contents(other)


@pytest.mark.parametrize("seed", range(20))
def test_a_change_then_its_inverse_is_the_identity(seed):
    graph, weights = random_graph(seed, n=8, n_factors=12)
    change = random_change(graph, seed)
    after, after_weights = changed(graph, weights, change)
    back, back_weights = changed(after, after_weights, inverse(graph, weights, change))
    assert same_factors(back.factors, canonical(graph).factors)
    assert np.array_equal(back.evidence, np.concatenate([graph.evidence, [0, 0]]))
    assert np.array_equal(back_weights, np.concatenate([weights, [0.0]]))
    assert not np.isin([8, 9], back.factors.variable).any()


@pytest.mark.parametrize("seed", range(5))
def test_a_change_adds_to_the_log_probability_what_its_factors_are_worth(seed):
    graph, weights = random_graph(seed, n=5)
    change = random_change(graph, seed, n_new=1, n_evidence=0, n_weights=0)
    after, after_weights = changed(graph, weights, change)
    more = FactorGraph(after.cardinality, after.evidence, change.added, after.weight_is_fixed, graph.soft)
    less = FactorGraph(after.cardinality, after.evidence, change.removed, after.weight_is_fixed, graph.soft)
    for world in reference.worlds(after)[:20]:
        step = reference.score(more, after_weights, world) - reference.score(less, after_weights, world)
        before = reference.score(graph, weights, world[:5])
        assert reference.score(after, after_weights, world) == pytest.approx(before + step)


def test_canonical_order_depends_on_what_the_factors_are_and_not_on_where_they_stood():
    graph, _ = random_graph(3, n_factors=30)
    order = np.random.default_rng(0).permutation(30)
    moved = FactorGraph(graph.cardinality, graph.evidence, graph.factors.take(order), graph.weight_is_fixed, graph.soft)
    one, other = canonical(graph).factors, canonical(moved).factors
    assert contents(one) == contents(other) and sorted(contents(one)) == sorted(contents(graph.factors))


def test_a_factor_that_stands_twice_goes_once_and_a_third_time_is_an_error():
    unary = (FactorFunction.IS_TRUE, [(0, 1)], 0)
    graph = FactorGraph.of([2], [unary, unary])
    once, weights = changed(graph, np.ones(1), GraphChange.of(removed=Factors.of([unary])))
    assert once.n_factors == 1
    with pytest.raises(GraphError, match=r"Removed factor 1 \(IS_TRUE of \[\(0, 1\)\].*\nFix: make the change"):
        changed(once, weights, GraphChange.of(removed=Factors.of([unary, unary])))


def test_an_empty_change_changes_nothing_but_the_order():
    graph, weights = random_graph(1)
    after, same = changed(graph, weights, GraphChange.of())
    assert contents(after.factors) == contents(canonical(graph).factors) and np.array_equal(same, weights)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (GraphChange.of(evidence_to={2: 0}), "evidence of variable 2, but they end at 1"),
        (GraphChange.of(evidence_to={0: 5}), "variable 0 value 5, but it has 2"),
        (GraphChange.of(weight_to={1: 0.0}), "changes weight 1, but they end at 0"),
        (GraphChange.of(weight_to={0: float("nan")}), "not a number"),
        (GraphChange.of(added=Factors.of([(FactorFunction.IS_TRUE, [(2, 1)], 0)])), "in a factor added, variable 2"),
        (GraphChange.of(added=Factors.of([(FactorFunction.IS_TRUE, [(0, 3)], 0)])), "variable 0 value 3"),
        (GraphChange.of(added=Factors.of([(FactorFunction.AND, [], 0)])), "has no literals"),
        (
            GraphChange.of(cardinality=[2], removed=Factors.of([(FactorFunction.IS_TRUE, [(2, 1)], 0)])),
            "in a factor removed, variable 2",
        ),
        (GraphChange.of(cardinality=[2], evidence=[2]), "variable 2 value 2"),
    ],
)
def test_a_change_that_does_not_fit_says_where(change, text):
    graph = FactorGraph.of([2, 2], [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    with pytest.raises(GraphError, match=rf"{text}.*(\n|)Fix:|{text}"):
        changed(graph, np.ones(1), change)
