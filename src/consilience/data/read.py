"""The door: rows come in from a file or from memory, get ids, and what cannot be read is set aside with its reason.

Each source is turned into one frame of columns and the line of each row; then ids, text and gold are settled the
same way for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.labels import Labels
from consilience.data.sources.arrow import from_arrow, from_parquet, from_saved_dataset, is_saved_dataset
from consilience.data.sources.delimited import from_csv
from consilience.data.sources.json_rows import from_json, from_jsonl
from consilience.data.sources.lines import PACKED as UNPACK
from consilience.data.sources.lines import check_file
from consilience.data.sources.memory import from_memory
from consilience.data.sources.raw import Raw
from consilience.data.table import Reject, Table, as_gold, beginning, text_ids, write_rejects
from consilience.errors import DataError, nearest

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".conll": "conll",
    ".iob": "conll",
    ".bio": "conll",
    ".spacy": "spacy",
    ".pubtator": "pubtator",
}
PACKED = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".conll", ".iob", ".bio", ".pubtator")  # these also with .gz
KINDS = (*dict.fromkeys(FORMATS.values()), "huggingface")


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
    unit: str | None = None,
    gold_may_be_absent: bool = False,
    split: str | None = None,
    tag_scheme: str | None = None,
    rejects: Path | str | None = None,
) -> Table:
    """Read rows into a Table.

    source: path of a .csv, .tsv, .jsonl, .parquet, .arrow, .conll or .spacy file, of a .json file (WRENCH's
        `{id: {data, label, weak_labels}}`, or a list of objects), or of a folder saved by Hugging Face Datasets; or a
        pandas, Polars, Arrow or Hugging Face table; or a list of dicts. Text formats may be packed as .gz.
    text: column functions read by default; if not named, the column called "text", where there is one.
    id: column of ids; if not named, the column called "id", or else ids are made of what each row says.
    gold: column of gold label names; empty, null or NaN where nobody knows. gold_names maps its values to names.
    gold_may_be_absent: rows without a gold column are rows without gold, not an error.
    labels: the labels; gold outside them is an error.
    format: if the ending does not name it: one of consilience.data.read.KINDS.
    delimiter, quote (None: quotes mean nothing), columns (names for a CSV without a header, or of the columns of a
        CoNLL file): for text formats. tag_scheme: of a CoNLL file; see `docs/formats.md`.
    split: which part of a dataset that has several. unit: what a row is.
    rejects: a file to which the rows that were set aside are written, one JSON object a line.
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
    raw = load(source, format, delimiter, quote, columns, as_written, split=split, tag_scheme=tag_scheme)
    roles = {"text": text, "id": id, "gold": gold}
    return settle(raw, source, roles, labels, gold_names, unit, gold_may_be_absent, rejects)


def read_sql(
    query: str,
    params: Sequence[Any] = (),
    *,
    database: Path | str | None = None,
    text: str | None = None,
    id: str | None = None,
    gold: str | None = None,
    labels: Labels | Sequence[str] | None = None,
    gold_names: Mapping[Any, str] | None = None,
    unit: str | None = None,
    rejects: Path | str | None = None,
) -> Table:
    """The rows of one SELECT in DuckDB's SQL, over files (`FROM 'rows.parquet'`, CSV, JSON) or a database file.

    query: one SELECT; values go in by `?` and params, never pasted into it. database: a DuckDB file, opened to be read
        only. The other arguments are those of `read`.
    raises: DataError for anything but one SELECT, and for what DuckDB says is wrong. Nothing is installed or loaded.

    >>> read_sql("SELECT 'hi ' || n AS text, n AS id FROM range(3) AS numbers(n) WHERE n > ?", [0]).texts
    ['hi 1', 'hi 2']
    """
    from consilience.data.sources.sql import from_sql

    raw = from_sql(query, params, None if database is None else Path(database))
    return settle(raw, "The query", {"text": text, "id": id, "gold": gold}, labels, gold_names, unit, False, rejects)


def settle(
    raw: Raw,
    source: Any,
    roles: Mapping[str, str | None],
    labels: Labels | Sequence[str] | None,
    gold_names: Mapping[Any, str] | None,
    unit: str | None,
    gold_may_be_absent: bool,
    rejects_path: Path | str | None,
) -> Table:
    """The table of what a reader found: ids, text and gold settled, what cannot be a row set aside."""
    frame, lines, rejects = raw.frame, raw.lines, list(raw.rejects)
    try:
        if not len(frame):
            raise DataError(
                f"{_name(source)} has no readable rows.{_why(rejects)}\nFix: check the file and its format."
            )
        text, id, gold = roles["text"], roles["id"], roles["gold"]
        if gold_may_be_absent and gold not in frame.columns:
            gold = None
        for column in (text, id, gold):
            if column is not None and column not in frame.columns:
                raise DataError(f"{_name(source)} has no column {column!r}.\nFix: {nearest(column, frame.columns)}")
        text = text if text is not None else ("text" if "text" in frame.columns else None)
        gold = gold if gold is not None else raw.gold
        names = gold_names if gold_names is not None else raw.names.get(gold or "")
        if labels is None and names:
            labels = list(dict.fromkeys(name for name in names.values() if name is not None))
        if gold is not None:
            frame = frame.with_columns(as_gold(frame[gold], names).alias(gold))
        if text is not None:
            frame, lines = _need_text(frame, lines, text, rejects)
        frame, id, lines = _settle_ids(frame, lines, id, gold, rejects)
        if not len(frame):
            raise DataError(f"{_name(source)} has no usable rows.{_why(rejects)}\nFix: check its columns.")
    finally:
        rejects.sort(key=lambda reject: reject.line)
        if rejects_path is not None:
            write_rejects(rejects, Path(rejects_path), source)
    unit = unit or raw.unit or "row"
    return Table(frame, id=id, text=text, gold=gold, labels=labels, unit=unit, rejects=rejects, lines=lines)


def load(
    source: Any,
    format: str | None = None,
    delimiter: str | None = None,
    quote: str | None = '"',
    columns: Sequence[str] | None = None,
    as_written: Set[str | None] = frozenset(),
    *,
    split: str | None = None,
    tag_scheme: str | None = None,
) -> Raw:
    """The source as one frame, before ids, text and gold are settled. Raises DataError if it cannot be."""
    if not isinstance(source, (str, Path)):
        return from_memory(source, split)
    path = Path(source)
    kind = format or format_of(path)
    if kind == "huggingface":
        return from_saved_dataset(path, split)
    if kind not in KINDS:
        raise DataError(
            f"{path.name} has an ending that names no format.\nFix: read(..., format={' | '.join(map(repr, KINDS))})."
        )
    check_file(path)
    if kind in ("csv", "tsv"):
        return from_csv(path, delimiter or ("\t" if kind == "tsv" else ","), quote, columns, as_written)
    if kind == "conll":
        from consilience.data.sources.conll import from_conll

        return from_conll(path, delimiter, columns, tag_scheme)
    if kind in ("spacy", "pubtator"):
        from consilience.data.sources.docbin import from_docbin
        from consilience.data.sources.pubtator import from_pubtator

        return {"spacy": from_docbin, "pubtator": from_pubtator}[kind](path)
    return {"jsonl": from_jsonl, "json": from_json, "parquet": from_parquet, "arrow": from_arrow}[kind](path)


def format_of(path: Path) -> str | None:
    """The format a path's ending names; "huggingface" for a folder that Datasets saved."""
    ending = path.suffix.lower()
    if ending == ".gz":
        ending = Path(path.stem).suffix.lower()
        return FORMATS.get(ending) if ending in PACKED else None
    if ending in UNPACK:  # the name says what is inside; what to do about it is said where it is opened
        return "csv"
    return FORMATS.get(ending) or ("huggingface" if is_saved_dataset(path) else None)


def _need_text(
    frame: pl.DataFrame, lines: pl.Series, text: str, rejects: list[Reject]
) -> tuple[pl.DataFrame, pl.Series]:
    """Rows whose text is there; the others are set aside. Text that is not a string becomes one."""
    frame = _as_text(frame, text)
    bad = frame[text].is_null()
    return _drop(frame, lines, bad, f"no text in column {text!r}", rejects)


def _as_text(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frame with that column as strings; NaN is null."""
    values = frame[column].fill_nan(None) if frame[column].dtype.is_float() else frame[column]
    return frame.with_columns(values.cast(pl.String, strict=False).alias(column))


def _settle_ids(
    frame: pl.DataFrame, lines: pl.Series, id: str | None, gold: str | None, rejects: list[Reject]
) -> tuple[pl.DataFrame, str, pl.Series]:
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
    frame: pl.DataFrame, lines: pl.Series, bad: pl.Series, reason: str, rejects: list[Reject]
) -> tuple[pl.DataFrame, pl.Series]:
    if not bad.any():
        return frame, lines
    for line, row in zip(lines.filter(bad), frame.filter(bad).iter_rows(), strict=True):
        rejects.append(Reject(line, reason, beginning(row)))
    return frame.filter(~bad), lines.filter(~bad)


def _name(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"The {type(source).__name__}"


def _why(rejects: list[Reject]) -> str:
    return f" {len(rejects)} were set aside; line {rejects[0].line}: {rejects[0].reason}." if rejects else ""
