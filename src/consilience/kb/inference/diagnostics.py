"""Whether chains agree, and how many independent draws they are worth, from sums over a few batches of sweeps.

Source: Vehtari et al. 2021 (split R-hat), Flegal & Jones 2010 (batch means). Departs: means are of probabilities, not
of draws, so that a variable can be worth more independent draws than were made; and an indicator is not ranked: it has
two values, and ranks would say the same.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled

# Means are kept in single precision. Below these, a difference is rounding
AGREE = 1e-10  # variance between halves of chains: they differ by a hundred-thousandth
EXACT = 1e-14  # variance of the estimate


@compiled
def diagnose(tally, length, slots, r_hat, effective, mean):
    """Fill in what a tally says.

    tally: (chains, batches, slots) float32, sums over `length` sweeps; batches is even. slots: (m + 1,).
    r_hat, effective: (m,): the worst of a variable's values. mean: (slots,) float64. O(tally).
    """
    n_chains, n_batches, _ = tally.shape
    half = n_batches // 2
    for i in range(len(slots) - 1):
        r_hat[i], effective[i] = 1.0, np.inf
        for slot in range(slots[i], slots[i + 1]):
            total, squares, within, half_squares = 0.0, 0.0, 0.0, 0.0
            for c in range(n_chains):
                for start in (0, half):
                    part = 0.0
                    for b in range(start, start + half):
                        batch = tally[c, b, slot] / length
                        part += batch
                        squares += batch * batch
                    total += part
                    part /= half
                    within += part * (1.0 - part)
                    half_squares += part * part
            n, halves = n_chains * n_batches, 2 * n_chains
            centre = total / n
            mean[slot] = min(max(centre, 0.0), 1.0)
            between = max(half_squares - halves * centre * centre, 0.0) / (halves - 1)
            if between > AGREE:
                r_hat[i] = max(r_hat[i], np.sqrt(1.0 + between / max(within / halves, 1e-300)))
            error = max(squares - n * centre * centre, 0.0) / (n - 1) / n
            if error > EXACT:
                effective[i] = min(effective[i], mean[slot] * (1.0 - mean[slot]) / error)
