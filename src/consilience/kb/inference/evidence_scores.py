"""How probable the evidence is, given all else: what calibration on training data compares with the labels.

The probability of variable v given all other evidence is what inference answers once v alone is opened. If no factor
of v touches another open variable, that is closed form, all such variables in one pass. Else the open variables near v
have to be summed out again *without* what v said about them: conditioning on marginals inferred with v clamped would
count its label twice. Variables far enough apart (no common factor, no common component) are opened at the same time;
a turn opens as many as that allows. Where a component has more evidence around it than there are turns, several of its
variables share a turn: each is then scored given all evidence but that of its turn, and is marked as `in_company`.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.adjacency import Adjacency, adjacency
from consilience.kb.graph.components import Components, components
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.graph.subgraph import subgraph
from consilience.kb.graph.worth import worth
from consilience.kb.inference.arrays import arrays
from consilience.kb.inference.closed_form import singles
from consilience.kb.inference.ladder import InferenceSettings, infer
from consilience.kb.inference.marginals import Engine, Marginals
from consilience.progress import track

MOST_TURNS = 64  # bits of a mask


def scored_evidence(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    marginals: Marginals,
    *,
    seed: int,
    settings: InferenceSettings,
) -> tuple[Marginals, NDArray[np.bool_]]:
    """The marginals with those of evidence given all else, and which variables were scored in company.

    Costs one pass over the factors, and inference of what lies around the evidence once for each turn.
    """
    found = components(graph)
    known = np.where((graph.evidence == OPEN) & (graph.cardinality == 1), np.int32(0), graph.evidence)
    labelled = (graph.evidence != OPEN) & (graph.cardinality > 1)
    scored = replace(
        marginals,
        probability=marginals.probability.copy(),
        engine=marginals.engine.copy(),
        r_hat=marginals.r_hat.copy(),
        effective=marginals.effective.copy(),
    )
    near_open = _settled(graph, weights, known, labelled, scored)
    waiting = np.flatnonzero(near_open).astype(np.int32)
    in_company = np.zeros(graph.n_variables, bool)
    if len(waiting) == 0:
        return scored, in_company
    index = adjacency(graph)
    n_turns = min(max(settings.evidence_folds, 1), MOST_TURNS)
    turn, in_company[waiting] = _turns(
        graph.factors.offsets,
        graph.factors.variable,
        waiting,
        index.offsets,
        index.factors,
        found.of_variable,
        len(found),
        n_turns,
    )
    for t in track(range(int(turn.max()) + 1), "scoring evidence"):
        _score_turn(graph, weights, waiting[turn == t], index, found, scored, seed + t, settings)
    return scored, in_company


def _settled(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    known: NDArray[np.int32],
    labelled: NDArray[np.bool_],
    scored: Marginals,
) -> NDArray[np.bool_]:
    """Score the variables with evidence that touch no open one, in closed form; say which others there are."""
    g = arrays(graph, known)
    near_open, conditional = np.zeros(graph.n_variables, bool), np.zeros(len(scored.probability))
    state = np.where(known == OPEN, np.int32(0), known)
    _condition(g, weights, labelled, state, near_open, conditional)
    alone = np.flatnonzero(labelled & ~near_open)
    singles(g, alone.astype(np.int32), conditional)
    of_value = np.repeat(labelled & ~near_open, graph.cardinality)
    scored.probability[of_value] = conditional[of_value]
    scored.engine[alone] = Engine.CLOSED_FORM
    return near_open


@compiled
def _condition(g, weights, labelled, state, near_open, conditional):
    """Log-potentials of the values of each labelled variable, all else given; near_open: those near open ones."""
    mark = np.full(len(labelled), -1, np.int32)
    for f in range(len(g.function)):
        start, stop = g.offsets[f], g.offsets[f + 1]
        has_open = False
        for literal in range(start, stop):
            has_open |= g.known[g.variable[literal]] == OPEN
        weighted = weights[g.weight[f]] * g.scale[f]
        for literal in range(start, stop):
            v = g.variable[literal]
            if not labelled[v] or mark[v] == f:
                continue
            mark[v] = f
            if has_open:
                near_open[v] = True
                continue
            for x in range(g.cardinality[v]):
                conditional[g.value_offsets[v] + x] += weighted * worth(
                    g.function[f], start, stop, g.variable, g.value, g.clause, state, v, x
                )


@compiled
def _turns(offsets, variable, waiting, near_offsets, near, of_variable, n_components, n_turns):
    """The turn in which each variable is opened, and whether another one near it is opened in the same.

    A bit of a mask says that a factor, or a component, already has a variable in that turn.
    """
    of_factor = np.zeros(len(offsets) - 1, np.uint64)
    of_component = np.zeros(n_components, np.uint64)
    crowded_factor = np.zeros(len(offsets) - 1, np.uint64)
    crowded_component = np.zeros(n_components, np.uint64)
    turn = np.zeros(len(waiting), np.int32)
    one = np.uint64(1)
    for i in range(len(waiting)):
        taken = np.uint64(0)
        factors = near[near_offsets[waiting[i]] : near_offsets[waiting[i] + 1]]
        for f in factors:
            taken |= of_factor[f]
            for v in variable[offsets[f] : offsets[f + 1]]:
                if of_variable[v] >= 0:
                    taken |= of_component[of_variable[v]]
        turn[i] = 0
        while turn[i] < n_turns and taken & (one << np.uint64(turn[i])):
            turn[i] += 1
        crowded = turn[i] == n_turns
        if crowded:
            turn[i] = i % n_turns
        bit = one << np.uint64(turn[i])
        for f in factors:
            of_factor[f] |= bit
            if crowded:
                crowded_factor[f] |= bit
            for v in variable[offsets[f] : offsets[f + 1]]:
                if of_variable[v] >= 0:
                    of_component[of_variable[v]] |= bit
                    if crowded:
                        crowded_component[of_variable[v]] |= bit
    in_company = np.zeros(len(waiting), np.bool_)
    for i in range(len(waiting)):
        bit = one << np.uint64(turn[i])
        for f in near[near_offsets[waiting[i]] : near_offsets[waiting[i] + 1]]:
            if crowded_factor[f] & bit:
                in_company[i] = True
            for v in variable[offsets[f] : offsets[f + 1]]:
                if of_variable[v] >= 0 and crowded_component[of_variable[v]] & bit:
                    in_company[i] = True
    return turn, in_company


def _score_turn(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    opened: NDArray[np.int32],
    index: Adjacency,
    found: Components,
    scored: Marginals,
    seed: int,
    settings: InferenceSettings,
) -> None:
    """Open these variables, infer them with the components around them, and keep their marginals."""
    evidence = graph.evidence.copy()
    evidence[opened] = OPEN
    touched = found.of_variable[graph.factors.take(index.of(opened)).variable]
    inside = np.zeros(len(found), bool)
    inside[touched[touched >= 0]] = True
    around = found.variables[np.repeat(inside, np.diff(found.variable_offsets))]
    part = subgraph(graph.with_evidence(evidence), np.concatenate([opened, around]), index=index)
    answer = infer(part.graph, weights, seed=seed, settings=settings).marginals
    here = np.isin(part.variables, opened)
    scored.probability[_values(graph, opened)] = answer.probability[_values(part.graph, np.flatnonzero(here))]
    for name in ("engine", "r_hat", "effective"):
        getattr(scored, name)[opened] = getattr(answer, name)[here]


def _values(graph: FactorGraph, variables: NDArray[np.integer]) -> NDArray[np.int64]:
    """Places of all values of these variables, ascending variables."""
    counts = graph.cardinality[variables].astype(np.int64)
    starts = graph.value_offsets[variables]
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
