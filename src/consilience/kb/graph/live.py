"""The factor graph kept in memory between changes: it takes a change, and says what hangs together with it.

A change costs what it touches, not what there is: arrays grow by doubling, a factor is found through the literals of
its variables, and a factor that goes is only marked until half of all literals are of factors gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph import chains
from consilience.kb.graph.change import GraphChange, check_change, missing
from consilience.kb.graph.factor_graph import OPEN, FactorGraph, Factors, SoftEvidence

MOST_LITERALS = 2**31 - 2  # places of literals are int32


class Growing:
    """An array that grows at its end. Room it has not used yet takes no memory: the pages are never touched."""

    def __init__(self, start: NDArray[Any]) -> None:
        self.n = len(start)
        self.room = np.empty(max(16, 2 * self.n), start.dtype)
        self.room[: self.n] = start

    @property
    def all(self) -> NDArray[Any]:
        """What is in it: a view."""
        return self.room[: self.n]

    def extend(self, more: NDArray[Any]) -> None:
        """Put these at the end. Amortised O(more)."""
        self.grow(len(more))
        self.room[self.n - len(more) : self.n] = more

    def grow(self, n: int) -> None:
        """Make it n longer; what is there is undefined."""
        if self.n + n > len(self.room):
            bigger = np.empty(max(2 * len(self.room), self.n + n), self.room.dtype)
            bigger[: self.n] = self.all
            self.room = bigger
        self.n += n


@dataclass(frozen=True, slots=True)
class Applied:
    """A change that a live graph has taken: what is needed to see the graph before through the graph after.

    n_before: variables then. weights_before: number of weights then. first_added: the factor, as the live graph counts,
    where the added ones begin. evidence_before: of `change.evidence_at`. reweighted: factors that were there and are
    still, and whose weight has another value.
    """

    change: GraphChange
    n_before: int
    weights_before: int
    first_added: int
    evidence_before: NDArray[np.int32]
    reweighted: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Groups:
    """Variables that hang together, before or after a change: group g is variables[offsets[g]:offsets[g + 1]]."""

    variables: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def label(self) -> NDArray[np.int64]:
        """(variables,): the group of each."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a live graph as a graph of its own. Weights keep their numbers; variables are renumbered.

    variables: (n of the piece,) where each stood: first those asked for, then clamped ones that their factors name.
    factor: (F of the piece,) where each factor stands in the live graph.
    """

    graph: FactorGraph
    variables: NDArray[np.int32]
    factor: NDArray[np.int32]
    n_asked: int


class LiveGraph:
    """A factor graph that takes changes.

    graph: its arrays are copied; memory is theirs and 8 bytes a literal. Building it is O(literals).
    raises: GraphError if the graph is not what it promises.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> live = LiveGraph(FactorGraph.of([2, 2, 2], [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)]))
    >>> applied = live.apply(GraphChange.of(added=Factors.of([(FactorFunction.IS_TRUE, [(1, 1)], 0)])))
    >>> live.affected(applied).variables.tolist()
    [1, 0]
    """

    def __init__(self, graph: FactorGraph) -> None:
        graph.check()
        _check_room(graph.factors)
        self.soft: SoftEvidence = graph.soft
        self._cardinality, self._evidence = Growing(graph.cardinality), Growing(graph.evidence)
        self._weight_is_fixed = Growing(graph.weight_is_fixed)
        self._build(graph.factors)

    def _build(self, factors: Factors) -> None:
        n_literals = len(factors.variable)
        self._function, self._offsets = Growing(factors.function), Growing(factors.offsets.astype(np.int32))
        self._weight, self._scale = Growing(factors.weight), Growing(factors.scale)
        self._variable, self._value = Growing(factors.variable), Growing(factors.value)
        self._clause = Growing(factors.clause)
        self._owner, self._following = Growing(np.zeros(0, np.int32)), Growing(np.zeros(0, np.int32))
        self._owner.grow(n_literals)
        self._following.grow(n_literals)
        self._first = Growing(np.full(self.n_variables, -1, np.int32))
        self._degree = Growing(np.zeros(self.n_variables, np.int32))
        self._n_dead = self._dead_literals = 0
        self._link(0)

    @property
    def n_variables(self) -> int:
        """All places, those of variables gone as well."""
        return self._cardinality.n

    @property
    def n_factors(self) -> int:
        """Factors that are there."""
        return self._function.n - self._n_dead

    @property
    def n_literals(self) -> int:
        """Literals of factors that are there."""
        return self._variable.n - self._dead_literals

    @property
    def n_weights(self) -> int:
        """Weights, those without factors as well."""
        return self._weight_is_fixed.n

    @property
    def cardinality(self) -> NDArray[np.int32]:
        """(n,): a view; not to be written to."""
        return self._cardinality.all

    @property
    def evidence(self) -> NDArray[np.int32]:
        """(n,): a view; not to be written to."""
        return self._evidence.all

    def apply(self, change: GraphChange) -> Applied:
        """Take a change, whole or not at all. raises: GraphError, and then nothing has changed.

        Amortised O(the change + the chains of the variables of removed factors). A weight that was there and gets
        another value costs one look at every factor.
        """
        check_change(change, self.cardinality, self.n_weights)
        _check_room(change.added, self._variable.n)
        if self._dead_literals > self.n_literals:
            self._build(self.factors())
        self._remove(change.removed)
        before = self.n_variables, self.n_weights, self._function.n
        old_evidence = self.evidence[change.evidence_at]
        reweighted = self._with_weights(change.weight_at[change.weight_at < before[1]])
        self._add_variables(change)
        self._evidence.all[change.evidence_at] = change.evidence_to
        self._weight_is_fixed.extend(change.weight_is_fixed)
        self._add(change.added)
        return Applied(change, *before, old_evidence, reweighted)

    def _remove(self, removed: Factors) -> None:
        found = np.zeros(len(removed), np.int32)
        wrong = chains.kill(*self._arrays(), *self._chains(), self._degree.all, *_loose(removed), found)
        if wrong >= 0:
            self._function.all[found[:wrong]] = removed.function[:wrong]
            raise GraphError(missing(removed, int(wrong)))
        self._n_dead += len(removed)
        self._dead_literals += len(removed.variable)

    def _add_variables(self, change: GraphChange) -> None:
        n = len(change.cardinality)
        self._cardinality.extend(change.cardinality)
        self._evidence.extend(change.evidence)
        self._first.extend(np.full(n, -1, np.int32))
        self._degree.extend(np.zeros(n, np.int32))

    def _add(self, added: Factors) -> None:
        begin, n_literals = self._function.n, self._variable.n
        if len(added.clause) and not self._clause.n and n_literals:
            self._clause = Growing(np.zeros(n_literals, np.int32))
        if len(added.clause) or self._clause.n:
            self._clause.extend(added.clause if len(added.clause) else np.zeros(len(added.variable), np.int32))
        for ours, theirs in (
            (self._function, added.function),
            (self._offsets, (added.offsets[1:] + n_literals).astype(np.int32)),
            (self._weight, added.weight),
            (self._scale, added.scale),
            (self._variable, added.variable),
            (self._value, added.value),
        ):
            ours.extend(theirs)
        self._owner.grow(len(added.variable))
        self._following.grow(len(added.variable))
        self._link(begin)

    def _link(self, begin: int) -> None:
        arrays = (self._offsets, self._variable, self._owner, self._following, self._first, self._degree)
        chains.link(*(a.all for a in arrays), begin, self._function.n)

    def _with_weights(self, changed_weights: NDArray[np.int32]) -> NDArray[np.int32]:
        if not len(changed_weights):
            return np.zeros(0, np.int32)
        is_changed = np.zeros(self.n_weights, bool)
        is_changed[changed_weights] = True
        out = np.empty(self._function.n, np.int32)
        n = chains.factors_with_weight(self._function.all, self._weight.all, is_changed, out)
        return out[:n].copy()

    def affected(self, applied: Applied) -> Groups:
        """Variables whose marginals the change may have touched, in the groups that hang together before or after it.

        From the variables the change names, along factors that are there or were, through open variables and those
        whose evidence changed, never across evidence that stays. O(what is found).
        """
        change = applied.change
        moved = change.evidence_at[applied.evidence_before != change.evidence_to]
        crossable = np.zeros(self.n_variables, bool)
        crossable[moved] = True
        seeds = [np.arange(applied.n_before, self.n_variables, dtype=np.int32), moved]
        seeds += [change.removed.variable, change.added.variable, self._variables_of(applied.reweighted)]
        label, order = np.zeros(self.n_variables, np.int32), np.empty(self.n_variables, np.int32)
        n, n_groups = chains.spread(
            self._function.all, self._offsets.all, self._variable.all, *self._chains(), self.evidence,
            np.concatenate(seeds).astype(np.int32), crossable, label, order,
        )  # fmt: skip
        variables = order[:n].copy()
        group = np.arange(n_groups + 1, dtype=np.int32)
        chains.joined_groups(change.removed.offsets, change.removed.variable, label, group)
        _, of_variable = np.unique(group[label[variables]], return_inverse=True)
        sizes = np.bincount(of_variable.reshape(-1), minlength=1) if n else np.zeros(0, np.int64)
        together = np.argsort(of_variable.reshape(-1), kind="stable")
        return Groups(variables[together], np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def _variables_of(self, factors: NDArray[np.int32]) -> NDArray[np.int32]:
        return self.factors_at(factors).variable

    def factors_at(self, places: NDArray[np.int32]) -> Factors:
        """The factors at these places of the live graph, as `Piece.factor` and `Applied` count. O(their literals)."""
        starts = self._offsets.all[places]
        counts = self._offsets.all[places + 1] - starts
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        literals = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
        return Factors(
            self._function.all[places],
            offsets,
            self._variable.all[literals],
            self._value.all[literals],
            self._weight.all[places],
            self._scale.all[places],
            self._clause.all[literals] if self._clause.n else np.zeros(0, np.int32),
        )

    def piece(self, variables: NDArray[np.int32], *, others: NDArray[np.int32] | None = None) -> Piece:
        """These variables with all factors on them, as a graph of its own. O(their literals).

        others: variables that get a place as well, without their factors. Variables must not repeat. Weights keep
        their numbers, and soft evidence stays behind: it is for learning.
        """
        asked = np.concatenate([variables, others]).astype(np.int32) if others is not None else variables
        walked = chains.degrees_of(variables, self._degree.all)
        which = np.empty(min(int(walked), self._function.n), np.int32)
        seen = np.zeros(self._function.n, bool)
        n, n_literals = chains.count_around(
            self._function.all, self._offsets.all, *self._chains(), variables, seen, which
        )
        which = which[:n]
        place = np.zeros(self.n_variables, np.int32)
        place[asked] = np.arange(1, len(asked) + 1)
        inside = np.full(min(len(asked) + n_literals, self.n_variables) + 1, -1, np.int32)
        inside[: len(asked)] = asked
        offsets, (variable, value) = np.zeros(n + 1, np.int32), np.empty((2, n_literals), np.int32)
        clause = np.empty(n_literals if self._clause.n else 0, np.int32)
        n_inside = chains.copy_out(
            self._offsets.all, self._variable.all, self._value.all, self._clause.all, which, place, inside,
            offsets, variable, value, clause,
        )  # fmt: skip
        kept = inside[:n_inside].copy()
        factors = Factors(
            self._function.all[which], offsets, variable, value, self._weight.all[which], self._scale.all[which], clause
        )
        graph = FactorGraph(
            self.cardinality[kept], self.evidence[kept], factors, self._weight_is_fixed.all, SoftEvidence.none()
        )
        return Piece(graph, kept, which, len(asked))

    def factors(self) -> Factors:
        """The factors that are there, oldest first. O(all literals)."""
        function, offsets, variable, value, clause, weight, scale = self._arrays()
        everything = Factors(function, offsets, variable, value, weight, scale, clause)
        return everything.take(np.flatnonzero(function != chains.DEAD))

    def graph(self) -> FactorGraph:
        """The whole graph as it is now; a copy. O(all literals)."""
        return FactorGraph(
            self.cardinality.copy(), self.evidence.copy(), self.factors(), self._weight_is_fixed.all.copy(), self.soft
        )

    def open_variables(self) -> int:
        """How many variables have no evidence. O(n)."""
        return int((self.evidence == OPEN).sum())

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        arrays = (self._function, self._offsets, self._variable, self._value, self._clause, self._weight, self._scale)
        return tuple(a.all for a in arrays)

    def _chains(self) -> tuple[NDArray[Any], ...]:
        return self._owner.all, self._following.all, self._first.all


def _loose(factors: Factors) -> tuple[NDArray[Any], ...]:
    offsets = factors.offsets.astype(np.int32)
    return factors.function, offsets, factors.variable, factors.value, factors.clause, factors.weight, factors.scale


def _check_room(factors: Factors, n_before: int = 0) -> None:
    if len(factors) and np.diff(factors.offsets).min() < 1:
        raise GraphError("A factor has no literals.\nFix: leave it out; it says nothing about a variable.")
    if n_before + len(factors.variable) > MOST_LITERALS:
        raise GraphError(
            f"The graph would have {n_before + len(factors.variable)} literals, more than the {MOST_LITERALS} that a "
            "live graph holds.\nFix: split the knowledge base."
        )
