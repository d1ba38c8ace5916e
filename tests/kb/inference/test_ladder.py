"""The ladder: each component by its engine, what was done is reported, and evidence is scored given all else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph
from consilience.kb.inference.ladder import InferenceSettings, infer
from consilience.kb.inference.marginals import Engine

EQUAL, IS_TRUE = FactorFunction.EQUAL, FactorFunction.IS_TRUE
MANY_TURNS = InferenceSettings(evidence_folds=64)


def given_all_else(graph, weights, v):
    """Marginal of variable v with its own evidence taken back, by enumeration."""
    evidence = graph.evidence.copy()
    evidence[v] = OPEN
    marginals = reference.marginals(graph.with_evidence(evidence), weights)
    return marginals[graph.value_offsets[v] : graph.value_offsets[v + 1]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.2, 0.5, 0.9]))
def test_evidence_is_scored_given_all_other_evidence(seed, known):
    graph, weights = random_graph(seed, n=7, n_factors=8, known=known)
    found = infer(graph, weights, settings=MANY_TURNS, score_evidence=True)
    assert not found.in_company.any()
    for v in range(graph.n_variables):
        ours = found.scored.probability[graph.value_offsets[v] : graph.value_offsets[v + 1]]
        assert ours == pytest.approx(given_all_else(graph, weights, v), abs=1e-9)
    assert found.marginals.probability == pytest.approx(reference.marginals(graph, weights), abs=1e-9)


def test_a_label_behind_a_latent_variable_does_not_speak_for_itself():
    """x - h - y with x labelled: given all else, x is a coin; marginals of h with x clamped would say otherwise."""
    graph = FactorGraph.of(
        [2, 2, 2], [(EQUAL, [(0, 1), (1, 1)], 0), (EQUAL, [(1, 1), (2, 1)], 0)], evidence=[1, OPEN, OPEN]
    )
    found = infer(graph, np.array([2.0]), score_evidence=True)
    assert found.scored.probability[:2] == pytest.approx([0.5, 0.5])
    assert found.marginals.probability[:2].tolist() == [0, 1]


def test_evidence_crowded_around_one_variable_is_scored_in_turns_and_marked():
    n = 12
    spokes = [(EQUAL, [(0, 1), (v, 1)], 0) for v in range(1, n)]
    graph = FactorGraph.of([2] * n, spokes, evidence=[OPEN] + [1] * (n - 1))
    weights = np.array([0.5])
    few = infer(graph, weights, settings=InferenceSettings(evidence_folds=4), score_evidence=True)
    assert few.in_company[1:].all() and not few.in_company[0]
    many = infer(graph, weights, settings=MANY_TURNS, score_evidence=True)
    assert not many.in_company.any()
    exact = np.concatenate([given_all_else(graph, weights, v) for v in range(1, n)])
    assert many.scored.probability[2:] == pytest.approx(exact, abs=1e-9)
    assert few.scored.probability[2:] == pytest.approx(exact, abs=0.05)


def test_the_report_says_what_each_engine_did():
    chain = [(EQUAL, [(v, 1), (v + 1, 1)], 0) for v in range(2, 12)]
    graph = FactorGraph.of(
        [2] * 14, [(IS_TRUE, [(0, 1)], 0), *chain, (IS_TRUE, [(13, 1)], 0)], evidence=[OPEN] * 13 + [1]
    )
    found = infer(graph, np.array([0.3]))
    assert [(x.engine, x.components, x.variables, x.factors) for x in found.report.lines] == [
        (Engine.EVIDENCE, None, 1, 1),
        (Engine.CLOSED_FORM, 2, 2, 1),
        (Engine.TREE, 1, 11, 10),
    ]
    assert found.report.is_exact and found.scored is None
    assert "closed form" in str(found.report) and "tree" in found.report._repr_html_()


def test_an_empty_graph_has_an_empty_answer():
    found = infer(FactorGraph.of([], []), np.zeros(0), score_evidence=True)
    assert len(found.marginals.probability) == 0 and found.report.lines == ()
    assert len(found.scored.probability) == 0
