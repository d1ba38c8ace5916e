"""How labels of one row go together: priors over combinations of labels, learned from what votes say of each alone.

Reads, for each row and label, how likely its votes are if the row has the label and if not; writes the probability of
each label given the votes on all of them. Used by multi_label.
Source: EM for a mixing distribution (Laird 1978); Chow & Liu 1968 for the tree, here of labels that are not seen.
Departs: the table is kept as a matrix, half of the labels by the other half, so that each step is two products of
matrices; an edge's weight is what it would add to the likelihood of the votes, not the labels' mutual information.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import minimum_spanning_tree
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]

PRETENDED_ROWS = 10.0  # rows of pretended evidence that labels are independent
STEPS, TOLERANCE = 200, 1e-6


class LabelPrior(Protocol):
    """A distribution over combinations of k labels, learned by EM.

    likely: (p, k, 2): likelihood of a row's votes on each label if it is absent, and if present; counts: (p,).
    """

    arrays: dict[str, npt.NDArray[Any]]

    def fit(self, likely: Floats, counts: Floats) -> Self:
        """Learn from rows."""

    def answer(self, likely: Floats) -> tuple[Floats, Floats]:
        """Probability of each label, and the log-likelihood of each row. returns: (p, k), (p,)."""


class TablePrior:
    """A probability for each of the 2^k combinations. O(p 2^k) a step; for a dozen labels.

    >>> import numpy as np
    >>> yes, no, unknown = [0.01, 0.99], [0.99, 0.01], [0.5, 0.5]
    >>> same = np.array([[yes, yes], [no, no], [yes, unknown]])
    >>> TablePrior().fit(same, np.full(3, 1000.0)).answer(same)[0][2].round(1).tolist()
    [1.0, 1.0]
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]] | None = None) -> None:
        self.arrays = arrays or {}

    def fit(self, likely: Floats, counts: Floats) -> TablePrior:
        """EM from independent labels, which is also where it is drawn to."""
        left, right = self._halves(likely)
        shares = alone(likely, counts)
        start = np.outer(_products(shares[None, : _half(shares)])[0], _products(shares[None, _half(shares) :])[0])
        table, before = start, -np.inf
        with threadpool_limits(1, "blas"):
            for _ in range(STEPS):
                norm = ((left @ table) * right).sum(axis=1)
                seen = table * (left.T @ (right * (counts / norm)[:, None]))
                table = (seen + PRETENDED_ROWS * start) / (counts.sum() + PRETENDED_ROWS)
                reached = float(counts @ np.log(norm))
                if reached - before < TOLERANCE * counts.sum():
                    break
                before = reached
        self.arrays = {"table": table}
        return self

    def answer(self, likely: Floats) -> tuple[Floats, Floats]:
        """Probability of each label, and the log-likelihood of each row."""
        table = self.arrays["table"]
        left, right = self._halves(likely)
        with threadpool_limits(1, "blas"):
            norm = ((left @ table) * right).sum(axis=1)
            of_left = left * (right @ table.T) / norm[:, None]
            of_right = right * (left @ table) / norm[:, None]
            proba = np.concatenate([of_left @ _bits(left.shape[1]), of_right @ _bits(right.shape[1])], axis=1)
        return proba, np.log(norm)

    @staticmethod
    def _halves(likely: Floats) -> tuple[Floats, Floats]:
        """Likelihood of each combination of the first half of the labels, and of the second. (p, 2^a), (p, 2^b)."""
        half = _half(likely[0])
        return _products(likely[:, :half]), _products(likely[:, half:])


class TreePrior:
    """Each label depends on at most one other: a forest. O(p k) a step; for any number of labels.

    arrays: parent (k,), -1 at a root; order (k,), parents first; given (k, 2, 2): P(label | parent), parent first.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]] | None = None, *, edges: bool = True) -> None:
        self.arrays = arrays or {}
        self.edges = edges

    def fit(self, likely: Floats, counts: Floats) -> TreePrior:
        """Choose the tree, then EM from independent labels, which is also where it is drawn to."""
        shares = alone(likely, counts)
        k = len(shares)
        parent, order = _tree(likely, counts, shares) if self.edges else (np.full(k, -1), np.arange(k))
        start = np.repeat(shares[:, None, :], 2, axis=1)
        weight = np.where(parent[:, None] >= 0, shares[parent], [[0.5, 0.5]])
        given, before = start, -np.inf
        for _ in range(STEPS):
            _, seen, reached = _beliefs(likely, counts, parent, order, given)
            seen += PRETENDED_ROWS * weight[:, :, None] * start
            given = seen / seen.sum(axis=2, keepdims=True)
            total = float(counts @ reached)
            if total - before < TOLERANCE * counts.sum():
                break
            before = total
        self.arrays = {"parent": parent, "order": order, "given": given}
        return self

    def answer(self, likely: Floats) -> tuple[Floats, Floats]:
        """Probability of each label, and the log-likelihood of each row."""
        parent, order = self.arrays["parent"], self.arrays["order"]
        proba, _, reached = _beliefs(likely, np.ones(len(likely)), parent, order, self.arrays["given"])
        return proba, reached


def alone(likely: Floats, counts: Floats) -> Floats:
    """Share of rows with and without each label, if labels are independent, by EM. returns: (k, 2)."""
    shares = np.full(likely.shape[1:], 0.5)
    for _ in range(STEPS):
        joint = likely * shares
        after = np.einsum("p,pkz->kz", counts, joint / joint.sum(axis=2, keepdims=True)) / counts.sum()
        if np.abs(after - shares).max() < TOLERANCE:
            break
        shares = after
    return after


def _tree(likely: Floats, counts: Floats, shares: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The forest that adds most to the likelihood of the votes: parents (-1 at roots), and an order, parents first.

    To second order, an edge adds n/2 times the squared correlation of what votes say of its two labels. Edges that add
    less than their one number costs (log n / 2) are left out.
    """
    k, n = len(shares), counts.sum()
    joint = likely * shares
    said = joint[:, :, 1] / joint.sum(axis=2)
    centred = (said - counts @ said / n) * np.sqrt(counts / n)[:, None]
    spread = np.sqrt((centred**2).sum(axis=0))
    correlation = (centred.T @ centred) / np.maximum(np.outer(spread, spread), 1e-12)
    gain = np.triu(n * correlation**2 / 2, 1)
    kept = minimum_spanning_tree(-np.where(gain > np.log(max(n, 2)) / 2, gain, 0)).toarray() < 0
    near = kept | kept.T
    parent, order = np.full(k, -1), list[int]()
    for root in range(k):
        reached = [] if root in order else [root]
        for node in reached:  # grows while it is gone through
            below = [other for other in np.flatnonzero(near[node]).tolist() if other != parent[node]]
            parent[below] = node
            reached += below
        order += reached
    return parent, np.array(order)


def _beliefs(
    likely: Floats, counts: Floats, parent: npt.NDArray[np.int64], order: npt.NDArray[np.int64], given: Floats
) -> tuple[Floats, Floats, Floats]:
    """Sum-product on a forest. likely: (p, k, 2).

    returns: probability of each label (p, k); expected counts of parent and label (k, 2, 2), of roots half a parent of
    each kind; log-likelihood (p,).
    """
    p, k, _ = likely.shape
    up = np.ascontiguousarray(likely.transpose(1, 2, 0))  # rows lie together in memory
    sent, belief, log_norm = np.empty((k, 2, p)), np.empty((k, 2, p)), np.zeros(p)
    seen = np.empty((k, 2, 2))
    for node in order[::-1]:
        if parent[node] >= 0:
            message = given[node] @ up[node]
            scale = message.sum(axis=0)
            log_norm += np.log(scale)
            sent[node] = message / scale
            up[parent[node]] *= sent[node]
    for node in order:
        if parent[node] < 0:
            joint = up[node] * given[node, 0][:, None]
            total = joint.sum(axis=0)
            log_norm += np.log(total)
            belief[node] = joint / total
            seen[node] = (belief[node] @ counts) / 2
            continue
        above = belief[parent[node]] / sent[node]
        both = above[:, None, :] * given[node][:, :, None] * up[node]
        both /= both.sum(axis=(0, 1))
        seen[node] = both @ counts
        belief[node] = both.sum(axis=0)
    return belief[:, 1].T, seen, log_norm


def _half(labels: Floats) -> int:
    return (len(labels) + 1) // 2


def _products(likely: Floats) -> Floats:
    """Product over labels, for each combination of them, the first slowest. likely: (p, a, 2). returns: (p, 2^a)."""
    found = np.ones((len(likely), 1))
    for label in range(likely.shape[1]):
        found = (found[:, :, None] * likely[:, label, None, :]).reshape(len(likely), -1)
    return found


def _bits(size: int) -> Floats:
    """Which labels each of 2^a combinations has, the first label slowest. returns: (2^a, a)."""
    a = size.bit_length() - 1
    return (np.arange(size)[:, None] >> np.arange(a)[::-1] & 1).astype(np.float64)
