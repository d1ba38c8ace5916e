"""Can weighting votes beat counting them? Asked of the votes alone, before and after a model is fitted. Used by choose.

Source: Ratner et al., VLDB 2018, section 3.1 (the modelling advantage and its heuristic bound).
Departs: more than two classes (each rival of the winner counts by its share in a softmax of the counts); the paper's
sigma(-f) is read as sigma(-|f|); exact ties are counted apart, as any model may break them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from consilience.label_models.base import TIE, Evidence, Floats

EVEN, OF_SEVERAL = 0.5, 0.9  # at most so much of the variance of chance; at least so much of the votes
LOW, MEAN, HIGH = 0.5, 1.0, 1.5  # weights of functions that are right 62%, 73% and 82% of the time


def advantage_bound(evidence: Evidence) -> float:
    """Greatest share of rows that any sensible weighting could set right where the majority is wrong.

    A rival label can win only if its votes at the greatest weight outweigh the winner's at the least.

    >>> import numpy as np
    >>> from consilience import Labels
    >>> votes = np.array([[0, 0, 0], [0, 0, 1]])
    >>> round(advantage_bound(Evidence(votes, np.ones(2), np.full(2, -1), Labels("a", "b"))), 3)
    0.134
    """
    counts = evidence.class_votes
    most = counts.max(axis=1, keepdims=True)
    chance = np.exp(MEAN * (counts - most))
    chance /= chance.sum(axis=1, keepdims=True)
    could_win = (counts < most) & (counts * HIGH > most * LOW)
    return float(evidence.counts @ (could_win * chance).sum(axis=1) / evidence.counts.sum())


def tie_share(evidence: Evidence) -> float:
    """Share of the rows where two or more labels have the most votes: counting cannot decide them, a model can."""
    second, first = evidence.most_votes.T
    tied = (first > 0) & (first - second <= TIE)  # a vote for a set counts in fractions
    return float(evidence.counts @ tied / evidence.counts.sum())


def overturned(evidence: Evidence, proba: Floats) -> float:
    """Share of the rows with a clear majority for which probabilities favour another label. proba: (p, k)."""
    second, first = evidence.most_votes.T
    clear = first - second > TIE
    winner_probability = proba[np.arange(len(proba)), evidence.class_votes.argmax(axis=1)]
    lost = clear & (winner_probability < proba.max(axis=1) - TIE)
    total = evidence.counts[clear].sum()
    return float(evidence.counts[lost].sum() / total) if total else 0.0


def residual_correlation(
    evidence: Evidence, theta: Floats, balance: Floats, together: Sequence[Sequence[int]] = ()
) -> float:
    """How far pairs of functions agree beyond what the model explains, in units of what chance alone would give.

    The root mean square, over pairs of votes of different functions, of observed minus modelled correlation, times the
    square root of the number of rows: about 1 when the model is true, larger when functions copy one another.
    theta: (m, k, s+1) for s things a vote can say; balance: (k,). together: functions that the model knows to depend on
    one another: pairs of those are left out. O(p m^2 s^2).
    """
    m, k, s = theta.shape[0], theta.shape[1], theta.shape[2] - 1
    n = evidence.counts.sum()
    observed = joint_votes(evidence) / n
    table = theta[:, :, 1:].transpose(2, 0, 1).reshape(s * m, k)  # (s*m, classes)
    modelled = (table * balance) @ table.T
    share = np.diag(observed)
    spread = np.sqrt(np.maximum(share * (1 - share), 1e-12))
    group = np.arange(m)
    for place, functions in enumerate(together):
        group[list(functions)] = m + place
    function = np.tile(group, s)
    seen = (share * n >= 5) & (share < 1)
    pairs = (function[:, None] != function) & seen[:, None] & seen
    if not pairs.any():
        return 0.0
    residual = ((observed - modelled) / np.outer(spread, spread))[pairs]
    return float(np.sqrt((residual**2).mean() * n))


def joint_votes(evidence: Evidence, chunk: int = 50_000) -> Floats:
    """How many rows have both of two votes, for all pairs of votes. returns: (s*m, s*m), symbol by symbol."""
    s, m = evidence.n_symbols, evidence.votes.shape[1]
    joint = np.zeros((s * m, s * m))
    with threadpool_limits(
        1, "blas"
    ):  # two threads on small matrices wait for each other 20 times longer than they work
        for start in range(0, len(evidence.votes), chunk):  # memory stays small however many patterns there are
            votes, counts = evidence.votes[start : start + chunk], evidence.counts[start : start + chunk]
            said = np.concatenate([votes == code for code in range(s)], axis=1).astype(np.float64)
            joint += (said * counts[:, None]).T @ said
    return joint


def is_crowd(evidence: Evidence) -> bool:
    """Whether functions look like workers who were given rows: then their silence says nothing of the class.

    Nearly all votes are of functions that say several labels, and rows get more equal numbers of votes than functions
    that fire by what they see would give (the variance of that number is less than half of what independence gives).
    """
    said = evidence.votes >= 0
    rows, n_votes = evidence.counts.sum(), said.sum(axis=1)
    fires = np.array([evidence.counts @ column for column in said.T]) / rows
    chance = (fires * (1 - fires)).sum()
    mean = evidence.counts @ n_votes / rows
    variance = evidence.counts @ (n_votes - mean) ** 2 / rows
    several = np.array([len(np.unique(column[column >= 0])) > 1 for column in evidence.votes.T])
    return bool(variance <= EVEN * chance and fires @ several >= OF_SEVERAL * fires.sum() > 0)


def many_voices(evidence: Evidence) -> float:
    """Share of the rows on which three functions or more vote: those from which accuracies can be learned at all."""
    three = (evidence.votes >= 0).sum(axis=1) >= 3
    return float(evidence.counts @ three / evidence.counts.sum())
