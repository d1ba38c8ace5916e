"""A part of a factor graph as a graph of its own: some variables, the factors that touch them, and their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.adjacency import Adjacency, adjacency
from consilience.kb.graph.factor_graph import OPEN, FactorGraph, SoftEvidence


@dataclass(frozen=True, slots=True)
class Subgraph:
    """graph: its variables and factors renumbered from 0, its weights those of the whole.

    variables: (n,) int32, ascending: variable i of the part is variables[i] of the whole. factors: (F,) likewise.
    """

    graph: FactorGraph
    variables: NDArray[np.int32]
    factors: NDArray[np.int32]


def subgraph(
    graph: FactorGraph, variables: NDArray[np.integer], *, index: Adjacency | None = None, state: object = None
) -> Subgraph:
    """These variables, every factor that touches one of them, and what else those factors name, clamped.

    Neighbours outside have to be known: by their evidence, or by `state`, (n,) values for all variables.
    index: of `adjacency`, which otherwise is made. raises: GraphError if a neighbour is open and no state is given.
    O(literals of the factors) with an index, else O(all literals).

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2, 2, 2], [(FactorFunction.AND, [(2, 1), (1, 1)], 0),
    ...     (FactorFunction.AND, [(0, 1), (2, 1)], 1)], evidence=[-1, -1, 1])
    >>> part = subgraph(graph, np.array([1]))
    >>> part.variables.tolist(), part.factors.tolist(), part.graph.evidence.tolist()
    ([1, 2], [0], [-1, 1])
    """
    inside = np.unique(np.asarray(variables, np.int32))
    index = adjacency(graph) if index is None else index
    factors = index.of(inside)
    part = graph.factors.take(factors)
    members = np.union1d(inside, part.variable).astype(np.int32)
    evidence = graph.evidence[members]
    outside = ~np.isin(members, inside, assume_unique=True)
    if state is not None:
        evidence[outside] = np.asarray(state, np.int32)[members[outside]]
    elif (missing := outside & (evidence == OPEN)).any():
        raise GraphError(
            f"Variable {members[missing][0]} is open and a neighbour of the part, but not in it.\n"
            "Fix: add it to the variables, or give a state that says its value."
        )
    numbered = replace(part, variable=np.searchsorted(members, part.variable).astype(np.int32))
    made = FactorGraph(
        graph.cardinality[members], evidence, numbered, graph.weight_is_fixed, _soft(graph.soft, members)
    )
    return Subgraph(made, members, factors)


def _soft(soft: SoftEvidence, members: NDArray[np.int32]) -> SoftEvidence:
    """The soft labels of these variables, under their new numbers."""
    kept = np.flatnonzero(np.isin(soft.variable, members))
    counts = np.diff(soft.offsets)[kept]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    places = np.repeat(soft.offsets[kept] - offsets[:-1], counts) + np.arange(offsets[-1])
    renumbered = np.searchsorted(members, soft.variable[kept]).astype(np.int32)
    return SoftEvidence(renumbered, offsets, soft.probability[places])
