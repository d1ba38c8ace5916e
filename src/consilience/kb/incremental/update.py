"""Marginals after a change, from those before it, at the cost of what the change touches.

The door of this folder: applies the change to the live graph, chooses a strategy for each group of variables that hang
together, and leaves every other marginal as it was.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.change import GraphChange
from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.choose import Choice, Strategy, UpdateSettings, choose
from consilience.kb.incremental.material import Material
from consilience.kb.incremental.report import Clock, StrategyLine, UpdateReport
from consilience.kb.incremental.strategies import Strategies
from consilience.kb.incremental.touched import Touched
from consilience.kb.inference.ladder import R_HAT_BAR
from consilience.kb.inference.marginals import Marginals


def update_marginals(
    live: LiveGraph,
    weights: NDArray[np.float64],
    change: GraphChange,
    old: Marginals,
    material: Material | None = None,
    *,
    seed: int = 0,
    strategy: str = "auto",
    settings: UpdateSettings | None = None,
) -> tuple[Marginals, UpdateReport]:
    """Marginals after a change. The live graph takes the change, and the material is marked where it is spent.

    live, weights, old: before the change; the weights after it are `change.weights_after(weights)`. strategy: "auto",
    or the name of one for every group that allows it. material: of `materialise`; without it nothing is reweighted.
    raises: GraphError if these do not fit each other; then nothing has changed.
    O(n) for the copy of the marginals, beside what the chosen strategies cost on what is touched.

    >>> from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
    >>> from consilience.kb.inference.ladder import infer
    >>> graph = FactorGraph.of([2, 2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> live, weights = LiveGraph(graph), np.array([1.0])
    >>> link = Factors.of([(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    >>> found, report = update_marginals(live, weights, GraphChange.of(added=link), infer(graph, weights).marginals)
    >>> found.probability.round(3), report.touched
    (array([0.119, 0.881, 0.21 , 0.79 ]), 2)
    """
    settings = settings or UpdateSettings()
    _check(live, weights, old, material, strategy)
    clock = Clock()
    applied = live.apply(change)
    clock.stage("apply")
    touched = Touched(live, applied, weights, old, material, settings, seed)
    clock.stage("find what is touched")
    facts = touched.facts()
    choices = choose(facts, settings, n_open=touched.n_open, wanted=strategy)
    clock.stage("choose")
    strategies = Strategies(touched)
    choices = _carried_out(strategies, choices, anneal=strategy != "auto")
    if strategy == "auto":
        choices = _where_chains_disagree(strategies, choices, facts.stored)
    clock.stage("infer")
    variables = touched.groups.variables
    if material is not None:
        material.spend(variables)
    n_touched = int((live.evidence[variables] == OPEN).sum())
    lines = _lines(strategies, choices)
    return strategies.marginals, UpdateReport(lines, n_touched, touched.n_open, clock.seconds)


def _check(
    live: LiveGraph, weights: NDArray[np.float64], old: Marginals, material: Material | None, strategy: str
) -> None:
    if strategy != "auto" and strategy not in list(Strategy):
        raise GraphError(f"There is no strategy {strategy!r}.\nFix: 'auto', or one of {', '.join(Strategy)}.")
    if len(weights) != live.n_weights or not np.isfinite(weights).all():
        raise GraphError(
            f"The graph has {live.n_weights} weights, not these {len(weights)}.\nFix: one finite value a weight."
        )
    if len(old.engine) != live.n_variables or len(old.probability) != int(live.cardinality.sum()):
        raise GraphError(
            f"The old marginals are of {len(old.engine)} variables, the graph has {live.n_variables}.\n"
            "Fix: give the marginals of the graph just before the change."
        )
    if material is not None and len(material.fresh) > live.n_variables:
        raise GraphError("The material is of a larger graph.\nFix: make it from this one.")


def _carried_out(strategies: Strategies, choices: list[Choice], *, anneal: bool) -> list[Choice]:
    """Do what was chosen; groups whose stored worlds turn out worth too little are sampled anew. returns: what was
    done. anneal: lead such worlds to the new distribution first, which is exact as well and costs more sweeps."""
    done = list(choices)
    number = {s: i for i, s in enumerate(Strategy)}
    which = np.fromiter((number[c.strategy] for c in choices), np.int64, len(choices))
    by = {s: np.flatnonzero(which == i) for s, i in number.items()}
    if len(by[Strategy.FULL]):
        strategies.full()
    for how in (Strategy.IMPORTANCE, Strategy.METROPOLIS):
        failed = strategies.reweight(by[how], how, anneal=anneal) if len(by[how]) else by[how]
        by[Strategy.GIBBS] = np.concatenate([by[Strategy.GIBBS], failed])
        for g in by[how].tolist():
            if g in set(failed.tolist()):
                done[g] = Choice(Strategy.GIBBS, _why_not(choices[g], anneal, strategies.too_large(g)))
            elif strategies.steps[g]:
                done[g] = Choice(how, f"{choices[g].because}; annealed, for they are worth too little as they are")
    if len(by[Strategy.VARIATIONAL]):
        strategies.variational(by[Strategy.VARIATIONAL])
    if len(by[Strategy.EXACT]) or len(by[Strategy.GIBBS]):
        strategies.local(by[Strategy.EXACT], by[Strategy.GIBBS])
    return done


def _where_chains_disagree(strategies: Strategies, choices: list[Choice], stored: NDArray[np.bool_]) -> list[Choice]:
    """Sampled anew, a group of several modes is not mixed; worlds that were stored, and led to the change, may be."""
    done = list(choices)
    for g in np.flatnonzero(stored & strategies.disagree(R_HAT_BAR)).tolist():
        if choices[g].strategy in (Strategy.GIBBS, Strategy.FULL) and strategies.anneal(g, Strategy.IMPORTANCE):
            why = f"{choices[g].because}; chains disagreed (R-hat over {R_HAT_BAR:g}), so stored worlds were annealed"
            done[g] = Choice(Strategy.IMPORTANCE, why)
    return done


def _why_not(choice: Choice, anneal: bool, too_large: bool) -> str:
    if not anneal:
        return "a pilot promised enough of the stored worlds, and all of them are worth too little"
    lacks = "it is too large to anneal its worlds" if too_large else "no stored world can be led to the graph after it"
    return f"{choice.because}, but {lacks}"


def _lines(strategies: Strategies, choices: list[Choice]) -> tuple[StrategyLine, ...]:
    sizes = np.diff(strategies.touched.groups.offsets)
    alike: dict[int, list[int]] = {}  # most groups share one choice: equal ones are put together afterwards
    for g, c in enumerate(choices):
        alike.setdefault(id(c), []).append(g)
    members: dict[Choice, list[int]] = {}
    for found in alike.values():
        members.setdefault(choices[found[0]], []).extend(found)
    counts = Counter({c: len(m) for c, m in members.items()})
    return tuple(
        StrategyLine(
            c.strategy,
            c.because,
            n,
            int(sizes[members[c]].sum()),
            _known(strategies.effective[members[c]], np.min),
            _known(strategies.acceptance[members[c]], np.mean),
            int(strategies.steps[members[c]].max()),
        )
        for c, n in counts.most_common()
    )


def _known(x: NDArray[np.float64], take: object) -> float | None:
    return None if np.isnan(x).any() else float(take(x))  # type: ignore[operator]
