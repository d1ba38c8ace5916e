"""The network behind HyperLabelModel, vote by vote, in plain loops. Rows, not patterns; no groups; float64."""

from __future__ import annotations

import math

import numpy as np


def gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def mlp(net: dict, name: str, x: list[float]) -> float:
    for layer in "ab":
        weight, bias = net[f"{name}.{layer}.weight"], net[f"{name}.{layer}.bias"]
        x = [gelu(sum(w * v for w, v in zip(line, x, strict=True)) + b) for line, b in zip(weight, bias, strict=True)]
    last = net[f"{name}.c.weight"][0]
    return sum(w * v for w, v in zip(last, x, strict=True)) + float(net[f"{name}.c.bias"][0])


def softmax(score: list[float]) -> list[float]:
    top = max(score)
    shares = [math.exp(value - top) for value in score]
    return [share / sum(shares) for share in shares]


def probabilities(votes: list[list[int]], k: int, net: dict) -> list[list[float]]:
    """Of every row, with even classes."""
    n = len(votes)
    cells = [(i, j, c) for i, row in enumerate(votes) for j, c in enumerate(row) if c >= 0]
    pairs = sorted({(j, c) for _, j, c in cells})
    said = [[c for c in row if c >= 0] for row in votes]
    of_pair = {pair: [i for i, j, c in cells if (j, c) == pair] for pair in pairs}
    functions = {j for j, _ in pairs}
    m, covered = len(functions), [i for i in range(n) if said[i]]
    shares = [sum(c == y for _, _, c in cells) / len(cells) for y in range(k)]
    voters = [sum(c == y for _, c in pairs) / m for y in range(k)]
    agreeing = sum(said[i].count(c) - 1 for i, _, c in cells)
    others = sum(len(said[i]) - 1 for i, _, _ in cells)
    world = [
        math.log(m),
        math.log(len(cells) / n),
        math.log(k),
        math.log(n) / 3,
        agreeing / (others + 1),
        len(covered) / n,
    ]
    weights = {(j, c): [float(net["start"]) * ((y == c) - 1 / k) for y in range(k)] for j, c in pairs}
    bias = [0.0] * k
    for layer in range(len(net["base"])):
        score = [_score(row, weights, bias, k) for row in votes]
        posterior = [softmax(line) for line in score]
        balance = [sum(posterior[i][y] for i in covered) / len(covered) for y in range(k)]
        log_balance = [math.log(share + 1e-3) for share in balance]
        new = {}
        for j, c in pairs:
            rows = of_pair[j, c]
            heard = [i for i in rows if len(said[i]) > 1]
            without = [softmax([s - w for s, w in zip(score[i], weights[j, c], strict=True)]) for i in heard]
            says = [(sum(p[y] for p in without) + balance[y]) / (len(heard) + 1) for y in range(k)]
            sharp = sum(sum(v * v for v in p) for p in without) / (len(heard) + 1)
            lift = [math.log(says[y] + 1e-3) - log_balance[y] for y in range(k)]
            all_votes = sum(len(of_pair[pair]) for pair in pairs if pair[0] == j)
            agree = sum(said[i].count(c) - 1 for i in rows) / len(rows)
            differ = sum(len(said[i]) - said[i].count(c) for i in rows) / len(rows)
            line = []
            for y in range(k):
                figures = [
                    float(y == c), lift[y], says[y], says[c], lift[c], sharp,
                    math.log(len(rows)) / 3, math.log1p(len(heard)) / 3, math.log(len(rows) / n),
                    len(rows) / all_votes, float(len(rows) < all_votes),
                    log_balance[y], log_balance[c], math.log(shares[y] + 1e-3), math.log(shares[c]), voters[y],
                    math.log1p(agree), math.log1p(differ), world[0], world[1], world[2], world[4],
                ]  # fmt: skip
                base, slope = float(net["base"][layer]), float(net["lift"][layer])
                line.append(mlp(net, f"pair.{layer}", figures) + base * (y == c) + slope * lift[y])
            new[j, c] = [value - sum(line) / k for value in line]
        weights = new
        bias = [
            mlp(net, f"bias.{layer}", [log_balance[y], math.log(shares[y] + 1e-3), voters[y], *world])
            + float(net["pi"][layer]) * log_balance[y]
            for y in range(k)
        ]
    return [_sharpened(row, _score(row, weights, bias, k), world, net, k) for row in votes]


def _score(row: list[int], weights: dict, bias: list[float], k: int) -> list[float]:
    return [bias[y] + sum(weights[j, c][y] for j, c in enumerate(row) if c >= 0) for y in range(k)]


def _sharpened(row: list[int], score: list[float], world: list[float], net: dict, k: int) -> list[float]:
    said = [c for c in row if c >= 0]
    most = max(said.count(y) for y in range(k))
    spread = max(score) - min(score)
    figures = [math.log1p(len(said)), most / max(len(said), 1), math.log1p(len(said) - most), math.log1p(spread)]
    scale = math.exp(mlp(net, "scale", [*figures, *world]))
    return softmax([scale * value for value in score])


def arrays_of(net: dict) -> dict:
    """The arrays as they are, for the loops above."""
    return {name: np.asarray(value, np.float64) for name, value in net.items()}
