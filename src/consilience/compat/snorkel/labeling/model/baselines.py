"""Label models that learn nothing: what a learned one must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.labeling.model.base_labeler import BaseLabeler, Floats
from consilience.errors import ModelError
from consilience.label_models.base import count_votes
from consilience.store import arrays


class RandomVoter(BaseLabeler):
    """Probabilities at random, from NumPy's global generator, which scripts in this style seed."""

    def predict_proba(self, L: npt.ArrayLike) -> Floats:
        """Random probabilities. returns: (n, k)."""
        drawn = np.random.rand(len(np.asarray(L)), self.cardinality)  # noqa: NPY002 (see the class)
        return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


class MajorityClassVoter(BaseLabeler):
    """The most frequent class for every row; classes that are equally frequent share it.

    >>> voter = MajorityClassVoter()
    >>> voter.fit(balance=[0.3, 0.7])
    >>> voter.predict_proba(np.array([[-1, 0]])).tolist()
    [[0.0, 1.0]]
    """

    balance: Floats

    def fit(self, balance: npt.ArrayLike, *args: Any, **kwargs: Any) -> None:
        """Take the share of each class. balance: (k,). Raises ModelError for another shape."""
        shares = np.asarray(balance, np.float64)
        if shares.shape != (self.cardinality,):
            raise ModelError(
                f"The balance {shares.tolist()} is not of {self.cardinality} classes.\nFix: give a share each."
            )
        self.balance = shares

    def predict_proba(self, L: npt.ArrayLike) -> Floats:
        """The same for every row. returns: (n, k)."""
        if not hasattr(self, "balance"):
            raise ModelError("This MajorityClassVoter knows no balance.\nFix: call fit(balance) first.")
        most = (self.balance == self.balance.max()).astype(np.float64)
        return np.tile(most / most.sum(), (len(np.asarray(L)), 1))

    def _state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        return {}, {"balance": self.balance}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        self.balance = parts["balance"]


class MajorityLabelVoter(BaseLabeler):
    """The class with most votes; classes with equally many share the row, and so do all where nobody votes.

    >>> MajorityLabelVoter().predict_proba(np.array([[0, 0, 1], [-1, 0, 1], [-1, -1, -1]])).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]
    """

    def predict_proba(self, L: npt.ArrayLike) -> Floats:
        """Probabilities: 1 shared by the classes with most votes. returns: (n, k). O(n m k)."""
        matrix = self._matrix(L)
        counts = count_votes(matrix.votes, matrix.labels.meanings)
        most = (counts == counts.max(axis=1, keepdims=True)).astype(np.float64)
        return np.asarray(most / most.sum(axis=1, keepdims=True))
