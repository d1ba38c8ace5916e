"""Terms come in: from files, frames, lists or lists by label, as one frame. Called by `lexicon`.

A line that cannot be used is set aside with its reason, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.read import FORMATS, load
from consilience.data.sources.raw import Raw, places
from consilience.data.table import Reject
from consilience.errors import DataError, FunctionError, nearest

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


@dataclass(frozen=True)
class Terms:
    """frame: columns term (as listed), phrase (trimmed, single spaces), id and label (null where not known)."""

    frame: pl.DataFrame
    rejects: tuple[Reject, ...]
    source: str


def terms_of(source: Any, *, term_column: str, label_column: str, id_column: str) -> Terms:
    """The terms of any source that `lexicon` takes. Raises FunctionError, DataError."""
    shown = Path(source).name if isinstance(source, (str, Path)) else "a list"
    raw = _raw(source, term_column, label_column, id_column)
    if term_column not in raw.frame.columns:
        raise DataError(
            f"The lexicon {shown} has no column {term_column!r}.\n"
            f"Fix: {nearest(term_column, raw.frame.columns)} Name it with term_column=..., or add a header line."
        )
    if label_column not in raw.frame.columns and label_column != "label":
        raise DataError(
            f"The lexicon {shown} has no column {label_column!r}.\nFix: {nearest(label_column, raw.frame.columns)}"
        )
    frame = raw.frame.select(
        pl.Series("line", raw.lines, pl.Int64),
        pl.col(term_column).cast(pl.String, strict=False).alias("term"),
        *(_column(raw.frame, name, alias) for name, alias in ((id_column, "id"), (label_column, "label"))),
    ).with_columns(pl.col("term").str.strip_chars().str.replace_all(r"\s+", " ").alias("phrase"))
    has_labels = label_column in raw.frame.columns
    bad = pl.col("phrase").fill_null("") == ""
    reason = pl.when(bad).then(pl.lit("no term")).otherwise(pl.lit("no label"))
    if has_labels:
        bad |= pl.col("label").is_null()
    aside = frame.filter(bad).with_columns(reason.alias("reason"))
    rejects = [*raw.rejects, *(Reject(row["line"], row["reason"], str(row["term"])[:200]) for row in aside.to_dicts())]
    kept = frame.filter(~bad).drop("line")
    if not len(kept):
        raise FunctionError(f"The lexicon {shown} has no terms.\nFix: give one or more non-empty strings.")
    return Terms(kept, tuple(sorted(rejects, key=lambda one: one.line)), shown)


def _column(frame: pl.DataFrame, name: str, alias: str) -> pl.Expr:
    """A column as strings without white space around them, null where there is nothing."""
    if name not in frame.columns:
        return pl.lit(None, pl.String).alias(alias)
    text = pl.col(name).cast(pl.String, strict=False).str.strip_chars()
    return pl.when(text != "").then(text).alias(alias)


def _raw(source: Any, term_column: str, label_column: str, id_column: str) -> Raw:
    if isinstance(source, (str, Path)):
        return _from_file(Path(source), {term_column, label_column, id_column})
    if isinstance(source, pl.DataFrame):
        return Raw(source, places(len(source)))
    if isinstance(source, Mapping):
        lists = {label: _strings(terms) for label, terms in source.items()}
        labels = [label for label, terms in lists.items() for _ in terms]
        frame = pl.DataFrame({term_column: [t for terms in lists.values() for t in terms], label_column: labels})
    elif isinstance(source, Iterable):
        frame = pl.DataFrame({term_column: pl.Series(_strings(source), dtype=pl.String)})
    else:
        raise FunctionError(f"Terms cannot be read from {source!r}.\nFix: give a path, a list or lists by label.")
    return Raw(frame, places(len(frame)))


def _strings(terms: Any) -> list[str]:
    """The terms of a list. Raises FunctionError for one that is no string."""
    if isinstance(terms, str) or not isinstance(terms, Iterable):
        raise FunctionError(f"The terms of a lexicon are {terms!r}.\nFix: give a list of strings.")
    listed = list(terms)
    bad = next((term for term in listed if not isinstance(term, str)), None)
    if bad is not None or None in listed:
        raise FunctionError(f"A lexicon has the term {bad!r}, which is no string.\nFix: give strings.")
    return listed


def _from_file(path: Path, as_written: set[str | None]) -> Raw:
    kind = path.suffix.lower()
    if kind != ".txt" and kind not in FORMATS:
        raise DataError(
            f"{path.name} has an ending that names no format.\nFix: give a .txt, .csv, .tsv, .jsonl or .parquet file."
        )
    if not path.is_file():
        raise DataError(f"There is no file {path}.\nFix: check the path.")
    if kind == ".txt" or kind in DELIMITED:
        content = path.read_bytes()
        if kind == ".txt" or b'"' not in content:
            return _from_lines(path, content, DELIMITED.get(kind))
    return load(path, None, None, '"', None, as_written)


def _from_lines(path: Path, content: bytes, delimiter: str | None) -> Raw:
    """Lines cut at a delimiter, the first of them the header; or one term a line. For files without quotes."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path} is written in UTF-16.\nFix: save it as UTF-8.")
    rejects: list[Reject] = []
    text = _decoded(content.removeprefix(b"\xef\xbb\xbf"), rejects)
    lines = pl.DataFrame({"line": pl.int_range(1, len(text) + 1, eager=True), "text": text})
    lines = lines.with_columns(pl.col("text").str.strip_chars_end("\r")).filter(pl.col("text") != "")
    if delimiter is None:
        return Raw(lines.select(term="text"), lines["line"], rejects)
    if not len(lines):
        raise DataError(f"{path} is empty.\nFix: write a header line and terms there.")
    header = lines["text"][0].split(delimiter)
    if len(set(header)) < len(header):
        raise DataError(f"The header of {path} names a column twice.\nFix: give each column its own name.")
    rows = lines[1:].with_columns(pl.col("text").str.split(delimiter).alias("cells"))
    fits = rows["cells"].list.len() == len(header)
    for line, cells in rows.filter(~fits).select("line", "text").iter_rows():
        n_fields = cells.count(delimiter) + 1
        rejects.append(Reject(line, f"{n_fields} fields where the header has {len(header)}", cells[:200]))
    rows = rows.filter(fits)
    frame = rows.select(pl.col("cells").list.get(place).alias(name) for place, name in enumerate(header))
    return Raw(frame, rows["line"], rejects)


def _decoded(content: bytes, rejects: list[Reject]) -> list[str]:
    """The lines as text. One that is not UTF-8 is set aside, and empty here."""
    lines = content.split(b"\n")
    try:
        return content.decode().split("\n")
    except UnicodeDecodeError:
        return [_decoded_line(line, number, rejects) for number, line in enumerate(lines, 1)]


def _decoded_line(line: bytes, number: int, rejects: list[Reject]) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        rejects.append(
            Reject(number, f"not UTF-8 at byte {error.start + 1} of the line", line[:200].decode(errors="replace"))
        )
        return ""
