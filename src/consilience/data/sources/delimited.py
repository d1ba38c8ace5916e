"""CSV and TSV: blocks that are beyond doubt are read by Polars, all others record by record, with the same result.

A record that cannot be read is set aside with its line. A quote that never closes costs its own line, not the rest of
the file. Which blocks are beyond doubt is said in clean_csv.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from consilience.data.sources.ahead import BLOCK, WATCHED, Ahead, Lines
from consilience.data.sources.clean_csv import Dialect, clean_records, parse_clean
from consilience.data.sources.lines import LINE_LIMIT, check_encoding, opened
from consilience.data.sources.raw import SHOWN, Raw, check_columns
from consilience.data.table import Reject
from consilience.errors import DataError
from consilience.progress import track

JOIN_LIMIT = 2_000  # lines that one quoted cell may span

NUMBER = (  # 1.5, 1.5e3, 1e+16, 12; but 1e5 may be a name
    r"^-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?$|^-?[1-9]e[-+][0-9]+$|^-?(0|[1-9][0-9]{0,14})$"
)

Cells = list[str]


def from_csv(
    path: Path,
    delimiter: str,
    quote: str | None,
    columns: Sequence[str] | None,
    as_written: Collection[str | None] = (),
    block: int = BLOCK,
    watched: int = WATCHED,
) -> Raw:
    """Rows of delimited text.

    quote None: quotes are ordinary characters. columns: names, for a file without a header line. as_written: columns
    (of ids, text, gold) whose cells must not become numbers: 1.10 is not 1.1 there.
    block: bytes judged at once. watched: records that are read with care behind a block in doubt.
    """
    with opened(path) as file:
        reader = _Reader(path, file, Dialect(delimiter, quote), list(columns) if columns else None, block, watched)
        for _ in track(reader.steps(), f"reading {path.name}"):
            pass
    cells = reader.cells()
    frame = pl.DataFrame({name: cell if name in as_written else _typed(cell) for name, cell in cells.items()})
    return Raw(frame, reader.lines(), reader.rejects)


class _Reader:
    """Goes through a file from block to block; keeps what it found, in pieces."""

    def __init__(
        self, path: Path, file: BinaryIO, dialect: Dialect, columns: list[str] | None, block: int, watched: int
    ) -> None:
        self.path, self.dialect, self.block, self.watched = path, dialect, block, watched
        self.header = check_columns(columns, path) if columns else []
        self.rejects: list[Reject] = []
        self._ahead = Ahead(file)
        check_encoding(self._ahead.peek(4096), path)
        self._frames: list[pl.DataFrame] = []
        self._lines: list[pl.Series] = []

    def steps(self) -> Iterator[None]:
        """Read on, a block or some records at a time."""
        number = 1  # of the next line
        while data := self._ahead.peek(self.block):
            is_all = len(data) < self.block
            clean = clean_records(data, is_all, self.dialect, len(self.header)) if self.header else None
            if clean is not None:
                self._keep(parse_clean(data[: clean.size], self.dialect, len(self.header)), number + clean.starts)
                self._ahead.skip(clean.size)
                number += clean.n_lines
            else:
                number = self._one_by_one(number)
            yield

    def _one_by_one(self, number: int) -> int:
        """Read some records as they come. Returns the number of the line behind them."""
        lines = Lines(self._ahead, number)
        rows, at = [], []
        until = self.watched if self.header else 1
        for line, record in _records(lines, self._parse, self.dialect.quote or '"', len(self.header) or None):
            if isinstance(record, Reject) and not self.header:
                raise DataError(
                    f"The header of {self.path} cannot be read: {record.reason}.\nFix: correct line {line}."
                )
            if isinstance(record, Reject):
                self.rejects.append(record)
            elif not self.header:
                self.header = check_columns(record, self.path)
            elif len(record) != len(self.header):
                reason = f"{len(record)} fields where the header has {len(self.header)}"
                self.rejects.append(Reject(line, reason, self.dialect.delimiter.join(record)[:SHOWN]))
            else:
                rows.append(record)
                at.append(line)
            until -= 1
            if until <= 0:
                break
        lines.give_back()
        if rows:
            names = [str(place) for place in range(len(self.header))]
            columns = zip(names, zip(*rows, strict=True), strict=True)
            frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in columns})
            self._keep(frame, pl.Series(at, dtype=pl.Int64))
        return lines.number

    def _parse(self, text: str) -> Cells:
        return _parse_record(text, self.dialect.options)

    def _keep(self, frame: pl.DataFrame, lines: pl.Series) -> None:
        self._frames.append(frame)
        self._lines.append(lines)

    def cells(self) -> dict[str, pl.Series]:
        """Every column as it is written."""
        if not self._frames:
            return {name: pl.Series(name, [], pl.String) for name in self.header}
        whole = pl.concat(self._frames, rechunk=True)
        return {name: whole.to_series(place).alias(name) for place, name in enumerate(self.header)}

    def lines(self) -> pl.Series:
        """The line each row begins on."""
        return pl.concat(self._lines, rechunk=True) if self._lines else pl.Series([], dtype=pl.Int64)


def _records(
    lines: Lines, parse: Callable[[str], Cells], quote: str, width: int | None
) -> Iterator[tuple[int, Cells | Reject]]:
    """Records with the line each begins on. A record is one line, or more where a quoted cell holds line breaks."""
    while (line := lines.look(0)) is not None:
        number = lines.number
        if isinstance(line, Reject) or not line.strip("\r\n"):
            lines.used(1)
            if isinstance(line, Reject):
                yield number, line
            continue
        record, n_lines = _parse_growing(lines, line, parse, quote, width)
        width = width or (len(record) if isinstance(record, list) else None)
        lines.used(n_lines)
        yield number, record


def _parse_growing(
    lines: Lines, first: str, parse: Callable[[str], Cells], quote: str, width: int | None
) -> tuple[Cells | Reject, int]:
    """One record from the next line on, and the lines it used; or that line set aside, if no number of lines will do.

    An open quote can only have closed where the quotes so far are even in number: only there is parsing tried again,
    and once, so that no file takes more than linear time.
    """
    try:
        return parse(first), 1
    except csv.Error as error:
        reason = f"broken quotes: {error}"
    if "unexpected end of data" in reason:
        parts, n_quotes, size = [first], first.count(quote), len(first)
        for place in range(1, JOIN_LIMIT):
            more = lines.look(place)
            if more is None or isinstance(more, Reject) or size > LINE_LIMIT:
                break
            parts.append(more)
            n_quotes += more.count(quote)
            size += len(more)
            if n_quotes % 2 == 0:
                record = _parse_or_none(parse, "".join(parts))
                if record is not None and width in (None, len(record)):
                    return record, place + 1
                break
    return Reject(lines.number, reason, first[:SHOWN]), 1


def _parse_or_none(parse: Callable[[str], Cells], text: str) -> Cells | None:
    try:
        return parse(text)
    except csv.Error:
        return None


def _parse_record(text: str, options: dict[str, Any]) -> Cells:
    """Cells of one record. Raises csv.Error if it is broken, or is more than one."""
    before = csv.field_size_limit(LINE_LIMIT)  # a setting of the whole process: put back at once
    try:
        reader = csv.reader(io.StringIO(text, newline=""), **options)
        record = next(reader)
        if next(reader, None) is not None:
            raise csv.Error("a line break outside quotes")
        return record
    finally:
        csv.field_size_limit(before)


def _typed(text: pl.Series) -> pl.Series:
    """A CSV column as integers or numbers where all its cells are, else as text; empty cells of numbers are null."""
    filled = text.set(text == "", None)
    if filled.null_count() < len(filled):
        said = filled.drop_nulls()
        if said.str.contains(r"^-?(0|[1-9][0-9]{0,17})$").all():  # 007 is a name, not a number
            return filled.cast(pl.Int64)
        if said.str.contains(NUMBER).all():
            return filled.cast(pl.Float64)
    return text
