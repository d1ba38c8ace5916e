"""Columns of votes in a project's store: Parquet blobs of the columns made together, label names in them.

The blob is written first and its lines in the catalogue last, so a killed run leaves whole columns or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.errors import StoreError
from consilience.labeling.apply import column_key
from consilience.labeling.casting import Column, column_codes, function_key, vote_series
from consilience.labeling.function import Failure
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type
from consilience.store.catalogue import Catalogue
from consilience.store.files import Blobs

KEPT = 8  # blobs whose columns are held in memory: those of a part lie in few


class StoredColumns:
    """The cache `apply` reads and writes, kept in the catalogue and blobs of a project."""

    def __init__(self, catalogue: Catalogue, blobs: Blobs) -> None:
        self.catalogue = catalogue
        self.blobs = blobs
        self._frames: dict[str, pl.DataFrame] = {}

    def __contains__(self, key: object) -> bool:
        return self.catalogue.one("SELECT 1 FROM vote_column WHERE key = ?", key) is not None

    def __getitem__(self, key: str) -> Column:
        row = self.catalogue.one("SELECT * FROM vote_column WHERE key = ?", key)
        if row is None:
            raise KeyError(key)
        codes, names = column_codes(self._frame(row["blob"])[row["field"]])
        failure = Failure(row["failed"], row["failed_id"], row["failure"], row["stops"]) if row["failed"] else None
        return Column(codes, names, failure, row["seconds"])

    def update(self, columns: Mapping[str, Column]) -> None:
        """Keep columns that were made together: one blob, and a line in the catalogue for each; all or none."""
        if not columns:
            return
        buffer = BytesIO()
        fields = {f"f{place}": vote_series(column) for place, column in enumerate(columns.values())}
        pl.DataFrame(fields).write_parquet(buffer)
        blob = self.blobs.put(buffer.getvalue())
        with self.catalogue.writing():
            for (key, column), field in zip(columns.items(), fields, strict=True):
                self.catalogue.write(
                    "INSERT OR REPLACE INTO vote_column (key, blob, field, failed, failed_id, failure, stops, seconds) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    *(key, blob, field, *_failed(column.failure), column.seconds),
                )

    def _frame(self, blob: str) -> pl.DataFrame:
        if blob not in self._frames:
            while len(self._frames) >= KEPT:
                self._frames.pop(next(iter(self._frames)))
            self._frames[blob] = pl.read_parquet(BytesIO(self.blobs.get(blob)))
        return self._frames[blob]

    def keys_of(self, record: Mapping[str, Any], labels: Labels) -> Iterator[str]:
        """The keys of the columns that a run of apply used. record: what the catalogue notes of the run."""
        for info in infos_of(record):
            key = function_key(info, labels)
            yield from (f"{key}-{part}" for part in record["parts"])

    def matrix(self, infos: Sequence[FunctionInfo], part: Table, labels: Labels) -> LabelMatrix:
        """Stored votes of these functions on one part of the rows, with what failed when they were cast.

        raises: StoreError if a column is not there.
        """
        space = labels.with_votes(name for info in infos for name in info.labels or ())
        known = []
        votes = np.empty((len(part), len(infos)), vote_type(len(space.votes)), order="F")
        for place, info in enumerate(infos):
            try:
                column = self[column_key(info, part, labels)]
            except KeyError:
                raise StoreError(
                    f"The votes of {info.name!r} are not in the store.\nFix: run `consilience apply`."
                ) from None
            votes[:, place] = column.coded(space)
            known.append(replace(info, failure=column.failure, seconds=column.seconds, from_store=True))
        return LabelMatrix(votes, space, part.ids, known, part.gold_codes(space), part)


def infos_of(record: Mapping[str, Any]) -> list[FunctionInfo]:
    """The functions of a run of apply, as its record has them."""
    return [
        FunctionInfo(f["name"], f["kind"], f["labels"] and tuple(f["labels"]), f["description"], f["fingerprint"])
        for f in record["functions"]
    ]


def _failed(failure: Failure | None) -> tuple[int, str | None, str | None, int]:
    return (failure.count, failure.first_id, failure.first_error, failure.stops) if failure else (0, None, None, 0)
