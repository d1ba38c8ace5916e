"""Pushes add up to what they explain."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph
from consilience.kb.results.pushes import pushes

ONE_EACH = (FactorFunction.IS_TRUE,)


@pytest.mark.parametrize("seed", range(3))
def test_pushes_of_single_literals_add_up_to_the_log_odds(seed):
    graph, weights = random_graph(seed, n=4, n_factors=12, functions=ONE_EACH, largest=2, known=0.0)
    p = reference.marginals(graph, weights)
    for v in range(4):
        found = sum(push.log_odds for push in pushes(graph, weights, p, v))
        assert found == pytest.approx(np.log(p[2 * v + 1] / p[2 * v]), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_given_all_else_pushes_add_up_to_the_log_odds_whatever_the_functions(seed):
    graph, weights = random_graph(seed, n=5, n_factors=10, largest=2, known=0.0)
    world = np.random.default_rng(seed).integers(0, 2, 5)
    for v in range(5):
        evidence = world.copy()
        evidence[v] = -1
        known = graph.with_evidence(evidence.astype(np.int32))
        p = reference.marginals(known, weights)
        found = sum(push.log_odds for push in pushes(known, weights, p, v))
        assert found == pytest.approx(np.log(p[2 * v + 1] / p[2 * v]), abs=1e-6)


def test_many_other_variables_are_drawn_and_come_out_close():
    body = [[(i, 1)] for i in range(1, 15)]
    graph = FactorGraph.of([2] * 15, [(FactorFunction.LINEAR, [(0, 1), *body], 0)])
    (push,) = pushes(graph, np.array([0.5]), np.full(30, 0.5), 0)
    assert push.log_odds == pytest.approx(0.5 * 2 * 7, rel=0.03)  # sd of the mean of 2000 draws: 0.6%
    assert push.others == tuple(range(1, 15))


def test_a_variable_that_is_not_there_is_named():
    graph = FactorGraph.of([2], [])
    with pytest.raises(GraphError, match="no value 1 of a variable 7"):
        pushes(graph, np.zeros(0), np.full(2, 0.5), 7)
    assert pushes(graph, np.zeros(0), np.full(2, 0.5), 0) == []
