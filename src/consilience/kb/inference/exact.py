"""Exact inference of every component it can be had for: the structure is prepared once, weights may change.

Factors of one open variable become a field; a component of one variable is then in closed form, a small one is
enumerated, one without cycles is a tree, one of small treewidth a junction tree. What is left is said.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.errors import GraphError
from consilience.kb.graph.adjacency import adjacency
from consilience.kb.graph.components import Components, components, known_values, reaches
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.inference.arrays import arrays, distinct_open
from consilience.kb.inference.closed_form import expected_of_folded, fold, singles
from consilience.kb.inference.elimination import Bags, joined, plan, scopes
from consilience.kb.inference.enumeration import enumerate_components
from consilience.kb.inference.junction_tree import solve_bags
from consilience.kb.inference.marginals import Engine, Marginals
from consilience.kb.inference.tree import Trees, plan_trees, solve_trees
from consilience.kb.inference.wide_factors import WIDE, can_be_wide, scratch

UNSOLVED = Engine.GIBBS  # what stands in `engine` where exactness is too dear
UNSOLVED_CODE = int(UNSOLVED)
DEFAULT_TINY = 32  # up to here a component without cycles is enumerated too: messages cost more


@dataclass(frozen=True, slots=True)
class Limits:
    """What an exact answer may cost; beyond, a component is left unsolved.

    worlds: of a component that is enumerated. factor_worlds: of the open variables of one factor of a tree,
    if one of them stands in it twice; else it may have as many as the square root of `table`.
    table: entries of one table of a junction tree. tables: entries of all tables of one component.
    junction_variables: of a component for which a junction tree is looked for, at about 20 microseconds each.
    """

    worlds: int = 1 << 12
    factor_worlds: int = 1 << 12
    table: int = 1 << 18
    tables: int = 1 << 22
    junction_variables: int = 20_000


@dataclass(frozen=True, slots=True)
class Solved:
    """marginals: NaN for the variables of components left unsolved, whose engine says GIBBS.

    expected_worth: (F,) the expected worth of each factor, without weight and scale; NaN where it touches an unsolved
    component. unsolved: (u,) int32 places of components in `Prepared.components`. seconds: spent in each engine.
    """

    marginals: Marginals
    expected_worth: NDArray[np.float64] | None
    unsolved: NDArray[np.int32]
    seconds: dict[Engine, float]


def solve(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    *,
    clamped: bool = True,
    expected: bool = False,
    limits: Limits | None = None,
) -> Solved:
    """Exact marginals of each component that allows it within the limits.

    weights: (W,) finite. clamped: whether evidence is known; if not, all variables are open. Soft evidence is not used.
    expected: also give the expected worth of each factor, which the gradient of learning is made of.
    raises: GraphError if the weights do not fit the graph or one is not finite.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> a, b = (FactorFunction.IS_TRUE, [(0, 1)], 0), (FactorFunction.EQUAL, [(0, 1), (1, 1)], 1)
    >>> graph = FactorGraph.of([2, 2], [a, b])
    >>> solve(graph, np.array([0.5, 1.0])).marginals.probability.round(3)
    array([0.269, 0.731, 0.324, 0.676])
    """
    return Prepared(graph, clamped=clamped, limits=limits).solve(weights, expected=expected)


class Prepared:
    """A graph whose components are found and planned, to be solved with one set of weights after another.

    components: without known variables, with only the factors that join two open variables or more.
    engine: (C,) uint8, how each component is solved; UNSOLVED where the limits forbid it.
    Memory: about 4 bytes a factor, 30 a variable and what joins them again.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2], [(FactorFunction.IS_TRUE, [(0, 1)], 0)])
    >>> prepared = Prepared(graph)
    >>> [float(prepared.solve(np.array([w])).marginals.probability[1].round(3)) for w in (0.0, 1.0)]
    [0.5, 0.881]
    """

    def __init__(self, graph: FactorGraph, *, clamped: bool = True, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        started = time.perf_counter()
        self.graph = graph
        self._known = known_values(graph, clamped=clamped)
        self._reach = reaches(graph.factors.offsets, graph.factors.variable, self._known)
        self.components = components(graph, clamped=clamped, joint_only=True, reach=self._reach)
        self._arrays = arrays(graph, self._known)
        self.engine = np.full(len(self.components), Engine.CLOSED_FORM, np.uint8)
        self._enumerated = np.zeros(0, np.int32)
        self._most_worlds = 1
        self._trees: Trees | None = None
        self._room = scratch(0, 0)
        self._bags: Bags | None = None
        joint = np.flatnonzero(np.diff(self.components.variable_offsets) > 1).astype(np.int32)
        if len(joint):
            self._plan(joint, limits)
        self.seconds = time.perf_counter() - started

    @property
    def unsolved(self) -> NDArray[np.int32]:
        """(u,) the components beyond the limits."""
        return np.flatnonzero(self.engine == UNSOLVED).astype(np.int32)

    def factors_by_engine(self, engine: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(engines,) how many factors fall to each engine. engine: (n,) of each variable; O(factors)."""
        return _factors_by_engine(self._reach, engine, len(Engine))

    def _plan(self, joint: NDArray[np.int32], limits: Limits) -> None:
        """Choose an engine for each component of two variables or more, and plan it."""
        found = self.components
        log_worlds, links, widest = _shapes(self._arrays, joint, *_lists(found), limits.table)
        sizes = np.diff(found.variable_offsets)[joint]
        is_tree = (links == sizes + np.diff(found.factor_offsets)[joint] - 1) & (
            widest <= np.log2(limits.factor_worlds) + 1e-9
        )
        small = log_worlds <= np.log2(max(limits.worlds, 1)) + 1e-9
        tiny = log_worlds <= np.log2(min(DEFAULT_TINY, max(limits.worlds, 1))) + 1e-9
        chosen = np.full(len(joint), UNSOLVED, np.uint8)
        chosen[small] = Engine.ENUMERATION
        chosen[is_tree & ~tiny] = Engine.TREE
        wide = np.flatnonzero((chosen == UNSOLVED) & (sizes <= limits.junction_variables))
        self._bags, planned = self._junction_trees(joint[wide], limits)
        chosen[wide[planned]] = Engine.JUNCTION_TREE
        self.engine[joint] = chosen
        self._enumerated = joint[chosen == Engine.ENUMERATION]
        if len(self._enumerated):
            self._most_worlds = round(2 ** float(log_worlds[chosen == Engine.ENUMERATION].max()))
        trees = joint[chosen == Engine.TREE]
        if len(trees):
            near = adjacency(self.graph, which=_members(trees, found.factor_offsets, found.factors))
            self._trees = plan_trees(self._arrays, trees, found.variable_offsets, found.variables, near)
            self._room = scratch(self._trees.most_literals, self._trees.most_open)

    def _junction_trees(self, which: NDArray[np.int32], limits: Limits) -> tuple[Bags | None, NDArray[np.bool_]]:
        """Plans of those of these components that have one, and which they are."""
        plans = []
        mark = np.full(self.graph.n_variables if len(which) else 0, -1, np.int32)
        for c in which:
            members, factors = self.components.variables_of(c), self.components.factors_of(c)
            cardinality = self.graph.cardinality[members].tolist()
            scope_of = scopes(self._arrays, factors, mark)
            plans.append(
                plan(
                    members.tolist(),
                    cardinality,
                    factors.tolist(),
                    scope_of,
                    most_worlds=limits.table,
                    most_total=limits.tables,
                )
            )
        found = [p for p in plans if p is not None]
        return joined(found) if found else None, np.array([p is not None for p in plans], bool)

    def solve(self, weights: NDArray[np.float64], *, expected: bool = False) -> Solved:
        """Marginals under these weights, as `solve` gives them. O(literals) beside what the engines cost."""
        weights = checked(self.graph, weights)
        g, seconds = self._arrays, {}
        state = np.where(self._known == OPEN, np.int32(0), self._known)
        field = np.zeros(int(g.value_offsets[-1]))
        worths = np.full(self.graph.n_factors, np.nan) if expected else np.zeros(0)

        def timed(engine: Engine, log_z: float, started: float) -> float:
            seconds[engine] = time.perf_counter() - started
            return log_z

        started = time.perf_counter()
        total = fold(g, weights, self._reach, state, field)
        alone = self.components.variables[self.components.variable_offsets[:-1][self.engine == Engine.CLOSED_FORM]]
        total += timed(Engine.CLOSED_FORM, singles(g, alone, field), started)
        if len(self._enumerated):
            started = time.perf_counter()
            lists = (self.components.of_variable, *_lists(self.components))
            done = enumerate_components(
                g, weights, self._enumerated, *lists, state, field, expected, worths, self._most_worlds
            )
            total += timed(Engine.ENUMERATION, done, started)
        if self._trees is not None:
            started = time.perf_counter()
            total += timed(
                Engine.TREE, solve_trees(g, weights, self._trees, self._room, state, field, expected, worths), started
            )
        if self._bags is not None:
            started = time.perf_counter()
            done = solve_bags(g, weights, self._bags, state, field, expected, worths)
            total += timed(Engine.JUNCTION_TREE, done, started)
        engine = _answer(g, self.components.of_variable, self.engine, field)
        if expected:
            expected_of_folded(g, self._reach, state, field, worths)
        n, unsolved = self.graph.n_variables, self.unsolved
        marginals = Marginals(
            field, engine, np.full(n, np.nan), np.full(n, np.inf), float(total) if len(unsolved) == 0 else None
        )
        return Solved(marginals, worths if expected else None, unsolved, seconds)


def checked(graph: FactorGraph, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights as float64. raises: GraphError if they do not fit the graph, or one is not finite."""
    weights = np.ascontiguousarray(weights, np.float64)
    if weights.shape != (graph.n_weights,):
        raise GraphError(
            f"The graph has {graph.n_weights} weights, and {weights.shape} were given.\n"
            "Fix: give one number for each weight of this graph."
        )
    bad = np.flatnonzero(~np.isfinite(weights))
    if len(bad):
        raise GraphError(
            f"Weight {bad[0]} is {weights[bad[0]]}.\n"
            "Fix: give finite weights; for a rule that must hold, a large one (20) does."
        )
    return weights


def _lists(found: Components) -> tuple[NDArray[np.int32], ...]:
    return found.variable_offsets, found.variables, found.factor_offsets, found.factors


def _members(which: NDArray[np.int32], offsets: NDArray[np.int32], members: NDArray[np.int32]) -> NDArray[np.int32]:
    """The members of several groups, ascending."""
    inside = np.zeros(len(offsets) - 1, bool)
    inside[which] = True
    return np.sort(members[np.repeat(inside, np.diff(offsets))])


@compiled
def _shapes(g, which, variable_offsets, variables, factor_offsets, factors, most_squared):
    """Of each component: log2 of its worlds, links between variables and factors, log2 of a factor's worlds at most.

    Factors that can be wide do not count in the last: their messages need no worlds.
    """
    log_wide = np.log2(WIDE) + 1e-9
    log_worlds = np.zeros(len(which))
    links = np.zeros(len(which), np.int64)
    widest = np.zeros(len(which))
    mark = np.full(len(g.known), -1, np.int32)
    longest = 1
    for i in range(len(which)):
        for f in factors[factor_offsets[which[i]] : factor_offsets[which[i] + 1]]:
            longest = max(longest, g.offsets[f + 1] - g.offsets[f])
    found = np.empty(longest, np.int32)
    for i in range(len(which)):
        for v in variables[variable_offsets[which[i]] : variable_offsets[which[i] + 1]]:
            log_worlds[i] += np.log2(g.cardinality[v])
        for f in factors[factor_offsets[which[i]] : factor_offsets[which[i] + 1]]:
            count = distinct_open(g, f, mark, found)
            links[i] += count
            wide = 0.0
            for v in found[:count]:
                wide += np.log2(g.cardinality[v])
            if wide <= log_wide or count * count > most_squared or not can_be_wide(g, f, count):
                widest[i] = max(widest[i], wide)
    return log_worlds, links, widest


@compiled
def _answer(g, of_variable, engine_of, probability):
    """The engine of each variable; certainty for the known ones and NaN for the unsolved go into the probabilities."""
    engine = np.zeros(len(g.known), np.uint8)
    for v in range(len(g.known)):
        if g.known[v] != OPEN:
            probability[g.value_offsets[v] + g.known[v]] = 1.0
            continue
        engine[v] = engine_of[of_variable[v]]
        if engine[v] == UNSOLVED_CODE:
            probability[g.value_offsets[v] : g.value_offsets[v + 1]] = np.nan
    return engine


@compiled
def _factors_by_engine(reach, engine, n_engines):
    counts = np.zeros(n_engines, np.int64)
    for v in reach:
        if v == -1:
            counts[0] += 1  # known through and through
        else:
            counts[engine[v if v >= 0 else -2 - v]] += 1
    return counts
