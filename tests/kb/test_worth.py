"""What a factor is worth: the compiled definition against the plain one, in every world."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.graph.worth import log_potential, worth


@pytest.mark.parametrize("function", list(FactorFunction))
def test_worth_is_that_of_the_table_in_every_world(function):
    graph, _ = random_graph(int(function), n=5, n_factors=8, functions=(function,), known=0.0)
    a = graph.factors
    for world in reference.worlds(graph):
        state = np.array(world, np.int32)
        for f in range(graph.n_factors):
            bounds = a.offsets[f], a.offsets[f + 1]
            got = worth(a.function[f], *bounds, a.variable, a.value, a.clause, state, -1, 0)
            assert got == pytest.approx(reference.worth(graph, f, world), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_world_scores_the_sum_of_its_factors(seed):
    graph, weights = random_graph(seed)
    a = graph.factors
    for world in reference.worlds(graph)[:50]:
        state = np.array(world, np.int32)
        got = log_potential(a.function, a.offsets, a.variable, a.value, a.clause, a.weight, a.scale, weights, state)
        assert got == pytest.approx(reference.score(graph, weights, world), abs=1e-6)


def test_taking_and_joining_factors_keeps_them():
    graph, _ = random_graph(1, n_factors=12)
    order = np.random.default_rng(0).permutation(12)
    back = Factors.joined([graph.factors.take(order[:5]), graph.factors.take(order[5:])]).take(np.argsort(order))
    for name in Factors.__slots__:
        assert np.array_equal(getattr(back, name), getattr(graph.factors, name)), name


def test_what_is_wrong_with_a_graph_is_named():
    with pytest.raises(GraphError, match=r"names variable 3, but the graph has 2.\nFix:"):
        FactorGraph.of([2, 2], [(FactorFunction.AND, [(0, 1), (3, 1)], 0)])
    with pytest.raises(GraphError, match=r"asks variable 1 for value 2, but it has 2.\nFix:"):
        FactorGraph.of([2, 2], [(FactorFunction.AND, [(0, 1), (1, 2)], 0)])
    with pytest.raises(GraphError, match=r"evidence of variable 0 is 5"):
        FactorGraph.of([2, 2], [], evidence=[5, -1])
