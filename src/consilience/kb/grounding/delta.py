"""Delta grounding: rows, rules and labels change, and only what they touch is grounded again, in one transaction.

Relations go in the order of their rules. What a relation gains and loses is applied to it at once, and kept as a table
of signed counts that the rules after it read; so the database always holds relations after the change, and before it
they were what they are less that table. Then variables, then factors, then the change as arrays.

Source: Shin et al. 2015, sec. 3.1 (counts after Gupta et al. 1993). Departs: aggregates, quantifiers, limits, functions
and changed rules are there too, each by what makes it exact (see `sql/rule_deltas.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from sqlglot import exp

from consilience.errors import DataError, StoreError, nearest
from consilience.kb.graph.change import GraphChange
from consilience.kb.grounding.counted import Change, apply_change, changed_rows, temporary
from consilience.kb.grounding.delta_factors import FactorChanges
from consilience.kb.grounding.delta_plan import Plan, planned
from consilience.kb.grounding.delta_relations import RelationChanges, loaded_name
from consilience.kb.grounding.ground import GroundReport, ground, mark, steps
from consilience.kb.grounding.load import fitted, make_base, note_load
from consilience.kb.grounding.remembered import function_fingerprints, remember
from consilience.kb.grounding.store import Store, text
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column
from consilience.kb.sql.schema import BASE, COUNT, Schema
from consilience.progress import working

Frames = Mapping[str, pl.DataFrame]


@dataclass
class UpdateReport:
    """What an update did.

    rows: derivations a relation gained less those it lost. variables_new, variables_gone: by relation. evidence: how
    many variables know another value. factors_removed, factors_added: by rule. recomputed: rules that were derived
    whole, and why. whole: why everything was grounded anew; None if it was not. failed_rows, messages: of functions.
    """

    rows: dict[str, int] = field(default_factory=dict)
    variables_new: dict[str, int] = field(default_factory=dict)
    variables_gone: dict[str, int] = field(default_factory=dict)
    evidence: int = 0
    soft_changed: bool = False
    factors_removed: dict[str, int] = field(default_factory=dict)
    factors_added: dict[str, int] = field(default_factory=dict)
    factor_rows: dict[str, int] = field(default_factory=dict)
    weights_new: int = 0
    recomputed: dict[str, str] = field(default_factory=dict)
    whole: str | None = None
    failed_rows: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Update:
    """change: from the graph before to the graph after; None if all was grounded anew and positions are others."""

    change: GraphChange | None
    report: UpdateReport


def update(
    store: Store,
    program: tree.Program,
    *,
    inserts: Frames | None = None,
    deletes: Frames | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
    first: Callable[[], None] | None = None,
    also: Callable[[Update], None] | None = None,
) -> Update:
    """Bring a grounded database up to changed rows and a changed program. All of it happens, or nothing.

    inserts, deletes: base rows by relation; a row deleted must be there, and goes once. The program is compared with
    the one that was grounded: rules that are new, changed or gone, code of functions, fixed weights. A changed
    declaration grounds everything anew, and the report says so. first, also: what
    else is done in the same transaction, before all (where everything is to be grounded anew) and behind all.
    raises: DataError for a row that is not there or does not fit, and all that `ground` raises.
    O(the change) work, but for rules in `report.recomputed`, and scans of columns that are joined with the change.
    """
    start = time.perf_counter()
    report = UpdateReport()
    if store.in_transaction:
        raise StoreError("An update is a transaction of its own.\nFix: call it outside of `store.transaction()`.")
    with store.transaction():
        if first is not None:
            first()
        schema = Schema(program)
        prints = function_fingerprints(program, functions, folder)
        plan = planned(store, schema, prints)
        loaded = _loaded(store, schema, plan.before, inserts or {}, deletes or {})
        if plan.whole is not None:
            _apply_loaded(store, schema, loaded)
            _ground_whole(store, program, report, plan.whole, functions or {}, allow_code, folder)
            change = None
        else:
            code = (functions or {}, allow_code, folder)
            change = _Updating(store, schema, plan, report).run(loaded, *code)
            _mark_steps(store, program, report, functions or {}, allow_code, folder)
        remember(store, program, prints)
        _drop_temporary(store)
        done = Update(change, report)
        if also is not None:
            also(done)
    report.seconds = time.perf_counter() - start
    return done


@dataclass
class _Updating:
    store: Store
    schema: Schema
    plan: Plan
    report: UpdateReport

    def run(
        self,
        loaded: dict[str, Change],
        functions: Mapping[str, Callable[..., Any]],
        allow_code: bool,
        folder: Path | None,
    ) -> GraphChange:
        """Relations, then factors, then arrays."""
        first_variable, first_weight = self.store.counter("variables"), self.store.counter("weights")
        relations = RelationChanges(self.store, self.schema, self.plan, self.report, functions, allow_code, folder)
        factors = FactorChanges(self.store, self.schema, self.plan, self.report, relations.is_apart)
        relations.look_back(set(loaded))
        relations.lost_base = _apply_loaded(self.store, self.schema, loaded)
        with working("grounding what changed", len(self.schema.order) + len(self.schema.inferences)) as tick:
            for name in self.schema.order:
                relations.change(name, loaded.get(name))
                tick()
            relations.check_ids(first_variable)
            for rule in self.schema.inferences:
                factors.change(rule, relations.changed)
                tick()
            factors.remove_gone()
        return factors.graph_change(first_variable, first_weight, relations.evidence)


def take_rows(store: Store, program: tree.Program, inserts: Frames, deletes: Frames) -> None:
    """Change base rows, all or none, and ground nothing. raises: DataError, as `update` does."""
    with store.transaction():
        schema = Schema(program)
        _apply_loaded(store, schema, _loaded(store, schema, schema, inserts, deletes))
        _drop_temporary(store)


def _loaded(store: Store, schema: Schema, before: Schema, inserts: Frames, deletes: Frames) -> dict[str, Change]:
    """Changes of base rows by relation, each row with how often it comes or (negative) goes."""
    changed: dict[str, Change] = {}
    for name in dict.fromkeys((*inserts, *deletes)):
        if name not in schema.program.relations:
            raise DataError(f"There is no relation {name!r}.\nFix: {nearest(name, schema.program.relations)}")
        if name not in before.relations:
            make_base(store, schema, name)
        columns = schema.columns(name)
        with ExitStack() as stack:
            queries = []
            for kind, frames, count in (("inserted", inserts, 1), ("deleted", deletes, -1)):
                if name in frames and len(frames[name]):
                    incoming = stack.enter_context(store.reading(fitted(schema, name, frames[name]), kind))
                    number = exp.alias_(exp.cast(exp.convert(count), "bigint"), COUNT, quoted=True)
                    queries.append(text(exp.select(*map(column, columns), number).from_(incoming)))
            change = changed_rows(store, loaded_name(schema, name), columns, queries)
        if change is not None:
            changed[name] = change
    return changed


def _apply_loaded(store: Store, schema: Schema, loaded: dict[str, Change]) -> set[str]:
    """Apply changes of base rows to them; says which relations lost some. raises: DataError if one is not there."""
    lost = set()
    for name, change in loaded.items():

        def absent(row: tuple[Any, ...], name: str = name) -> DataError:
            return DataError(
                f"A row to delete is not among the rows loaded into {name}: {row}.\n"
                "Fix: delete only rows that were loaded, each as often as it was."
            )

        once = schema.is_variable(name)
        applied = apply_change(store, change, name, BASE, merges=once, absent=absent)
        if applied.lost:
            lost.add(name)
        if once:
            _check_once(store, name, applied.merged or change.name, schema.columns(name))
        note_load(store, name)
    return lost


def _check_once(store: Store, name: str, merged: str, columns: tuple[str, ...]) -> None:
    twice = exp.select(*map(column, columns)).from_(temporary(merged))
    row = store.execute(twice.where(exp.GT(this=column(COUNT), expression=exp.convert(1))).limit(1)).fetchone()
    if row is not None:
        raise DataError(
            f"A row to insert into {name} is there already: {row}.\n"
            "Fix: a relation of random variables takes each row once; leave it out."
        )


def _ground_whole(
    store: Store,
    program: tree.Program,
    report: UpdateReport,
    why: str,
    functions: Mapping[str, Callable[..., Any]],
    allow_code: bool,
    folder: Path | None,
) -> None:
    report.whole = why
    made: GroundReport = ground(store, program, functions=functions, allow_code=allow_code, folder=folder)
    report.failed_rows, report.messages = dict(made.failed_rows), list(made.messages)


def _mark_steps(
    store: Store,
    program: tree.Program,
    report: UpdateReport,
    functions: Mapping[str, Callable[..., Any]],
    allow_code: bool,
    folder: Path | None,
) -> None:
    """Note that the steps of a grounding are done, so that `ground` finds nothing to do."""
    done = {n: (f, r) for n, f, r in store.rows("SELECT name, fingerprint, n_rows FROM _kb.steps")}
    todo = steps(store, program, functions=functions, allow_code=allow_code, folder=folder)
    gained = {f"relation {n}": rows for n, rows in report.rows.items()}
    gained |= {f"factors {n}": rows for n, rows in report.factor_rows.items()}
    marks = []
    for step in todo:
        had, rows = done.pop(step.name, (None, 0))
        now = store.counter("variables") if step.name == "variables" else rows + gained.get(step.name, 0)
        if had != step.fingerprint or now != rows:
            marks.append((step, now))
    mark(store, marks)
    for name in done:
        store.execute("DELETE FROM _kb.steps WHERE name = ?", [name])


def _drop_temporary(store: Store) -> None:
    names = [name for (name,) in store.rows("SELECT table_name FROM duckdb_tables() WHERE temporary")]
    if names:
        store.execute(";".join(f"DROP TABLE {temporary(name).sql('duckdb')}" for name in names))
