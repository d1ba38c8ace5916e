"""Weights from evidence: the door to learning.

The objective, maximised over all weights that are not fixed:

    sum over components of [ log Z(evidence, votes) - log Z ] - l2/2 |w|^2 - l1 |w|_1

which is log P(evidence, votes), up to a constant, less what large weights cost. Latent (unlabelled) variables are
summed out in both phases. A soft label is *virtual evidence*: in the clamped phase its variable has one factor more,
log p(y)/b(y), the log-likelihood of the votes behind it (`soft.py` derives it, and says what b is), so that it is drawn
or summed by model(y | neighbours) * p(y)/b(y). A label that is certain is hard evidence; one that says no more than its
base rate says nothing. What is learned is then P(y | features), also from votes that are right in only 70 of 100.

Taken as a *target* s (settings: soft="target"; and labels of which all say about the same), log Z(evidence, s) is
averaged over s drawn from the label, independent of its neighbours and of the weights: what is learned repeats the
given probabilities, and where these come from votes alone, which are less sure than votes and features together would
be, the outcome is less sure too: E[P(y | votes) | x] is not P(y | x) (benchmarks/kb_calibration.py shows both).
The gradient of a weight is the sum over its factors of scale * (E[worth | evidence] - E[worth]).

Components without evidence have gradient zero and are skipped (`relevant.py`). With method "exact" log Z and its
gradient are computed, component by component; with "sgd" they are estimated from Markov chains; "auto" takes the first
where every component that matters allows it.

The likelihood is concave when hard evidence (or targets) covers all variables of the components that matter: then the
weights are *the* optimum. With latent variables, or virtual evidence, it may have several optima, and all weights 0 can
be a stationary point (in A = B = C with B unlabelled, neither factor has a reason to move while the other is 0); so
weights at 0 that touch a latent variable start a little above it, in the direction in which their rule was written.
Virtual evidence needs no such start: votes that prefer one value move weights from 0 towards it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.learning.conditionals import conditionals
from consilience.kb.learning.engines import Solved
from consilience.kb.learning.exact import Objective, Part, climb
from consilience.kb.learning.penalty import DEFAULT, chosen, fold_of_components, fold_of_variables, folds_of
from consilience.kb.learning.relevant import LATENT, TARGET, VIRTUAL, Relevant, part_of, relevant
from consilience.kb.learning.sampled import descend
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.learning.soft import tilts
from consilience.kb.learning.worlds import n_entries, n_worlds, world_table

FEW_WORLDS = 64  # up to here a table of worlds is cheaper than inference
SLIGHT = 1e-6  # log-likelihood ratio
START_AT = 0.1  # where a weight of a latent variable starts, give or take half of it


@dataclass(frozen=True, slots=True)
class LearningReport:
    """How learning went.

    method: "exact", "sgd", or "none" if there was nothing to learn. epochs: steps (exact) or sweeps (sgd).
    objective: at each step, over the components that matter; empty under sgd, which cannot know it.
    gradient_norm: at each step, the largest gradient in standard deviations of its weight (exact), or the root mean
    square of the estimated gradient over an epoch (sgd). converged: exact: the gradient is within tolerance.
    concave: whether there is one optimum at most. components, variables, factors, latent: how many matter.
    virtual, targets: soft labels of either meaning. weights: how many can move.
    l2: the penalty. l2_from: where it comes from: "given", "held-out likelihood", "held-out pseudo-likelihood",
    or "default" where there are too few labels to choose by, or an l1.
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
    virtual: int
    targets: int
    weights: int
    l2: float
    l2_from: str

    def __str__(self) -> str:
        """One line to read."""
        if self.method == "none":
            return "No evidence bears on a weight that may move: nothing was learned."
        end = f"gradient {self.gradient_norm[-1]:.2g} standard deviations"
        state = "" if self.method == "sgd" else ", at the optimum" if self.converged else ", short of the optimum"
        return (
            f"{self.weights:,} weights from {self.variables:,} variables ({self.latent:,} latent) in "
            f"{self.components:,} components, {self.factors:,} factors: l2 {self.l2:.3g} ({self.l2_from}), "
            f"{self.method}, {self.epochs} steps in {self.seconds:.1f} s, {end}{state}"
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """weights: (W,) float64."""

    weights: NDArray[np.float64]
    report: LearningReport


def learn(
    graph: FactorGraph,
    initial: NDArray[np.float64],
    *,
    seed: int = 0,
    kind: NDArray[np.integer] | None = None,
    settings: LearningSettings | None = None,
) -> Learned:
    """The weights that make the evidence most probable.

    graph: one that `FactorGraph.check` lets pass. initial: (W,): the values of fixed weights, and where the others
    start: 0, or what an earlier run has learned. kind: (n,) what each variable is, for the base rates of soft labels:
    one number a relation, and -1 for variables whose values do not mean the same (by default, all but Boolean ones).
    A weight that no evidence bears on ends at 0, the optimum of its penalty, or without penalties where it started.
    raises: GraphError if `initial` does not fit or is not finite, or if method "exact" is asked and not possible.

    Cost: O(literals) to find what matters; exact: O(iterations * factors * worlds) over the labelled components;
    sgd: O(epochs * literals of the labelled components). Choosing l2 costs one or two fits more (exact), or less (sgd).
    The same seed gives the same weights on any number of threads.

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
    matters = relevant(graph, tilts(graph, kind, settings))
    touched = matters.touched
    if settings.l1 or settings.l2 != 0:
        start[~touched & ~graph.weight_is_fixed] = 0.0
    free = np.flatnonzero(touched)
    _leave_saddle(matters, start, seed)
    done = _learned(matters, start, free, seed, settings)
    sub, n_known = matters.graph, np.bincount(matters.known, minlength=VIRTUAL + 1)
    report = LearningReport(
        done.method,
        tuple(done.values),
        tuple(done.norms),
        done.epochs,
        time.perf_counter() - began,
        done.converged,
        bool(n_known[LATENT] + n_known[VIRTUAL] == 0),
        matters.n_components,
        sub.n_variables,
        sub.n_factors,
        int(n_known[LATENT]),
        int(n_known[VIRTUAL]),
        int(n_known[TARGET]),
        len(free),
        done.l2,
        done.l2_from,
    )
    return Learned(done.weights, report)


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
    return start


def _leave_saddle(matters: Relevant, start: NDArray[np.float64], seed: int) -> None:
    """Move learned weights that are 0 and touch a latent variable a little up, each by its own amount."""
    f = matters.graph.factors
    says_nothing = matters.known == LATENT
    soft = matters.graph.soft
    if len(soft.variable):  # votes that leave a variable as open as it was
        says_nothing[soft.variable] = np.maximum.reduceat(np.abs(matters.tilt), soft.offsets[:-1]) < SLIGHT
    latent_literal = says_nothing[f.variable]
    if not latent_literal.any():
        return
    touches = np.zeros(len(start), bool)
    touches[f.weight[np.logical_or.reduceat(latent_literal, f.offsets[:-1])]] = True
    moved = touches & (start == 0) & ~matters.graph.weight_is_fixed
    start[moved] = START_AT * np.random.default_rng(seed).uniform(0.5, 1.5, len(start))[moved]


@dataclass
class _Done:
    """Weights by the method asked for, and how it went."""

    weights: NDArray[np.float64]
    method: str
    l2: float
    l2_from: str
    values: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    epochs: int = 0
    converged: bool = True


def _learned(
    matters: Relevant, start: NDArray[np.float64], free: NDArray[np.intp], seed: int, settings: LearningSettings
) -> _Done:
    l2, how = (DEFAULT, "default") if settings.l2 is None else (settings.l2, "given")
    if len(free) == 0:
        return _Done(start, "none", l2, how)
    to_choose = settings.l2 is None and not settings.l1
    fold = fold_of_components(matters) if to_choose else None
    folds = [] if settings.method == "sgd" else _exact_parts(matters, fold, settings)
    if not folds and settings.method == "exact":
        raise GraphError(
            "Not every component with evidence can be solved exactly: one is neither small nor near a tree, or is "
            f"large and has soft targets (the largest has {np.diff(matters.first_variable).max()} variables).\n"
            "Fix: method 'auto' or 'sgd', or fewer rules that tie variables together."
        )
    if to_choose and len(folds) > 1:
        (l2, start), how = chosen(folds[: folds_of(matters)], start, free), "held-out likelihood"
    elif to_choose:
        l2, how = _for_sampling(matters, start, free, settings)
    if folds:
        objective = Objective([part for parts in folds for part in parts], l2, settings.l1, start, free)
        weights, converged = climb(objective, settings.iterations, settings.tolerance)
        return _Done(weights, "exact", l2, how, objective.values, objective.norms, len(objective.values) - 1, converged)
    weights, norms = descend(matters, start, seed, l2, settings)
    return _Done(weights, "sgd", l2, how, [], norms, settings.epochs, False)


def _for_sampling(
    matters: Relevant, start: NDArray[np.float64], free: NDArray[np.intp], settings: LearningSettings
) -> tuple[float, str]:
    """The penalty where not all is exact: by small components, if they have most of the labels, or by neighbours."""
    small = n_worlds(matters) <= FEW_WORLDS
    labelled = matters.known != LATENT
    in_small = np.repeat(small, np.diff(matters.first_variable)) & labelled
    if 2 * in_small.sum() >= labelled.sum():
        some = part_of(matters, small)
        fold = fold_of_components(some)
        parts = _exact_parts(some, fold, settings) if fold is not None else []
        if len(parts) > 1:
            return chosen(parts[: folds_of(some)], start, free)[0], "held-out likelihood"
    tables = conditionals(matters, fold_of_variables(matters), folds_of(matters))
    if not any(np.isin(table.column, free).any() for table in tables):
        return DEFAULT, "default"
    return chosen([[table] for table in tables], start, free)[0], "held-out pseudo-likelihood"


def _exact_parts(
    matters: Relevant, fold: NDArray[np.int64] | None, settings: LearningSettings
) -> Sequence[Sequence[Part]]:
    """All components as exact parts, by fold if there are folds; nothing if a component is too large.

    Tables are for components of few worlds, and for larger ones with targets, which inference does not take.
    """
    softly = np.zeros(matters.n_components, bool)
    softly[np.repeat(np.arange(matters.n_components), np.diff(matters.first_variable))[matters.known == TARGET]] = True
    worlds, entries = n_worlds(matters), n_entries(matters)
    alone = np.diff(matters.first_variable) == 1
    tabled = alone | (worlds <= np.where(softly, settings.max_worlds, min(settings.max_worlds, FEW_WORLDS)))
    if entries[tabled].sum() > settings.max_entries:
        tabled = alone | (tabled & softly)
    if entries[tabled].sum() > settings.max_entries:
        return []
    fold = np.zeros(matters.n_components, np.int64) if fold is None else fold
    folds = []
    for k in range(int(fold.max()) + 1):
        parts: list[Part] = []
        if (~tabled & (fold == k)).any():
            solved = Solved(matters, ~tabled & (fold == k))
            if not solved.solvable:
                return []
            parts.append(solved)
        if (tabled & (fold == k)).any():
            parts.append(world_table(matters, tabled & (fold == k)))
        folds.append(parts)
    return folds
