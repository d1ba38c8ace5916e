"""The label model most people should use: it asks the votes what they support, picks a model, and says why.

Reads a label matrix, writes the probabilities of whichever it picked. Never worse than counting in silence: where
nothing in the votes (or in what gold there is) speaks for more than counting, it is majority vote, and says why.

Source: the optimizer of Ratner et al., VLDB 2018 (advantage bound, dependencies).
Departs: the model is checked against the votes before it is believed, several models stand ready, and gold has a say.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.label_models.advantage import (
    advantage_bound,
    is_crowd,
    many_voices,
    overturned,
    residual_correlation,
    tie_share,
)
from consilience.label_models.base import BaseLabelModel, Evidence, Floats, best_class
from consilience.label_models.committee import Committee
from consilience.label_models.dawid_skene import DawidSkene
from consilience.label_models.edges import components
from consilience.label_models.identifiability import warnings_of
from consilience.label_models.majority import MajorityVote
from consilience.label_models.structure import Dependencies, find_dependencies
from consilience.label_models.zoo import model_of_kind
from consilience.store import arrays

GAIN_WORTH_HAVING = 0.01  # gamma of the paper: below this bound counting is enough
FITS = 1.15  # residual correlation up to which a model is believed
BELIEVABLE = 3.0  # a model that overturns more than this times the bound has fooled itself
BEYOND_CHANCE = 2.0  # standard errors by which another model must be better on gold to be taken
GOLD_ENOUGH = 30  # covered rows with gold from which gold has a say
VOICES = 0.5  # share of the rows on which three vote from which a model that fits is believed whatever there is to gain
MOST_PATTERNS = 50_000  # looked at where shares of rows are asked for
VOTES_A_NUMBER = 20  # votes for each free number of the tables, below which these are noise
MOST_FUNCTIONS = 200  # dependencies are not looked for among more

COUNTING, PLAIN, LINKED, CROWD, ALL = (
    "majority vote",
    "Dawid-Skene",
    "Dawid-Skene with dependencies",
    "Dawid-Skene of crowds",
    "committee",
)


@dataclass(frozen=True)
class Findings:
    """What was found on the way to a choice, None where it was not asked. Shares are of the rows fitted on.

    voices: on which three functions or more vote. residual: what Dawid-Skene leaves unexplained of how functions agree;
    linked_residual: the same with the dependencies, pairs of names at least as strong as dependency_threshold, taken
    in. warnings: reasons to doubt all of it.
    """

    covered: float
    density: float
    advantage_bound: float
    ties: float
    voices: float
    crowd: bool | None
    residual: float | None
    dependencies: list[list[str]] | None
    dependency_threshold: float | None
    linked_residual: float | None
    overturned: float
    gold_rows: int
    gold_accuracy: dict[str, float]
    chosen: str
    reason: str
    warnings: list[str]


class LabelModel(BaseLabelModel):
    """Picks by itself between counting votes and learning how far to trust each function.

    The order of asking: if the votes leave little to gain (`advantage_bound`), and few rows have the three votes it
    takes to learn from, counting is enough. If functions look
    like workers who were given rows, it is Dawid and Skene's model of crowds. Else, if a Dawid-Skene model explains how
    functions agree (`residual_correlation`), it is used, with the dependencies between functions where these explain
    the rest. Else a committee of models, unless that overturns more clear majorities than is believable: then counting.
    With 30 or more covered rows of gold, another model is taken if it is better on them, each class weighing the same,
    by two standard errors.

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
        name, reason = tried.chosen_by_votes()
        gold_rows = int(evidence.counts[_scorable(evidence)].sum())
        if gold_rows >= GOLD_ENOUGH:
            name, reason = tried.chosen_by_gold(name, reason, gold_rows)
        scored = tried.gold_accuracy() if gold_rows else {}  # before the chosen model is fitted again with gold
        self.chosen_ = tried[name]
        self.accuracy_means = self.chosen_.accuracy_means
        if (evidence.known >= 0).any():
            self.chosen_.fit_evidence(evidence, self.function_names_, balance, seed)
        self.class_balance_, self.accuracies_ = self.chosen_.class_balance_, self.chosen_.accuracies_
        total, asked = evidence.counts.sum(), tried.__dict__
        self.findings_ = Findings(
            covered=float(evidence.counts @ evidence.covered / total),
            density=float(evidence.counts @ (evidence.votes >= 0).sum(axis=1) / total),
            advantage_bound=tried.bound,
            ties=tried.ties,
            voices=tried.voices,
            crowd=asked.get("crowd"),
            residual=asked.get("residual"),
            dependencies=asked.get("dependencies"),
            dependency_threshold=tried.found.threshold if "found" in asked else None,
            linked_residual=asked.get("linked_residual"),
            overturned=overturned(tried.glance, self.chosen_._proba(tried.glance.votes)),
            gold_rows=gold_rows,
            gold_accuracy=scored,
            chosen=name,
            reason=reason,
            warnings=warnings_of(evidence.sample(MOST_PATTERNS), self.function_names_, self.chosen_),
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
        if found.dependencies:
            pairs = ", ".join(" - ".join(pair) for pair in found.dependencies[:5])
            more = f" and {len(found.dependencies) - 5} more" if len(found.dependencies) > 5 else ""
            strong = f"at least {found.dependency_threshold:.2f} strong"
            lines.append(f"{len(found.dependencies)} pairs of functions depend on one another, {strong}: {pairs}{more}")
        if found.chosen != COUNTING:
            lines.append(f"against majority vote it decides {found.overturned:.1%} of the clear majorities otherwise")
        if found.gold_accuracy:
            scores = ", ".join(f"{name} {score:.1%}" for name, score in found.gold_accuracy.items())
            lines.append(f"on {found.gold_rows} covered rows of gold: {scores}")
        return [*lines, *(f"warning: {line}" for line in found.warnings)]

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
        self.glance = self.unlabelled.sample(MOST_PATTERNS)
        self.bound, self.ties = advantage_bound(self.glance), tie_share(self.glance)
        self.voices = many_voices(self.glance)

    def __getitem__(self, name: str) -> BaseLabelModel:
        if name not in self.fitted:
            self.fitted[name] = self._make(name).fit_evidence(self.unlabelled, self.names, self.balance, self.seed)
        return self.fitted[name]

    def _make(self, name: str) -> BaseLabelModel:
        if name == LINKED:
            return DawidSkene(dependencies=self.dependencies)
        if name == CROWD:
            return DawidSkene(abstains="ignored")
        plain: dict[str, type[BaseLabelModel]] = {COUNTING: MajorityVote, PLAIN: DawidSkene, ALL: Committee}
        return plain[name]()

    @cached_property
    def crowd(self) -> bool:
        """Whether the functions are workers who were given rows."""
        return is_crowd(self.glance)

    @cached_property
    def residual(self) -> float:
        """What the plain model leaves unexplained of how functions agree."""
        return self._unexplained(PLAIN)

    @cached_property
    def dependencies(self) -> list[list[str]]:
        """Pairs of functions that agree more than their accuracy explains."""
        return [list(pair) for pair in self.found.pairs]

    @cached_property
    def found(self) -> Dependencies:
        """The search for dependencies: its pairs, its path, and the strength from which a pair counts."""
        return find_dependencies(self.unlabelled, names=self.names)

    @cached_property
    def linked_residual(self) -> float:
        """What is still unexplained with the dependencies taken in."""
        return self._unexplained(LINKED)

    def _unexplained(self, name: str) -> float:
        model = self[name]
        assert isinstance(model, DawidSkene)
        edges = [(self.names.index(first), self.names.index(second)) for first, second in model.edges_]
        together = [group for group in components(edges, len(self.names)) if len(group) > 1]
        return residual_correlation(self.unlabelled, model.theta_, model.prior_, together)

    def chosen_by_votes(self) -> tuple[str, str]:
        """Name of the model to use, and why, from the votes alone."""
        little_to_gain = self.bound < GAIN_WORTH_HAVING
        if little_to_gain and self.voices < VOICES:
            return COUNTING, "so few clear majorities could be wrong that counting is enough"
        if self.crowd:
            return CROWD, "functions look like workers who were given rows: their silence says nothing"
        if len(self.names) <= MOST_FUNCTIONS and self.votes_enough:
            if self.residual <= FITS:
                return PLAIN, f"it explains how functions agree (residual correlation {self.residual:.1f}, 1 by chance)"
            if (
                0 < len(self.dependencies) <= len(self.names)
                and self.linked_residual <= FITS
                and self.linked_believable
            ):
                return LINKED, (
                    "some functions depend on one another, and with that it explains how all agree (residual "
                    f"correlation {self.linked_residual:.1f}, without it {self.residual:.1f}, 1 by chance)"
                )
        if little_to_gain:
            return COUNTING, "no model explains how functions agree, and few clear majorities could be wrong"
        return self._of_no_single_model()

    @property
    def votes_enough(self) -> bool:
        """Whether there are votes enough for each number of Dawid and Skene's tables to be learned."""
        k, m = self.evidence.n_classes, len(self.names)
        said = sum(len(np.unique(column[column >= 0])) for column in self.glance.votes.T)
        votes = self.evidence.counts @ (self.evidence.votes >= 0).sum(axis=1)
        return bool(votes >= VOTES_A_NUMBER * k * max(said, m))

    @property
    def linked_believable(self) -> bool:
        """Whether rows have votes enough to learn from, or the model stays near what counting says."""
        return self.voices >= VOICES or self._upset(LINKED) <= BELIEVABLE * self.bound

    def _upset(self, name: str) -> float:
        return overturned(self.glance, self[name]._proba(self.glance.votes))

    def _of_no_single_model(self) -> tuple[str, str]:
        upset, found = self._upset(ALL), self.__dict__.get("residual")
        excess = "" if found is None else f" (residual correlation {found:.1f}, 1 by chance)"
        if upset > BELIEVABLE * self.bound:
            return COUNTING, (
                f"the functions copy one another{excess}, and learning would overturn {upset:.1%} of the clear "
                "majorities, which the votes do not justify"
            )
        if not self.votes_enough:
            return ALL, "there are too few votes for tables of their own, so what models know beforehand is averaged"
        return ALL, f"no single model explains how functions agree{excess}"

    def gold_accuracy(self) -> dict[str, float]:
        """Accuracy of each model on the covered rows with gold, which it has not seen."""
        rows = _scorable(self.evidence)
        weight = self.evidence.counts[rows]
        return {
            name: float(weight @ self._right(name) / weight.sum()) if rows.any() else np.nan for name in self._rivals()
        }

    def chosen_by_gold(self, name: str, reason: str, gold_rows: int) -> tuple[str, str]:
        """The model that beats the one chosen by more than chance on the gold, if there is one; counting goes first."""
        rows = _scorable(self.evidence)
        weight = _even_classes(self.evidence.counts[rows], self.evidence.known[rows])
        each = weight**2 / self.evidence.counts[rows]  # squared weight of one row, summed over a pattern's
        best, lead = name, 0.0
        for rival in self._rivals():
            gained = self._right(rival).astype(float) - self._right(name)
            standard_error = np.sqrt(each @ gained**2)
            if standard_error > 0 and weight @ gained / standard_error > max(lead, BEYOND_CHANCE):
                best, lead = rival, float(weight @ gained / standard_error)
        if best == name:
            return name, f"{reason}; no other model is better by more than chance on {gold_rows} covered rows of gold"
        return best, f"better than {name} on the {gold_rows} covered rows of gold, by {lead:.1f} standard errors"

    def _rivals(self) -> list[str]:
        linked = [LINKED] if self.__dict__.get("dependencies") else []
        return [COUNTING, PLAIN, *linked, CROWD, ALL]

    def _right(self, name: str) -> npt.NDArray[np.bool_]:
        """Which of the covered patterns with gold a model gets right; it has not seen their gold."""
        rows, model = _scorable(self.evidence), self[name]
        return best_class(model._proba(self.evidence.votes[rows]), model.class_balance_) == self.evidence.known[rows]


def _even_classes(counts: Floats, known: npt.NDArray[np.int64]) -> Floats:
    """Counts weighted so that each class with gold weighs the same: a rare label is not to be given up. (p,)."""
    of_class = np.bincount(known, counts)
    share: Floats = counts / (of_class[known] * (of_class > 0).sum())
    return share


def _scorable(evidence: Evidence) -> npt.NDArray[np.bool_]:
    return (evidence.known >= 0) & evidence.covered
