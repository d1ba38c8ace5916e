"""Factor graphs by enumeration: every world of a small graph, in plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np

from consilience.kb.graph.factor_graph import COUNTING, OPEN, FactorFunction, FactorGraph


def literals(graph: FactorGraph, f: int) -> list[tuple[int, int, int]]:
    """(variable, value, clause) of each literal of a factor."""
    a = graph.factors
    clauses = a.clause if len(a.clause) else np.zeros(len(a.variable), int)
    return [(int(a.variable[j]), int(a.value[j]), int(clauses[j])) for j in range(a.offsets[f], a.offsets[f + 1])]


def worth(graph: FactorGraph, f: int, world: tuple[int, ...]) -> float:
    """The table in `factor_graph.py`, line by line."""
    function = FactorFunction(int(graph.factors.function[f]))
    given = literals(graph, f)
    true = [world[v] == x for v, x, _ in given]
    if function in COUNTING:
        groups: dict[int, list[bool]] = {}
        for (_, _, clause), holds in zip(given[1:], true[1:], strict=True):
            groups.setdefault(clause, []).append(holds)
        n = sum(all(group) for group in groups.values())
        g = {"LINEAR": float(n), "RATIO": math.log2(1 + n), "LOGICAL": float(n > 0)}[function.name]
        return g if true[0] else -g
    if function == FactorFunction.IMPLY:
        return (1.0 if true[0] else -1.0) if all(true[1:]) else 0.0
    if function == FactorFunction.IMPLY_MLN:
        return 0.0 if all(true[1:]) and not true[0] else 1.0
    if function == FactorFunction.OR:
        return 1.0 if any(true) else -1.0
    if function == FactorFunction.EQUAL:
        return 1.0 if all(true) or not any(true) else -1.0
    if function == FactorFunction.AND_CATEGORICAL:
        return 1.0 if all(true) else 0.0
    return 1.0 if all(true) else -1.0


def score(graph: FactorGraph, weights: np.ndarray, world: tuple[int, ...]) -> float:
    """Log of the unnormalised probability of a world."""
    a = graph.factors
    return sum(float(weights[a.weight[f]]) * float(a.scale[f]) * worth(graph, f, world) for f in range(graph.n_factors))


def worlds(graph: FactorGraph, *, clamped: bool = True) -> list[tuple[int, ...]]:
    """Every world that agrees with the evidence, or with clamped=False every world."""
    choices = [
        [int(e)] if clamped and e != OPEN else range(int(k))
        for e, k in zip(graph.evidence, graph.cardinality, strict=True)
    ]
    return list(itertools.product(*choices))


def distribution(
    graph: FactorGraph, weights: np.ndarray, *, clamped: bool = True
) -> tuple[list[tuple[int, ...]], np.ndarray, float]:
    """Worlds, their probabilities, and the log of the partition function."""
    found = worlds(graph, clamped=clamped)
    scores = np.array([score(graph, weights, world) for world in found])
    top = scores.max()
    total = np.exp(scores - top).sum()
    return found, np.exp(scores - top) / total, top + math.log(total)


def marginals(graph: FactorGraph, weights: np.ndarray, *, clamped: bool = True) -> np.ndarray:
    """Probability of each value of each variable, laid out by value_offsets."""
    found, p, _ = distribution(graph, weights, clamped=clamped)
    out = np.zeros(int(graph.value_offsets[-1]))
    for world, share in zip(found, p, strict=True):
        for v, x in enumerate(world):
            out[graph.value_offsets[v] + x] += share
    return out


def expected_worth(graph: FactorGraph, weights: np.ndarray, *, clamped: bool = True) -> np.ndarray:
    """Expected worth of each factor, without its weight and scale."""
    found, p, _ = distribution(graph, weights, clamped=clamped)
    return np.array(
        [
            sum(share * worth(graph, f, world) for world, share in zip(found, p, strict=True))
            for f in range(graph.n_factors)
        ]
    )
