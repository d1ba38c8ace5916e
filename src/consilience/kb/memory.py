"""What of a knowledge base is in memory: its factor graph, the weights, and what the last inference found.

Between the database and the engines: loads the graph when it is first needed, learns, infers, and writes back. A graph
that was inferred is kept, and takes changes where it is.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import DataError, ProgramError, nearest
from consilience.kb.graph.change import GraphChange
from consilience.kb.graph.factor_graph import OPEN
from consilience.kb.graph.live import LiveGraph
from consilience.kb.grounding.answers import save_weights, weight_table
from consilience.kb.grounding.arrays import LoadedGraph, load_graph, unit_hash
from consilience.kb.grounding.store import Store
from consilience.kb.incremental.choose import UpdateSettings
from consilience.kb.incremental.material import Material, materialise
from consilience.kb.incremental.report import UpdateReport
from consilience.kb.incremental.update import update_marginals
from consilience.kb.inference.ladder import InferenceReport, InferenceSettings, infer
from consilience.kb.inference.marginals import Engine, Marginals
from consilience.kb.language.tree import Program
from consilience.kb.learning.learn import learn
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.results import kept
from consilience.kb.results.report import Step
from consilience.kb.sql.bodies import table
from consilience.kb.sql.schema import ID, POSITION, VARIABLES, Schema

HOLDOUT, HOLDOUT_SEED, LEARNED, INFERRED = "holdout", "holdout seed", "learned", "inferred"
RETIRED = "SELECT count(*) FROM _kb.retired"


class Memory:
    """The graph of a database, as long as it is the one that is grounded there.

    Either as it was loaded, or live: with the marginals of all its variables, ready to take changes.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._loaded: LoadedGraph | None = None
        self._marginals: Marginals | None = None
        self._live: LiveGraph | None = None
        self._material: Material | None = None
        self._weights = np.zeros(0)
        self._ids = np.zeros(0, np.uint64)
        self._n_retired = self._born = 0

    def forget(self) -> None:
        """The graph is another one now."""
        self._loaded = self._live = self._marginals = self._material = None

    def graph(self, program: Program) -> LoadedGraph:
        """The graph, with the labels that are held out left open; loaded when first asked for."""
        if self._loaded is None:
            self._loaded = load_graph(self.store, program, holdout_fraction=self._fraction, seed=self._seed)
        return self._loaded

    def held_out(self, ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which variables keep their labels back, if they have any."""
        return unit_hash(ids, self._seed) < self._fraction

    def needs_learning(self) -> bool:
        """Whether there are weights to learn, and something new since they were learned."""
        n_learned = self.store.one("SELECT count(*) FROM _kb.weights WHERE NOT is_fixed")
        return bool(n_learned) and self.store.note(LEARNED) is None

    def is_inferred(self) -> bool:
        """Whether the marginals that are kept are those of the graph and the weights that are there."""
        return self.store.note(INFERRED) is not None

    def outdated(self, *, learned: bool = False) -> None:
        """Note that the marginals that are kept are those of another graph; learned: the weights too.

        Belongs in the transaction that changes the graph: a run that is killed later is known to be unfinished.
        """
        for name in (INFERRED, LEARNED) if learned else (INFERRED,):
            self.store.execute("DELETE FROM _kb.about WHERE name = ?", [name])

    def learn(self, program: Program, *, seed: int, holdout: float | None, **settings: Any) -> Step:
        """Learn the weights, from where they are, and write them down. settings: of LearningSettings; None: default."""
        began = time.perf_counter()
        if holdout is not None:
            if not 0 <= holdout <= 1:
                raise DataError(f"The holdout is {holdout} of the labels.\nFix: give a share from 0 to 1.")
            self.store.set_note(HOLDOUT, repr(float(holdout)))
            self.store.set_note(HOLDOUT_SEED, str(seed))
        self.forget()
        loaded = self.graph(program)
        how = LearningSettings(**_given(settings))
        done = learn(loaded.graph, loaded.weights, seed=seed, kind=loaded.kind, settings=how)
        with self.store.transaction():
            save_weights(self.store, done.weights)
            self.outdated()
            self.store.set_note(LEARNED, "yes")
        loaded.weights[:] = done.weights
        report = done.report
        said = f"{report.weights:,} weights from {report.variables:,} variables, by {report.method}"
        if report.method != "none":
            said += f", l2 {report.l2:.3g} ({report.l2_from})"
        if report.method == "exact" and not report.converged:
            said += ", which did not converge"
        facts = {"method": report.method, "weights": report.weights, "held_out": len(loaded.holdout.position)}
        facts |= {"l2": report.l2, "l2_from": report.l2_from}
        return Step("learn", said, time.perf_counter() - began, facts)

    def infer(self, program: Program, *, seed: int, **settings: Any) -> Step:
        """Infer everything, and write it down. settings: of InferenceSettings; None: default."""
        began = time.perf_counter()
        loaded = self.graph(program)
        self._live = self._material = None
        found = infer(loaded.graph, loaded.weights, seed=seed, settings=InferenceSettings(**_given(settings)))
        with self.store.transaction():
            kept.keep(self.store, loaded.ids, loaded.graph.cardinality, found.marginals.probability)
            self.store.set_note(INFERRED, "yes")
        self._marginals = found.marginals
        said = f"{loaded.graph.n_variables:,} variables: {_engines(found.report)}"
        facts = {"engines": {line.engine.name.lower(): line.variables for line in found.report.lines}}
        return Step("infer", said, time.perf_counter() - began, facts)

    def make_ready(self, program: Program, *, n_samples: int = 0, seed: int = 0) -> bool:
        """Have the graph live, with the marginals of the last inference. n_samples: worlds to store, for reweighting.

        returns: whether it is; it is not before the first inference. Cost: loading the graph, if it is not in memory.
        """
        if self._live is None:
            if not kept.is_kept(self.store):
                return False
            loaded = self.graph(program)
            if self._marginals is None:
                self._marginals = recalled(self.store, loaded)
            self._live, self._weights, self._ids = LiveGraph(loaded.graph), loaded.weights, loaded.ids
            self._n_retired = int(self.store.one(RETIRED))
        if n_samples and self._material is None:
            graph = self.graph(program).graph
            self._material = materialise(graph, self._weights, n_samples=n_samples, seed=seed)
        return True

    def take(self, program: Program, change: GraphChange, *, seed: int, strategy: str = "auto") -> Step:
        """Infer what a change touches, and write it down. The graph must have been made ready before the change."""
        began = time.perf_counter()
        if self._live is None or self._marginals is None:
            return self.infer(program, seed=seed)
        try:
            change = self._held_back(program, change)
            gone = self._gone()
            found, report = update_marginals(
                self._live, self._weights, change, self._marginals, self._material, seed=seed, strategy=strategy,
                settings=UpdateSettings(),
            )  # fmt: skip
            moved = changed_variables(self._marginals.probability, found.probability, self._live.cardinality)
            self._loaded = None
            self._marginals, self._weights = found, change.weights_after(self._weights)
            with self.store.transaction():
                kept.keep(self.store, self._ids, self._live.cardinality, found.probability, moved, gone)
                self.store.set_note(INFERRED, "yes")
        except BaseException:
            self.forget()  # the live graph may have taken a part of the change
            raise
        facts = {"touched": report.touched, "strategies": {x.strategy.value: x.variables for x in report.lines}}
        return Step("infer", _strategies(report), time.perf_counter() - began, facts)

    def _held_back(self, program: Program, change: GraphChange) -> GraphChange:
        """The change with the labels that are held out left open; ids of new variables are noted."""
        first = len(self._ids)
        born = np.zeros(len(change.cardinality), np.uint64)
        if len(born):
            schema = Schema(program)
            for name in (n for n in schema.order if schema.is_variable(n)):
                query = exp.select(POSITION, ID).from_(table(name, VARIABLES)).where(f"{POSITION} >= ?")
                found = self.store.arrays(query, [first])
                born[found[POSITION] - first] = found[ID]
        self._ids, self._born = np.concatenate([self._ids, born]), len(born)
        if self._fraction == 0:
            return change
        moved_to = np.where(self.held_out(self._ids[change.evidence_at]), np.int32(OPEN), change.evidence_to)
        known = np.where(self.held_out(born), np.int32(OPEN), change.evidence)
        return replace(change, evidence=known.astype(np.int32), evidence_to=moved_to.astype(np.int32))

    def _gone(self) -> NDArray[np.uint64]:
        """Ids of variables that are gone since the last change, if they have not come back in another place."""
        n = int(self.store.one(RETIRED))
        if n == self._n_retired:
            return np.zeros(0, np.uint64)
        at = self.store.arrays("SELECT position FROM _kb.retired OFFSET ?", [self._n_retired])["position"]
        self._n_retired = n
        gone = self._ids[at]
        self._ids[at] = 0
        return np.setdiff1d(gone, self._ids[len(self._ids) - self._born :])

    @property
    def _fraction(self) -> float:
        return float(self.store.note(HOLDOUT) or 0)

    @property
    def _seed(self) -> int:
        return int(self.store.note(HOLDOUT_SEED) or 0)

    def weights(self, program: Program, rule: str | None) -> pl.DataFrame:
        """Weights, the heaviest first, and how many factors have each."""
        book = weight_table(self.store, program)
        if rule is not None:
            known = book["rule"].unique().sort().to_list()
            if rule not in known:
                raise ProgramError(f"There is no rule {rule!r} with weights.\nFix: {nearest(rule, known)}")
            book = book.filter(pl.col("rule") == rule)
        tied = pl.col("description").str.strip_prefix(pl.col("rule")).alias("tied to")
        named = {"is_fixed": "fixed", "n_factors": "factors"}
        return book.with_columns(tied).rename(named).select("rule", "tied to", "value", "fixed", "factors")


def recalled(store: Store, loaded: LoadedGraph) -> Marginals:
    """The marginals that are kept in the database; how each was found is not kept."""
    graph = loaded.graph
    probability = kept.probabilities(store, loaded.ids, graph.cardinality, graph.evidence)
    engine = np.where(graph.evidence == OPEN, Engine.GIBBS, Engine.EVIDENCE).astype(np.uint8)
    n = graph.n_variables
    return Marginals(probability, engine, np.full(n, np.nan), np.full(n, np.inf))


def _engines(report: InferenceReport) -> str:
    said = [f"{line.variables:,} {line.engine.name.lower().replace('_', ' ')}" for line in report.lines]
    worst = [line.r_hat for line in report.lines if line.r_hat is not None]
    return ", ".join(said) + (f"; worst R-hat {max(worst):.3f}" if worst else "")


def changed_variables(
    before: NDArray[np.float64], after: NDArray[np.float64], cardinality: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Variables whose probabilities are others now, and those that are new. after: begins with the values of before."""
    offsets = np.concatenate([[0], np.cumsum(cardinality, dtype=np.int64)])
    values = np.concatenate([np.flatnonzero(before != after[: len(before)]), np.arange(len(before), len(after))])
    return np.unique(np.searchsorted(offsets, values, side="right") - 1)


def _strategies(report: UpdateReport) -> str:
    said = [f"{line.variables:,} by {line.strategy.value} ({line.because})" for line in report.lines]
    return "; ".join([f"{report.touched:,} of {report.n_open:,} open variables touched", *said])


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
