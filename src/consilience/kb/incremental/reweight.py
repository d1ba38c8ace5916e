"""Stored worlds for a changed graph: weighted one by one, or accepted and rejected whole.

Follows `difference.py`. Source: Shin et al. 2015, sec. 3.2.2. Departs: a group of variables that hang together is
accepted or rejected by itself, never a variable; the chain begins in a world drawn by its weight, so that it does not
have to forget the graph before; and importance weights, which use every world, stand beside it.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.inference.gibbs_kernels import next_uniform

PASSES = 4  # times that a chain proposes each stored world


def importance_weights(log_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(groups, N): each row exp of its logs, made to sum to 1; a row without any finite one is 0.

    >>> importance_weights(np.log([[1.0, 3.0]])).round(2)
    array([[0.25, 0.75]])
    """
    top = log_weights.max(axis=1, keepdims=True, initial=-np.inf)
    share = np.exp(log_weights - np.where(np.isfinite(top), top, 0.0))
    total = share.sum(axis=1, keepdims=True)
    return np.where(total > 0, share / np.where(total > 0, total, 1.0), 0.0)


def effective_size(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(groups,): how many independent draws weighted ones are worth: (sum w)^2 / sum w^2.

    >>> effective_size(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
    array([2., 1.])
    """
    squares = (shares**2).sum(axis=1)
    return np.where(squares > 0, shares.sum(axis=1) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)


def metropolis_weights(
    log_weights: NDArray[np.float64], rng: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(groups, N) shares of its steps that a chain spends in each stored world; (groups,) proposals accepted.

    Joint independence Metropolis-Hastings: every stored world is proposed four times, in orders of its own for each
    group, and accepted with probability min(1, w' / w). The more often, the nearer to importance weights, from which
    the chain differs by its own noise alone. O(groups * N).
    """
    shares, accepted = np.zeros_like(log_weights), np.zeros(len(log_weights))
    _metropolis(log_weights, importance_weights(log_weights), rng, shares, accepted)
    return shares, accepted


@compiled
def _metropolis(log_weights, start_shares, rng, shares, accepted):
    n = log_weights.shape[1]
    order = np.arange(n)
    step_share = 1.0 / (n * PASSES)
    for g in range(len(log_weights)):
        at, left = -1, next_uniform(rng)
        for i in range(n):
            left -= start_shares[g, i]
            if start_shares[g, i] > 0:
                at = i
                if left < 0:
                    break
        if at < 0:
            continue
        for _ in range(PASSES):
            for i in range(n - 1, 0, -1):
                j = int(next_uniform(rng) * (i + 1))
                order[i], order[j] = order[j], order[i]
            for i in order:
                gain = log_weights[g, i] - log_weights[g, at]
                if gain >= 0 or next_uniform(rng) < np.exp(gain):
                    at = i
                    accepted[g] += step_share
                shares[g, at] += step_share


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of the values of m variables before. probability: (values,). draws: (m,) independent draws it is
    worth, infinite if exact, and 0 where it says nothing of the stored worlds."""

    probability: NDArray[np.float64]
    draws: NDArray[np.float64]


def reweighted(
    worlds: NDArray[np.int32],
    cardinality: NDArray[np.int32],
    shares: NDArray[np.float64],
    label: NDArray[np.int64],
    known: Known,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(values,) probabilities of m variables, and (m,) how many independent draws each is worth.

    worlds: (m, N). shares: (groups, N); label: (m,) the group of each variable.
    What was known of a variable before corrects the accident of which worlds were stored: those in which it has a value
    count as much more, or less, as that value was more or less frequent among them than known (poststratification:
    Holt & Smith 1979). A change that hardly moves a marginal then leaves hardly any noise. O(m * N).

    >>> one, all_alike = np.array([[0, 0, 1, 1]], np.int32), np.full((1, 4), 0.25)
    >>> before = Known(np.array([0.9, 0.1]), np.array([np.inf]))
    >>> reweighted(one, np.array([2], np.int32), all_alike, np.array([0]), before)[0]
    array([0.9, 0.1])
    """
    n = worlds.shape[1]
    offsets = np.concatenate([[0], np.cumsum(cardinality, dtype=np.int64)])
    weighted, squares, counts = (np.zeros(offsets[-1]) for _ in range(3))
    _tally(worlds, shares, label, offsets, weighted, squares, counts)
    of = np.repeat(np.arange(len(cardinality)), cardinality)
    frequency = counts / n
    share_known = 1.0 - n / (n + known.draws[of])  # 1 if exact
    aim = frequency + share_known * (known.probability - frequency)
    mean_weight = np.where(counts > 0, weighted / np.where(counts > 0, frequency, 1.0), 1.0)
    p = np.where(share_known > 0, aim * mean_weight, weighted)
    p = np.where(_total(p, offsets) > 0, p, weighted)  # worlds only of values that were held to be impossible
    p /= _total(p, offsets)
    log_odds = _noise(counts, weighted, squares) + _noise(
        n - counts, 1.0 - weighted, _total(squares, offsets) - squares
    )
    log_odds += np.where(aim * (1 - aim) > 0, 1.0 / np.maximum((n + known.draws[of]) * aim * (1 - aim), 1e-300), 0.0)
    spread = p * (1 - p)
    worth = np.where(spread * log_odds > 0, 1.0 / np.where(spread * log_odds > 0, spread * log_odds, 1.0), np.inf)
    return p, np.minimum.reduceat(worth, offsets[:-1])


def _total(x: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """(values,) the sum over all values of the same variable."""
    return np.repeat(np.add.reduceat(x, offsets[:-1]), np.diff(offsets))


def _noise(
    counts: NDArray[np.float64], weighted: NDArray[np.float64], squares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared relative standard error of the mean weight of some worlds: how many, sums of shares and their squares."""
    some = (counts > 0) & (weighted > 1e-12)
    return np.where(
        some, np.maximum(squares / np.where(some, weighted, 1.0) ** 2 - 1 / np.maximum(counts, 1), 0.0), 0.0
    )


@compiled
def _tally(worlds, shares, label, offsets, weighted, squares, counts):
    for v in range(len(worlds)):
        first, share = offsets[v], shares[label[v]]
        for i in range(worlds.shape[1]):
            at = first + worlds[v, i]
            counts[at] += 1.0
            weighted[at] += share[i]
            squares[at] += share[i] * share[i]
