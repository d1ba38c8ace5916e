"""A check of a label model that needs no gold: do others' votes predict each function's votes as well as they claim?

Reads a fitted model and votes. For each function j, the probabilities of the classes given everybody else's votes,
and j's table, say what j should vote where it votes; that is held against what it did vote. Used by `Calibrated`.

Source: leave-one-out posterior predictive checks, Gelfand, Dey & Chang 1992; that functions independent given the class
check each other is the assumption of Dawid & Skene 1979 itself.
Departs: votes of functions that agree with j more than the model explains (its *partners*) are held out with j's own:
they predict j whatever the class is, and would make an overconfident model look modest. Functions that only ever say
one thing are not scored: what they say, where they say it, tells nothing of the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from consilience.label_models.advantage import joint_votes
from consilience.label_models.explain import softmax
from consilience.metrics import Bin, Interval, calibration_error, reliability_of, wilson
from consilience.views import View

if TYPE_CHECKING:
    from consilience.label_models.base import BaseLabelModel, Evidence
    from consilience.labeling.matrix import LabelMatrix

Floats = npt.NDArray[np.float64]

PARTNERS = 4.0  # standard errors of agreement beyond what the model explains, from which two functions are partners
SMOOTH = 1.0  # rows of pretended evidence behind each cell of a table that is estimated here
FLOOR = 1e-9


@dataclass(frozen=True)
class HeldOut:
    """The votes of one function, and what the others say of the classes of those rows.

    said: (r,) codes; counts: (r,) rows each stands for; log_proba: (r, k) given the others; table: (k, s) probability
    of each thing it may say, by class, where it votes.
    """

    function: int
    said: npt.NDArray[np.int64]
    counts: Floats
    log_proba: Floats
    table: Floats

    def likelihood(self, sharpness: float) -> Floats:
        """Probability of what it said, where probabilities of classes are raised to a power first. returns: (r,)."""
        proba = softmax(sharpness * self.log_proba)
        return np.asarray((proba * self.table[:, self.said].T).sum(axis=1))

    def agreement(self, meanings: npt.NDArray[np.bool_], sharpness: float = 1.0) -> tuple[Floats, Floats]:
        """How probable it is, and whether it is so, that the vote allows the class the others favour. Two (r,)."""
        proba = softmax(sharpness * self.log_proba)
        allowed = meanings[:, proba.argmax(axis=1)]  # (s, r)
        predicted = ((proba @ self.table).T * allowed).sum(axis=0)
        return predicted, allowed[self.said, np.arange(len(self.said))].astype(np.float64)


def held_out(model: BaseLabelModel, evidence: Evidence) -> Iterator[HeldOut]:
    """The votes of each function that says more than one thing, predicted from those of others that are no partners.

    model: fitted on the functions of evidence. O(votes x k) for models that are sums of tables; others are asked once
    for each function.
    """
    sums = model._sums(evidence.votes)
    joint = None if sums is None else sums.joint(evidence.votes)
    tables = tables_of(model, evidence)
    partners = excess_agreement(evidence, tables, model.class_balance_) > PARTNERS
    for j, column in enumerate(evidence.votes.T):
        rows = np.flatnonzero(column >= 0)
        said = column[rows].astype(np.int64)
        if not len(rows) or (said == said[0]).all():
            continue
        away = [j, *np.flatnonzero(partners[j])]
        if sums is None or joint is None:
            without = evidence.votes[rows].copy()
            without[:, away] = -1
            log_proba = np.log(np.maximum(model._proba(without), FLOOR))
        else:
            log_proba = joint[rows] - sum(sums.part(other, evidence.votes[rows, other]) for other in away)
        says = tables[j] / np.maximum(tables[j].sum(axis=1, keepdims=True), FLOOR)
        yield HeldOut(j, said, evidence.counts[rows], log_proba, says)


def tables_of(model: BaseLabelModel, evidence: Evidence) -> Floats:
    """How often each function says what, by class: the model's own tables, or counted with its probabilities.

    returns: (m, k, s), what may be said; silence is the rest.
    """
    sums = model._sums(evidence.votes)
    if sums is not None:
        return np.exp(sums.tables[:, :, 1:])
    weights = model._proba(evidence.votes) * evidence.counts[:, None]
    n_symbols, k = evidence.meanings.shape
    tables = np.empty((evidence.votes.shape[1], k, n_symbols))
    for j, column in enumerate(evidence.votes.T):
        said = column >= 0
        for y in range(k):
            counted = np.bincount(column[said], weights[said, y], n_symbols) + SMOOTH / n_symbols
            tables[j, y] = counted / (weights[:, y].sum() + SMOOTH)
    return tables


def excess_agreement(evidence: Evidence, tables: Floats, balance: Floats) -> Floats:
    """How much more often two functions name the same label than tables explain, in standard errors of chance.

    tables: (m, k, s) as from tables_of; balance: (k,). returns: (m, m), 0 on the diagonal. O(p m^2 k^2).
    """
    m, k, _ = tables.shape
    n = evidence.counts.sum()
    observed = joint_votes(evidence) / n
    table = tables.transpose(2, 0, 1)  # (what is said, m, classes)
    same = sum(observed[c * m : (c + 1) * m, c * m : (c + 1) * m] for c in range(k))
    expected = sum((table[c] * balance) @ table[c].T for c in range(k))
    spread = np.sqrt(np.maximum(expected * (1 - expected), 1 / n) / n)  # at least that of one row
    excess = (same - expected) / spread
    np.fill_diagonal(excess, 0.0)
    return np.asarray(excess)


def dependence(model: BaseLabelModel, matrix: LabelMatrix) -> Floats:
    """How much more often two functions agree than a fitted model explains, in standard errors; 4 is hardly chance.

    returns: (m, m), 0 on the diagonal; below 0 for functions that agree less often than explained.

    >>> from consilience import DawidSkene
    >>> from consilience.testing import simulate
    >>> votes = simulate(3000, 9, ["ham", "spam"], copies=1, seed=1).matrix
    >>> found = dependence(DawidSkene().fit(votes), votes)
    >>> bool(found[0, 8] == found.max())  # the last copies the first
    True
    """
    from consilience.label_models.base import gather

    model._check(matrix)
    evidence = gather(matrix, None)
    return excess_agreement(evidence, tables_of(model, evidence), model.class_balance_)


# the check itself


@dataclass(frozen=True)
class FunctionCheck:
    """One function: how often it should agree with the class the others favour, and how often it does."""

    name: str
    predicted: float
    observed: Interval
    votes: float


@dataclass(frozen=True)
class VotesCheck:
    """Predicted against observed agreement of held-out votes: a reliability diagram that needs no gold.

    bins: by predicted agreement, of equal mass; spread: the same in 40 of equal width. functions: those that say more
    than one thing. n_functions: of all.
    """

    bins: list[Bin]
    spread: list[Bin]
    functions: list[FunctionCheck]
    n_functions: int

    @cached_property
    def error(self) -> float:
        """Mean distance from predicted to observed agreement; NaN if nothing could be checked."""
        return calibration_error(self.bins)

    def view(self) -> View:
        """The bins to look at."""
        rows = [[b.confidence, *b.accuracy, round(b.weight)] for b in self.bins]
        if not self.functions:
            notes = ["no function says more than one thing, so held-out votes cannot tell; gold can"]
        else:
            worst = max(self.functions, key=lambda f: abs(f.predicted - f.observed.value))
            notes = [
                f"votes of {len(self.functions)} of {self.n_functions} functions, each predicted from the others'",
                f"mean distance {self.error:.3f}; farthest off: {worst.name}, predicted {worst.predicted:.3f}, "
                f"observed {worst.observed}",
            ]
        return View(["predicted agreement", "observed", "low", "high", "votes"], rows, notes=notes)

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


def votes_check(model: BaseLabelModel, matrix: LabelMatrix, *, bins: int = 15) -> VotesCheck:
    """Hold a fitted model to the votes it can predict: each function's, from the others'. Needs no gold.

    raises: ModelError if the matrix has other functions. Probabilities of a model that is overconfident show predicted
    agreement above observed where it is high.

    >>> from consilience import DawidSkene
    >>> from consilience.testing import simulate
    >>> votes = simulate(5000, 8, ["ham", "spam"], seed=1).matrix
    >>> votes_check(DawidSkene().fit(votes), votes).error < 0.02
    True
    """
    from consilience.label_models.base import gather

    model._check(matrix)
    evidence = gather(matrix, None)
    predicted, observed, counts, functions = [np.empty(0)], [np.empty(0)], [np.empty(0)], []
    for part in held_out(model, evidence):
        said = part.agreement(evidence.meanings)
        total = float(part.counts.sum())
        functions.append(
            FunctionCheck(
                model.function_names_[part.function],
                float(part.counts @ said[0] / total),
                wilson(float(part.counts @ said[1]), total),
                total,
            )
        )
        predicted.append(said[0])
        observed.append(said[1])
        counts.append(part.counts)
    confidence = np.clip(np.concatenate(predicted), 0, 1)
    came, weights = np.concatenate(observed), np.concatenate(counts)
    found = reliability_of(confidence, came, bins, weights=weights)
    spread = reliability_of(confidence, came, 40, how="equal width", weights=weights)
    return VotesCheck(found, spread, functions, len(model.function_names_))
