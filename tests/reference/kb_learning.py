"""Learning of weights by enumeration: likelihood of the evidence, its gradient, and plain steps along it."""

from __future__ import annotations

import itertools
import math

import numpy as np
from tests.reference.factor_graphs import distribution, expected_worth

from consilience.kb.graph.factor_graph import FactorGraph


def completions(graph: FactorGraph) -> list[tuple[float, np.ndarray]]:
    """Each way to draw the softly labelled variables: its probability, and the evidence with the draw in it."""
    soft, choices = graph.soft, []
    for place, v in enumerate(soft.variable):
        if graph.evidence[v] == -1:  # hard evidence beats soft
            given = soft.probability[soft.offsets[place] : soft.offsets[place + 1]]
            choices.append([(int(v), x, float(p)) for x, p in enumerate(given)])
    out = []
    for draw in itertools.product(*choices):
        evidence = graph.evidence.copy()
        for v, x, _ in draw:
            evidence[v] = x
        out.append((math.prod(p for _, _, p in draw), evidence))
    return out


def log_likelihood(graph: FactorGraph, weights: np.ndarray) -> float:
    """E_s log Z(evidence, s) - log Z."""
    clamped = sum(p * distribution(graph.with_evidence(e), weights)[2] for p, e in completions(graph))
    return clamped - distribution(graph, weights, clamped=False)[2]


def log_probability_of_votes(graph: FactorGraph, weights: np.ndarray, ratio: np.ndarray) -> float:
    """log E[1(hard evidence) * product over soft labels of ratio(value)], the world drawn by the model.

    ratio: laid out as graph.soft.probability: how probable the votes are under each value, up to a constant.
    """
    found, p, _ = distribution(graph, weights, clamped=False)
    total = 0.0
    for world, share in zip(found, p, strict=True):
        agrees = all(e in (-1, world[v]) for v, e in enumerate(graph.evidence))
        likelihood = 1.0
        for place, v in enumerate(graph.soft.variable):
            if graph.evidence[v] == -1:
                likelihood *= ratio[graph.soft.offsets[place] + world[v]]
        total += share * likelihood * agrees
    return math.log(total)


def gradient(graph: FactorGraph, weights: np.ndarray) -> np.ndarray:
    """Sum over a weight's factors of scale * (expected worth given the evidence - expected worth)."""
    seen = sum(p * expected_worth(graph.with_evidence(e), weights) for p, e in completions(graph))
    difference = (seen - expected_worth(graph, weights, clamped=False)) * graph.factors.scale
    out = np.zeros(graph.n_weights)
    for f in range(graph.n_factors):
        out[graph.factors.weight[f]] += difference[f]
    return out


def ascend(graph: FactorGraph, weights: np.ndarray, l2: float, steps: int, step: float) -> np.ndarray:
    """Plain gradient steps on the likelihood less l2/2 |w|^2; fixed weights stay."""
    w = weights.copy()
    for _ in range(steps):
        w += np.where(graph.weight_is_fixed, 0.0, step * (gradient(graph, w) - l2 * w))
    return w
