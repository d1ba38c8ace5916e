"""Loaded rows: frames and files become the base rows of a relation, held to its declaration.

Rows may repeat, unless the relation is one of random variables; loaded variables are in scope, and have no label.
"""

from __future__ import annotations

import uuid

import polars as pl
from sqlglot import exp

from consilience.errors import DataError, nearest
from consilience.kb.grounding.store import Store
from consilience.kb.language.tree import Program
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import BASE, COUNT, Schema

POLARS: dict[str, pl.DataType] = {
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "TEXT": pl.String(),
    "JSON": pl.String(),
    "BOOLEAN": pl.Boolean(),
    "DATE": pl.Date(),
    "TIMESTAMP": pl.Datetime("us"),
    "BLOB": pl.Binary(),
    "UUID": pl.String(),
}


def load(store: Store, program: Program, relation: str, rows: pl.DataFrame, *, replace: bool = True) -> int:
    """Make a frame the base rows of a relation, or with replace=False add it to them. Returns the number of rows.

    Columns go by name, in any order. raises: DataError naming column and row of the first thing that does not fit.

    >>> from consilience.kb.language.tree import Column, Relation
    >>> program = Program((Relation("R", (Column("x", "int"),)),))
    >>> with Store.open() as store:
    ...     load(store, program, "R", pl.DataFrame({"x": [1, 2]}))
    2
    """
    schema = Schema(program)
    fitting = fitted(schema, relation, rows)
    with store.transaction():
        make_base(store, schema, relation, empty=replace)
        names = schema.columns(relation)
        with store.reading(fitting) as incoming:
            insert = exp.insert(
                exp.select(*(column(n) for n in names), exp.cast(exp.Literal.number(1), "bigint")).from_(incoming),
                table(relation, BASE),
                columns=[exp.to_identifier(n, quoted=True) for n in (*names, COUNT)],
            )
            store.execute(insert)
        note_load(store, relation)
    return len(fitting)


def note_load(store: Store, relation: str) -> None:
    """Note that the base rows of a relation are others now."""
    store.execute("INSERT OR REPLACE INTO _kb.loads VALUES (?, ?)", [relation, uuid.uuid4().hex])


def make_base(store: Store, schema: Schema, relation: str, *, empty: bool = False) -> None:
    """See that the table of a relation's loaded rows is there, with the columns declared."""
    wanted = _wanted(schema, relation)
    there = store.columns(BASE, relation)
    if there and not empty and fits_base(store, schema, relation):
        return
    if there and not empty and store.one(exp.select(exp.Count(this=exp.Star())).from_(table(relation, BASE))):
        raise DataError(
            f"The rows loaded into {relation} have the columns {_written(there)}, but it is declared with "
            f"{_written(wanted)}.\n"
            "Fix: take its rows out before you change a declaration, or begin a new knowledge base."
        )
    if there:
        store.drop(table(relation, BASE))
    columns = [
        exp.ColumnDef(this=exp.to_identifier(n, quoted=True), kind=exp.DataType.build(t, dialect="duckdb"))
        for n, t in wanted.items()
    ]
    columns.append(exp.ColumnDef(this=exp.to_identifier(COUNT, quoted=True), kind=exp.DataType.build("bigint")))
    store.execute(exp.Create(this=exp.Schema(this=table(relation, BASE), expressions=columns), kind="TABLE"))


def fits_base(store: Store, schema: Schema, relation: str) -> bool:
    """Whether the rows loaded into a relation, if there are any, have the columns it is declared with."""
    there = store.columns(BASE, relation)
    return not there or _written(there) == _written(_wanted(schema, relation))


def _wanted(schema: Schema, relation: str) -> dict[str, str]:
    types = (t.sql("duckdb") if t is not None else "TEXT" for t in schema.types(relation))
    return dict(zip(schema.columns(relation), types, strict=True))


def _written(columns: dict[str, str]) -> str:
    return ", ".join(f"{n} {t.replace('VARCHAR', 'TEXT')}" for n, t in columns.items() if n != COUNT)


def fitted(schema: Schema, relation: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A frame with a relation's columns and types, in its order. raises: DataError."""
    names = schema.columns(relation)
    missing = [n for n in names if n not in rows.columns]
    extra = [n for n in rows.columns if n not in names]
    if missing or extra:
        wrong = f"lack the column {missing[0]!r}" if missing else f"have a column {extra[0]!r} that it does not"
        known = rows.columns if missing else names
        raise DataError(f"Rows for {relation} {wrong}.\nFix: {nearest((missing or extra)[0], known)}")
    types = schema.types(relation)
    fitting = rows.select(
        _fitted_column(relation, rows[n], t.sql("duckdb") if t is not None else "TEXT")
        for n, t in zip(names, types, strict=True)
    )
    if schema.is_variable(relation):
        twice = fitting.is_duplicated()
        if twice.any():
            at_row = twice.arg_true()[0]
            raise DataError(
                f"Row {at_row} for {relation} comes twice: {fitting.row(at_row)}.\n"
                "Fix: a relation of random variables takes each row once; leave out repeated rows."
            )
    return fitting


def polars_type(written: str) -> pl.DataType:
    """The type of a frame's column for a type of the database."""
    if written.endswith("[]"):
        return pl.List(polars_type(written[:-2]))
    return POLARS.get(written, pl.String())


def _fitted_column(relation: str, values: pl.Series, written: str) -> pl.Series:
    wanted = polars_type(written)
    if values.dtype == wanted:
        return values
    if not _may_become(values.dtype, wanted):
        raise DataError(
            f"Column {values.name!r} of {relation} is declared {written}, but the rows have {values.dtype}.\n"
            "Fix: convert the column, or declare it with another type."
        )
    made = values.cast(wanted, strict=False)
    lost = made.is_null() & values.is_not_null()
    if values.dtype.is_float() and wanted.is_integer():
        lost |= (values != made.cast(values.dtype)).fill_null(False)
    if lost.any():
        at_row = lost.arg_true()[0]
        raise DataError(
            f"Row {at_row} of {relation} has {values[at_row]!r} in column {values.name!r}, which is declared {written}."
            "\nFix: correct the value, or declare the column with another type."
        )
    return made


def _may_become(have: pl.DataType, wanted: pl.DataType) -> bool:
    if have == pl.Null:
        return True
    if isinstance(have, (pl.List, pl.Array)):
        return isinstance(wanted, pl.List) and _may_become(have.inner, wanted.inner)  # type: ignore[arg-type]
    if isinstance(have, (pl.Categorical, pl.Enum)):
        return wanted == pl.String
    if wanted == pl.String:
        return have.is_integer() or have == pl.String
    if wanted.is_numeric():
        return have.is_numeric()
    return have.is_temporal() and wanted.is_temporal()
