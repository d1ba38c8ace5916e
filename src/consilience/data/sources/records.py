"""From records (dicts) to one frame: columns of one type each, whatever the records hold. Used for JSON and memory.

A record that no column can hold is set aside. Nothing is lost in a column without a word: numbers too long for one
make it text, and so do values of several types, and objects whose names change from row to row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from consilience.data.sources.raw import COLUMN_LIMIT, ROW_WORDS, SHOWN, Raw
from consilience.data.table import Reject
from consilience.errors import DataError

DEPTH_LIMIT = 32  # levels of lists and objects in one value: what Polars does takes time cubic in it
NAMES_LIMIT = 1_000  # names in the objects of one column, all rows together; beyond it they become text
EMPTY_LIMIT = 20_000_000  # cells that may be empty because most rows lack most columns
SCALARS = (str, int, float, bool, type(None))

Record = tuple[int, Any, str]  # line, the record or a Reject, how it is written


def from_records(records: Iterable[Record]) -> Raw:
    """Frame of the records that are objects; the others, and those no column can hold, are set aside."""
    rows, lines, rejects = sorted_out(records)
    return framed(rows, lines, rejects)


def sorted_out(records: Iterable[Record]) -> tuple[list[dict[str, Any]], list[int], list[Reject]]:
    """Rows and their lines, and what is no row."""
    rows, lines, rejects = [], [], []
    for line, record, text in records:
        if isinstance(record, Reject):
            rejects.append(record)
        elif not isinstance(record, dict):
            rejects.append(Reject(line, f"not an object but {type(record).__name__}", text[:SHOWN]))
        elif any(not isinstance(value, SCALARS) and _too_deep(value) for value in record.values()):
            rejects.append(Reject(line, f"nested deeper than {DEPTH_LIMIT} levels", text[:SHOWN]))
        else:
            rows.append(record)
            lines.append(line)
    return rows, lines, rejects


def framed(rows: list[dict[str, Any]], lines: list[int], rejects: list[Reject]) -> Raw:
    """One frame of rows; those no column can hold are added to the rejects."""
    try:
        frame = _frame(rows, column_names(rows))
    except DataError:
        raise
    except Exception:
        kept = [place for place, row in enumerate(rows) if _fits(row, lines[place], rejects)]
        rows, lines = [rows[place] for place in kept], [lines[place] for place in kept]
        frame = _frame(rows, column_names(rows))
    return Raw(frame, pl.Series(lines, dtype=pl.Int64), rejects)


def column_names(rows: list[dict[str, Any]]) -> list[str]:
    """All names in the rows, in order of appearance. raises: DataError if there are too many."""
    names: dict[Any, None] = {}
    filled = 0
    for row in rows:
        names.update(dict.fromkeys(row))
        filled += len(row)
        if len(names) > COLUMN_LIMIT:
            break
    return check_names(list(names), len(rows), filled)


def check_names(names: list[str], n_rows: int, n_filled: int) -> list[str]:
    """Names of columns as they are. raises: DataError if there are too many for the cells that say something."""
    if len(names) > COLUMN_LIMIT:
        raise DataError(f"The rows have more than {COLUMN_LIMIT:,} columns.\nFix: {ROW_WORDS}")
    if n_rows * len(names) - n_filled > EMPTY_LIMIT + 20 * n_filled:
        raise DataError(f"The rows have {len(names):,} columns, nearly all of them empty.\nFix: {ROW_WORDS}")
    return names


def _frame(rows: list[dict[Any, Any]], columns: Sequence[Any]) -> pl.DataFrame:
    made = {}
    for name in columns:
        if str(name) in made:
            raise DataError(f"Two columns are called {name}.\nFix: give each column its own name.")
        made[str(name)] = series([row.get(name) for row in rows])
    return pl.DataFrame(made)


def series(values: list[Any]) -> pl.Series:
    """A column of one type; values of several types (numbers and words, say) become text."""
    kinds = set(map(type, values)) - {type(None)}
    if float in kinds:
        values = [None if isinstance(value, float) and value != value else value for value in values]  # NaN is nothing
        kinds = set(map(type, values)) - {type(None)}
    if (len(kinds) > 1 and not kinds <= {int, float}) or not _storable(values, kinds):
        return pl.Series([as_text(value) for value in values], dtype=pl.String)
    return pl.Series(values, strict=False)


def as_text(value: Any) -> str | None:
    """A value as it is written in a column of text: JSON, if it is no string."""
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


def _storable(values: list[Any], kinds: set[type]) -> bool:
    """Whether a column can hold these values of one kind without losing any."""
    if int in kinds:
        whole = [value for value in values if type(value) is int]
        return min(whole) >= -(2**63) and max(whole) < 2**63
    if kinds & {list, dict, tuple}:
        names: set[Any] = set()
        return all(_plain(value, names) for value in values) and len(names) <= NAMES_LIMIT
    return True


def _plain(value: Any, names: set[Any]) -> bool:
    """Whether a nested value has no number that is too long, and one kind in each list; collects the names in it."""
    if isinstance(value, dict):
        names.update(value)
        return len(names) <= NAMES_LIMIT and all(_plain(part, names) for part in value.values())
    if isinstance(value, (list, tuple)):
        kinds = {type(part) for part in value} - {type(None)}
        return (len(kinds) < 2 or kinds <= {int, float}) and all(_plain(part, names) for part in value)
    return type(value) is not int or -(2**63) <= value < 2**63


def _too_deep(value: Any) -> bool:
    level, parts = 0, [value]
    while parts:
        level += 1
        if level > DEPTH_LIMIT:
            return True
        parts = [part for nested in parts for part in _parts(nested)]
    return False


def _parts(value: Any) -> Iterator[Any]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return (part for part in inside if isinstance(part, (dict, list, tuple)))


def _fits(row: dict[str, Any], line: int, rejects: list[Reject]) -> bool:
    try:
        _frame([row], list(row))
        return True
    except Exception as error:
        rejects.append(Reject(line, f"cannot be stored: {error}".split("\n")[0][:SHOWN], ascii(row)[:SHOWN]))
        return False
