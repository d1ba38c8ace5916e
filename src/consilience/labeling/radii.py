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

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consilience.labeling.nearest import Nearest

Floats = npt.NDArray[np.float64]

STEPS = 30  # of expectation and maximisation
USUAL = 0.7  # precision expected of a function beforehand,
USUAL_VOTES = 5.0  # and how many votes that is worth
BANDS = 20  # of like nearness, at most
BAND_ROWS = 25  # rows that others voted on, at least, in a band
CAUTION = 1.0  # standard errors below its estimate at which the precision of a band is taken
SURE = 0.999  # what gold, and votes that all agree, are taken to be at most
BEYOND_CHANCE = 2.0  # standard errors by which a function must be better than chance to be extended


class Reach(NamedTuple):
    """By function: the radius, in nearness; how often votes within it are estimated to be right (NaN: none is)."""

    radii: Floats
    precision: Floats


class Views(NamedTuple):
    """What votes say of rows, taken as independent: p (n, k). precision: (m,) of each function, and its error (m,)."""

    p: Floats
    precision: Floats
    error: Floats


def views(votes: npt.NDArray[Any], counts: Floats, meanings: npt.NDArray[np.bool_], balance: Floats) -> Views:
    """One precision for each function, and the probability of each label for each row, by expectation-maximisation.

    votes: (n, m) codes; counts: (n,); meanings: (symbols, k); balance: (k,). O(n m k) a step.
    """
    n, m = votes.shape
    chance = meanings @ balance
    precision = np.full(m, USUAL)
    said = votes >= 0
    usual = np.maximum(USUAL, chance_of_votes(votes, counts, chance))
    total = said.T @ counts
    p = np.broadcast_to(balance, (n, len(balance)))
    for _ in range(STEPS):
        logs = np.broadcast_to(np.log(balance), (n, len(balance))).copy()
        for j in range(m):
            rows = np.flatnonzero(said[:, j])
            codes = votes[rows, j]
            gain = _logit(precision[j]) - _logit(chance[codes])
            logs[rows] += meanings[codes] * gain[:, None]
        p = np.exp(logs - logs.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        right = np.array([counts @ _of_votes(p @ meanings.T, votes[:, j]) for j in range(m)])
        precision = np.clip((right + USUAL * USUAL_VOTES) / (total + USUAL_VOTES), 1 - SURE, SURE)
    precision = np.where(total > 0, precision, usual)
    error = np.sqrt(precision * (1 - precision) / (total + USUAL_VOTES))
    return Views(p, precision, error)


def chance_of_votes(votes: npt.NDArray[Any], counts: Floats, chance: Floats) -> Floats:
    """How often each function would be right by chance, saying what it says. chance: (symbols,). returns: (m,)."""
    total = (votes >= 0).T @ counts
    sums = np.array([counts @ _of_votes(np.broadcast_to(chance, (len(votes), len(chance))), v) for v in votes.T])
    return np.where(total > 0, sums / np.maximum(total, 1e-9), 0.5)


def _of_votes(table: Floats, codes: npt.NDArray[Any]) -> Floats:
    """The entry of each row that a vote names, 0 where it abstains. table: (n, symbols)."""
    return np.where(codes >= 0, table[np.arange(len(codes)), codes], 0.0)


def _logit(p: Any) -> Any:
    p = np.clip(p, 1 - SURE, SURE)
    return np.log(p / (1 - p))


def reach(
    near: Nearest, silent: npt.NDArray[np.bool_], p: Floats, seen: Views, votes: npt.NDArray[Any], space: Space
) -> Reach:
    """The radius of each function.

    near: of rows (n, m), what nearest supporters say, the row itself left out; silent: (n, m) where the function did
    not vote. p: (n, k) what is known of these rows otherwise. seen: of the train votes (t, m).
    """
    radii, precision = np.full(votes.shape[1], space.none), np.full(votes.shape[1], np.nan)
    for j in range(votes.shape[1]):
        own = votes[votes[:, j] >= 0, j]
        rows = np.flatnonzero(silent[:, j] & (near.votes[:, j] >= 0))
        if not len(own) or not len(rows):
            continue
        by_chance = space.chance[own].mean()
        if seen.precision[j] - BEYOND_CHANCE * seen.error[j] <= by_chance:
            continue
        order = rows[np.argsort(space.sign * near.nearness[rows, j], kind="stable")]  # nearest first
        codes = near.votes[order, j]
        bands = Bands.of((p @ space.meanings.T)[order, codes], space.chance[codes])
        n_new = bands.rows * len(votes) / len(near.votes)  # the rows may be a sample
        kept = most_told(len(own), seen.precision[j], n_new, bands.cautious, by_chance)
        if kept:
            edge = bands.edges[kept]
            nearness = near.nearness[order, j].astype(np.float64)
            radii[j] = nearness[-1] if edge == len(order) else (nearness[edge - 1] + nearness[edge]) / 2
            if edge == len(order):  # a little farther than the farthest: radii are not reached
                radii[j] += space.sign * 1e-6 * max(1.0, abs(radii[j]))
            precision[j] = float(bands.rows[:kept] @ bands.precision[:kept] / bands.rows[:kept].sum())
    return Reach(radii, precision)


class Space(NamedTuple):
    """What votes mean, and which way nearness runs. chance: (symbols,) that a vote is right by chance.

    sign: -1 where the largest is nearest (similarity), 1 for distances. none: the radius nothing is within.
    """

    meanings: npt.NDArray[np.bool_]
    chance: Floats
    sign: int
    none: float


class Bands(NamedTuple):
    """Votes of like nearness, nearest first. edges: (b+1,) places; precision: (b,), never rising; cautious: less error."""

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
        found = [precision_of(right[a:b], chance[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        mean, error = np.array(found).T
        falling = never_rising(mean, 1 / error**2)
        pooled = np.sqrt(1 / _pooled(falling, 1 / error**2))
        return cls(edges, falling, np.maximum(falling - CAUTION * pooled, 0.0))


def precision_of(right: Floats, chance: Floats) -> tuple[float, float]:
    """How often votes are right, most likely, and its standard error; USUAL_VOTES votes by chance stand behind it.

    right: (r,) the probability that each is, by what others say; chance: (r,) before they said anything. What others
    say is as much more likely if a vote is right as right / chance; so of votes right with one probability a, row by
    row, the likelihood is a right / chance + (1 - a) (1 - right) / (1 - chance).
    """
    right = np.clip(right, 1 - SURE, SURE)
    chance = np.clip(chance, 1 - SURE, SURE)
    yes, no = right / chance, (1 - right) / (1 - chance)
    prior = float(chance.mean())
    a = prior
    for _ in range(100):
        before, likely = a, a * yes / (a * yes + (1 - a) * no)
        a = float((likely.sum() + USUAL_VOTES * prior) / (len(right) + USUAL_VOTES))
        if abs(a - before) < 1e-6:
            break
    a = min(max(a, 1e-3), 1 - 1e-3)
    information = float(np.square((yes - no) / (a * yes + (1 - a) * no)).sum()) + USUAL_VOTES / (prior * (1 - prior))
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

    n_own votes that are right with probability own; then by band. returns: 0 to b.
    """
    n = np.concatenate([[n_own], n_new]).cumsum()
    right = np.concatenate([[n_own * own], n_new * new]).cumsum() / n
    return int(np.argmax(n * told(right, by_chance)))


def told(right: Floats, by_chance: float) -> Floats:
    """What a vote tells that is right so often, in nats: its divergence from chance; 0 below chance."""
    a, q = np.clip(right, 1e-9, 1 - 1e-9), float(np.clip(by_chance, 1e-9, 1 - 1e-9))
    return np.where(a > q, a * np.log(a / q) + (1 - a) * np.log((1 - a) / (1 - q)), 0.0)
