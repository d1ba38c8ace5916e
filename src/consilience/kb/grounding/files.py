"""Files of rows: TSV and TSJ as the published systems wrote them, CSV, JSON lines and Parquet, also compressed.

TSV (values as Postgres writes them) and TSJ (values as JSON) have no header and go by position; a first line that
repeats the names of the columns is skipped. The others go by name.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import polars as pl

from consilience.errors import DataError
from consilience.kb.grounding.load import load, polars_type
from consilience.kb.grounding.scripts import array, from_tsj, from_tsv
from consilience.kb.grounding.store import Store
from consilience.kb.language.tree import Program
from consilience.kb.sql.schema import Schema

TRUTHS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
SUFFIXES = (".tsv", ".tsj", ".csv", ".jsonl", ".ndjson", ".parquet")


def load_file(
    store: Store, program: Program, relation: str, path: str | os.PathLike[str], *, replace: bool = True
) -> int:
    """Make the rows of a file the base rows of a relation. Returns how many there are.

    path: .tsv, .tsj, .csv, .jsonl or .parquet; text also with .gz or .bz2 behind.
    raises: DataError naming file and line of what cannot be read, or column and row of what does not fit.
    """
    return load(store, program, relation, read_rows(Schema(program), relation, Path(path)), replace=replace)


def read_rows(schema: Schema, relation: str, file: Path) -> pl.DataFrame:
    """The rows of a file, as the columns of a relation."""
    names = schema.columns(relation)
    kind = file.with_suffix("").suffix if file.suffix in (".gz", ".bz2") else file.suffix
    if kind not in SUFFIXES:
        raise DataError(
            f"{file} is of no kind that is read here.\nFix: name it {', '.join(SUFFIXES)}, or load a frame."
        )
    try:
        if kind == ".parquet":
            return pl.read_parquet(file)
        if kind == ".csv":
            with _opened(file) as stream:
                frame = pl.read_csv(stream, infer_schema=False)
            return _typed(schema, relation, frame, empty_is_null=True, where=file)
        with _opened(file) as stream:
            if kind in (".jsonl", ".ndjson"):
                return _from_objects(schema, relation, stream, file)
            read = from_tsj if kind == ".tsj" else _fast_tsv
            columns = _by_position(stream, read, names, file)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}\nFix: check the path.") from None
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {str(error).splitlines()[0][:300]}\nFix: correct the file.") from None
    if kind == ".tsv":
        texts = pl.DataFrame({n: pl.Series(n, c, dtype=pl.String) for n, c in zip(names, columns, strict=True)})
        return _typed(schema, relation, texts, empty_is_null=False, where=file)
    return _from_values(schema, relation, dict(zip(names, columns, strict=True)), file)


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return gzip.open(file)  # type: ignore[return-value]
    return bz2.open(file) if file.suffix == ".bz2" else file.open("rb")


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, 1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        yield number, text.removesuffix("\n").removesuffix("\r")


def _fast_tsv(line: str) -> list[Any]:
    return from_tsv(line) if "\\" in line else line.split("\t")


def _by_position(
    stream: IO[bytes], read: Callable[[str], list[Any]], names: tuple[str, ...], file: Path
) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for number, line in _lines(stream):
        if not line and len(names) > 1:
            continue
        try:
            row = read(line)
        except ValueError as error:
            if number == 1 and line.split("\t") == list(names):
                continue
            raise DataError(f"{file}, line {number}: {error}: {line[:120]!r}\nFix: correct the line.") from None
        if number == 1 and row == list(names):
            continue
        if len(row) != len(names):
            raise DataError(
                f"{file}, line {number} has {len(row)} values, not {len(names)} ({', '.join(names)}).\n"
                "Fix: put a tab between values, and write a tab inside one as \\t."
            )
        rows.append(row)
    return [list(c) for c in zip(*rows, strict=True)] if rows else [[] for _ in names]


def _from_objects(schema: Schema, relation: str, stream: IO[bytes], file: Path) -> pl.DataFrame:
    names = schema.columns(relation)
    columns: dict[str, list[Any]] = {n: [] for n in names}
    for number, line in _lines(stream):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}: {line[:120]!r}\nFix: correct the line.") from None
        if not isinstance(row, dict) or not row.keys() <= columns.keys():
            what = f"a column {next(k for k in row if k not in columns)!r}" if isinstance(row, dict) else "no names"
            raise DataError(f"{file}, line {number} has {what}.\nFix: {relation} has {', '.join(names)}.")
        for name in names:
            columns[name].append(row.get(name))
    return _from_values(schema, relation, columns, file)


def _from_values(schema: Schema, relation: str, columns: dict[str, list[Any]], file: Path) -> pl.DataFrame:
    """A frame of values as JSON has them."""
    made = []
    for name, kind in zip(schema.columns(relation), schema.types(relation), strict=True):
        written = kind.sql("duckdb") if kind is not None else "TEXT"
        values = columns[name]
        if written == "JSON":
            values = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        wanted = polars_type(written)
        try:
            made.append(pl.Series(name, values, dtype=wanted, strict=True))
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            made.append(_untyped(name, values, written, file))
    return pl.DataFrame(made)


def _untyped(name: str, values: list[Any], written: str, file: Path) -> pl.Series:
    """A column that is not as declared as it comes, for `load` to say what is wrong, or to convert."""
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        raise DataError(
            f"{file}: column {name!r} is declared {written}, but has values of several other kinds.\n"
            "Fix: correct the values, or declare the column as json."
        ) from None


def _typed(schema: Schema, relation: str, frame: pl.DataFrame, *, empty_is_null: bool, where: Path) -> pl.DataFrame:
    """A frame of texts with each column as declared."""
    types = dict(zip(schema.columns(relation), schema.types(relation), strict=True))
    made = []
    for name in frame.columns:
        kind = types.get(name)
        written = kind.sql("duckdb") if kind is not None else "TEXT"
        made.append(_parsed(frame[name], written, empty_is_null, where))
    return pl.DataFrame(made)


def _parsed(texts: pl.Series, written: str, empty_is_null: bool, where: Path) -> pl.Series:
    wanted = polars_type(written)
    if wanted == pl.String:
        return texts
    if empty_is_null:
        texts = pl.select(pl.when(texts != "").then(texts).alias(texts.name)).to_series()
    if isinstance(wanted, pl.List):
        return _arrays(texts, wanted, where)
    if wanted == pl.Boolean:
        made = texts.str.to_lowercase().replace_strict(TRUTHS, default=None, return_dtype=pl.Boolean)
    else:
        made = texts.str.strip_chars().cast(wanted, strict=False)
    _refuse_lost(texts, made, written, where)
    return made


def _refuse_lost(texts: pl.Series, made: pl.Series, written: str, where: Path) -> None:
    lost = made.is_null() & texts.is_not_null()
    if lost.any():
        row = lost.arg_true()[0]
        raise DataError(
            f"{where}: row {row} has {texts[row]!r} in column {texts.name!r}, which is declared {written}.\n"
            "Fix: correct the value, or declare the column with another type."
        )


def _arrays(texts: pl.Series, wanted: pl.List, where: Path) -> pl.Series:
    found: list[Any] = []
    for row, text in enumerate(texts):
        try:
            found.append(None if text is None else json.loads(text) if text.lstrip().startswith("[") else array(text))
        except ValueError:
            raise DataError(
                f"{where}: row {row} has {text[:80]!r} in column {texts.name!r}, which is no array.\n"
                "Fix: write it as {a,b} or [a, b]."
            ) from None
    inner = wanted.inner
    strings = pl.Series(texts.name, found, dtype=pl.List(pl.String), strict=False)
    made = strings if inner == pl.String else strings.cast(wanted, strict=False)
    _refuse_lost(texts, made, f"an array of {inner}", where)
    return made
