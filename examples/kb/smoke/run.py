"""Smoking, friends and cancer: fixed weights, six people, marginals beside the sum over all worlds.

    python examples/kb/smoke/run.py

A rule `body => head` is worth w * log2(1 + n) where the head is true and n of its bodies are, and the negative of that
where the head is false (ratio semantics). Somebody with one smoking friend feels w, with three of them 2w.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import polars as pl

import consilience as cs

HERE = Path(__file__).parent
PEOPLE = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"]
SMOKERS = ["Ada", "Cleo"]
FRIENDS = [("Ada", "Ben"), ("Ada", "Cleo"), ("Ada", "Dan"), ("Cleo", "Dan"), ("Eve", "Finn")]
BOTH_WAYS = FRIENDS + [(b, a) for a, b in FRIENDS]
CANCER, ALIKE = 0.5, 0.4  # the weights of app.ddlog


def found() -> dict[tuple[str, str], float]:
    """Probability of each fact (relation, name), from the knowledge base."""
    kb = cs.KnowledgeBase((HERE / "app.ddlog").read_text())
    kb.load("person", pl.DataFrame({"name": PEOPLE}))
    kb.load("friends", pl.DataFrame(BOTH_WAYS, schema=["one", "other"], orient="row"))
    kb.load("seen_smoking", pl.DataFrame({"name": SMOKERS}))
    kb.run(seed=0)
    return {
        (relation, row["name"]): row["probability"]
        for relation in ("smokes", "cancer")
        for row in kb.marginals(relation).iter_rows(named=True)
    }


def expected() -> dict[tuple[str, str], float]:
    """The same from every world that has the known smokers smoke: weigh it, and count what is true in it."""
    total, true = 0.0, dict.fromkeys(itertools.product(("smokes", "cancer"), PEOPLE), 0.0)
    open_people = [p for p in PEOPLE if p not in SMOKERS]
    for n_smokers in range(len(open_people) + 1):
        for more in itertools.combinations(open_people, n_smokers):
            smokers = {*SMOKERS, *more}
            weight = math.exp(sum(_alike(p, smokers) for p in PEOPLE))
            odds = {p: math.exp(CANCER * (p in smokers)) for p in PEOPLE}  # of cancer against its inverse
            weight *= math.prod(o + 1 / o for o in odds.values())
            total += weight
            for p in PEOPLE:
                true["smokes", p] += weight * (p in smokers)
                true["cancer", p] += weight * odds[p] / (odds[p] + 1 / odds[p])
    return {fact: weight / total for fact, weight in true.items()}


def _alike(person: str, smokers: set[str]) -> float:
    n = sum(a in smokers for a, b in BOTH_WAYS if b == person)
    return (1 if person in smokers else -1) * ALIKE * math.log2(1 + n)


def main() -> None:
    """Print both side by side."""
    closed = expected()
    print(f"{'fact':<14}{'found':>8}{'expected':>10}")
    for (relation, name), probability in found().items():
        print(f"{relation + ' ' + name:<14}{probability:>8.4f}{closed[relation, name]:>10.4f}")


if __name__ == "__main__":
    main()
