"""The strategies, each for some of the groups that a change touches: what puts new marginals in place of the old.

Follows `choose.py`, which says which group is for which.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.live import Groups
from consilience.kb.incremental.anneal import annealed, bridge
from consilience.kb.incremental.choose import Strategy
from consilience.kb.incremental.local import sampled, solved
from consilience.kb.incremental.reweight import (
    Known,
    effective_size,
    importance_weights,
    metropolis_weights,
    reweighted,
)
from consilience.kb.incremental.touched import Touched
from consilience.kb.incremental.variational import approximate_graph
from consilience.kb.inference.chains import generator
from consilience.kb.inference.exact import Prepared
from consilience.kb.inference.marginals import Engine, Marginals

CHUNK = 4096  # variables whose stored worlds are unpacked at a time
MOST_STATES = 10**8  # variables by worlds that are annealed together: up to 0.8 GB while they are


class Strategies:
    """marginals: as they come; at first the old ones, with room for new variables, and clamped ones certain.

    steps, effective, acceptance: (groups,) of stored worlds; 0 steps where they were not annealed, NaN where not used.
    """

    def __init__(self, touched: Touched) -> None:
        self.touched = touched
        self.marginals = _started(touched)
        n = len(touched.groups)
        self.steps = np.zeros(n, np.int64)
        self.effective, self.acceptance = np.full(n, np.nan), np.full(n, np.nan)

    def full(self) -> None:
        """Everything again."""
        t = self.touched
        graph = t.live.graph()
        found = solved(graph, t.weights_after, settings=t.settings, seed=t.seed)
        self._put(np.arange(t.live.n_variables, dtype=np.int32), found, graph.cardinality)

    def local(self, exact: NDArray[np.int64], gibbs: NDArray[np.int64]) -> None:
        """Groups solved exactly and groups sampled anew, each set in one go."""
        t = self.touched
        both = len(exact) + len(gibbs) == len(t.groups)
        piece = t.piece if both else t.live.piece(t.variables_of(np.concatenate([exact, gibbs])))
        prepared = t.prepared if both else Prepared(piece.graph, limits=t.settings.limits)
        found = prepared.solve(t.weights_after).marginals
        label = np.full(t.live.n_variables, -1, np.int64)
        label[t.groups.variables] = t.groups.label
        components = prepared.components
        of_component = label[piece.variables[components.variables[components.variable_offsets[:-1]]]]
        again = np.isin(of_component, gibbs)
        again[prepared.unsolved] = True
        if again.any():
            which = components.variables[np.repeat(again, np.diff(components.variable_offsets))]
            sampled(piece.graph, t.weights_after, found, which, settings=t.settings, seed=t.seed)
        self._put(piece.variables[: piece.n_asked], found, piece.graph.cardinality)

    def variational(self, which: NDArray[np.int64]) -> None:
        """Groups by their approximate graph, with what changed."""
        t = self.touched
        variables = t.variables_of(which)
        sizes = np.diff(t.groups.offsets)[which]
        part = Groups(variables, np.concatenate([[0], np.cumsum(sizes)]))
        d = t.difference.of_groups(which)
        graph, weights, positions = approximate_graph(t.approximation(), t.live, d, part, t.weights, t.weights_after)
        found = solved(graph, weights, settings=t.settings, seed=t.seed)
        found.engine[graph.evidence == OPEN] = Engine.VARIATIONAL
        inside = np.isin(positions, variables)
        own = np.append(inside, np.zeros(graph.n_variables - len(positions), bool))
        keep = Marginals(
            found.probability[np.repeat(own, graph.cardinality)],
            found.engine[own],
            found.r_hat[own],
            found.effective[own],
        )
        self._put(positions[inside], keep, t.live.cardinality[positions[inside]])

    def reweight(self, which: NDArray[np.int64], how: Strategy, *, anneal: bool) -> NDArray[np.int64]:
        """Groups by their stored worlds. anneal: lead the worlds in steps where the change is too large for one.

        returns: the groups that this did not do for.
        """
        t = self.touched
        d, log_w, values = t.log_weights(which)
        worth = effective_size(importance_weights(log_w))
        enough = worth >= min(t.settings.least_effective, log_w.shape[1] / 2)
        if enough.any():
            self._in_one_step(which, enough, how, log_w, d.variables, values)
        return np.array([g for g in which[~enough].tolist() if not (anneal and self.anneal(g, how))], np.int64)

    def _in_one_step(
        self,
        which: NDArray[np.int64],
        enough: NDArray[np.bool_],
        how: Strategy,
        log_w: NDArray[np.float64],
        changed: NDArray[np.int32],
        values: NDArray[np.int32],
    ) -> None:
        """values: (changed, N) after the change, of variables that changed factors name."""
        t, chosen = self.touched, which[enough]
        assert t.material is not None
        if how == Strategy.METROPOLIS:
            shares, self.acceptance[chosen] = metropolis_weights(log_w[enough], generator(t.seed, 14))
        else:
            shares = importance_weights(log_w[enough])
        self.effective[chosen] = effective_size(shares)
        number = np.full(len(t.groups), -1)
        number[chosen] = np.arange(len(chosen))
        label = np.full(t.live.n_variables, -1, np.int64)
        label[t.groups.variables] = number[t.groups.label]
        variables = t.variables_of(chosen)
        variables = variables[t.live.evidence[variables] == OPEN]
        for begin in range(0, len(variables), CHUNK):
            part = variables[begin : begin + CHUNK]
            worlds = t.material.worlds.values(part)  # those that stood alone are all among `changed`
            if len(changed):
                place = np.minimum(np.searchsorted(changed, part), len(changed) - 1)
                named = changed[place] == part
                worlds[named] = values[place[named]]
            found = reweighted(worlds, t.live.cardinality[part], shares, label[part], self._known(part))
            self.marginals.probability[_spans(t.offsets, part)], self.marginals.effective[part] = found
        self.marginals.engine[variables] = Engine.METROPOLIS if how == Strategy.METROPOLIS else Engine.IMPORTANCE
        self.marginals.r_hat[variables] = np.nan

    def _known(self, variables: NDArray[np.int32]) -> Known:
        """The old marginals of variables that stored worlds speak of."""
        t = self.touched
        old, was = t.old, t.open_before(variables)
        engine, known_draws = old.engine[variables[was]], old.effective[variables[was]].copy()
        known_draws[(engine == Engine.VARIATIONAL) | np.isnan(known_draws)] = 0.0
        # marginals read back from a database do not say how good they are
        known_draws[(engine == Engine.GIBBS) & np.isinf(known_draws)] = t.settings.least_effective
        draws = np.zeros(len(variables))
        draws[was] = known_draws
        probability = np.zeros(int(t.live.cardinality[variables].sum()))
        probability[np.repeat(was, t.live.cardinality[variables])] = old.probability[_spans(t.offsets, variables[was])]
        return Known(probability, draws)

    def disagree(self, above: float) -> NDArray[np.bool_]:
        """(groups,): whether chains disagree on over 1% of a group's variables, by an R-hat above this."""
        t = self.touched
        bad = self.marginals.r_hat[t.groups.variables] > above
        n_bad = np.bincount(t.groups.label[bad], minlength=len(t.groups))
        return n_bad > 0.01 * np.diff(t.groups.offsets)

    def too_large(self, g: int) -> bool:
        """Whether a group is too large for its worlds to be annealed in memory."""
        t = self.touched
        n = 0 if t.material is None else t.material.worlds.n
        return n * int(t.groups.offsets[g + 1] - t.groups.offsets[g]) > MOST_STATES

    def anneal(self, g: int, how: Strategy) -> bool:
        """One group by its stored worlds, annealed; whether these could be led to the graph after."""
        if self.too_large(g):
            return False
        t = self.touched
        which = np.array([g])
        variables = t.variables_of(which)
        over = bridge(t.live, t.difference.of_groups(which), variables, t.weights, t.weights_after)
        found = annealed(over, t.values_before(variables), seed=t.seed, accept=how == Strategy.METROPOLIS)
        if found is None:
            return False
        self._put(variables, found.marginals, over.graph.cardinality)
        self.steps[g], self.effective[g], self.acceptance[g] = found.steps, found.effective, found.acceptance
        return True

    def _put(self, variables: NDArray[np.int32], source: Marginals, cardinality: NDArray[np.int32]) -> None:
        """Take over the marginals of the first variables of a part; variables: where they stand."""
        n = len(variables)
        width = int(cardinality[:n].sum())
        self.marginals.probability[_spans(self.touched.offsets, variables)] = source.probability[:width]
        for ours, theirs in (
            (self.marginals.engine, source.engine),
            (self.marginals.r_hat, source.r_hat),
            (self.marginals.effective, source.effective),
        ):
            ours[variables] = theirs[:n]


def _started(t: Touched) -> Marginals:
    """The old marginals, room for new variables behind them, and certainty for those that are clamped now."""
    n_new = t.live.n_variables - t.applied.n_before
    room = int(t.offsets[-1] - len(t.old.probability))
    found = Marginals(
        np.concatenate([t.old.probability, np.zeros(room)]),
        np.concatenate([t.old.engine, np.zeros(n_new, np.uint8)]),
        np.concatenate([t.old.r_hat, np.full(n_new, np.nan)]),
        np.concatenate([t.old.effective, np.full(n_new, np.inf)]),
    )
    born = np.arange(t.applied.n_before, t.live.n_variables)
    known = np.concatenate([born, t.applied.change.evidence_at])
    known = known[t.live.evidence[known] != OPEN]
    width = t.live.cardinality[known].astype(np.int64)
    ends = np.cumsum(width)
    found.probability[np.repeat(t.offsets[known] - (ends - width), width) + np.arange(width.sum())] = 0.0
    found.probability[t.offsets[known] + t.live.evidence[known]] = 1.0
    found.engine[known], found.r_hat[known], found.effective[known] = Engine.EVIDENCE, np.nan, np.inf
    return found


def _spans(offsets: NDArray[np.int64], variables: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where the values of some variables stand, one variable after another."""
    width = offsets[variables + 1] - offsets[variables]
    ends = np.cumsum(width)
    return np.repeat(offsets[variables] - (ends - width), width) + np.arange(int(width.sum()))
