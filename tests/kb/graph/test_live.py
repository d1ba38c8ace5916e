"""A graph that takes changes, held to the plain way of applying them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.changes import random_change
from tests.kb.graphs import random_graph

from consilience.errors import GraphError
from consilience.kb.graph.change import GraphChange, canonical, changed, contents
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph

EQUAL, IS_TRUE = FactorFunction.EQUAL, FactorFunction.IS_TRUE


@pytest.mark.parametrize("seed", range(10))
def test_a_row_of_changes_gives_the_graph_that_the_plain_way_gives(seed):
    plain, weights = random_graph(seed, n=10, n_factors=20)
    live = LiveGraph(plain)
    for step in range(12):
        change = random_change(plain, 100 * seed + step, n_removed=6, n_added=5)
        plain, weights = changed(plain, weights, change)
        live.apply(change)
        assert contents(canonical(live.graph()).factors) == contents(plain.factors)
        assert np.array_equal(live.evidence, plain.evidence) and np.array_equal(live.cardinality, plain.cardinality)
        assert (live.n_factors, live.n_literals) == (plain.n_factors, len(plain.factors.variable))


def groups_by_hand(before: FactorGraph, after: FactorGraph, change: GraphChange) -> set[frozenset[int]]:
    """Flood from the touched variables, factor by factor."""
    moved = {int(v) for v, to in zip(change.evidence_at, change.evidence_to, strict=True) if before.evidence[v] != to}
    crossed = {v for v in range(after.n_variables) if after.evidence[v] == OPEN} | moved
    reweighted = np.flatnonzero(np.isin(before.factors.weight, change.weight_at))
    touched = moved | set(range(before.n_variables, after.n_variables))
    for factors in (change.removed, change.added, before.factors.take(reweighted)):
        touched |= set(factors.variable.tolist())
    sets = [{v} for v in crossed]
    for factors in (before.factors, after.factors):
        for f in range(len(factors)):
            named = set(factors.variable[factors.offsets[f] : factors.offsets[f + 1]].tolist()) & crossed
            joined = [s for s in sets if s & named]
            sets = [s for s in sets if not s & named] + ([set().union(*joined)] if joined else [])
    return {frozenset(s) for s in sets if s & touched}


@pytest.mark.parametrize("seed", range(25))
def test_what_is_affected_hangs_together_with_what_the_change_names(seed):
    graph, weights = random_graph(seed, n=20, n_factors=12, known=0.4)
    change = random_change(graph, seed, n_added=2, n_removed=2, n_weights=seed % 2)
    after, _ = changed(graph, weights, change)
    live = LiveGraph(graph)
    groups = live.affected(live.apply(change))
    found = {frozenset(g.tolist()) for g in np.split(groups.variables, groups.offsets[1:-1]) if len(g)}
    assert found == groups_by_hand(graph, after, change)


@pytest.mark.parametrize("seed", range(5))
def test_a_piece_holds_every_factor_on_its_variables_once(seed):
    graph, _ = random_graph(seed, n=12, n_factors=15)
    live = LiveGraph(graph)
    piece = live.piece(np.array([3, 7], np.int32), others=np.array([1], np.int32))
    f = graph.factors
    wanted = [i for i in range(len(f)) if {3, 7} & set(f.variable[f.offsets[i] : f.offsets[i + 1]].tolist())]
    assert sorted(piece.factor.tolist()) == wanted
    back = piece.graph.factors
    moved = Factors(
        back.function, back.offsets, piece.variables[back.variable], back.value, back.weight, back.scale, back.clause
    )
    assert contents(moved) == contents(f.take(piece.factor))
    assert piece.variables[:3].tolist() == [3, 7, 1] and len(set(piece.variables)) == len(piece.variables)
    assert np.array_equal(piece.graph.evidence, graph.evidence[piece.variables])
    piece.graph.check()


def test_a_change_that_fails_leaves_everything_as_it_was():
    graph = FactorGraph.of([2, 2], [(EQUAL, [(0, 1), (1, 1)], 0), (IS_TRUE, [(0, 1)], 0)])
    live = LiveGraph(graph)
    gone = Factors.of([(IS_TRUE, [(0, 1)], 0), (IS_TRUE, [(0, 0)], 0)])
    with pytest.raises(GraphError, match=r"Removed factor 1 \(IS_TRUE of \[\(0, 0\)\]"):
        live.apply(GraphChange.of(removed=gone, evidence_to={1: 1}))
    assert contents(live.graph().factors) == contents(graph.factors)
    assert live.n_factors == 2 and live.evidence.tolist() == [OPEN, OPEN]


def test_evidence_that_stays_is_not_crossed_and_evidence_that_changes_is():
    chain = [(EQUAL, [(i, 1), (i + 1, 1)], 0) for i in range(4)]
    graph = FactorGraph.of([2] * 5, chain, evidence=[-1, -1, 1, -1, -1])
    first = GraphChange.of(added=Factors.of([(IS_TRUE, [(0, 1)], 0)]))
    live = LiveGraph(graph)
    assert sorted(live.affected(live.apply(first)).variables) == [0, 1]
    assert sorted(live.affected(live.apply(GraphChange.of(evidence_to={2: 0}))).variables) == [0, 1, 2, 3, 4]
    assert len(live.affected(live.apply(GraphChange.of(evidence_to={2: 0})))) == 0


def test_two_halves_that_a_factor_held_together_are_one_group():
    graph = FactorGraph.of([2] * 3, [(EQUAL, [(0, 1), (1, 1)], 0), (EQUAL, [(1, 1), (2, 1)], 0)])
    live = LiveGraph(graph)
    groups = live.affected(live.apply(GraphChange.of(removed=graph.factors.take(np.array([0])))))
    assert len(groups) == 1 and sorted(groups.variables) == [0, 1, 2]


def test_an_empty_graph_takes_variables_and_factors():
    live = LiveGraph(FactorGraph.of([], []))
    assert len(live.affected(live.apply(GraphChange.of()))) == 0
    link = Factors.of([(EQUAL, [(0, 1), (1, 1)], 0)])
    applied = live.apply(GraphChange.of(cardinality=[2, 2], added=link, weight_is_fixed=[True]))
    assert sorted(live.affected(applied).variables) == [0, 1] and live.graph().n_factors == 1
