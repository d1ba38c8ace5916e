"""What every writer gets: the columns to write, and what they mean. The floor of `writers`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.errors import DataError, nearest


class Matrix(Protocol):
    """What of a label matrix is written: ids (n,), votes (n, m) codes of labels, -1 where a function abstains."""

    ids: pl.Series
    votes: npt.NDArray[Any]
    labels: Labels


@dataclass(frozen=True)
class Content:
    """n rows to write.

    frame: all columns. table: the rows and their roles. labels: what codes mean, if anything is labelled.
    codes: (n,) the label of each row, -1 where there is none. soft: (n, k) probabilities, if they are known.
    """

    frame: pl.DataFrame
    table: Table
    labels: Labels | None = None
    codes: npt.NDArray[Any] | None = None
    soft: npt.NDArray[np.float64] | None = None
    label_column: str = "label"  # of the frame

    def column(self, name: str, what: str) -> pl.Series:
        """A column of the rows. Raises DataError if it is not there."""
        if name not in self.table.frame.columns:
            raise DataError(
                f"The rows have no column {name!r}, which {what} needs.\nFix: {nearest(name, self.table.frame.columns)}"
            )
        return self.table.frame[name]


def as_text(column: pl.Series) -> pl.Series:
    """A column of any type as strings; what is nested as JSON."""
    if column.dtype.is_nested():
        said = [None if value is None else json.dumps(as_plain(value), default=str) for value in column]
        return pl.Series(column.name, said, dtype=pl.String)
    if column.dtype == pl.Binary:
        return column.bin.encode("base64")
    return column.cast(pl.String)


def as_plain(value: Any) -> Any:
    """A cell as JSON can hold it."""
    return value.to_list() if isinstance(value, pl.Series) else value
