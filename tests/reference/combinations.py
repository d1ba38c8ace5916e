"""Priors over combinations of labels, by enumerating all of them. likely[i][c] = (if absent, if present)."""

from __future__ import annotations

import itertools
import math


def combos(k):
    return list(itertools.product((0, 1), repeat=k))


def posterior(likely, weight):
    """Marginals and log-likelihood of one row, given the probability of each combination (a dict)."""
    joint = {z: p * math.prod(likely[c][z[c]] for c in range(len(likely))) for z, p in weight.items()}
    total = sum(joint.values())
    return [sum(p for z, p in joint.items() if z[c]) / total for c in range(len(likely))], math.log(total), joint, total


def alone(likely, counts, steps=200, tolerance=1e-6):
    """Shares of labels if they are independent, by EM label by label, all stopping together."""
    k, n = len(likely[0]), sum(counts)
    shares = [0.5] * k
    for _ in range(steps):
        after = [
            sum(w * row[c][1] * shares[c] / (row[c][1] * shares[c] + row[c][0] * (1 - shares[c])) for row, w in rows)
            / n
            for rows in [list(zip(likely, counts, strict=True))]
            for c in range(k)
        ]
        if max(abs(a - b) for a, b in zip(after, shares, strict=True)) < tolerance:
            return after
        shares = after
    return shares


def table_em(likely, counts, pretended, steps, tolerance=1e-6):
    """The probability of each combination by EM with a Dirichlet prior around independence."""
    k, n = len(likely[0]), sum(counts)
    shares = alone(likely, counts)
    start = {z: math.prod(shares[c] if z[c] else 1 - shares[c] for c in range(k)) for z in combos(k)}
    weight, before = start, -math.inf
    for _ in range(steps):
        seen, reached = dict.fromkeys(weight, 0.0), 0.0
        for row, w in zip(likely, counts, strict=True):
            _, log_total, joint, total = posterior(row, weight)
            reached += w * log_total
            for z, p in joint.items():
                seen[z] += w * p / total
        weight = {z: (seen[z] + pretended * start[z]) / (n + pretended) for z in weight}
        if reached - before < tolerance * n:
            break
        before = reached
    return weight


def tree_weights(parent, given):
    """The probability of each combination under a forest. given[c][z of parent][z]; of a root, either row."""
    k = len(parent)
    return {z: math.prod(given[c][z[parent[c]] if parent[c] >= 0 else 0][z[c]] for c in range(k)) for z in combos(k)}


def tree_step(likely, counts, parent, given, shares, pretended):
    """One EM step for the tables of a forest, drawn to independence."""
    k, weight = len(parent), tree_weights(parent, given)
    after = []
    for c in range(k):
        seen = [[0.0, 0.0], [0.0, 0.0]]
        for row, w in zip(likely, counts, strict=True):
            _, _, joint, total = posterior(row, weight)
            for z, p in joint.items():
                if parent[c] >= 0:
                    seen[z[parent[c]]][z[c]] += w * p / total
                else:
                    for above in (0, 1):
                        seen[above][z[c]] += w * p / total / 2
        table = []
        for above in (0, 1):
            known = 0.5 if parent[c] < 0 else (shares[parent[c]] if above else 1 - shares[parent[c]])
            counted = [seen[above][z] + pretended * known * (shares[c] if z else 1 - shares[c]) for z in (0, 1)]
            table.append([value / sum(counted) for value in counted])
        after.append(table)
    return after
