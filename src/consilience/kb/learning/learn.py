"""Weights from evidence: the door to learning.

The objective, maximised over all weights that are not fixed:

    sum over components of [ E_s log Z(evidence, s) - log Z ] - l2/2 |w|^2 - l1 |w|_1

which is the log-probability of the evidence, E_s log P(evidence, s), less what large weights cost. Latent (unlabelled)
variables are summed out in both phases. Soft evidence s teaches by expected statistics: each softly labelled variable
is drawn from its own given distribution, independent of its neighbours and of the weights, and then counts as known.
So what is learned repeats the given probabilities: where they come from votes alone, which are less sure than votes and
features together would be, the outcome is less sure too. Votes as variables beside the latent truth do not suffer this
(benchmarks/kb_calibration.py shows both).
The gradient of a weight is the sum over its factors of scale * (E[worth | evidence] - E[worth]).

Components without evidence have gradient zero and are skipped (`relevant.py`). With method "exact" log Z and its
gradient are computed, component by component; with "sgd" they are estimated from Markov chains; "auto" takes the first
where every component that matters allows it.

The likelihood is concave when the evidence (hard or soft) covers all variables of the components that matter: then the
weights are *the* optimum. With latent variables it may have several optima, and all weights 0 can be a stationary point
(in A = B = C with B unlabelled, neither factor has a reason to move while the other is 0); so weights at 0 that touch a
latent variable start a little above it, in the direction in which their rule was written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.learning.engines import Solved
from consilience.kb.learning.exact import Objective, Part, climb
from consilience.kb.learning.relevant import LATENT, SOFT, Relevant, relevant
from consilience.kb.learning.sampled import descend
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.learning.worlds import n_entries, n_worlds, world_table

FEW_WORLDS = 64  # up to here a table of worlds is cheaper than inference
START_AT = 0.1  # where a weight of a latent variable starts, give or take half of it


@dataclass(frozen=True, slots=True)
class LearningReport:
    """How learning went.

    method: "exact", "sgd", or "none" if there was nothing to learn. epochs: steps (exact) or sweeps (sgd).
    objective: at each step, over the components that matter; empty under sgd, which cannot know it.
    gradient_norm: at each step, the largest gradient in standard deviations of its weight (exact), or the root mean
    square of the estimated gradient over an epoch (sgd). converged: exact: the gradient is within tolerance.
    concave: whether there is one optimum at most. components, variables, factors, latent: how many matter.
    weights: how many can move.
    """

    method: str
    objective: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    epochs: int
    seconds: float
    converged: bool
    concave: bool
    components: int
    variables: int
    factors: int
    latent: int
    weights: int

    def __str__(self) -> str:
        """One line to read."""
        if self.method == "none":
            return "No evidence bears on a weight that may move: nothing was learned."
        end = f"gradient {self.gradient_norm[-1]:.2g} standard deviations"
        state = "" if self.method == "sgd" else ", at the optimum" if self.converged else ", short of the optimum"
        return (
            f"{self.weights:,} weights from {self.variables:,} variables ({self.latent:,} latent) in "
            f"{self.components:,} components, {self.factors:,} factors: {self.method}, {self.epochs} steps in "
            f"{self.seconds:.1f} s, {end}{state}"
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """weights: (W,) float64."""

    weights: NDArray[np.float64]
    report: LearningReport


def learn(
    graph: FactorGraph, initial: NDArray[np.float64], *, seed: int = 0, settings: LearningSettings | None = None
) -> Learned:
    """The weights that make the evidence most probable.

    initial: (W,): the values of fixed weights, and where the others start: 0, or what an earlier run has learned.
    A weight that no evidence bears on ends at 0, the optimum of its penalty, or without penalties where it started.
    raises: GraphError if `initial` does not fit or is not finite, if a scale is not finite or a soft label no
    distribution, or if method "exact" is asked and not possible.

    Cost: O(literals) to find what matters; exact: O(iterations * factors * worlds) over the labelled components;
    sgd: O(epochs * literals of the labelled components). The same seed gives the same weights on any number of threads.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> coins = FactorGraph.of(  # 9 coins, one weight; 8 came up heads
    ...     [2] * 9, [(FactorFunction.IS_TRUE, [(v, 1)], 0) for v in range(9)], evidence=[1] * 8 + [0])
    >>> weight = learn(coins, np.zeros(1), settings=LearningSettings(l2=0)).weights[0]
    >>> float(round(1 / (1 + np.exp(-2 * weight)), 3))
    0.889
    """
    settings = settings or LearningSettings()
    began = time.perf_counter()
    start = _checked(graph, initial)
    matters = relevant(graph)
    touched = matters.touched
    if settings.l1 or settings.l2:
        start[~touched & ~graph.weight_is_fixed] = 0.0
    free = np.flatnonzero(touched)
    _leave_saddle(matters, start, seed)
    weights, (method, values, norms, epochs, converged) = _learned(matters, start, free, seed, settings)
    sub = matters.graph
    latent = int((matters.known == LATENT).sum())
    report = LearningReport(
        method,
        tuple(values),
        tuple(norms),
        epochs,
        time.perf_counter() - began,
        converged,
        latent == 0,
        matters.n_components,
        sub.n_variables,
        sub.n_factors,
        latent,
        len(free),
    )
    return Learned(weights, report)


def _checked(graph: FactorGraph, initial: NDArray[np.float64]) -> NDArray[np.float64]:
    """A copy of the initial weights. raises: GraphError."""
    start = np.array(initial, np.float64)
    if start.shape != (graph.n_weights,):
        raise GraphError(
            f"There are {graph.n_weights} weights, and initial values of shape {start.shape}.\n"
            "Fix: one number a weight, 0 for those without a better start."
        )
    wrong = np.flatnonzero(~np.isfinite(start))
    if len(wrong):
        raise GraphError(f"Weight {wrong[0]} starts at {start[wrong[0]]}.\nFix: start it at a finite number.")
    wrong = np.flatnonzero(~np.isfinite(graph.factors.scale))
    if len(wrong):
        raise GraphError(f"The scale of factor {wrong[0]} is {graph.factors.scale[wrong[0]]}.\nFix: a finite number.")
    _check_soft(graph)
    return start


def _check_soft(graph: FactorGraph) -> None:
    """Raise GraphError for the first soft label that is not a distribution over the values of its variable."""
    soft = graph.soft
    if len(soft.variable) == 0:
        return
    wrong = np.flatnonzero(np.diff(soft.offsets) != graph.cardinality[soft.variable])
    if len(wrong):
        v, n = soft.variable[wrong[0]], np.diff(soft.offsets)[wrong[0]]
        raise GraphError(
            f"The soft label of variable {v} has {n} probabilities, but the variable has {graph.cardinality[v]} values."
            "\nFix: give one for each value."
        )
    sums = np.add.reduceat(soft.probability, soft.offsets[:-1])
    lowest = np.minimum.reduceat(soft.probability, soft.offsets[:-1])
    wrong = np.flatnonzero(~((lowest >= 0) & (np.abs(sums - 1) < 1e-6)))
    if len(wrong):
        given = soft.probability[soft.offsets[wrong[0]] : soft.offsets[wrong[0] + 1]]
        raise GraphError(
            f"The soft label of variable {soft.variable[wrong[0]]} is {given.tolist()}.\n"
            "Fix: probabilities that are not negative and add up to 1."
        )


def _leave_saddle(matters: Relevant, start: NDArray[np.float64], seed: int) -> None:
    """Move learned weights that are 0 and touch a latent variable a little up, each by its own amount."""
    f = matters.graph.factors
    latent_literal = matters.known[f.variable] == LATENT
    if not latent_literal.any():
        return
    touches = np.zeros(len(start), bool)
    touches[f.weight[np.logical_or.reduceat(latent_literal, f.offsets[:-1])]] = True
    moved = touches & (start == 0) & ~matters.graph.weight_is_fixed
    start[moved] = START_AT * np.random.default_rng(seed).uniform(0.5, 1.5, len(start))[moved]


def _learned(
    matters: Relevant, start: NDArray[np.float64], free: NDArray[np.intp], seed: int, settings: LearningSettings
) -> tuple[NDArray[np.float64], tuple[str, list[float], list[float], int, bool]]:
    """Weights by the method asked for, and how it went: method, objectives, gradient norms, epochs, converged."""
    if len(free) == 0:
        return start, ("none", [], [], 0, True)
    parts = [] if settings.method == "sgd" else _exact_parts(matters, settings)
    if parts:
        objective = Objective(parts, settings.l2, settings.l1, start, free)
        weights, converged = climb(objective, settings.iterations, settings.tolerance)
        return weights, ("exact", objective.values, objective.norms, len(objective.values) - 1, converged)
    if settings.method == "exact":
        raise GraphError(
            "Not every component with evidence can be solved exactly: one is neither small nor near a tree, or is "
            f"large and has soft evidence (the largest has {np.diff(matters.first_variable).max()} variables).\n"
            "Fix: method 'auto' or 'sgd', or fewer rules that tie variables together."
        )
    weights, norms = descend(matters, start, seed, settings)
    return weights, ("sgd", [], norms, settings.epochs, False)


def _exact_parts(matters: Relevant, settings: LearningSettings) -> list[Part]:
    """All components as exact parts, or none if one of them is too large.

    Tables are for components of few worlds, and for larger ones with soft evidence, which inference does not take.
    """
    n_components = matters.n_components
    worlds, entries = n_worlds(matters), n_entries(matters)
    alone = np.diff(matters.first_variable) == 1
    softly = np.zeros(n_components, bool)
    softly[np.repeat(np.arange(n_components), np.diff(matters.first_variable))[matters.known == SOFT]] = True
    tabled = alone | (worlds <= np.where(softly, settings.max_worlds, min(settings.max_worlds, FEW_WORLDS)))
    if entries[tabled].sum() > settings.max_entries:
        tabled = alone | (tabled & softly)
    if entries[tabled].sum() > settings.max_entries:
        return []
    parts: list[Part] = []
    if not tabled.all():
        solved = Solved(matters, ~tabled)
        if not solved.solvable:
            return []
        parts.append(solved)
    return [*parts, world_table(matters, tabled)] if tabled.any() else parts
