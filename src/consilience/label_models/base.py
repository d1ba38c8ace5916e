"""The contract of every label model: fit on votes, give probabilities, make a training set, be saved.

A model implements `_fit` on evidence (patterns and counts, some with known class) and `_proba` on patterns; the rest
is here. `consilience.testing.check_label_model` holds a model to the laws all of them keep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.training_set import TrainingSet
from consilience.errors import ModelError, VoteError
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.patterns import find_patterns
from consilience.metrics import wilson
from consilience.store import arrays
from consilience.views import View

Floats = npt.NDArray[np.float64]
Gold = LabelMatrix | Sequence[str | None] | None
Balance = Mapping[str, float] | Sequence[float] | None
TIE = 1e-9  # probabilities closer than this are the same


@dataclass(frozen=True)
class Evidence:
    """What a model learns from: distinct rows of votes, how often each occurs, and its class where gold says it.

    votes: (p, m); counts: (p,); known: (p,) codes, -1 where the class is unknown.
    """

    votes: npt.NDArray[Any]
    counts: Floats
    known: npt.NDArray[np.int64]
    labels: Labels

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.labels)

    @cached_property
    def class_votes(self) -> Floats:
        """How many votes each class got in each pattern. returns: (p, k)."""
        return count_votes(self.votes, self.n_classes)

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

    def fit(self, matrix: LabelMatrix, *, gold: Gold = None, class_balance: Balance = None, seed: int = 0) -> Self:
        """Learn how far to trust each function.

        matrix: the votes to learn from; its own gold is not looked at.
        gold: what little gold there is: label names for the rows of matrix (None where unknown), or a matrix of other
            rows that have gold, such as `matrix.on(dev)`.
        class_balance: share of each label, by name or in order; default: the model's own choice.
        seed: for models that draw random numbers.
        raises: VoteError for a matrix without functions or rows; ModelError for a balance that is none.
        """
        if not matrix.functions or not len(matrix):
            n, m = matrix.votes.shape
            raise VoteError(
                f"The matrix has {n} rows and {m} functions.\nFix: apply one or more functions to some rows."
            )
        self.labels_ = matrix.labels
        self.function_names_ = matrix.names
        evidence = gather(matrix, gold)
        self._fit(evidence, _balance(class_balance, matrix.labels), seed)
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

    def predict(self, matrix: LabelMatrix) -> list[str | None]:
        """Most probable label of each row; None where no function voted. Ties go to the more frequent label."""
        codes = np.where(matrix.covered, self.predict_codes(matrix), ABSTAIN)
        return self.labels_.decode(codes.tolist())

    def predict_codes(self, matrix: LabelMatrix) -> npt.NDArray[np.int64]:
        """Most probable class of each row, the most frequent one where no function voted. returns: (n,)."""
        self._check(matrix)
        proba = self._proba(matrix.patterns.votes)
        proba[matrix.patterns.n_votes == 0] = self.class_balance_
        return best_class(proba, self.class_balance_)[matrix.pattern_of_row]

    def training_set(self, matrix: LabelMatrix, *, uncovered: bool = False, min_confidence: float = 0.0) -> TrainingSet:
        """The rows of matrix with their probabilities, to train a model on.

        uncovered: keep rows no function voted on too. min_confidence: drop rows whose best probability is lower.
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
        return TrainingSet(matrix.table.take(keep), self.labels_, proba[keep], np.ones(int(keep.sum())), why)

    def summary(self, matrix: LabelMatrix | None = None) -> View:
        """What was learned: each function's accuracy, beside its accuracy on the gold of a matrix, if one is given."""
        self._check_fitted()
        columns = ["function", self.accuracy_means]
        rows: list[list[Any]] = [[n, float(a)] for n, a in zip(self.function_names_, self.accuracies_, strict=True)]
        if matrix is not None and matrix.n_gold:
            columns += ["on gold", "low", "high", "gold"]
            for j, row in enumerate(rows):
                said = (matrix.votes[:, j] >= 0) & (matrix.gold >= 0)
                right = int((matrix.votes[said, j] == matrix.gold[said]).sum())
                row += [*wilson(right, int(said.sum())), int(said.sum())]
        shares = ", ".join(f"{n} {p:.1%}" for n, p in zip(self.labels_, self.class_balance_, strict=True))
        return View(columns, rows, notes=[f"class balance: {shares}", *self.findings()])

    def findings(self) -> list[str]:
        """What the model has to say of itself, in sentences."""
        return []

    # saved without pickle

    def save(self, path: Path | str) -> None:
        """Write the model to one `.npz` file of plain arrays and JSON."""
        meta, parts = self.state()
        arrays.save(path, self.kind, meta, parts)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays that say all that was learned."""
        self._check_fitted()
        meta = {"labels": list(self.labels_), "functions": self.function_names_}
        return meta, {"class_balance": self.class_balance_, "accuracies": self.accuracies_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        """Take back what `state` gave."""
        self.labels_ = Labels(*meta["labels"])
        self.function_names_ = list(meta["functions"])
        self.class_balance_ = parts["class_balance"]
        self.accuracies_ = parts["accuracies"]

    @classmethod
    def load(cls, source: Path | str | bytes) -> Self:
        """The model that `save` wrote. Raises StoreError for anything else; pickles are never loaded."""
        meta, parts = arrays.load(source, cls.kind)
        model = cls()
        model._restore(meta, parts)
        return model

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
    both = find_patterns(np.column_stack([votes, known.astype(votes.dtype)]), len(matrix.labels))
    return Evidence(
        both.votes[:, :-1], both.counts.astype(np.float64), both.votes[:, -1].astype(np.int64), matrix.labels
    )


def count_votes(votes: npt.NDArray[Any], n_classes: int) -> Floats:
    """How many votes each class got in each row. votes: (n, m). returns: (n, k)."""
    counts = np.zeros((n_classes, len(votes)), np.int32)
    for column in votes.T:  # columns lie together in memory
        for c in range(n_classes):
            counts[c] += column == c
    return counts.T.astype(np.float64)


def best_class(proba: Floats, balance: Floats) -> npt.NDArray[np.int64]:
    """Most probable class of each row; among equals the one with the greater balance, then the first. returns: (n,)."""
    top = proba >= proba.max(axis=1, keepdims=True) - TIE
    return np.where(top, 1.0 + balance, 0.0).argmax(axis=1)


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


def _reasons(matrix: LabelMatrix) -> list[str]:
    """For each pattern, who said what."""
    names = matrix.names
    labels = list(matrix.labels)
    return [
        ", ".join(f"{names[j]}={labels[row[j]]}" for j in np.flatnonzero(row >= 0)) or "no votes"
        for row in matrix.patterns.votes
    ]


def load_label_model(source: Path | str | bytes) -> BaseLabelModel:
    """Whichever label model was saved there."""
    from consilience.label_models.choose import LabelModel
    from consilience.label_models.dawid_skene import DawidSkene
    from consilience.label_models.majority import MajorityVote

    kinds: dict[str, type[BaseLabelModel]] = {m.kind: m for m in (MajorityVote, DawidSkene, LabelModel)}
    meta, _ = arrays.load(source, "any")
    if meta["kind"] not in kinds:
        raise ModelError(f"A {meta['kind']!r} is no label model.\nFix: load one of {sorted(kinds)}.")
    return kinds[meta["kind"]].load(source)
