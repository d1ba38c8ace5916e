"""Stored worlds led to a changed graph in small steps: what reweighting does where the change is too large for one.

Follows `difference.py`; `reweight.py` is its one-step case. Between the distribution before, p0, and after, p1, stand
p_t ~ p0^(1-t) p1^t: factors that go fade out, those that come fade in, and a variable that gets evidence is pulled
towards it before it is held there. A step goes as far as leaves the worlds worth half their number; then worlds are
drawn by their weights, and every variable of the group is drawn anew given all others under p_t. At the end, and that
is the answer, the *probabilities* of the last sweeps are averaged.

Weighted and drawn by weight, worlds of p_s represent p_t; a Gibbs sweep under p_t leaves p_t as it is. So no step adds
a bias, whether sweeps mix or not: for a given ladder of steps the estimated ratio of partition functions is unbiased
(Del Moral, Doucet & Jasra 2006, sec. 3.2; Neal 2001, eq. 11), and marginals are consistent as worlds grow in number,
also with steps chosen from the worlds themselves (Beskos et al. 2016, sec. 4). Sweeps that mix make it precise.
Departs: the average of conditional probabilities in place of draws (Gelfand & Smith 1990), which makes worlds worth
more than their number; precision is told from batches of stored worlds, each with all that descends from it
(Lee & Whiteley 2018), so that draws of a slow chain are not taken for independent ones.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph
from consilience.kb.graph.worth import log_potential
from consilience.kb.incremental.difference import DRAWN, Difference
from consilience.kb.incremental.reweight import effective_size, importance_weights, metropolis_weights
from consilience.kb.inference.chains import generator
from consilience.kb.inference.gibbs import laid_out
from consilience.kb.inference.gibbs_kernels import next_uniform, sweeps
from consilience.kb.inference.marginals import Engine, Marginals
from consilience.kb.inference.structure import State, Structure, potentials, prepare

WORTH = 0.5  # share of their number that worlds are still worth after a step
STEP_SWEEPS = 2
LAST_SWEEPS = 4  # under the distribution after; their probabilities are averaged
MOST_STEPS = 200
BATCHES = 16  # of stored worlds, from which precision is told
PULL = 8.0  # log-odds by which a variable is pulled towards evidence it gets, before it is held there


@dataclass(frozen=True, slots=True)
class Bridge:
    """The graph before and after a change in one, for the variables of one group; what lies between by its weights.

    graph: the live graph's variables at `positions`, of which the first n_asked are the group's, then one more for each
    that was clamped, with the value it had. Its factors: those that stay, that go, that come, and one that pulls each
    variable towards the evidence it gets. stays, goes, comes: what their weights are. must: (n_asked,) that evidence,
    or -1. unknown: (n_asked,) which are not in the worlds before.
    """

    graph: FactorGraph
    positions: NDArray[np.int32]
    n_asked: int
    stays: NDArray[np.float64]
    goes: NDArray[np.float64]
    comes: NDArray[np.float64]
    must: NDArray[np.int32]
    unknown: NDArray[np.bool_]

    def weights_at(self, t: float) -> NDArray[np.float64]:
        """The weights of p_t."""
        return np.concatenate([self.stays, (1 - t) * self.goes, t * self.comes])

    @property
    def changes(self) -> tuple[Factors, NDArray[np.float64]]:
        """What p_1 adds to the log of p_0, as factors with their weights."""
        n = len(self.stays)
        first = self.graph.n_factors - len(self.goes) - len(self.comes)
        moved = self.graph.factors.take(np.arange(first, self.graph.n_factors))
        return replace(moved, weight=moved.weight - np.int32(n)), np.concatenate([-self.goes, self.comes])


def bridge(
    live: LiveGraph,
    d: Difference,
    variables: NDArray[np.int32],
    weights: NDArray[np.float64],
    weights_after: NDArray[np.float64],
) -> Bridge:
    """The bridge of one group: d is of this group alone, variables are all of its variables. O(their literals)."""
    d = d.named()
    piece = live.piece(variables, others=np.setdiff1d(d.variables, variables).astype(np.int32))
    n = len(piece.variables)
    order = np.argsort(piece.variables)
    place = order[np.searchsorted(piece.variables[order], d.variables)]
    was_clamped = np.flatnonzero(d.before >= 0)
    place_before = place.copy()
    place_before[was_clamped] = n + np.arange(len(was_clamped))

    staying = piece.graph.factors.take(
        np.flatnonzero((piece.factor < d.first_added) & ~np.isin(piece.factor, d.shared))
    )
    used, staying_weight = np.unique(staying.weight, return_inverse=True)
    forced = np.flatnonzero((d.must >= 0) & (d.group >= 0))
    pull = Factors.of([(FactorFunction.AND_CATEGORICAL, [(int(place[v]), int(d.must[v]))], 0) for v in forced])
    parts = [
        replace(staying, weight=staying_weight.reshape(-1).astype(np.int32)),
        replace(d.old, variable=place_before[d.old.variable].astype(np.int32)),
        replace(d.new, variable=place[d.new.variable].astype(np.int32)),
        pull,
    ]
    first = len(used)
    for i, part in enumerate(parts[1:], 1):
        parts[i] = replace(part, weight=np.arange(first, first + len(part), dtype=np.int32))
        first += len(part)

    must, unknown = np.full(n, -1, np.int32), np.zeros(n, bool)
    must[place[forced]], unknown[place[d.after == DRAWN]] = d.must[forced], True
    evidence = piece.graph.evidence.copy()
    evidence[: len(variables)][must[: len(variables)] >= 0] = OPEN
    evidence[len(variables) :][evidence[len(variables) :] == OPEN] = 0  # of other groups: no factor here names them
    graph = FactorGraph(
        np.concatenate([piece.graph.cardinality, d.cardinality[was_clamped]]),
        np.concatenate([evidence, d.before[was_clamped]]).astype(np.int32),
        Factors.joined(parts),
        np.zeros(first, bool),
        piece.graph.soft,
    )
    return Bridge(
        graph,
        piece.variables,
        len(variables),
        weights_after[used],
        weights[d.old.weight],
        np.concatenate([weights_after[d.new.weight], np.full(len(pull), PULL)]),
        must[: len(variables)],
        unknown[: len(variables)],
    )


@dataclass(frozen=True, slots=True)
class Annealed:
    """marginals: of the bridge's graph. steps: distributions in between, with the last. effective: the least of a
    variable. acceptance: of Metropolis-Hastings in the last step, NaN without."""

    marginals: Marginals
    steps: int
    effective: float
    acceptance: float


def annealed(bridge: Bridge, values: NDArray[np.int32], *, seed: int, accept: bool = False) -> Annealed | None:
    """Marginals of the graph after, from N worlds of the graph before; None if no world can be led there.

    values: (group's variables, N), anything where not known. accept: let the last step accept or reject whole worlds
    (joint independence Metropolis-Hastings) instead of weighting them. Deterministic by seed.
    O((2 * steps + 4) * N * literals of the group); 2 bytes a variable and world.
    """
    structure = prepare(bridge.graph)
    rng = generator(seed, 15)
    states = _begin(bridge, structure, values, seed)
    batch = np.arange(len(states)) * BATCHES // max(1, len(states))
    walk = _Walk(structure, states, batch, rng)
    t, steps = 0.0, 1
    while True:
        gain = walk.gains(*bridge.changes)
        step = furthest(gain, 1.0 - t)
        if t + step >= 1.0:
            break
        if steps == MOST_STEPS or not np.isfinite(gain).all():
            return None
        t, steps = t + step, steps + 1
        walk.select(importance_weights(step * gain[None])[0])
        walk.sweep(bridge.weights_at(t), STEP_SWEEPS)
    log_w = (1.0 - t) * gain[None]
    held = np.flatnonzero(bridge.must >= 0)
    log_w[:, (walk.states[:, held] != bridge.must[held]).any(axis=1)] = -np.inf
    shares, acceptance = importance_weights(log_w), np.array([np.nan])
    if effective_size(shares)[0] < BATCHES:
        return None
    if accept:
        shares, acceptance = metropolis_weights(log_w, generator(seed, 16))
    walk.select(shares[0])
    return _finished(bridge, walk, steps, float(acceptance[0]))


def furthest(gain: NDArray[np.float64], rest: float) -> float:
    """The largest step, at most the rest, after which worlds weighted by exp(step * gain) are worth half of them.

    >>> furthest(np.zeros(4), 1.0)
    1.0
    >>> round(furthest(np.array([0.0, 10.0]), 1.0), 2) > 0.5  # two worlds are always worth one
    True
    """

    def worth_at(step: float) -> float:
        return float(effective_size(importance_weights(step * gain[None]))[0])

    enough = WORTH * len(gain)
    if worth_at(rest) >= enough:
        return rest
    low, high = 0.0, rest
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if worth_at(middle) >= enough else (low, middle)
    return low if low > 0 else high


class _Walk:
    """Worlds under way. states: (N, n). batch: (N,) the batch of stored worlds that each descends from."""

    def __init__(self, structure: Structure, states: State, batch: NDArray[np.int64], rng: NDArray[np.uint64]) -> None:
        self.structure, self.states, self.batch, self.rng = structure, states, batch, rng
        self.tally = np.zeros((BATCHES, structure.n_slots), np.float32)

    def gains(self, factors: Factors, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) what these factors add to the log-probability of each world."""
        f = factors
        out = np.empty(len(self.states))
        clause = f.clause if len(f.clause) else np.zeros(1, np.int32)
        _potentials(
            f.function, f.offsets.astype(np.int32), f.variable, f.value, clause, f.weight, f.scale, weights,
            self.states, out,
        )  # fmt: skip
        return out

    def select(self, shares: NDArray[np.float64]) -> None:
        """Draw as many worlds by their shares, each as often as its share says, up to one (systematic resampling)."""
        chosen = systematic(shares, next_uniform(self.rng))
        self.states, self.batch = self.states[chosen], self.batch[chosen]

    def sweep(self, weights: NDArray[np.float64], n: int) -> None:
        """Draw every variable of every world anew, n times, and add up the probabilities by batch."""
        self.tally[:] = 0
        scores = np.zeros(int(np.diff(self.structure.arrays.slots).max(initial=1)))
        p = potentials(self.structure, weights)
        _sweep_worlds(n, self.structure.arrays, p, self.states, self.batch, self.rng, self.tally, scores)


def systematic(shares: NDArray[np.float64], u: float) -> NDArray[np.int64]:
    """(N,) places, ascending: place i about N * shares[i] times. u: in [0, 1).

    >>> systematic(np.array([0.5, 0.0, 0.25, 0.25]), 0.3).tolist()
    [0, 0, 2, 3]
    """
    n = len(shares)
    ends = np.cumsum(shares)
    last = int(np.flatnonzero(shares)[-1])
    return np.minimum(np.searchsorted(ends, (np.arange(n) + u) / n * ends[-1], side="right"), last)


def _begin(bridge: Bridge, structure: Structure, values: NDArray[np.int32], seed: int) -> State:
    """(N, n) the worlds before; what they do not know is drawn evenly, which is what p0 says of it."""
    dtype = structure.known.dtype
    states: State = np.repeat(structure.known[None], values.shape[1], axis=0)
    asked = np.arange(bridge.n_asked)
    is_open = structure.place[: bridge.n_asked] >= 0
    states[:, asked[is_open]] = values[is_open].T.astype(dtype)
    rng = np.random.default_rng([seed, 17])
    for v in np.flatnonzero(bridge.unknown & is_open):
        states[:, v] = rng.integers(0, bridge.graph.cardinality[v], len(states)).astype(dtype)
    return states


def _finished(bridge: Bridge, walk: _Walk, steps: int, acceptance: float) -> Annealed:
    """Hold the evidence, sweep under p_1, and average."""
    held = np.flatnonzero(bridge.must >= 0)
    evidence = bridge.graph.evidence.copy()
    evidence[held] = bridge.must[held]
    if len(held):
        walk = _Walk(prepare(bridge.graph.with_evidence(evidence)), walk.states, walk.batch, walk.rng)
    walk.sweep(bridge.weights_at(1.0), LAST_SWEEPS)
    structure, slots = walk.structure, walk.structure.arrays.slots
    n = len(walk.states) * LAST_SWEEPS
    mean = walk.tally.sum(axis=0, dtype=np.float64) / n
    expected = np.bincount(walk.batch, minlength=BATCHES)[:, None] * LAST_SWEEPS * mean
    variance = np.square(walk.tally - expected).sum(axis=0) / n**2 * BATCHES / (BATCHES - 1)
    worth = np.where(variance > 1e-14, mean * (1 - mean) / np.maximum(variance, 1e-14), np.inf)
    effective = np.full(bridge.graph.n_variables, np.inf)
    if len(structure.variables):
        effective[structure.variables] = np.minimum.reduceat(worth, slots[:-1])
    engine = np.where(evidence == OPEN, Engine.METROPOLIS if acceptance == acceptance else Engine.IMPORTANCE, 0)
    r_hat = np.full(len(effective), np.nan)
    marginals = Marginals(laid_out(structure, mean), engine.astype(np.uint8), r_hat, effective)
    return Annealed(marginals, steps, float(effective.min(initial=np.inf)), acceptance)


@compiled
def _potentials(function, offsets, variable, value, clause, weight, scale, weights, states, out):
    for i in range(len(states)):
        out[i] = log_potential(function, offsets, variable, value, clause, weight, scale, weights, states[i])


@compiled
def _sweep_worlds(n_sweeps, a, p, states, batch, rng, tally, scores):
    for i in range(len(states)):
        sweeps(n_sweeps, a, p, states[i], rng, tally[batch[i]], scores)
