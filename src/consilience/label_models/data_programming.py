"""Data programming: one accuracy a function, and weights for pairs of functions that depend on one another.

Reads patterns of votes, writes class probabilities. one_coin.py is the model without dependencies; here functions that
copy, fix or exclude each other no longer count as independent witnesses. structure.py finds who depends on whom.

Source: Ratner et al. 2016; Bach et al. 2017 (correlations); the factors are in factor_graph.py.
Departs: expectations are exact sums over each component of dependent functions, and L-BFGS climbs the marginal
likelihood itself; Gibbs sampling is left to components whose sums would be too large. Normalised given the class, so the
class balance is a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from consilience.errors import ModelError, nearest
from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.factor_graph import IMPOSSIBLE, KINDS, Component, components_of, features_of
from consilience.label_models.one_coin import (
    CEILING,
    PRIOR_ACCURACY,
    PRIOR_STRENGTH,
    Coins,
    OneCoin,
    normalised,
    seen_balance,
)
from consilience.label_models.pattern_tables import PatternTables
from consilience.store import arrays

MAX_STATES = 100_000  # cells of the largest table summed exactly; beyond it Gibbs sampling takes over
STRONGEST = (
    8.0  # weights of dependencies stay within this: e^8 is "always" to any eye, and one that never errs has none
)
LEARN = "learn"
import os
DEFAULT_KIND = os.environ.get("KIND","copying")


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

    dependencies: pairs of names of functions, or (name, name, kind) with kind one of "correlated" (the default: both do
        the same), "similar" (both vote the same), "fixing" (the second is right where the first is wrong),
        "reinforcing" (both are right), "exclusive" (both vote; its weight turns out negative); or "learn" to find
        correlated pairs from the votes; or None.
    prior_accuracy, prior_strength, floor, balance: as for OneCoin, which this is if there are no dependencies.
    max_states: how large the table of a component may be that is summed exactly.
    max_iterations: steps of L-BFGS, or of EM without dependencies.

    dependencies_: those in the model, with weights. left_out_: pairs found by "learn" that would make sums too large.
    unary_: (m, k, s) log-factor of what a function says in a class; log_normaliser_: (k,); prior_: (k,), the balance
    that probabilities start from. log_likelihood_: of the votes; NaN after Gibbs sampling, which does not know it.

    O(iterations x (patterns x functions / block x k + components x k s^width)), s = things a function can say.

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
        else:
            self._fit_independent(evidence, balance, seed)

    def _learned(self, evidence: Evidence) -> list[Dependency]:
        """Pairs found in the votes, strongest first, as long as sums stay exact."""
        from consilience.label_models.structure import find_dependencies

        places = {name: j for j, name in enumerate(self.function_names_)}
        kept: list[tuple[int, int]] = []
        for first, second in find_dependencies(evidence, names=self.function_names_).pairs:
            longer = [*kept, (places[first], places[second])]
            widest = max(part.width for part in components_of(len(places), longer))
            if (evidence.n_symbols + 1) ** widest <= self.max_states:
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
        if graph.largest <= self.max_states:
            point = objective.climb(self.max_iterations)
        else:
            from consilience.label_models.gibbs import climb_by_sampling

            point = climb_by_sampling(objective, seed)
        self._take(evidence, graph, objective, point)

    def _take(self, evidence: Evidence, graph: Graph, objective: Objective, point: Floats) -> None:
        """Keep what was learned, in the form that predictions need."""
        parts = objective.parts(point)
        self.unary_, self.prior_ = parts.unary, parts.prior
        says, self.log_normaliser_, self.log_likelihood_ = objective.described(parts)
        posterior = objective.posterior(parts, self.log_normaliser_)
        trusted = not (objective.uniform)
        self.class_balance_ = seen_balance(evidence, posterior, self.prior_, trusted)
        right = np.einsum("y,ys,jys->j", self.class_balance_, graph.coins.allows, says[:, :, 1:])
        fires = np.einsum("y,jys->j", self.class_balance_, says[:, :, 1:])
        self.accuracies_ = np.where(graph.coins.fires > 0, right / np.maximum(fires, 1e-300), np.nan)
        weights = iter(parts.weights.tolist())
        self.dependencies_ = [
            Dependency(one.first, one.second, one.kind, tuple(next(weights) for _ in range(size)))
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
            lines.append(f"found but left out, as exact sums would be too large: {pairs}")
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


class Graph:
    """The dependencies on the votes at hand: features, components, and who is in none.

    edges: distinct pairs of functions; features: for each, (f, k, s, s). sizes: how many weights each dependency has.
    weight_edge, weight_row: for each weight its edge, and which of the edge's features it is.
    """

    def __init__(self, evidence: Evidence, dependencies: Sequence[tuple[int, int, str]]) -> None:
        self.coins = Coins(evidence)
        self.m, self.k, self.s = evidence.votes.shape[1], evidence.n_classes, evidence.n_symbols + 1
        self.edges: list[tuple[int, int]] = []
        self.features: list[Floats] = []
        self.sizes: list[int] = []
        self.weight_edge: list[int] = []
        self.weight_row: list[int] = []
        for a, b, kind in dependencies:
            self._add(a, b, features_of(kind, self.coins.allows))
        self.components: list[Component] = components_of(self.m, self.edges)
        self.edge_places = [self._inside(part) for part in self.components]
        self.joined = np.array(sorted(j for part in self.components for j in part.functions))
        self.single = np.setdiff1d(np.arange(self.m), self.joined)
        self.largest = self.s ** max(part.width for part in self.components)
        said = evidence.votes.astype(np.intp) + 1
        self.codes = [said[:, a] * self.s + said[:, b] for a, b in self.edges]
        self.by_class = [bool((table != table[:, :1]).any()) for table in self.features]

    def _add(self, a: int, b: int, table: Floats) -> None:
        if (b, a) in self.edges:
            a, b, table = b, a, table.transpose(0, 1, 3, 2)
        if (a, b) not in self.edges:
            self.edges.append((a, b))
            self.features.append(np.empty((0, *table.shape[1:])))
        edge = self.edges.index((a, b))
        self.sizes.append(len(table))
        self.weight_edge += [edge] * len(table)
        self.weight_row += range(len(self.features[edge]), len(self.features[edge]) + len(table))
        self.features[edge] = np.concatenate([self.features[edge], table])

    def _inside(self, part: Component) -> list[int]:
        """Places in `edges` of a component's edges."""
        return [self.edges.index((part.functions[a], part.functions[b])) for a, b in part.edges]

    def pair_tables(self, weights: Floats) -> list[Floats]:
        """Log-factor of each edge. weights: one a feature. returns: (k, s, s) each."""
        tables = [np.zeros(table.shape[1:]) for table in self.features]
        for weight, edge, row in zip(weights, self.weight_edge, self.weight_row, strict=True):
            tables[edge] = tables[edge] + weight * self.features[edge][row]
        return tables

    def per_weight(self, tables: Sequence[Floats]) -> Floats:
        """Sum of each weight's feature over a table of its edge. tables: (k, s, s) each. returns: one a weight."""
        pairs = zip(self.weight_edge, self.weight_row, strict=True)
        return np.array([(self.features[edge][row] * tables[edge]).sum() for edge, row in pairs])


@dataclass(frozen=True)
class Parts:
    """A point of the search, unpacked. unary: (m, k, s); pairs: (k, s, s) an edge; prior: (k,); weights: of the pairs."""

    accuracy: Floats
    weights: Floats
    unary: Floats
    pairs: list[Floats]
    prior: Floats


class Objective:
    """The penalised marginal likelihood of the votes and its gradient.

    A point is: log-odds of accuracy (m,), propensity weights of the joined functions, weights of dependencies, and the
    logs of the class balance if that is learned. Single functions are normalised as they stand.
    """

    def __init__(self, evidence: Evidence, graph: Graph, model: DataProgramming, balance: Floats | None) -> None:
        self.evidence, self.graph, self.model = evidence, graph, model
        self.n = evidence.counts.sum()
        self.known = np.flatnonzero(evidence.known >= 0)
        self.expected = evidence.prior_accuracies(model.prior_accuracy)
        self.strength = evidence.prior_rows(model.prior_strength)
        self.learn = balance is None and model.balance == "learn"
        self.uniform = balance is None and not self.learn
        self.given = np.full(graph.k, 1 / graph.k) if balance is None else balance
        self.tables = PatternTables(evidence.votes, graph.k, evidence.n_symbols)
        self.log_spread = np.where(graph.coins.spread > 0, np.log(np.maximum(graph.coins.spread, 1e-300)), IMPOSSIBLE)
        self.constant = [np.bincount(code, evidence.counts, graph.s**2) for code in graph.codes]
        self.cuts = np.cumsum([graph.m, len(graph.joined), len(graph.weight_edge)])

    # points

    def start(self) -> Floats:
        """As expected of functions, but those that depend on one another share the weight of one."""
        share = np.ones(self.graph.m)
        for part in self.graph.components:
            share[list(part.functions)] = len(part.functions)
        accuracy = logit(self.graph.coins.chance)
        accuracy = accuracy + (logit(np.maximum(self.expected, self.graph.coins.chance)) - accuracy) / share
        fires = np.clip(self.graph.coins.propensity[self.graph.joined], 1e-6, 1 - 1e-6)
        propensity = logit(fires) - np.logaddexp(0, accuracy[self.graph.joined])
        balance = np.log(self.given) if self.learn else np.empty(0)
        return np.concatenate([accuracy, propensity, np.zeros(len(self.graph.weight_edge)), balance])

    def bounds(self) -> tuple[Floats, Floats]:
        """Least and greatest point. Joined functions may be guesses: what they add to the others may be nothing."""
        top = float(logit(CEILING))
        low = np.clip(logit(np.clip(self.graph.coins.lowest(self.model.floor), 1 - CEILING, CEILING)), -top, top)
        if self.model.floor is not None:
            low[self.graph.joined] = np.minimum(logit(self.graph.coins.chance[self.graph.joined]), top)
        size = len(self.start()) - self.graph.m
        reach = np.full(size, 30.0)
        reach[len(self.graph.joined) : len(self.graph.joined) + len(self.graph.weight_edge)] = STRONGEST
        return np.concatenate([low, -reach]), np.concatenate([np.full(self.graph.m, top), reach])

    def parts(self, point: Floats) -> Parts:
        """A point as factors."""
        accuracy, propensity, weights, balance = np.split(point, self.cuts)
        unary = np.log(self.graph.coins.tables(expit(accuracy)))
        joined = self.graph.joined
        right = accuracy[joined, None, None] * self.graph.coins.allows
        unary[joined, :, 1:] = propensity[:, None, None] + right + self.log_spread[joined]
        unary[joined, :, 0] = 0.0
        prior = np.exp(balance - np.logaddexp.reduce(balance)) if self.learn else self.given
        return Parts(accuracy, weights, unary, self.graph.pair_tables(weights), prior)

    # what it is worth

    def sums(self, parts: Parts) -> tuple[Floats, Floats, list[Floats]]:
        """Log-normaliser (k,), and what functions (m, k, s) and edges (k, s, s) say by class, exactly."""
        says, both = np.exp(parts.unary), [np.empty(0)] * len(self.graph.edges)
        normaliser = np.zeros(self.graph.k)
        for part, places in zip(self.graph.components, self.graph.edge_places, strict=True):
            members = list(part.functions)
            total, singles, pairs = part.sums(parts.unary[members], [parts.pairs[e] for e in places])
            normaliser = normaliser + total
            says[members] = singles
            for e, table in zip(places, pairs, strict=True):
                both[e] = table
        return normaliser, says, both

    def joint(self, parts: Parts, normaliser: Floats) -> Floats:
        """Log P(pattern, class) but for factors that are the same in every class. returns: (k, p)."""
        joint = self.tables.log_likelihood(parts.unary) + (np.log(parts.prior) - normaliser)[:, None]
        for code, table, by_class in zip(self.graph.codes, parts.pairs, self.graph.by_class, strict=True):
            if by_class:
                joint += table.reshape(self.graph.k, -1)[:, code]
        return joint

    def posterior(self, parts: Parts, normaliser: Floats) -> Floats:
        """P(class | pattern), known classes kept. returns: (k, p)."""
        return self._posterior(self.joint(parts, normaliser))[0]

    def _posterior(self, joint: Floats) -> tuple[Floats, float]:
        posterior, row = normalised(joint)
        posterior[:, self.known] = np.eye(self.graph.k)[:, self.evidence.known[self.known]]
        row[self.known] = joint[self.evidence.known[self.known], self.known]
        return posterior, float(self.evidence.counts @ row)

    def value_and_gradient(self, point: Floats) -> tuple[float, Floats]:
        """Penalised log-likelihood, and its gradient by the point."""
        parts = self.parts(point)
        normaliser, says, both = self.sums(parts)
        posterior, value = self._posterior(self.joint(parts, normaliser))
        for cells, table, by_class in zip(self.constant, parts.pairs, self.graph.by_class, strict=True):
            value += 0.0 if by_class else float(cells @ table[0].ravel())
        gradient = self.gradient(posterior * self.evidence.counts, parts, says, both)
        return value + self.penalty(parts), gradient

    def gradient(self, weights: Floats, parts: Parts, says: Floats, both: list[Floats]) -> Floats:
        """What is seen less what is expected. weights: (k, p) rows by class. says, both: as from sums."""
        graph, rows = self.graph, weights.sum(axis=1)
        seen = self.tables.expected_counts(weights)
        beyond = seen[:, :, 1:] - rows[:, None] * says[:, :, 1:]
        right = expit(parts.accuracy)
        by_accuracy = (beyond * graph.coins.allows).sum(axis=(1, 2))
        rights = (seen[:, :, 1:] * graph.coins.allows).sum(axis=(1, 2))
        by_accuracy[graph.single] = (rights - right * graph.coins.fires)[graph.single]
        by_accuracy += self.strength * (self.expected - right)
        by_propensity = beyond[graph.joined].sum(axis=(1, 2))
        expected = [rows[:, None, None] * table for table in both]
        by_weight = graph.per_weight([s - e for s, e in zip(self._pairs_seen(weights), expected, strict=True)])
        by_balance = rows + 1 - (self.n + graph.k) * parts.prior if self.learn else np.empty(0)
        return np.concatenate([by_accuracy, by_propensity, by_weight - parts.weights, by_balance])

    def _pairs_seen(self, weights: Floats) -> list[Floats]:
        """How often each edge's functions say each two things, by class. returns: (k, s, s) each."""
        k, s, tables = self.graph.k, self.graph.s, []
        for code, cells, by_class in zip(self.graph.codes, self.constant, self.graph.by_class, strict=True):
            if by_class:
                tables.append(np.stack([np.bincount(code, row, s**2) for row in weights]).reshape(k, s, s))
            else:  # the features are the same in all classes, so it does not matter in which one they are counted
                table = np.zeros((k, s, s))
                table[0] = cells.reshape(s, s)
                tables.append(table)
        return tables

    def penalty(self, parts: Parts) -> float:
        """Log-prior: Beta on accuracies as if functions were independent, standard normal on weights, flat balance."""
        odds = parts.accuracy
        beta = self.expected * -np.logaddexp(0, -odds) + (1 - self.expected) * -np.logaddexp(0, odds)
        balance = float(np.log(parts.prior).sum()) if self.learn else 0.0
        return float(self.strength @ beta) - 0.5 * float(parts.weights @ parts.weights) + balance

    def described(self, parts: Parts) -> tuple[Floats, Floats, float]:
        """What functions say by class (m, k, s), the log-normaliser, and the log-likelihood less the penalty."""
        normaliser, says, _ = self.sums(parts)
        value = self._posterior(self.joint(parts, normaliser))[1]
        for cells, table, by_class in zip(self.constant, parts.pairs, self.graph.by_class, strict=True):
            value += 0.0 if by_class else float(cells @ table[0].ravel())
        return says, normaliser, value

    # climbing

    def climb(self, max_iterations: int) -> Floats:
        """The best point from the start, by L-BFGS; each coordinate in units of what the rows can tell of it."""
        low, high = self.bounds()
        unit = self.units()
        start = np.clip(self.start(), low, high)

        def downhill(scaled: Floats) -> tuple[float, Floats]:
            value, gradient = self.value_and_gradient(scaled * unit)
            return -value / self.n, -gradient * unit / self.n

        found = minimize(
            downhill,
            start / unit,
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([low / unit, high / unit]),
            options={"maxiter": max_iterations, "ftol": 1e-11, "gtol": 1e-6, "maxcor": 20},
        )
        return np.asarray(found.x * unit)

    def units(self) -> Floats:
        """Rough standard errors of a point's coordinates, times the root of the rows."""
        fires = np.maximum(self.graph.coins.propensity, 1 / self.n)
        joined = self.graph.joined
        pairs = np.sqrt(np.minimum(*fires[np.array([self.graph.edges[e] for e in self.graph.weight_edge]).T]))
        balance = np.ones(self.graph.k if self.learn else 0)
        return 2 / np.concatenate([np.sqrt(fires), np.sqrt(fires[joined]), pairs, balance])
