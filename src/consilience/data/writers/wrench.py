"""Rows and votes in WRENCH's JSON: an object of rows with label, weak_labels and data; label.json beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from consilience.data.writers.content import Content, Matrix, as_plain
from consilience.errors import DataError
from consilience.progress import track
from consilience.store.files import replacing


def to_wrench(content: Content, path: Path, matrix: Matrix | None = None) -> None:
    """One object; its keys are the ids. matrix: votes to write, on these rows or more of them.

    raises: DataError if there are no labels, the matrix lacks a row, or label.json says something else.
    """
    labels = content.labels or (matrix.labels if matrix is not None else None)
    if labels is None:
        raise DataError("WRENCH's JSON needs the labels.\nFix: read(..., gold=..., labels=[...]).")
    table = content.table
    names = json.dumps({str(code): name for code, name in enumerate(labels)}, ensure_ascii=False)
    _check_names(path, names)
    votes = _votes(table.ids, matrix) if matrix is not None else None
    codes = content.codes if content.codes is not None else np.full(len(table), -1)
    columns = [name for name in table.features.columns if name != table.id_column]
    if table.text_column is not None and "text" not in columns:
        columns = ["text" if name == table.text_column else name for name in columns]
    data = table.features.drop(table.id_column).rows()
    with replacing(path) as out:
        out.write(b"{")
        for place, id in track(enumerate(table.ids), f"writing {path.name}", len(table)):
            row = {
                "label": int(codes[place]),
                "weak_labels": [] if votes is None else votes[place].tolist(),
                "data": dict(zip(columns, map(as_plain, data[place]), strict=True)),
            }
            text = json.dumps(row, default=str)
            out.write((",\n" if place else "\n").encode() + f"{json.dumps(str(id))}: {text}".encode())
        out.write(b"\n}\n")
    with replacing(path.parent / "label.json") as out:
        out.write(names.encode())


def _check_names(path: Path, names: str) -> None:
    beside = path.parent / "label.json"
    if path.name == "label.json" or (beside.is_file() and json.loads(beside.read_text("utf-8")) != json.loads(names)):
        raise DataError(f"{beside} names other labels.\nFix: write into another folder.")


def _votes(ids: pl.Series, matrix: Matrix) -> np.ndarray:
    """Votes on these rows, in their order. returns: (n, m)."""
    if matrix.ids.equals(ids):
        return matrix.votes
    places = {id: place for place, id in enumerate(matrix.ids)}
    missing = next((id for id in ids if id not in places), None)
    if missing is not None:
        raise DataError(f"The matrix has no votes on the row {missing!r}.\nFix: give the matrix of these rows.")
    return matrix.votes[[places[id] for id in ids]]
