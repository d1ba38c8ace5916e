"""Files of rows for base relations: CSV, TSV and TSJ, JSON lines, Parquet; held to the relation's declaration.

TSV is as Postgres writes it (`\\N` is NULL, `{a,b}` an array), TSJ has JSON values with tabs between them. In CSV an
empty cell is NULL. A first line with the names of the columns, in any order, is a header; else values stand in the order
of the declaration. Frames then go the way of all loaded rows (`load.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from consilience.errors import DataError, nearest
from consilience.kb.grounding.functions import row_reader
from consilience.kb.grounding.load import polars_type
from consilience.kb.grounding.scripts import array, from_tsj, from_tsv
from consilience.kb.grounding.store import Store
from consilience.kb.language.tree import Column
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import BASE, COUNT, Schema, data_type
from consilience.progress import track

ENDINGS = (".csv", ".tsv", ".tsj", ".jsonl", ".ndjson", ".parquet")
TRUTH = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}


def read_rows(schema: Schema, relation: str, path: Path) -> pl.DataFrame:
    """The rows of a file, with the columns of a relation. raises: DataError naming file, line and column."""
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise DataError(f"{path.name} has no ending that names a format of rows.\nFix: {nearest(kind, ENDINGS)}")
    columns = schema.relation(relation).columns
    try:
        if kind == ".parquet":
            return pl.read_parquet(path)
        if kind in (".jsonl", ".ndjson"):
            return _from_lines(path, columns, json.loads, from_text=False)
        if kind == ".csv":
            return _from_csv(path, columns)
        return _from_lines(path, columns, from_tsj if kind == ".tsj" else from_tsv, from_text=kind == ".tsv")
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.\nFix: check the path.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 at byte {error.start}.\nFix: save it as UTF-8.") from None
    except pl.exceptions.PolarsError as error:
        said = str(error).split("\n")[0][:300]
        raise DataError(f"{path.name} cannot be read: {said}\nFix: correct the file.") from None


def _from_lines(
    path: Path, columns: tuple[Column, ...], read: Callable[[str], Any], *, from_text: bool
) -> pl.DataFrame:
    """Rows from lines of their own."""
    names = [c.name for c in columns]
    order: list[int] | None = None
    turn = row_reader(columns, from_text=from_text)
    rows: list[list[Any]] = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(track(file, f"reading {path.name}"), 1):
            text = line.rstrip("\r\n")
            if not text:
                continue
            try:
                row = read(text)
                if number == 1 and isinstance(row, list) and sorted(map(str, row)) == sorted(names):
                    order = [row.index(name) for name in names]
                    continue
                rows.append(turn([row[i] for i in order] if order is not None else row))
            except (ValueError, TypeError, IndexError) as error:
                raise DataError(f"{path.name}, line {number}: {error}.\nFix: correct the line.") from None
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pl.DataFrame(
        [pl.Series(c.name, list(v), dtype=_kind(c), strict=False) for c, v in zip(columns, values, strict=True)]
    )


def _from_csv(path: Path, columns: tuple[Column, ...]) -> pl.DataFrame:
    if path.stat().st_size == 0:
        return pl.DataFrame({c.name: pl.Series(c.name, [], dtype=_kind(c)) for c in columns})
    found = pl.read_csv(path, has_header=False, infer_schema=False, truncate_ragged_lines=False)
    names = [c.name for c in columns]
    first = ["" if x is None else x.strip().removeprefix("\ufeff") for x in found.row(0)]
    if set(names) <= set(first):
        if extra := [x for x in first if x not in names]:
            raise DataError(f"{path.name} has a column {extra[0]!r}.\nFix: {nearest(extra[0], names)}")
        found = found[1:]
        found.columns = first
    elif len(first) != len(names):
        raise DataError(
            f"{path.name} has {len(first)} columns, and its first line does not name those of the relation.\n"
            f"Fix: begin it with {','.join(names)}"
        )
    else:
        found.columns = names
    offset = 1 if found.height == 0 or set(names) <= set(first) else 0
    return found.select(_cells(path, found[c.name], c, offset) for c in columns)


def _cells(path: Path, cells: pl.Series, declared: Column, offset: int) -> pl.Series:
    """Texts of one column as values of its type."""
    kind = _kind(declared)
    if kind == pl.String:
        return cells
    if isinstance(kind, pl.List):
        turn = row_reader((declared,), from_text=True)
        made = cells.map_elements(lambda x: turn([_list(x)])[0], return_dtype=kind)
    elif kind == pl.Boolean:
        made = cells.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    elif kind.is_temporal():
        made = cells.str.to_datetime(strict=False).cast(kind) if kind != pl.Date else cells.str.to_date(strict=False)
    else:
        made = cells.str.strip_chars().cast(kind, strict=False)
    wrong = (made.is_null() & cells.is_not_null()).arg_true()
    if len(wrong):
        line = int(wrong[0]) + offset + 1
        raise DataError(
            f"{path.name}, line {line}: {cells[int(wrong[0])]!r} in column {declared.name!r}, which is declared "
            f"{declared.type}.\nFix: correct the cell, or declare the column with another type."
        )
    return made.alias(declared.name)


def _list(text: str) -> list[Any]:
    """An array as JSON or as Postgres writes it."""
    found = json.loads(text) if text.startswith("[") else array(text)
    return found if isinstance(found, list) else [found]


def _kind(declared: Column) -> pl.DataType:
    return polars_type(data_type(declared.type, declared.place).sql("duckdb"))


def row_difference(
    store: Store, schema: Schema, relation: str, rows: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How rows differ, as a bag, from those a base relation has: rows that came, rows that went.

    rows: fitted to the relation. O(rows of both).
    """
    from sqlglot import exp

    names = list(schema.columns(relation))
    if not store.has_table(BASE, relation):
        return rows, rows.clear()
    stands = exp.select(*(column(n) for n in names), column(COUNT)).from_(table(relation, BASE))
    had = store.frame(stands)
    wanted = rows.with_columns(pl.lit(1, pl.Int64).alias(COUNT))
    both = pl.concat([wanted, had.with_columns(-pl.col(COUNT)).cast(dict(wanted.schema))])  # type: ignore[arg-type]
    balance = both.group_by(names, maintain_order=True).agg(pl.col(COUNT).sum())
    came, went = (balance.filter(sign * pl.col(COUNT) > 0) for sign in (1, -1))
    return _repeated(came), _repeated(went)


def _repeated(balance: pl.DataFrame) -> pl.DataFrame:
    places = [i for i, n in enumerate(balance[COUNT].abs().to_list()) for _ in range(n)]
    return balance.drop(COUNT)[places]
