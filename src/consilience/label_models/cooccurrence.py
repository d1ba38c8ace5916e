"""How often functions say what together, and what is believed of them beforehand. Where models of moments begin.

Reads patterns of votes, writes shares and covariances of "function j says s" for every s it ever says, from one matrix
product. Abstaining has no column: it is what is left. Models of moments learn a *lean* for each column and class,
P(says s and class y) - P(says s) P(class y); `tables_from` turns leans into P(says s | class y).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consilience.label_models.base import Evidence, Floats

PRIOR_ACCURACY = 0.7  # of a function nobody spoke of, were all classes equally frequent
PRIOR_ROWS = 30.0  # rows of gold that this is worth
FLOOR = 1e-9
UNSEEN = 0.01  # rows on which a function is taken to have said what it never said
EXACT = 2**24  # sums of integers below this are exact in single precision
CELLS = 4_000_000  # of one-hot votes at a time

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cooccurrence:
    """Shares and covariances of the d things that are said by one function or another, but not always.

    function, symbol: (d,) who says what; shares: (d,) how often; covariance: (d, d); n: number of rows.
    component: (m,) number of the group of functions that depend on one another, each its own if none do.
    """

    function: Ints
    symbol: Ints
    shares: Floats
    covariance: Floats
    component: Ints
    n: float

    @cached_property
    def spread(self) -> Floats:
        """Standard deviations. returns: (d,)."""
        return np.sqrt(self.shares * (1 - self.shares))

    @cached_property
    def correlation(self) -> Floats:
        """Of the columns. returns: (d, d)."""
        return self.covariance / np.outer(self.spread, self.spread)

    @cached_property
    def variance(self) -> Floats:
        """Of the correlations, times n: 1 for independent columns, more for rare ones that coincide. (d, d)."""
        tilt = 1 - 2 * self.shares  # (x - share)^2 = share^2 + tilt x
        return _variance(self.covariance, np.outer(tilt, tilt) * self.covariance, self.spread)

    def variance_of(self, scored: Floats, spread: Floats) -> Floats:
        """The same for scores. scored: (d, q) what each column counts; spread: (q,) of scores. returns: (q, q)."""
        mean = self.shares @ scored
        bent = scored**2 - 2 * mean * scored  # (score - mean)^2 = mean^2 + bent
        return _variance(scored.T @ self.covariance @ scored, bent.T @ self.covariance @ bent, spread)

    @cached_property
    def apart(self) -> npt.NDArray[np.bool_]:
        """Which two functions are independent given the class: those of different components. returns: (m, m)."""
        return self.component[:, None] != self.component[None, :]

    @cached_property
    def columns_apart(self) -> npt.NDArray[np.bool_]:
        """The same for columns. returns: (d, d)."""
        return self.apart[np.ix_(self.function, self.function)]


def _variance(covariance: Floats, of_squares: Floats, spread: Floats) -> Floats:
    """Variance of correlations times n, at least 1. of_squares: (q, q) covariance of squared deviations."""
    squares = of_squares + np.outer(spread**2, spread**2)
    return np.maximum((squares - covariance**2) / np.outer(spread, spread) ** 2, 1.0)


def co_occurrence(evidence: Evidence, component: Ints) -> Cooccurrence:
    """Count what is said together. component: (m,). O(p d^2), in blocks of patterns."""
    m, s = evidence.votes.shape[1], evidence.n_symbols
    said = symbol_counts(evidence)[:, 1:]
    n = float(evidence.counts.sum())
    function, symbol = np.nonzero((said > 0) & (said < n))
    place = np.full((m, s + 1), -1)
    place[function, symbol + 1] = np.arange(len(function))
    together = np.zeros((len(function), len(function)))
    for block, hot in one_hot(evidence, place):
        together += hot.T @ (hot * evidence.counts[block, None].astype(hot.dtype))
    shares = said[function, symbol] / n
    return Cooccurrence(function, symbol, shares, together / n - np.outer(shares, shares), component, n)


def one_hot(evidence: Evidence, place: npt.NDArray[np.intp]) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """Patterns as rows of zeros and ones, a block at a time. place: (m, s+1) column of each symbol, -1 for none."""
    d = int(place.max(initial=-1)) + 1
    kind = np.float32 if evidence.counts.sum() < EXACT else np.float64
    step = max(CELLS // max(d, 1), 1)
    for start in range(0, len(evidence.votes), step):
        block = slice(start, min(start + step, len(evidence.votes)))
        votes = evidence.votes[block]
        hot = np.zeros((len(votes), d), kind)
        for j, column in enumerate(votes.T):
            for symbol in np.flatnonzero(place[j] >= 0):
                hot[:, place[j, symbol]] = column == symbol - 1
        yield block, hot


def symbol_counts(evidence: Evidence) -> Floats:
    """How often each function says each symbol; symbol 0 is abstaining. returns: (m, s+1)."""
    s = evidence.n_symbols + 1
    return np.array([np.bincount(column.astype(np.int64) + 1, evidence.counts, s) for column in evidence.votes.T])


@dataclass(frozen=True)
class Beliefs:
    """What is believed of the class where a function says something, before votes are compared; gold is in it.

    classes: (m, s+1, k) P(class | function says symbol), symbol 0 is abstaining; rows: (m, s+1) of gold it is worth.
    """

    classes: Floats
    rows: Floats


def beliefs(evidence: Evidence, balance: Floats, prior_rows: float = PRIOR_ROWS) -> Beliefs:
    """Prior accuracies, and gold counted.

    An accuracy nobody spoke of is 70% where classes are even, and as much evidence (the same odds ratio) where they are
    not: else a rare class could not be voted for. Abstaining is believed to say nothing.
    """
    k, allows = evidence.n_classes, np.vstack([np.zeros(evidence.n_classes, bool), evidence.meanings])
    inside = allows @ balance  # (s+1,) share of the classes that a symbol allows
    lifted = _lifted(inside, k)
    said = evidence.prior_accuracies(np.nan)
    right = np.where(np.isnan(said)[:, None], lifted, said[:, None])[:, :, None]  # (m, s+1, 1)
    among = np.where(allows, balance / np.maximum(inside, FLOOR)[:, None], 0.0)
    outside = np.where(allows, 0.0, balance / np.maximum(1 - inside, FLOOR)[:, None])
    classes = right * among + (1 - right) * outside
    classes[:, 0] = balance
    classes = np.maximum(classes, FLOOR)
    classes /= classes.sum(axis=2, keepdims=True)
    gold = _gold_counts(evidence)
    worth = evidence.prior_rows(prior_rows)[:, None] + gold.sum(axis=2)
    mixed = evidence.prior_rows(prior_rows)[:, None, None] * classes + gold
    return Beliefs(np.where(worth[:, :, None] > 0, mixed / np.maximum(worth, FLOOR)[:, :, None], classes), worth)


def _lifted(inside: Floats, k: int) -> Floats:
    """Accuracy of a vote that speaks for each class it allows as a 70% right vote does where classes are even.

    inside: (s+1,) share of the classes that each symbol allows. returns: (s+1,).
    """
    ratio = PRIOR_ACCURACY / (1 - PRIOR_ACCURACY) * max(k - 1, 1)
    return ratio * inside / (ratio * inside + np.maximum(1 - inside, 0.0) + FLOOR)


def _gold_counts(evidence: Evidence) -> Floats:
    """Rows of gold by function, symbol and class. returns: (m, s+1, k)."""
    known = evidence.known >= 0
    s, k = evidence.n_symbols + 1, evidence.n_classes
    codes = (evidence.votes[known].astype(np.int64) + 1) * k + evidence.known[known, None]
    weights = evidence.counts[known]
    return np.array([np.bincount(code, weights, s * k).reshape(s, k) for code in codes.T])


def tables_from(evidence: Evidence, leans: Floats, checked: Floats, believed: Beliefs, balance: Floats) -> Floats:
    """P(symbol | class) of each function, from how symbols lean, drawn to what is believed where votes are few.

    leans: (m, s+1, k), P(symbol, class) - P(symbol) P(class); checked: (m, k), the share of a row of gold that a row of
    votes is worth, when they are what a function is held against. returns: (m, k, s+1).
    """
    counts = symbol_counts(evidence)
    shares = np.maximum(counts, UNSEEN)
    shares /= shares.sum(axis=1, keepdims=True)
    classes = classes_given(shares, leans, counts[:, :, None] * checked[:, None, :], believed, balance)
    theta = np.maximum((shares[:, :, None] * classes / balance).transpose(0, 2, 1), FLOOR)
    return theta / theta.sum(axis=2, keepdims=True)


def classes_given(shares: Floats, leans: Floats, rows: Floats, believed: Beliefs, balance: Floats) -> Floats:
    """P(class | said): what leans say, and what is believed, each weighted by the rows of gold it is worth.

    shares: (...,); leans: (..., k); rows: (..., k) rows of gold that leans are worth. returns: (..., k).
    """
    found = np.clip(balance + leans / shares[..., None], 0.0, 1.0)
    worth = believed.rows[..., None]
    mixed = (rows * found + worth * believed.classes) / np.maximum(rows + worth, FLOOR)
    mixed = np.maximum(np.where(rows + worth > FLOOR, mixed, balance), FLOOR)
    return mixed / mixed.sum(axis=-1, keepdims=True)


def with_silence(together: Cooccurrence, leans: Floats, m: int, n_symbols: int) -> Floats:
    """Leans of columns as tables by function; abstaining leans as all else does not. leans: (d, k). (m, s+1, k)."""
    tables = np.zeros((m, n_symbols + 1, leans.shape[1]))
    tables[together.function, together.symbol + 1] = leans
    tables[:, 0] = -tables.sum(axis=1)
    return tables


def single_threaded() -> Any:
    """Small matrices are multiplied faster by one thread than by many."""
    return threadpool_limits(1, "blas")
