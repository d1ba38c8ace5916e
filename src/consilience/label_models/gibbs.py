"""Gibbs sampling of what dependent functions say: the fallback where exact sums would be too large.

Stands in for the sums of factor_graph.py inside factor_objective.py. Chains go on from one point to the next
(persistent), all at once, and the point climbs a noisy gradient and is averaged. data_programming.py decides when.

Source: persistent contrastive divergence (Tieleman 2008), as Ratner et al. 2016 interleave sampling and
ascent; averaging of Polyak & Juditsky 1992.
Departs: the normaliser is taken to be the same in every class. It is, by symmetry, if functions say labels only; where
they say groups of labels it is not quite.
"""

from __future__ import annotations

import numpy as np

from consilience.label_models.base import Floats
from consilience.label_models.factor_objective import Graph, Objective, Parts, Sums
from consilience.progress import track

CHAINS = 200  # a class
STEPS = 600
BURN_IN = 30  # sweeps before the first step
LAST_SWEEPS = 100  # whose frequencies become the accuracies that are reported
RATE, SLOWER = 0.3, 100.0  # step t is RATE / (1 + t / SLOWER) of what a Newton step on one coordinate would be


class Chains:
    """What dependent functions say in many imagined rows of each class, moving on as the factors change.

    state: (joined functions, k, CHAINS) symbols.
    """

    def __init__(self, graph: Graph, seed: int) -> None:
        self.graph, self.rng = graph, np.random.default_rng(seed)
        self.state = np.zeros((len(graph.joined), graph.k, CHAINS), np.intp)
        at = {int(j): place for place, j in enumerate(graph.joined)}
        self.ends = [(at[a], at[b]) for a, b in graph.edges]

    def sweep(self, parts: Parts) -> None:
        """Draw each function anew given the others."""
        classes = np.arange(self.graph.k)[:, None]
        for place, j in enumerate(self.graph.joined):
            logits = np.repeat(parts.unary[j][:, None, :], CHAINS, axis=1)  # (k, chains, s)
            for (a, b), table in zip(self.ends, parts.pairs, strict=True):
                if a == place:
                    logits += table.transpose(0, 2, 1)[classes, self.state[b]]
                elif b == place:
                    logits += table[classes, self.state[a]]
            ladder = np.exp(logits - logits.max(axis=2, keepdims=True)).cumsum(axis=2)
            draw = self.rng.random((self.graph.k, CHAINS, 1)) * ladder[:, :, -1:]
            self.state[place] = (draw > ladder).sum(axis=2)

    def sums(self, parts: Parts, sweeps: int = 1) -> Sums:
        """After so many sweeps, the frequencies seen in them; as Graph.sums, but with a normaliser of 0."""
        k, s = self.graph.k, self.graph.s
        says, both = np.exp(parts.unary), [np.zeros((k, s, s)) for _ in self.ends]
        says[self.graph.joined] = 0.0
        classes = np.broadcast_to(np.arange(k)[:, None], (k, CHAINS))
        share = 1 / (CHAINS * sweeps)
        for _ in range(sweeps):
            self.sweep(parts)
            for j, row in zip(self.graph.joined, self.state, strict=True):
                np.add.at(says[j], (classes, row), share)
            for (a, b), table in zip(self.ends, both, strict=True):
                np.add.at(table, (classes, self.state[a], self.state[b]), share)
        return np.zeros(k), says, both


def climb_by_sampling(objective: Objective, seed: int) -> Floats:
    """The mean of the last half of a walk up the sampled gradient. The objective's sums are sampled from then on."""
    chains = Chains(objective.graph, seed)
    low, high = objective.bounds()
    scale = objective.units() ** 2 / objective.n / crowding(objective.graph, len(low))
    point = np.clip(objective.start(), low, high)
    for _ in range(BURN_IN):
        chains.sweep(objective.parts(point))
    objective.sums = chains.sums
    total = np.zeros_like(point)
    for step in track(range(STEPS), "sampling"):
        gradient = objective.value_and_gradient(point)[1]
        point = np.clip(point + RATE / (1 + step / SLOWER) * scale * gradient, low, high)
        total += point * (step >= STEPS // 2)
    objective.sums = lambda parts: chains.sums(parts, LAST_SWEEPS)
    return total / (STEPS - STEPS // 2)


def crowding(graph: Graph, size: int) -> Floats:
    """How many coordinates of a point pull on the same votes: steps along each must share. returns: (size,)."""
    degree = np.bincount(np.array(graph.edges).ravel(), minlength=graph.m)
    ends = np.array([graph.edges[e] for e in graph.weight_edge])
    shared = np.ones(size)
    shared[: graph.m] += degree
    shared[graph.m : graph.m + len(graph.joined)] += degree[graph.joined]
    shared[graph.m + len(graph.joined) :][: len(ends)] += degree[ends].max(axis=1)
    return shared
