"""Stored worlds: draws from a distribution, a bit or a few for each variable of each world.

Read by every strategy that reweights what was sampled before a change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    def put(self, variables: NDArray[np.integer], values: NDArray[np.integer]) -> None:
        """Store (variables, N) values of variables that have room. O(variables * N)."""
        first, width = self.rows[variables], np.diff(self.rows)[variables]
        for bit in range(int(width.max(initial=0))):
            mine = width > bit
            self.bits[first[mine] + bit] = np.packbits((values[mine] >> bit) & 1, axis=1, bitorder="little")
