"""The compiled loop under `sieve`: all runs of bytes looked for at once, one bit of a word for each of their places."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled
from consilience.labeling.phrase_kernels import ONE


def mark_all(text, text_offsets, first, passes, flags):
    """Set flags of what rows have: see `mark`, whose tables are the passes."""
    for tables in passes:
        mark(text, text_offsets, first, *tables, flags)


@compiled
def mark(text, text_offsets, first, places, begins, ends, owner_offsets, owners, flags):
    """Set flags of the owners of runs that rows have, the first of which is called `first`.

    places: (256, 2) uint64, by byte, the bits of the places where it may stand; begins, ends: (2,), the bits of first
    and last places. owners: of bit b, owner_offsets[b] to [b + 1]. flags: (owners, rows), where to set them.

    A bit says that the run up to its place stands just before; so the next byte moves all bits by one, and keeps
    those at whose place it may stand. Two words at a time: one alone would wait for itself half the time.
    """
    begin0, begin1 = begins
    for row in range(first, first + len(text_offsets) - 1):
        start, end = np.uintp(text_offsets[row - first]), np.uintp(text_offsets[row - first + 1])
        now0 = now1 = ever0 = ever1 = np.uint64(0)
        for at in range(start, end):
            byte = text[at]
            now0 = (now0 << ONE | begin0) & places[byte, 0]
            now1 = (now1 << ONE | begin1) & places[byte, 1]
            ever0 |= now0
            ever1 |= now1
        for word, ever in enumerate((ever0, ever1)):
            bits, bit = ever & ends[word], 64 * word
            while bits:
                if bits & ONE:
                    for owner in range(owner_offsets[bit], owner_offsets[bit + 1]):
                        flags[owners[owner], row] = True
                bits >>= ONE
                bit += 1
