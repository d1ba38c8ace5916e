"""The label model most people should use: it compares a generative model with counting, and says what it found.

Reads a label matrix, writes the probabilities of whichever it picked. Never worse than counting in silence: where
nothing in the votes (or in what gold there is) speaks for the generative model, it is majority vote, and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.label_models.advantage import advantage_bound, overturned, residual_correlation, tie_share
from consilience.label_models.base import BaseLabelModel, Evidence, Floats, best_class
from consilience.label_models.dawid_skene import DawidSkene
from consilience.label_models.majority import MajorityVote
from consilience.label_models.zoo import model_of_kind
from consilience.store import arrays

GAIN_WORTH_HAVING = 0.01  # gamma of the paper: below this bound counting is enough
FITS = 1.15  # residual correlation up to which the functions pass for independent
BELIEVABLE = 3.0  # a model that overturns more than this times the bound has fooled itself
SHRINK = 2 / 3  # how much of its tables the cautious model keeps at the prior
GOLD_ENOUGH = 30  # covered rows with gold from which gold decides

CANDIDATES: dict[str, Callable[[], BaseLabelModel]] = {
    "majority vote": MajorityVote,
    "Dawid-Skene": DawidSkene,
    "cautious Dawid-Skene": lambda: DawidSkene(shrink=SHRINK, balance="uniform"),
}


@dataclass(frozen=True)
class Findings:
    """What was found on the way to a choice, None where it was not asked. Shares are of the rows fitted on."""

    covered: float
    density: float
    advantage_bound: float
    ties: float
    residual: float | None
    overturned: float
    gold_rows: int
    gold_accuracy: dict[str, float]
    chosen: str
    reason: str


class LabelModel(BaseLabelModel):
    """Picks by itself between counting votes and learning how far to trust each function.

    The order of asking: with 30 or more covered rows of gold, gold decides. Else, if the votes leave little to gain
    (`advantage_bound`, and half of the ties), counting is enough. Else, if votes contradict each other enough to tell,
    and a Dawid-Skene model explains how functions agree (`residual_correlation`), it is used as it is; if not, a
    cautious one that stays near its prior, unless that one overturns more clear majorities than is believable.

    chosen_: the model that was picked. findings_: the figures and the reason; `print(model)` says them.

    >>> from consilience.testing import simulate
    >>> votes = simulate(2000, 8, ["ham", "spam"], seed=1)
    >>> model = LabelModel().fit(votes.matrix)
    >>> model.findings_.chosen
    'Dawid-Skene'
    """

    kind = "label model"
    chosen_: BaseLabelModel
    findings_: Findings

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        tried = _Candidates(evidence, self.function_names_, balance, seed)
        gold_rows = int(evidence.counts[_scorable(evidence)].sum())
        name, reason = tried.chosen_by_gold(gold_rows) if gold_rows >= GOLD_ENOUGH else tried.chosen_by_votes()
        scored = tried.gold_accuracy() if gold_rows else {}  # before the chosen model is fitted again with gold
        self.chosen_ = tried[name]
        self.accuracy_means = self.chosen_.accuracy_means
        if (evidence.known >= 0).any():
            self.chosen_.fit_evidence(evidence, self.function_names_, balance, seed)
        self.class_balance_, self.accuracies_ = self.chosen_.class_balance_, self.chosen_.accuracies_
        total = evidence.counts.sum()
        self.findings_ = Findings(
            covered=float(evidence.counts @ evidence.covered / total),
            density=float(evidence.counts @ (evidence.votes >= 0).sum(axis=1) / total),
            advantage_bound=tried.bound,
            ties=tried.ties,
            residual=tried.__dict__.get("residual"),
            overturned=overturned(evidence, self.chosen_._proba(evidence.votes)),
            gold_rows=gold_rows,
            gold_accuracy=scored,
            chosen=name,
            reason=reason,
        )

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        return self.chosen_._proba(votes)

    def findings(self) -> list[str]:
        """What was found and chosen, in sentences."""
        found = self.findings_
        lines = [
            f"{found.covered:.1%} of the rows have a vote, {found.density:.2f} votes a row; "
            f"weighting could set right at most about {found.advantage_bound:.1%} of them; {found.ties:.1%} are ties",
            f"picked {found.chosen}: {found.reason}",
        ]
        if found.chosen != "majority vote":
            lines.append(f"against majority vote it decides {found.overturned:.1%} of the clear majorities otherwise")
        if found.gold_accuracy:
            scores = ", ".join(f"{name} {score:.1%}" for name, score in found.gold_accuracy.items())
            lines.append(f"on {found.gold_rows} covered rows of gold: {scores}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.findings()) if hasattr(self, "findings_") else "LabelModel, not fitted"

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """The chosen model's state, and what was found."""
        meta, parts = super().state()
        inner_meta, inner_parts = self.chosen_.state()
        meta |= {"findings": asdict(self.findings_), "inner": inner_meta, "inner_kind": self.chosen_.kind}
        return meta, {**parts, **{f"inner_{name}": part for name, part in inner_parts.items()}}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.chosen_ = model_of_kind(meta["inner_kind"])(**meta["inner"]["settings"])
        inner = {name.removeprefix("inner_"): part for name, part in parts.items() if name.startswith("inner_")}
        self.chosen_._restore(meta["inner"], inner)
        self.accuracy_means = self.chosen_.accuracy_means
        self.findings_ = Findings(**meta["findings"])


class _Candidates:
    """The models to choose between, fitted without gold, and what is asked of them; each only when it is needed."""

    def __init__(self, evidence: Evidence, names: list[str], balance: Floats | None, seed: int) -> None:
        self.evidence, self.names = evidence, names
        self.unlabelled = evidence.without_gold()
        self.balance, self.seed = balance, seed
        self.fitted: dict[str, BaseLabelModel] = {}
        self.bound, self.ties = advantage_bound(evidence), tie_share(evidence)

    def __getitem__(self, name: str) -> BaseLabelModel:
        if name not in self.fitted:
            self.fitted[name] = CANDIDATES[name]().fit_evidence(self.unlabelled, self.names, self.balance, self.seed)
        return self.fitted[name]

    @cached_property
    def residual(self) -> float:
        """What the plain model leaves unexplained of how functions agree."""
        plain = self["Dawid-Skene"]
        assert isinstance(plain, DawidSkene)
        return residual_correlation(self.unlabelled, plain.theta_, plain.prior_)

    def gold_accuracy(self) -> dict[str, float]:
        """Accuracy of each model on the covered rows with gold, which it has not seen."""
        return {name: _gold_accuracy(self[name], self.evidence) for name in CANDIDATES}

    def chosen_by_gold(self, gold_rows: int) -> tuple[str, str]:
        """Name of the most accurate model, and why; counting where it is as good as any."""
        scored = self.gold_accuracy()
        best = max(scored, key=lambda name: scored[name])  # the first of equals, and counting is first
        return best, f"most accurate on the {gold_rows} covered rows of gold"

    def chosen_by_votes(self) -> tuple[str, str]:
        """Name of the model to use, and why, from the votes alone."""
        if self.bound + self.ties / 2 < GAIN_WORTH_HAVING:
            return "majority vote", "so few votes contradict each other that counting is enough"
        excess = f"residual correlation {self.residual:.1f}"
        if self.bound >= GAIN_WORTH_HAVING and self.residual <= FITS:
            return "Dawid-Skene", f"it explains how functions agree ({excess}, 1 by chance)"
        upset = overturned(self.unlabelled, self["cautious Dawid-Skene"]._proba(self.evidence.votes))
        if upset > max(BELIEVABLE * self.bound, self.ties / 2):
            return "majority vote", (
                f"the functions copy one another ({excess}, not 1), and a generative model would overturn {upset:.1%} "
                "of the clear majorities, which the votes do not justify"
            )
        if self.residual <= FITS:
            return "cautious Dawid-Skene", "votes contradict each other too seldom to tell if functions are independent"
        return "cautious Dawid-Skene", f"the functions are not independent ({excess}, not 1)"


def _scorable(evidence: Evidence) -> npt.NDArray[np.bool_]:
    return (evidence.known >= 0) & evidence.covered


def _gold_accuracy(model: BaseLabelModel, evidence: Evidence) -> float:
    """Share of covered rows with gold that the model gets right; it has not seen their gold."""
    rows = _scorable(evidence)
    if not rows.any():
        return float("nan")
    guess = best_class(model._proba(evidence.votes[rows]), model.class_balance_)
    return float(evidence.counts[rows] @ (guess == evidence.known[rows]) / evidence.counts[rows].sum())
