"""Exact engines against enumeration in plain loops: every factor function, every engine, and the laws they keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors, SoftEvidence
from consilience.kb.inference.exact import Limits, Prepared, solve
from consilience.kb.inference.marginals import Engine

BAR = 1e-9
ENUMERATED = Limits()
AS_TREES = Limits(worlds=1, junction_variables=0)  # what is no tree stays unsolved
AS_BAGS = Limits(worlds=1, factor_worlds=1)
WAYS = {"enumeration": ENUMERATED, "junction tree": AS_BAGS}


def assert_exact(graph, weights, limits, *, clamped=True):
    solved = solve(graph, weights, clamped=clamped, expected=True, limits=limits)
    assert len(solved.unsolved) == 0
    assert solved.marginals.probability == pytest.approx(
        reference.marginals(graph, weights, clamped=clamped), abs=BAR, rel=0
    )
    assert solved.expected_worth == pytest.approx(
        reference.expected_worth(graph, weights, clamped=clamped), abs=BAR, rel=0
    )
    assert solved.marginals.log_partition == pytest.approx(
        reference.distribution(graph, weights, clamped=clamped)[2], abs=BAR
    )
    return solved


def random_tree(seed, *, n=7, functions=tuple(FactorFunction), largest=3, known=0.15):
    """A graph that is a tree of factors over two or three new and old variables each, with unary factors beside."""
    rng = np.random.default_rng(seed)
    cardinality = rng.integers(2, largest + 1, n).tolist()

    def literal(v):
        return (v, int(rng.integers(cardinality[v])))

    factors, seen = [], 1
    while seen < n:
        function = functions[rng.integers(len(functions))]
        new = min(int(rng.integers(1, 3)), n - seen)
        scope = [int(rng.integers(seen)), *range(seen, seen + new)]
        rng.shuffle(scope)
        seen += new
        given = [literal(v) for v in scope]
        if function in (FactorFunction.LINEAR, FactorFunction.RATIO, FactorFunction.LOGICAL):
            given = [given[0], given[1:], *([literal(v)] for v in scope)]
        factors.append((function, given, int(rng.integers(3)), float(rng.choice([0.5, 1.0]))))
    factors += [(FactorFunction.IS_TRUE, [literal(v)], 3) for v in range(0, n, 2)]
    order = rng.permutation(len(factors))
    evidence = np.where(rng.random(n) < known, 0, OPEN).tolist()
    graph = FactorGraph.of(cardinality, [factors[i] for i in order], evidence=evidence, n_weights=4)
    return graph, rng.normal(0, 1.5, 4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", list(FactorFunction))
def test_each_function_is_exact(function, way):
    for seed in range(3):
        graph, weights = random_graph(seed, n=6, n_factors=7, functions=(function, FactorFunction.IS_TRUE), spread=1.5)
        assert_exact(graph, weights, WAYS[way], clamped=bool(seed % 3))


@pytest.mark.parametrize("function", list(FactorFunction))
def test_each_function_is_exact_on_trees(function):
    for seed in range(3):
        graph, weights = random_tree(seed, functions=(function,))
        solved = assert_exact(graph, weights, AS_TREES, clamped=bool(seed % 3))
        assert Engine.TREE in solved.marginals.engine


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(list(WAYS)))
def test_random_graphs_are_exact(seed, clamped, way):
    graph, weights = random_graph(seed, n=5, n_factors=8, spread=2.0)
    assert_exact(graph, weights, WAYS[way], clamped=clamped)


@pytest.mark.parametrize("limits", [ENUMERATED, AS_TREES, AS_BAGS], ids=["enumeration", "tree", "junction tree"])
def test_large_weights_are_exact_too(limits):
    graph, weights = random_tree(5, n=6)
    graph = replace(graph, factors=replace(graph.factors, scale=np.full(graph.n_factors, 300, np.float32)))
    assert_exact(graph, weights, limits)


def test_engines_are_chosen_by_what_is_cheapest():
    equal = FactorFunction.EQUAL
    chain = [(equal, [(v, 1), (v + 1, 1)], 0) for v in range(3, 22)]
    ring = [(equal, [(v, 1), (v + 1, 1)], 0) for v in range(23, 42)] + [(equal, [(42, 1), (23, 1)], 0)]
    graph = FactorGraph.of([2] * 44, [(equal, [(1, 1), (2, 1)], 0), *chain, *ring], evidence=[OPEN] * 43 + [1])
    solved = solve(graph, np.array([0.3]))
    named = [Engine(e).name for e in solved.marginals.engine[[0, 1, 3, 23, 43]]]
    assert named == ["CLOSED_FORM", "ENUMERATION", "TREE", "JUNCTION_TREE", "EVIDENCE"]
    assert solved.marginals.probability == pytest.approx([0.5] * 86 + [0, 1])
    assert np.isnan(solved.marginals.r_hat).all() and np.isinf(solved.marginals.effective).all()


def test_what_is_beyond_the_limits_is_left_and_said():
    pairs = [(FactorFunction.EQUAL, [(a, 1), (b, 1)], 0) for a in range(6) for b in range(a)]
    graph = FactorGraph.of([2] * 7, [*pairs, (FactorFunction.IS_TRUE, [(6, 1)], 0)])
    solved = solve(graph, np.array([0.3]), expected=True, limits=Limits(worlds=16, table=32))
    assert solved.unsolved.tolist() == [0] and solved.marginals.log_partition is None
    assert np.isnan(solved.marginals.probability[:12]).all() and np.isnan(solved.expected_worth[:15]).all()
    assert solved.marginals.probability[13] == pytest.approx(1 / (1 + np.exp(-0.6)))
    assert solved.expected_worth[15] == pytest.approx(np.tanh(0.3))
    assert len(solve(graph, np.array([0.3]), limits=Limits(worlds=16, tables=64)).unsolved) == 1


def chain_of(n, weight_of=0, function=FactorFunction.EQUAL):
    f = Factors(
        np.full(n - 1, function, np.uint8),
        np.arange(0, 2 * n - 1, 2, dtype=np.int32),
        np.stack([np.arange(n - 1), np.arange(1, n)], axis=1).astype(np.int32).ravel(),
        np.ones(2 * n - 2, np.int32),
        np.full(n - 1, weight_of, np.int32),
        np.ones(n - 1, np.float32),
        np.zeros(0, np.int32),
    )
    first = Factors.of([(FactorFunction.IS_TRUE, [(0, 1)], 1)])
    both, none = np.full(n, 2, np.int32), np.full(n, OPEN, np.int32)
    return FactorGraph(both, none, Factors.joined([f, first]), np.zeros(2, bool), SoftEvidence.none())


def test_a_chain_of_100_000_is_exact():
    n, w, b = 100_000, 2.0, 0.7
    solved = solve(chain_of(n), np.array([w, b]), expected=True)
    # of a chain with one field, the mean of the i-th spin is tanh(b) tanh(w)^i
    means = 2 * solved.marginals.probability[1::2] - 1
    assert means == pytest.approx(np.tanh(b) * np.tanh(w) ** np.arange(n), abs=BAR)
    assert solved.expected_worth[: n - 1] == pytest.approx(np.tanh(w), abs=BAR)
    log_z = np.log(2 * np.cosh(b)) + (n - 1) * np.log(2 * np.cosh(w))
    assert solved.marginals.log_partition == pytest.approx(log_z, rel=1e-12)


def test_a_ladder_of_3_by_60_agrees_with_transfer_matrices():
    wide, long, w = 3, 60, 0.4
    at = np.arange(wide * long).reshape(long, wide)
    pairs = [
        *zip(at[:-1].ravel(), at[1:].ravel(), strict=True),
        *zip(at[:, :-1].ravel(), at[:, 1:].ravel(), strict=True),
    ]
    factors = [(FactorFunction.EQUAL, [(int(a), 1), (int(b), 1)], 0) for a, b in pairs]
    graph = FactorGraph.of([2] * at.size, factors)
    solved = solve(graph, np.array([w]), expected=True)
    assert set(solved.marginals.engine.tolist()) == {Engine.JUNCTION_TREE}
    spins = np.array(np.meshgrid(*[[-1, 1]] * wide)).reshape(wide, -1).T
    column = np.exp(w * (spins[:, :-1] * spins[:, 1:]).sum(axis=1))
    step = np.exp(w * spins @ spins.T) * column
    weight = column
    log_z = 0.0
    for _ in range(long - 1):
        weight = step.T @ weight
        log_z += np.log(weight.sum())
        weight = weight / weight.sum()
    assert solved.marginals.log_partition == pytest.approx(log_z, rel=1e-12)
    assert solved.marginals.probability == pytest.approx(0.5, abs=BAR)


# laws


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_factor_of_weight_0_changes_nothing(seed):
    graph, weights = random_graph(seed)
    more, _ = random_graph(seed + 1)
    fitting = more.factors.variable < 6
    assert fitting.all()
    value = np.minimum(more.factors.value, graph.cardinality[more.factors.variable] - 1)
    extra = replace(more.factors, value=value, weight=np.full(more.n_factors, graph.n_weights, np.int32))
    grown = replace(
        graph, factors=Factors.joined([graph.factors, extra]), weight_is_fixed=np.zeros(graph.n_weights + 1, bool)
    )
    before, after = solve(graph, weights), solve(grown, np.append(weights, 0.0))
    assert after.marginals.probability == pytest.approx(before.marginals.probability, abs=BAR)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([ENUMERATED, AS_BAGS]))
def test_renaming_variables_changes_nothing(seed, limits):
    graph, weights = random_graph(seed)
    new_name = np.random.default_rng(seed).permutation(graph.n_variables)
    old_name = np.argsort(new_name)
    renamed = FactorGraph(
        graph.cardinality[old_name],
        graph.evidence[old_name],
        replace(graph.factors, variable=new_name[graph.factors.variable].astype(np.int32)),
        graph.weight_is_fixed,
        graph.soft,
    )
    before, after = (solve(g, weights, limits=limits).marginals for g in (graph, renamed))
    for v in range(graph.n_variables):
        a, b = graph.value_offsets[v], renamed.value_offsets[new_name[v]]
        k = graph.cardinality[v]
        assert after.probability[b : b + k] == pytest.approx(before.probability[a : a + k], abs=BAR)
    assert after.log_partition == pytest.approx(before.log_partition, abs=BAR)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_two_disjoint_copies_have_the_marginals_of_one(seed):
    graph, weights = random_graph(seed)
    n = graph.n_variables
    other = replace(graph.factors, variable=graph.factors.variable + np.int32(n))
    twice = FactorGraph(
        np.tile(graph.cardinality, 2),
        np.tile(graph.evidence, 2),
        Factors.joined([graph.factors, other]),
        graph.weight_is_fixed,
        graph.soft,
    )
    one, two = solve(graph, weights, expected=True), solve(twice, weights, expected=True)
    assert two.marginals.probability == pytest.approx(np.tile(one.marginals.probability, 2), abs=BAR)
    assert two.expected_worth == pytest.approx(np.tile(one.expected_worth, 2), abs=BAR)
    assert two.marginals.log_partition == pytest.approx(2 * one.marginals.log_partition, abs=BAR)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([ENUMERATED, AS_BAGS]))
def test_clamping_is_conditioning(seed, limits):
    """P(all | v = x) P(v = x) = P(all, v = x): log-partitions differ by the log of the marginal."""
    graph, weights = random_graph(seed, known=0.0)
    whole = solve(graph, weights, limits=limits).marginals
    v = seed % graph.n_variables
    for x in range(graph.cardinality[v]):
        evidence = np.where(np.arange(graph.n_variables) == v, x, OPEN).astype(np.int32)
        given = solve(graph.with_evidence(evidence), weights, limits=limits).marginals
        p = np.exp(given.log_partition - whole.log_partition)
        assert p == pytest.approx(whole.probability[graph.value_offsets[v] + x], abs=BAR)


def test_weights_may_change_and_soft_evidence_is_open():
    graph, weights = random_graph(3)
    soft = SoftEvidence(
        np.array([1], np.int32), np.array([0, graph.cardinality[1]], np.int32), np.array([0.9, 0.1, 0.0])
    )
    prepared = Prepared(replace(graph, soft=soft))
    for factor in (1.0, -2.0, 0.0):
        found = prepared.solve(weights * factor).marginals.probability
        assert found == pytest.approx(reference.marginals(graph, weights * factor), abs=BAR)


def test_graphs_without_anything():
    empty = solve(FactorGraph.of([], []), np.zeros(0), expected=True)
    assert empty.marginals.log_partition == 0 and len(empty.expected_worth) == 0
    lone = solve(FactorGraph.of([3, 1, 2], [], evidence=[OPEN, OPEN, 1]), np.zeros(0)).marginals
    assert lone.probability.round(3).tolist() == [0.333, 0.333, 0.333, 1, 0, 1]
    assert lone.log_partition == pytest.approx(np.log(3))


def test_weights_that_do_not_fit_are_refused():
    graph, weights = random_graph(0)
    with pytest.raises(GraphError, match=r"has 5 weights, and \(4,\) were given.\nFix:"):
        solve(graph, weights[:4])
    weights[2] = np.inf
    with pytest.raises(GraphError, match=r"Weight 2 is inf.\nFix: give finite weights"):
        solve(graph, weights)


# factors of many variables


def wide_graph(seed, function, n=9):
    """One factor over n variables in random literals and groups, some known, and a field on most of the others."""
    rng = np.random.default_rng(seed)
    cardinality = rng.integers(2, 4 if n < 8 else 3, n)
    given = [(int(v), int(rng.integers(cardinality[v]))) for v in rng.permutation(n)]
    if function in (FactorFunction.LINEAR, FactorFunction.RATIO, FactorFunction.LOGICAL):
        ends = np.unique(np.append(1 + rng.choice(n - 1, 3), n))
        given = [given[0], *(given[a:b] for a, b in zip([1, *ends[:-1]], ends, strict=True) if a < b)]
    factors = [(function, given, 0), *((IS_TRUE, [(v, 1)], 1 + v) for v in range(n - 2))]
    factors.append((FactorFunction.EQUAL, [(0, 1), (n, 1)], n))
    evidence = np.where(rng.random(n + 1) < 0.15, rng.integers(0, 2, n + 1), OPEN).tolist()
    graph = FactorGraph.of([*cardinality.tolist(), 2], factors, evidence=evidence, n_weights=n + 1)
    return graph, np.append(rng.normal(0, 3), rng.normal(0, 1.5, n))


IS_TRUE = FactorFunction.IS_TRUE


@pytest.mark.parametrize("function", [f for f in FactorFunction if f != FactorFunction.IS_TRUE])
def test_a_factor_of_many_variables_is_exact_without_its_worlds(function):
    for seed in range(6):
        graph, weights = wide_graph(seed, function)
        assert_exact(graph, weights, AS_TREES)


def test_the_voting_program_of_400_voters_is_exact():
    """One head, groundings for and against: the sum over voters has a closed form by their number."""
    n, w = 200, 0.8
    for_it, against = [[(v, 1)] for v in range(1, n + 1)], [[(v, 1)] for v in range(n + 1, 2 * n + 1)]
    graph = FactorGraph.of(
        [2] * (2 * n + 1),
        [(FactorFunction.RATIO, [(0, 1), *for_it], 0), (FactorFunction.RATIO, [(0, 0), *against[:150]], 0)],
    )
    found = solve(graph, np.array([w])).marginals
    assert set(found.engine[1:351].tolist()) == {Engine.TREE}

    def log_z(n, sign):
        from math import lgamma

        k = np.arange(n + 1)
        choose = np.array([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in k])
        return np.logaddexp.reduce(choose + sign * w * np.log2(1 + k))

    difference = log_z(200, 1) + log_z(150, -1) - log_z(200, -1) - log_z(150, 1)
    assert found.probability[1] == pytest.approx(1 / (1 + np.exp(-difference)), abs=BAR)
