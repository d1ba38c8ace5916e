"""A biased coin: one weight is learned from the throws that were seen, and says what the others will show.

    python examples/kb/biased_coin/run.py

A true head is worth w, a false one -w, so P(heads) = 1 / (1 + exp(-2w)). With h heads and t tails seen and a penalty of
l / 2 w², the best w solves 2h - 2(h + t) P(heads) = l w; without the penalty P(heads) would be h / (h + t).
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
from scipy.optimize import brentq

import consilience as cs

HERE = Path(__file__).parent
HEADS, TAILS, UNSEEN = 8, 1, 3
L2 = 0.01


def found() -> tuple[float, dict[int, float]]:
    """The learned weight, and the probability of heads of each throw that was not seen."""
    seen = HEADS + TAILS
    kb = cs.KnowledgeBase((HERE / "app.ddlog").read_text())
    kb.load("throw", pl.DataFrame({"id": range(seen + UNSEEN)}))
    kb.load("saw", pl.DataFrame({"id": range(seen), "was_heads": [True] * HEADS + [False] * TAILS}))
    kb.run(seed=0, l2=L2)
    rows = kb.marginals("heads").filter(pl.col("id") >= seen).iter_rows(named=True)
    return float(kb.weights()["value"][0]), {row["id"]: row["probability"] for row in rows}


def expected() -> tuple[float, float]:
    """The weight where the penalised likelihood is highest, and P(heads) with it."""

    def slope(w: float) -> float:
        return 2 * HEADS - 2 * (HEADS + TAILS) * probability(w) - L2 * w

    weight = brentq(slope, -10, 10, xtol=1e-12)
    return weight, probability(weight)


def probability(weight: float) -> float:
    """P(heads) at a weight."""
    return 1 / (1 + math.exp(-2 * weight))


def main() -> None:
    """Print both side by side."""
    weight, unseen = found()
    best, heads = expected()
    print(f"{'':<12}{'found':>8}{'expected':>10}")
    print(f"{'weight':<12}{weight:>8.4f}{best:>10.4f}")
    for throw, p in unseen.items():
        print(f"{f'throw {throw}':<12}{p:>8.4f}{heads:>10.4f}")


if __name__ == "__main__":
    main()
