"""The ladder: each component by its engine, what was done is reported, and evidence is scored given all else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph
from consilience.kb.inference.exact import Limits
from consilience.kb.inference.ladder import EngineLine, InferenceReport, InferenceSettings, infer
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


BEYOND = Limits(worlds=8, table=8)


def test_what_is_too_dear_is_sampled_and_said():
    pairs = [(EQUAL, [(a, 1), (b, 1)], 0) for a in range(7) for b in range(a)]
    graph = FactorGraph.of([2] * 7 + [3, 1, 2], [*pairs, (IS_TRUE, [(0, 1)], 1), (IS_TRUE, [(7, 2)], 1)])
    weights = np.array([0.1, 0.4])
    found = infer(graph, weights, settings=InferenceSettings(limits=BEYOND, epochs=4000), seed=1)
    assert found.marginals.probability == pytest.approx(reference.marginals(graph, weights), abs=0.02)
    assert found.marginals.engine.tolist() == [Engine.GIBBS] * 7 + [1, 0, 1]
    line = found.report.lines[-1]
    assert (line.engine, line.components, line.variables, line.factors) == (Engine.GIBBS, 1, 7, 22)
    assert line.r_hat < 1.05 and line.effective > 100 and not found.report.is_exact
    assert np.isnan(found.marginals.r_hat[7:]).all() and np.isinf(found.marginals.effective[7:]).all()
    assert found.marginals.log_partition is None and "gibbs" in str(found.report)


def test_chains_that_disagree_are_a_note():
    def notes(r_hat):
        return InferenceReport((EngineLine(Engine.GIBBS, 1, 7, 21, 0.1, r_hat, 12.0),), 0.0).view().notes

    assert len(notes(1.01)) == 1
    assert "chains disagree (R-hat 1.70" in notes(1.7)[1] and "more epochs" in notes(1.7)[1]
    assert "chains disagree" in notes(float("nan"))[1]


def test_the_seed_decides_and_evidence_can_be_scored_where_chains_sample():
    graph, weights = random_graph(2, n=10, n_factors=25, known=0.3)
    settings = InferenceSettings(limits=BEYOND, epochs=2000, evidence_folds=64)
    one, two = (infer(graph, weights, seed=5, settings=settings, score_evidence=True) for _ in range(2))
    assert Engine.GIBBS in one.scored.engine
    assert np.array_equal(one.marginals.probability, two.marginals.probability)
    assert np.array_equal(one.scored.probability, two.scored.probability)
    for v in range(graph.n_variables):
        ours = one.scored.probability[graph.value_offsets[v] : graph.value_offsets[v + 1]]
        assert ours == pytest.approx(given_all_else(graph, weights, v), abs=0.03)
