"""Worlds drawn by Gibbs sampling and kept, a bit or a few a variable: what incremental inference reads.

A variable's values in all worlds stand together, so that one variable is read without touching the others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.inference.chains import Chain, available_cores
from consilience.kb.inference.gibbs import chains_of, check_request
from consilience.kb.inference.structure import Potentials, State, Structure, potentials, prepare
from consilience.progress import working

BLOCK = 64  # worlds of a chain that are packed together


@dataclass(slots=True)
class Worlds:
    """N worlds. A variable of k values has ceil(log2 k) rows of bits, the lowest first; one that is not stored, none.

    rows: (n + 1,) int64: the rows of variable v are rows[v]:rows[v + 1]. bits: (rows, ceil(N / 8)) uint8, the first
    world in the lowest bit.
    """

    n: int
    rows: NDArray[np.int64]
    bits: NDArray[np.uint8]

    @staticmethod
    def empty(cardinality: NDArray[np.int32], stored: NDArray[np.bool_], n: int) -> Worlds:
        """Room for n worlds of the stored variables, all of value 0.

        >>> Worlds.empty(np.array([2, 5, 2], np.int32), np.array([True, True, False]), 9).bits.shape
        (4, 2)
        """
        width = np.where(stored, np.ceil(np.log2(np.maximum(cardinality, 1))), 0).astype(np.int64)
        rows = np.concatenate([[0], np.cumsum(width)]).astype(np.int64)
        return Worlds(n, rows, np.zeros((int(rows[-1]), (n + 7) // 8), np.uint8))

    def has(self, variables: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of these variables are stored."""
        known = variables < len(self.rows) - 1
        at = np.where(known, variables, 0)
        return known & (self.rows[at + 1] > self.rows[at]) if len(self.rows) > 1 else np.zeros(len(at), bool)

    def values(self, variables: NDArray[np.integer]) -> NDArray[np.int32]:
        """(variables, N): the value of each in each world; 0 where a variable is not stored. O(variables * N)."""
        out = np.zeros((len(variables), self.n), np.int32)
        here = np.flatnonzero(self.has(variables))
        first, width = self.rows[variables[here]], np.diff(self.rows)[variables[here]]
        for bit in range(int(width.max(initial=0))):
            mine = width > bit
            unpacked = np.unpackbits(self.bits[first[mine] + bit], axis=1, count=self.n, bitorder="little")
            out[here[mine]] |= unpacked.astype(np.int32) << bit
        return out

    def put(self, variables: NDArray[np.integer], values: NDArray[np.integer], *, at: int = 0) -> None:
        """Store (variables, worlds) values of variables that have room, from world `at` on, a multiple of 8."""
        first, width = self.rows[variables], np.diff(self.rows)[variables]
        begin, n_bytes = at // 8, (values.shape[1] + 7) // 8
        for bit in range(int(width.max(initial=0))):
            mine = width > bit
            packed = np.packbits((values[mine] >> bit) & 1, axis=1, bitorder="little")
            self.bits[first[mine] + bit, begin : begin + n_bytes] = packed


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
) -> Worlds:
    """n worlds of the open variables, drawn from the distribution of a graph: each chain's stand together, in turn.

    thin: sweeps between two worlds of a chain; burn_in: sweeps before the first. All else as in `sample`.
    raises: GraphError. n * thin + chains * burn_in sweeps; n bits a Boolean variable.

    >>> graph = FactorGraph.of([2, 2], [], evidence=[1, -1])
    >>> kept = worlds(graph, np.zeros(0), 100)
    >>> kept.has(np.array([0, 1])).tolist(), kept.bits.shape
    ([False, True], (1, 13))
    """
    check_request(graph, weights, max(2, chains), 1)
    structure = structure or prepare(graph)
    out = Worlds.empty(graph.cardinality, structure.place >= 0, n)
    made = chains_of(structure, chains, seed, start)
    fill(out, made, structure, potentials(structure, weights), burn_in, thin, threads=threads)
    return out


def fill(
    out: Worlds,
    chains: list[Chain],
    structure: Structure,
    p: Potentials,
    burn_in: int,
    thin: int,
    *,
    threads: int | None = None,
) -> None:
    """Draw all worlds of the variables of a structure into `out`, which has room for them."""
    ends = np.minimum(np.linspace(0, (out.n + 7) // 8, len(chains) + 1).astype(int) * 8, out.n)  # no byte is shared
    with (
        working("drawing worlds", out.n) as tick,
        ThreadPoolExecutor(min(len(chains), threads or available_cores())) as pool,
    ):
        jobs = [
            pool.submit(_fill, out, chain, structure.variables, p, int(ends[c]), int(ends[c + 1]), burn_in, thin)
            for c, chain in enumerate(chains)
        ]
        for job in jobs:
            tick(job.result())


def _fill(
    out: Worlds,
    chain: Chain,
    variables: NDArray[np.int32],
    p: Potentials,
    begin: int,
    end: int,
    burn_in: int,
    thin: int,
) -> int:
    """Put a chain's worlds into their places."""
    if end > begin:
        chain.sweep(p, burn_in)
    for first in range(begin, end, BLOCK):
        block = np.empty((len(variables), min(BLOCK, end - first)), chain.state.dtype)
        for i in range(block.shape[1]):
            chain.sweep(p, thin)
            block[:, i] = chain.state[variables]
        out.put(variables, block, at=first)
    return end - begin
