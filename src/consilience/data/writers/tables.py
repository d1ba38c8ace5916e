"""Rows as one table: Parquet, Arrow IPC, JSON lines, CSV. Each file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from consilience.data.writers.content import Content, as_text
from consilience.store.files import replacing

# What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian text
FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
FOR_ALL = pl.CompatLevel.oldest()  # types that every reader of Arrow knows


def to_parquet(content: Content, path: Path) -> None:
    """All columns as they are."""
    with replacing(path) as out:
        content.frame.write_parquet(out)


def to_arrow(content: Content, path: Path) -> None:
    """All columns as they are, in the file form of Arrow IPC (Feather version 2)."""
    with replacing(path) as out:
        content.frame.write_ipc(out, compat_level=FOR_ALL)


def to_jsonl(content: Content, path: Path) -> None:
    """One JSON object a line; bytes as base64."""
    frame = content.frame
    with replacing(path) as out:
        frame.with_columns(
            as_text(frame[name]) for name, kind in frame.schema.items() if kind == pl.Binary
        ).write_ndjson(out)


def to_csv(content: Content, path: Path, separator: str = ",", for_spreadsheets: bool = False) -> None:
    """Cells as text, what is nested as JSON; for_spreadsheets: what would run as a formula gets a leading '."""
    frame = content.frame
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    frame = frame.with_columns(as_text(frame[name]) for name in nested)
    if for_spreadsheets:
        frame = harmless(frame)
    with replacing(path) as out:
        frame.write_csv(out, separator=separator)


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a ' before every text, and name of a column, that a spreadsheet would run."""
    text = pl.selectors.string()
    frame = frame.with_columns(pl.when(text.str.contains(FORMULA)).then("'" + text).otherwise(text).name.keep())
    names = pl.Series(frame.columns, dtype=pl.String)
    risky = names.filter(names.str.contains(FORMULA)).to_list()
    return frame.rename({name: f"'{name}" for name in risky})
