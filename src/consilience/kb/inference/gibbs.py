"""Marginals by Gibbs sampling: several chains, how far they disagree, and how many independent draws they are worth.

Follows `structure.py` (what touches a variable) and `chains.py`; the last rung of the ladder of engines.
Source: Geman & Geman 1984. Departs: probabilities are averaged, not draws; factors of one open variable are summed
beforehand; strongly coupled Boolean variables are also flipped together (`clusters.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.inference.chains import Chain, new_chain, starts, sweep_all
from consilience.kb.inference.diagnostics import diagnose
from consilience.kb.inference.structure import State, Structure, potentials, prepare
from consilience.progress import working

CONVERGED = 1.01  # of R-hat: Vehtari et al. 2021
STUCK = 1.1
SHARE = 0.99  # of the variables that must have converged
TALLY_BYTES = 512 * 2**20
SHORTEST_BATCH = 25


class Stopped(Enum):
    """Why sampling ended."""

    EPOCHS = "all epochs asked for were run"
    CONVERGED = "the chains agree, and are worth as many draws as were asked for"
    BUDGET = "the budget of epochs was spent before the chains were worth as many draws as were asked for"


@dataclass(frozen=True, slots=True)
class Sampled:
    """What sampling found.

    probability: (values,) float64, laid out by `FactorGraph.value_offsets`; 1 at known values, NaN at variables that
    are open and were not sampled. r_hat, effective: (n,) as in `Marginals`, NaN and infinity where not sampled.
    epochs: sweeps of each chain that count, after burn_in others. states: (chains, n): where the chains ended.
    """

    probability: NDArray[np.float64]
    r_hat: NDArray[np.float64]
    effective: NDArray[np.float64]
    variables: NDArray[np.int32]
    chains: int
    burn_in: int
    epochs: int
    stopped: Stopped
    states: State

    @property
    def worst_r_hat(self) -> float:
        """The largest R-hat of a variable; 1 if none was sampled."""
        return float(self.r_hat[self.variables].max(initial=1.0))

    @property
    def least_effective(self) -> float:
        """The fewest independent draws that a variable's marginal is worth."""
        return float(self.effective[self.variables].min(initial=np.inf))

    @property
    def stuck(self) -> NDArray[np.int32]:
        """Variables whose chains disagree (R-hat above 1.1): their marginals are not to be trusted."""
        return np.sort(self.variables[self.r_hat[self.variables] > STUCK])

    def __str__(self) -> str:
        said = (
            f"{len(self.variables):,} variables, {self.chains} chains of {self.epochs:,} sweeps "
            f"after {self.burn_in:,}; worst R-hat {self.worst_r_hat:.3f}, "
            f"least effective draws {self.least_effective:,.0f}; {self.stopped.value}"
        )
        return said + (f"; {len(self.stuck):,} variables have not mixed" if len(self.stuck) else "")


def sample(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    variables: NDArray[np.integer] | None = None,
    *,
    chains: int = 4,
    burn_in: int | None = None,
    epochs: int = 1000,
    effective: float | None = None,
    seed: int = 0,
    start: State | None = None,
    structure: Structure | None = None,
    flips: bool = True,
    threads: int | None = None,
) -> Sampled:
    """Marginals of the variables that are open, by Gibbs sampling.

    weights: (W,). variables: those to sample, whole components; by default all that are open.
    chains: at least 2. epochs: sweeps of each chain that count (rounded up to even batches); burn_in: sweeps before,
    by default a fifth of them and at least 20.
    effective: stop early when 99% of the variables have an R-hat under 1.01 and are worth that many independent draws;
    epochs are then the most that is run. start: (n,) or (chains, n) worlds to begin in, by default far apart.
    structure: of `prepare` with the same graph and variables, to save making it. flips: as in `potentials`.
    The answer depends on the seed, and not on the number of threads.
    raises: GraphError for weights of another number, weights that are not finite, or a part of a component.

    O(terms) a sweep; 20M to 70M draws a second and core on a sparse Boolean graph. Memory: up to 0.5 GB of tallies.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> equal, true = (FactorFunction.EQUAL, [(0, 1), (1, 1)], 0), (FactorFunction.IS_TRUE, [(0, 1)], 1)
    >>> graph = FactorGraph.of([2, 2], [equal, true])
    >>> found = sample(graph, np.array([0.5, 1.0]), epochs=4000)
    >>> found.probability.round(1)
    array([0.1, 0.9, 0.3, 0.7])
    """
    check_request(graph, weights, chains, epochs)
    structure = structure or prepare(graph, variables)
    p = potentials(structure, weights, flips=flips)
    burn_in = max(20, epochs // 5) if burn_in is None else burn_in
    made = chains_of(structure, chains, seed, start)
    n_batches, length, doublings = _plan(structure.n_slots, chains, epochs, adaptive=effective is not None)
    tally = np.zeros((chains, n_batches, structure.n_slots), np.float32)
    m = len(structure.variables)
    r_hat, worth, mean = np.ones(m), np.full(m, np.inf), np.zeros(structure.n_slots)
    with working("sampling", burn_in + epochs) as tick:
        sweep_all(made, p, burn_in, threads=threads)
        tick(burn_in)
        done = 0
        while True:
            for b in range(done, n_batches):
                _tally_into(made, tally[:, b])
                sweep_all(made, p, length, threads=threads)
                tick(length)
            diagnose(tally, float(length), structure.arrays.slots, r_hat, worth, mean)
            enough = effective is not None and bool(np.mean((r_hat < CONVERGED) & (worth >= effective)) >= SHARE)
            if enough or doublings == 0 or m == 0:
                break
            done, length, doublings = _halve(tally), 2 * length, doublings - 1
    stopped = Stopped.EPOCHS if effective is None else Stopped.CONVERGED if enough or m == 0 else Stopped.BUDGET
    states: State = np.stack([chain.state for chain in made])
    return Sampled(
        laid_out(structure, mean),
        _spread(structure, r_hat, np.nan),
        _spread(structure, worth, np.inf),
        structure.variables,
        chains,
        burn_in,
        n_batches * length,
        stopped,
        states,
    )


def chains_of(structure: Structure, n: int, seed: int, start: State | None = None) -> list[Chain]:
    """n chains, each with its own random numbers. start: (n_variables,) or (n, n_variables), by default far apart."""
    begin = starts(structure, n, seed) if start is None else np.broadcast_to(start, (n, len(structure.known)))
    return [new_chain(structure, state, seed, number) for number, state in enumerate(begin)]


def check_request(graph: FactorGraph, weights: NDArray[np.float64], chains: int, epochs: int) -> None:
    """Raise GraphError for what cannot be sampled."""
    if len(weights) != graph.n_weights:
        raise GraphError(
            f"The graph has {graph.n_weights} weights, and {len(weights)} values were given.\n"
            "Fix: give one value for each weight."
        )
    bad = np.flatnonzero(~np.isfinite(weights))
    if len(bad):
        raise GraphError(f"Weight {bad[0]} is {weights[bad[0]]}.\nFix: weights are finite numbers.")
    if chains < 2 or epochs < 1:
        raise GraphError(
            f"{chains} chains of {epochs} sweeps were asked for.\n"
            "Fix: at least 2 chains, which can disagree, of at least 1 sweep."
        )


def _plan(n_slots: int, chains: int, epochs: int, *, adaptive: bool) -> tuple[int, int, int]:
    """How many batches (even), sweeps in each at first, and how often that may be doubled."""
    fit = TALLY_BYTES // max(1, 4 * chains * n_slots)
    n_batches = int(min(16, max(4, fit))) & ~1
    doublings = max(0, int(np.log2(max(1.0, epochs / (n_batches * SHORTEST_BATCH))))) if adaptive else 0
    return n_batches, -(-epochs // (n_batches << doublings)), doublings


def _tally_into(chains: list[Chain], rows: NDArray[np.float32]) -> None:
    """Let each chain add to its own row from now on."""
    rows[:] = 0
    for chain, row in zip(chains, rows, strict=True):
        chain.tally = row


def _halve(tally: NDArray[np.float32]) -> int:
    """Join each two batches, in place. returns: how many are left."""
    half = tally.shape[1] // 2
    for b in range(half):
        tally[:, b] = tally[:, 2 * b] + tally[:, 2 * b + 1]
    return half


def laid_out(structure: Structure, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of slots as probabilities of all values."""
    at, slots = structure.value_offsets, structure.arrays.slots
    out = np.zeros(int(at[-1]))
    clamped = np.flatnonzero((structure.place < 0) & (structure.known >= 0))
    out[at[clamped] + structure.known[clamped]] = 1.0
    missing = (structure.place < 0) & (structure.known < 0)
    if missing.any():
        out[np.repeat(missing, np.diff(at))] = np.nan
    boolean = structure.is_boolean
    v = structure.variables[boolean]
    out[at[v] + 1] = mean[slots[:-1][boolean]]
    out[at[v]] = 1.0 - out[at[v] + 1]
    for i in np.flatnonzero(~boolean):
        begin = at[structure.variables[i]]
        share = mean[slots[i] : slots[i + 1]]
        out[begin : begin + len(share)] = share / share.sum()
    return out


def _spread(structure: Structure, found: NDArray[np.float64], elsewhere: float) -> NDArray[np.float64]:
    """(n,) from (m,)."""
    out = np.full(len(structure.place), elsewhere)
    out[structure.variables] = found
    return out
