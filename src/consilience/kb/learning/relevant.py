"""The part of a factor graph that can teach a weight, component by component.

A component without evidence has log Z(clamped) = log Z(free) whatever the weights, so its gradient is exactly zero; the
same holds for the learned weights of a component in which all weights are fixed. Neither is enumerated nor sampled: a
graph of millions of unlabelled candidates costs learning nothing. Components are those of the *free* graph, in which
evidence is not clamped: a labelled variable still ties its neighbours together there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.components import components
from consilience.kb.graph.factor_graph import OPEN, FactorGraph, Factors, SoftEvidence

# what is known of a variable: nothing, its value, the probabilities to be repeated, or what votes say beside factors
LATENT, HARD, TARGET, VIRTUAL = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Relevant:
    """Components that can teach, one behind the other, as a graph of their own over the same weights.

    graph: its variables and factors are numbered anew. variable: (n,) int32: what each was called before.
    first_variable, first_factor: (c + 1,) int64: where those of each component begin.
    known: (n,) uint8: LATENT, HARD, TARGET or VIRTUAL. soft_start: (n,) int32 into graph.soft.probability and into
    tilt, -1 if there is no soft label. tilt: (p,) float64: log-likelihood of the votes under each value, as in
    `soft.tilts`.
    """

    graph: FactorGraph
    variable: NDArray[np.int32]
    first_variable: NDArray[np.int64]
    first_factor: NDArray[np.int64]
    known: NDArray[np.uint8]
    soft_start: NDArray[np.int32]
    tilt: NDArray[np.float64]

    @property
    def n_components(self) -> int:
        """c."""
        return len(self.first_variable) - 1

    @property
    def touched(self) -> NDArray[np.bool_]:
        """(W,): learned weights of the factors here. The evidence says nothing about the others."""
        out = np.zeros(self.graph.n_weights, bool)
        out[self.graph.factors.weight] = True
        return out & ~self.graph.weight_is_fixed


def relevant(graph: FactorGraph, tilt: NDArray[np.float64] | None = None) -> Relevant:
    """The components with evidence (hard or soft) and a weight to learn. O(literals + n log n).

    tilt: as `soft.tilts` makes it; by default all soft labels are targets.
    """
    tilt = np.full(len(graph.soft.probability), np.nan) if tilt is None else tilt
    f = graph.factors
    has_literals = np.diff(f.offsets) > 0
    wide = replace(graph, cardinality=np.maximum(graph.cardinality, 2))  # a variable of one value is kept too
    component = components(wide, clamped=False, joint_only=True).of_variable
    factor_component = np.full(len(f), -1, np.int32)
    factor_component[has_literals] = component[f.variable[f.offsets[:-1][has_literals]]]
    n = int(component.max(initial=-1)) + 1
    has_evidence, teaches = np.zeros(n + 1, bool), np.zeros(n + 1, bool)
    has_evidence[component[graph.evidence != OPEN]] = True
    has_evidence[component[graph.soft.variable]] = True
    teaches[factor_component[~graph.weight_is_fixed[f.weight]]] = True
    number = np.full(n + 1, -1, np.int32)
    kept = np.flatnonzero((has_evidence & teaches)[:n])  # place n, that of factors without literals, is left out
    number[kept] = np.arange(len(kept))
    return _taken(graph, tilt, number[component], number[factor_component], len(kept))


def part_of(whole: Relevant, which: NDArray[np.bool_]) -> Relevant:
    """Some of the components, which: (c,). O(their literals + n)."""
    number = np.where(which, np.cumsum(which) - 1, -1).astype(np.int32)
    of_variable = np.repeat(number, np.diff(whole.first_variable))
    of_factor = np.repeat(number, np.diff(whole.first_factor))
    return _taken(whole.graph, whole.tilt, of_variable, of_factor, int(which.sum()))


def _taken(
    graph: FactorGraph,
    tilt: NDArray[np.float64],
    component: NDArray[np.int32],
    factor_component: NDArray[np.int32],
    n_components: int,
) -> Relevant:
    """Variables and factors in the order of their components, those of component -1 left out."""
    variable = _in_order(component)
    place = np.full(graph.n_variables, -1, np.int32)
    place[variable] = np.arange(len(variable))
    which = _in_order(factor_component)
    f = graph.factors.take(which)
    soft, tilt = _soft_of(graph, tilt, variable)
    evidence = graph.evidence[variable]
    known = np.where(evidence != OPEN, HARD, LATENT).astype(np.uint8)
    known[soft.variable] = np.where(np.isnan(tilt[soft.offsets[:-1]]), TARGET, VIRTUAL)
    soft_start = np.full(len(variable), -1, np.int32)
    soft_start[soft.variable] = soft.offsets[:-1]
    numbers = np.arange(n_components + 1)
    return Relevant(
        FactorGraph(
            graph.cardinality[variable],
            evidence,
            Factors(f.function, f.offsets, place[f.variable], f.value, f.weight, f.scale, f.clause),
            graph.weight_is_fixed,
            soft,
        ),
        variable,
        np.searchsorted(component[variable], numbers),
        np.searchsorted(factor_component[which], numbers),
        known,
        soft_start,
        tilt,
    )


def _in_order(component: NDArray[np.int32]) -> NDArray[np.int32]:
    """Places by component, and by number within one, without those of component -1."""
    which = np.flatnonzero(component >= 0)
    return which[np.argsort(component[which], kind="stable")].astype(np.int32)


def _soft_of(
    graph: FactorGraph, tilt: NDArray[np.float64], variable: NDArray[np.int32]
) -> tuple[SoftEvidence, NDArray[np.float64]]:
    """Soft labels and tilts of these variables, bar those whose value is known: hard evidence beats soft."""
    given = graph.soft
    if len(given.variable) == 0:
        return given, tilt
    slot = np.full(graph.n_variables, -1, np.int64)
    slot[given.variable] = np.arange(len(given.variable))
    slots = np.where(graph.evidence[variable] == OPEN, slot[variable], -1)
    at = np.flatnonzero(slots >= 0)
    sizes = graph.cardinality[variable[at]]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    values = np.repeat(given.offsets[slots[at]] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return SoftEvidence(at.astype(np.int32), offsets.astype(np.int32), given.probability[values]), tilt[values]
