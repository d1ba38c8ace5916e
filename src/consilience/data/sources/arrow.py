"""Rows of Parquet files, Arrow IPC (Feather) files, and folders that Hugging Face Datasets saved.

Polars reads all three: neither pyarrow nor datasets is needed. Such files hold no lines: either they can be read whole
or not at all; only what a packed file claims to hold is checked before memory is taken for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from consilience.data.sources.arrow_claims import check_claims
from consilience.data.sources.lines import check_file
from consilience.data.sources.raw import COLUMN_LIMIT, ROW_WORDS, Raw, places
from consilience.errors import DataError, nearest

CELLS_FREE = 200_000_000  # cells a Parquet file of any size may claim
CELLS_A_BYTE = 200  # and beyond that, cells for each byte of the file


def from_parquet(path: Path) -> Raw:
    """Rows of a Parquet file."""
    n_rows_of_parquet(path)
    try:
        with path.open("rb") as file:  # a file, not its path: Polars takes * and [ in a path for a pattern
            frame = pl.read_parquet(file)
    except BaseException as error:  # also PanicException, which is no Exception
        raise broken(path, "a readable Parquet file", error) from error
    return Raw(frame, places(len(frame)))


def n_rows_of_parquet(path: Path) -> int:
    """How many rows a Parquet file has. Raises DataError if it is none, or claims more than is sound."""
    check_file(path)
    try:
        with path.open("rb") as file:
            rows, columns = _claim(file)
    except BaseException as error:
        raise broken(path, "a readable Parquet file", error) from error
    _check_claim(path, rows, columns)
    return rows


def _claim(file: BinaryIO) -> tuple[int, int]:
    """Rows and columns a Parquet file says it has."""
    scan = pl.scan_parquet(file)
    return int(scan.select(pl.len()).collect().item()), len(scan.collect_schema())


def _check_claim(path: Path, rows: int, columns: int) -> None:
    """Raise DataError if so small a file claims so many cells that it is made to fill memory."""
    size = path.stat().st_size
    if columns > COLUMN_LIMIT:
        raise DataError(f"{path} has {columns:,} columns; {COLUMN_LIMIT:,} is the most a table has.\nFix: {ROW_WORDS}")
    if rows * max(columns, 1) > CELLS_FREE + CELLS_A_BYTE * size:
        raise DataError(
            f"{path} claims {rows:,} rows of {columns:,} columns in {size:,} bytes.\n"
            "Fix: if you trust it, read a part of it with read_sql(...)."
        )


def from_arrow(path: Path) -> Raw:
    """Rows of an Arrow IPC file (Feather version 2), or of a stream in a file."""
    check_file(path)
    frame = _read_ipc(path)
    return Raw(frame, places(len(frame)))


def _read_ipc(path: Path) -> pl.DataFrame:
    """Both forms of the format: the file form begins with its name."""
    try:
        check_claims(path)
        with path.open("rb") as file:
            read = pl.read_ipc if file.read(6) == b"ARROW1" else pl.read_ipc_stream
        with path.open("rb", buffering=0) as file:  # opened again: Polars reads on where the system stands in the file
            return read(file)
    except BaseException as error:
        raise broken(path, "a readable Arrow file", error) from error


def broken(path: Path, what: str, error: BaseException) -> BaseException:
    """The error to raise for a file that Polars cannot read, whatever Polars raised."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return error
    said = str(error).split("\n")[0][:200]
    return DataError(f"{path} is not {what} ({said}).\nFix: write it again.")


def is_saved_dataset(folder: Path) -> bool:
    """Whether Datasets' save_to_disk made this folder."""
    return folder.is_dir() and any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def from_saved_dataset(folder: Path, split: str | None) -> Raw:
    """Rows of a folder made by Datasets' save_to_disk; names of classes come along. split: which part of several."""
    if (folder / "dataset_dict.json").is_file():
        parts = _json_object(folder / "dataset_dict.json").get("splits")
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise DataError(f"{folder / 'dataset_dict.json'} names no splits.\nFix: save the dataset again.")
        folder = _inside(folder, one_split(parts, split, str(folder)))
    state = _json_object(folder / "state.json")
    if state.get("_indices_data_files"):
        raise DataError(f"{folder} was saved by an old version, with indices.\nFix: save it again with Datasets >= 3.")
    files = state.get("_data_files")
    names = [file.get("filename") if isinstance(file, dict) else None for file in files or ()]
    if not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{folder / 'state.json'} names no data files.\nFix: save the dataset again.")
    paths = [_inside(folder, str(name)) for name in names]
    for path in paths:
        check_file(path)
    try:
        frame = pl.concat([_read_ipc(path) for path in paths], how="vertical")
    except pl.exceptions.PolarsError as error:
        raise broken(folder, "a dataset of one kind of rows", error) from None
    info = folder / "dataset_info.json"
    features = _json_object(info).get("features") if info.is_file() else None
    return Raw(frame, places(len(frame)), names=class_names(features))


def _inside(folder: Path, name: str) -> Path:
    """The file or folder of that name directly in a folder: a saved dataset may not send us elsewhere."""
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0:"):
        raise DataError(f"{folder} names {name!r}, which is not in it.\nFix: save the dataset again.")
    return folder / name


def one_split(parts: Sequence[str], split: str | None, what: str) -> str:
    """The split that is meant. Raises DataError if it is not there, or one of several must be chosen."""
    if split is None and len(parts) == 1:
        return parts[0]
    if split is None or split not in parts:
        found = "several splits" if split is None else f"no split {split!r}"
        raise DataError(f"{what} has {found}.\nFix: read(..., split='one of them'). {nearest(split or '', parts)}")
    return split


def class_names(features: Any) -> dict[str, Mapping[Any, str | None]]:
    """Names of the values of columns that are classes; -1 is nothing, as Datasets has it."""
    found: dict[str, Mapping[Any, str | None]] = {}
    for column, kind in features.items() if isinstance(features, dict) else ():
        names = kind.get("names") if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = {**dict(enumerate(names)), -1: None}
    return found


def _json_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.\nFix: save the dataset again.") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} is no JSON object.\nFix: save the dataset again.")
    return found
