"""KnowledgeBase: the one door to grounding, learning, inference, changes and results.

Above all other folders of `kb`. It keeps a database (a file, or memory), what it has in memory of the graph, and the
rows that wait to be taken in.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from consilience.errors import DataError, ProgramError, StoreError, nearest
from consilience.kb.graph.change import GraphChange
from consilience.kb.grounding.delta import Update, UpdateReport, take_rows, update
from consilience.kb.grounding.differences import row_difference
from consilience.kb.grounding.files import read_rows
from consilience.kb.grounding.ground import GroundReport, ground
from consilience.kb.grounding.load import fits_base, fitted, load, make_base
from consilience.kb.grounding.remembered import forget_grounded, grounded
from consilience.kb.grounding.store import Store
from consilience.kb.language import build, check, parse, parse_query, write
from consilience.kb.language.declare import FunctionOf, RelationOf
from consilience.kb.language.tree import Program, Statement
from consilience.kb.memory import Memory
from consilience.kb.results import kept
from consilience.kb.results.calibration import Calibration
from consilience.kb.results.explain import Explanation, explain
from consilience.kb.results.export import export
from consilience.kb.results.report import RunReport, Step
from consilience.kb.results.said import grounded_line, teaches, updated_line
from consilience.kb.sql.schema import Schema
from consilience.kb.supervision import label_rows, label_statements

if TYPE_CHECKING:
    from consilience.labeling.matrix import LabelMatrix

Rows = pl.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
HELD_OUT = "_held_out"
Functions = Mapping[str, Callable[..., Any]]
Made = Statement | RelationOf | FunctionOf


class KnowledgeBase:
    """A declarative program over relations, the rows it was given, and the facts that follow, each with a probability.

    program: its text, its tree, or statements made in Python; "" opens what `path` holds. path: a database file; None
    keeps all in memory. allow_code: whether the implementations of functions that the program names may be run.
    functions: Python callables that stand for declared functions. folder: where scripts and modules of the program are.
    memory_limit: such as "4GB", for the database. read_only: to look, not to change.
    raises: ProgramError with line and column; StoreError if the file is in use or no knowledge base.

    >>> kb = KnowledgeBase('''
    ...     coin(side text).  flip(n int, heads boolean).
    ...     heads?(n int).
    ...     heads(n) = h :- flip(n, h).
    ...     @weight("?") heads(n) :- flip(n, _).
    ... ''')
    >>> kb.load("flip", {"n": list(range(10)), "heads": [True] * 8 + [False] + [None]})
    10
    >>> _ = kb.run(l2=0)
    >>> kb.marginals("heads").row(9)
    (9, 0.8888..., None)
    """

    def __init__(
        self,
        program: str | Program | Sequence[Made] = "",
        path: str | os.PathLike[str] | None = None,
        *,
        allow_code: bool = False,
        functions: Functions | None = None,
        folder: Path | None = None,
        memory_limit: str | None = None,
        threads: int | None = None,
        read_only: bool = False,
    ) -> None:
        wanted = _checked(program) if program else None  # before anything is opened
        self.store = Store.open(path, read_only=read_only, memory_limit=memory_limit, threads=threads)
        self._code: dict[str, Any] = {"functions": functions, "allow_code": allow_code, "folder": folder}
        self._inserts: dict[str, list[pl.DataFrame]] = {}
        self._deletes: dict[str, list[pl.DataFrame]] = {}
        self._files: dict[str, str] = {}  # digests of those that `follow` read
        self._stale: set[str] = set()  # relations whose rows are of another declaration
        stood = self.store.note("program")
        self.program = wanted if wanted is not None and not read_only else _checked(stood or "")
        self.memory = Memory(self.store)

    # rows come in

    def load(self, relation: str, rows: Rows | str | os.PathLike[str]) -> int:
        """Add rows to a base relation: a frame, columns, records, or a file. Returns how many.

        Before the first run they are written at once; afterwards they wait for the next `run` or `update`, which takes
        in only what they touch. raises: ProgramError, DataError naming column and row of what does not fit.
        """
        self._must_write()
        self._must_be(relation)
        frame = self._frame(relation, rows)
        if self.store.note("program") is None:
            return load(self.store, self.program, relation, frame, replace=False)
        fitting = fitted(self.schema, relation, frame)
        self._inserts.setdefault(relation, []).append(fitting)
        return len(fitting)

    def follow(self, relation: str, path: str | os.PathLike[str]) -> tuple[int, int]:
        """Make a base relation hold the rows of a file; later, take in how the file has changed.

        returns: rows that came and rows that went. Cost: nothing if the file's bytes are those of the last time.
        """
        self._must_write()
        self._must_be(relation)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        fits = fits_base(self.store, self.schema, relation)
        if fits and self.store.note(f"file {relation}") == digest:
            return 0, 0
        rows = fitted(self.schema, relation, self._frame(relation, path))
        self._files[relation] = digest
        if self.store.note("program") is None:
            return load(self.store, self.program, relation, rows, replace=True), 0
        if not fits:  # the declaration is another one now: no row is the same
            self._stale.add(relation)
            self._inserts[relation] = [rows]
            return len(rows), 0
        came, went = row_difference(self.store, self.schema, relation, rows)
        if len(came):
            self._inserts.setdefault(relation, []).append(came)
        if len(went):
            self._deletes.setdefault(relation, []).append(went)
        return len(came), len(went)

    def supervise(
        self,
        relation: str,
        labels: LabelMatrix | Sequence[Any] | np.ndarray[Any, Any],
        keys: pl.DataFrame | None = None,
        *,
        model: Any = None,
        true: str | None = None,
    ) -> int:
        """Label variables from elsewhere: votes of labeling functions, probabilities, or what people said.

        Adds a relation RELATION_labels and rules that read it. Arguments: those of `supervision.label_rows`.
        returns: the number of rows. raises: DataError, ProgramError.
        """
        self._must_write()
        declared = kept.variable_relation(self.schema, relation)
        held, *rules = label_statements(declared)
        rows = label_rows(declared, labels, keys, model=model, true=true)
        if held.name not in self.program.relations:
            self.program = check(Program((*self.program.statements, held, *rules)))
        return self.load(held.name, rows)

    # the work

    def run(
        self,
        *,
        seed: int = 0,
        holdout: float | None = None,
        l2: float | None = None,
        l1: float | None = None,
        epochs: int | None = None,
        learn: bool | None = None,
        full: bool = False,
    ) -> RunReport:
        """Ground what changed, learn the weights, infer the probabilities.

        holdout: share of the labels kept back to calibrate with; by default that of the last run. l2, l1: how strongly
        weights are drawn to 0; by default as strongly as tells held-out labels best. epochs: sweeps of sampling, where
        no exact answer is in reach. learn: by default where labels, rules or weights are new. full: ground everything
        anew.
        """
        report, change = self._ground(full=full)
        if learn is None:
            learn = self.memory.needs_learning()
        if learn or holdout is not None:
            report += self.learn(seed=seed, holdout=holdout, l2=l2, l1=l1, epochs=epochs)
            change = None  # all weights moved
        return report + self._infer(change, seed, epochs)

    def ground(self, *, full: bool = False) -> RunReport:
        """Only take in rows and rules, as far as they changed; full: everything anew."""
        report, _ = self._ground(full=full)
        self.memory.forget()  # what stands there is no longer the graph that was inferred
        return report

    def learn(
        self,
        *,
        seed: int = 0,
        holdout: float | None = None,
        l2: float | None = None,
        l1: float | None = None,
        epochs: int | None = None,
    ) -> RunReport:
        """Only learn the weights, from where they are. Arguments as for `run`."""
        self._must_write()
        self._must_be_grounded()
        return RunReport((self.memory.learn(self.program, seed=seed, holdout=holdout, l2=l2, l1=l1, epochs=epochs),))

    def infer(self, *, seed: int = 0, epochs: int | None = None) -> RunReport:
        """Only infer, by the weights there are."""
        self._must_write()
        self._must_be_grounded()
        return self._infer(None, seed, epochs)

    def materialise(self, n_samples: int = 2000, *, seed: int = 0) -> None:
        """Make ready for many updates: the graph in memory, and worlds drawn from what is inferred now.

        n_samples: worlds stored, a bit a Boolean variable; updates reweight them where that is cheaper than to infer
        again. 0: only the graph. raises: DataError before the first run.
        """
        self._must_be_grounded()
        if not self.memory.make_ready(self.program, n_samples=n_samples, seed=seed):
            raise DataError("Nothing has been inferred yet.\nFix: run the knowledge base first.")

    def update(
        self,
        inserts: Mapping[str, Rows] | None = None,
        deletes: Mapping[str, Rows] | None = None,
        *,
        program: str | Program | None = None,
        learn: bool = False,
        seed: int = 0,
        epochs: int | None = None,
    ) -> RunReport:
        """Take in rows that came and went, or a changed program, at the cost of what they touch.

        learn: also learn the weights again, from where they are; otherwise new weights stay 0 until the next `learn`.
        raises: DataError for a deleted row that is not there; nothing has changed then, and rows that `load` took in
        still wait.
        """
        inserts_before, deletes_before = ({n: list(x) for n, x in w.items()} for w in (self._inserts, self._deletes))
        program_before = self.program
        try:
            if program is not None:
                self.program = _checked(program)
            for waiting, given in ((self._inserts, inserts or {}), (self._deletes, deletes or {})):
                for relation, rows in given.items():
                    self._must_be(relation)
                    waiting.setdefault(relation, []).append(fitted(self.schema, relation, self._frame(relation, rows)))
            report, change = self._ground()
        except BaseException:
            self.program, self._inserts, self._deletes = program_before, inserts_before, deletes_before
            raise
        if learn:
            report += self.learn(seed=seed, epochs=epochs)
            change = None
        return report + self._infer(change, seed, epochs)

    def _ground(self, *, full: bool = False) -> tuple[RunReport, GraphChange | None]:
        """Full grounding if there is none yet, else what changed. None: all must be inferred anew.

        What waits is taken in whole or, if this raises, waits on.
        """
        self._must_write()
        began = time.perf_counter()
        inserts = {name: pl.concat(frames) for name, frames in self._inserts.items()}
        deletes = {name: pl.concat(frames) for name, frames in self._deletes.items()}
        change: GraphChange | None = None
        done: GroundReport | UpdateReport
        if self.store.note("program") is None:
            said, done = self._ground_first(inserts, deletes)
        else:
            said, done, change = self._ground_change(inserts, deletes, full=full)
        self._inserts, self._deletes, self._files, self._stale = {}, {}, {}, set()
        failed = tuple(f"{name} failed on {n:,} rows" for name, n in done.failed_rows.items())
        return RunReport((Step("ground", said, time.perf_counter() - began),), (*failed, *done.messages)), change

    def _ground_first(
        self, inserts: dict[str, pl.DataFrame], deletes: dict[str, pl.DataFrame]
    ) -> tuple[str, GroundReport]:
        """Step by step: what is done stays done if the run is killed."""
        self.memory.outdated(learned=True)
        take_rows(self.store, self.program, inserts, deletes)
        self._inserts, self._deletes = {}, {}
        done = ground(self.store, self.program, **self._code)
        self._note_grounded()
        return grounded_line(done), done

    def _ground_change(
        self, inserts: dict[str, pl.DataFrame], deletes: dict[str, pl.DataFrame], *, full: bool
    ) -> tuple[str, UpdateReport, GraphChange | None]:
        """In one transaction."""
        was_inferred = self.memory.is_inferred()
        stood = None if full or not was_inferred else grounded(self.store)
        is_ready = stood is not None and self.memory.make_ready(stood.program)

        def first() -> None:
            for relation in self._stale:
                make_base(self.store, self.schema, relation, empty=True)
            if full:
                self.store.execute("DELETE FROM _kb.steps")
                forget_grounded(self.store)

        def note(done: Update) -> None:
            if done.change is None or not done.change.is_empty or done.report.soft_changed:
                self.memory.outdated(learned=teaches(done))
            self._note_grounded()

        done = update(self.store, self.program, inserts=inserts, deletes=deletes, first=first, also=note, **self._code)
        if is_ready and done.change is not None:
            return updated_line(done.report), done.report, done.change
        self.memory.forget()
        return ("everything anew" if full else updated_line(done.report)), done.report, None

    def _note_grounded(self) -> None:
        with self.store.transaction():
            text = write(self.program)
            if text != self.store.note("program"):
                self.store.set_note("program", text)
            for name, digest in self._files.items():
                self.store.set_note(f"file {name}", digest)

    def _infer(self, change: GraphChange | None, seed: int, epochs: int | None) -> RunReport:
        if change is None:
            return RunReport((self.memory.infer(self.program, seed=seed, epochs=epochs),))
        return RunReport((self.memory.take(self.program, change, seed=seed),))

    # reading the result

    def marginals(self, relation: str) -> pl.DataFrame:
        """Every fact of a variable relation: its columns, `probability`, and `evidence` (what its labels say, or None).

        A categorical variable has a row a value. raises: ProgramError, DataError before the first run.
        """
        label = pl.when(~pl.col(HELD_OUT)).then(pl.col(kept.KNOWN)).alias(kept.KNOWN)
        return self._with_labels(relation).with_columns(label).drop(HELD_OUT)

    def facts(self, relation: str, *, over: float = 0.0) -> pl.DataFrame:
        """The same, the most probable first; over: only those at least this probable."""
        found = self.marginals(relation).filter(pl.col(kept.PROBABILITY) >= over)
        return found.sort(kept.PROBABILITY, descending=True, maintain_order=True)

    def weights(self, rule: str | None = None) -> pl.DataFrame:
        """Weights, the heaviest first: `rule`, `tied to` (values, if any), `value`, `fixed`, `factors`."""
        return self.memory.weights(self.program, rule)

    def query(self, text: str) -> pl.DataFrame:
        """Ask the relations in the language: `x, y ?- R(x, y), x < y.`"""
        from consilience.kb.grounding.ask import ask

        self._must_be_grounded()
        return ask(self.store, self.program, parse_query(text))

    def explain(self, relation: str, *key: Any, limit: int = 10) -> Explanation:
        """Why a fact is as probable as it is: rules, weights, other facts, and the rows that speak for it.

        key: the columns that name the variable, in their order; for a categorical one, then its category.
        """
        self._must_be_grounded()
        return explain(self.store, self.program, self.memory.graph(self.program), relation, key, limit=limit)

    def calibration(self, relation: str) -> Calibration:
        """Probabilities against the labels that were kept back by `holdout`."""
        facts = self._with_labels(relation)
        inferred = facts.filter(pl.col(kept.KNOWN).is_null() | pl.col(HELD_OUT)).drop(HELD_OUT, kept.KNOWN)
        held = facts.filter(HELD_OUT).rename({kept.KNOWN: kept.TRUTH}).drop(HELD_OUT)
        return Calibration(relation, inferred, held)

    def changes(self, relation: str | None = None, *, least: float = 0.05) -> pl.DataFrame:
        """Facts whose probability the last inference changed by `least`: `relation`, `fact`, `before`, `after`."""
        names = [relation] if relation else [n for n in self.schema.order if self.schema.is_variable(n)]
        parts = []
        for name in names:
            found = kept.changed_facts(self.store, self.schema, name, least)
            texts = pl.DataFrame([kept.as_text(found[c]) for c in found.columns[:-2]])
            fact = texts.select(fact=pl.concat_str(pl.all(), separator=", "))["fact"]
            before, after = pl.col(kept.BEFORE).alias("before"), pl.col(kept.AFTER).alias("after")
            parts.append(found.select(pl.lit(name).alias("relation"), fact, before, after))
        every = pl.concat(parts) if parts else pl.DataFrame()
        size = (pl.col("after").fill_null(0.0) - pl.col("before").fill_null(0.0)).abs()
        return every.sort(size, descending=True, maintain_order=True) if parts else every

    def export(
        self, relation: str, path: str | os.PathLike[str], *, over: float = 0.0, for_spreadsheets: bool = False
    ) -> None:
        """Write the facts of a relation: .parquet, .csv, .tsv, .jsonl, or .nt (N-Triples)."""
        facts = self.facts(relation, over=over)
        keys = [c.name for c in self.schema.relation(relation).columns]
        export(facts, Path(path), relation=relation, keys=keys, for_spreadsheets=for_spreadsheets)

    def compile(self, dialect: str = "duckdb") -> str:
        """The SQL of the program, to read or to run elsewhere. dialect: duckdb, postgres or spark."""
        from consilience.kb.sql.show import compile_program

        return "\n\n".join(f"-- {name}\n{text};" for name, text in compile_program(self.program, dialect))

    @property
    def schema(self) -> Schema:
        """What the program's relations look like."""
        return Schema(self.program)

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> KnowledgeBase:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _with_labels(self, relation: str) -> pl.DataFrame:
        """Facts with what their labels say, also where that was kept back: `_held_out`."""
        facts = kept.facts_of(self.store, self.schema, relation)
        held = pl.Series(HELD_OUT, self.memory.held_out(facts["_id"].to_numpy()))
        return facts.with_columns(held & pl.col(kept.KNOWN).is_not_null()).drop("_id")

    def _must_be(self, relation: str) -> None:
        if relation not in self.program.relations:
            known = self.program.relations
            raise ProgramError(f"There is no relation {relation!r} in the program.\nFix: {nearest(relation, known)}")

    def _must_write(self) -> None:
        if self.store.read_only:
            raise StoreError("The knowledge base was opened to be read.\nFix: open it without read_only.")

    def _must_be_grounded(self) -> None:
        if self.store.note("program") is None:
            raise DataError("Nothing has been grounded yet.\nFix: run the knowledge base first.")

    def _frame(self, relation: str, rows: Rows | str | os.PathLike[str]) -> pl.DataFrame:
        if isinstance(rows, (str, os.PathLike)):
            read = read_rows(self.schema, relation, Path(rows))
            try:
                return fitted(self.schema, relation, read)
            except DataError as error:
                raise DataError(f"{rows}: {error}") from None
        if isinstance(rows, pl.DataFrame):
            return rows
        if not rows:
            return pl.DataFrame(schema=dict.fromkeys(self.schema.columns(relation), pl.Null))
        try:
            return pl.DataFrame(rows, infer_schema_length=None)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise DataError(
                f"The rows for {relation} make no table: {str(error).splitlines()[0]}\n"
                "Fix: give a frame, columns, or records whose values of a column are of one type."
            ) from None


def _checked(program: str | Program | Sequence[Made]) -> Program:
    if isinstance(program, str):
        program = parse(program) if program.strip() else Program()
    if not isinstance(program, Program):
        if not isinstance(program, Sequence):
            raise ProgramError(
                f"{type(program).__name__} is no program.\nFix: give its text, its tree, or a list of statements."
            )
        program = build.program(*program)
    found = check(program)
    kept.check_columns(found)
    return found
