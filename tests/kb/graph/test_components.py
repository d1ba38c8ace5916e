"""Components, adjacency and subgraphs, held to plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.adjacency import adjacency
from consilience.kb.graph.components import components
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, SoftEvidence
from consilience.kb.graph.subgraph import subgraph


def open_variables(graph, f, clamped):
    return {v for v, _, _ in reference.literals(graph, f) if not clamped or graph.evidence[v] == OPEN}


def plain_components(graph, clamped):
    """Sets of variables that factors connect, joined until nothing changes."""
    groups = [{v} for v in range(graph.n_variables) if not clamped or graph.evidence[v] == OPEN]
    for f in range(graph.n_factors):
        touched = open_variables(graph, f, clamped)
        meeting = [g for g in groups if g & touched]
        groups = [g for g in groups if not g & touched] + ([set().union(*meeting)] if meeting else [])
    return sorted((sorted(g) for g in groups), key=min)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_components_are_those_of_plain_loops(seed, clamped, joint_only):
    graph, _ = random_graph(seed, n=12, n_factors=int(seed % 9), known=0.3)
    found = components(graph, clamped=clamped, joint_only=joint_only)
    expected = plain_components(graph, clamped)
    assert [found.variables_of(c).tolist() for c in range(len(found))] == expected
    for c, members in enumerate(expected):
        assert np.all(found.of_variable[members] == c)
        touched = [open_variables(graph, f, clamped) for f in range(graph.n_factors)]
        least = 2 if joint_only else 1
        assert found.factors_of(c).tolist() == [
            f for f, vs in enumerate(touched) if vs & set(members) and len(vs) >= least
        ]
    assert (found.of_variable >= 0).sum() == sum(map(len, expected))


def test_a_long_chain_is_one_component_and_no_factor_means_components_of_one():
    n = 200_000
    order = np.random.default_rng(0).permutation(n)
    chain = FactorGraph.of([2] * 3, [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    factors = chain.factors
    pairs = np.stack([order[:-1], order[1:]], axis=1).astype(np.int32)
    many = type(factors)(
        np.full(n - 1, FactorFunction.EQUAL, np.uint8),
        np.arange(0, 2 * n - 1, 2, dtype=np.int32),
        pairs.ravel(),
        np.ones(2 * n - 2, np.int32),
        np.zeros(n - 1, np.int32),
        np.ones(n - 1, np.float32),
        np.zeros(0, np.int32),
    )
    both = np.full(n, 2, np.int32)
    graph = FactorGraph(both, np.full(n, OPEN, np.int32), many, np.zeros(1, bool), SoftEvidence.none())
    assert len(components(graph)) == 1
    assert len(components(FactorGraph.of([2, 3, 1], []))) == 2  # a variable of one value is known
    assert len(components(FactorGraph.of([], []))) == 0


@pytest.mark.parametrize("seed", range(3))
def test_adjacency_lists_each_factor_once(seed):
    graph, _ = random_graph(seed, n=5, n_factors=9)
    which = np.array([1, 4, 7])
    for index, among in ((adjacency(graph), range(9)), (adjacency(graph, which=which), which.tolist())):
        for v in range(5):
            touching = [f for f in among if any(u == v for u, _, _ in reference.literals(graph, f))]
            assert index.factors[index.offsets[v] : index.offsets[v + 1]].tolist() == touching
    assert adjacency(graph).of(np.zeros(0, np.int32)).tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_a_component_as_a_graph_of_its_own_has_the_same_marginals(seed):
    graph, weights = random_graph(seed, n=7, n_factors=5, known=0.3)
    whole = reference.marginals(graph, weights)
    for c in range(len(found := components(graph))):
        part = subgraph(graph, found.variables_of(c))
        marginals = reference.marginals(part.graph, weights)
        for i, v in enumerate(part.variables):
            ours = marginals[part.graph.value_offsets[i] : part.graph.value_offsets[i + 1]]
            theirs = whole[graph.value_offsets[v] : graph.value_offsets[v + 1]]
            assert ours == pytest.approx(theirs, abs=1e-12)


def test_an_open_neighbour_needs_a_state():
    soft = SoftEvidence(np.array([0, 2], np.int32), np.array([0, 2, 4], np.int32), np.array([0.1, 0.9, 0.2, 0.8]))
    graph = FactorGraph.of([2, 2, 2], [(FactorFunction.AND, [(0, 1), (2, 1)], 0)], soft=soft)
    with pytest.raises(GraphError, match=r"Variable 0 is open and a neighbour of the part.*\nFix: add it"):
        subgraph(graph, np.array([2]))
    part = subgraph(graph, np.array([2]), state=np.array([1, 0, 0]))
    assert part.graph.evidence.tolist() == [1, OPEN]
    assert part.graph.soft.variable.tolist() == [0, 1] and part.graph.soft.probability.tolist() == [0.1, 0.9, 0.2, 0.8]
    alone = subgraph(graph, np.array([1]))
    assert alone.variables.tolist() == [1] and alone.graph.n_factors == 0 and len(alone.graph.soft.variable) == 0
