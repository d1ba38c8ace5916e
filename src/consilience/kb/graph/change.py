"""What a change does to a factor graph: factors that go and come, new variables and weights, other evidence.

Positions are those of the graph before; new variables and weights follow behind its last. Nothing is renumbered: a
variable that is gone keeps its place, without factors, its evidence set to 0. `changed` is the plain way to apply a
change, at the cost of the whole graph; `LiveGraph` applies it at the cost of the change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import COUNTING, OPEN, FactorFunction, FactorGraph, Factors


@dataclass(frozen=True, slots=True)
class GraphChange:
    """One change of a graph, before -> after.

    cardinality, evidence: (new variables,) int32. removed, added: factors by what they are, over positions of the graph
    after the change; a removed factor equals one of the graph before in everything.
    evidence_at, evidence_to: (e,) int32: variables that were there and whose evidence changes (OPEN: taken back).
    weight_is_fixed: (new weights,) bool. weight_at, weight_to: weights that get another value; a new weight that is not
    among them begins at 0.
    """

    cardinality: NDArray[np.int32]
    evidence: NDArray[np.int32]
    removed: Factors
    added: Factors
    evidence_at: NDArray[np.int32]
    evidence_to: NDArray[np.int32]
    weight_is_fixed: NDArray[np.bool_]
    weight_at: NDArray[np.int32]
    weight_to: NDArray[np.float64]

    @staticmethod
    def of(
        *,
        cardinality: object = (),
        evidence: object = None,
        removed: Factors | None = None,
        added: Factors | None = None,
        evidence_to: dict[int, int] | None = None,
        weight_is_fixed: object = (),
        weight_to: dict[int, float] | None = None,
    ) -> GraphChange:
        """A change from its parts; what is left out does not change. New variables without evidence are open.

        >>> GraphChange.of(cardinality=[2], evidence_to={0: 1}).evidence_at.tolist()
        [0]
        """
        new = np.asarray(cardinality, np.int32)
        evidence_to, weight_to = evidence_to or {}, weight_to or {}
        return GraphChange(
            new,
            np.full(len(new), OPEN, np.int32) if evidence is None else np.asarray(evidence, np.int32),
            removed if removed is not None else Factors.of([]),
            added if added is not None else Factors.of([]),
            np.array(list(evidence_to), np.int32),
            np.array(list(evidence_to.values()), np.int32),
            np.asarray(weight_is_fixed, bool),
            np.array(list(weight_to), np.int32),
            np.array(list(weight_to.values()), np.float64),
        )

    @property
    def is_empty(self) -> bool:
        """Whether the graph after is the graph before."""
        parts = (self.cardinality, self.removed, self.added, self.evidence_at, self.weight_is_fixed, self.weight_at)
        return not any(len(part) for part in parts)

    def weights_after(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weights' values after the change. O(weights)."""
        after = np.concatenate([weights, np.zeros(len(self.weight_is_fixed))])
        after[self.weight_at] = self.weight_to
        return after


def changed(
    graph: FactorGraph, weights: NDArray[np.float64], change: GraphChange
) -> tuple[FactorGraph, NDArray[np.float64]]:
    """The graph and its weights after a change, its factors in canonical order. O(F log F + literals).

    raises: GraphError if a removed factor is not in the graph, or the change names what is not there.

    >>> graph = FactorGraph.of([2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> link = Factors.of([(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    >>> after, weights = changed(graph, np.ones(1), GraphChange.of(cardinality=[2], added=link))
    >>> after.n_variables, after.n_factors, weights.tolist()
    (2, 2, [1.0])
    """
    check_change(change, graph.cardinality, graph.n_weights)
    if len(weights) != graph.n_weights:
        raise GraphError(f"The graph has {graph.n_weights} weights, not {len(weights)}.\nFix: give one value a weight.")
    keep = np.ones(graph.n_factors, bool)
    keep[places_of(graph.factors, change.removed)] = False
    evidence = np.concatenate([graph.evidence, change.evidence])
    evidence[change.evidence_at] = change.evidence_to
    after = FactorGraph(
        np.concatenate([graph.cardinality, change.cardinality]),
        evidence,
        in_order(Factors.joined([graph.factors.take(np.flatnonzero(keep)), change.added])),
        np.concatenate([graph.weight_is_fixed, change.weight_is_fixed]),
        graph.soft,
    )
    return after, change.weights_after(weights)


def inverse(graph: FactorGraph, weights: NDArray[np.float64], change: GraphChange) -> GraphChange:
    """The change that takes `changed(graph, weights, change)` back, but for what is never taken back: places.

    graph, weights: before the change. New variables keep their places without factors, their evidence 0; new weights
    keep theirs, at 0.
    """
    n, n_weights = graph.n_variables, graph.n_weights
    new = np.arange(n, n + len(change.cardinality), dtype=np.int32)
    new_weights = np.arange(n_weights, n_weights + len(change.weight_is_fixed), dtype=np.int32)
    old_weights = change.weight_at[change.weight_at < n_weights]
    return GraphChange.of(
        removed=change.added,
        added=change.removed,
        evidence_to={**{int(v): int(graph.evidence[v]) for v in change.evidence_at}, **{int(v): 0 for v in new}},
        weight_to={**{int(w): float(weights[w]) for w in old_weights}, **{int(w): 0.0 for w in new_weights}},
    )


def canonical(graph: FactorGraph) -> FactorGraph:
    """The same graph with its factors in the one order that depends on nothing but what they are."""
    return replace(graph, factors=in_order(graph.factors))


def in_order(factors: Factors) -> Factors:
    """Factors in an order, and in types of arrays, that depend only on what they are. O(F log F + literals)."""
    ordered = factors.take(np.argsort(content_hashes(factors), kind="stable"))
    counts = bool(np.isin(ordered.function, COUNTING).any())
    wide = np.int64 if len(ordered.variable) >= 2**31 else np.int32
    clause = np.zeros(0, np.int32) if not counts else ordered.clause
    return replace(ordered, offsets=ordered.offsets.astype(wide), clause=clause)


def places_of(factors: Factors, wanted: Factors) -> NDArray[np.int64]:
    """Where each wanted factor stands, each place given once. raises: GraphError for one that is not there.

    Factors are the same if all their arrays are: function, literals in order, clauses, weight and scale.
    """
    if not len(wanted):
        return np.zeros(0, np.int64)
    wanted_hashes = content_hashes(wanted)
    near = np.flatnonzero(np.isin(content_hashes(factors), wanted_hashes))
    by_content: dict[bytes, list[int]] = {}
    for place, content in zip(near[::-1].tolist(), contents(factors.take(near[::-1])), strict=True):
        by_content.setdefault(content, []).append(place)
    places = np.zeros(len(wanted), np.int64)
    for i, content in enumerate(contents(wanted)):
        found = by_content.get(content)
        if not found:
            raise GraphError(missing(wanted, i))
        places[i] = found.pop()
    return places


def missing(wanted: Factors, i: int) -> str:
    """What to say of a factor that is to be removed and is not there."""
    span = slice(int(wanted.offsets[i]), int(wanted.offsets[i + 1]))
    literals = list(zip(wanted.variable[span].tolist(), wanted.value[span].tolist(), strict=True))
    function = int(wanted.function[i])
    name = FactorFunction(function).name if function in list(FactorFunction) else str(function)
    return (
        f"Removed factor {i} ({name} of {literals}, weight {wanted.weight[i]}, scale {wanted.scale[i]:g}) is not in "
        "the graph, or not that often.\n"
        "Fix: make the change from the graph it is applied to; remove a factor once for each time it stands there."
    )


def contents(factors: Factors) -> list[bytes]:
    """What each factor is, as bytes."""
    clause = factors.clause if len(factors.clause) else np.zeros(len(factors.variable), np.int32)
    literals = np.stack([factors.variable, factors.value, clause], axis=1).astype(np.int32)
    heads = np.stack([factors.function.astype(np.int32), factors.weight.astype(np.int32), _bits(factors.scale)], axis=1)
    ends = factors.offsets.tolist()
    return [heads[f].tobytes() + literals[ends[f] : ends[f + 1]].tobytes() for f in range(len(factors))]


def content_hashes(factors: Factors) -> NDArray[np.uint64]:
    """(F,): a number for what each factor is; equal factors have equal numbers. O(literals)."""
    counts = np.diff(factors.offsets)
    place = np.arange(len(factors.variable)) - np.repeat(factors.offsets[:-1], counts)
    mixed = _mixed(place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + factors.variable.astype(np.uint64))
    mixed = _mixed(mixed + factors.value.astype(np.uint64))
    mixed = _mixed(mixed + factors.clause.astype(np.uint64) if len(factors.clause) else mixed)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])  # wraps, and so do the differences
    of_literals = sums[factors.offsets[1:]] - sums[factors.offsets[:-1]]
    out = _mixed(of_literals + factors.function.astype(np.uint64))
    out = _mixed(out + factors.weight.astype(np.uint64))
    return _mixed(out + _bits(factors.scale).astype(np.uint64))


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number whose every bit depends on every bit of the given one (the finish of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _bits(scale: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(scale + np.float32(0.0)).view(np.int32)  # + 0: -0 is 0


def check_change(change: GraphChange, cardinality: NDArray[np.int32], n_weights: int) -> None:
    """Raise GraphError if a change does not fit a graph with these variables and weights. O(change).

    cardinality: (n,) of the graph before.
    """
    n = len(cardinality)
    n_after, weights_after = n + len(change.cardinality), n_weights + len(change.weight_is_fixed)
    for name, one, other in (
        ("evidence of its new variables", change.evidence, change.cardinality),
        ("evidence_to", change.evidence_to, change.evidence_at),
        ("weight_to", change.weight_to, change.weight_at),
    ):
        if len(one) != len(other):
            raise GraphError(f"A change has {len(one)} in {name}, not {len(other)}.\nFix: give one value a place.")
    _check_within(change.evidence_at, n, "changes the evidence of variable")
    _check_within(change.weight_at, weights_after, "changes weight")
    for what, limit in (("removed", n), ("added", n_after)):
        factors: Factors = getattr(change, what)
        _check_within(factors.variable, limit, f"names, in a factor {what}, variable")
        _check_within(factors.weight, weights_after, f"names, in a factor {what}, weight")
        at = factors.variable
        has = np.where(at < n, cardinality[np.minimum(at, n - 1)] if n else 0, 0)
        has[at >= n] = change.cardinality[at[at >= n] - n]
        _check_values(at, factors.value, has, lowest=0)
        if len(factors) and np.diff(factors.offsets).min() < 1:
            raise GraphError(f"A factor {what} has no literals.\nFix: leave it out; it says nothing about a variable.")
    _check_values(change.evidence_at, change.evidence_to, cardinality[change.evidence_at], lowest=OPEN)
    _check_values(np.arange(n, n_after), change.evidence, change.cardinality, lowest=OPEN)
    if len(np.unique(change.evidence_at)) != len(change.evidence_at):
        raise GraphError("A change gives the evidence of a variable twice.\nFix: give it once.")
    if not np.isfinite(change.weight_to).all():
        raise GraphError("A change gives a weight a value that is not a number.\nFix: give finite weights.")


def _check_within(places: NDArray[np.int32], limit: int, what: str) -> None:
    wrong = np.flatnonzero((places < 0) | (places >= limit))
    if len(wrong):
        raise GraphError(
            f"A change {what} {places[wrong[0]]}, but they end at {limit - 1}.\n"
            "Fix: make the change from the graph it is applied to."
        )


def _check_values(
    at: NDArray[np.integer], value: NDArray[np.int32], cardinality: NDArray[np.int32], *, lowest: int
) -> None:
    wrong = np.flatnonzero((value < lowest) | (value >= cardinality))
    if len(wrong):
        i = wrong[0]
        raise GraphError(
            f"A change gives variable {at[i]} value {value[i]}, but it has {cardinality[i]} values.\n"
            "Fix: number the values of a variable from 0."
        )
