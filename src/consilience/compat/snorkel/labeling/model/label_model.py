"""Consilience's label model under Snorkel's name and with its calls: integers in, probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.labeling.model.base_labeler import BaseLabeler, Floats
from consilience.compat.snorkel.utils.core import to_int_label_array
from consilience.data.labels import ABSTAIN
from consilience.errors import ModelError, nearest
from consilience.label_models.base import BaseLabelModel
from consilience.label_models.choose import LabelModel as Chooser
from consilience.label_models.zoo import model_of_kind
from consilience.labeling.matrix import LabelMatrix
from consilience.store import arrays

SETTINGS = ("verbose", "device")
TRAINING = (
    *("n_epochs", "lr", "l2", "optimizer", "optimizer_config", "lr_scheduler", "lr_scheduler_config"),
    *("prec_init", "seed", "log_freq", "mu_eps"),
)


class LabelModel(BaseLabeler):
    """Learns how far to trust each function, and gives probabilities.

    cardinality: number of classes. model: the label model of Consilience to use, default consilience.LabelModel(),
    which picks one by itself. verbose, device: Snorkel's; not used.
    Departs from Snorkel's: the model is another, so probabilities differ; any number of functions will do, not three or
    more; where nothing is said of the class balance it is estimated, not taken to be even; and where the model that was
    picked is majority vote, ties are ties, which `predict` abstains on.

    model_: the fitted model of Consilience, and `print(label_model.model_)` says which was picked, and why.

    >>> from consilience.testing import simulate
    >>> made = simulate(2000, 8, ["ham", "spam"], seed=1)
    >>> label_model = LabelModel(cardinality=2, verbose=False)
    >>> label_model.fit(L_train=made.matrix.votes, n_epochs=500, log_freq=100, seed=123)
    >>> bool(label_model.score(made.matrix.votes, made.truth, tie_break_policy="random")["accuracy"] > 0.8)
    True
    """

    model_: BaseLabelModel
    conditional_probs_: Floats

    def __init__(self, cardinality: int = 2, *, model: BaseLabelModel | None = None, **kwargs: Any) -> None:
        super().__init__(cardinality)
        _check_known(kwargs, SETTINGS, "LabelModel")
        self.model = model or Chooser()
        self._uncovered = np.full(self.cardinality, 1 / self.cardinality)

    def fit(
        self,
        L_train: npt.ArrayLike,
        Y_dev: npt.ArrayLike | None = None,
        class_balance: Sequence[float] | None = None,
        progress_bar: bool = True,
        **kwargs: Any,
    ) -> None:
        """Learn from votes. L_train: (n, m), -1 abstains.

        Y_dev: labels of other rows, for their shares of the classes. class_balance: these shares, which go first.
        seed: is used. n_epochs, lr, l2, optimizer, log_freq, prec_init and the like are taken and not used.
        raises: VoteError for what is no matrix of votes of these classes; ModelError for a balance that is none, or an
        argument that Snorkel does not know either.
        """
        _check_known(kwargs, TRAINING, "fit")
        matrix = self._matrix(L_train)
        balance = self._balance(Y_dev) if class_balance is None else np.asarray(class_balance, np.float64)
        seed = kwargs.get("seed")
        self.model_ = self.model.fresh().fit(
            matrix, class_balance=None if balance is None else balance.tolist(), seed=0 if seed is None else int(seed)
        )
        even = np.full(self.cardinality, 1 / self.cardinality)
        self._uncovered = even if balance is None else balance / balance.sum()
        self.conditional_probs_ = self._tables(matrix)

    def predict_proba(self, L: npt.ArrayLike) -> Floats:
        """Probability of each class. L: (n, m). returns: (n, k).

        A row nobody votes on has the class balance that was given, or even probabilities if none was.
        """
        self._check_fitted()
        matrix = self._matrix(L)
        return np.where(matrix.covered[:, None], self.model_.predict_proba(matrix), self._uncovered)

    def get_weights(self) -> Floats:
        """Learned accuracy of each function: the share of its votes that is right. (m,), NaN if it never votes."""
        self._check_fitted()
        return np.clip(self.model_.accuracies_, 1e-6, 1.0)

    def get_conditional_probs(self) -> Floats:
        """How often each function says what in each class, as learned. returns: (m, k + 1, k), what it says from -1."""
        self._check_fitted()
        return self.conditional_probs_

    def _tables(self, matrix: LabelMatrix) -> Floats:
        """What functions say in each class, with the rows' classes as probable as the model finds them."""
        patterns = matrix.patterns
        proba = self.model_._proba(patterns.votes) * patterns.counts[:, None]
        said = range(ABSTAIN, self.cardinality)
        tables = np.array([[proba[column == code].sum(axis=0) for code in said] for column in patterns.votes.T])
        return np.asarray(tables / np.maximum(tables.sum(axis=1, keepdims=True), 1e-12))

    def _balance(self, Y_dev: npt.ArrayLike | None) -> Floats | None:
        """Shares of the classes among labels, those unknown left out. Raises ModelError if one has none."""
        if Y_dev is None:
            return None
        labels = to_int_label_array(Y_dev)
        counts = np.bincount(labels[labels >= 0], minlength=self.cardinality)
        if len(counts) != self.cardinality or (counts == 0).any():
            raise ModelError(
                f"Y_dev has {counts.tolist()} rows of the classes, of which there are {self.cardinality}.\n"
                "Fix: give class_balance=, or labels with each class among them."
            )
        return np.asarray(counts / counts.sum())

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise ModelError("This LabelModel has learned nothing yet.\nFix: call fit(L_train) first.")

    def _state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        self._check_fitted()
        inner, parts = self.model_.state()
        parts = {f"inner_{name}": part for name, part in parts.items()}
        own = {"uncovered": self._uncovered, "conditional_probs": self.conditional_probs_}
        return {"inner": inner, "inner_kind": self.model_.kind}, own | parts

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        self.model = model_of_kind(meta["inner_kind"])(**meta["inner"]["settings"])
        self.model_ = self.model.fresh()
        inner = {name.removeprefix("inner_"): part for name, part in parts.items() if name.startswith("inner_")}
        self.model_._restore(meta["inner"], inner)
        self._uncovered, self.conditional_probs_ = parts["uncovered"], parts["conditional_probs"]


def _check_known(given: dict[str, Any], known: Sequence[str], where: str) -> None:
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise ModelError(f"{where} has no argument {unknown!r}.\nFix: {nearest(unknown, known)}")
