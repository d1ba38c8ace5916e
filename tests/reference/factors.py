"""A small factor graph by enumerating all that all functions can say, in every class. Source: Ratner et al. 2016, Bach
et al. 2017; groups as in one_coin.py. Nothing is factored out: every probability is a sum over whole rows of votes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

Pair = tuple[int, int, str]


@dataclass
class Model:
    """Weights of a factor graph.

    accuracy[j]: log-odds; propensity[j]: weight of voting at all; pairs: (a, b, kind); weights: those of all pairs, one
    after the other; meanings[s][y]: vote s allows class y; says[j]: votes it can give.
    """

    accuracy: list[float]
    propensity: list[float]
    pairs: list[Pair]
    weights: list[float]
    balance: list[float]
    meanings: list[list[bool]]
    says: list[list[int]]

    def features(self, row: tuple[int, ...], y: int) -> list[float]:
        """What the pairs count in a row of votes of class y."""
        out: list[float] = []
        for a, b, kind in self.pairs:
            votes_a, votes_b = row[a] >= 0, row[b] >= 0
            right_a, right_b = votes_a and self.meanings[row[a]][y], votes_b and self.meanings[row[b]][y]
            same, late = row[a] == row[b], votes_b and not votes_a
            out += {
                "copying": [not votes_a and not votes_b, same and right_a, same and votes_a and not right_a],
                "correlated": [same],
                "similar": [same and votes_a],
                "fixing": [votes_a and not right_a and right_b, late],
                "reinforcing": [right_a and right_b, late],
                "exclusive": [votes_a and votes_b],
            }[kind]
        return out

    def energy(self, row: tuple[int, ...], y: int) -> float:
        """Log of the unnormalised probability of a row of votes in class y."""
        total = 0.0
        for j, vote in enumerate(row):
            if vote >= 0:
                right = self.meanings[vote][y]
                rivals = sum(self.meanings[s][y] == right for s in self.says[j])
                total += self.propensity[j] + self.accuracy[j] * right - math.log(rivals)
        return total + sum(w * f for w, f in zip(self.weights, self.features(row, y), strict=True))

    def rows(self) -> list[tuple[int, ...]]:
        """All that the functions can say."""
        return list(itertools.product(*([-1, *says] for says in self.says)))

    def joint(self) -> dict[tuple[tuple[int, ...], int], float]:
        """P(row, class) of every row and class, normalised class by class."""
        out = {}
        for y, share in enumerate(self.balance):
            weights = {row: math.exp(self.energy(row, y)) for row in self.rows()}
            total = sum(weights.values())
            for row, weight in weights.items():
                out[row, y] = share * weight / total
        return out


def log_likelihood(model: Model, votes: list[tuple[int, ...]], known: list[int]) -> float:
    """Of the votes, and of the classes that are known."""
    joint, k = model.joint(), len(model.balance)
    total = 0.0
    for row, y in zip(votes, known, strict=True):
        total += math.log(joint[row, y] if y >= 0 else sum(joint[row, c] for c in range(k)))
    return total


def posterior(model: Model, votes: list[tuple[int, ...]]) -> list[list[float]]:
    """P(class | row)."""
    joint, k = model.joint(), len(model.balance)
    out = []
    for row in votes:
        whole = sum(joint[row, y] for y in range(k))
        out.append([joint[row, y] / whole for y in range(k)])
    return out


def accuracies(model: Model) -> list[float]:
    """P(right | voted) of each function."""
    joint = model.joint()
    out = []
    for j in range(len(model.accuracy)):
        right = sum(p for (row, y), p in joint.items() if row[j] >= 0 and model.meanings[row[j]][y])
        out.append(right / sum(p for (row, _), p in joint.items() if row[j] >= 0))
    return out
