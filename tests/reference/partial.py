"""Votes for sets of classes whose truth is known: what each function says given the class, and the best guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience import LabelMatrix, Labels


@dataclass
class Partial:
    """A matrix, the true classes, the true tables (m, k, s), and the exact posterior (n, k) under them."""

    matrix: LabelMatrix
    truth: np.ndarray
    theta: np.ndarray
    posterior: np.ndarray


def simulate_partial(n, k, kinds, *, seed, coverage=(0.3, 0.6), accuracy=(0.6, 0.9)):
    """Functions of three kinds: "not" rules out a class, "sets" names one of 2 to 4 disjoint sets, "label" a class."""
    rng = np.random.default_rng(seed)
    names = [f"c{y}" for y in range(k)]
    functions = [_function(kind, k, rng.uniform(*coverage), rng.uniform(*accuracy), rng) for kind in kinds]
    sets = [members for said in functions for members in said if len(members) > 1]
    labels = Labels(*names, groups={f"g{sorted(s)}": [names[y] for y in sorted(s)] for s in sets})
    theta = np.zeros((len(functions), k, len(labels.votes) + 1))
    for j, said in enumerate(functions):
        for members, chance in said.items():
            theta[j, :, labels.find({names[y] for y in members}) + 1] += chance
        theta[j, :, 0] = 1 - theta[j].sum(axis=1)
    truth = rng.integers(0, k, n)
    votes = np.empty((n, len(functions)), int)
    joint = np.zeros((n, k))
    for j in range(len(functions)):
        ladder = theta[j].cumsum(axis=1)[truth]
        votes[:, j] = (rng.random((n, 1)) > ladder[:, :-1]).sum(axis=1) - 1
        with np.errstate(divide="ignore"):
            joint += np.log(theta[j].T[votes[:, j] + 1])
    posterior = np.exp(joint - joint.max(axis=1, keepdims=True))
    return Partial(
        LabelMatrix.from_votes(votes, labels), truth, theta, posterior / posterior.sum(axis=1, keepdims=True)
    )


def _function(kind, k, fires, right, rng):
    """What a function says: for each set of classes, the chance of it given each class."""
    if kind == "not":
        out = int(rng.integers(k))
        return {frozenset(set(range(k)) - {out}): np.where(np.arange(k) == out, (1 - right) * fires, fires)}
    parts = np.array_split(rng.permutation(k), rng.integers(2, 5) if kind == "sets" else k)
    wrong = (1 - right) / (len(parts) - 1)
    sets = [frozenset(map(int, part)) for part in parts]
    return {s: np.array([fires * (right if y in s else wrong) for y in range(k)]) for s in sets}
