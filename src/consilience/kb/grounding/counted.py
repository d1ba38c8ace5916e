"""Signed counts: a change is a table of rows with how many derivations each gains or loses; made and applied here.

Everything joins the small change with the large table by plain equality where the change holds no NULL, which lets the
database skip most of the large table. Called inside a transaction by `delta.py`; the tables of changes are temporary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlglot import exp

from consilience.errors import StoreError
from consilience.kb.grounding.store import Store, text
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.deltas import taken_out
from consilience.kb.sql.schema import CHANGES, COUNT

BEFORE = "_before"  # in merged tables: the count before the change


@dataclass(frozen=True)
class Change:
    """A temporary table of rows, each once, whose counts are not 0. nullable: columns in which some row has NULL."""

    name: str
    columns: tuple[str, ...]
    n_rows: int
    total: int
    nullable: frozenset[str]
    loses: bool

    @property
    def table(self) -> exp.Table:
        """Where it stands."""
        return temporary(self.name)


def temporary(name: str) -> exp.Table:
    """A table that only this connection sees."""
    return table(name, CHANGES)


def make_temporary(store: Store, name: str, query: exp.Query | str) -> int:
    """Make a temporary table of a query, in place of one of that name. Returns the number of its rows."""
    return int(store.one(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {text(query)}"))


def quoted(name: str) -> str:
    """An identifier as SQL."""
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def named(source: exp.Expr, alias: str) -> exp.Expr:
    """A table under another name."""
    return exp.alias_(source, alias, table=True, quoted=True)


def same(columns: Sequence[str], a: str, b: str, nullable: frozenset[str]) -> exp.Condition:
    """Whether rows of a and b agree in all columns."""
    return exp.and_(
        *((exp.NullSafeEQ if c in nullable else exp.EQ)(this=column(c, a), expression=column(c, b)) for c in columns)
    )


def changed_rows(
    store: Store, name: str, columns: tuple[str, ...], queries: Sequence[str], *, apart: bool = False
) -> Change | None:
    """The rows of queries (columns, `_count`) counted together into a temporary table; None if nothing is left.

    apart: whether no row comes twice, so that there is nothing to count together.
    """
    if not queries:
        return None
    n_rows = int(store.one(_together_sql(name, columns, tuple(queries), apart)))
    if n_rows == 0:
        return None
    _, total, least, *present = store.rows(_looked_at_sql(name, columns))[0]
    nullable = frozenset(c for c, n in zip(columns, present, strict=True) if n < n_rows)
    return Change(name, columns, n_rows, int(total), nullable, least < 0)


def _together_sql(name: str, columns: tuple[str, ...], queries: tuple[str, ...], apart: bool) -> str:
    union = " UNION ALL ".join(f"({q})" for q in queries)
    head = _apart_head(columns) if apart else _together_head(columns)
    return f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {head[0]} FROM ({union}) AS q {head[1]}"


@lru_cache(1024)
def _together_head(columns: tuple[str, ...]) -> tuple[str, str]:
    total = exp.cast(exp.Sum(this=column(COUNT, "q")), "bigint")
    made = exp.select(*(column(c, "q") for c in columns), exp.alias_(total, COUNT, quoted=True))
    keys = ", ".join(column(c, "q").sql("duckdb") for c in columns)
    group = f"GROUP BY {keys} " if columns else ""
    return text(made), f"{group}HAVING {exp.NEQ(this=total, expression=exp.Literal.number(0)).sql('duckdb')}"


@lru_cache(1024)
def _apart_head(columns: tuple[str, ...]) -> tuple[str, str]:
    count = column(COUNT, "q")
    made = exp.select(*(column(c, "q") for c in columns), count)
    return text(made), f"WHERE {exp.NEQ(this=count.copy(), expression=exp.Literal.number(0)).sql('duckdb')}"


@lru_cache(1024)
def _looked_at_sql(name: str, columns: tuple[str, ...]) -> str:
    count = column(COUNT)
    return text(
        exp.select(
            exp.Count(this=exp.Star()),
            exp.Sum(this=count),
            exp.Min(this=count),
            *(exp.Count(this=column(c)) for c in columns),
        ).from_(temporary(name))
    )


@dataclass(frozen=True)
class Applied:
    """A change that a table has taken. lost: whether rows were taken out of it, which stand in `taken_out` now.

    merged: a temporary table of the changed rows with `_count` and `_before`; None if the change only brought new rows.
    """

    change: Change
    merged: str | None
    lost: bool

    def crossings(self) -> str:
        """Rows that came into being (1) or went (-1)."""
        if self.merged is None:
            return _once_sql(self.change.name, self.change.columns)
        return crossings_sql(self.merged, self.change.columns)


def apply_change(
    store: Store,
    change: Change,
    name: str,
    schema: str,
    *,
    merges: bool,
    among: str | None = None,
    absent: Callable[[tuple[Any, ...]], Exception] | None = None,
) -> Applied:
    """Add a change to a table's counts. Rows whose count comes to 0 go.

    merges: whether the table holds each row once; else rows that only gain are put behind it. among: a temporary table
    with all rows of it that the change can touch, and their row numbers in `_row`; "" if there are none.
    raises: StoreError if a count would fall below 0, for the rows then are not what the rules derive; or what `absent`
    makes of the first such row.
    """
    added = _insert_sql(change.name, change.columns, name, schema)
    if not change.loses and (not merges or among == ""):
        store.execute(added)
        return Applied(change, None, lost=False)
    found, together, remove, insert, wrong = _merge_sql(
        change.name, change.columns, name, schema, change.nullable, among or None
    )
    n_found = int(store.one(found))
    if not n_found and not change.loses:
        store.execute(added)
        return Applied(change, None, lost=False)
    store.execute(together)
    short = store.execute(wrong).fetchone() if change.loses else None
    if short is not None:
        if absent is not None:
            raise absent(short)
        raise StoreError(
            f"A row of {name} would be derived fewer times than never: the database is not what its program derives.\n"
            "Fix: ground the program anew."
        )
    if n_found:
        store.execute(remove)
    store.execute(insert)
    return Applied(change, _merged(schema, name), lost=n_found > 0)


def _merged(schema: str, name: str) -> str:
    return f"merged {schema} {name}"


@lru_cache(1024)
def _once_sql(change: str, columns: tuple[str, ...]) -> str:
    one = exp.alias_(exp.cast(exp.Literal.number(1), "bigint"), COUNT, quoted=True)
    return text(exp.select(*map(column, columns), one).from_(temporary(change)))


@lru_cache(1024)
def _insert_sql(change: str, columns: tuple[str, ...], name: str, schema: str) -> str:
    rows = exp.select(*(column(c) for c in (*columns, COUNT))).from_(temporary(change))
    return text(exp.insert(rows, table(name, schema), columns=_identifiers((*columns, COUNT))))


def _identifiers(names: Sequence[str]) -> list[exp.Identifier]:
    return [exp.to_identifier(n, quoted=True) for n in names]


@lru_cache(1024)
def _merge_sql(
    change: str, columns: tuple[str, ...], name: str, schema: str, nullable: frozenset[str], among: str | None
) -> tuple[str, str, str, str, str]:
    hits, merged = taken_out(schema, name), _merged(schema, name)
    rows = [column(c, "t") for c in columns]
    looked_in, number = (table(name, schema), "rowid") if among is None else (temporary(among), "_row")
    found = (
        exp.select(*rows, column(COUNT, "t"), exp.alias_(exp.column(number, "t"), "_row"))
        .from_(named(temporary(change), "d"))
        .join(named(looked_in, "t"), on=same(columns, "t", "d", nullable) if columns else exp.true())
    )
    zero = exp.cast(exp.Literal.number(0), "bigint")
    gained = exp.select(*map(column, columns), column(COUNT), exp.alias_(zero, BEFORE)).from_(temporary(change))
    had = exp.select(*map(column, columns), column(COUNT), exp.alias_(column(COUNT), BEFORE)).from_(temporary(hits))
    together = exp.select(
        *map(column, columns),
        exp.alias_(exp.cast(exp.Sum(this=column(COUNT)), "bigint"), COUNT, quoted=True),
        exp.alias_(exp.cast(exp.Sum(this=column(BEFORE)), "bigint"), BEFORE, quoted=True),
    ).from_(exp.union(gained, had, distinct=False).subquery("b"))
    if columns:
        together = together.group_by(*map(column, columns))
    rowids = exp.select(exp.column("_row")).from_(temporary(hits))
    remove = exp.delete(table(name, schema), where=exp.In(this=exp.column("rowid"), query=rowids.subquery()))
    left = exp.select(*map(column, (*columns, COUNT))).from_(temporary(merged))
    left = left.where(exp.GT(this=column(COUNT), expression=exp.Literal.number(0)))
    negative = exp.select(*(map(column, columns) if columns else [exp.true()])).from_(temporary(merged))
    negative = negative.where(exp.LT(this=column(COUNT), expression=exp.Literal.number(0))).limit(1)
    return (
        f"CREATE OR REPLACE TEMP TABLE {quoted(hits)} AS {text(found)}",
        f"CREATE OR REPLACE TEMP TABLE {quoted(merged)} AS {text(together)}",
        text(remove),
        text(exp.insert(left, table(name, schema), columns=_identifiers((*columns, COUNT)))),
        text(negative),
    )


@lru_cache(1024)
def crossings_sql(merged: str, columns: tuple[str, ...]) -> str:
    """Rows that came into being (1) or went (-1), of a table that `apply_change` made."""

    def is_there(name: str) -> exp.Expr:
        return exp.cast(exp.paren(exp.GT(this=column(name), expression=exp.Literal.number(0))), "bigint")

    crossing = exp.Sub(this=is_there(COUNT), expression=is_there(BEFORE))
    made = exp.select(*map(column, columns), exp.alias_(crossing, COUNT, quoted=True)).from_(temporary(merged))
    return text(made.where(exp.NEQ(this=crossing.copy(), expression=exp.Literal.number(0))))
