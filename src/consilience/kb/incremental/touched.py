"""What a change touches, and what is known of it: what the choice of a strategy looks at, and strategies work from.

Follows `LiveGraph.apply`; `choose.py` reads the facts, `strategies.py` carries out what is chosen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.live import Applied, LiveGraph, Piece
from consilience.kb.incremental.choose import GroupFacts, UpdateSettings
from consilience.kb.incremental.difference import Difference, difference, log_weights
from consilience.kb.incremental.material import Material
from consilience.kb.incremental.reweight import effective_size, importance_weights
from consilience.kb.incremental.variational import Approximation
from consilience.kb.inference.chains import generator
from consilience.kb.inference.exact import Prepared
from consilience.kb.inference.marginals import Engine, Marginals


class Touched:
    """The groups of variables that hang together and that a change may have moved, before anything is inferred.

    live: the graph after. old: marginals before. weights, weights_after: before and after.
    """

    def __init__(
        self,
        live: LiveGraph,
        applied: Applied,
        weights: NDArray[np.float64],
        old: Marginals,
        material: Material | None,
        settings: UpdateSettings,
        seed: int,
    ) -> None:
        self.live, self.applied, self.groups, self.old = live, applied, live.affected(applied), old
        self.weights, self.weights_after = weights, applied.change.weights_after(weights)
        self.material, self.settings, self.seed = material, settings, seed
        self.n_open = live.open_variables()
        self.offsets = np.concatenate([[0], np.cumsum(live.cardinality, dtype=np.int64)])
        self.piece = live.piece(self.groups.variables)
        self.prepared = Prepared(self.piece.graph, limits=settings.limits)
        self._difference: Difference | None = None

    @property
    def difference(self) -> Difference:
        """What changed, for strategies that reweight; found when first asked for."""
        if self._difference is None:
            self._difference = difference(self.live, self.applied, self.groups)
        return self._difference

    def variables_of(self, which: NDArray[np.int64]) -> NDArray[np.int32]:
        """The variables of some groups."""
        inside = np.zeros(len(self.groups), bool)
        inside[which] = True
        return self.groups.variables[inside[self.groups.label]]

    def facts(self) -> GroupFacts:
        """What the choice of a strategy looks at."""
        n, label = len(self.groups), self.groups.label
        size = np.diff(self.groups.offsets)
        is_exact = np.ones(n, bool)
        hard = self.prepared.components.of_variable[: len(label)]
        in_hard = np.isin(hard, self.prepared.unsolved) & (hard >= 0)
        is_exact[label[in_hard]] = False
        literals = np.bincount(_group_of_literals(self.piece, label), minlength=n).astype(np.int64)
        none = np.zeros(n, np.int64)
        blank = GroupFacts(size, literals, none, is_exact, none > 0, np.full(n, np.nan), none > 0, none, none > 0, 0)
        if self.material is None:
            return blank
        d = self.difference
        stored = self._stored()
        approximated, approximate_literals = self._approximated(label)
        return GroupFacts(
            size, literals, d.literals_by_group(), is_exact, stored, self._effective(stored), approximated,
            approximate_literals, d.evidence_changed, self.material.worlds.n,
        )  # fmt: skip

    def open_before(self, variables: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these were open and there before the change."""
        change = self.applied.change
        was = self.live.evidence[variables] == OPEN
        order = np.argsort(change.evidence_at)
        at = change.evidence_at[order]
        place = np.searchsorted(at, variables)
        hit = place < len(at)
        hit[hit] = at[place[hit]] == variables[hit]
        was[hit] = self.applied.evidence_before[order][place[hit]] == OPEN
        return was & (variables < self.applied.n_before)

    def _alone(self, variables: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Variables that were components of their own: their draws are made when needed."""
        out = variables < self.applied.n_before
        out[out] = self.old.engine[variables[out]] == Engine.CLOSED_FORM
        return out

    def _stored(self) -> NDArray[np.bool_]:
        """(groups,): whether every variable that was open can be had from the stored worlds."""
        assert self.material is not None
        v = self.groups.variables
        had = self.material.is_fresh(v) & self.material.worlds.has(v)
        missing = self.open_before(v) & ~had & ~self._alone(v) & (self.live.cardinality[v] > 1)
        return (np.bincount(self.groups.label[missing], minlength=len(self.groups)) == 0) & (self.material.worlds.n > 0)

    def _approximated(self, label: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """(groups,): whether every variable that was open is in the approximate graph; literals of that graph."""
        assert self.material is not None
        v, n = self.groups.variables, len(self.groups)
        covered = self.approximation().covers(v)
        missing = np.bincount(label[self.open_before(v) & ~covered], minlength=n) > 0
        some = np.bincount(label[covered], minlength=n) > 0
        of = np.full(self.live.n_variables, -1, np.int64)
        of[v] = label
        pair_group = of[self.material.approximation.pair[:, 0]]
        pairs = np.bincount(pair_group[pair_group >= 0], minlength=n)
        return ~missing & some, np.bincount(label[covered], minlength=n) + 2 * pairs

    def approximation(self) -> Approximation:
        """The stored approximation where it is fresh, and a field for each variable that stood alone."""
        assert self.material is not None
        stored, v = self.material.approximation, self.groups.variables
        n = self.applied.n_before
        has, field = np.zeros(n, bool), np.zeros(n)
        has[: len(stored.has)], field[: len(stored.has)] = stored.has & self.material.fresh, stored.field
        alone = v[self._alone(v)]
        alone = alone[(self.live.cardinality[alone] == 2) & ~has[alone]]
        p = np.clip(self.old.probability[self.offsets[alone] + 1], 1e-300, 1 - 1e-16)
        has[alone], field[alone] = True, 0.5 * np.log(p / (1 - p))
        return replace(stored, has=has, field=field)

    def _effective(self, stored: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(groups,): effective size expected of all stored worlds, from a pilot spread over them."""
        assert self.material is not None
        out = np.full(len(self.groups), np.nan)
        which = np.flatnonzero(stored)
        if len(which):
            n = self.material.worlds.n
            pilot = np.unique(np.linspace(0, n - 1, min(n, self.settings.pilot)).astype(int))
            shares = importance_weights(self.log_weights(which, pilot)[1])
            out[which] = effective_size(shares) / len(pilot) * n
        return out

    def log_weights(
        self, which: NDArray[np.int64], worlds: NDArray[np.int64] | None = None
    ) -> tuple[Difference, NDArray[np.float64], NDArray[np.int32]]:
        """The difference of some groups, the log weight of each world, and the values after of its variables."""
        assert self.material is not None
        d = self.difference.of_groups(which)
        stored = self.values_before(d.variables)
        stored = stored if worlds is None else stored[:, worlds]
        return d, *log_weights(d, stored, self.weights, self.weights_after, generator(self.seed, 12))

    def values_before(self, variables: NDArray[np.int32]) -> NDArray[np.int32]:
        """(variables, N) values in stored worlds; of variables that stood alone, drawn now, the same at each call."""
        assert self.material is not None
        values = self.material.worlds.values(variables)
        alone = self._alone(variables) & ~(self.material.is_fresh(variables) & self.material.worlds.has(variables))
        rng = np.random.default_rng([self.seed, 13])
        for i in np.flatnonzero(alone).tolist():
            span = slice(int(self.offsets[variables[i]]), int(self.offsets[variables[i] + 1]))
            ends = np.cumsum(self.old.probability[span])
            values[i] = np.minimum(np.searchsorted(ends, rng.random(values.shape[1]) * ends[-1]), len(ends) - 1)
        return values


def _group_of_literals(piece: Piece, label: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each literal of a piece that stands on one of its variables."""
    at = piece.graph.factors.variable
    return label[at[at < piece.n_asked]]
