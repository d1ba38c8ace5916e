"""Chains whose first link is known: how far does it reach? Exact on trees, beside the closed form.

    python examples/kb/chain/run.py

Two Boolean neighbours that agree are worth w, that differ -w: after k steps P(true) = (1 + tanh(w)^k) / 2. Two
categorical ones are worth w' if both are heads or both are tails, else 0. Between agreeing and differing lies 2w there
and w' here, so w' = 2w gives the same marginals.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

import consilience as cs

HERE = Path(__file__).parent
LENGTH = 12
BOOLEAN, CATEGORICAL = 0.8, 1.6  # the weights of app.ddlog


def found() -> tuple[dict[int, float], dict[int, float]]:
    """P(up) and P(heads) of each link, from the knowledge base."""
    kb = cs.KnowledgeBase((HERE / "app.ddlog").read_text())
    kb.load("place", pl.DataFrame({"id": range(LENGTH)}))
    kb.load("next_to", pl.DataFrame({"left": range(LENGTH - 1), "right": range(1, LENGTH)}))
    kb.load("first", pl.DataFrame({"id": [0]}))
    kb.run(seed=0)
    up = {row["id"]: row["probability"] for row in kb.marginals("up").iter_rows(named=True)}
    coin = kb.marginals("coin").filter(pl.col("side") == "heads")
    return up, {row["id"]: row["probability"] for row in coin.iter_rows(named=True)}


def expected(step: int) -> tuple[float, float]:
    """P(up) and P(heads), so many steps from the first link."""
    return (1 + math.tanh(BOOLEAN) ** step) / 2, (1 + math.tanh(CATEGORICAL / 2) ** step) / 2


def main() -> None:
    """Print both side by side."""
    up, heads = found()
    print(f"{'link':<6}{'P(up)':>8}{'expected':>10}{'P(heads)':>10}{'expected':>10}")
    for step in range(LENGTH):
        closed = expected(step)
        print(f"{step:<6}{up[step]:>8.4f}{closed[0]:>10.4f}{heads[step]:>10.4f}{closed[1]:>10.4f}")


if __name__ == "__main__":
    main()
