"""Votes that lie elsewhere and are too many to read: counted where they are, and brought here as distinct rows.

A scan of Parquet files, a GROUP BY of a database or of a cluster: each gives the distinct rows of votes and how often
they occur, which is all a label model learns from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.errors import DataError, VoteError, nearest
from consilience.labeling.matrix import LabelMatrix

ROWS = "rows"  # the column in which counts are given back


def count_rows(
    source: Path | str | pl.LazyFrame | pl.DataFrame,
    labels: Labels | Sequence[str],
    functions: Sequence[str] | None = None,
    *,
    count: str | None = None,
) -> LabelMatrix:
    """The label matrix of distinct rows, each with its count; see `LabelMatrix.scan`."""
    labels = Labels.of(labels)
    lazy = _lazy(source)
    schema = lazy.collect_schema()
    names = [name for name in schema.names() if name != count] if functions is None else list(functions)
    for name in [*names, *([count] if count else [])]:
        if name not in schema:
            raise DataError(f"There is no column {name!r}.\nFix: {nearest(name, schema.names())}")
    times = pl.len() if count is None else pl.col(count).sum()
    names_of = {name: kind.categories.to_list() for name, kind in schema.items() if isinstance(kind, pl.Enum)}
    lazy = lazy.with_columns(pl.col(name).to_physical() for name in names_of if name in names)  # numbers count faster
    groups = lazy.group_by(names).agg(times.alias("")).collect(engine="streaming")  # no function is called ""
    for name in set(names_of) & set(names):
        groups = groups.with_columns(
            pl.Series(name, [*names_of[name], None])[groups[name].fill_null(len(names_of[name]))]
        )
    if not len(groups):
        raise VoteError("There are no rows to count.\nFix: scan files that have rows of votes.")
    labels = labels.with_votes(_said(groups, names))
    votes = np.column_stack([_codes(groups[name], labels) for name in names])
    matrix = LabelMatrix.from_counts(votes, groups[""].cast(pl.Int64).to_numpy(), labels, names)
    found = matrix.patterns  # brought into the order that votes themselves have, whatever the scan's
    return LabelMatrix.from_counts(found.votes, found.counts, labels, names)


def _lazy(source: Any) -> pl.LazyFrame:
    if isinstance(source, (pl.DataFrame, pl.LazyFrame)):
        return source.lazy()
    try:
        lazy = pl.scan_parquet(source)
        lazy.collect_schema()  # a scan of no file fails only here
        return lazy
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{source} cannot be scanned: {error}\nFix: name Parquet files, or give a frame.") from None


def _said(groups: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """What the columns of names say, each once."""
    return sorted({said for name in names if groups[name].dtype == pl.String for said in groups[name].drop_nulls()})


def _codes(column: pl.Series, labels: Labels) -> npt.NDArray[np.int16]:
    """A column of label names (null abstains), or of codes (-1 or null abstains), as codes."""
    if column.dtype == pl.String:
        return labels.codes_of(column)
    if not column.dtype.is_integer():
        raise VoteError(
            f"Column {column.name!r} is of type {column.dtype}, which is no vote.\nFix: keep names or codes there."
        )
    return column.fill_null(ABSTAIN).to_numpy().astype(np.int16)


def as_frame(matrix: LabelMatrix) -> pl.DataFrame:
    """The distinct rows of a matrix: a column of label names (or null) a function, and how many rows there are."""
    found = matrix.patterns
    columns = {
        name: pl.Series(matrix.labels.decode(found.votes[:, place].tolist()), dtype=pl.String)
        for place, name in enumerate(matrix.names)
    }
    return pl.DataFrame({**columns, ROWS: found.counts})
