"""Worlds drawn by Gibbs sampling and kept, one bit a Boolean variable: what incremental inference reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.inference.chains import Chain, available_cores
from consilience.kb.inference.gibbs import chains_of, check_request
from consilience.kb.inference.structure import Potentials, State, Structure, potentials, prepare
from consilience.progress import working


@dataclass(frozen=True, slots=True)
class PackedWorlds:
    """Worlds: len(self) of them, of n_variables values each.

    rows: (worlds, bytes) uint8, variable v in bit v % 8 of byte v // 8, if packed; else (worlds, n) int16 or int32.

    >>> PackedWorlds.of(np.array([[1, 0, 1], [0, 0, 1]]), boolean=True).of_variables([2, 0]).tolist()
    [[1, 1], [1, 0]]
    """

    rows: NDArray[Any]
    n_variables: int
    packed: bool

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def of(worlds: State, *, boolean: bool) -> PackedWorlds:
        """Pack worlds. worlds: (worlds, n). boolean: every value is 0 or 1."""
        rows = np.packbits(worlds.astype(bool), axis=1, bitorder="little") if boolean else worlds
        return PackedWorlds(rows, worlds.shape[1], boolean)

    def get(self, t: int) -> State:
        """World t: (n,) int8 if packed, else int16 or int32."""
        if not self.packed:
            return self.rows[t]
        return np.unpackbits(self.rows[t], count=self.n_variables, bitorder="little").view(np.int8)

    def unpack(self) -> State:
        """All worlds: (worlds, n). Eight times the memory, if packed."""
        if not self.packed:
            return self.rows
        return np.unpackbits(self.rows, axis=1, count=self.n_variables, bitorder="little").view(np.int8)

    def of_variables(self, variables: NDArray[np.integer] | list[int]) -> State:
        """Values of these variables in every world: (worlds, len(variables)). Touches nothing else."""
        v = np.asarray(variables, np.int64)
        if not self.packed:
            return self.rows[:, v]
        return ((self.rows[:, v >> 3] >> (v & 7).astype(np.uint8)) & 1).view(np.int8)


def worlds(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    n: int,
    *,
    seed: int = 0,
    thin: int = 5,
    burn_in: int = 200,
    chains: int = 4,
    structure: Structure | None = None,
    start: State | None = None,
    threads: int | None = None,
) -> PackedWorlds:
    """n worlds drawn from the distribution of a graph, clamped evidence among them. World t is of chain t % chains.

    thin: sweeps between two worlds of a chain; burn_in: sweeps before the first. All else as in `sample`.
    raises: GraphError. n * thin + chains * burn_in sweeps; n bits a variable if all are Boolean, else two bytes.

    >>> graph = FactorGraph.of([2, 2], [], evidence=[1, -1])
    >>> kept = worlds(graph, np.zeros(0), 100)
    >>> len(kept), int(kept.get(7)[0])
    (100, 1)
    """
    check_request(graph, weights, max(2, chains), 1)
    structure = structure or prepare(graph)
    p = potentials(structure, weights)
    boolean = bool(graph.cardinality.max(initial=0) <= 2)
    width = (graph.n_variables + 7) // 8 if boolean else graph.n_variables
    rows = np.empty((n, width), np.uint8 if boolean else structure.known.dtype)
    made = chains_of(structure, chains, seed, start)
    with (
        working("drawing worlds", n) as tick,
        ThreadPoolExecutor(min(chains, threads or available_cores())) as pool,
    ):
        jobs = [
            pool.submit(_fill, chain, p, rows[number::chains], burn_in, thin, boolean)
            for number, chain in enumerate(made)
        ]
        for job in jobs:
            tick(job.result())
    return PackedWorlds(rows, graph.n_variables, boolean)


def _fill(chain: Chain, p: Potentials, rows: NDArray[np.generic], burn_in: int, thin: int, boolean: bool) -> int:
    """Write a chain's worlds into its rows."""
    chain.sweep(p, burn_in)
    for row in rows:
        chain.sweep(p, thin)
        row[:] = np.packbits(chain.state != 0, bitorder="little") if boolean else chain.state
    return len(rows)
