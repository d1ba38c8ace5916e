"""Find dependencies by predicting each function from all others, under an l1 penalty lowered step by step.

Reads patterns of votes and the best reading of residual_search.py; writes pairs, each with the penalty at which it
enters. Unlike residuals, a regression tells a pair that depends directly from one that does so through a third
function, also where pairs form cycles.

Source: Bach, He, Ratner & Re 2017: for each j, the l1-penalised log P(L_j | L_-j), with 1{L_j = L_l} weighted for each
other function l; the elbow on the path is that of Ratner et al., VLDB 2018.
Departs: the class is not summed out at each step but weighted by its probability given all votes, under the model of
the best reading, which knows of the dependencies; that is one step of EM, makes each problem convex, and the class-wise
tables of j are refitted with it. Newton steps on counts of distinct votes of j and its candidates, instead of
stochastic gradients. Penalties are in units of the standard deviation of what they penalise, so they read like
correlations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consilience.label_models.base import Evidence, Floats
from consilience.label_models.dependency_paths import Path, Scored, elbow, noise_floor, thresholds
from consilience.label_models.residual_search import Reading, pairwise_shares
from consilience.labeling.patterns import columns_per_word, pack

MAX_CANDIDATES = 12  # other functions that one may lean on: distinct votes of so many are still few
NEWTON_STEPS = 25
CLOSE = 1e-7


def pseudo_likelihood_dependencies(
    evidence: Evidence, reading: Reading, min_strength: float
) -> tuple[Scored, Path, float]:
    """Pairs with the penalty at which each enters, the path, and the penalty chosen. O(functions x cells) a penalty."""
    scores, scale = _at_zero(evidence, reading)
    m, n = len(scores), evidence.counts.sum()
    if m < 2:
        return {}, [], min_strength
    least = max(min_strength, noise_floor(m, float(n)))
    penalties = thresholds(float(scores.max()), least)
    entered: Scored = {}
    with threadpool_limits(1, "blas"):
        for j in range(m):
            others = np.argsort(-scores[j], kind="stable")[
                : min(MAX_CANDIDATES, columns_per_word(evidence.n_symbols) - 1)
            ]
            others = others[scores[j, others] > least / 2]
            if len(others) == 0 or scores[j, others].max() < least:
                continue
            regression = Regression(evidence, reading, j, others, scale[j, others])
            for place, penalty in regression.entries(penalties).items():
                pair = (min(j, int(others[place])), max(j, int(others[place])))
                entered[pair] = max(entered.get(pair, 0.0), penalty)
    path = [(float(p), sum(strength >= p for strength in entered.values())) for p in penalties]
    chosen = path[elbow(path, m)][0]
    return {pair: strength for pair, strength in entered.items() if strength >= chosen}, path, chosen


def _at_zero(evidence: Evidence, reading: Reading) -> tuple[Floats, Floats]:
    """The gradient by each weight where all are 0, in standard deviations; and those. returns: two (m, m).

    It is how much more often two functions do the same than two independent ones would, so no row need be read.
    """
    fit = reading.fit
    independent = reading.forest.joint(fit)[1]
    excess = np.einsum("jala->jl", pairwise_shares(evidence) - independent)
    theta = fit.theta  # (m, k, s)
    variance = np.einsum("y,lys,jys->jl", fit.balance, theta, theta * (1 - theta), optimize=True)
    scale = np.sqrt(np.maximum(variance, 1e-9))
    scores = np.abs(excess) / scale
    np.fill_diagonal(scores, 0.0)
    return scores, scale


class Regression:
    """One function predicted from its candidates and the class, on counts of what they say together.

    others: (a,) places of the candidates; scale: (a,) units of their weights. base (k, s) holds a log-table of the
    function by class, weights (a,) what agreeing with each candidate adds.
    """

    def __init__(
        self, evidence: Evidence, reading: Reading, j: int, others: npt.NDArray[np.intp], scale: Floats
    ) -> None:
        together = evidence.votes[:, [j, *others]].astype(np.int16)
        _, first, place = np.unique(pack(together, evidence.n_symbols)[0], return_index=True, return_inverse=True)
        cells = together[first] + 1
        mass = reading.fit.posterior * (evidence.counts / evidence.counts.sum())
        self.mass = np.stack([np.bincount(place, row, len(cells)) for row in mass])  # (k, cells)
        s = reading.forest.s
        self.said = np.eye(s)[cells[:, 0]]  # (cells, s)
        self.agrees = (cells[:, 1:, None] == np.arange(s)).transpose(0, 2, 1).astype(np.float64)  # (cells, s, a)
        self.scale = scale
        self.centre = reading.fit.theta[j]
        self.ridge = 2.0 / evidence.counts.sum()  # two rows that say what the model does
        self.base, self.weights = np.log(self.centre), np.zeros(len(others))

    def entries(self, penalties: Floats) -> dict[int, float]:
        """The greatest penalty at which each candidate's weight is not 0; those that enter."""
        entered: dict[int, float] = {}
        for penalty in penalties:
            self.fit(float(penalty))
            for place in np.flatnonzero(self.weights):
                entered.setdefault(int(place), float(penalty))
        return entered

    def fit(self, penalty: float) -> None:
        """Newton steps on a quadratic model, its l1 part solved coordinate by coordinate; halved if they overshoot."""
        value, chances = self.value(self.base, self.weights, penalty)
        for _ in range(NEWTON_STEPS):
            step_base, step_weights = self.step(chances, penalty)
            for length in 0.5 ** np.arange(12):
                base, weights = self.base + length * step_base, self.weights + length * step_weights
                new, new_chances = self.value(base, weights, penalty)
                if new >= value:
                    break
            gain, self.base, self.weights, value, chances = new - value, base, weights, new, new_chances
            if gain < CLOSE:
                break

    def value(self, base: Floats, weights: Floats, penalty: float) -> tuple[float, Floats]:
        """Penalised mean log-likelihood, and P(symbol | class, cell). returns: value, (k, cells, s)."""
        logits = base[:, None, :] + self.agrees @ weights
        logits = logits - logits.max(axis=2, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        plain = base - np.logaddexp.reduce(base, axis=1)[:, None]
        value = np.einsum("yc,ycs,cs->", self.mass, logs, self.said, optimize=True)
        value += self.ridge * (self.centre * plain).sum() - 1e-6 * (base**2).sum()
        return float(value - penalty * (self.scale @ np.abs(weights))), np.exp(logs)

    def step(self, chances: Floats, penalty: float) -> tuple[Floats, Floats]:
        """Where the quadratic model is greatest, less where we are. returns: (k, s), (a,)."""
        s, a = chances.shape[2], len(self.weights)
        weighted = self.mass[:, :, None] * chances
        beyond = self.mass[:, :, None] * self.said - weighted
        expected = np.einsum("ycs,csa->yca", chances, self.agrees)
        plain = np.exp(self.base - np.logaddexp.reduce(self.base, axis=1)[:, None])
        slope_base = beyond.sum(axis=1) + self.ridge * (self.centre - plain) - 2e-6 * self.base
        slope = np.einsum("ycs,csa->a", beyond, self.agrees)
        bend_base = -np.einsum("ycs,yct->yst", weighted, chances, optimize=True)
        bend_base += np.einsum("ys,st->yst", weighted.sum(axis=1) + self.ridge * plain, np.eye(s)) + 2e-6 * np.eye(s)
        bend_base -= self.ridge * plain[:, :, None] * plain[:, None, :]
        cross = np.einsum("ycs,csa->ysa", weighted, self.agrees) - np.einsum("ycs,yca->ysa", weighted, expected)
        seen = weighted.sum(axis=0)[:, :, None] * self.agrees
        bend = seen.reshape(-1, a).T @ self.agrees.reshape(-1, a)
        bend -= np.einsum("yc,yca,ycb->ab", self.mass, expected, expected, optimize=True)
        solved = np.linalg.solve(bend_base, np.concatenate([cross, slope_base[:, :, None]], axis=2))  # (k, s, a + 1)
        left = bend - np.einsum("ysa,ysb->ab", cross, solved[:, :, :a]) + 1e-9 * np.eye(a)
        aim = slope - np.einsum("ysa,ys->a", cross, solved[:, :, a])
        weights = soft_descent(left, aim + left @ self.weights, penalty * self.scale, self.weights)
        move = weights - self.weights
        return solved[:, :, a] - solved[:, :, :a] @ move, move


def soft_descent(bend: Floats, slope: Floats, penalty: Floats, start: Floats, sweeps: int = 50) -> Floats:
    """Greatest point of slope.x - x.bend.x / 2 - penalty.|x|, coordinate by coordinate. bend: (a, a), the rest (a,).

    >>> soft_descent(np.eye(2), np.array([1.0, 0.2]), np.array([0.3, 0.3]), np.zeros(2)).tolist()
    [0.7, 0.0]
    """
    x = start.copy()
    for _ in range(sweeps):
        before = x.copy()
        for i in range(len(x)):
            pull = slope[i] - bend[i] @ x + bend[i, i] * x[i]
            x[i] = np.sign(pull) * max(abs(pull) - penalty[i], 0.0) / bend[i, i]
        if np.abs(x - before).max() < 1e-9:
            break
    return x
