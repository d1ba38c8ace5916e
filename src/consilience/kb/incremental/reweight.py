"""Stored worlds for a changed graph: weighted one by one, or accepted and rejected whole.

Follows `difference.py`. Source: Shin et al. 2015, sec. 3.2.2. Departs: a group of variables that hang together is
accepted or rejected by itself, never a variable; the chain begins in a world drawn by its weight, so that it does not
have to forget the graph before; and importance weights, which use every world, stand beside it.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.incremental.draw import uniform


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

    Joint independence Metropolis-Hastings: the stored worlds are proposed once each, in an order of their own for each
    group, and accepted with probability min(1, w' / w). O(groups * N).
    """
    shares, accepted = np.zeros_like(log_weights), np.zeros(len(log_weights))
    _metropolis(log_weights, importance_weights(log_weights), rng, shares, accepted)
    return shares, accepted


@compiled
def _metropolis(log_weights, start_shares, rng, shares, accepted):
    n = log_weights.shape[1]
    order = np.arange(n)
    for g in range(len(log_weights)):
        for i in range(n - 1, 0, -1):
            j = int(uniform(rng) * (i + 1))
            order[i], order[j] = order[j], order[i]
        left = uniform(rng)
        at = -1
        for i in range(n):
            left -= start_shares[g, i]
            if start_shares[g, i] > 0:
                at = i
                if left < 0:
                    break
        if at < 0:
            continue
        for i in order:
            step = log_weights[g, i] - log_weights[g, at]
            if step >= 0 or uniform(rng) < np.exp(step):
                at = i
                accepted[g] += 1.0 / n
            shares[g, at] += 1.0 / n
