"""The likelihood of votes under factors, and its gradient: what data_programming.py climbs.

Reads patterns of votes and dependencies between functions. A point (weights of accuracy, propensity and dependencies)
becomes factors; sums over all that dependent functions could say are exact (factor_graph.py) or sampled (gibbs.py);
the gradient is what is seen, weighted by the probability of each class, less what is expected.

Source: Ratner et al. 2016, section 3; Bach et al. 2017, section 2.
Departs: normalised given the class, so that the class balance is a parameter of its own; functions without dependencies
keep their propensity at the share of rows they vote on, which is where it would end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from consilience.label_models.base import Evidence, Floats
from consilience.label_models.factor_graph import IMPOSSIBLE, Component, components_of, features_of
from consilience.label_models.one_coin import CEILING, Coins, normalised
from consilience.label_models.pattern_tables import PatternTables

STRONGEST = 8.0  # of weights of dependencies: e^8 is "always" to any eye, and a pair that never differs has no best

Sums = tuple[Floats, Floats, list[Floats]]


class Settings(Protocol):
    """What of a model's constructor matters here; see OneCoin."""

    prior_accuracy: float
    prior_strength: float
    floor: float | None
    balance: str


def cells_of(components: Sequence[Component], s: int) -> int:
    """Cells of the tables of exact sums over all components."""
    return sum(part.cells(s) for part in components)


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
        self.cells = cells_of(self.components, self.s)
        said = evidence.votes.astype(np.intp) + 1
        self.codes = [said[:, a] * self.s + said[:, b] for a, b in self.edges]
        self.by_class = [bool((table != table[:, :1]).any()) for table in self.features]

    def sums(self, parts: Parts) -> Sums:
        """Log-normaliser (k,), and what functions (m, k, s) and edges (k, s, s) say by class, exactly."""
        says, both = np.exp(parts.unary), [np.empty(0)] * len(self.edges)
        normaliser = np.zeros(self.k)
        for part, places in zip(self.components, self.edge_places, strict=True):
            members = list(part.functions)
            total, singles, pairs = part.sums(parts.unary[members], [parts.pairs[e] for e in places])
            normaliser = normaliser + total
            says[members] = singles
            for e, table in zip(places, pairs, strict=True):
                both[e] = table
        return normaliser, says, both

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
    """A point, unpacked. unary: (m, k, s); pairs: (k, s, s) an edge; prior: (k,); weights: of the pairs."""

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

    def __init__(self, evidence: Evidence, graph: Graph, model: Settings, balance: Floats | None) -> None:
        self.evidence, self.graph, self.model = evidence, graph, model
        self.sums: Callable[[Parts], Sums] = graph.sums
        self.n = evidence.counts.sum()
        self.known = np.flatnonzero(evidence.known >= 0)
        self.expected = evidence.prior_accuracies(model.prior_accuracy)
        self.strength = evidence.prior_rows(model.prior_strength)
        self.learn = balance is None and model.balance == "learn"
        self.uniform = balance is None and not self.learn
        self.given = np.full(graph.k, 1 / graph.k) if balance is None else balance
        self.tables = PatternTables(evidence.votes, graph.k, evidence.n_symbols)
        self.log_spread = np.where(graph.coins.spread > 0, np.log(np.maximum(graph.coins.spread, 1e-300)), IMPOSSIBLE)
        self.chance = logit(np.minimum(graph.coins.chance, CEILING))  # of one class only, a guess is never wrong
        self.constant = [np.bincount(code, evidence.counts, graph.s**2) for code in graph.codes]
        self.cuts = np.cumsum([graph.m, len(graph.joined), len(graph.weight_edge)])

    # points

    def start(self) -> Floats:
        """As expected of functions, but those that depend on one another share the weight of one."""
        share = np.ones(self.graph.m)
        for part in self.graph.components:
            share[list(part.functions)] = len(part.functions)
        hoped = np.clip(logit(self.expected), self.chance, logit(CEILING))
        accuracy = self.chance + (hoped - self.chance) / share
        fires = np.clip(self.graph.coins.propensity[self.graph.joined], 1e-6, 1 - 1e-6)
        propensity = logit(fires) - np.logaddexp(0, accuracy[self.graph.joined])
        balance = np.log(self.given) if self.learn else np.empty(0)
        return np.concatenate([accuracy, propensity, np.zeros(len(self.graph.weight_edge)), balance])

    def bounds(self) -> tuple[Floats, Floats]:
        """Least and greatest point. Joined functions may be guesses: what they add to the others may be nothing."""
        top = float(logit(CEILING))
        low = np.clip(logit(np.clip(self.graph.coins.lowest(self.model.floor), 1 - CEILING, CEILING)), -top, top)
        if self.model.floor is not None:
            low[self.graph.joined] = self.chance[self.graph.joined]
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

    def joint(self, parts: Parts, normaliser: Floats) -> Floats:
        """Log P(pattern, class) but for factors that are the same in every class. returns: (k, p)."""
        joint = self.tables.log_likelihood(parts.unary) + (np.log(parts.prior) - normaliser)[:, None]
        for code, table, by_class in zip(self.graph.codes, parts.pairs, self.graph.by_class, strict=True):
            if by_class:
                joint += table.reshape(self.graph.k, -1)[:, code]
        return joint

    def likelihood(self, parts: Parts, normaliser: Floats) -> tuple[Floats, float]:
        """P(class | pattern), known classes kept (k, p); and the log-likelihood of the votes."""
        joint = self.joint(parts, normaliser)
        posterior, row = normalised(joint)
        posterior[:, self.known] = np.eye(self.graph.k)[:, self.evidence.known[self.known]]
        row[self.known] = joint[self.evidence.known[self.known], self.known]
        value = float(self.evidence.counts @ row)
        for cells, table, by_class in zip(self.constant, parts.pairs, self.graph.by_class, strict=True):
            value += 0.0 if by_class else float(cells @ table[0].ravel())
        return posterior, value

    def value_and_gradient(self, point: Floats) -> tuple[float, Floats]:
        """Penalised log-likelihood, and its gradient by the point."""
        parts = self.parts(point)
        normaliser, says, both = self.sums(parts)
        posterior, value = self.likelihood(parts, normaliser)
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
        k, s = self.graph.k, self.graph.s
        tables: list[Floats] = []
        for code, cells, by_class in zip(self.graph.codes, self.constant, self.graph.by_class, strict=True):
            if by_class:
                tables.append(np.reshape([np.bincount(code, row, s**2) for row in weights], (k, s, s)))
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
