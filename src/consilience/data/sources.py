"""From each kind of source to one frame and the line of each row. Called by `read`, which settles ids, text and gold.

A row that breaks a reader is set aside with its line and the reason; the reader goes on behind it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.table import Reject
from consilience.errors import DataError
from consilience.progress import track

CELL_LIMIT = 64 * 1024 * 1024  # characters in one cell of a CSV file; beyond it the row is set aside
JOIN_LIMIT = 2_000  # lines that one quoted CSV cell may span


@dataclass
class Raw:
    """What a source held: columns, the line (or place, from 1) of each row, and what was set aside."""

    frame: pl.DataFrame
    lines: list[int]
    rejects: list[Reject] = field(default_factory=list)
    gold: str | None = None
    gold_names: dict[str, str] | None = None


def from_memory(source: Any) -> Raw:
    """Rows from a Polars, Arrow or pandas table, or an iterable of dicts."""
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        frame = source
    elif type(source).__module__.split(".")[0] == "pandas":
        frame = _from_pandas(source)
    elif hasattr(source, "__arrow_c_stream__"):
        frame = pl.DataFrame(source)
    elif isinstance(source, Iterable) and not isinstance(source, (bytes, dict)):
        return _from_records((place, row, str(row)) for place, row in enumerate(source, 1))
    else:
        raise DataError(
            f"Rows cannot be read from a {type(source).__name__}.\n"
            "Fix: give a path, a pandas, Polars or Arrow table, or a list of dicts."
        )
    return Raw(frame, list(range(1, len(frame) + 1)))


def _from_pandas(source: Any) -> pl.DataFrame:
    """Column by column through Python values, so that neither pandas nor pyarrow is needed; NaN becomes null."""

    def values(column: Any) -> list[Any]:
        missing = source[column].isna().tolist()
        return [None if gone else value for value, gone in zip(source[column].tolist(), missing, strict=True)]

    return pl.DataFrame({str(column): pl.Series(values(column), strict=False) for column in source.columns})


def from_parquet(path: Path) -> Raw:
    """Rows of a Parquet file."""
    try:
        frame = pl.read_parquet(path)
    except Exception as error:
        raise DataError(f"{path} is not a readable Parquet file ({error}).\nFix: write it again.") from error
    return Raw(frame, list(range(1, len(frame) + 1)))


def from_jsonl(path: Path) -> Raw:
    """One JSON object a line; empty lines are skipped."""
    return _from_records(track(_json_lines(path), f"reading {path.name}"))


def _json_lines(path: Path) -> Iterator[tuple[int, Any, str]]:
    for number, line in _decoded_lines(path):
        if isinstance(line, Reject):
            yield number, line, line.content
        elif line.strip():
            yield number, _parse_json(line, number), line


def _parse_json(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return Reject(line, f"not JSON: {error}", text[:200])


def from_json(path: Path) -> Raw:
    """WRENCH's object of rows (gold in "label", names in label.json beside it, votes in vote_0, ...); or a list."""
    whole = _json_file(path)
    if isinstance(whole, list):
        return _from_records((place, row, str(row)) for place, row in enumerate(whole, 1))
    if not isinstance(whole, dict):
        raise DataError(f"{path} holds neither rows nor a list of rows.\nFix: give an object of objects or a list.")
    names_path = path.parent / "label.json"
    names = _json_file(names_path) if names_path.is_file() else None
    if names is not None and not isinstance(names, dict):
        raise DataError(f'{names_path} does not name the labels.\nFix: write {{"0": "ham", "1": "spam"}} there.')
    raw = _from_records(
        (place, _wrench_row(key, row, names), str(row)) for place, (key, row) in enumerate(whole.items(), 1)
    )
    has_gold = "label" in raw.frame.columns
    return Raw(raw.frame, raw.lines, raw.rejects, "label" if has_gold else None, names if has_gold else None)


def _json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.\nFix: write it again.") from error


def _wrench_row(key: str, row: Any, names: dict[str, str] | None) -> Any:
    if not isinstance(row, dict) or not isinstance(row.get("data"), dict):
        return None
    flat = {"id": key, **row["data"]}
    if row.get("label") is not None and row["label"] != -1:
        flat["label"] = str(row["label"])
    for place, vote in enumerate(row.get("weak_labels") or ()):
        flat[f"vote_{place}"] = None if vote == -1 else (names or {}).get(str(vote), str(vote))
    return flat


def _from_records(records: Iterable[tuple[int, Any, str]]) -> Raw:
    """Frame of the records that are objects; the others, and those no column can hold, are set aside."""
    rows, lines, rejects = [], [], []
    for line, record, text in records:
        if isinstance(record, Reject):
            rejects.append(record)
        elif isinstance(record, dict):
            rows.append({str(name): value for name, value in record.items()})
            lines.append(line)
        else:
            rejects.append(Reject(line, f"not an object but {type(record).__name__}", text[:200]))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    try:
        frame = _frame(rows, columns)
    except Exception:
        kept = [place for place, row in enumerate(rows) if _fits(row, lines[place], rejects)]
        rows, lines = [rows[place] for place in kept], [lines[place] for place in kept]
        frame = _frame(rows, columns)
    return Raw(frame, lines, rejects)


def _frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({name: _series([row.get(name) for row in rows]) for name in columns})


def _series(values: list[Any]) -> pl.Series:
    """A column of one type; values of several types (numbers and words, say) become text."""
    values = [None if isinstance(value, float) and value != value else value for value in values]  # NaN is nothing
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1 and not kinds <= {int, float}:
        values = [
            value if value is None or isinstance(value, str) else json.dumps(value, default=str) for value in values
        ]
    return pl.Series(values, strict=False)


def _fits(row: dict[str, Any], line: int, rejects: list[Reject]) -> bool:
    try:
        _frame([row], list(row))
        return True
    except Exception as error:
        rejects.append(Reject(line, f"cannot be stored: {error}", ascii(row)[:200]))
        return False


def from_csv(
    path: Path,
    delimiter: str,
    quote: str | None,
    columns: Sequence[str] | None,
    as_written: Collection[str | None] = (),
) -> Raw:
    """Delimited text. A quote that never closes costs its own line, not the rest of the file.

    quote None: quotes are ordinary characters. columns: names, for a file without a header line. as_written: columns
    (of ids, text, gold) whose cells must not become numbers: 1.10 is not 1.1 there.
    """
    if len(delimiter) != 1 or (quote is not None and len(quote) != 1):
        raise DataError(
            f"The delimiter {delimiter!r} and the quote {quote!r} must be single characters.\nFix: give one each."
        )
    options: dict[str, Any] = {"delimiter": delimiter, "strict": True, "quoting": csv.QUOTE_NONE}
    if quote is not None:
        options.update(quoting=csv.QUOTE_MINIMAL, quotechar=quote)
    records = _csv_records(list(_decoded_lines(path)), lambda text: _parse_csv(text, options), quote or '"', columns)
    header = _header(list(columns), path) if columns else []
    rows, lines, rejects = [], [], []
    for line, record in track(records, f"reading {path.name}"):
        if isinstance(record, Reject) and not header:
            raise DataError(f"The header of {path} cannot be read: {record.reason}.\nFix: correct line {line}.")
        if isinstance(record, Reject):
            rejects.append(record)
        elif not header:
            header = _header(record, path)
        elif len(record) != len(header):
            reason = f"{len(record)} fields where the header has {len(header)}"
            rejects.append(Reject(line, reason, delimiter.join(record)[:200]))
        else:
            rows.append(record)
            lines.append(line)
    values = zip(*rows, strict=True) if rows else ([] for _ in header)
    cells = {name: pl.Series(column, dtype=pl.String) for name, column in zip(header, values, strict=True)}
    frame = pl.DataFrame({name: cell if name in as_written else _typed(cell) for name, cell in cells.items()})
    return Raw(frame, lines, rejects)


def _parse_csv(text: str, options: dict[str, Any]) -> list[str]:
    """Fields of one record. Raises csv.Error if it is broken, or is more than one."""
    before = csv.field_size_limit(CELL_LIMIT)  # a setting of the whole process: put back at once
    try:
        reader = csv.reader(io.StringIO(text, newline=""), **options)
        record = next(reader)
        if next(reader, None) is not None:
            raise csv.Error("a line break outside quotes")
        return record
    finally:
        csv.field_size_limit(before)


def _header(record: list[str], path: Path) -> list[str]:
    if len(set(record)) < len(record):
        twice = next(name for name in record if record.count(name) > 1)
        raise DataError(f"The header of {path} names column {twice!r} twice.\nFix: give each column its own name.")
    return record


def _csv_records(
    lines: list[tuple[int, str | Reject]],
    parse: Callable[[str], list[str]],
    quote: str,
    columns: Sequence[str] | None,
) -> Iterator[tuple[int, list[str] | Reject]]:
    """Records with the line each begins on. A record is one line, or more where a quoted cell holds line breaks."""
    width = len(columns) if columns else None
    place = 0
    while place < len(lines):
        number, line = lines[place]
        if isinstance(line, Reject) or not line.strip("\r\n"):
            if isinstance(line, Reject):
                yield number, line
            place += 1
            continue
        record, used = _parse_growing(lines, place, parse, quote, width)
        width = width or (len(record) if isinstance(record, list) else None)
        yield number, record
        place += used


def _parse_growing(
    lines: list[tuple[int, str | Reject]], place: int, parse: Callable[[str], list[str]], quote: str, width: int | None
) -> tuple[list[str] | Reject, int]:
    """One record from line `place` on, and the lines it used; or that line set aside, if no number of lines will do.

    An open quote can only have closed where the quotes so far are even in number: only there is parsing tried again,
    and once, so that no file takes more than linear time.
    """
    number, first = lines[place][0], str(lines[place][1])
    try:
        return parse(first), 1
    except csv.Error as error:
        reason = f"broken quotes: {error}"
    if "unexpected end of data" in reason:
        parts, n_quotes = [first], first.count(quote)
        for used, (_, more) in enumerate(lines[place + 1 : place + JOIN_LIMIT], 2):
            if isinstance(more, Reject):
                break
            parts.append(more)
            n_quotes += more.count(quote)
            if n_quotes % 2 == 0:
                record = _parse_or_none(parse, "".join(parts))
                if record is not None and width in (None, len(record)):
                    return record, used
                break
    return Reject(number, reason, first[:200]), 1


def _parse_or_none(parse: Callable[[str], list[str]], text: str) -> list[str] | None:
    try:
        return parse(text)
    except csv.Error:
        return None


def _typed(text: pl.Series) -> pl.Series:
    """A CSV column as integers or numbers where all its cells are, else as text; empty cells of numbers are null."""
    filled = text.set(text == "", None)
    if filled.null_count() < len(filled):
        plain = filled.drop_nulls().str.contains(r"^-?(0|[1-9][0-9]{0,17})$").all()  # 007 is a name, not a number
        if plain:
            return filled.cast(pl.Int64)
        if (
            filled.drop_nulls()
            .str.contains(r"^-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?$|^-?(0|[1-9][0-9]{0,14})$")
            .all()
        ):
            return filled.cast(pl.Float64)
    return text


def _decoded_lines(path: Path) -> Iterator[tuple[int, str | Reject]]:
    """Lines with their numbers, line ends kept; a line that is not UTF-8 comes as a Reject."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path} is written in UTF-16.\nFix: save it as UTF-8.")
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                shown = line[:200].decode("utf-8", "replace")
                yield number, Reject(number, f"not UTF-8 at byte {error.start + 1} of the line", shown)
