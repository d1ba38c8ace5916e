"""An approximate graph in place of a dense one: pairs that matter, with strengths fitted to stored worlds.

Follows `log_determinant.py`, which says which pairs to keep. Source: Shin et al. 2015, sec. 3.2.3. Departs: the paper
gives a kept pair the weight X_kj, a covariance, which is not the strength of an Ising model; here fields and strengths
maximise the pseudo-likelihood of the stored worlds (Besag 1975), with a normal prior. That is consistent wherever the
graph before has no factor of three variables or more, and in general gives each variable its best logistic prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.components import Components
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import Groups, LiveGraph
from consilience.kb.incremental.difference import Difference
from consilience.kb.incremental.log_determinant import relax
from consilience.kb.inference.worlds import Worlds
from consilience.progress import track

KEPT_FROM = 1e-4  # an entry of the inverse below this is a pair that the relaxation lets go
PRIOR_SPREAD = 2.0  # standard deviation of strengths before any world is seen
NEWTON_STEPS = 30


@dataclass(frozen=True, slots=True)
class Approximation:
    """has: (n,) bool, variables it covers. field: (n,) of each as -1 or +1. pair: (p, 2) int32, ascending, its lower
    variable first. strength: (p,) of the product of the two."""

    has: NDArray[np.bool_]
    field: NDArray[np.float64]
    pair: NDArray[np.int32]
    strength: NDArray[np.float64]

    @staticmethod
    def none(n: int) -> Approximation:
        """One that covers nothing."""
        return Approximation(np.zeros(n, bool), np.zeros(n), np.zeros((0, 2), np.int32), np.zeros(0))

    def covers(self, variables: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of these variables it covers."""
        known = variables < len(self.has)
        return known & self.has[np.where(known, variables, 0)] if len(self.has) else np.zeros(len(variables), bool)


def approximated(
    graph: FactorGraph,
    found: Components,
    worlds: Worlds,
    *,
    penalty: float,
    up_to: int,
) -> Approximation:
    """Approximate every component of 2 to up_to Boolean variables. worlds: of its variables, drawn from it.

    penalty: lambda of the relaxation. O(pairs * n^2) a component and sweep.
    """
    out = Approximation.none(graph.n_variables)
    pairs, strengths = [np.zeros((0, 2), np.int32)], [np.zeros(0)]
    for c in track(range(len(found)), "approximating"):
        mine = found.variables_of(c)
        if not 2 <= len(mine) <= up_to or (graph.cardinality[mine] != 2).any():
            continue
        spins = 2.0 * worlds.values(mine).astype(np.float64) - 1.0
        joined = neighbours(graph, mine, found.factors_of(c))
        kept = kept_pairs(np.cov(spins, bias=True), joined, penalty)
        field, strength = fitted(spins, kept)
        out.has[mine], out.field[mine] = True, field
        pairs.append(mine[kept].astype(np.int32))
        strengths.append(strength)
    pair, strength = np.concatenate(pairs), np.concatenate(strengths)
    order = np.lexsort((pair[:, 1], pair[:, 0]))
    return replace(out, pair=pair[order], strength=strength[order])


def neighbours(graph: FactorGraph, variables: NDArray[np.int32], factors: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(n, n): which two of the variables, ascending, share one of the factors."""
    joined = np.zeros((len(variables), len(variables)), bool)
    part = graph.factors.take(factors)
    for f in range(len(part)):
        named = np.unique(part.variable[part.offsets[f] : part.offsets[f + 1]])
        named = named[np.isin(named, variables)]
        at = np.searchsorted(variables, named)
        joined[np.ix_(at, at)] = True
    np.fill_diagonal(joined, False)
    return joined


def kept_pairs(covariance: NDArray[np.float64], joined: NDArray[np.bool_], penalty: float) -> NDArray[np.int64]:
    """(p, 2): the pairs that the relaxation keeps, the lower first."""
    inverse = relax(covariance, joined, penalty).inverse
    return np.argwhere(np.triu((np.abs(inverse) > KEPT_FROM) & joined, 1))


def fitted(spins: NDArray[np.float64], pairs: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fields (n,) and strengths (p,) of the pairs, by pseudo-likelihood from (n, N) worlds of -1 and +1.

    Newton's method on a concave function, with steps halved where it would overshoot. O(steps * (n + p)^2 * n * N).

    >>> rng = np.random.default_rng(0)
    >>> one = rng.choice([-1.0, 1.0], 20000)
    >>> other = np.where(rng.random(20000) < 1 / (1 + np.exp(-2 * 0.7)), one, -one)
    >>> fitted(np.stack([one, other]), np.array([[0, 1]]))[1].round(1)
    array([0.7])
    """
    n, n_worlds = spins.shape
    theta = np.zeros(n + len(pairs))
    ridge = 1.0 / (PRIOR_SPREAD**2 * n_worlds)
    value, gradient, curvature = _pseudo(spins, pairs, theta, ridge)
    for _ in range(NEWTON_STEPS):
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-4:
            tried = theta + size * step
            new_value, new_gradient, new_curvature = _pseudo(spins, pairs, tried, ridge)
            if new_value >= value:
                break
            size /= 2
        if size <= 1e-4 or np.abs(gradient).max(initial=0) < 1e-9:
            break
        theta, value, gradient, curvature = tried, new_value, new_gradient, new_curvature
    return theta[:n], theta[n:]


def _pseudo(
    spins: NDArray[np.float64], pairs: NDArray[np.int64], theta: NDArray[np.float64], ridge: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean log pseudo-likelihood with its prior, its gradient, and its curvature with the sign turned."""
    n, n_worlds = spins.shape
    value = -0.5 * ridge * float(theta @ theta)
    gradient, curvature = -ridge * theta, np.diag(np.full(len(theta), ridge))
    for i in range(n):
        mine = np.flatnonzero((pairs == i).any(axis=1))
        at = np.concatenate([[i], n + mine])
        others = pairs[mine].sum(axis=1) - i
        design = np.concatenate([np.ones((1, n_worlds)), spins[others]])
        margin = spins[i] * (theta[at] @ design)  # P(spin given the others) = 1 / (1 + exp(-2 margin))
        value -= float(np.logaddexp(0, -2 * margin).mean())
        wrong = 1 / (1 + np.exp(np.clip(2 * margin, -700, 700)))
        gradient[at] += 2 * design @ (wrong * spins[i]) / n_worlds
        curvature[np.ix_(at, at)] += 4 * (design * (wrong * (1 - wrong))) @ design.T / n_worlds
    return value, gradient, curvature


def approximate_graph(
    approximation: Approximation,
    live: LiveGraph,
    d: Difference,
    groups: Groups,
    weights: NDArray[np.float64],
    weights_after: NDArray[np.float64],
) -> tuple[FactorGraph, NDArray[np.float64], NDArray[np.int32]]:
    """The approximate graph with the changed factors put in and those gone taken out, for the groups' variables.

    d: of these groups alone. returns: the graph; its weights; where its first variables stand in the live graph.
    A variable that was clamped stands in it twice: as it is, and with the value it had, for factors taken out.
    """
    named = np.concatenate([groups.variables, d.variables])
    positions = np.unique(named).astype(np.int32)
    n = len(positions)
    shadow = np.searchsorted(positions, d.variables)
    was_clamped = np.flatnonzero(d.before >= 0)
    for_old = shadow.copy()
    for_old[was_clamped] = n + np.arange(len(was_clamped))
    covered = groups.variables[approximation.covers(groups.variables)]
    inside = np.zeros(live.n_variables, bool)
    inside[covered] = True
    mine = inside[approximation.pair].all(axis=1) if len(approximation.pair) else np.zeros(0, bool)
    pair, strength = approximation.pair[mine], approximation.strength[mine]
    new = replace(d.new, variable=shadow[d.new.variable].astype(np.int32))
    old = replace(d.old, variable=for_old[d.old.variable].astype(np.int32), scale=-d.old.scale)
    own = [(approximation.field[covered], np.searchsorted(positions, covered)[:, None], FactorFunction.IS_TRUE)]
    own.append((strength, np.searchsorted(positions, pair).reshape(-1, 2), FactorFunction.EQUAL))
    parts, values, n_weights = [], [], 0
    for value, literals, function in own:
        parts.append(_regular(function, literals, n_weights))
        values.append(value)
        n_weights += len(value)
    for factors, of in ((old, weights), (new, weights_after)):
        parts.append(replace(factors, weight=np.arange(n_weights, n_weights + len(factors), dtype=np.int32)))
        values.append(of[factors.weight])
        n_weights += len(factors)
    evidence = np.concatenate([live.evidence[positions], d.before[was_clamped]]).astype(np.int32)
    evidence[:n][~np.isin(positions, groups.variables) & (evidence[:n] == OPEN)] = 0
    cardinality = np.concatenate([live.cardinality[positions], live.cardinality[d.variables[was_clamped]]])
    empty = FactorGraph.of([], [])
    graph = FactorGraph(cardinality, evidence, Factors.joined(parts), np.zeros(n_weights, bool), empty.soft)
    return graph, np.concatenate(values), positions


def _regular(function: FactorFunction, literals: NDArray[np.integer], first_weight: int) -> Factors:
    """Factors of one function and arity, each with a weight of its own, all of whose literals ask for 1."""
    n, arity = literals.shape
    return Factors(
        np.full(n, function, np.uint8),
        np.arange(0, n * arity + 1, arity, dtype=np.int32),
        literals.reshape(-1).astype(np.int32),
        np.ones(n * arity, np.int32),
        np.arange(first_weight, first_weight + n, dtype=np.int32),
        np.ones(n, np.float32),
        np.zeros(0, np.int32),
    )
