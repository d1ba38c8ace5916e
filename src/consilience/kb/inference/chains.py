"""Chains of Gibbs sampling: where each begins, its own random numbers, and running them on several threads.

Each chain has its own state, counter and tally, so what comes out does not depend on the number of threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.kb.inference.gibbs_kernels import sweeps
from consilience.kb.inference.structure import Potentials, State, Structure


@dataclass(slots=True)
class Chain:
    """One chain. state: (n,) a world. rng: (1,) uint64. tally: (slots,) float32: sums of probabilities."""

    structure: Structure
    state: State
    rng: NDArray[np.uint64]
    tally: NDArray[np.float32]
    scores: NDArray[np.float64]

    def sweep(self, potentials: Potentials, n: int = 1) -> None:
        """Draw every variable n times, adding to the tally."""
        sweeps(n, self.structure.arrays, potentials, self.state, self.rng, self.tally, self.scores)


def new_chain(structure: Structure, state: State, seed: int, number: int) -> Chain:
    """A chain from a world. state: (n,), copied; values of clamped variables are put in."""
    mine: State = np.where(structure.place >= 0, state, structure.known).astype(structure.known.dtype)
    widest = int(np.diff(structure.arrays.slots).max(initial=2))
    tally = np.zeros(structure.n_slots, np.float32)
    return Chain(structure, mine, generator(seed, number), tally, np.zeros(widest))


def generator(seed: int, number: int) -> NDArray[np.uint64]:
    """The random numbers of one chain: (1,) uint64, a counter that starts where seed and number say."""
    return np.random.SeedSequence([seed, number]).generate_state(2).view(np.uint64)


def starts(structure: Structure, n: int, seed: int) -> list[State]:
    """Worlds for n chains to begin in, far apart: all lowest values, all highest, then at random.

    Chains that begin alike would agree even where they cannot move, and look converged.
    """
    top = _top(structure)
    rng = np.random.default_rng([seed, 1])
    made: list[State] = [np.zeros_like(structure.known), top.astype(structure.known.dtype)]
    while len(made) < n:
        made.append((rng.random(len(top), np.float32) * (top + 1)).astype(structure.known.dtype))
    return made[:n]


def _top(structure: Structure) -> NDArray[np.int32]:
    """(n,) the highest value of each variable."""
    return (np.diff(structure.value_offsets) - 1).astype(np.int32)


def sweep_all(chains: list[Chain], potentials: Potentials, n: int, *, threads: int | None = None) -> None:
    """Sweep every chain n times, on as many threads as there are cores."""
    threads = min(len(chains), threads or available_cores())
    if threads == 1 or n * len(potentials.field) < 20_000:  # a thread costs more than a small graph's sweeps
        for chain in chains:
            chain.sweep(potentials, n)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda chain: chain.sweep(potentials, n), chains))


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
