"""Learn each function's table of errors by EM, with no gold: the generative model of the Dawid-Skene family.

Reads patterns of votes, writes class probabilities. Given the class y of a row, function j says symbol s (a label, or
nothing) with probability theta[j, y, s], independently of the others.

Source: Dawid & Skene 1979; MAP form with Dirichlet priors as in Kim & Ghahramani 2012; for votes that name a set of
classes, Yu, Ding & Bach 2022 (noisy partial labelers).
Departs: abstaining is a symbol of its own, because whether a function fires is often its best evidence, and functions
that can say one label only teach nothing otherwise; all sums are over distinct rows and in log space; the sets a
function says need not be disjoint or cover all classes.
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

PRIOR_ACCURACY = 0.7  # where the tables start and are drawn to: functions are better than chance
FLOOR = 1e-9  # a symbol a function never says is equally unlikely in all classes, and log(theta) finite


class DawidSkene(BaseLabelModel):
    """EM for the tables of all functions and the class balance.

    prior_strength: rows of pretended evidence behind each row of a table, shaped like a function that abstains as
        often as it does, and is right 70% of the time when it does not.
    shrink: 0 to 1: how much of each learned table stays at that prior however many rows there are. 0 trusts the model's
        assumption of independence; higher values suit functions that copy each other.
    balance: "learn" the class balance, or keep it "uniform" (used where fit is given none).
    max_iterations, tolerance: EM ends when the log-likelihood a row gains less than tolerance.

    theta_: (m, k, s), symbol 0 is abstaining, then the labels, then their groups. A function that says groups has one
        table row for all classes that what it says does not tell apart: one that says "not spam" only, for all others.
    prior_: (k,), the balance that probabilities start from.
    class_balance_: the same, but under "uniform" the share of each label among rows with votes.
    log_likelihood_: of the votes, penalised. n_iterations_.

    O(iterations x patterns x functions / block x k); 20k rows x 10 functions take about 10 ms.

    >>> from consilience import LabelMatrix
    >>> votes = [[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, -1]] * 25
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"])
    >>> DawidSkene().fit(matrix).predict(matrix)[:4]
    ['ham', 'spam', 'ham', 'spam']
    """

    kind = "Dawid-Skene"
    theta_: Floats
    prior_: Floats

    def __init__(
        self,
        *,
        prior_strength: float = 10.0,
        shrink: float = 0.0,
        balance: str = "learn",
        max_iterations: int = 200,
        tolerance: float = 1e-7,
    ) -> None:
        if prior_strength < 0 or not 0 <= shrink <= 1 or balance not in ("learn", "uniform"):
            raise ModelError(
                f"DawidSkene(prior_strength={prior_strength}, shrink={shrink}, balance={balance!r}) cannot be.\n"
                "Fix: prior_strength >= 0, shrink between 0 and 1, balance 'learn' or 'uniform'."
            )
        self.prior_strength = prior_strength
        self.shrink = shrink
        self.balance = balance
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k, counts = evidence.n_classes, evidence.counts
        tables = PatternTables(evidence.votes, k, evidence.n_symbols)
        centre = prior_tables(evidence)
        self._strength = evidence.prior_rows(self.prior_strength)[:, None, None]
        self._alike = classes_alike(evidence)
        known = evidence.known >= 0
        self.prior_ = np.full(k, 1 / k) if balance is None else balance
        learn_balance = balance is None and self.balance == "learn"
        posterior = shares_of(evidence.class_votes).T
        before = -np.inf
        for iteration in track(range(1, self.max_iterations + 1), "fitting"):
            posterior[:, known] = np.eye(k)[:, evidence.known[known]]
            weights = posterior * counts
            self.theta_ = self._tables(tables.expected_counts(weights), centre)
            if learn_balance:
                self.prior_ = (weights.sum(axis=1) + 1) / (counts.sum() + k)
            joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
            posterior, row = _normalised(joint)
            row[known] = joint[evidence.known[known], known]
            self.log_likelihood_ = float(counts @ row) + self._log_prior(centre, learn_balance)
            self.n_iterations_ = iteration
            if abs(self.log_likelihood_ - before) < self.tolerance * counts.sum():  # with shrink it may also fall
                break
            before = self.log_likelihood_
        voted = counts * (evidence.covered | known)
        seen = posterior @ voted / max(voted.sum(), 1)
        self.class_balance_ = seen if balance is None and not learn_balance and voted.any() else self.prior_
        self.accuracies_ = self._accuracies()

    def _tables(self, counts: Floats, centre: Floats) -> Floats:
        """M step: counts with the prior's, normalised, then drawn to the prior by `shrink`. counts: (m, k, s)."""
        smooth = counts + self._strength * centre
        for j, alike in self._alike.items():
            smooth[j] = alike @ smooth[j]
        total = smooth.sum(axis=2, keepdims=True)
        theta = np.where(total > 0, smooth / np.maximum(total, FLOOR), centre)
        mixed: Floats = np.maximum((1 - self.shrink) * theta + self.shrink * centre, FLOOR)
        return mixed / mixed.sum(axis=2, keepdims=True)

    def _log_prior(self, centre: Floats, learn_balance: bool) -> float:
        prior = float((self._strength * centre * np.log(self.theta_)).sum())
        return prior + (float(np.log(self.prior_).sum()) if learn_balance else 0.0)

    def _accuracies(self) -> Floats:
        """P(right | voted): the share of what a function says that allows the class, over the class balance."""
        k = len(self.class_balance_)
        right = np.einsum("y,sy,jys->j", self.class_balance_, self.labels_.meanings, self.theta_[:, :, 1:])
        says = self.class_balance_ @ (1 - self.theta_[:, :, 0]).T
        return np.where(says > 10 * k * FLOOR, right / np.maximum(says, FLOOR), np.nan)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        tables = PatternTables(votes, len(self.prior_), self.theta_.shape[2] - 1)
        joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
        return np.ascontiguousarray(_normalised(joint)[0].T)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, and the tables."""
        meta, parts = super().state()
        return meta, {**parts, "theta": self.theta_, "prior": self.prior_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.theta_, self.prior_ = parts["theta"], parts["prior"]


def prior_tables(evidence: Evidence) -> Floats:
    """What is believed of each function before learning: it abstains as often as it does, and is right 70% of the time.

    Its right votes are spread evenly over all it could rightly say, its wrong ones likewise: over the labels; or, if it
    says groups, over what it says, and labels for the classes that nothing it says allows.
    returns: (m, k, s), each row of a table summing to 1.
    """
    k, total = evidence.n_classes, evidence.counts.sum()
    allows = evidence.meanings.T  # (k, n_symbols)
    accuracies = evidence.prior_accuracies(PRIOR_ACCURACY)
    tables = []
    for j, column in enumerate(evidence.votes.T):
        silent = evidence.counts[column < 0].sum() / total
        said = groups_said(column, k)
        known = np.arange(allows.shape[1]) < k
        if len(said):
            known[:k] = ~allows[:, said].any(axis=1)
            known[said] = True
        right, wrong = allows & known, ~allows & known
        n_right, n_wrong = right.sum(axis=1, keepdims=True), wrong.sum(axis=1, keepdims=True)
        accuracy = accuracies[j]
        if len(said) and not evidence.is_expected[j]:  # "not a" of ten classes is right nine times of ten by chance
            accuracy = 1 / (1 + (1 - accuracy) / accuracy / np.maximum(n_right / np.maximum(n_wrong, 1), 1))
        says = accuracy * right / n_right
        says = says + (1 - accuracy) * wrong / np.maximum(n_wrong, 1)
        says /= says.sum(axis=1, keepdims=True)
        tables.append(np.column_stack([np.full(k, silent), (1 - silent) * says]))
    return np.array(tables)


def groups_said(column: npt.NDArray[Any], k: int) -> npt.NDArray[Any]:
    """All that a function says, if there are groups among it; nothing, if it says labels only."""
    said = np.unique(column[column >= 0])
    return said if len(said) and said[-1] >= k else said[:0]


def classes_alike(evidence: Evidence) -> dict[int, npt.NDArray[np.bool_]]:
    """For each function that says groups, which classes are allowed by just the same of its votes. returns: (k, k)."""
    found = {}
    for j, column in enumerate(evidence.votes.T):
        said = groups_said(column, evidence.n_classes)
        if len(said):
            allows = evidence.meanings[said].T
            found[j] = (allows[:, None, :] == allows[None, :, :]).all(axis=2)
    return found


def _normalised(joint: Floats) -> tuple[Floats, Floats]:
    """Softmax over classes, and its log normaliser. joint: (k, p). returns: (k, p), (p,)."""
    top = joint.max(axis=0)
    shifted = np.exp(joint - top)
    total = shifted.sum(axis=0)
    return shifted / total, top + np.log(total)
