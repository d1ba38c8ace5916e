"""How frequent each class is, from how three functions vote together; no gold is needed. Used by models of moments.

Given the class, what functions say is independent, so the mean of u_i * u_j * u_l over rows, for scores u of three
different functions, is the sum over classes of P(y) E[u_i|y] E[u_j|y] E[u_l|y]. All triples are summed at once, from
sums of powers over the functions of a row, and never listed. With pairs (see matching) this is an orthogonal
decomposition of a k x k x k tensor whose vectors q_y have q_y[0] = sqrt(P(y)).

Source: Ratner et al., AAAI 2019 (balance from three-way overlaps); Anandkumar et al., JMLR 2014 (whitened tensors);
Cardoso & Souloumiac 1996 (joint diagonalisation by rotations).
Departs: no tensor over functions is made; the answer is drawn to even classes by as much as it is noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from consilience.label_models.base import Evidence, Floats
from consilience.label_models.cooccurrence import Cooccurrence, beliefs, co_occurrence, single_threaded
from consilience.label_models.matching import Core, Match, times_listed
from consilience.label_models.pattern_tables import PatternTables

EVEN_ROWS = 10.0  # rows of gold a class that even classes are worth
SMALLEST = 0.01  # share that a class has at least, over the number of classes
ROWS_AT_A_TIME = 20_000
SWEEPS = 100
ROUNDS = 6
FUNCTIONS = 100  # asked for the class balance at most
SETTLED = 1e-3
SINGULAR = 1e-8


@dataclass(frozen=True)
class BalanceEstimate:
    """shares: (k,); signal: how many times its standard error the third moments are, 0 if there are none."""

    shares: Floats
    signal: float


def estimate_class_balance(evidence: Evidence, component: npt.NDArray[np.int64] | None = None) -> BalanceEstimate:
    """Shares of the classes, from the votes (and gold, if there is some), for any model that wants them.

    component: (m,) number of the group of dependent functions each belongs to; default: all independent.
    Even classes count as EVEN_ROWS rows of gold each, and the estimate as the number of rows of gold that would have
    its standard error. Needs three independent functions; without, shares are even but for gold.
    O(p d^2 + p m k^3): 0.1 s for 20,000 rows of 10 functions.

    >>> from consilience.label_models.base import gather
    >>> from consilience.testing import simulate
    >>> made = simulate(20_000, 10, ["ham", "spam"], balance=[0.8, 0.2], seed=1)
    >>> estimate_class_balance(gather(made.matrix, None)).shares.round(1).tolist()
    [0.8, 0.2]
    """
    balance = np.full(evidence.n_classes, 1 / evidence.n_classes)
    apart = np.arange(evidence.votes.shape[1]) if component is None else component
    busy = _busiest(evidence)
    expected, rows = evidence.prior_accuracies(np.nan)[busy], evidence.prior_rows(np.nan)[busy]
    asked = replace(evidence, votes=evidence.votes[:, busy], expected=expected, expected_rows=rows)
    with single_threaded():
        together = co_occurrence(asked, apart[busy])
        classes = None
        for _ in range(ROUNDS):  # which tables are possible depends on the balance
            match = Match(together, beliefs(asked, balance), balance)
            classes, _ = match.minimum_in_doubt(match.believed if classes is None else classes)
            found = find_classes(asked, together, match, classes)
            before, balance = balance, balance_of(found, asked)
            if np.abs(balance - before).max() < SETTLED:
                break
    return BalanceEstimate(balance, 0.0 if found is None else found.core.signal)


def _busiest(evidence: Evidence) -> npt.NDArray[np.intp]:
    """The functions that vote most often, FUNCTIONS of them and whoever votes as often: enough to tell shares."""
    votes = (evidence.votes >= 0).T @ evidence.counts
    return np.flatnonzero(votes >= np.sort(votes)[::-1][:FUNCTIONS][-1])


@dataclass(frozen=True)
class Classes:
    """The classes that pairs and triples of votes show, in order. corners: (k, r) h_y of the core; shares: (k,)."""

    core: Core
    corners: Floats
    shares: Floats


def find_classes(evidence: Evidence, together: Cooccurrence, match: Match, classes: Floats) -> Classes | None:
    """Classes as triples show them; None where there are too few independent functions. classes: (d, k) of match.

    Their noise is greater by as much as pairs and triples are off by more than chance: functions copy one another.
    """
    core = third_moments(evidence, together, match.loadings(classes))
    if core is None:
        return None
    corners, shares = decompose(core)
    order = which_class(core, corners, shares, match)
    doubt = _misfit(core, corners, shares) * np.sqrt(match.misfit(classes))
    core = replace(core, noise=core.noise * doubt)
    return Classes(core, corners[order], shares[order])


def _misfit(core: Core, corners: Floats, shares: Floats) -> float:
    """How many standard errors the third moments are from those of any k classes, at least 1.

    Of r (r+1) (r+2) / 6 entries k (k-1) / 2 can be met by any choice of corners.
    """
    k, r = corners.shape
    free = r * (r + 1) * (r + 2) / 6 - k * (k - 1) / 2
    missed = core.tensor - np.einsum("y,ya,yb,yc->abc", shares, corners, corners, corners)
    return float(max(np.sqrt(np.vdot(core.weights * missed, missed) / free), 1.0)) if free > 0 else 1.0


def balance_of(found: Classes | None, evidence: Evidence) -> Floats:
    """Shares that were found, even ones and those of gold, each weighted by the rows of gold it is worth."""
    k, known = evidence.n_classes, evidence.known >= 0
    total = EVEN_ROWS + np.bincount(evidence.known[known], evidence.counts[known], k)
    if found is not None:
        total = total + _worth(found) * found.shares
    mixed: Floats = np.maximum(total / total.sum(), SMALLEST / k)
    return mixed / mixed.sum()


def _worth(found: Classes) -> float:
    """How many rows of gold would give the shares their standard error. To first order in the noise."""
    noise, shares = found.core.noise, found.shares
    turned = (np.sqrt(shares)[:, None] * found.corners) ** 2
    spread = np.einsum("abc,ya,yb,yc->y", times_listed(len(noise)) * noise**2, turned, turned, turned)
    return float((shares * (1 - shares)).sum() / max((4 * shares**3 * spread).sum(), SINGULAR**2))


def third_moments(evidence: Evidence, together: Cooccurrence, loadings: Floats) -> Core | None:
    """What triples of independent functions say of the class; None where there are no three that tell classes apart.

    loadings: (d, r), of a match of pairs. O(p m r^3 / block), one pass over the patterns.
    """
    r = loadings.shape[1]
    strengths, axes = np.linalg.eigh(loadings.T @ loadings)  # axes that do not depend on the order of the classes
    if r == 0 or strengths[0] <= SINGULAR * max(strengths[-1], SINGULAR):
        return None
    start = loadings @ axes
    scores = start / strengths / together.spread[:, None]  # (d, r)
    seen = _seen_by(together, start, strengths)
    operator = _distinct(seen)
    if np.linalg.svd(operator, compute_uv=False)[-1] < SINGULAR:
        return None
    mean, variance = _distinct_products(evidence, together, scores)
    inverse = np.linalg.inv(operator)
    tensor = (inverse @ mean.ravel()).reshape(mean.shape)
    noise = np.sqrt((inverse**2 @ variance.ravel()).reshape(mean.shape) / together.n)
    return Core(start, _symmetric(tensor), np.maximum(_symmetric(noise), SINGULAR))


def _seen_by(together: Cooccurrence, start: Floats, strengths: Floats) -> Floats:
    """How much of each direction each component of functions sees; they sum to the identity. returns: (J, r, r)."""
    member = together.component[together.function]
    return np.array([start[member == c].T @ start[member == c] / strengths[:, None] for c in np.unique(member)])


def _distinct(seen: Floats) -> Floats:
    """Sum over triples of different components of seen_i x seen_j x seen_l, by sums of powers. returns: (r^3, r^3)."""
    r = seen.shape[1]
    once = np.eye(r)

    def side_by_side(*parts: Floats) -> Floats:
        return np.einsum("ap,bq,cr->abcpqr", *parts, optimize=True).reshape(r**3, r**3)

    twice = np.einsum("jap,jbq->abpq", seen, seen, optimize=True)
    pairs = (
        np.einsum("abpq,cr->abcpqr", twice, once)
        + np.einsum("acpr,bq->abcpqr", twice, once)
        + np.einsum("bcqr,ap->abcpqr", twice, once)
    ).reshape(r**3, r**3)
    squares = np.einsum("jap,jbq->jabpq", seen, seen).reshape(len(seen), -1)
    cubes = (squares.T @ seen.reshape(len(seen), -1)).reshape(r, r, r, r, r, r).transpose(0, 1, 4, 2, 3, 5)
    return side_by_side(once, once, once) - pairs + 2 * cubes.reshape(r**3, r**3)


def _distinct_products(evidence: Evidence, together: Cooccurrence, scores: Floats) -> tuple[Floats, Floats]:
    """Mean and variance over rows of the sum over triples of different components of u_i x u_j x u_l. (r, r, r) each.

    scores: (d, r); u of a function is the score of what it says, less its mean.
    """
    m, r, n = evidence.votes.shape[1], scores.shape[1], together.n
    table = np.zeros((m, evidence.n_symbols + 1, r))
    table[together.function, together.symbol + 1] = scores
    np.subtract.at(table, (together.function,), (together.shares[:, None] * scores)[:, None, :])
    total, square = np.zeros((r, r, r)), np.zeros((r, r, r))
    for start in range(0, len(evidence.votes), ROWS_AT_A_TIME):
        block = slice(start, start + ROWS_AT_A_TIME)
        sums, counts = _power_sums(evidence.votes[block], table, together.component), evidence.counts[block]
        for a, b, c in combinations_with_replacement(range(r), 3):
            product = sums[a,] * sums[b,] * sums[c,] + 2 * sums[a, b, c]
            product -= sums[a,] * sums[b, c] + sums[b,] * sums[a, c] + sums[c,] * sums[a, b]
            total[a, b, c] += counts @ product
            square[a, b, c] += counts @ product**2
    mean = _symmetric(total / n)
    return mean, _symmetric(square / n) - mean**2


def _power_sums(
    votes: npt.NDArray[Any], table: Floats, component: npt.NDArray[np.int64]
) -> dict[tuple[int, ...], Floats]:
    """Sums over components of u_a, u_a u_b, u_a u_b u_c. table: (m, s+1, r). returns: (p,) by indices."""
    r = table.shape[2]
    wanted = [indices for times in (1, 2, 3) for indices in combinations_with_replacement(range(r), times)]

    def powers(u: Floats) -> Floats:
        return np.array([np.prod(u[list(indices)], axis=0) for indices in wanted])

    numbers, size = np.unique(component, return_counts=True)
    alone = np.isin(component, numbers[size == 1])
    tables = PatternTables(votes[:, alone], len(wanted), table.shape[1] - 1)
    sums = tables.log_likelihood(np.moveaxis(powers(np.moveaxis(table[alone], 2, 0)), 0, 1))
    for number in numbers[size > 1]:
        members = np.flatnonzero(component == number)
        sums += powers(sum((table[j, votes[:, j].astype(np.int64) + 1] for j in members), np.zeros(r)).T)
    return dict(zip(wanted, sums, strict=True))


def _symmetric(upper: Floats) -> Floats:
    """A symmetric tensor from its entries a <= b <= c."""
    a, b, c = np.sort(np.indices(upper.shape).reshape(3, -1), axis=0)
    return upper[a, b, c].reshape(upper.shape)


def decompose(core: Core) -> tuple[Floats, Floats]:
    """Corners of the classes and their shares. returns: h (k, r), shares (k,), in no particular order."""
    r = len(core.tensor)
    whole = np.zeros((r + 1, r + 1, r + 1))  # of (1, h), whose second moments are the identity
    whole[0, 0, 0] = 1
    place = np.arange(1, r + 1)
    whole[0, place, place] = whole[place, 0, place] = whole[place, place, 0] = 1
    whole[1:, 1:, 1:] = core.tensor
    vectors = jointly_diagonal(whole[:, :, 1:].transpose(2, 0, 1))
    vectors *= np.where(vectors[0] < 0, -1, 1)
    shares = np.maximum(vectors[0] ** 2, SMALLEST / (r + 1))
    return (vectors[1:] / np.sqrt(shares)).T, shares / shares.sum()


def jointly_diagonal(matrices: Floats) -> Floats:
    """Rotation that makes symmetric matrices as diagonal as one rotation can. matrices: (a, k, k). returns: (k, k)."""
    left, k = matrices.copy(), matrices.shape[1]
    vectors = np.eye(k)
    for _ in range(SWEEPS):
        largest = 0.0
        for p, q in combinations(range(k), 2):
            h = np.array([left[:, p, p] - left[:, q, q], 2 * left[:, p, q]])
            (on, cross), (_, off) = h @ h.T
            angle = 0.25 * np.arctan2(2 * cross, on - off)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            left[:, :, [p, q]] = left[:, :, [p, q]] @ turn
            left[:, [p, q]] = turn.T @ left[:, [p, q]]
            vectors[:, [p, q]] = vectors[:, [p, q]] @ turn
            largest = max(largest, abs(angle))
        if largest < 1e-12:
            break
    return vectors


def which_class(core: Core, corners: Floats, shares: Floats, match: Match) -> npt.NDArray[np.intp]:
    """For each class, the corner whose votes lean most as is believed of it. returns: (k,) places in corners."""
    found = (core.start @ corners.T) * np.sqrt(shares)
    believed = match.loadings(match.believed) @ match.basis.T
    return linear_sum_assignment(-(believed.T @ found))[1]
