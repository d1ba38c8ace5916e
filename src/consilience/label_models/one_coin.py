"""One number a function: how often its votes are right. The generative model of data programming without dependencies.

Reads patterns of votes, writes class probabilities. A function votes as often in every class; a vote of its is right
with its accuracy, and its wrong votes are spread evenly. So a vote for a class weighs log-odds, and silence nothing.

Source: Ratner et al. 2016 (accuracy and labeling factors), fitted by exact EM; votes for sets of labels after Yu, Ding
& Bach 2022 (a vote is right if its set holds the class).
Departs: a Beta prior on accuracies, a floor above chance, and a uniform class balance unless asked for another: with
functions that say one label only, a balance learned from votes runs away with the most frequent of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ModelError
from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.majority import shares_of
from consilience.label_models.pattern_tables import PatternTables
from consilience.progress import track
from consilience.store import arrays

PRIOR_ACCURACY = 0.75  # with 8 rows of strength: the Beta(7, 3) whose mode that is
PRIOR_STRENGTH = 8.0
CEILING = 0.999  # no function is believed to be surer than this, else its word alone would decide every row
TINY = 1e-9  # probability of a vote a function never gives; the same in all classes, so it says nothing


class OneCoin(BaseLabelModel):
    """EM for one accuracy a function: few numbers, so it is hard to fool.

    prior_accuracy, prior_strength: what is expected of a function before learning, and how many rows of gold that is
        worth. What `fit(accuracies=...)` says of a function goes before it.
    floor: an accuracy stays at least this far above that of a guess. None lets functions be worse than guessing.
    balance: "uniform", or "learn" the class balance (used where fit is given none).
    max_iterations, tolerance: EM ends when the log-likelihood a row gains less than tolerance.

    theta_: (m, k, s) tables that follow from the accuracies; symbol 0 is abstaining, then labels, then groups.
    prior_: (k,), the balance that probabilities start from.
    class_balance_: the same, but under "uniform" the share of each label among rows with votes.
    log_likelihood_: of the votes, penalised. n_iterations_.

    O(iterations x patterns x functions / block x k).

    >>> from consilience import LabelMatrix
    >>> votes = [[0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 1, 1], [1, 1, -1, 0]] * 25
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"])
    >>> model = OneCoin().fit(matrix)
    >>> model.predict(matrix)[:4], model.accuracies_.round(2).tolist()
    (['ham', 'spam', 'ham', 'spam'], [0.98, 0.98, 0.67, 0.51])
    """

    kind = "one coin"
    theta_: Floats
    prior_: Floats

    def __init__(
        self,
        *,
        prior_accuracy: float = PRIOR_ACCURACY,
        prior_strength: float = PRIOR_STRENGTH,
        floor: float | None = 0.01,
        balance: str = "uniform",
        max_iterations: int = 200,
        tolerance: float = 1e-7,
    ) -> None:
        fine = 0 < prior_accuracy < 1 and prior_strength >= 0 and balance in ("learn", "uniform")
        if not fine or not (floor is None or 0 <= floor < 0.5):
            raise ModelError(
                f"OneCoin(prior_accuracy={prior_accuracy}, prior_strength={prior_strength}, floor={floor}, "
                f"balance={balance!r}) cannot be.\nFix: prior_accuracy between 0 and 1, prior_strength >= 0, "
                "floor from 0 to below 0.5 or None, balance 'learn' or 'uniform'."
            )
        self.prior_accuracy = prior_accuracy
        self.prior_strength = prior_strength
        self.floor = floor
        self.balance = balance
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k, counts, known = evidence.n_classes, evidence.counts, evidence.known >= 0
        coins = Coins(evidence)
        tables = PatternTables(evidence.votes, k, evidence.n_symbols)
        expected = evidence.prior_accuracies(self.prior_accuracy)
        strength = evidence.prior_rows(self.prior_strength)
        lowest = coins.lowest(self.floor)
        learn_balance = balance is None and self.balance == "learn"
        self.prior_ = np.full(k, 1 / k) if balance is None else balance
        posterior, before = shares_of(evidence.class_votes).T, -np.inf
        for iteration in track(range(1, self.max_iterations + 1), "fitting"):
            posterior[:, known] = np.eye(k)[:, evidence.known[known]]
            weights = posterior * counts
            right = (tables.expected_counts(weights)[:, :, 1:] * coins.allows).sum(axis=(1, 2))
            share = (right + strength * expected) / np.maximum(coins.fires + strength, TINY)
            accuracies = np.clip(share, lowest, np.maximum(CEILING, lowest))
            if learn_balance:
                self.prior_ = (weights.sum(axis=1) + 1) / (counts.sum() + k)
            self.theta_ = coins.tables(accuracies)
            joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
            posterior, row = normalised(joint)
            row[known] = joint[evidence.known[known], known]
            self.log_likelihood_ = float(counts @ row) + log_beta(accuracies, expected, strength)
            self.log_likelihood_ += float(np.log(self.prior_).sum()) if learn_balance else 0.0
            self.n_iterations_ = iteration
            if self.log_likelihood_ - before < self.tolerance * counts.sum():
                break
            before = self.log_likelihood_
        self.class_balance_ = seen_balance(evidence, posterior, self.prior_, learn_balance or balance is not None)
        self.accuracies_ = np.where(coins.fires > 0, accuracies, np.nan)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        tables = PatternTables(votes, len(self.prior_), self.theta_.shape[2] - 1)
        joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
        return np.ascontiguousarray(normalised(joint)[0].T)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, and the tables."""
        meta, parts = super().state()
        return meta, {**parts, "theta": self.theta_, "prior": self.prior_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.theta_, self.prior_ = parts["theta"], parts["prior"]


class Coins:
    """What is known of functions before their accuracy: how often each votes, and among which votes it chooses.

    fires: (m,) rows it votes on; propensity: (m,) their share. allows: (k, n_symbols), whether a vote is right in a
    class. spread: (m, k, n_symbols), the share of each vote among all right votes it has if it is right, among all
    wrong ones if it is wrong. A function has every label and the groups it ever says.
    """

    def __init__(self, evidence: Evidence) -> None:
        votes, counts, k = evidence.votes, evidence.counts, evidence.n_classes
        self.fires = np.array([counts[column >= 0].sum() for column in votes.T])
        self.propensity = self.fires / counts.sum()
        self.allows = evidence.meanings.T
        says = np.zeros((votes.shape[1], evidence.n_symbols), bool)
        says[:, :k] = True
        for j, column in enumerate(votes.T):
            says[j, column[column >= k]] = True
        right, wrong = (says[:, None, :] & kind for kind in (self.allows, ~self.allows))
        n_right, n_wrong = (part.sum(axis=2, keepdims=True) for part in (right, wrong))
        self.spread: Floats = right / n_right + wrong / np.maximum(n_wrong, 1)
        self.chance: Floats = (n_right / (n_right + n_wrong)).mean(axis=(1, 2))

    def lowest(self, floor: float | None) -> Floats:
        """The lowest accuracy allowed: a guess and a bit, or hardly any. returns: (m,)."""
        return np.full(len(self.chance), 1 - CEILING) if floor is None else np.minimum(self.chance + floor, 1.0)

    def tables(self, accuracies: Floats) -> Floats:
        """P(symbol | class). accuracies: (m,). returns: (m, k, 1 + n_symbols), rows summing to 1."""
        right = accuracies[:, None, None]
        says = self.spread * np.where(self.allows, right, 1 - right)
        says = np.maximum(says / says.sum(axis=2, keepdims=True), TINY)  # one class: nothing can be wrong
        silent = np.broadcast_to(1 - self.propensity[:, None, None], (*says.shape[:2], 1))
        full: Floats = np.concatenate([silent, self.propensity[:, None, None] * says], axis=2)
        return np.maximum(full, TINY)


def log_beta(accuracies: Floats, expected: Floats, strength: Floats) -> float:
    """Log of the prior on accuracies, up to a constant; its mode is what is expected. Each argument: (m,)."""
    wrong = np.maximum(1 - accuracies, TINY)
    return float((strength * (expected * np.log(accuracies) + (1 - expected) * np.log(wrong))).sum())


def seen_balance(evidence: Evidence, posterior: Floats, prior: Floats, trusted: bool) -> Floats:
    """The balance to report: the prior's where it was given or learned, else that of the rows with votes. (k, p)."""
    voted = evidence.counts * (evidence.covered | (evidence.known >= 0))
    return prior if trusted or not voted.any() else posterior @ voted / voted.sum()


def normalised(joint: Floats) -> tuple[Floats, Floats]:
    """Softmax over classes, and its log normaliser. joint: (k, p). returns: (k, p), (p,)."""
    top = joint.max(axis=0)
    shifted = np.exp(joint - top)
    total = shifted.sum(axis=0)
    return shifted / total, top + np.log(total)
