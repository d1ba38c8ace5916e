"""Data programming: one accuracy a function, and weights for pairs of functions that depend on one another.

Reads patterns of votes, writes class probabilities. one_coin.py is the model without dependencies; here functions that
copy, fix or exclude each other no longer count as independent witnesses. structure.py finds who depends on whom.

Source: Ratner et al. 2016; Bach et al. 2017 (correlations); the factors are in factor_graph.py.
Departs: expectations are exact sums over each component of dependent functions, and L-BFGS climbs the marginal
likelihood itself; Gibbs sampling is left to components whose sums would be too large. A pair depends by "copying"
unless said otherwise: three weights are exactly what a function that repeats another on some rows needs, and
1{L_j = L_l}, which is among them, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ModelError, nearest
from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.factor_graph import KINDS, components_of, features_of
from consilience.label_models.factor_objective import Graph, Objective, cells_of
from consilience.label_models.gibbs import climb_by_sampling
from consilience.label_models.one_coin import (
    PRIOR_ACCURACY,
    PRIOR_STRENGTH,
    Coins,
    OneCoin,
    normalised,
    seen_balance,
)
from consilience.label_models.pattern_tables import PatternTables
from consilience.store import arrays

MAX_STATES = 100_000  # cells of all tables of exact sums; beyond it Gibbs sampling takes over
LEARN = "learn"
DEFAULT_KIND = "copying"


@dataclass(frozen=True)
class Dependency:
    """Two functions by name, how they depend, and the learned weights (two for fixing and reinforcing)."""

    first: str
    second: str
    kind: str
    weights: tuple[float, ...] = ()

    def __str__(self) -> str:
        weights = " and ".join(f"{weight:+.2f}" for weight in self.weights)
        return f"{self.first} and {self.second} are {self.kind} (weight {weights})"


class DataProgramming(BaseLabelModel):
    """The generative model of data programming, with dependencies.

    dependencies: pairs of names of functions, or (name, name, kind) with kind one of "copying" (the default: the second
        repeats the first on some rows), "correlated" (both do the same), "similar" (both vote the same), "fixing" (the
        second is right where the first is wrong), "reinforcing" (both are right), "exclusive" (both vote; its weight
        turns out negative); or "learn" to find copying pairs in the votes, and to leave them out again if some
        function then comes out worse than a guess; or None.
    prior_accuracy, prior_strength, floor, balance: as for OneCoin, which this is if there are no dependencies.
    max_states: how many cells the tables of exact sums may have: s^c for c functions that all depend on one another.
    max_iterations: steps of L-BFGS, or of EM without dependencies.

    dependencies_: those in the model, with weights. left_out_: pairs found by "learn" that are not.
    unary_: (m, k, s) log-factor of what a function says in a class; log_normaliser_: (k,); prior_: (k,), the balance
    that probabilities start from. log_likelihood_: of the votes; after Gibbs sampling up to a constant.

    O(iterations x (patterns x functions / block x k + k x cells)), s = things a function can say.

    >>> from consilience.testing import simulate
    >>> made = simulate(5000, 6, ["ham", "spam"], pairs=[(0, 5)], copy_rate=0.9, seed=2)
    >>> model = DataProgramming(dependencies="learn").fit(made.matrix)
    >>> [(found.first, found.second) for found in model.dependencies_]
    [('f0', 'f5')]
    """

    kind = "data programming"
    prior_: Floats
    unary_: Floats
    log_normaliser_: Floats

    def __init__(
        self,
        *,
        dependencies: Sequence[Sequence[str]] | str | None = None,
        prior_accuracy: float = PRIOR_ACCURACY,
        prior_strength: float = PRIOR_STRENGTH,
        floor: float | None = 0.01,
        balance: str = "uniform",
        max_states: int = MAX_STATES,
        max_iterations: int = 200,
    ) -> None:
        self.dependencies = dependencies
        self.prior_accuracy = prior_accuracy
        self.prior_strength = prior_strength
        self.floor = floor
        self.balance = balance
        self.max_states = max_states
        self.max_iterations = max_iterations
        self._independent()
        self._asked()

    def _independent(self) -> OneCoin:
        return OneCoin(
            prior_accuracy=self.prior_accuracy,
            prior_strength=self.prior_strength,
            floor=self.floor,
            balance=self.balance,
            max_iterations=self.max_iterations,
        )

    def _asked(self) -> list[Dependency]:
        """The dependencies the user gave. Raises ModelError for what is none."""
        if self.dependencies is None or self.dependencies == LEARN:
            return []
        asked = []
        for given in [self.dependencies] if isinstance(self.dependencies, str) else self.dependencies:
            parts = [given] if isinstance(given, str) else list(given)
            first, second, kind = [*parts, DEFAULT_KIND][:3] if len(parts) in (2, 3) else ["", "", ""]
            if kind not in KINDS or first == second:
                raise ModelError(
                    f"{given!r} is no dependency of two functions.\nFix: give pairs of names, or (name, name, kind) "
                    f"with kind one of {', '.join(KINDS)}; or 'learn'."
                )
            asked.append(Dependency(first, second, kind))
        return asked

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        asked, self.left_out_ = self._asked(), list[tuple[str, str]]()
        for name in (name for one in asked for name in (one.first, one.second)):
            if name not in self.function_names_:
                raise ModelError(f"There is no function {name!r}.\nFix: {nearest(name, self.function_names_)}")
        if self.dependencies == LEARN and evidence.votes.shape[1] > 1:
            asked = self._learned(evidence)
        self.dependencies_ = asked
        if asked:
            self._fit_dependent(evidence, balance, seed)
        if self.dependencies == LEARN and self._implausible(evidence):
            self.left_out_ = [*((one.first, one.second) for one in self.dependencies_), *self.left_out_]
            self.dependencies_ = []
        if not self.dependencies_:
            self._fit_independent(evidence, balance, seed)

    def _implausible(self, evidence: Evidence) -> bool:
        """Whether some function comes out worse than a guess: then what it shares with others was taken for error."""
        return bool(self.dependencies_) and bool((self.accuracies_ < Coins(evidence).chance).any())

    def _learned(self, evidence: Evidence) -> list[Dependency]:
        """Pairs found in the votes, strongest first: no more than functions, and as long as sums stay exact."""
        from consilience.label_models.structure import find_dependencies

        places = {name: j for j, name in enumerate(self.function_names_)}
        kept: list[tuple[int, int]] = []
        for first, second in find_dependencies(evidence, names=self.function_names_).pairs:
            longer = [*kept, (places[first], places[second])]
            cells = cells_of(components_of(len(places), longer), evidence.n_symbols + 1)
            if len(kept) < len(places) and cells <= self.max_states:
                kept = longer
            else:
                self.left_out_.append((first, second))
        return [Dependency(self.function_names_[a], self.function_names_[b], DEFAULT_KIND) for a, b in kept]

    def _fit_independent(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        coin = self._independent().fit_evidence(evidence, self.function_names_, balance, seed)
        self.unary_, self.log_normaliser_ = np.log(coin.theta_), np.zeros(evidence.n_classes)
        self.prior_, self.class_balance_, self.accuracies_ = coin.prior_, coin.class_balance_, coin.accuracies_
        self.log_likelihood_ = coin.log_likelihood_

    def _fit_dependent(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        places = {name: j for j, name in enumerate(self.function_names_)}
        graph = Graph(evidence, [(places[one.first], places[one.second], one.kind) for one in self.dependencies_])
        objective = Objective(evidence, graph, self, balance)
        if graph.cells <= self.max_states:
            point = objective.climb(self.max_iterations)
        else:
            point = climb_by_sampling(objective, seed)
        parts = objective.parts(point)
        self.log_normaliser_, says, _ = objective.sums(parts)
        posterior, self.log_likelihood_ = objective.likelihood(parts, self.log_normaliser_)
        self.unary_, self.prior_ = parts.unary, parts.prior
        self.class_balance_ = seen_balance(evidence, posterior, self.prior_, not objective.uniform)
        right = np.einsum("y,ys,jys->j", self.class_balance_, graph.coins.allows, says[:, :, 1:])
        fires = np.einsum("y,jys->j", self.class_balance_, says[:, :, 1:])
        self.accuracies_ = np.where(graph.coins.fires > 0, right / np.maximum(fires, 1e-300), np.nan)
        weights = iter(parts.weights.tolist())
        self.dependencies_ = [
            replace(one, weights=tuple(next(weights) for _ in range(size)))
            for one, size in zip(self.dependencies_, graph.sizes, strict=True)
        ]

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        joint = PatternTables(votes, len(self.prior_), self.unary_.shape[2] - 1).log_likelihood(self.unary_)
        places = {name: j for j, name in enumerate(self.function_names_)}
        said = votes.astype(np.intp) + 1
        for one in self.dependencies_:
            table = np.tensordot(one.weights, features_of(one.kind, self.labels_.meanings.T), axes=1)
            joint += table[:, said[:, places[one.first]], said[:, places[one.second]]]
        joint += (np.log(self.prior_) - self.log_normaliser_)[:, None]
        return np.ascontiguousarray(normalised(joint)[0].T)

    def findings(self) -> list[str]:
        """Which functions depend on one another."""
        lines = [str(one) for one in self.dependencies_]
        if self.left_out_:
            pairs = ", ".join(f"{first} and {second}" for first, second in self.left_out_)
            why = "there are too many" if self.dependencies_ else "functions would be worse than guesses with them"
            lines.append(f"found but left out, as {why}: {pairs}")
        return lines

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, the factors and the dependencies."""
        meta, parts = super().state()
        found = [[one.first, one.second, one.kind, list(one.weights)] for one in self.dependencies_]
        meta |= {"dependencies": found, "left_out": [list(pair) for pair in self.left_out_]}
        return meta, {**parts, "unary": self.unary_, "prior": self.prior_, "log_normaliser": self.log_normaliser_}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.dependencies_ = [Dependency(a, b, kind, tuple(weights)) for a, b, kind, weights in meta["dependencies"]]
        self.left_out_ = [(first, second) for first, second in meta["left_out"]]
        self.unary_, self.prior_, self.log_normaliser_ = parts["unary"], parts["prior"], parts["log_normaliser"]
