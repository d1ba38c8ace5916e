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
)
from consilience.kb.language.tree import Relation
from consilience.kb.sql.bodies import column, table
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

TOUCHED, OLD, NEW, LABELLED, OLD_VALUES, NEW_VALUES, PLACES = (
    "touched variables",
    "old variables",
    "new variables",
    "labels of touched variables",
    "old values",
    "new values",
    "places of variables",
)
OLD_LABELS = "labels before"
FIRST = "COALESCE((SELECT value FROM _kb.counters WHERE name = 'variables'), 0)"  # the first free position


@dataclass(frozen=True)
class VariableChange:
    """What became of the variables of a relation. literals: rows literals can find that came and went, or None.

    evidence_at, evidence_to: variables that were there and know another value; gone ones have the value 0.
    """

    literals: Change | None
    evidence_at: NDArray[np.int32]
    evidence_to: NDArray[np.int32]
    n_new: int
    n_gone: int
    soft_changed: bool


def change_variables(store: Store, relation: Relation, labels: Change) -> VariableChange:
    """Apply a change of labels to a relation's labels, variables and values. raises: DataError, GraphError."""
    _check_probabilities(store, relation, labels)
    nullable = labels.nullable & frozenset(relation.keys)
    queries = _queries(relation, nullable)
    store.execute(f'CREATE OR REPLACE TEMP TABLE "{TOUCHED}" AS {queries.touched}')
    for made, query in queries.before:
        make_temporary(store, made, query)
    conflicts = -int(store.one(queries.conflicts_before))
    apply_change(store, labels, relation.name, LABELS, merges=True)
    first = store.counter("variables")
    make_temporary(store, LABELLED, queries.labelled)
    for made, query in queries.after:
        make_temporary(store, made, query)
    conflicts += int(store.one(queries.conflicts_after))
    if conflicts:
        name = f"conflicts {relation.name}"
        store.set_counter(name, store.counter(name) + conflicts)
    n_new = _number(store, relation, first)
    for statement in queries.write:
        store.execute(statement)
    literals = changed_rows(
        store,
        f"change of variables {relation.name}",
        (*(c.name for c in relation.columns), POSITION, *((VALUE,) if relation.categories else ())),
        queries.literals,
    )
    changed = store.arrays(queries.evidence)
    n_gone, soft = store.rows(queries.counts)[0]
    return VariableChange(
        literals,
        np.asarray(changed[POSITION], np.int32),
        np.asarray(changed[EVIDENCE], np.int32),
        n_new,
        int(n_gone),
        bool(soft),
    )


@dataclass(frozen=True)
class _Queries:
    touched: str
    before: tuple[tuple[str, str], ...]
    conflicts_before: str
    labelled: str
    after: tuple[tuple[str, str], ...]
    conflicts_after: str
    write: tuple[str, ...]
    literals: tuple[str, ...]
    evidence: str
    counts: str


@lru_cache(64)
def _queries(relation: Relation, nullable: frozenset[str]) -> _Queries:
    keys, name = relation.keys, relation.name
    categorical = bool(relation.categories)

    def touched_of(within: str) -> str:
        rows = exp.select(
            exp.Column(this=exp.Star(), table=exp.to_identifier("t")), exp.alias_(exp.column("rowid", "t"), "_row")
        )
        rows = rows.from_(named(temporary(TOUCHED), "d"))
        return text(rows.join(named(table(name, within), "t"), on=same(keys, "t", "d", nullable)))

    after: tuple[tuple[str, str], ...]
    before = [(OLD, touched_of(VARIABLES)), *([(OLD_VALUES, touched_of(VALUES))] if categorical else [])]
    conflicts = conflicting(relation)
    labels, values = (LABELS, name), (VALUES, name)
    if categorical:
        old = text(exp.select(exp.Count(this=exp.Star())).from_(_with(conflicts, values, OLD_VALUES).subquery("c")))
        new = text(exp.select(exp.Count(this=exp.Star())).from_(_with(conflicts, values, NEW_VALUES).subquery("c")))
        after = (
            (NEW_VALUES, text(_with(categorical_values(relation, 0), labels, LABELLED))),
            (PLACES, _places(relation)),
            (NEW_VALUES, _placed(relation)),
            (NEW, text(_with(categorical_variables(relation), values, NEW_VALUES))),
        )
    else:
        # Before the change, labels are looked at where they stand.
        found = exp.select(exp.Count(this=exp.Star()))
        old = text(found.from_(_with(conflicts, labels, OLD_LABELS).subquery("c")))
        new = text(found.from_(_with(conflicts, labels, LABELLED).subquery("c")))
        before.append((OLD_LABELS, touched_of(LABELS)))
        after = ((NEW, _placed_boolean(relation)),)
    return _Queries(
        text(exp.select(*map(column, keys)).distinct().from_(temporary(f"delta of {name}"))),
        tuple(before),
        old,
        touched_of(LABELS),
        after,
        new,
        _writes(relation),
        _literals(relation),
        text(
            exp.select(column(POSITION, "o"), exp.alias_(_evidence_now(), EVIDENCE))
            .from_(named(temporary(OLD), "o"))
            .join(named(temporary(NEW), "n"), on=_same_position(), join_type="left")
            .where(exp.NEQ(this=_evidence_now(), expression=column(EVIDENCE, "o")))
            .order_by(column(POSITION, "o"))
        ),
        _counts(categorical),
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


def _placed_boolean(relation: Relation) -> str:
    keys = relation.keys
    inner = boolean_labels(relation, temporary(LABELLED)).select(exp.alias_(_ranked(keys), "_order"))
    made = exp.select(
        *(column(k, "n") for k in keys), *(column(c, "n") for c in (ID, CARDINALITY, EVIDENCE, SOFT))
    ).select(f"{_position(f'o.{POSITION} IS NOT NULL')} AS {POSITION}", dialect="duckdb")
    made = made.from_(named(inner.subquery(), "n"))
    return text(made.join(named(temporary(OLD), "o"), on=_null_safe(keys, "n", "o"), join_type="left"))


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
        made.join(named(domain(OLD_VALUES).subquery(), "o"), on=_null_safe(relation.keys, "n", "o"), join_type="left")
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


def _writes(relation: Relation) -> tuple[str, ...]:
    """Statements that put the new variables (and values) in place of the old."""
    keys, name = list(relation.keys), relation.name
    made = []
    parts = [
        (VARIABLES, OLD, NEW, [*keys, ID, CARDINALITY, EVIDENCE, POSITION, *([] if relation.categories else [SOFT])])
    ]
    if relation.categories:
        columns = [*keys, *relation.categories, POSITION, VALUE, "_true", "_false", SOFT]
        parts.append((VALUES, OLD_VALUES, NEW_VALUES, columns))
    for within, old, new, columns in parts:
        rowids = exp.select(exp.column("_row")).from_(temporary(old)).subquery()
        made.append(text(exp.delete(table(name, within), where=exp.In(this=exp.column("rowid"), query=rowids))))
        rows = exp.select(*map(column, columns)).from_(temporary(new))
        into = [exp.to_identifier(c, quoted=True) for c in columns]
        made.append(text(exp.insert(rows, table(name, within), columns=into)))
    gone = exp.select(column(POSITION, "o"), column(CARDINALITY, "o")).from_(named(temporary(OLD), "o"))
    gone = gone.join(named(temporary(NEW), "n"), on=_same_position(), join_type="anti")
    made.append(text(exp.insert(gone, "_kb.retired")))
    return tuple(made)


def _literals(relation: Relation) -> tuple[str, ...]:
    """Rows that literals can find no more, and new ones; those that keep position and value are in neither."""
    names = [*(c.name for c in relation.columns), POSITION, *([VALUE] if relation.categories else [])]
    old, new = (OLD_VALUES, NEW_VALUES) if relation.categories else (OLD, NEW)

    def rows(of: str, but: str, count: int) -> str:
        number = exp.cast(
            exp.Literal.number(abs(count)) if count > 0 else exp.Neg(this=exp.Literal.number(1)), "bigint"
        )
        made = exp.select(*(column(c, "o") for c in names), exp.alias_(number, COUNT, quoted=True))
        made = made.from_(named(temporary(of), "o"))
        return text(made.join(named(temporary(but), "n"), on=_same_position(), join_type="anti"))

    return rows(old, new, -1), rows(new, old, 1)


def _counts(categorical: bool) -> str:
    """How many variables are gone, and whether what soft labels say has changed."""
    old, new = (OLD_VALUES, NEW_VALUES) if categorical else (OLD, NEW)
    gone = exp.select(exp.Count(this=exp.Star())).from_(named(temporary(OLD), "o"))
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
