"""Which part of a CSV file is beyond doubt, and reading that part with Polars. Used by delimited.py.

Beyond doubt: UTF-8 without NULs or lone carriage returns, where every quote opens or closes a whole cell, or stands
for one inside a quoted cell, and every record has the width of the header and spans few lines. On such bytes Polars and
the reader that goes record by record agree (tests hold them together). Bytes are judged by their places in arrays.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.sources.lines import BOM
from consilience.errors import DataError

Places = npt.NDArray[np.int64]
LINE_FEED, RETURN, NUL = b"\n\r\0"
MOST_LINES = 500  # a record of more lines is left to the careful reader


@dataclass(frozen=True)
class Dialect:
    """How cells are set apart. quote None: quotes are ordinary characters. raises: DataError if that cannot be."""

    delimiter: str
    quote: str | None

    def __post_init__(self) -> None:
        marks = (self.delimiter, self.quote or '"')
        if any(len(mark) != 1 or mark in "\r\n\0" for mark in marks) or self.delimiter == self.quote:
            raise DataError(
                f"The delimiter {self.delimiter!r} and the quote {self.quote!r} must be single characters.\n"
                "Fix: give one each, two that differ and are no line ends."
            )

    @cached_property
    def options(self) -> dict[str, Any]:
        """For the csv module."""
        quoting = {"quoting": csv.QUOTE_NONE} if self.quote is None else {"quotechar": self.quote}
        return {"delimiter": self.delimiter, "strict": True, **quoting}

    @property
    def is_plain(self) -> bool:
        """Whether Polars may be asked: its marks are single bytes."""
        return self.delimiter.isascii() and (self.quote or "").isascii()


@dataclass(frozen=True)
class Clean:
    """Bytes beyond doubt: how many, the lines in them, and the line (from 0) on which each record begins."""

    size: int
    n_lines: int
    starts: pl.Series


def clean_records(data: bytes, is_all: bool, dialect: Dialect, width: int) -> Clean | None:
    """The whole records at the beginning of data, if they are beyond doubt.

    data begins with a record. is_all: nothing follows it. width: cells of a record. O(bytes).
    """
    if not dialect.is_plain or b"\0" in data or data.startswith(BOM):  # Polars takes a mark off any block
        return None
    if is_all and not data.endswith(b"\n"):
        data += b"\n"
    codes = np.frombuffer(data, np.uint8)
    lines = np.flatnonzero(codes == LINE_FEED)
    quotes = np.flatnonzero(codes == ord(dialect.quote)) if dialect.quote else np.empty(0, np.int64)
    ends = lines[_outside(lines, quotes)]
    if not len(ends) or (is_all and ends[-1] != len(data) - 1):
        return None
    size = int(ends[-1]) + 1
    codes, lines, quotes = codes[:size], lines[lines < size], quotes[quotes < size]
    if not _quotes_are_sound(codes, quotes, ord(dialect.delimiter)) or not _returns_are_sound(codes, quotes):
        return None
    commas = np.flatnonzero(codes == ord(dialect.delimiter))
    n_cells = np.diff(np.searchsorted(commas[_outside(commas, quotes)], ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    first_lines = np.searchsorted(lines, starts)
    is_empty = (codes[starts] == LINE_FEED) | ((codes[starts] == RETURN) & (ends == starts + 1))
    if (n_cells != width).any() or is_empty.any() or np.diff(first_lines, append=len(lines)).max() > MOST_LINES:
        return None
    try:
        data[:size].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return Clean(size, len(lines), pl.Series(first_lines, dtype=pl.Int64))


def _outside(places: Places, quotes: Places) -> npt.NDArray[np.bool_]:
    """Which places are outside quotes: before them the quotes are even in number."""
    return np.searchsorted(quotes, places) % 2 == 0 if len(quotes) else np.ones(len(places), bool)


def _quotes_are_sound(codes: npt.NDArray[np.uint8], quotes: Places, delimiter: int) -> bool:
    """Whether each opening quote begins a cell and each closing one ends it, bar those that stand for a quote."""
    if not len(quotes):
        return True
    mark = codes[quotes[0]]
    opening, closing = quotes[::2], quotes[1::2]
    before = codes[np.maximum(opening - 1, 0)]
    after = codes[np.minimum(closing + 1, len(codes) - 1)]
    begins = (opening == 0) | (before == delimiter) | (before == LINE_FEED) | (before == mark)
    ends = (after == delimiter) | (after == LINE_FEED) | (after == RETURN) | (after == mark)
    return bool(begins.all() and ends.all())


def _returns_are_sound(codes: npt.NDArray[np.uint8], quotes: Places) -> bool:
    """Whether carriage returns only stand before a line feed that ends a record."""
    returns = np.flatnonzero(codes == RETURN)
    return not len(returns) or bool((codes[returns + 1] == LINE_FEED).all() and _outside(returns, quotes).all())


def parse_clean(data: bytes, dialect: Dialect, width: int) -> pl.DataFrame:
    """Cells of bytes beyond doubt, as they are written; columns are called by their places."""
    names = [str(place) for place in range(width)]
    return pl.read_csv(
        io.BytesIO(data.replace(b"\r\n", b"\n")),
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        separator=dialect.delimiter,
        quote_char=dialect.quote,
        empty_string_is_null=False,
    )
