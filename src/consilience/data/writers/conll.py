"""Sentences as CoNLL: a token a line, its columns parted by tabs, an empty line behind each sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from consilience.data.writers.content import Content
from consilience.errors import DataError
from consilience.progress import track
from consilience.store.files import replacing

BROKEN = re.compile(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


def to_conll(content: Content, path: Path, columns: Sequence[str] | None = None) -> None:
    """Tokens and their tags. columns: lists of strings, tokens first; default "tokens", and "tags" if it is there.

    raises: DataError if lists differ in length, or a token would not be read back as it is.
    """
    if columns is None:
        columns = ["tokens", *(["tags"] if "tags" in content.table.frame.columns else [])]
    lists = [content.column(name, "CoNLL").to_list() for name in columns]
    if any(content.table.frame[name].dtype != pl.List(pl.String) for name in columns):
        raise DataError(
            f"CoNLL needs lists of strings in {', '.join(columns)}.\nFix: name columns that hold such lists."
        )
    with replacing(path) as out:
        for id, *parts in track(
            zip(content.table.ids, *lists, strict=True), f"writing {path.name}", len(content.frame)
        ):
            out.write(_sentence(id, [part or [] for part in parts]).encode("utf-8"))


def _sentence(id: object, parts: list[list[str | None]]) -> str:
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"Row {id!r} has lists of different lengths.\nFix: give each token one tag.")
    lines = []
    for cells in zip(*parts, strict=True):
        if any(not cell or BROKEN.search(cell) for cell in cells) or not str(cells[0]).strip():
            raise DataError(
                f"Row {id!r} has the token {cells!r}, which CoNLL cannot hold.\n"
                "Fix: leave out empty tokens and line breaks."
            )
        lines.append("\t".join(map(str, cells)) + "\n")
    return "".join(lines) + "\n"
