"""The door: rows come in from a file or from memory, get ids, and what cannot be read is set aside with its reason.

Each source is turned into one frame of columns and the line of each row; then ids, text and gold are settled the
same way for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.labels import Labels
from consilience.data.sources import Raw, from_csv, from_json, from_jsonl, from_memory, from_parquet
from consilience.data.table import Reject, Table, as_gold, text_ids
from consilience.errors import DataError, nearest

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
}


def read(
    source: Any,
    *,
    text: str | None = None,
    id: str | None = None,
    gold: str | None = None,
    labels: Labels | Sequence[str] | None = None,
    gold_names: Mapping[Any, str] | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    quote: str | None = '"',
    columns: Sequence[str] | None = None,
    unit: str = "row",
    gold_may_be_absent: bool = False,
) -> Table:
    """Read rows into a Table.

    source: path of a .csv, .tsv, .jsonl, .parquet or .json file (WRENCH's `{id: {data, label, weak_labels}}`, or a
        list of objects); or a pandas, Polars or Arrow table; or a list of dicts.
    text: column functions read by default; if not named, the column called "text", where there is one.
    id: column of ids; if not named, the column called "id", or else ids are made of what each row says.
    gold: column of gold label names; empty, null or NaN where nobody knows. gold_names maps its values to names.
    gold_may_be_absent: rows without a gold column are rows without gold, not an error.
    labels: the labels; gold outside them is an error.
    format, delimiter, quote (None: quotes mean nothing), columns (names for a CSV without a header): for CSV files.
    returns: a Table; `.rejects` has the line, reason and beginning of each row that was set aside: malformed, without
        text, or with a missing or repeated id.
    raises: DataError if there is no such file or column, or if no row is left.

    O(rows); the rows are held in memory.

    >>> table = read([{"body": "hi"}, {"body": "buy now", "y": "spam"}, {"body": None}], text="body", gold="y")
    >>> table
    Table(2 rows, gold on 1, 1 set aside; columns id, body, y)
    >>> table.rejects[0].reason
    "no text in column 'body'"
    """
    as_written = {text or "text", id or "id", gold}
    raw = load(source, format, delimiter, quote, columns, as_written)
    frame, lines, rejects = raw.frame, raw.lines, list(raw.rejects)
    if not len(frame):
        raise DataError(f"{_name(source)} has no readable rows.{_why(rejects)}\nFix: check the file and its format.")
    if gold_may_be_absent and gold not in frame.columns:
        gold = None
    for column in (text, id, gold):
        if column is not None and column not in frame.columns:
            raise DataError(f"{_name(source)} has no column {column!r}.\nFix: {nearest(column, frame.columns)}")
    text = text if text is not None else ("text" if "text" in frame.columns else None)
    gold = gold if gold is not None else raw.gold
    names = gold_names if gold_names is not None else raw.gold_names
    labels = labels if labels is not None else (names and list(dict.fromkeys(names.values()))) or None
    if gold is not None:
        frame = frame.with_columns(as_gold(frame[gold], names).alias(gold))
    if text is not None:
        frame, lines = _need_text(frame, lines, text, rejects)
    frame, id, lines = _settle_ids(frame, lines, id, gold, rejects)
    if not len(frame):
        raise DataError(f"{_name(source)} has no usable rows.{_why(rejects)}\nFix: check its columns.")
    rejects.sort(key=lambda reject: reject.line)
    return Table(frame, id=id, text=text, gold=gold, labels=labels, unit=unit, rejects=rejects)


def load(
    source: Any,
    format: str | None,
    delimiter: str | None,
    quote: str | None,
    columns: Sequence[str] | None,
    as_written: set[str | None],
) -> Raw:
    """The source as one frame, before ids, text and gold are settled. Raises DataError if it cannot be."""
    if not isinstance(source, (str, Path)):
        return from_memory(source)
    path = Path(source)
    kind = format or FORMATS.get(path.suffix.lower())
    if kind not in set(FORMATS.values()):
        raise DataError(
            f"{path.name} has an ending that names no format.\n"
            "Fix: read(..., format='csv' | 'tsv' | 'jsonl' | 'json' | 'parquet')."
        )
    if not path.is_file():
        raise DataError(f"There is no file {path}.\nFix: check the path.")
    if kind in ("csv", "tsv"):
        return from_csv(path, delimiter or ("\t" if kind == "tsv" else ","), quote, columns, as_written)
    return {"jsonl": from_jsonl, "json": from_json, "parquet": from_parquet}[kind](path)


def _need_text(
    frame: pl.DataFrame, lines: list[int], text: str, rejects: list[Reject]
) -> tuple[pl.DataFrame, list[int]]:
    """Rows whose text is there; the others are set aside. Text that is not a string becomes one."""
    frame = _as_text(frame, text)
    bad = frame[text].is_null()
    return _drop(frame, lines, bad, f"no text in column {text!r}", rejects)


def _as_text(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frame with that column as strings; NaN is null."""
    values = frame[column].fill_nan(None) if frame[column].dtype.is_float() else frame[column]
    return frame.with_columns(values.cast(pl.String, strict=False).alias(column))


def _settle_ids(
    frame: pl.DataFrame, lines: list[int], id: str | None, gold: str | None, rejects: list[Reject]
) -> tuple[pl.DataFrame, str, list[int]]:
    """A column of distinct ids: the one named, the one called "id", or one made of what the rows say."""
    column = id or ("id" if "id" in frame.columns else None)
    if column is None:
        made = text_ids(frame.drop(gold) if gold else frame)
        return frame.insert_column(0, pl.Series("id", made, pl.String)), "id", lines
    if not frame[column].dtype.is_integer():
        frame = _as_text(frame, column)
    absent = frame[column].is_null()
    if frame[column].dtype == pl.String:
        absent |= frame[column].str.strip_chars() == ""
    frame, lines = _drop(frame, lines, absent.fill_null(True), f"no id in column {column!r}", rejects)
    twin = ~frame[column].is_first_distinct()
    frame, lines = _drop(frame, lines, twin, f"the id in column {column!r} is already taken", rejects)
    return frame, column, lines


def _drop(
    frame: pl.DataFrame, lines: list[int], bad: pl.Series, reason: str, rejects: list[Reject]
) -> tuple[pl.DataFrame, list[int]]:
    if not bad.any():
        return frame, lines
    for place in bad.arg_true().to_list():
        rejects.append(Reject(lines[place], reason, str(frame.row(place))[:200]))
    return frame.filter(~bad), [line for line, out in zip(lines, bad, strict=True) if not out]


def _name(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"The {type(source).__name__}"


def _why(rejects: list[Reject]) -> str:
    return f" {len(rejects)} were set aside; line {rejects[0].line}: {rejects[0].reason}." if rejects else ""
