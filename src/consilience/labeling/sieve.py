"""Rows that patterns may match, found for all patterns of a run in one pass: only these are asked by expression.

Each pattern that needs some run of characters (see `needed`) may match only where one stands. What is found by way of
this pass is what the expressions find alone; whether it is made is a matter of size.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.labeling.needed import Run, Runs
from consilience.labeling.phrases import START_S, over_rows

Mask = npt.NDArray[np.bool_]
WORDS, BITS = 2, 64  # of a pass: each run has as many bits of one word as it has places


def worth_sieving(needs: Sequence[Runs], texts: pl.Series) -> bool:
    """Whether a pass costs less than it saves. Figures: measured on short texts."""
    if len(needs) < 2:
        return False
    megabytes = int(texts.str.len_bytes().sum()) / 1e6
    ready = "consilience.labeling.sieve_kernels" in sys.modules
    saved, a_pass = 4e-4 * megabytes * len(needs) - START_S * (not ready), 1.1e-3 * megabytes
    return saved > a_pass and saved > a_pass * len(_packed(needs))


def sieved(needs: Sequence[Runs], texts: pl.Series) -> Mask:
    """Where one of the runs of each need stands. texts: (n,) strings; a null has none. returns: (needs, n).

    About 1 ns a byte of text for each 128 bytes of runs.
    """
    from consilience.labeling import sieve_kernels

    flags = np.zeros((len(needs), len(texts)), bool)
    passes = [_tables(runs, needs) for runs in _packed(needs)]
    over_rows(texts, sieve_kernels.mark_all, passes, flags)
    return flags


def _packed(needs: Sequence[Runs]) -> list[list[list[Run]]]:
    """The distinct runs, packed into words, and these into passes."""
    every = sorted(frozenset[Run]().union(*needs), key=lambda run: (len(run), [sorted(place) for place in run]))
    words: list[list[Run]] = []
    for run in every:
        if not words or sum(map(len, words[-1])) + len(run) > BITS:
            words.append([])
        words[-1].append(run)
    return [words[start : start + WORDS] for start in range(0, len(words), WORDS)]


def _tables(words: list[list[Run]], needs: Sequence[Runs]) -> tuple[npt.NDArray[np.generic], ...]:
    """What the kernel wants of the runs of one pass."""
    places = np.zeros((256, WORDS), np.uint64)
    begins, ends = np.zeros(WORDS, np.uint64), np.zeros(WORDS, np.uint64)
    owners: list[list[int]] = [[] for _ in range(WORDS * BITS)]
    for word, runs in enumerate(words):
        bit = 0
        for run in runs:
            begins[word] |= np.uint64(1 << bit)
            for place in run:
                places[list(place), word] |= np.uint64(1 << bit)
                bit += 1
            ends[word] |= np.uint64(1 << (bit - 1))
            owners[word * BITS + bit - 1] = [owner for owner, need in enumerate(needs) if run in need]
    offsets = np.cumsum([0, *map(len, owners)])
    return places, begins, ends, offsets, np.array([one for some in owners for one in some], np.int64)
