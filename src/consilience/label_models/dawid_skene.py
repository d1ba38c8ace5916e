"""Learn each function's table of errors by EM, with no gold: the generative model of the Dawid-Skene family.

Reads patterns of votes, writes class probabilities. Given the class y of a row, function j says symbol s (a label, or
nothing) with probability theta[j, y, s], independently of the others but for those it is said to depend on.

Source: Dawid & Skene 1979; MAP form with Dirichlet priors as in Kim & Ghahramani 2012; for votes that name a set of
classes, Yu, Ding & Bach 2022 (noisy partial labelers).
Departs: abstaining is a symbol of its own, because whether a function fires is often its best evidence, and functions
that can say one label only teach nothing otherwise (the paper's form, for crowds, is abstains="ignored"); all sums are
over distinct rows and in log space; the sets a function says need not be disjoint or cover all classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ModelError
from consilience.label_models.base import BaseLabelModel, Evidence, Floats, count_votes
from consilience.label_models.edges import EdgeTables, components, forest
from consilience.label_models.majority import shares_of
from consilience.label_models.tied_tables import TiedTables
from consilience.label_models.vote_cells import sums_over_votes
from consilience.progress import track
from consilience.store import arrays

PRIOR_ACCURACY = 0.7  # where the tables start and are drawn to: functions are better than chance
PAIR_STRENGTH = 2.0  # rows of pretended evidence that a pair is independent, for each symbol of the first
PRIOR_ROWS = 10.0
FLOOR = 1e-9  # a symbol a function never says is equally unlikely in all classes, and log(theta) finite


class DawidSkene(BaseLabelModel):
    """EM for the tables of all functions and the class balance.

    prior_strength: rows of pretended evidence behind each row of a table, shaped like a function that abstains as
        often as it does, and is right 70% of the time when it does not; default 10. Where abstaining is ignored it is
        votes, by default as many as there are labels: one for each thing that can be said, as in Laplace's rule.
    shrink: 0 to 1: how much of each learned table stays at that prior however many rows there are. 0 trusts the model's
        assumption of independence; higher values suit functions that copy each other.
    balance: "learn" the class balance, or keep it "uniform" (used where fit is given none).
    abstains: "evidence": whether a function speaks says something of the class; "ignored": it is silent equally often
        in all of them. That is the paper's model, for crowds each of whose workers saw a few of the items.
    form: "full": a free table a function; "one coin": one accuracy a function, whatever the class, errors spread
        evenly. Best with a balance that is given, or "uniform": one that is learned tends to run away.
    dependencies: pairs of functions that copy one another, by name. What such a pair says together is learned as a
        table of its own, so that one opinion said twice is not counted twice. Circles are left open.
    max_iterations, tolerance: EM ends when the log-likelihood a row gains less than tolerance.

    theta_: (m, k, s), symbol 0 is abstaining (as often in each class, where that is ignored), then the labels, then
        their groups. A function that says groups has one table row for all classes that what it says does not tell
        apart: one that says "not spam" only, for all others.
    pairs_: (edges, k, s, s) P(what the second of a pair says | what the first says, class); edges_ names them.
    prior_: (k,), the balance that probabilities start from.
    class_balance_: the same, but under "uniform" the share of each label among rows with votes.
    log_likelihood_: of the votes, penalised. n_iterations_.

    O(iterations x patterns x functions / block x k); 20k rows x 10 functions take about 10 ms. With abstaining ignored,
    or one coin, O(iterations x votes x k) where most functions are silent: 20k items x 766 workers take 0.5 s.

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
        prior_strength: float | None = None,
        shrink: float = 0.0,
        balance: str = "learn",
        dependencies: Sequence[Sequence[str]] = (),
        abstains: str = "evidence",
        form: str = "full",
        max_iterations: int = 200,
        tolerance: float = 1e-7,
    ) -> None:
        cannot_be = prior_strength is not None and prior_strength < 0
        if cannot_be or not 0 <= shrink <= 1 or balance not in ("learn", "uniform"):
            raise ModelError(
                f"DawidSkene(prior_strength={prior_strength}, shrink={shrink}, balance={balance!r}) cannot be.\n"
                "Fix: prior_strength >= 0, shrink between 0 and 1, balance 'learn' or 'uniform'."
            )
        if abstains not in ("evidence", "ignored") or form not in ("full", "one coin"):
            raise ModelError(
                f"DawidSkene(abstains={abstains!r}, form={form!r}) cannot be.\n"
                "Fix: abstains 'evidence' or 'ignored', form 'full' or 'one coin'."
            )
        self.prior_strength = prior_strength
        self.shrink = shrink
        self.balance = balance
        self.dependencies = [list(pair) for pair in dependencies]
        self.abstains = abstains
        self.form = form
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k, counts = evidence.n_classes, evidence.counts
        tables = sums_over_votes(evidence.votes, k, evidence.n_symbols)
        centre = prior_tables(evidence)
        self._strength = self._prior_rows(evidence)[:, None, None]
        self._tied = self._ties(evidence)
        self._alike = classes_alike(evidence)
        known = evidence.known >= 0
        self.prior_ = np.full(k, 1 / k) if balance is None else balance
        learn_balance = balance is None and self.balance == "learn"
        edges = forest(self._pairs(), len(self.function_names_))
        self.edges_ = [(self.function_names_[parent], self.function_names_[child]) for parent, child in edges]
        between = EdgeTables(evidence.votes, edges, k, evidence.n_symbols)
        posterior = _counted_once(evidence, edges).T if edges else shares_of(evidence.class_votes).T
        before = -np.inf
        for iteration in track(range(1, self.max_iterations + 1), "fitting"):
            posterior[:, known] = np.eye(k)[:, evidence.known[known]]
            weights = posterior * counts
            self.theta_ = self._tables(tables.expected_counts(weights), centre)
            if learn_balance:
                self.prior_ = (weights.sum(axis=1) + 1) / (counts.sum() + k)
            self.pairs_ = between.conditionals(weights, self.theta_, PAIR_STRENGTH)
            joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
            joint += between.log_ratio(self.theta_, self.pairs_)
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

    def _prior_rows(self, evidence: Evidence) -> Floats:
        """Pretended rows, or votes where silence is ignored, behind each row of a table. returns: (m,)."""
        default = PRIOR_ROWS if self.abstains == "evidence" else float(evidence.n_classes)
        return evidence.prior_rows(default if self.prior_strength is None else self.prior_strength)

    def _ties(self, evidence: Evidence) -> TiedTables | None:
        """What is tied in the tables, if anything is."""
        one_coin, ignored = self.form == "one coin", self.abstains == "ignored"
        if not one_coin and not ignored:
            return None
        accuracy = evidence.prior_accuracies(PRIOR_ACCURACY if evidence.n_classes > 1 else 1.0)
        return TiedTables.of(evidence, accuracy, self._prior_rows(evidence), one_coin=one_coin, ignored=ignored)

    def _tables(self, counts: Floats, centre: Floats) -> Floats:
        """M step: counts with the prior's, normalised, then drawn to the prior by `shrink`. counts: (m, k, s)."""
        if self._tied is not None:
            theta = self._tied.learn(counts)
        else:
            smooth = counts + self._strength * centre
            for j, alike in self._alike.items():
                smooth[j] = alike @ smooth[j]
            total = smooth.sum(axis=2, keepdims=True)
            theta = np.where(total > 0, smooth / np.maximum(total, FLOOR), centre)
        mixed: Floats = np.maximum((1 - self.shrink) * theta + self.shrink * centre, FLOOR)
        return mixed / mixed.sum(axis=2, keepdims=True)

    def _log_prior(self, centre: Floats, learn_balance: bool) -> float:
        if self._tied is not None:
            prior = self._tied.log_prior(self.theta_)
        else:
            prior = float((self._strength * centre * np.log(self.theta_)).sum())
        return prior + (float(np.log(self.prior_).sum()) if learn_balance else 0.0)

    def _pairs(self) -> list[tuple[int, int]]:
        """Places of the functions that depend on one another. Raises ModelError for a pair that is none."""
        names = self.function_names_
        for pair in self.dependencies:
            if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(names):
                raise ModelError(
                    f"{pair} is no pair of functions.\nFix: name two functions of the matrix; there are {names[:8]} ..."
                )
        return [(names.index(first), names.index(second)) for first, second in self.dependencies]

    def _accuracies(self) -> Floats:
        """P(right | voted): the share of what a function says that allows the class, over the class balance."""
        k = len(self.class_balance_)
        right = np.einsum("y,sy,jys->j", self.class_balance_, self.labels_.meanings, self.theta_[:, :, 1:])
        says = self.class_balance_ @ (1 - self.theta_[:, :, 0]).T
        return np.where(says > 10 * k * FLOOR, right / np.maximum(says, FLOOR), np.nan)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        tables = sums_over_votes(votes, len(self.prior_), self.theta_.shape[2] - 1)
        joint = tables.log_likelihood(np.log(self.theta_)) + np.log(self.prior_)[:, None]
        places = [
            (self.function_names_.index(parent), self.function_names_.index(child)) for parent, child in self.edges_
        ]
        between = EdgeTables(votes, places, len(self.prior_), self.theta_.shape[2] - 1)
        joint += between.log_ratio(self.theta_, self.pairs_)
        return np.ascontiguousarray(_normalised(joint)[0].T)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, and the tables."""
        meta, parts = super().state()
        meta["edges"] = self.edges_
        return meta, {**parts, "theta": self.theta_, "prior": self.prior_, "pairs": self.pairs_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.theta_, self.prior_, self.pairs_ = parts["theta"], parts["prior"], parts["pairs"]
        self.edges_ = [(parent, child) for parent, child in meta["edges"]]


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


def _counted_once(evidence: Evidence, edges: Sequence[tuple[int, int]]) -> Floats:
    """Shares of the votes where functions that depend on one another have one vote together. returns: (p, k)."""
    votes = np.zeros((len(evidence.votes), evidence.n_classes))
    for together in components(edges, evidence.votes.shape[1]):
        counts = count_votes(evidence.votes[:, together], evidence.meanings)
        votes += counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares_of(votes)


def groups_said(column: npt.NDArray[Any], k: int) -> npt.NDArray[Any]:
    """All that a function says, if there are groups among it; nothing, if it says labels only."""
    if not len(column) or column.max() < k:
        return column[:0]
    return np.unique(column[column >= 0])


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
