"""Why a label model gives a row its label: how much each vote counted for the winning label against the runner-up.

Reads a fitted model and votes, gives log-odds. Where the model is a sum of log-likelihoods (Dawid-Skene and its kin)
the parts are exact and add up to the total; for all others a vote counts by what taking it away would change.

Source: weights of evidence, Good 1950, chapter 6; leaving one out for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from consilience.errors import DataError
from consilience.label_models.pattern_tables import PatternTables
from consilience.views import Marked, View, vote_mark

if TYPE_CHECKING:
    from consilience.label_models.base import BaseLabelModel
    from consilience.labeling.matrix import LabelMatrix

Floats = npt.NDArray[np.float64]

SURE = 1e-3  # probabilities below this count as this, where parts are found by taking votes away: log-odds stay finite
MATTERS = 0.05  # silence that moves the log-odds by less than this is not shown alone
SHOWN_SILENT = 10  # functions whose silence is shown, at most


@dataclass(frozen=True)
class Contributions:
    """For each of p rows of votes: the two most probable classes, and what speaks for the first against the second.

    winner, runner_up: (p,) codes. parts: (p, m) log-odds of each function's vote or silence. rest: (p,) the prior's
    part (and, if parts are not exact, what votes do together). total: (p,) log-odds, = parts.sum(axis=1) + rest.
    exact: whether parts add up by the model's own formula. proba: (p, k).
    """

    winner: npt.NDArray[np.int64]
    runner_up: npt.NDArray[np.int64]
    parts: Floats
    rest: Floats
    total: Floats
    proba: Floats
    exact: bool

    def where(self, mask: npt.NDArray[np.bool_], other: Contributions) -> Contributions:
        """These where the mask holds, the other's elsewhere. mask: (p,)."""
        rows = mask[:, None]
        return Contributions(
            np.where(mask, self.winner, other.winner),
            np.where(mask, self.runner_up, other.runner_up),
            np.where(rows, self.parts, other.parts),
            np.where(mask, self.rest, other.rest),
            np.where(mask, self.total, other.total),
            np.where(rows, self.proba, other.proba),
            self.exact and other.exact,
        )


@dataclass(frozen=True)
class Additive:
    """A model whose log-probabilities are, up to a constant a row, prior + the sum of tables[j, :, symbol of j].

    tables: (m, k, s), symbol 0 is abstaining; prior: (k,).
    """

    tables: Floats
    prior: Floats

    def joint(self, votes: npt.NDArray[Any]) -> Floats:
        """Unnormalised log-probabilities. votes: (p, m). returns: (p, k)."""
        tables = PatternTables(votes, len(self.prior), self.tables.shape[2] - 1)
        return np.ascontiguousarray(tables.log_likelihood(self.tables).T) + self.prior

    def part(self, j: int, column: npt.NDArray[Any]) -> Floats:
        """What function j adds. column: (p,) its votes. returns: (p, k)."""
        return np.asarray(self.tables[j][:, column.astype(np.int64) + 1].T)

    def scaled(self, power: float, shift: Floats) -> Additive:
        """The sums of a model whose log-probabilities are multiplied and shifted. shift: (k,)."""
        return Additive(power * self.tables, power * self.prior + shift)

    def contributions(self, votes: npt.NDArray[Any], balance: Floats) -> Contributions:
        """What each vote adds. votes: (p, m); balance: (k,) by which ties are broken."""
        joint = self.joint(votes)
        winner, runner_up = _two_best(joint, balance)
        rows = np.arange(len(votes))
        parts = np.empty(votes.shape)
        for j, column in enumerate(votes.T):
            table = self.part(j, column)
            parts[:, j] = table[rows, winner] - table[rows, runner_up]
        total = joint[rows, winner] - joint[rows, runner_up]
        rest = self.prior[winner] - self.prior[runner_up]
        return Contributions(winner, runner_up, parts, rest, total, softmax(joint), exact=True)


def sums_of(model: BaseLabelModel, votes: npt.NDArray[Any]) -> Additive | None:
    """The sums a model is made of, if it is: taken from its tables, and held to its own answers on these votes.

    votes: (p, m). The check, on the first hundred rows, is what makes it safe to ask any model.
    """
    theta, prior = getattr(model, "theta_", None), getattr(model, "prior_", None)
    k, m = len(model.class_balance_), len(model.function_names_)
    if theta is None or prior is None or np.shape(theta)[:2] != (m, k) or np.shape(prior) != (k,):
        return None
    if np.shape(theta)[2:] != (len(model.labels_.votes) + 1,) or not ((theta > 0).all() and (prior > 0).all()):
        return None
    found = Additive(np.log(theta), np.log(prior))
    some = votes[:100]
    same = np.allclose(softmax(found.joint(some)), model._proba(some), atol=1e-6)
    return found if same else None


def contributions(model: BaseLabelModel, votes: npt.NDArray[Any]) -> Contributions:
    """What each function's vote (or silence) adds to the log-odds of the winning class against the runner-up.

    model: fitted. votes: (p, m) codes, -1 abstains. Exact sums take O(p m); for other models the model is asked m + 1
    times. With one class there is nothing to decide and all parts are 0.

    >>> from consilience import DawidSkene, LabelMatrix
    >>> matrix = LabelMatrix.from_votes([[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, -1]] * 25, ["ham", "spam"])
    >>> found = contributions(DawidSkene().fit(matrix), matrix.votes[:3])
    >>> found.exact, bool(np.allclose(found.parts.sum(axis=1) + found.rest, found.total))
    (True, True)
    """
    model._check_fitted()
    exact = model._contributions(votes)
    return _by_taking_away(model, votes) if exact is None else exact


def _by_taking_away(model: BaseLabelModel, votes: npt.NDArray[Any]) -> Contributions:
    """A vote counts by how far the log-odds fall without it."""
    proba = model._proba(votes)
    winner, runner_up = _two_best(proba, model.class_balance_)
    total = _log_odds(proba, winner, runner_up)
    parts = np.zeros(votes.shape)
    for j in np.flatnonzero((votes >= 0).any(axis=0)):
        said = votes[:, j] >= 0
        without = votes[said].copy()
        without[:, j] = -1
        parts[said, j] = total[said] - _log_odds(model._proba(without), winner[said], runner_up[said])
    return Contributions(winner, runner_up, parts, total - parts.sum(axis=1), total, proba, exact=False)


def _log_odds(proba: Floats, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> Floats:
    rows = np.arange(len(proba))
    capped = np.log(np.maximum(proba, SURE))
    return np.asarray(capped[rows, first] - capped[rows, second])


def _two_best(scores: Floats, balance: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The two best classes of each row, ties to the more frequent; with one class both are it. scores: (p, k)."""
    from consilience.label_models.base import best_class

    winner = best_class(scores, balance)
    if scores.shape[1] == 1:
        return winner, winner
    others = scores.copy()
    others[np.arange(len(scores)), winner] = -np.inf
    return winner, best_class(others, balance)


# shown


def explain(model: BaseLabelModel, matrix: LabelMatrix, row: Any) -> View:
    """How a row came by its label: each vote's part in the log-odds, what silence and the prior add, and the total.

    matrix: with the functions the model was fitted on. row: an id of the matrix. raises: DataError for an id it lacks.
    """
    model._check(matrix)
    place = place_of(matrix, row)
    found = contributions(model, matrix.votes[place : place + 1])
    labels, names = model.labels_, model.function_names_
    winner, runner_up = labels[int(found.winner[0])], labels[int(found.runner_up[0])]
    votes, parts = matrix.votes[place], found.parts[0]
    lines: list[list[Any]] = [
        [names[j], _said(names[j], labels.votes[votes[j]], int(votes[j])), float(parts[j])]
        for j in _by_size(parts, votes >= 0)
    ]
    silent = [j for j in _by_size(parts, votes < 0) if abs(parts[j]) >= MATTERS][:SHOWN_SILENT]
    lines += [[names[j], "(silent)", float(parts[j])] for j in silent]
    others = (votes < 0) & ~np.isin(np.arange(len(votes)), silent)
    if others.any() and found.exact:
        lines.append([f"{int(others.sum())} others", "(silent)", float(parts[others].sum())])
    lines.append(["prior" if found.exact else "prior, and votes together", "", float(found.rest[0])])
    lines.append(["total", "", float(found.total[0])])
    speaks = f"for {winner}, not {runner_up}" if len(labels) > 1 else f"for {winner}"
    notes = _notes(model, found)
    if not (votes >= 0).any():
        notes.append(f"no function voted on this row: predict() gives it no label, predict_codes() {winner!r}")
    return View(["function", "says", speaks], lines, notes=notes, title=f"{row}: {winner}")


def _notes(model: BaseLabelModel, found: Contributions) -> list[str]:
    order = np.argsort(-found.proba[0], kind="stable")
    notes = [", ".join(f"{model.labels_[c]} {found.proba[0, c]:.1%}" for c in order)]
    if found.exact:
        return [*notes, "parts are log-odds and add up: 0.7 doubles the odds, 2.3 makes them tenfold"]
    notes.append("parts are how far the log-odds would fall without that vote; they need not add up")
    if len(model.labels_) > 1 and not (np.abs(found.parts[0]) > 0).any():
        notes.append("no single vote decides: the label would be as probable without any one of them")
    return notes


def place_of(matrix: LabelMatrix, row: Any) -> int:
    """Place of an id, also one given as text. Raises DataError if the matrix has no such row."""
    found = (matrix.ids.cast(str) == str(row)).arg_true()
    if not len(found):
        raise DataError(
            f"There is no row with the id {row!r} among {len(matrix):,}.\nFix: take one from `show`, or matrix.ids."
        )
    return int(found[0])


def _said(function: str, label: str, code: int) -> Marked:
    return Marked(label, vote_mark(function, label, code))


def _by_size(parts: Floats, mask: npt.NDArray[np.bool_]) -> list[int]:
    """Places where the mask holds, the greatest part first."""
    places = np.flatnonzero(mask)
    return [int(j) for j in places[np.argsort(-np.abs(parts[places]), kind="stable")]]


def softmax(joint: Floats) -> Floats:
    """Log-odds as probabilities, row by row. (scipy.special has it, and takes longer to load than all the rest.)"""
    proba = np.exp(joint - joint.max(axis=1, keepdims=True))
    shares: Floats = proba / proba.sum(axis=1, keepdims=True)
    return shares
