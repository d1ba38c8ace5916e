"""The contract of every label model: fit on votes, give probabilities, make a training set, be saved.

A model implements `_fit` on evidence (patterns and counts, some with known class) and `_proba` on patterns; the rest
is here. `consilience.testing.check_label_model` holds a model to the laws all of them keep.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.training_set import TrainingSet
from consilience.errors import ModelError, VoteError
from consilience.label_models.explain import Additive, Contributions, explain, sums_of
from consilience.labeling.counted import as_frame
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.patterns import find_patterns
from consilience.metrics import wilson
from consilience.store import arrays
from consilience.views import View

Floats = npt.NDArray[np.float64]
Gold = LabelMatrix | Sequence[str | None] | None
Balance = Mapping[str, float] | Sequence[float] | None
Expected = Mapping[str, float | tuple[float, float]] | None
WORD_ROWS = 100.0  # how many rows of gold a user's word on an accuracy is worth, if they do not say
TIE = 1e-9  # probabilities closer than this are the same


@dataclass(frozen=True)
class Evidence:
    """What a model learns from: distinct rows of votes, how often each occurs, and what is known beforehand.

    votes: (p, m), codes of labels and, after them, of groups; counts: (p,); known: (p,) class that gold says, or -1.
    expected: (m,) accuracy the user expects of each function, NaN where they said nothing; expected_rows: (m,) how many
    rows of gold that opinion is worth.
    """

    votes: npt.NDArray[Any]
    counts: Floats
    known: npt.NDArray[np.int64]
    labels: Labels
    expected: Floats | None = None
    expected_rows: Floats | None = None

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.labels)

    @property
    def n_symbols(self) -> int:
        """How many things a vote can say: the labels and their groups."""
        return len(self.labels.votes)

    @property
    def meanings(self) -> npt.NDArray[np.bool_]:
        """Which classes each vote allows; the identity but for groups. returns: (n_symbols, k)."""
        return self.labels.meanings

    @cached_property
    def class_votes(self) -> Floats:
        """How many votes each class got in each pattern. returns: (p, k)."""
        return count_votes(self.votes, self.meanings)

    def without_gold(self) -> Evidence:
        """The same votes with no class known."""
        return replace(self, known=np.full(len(self.votes), ABSTAIN, np.int64))

    def sample(self, most: int) -> Evidence:
        """At most so many of the patterns, evenly spread: enough to ask for shares, where there are millions."""
        step = -(-len(self.votes) // most)
        if step <= 1:
            return self
        kept = slice(None, None, step)
        return replace(self, votes=self.votes[kept], counts=self.counts[kept], known=self.known[kept])

    def prior_accuracies(self, default: float) -> Floats:
        """What is expected of each function: the user's word, or the default. returns: (m,)."""
        if self.expected is None:
            return np.full(self.votes.shape[1], default)
        return np.where(np.isnan(self.expected), default, self.expected)

    @property
    def is_expected(self) -> npt.NDArray[np.bool_]:
        """Of which functions the user has said what they expect. returns: (m,)."""
        return np.isfinite(self.prior_accuracies(np.nan))

    def prior_rows(self, default: float) -> Floats:
        """How many rows of gold that expectation is worth. returns: (m,)."""
        if self.expected is None or self.expected_rows is None:
            return np.full(self.votes.shape[1], default)
        return np.where(np.isnan(self.expected), default, self.expected_rows)

    @cached_property
    def most_votes(self) -> Floats:
        """Votes of the two classes that have most, fewest first; the first is -1 if there is but one class. (p, 2)."""
        ranked = np.sort(self.class_votes, axis=1)[:, -2:]
        return ranked if self.n_classes > 1 else np.column_stack([np.full(len(ranked), -1.0), ranked])

    @cached_property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Which patterns have a vote. returns: (p,)."""
        return np.asarray((self.votes >= 0).any(axis=1))


class BaseLabelModel(ABC):
    """Votes in, probabilities out. Learned things end in an underscore and exist after `fit`.

    labels_, function_names_; class_balance_: (k,); accuracies_: (m,), the share of a function's votes that is right;
    NaN for one that never votes.
    """

    kind: ClassVar[str]
    accuracy_means: str = "learned accuracy"  # what accuracies_ is, as tables call it
    labels_: Labels
    function_names_: list[str]
    class_balance_: Floats
    accuracies_: Floats

    def fit(
        self,
        matrix: LabelMatrix,
        *,
        gold: Gold = None,
        class_balance: Balance = None,
        accuracies: Expected = None,
        seed: int = 0,
    ) -> Self:
        """Learn how far to trust each function.

        matrix: the votes to learn from; its own gold is not looked at.
        gold: what little gold there is: label names for the rows of matrix (None where unknown), or a matrix of other
            rows that have gold, such as `matrix.on(dev)`.
        class_balance: share of each label, by name or in order; default: the model's own choice.
        accuracies: what you expect of some functions, by name: 0.9, or (0.9, 50) where your word is worth 50 rows of
            gold (default 100). The models that learn accuracies start from it and are drawn to it.
        seed: for models that draw random numbers.
        raises: VoteError for a matrix without functions or rows; ModelError for a balance or accuracy that is none.
        """
        evidence, balance = evidence_from(matrix, gold, class_balance, accuracies)
        return self.fit_evidence(evidence, matrix.names, balance, seed)

    def fit_evidence(self, evidence: Evidence, names: Sequence[str], balance: Floats | None, seed: int) -> Self:
        """What `fit` does once the rows are counted; for models made of models. names: of the functions."""
        self.labels_, self.function_names_ = evidence.labels, list(names)
        self._fit(evidence, balance, seed)
        return self

    @abstractmethod
    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        """Learn; set class_balance_, accuracies_ and whatever else the model has."""

    @abstractmethod
    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        """Probabilities of patterns. votes: (p, m). returns: (p, k), rows summing to 1."""

    def predict_proba(self, matrix: LabelMatrix) -> Floats:
        """Probability of each label for each row. returns: (n, k) float64. O(patterns), then one look-up a row."""
        self._check(matrix)
        return self._proba(matrix.patterns.votes)[matrix.pattern_of_row]

    def probabilities(self, matrix: LabelMatrix) -> pl.DataFrame:
        """What to join to rows of votes that lie elsewhere: each distinct row, and the probability of each label.

        returns: one column a function (label names, null where it abstains), `rows`, and one column a label, named
            after it with "p " in front.
        """
        self._check(matrix)
        proba = self._proba(matrix.patterns.votes)
        shares = [pl.Series(f"p {name}", proba[:, place]) for place, name in enumerate(self.labels_)]
        return as_frame(matrix).with_columns(shares)

    def predict(self, matrix: LabelMatrix) -> list[str | None]:
        """Most probable label of each row; None where no function voted. Ties go to the rarer label."""
        codes = np.where(matrix.covered, self.predict_codes(matrix), ABSTAIN)
        return self.labels_.decode(codes.tolist())

    def predict_codes(self, matrix: LabelMatrix) -> npt.NDArray[np.int64]:
        """Most probable class of each row, the most frequent one where no function voted. returns: (n,)."""
        self._check(matrix)
        codes = best_class(self._proba(matrix.patterns.votes), self.class_balance_)
        codes[matrix.patterns.n_votes == 0] = self.class_balance_.argmax()
        return codes[matrix.pattern_of_row]

    def training_set(self, matrix: LabelMatrix, *, uncovered: bool = False, min_confidence: float = 0.0) -> TrainingSet:
        """The rows of matrix with their probabilities, to train a model on.

        uncovered: keep rows no function voted on too. min_confidence: drop rows whose best probability is lower.
        Voted-on rows whose best labels are tied train as the label that `predict` gives them: half and half teaches
        nothing, and the tie is more often right than not.
        raises: ModelError if the matrix has no rows behind it, or none is left.
        """
        if matrix.table is None:
            raise ModelError(
                "These votes have no rows behind them.\nFix: make the matrix with apply(functions, table)."
            )
        proba = self.predict_proba(matrix)
        keep = (proba.max(axis=1) >= min_confidence) & (matrix.covered | uncovered)
        if not keep.any():
            raise ModelError(
                "No row is left to train on.\nFix: write functions that cover more, or lower min_confidence."
            )
        why = np.array(_reasons(matrix), dtype=object)[matrix.pattern_of_row[keep]].tolist()
        soft = _without_ties(proba[keep], self.predict_codes(matrix)[keep], matrix.covered[keep])
        return TrainingSet(matrix.table.take(keep), self.labels_.plain, soft, np.ones(int(keep.sum())), why)

    def summary(self, matrix: LabelMatrix | None = None) -> View:
        """What was learned: each function's accuracy, beside its accuracy on the gold of a matrix, if one is given."""
        self._check_fitted()
        columns = ["function", self.accuracy_means]
        rows: list[list[Any]] = [[n, float(a)] for n, a in zip(self.function_names_, self.accuracies_, strict=True)]
        if matrix is not None and matrix.n_gold:
            columns += ["on gold", "low", "high", "gold"]
            for j, row in enumerate(rows):
                said = (matrix.votes[:, j] >= 0) & (matrix.gold >= 0)
                right = int(matrix.labels.meanings[matrix.votes[said, j], matrix.gold[said]].sum())
                row += [*wilson(right, int(said.sum())), int(said.sum())]
        shares = ", ".join(f"{n} {p:.1%}" for n, p in zip(self.labels_, self.class_balance_, strict=True))
        return View(columns, rows, notes=[f"class balance: {shares}", *self.findings()])

    def findings(self) -> list[str]:
        """What the model has to say of itself, in sentences."""
        return []

    def explain(self, matrix: LabelMatrix, row: Any) -> View:
        """Why one row has its label: how much each vote counted. row: its id. Raises DataError for an id not there."""
        return explain(self, matrix, row)

    def _sums(self, votes: npt.NDArray[Any]) -> Additive | None:
        """The tables whose sums the log-probabilities of these votes are, if they are. votes: (p, m)."""
        return sums_of(getattr(self, "chosen_", self), votes)

    def _contributions(self, votes: npt.NDArray[Any]) -> Contributions | None:
        """How much each vote counts, if the model can say it exactly. votes: (p, m)."""
        sums = self._sums(votes)
        return None if sums is None else sums.contributions(votes, self.class_balance_)

    # saved without pickle

    def save(self, path: Path | str) -> None:
        """Write the model to one `.npz` file of plain arrays and JSON."""
        meta, parts = self.state()
        arrays.save(path, self.kind, meta, parts)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays that say all that was learned."""
        self._check_fitted()
        groups = [[name, list(members)] for name, members in self.labels_.groups.items()]  # in order: codes hang on it
        meta = {
            "labels": list(self.labels_),
            "groups": groups,
            "functions": self.function_names_,
            "settings": self.settings(),
        }
        return meta, {"class_balance": self.class_balance_, "accuracies": self.accuracies_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        """Take back what `state` gave."""
        self.labels_ = Labels(*meta["labels"], groups=dict(meta["groups"]))
        self.function_names_ = list(meta["functions"])
        self.class_balance_ = parts["class_balance"]
        self.accuracies_ = parts["accuracies"]

    @classmethod
    def load(cls, source: Path | str | bytes) -> Self:
        """The model that `save` wrote. Raises StoreError for anything else; pickles are never loaded."""
        meta, parts = arrays.load(source, cls.kind)
        if "settings" not in meta:
            raise ModelError("This model was saved by an earlier version.\nFix: fit it again, and save it.")
        model = cls(**meta["settings"])
        model._restore(meta, parts)
        return model

    def settings(self) -> dict[str, Any]:
        """What the constructor was given."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def fresh(self) -> Self:
        """An unfitted model with the same settings."""
        return type(self)(**self.settings())

    def _check_fitted(self) -> None:
        if not hasattr(self, "class_balance_"):
            raise ModelError(f"This {type(self).__name__} has learned nothing yet.\nFix: call fit(matrix) first.")

    def _check(self, matrix: LabelMatrix) -> None:
        self._check_fitted()
        if matrix.names != self.function_names_ or matrix.labels != self.labels_:
            missing = [name for name in self.function_names_ if name not in matrix.names]
            extra = [name for name in matrix.names if name not in self.function_names_]
            raise ModelError(
                f"The matrix is not like the one this model was fitted on (missing {missing}, new {extra}, "
                f"labels {list(matrix.labels)}, fitted on {list(self.labels_)}).\n"
                "Fix: apply the same functions in the same order, or fit again."
            )


def evidence_from(
    matrix: LabelMatrix, gold: Gold, class_balance: Balance, accuracies: Expected
) -> tuple[Evidence, Floats | None]:
    """What `fit` is given, counted and checked: the evidence, and the class balance as an array."""
    if not matrix.functions or not len(matrix):
        n, m = matrix.votes.shape
        raise VoteError(f"The matrix has {n} rows and {m} functions.\nFix: apply one or more functions to some rows.")
    expected, rows = _expected(accuracies, matrix)
    evidence = replace(gather(matrix, gold), expected=expected, expected_rows=rows)
    return evidence, _balance(class_balance, matrix.labels)


def gather(matrix: LabelMatrix, gold: Gold) -> Evidence:
    """Distinct rows of votes with counts and known classes, from a matrix and what gold there is."""
    votes, known = matrix.votes, np.full(len(matrix), ABSTAIN, np.int64)
    if isinstance(gold, LabelMatrix):
        if gold.names != matrix.names or gold.labels != matrix.labels:
            raise ModelError(
                "The gold matrix has other functions or labels.\nFix: use parts of one matrix, as matrix.on(dev)."
            )
        extra = gold.gold >= 0
        votes = np.concatenate([votes, gold.votes[extra]])
        known = np.concatenate([known, gold.gold[extra]])
    elif gold is not None:
        known = matrix.labels.encode(gold).astype(np.int64)
        if len(known) != len(matrix):
            raise ModelError(
                f"There are {len(known)} gold labels for {len(matrix)} rows.\nFix: give None where it is unknown."
            )
    if gold is None:
        patterns = matrix.patterns
        return Evidence(
            patterns.votes, patterns.counts.astype(np.float64), np.full(len(patterns), ABSTAIN), matrix.labels
        )
    times = None if matrix.counts is None else np.append(matrix.counts, np.ones(len(votes) - len(matrix), np.int64))
    both = find_patterns(np.column_stack([votes, known.astype(votes.dtype)]), len(matrix.labels.votes), times)
    return Evidence(
        both.votes[:, :-1], both.counts.astype(np.float64), both.votes[:, -1].astype(np.int64), matrix.labels
    )


def count_votes(votes: npt.NDArray[Any], meanings: npt.NDArray[np.bool_]) -> Floats:
    """How many votes each class got in each row; a vote for several classes is shared out among them evenly.

    votes: (n, m); meanings: (s, k) which classes each vote allows. returns: (n, k).
    """
    n_symbols, k = meanings.shape
    counts = np.zeros((n_symbols, len(votes)), np.int32)
    for column in votes.T:  # columns lie together in memory
        for symbol in range(n_symbols):
            counts[symbol] += column == symbol
    singles = counts[:k].T.astype(np.float64)
    if n_symbols == k:
        return singles
    shares = meanings[k:] / meanings[k:].sum(axis=1, keepdims=True)
    return singles + counts[k:].T @ shares


def best_class(proba: Floats, balance: Floats) -> npt.NDArray[np.int64]:
    """Most probable class of each row; among equals the rarest, then the first. returns: (n,).

    A vote for a rarer label says more: if functions are right equally often when they speak, one that speaks of label a
    on a share p of the rows is wrong on p (1 - accuracy) / (1 - p) of the others, so that of a vote for a and one for b
    the odds are (1 - p_a) : (1 - p_b).
    """
    top = proba >= proba.max(axis=1, keepdims=True) - TIE
    return np.where(top, 2.0 - balance, 0.0).argmax(axis=1)


def _balance(given: Balance, labels: Labels) -> Floats | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        for name in given:
            labels.index(name)
        given = [float(given.get(name, 0.0)) for name in labels]
    shares = np.asarray(given, np.float64)
    if shares.shape != (len(labels),) or not (shares > 0).all() or not np.isclose(shares.sum(), 1, atol=1e-6):
        raise ModelError(
            f"The class balance {shares.tolist()} is none for {list(labels)}.\n"
            "Fix: give each label a share above 0; the shares sum to 1."
        )
    return shares / shares.sum()


def _without_ties(proba: Floats, codes: npt.NDArray[np.int64], covered: npt.NDArray[np.bool_]) -> Floats:
    """Probabilities whose best labels, where they are tied, all go to the one that is predicted. proba: (n, k)."""
    top = proba >= proba.max(axis=1, keepdims=True) - TIE
    tied = np.flatnonzero((top.sum(axis=1) > 1) & covered)
    decided = proba.copy()
    decided[tied] = np.where(top[tied], 0.0, proba[tied])
    decided[tied, codes[tied]] = (proba[tied] * top[tied]).sum(axis=1)
    return decided


def _expected(given: Expected, matrix: LabelMatrix) -> tuple[Floats | None, Floats | None]:
    """What the user expects of each function, and how many rows that is worth. returns: two (m,), NaN if unsaid."""
    if given is None:
        return None, None
    expected, rows = np.full(len(matrix.names), np.nan), np.full(len(matrix.names), WORD_ROWS)
    for name, said in given.items():
        accuracy, worth = said if isinstance(said, tuple) else (said, WORD_ROWS)
        if not (0 < accuracy < 1 and 0 < worth < np.inf):
            raise ModelError(
                f"An accuracy of {accuracy} worth {worth} rows is none, for {name!r}.\n"
                "Fix: give a share between 0 and 1, or (share, rows) with rows above 0."
            )
        place = matrix.column(name)
        expected[place], rows[place] = accuracy, worth
    return expected, rows


def _reasons(matrix: LabelMatrix) -> list[str]:
    """For each pattern, who said what."""
    names = matrix.names
    labels = matrix.labels.votes
    return [
        ", ".join(f"{names[j]}={labels[row[j]]}" for j in np.flatnonzero(row >= 0)) or "no votes"
        for row in matrix.patterns.votes
    ]
