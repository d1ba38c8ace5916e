"""What of a knowledge base is in memory: its factor graph, the weights, and what the last inference found.

Between the database and the engines: loads the graph when it is first needed, learns, infers, and writes back.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from consilience.errors import ProgramError, nearest
from consilience.kb.graph.change import GraphChange
from consilience.kb.graph.components import components
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.graph.subgraph import subgraph
from consilience.kb.grounding.answers import save_weights, weight_table
from consilience.kb.grounding.arrays import LoadedGraph, load_graph
from consilience.kb.grounding.store import Store
from consilience.kb.inference.ladder import EngineLine, InferenceReport, InferenceSettings, infer
from consilience.kb.language.tree import Program
from consilience.kb.learning.learn import learn
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.results import kept
from consilience.kb.results.report import Step

HOLDOUT, HOLDOUT_SEED, LEARNED = "holdout", "holdout seed", "learned"


class Memory:
    """The graph of a database, as long as it is the one that is grounded there."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._loaded: LoadedGraph | None = None

    def forget(self) -> None:
        """The graph is another one now."""
        self._loaded = None

    def graph(self, program: Program) -> LoadedGraph:
        """The graph, with the labels that are held out left open; loaded when first asked for."""
        if self._loaded is None:
            fraction, seed = float(self._note(HOLDOUT) or 0), int(self._note(HOLDOUT_SEED) or 0)
            self._loaded = load_graph(self.store, program, holdout_fraction=fraction, seed=seed)
        return self._loaded

    def held_out_ids(self, program: Program) -> pl.Series:
        """Ids of the variables whose labels are kept back."""
        loaded = self.graph(program)
        return pl.Series(loaded.ids[loaded.holdout.position], dtype=pl.UInt64)

    def needs_learning(self, change: GraphChange | None) -> bool:
        """Whether there are weights that nothing was learned for, or labels and rules that are new since."""
        if self.store.one("SELECT count(*) FROM _kb.weights WHERE NOT is_fixed") == 0:
            return False
        if change is None or self._note(LEARNED) is None:
            return True
        is_new = (~change.weight_is_fixed).any() or (change.evidence >= 0).any()
        return bool(is_new or len(change.evidence_at))

    def learn(
        self,
        program: Program,
        *,
        seed: int,
        holdout: float | None,
        l2: float | None,
        l1: float | None,
        epochs: int | None,
    ) -> Step:
        """Learn the weights, from where they are, and write them down."""
        began = time.perf_counter()
        if holdout is not None:
            self._set_note(HOLDOUT, repr(float(holdout)))
            self._set_note(HOLDOUT_SEED, str(seed))
        self.forget()
        loaded = self.graph(program)
        settings = LearningSettings(**_given(l2=l2, l1=l1, epochs=epochs))
        done = learn(loaded.graph, loaded.weights, seed=seed, settings=settings)
        save_weights(self.store, done.weights)
        self._set_note(LEARNED, "yes")
        loaded.weights[:] = done.weights
        report = done.report
        said = f"{report.weights:,} weights from {report.variables:,} variables, by {report.method}"
        if report.method == "exact" and not report.converged:
            said += ", which did not converge"
        facts = {"method": report.method, "weights": report.weights, "held_out": len(loaded.holdout.position)}
        return Step("learn", said, time.perf_counter() - began, facts)

    def infer(self, program: Program, change: GraphChange | None, *, seed: int, epochs: int | None) -> Step:
        """Infer everything, or with a change what it touches, and write it down."""
        began = time.perf_counter()
        settings = InferenceSettings(**_given(epochs=epochs))
        self.forget() if change is not None else None
        loaded = self.graph(program)
        if change is None or not self.store.has_table("_kb", "facts"):
            found = infer(loaded.graph, loaded.weights, seed=seed, settings=settings)
            kept.keep(self.store, loaded, found.marginals.probability)
            said = f"{loaded.graph.n_variables:,} variables: {_engines(found.report)}"
            lines = found.report.lines
        else:
            said, lines = self._infer_touched(loaded, change, seed, settings)
        facts = {"engines": {line.engine.name.lower(): line.variables for line in lines}}
        return Step("infer", said, time.perf_counter() - began, facts)

    def _infer_touched(
        self, loaded: LoadedGraph, change: GraphChange, seed: int, settings: InferenceSettings
    ) -> tuple[str, tuple[EngineLine, ...]]:
        touched = touched_variables(loaded, change)
        if len(touched) == 0:
            return "nothing it would change", ()
        part = subgraph(loaded.graph, touched)
        found = infer(part.graph, loaded.weights, seed=seed, settings=settings)
        probability = np.zeros(int(loaded.graph.value_offsets[-1]))
        offsets = loaded.graph.value_offsets
        sizes = loaded.graph.cardinality[part.variables].astype(np.int64)
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        probability[np.repeat(offsets[part.variables], sizes) + within] = found.marginals.probability
        kept.keep(self.store, loaded, probability, touched)
        return (
            f"{len(touched):,} of {loaded.graph.n_variables:,} variables: {_engines(found.report)}",
            found.report.lines,
        )

    def weights(self, program: Program, rule: str | None) -> pl.DataFrame:
        """Weights, the heaviest first, and how many factors have each."""
        book = weight_table(self.store, program)
        if rule is not None:
            known = book["rule"].unique().sort().to_list()
            if rule not in known:
                raise ProgramError(f"There is no rule {rule!r} with weights.\nFix: {nearest(rule, known)}")
            book = book.filter(pl.col("rule") == rule)
        named = {"description": "weight", "is_fixed": "fixed", "n_factors": "factors"}
        return book.rename(named).select("rule", "weight", "value", "fixed", "factors")

    def _note(self, name: str) -> str | None:
        found = self.store.one("SELECT value FROM _kb.about WHERE name = ?", [name])
        return None if found is None else str(found)

    def _set_note(self, name: str, value: str) -> None:
        self.store.execute("INSERT OR REPLACE INTO _kb.about VALUES (?, ?)", [name, value])


def touched_variables(loaded: LoadedGraph, change: GraphChange) -> NDArray[np.int32]:
    """Open variables in a component that a change touches, and those whose evidence it changes."""
    graph = loaded.graph
    n_before = graph.n_variables - len(change.cardinality)
    seeds: list[NDArray[Any]] = [
        np.arange(n_before, graph.n_variables),
        change.evidence_at,
        change.added.variable,
        change.removed.variable,
    ]
    if len(change.weight_at):
        moved = np.isin(graph.factors.weight, change.weight_at)
        seeds.append(graph.factors.variable[np.repeat(moved, np.diff(graph.factors.offsets))])
    seeds.append(_neighbours(graph, change.evidence_at))
    start = np.unique(np.concatenate(seeds)).astype(np.int32)
    found = components(graph)
    hit = np.unique(found.of_variable[start])
    inside = np.zeros(len(found), bool)
    inside[hit[hit >= 0]] = True
    member = np.zeros(graph.n_variables, bool)
    is_open = found.of_variable >= 0
    member[is_open] = inside[found.of_variable[is_open]]
    member[start] = True
    return np.flatnonzero(member).astype(np.int32)


def _neighbours(graph: FactorGraph, variables: NDArray[np.int32]) -> NDArray[np.int32]:
    """Variables that share a factor with these."""
    if len(variables) == 0:
        return variables
    mine = np.isin(graph.factors.variable, variables)
    of = np.repeat(np.arange(graph.n_factors), np.diff(graph.factors.offsets))
    shares = np.zeros(graph.n_factors, bool)
    shares[of[mine]] = True
    return graph.factors.variable[shares[of]]


def _engines(report: InferenceReport) -> str:
    said = [f"{line.variables:,} {line.engine.name.lower().replace('_', ' ')}" for line in report.lines]
    worst = [line.r_hat for line in report.lines if line.r_hat is not None]
    return ", ".join(said) + (f"; worst R-hat {max(worst):.3f}" if worst else "")


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
