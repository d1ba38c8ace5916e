"""Random changes of random factor graphs, for tests."""

from __future__ import annotations

import numpy as np
from tests.kb.graphs import random_graph

from consilience.kb.graph.change import GraphChange
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph


def random_change(
    graph: FactorGraph,
    seed: int,
    *,
    n_new: int = 2,
    n_added: int = 4,
    n_removed: int = 3,
    n_evidence: int = 2,
    n_weights: int = 2,
    spread: float = 1.0,
    functions: tuple[FactorFunction, ...] = tuple(FactorFunction),
) -> GraphChange:
    """New variables and factors over all, factors that go, evidence given, taken back or changed, weights moved."""
    rng = np.random.default_rng([seed, 7])
    new = rng.integers(2, graph.cardinality.max() + 1, n_new)
    evidence = np.where(rng.random(n_new) < 0.2, 0, OPEN)
    cardinality = np.concatenate([graph.cardinality, new])
    drawn, _ = random_graph(seed + 1000, n=len(cardinality), n_factors=n_added, functions=functions, largest=2)
    total = graph.n_weights + 1
    added = drawn.factors
    added.weight[:] = rng.integers(0, total, len(added))
    at = rng.choice(graph.n_variables, min(n_evidence, graph.n_variables), replace=False)
    moved = rng.choice(graph.n_weights, min(n_weights, graph.n_weights), replace=False)
    weight_to = {int(w): float(rng.normal(0, spread)) for w in (*moved, graph.n_weights)}
    return GraphChange.of(
        cardinality=new,
        evidence=evidence,
        removed=graph.factors.take(rng.choice(graph.n_factors, min(n_removed, graph.n_factors), replace=False)),
        added=added,
        evidence_to={int(v): int(rng.integers(-1, graph.cardinality[v])) for v in at},
        weight_is_fixed=[False],
        weight_to=weight_to,
    )
