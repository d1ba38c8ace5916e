"""Functions that make mistakes together: each class has hidden subtypes of rows, and every function a table for each.

Reads patterns of votes, writes class probabilities. Rows of one class are not all alike (hard and easy, of one kind or
another); given the subtype functions are independent, so given the class alone they are not. With one subtype a class
this is the Bayesian Dawid-Skene model (BCC, IBCC).

Source: Li, Rubinstein & Cohn, "Exploiting Worker Correlation for Label Aggregation in Crowdsourcing", ICML 2019 (EBCC,
mean-field variational Bayes); Kim & Ghahramani 2012 (BCC).
Departs: the first guess at subtypes is a random projection of the votes, not a draw a row, so that no order of anything
matters; all starts run a few rounds and the one with the best bound goes on; silence may be evidence too, with a table
of its own; sums are over distinct rows and in log space.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, gammaln

from consilience.errors import ModelError
from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.majority import shares_of
from consilience.label_models.pattern_tables import PatternTables
from consilience.label_models.tied_tables import right_and_wrong, silence
from consilience.label_models.vote_cells import VoteCells, sums_over_votes
from consilience.progress import track
from consilience.store import arrays

SILENCE_ROWS = 10.0  # pretended rows behind how often a function is silent, where that is evidence
NEVER = 1e-3  # pretended votes for what a function is not known to say: as unlikely in every class, and log finite
WORTH_NAMING = 0.05  # share of a class from which a subtype counts as used
FIRST_ROUNDS = 15  # after which the best of the starts is known


class EBCC(BaseLabelModel):
    """Variational Bayes for tables of errors in hidden subtypes of each class.

    subtypes: M, of each class; 1 is IBCC: independent functions, Bayesian. More than are needed do no harm: a sparse
        prior leaves them empty.
    abstains: "evidence": whether a function speaks says something of the class; "ignored": it does not, as with crowds
        each of whose workers saw a few of the items.
    right, wrong: pretended votes for the right label and for each wrong one, in each row of each table.
    sparsity: prior of the subtypes' shares; the nearer to 0, the fewer are used.
    balance: "learn" the class balance, or keep it "uniform" (used where fit is given none).
    starts: first guesses tried; the one with the best bound after a few rounds goes on.
    max_iterations, tolerance: it ends when the bound a row gains less than tolerance.

    tables_: (m, k, M, s), expected probability of each symbol; symbol 0 is abstaining (it has no share where that is
    ignored), then the labels, then their groups.
    subtype_shares_: (k, M), most frequent first. lower_bound_: on the log-likelihood of the votes; models with more or
    fewer subtypes may be compared by it. n_iterations_.

    O(iterations x votes x k M); 20k rows x 10 functions take about 1 s, 20k items x 766 workers 4 s. On crowds it is as
    good as Dawid-Skene (benchmarks/label_models.py); where functions err together it sees what no model of independent
    ones can. Which subtypes are of which class only the majority or gold can tell it.

    >>> from consilience import LabelMatrix
    >>> votes = [[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, -1]] * 25
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"])
    >>> EBCC().fit(matrix).predict(matrix)[:4]
    ['ham', 'spam', 'ham', 'spam']
    """

    kind = "EBCC"
    tables_: Floats
    subtype_shares_: Floats
    lower_bound_: float
    n_iterations_: int

    def __init__(
        self,
        *,
        subtypes: int = 10,
        abstains: str = "evidence",
        right: float = 4.0,
        wrong: float = 1.0,
        sparsity: float = 0.1,
        balance: str = "learn",
        starts: int = 5,
        max_iterations: int = 500,
        tolerance: float = 1e-7,
    ) -> None:
        if subtypes < 1 or starts < 1 or min(right, wrong, sparsity) <= 0:
            raise ModelError(
                f"EBCC(subtypes={subtypes}, starts={starts}, right={right}, wrong={wrong}, sparsity={sparsity}) cannot "
                "be.\nFix: one or more subtypes and starts; right, wrong and sparsity above 0."
            )
        if abstains not in ("evidence", "ignored") or balance not in ("learn", "uniform"):
            raise ModelError(
                f"EBCC(abstains={abstains!r}, balance={balance!r}) cannot be.\n"
                "Fix: abstains 'evidence' or 'ignored', balance 'learn' or 'uniform'."
            )
        self.subtypes = subtypes
        self.abstains = abstains
        self.right = right
        self.wrong = wrong
        self.sparsity = sparsity
        self.balance = balance
        self.starts = starts
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k, counts = evidence.n_classes, evidence.counts
        fixed = np.full(k, 1 / k) if balance is None and self.balance == "uniform" else balance
        prior = self._prior(evidence, fixed)
        sums = sums_over_votes(evidence.votes, k * self.subtypes, evidence.n_symbols)
        allowed = np.repeat((evidence.known < 0) | (evidence.known == np.arange(k)[:, None]), self.subtypes, axis=0)
        runs = []
        for start in range(self.starts if self.subtypes > 1 else 1):
            guess = first_guess(evidence, self.function_names_, self.subtypes, f"{seed} {start}", sums)
            runs.append(_Run(prior, sums, counts, allowed, guess))
        if len(runs) > 1:
            for run in runs:
                run.go(FIRST_ROUNDS, self.tolerance)
        best = max(runs, key=lambda run: run.bound)
        best.go(self.max_iterations - best.rounds, self.tolerance)
        self._keep(best, evidence, balance)

    def _prior(self, evidence: Evidence, balance: Floats | None) -> Beliefs:
        """What is believed before learning. balance: (k,) if it is not to be learned."""
        k = evidence.n_classes
        worth = self.right + (k - 1) * self.wrong
        accuracy = evidence.prior_accuracies(self.right / worth)[:, None, None]
        right, wrong = right_and_wrong(evidence)
        says = evidence.prior_rows(worth)[:, None, None] * (accuracy * right + (1 - accuracy) * wrong)
        share = silence(evidence)
        speaks = SILENCE_ROWS * np.column_stack([share, 1 - share]) + 0.5  # Jeffreys' prior: it may be never or always
        return Beliefs(
            np.ones(k) if balance is None else None,
            np.full((k, self.subtypes), self.sparsity / self.subtypes),
            np.repeat(np.maximum(says, NEVER), self.subtypes, axis=1),
            np.repeat(speaks[:, None], k * self.subtypes, axis=1) if self.abstains == "evidence" else None,
            np.zeros(k) if balance is None else np.log(balance),
        )

    def _keep(self, run: _Run, evidence: Evidence, balance: Floats | None) -> None:
        """Set what was learned, from the best run; subtypes of a class in order of their shares."""
        k, found = evidence.n_classes, run.beliefs
        shares = found.subtypes / found.subtypes.sum(axis=1, keepdims=True)
        order = np.argsort(-shares, axis=1, kind="stable")
        place = (order + self.subtypes * np.arange(k)[:, None]).ravel()
        self.subtype_shares_ = np.take_along_axis(shares, order, axis=1)
        tables = found.expected_tables()[:, place]
        self.tables_ = tables.reshape(len(tables), k, self.subtypes, -1)
        self._log_shares, self._log_tables = run.log_shares[place], run.log_tables[:, place]
        self.class_balance_ = self._balance(run, evidence) if balance is None else balance
        self.accuracies_ = self._accuracies(evidence)
        self.lower_bound_, self.n_iterations_ = run.bound, run.rounds

    def _balance(self, run: _Run, evidence: Evidence) -> Floats:
        """The balance learned; where it is kept uniform, the share of each label among rows with votes."""
        if run.beliefs.balance is not None:
            return run.beliefs.balance / run.beliefs.balance.sum()
        weights = evidence.counts * (evidence.covered | (evidence.known >= 0))
        shares = _by_class(run.rows, evidence.n_classes) @ weights
        return shares / shares.sum() if weights.any() else np.full(evidence.n_classes, 1 / evidence.n_classes)

    def _accuracies(self, evidence: Evidence) -> Floats:
        """P(right | voted), over classes and subtypes; NaN for a function that never votes. returns: (m,)."""
        weights = self.class_balance_[:, None] * self.subtype_shares_
        said = np.einsum("yt,jyts->jys", weights, self.tables_[:, :, :, 1:])
        right = np.einsum("sy,jys->j", evidence.meanings, said)
        voted = np.array([(column >= 0).any() for column in evidence.votes.T])
        return np.where(voted, right / said.sum(axis=(1, 2)), np.nan)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        sums = sums_over_votes(votes, len(self._log_shares), self._log_tables.shape[2] - 1)
        rows, _ = _normalised(sums.log_likelihood(self._log_tables) + self._log_shares[:, None])
        return np.ascontiguousarray(_by_class(rows, len(self.class_balance_)).T)

    def findings(self) -> list[str]:
        """How many subtypes are used, in a sentence."""
        used = (self.subtype_shares_ > WORTH_NAMING).sum(axis=1)
        each = ", ".join(f"{name} {n}" for name, n in zip(self.labels_, used, strict=True))
        return [f"subtypes with more than {WORTH_NAMING:.0%} of their class: {each}"] if self.subtypes > 1 else []

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, the tables and the subtypes' shares, and both as expected logs."""
        meta, parts = super().state()
        return meta, {
            **parts,
            "tables": self.tables_,
            "subtype_shares": self.subtype_shares_,
            "log_tables": self._log_tables,
            "log_shares": self._log_shares,
        }

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.tables_, self.subtype_shares_ = parts["tables"], parts["subtype_shares"]
        self._log_tables, self._log_shares = parts["log_tables"], parts["log_shares"]


@dataclass(frozen=True)
class Beliefs:
    """Dirichlet distributions over all that is to be learned, as pretended or expected counts. g = k M states.

    balance: (k,), None if it is given; subtypes: (k, M); says: (m, g, c), what a function says when it speaks;
    speaks: (m, g, 2), whether it is silent or not, None where that is ignored. log_balance: (k,), if it is given.
    """

    balance: Floats | None
    subtypes: Floats
    says: Floats
    speaks: Floats | None
    log_balance: Floats

    def learned(self, counts: Floats, states: Floats) -> Beliefs:
        """With these as prior, what is believed once things were seen. counts: (m, g, s); states: (g,)."""
        in_subtypes = states.reshape(self.subtypes.shape)
        said = counts[:, :, 1:]
        return Beliefs(
            None if self.balance is None else self.balance + in_subtypes.sum(axis=1),
            self.subtypes + in_subtypes,
            self.says + said,
            None if self.speaks is None else self.speaks + np.stack([counts[:, :, 0], said.sum(axis=2)], axis=2),
            self.log_balance,
        )

    def parts(self) -> list[Floats]:
        """The Dirichlet distributions, in a fixed order; each is along the last axis."""
        return [part for part in (self.balance, self.subtypes, self.says, self.speaks) if part is not None]

    def divergence(self, prior: Beliefs) -> float:
        """Kullback-Leibler divergence of these beliefs from others of the same shape."""
        return sum(_divergence(mine, theirs) for mine, theirs in zip(self.parts(), prior.parts(), strict=True))

    def log_shares(self) -> Floats:
        """Expected log probability of each state. returns: (g,)."""
        balance = self.log_balance if self.balance is None else _expected_log(self.balance)
        return (balance[:, None] + _expected_log(self.subtypes)).ravel()

    def log_tables(self) -> Floats:
        """Expected log probability of each symbol in each state, 0 for silence that is ignored. returns: (m, g, s)."""
        says = _expected_log(self.says)
        if self.speaks is None:
            return np.concatenate([np.zeros_like(says[:, :, :1]), says], axis=2)
        speaks = _expected_log(self.speaks)
        return np.concatenate([speaks[:, :, :1], speaks[:, :, 1:] + says], axis=2)

    def expected_tables(self) -> Floats:
        """Expected probability of each symbol in each state. returns: (m, g, s), rows summing to 1."""
        says = self.says / self.says.sum(axis=2, keepdims=True)
        if self.speaks is None:
            return np.concatenate([np.zeros_like(says[:, :, :1]), says], axis=2)
        speaks = self.speaks / self.speaks.sum(axis=2, keepdims=True)
        return np.concatenate([speaks[:, :, :1], speaks[:, :, 1:] * says], axis=2)


class _Run:
    """One ascent of the bound from one first guess. rows: (g, p) responsibilities of states for patterns."""

    def __init__(
        self,
        prior: Beliefs,
        sums: PatternTables | VoteCells,
        counts: Floats,
        allowed: npt.NDArray[np.bool_],
        rows: Floats,
    ) -> None:
        self.prior, self.sums, self.counts, self.allowed = prior, sums, counts, allowed
        self.rows = _normalised(np.where(allowed, np.log(rows), -np.inf))[0]
        self.bound, self.rounds = -np.inf, 0

    def go(self, rounds: int, tolerance: float) -> None:
        """At most so many rounds, or until the bound a row gains less than tolerance."""
        for _ in track(range(rounds), "fitting"):
            before = self.bound
            self.step()
            if self.bound - before < tolerance * self.counts.sum():
                break

    def step(self) -> None:
        """Beliefs from rows, then rows from beliefs; the bound is that of the two."""
        weights = self.rows * self.counts
        self.beliefs = self.prior.learned(self.sums.expected_counts(weights), weights.sum(axis=1))
        self.log_shares, self.log_tables = self.beliefs.log_shares(), self.beliefs.log_tables()
        joint = self.sums.log_likelihood(self.log_tables) + self.log_shares[:, None]
        self.rows, row = _normalised(np.where(self.allowed, joint, -np.inf))
        self.bound = float(self.counts @ row) - self.beliefs.divergence(self.prior)
        self.rounds += 1


def first_guess(
    evidence: Evidence, names: list[str], subtypes: int, seed: str, sums: PatternTables | VoteCells
) -> Floats:
    """Classes by the shares of the votes, subtypes by random weights of the votes. returns: (g, p), columns sum to 1.

    The weight of a vote hangs on the names of function and label alone, so that no order of anything matters.
    """
    k, m = evidence.n_classes, len(names)
    weights = np.zeros((m, subtypes, evidence.n_symbols + 1))
    for j, name in enumerate(names):
        for code, said in enumerate(evidence.labels.votes):
            bits = hashlib.shake_128(repr((seed, name, said)).encode("utf-8", "surrogatepass")).digest(4 * subtypes)
            weights[j, :, code + 1] = np.frombuffer(bits, "<u4") / 2**32 - 0.5
    n_votes = np.maximum((evidence.votes >= 0).sum(axis=1), 1)
    scores = sums.log_likelihood(np.tile(weights, (1, k, 1))) * np.sqrt(12 / n_votes)  # of unit variance
    scores = np.exp(scores).reshape(k, subtypes, -1)
    guess = shares_of(evidence.class_votes).T[:, None] * scores / scores.sum(axis=1, keepdims=True)
    return np.maximum(guess, 1e-12).reshape(k * subtypes, -1)


def _by_class(states: Floats, k: int) -> Floats:
    """Sums over the subtypes of each class. states: (k M, p). returns: (k, p)."""
    return states.reshape(k, -1, states.shape[1]).sum(axis=1)


def _expected_log(counts: Floats) -> Floats:
    """Of probabilities that follow Dirichlet distributions along the last axis. returns: the same shape."""
    return digamma(counts) - digamma(counts.sum(axis=-1, keepdims=True))


def _divergence(counts: Floats, prior: Floats) -> float:
    """Sum of the Kullback-Leibler divergences of Dirichlet distributions along the last axis from others."""
    parts = gammaln(prior).sum() - gammaln(counts).sum() + ((counts - prior) * _expected_log(counts)).sum()
    return float(parts + gammaln(counts.sum(axis=-1)).sum() - gammaln(prior.sum(axis=-1)).sum())


def _normalised(joint: Floats) -> tuple[Floats, Floats]:
    """Softmax over states, and its log normaliser. joint: (g, p). returns: (g, p), (p,)."""
    top = joint.max(axis=0)
    shifted = np.exp(joint - top)
    total = shifted.sum(axis=0)
    return shifted / total, top + np.log(total)
