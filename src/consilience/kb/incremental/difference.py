"""What a change adds to the log-probability of each stored world, from the changed factors alone.

Follows `LiveGraph.apply`; read by importance sampling, Metropolis-Hastings and the list of all worlds. A world of the
graph before becomes one of the graph after: variables that were open and still are keep their values; those newly
clamped must already have theirs, or the world has weight 0; new and reopened ones are drawn one after another, each
given those before it, and the world's weight takes in what each draw was normalised by (sequential importance
sampling; Liu & Chen 1998, sec. 2.2). With one such variable, this is its exact conditional.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.factor_graph import OPEN, Factors
from consilience.kb.graph.live import Applied, Groups, LiveGraph
from consilience.kb.graph.worth import worth
from consilience.kb.inference.gibbs_kernels import next_uniform

KEPT, DRAWN = -1, -2  # of a variable in the world after: from the stored world, or to be drawn


@dataclass(frozen=True, slots=True)
class Difference:
    """old, new: factors that count no more, and now, over `variables`; each with its group.

    before: (m,) the value each variable had, or KEPT if the stored world has it. after: likewise, or DRAWN.
    must: (m,) the value a stored world has to have, or -1. group: (m,) of each variable, -1 if clamped throughout.
    drawn: variables to be drawn, in order; a new factor belongs to the last one it names, or stands by itself.
    shared: factors of the live graph that are among the old and the new; first_added: where those added begin.
    """

    variables: NDArray[np.int32]
    cardinality: NDArray[np.int32]
    old: Factors
    new: Factors
    old_group: NDArray[np.int64]
    new_group: NDArray[np.int64]
    before: NDArray[np.int32]
    after: NDArray[np.int32]
    must: NDArray[np.int32]
    group: NDArray[np.int64]
    drawn: NDArray[np.int32]
    evidence_changed: NDArray[np.bool_]  # (groups,)
    n_groups: int
    shared: NDArray[np.int32]
    first_added: int

    def of_groups(self, chosen: NDArray[np.integer]) -> Difference:
        """Only these groups, renumbered in this order."""
        number = np.full(self.n_groups + 1, -1, np.int64)
        number[chosen] = np.arange(len(chosen))
        keep_old, keep_new = (number[g] >= 0 for g in (self.old_group, self.new_group))
        group = number[self.group]
        return replace(
            self,
            old=self.old.take(np.flatnonzero(keep_old)),
            new=self.new.take(np.flatnonzero(keep_new)),
            old_group=number[self.old_group][keep_old],
            new_group=number[self.new_group][keep_new],
            group=group,
            must=np.where(group >= 0, self.must, -1).astype(np.int32),
            drawn=self.drawn[group[self.drawn] >= 0],
            evidence_changed=self.evidence_changed[chosen],
            n_groups=len(chosen),
        )

    def named(self) -> Difference:
        """With only the variables that its factors name, or that belong to its groups."""
        used = np.unique(np.concatenate([self.old.variable, self.new.variable, np.flatnonzero(self.group >= 0)]))
        used = used.astype(np.int32)
        return replace(
            self,
            variables=self.variables[used],
            cardinality=self.cardinality[used],
            old=_renumbered(self.old, used),
            new=_renumbered(self.new, used),
            before=self.before[used],
            after=self.after[used],
            must=self.must[used],
            group=self.group[used],
            drawn=np.searchsorted(used, self.drawn).astype(np.int32),
        )

    def literals_by_group(self) -> NDArray[np.int64]:
        """How many literals of changed factors each group has."""
        total = np.zeros(self.n_groups, np.int64)
        for factors, group in ((self.old, self.old_group), (self.new, self.new_group)):
            np.add.at(total, group, np.diff(factors.offsets))
        return total


def difference(live: LiveGraph, applied: Applied, groups: Groups) -> Difference:
    """The difference of a change the live graph has just taken. O(the change, and what stands on changed evidence)."""
    change = applied.change
    moved = applied.evidence_before != change.evidence_to
    was = applied.evidence_before[moved]
    at = change.evidence_at[moved]
    held = at[was != OPEN]  # clamped before: what stands on them was worth something else
    around = live.piece(np.sort(held)).factor if len(held) else np.zeros(0, np.int32)
    shared_places = np.union1d(around[around < applied.first_added], applied.reweighted).astype(np.int32)
    shared = live.factors_at(shared_places)
    old, new = Factors.joined([change.removed, shared]), Factors.joined([change.added, shared])
    born = np.arange(applied.n_before, live.n_variables, dtype=np.int32)
    variables = np.unique(np.concatenate([old.variable, new.variable, at, born])).astype(np.int32)

    label = np.full(live.n_variables, -1, np.int64)
    label[groups.variables] = groups.label
    group = label[variables]
    after = np.where(live.evidence[variables] == OPEN, KEPT, live.evidence[variables]).astype(np.int32)
    before, must = after.copy(), np.full(len(variables), -1, np.int32)
    place = np.searchsorted(variables, at)
    before[place] = np.where(was == OPEN, KEPT, was)
    newly = place[was == OPEN]
    must[newly] = live.evidence[variables[newly]]
    after[place[(was != OPEN) & (live.evidence[at] == OPEN)]] = DRAWN
    after[(variables >= applied.n_before) & (after == KEPT)] = DRAWN
    evidence_changed = np.zeros(len(groups), bool)
    evidence_changed[group[place]] = True

    old, new = _renumbered(old, variables), _renumbered(new, variables)
    old_group, new_group = _groups_of(old, group), _groups_of(new, group)
    return Difference(
        variables,
        live.cardinality[variables],
        old.take(np.flatnonzero(old_group >= 0)),
        new.take(np.flatnonzero(new_group >= 0)),
        old_group[old_group >= 0],
        new_group[new_group >= 0],
        before,
        after,
        must,
        group,
        _draw_order(variables, after, groups),
        evidence_changed,
        len(groups),
        shared_places,
        applied.first_added,
    )


def _renumbered(factors: Factors, variables: NDArray[np.int32]) -> Factors:
    return replace(factors, variable=np.searchsorted(variables, factors.variable).astype(np.int32))


def _groups_of(factors: Factors, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """(F,) the group of each factor: that of any of its variables that has one; -1 if all are clamped throughout."""
    if not len(factors):
        return np.zeros(0, np.int64)
    return np.maximum.reduceat(group[factors.variable], factors.offsets[:-1])


def _draw_order(variables: NDArray[np.int32], after: NDArray[np.int32], groups: Groups) -> NDArray[np.int32]:
    """Places of variables to be drawn, in the order in which the groups list them: neighbours near each other."""
    drawn = np.flatnonzero(after == DRAWN)
    order = np.argsort(groups.variables, kind="stable")
    rank = order[np.searchsorted(groups.variables[order], variables[drawn])]
    return drawn[np.argsort(rank)].astype(np.int32)


def log_weights(
    d: Difference,
    stored: NDArray[np.int32],
    weights: NDArray[np.float64],
    weights_after: NDArray[np.float64],
    rng: NDArray[np.uint64],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(groups, N): log of the weight of each world for each group, up to a constant; and the values after.

    stored: (m, N) values of `d.variables` in the stored worlds. -inf: a world the evidence rules out.
    O(N * literals of the changed factors); no other factor is looked at.
    """
    rank = np.full(len(d.variables), -1, np.int64)
    rank[d.drawn] = np.arange(len(d.drawn))
    of_new = np.maximum.reduceat(rank[d.new.variable], d.new.offsets[:-1]) if len(d.new) else np.zeros(0, np.int64)
    order = np.argsort(of_new, kind="stable")
    ends = np.searchsorted(of_new[order], np.arange(-1, len(d.drawn) + 1))
    out = np.zeros((d.n_groups, stored.shape[1]))
    worlds = np.ascontiguousarray(stored.T)
    _log_weights(
        *_flat(d.old), d.old_group, weights, *_flat(d.new), d.new_group, weights_after, order, ends,
        d.cardinality, d.before, d.after, d.must, d.group, d.drawn, worlds, rng, out,
    )  # fmt: skip
    return out, np.ascontiguousarray(worlds.T)


def _flat(f: Factors) -> tuple[NDArray[np.generic], ...]:
    return f.function, f.offsets.astype(np.int32), f.variable, f.value, f.clause, f.weight, f.scale


@compiled
def _log_weights(
    o_function, o_offsets, o_variable, o_value, o_clause, o_weight, o_scale, old_group, weights,
    n_function, n_offsets, n_variable, n_value, n_clause, n_weight, n_scale, new_group, weights_after, order, ends,
    cardinality, before, after, must, group, drawn, worlds, rng, out,
):  # fmt: skip
    """Fill out, and put the values after into worlds. order, ends: new factors, by the draw they belong to."""
    state = np.zeros(len(before), np.int32)
    energy = np.zeros(max(1, cardinality.max())) if len(cardinality) else np.zeros(1)
    for i in range(len(worlds)):
        for v in range(len(before)):
            state[v] = worlds[i, v] if before[v] == KEPT else max(before[v], 0)
            if must[v] >= 0 and worlds[i, v] != must[v]:
                out[group[v], i] = -np.inf
        for f in range(len(o_function)):
            strength = weights[o_weight[f]] * o_scale[f]
            out[old_group[f], i] -= strength * worth(
                o_function[f], o_offsets[f], o_offsets[f + 1], o_variable, o_value, o_clause, state, -1, 0
            )
        for v in range(len(after)):
            state[v] = worlds[i, v] if after[v] == KEPT else max(after[v], 0)
        for f in order[: ends[1]]:
            strength = weights_after[n_weight[f]] * n_scale[f]
            out[new_group[f], i] += strength * worth(
                n_function[f], n_offsets[f], n_offsets[f + 1], n_variable, n_value, n_clause, state, -1, 0
            )
        for d in range(len(drawn)):
            v = drawn[d]
            energy[: cardinality[v]] = 0.0
            for f in order[ends[d + 1] : ends[d + 2]]:
                strength = weights_after[n_weight[f]] * n_scale[f]
                for x in range(cardinality[v]):
                    energy[x] += strength * worth(
                        n_function[f], n_offsets[f], n_offsets[f + 1], n_variable, n_value, n_clause, state, v, x
                    )
            state[v], total = draw_from(energy, cardinality[v], rng)
            out[group[v], i] += total
        worlds[i] = state


@compiled
def draw_from(energy, k, rng):
    """A value with probability in proportion to exp(energy), and the log of the sum of these."""
    top = energy[0]
    for x in range(1, k):
        top = max(top, energy[x])
    total = 0.0
    for x in range(k):
        total += np.exp(energy[x] - top)
    left = next_uniform(rng) * total
    chosen = k - 1
    for x in range(k):
        left -= np.exp(energy[x] - top)
        if left < 0:
            chosen = x
            break
    return chosen, top + np.log(total)
