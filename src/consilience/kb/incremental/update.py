"""Marginals after a change, from those before it, at the cost of what the change touches.

The door of this folder: applies the change to the live graph, chooses a strategy for each group of variables that hang
together, and leaves every other marginal as it was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.change import GraphChange
from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.live import Applied, Groups, LiveGraph, Piece
from consilience.kb.incremental.choose import Choice, GroupFacts, Strategy, UpdateSettings, choose
from consilience.kb.incremental.difference import Difference, difference, log_weights
from consilience.kb.incremental.draw import generator
from consilience.kb.incremental.local import sampled, solved
from consilience.kb.incremental.material import Material
from consilience.kb.incremental.report import Clock, StrategyLine, UpdateReport
from consilience.kb.incremental.reweight import effective_size, importance_weights, metropolis_weights
from consilience.kb.incremental.variational import Approximation, approximate_graph
from consilience.kb.inference.exact import Prepared
from consilience.kb.inference.marginals import Engine, Marginals

CHUNK = 4096  # variables whose stored worlds are unpacked at a time


def update_marginals(
    live: LiveGraph,
    weights: NDArray[np.float64],
    change: GraphChange,
    old: Marginals,
    material: Material | None = None,
    *,
    seed: int = 0,
    strategy: str = "auto",
    settings: UpdateSettings | None = None,
) -> tuple[Marginals, UpdateReport]:
    """Marginals after a change. The live graph takes the change, and the material is marked where it is spent.

    live, weights, old: before the change; the weights after it are `change.weights_after(weights)`. strategy: "auto",
    or the name of one for every group that allows it. material: of `materialise`; without it nothing is reweighted.
    raises: GraphError if these do not fit each other; then nothing has changed.
    O(n) for the copy of the marginals, beside what the chosen strategies cost on what is touched.

    >>> from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
    >>> from consilience.kb.inference.ladder import infer
    >>> graph = FactorGraph.of([2, 2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> live, weights = LiveGraph(graph), np.array([1.0])
    >>> link = Factors.of([(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    >>> found, report = update_marginals(live, weights, GraphChange.of(added=link), infer(graph, weights).marginals)
    >>> found.probability.round(3), report.touched
    (array([0.119, 0.881, 0.21 , 0.79 ]), 2)
    """
    settings = settings or UpdateSettings()
    _check(live, weights, old, material, strategy)
    clock = Clock()
    applied = live.apply(change)
    clock.stage("apply")
    groups = live.affected(applied)
    update = Update(live, applied, groups, weights, change.weights_after(weights), old, material, settings, seed)
    clock.stage("find what is touched")
    choices = choose(update.facts(), settings, n_open=update.n_open, wanted=strategy)
    clock.stage("choose")
    lines = update.run(choices)
    clock.stage("infer")
    if material is not None:
        material.spend(groups.variables)
    touched = int((live.evidence[groups.variables] == OPEN).sum())
    return update.marginals, UpdateReport(lines, touched, update.n_open, clock.seconds)


def _check(
    live: LiveGraph, weights: NDArray[np.float64], old: Marginals, material: Material | None, strategy: str
) -> None:
    if strategy != "auto" and strategy not in list(Strategy):
        raise GraphError(f"There is no strategy {strategy!r}.\nFix: 'auto', or one of {', '.join(Strategy)}.")
    if len(weights) != live.n_weights or not np.isfinite(weights).all():
        raise GraphError(
            f"The graph has {live.n_weights} weights, not these {len(weights)}.\nFix: one finite value a weight."
        )
    if len(old.engine) != live.n_variables or len(old.probability) != int(live.cardinality.sum()):
        raise GraphError(
            f"The old marginals are of {len(old.engine)} variables, the graph has {live.n_variables}.\n"
            "Fix: give the marginals of the graph just before the change."
        )
    if material is not None and len(material.fresh) > live.n_variables:
        raise GraphError("The material is of a larger graph.\nFix: make it from this one.")


class Update:
    """One update under way: what is touched, what is known of it, and the marginals as they come."""

    def __init__(
        self,
        live: LiveGraph,
        applied: Applied,
        groups: Groups,
        weights: NDArray[np.float64],
        weights_after: NDArray[np.float64],
        old: Marginals,
        material: Material | None,
        settings: UpdateSettings,
        seed: int,
    ) -> None:
        self.live, self.applied, self.groups, self.old = live, applied, groups, old
        self.weights, self.weights_after = weights, weights_after
        self.material, self.settings, self.seed = material, settings, seed
        self.n_open = live.open_variables()
        self.offsets = np.concatenate([[0], np.cumsum(live.cardinality, dtype=np.int64)])
        self.marginals = self._started()
        self.piece = live.piece(groups.variables)
        self.prepared = Prepared(self.piece.graph, limits=settings.limits)
        self._difference: Difference | None = None

    @property
    def difference(self) -> Difference:
        """What changed, for strategies that reweight; found when first asked for."""
        if self._difference is None:
            self._difference = difference(self.live, self.applied, self.groups)
        return self._difference

    def _started(self) -> Marginals:
        """The old marginals, room for new variables behind them, and certainty for those that are clamped now."""
        n_new = self.live.n_variables - self.applied.n_before
        probability = np.concatenate(
            [self.old.probability, np.zeros(int(self.offsets[-1] - len(self.old.probability)))]
        )
        found = Marginals(
            probability,
            np.concatenate([self.old.engine, np.full(n_new, Engine.EVIDENCE, np.uint8)]),
            np.concatenate([self.old.r_hat, np.full(n_new, np.nan)]),
            np.concatenate([self.old.effective, np.full(n_new, np.inf)]),
        )
        born = np.arange(self.applied.n_before, self.live.n_variables)
        known = np.concatenate([born, self.applied.change.evidence_at])
        known = known[self.live.evidence[known] != OPEN]
        width = self.live.cardinality[known].astype(np.int64)
        ends = np.cumsum(width)
        found.probability[np.repeat(self.offsets[known] - (ends - width), width) + np.arange(width.sum())] = 0.0
        found.probability[self.offsets[known] + self.live.evidence[known]] = 1.0
        found.engine[known], found.r_hat[known], found.effective[known] = Engine.EVIDENCE, np.nan, np.inf
        return found

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

    def _open_before(self) -> NDArray[np.bool_]:
        """(groups.variables,): which of them were open and there before the change."""
        change = self.applied.change
        was = self.live.evidence[self.groups.variables] == OPEN
        order = np.argsort(change.evidence_at)
        at = change.evidence_at[order]
        place = np.searchsorted(at, self.groups.variables)
        hit = place < len(at)
        hit[hit] = at[place[hit]] == self.groups.variables[hit]
        was[hit] = self.applied.evidence_before[order][place[hit]] == OPEN
        return was & (self.groups.variables < self.applied.n_before)

    def _alone(self, variables: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Variables that were components of their own: their draws are made when needed."""
        before = variables < self.applied.n_before
        return before & (self.old.engine[np.where(before, variables, 0)] == Engine.CLOSED_FORM)

    def _stored(self) -> NDArray[np.bool_]:
        """(groups,): whether every variable that was open can be had from the stored worlds."""
        assert self.material is not None
        v = self.groups.variables
        had = self.material.is_fresh(v) & self.material.worlds.has(v)
        missing = self._open_before() & ~had & ~self._alone(v) & (self.live.cardinality[v] > 1)
        return np.bincount(self.groups.label[missing], minlength=len(self.groups)) == 0

    def _approximated(self, label: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """(groups,): whether every variable that was open is in the approximate graph; literals of that graph."""
        assert self.material is not None
        v, n = self.groups.variables, len(self.groups)
        covered = self._approximation().covers(v)
        missing = np.bincount(label[self._open_before() & ~covered], minlength=n) > 0
        some = np.bincount(label[covered], minlength=n) > 0
        of = np.full(self.live.n_variables, -1, np.int64)
        of[v] = label
        pair_group = of[self.material.approximation.pair[:, 0]]
        pairs = np.bincount(pair_group[pair_group >= 0], minlength=n)
        return ~missing & some, np.bincount(label[covered], minlength=n) + 2 * pairs

    def _approximation(self) -> Approximation:
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
            shares = importance_weights(self._log_weights(which, pilot)[1])
            out[which] = effective_size(shares) / len(pilot) * n
        return out

    def _log_weights(
        self, which: NDArray[np.int64], worlds: NDArray[np.int64] | None = None
    ) -> tuple[Difference, NDArray[np.float64], NDArray[np.int32]]:
        """The difference of some groups, the log weight of each world, and the values after of its variables."""
        assert self.material is not None
        d = self.difference.of_groups(which)
        stored = self._values_before(d.variables)
        stored = stored if worlds is None else stored[:, worlds]
        return d, *log_weights(d, stored, self.weights, self.weights_after, generator(self.seed, 12))

    def _values_before(self, variables: NDArray[np.int32]) -> NDArray[np.int32]:
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

    def run(self, choices: list[Choice]) -> tuple[StrategyLine, ...]:
        """Do what was chosen; groups whose stored worlds turn out worth too little are sampled anew."""
        effective, acceptance = np.full(len(choices), np.nan), np.full(len(choices), np.nan)
        number = {s: i for i, s in enumerate(Strategy)}
        which = np.fromiter((number[c.strategy] for c in choices), np.int64, len(choices))
        by = {s: np.flatnonzero(which == i) for s, i in number.items()}
        if len(by[Strategy.FULL]):
            self._run_full()
        for s in (Strategy.IMPORTANCE, Strategy.METROPOLIS):
            if len(by[s]):
                effective[by[s]], acceptance[by[s]] = self._reweight(by[s], s)
        for g in by[Strategy.IMPORTANCE].tolist():
            if effective[g] < self.settings.least_effective / 2 and "asked for" not in choices[g].because:
                why = f"a pilot promised enough of the stored worlds, and all of them are worth {effective[g]:.0f}"
                choices[g] = Choice(Strategy.GIBBS, why)
                by[Strategy.GIBBS] = np.append(by[Strategy.GIBBS], g)
        if len(by[Strategy.VARIATIONAL]):
            self._run_variational(by[Strategy.VARIATIONAL])
        if len(by[Strategy.EXACT]) or len(by[Strategy.GIBBS]):
            self._run_local(by[Strategy.EXACT], by[Strategy.GIBBS])
        return self._lines(choices, effective, acceptance)

    def _lines(
        self, choices: list[Choice], effective: NDArray[np.float64], acceptance: NDArray[np.float64]
    ) -> tuple[StrategyLine, ...]:
        sizes = np.diff(self.groups.offsets)
        alike: dict[int, list[int]] = {}  # most groups share one choice: equal ones are put together afterwards
        for g, c in enumerate(choices):
            alike.setdefault(id(c), []).append(g)
        members: dict[Choice, list[int]] = {}
        for found in alike.values():
            members.setdefault(choices[found[0]], []).extend(found)
        counts = Counter({c: len(m) for c, m in members.items()})
        return tuple(
            StrategyLine(
                c.strategy,
                c.because,
                n,
                int(sizes[members[c]].sum()),
                _known(effective[members[c]], np.min),
                _known(acceptance[members[c]], np.mean),
            )
            for c, n in counts.most_common()
        )

    def _variables_of(self, which: NDArray[np.int64]) -> NDArray[np.int32]:
        inside = np.zeros(len(self.groups), bool)
        inside[which] = True
        return self.groups.variables[inside[self.groups.label]]

    def _put(self, variables: NDArray[np.int32], source: Marginals, cardinality: NDArray[np.int32]) -> None:
        """Take over the marginals of the first variables of a part; variables: where they stand."""
        n = len(variables)
        begin = np.concatenate([[0], np.cumsum(cardinality[:n], dtype=np.int64)])
        width = self.live.cardinality[variables]
        into = np.repeat(self.offsets[variables] - begin[:-1], width) + np.arange(begin[-1])
        self.marginals.probability[into] = source.probability[: begin[-1]]
        for ours, theirs in (
            (self.marginals.engine, source.engine),
            (self.marginals.r_hat, source.r_hat),
            (self.marginals.effective, source.effective),
        ):
            ours[variables] = theirs[:n]

    def _run_full(self) -> None:
        graph = self.live.graph()
        found = solved(
            graph, self.weights_after, n_worlds=self.settings.n_worlds, seed=self.seed, limits=self.settings.limits
        )
        self._put(np.arange(self.live.n_variables, dtype=np.int32), found, graph.cardinality)

    def _run_local(self, exact: NDArray[np.int64], gibbs: NDArray[np.int64]) -> None:
        """Groups solved exactly and groups sampled, each set in one go."""
        both = len(exact) + len(gibbs) == len(self.groups)
        piece = self.piece if both else self.live.piece(self._variables_of(np.concatenate([exact, gibbs])))
        prepared = self.prepared if both else Prepared(piece.graph, limits=self.settings.limits)
        found = prepared.solve(self.weights_after).marginals
        label = np.full(self.live.n_variables, -1, np.int64)
        label[self.groups.variables] = self.groups.label
        of_component = label[piece.variables[prepared.components.variables[prepared.components.variable_offsets[:-1]]]]
        again = np.union1d(np.flatnonzero(np.isin(of_component, gibbs)), prepared.unsolved)
        if len(again):
            found = sampled(
                piece.graph, self.weights_after, found, again, n_worlds=self.settings.n_worlds, seed=self.seed
            )
        self._put(piece.variables[: piece.n_asked], found, piece.graph.cardinality)

    def _run_variational(self, which: NDArray[np.int64]) -> None:
        assert self.material is not None
        variables = self._variables_of(which)
        sizes = np.diff(self.groups.offsets)[which]
        part = Groups(variables, np.concatenate([[0], np.cumsum(sizes)]))
        d = self.difference.of_groups(which)
        graph, weights, positions = approximate_graph(
            self._approximation(), self.live, d, part, self.weights, self.weights_after
        )
        found = solved(graph, weights, n_worlds=self.settings.n_worlds, seed=self.seed, limits=self.settings.limits)
        found.engine[graph.evidence == OPEN] = Engine.VARIATIONAL
        inside = np.isin(positions, variables)
        keep = Marginals(
            found.probability[
                np.repeat(np.append(inside, np.zeros(graph.n_variables - len(positions), bool)), graph.cardinality)
            ],
            found.engine[: len(positions)][inside],
            found.r_hat[: len(positions)][inside],
            found.effective[: len(positions)][inside],
        )
        self._put(positions[inside], keep, self.live.cardinality[positions[inside]])

    def _reweight(self, which: NDArray[np.int64], how: Strategy) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Groups by their stored worlds; gives effective size and acceptance of each."""
        d, log_w, values = self._log_weights(which)
        if how == Strategy.METROPOLIS:
            shares, acceptance = metropolis_weights(log_w, generator(self.seed, 14))
            engine = Engine.METROPOLIS
        else:
            shares, acceptance = importance_weights(log_w), np.full(len(which), np.nan)
            engine = Engine.IMPORTANCE
        effective = effective_size(shares)
        number = np.full(len(self.groups), -1)
        number[which] = np.arange(len(which))
        label = np.full(self.live.n_variables, -1, np.int64)
        label[self.groups.variables] = number[self.groups.label]
        variables = self._variables_of(which)
        variables = variables[self.live.evidence[variables] == OPEN]
        for begin in range(0, len(variables), CHUNK):
            self._tally(variables[begin : begin + CHUNK], label, d, values, shares)
        self.marginals.engine[variables], self.marginals.r_hat[variables] = engine, np.nan
        self.marginals.effective[variables] = effective[label[variables]]
        return effective, acceptance

    def _tally(
        self,
        variables: NDArray[np.int32],
        label: NDArray[np.int64],
        d: Difference,
        values: NDArray[np.int32],
        shares: NDArray[np.float64],
    ) -> None:
        """Put in the weighted share of each value of some variables."""
        assert self.material is not None
        worlds = self.material.worlds.values(variables)
        place = np.minimum(np.searchsorted(d.variables, variables), max(len(d.variables) - 1, 0))
        if len(d.variables):
            named = d.variables[place] == variables
            worlds[named] = values[place[named]]
        share = shares[label[variables]]
        for x in range(int(self.live.cardinality[variables].max(initial=1))):
            has = self.live.cardinality[variables] > x
            self.marginals.probability[self.offsets[variables[has]] + x] = np.einsum(
                "vi,vi->v", share[has], (worlds[has] == x).astype(np.float64)
            )


def _group_of_literals(piece: Piece, label: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each literal of a piece that stands on one of its variables."""
    at = piece.graph.factors.variable
    return label[at[at < piece.n_asked]]


def _known(x: NDArray[np.float64], take: object) -> float | None:
    return None if np.isnan(x).any() else float(take(x))  # type: ignore[operator]
