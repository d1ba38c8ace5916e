"""Variables under a change of their labels: those that come, those that go, those that know another value.

Only variables whose keys the change of labels touches are looked at. A variable keeps its position while it lasts; one
whose categories change gets a new position, as its values are numbered anew, and all its factors with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import DataError, GraphError
from consilience.kb.grounding.counted import (
    Applied,
    Change,
    apply_change,
    changed_rows,
    make_temporary,
    named,
    same,
    temporary,
)
from consilience.kb.grounding.store import Store, text
from consilience.kb.grounding.variables import (
    boolean_labels,
    boolean_variables,
    categorical_values,
    categorical_variables,
    conflicting,
    same_id,
    variable_id,
)
from consilience.kb.language.tree import Relation
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.deltas import old_values, old_variables, taken_out
from consilience.kb.sql.schema import (
    CARDINALITY,
    COUNT,
    EVIDENCE,
    ID,
    LABELS,
    POSITION,
    PROBABILITY,
    SOFT,
    VALUE,
    VALUES,
    VARIABLES,
)

TOUCHED, NEW, LABELLED, NEW_VALUES, PLACES = (
    "touched variables",
    "new variables",
    "labels of touched variables",
    "new values",
    "places of variables",
)
OLD_LABELS = "labels before"
FIRST = "COALESCE((SELECT value FROM _kb.counters WHERE name = 'variables'), 0)"  # the first free position


@dataclass(frozen=True)
class VariableChange:
    """What became of the variables of a relation. literals: rows literals can find that came and went, or None.

    evidence_at, evidence_to: variables that were there and know another value; gone ones have the value 0. had_rows:
    whether any of the variables that labels came or went for was there before.
    """

    literals: Change | None
    evidence_at: NDArray[np.int32]
    evidence_to: NDArray[np.int32]
    n_new: int
    n_gone: int
    soft_changed: bool
    had_rows: bool


def change_variables(store: Store, relation: Relation, labels: Change) -> VariableChange:
    """Apply a change of labels to a relation's labels, variables and values. raises: DataError, GraphError."""
    _check_probabilities(store, relation, labels)
    nullable = labels.nullable & frozenset(relation.keys)
    store.execute(_touched_sql(relation))
    had_rows = make_temporary(store, old_variables(relation), _old_sql(relation)) > 0
    queries = _queries(relation, nullable, had_rows)
    if had_rows:
        _check_old(store, relation)
    for made, query in queries.before:
        make_temporary(store, made, query)
    conflicts = -int(store.one(queries.conflicts_before)) if had_rows else 0
    applied = apply_change(store, labels, relation.name, LABELS, merges=True, among=OLD_LABELS if had_rows else "")
    if had_rows:
        make_temporary(store, LABELLED, _labelled_sql(relation, applied))
    first = store.counter("variables")
    for made, query in queries.after:
        make_temporary(store, made, query)
    conflicts += int(store.one(queries.conflicts_after))
    if conflicts:
        name = f"conflicts {relation.name}"
        store.set_counter(name, store.counter(name) + conflicts)
    n_new = _number(store, relation, first)
    for statement in queries.write:
        store.execute(statement)
    columns = (*(c.name for c in relation.columns), POSITION, *((VALUE,) if relation.categories else ()))
    literals = changed_rows(store, f"change of variables {relation.name}", columns, queries.literals, apart=True)
    if not had_rows:
        none = np.zeros(0, np.int32)
        return VariableChange(literals, none, none, n_new, 0, bool(store.one(queries.counts)), had_rows)
    changed = store.arrays(queries.evidence)
    n_gone, soft = store.rows(queries.counts)[0]
    return VariableChange(
        literals,
        np.asarray(changed[POSITION], np.int32),
        np.asarray(changed[EVIDENCE], np.int32),
        n_new,
        int(n_gone),
        bool(soft),
        had_rows,
    )


@lru_cache(64)
def _touched_sql(relation: Relation) -> str:
    """Keys that labels came or went for, and their ids."""
    keys = exp.select(*map(column, relation.keys)).distinct().from_(temporary(f"delta of {relation.name}"))
    made = exp.select(*map(column, relation.keys), exp.alias_(variable_id(relation), ID)).from_(keys.subquery("k"))
    return f'CREATE OR REPLACE TEMP TABLE "{TOUCHED}" AS {text(made)}'


def _all_and_row(of: str) -> exp.Select:
    return exp.select(
        exp.Column(this=exp.Star(), table=exp.to_identifier(of)), exp.alias_(exp.column("rowid", of), "_row")
    )


@lru_cache(64)
def _old_sql(relation: Relation) -> str:
    """Touched variables that are there, found by their ids: numbers are looked through faster than texts."""
    made = _all_and_row("t").from_(named(temporary(TOUCHED), "d"))
    on = exp.EQ(this=column(ID, "t"), expression=column(ID, "d"))
    return text(made.join(named(table(relation.name, VARIABLES), "t"), on=on))


def _check_old(store: Store, relation: Relation) -> None:
    twice = store.one(_twice_sql(relation))
    if twice is not None:
        raise same_id(twice)


@lru_cache(64)
def _twice_sql(relation: Relation) -> str:
    made = exp.select(column(ID, "d")).from_(named(temporary(TOUCHED), "d"))
    on = exp.EQ(this=column(ID, "o"), expression=column(ID, "d"))
    made = made.join(named(temporary(old_variables(relation)), "o"), on=on)
    return text(made.where(exp.not_(exp.paren(_null_safe(relation.keys, "o", "d")))).limit(1))


def _labelled_sql(relation: Relation, applied: Applied) -> str:
    """Labels of the touched variables after the change: those before that it left alone, and what became of others."""
    names = list(map(column, (*applied.change.columns, COUNT)))
    was = exp.select(*names).from_(temporary(OLD_LABELS))
    if applied.merged is None:
        return text(exp.union(was, exp.select(*names).from_(applied.change.table), distinct=False))
    hits = exp.select(exp.column("_row")).from_(temporary(taken_out(LABELS, relation.name)))
    was = was.where(exp.not_(exp.In(this=exp.column("_row"), query=hits.subquery())))
    now = exp.select(*names).from_(temporary(applied.merged))
    now = now.where(exp.GT(this=column(COUNT), expression=exp.Literal.number(0)))
    return text(exp.union(was, now, distinct=False))


@dataclass(frozen=True)
class _Queries:
    before: tuple[tuple[str, str], ...]
    conflicts_before: str
    after: tuple[tuple[str, str], ...]
    conflicts_after: str
    write: tuple[str, ...]
    literals: tuple[str, ...]
    evidence: str
    counts: str


@lru_cache(64)
def _queries(relation: Relation, nullable: frozenset[str], had_rows: bool) -> _Queries:
    """had_rows: whether touched variables were there before; if not, the change of labels is all their labels."""
    keys, name, old = relation.keys, relation.name, old_variables(relation)
    categorical = bool(relation.categories)
    labelled = LABELLED if had_rows else f"delta of {name}"

    def of_old(within: str, on: exp.Expr) -> str:
        made = _all_and_row("t").from_(named(temporary(old), "d"))
        return text(made.join(named(table(name, within), "t"), on=on))

    after: tuple[tuple[str, str], ...]
    conflicts = conflicting(relation)
    labels, values = (LABELS, name), (VALUES, name)
    before = [(OLD_LABELS, of_old(LABELS, same(keys, "t", "d", nullable)))] if had_rows else []
    count = exp.select(exp.Count(this=exp.Star()))
    if categorical:
        same_position = exp.EQ(this=column(POSITION, "t"), expression=column(POSITION, "d"))
        before.append((old_values(relation), of_old(VALUES, same_position)))
        were = _with(conflicts, values, old_values(relation))
        are = _with(conflicts, values, NEW_VALUES)
        after = (
            (NEW_VALUES, text(_with(categorical_values(relation, 0), labels, labelled))),
            (PLACES, _places(relation)),
            (NEW_VALUES, _placed(relation)),
            (NEW, text(_with(categorical_variables(relation), values, NEW_VALUES))),
        )
    else:
        were, are = _with(conflicts, labels, OLD_LABELS), _with(conflicts, labels, labelled)
        after = ((NEW, _placed_boolean(relation, labelled)),)
    literals = _literals(relation)
    return _Queries(
        tuple(before),
        text(count.from_(were.subquery("c"))),
        after,
        text(count.from_(are.subquery("c"))),
        _writes(relation, had_rows),
        literals if had_rows else literals[1:],
        text(
            exp.select(column(POSITION, "o"), exp.alias_(_evidence_now(), EVIDENCE))
            .from_(named(temporary(old), "o"))
            .join(named(temporary(NEW), "n"), on=_same_position(), join_type="left")
            .where(exp.NEQ(this=_evidence_now(), expression=column(EVIDENCE, "o")))
            .order_by(column(POSITION, "o"))
        ),
        _counts(relation) if had_rows else _any_soft(relation),
    )


def _same_position() -> exp.Expr:
    return exp.EQ(this=column(POSITION, "n"), expression=column(POSITION, "o"))


def _evidence_now() -> exp.Expr:
    return exp.Coalesce(this=column(EVIDENCE, "n"), expressions=[exp.Literal.number(0)])


def _with(query: exp.Expr, of: tuple[str, str], instead: str) -> exp.Select:
    """A query that reads a temporary table in place of another."""

    def swapped(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and (node.db, node.name) == of:
            return temporary(instead)
        return node

    made = query.transform(swapped)
    assert isinstance(made, exp.Select)
    return made


def _position(is_old: str) -> str:
    """The old position if there is one, else the next free ones in the order `ordered`."""
    return (
        f"CASE WHEN {is_old} THEN o.{POSITION} ELSE ({FIRST} + ROW_NUMBER() OVER "
        f"(PARTITION BY {is_old} ORDER BY n._order) - 1)::INTEGER END"
    )


def _placed_boolean(relation: Relation, labelled: str) -> str:
    keys = relation.keys
    inner = boolean_labels(relation, temporary(labelled)).select(exp.alias_(_ranked(keys), "_order"))
    made = exp.select(
        *(column(k, "n") for k in keys), *(column(c, "n") for c in (ID, CARDINALITY, EVIDENCE, SOFT))
    ).select(f"{_position(f'o.{POSITION} IS NOT NULL')} AS {POSITION}", dialect="duckdb")
    made = made.from_(named(inner.subquery(), "n"))
    return text(
        made.join(named(temporary(old_variables(relation)), "o"), on=_null_safe(keys, "n", "o"), join_type="left")
    )


def _ranked(keys: tuple[str, ...]) -> exp.Expr:
    order = exp.Order(expressions=[exp.Ordered(this=column(k), desc=False, nulls_first=False) for k in keys])
    return exp.Window(this=exp.RowNumber(), order=order)


def _null_safe(keys: tuple[str, ...], a: str, b: str) -> exp.Condition:
    return same(keys, a, b, frozenset(keys))


def _places(relation: Relation) -> str:
    """Group of each touched categorical variable and its position: the old one if its categories are the same."""

    def domain(of: str) -> exp.Select:
        category = exp.Struct(
            expressions=[
                exp.PropertyEQ(this=exp.to_identifier(f"c{i}"), expression=column(c))
                for i, c in enumerate(relation.categories)
            ]
        )
        ordered = exp.Order(this=category, expressions=[exp.Ordered(this=column(VALUE), desc=False)])
        return (
            exp.select(*map(column, relation.keys))
            .select(f"ANY_VALUE({POSITION}) AS {POSITION}", dialect="duckdb")
            .select(exp.alias_(exp.ArrayAgg(this=ordered), "_domain"))
            .from_(temporary(of))
            .group_by(*map(column, relation.keys))
        )

    inner = domain(NEW_VALUES)
    kept = f"o.{POSITION} IS NOT NULL AND o._domain IS NOT DISTINCT FROM n._domain"
    place = _position(kept).replace("n._order", f"n.{POSITION}")
    made = exp.select(exp.alias_(column(POSITION, "n"), "_group")).select(f"{place} AS {POSITION}", dialect="duckdb")
    made = made.from_(named(inner.subquery(), "n"))
    return text(
        made.join(
            named(domain(old_values(relation)).subquery(), "o"),
            on=_null_safe(relation.keys, "n", "o"),
            join_type="left",
        )
    )


def _placed(relation: Relation) -> str:
    """The values with the positions of their variables."""
    names = [*relation.keys, *relation.categories]
    made = exp.select(*(column(c, "v") for c in names), column(POSITION, "p"))
    made = made.select(*(column(c, "v") for c in (VALUE, "_true", "_false", SOFT)))
    return text(
        made.from_(named(temporary(NEW_VALUES), "v")).join(
            named(temporary(PLACES), "p"),
            on=exp.EQ(this=column("_group", "p"), expression=column(POSITION, "v")),
        )
    )


def _writes(relation: Relation, had_rows: bool) -> tuple[str, ...]:
    """Statements that put the new variables (and values) in place of the old."""
    keys, name = list(relation.keys), relation.name
    made = []
    parts = [
        (
            VARIABLES,
            old_variables(relation),
            NEW,
            [*keys, ID, CARDINALITY, EVIDENCE, POSITION, *([] if relation.categories else [SOFT])],
        )
    ]
    if relation.categories:
        columns = [*keys, *relation.categories, POSITION, VALUE, "_true", "_false", SOFT]
        parts.append((VALUES, old_values(relation), NEW_VALUES, columns))
    for within, old, new, columns in parts:
        rowids = exp.select(exp.column("_row")).from_(temporary(old)).subquery()
        if had_rows:
            made.append(text(exp.delete(table(name, within), where=exp.In(this=exp.column("rowid"), query=rowids))))
        rows = exp.select(*map(column, columns)).from_(temporary(new))
        into = [exp.to_identifier(c, quoted=True) for c in columns]
        made.append(text(exp.insert(rows, table(name, within), columns=into)))
    gone = exp.select(column(POSITION, "o"), column(CARDINALITY, "o")).from_(
        named(temporary(old_variables(relation)), "o")
    )
    gone = gone.join(named(temporary(NEW), "n"), on=_same_position(), join_type="anti")
    if had_rows:
        made.append(text(exp.insert(gone, "_kb.retired")))
    return tuple(made)


def _literals(relation: Relation) -> tuple[str, ...]:
    """Rows that literals can find no more, and new ones; those that keep position and value are in neither."""
    names = [*(c.name for c in relation.columns), POSITION, *([VALUE] if relation.categories else [])]
    old, new = _tables(relation)

    def rows(of: str, but: str, count: int) -> str:
        number = exp.cast(
            exp.Literal.number(abs(count)) if count > 0 else exp.Neg(this=exp.Literal.number(1)), "bigint"
        )
        made = exp.select(*(column(c, "o") for c in names), exp.alias_(number, COUNT, quoted=True))
        made = made.from_(named(temporary(of), "o"))
        return text(made.join(named(temporary(but), "n"), on=_same_position(), join_type="anti"))

    return rows(old, new, -1), rows(new, old, 1)


def _tables(relation: Relation) -> tuple[str, str]:
    """Where literals found their variables, and where they find them now."""
    return (old_values(relation), NEW_VALUES) if relation.categories else (old_variables(relation), NEW)


def _any_soft(relation: Relation) -> str:
    made = exp.select(exp.true()).from_(temporary(_tables(relation)[1]))
    return text(made.where(exp.not_(exp.Is(this=column(SOFT), expression=exp.null()))).limit(1))


def _counts(relation: Relation) -> str:
    """How many variables are gone, and whether what soft labels say has changed."""
    categorical = bool(relation.categories)
    old, new = _tables(relation)
    gone = exp.select(exp.Count(this=exp.Star())).from_(named(temporary(old_variables(relation)), "o"))
    gone = gone.join(named(temporary(NEW), "n"), on=_same_position(), join_type="anti")

    def soft(of: str) -> exp.Select:
        made = exp.select(column(POSITION), column(VALUE) if categorical else exp.Literal.number(1), column(SOFT))
        return made.from_(temporary(of)).where(exp.not_(exp.Is(this=column(SOFT), expression=exp.null())))

    there = exp.Paren(
        this=exp.Or(
            this=exp.Exists(this=exp.except_(soft(old), soft(new))),
            expression=exp.Exists(this=exp.except_(soft(new), soft(old))),
        )
    )
    return text(exp.select(gone.subquery(), there))


def _check_probabilities(store: Store, relation: Relation, labels: Change) -> None:
    wrong = store.execute(_improbable(relation, labels.name)).fetchone()
    if wrong is not None:
        raise DataError(
            f"The label of {relation.name}{wrong[:-1]} has the probability {wrong[-1]}.\n"
            "Fix: give a number from 0 to 1 behind the @."
        )


@lru_cache(64)
def _improbable(relation: Relation, labels: str) -> str:
    return text(
        exp.select(*(column(c.name) for c in relation.columns), PROBABILITY)
        .from_(temporary(labels))
        .where(f"NOT ({PROBABILITY} BETWEEN 0 AND 1)", dialect="duckdb")
        .limit(1)
    )


def _number(store: Store, relation: Relation, first: int) -> int:
    """Note the positions that were given, and see that no id comes twice. Returns how many are new."""
    found = store.one(exp.select(exp.Max(this=column(POSITION))).from_(temporary(NEW)))
    n_new = 0 if found is None else max(0, int(found) + 1 - first)
    if first + n_new >= 2**31:
        raise GraphError(f"There are {first + n_new} variables; a graph holds {2**31 - 1}.\nFix: ground it anew.")
    if n_new:
        store.set_counter("variables", first + n_new)
    return n_new


def number_variables(store: Store, relation: Relation) -> int:
    """Number the variables of a relation that was not there, behind all others. Returns how many there are."""
    first = store.counter("variables")
    kinds = [(VARIABLES, boolean_variables(relation, first))]
    if relation.categories:
        kinds = [(VALUES, categorical_values(relation, first)), (VARIABLES, categorical_variables(relation))]
    for within, query in kinds:
        store.execute(exp.Create(this=table(relation.name, within), kind="TABLE", replace=True, expression=query))
    n_conflicts = exp.select(exp.Count(this=exp.Star())).from_(conflicting(relation).subquery("c"))
    store.set_counter(f"conflicts {relation.name}", int(store.one(n_conflicts)))
    n = int(store.one(exp.select(exp.Count(this=exp.Star())).from_(table(relation.name, VARIABLES))))
    store.set_counter("variables", first + n)
    return n
