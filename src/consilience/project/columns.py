"""Columns of votes in a project's store: one Parquet blob each, with label names in it, never integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.errors import StoreError
from consilience.labeling.apply import column_key
from consilience.labeling.casting import Column
from consilience.labeling.function import Failure
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type
from consilience.store.catalogue import Catalogue
from consilience.store.files import Blobs


class StoredColumns:
    """The cache `apply` reads and writes, kept in the catalogue and blobs of a project."""

    def __init__(self, catalogue: Catalogue, blobs: Blobs) -> None:
        self.catalogue = catalogue
        self.blobs = blobs

    def __contains__(self, key: object) -> bool:
        return self.catalogue.one("SELECT 1 FROM vote_column WHERE key = ?", key) is not None

    def __getitem__(self, key: str) -> Column:
        row = self.catalogue.one("SELECT * FROM vote_column WHERE key = ?", key)
        if row is None:
            raise KeyError(key)
        votes = pl.read_parquet(BytesIO(self.blobs.get(row["blob"])))["vote"]
        names = votes.drop_nulls().unique().sort().to_list()
        codes = Labels(*names).codes_of(votes) if names else np.full(len(votes), ABSTAIN, np.int16)
        failure = Failure(row["failed"], row["failed_id"], row["failure"]) if row["failed"] else None
        return Column(codes, tuple(names), failure, row["seconds"])

    def __setitem__(self, key: str, column: Column) -> None:
        names = [*column.labels, None]
        votes = pl.Series("vote", names, dtype=pl.String)[column.codes.astype(np.int64) % len(names)]
        buffer = BytesIO()
        pl.DataFrame(votes).write_parquet(buffer)
        blob = self.blobs.put(buffer.getvalue())
        failed = column.failure
        self.catalogue.write(
            "INSERT OR REPLACE INTO vote_column VALUES (?, ?, ?, ?, ?, ?)",
            key,
            blob,
            failed.count if failed else 0,
            failed.first_id if failed else None,
            failed.first_error if failed else None,
            column.seconds,
        )

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
