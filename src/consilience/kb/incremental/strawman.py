"""Every world of a small graph with its probability, kept and reweighted: the oracle of the other strategies.

Source: Shin et al. 2015, sec. 3.2.1. Exact, and 2^n.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.components import known_values
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.graph.live import Applied, Groups, LiveGraph
from consilience.kb.graph.worth import log_potential
from consilience.kb.incremental.difference import DRAWN, KEPT, difference, log_weights
from consilience.kb.incremental.reweight import importance_weights
from consilience.kb.inference.chains import generator

MOST_WORLDS = 1 << 20


@dataclass(frozen=True, slots=True)
class AllWorlds:
    """worlds: (n, worlds) int32: every world that agrees with the evidence. log_p: (worlds,) up to a constant."""

    worlds: NDArray[np.int32]
    log_p: NDArray[np.float64]

    @staticmethod
    def of(graph: FactorGraph, weights: NDArray[np.float64]) -> AllWorlds:
        """List them. raises: GraphError beyond about a million worlds. O(worlds * literals)."""
        worlds = _listed(known_values(graph), graph.cardinality)
        f = graph.factors
        score = [
            log_potential(f.function, f.offsets, f.variable, f.value, f.clause, f.weight, f.scale, weights, world)
            for world in np.ascontiguousarray(worlds.T)
        ]
        return AllWorlds(worlds, np.array(score))

    def updated(
        self, live: LiveGraph, applied: Applied, weights: NDArray[np.float64], weights_after: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Marginals after a change the live graph has just taken, laid out by value; exact.

        Only factors the change touches are looked at. weights, weights_after: before and after it.
        """
        d = difference(
            live, applied, Groups(np.arange(live.n_variables, dtype=np.int32), np.array([0, live.n_variables]))
        )
        born = np.union1d(d.variables[d.drawn], np.arange(applied.n_before, live.n_variables))
        known = np.where(np.isin(np.arange(live.n_variables), born), live.evidence, 0)
        fresh = _listed(known[born], live.cardinality[born])
        n_old, n_fresh = self.worlds.shape[1], fresh.shape[1]
        everything = np.zeros((live.n_variables, n_old * n_fresh), np.int32)
        everything[: applied.n_before] = np.repeat(self.worlds, n_fresh, axis=1)
        everything[born] = np.tile(fresh, n_old)
        listed = replace(
            d, drawn=d.drawn[:0], after=np.where(d.after == DRAWN, KEPT, d.after).astype(np.int32),
        )  # fmt: skip
        # a variable that was clamped, and is listed now, had its old value in every old factor: `before` says so
        log_ratio, _ = log_weights(listed, everything[d.variables], weights, weights_after, generator(0, 0))
        share = importance_weights(log_ratio + np.repeat(self.log_p, n_fresh))[0]
        clamped = np.flatnonzero(live.evidence != OPEN)
        everything[clamped] = live.evidence[clamped][:, None]
        return np.concatenate(
            [
                np.bincount(row, weights=share, minlength=k)
                for row, k in zip(everything, live.cardinality.tolist(), strict=True)
            ]
        )


def _listed(known: NDArray[np.int32], cardinality: NDArray[np.int32]) -> NDArray[np.int32]:
    """(n, worlds): every choice of values, known ones as they are."""
    sizes = np.where(known == OPEN, cardinality, 1).astype(np.int64)
    total = float(np.prod(sizes.astype(float)))
    if total > MOST_WORLDS:
        raise GraphError(
            f"The graph has {total:.3g} worlds, more than {MOST_WORLDS}.\nFix: use stored samples; this is an oracle."
        )
    places = np.arange(int(total))
    out = np.empty((len(known), int(total)), np.int32)
    for v in range(len(known) - 1, -1, -1):
        out[v] = places % sizes[v] if known[v] == OPEN else known[v]
        places = places // sizes[v]
    return out
