"""Sums over the votes that were cast, where most were not: what pattern_tables.py does, for crowds of hundreds.

The votes are a sparse matrix of ones, patterns x (function, code). Silence is not stored: a state's sum begins as if
everyone were silent, and each vote cast corrects it. So a sum costs one step a vote, however many functions are silent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.label_models.pattern_tables import PatternTables, block_size

Floats = npt.NDArray[np.float64]
# nanoseconds that each way takes, measured; only their ratio matters
LOOK_UP, BLOCK = 4, 12_000  # of tables: a pattern, a block, for each block and state
VOTE, VOTE_STATE, PATTERN_STATE = 3, 1, 5  # of cells: a vote, a vote and state, a pattern and state


class VoteCells:
    """The same two sums as PatternTables, in time that grows with the votes cast.

    votes: (p, m) codes, -1 abstains; a symbol of a function is its code + 1, so symbol 0 is abstaining.
    n_states: g, what the tables are conditioned on: the classes, or finer states. n_codes: how many things a vote can
    say; s = n_codes + 1 symbols.
    """

    def __init__(self, votes: npt.NDArray[Any], n_states: int, n_codes: int) -> None:
        from scipy import sparse  # here, because it takes longer to load than all the rest

        (self.n_patterns, self.m), self.n_codes, self.n_states = votes.shape, n_codes, n_states
        columns, rows = np.nonzero(votes.T >= 0)  # columns lie together in memory
        places = columns * n_codes + votes[rows, columns]
        shape = (self.n_patterns, self.m * n_codes)
        self._cast = sparse.csr_array((np.ones(len(rows)), (rows, places)), shape=shape)
        self._by_vote = self._cast.T.tocsr()

    def log_likelihood(self, log_theta: Floats) -> Floats:
        """Sum over functions of log P(symbol | state). log_theta: (m, g, s). returns: (g, p)."""
        if_silent = log_theta[:, :, :1]
        gained = (log_theta[:, :, 1:] - if_silent).transpose(0, 2, 1).reshape(-1, self.n_states)
        total: Floats = self._cast @ np.ascontiguousarray(gained)
        total += if_silent.sum(axis=(0, 2))
        return np.ascontiguousarray(total.T)

    def expected_counts(self, weights: Floats) -> Floats:
        """Weight of each symbol of each function, by state. weights: (g, p). returns: (m, g, s)."""
        cast = self._by_vote @ np.ascontiguousarray(weights.T)
        counts = np.empty((self.m, self.n_states, self.n_codes + 1))
        counts[:, :, 1:] = cast.reshape(self.m, self.n_codes, self.n_states).transpose(0, 2, 1)
        counts[:, :, 0] = np.maximum(weights.sum(axis=1) - counts[:, :, 1:].sum(axis=2), 0.0)
        return counts


def sums_over_votes(votes: npt.NDArray[Any], n_states: int, n_codes: int) -> PatternTables | VoteCells:
    """Whichever way to sum over these votes is quicker. votes: (p, m)."""
    p, m = votes.shape
    n_blocks = -(-m // block_size(n_codes + 1, max(p, n_codes + 1)))
    n_cast = sum(int(np.count_nonzero(column >= 0)) for column in votes.T)
    by_tables = n_states * n_blocks * (BLOCK + LOOK_UP * p)
    by_cells = n_cast * (VOTE + VOTE_STATE * n_states) + PATTERN_STATE * p * n_states
    return (VoteCells if by_cells < by_tables else PatternTables)(votes, n_states, n_codes)
