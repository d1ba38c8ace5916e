"""Worlds to learn from: votes and the truth behind them, drawn from what we believe of how functions come about.

Each world is drawn anew: how many rows, functions and classes, how uneven the classes are, and which kind it is.
* Rules: functions fire on features of a row, and a feature goes with a class. Several functions may look at one
  feature; broad features are less precise than narrow ones; some features are exceptions inside a broader one; some
  rows set off everything (long texts do); some functions say a label that their feature does not go with.
* Mixed: rules, and functions that say several labels.
* Crowds: workers of any skill, biased or careless, a few answers a row.
In each, some rows look like another class to everybody.

Which kinds of worlds there are was settled after seeing on which real sets earlier versions failed (lively rows, broad
features and exceptions came in then); no number here was fitted to a real set.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
MOST_ROWS, MOST_FUNCTIONS = 2500, 90


def world(rng: np.random.Generator, k: int) -> tuple[Array, Array]:
    """One world of k classes. returns: votes (n, m), -1 abstains; truth (n,)."""
    n, m = int(_log_uniform(rng, 100, MOST_ROWS)), int(_log_uniform(rng, 3, MOST_FUNCTIONS))
    balance = np.maximum(rng.dirichlet(np.full(k, _log_uniform(rng, 0.7, 20))), 0.01)
    truth = rng.choice(k, n, p=balance / balance.sum())
    looks = _looks(rng, truth, k)
    kind = rng.choice(["rules", "mixed", "crowd"], p=[0.55, 0.2, 0.25])
    if kind == "crowd":
        return _crowd(rng, looks, max(m, 5), k), truth
    return Rules(rng, looks, k).votes(m, mixed=kind == "mixed"), truth


def _looks(rng: np.random.Generator, truth: Array, k: int) -> Array:
    """The class each row seems to be, to all functions alike: in half of the worlds some rows mislead everybody."""
    if rng.random() < 0.5:
        return truth
    misleading = rng.random(len(truth)) < 0.6 * rng.beta(1, 2, len(truth)) * rng.random()
    return np.where(misleading, rng.integers(0, k, len(truth)), truth)


def _crowd(rng: np.random.Generator, looks: Array, m: int, k: int) -> Array:
    """Workers with skills of their own, each row given to a few of them, some of whom do more than others."""
    n, votes = len(looks), np.full((len(looks), m), -1)
    skills = rng.beta(*[(4, 2), (2, 2), (6, 2), (3, 3)][rng.integers(4)], m)
    for j in range(m):
        spammer = rng.random() < 0.1
        right = rng.uniform(0.5, 1.2) / k if spammer else 1 / k + (1 - 1 / k) * skills[j]
        uneven = rng.normal(0, 0.1, k) * (rng.random() < 0.6)
        votes[:, j] = _choices(rng, _confusion(rng, np.clip(right + uneven, 0.02, 0.98)), looks)
    if rng.random() < 0.8:
        answers, diligence = min(m, rng.integers(2, 12)), rng.dirichlet(np.full(m, _log_uniform(rng, 0.3, 5)))
        order = np.argsort(-np.log(rng.random((n, m))) / np.maximum(diligence, 1e-9), axis=1)
        votes[np.arange(n)[:, None], order[:, answers:]] = -1
    return votes


def _confusion(rng: np.random.Generator, right: Array) -> Array:
    """A table of answers by class, with these chances of the right one; errors lean to some classes."""
    k = len(right)
    wrong = rng.dirichlet(np.full(k, _log_uniform(rng, 0.3, 5)), k)
    np.fill_diagonal(wrong, 0)
    table = wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1e-9) * (1 - right)[:, None]
    np.fill_diagonal(table, right)
    return table


class Rules:
    """Features of rows, and functions that fire on them."""

    def __init__(self, rng: np.random.Generator, looks: Array, k: int) -> None:
        self.rng, self.looks, self.k, self.n = rng, looks, k, len(looks)
        self.balance = np.bincount(looks, minlength=k) / self.n
        self.quality, self.alike = rng.uniform(0.1, 0.9), _log_uniform(rng, 2, 12)
        self.broad_is_worse = 0.0 if rng.random() < 0.3 else rng.uniform(0, 0.8)
        self.narrowest, self.broadest = _log_uniform(rng, 0.002, 0.05), rng.uniform(0.05, 0.6)
        self.leaning = (rng.dirichlet(np.ones(k)) + 1 / k) / 2  # labels that people wrote more rules for
        self.liveliness = self._liveliness()

    def _liveliness(self) -> Array:
        """How much a row sets off, whatever it is."""
        rng = self.rng
        lively = np.exp(rng.normal(0, 1, self.n) * (0 if rng.random() < 0.3 else rng.uniform(0.2, 1.5)))
        if rng.random() < 0.3:
            lively = lively * np.exp(rng.normal(0, 0.5, self.k))[self.looks]
        return lively / lively.mean()

    def votes(self, m: int, *, mixed: bool) -> Array:
        """Votes of m functions. mixed: some say several labels."""
        rng, votes = self.rng, np.full((self.n, m), -1)
        shared = rng.random() < 0.6
        n_features = max(2, int(m * rng.uniform(0.25, 0.9))) if shared else m
        holds, labels = self._features(n_features)
        looked_at = rng.integers(0, n_features, m) if shared else np.arange(m)
        attention = _log_uniform(rng, 0.2, 1) if shared else 1.0
        for j, feature in enumerate(looked_at):
            if mixed and rng.random() < 0.6:
                votes[:, j] = self._of_several_labels()
                continue
            fires = holds[:, feature] & (rng.random(self.n) < rng.uniform(attention / 2, 1))
            votes[fires, j] = labels[feature] if rng.random() < 0.95 else rng.integers(self.k)
        return votes

    def _features(self, n_features: int) -> tuple[Array, Array]:
        """Where each feature holds (n, features), and the label it goes with."""
        rng, holds, labels = self.rng, np.zeros((self.n, n_features), bool), np.zeros(n_features, int)
        for feature in range(n_features):
            label = labels[feature] = rng.choice(self.k, p=self.leaning)
            holds[:, feature] = self._feature(label)
            if feature and rng.random() < 0.15:
                within = rng.integers(feature)
                if labels[within] != label and holds[:, within].sum() > 5:
                    holds[:, feature] = self._exception(holds[:, within], label)
        return holds, labels

    def _feature(self, label: int) -> Array:
        """Rows that have a feature which goes with a label."""
        rng, share = self.rng, self.balance[label]
        coverage = np.exp(rng.uniform(*sorted(np.log([self.narrowest, self.broadest]))))
        quality = self.quality if rng.random() < 0.8 else rng.uniform(0.05, 0.95)
        middle = (np.log(self.narrowest) + np.log(max(self.broadest, self.narrowest))) / 2
        precision = share + (1 - share) * self._skill(quality, np.log(coverage) - middle)
        if rng.random() < 0.05:
            precision = share * rng.uniform(0.3, 1)  # worse than no feature at all
        coverage = min(coverage, 0.9 * share / max(precision, 1e-3))
        rest = self.balance * rng.dirichlet(np.full(self.k, _log_uniform(rng, 0.5, 5)))
        rest[label] = 0
        of_class = rest / max(rest.sum(), 1e-9) * (1 - precision)
        of_class[label] = precision
        chance = np.clip(coverage * of_class / np.maximum(self.balance, 1e-3), 0, 0.97)
        return rng.random(self.n) < np.minimum(chance[self.looks] * self.liveliness, 0.98)

    def _skill(self, quality: float, breadth: float) -> float:
        """Between chance (0) and certainty (1). breadth: log coverage, from the middle."""
        logit = np.log(quality / (1 - quality)) - self.broad_is_worse * breadth
        mean = np.clip(1 / (1 + np.exp(-logit)), 0.03, 0.97)
        return self.rng.beta(mean * self.alike, (1 - mean) * self.alike)

    def _exception(self, within: Array, label: int) -> Array:
        """A narrow feature inside a broader one that goes with another label."""
        kept = self.rng.uniform(0.2, 0.9)
        chance = np.where(self.looks == label, kept, kept * self.rng.uniform(0, 0.4))
        return within & (self.rng.random(self.n) < chance)

    def _of_several_labels(self) -> Array:
        """Votes of a function that may say two labels or more."""
        rng, k = self.rng, self.k
        several = np.arange(k) if k == 2 or rng.random() < 0.5 else rng.choice(k, rng.integers(2, k + 1), replace=False)
        coverage = _log_uniform(rng, 0.02, 1.0)
        right = 1 / k + (1 - 1 / k) * self._skill(max(self.quality, 0.3), np.log(coverage) + 2)
        by_class = coverage * np.clip(1 + rng.normal(0, 0.5, k) * (rng.random() < 0.7), 0.05, 2)
        guess = np.where(rng.random(self.n) < right, self.looks, rng.integers(0, k, self.n))
        fires = rng.random(self.n) < np.minimum(by_class[self.looks] * self.liveliness, 1)
        return np.where(fires & np.isin(guess, several), guess, -1)


def _choices(rng: np.random.Generator, table: Array, classes: Array) -> Array:
    """A draw for each row from its class's line of a table."""
    return (rng.random(len(classes))[:, None] > table.cumsum(axis=1)[classes][:, :-1]).sum(axis=1)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
