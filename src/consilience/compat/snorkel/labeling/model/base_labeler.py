"""What all label models here can do with votes once they can give probabilities: predict, score, be saved."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.analysis.scorer import Scorer
from consilience.compat.snorkel.utils.core import probs_to_preds
from consilience.data.labels import Labels
from consilience.errors import ModelError, VoteError
from consilience.labeling.matrix import LabelMatrix
from consilience.store import arrays

log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]


class BaseLabeler(ABC):
    """A label model over integers. cardinality: how many classes there are."""

    def __init__(self, cardinality: int = 2, **kwargs: Any) -> None:
        if cardinality < 2:
            raise ModelError(f"The cardinality is {cardinality}.\nFix: give the number of classes, 2 or more.")
        self.cardinality = int(cardinality)

    @abstractmethod
    def predict_proba(self, L: npt.ArrayLike) -> Floats:
        """Probability of each class. L: (n, m), -1 abstains. returns: (n, k)."""

    def predict(self, L: npt.ArrayLike, return_probs: bool | None = False, tie_break_policy: str = "abstain") -> Any:
        """Most probable class of each row. returns: (n,), or that and the (n, k) probabilities if return_probs.

        tie_break_policy: "abstain" (-1), "random" (by a hash of the row's place) or "true-random". A row nobody voted
        on is a tie, unless a class balance was given.
        """
        proba = self.predict_proba(L)
        preds = probs_to_preds(proba, tie_break_policy)
        return (preds, proba) if return_probs else preds

    def score(
        self,
        L: npt.ArrayLike,
        Y: npt.ArrayLike,
        metrics: Sequence[str] | None = ("accuracy",),
        tie_break_policy: str = "abstain",
    ) -> dict[str, float]:
        """Scores on labels Y (n,), by name of the metric; see consilience.compat.snorkel.analysis.metrics.

        Rows whose prediction is a tie are left out if the policy is "abstain", which a log line says: compare models
        with "random".
        """
        if tie_break_policy == "abstain":
            log.warning("Metrics are of the rows alone that the model does not abstain on.")
        preds, proba = self.predict(L, return_probs=True, tie_break_policy=tie_break_policy)
        return Scorer(metrics=metrics).score(np.asarray(Y), preds, proba)

    def save(self, destination: str | Path) -> None:
        """Write the model to one file of plain arrays and JSON; never a pickle, whatever the file is called."""
        meta, parts = self._state()
        arrays.save(destination, f"snorkel {type(self).__name__}", meta | {"cardinality": self.cardinality}, parts)

    def load(self, source: str | Path) -> None:
        """Become the model that `save` wrote. Raises StoreError for anything else, Snorkel's pickles included."""
        meta, parts = arrays.load(source, f"snorkel {type(self).__name__}")
        self.cardinality = int(meta["cardinality"])
        self._restore(meta, parts)

    def _state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        return {}, {}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:  # noqa: B027 (most have nothing more)
        """Take back what `_state` gave."""

    def _matrix(self, L: npt.ArrayLike) -> LabelMatrix:
        """Votes as a label matrix whose labels are called "0", "1", ... Raises VoteError (a ValueError)."""
        votes = np.asarray(L)
        if votes.dtype.kind == "f" and (np.mod(votes, 1) == 0).all():
            votes = votes.astype(np.int64)
        if votes.ndim == 2 and votes.size and votes.dtype.kind in "iu" and votes.max() >= self.cardinality:
            raise VoteError(
                f"A vote is {votes.max()}, but the classes are 0 to {self.cardinality - 1}.\n"
                f"Fix: {type(self).__name__}(cardinality={votes.max() + 1})."
            )
        return LabelMatrix.from_votes(votes, Labels(*map(str, range(self.cardinality))))
