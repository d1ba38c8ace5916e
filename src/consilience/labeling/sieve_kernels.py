"""The compiled loop under `sieve`: all runs of bytes looked for at once, one bit of a word for each of their places."""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np

from consilience.labeling.phrase_kernels import ONE, compiled


def mark_all(text, text_offsets, first, last, passes, flags):
    """Set flags of what rows first..last have: see `mark`, whose tables are the passes."""
    for tables in passes:
        mark(text, text_offsets, first, last, *tables, flags)


@compiled
def mark(text, text_offsets, first, last, places, begins, ends, owner_offsets, owners, flags):
    """Set flags of the owners of runs that rows first..last have.

    places: (256, 4) uint64, by byte, the bits of the places where it may stand; begins, ends: (4,), the bits of first
    and last places. owners: of bit b, owner_offsets[b] to [b + 1]. flags: (owners, rows), where to set them.

    A bit says that the run up to its place stands just before; so the next byte moves all bits by one, and keeps
    those at whose place it may stand.
    """
    begin0, begin1, begin2, begin3 = begins
    found = np.zeros(4, np.uint64)
    for row in range(first, last):
        now0 = now1 = now2 = now3 = np.uint64(0)
        ever0 = ever1 = ever2 = ever3 = np.uint64(0)
        for at in range(np.uintp(text_offsets[row]), np.uintp(text_offsets[row + 1])):
            byte = text[at]
            now0 = (now0 << ONE | begin0) & places[byte, 0]
            now1 = (now1 << ONE | begin1) & places[byte, 1]
            now2 = (now2 << ONE | begin2) & places[byte, 2]
            now3 = (now3 << ONE | begin3) & places[byte, 3]
            ever0 |= now0
            ever1 |= now1
            ever2 |= now2
            ever3 |= now3
        found[0], found[1], found[2], found[3] = ever0, ever1, ever2, ever3
        for word in range(4):
            bits = found[word] & ends[word]
            bit = 64 * word
            while bits:
                if bits & ONE:
                    for owner in range(owner_offsets[bit], owner_offsets[bit + 1]):
                        flags[owners[owner], row] = True
                bits >>= ONE
                bit += 1
