"""Distinct rows of a vote matrix and how often each occurs. Label models fit on these, not on rows.

A row of votes is a number in base s+1, where s is how many things a vote can say (abstain is digit 0), so rows are
packed into 64-bit words, as many columns a word as fit, and counting rows is counting numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Votes = npt.NDArray[Any]
Words = list[npt.NDArray[np.uint64]]
ROWS_AT_ONCE = 16_384  # rows packed together: their words stay in the cache
TABLE_ROWS = 65_536  # of the table by which words are unpacked: it stays in the cache


@dataclass(frozen=True)
class Patterns:
    """The distinct rows of a matrix, in a fixed order that the order of rows does not change.

    votes: (p, m); counts: (p,) int64, summing to n; n_symbols: how many things a vote can say.
    """

    votes: Votes
    counts: npt.NDArray[np.int64]
    n_symbols: int

    def places(self, votes: Votes) -> npt.NDArray[np.int64]:
        """Which pattern each row of votes is. votes: (n, m), each of whose rows is a pattern. returns: (n,)."""
        mine, theirs = pack(self.votes, self.n_symbols), pack(votes, self.n_symbols)
        if len(mine) == 1:
            return np.searchsorted(mine[0], theirs[0])
        keys = [f"w{place}" for place in range(len(mine))]
        known = pl.DataFrame(dict(zip(keys, mine, strict=True))).with_row_index("place")
        found = pl.DataFrame(dict(zip(keys, theirs, strict=True))).join(
            known, on=keys, how="left", maintain_order="left"
        )
        return found["place"].to_numpy().astype(np.int64)

    @cached_property
    def n_votes(self) -> npt.NDArray[np.int64]:
        """How many functions voted in each pattern. returns: (p,)."""
        return (self.votes >= 0).sum(axis=1)

    def __len__(self) -> int:
        return len(self.counts)


def find_patterns(votes: Votes, n_symbols: int, counts: npt.NDArray[np.int64] | None = None) -> Patterns:
    """The distinct rows of votes and their counts.

    votes: (n, m) integers, -1 abstains. counts: (n,) how often each row occurs; default once.
    O(n m) to pack, O(n log n) to count; 8 bytes a row and word.

    >>> found = find_patterns(np.array([[1, -1], [0, 0], [1, -1]]), n_symbols=2)
    >>> found.votes.tolist(), found.counts.tolist()
    ([[0, 0], [1, -1]], [1, 2])
    """
    words = pack(votes, n_symbols)
    if len(words) == 1 and counts is None:
        distinct, found = _count_sorted(np.sort(words[0]))
        kept = [distinct]
    else:
        keys = [f"w{place}" for place in range(len(words))]
        frame = pl.DataFrame(dict(zip(keys, words, strict=True)))
        times = pl.len() if counts is None else pl.col("times").sum()
        frame = frame if counts is None else frame.with_columns(pl.Series("times", counts))
        groups = frame.group_by(keys).agg(times.alias("n")).sort(keys)
        kept, found = [groups[key].to_numpy() for key in keys], groups["n"].to_numpy()
    return Patterns(_unpack(kept, votes.shape[1], n_symbols, votes.dtype), found.astype(np.int64), n_symbols)


def _count_sorted(word: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """The distinct numbers of a sorted array, and how often each occurs."""
    if not len(word):
        return word, np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], word[1:] != word[:-1]]))
    return word[starts], np.diff(starts, append=len(word))


def columns_per_word(n_symbols: int) -> int:
    """How many columns of votes fit a 64-bit word.

    >>> columns_per_word(2), columns_per_word(9)
    (40, 19)
    """
    fits = 0
    while (n_symbols + 1) ** (fits + 1) <= 2**64:
        fits += 1
    return fits


def pack(votes: Votes, n_symbols: int) -> Words:
    """Rows of votes as words. votes: (n, m). returns: one or more (n,) uint64 arrays; equal rows have equal words."""
    n, m = votes.shape
    per_word, base = columns_per_word(n_symbols), np.uint64(n_symbols + 1)
    words = []
    for start in range(0, max(m, 1), per_word):
        word = np.zeros(n, np.uint64)
        for first in range(0, n, ROWS_AT_ONCE):
            part = word[first : first + ROWS_AT_ONCE]
            for column in range(start, min(start + per_word, m)):
                part *= base
                part += (votes[first : first + ROWS_AT_ONCE, column] + votes.dtype.type(1)).astype(np.uint64)
        words.append(word)
    return words


def _unpack(words: Words, m: int, n_symbols: int, dtype: np.dtype[Any]) -> Votes:
    """Words back to votes. A few digits are split off at a time, and looked up in a table of all they can be."""
    per_word, base = columns_per_word(n_symbols), n_symbols + 1
    at_once = max(1, int(np.log(TABLE_ROWS) / np.log(base)))
    digits = np.arange(base**at_once)[:, None] // base ** np.arange(at_once) % base - 1  # last column first
    table = np.asfortranarray(digits.astype(dtype))
    votes = np.empty((len(words[0]), m), dtype, order="F")
    for place, word in enumerate(words):
        rest, columns = word, list(reversed(range(place * per_word, min((place + 1) * per_word, m))))
        for start in range(0, len(columns), at_once):
            rest, code = np.divmod(rest, np.uint64(base**at_once))
            code = code.astype(np.intp)
            for digit, column in enumerate(columns[start : start + at_once]):
                votes[:, column] = table[code, digit]
    return votes
