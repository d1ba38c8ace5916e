"""Grounding: relations in the order of their rules, then variables, then factors; each step is written whole.

A step is known by a fingerprint of its rules and of all it reads. A run that was killed goes on where it stopped; a
program that changed is grounded from the first step that reads the change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlglot import exp

from consilience.kb.grounding.factors import ground_factors
from consilience.kb.grounding.functions import call_function, call_name, function_fingerprint
from consilience.kb.grounding.load import make_base
from consilience.kb.grounding.remembered import forget_grounded, function_fingerprints, remember
from consilience.kb.grounding.store import Store, answering
from consilience.kb.grounding.variables import ground_variables
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import derivation_query, fingerprint, label_query, once, rule_name, union
from consilience.kb.sql.schema import (
    BASE,
    CALLS,
    COUNT,
    FACTORS,
    LABEL,
    LABELS,
    PROBABILITY,
    WEIGHTS,
    Schema,
    at,
    atoms_of,
)
from consilience.progress import working

Callables = Mapping[str, Callable[..., Any]]


@dataclass
class GroundReport:
    """What grounding made.

    rows: by relation, each as often as it was derived. variables, conflicts: by relation of random variables.
    factors: groundings by rule, each combination of literals, weight and feature value once. failed_rows: by function,
    inputs it failed on (for a script: lines that cannot be read), the first of them in `messages`.
    seconds: by step, 0 for those that were up to date; `skipped` names them.
    """

    rows: dict[str, int] = field(default_factory=dict)
    variables: dict[str, int] = field(default_factory=dict)
    factors: dict[str, int] = field(default_factory=dict)
    weights: int = 0
    conflicts: dict[str, int] = field(default_factory=dict)
    failed_rows: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One piece of grounding: done if the database has its fingerprint."""

    name: str
    fingerprint: str
    run: Callable[[GroundReport], int]


def ground(
    store: Store,
    program: tree.Program,
    *,
    functions: Callables | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
) -> GroundReport:
    """Ground a whole program over the rows that were loaded. What is up to date is left as it is.

    functions: Python callables that stand for declared functions. allow_code: whether the implementations that the
    program names may be run. folder: where scripts and modules of the program are.
    raises: ProgramError, DataError, StoreError, TrustError, FunctionError; the step that raises leaves no trace.

    Cost: that of the queries; 0.9M candidates of 9M factors take about 8 s of two cores (benchmarks/kb_grounding.py).

    >>> import polars as pl
    >>> from consilience.kb.grounding.load import load
    >>> from consilience.kb.language.parse import parse
    >>> program = parse('R(x int). V?(x int). V(x) = TRUE :- R(x). @name("f") @weight(x) V(x) :- R(x).')
    >>> with Store.open() as store:
    ...     n = load(store, program, "R", pl.DataFrame({"x": [1, 2, 2]}))
    ...     report = ground(store, program)
    >>> report.rows, report.variables, report.factors, report.weights
    ({'R': 3, 'V': 2}, {'V': 2}, {'f': 2}, 2)
    """
    report = GroundReport()
    todo = steps(store, program, functions=functions, allow_code=allow_code, folder=folder)
    done = dict(store.rows("SELECT name, fingerprint FROM _kb.steps"))
    forget_grounded(store)
    forget(store, set(done) - {s.name for s in todo})
    with working("grounding", len(todo)) as tick:
        for step in todo:
            if done.get(step.name) == step.fingerprint:
                report.skipped.append(step.name)
                report.seconds[step.name] = 0.0
            else:
                _run(store, step, report)
            tick()
    remember(store, program, function_fingerprints(program, functions, folder))
    summarise(store, Schema(program), report)
    return report


def _run(store: Store, step: Step, report: GroundReport) -> None:
    start = time.perf_counter()
    with store.transaction():
        n_rows = step.run(report)
        report.seconds[step.name] = time.perf_counter() - start
        mark(store, [(step, n_rows)], report.seconds[step.name])


def mark(store: Store, done: Sequence[tuple[Step, int]], seconds: float = 0.0) -> None:
    """Note that steps are done, and how many rows each has."""
    if done:
        store.execute(
            "INSERT OR REPLACE INTO _kb.steps "
            "SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::BIGINT[]), ?, now()::TIMESTAMP",
            [[s.name for s, _ in done], [s.fingerprint for s, _ in done], [n for _, n in done], seconds],
        )


def forget(store: Store, names: set[str]) -> None:
    """Drop what steps made that the program has no more."""
    with store.transaction():
        for name in names:
            kind, _, of = name.partition(" ")
            if kind == "factors":
                store.drop(table(of, FACTORS))
                store.drop(table(of, WEIGHTS))  # else the weights would be thought to be there when the rule returns
                store.execute("DELETE FROM _kb.weights WHERE rule = ?", [of])
            store.execute("DELETE FROM _kb.steps WHERE name = ?", [name])


def steps(
    store: Store,
    program: tree.Program,
    *,
    functions: Callables | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
) -> list[Step]:
    """All steps of a program in order, with the fingerprints they have if done now."""
    schema = Schema(program)
    loads = dict(store.rows("SELECT relation, state FROM _kb.loads"))
    prints: dict[str, str] = {}
    found: list[Step] = []
    for name in schema.order:
        rules = schema.rules_of(name)
        called = [
            function_fingerprint(program.functions[r.function], (functions or {}).get(r.function), folder)
            for r in rules
            if isinstance(r, tree.FunctionCall) and r.function in program.functions
        ]
        reads = sorted({a.relation for r in rules for b in r.bodies for a in atoms_of(b)})
        prints[name] = fingerprint(
            schema.relation(name), *rules, *called, loads.get(name), *((r, prints[r]) for r in reads)
        )

        def make(report: GroundReport, name: str = name) -> int:
            return ground_relation(store, schema, name, report, functions or {}, allow_code, folder)

        found.append(Step(f"relation {name}", prints[name], make))
    names = [n for n in schema.order if schema.is_variable(n)]
    prints["?"] = fingerprint(*((n, prints[n]) for n in names))
    found.append(Step("variables", prints["?"], lambda _: ground_variables(store, schema)))
    for rule in schema.inferences:
        reads = sorted({a.relation for b in rule.bodies for a in atoms_of(b)})
        mark_of = fingerprint(rule, prints["?"], *((r, prints[r]) for r in reads))

        def make_factors(_: GroundReport, rule: tree.Inference = rule) -> int:
            with answering(f"{at(rule.place)}the inference rule {rule_name(rule)}"):
                return ground_factors(store, schema, rule)

        found.append(Step(f"factors {rule_name(rule)}", mark_of, make_factors))
    return found


def ground_relation(
    store: Store,
    schema: Schema,
    name: str,
    report: GroundReport,
    functions: Callables,
    allow_code: bool,
    folder: Path | None,
) -> int:
    """Derive all rows of one relation; those it reads are there. Returns the number of rows, each as often as it is."""
    make_base(store, schema, name)
    place = at(schema.relation(name).place)
    for rule in schema.rules_of(name):
        if isinstance(rule, tree.FunctionCall):
            with answering(f"{at(rule.place)}the call of {rule.function}"):
                made = call_function(store, schema, rule, functions.get(rule.function), allow_code, folder)
            if made.failed:
                report.failed_rows[rule.function] = report.failed_rows.get(rule.function, 0) + made.failed
                report.messages += made.messages
    with answering(f"{place}what derives {name}"):
        if schema.is_variable(name):
            return _ground_scope(store, schema, name)
        base = exp.select(*(column(c) for c in (*schema.columns(name), COUNT))).from_(table(name, BASE))
        if not schema.is_derived(name):
            replace_table(store, name, base, kind="VIEW")
        else:
            parts = [rows_query(schema, r) for r in schema.rules_of(name)]
            if store.one(exp.select(exp.true()).from_(table(name, BASE)).limit(1)):
                parts.append(base)
            query = union(parts)
            replace_table(store, name, once(query, schema.columns(name)) if schema.holds_once(name) else query)
            narrow_sums(store, name)
        return int(
            store.one(
                exp.select(exp.Coalesce(this=exp.Sum(this=column(COUNT)), expressions=[exp.Literal.number(0)])).from_(
                    table(name)
                )
            )
        )


def rows_query(schema: Schema, rule: tree.Rule) -> exp.Query:
    """Rows a rule adds to a plain relation; those of functions have been made already."""
    if isinstance(rule, tree.Derivation):
        return derivation_query(schema, rule)
    assert isinstance(rule, tree.FunctionCall)
    names = schema.columns(rule.relation)
    return exp.select(*(column(c) for c in (*names, COUNT))).from_(table(call_name(rule), CALLS))


def scope_query(schema: Schema, rule: tree.Rule) -> exp.Query:
    """Rows a rule puts into the scope of a variable relation, with labels."""
    if isinstance(rule, tree.FunctionCall):
        names = schema.columns(rule.relation)
        made = exp.select(*(column(c) for c in names), *_no_label()).from_(table(call_name(rule), CALLS))
        return made.select(column(COUNT))
    assert isinstance(rule, (tree.Derivation, tree.Supervision))
    return label_query(schema, rule)


def _no_label() -> list[exp.Expr]:
    return [
        exp.alias_(exp.cast(exp.null(), kind), name, quoted=True)
        for name, kind in ((LABEL, "boolean"), (PROBABILITY, "double"))
    ]


def _ground_scope(store: Store, schema: Schema, name: str) -> int:
    names = schema.columns(name)
    base = exp.select(*(column(c) for c in names), *_no_label(), column(COUNT)).from_(table(name, BASE))
    parts = [*(scope_query(schema, r) for r in schema.rules_of(name)), base]
    replace_table(store, name, once(union(parts), (*names, LABEL, PROBABILITY)), schema=LABELS)
    inner = exp.select(*(column(c) for c in (*names, COUNT))).from_(table(name, LABELS))
    replace_table(store, name, once(inner, names))
    return int(store.one(exp.select(exp.Count(this=exp.Star())).from_(table(name))))


def replace_table(store: Store, name: str, query: exp.Query, *, schema: str = "main", kind: str = "TABLE") -> None:
    """Make a table (or view) of a query, in place of what had its name."""
    drop_table(store, schema, name)
    store.execute(exp.Create(this=table(name, schema), kind=kind, expression=query))


def narrow_sums(store: Store, name: str) -> None:
    """Sums of whole numbers come 128 bits wide where no declaration says otherwise; 64 are kept."""
    for column_name, kind in store.columns("main", name).items():
        if kind in ("HUGEINT", "UHUGEINT"):
            narrow = f"ALTER COLUMN {exp.to_identifier(column_name, quoted=True).sql('duckdb')} TYPE BIGINT"
            store.execute(f"ALTER TABLE {table(name).sql('duckdb')} {narrow}")


def drop_table(store: Store, schema: str, name: str) -> None:
    """Drop a table or view if there is one."""
    kind = store.one(
        "SELECT table_type FROM information_schema.tables WHERE table_schema = ? AND table_name = ? "
        "AND table_catalog = current_database()",
        [schema, name],
    )
    if kind is not None:
        store.drop(table(name, schema), "VIEW" if kind == "VIEW" else "TABLE")


def summarise(store: Store, schema: Schema, report: GroundReport) -> None:
    """Fill in what stands in the database now."""
    rows = dict(store.rows("SELECT name, n_rows FROM _kb.steps"))
    report.rows = {n: rows.get(f"relation {n}", 0) for n in schema.order}
    report.factors = {rule_name(r): rows.get(f"factors {rule_name(r)}", 0) for r in schema.inferences}
    for name in schema.order:
        if schema.is_variable(name):
            report.variables[name] = int(
                store.one(exp.select(exp.Count(this=exp.Star())).from_(table(name, "variables")))
            )
            found = store.one("SELECT value FROM _kb.counters WHERE name = ?", [f"conflicts {name}"])
            report.conflicts[name] = int(found or 0)
    report.weights = int(store.one("SELECT count(*) FROM _kb.weights"))
