"""Graphs to learn from: random ones with hard and soft labels, and the small cases that went wrong elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.kb.graphs import random_graph

from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, SoftEvidence


def labelled(seed: int, *, known: float = 0.4, softly: float = 0.3, **more: object) -> tuple[FactorGraph, np.ndarray]:
    """A random graph, some variables labelled softly (some of these hard as well), its last weight fixed."""
    graph, weights = random_graph(seed, known=known, **more)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed + 1000)
    chosen = np.flatnonzero(rng.random(graph.n_variables) < softly)
    parts = [rng.dirichlet(np.ones(graph.cardinality[v])) for v in chosen]
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in parts])]).astype(np.int32)
    soft = SoftEvidence(chosen.astype(np.int32), offsets, np.concatenate([np.zeros(0), *parts]))
    fixed = np.zeros(graph.n_weights, bool)
    fixed[-1] = graph.n_weights > 1
    return replace(graph, soft=soft, weight_is_fixed=fixed), weights


def coins(heads: int, tails: int) -> FactorGraph:
    """Coins under one weight, the first `heads` of them heads."""
    n = heads + tails
    factors = [(FactorFunction.IS_TRUE, [(v, 1)], 0) for v in range(n)]
    return FactorGraph.of([2] * n, factors, evidence=[1] * heads + [0] * tails)


def latent_chains(same: int, different: int) -> FactorGraph:
    """Chains A = B = C with a weight for each =, only A and C labelled, in most chains alike."""
    n = same + different
    factors, evidence = [], []
    for i in range(n):
        factors += [
            (FactorFunction.EQUAL, [(3 * i, 1), (3 * i + 1, 1)], 0),
            (FactorFunction.EQUAL, [(3 * i + 1, 1), (3 * i + 2, 1)], 1),
        ]
        evidence += [i % 2, -1, i % 2 if i < same else 1 - i % 2]
    return FactorGraph.of([2] * (3 * n), factors, evidence=evidence)
