"""What every reader returns, and the limits that all of them keep. The floor of `sources`.

A row that breaks a reader is set aside with its line and the reason; the reader goes on behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.table import Reject
from consilience.errors import DataError

SHOWN = 200  # characters of a row that is set aside, which are kept to show
COLUMN_LIMIT = 10_000  # columns of one table
ROW_WORDS = "name them as rows of a long table (row, name, value), or keep them in one column."


@dataclass
class Raw:
    """What a source held: columns, the line (or place, from 1) of each row, and what was set aside.

    gold: the column of gold labels, if the format says so. names: of a column's values, by column: {0: "ham", ...}.
    """

    frame: pl.DataFrame
    lines: pl.Series
    rejects: list[Reject] = field(default_factory=list)
    gold: str | None = None
    names: dict[str, Mapping[Any, str | None]] = field(default_factory=dict)
    unit: str | None = None


def places(n: int) -> pl.Series:
    """1, 2, ... n."""
    return pl.int_range(1, n + 1, eager=True)


def check_columns(names: list[str], what: Path | str) -> list[str]:
    """The names of columns as they are. raises: DataError if one comes twice, or there are too many."""
    if len(names) > COLUMN_LIMIT:
        raise DataError(
            f"{what} has {len(names):,} columns; {COLUMN_LIMIT:,} is the most a table has.\nFix: {ROW_WORDS}"
        )
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"The header of {what} names column {twice!r} twice.\nFix: give each column its own name.")
    return names
