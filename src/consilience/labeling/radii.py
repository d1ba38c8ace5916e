"""How far votes may reach: for each function, the radius within which extending it says most.

Reads what nearest supporters say of rows on which the function is silent, and how likely that is by what others say of
these rows (or by gold). Writes one radius a function, and how often votes within it are right.

Source: the likelihood of Dawid and Skene's model (1979) with one accuracy for a function's votes of like nearness, the
other functions' probabilities held fixed; it is concave. A radius is the one that makes the function's votes, old and
new together, tell most of the class: their number times what each tells, by Kullback and Leibler.
Departs: Chen et al. 2020 search a grid for what is best on a dev set; here gold is just a probability that is certain,
so a dev set and what functions say of each other are one rule.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consilience.labeling.nearest import Nearest

Floats = npt.NDArray[np.float64]

USUAL = 0.7  # how often votes are right, beforehand,
USUAL_VOTES = 5.0  # and how many votes that is worth
LEAST_TRUST, MOST_TRUST = 0.6, 0.95
BANDS = 20  # of like nearness, at most
BAND_ROWS = 25  # rows that others voted on, at least, in a band
CAUTION = 1.0  # standard errors below its estimate at which the precision of a band is taken
SURE = 0.999  # what gold, and votes that all agree, are taken to be at most
FADED = 0.5  # of what a function is better than chance, so much must be left in votes carried farthest
BEYOND_CHANCE = 2.0  # standard errors by which a function must be better than chance to be extended


class Reach(NamedTuple):
    """By function: the radius, in nearness; how often votes within it are estimated to be right (NaN: none is)."""

    radii: Floats
    precision: Floats


class Views(NamedTuple):
    """What votes say of rows, each taken to be right equally often, whoever casts it: p (n, k).

    balance: (k,) of the labels. trust: how often a vote is right. precision: (m,) of each function by what the others
    say, and its standard error (m,).
    """

    p: Floats
    balance: Floats
    trust: float
    precision: Floats
    error: Floats


def views(
    votes: npt.NDArray[Any], counts: Floats, meanings: npt.NDArray[np.bool_], balance: Floats | None = None
) -> Views:
    """How far votes can be trusted on the whole, by how often two of a row agree, and what they then say of each row.

    votes: (p, m) codes; counts: (p,); meanings: (symbols, k). O(p m k).
    balance: (k,); default what votes say of the rows on the whole, even labels being USUAL_VOTES of these rows: where
        one label is over-voted, extending it further is then held to do no better than chance.
    One trust for all functions: where functions say one label each, numbers of their own run away from the truth.
    """
    if balance is None:
        k = meanings.shape[1]
        covered = (votes >= 0).any(axis=1)
        total = counts[covered] @ views(votes[covered], counts[covered], meanings, np.full(k, 1 / k)).p
        balance = (total + USUAL_VOTES / k) / (counts[covered].sum() + USUAL_VOTES)
    chance = meanings @ balance
    trust = trust_of(votes, counts, meanings)
    tables = np.zeros((len(chance) + 1, len(balance)))  # the last is of abstaining
    tables[:-1] = meanings * (_logit(trust) - _logit(1 / len(balance)))
    logs = np.log(balance) + sum((tables[column] for column in votes.T), np.zeros(len(balance)))
    precision, error = np.full(votes.shape[1], np.nan), np.full(votes.shape[1], np.inf)
    for j, column in enumerate(votes.T):
        rows = np.flatnonzero(column >= 0)
        if len(rows):
            right = _of_votes(_softmax(logs[rows] - tables[column[rows]]) @ meanings.T, column[rows])
            precision[j], error[j] = precision_of(right, chance[column[rows]], counts[rows])
    return Views(_softmax(logs), balance, trust, precision, error)


def trust_of(votes: npt.NDArray[Any], counts: Floats, meanings: npt.NDArray[np.bool_]) -> float:
    """How often a vote is right, if all are right equally often and independently: by how often two of a row agree.

    Of k labels two votes agree with probability a^2 + (1 - a)^2 / (k - 1).
    """
    k = meanings.shape[1]
    if k == 1:
        return SURE
    shares = meanings / meanings.sum(axis=1, keepdims=True)
    mass = sum((np.vstack([shares, np.zeros(k)])[column] for column in votes.T), np.zeros((len(votes), k)))
    n = (votes >= 0).sum(axis=1)
    own = sum((np.append((shares**2).sum(axis=1), 0)[column] for column in votes.T), np.zeros(len(votes)))
    agree = counts @ ((mass**2).sum(axis=1) - own) + USUAL_VOTES * (USUAL**2 + (1 - USUAL) ** 2 / (k - 1))
    share = agree / (counts @ (n * (n - 1)) + USUAL_VOTES)
    inside = max(share * k / (k - 1) - 1 / (k - 1), 0.0)
    return float(np.clip(1 / k + (k - 1) / k * np.sqrt(inside), LEAST_TRUST, MOST_TRUST))


def _softmax(logs: Floats) -> Floats:
    p = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _of_votes(table: Floats, codes: npt.NDArray[Any]) -> Floats:
    """The entry of each row that a vote names, 0 where it abstains. table: (n, symbols)."""
    return np.where(codes >= 0, table[np.arange(len(codes)), codes], 0.0)


def _logit(p: Any) -> Any:
    p = np.clip(p, 1 - SURE, SURE)
    return np.log(p / (1 - p))


def reach(near: Nearest, known: Known, seen: Views, votes: npt.NDArray[Any], space: Space) -> Reach:
    """The radius of each function.

    near: of rows (n, m), what nearest supporters say, the row itself left out. known: what is known of these rows.
    seen: of the train votes (t, m). O(n log n) a function.
    """
    radii, precision = np.full(votes.shape[1], space.none), np.full(votes.shape[1], np.nan)
    for j in range(votes.shape[1]):
        own = votes[votes[:, j] >= 0, j]
        rows = np.flatnonzero(known.silent[:, j] & (near.votes[:, j] >= 0))
        if not len(own) or not len(rows):
            continue
        by_chance = float(space.chance[own].mean())
        if seen.precision[j] - BEYOND_CHANCE * seen.error[j] <= by_chance:
            continue
        order = rows[np.argsort(space.sign * near.nearness[rows, j], kind="stable")]  # nearest first
        codes = near.votes[order, j]
        bands = Bands.of((known.p[order] @ space.meanings.T)[np.arange(len(order)), codes], space.chance[codes])
        n_new = bands.rows * len(votes) / len(known.p)  # as many as they are among all train rows
        kept = most_told(len(own), seen.precision[j], n_new, bands.cautious, by_chance)
        if kept:
            radii[j] = _between(near.nearness[order, j].astype(np.float64), int(bands.edges[kept]), space.sign)
            precision[j] = float(bands.rows[:kept] @ bands.precision[:kept] / bands.rows[:kept].sum())
    return Reach(radii, precision)


def _between(nearness: Floats, edge: int, sign: int) -> float:
    """The radius that has just the nearest within it. nearness: nearest first; edge: how many."""
    if edge < len(nearness):
        return float((nearness[edge - 1] + nearness[edge]) / 2)
    return float(nearness[-1] + sign * 1e-6 * max(1.0, abs(nearness[-1])))  # radii are not reached


class Known(NamedTuple):
    """What is known of rows besides: where functions are silent (n, m), and the probability of each label (n, k)."""

    silent: npt.NDArray[np.bool_]
    p: Floats


class Space(NamedTuple):
    """What votes mean, and which way nearness runs. chance: (symbols,) that a vote is right by chance.

    sign: -1 where the largest is nearest (similarity), 1 for distances. none: the radius nothing is within.
    """

    meanings: npt.NDArray[np.bool_]
    chance: Floats
    sign: int
    none: float


class Bands(NamedTuple):
    """Votes of like nearness, nearest first. edges: (b+1,) places; precision: (b,), never rising; cautious: below."""

    edges: npt.NDArray[np.int64]
    precision: Floats
    cautious: Floats

    @property
    def rows(self) -> Floats:
        """How many votes each band has. returns: (b,)."""
        return np.diff(self.edges).astype(np.float64)

    @classmethod
    def of(cls, right: Floats, chance: Floats) -> Bands:
        """Cut votes, nearest first, and estimate each band. right: (r,) probability that a vote is; chance: (r,)."""
        telling = np.abs(right - chance) > 1e-3  # others say something of the row
        n_bands = int(np.clip(telling.sum() // BAND_ROWS, 1, BANDS))
        told = np.concatenate([[0], np.cumsum(telling)])
        cuts = np.searchsorted(told, np.arange(1, n_bands) * told[-1] / n_bands)
        edges = np.unique(np.concatenate([[0], cuts, [len(right)]])).astype(np.int64)
        found = [precision_of(right[a:b], chance[a:b]) for a, b in pairwise(edges)]
        mean, error = np.array(found).T
        falling = never_rising(mean, 1 / error**2)
        pooled = np.sqrt(1 / _pooled(falling, 1 / error**2))
        return cls(edges, falling, np.maximum(falling - CAUTION * pooled, 0.0))


def precision_of(right: Floats, chance: Floats, counts: Floats | None = None) -> tuple[float, float]:
    """How often votes are right, most likely, and its standard error; USUAL_VOTES votes by chance stand behind it.

    right: (r,) the probability that each is, by what others say; chance: (r,) before they said anything. What others
    say is as much more likely if a vote is right as right / chance; so of votes right with one probability a, row by
    row, the likelihood is a right / chance + (1 - a) (1 - right) / (1 - chance).
    """
    right = np.clip(right, 1 - SURE, SURE)
    chance = np.clip(chance, 1 - SURE, SURE)
    yes, no = right / chance, (1 - right) / (1 - chance)
    counts = np.ones(len(right)) if counts is None else counts
    prior, total = float(counts @ chance / counts.sum()), counts.sum() + USUAL_VOTES
    a = prior
    for _ in range(100):
        before, likely = a, a * yes / (a * yes + (1 - a) * no)
        a = float((counts @ likely + USUAL_VOTES * prior) / total)
        if abs(a - before) < 1e-6:
            break
    a = min(max(a, 1e-3), 1 - 1e-3)
    information = float(counts @ np.square((yes - no) / (a * yes + (1 - a) * no))) + USUAL_VOTES / (prior * (1 - prior))
    return a, information**-0.5


def never_rising(values: Floats, weights: Floats) -> Floats:
    """The values that never rise and are nearest to these, by weighted squares. O(b)."""
    pools: list[list[float]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pools.append([float(value), float(weight), 1])
        while len(pools) > 1 and pools[-2][0] <= pools[-1][0]:
            last = pools.pop()
            mass = pools[-1][1] + last[1]
            pools[-1] = [(pools[-1][0] * pools[-1][1] + last[0] * last[1]) / mass, mass, pools[-1][2] + last[2]]
    return np.concatenate([np.full(int(count), mean) for mean, _, count in pools])


def _pooled(values: Floats, weights: Floats) -> Floats:
    """Sum of the weights of equal neighbours."""
    run = np.concatenate([[0], np.cumsum(np.diff(values) != 0)])
    return np.bincount(run, weights)[run]


def most_told(n_own: float, own: float, n_new: Floats, new: Floats, by_chance: float) -> int:
    """How many of the bands to take, so that a function's votes tell most of the class together.

    n_own votes that are right with probability own; then by band. returns: 0 to b. Bands much worse than the
    function's own votes are not taken, however many votes they have: other functions are carried over from the same
    rows, so that what is wrong there is said more than once.
    """
    n = np.concatenate([[n_own], n_new]).cumsum()
    right = np.concatenate([[n_own * own], n_new * new]).cumsum() / n
    allowed = 1 + int(np.sum(new >= by_chance + FADED * (own - by_chance)))
    return int(np.argmax((n * told(right, by_chance))[:allowed]))


def told(right: Floats, by_chance: float) -> Floats:
    """What a vote tells that is right so often, in nats: its divergence from chance; 0 below chance."""
    a, q = np.clip(right, 1e-9, 1 - 1e-9), float(np.clip(by_chance, 1e-9, 1 - 1e-9))
    return np.where(a > q, a * np.log(a / q) + (1 - a) * np.log((1 - a) / (1 - q)), 0.0)
