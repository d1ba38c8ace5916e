"""From tables of what each function says given the class, to probabilities: the last step of models of moments.

A model that can say how the class leans on what is said (a covariance of the two) makes its tables here, gold and prior
included, and predicts by Bayes' rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.cliques import Conditional, conditional, elimination, state_codes
from consilience.label_models.cooccurrence import (
    FLOOR,
    PRIOR_ROWS,
    Beliefs,
    Cooccurrence,
    classes_given,
    one_hot,
    symbol_counts,
)
from consilience.label_models.pattern_tables import PatternTables
from consilience.store import arrays

DOUBTFUL = 3.0  # misfit of which a person should know
Ints = npt.NDArray[np.int64]
Held = Callable[[int], tuple[Floats, Floats]]


class TableModel(BaseLabelModel):
    """Probabilities by Bayes' rule from tables.

    theta_: (m, k, s), symbol 0 is abstaining, then the labels, then their groups. prior_: (k,), where probabilities
    start. conditionals_: what dependent functions say, given those they depend on.
    """

    abstains: str
    theta_: Floats
    prior_: Floats
    conditionals_: list[Conditional]

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        k, log_theta = len(self.prior_), self._log_tables()
        tables = PatternTables(votes, k, log_theta.shape[2] - 1)
        joint = tables.log_likelihood(log_theta) + np.log(self.prior_)[:, None]
        for one in self.conditionals_:
            one.add_to(joint, votes, log_theta[one.function], silence=self.abstains == "evidence")
        shifted = np.exp(joint - joint.max(axis=0))
        return np.ascontiguousarray((shifted / shifted.sum(axis=0)).T)

    def _log_tables(self) -> Floats:
        """Logarithms of theta_; abstaining is made to say nothing if it is to be ignored. returns: (m, k, s)."""
        log_theta = np.log(self.theta_)
        if self.abstains == "ignored":
            log_theta[:, :, 0] = 0.0
        return log_theta

    def _finish(self, evidence: Evidence, learned: bool) -> None:
        """Set what the contract asks for, once there are tables. learned: whether prior_ is more than a convention."""
        said = np.einsum("y,jys->js", self.prior_, self.theta_)[:, 1:]
        right = np.einsum("y,sy,jys->j", self.prior_, self.labels_.meanings, self.theta_[:, :, 1:])
        ever = symbol_counts(evidence)[:, 1:].sum(axis=1) > 0
        self.accuracies_ = np.where(ever, right / np.maximum(said.sum(axis=1), FLOOR), np.nan)
        weight = evidence.counts * (evidence.covered | (evidence.known >= 0))
        self.class_balance_ = self.prior_
        if not learned and weight.sum() > 0:
            proba = self._proba(evidence.votes)
            known = evidence.known >= 0
            proba[known] = np.eye(evidence.n_classes)[evidence.known[known]]
            self.class_balance_ = weight @ proba / weight.sum()

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, and the tables."""
        meta, parts = super().state()
        parts |= {"theta": self.theta_, "prior": self.prior_}
        for place, one in enumerate(self.conditionals_):
            parts |= {f"codes_{place}": one.codes, f"log_theta_{place}": one.log_theta}
        return meta | {"conditionals": [[one.function, list(one.given)] for one in self.conditionals_]}, parts

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.theta_, self.prior_ = parts["theta"], parts["prior"]
        self.conditionals_ = [
            Conditional(function, tuple(given), parts[f"codes_{place}"], parts[f"log_theta_{place}"])
            for place, (function, given) in enumerate(meta["conditionals"])
        ]


def said_of_misfit(excess: float) -> list[str]:
    """A sentence where functions are not independent given the class, else none. excess: 1 by chance."""
    if excess < DOUBTFUL:
        return []
    return [
        f"functions agree otherwise than the classes explain ({excess:.0f} times as far off as by chance): some copy "
        f"others, so votes were believed that many times less; name who copies whom in dependencies"
    ]


def conditionals(
    evidence: Evidence,
    together: Cooccurrence,
    theta: Floats,
    balance: Floats,
    pairs: Sequence[tuple[int, int]],
    held: Held,
) -> list[Conditional]:
    """What each dependent function says given those it depends on. theta: (m, k, s) tables of each alone.

    held: for a function, how to hold what is said against functions of other components: weights (d, k) that turn its
    covariances with their columns into leans, and the share of a row of gold that this is worth, (k,).
    """
    found = []
    for function, given in elimination(len(theta), pairs):
        columns = (*given, function)
        states, which = np.unique(state_codes(evidence.votes, columns, theta.shape[2]), return_inverse=True)
        shares = np.bincount(which, evidence.counts) / together.n
        weights, checked = held(function)
        leans = _covariance(evidence, together, which, shares) @ weights
        believed = _as_if_independent(states, columns, theta, balance)
        classes = classes_given(shares, leans, together.n * shares[:, None] * checked, believed, balance)
        found.append(
            conditional(evidence, function, given, states, shares[:, None] * classes / balance, theta[function])
        )
    return found


def _covariance(evidence: Evidence, together: Cooccurrence, which: Ints, shares: Floats) -> Floats:
    """Of states and columns. which: (p,) state of each pattern; shares: (q,). returns: (q, d)."""
    place = np.full((evidence.votes.shape[1], evidence.n_symbols + 1), -1)
    place[together.function, together.symbol + 1] = np.arange(len(together.function))
    both = np.zeros((len(shares), len(together.shares)))
    for block, hot in one_hot(evidence, place):
        rows = np.arange(len(hot))
        both += csr_array((evidence.counts[block], (which[block], rows)), shape=(len(shares), len(hot))) @ hot
    return both / together.n - np.outer(shares, together.shares)


def _as_if_independent(states: Ints, columns: Sequence[int], theta: Floats, balance: Floats) -> Beliefs:
    """What single tables say of the class of each state. returns: (q, k), worth PRIOR_ROWS."""
    joint = np.tile(np.log(balance), (len(states), 1))
    rest = states
    for column in reversed(columns):
        rest, symbol = np.divmod(rest, theta.shape[2])
        joint += np.log(theta[column][:, symbol]).T
    joint = np.exp(joint - joint.max(axis=1, keepdims=True))
    return Beliefs(joint / joint.sum(axis=1, keepdims=True), np.full(len(states), PRIOR_ROWS))
