"""Several models' probabilities, averaged: what to use where none of them is believed alone.

Reads patterns of votes, writes the mean of what counting, Dawid & Skene's model of crowds and the model learned
beforehand say. Their mistakes differ: counting trusts all alike, the second trusts whoever agrees, the third whoever
looks like functions that were right in its simulated worlds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.dawid_skene import DawidSkene
from consilience.label_models.hyper import HyperLabelModel
from consilience.label_models.majority import MajorityVote, expected_accuracies
from consilience.store import arrays


class Committee(BaseLabelModel):
    """The mean of the probabilities of MajorityVote, DawidSkene (silence ignored, even classes) and HyperLabelModel.

    members_: the three. A class balance that is given reaches the two that can use one.

    >>> from consilience import LabelMatrix
    >>> matrix = LabelMatrix.from_votes([[0, 0, 1], [1, -1, 1], [0, 0, 0]] * 20, ["ham", "spam"])
    >>> Committee().fit(matrix).predict(matrix)[:3]
    ['ham', 'spam', 'ham']
    """

    kind = "committee"
    members_: list[BaseLabelModel]

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        self.members_ = members()
        for member in self.members_:
            member.fit_evidence(evidence, self.function_names_, balance, seed)
        proba = self._proba(evidence.votes)
        known = evidence.known >= 0
        proba[known] = np.eye(evidence.n_classes)[evidence.known[known]]
        weight = evidence.counts * (evidence.covered | known)
        even = np.full(evidence.n_classes, 1 / evidence.n_classes)
        found = weight @ proba / weight.sum() if weight.any() else even
        self.class_balance_ = found if balance is None else balance
        self.accuracies_ = expected_accuracies(evidence, proba)

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        mean: Floats = np.mean([member._proba(votes) for member in self.members_], axis=0)
        return mean

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays of the members, each under its number."""
        meta, parts = super().state()
        states = [member.state() for member in self.members_]
        meta["members"] = [inner for inner, _ in states]
        for place, (_, inner) in enumerate(states):
            parts |= {f"{place}.{name}": part for name, part in inner.items()}
        return meta, parts

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.members_ = members()
        for place, (member, inner) in enumerate(zip(self.members_, meta["members"], strict=True)):
            mine = {name.split(".", 1)[1]: part for name, part in parts.items() if name.startswith(f"{place}.")}
            member._restore(inner, mine)


def members() -> list[BaseLabelModel]:
    """The models of a committee, not fitted."""
    return [MajorityVote(), DawidSkene(abstains="ignored", balance="uniform", prior_strength=10.0), HyperLabelModel()]
