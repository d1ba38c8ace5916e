"""Rows that are in memory already: Polars, Arrow, pandas and Hugging Face tables, or an iterable of dicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from consilience.data.sources.arrow import class_names, one_split
from consilience.data.sources.raw import Raw, places
from consilience.data.sources.records import from_records, series
from consilience.errors import DataError


def from_memory(source: Any, split: str | None = None) -> Raw:
    """Rows of a Polars, Arrow, pandas or Hugging Face table, or an iterable of dicts. split: of a DatasetDict."""
    home = type(source).__module__.split(".")[0]
    if home == "datasets" and (isinstance(source, dict) or hasattr(source, "features")):
        return _from_datasets(source, split)
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        frame = source
    elif home == "pandas":
        frame = _from_pandas(source)
    elif hasattr(source, "__arrow_c_stream__"):
        frame = pl.DataFrame(source)
    elif isinstance(source, Iterable) and not isinstance(source, (bytes, dict)):
        return from_records((place, row, str(row)[:1000]) for place, row in enumerate(source, 1))
    else:
        raise DataError(
            f"Rows cannot be read from a {type(source).__name__}.\n"
            "Fix: give a path, a pandas, Polars, Arrow or Hugging Face table, or a list of dicts."
        )
    return Raw(frame, places(len(frame)))


def _from_pandas(source: Any) -> pl.DataFrame:
    """Column by column through Python values, so that neither pandas nor pyarrow is needed; NaN becomes null."""

    def values(column: Any) -> list[Any]:
        missing = source[column].isna().tolist()
        return [None if gone else value for value, gone in zip(source[column].tolist(), missing, strict=True)]

    return pl.DataFrame({str(column): series(values(column)) for column in source.columns})


def _from_datasets(source: Any, split: str | None) -> Raw:
    """A Dataset, a split of a DatasetDict, or what an IterableDataset gives; names of classes come along."""
    if isinstance(source, dict):
        source = source[one_split(list(source), split, "The DatasetDict")]
    if not hasattr(source, "to_polars"):
        raw = from_records((place, row, str(row)[:1000]) for place, row in enumerate(source, 1))
    else:
        frame = source.with_format(None).to_polars()
        raw = Raw(frame, places(len(frame)))
    features = source.features.to_dict() if source.features else {}
    raw.names = class_names(features)
    return raw
