"""Pairwise tables, forests and penalised regressions in loops: what the search for dependencies computes fast."""

from __future__ import annotations

import math


def pair_shares(votes: list[list[int]], counts: list[float], a: int, b: int, s: int) -> list[list[float]]:
    """Share of rows on which functions a and b say each two things; symbol 0 is nothing."""
    table = [[0.0] * s for _ in range(s)]
    for row, count in zip(votes, counts, strict=True):
        table[row[a] + 1][row[b] + 1] += count / sum(counts)
    return table


def tree_joint(
    theta: list[list[list[float]]],
    links: dict[int, list[list[list[float]]]],
    parents: list[int],
    balance: list[float],
    symbols: tuple[int, ...],
) -> float:
    """P(what all functions say), summed over classes: roots by their table, others by their link."""
    total = 0.0
    for y, share in enumerate(balance):
        p = share
        for j, symbol in enumerate(symbols):
            p *= theta[j][y][symbol] if parents[j] < 0 else links[j][y][symbols[parents[j]]][symbol]
        total += p
    return total


def regression_value(
    rows: list[tuple[list[int], list[float]]],
    base: list[list[float]],
    weights: list[float],
    ridge: float,
    centre: list[list[float]],
) -> float:
    """Mean log P(first symbol | the others, class), by weighted class, with the pull to the centre.

    rows: (symbols, the function's own first; mass of each class).
    """
    total = 0.0
    for symbols, mass in rows:
        own, others = symbols[0], symbols[1:]
        for y, share in enumerate(mass):
            logits = [
                value + sum(w for w, other in zip(weights, others, strict=True) if other == s)
                for s, value in enumerate(base[y])
            ]
            total += share * (logits[own] - math.log(sum(map(math.exp, logits))))
    for y, row in enumerate(base):
        whole = math.log(sum(map(math.exp, row)))
        for s, value in enumerate(row):
            total += ridge * centre[y][s] * (value - whole) - 1e-6 * value**2
    return total
