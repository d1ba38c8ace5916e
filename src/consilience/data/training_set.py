"""Rows with soft labels, weights and the reason each is there. Made by label models, eaten by end models, exported.

Every exporter hangs here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.data.writers.content import Content
from consilience.errors import DataError

Floats = npt.NDArray[np.float64]


class TrainingSet:
    """n rows to train on.

    table: the rows. soft_labels: (n, k) probabilities, rows summing to 1. weights: (n,) not negative.
    why: (n,) who said what.

    >>> rows = Table(pl.DataFrame({"id": [1], "text": ["hi"]}))
    >>> made = TrainingSet(rows, Labels("ham", "spam"), np.array([[0.9, 0.1]]), np.ones(1), ["short=ham"])
    >>> made.frame.columns
    ['id', 'text', 'label', 'p_ham', 'p_spam', 'weight', 'why']
    """

    def __init__(self, table: Table, labels: Labels, soft_labels: Floats, weights: Floats, why: Sequence[str]) -> None:
        n, k = len(table), len(labels)
        if soft_labels.shape != (n, k) or weights.shape != (n,) or len(why) != n:
            raise DataError(
                f"{n} rows and {k} labels need {n} x {k} probabilities, {n} weights and {n} reasons, not "
                f"{soft_labels.shape}, {weights.shape} and {len(why)}.\nFix: make the training set with a label model."
            )
        self.table = table
        self.labels = labels
        self.soft_labels = soft_labels
        self.weights = weights
        self.why = list(why)

    @classmethod
    def from_gold(cls, table: Table, labels: Labels | None = None) -> TrainingSet:
        """The rows that have gold, each with its gold label for certain: what a supervised model trains on."""
        labels = (labels or table.labels or Labels(*table.gold_names())).plain
        chosen = table.take(table.has_gold())
        if not len(chosen):
            raise DataError("The table has no gold.\nFix: read(..., gold='the column'), or use a label model.")
        certain = np.eye(len(labels))[chosen.gold_codes(labels)]
        return cls(chosen, labels, certain, np.ones(len(chosen)), ["gold"] * len(chosen))

    @property
    def texts(self) -> list[str]:
        """The rows' texts."""
        return self.table.texts

    @property
    def hard_labels(self) -> list[str]:
        """Most probable label of each row."""
        return [self.labels[code] for code in self.soft_labels.argmax(axis=1).tolist()]

    @property
    def frame(self) -> pl.DataFrame:
        """Features, then `label`, `p_...` for each label, `weight`, `why`. A feature called so becomes `row_...`."""
        made = {"label": pl.Series(self.hard_labels, dtype=pl.String)}
        made |= {f"p_{name}": pl.Series(self.soft_labels[:, code]) for code, name in enumerate(self.labels)}
        made |= {"weight": pl.Series(self.weights), "why": pl.Series(self.why, dtype=pl.String)}
        features = self.table.features
        taken = {*features.columns, *made}
        return features.rename({n: _free_name(n, taken) for n in features.columns if n in made}).with_columns(**made)

    def __len__(self) -> int:
        return len(self.why)

    def __repr__(self) -> str:
        shares = self.soft_labels.mean(axis=0) if len(self) else np.zeros(len(self.labels))
        mix = ", ".join(f"{name} {share:.1%}" for name, share in zip(self.labels, shares, strict=True))
        return f"TrainingSet({len(self)} rows: {mix}; {len(Counter(self.why))} distinct reasons)"

    # exporters: each writes its file whole or not at all

    def write(self, path: Path | str, format: str | None = None, **options: Any) -> None:
        """Write `frame` in the format the path's ending names, or the one named; see consilience.data.write.write."""
        from consilience.data.write import write

        write(self._content(), path, format, **options)

    def to_parquet(self, path: Path | str) -> None:
        """Write `frame` as Parquet."""
        self.write(path, "parquet")

    def to_jsonl(self, path: Path | str) -> None:
        """Write one JSON object a line."""
        self.write(path, "jsonl")

    def to_csv(self, path: Path | str, *, for_spreadsheets: bool = False) -> None:
        """Write CSV; lists become JSON. for_spreadsheets: cells a spreadsheet would run as formulas get a leading '."""
        self.write(path, "csv", for_spreadsheets=for_spreadsheets)

    def to_huggingface(self, folder: Path | str) -> None:
        """Write a folder that `datasets.load_dataset(folder)` reads: Parquet, and a card naming the classes."""
        self.write(folder, "huggingface")

    def _content(self) -> Content:
        codes = self.soft_labels.argmax(axis=1)
        return Content(self.frame, self.table, self.labels, codes, self.soft_labels)


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"row_{name}"
    return name
