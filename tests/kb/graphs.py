"""Random factor graphs for tests: small enough to enumerate, with every function and both kinds of variables."""

from __future__ import annotations

import numpy as np

from consilience.kb.graph.factor_graph import COUNTING, OPEN, FactorFunction, FactorGraph


def random_graph(
    seed: int,
    *,
    n: int = 6,
    n_factors: int = 10,
    functions: tuple[FactorFunction, ...] = tuple(FactorFunction),
    largest: int = 3,
    known: float = 0.2,
    spread: float = 1.0,
) -> tuple[FactorGraph, np.ndarray]:
    """A graph and its weights. largest: most values of a variable. known: share of variables with evidence."""
    rng = np.random.default_rng(seed)
    cardinality = rng.integers(2, largest + 1, n)
    n_weights = max(1, n_factors // 2)

    def literal() -> tuple[int, int]:
        v = int(rng.integers(n))
        return v, int(rng.integers(cardinality[v]))

    factors = []
    for _ in range(n_factors):
        function = functions[rng.integers(len(functions))]
        arity = 1 if function == FactorFunction.IS_TRUE else int(rng.integers(2, 4))
        given: list[object] = [literal() for _ in range(arity)]
        if function in COUNTING:
            given = [literal()] + [[literal() for _ in range(rng.integers(1, 3))] for _ in range(rng.integers(1, 4))]
        factors.append((function, given, int(rng.integers(n_weights)), float(rng.choice([1.0, 0.5, 2.0]))))
    evidence = np.where(rng.random(n) < known, rng.integers(0, cardinality), OPEN)
    graph = FactorGraph.of(cardinality.tolist(), factors, n_weights=n_weights, evidence=evidence.tolist())
    return graph, rng.normal(0, spread, n_weights)
