"""Rows with soft labels, weights and the reason each is there. Made by label models, eaten by end models, exported.

Every exporter hangs here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.errors import DataError
from consilience.store.files import replacing

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

    def to_parquet(self, path: Path | str) -> None:
        """Write `frame` as Parquet."""
        with replacing(Path(path)) as out:
            self.frame.write_parquet(out)

    def to_jsonl(self, path: Path | str) -> None:
        """Write one JSON object a line."""
        with replacing(Path(path)) as out:
            self.frame.write_ndjson(out)

    def to_csv(self, path: Path | str, *, for_spreadsheets: bool = False) -> None:
        """Write CSV; lists become JSON. for_spreadsheets: cells a spreadsheet would run as formulas get a leading '."""
        frame = self.frame
        frame = frame.with_columns(_as_text(frame[name]) for name, kind in frame.schema.items() if kind.is_nested())
        if for_spreadsheets:
            text = pl.selectors.string()
            risky = text.str.contains(r"^[=+\-@\t\r]")
            frame = frame.with_columns(pl.when(risky).then("'" + text).otherwise(text).name.keep())
        with replacing(Path(path)) as out:
            frame.write_csv(out)

    def to_huggingface(self, folder: Path | str) -> None:
        """Write a folder that `datasets.load_dataset(folder)` reads: Parquet, and a card naming the classes."""
        codes = pl.Series("label", self.soft_labels.argmax(axis=1), dtype=pl.Int64)
        frame = self.frame.with_columns(codes)
        frame = frame.with_columns(_as_text(frame[name]) for name, kind in frame.schema.items() if not _card_type(kind))
        with replacing(Path(folder) / "data" / "train-00000-of-00001.parquet") as out:
            frame.write_parquet(out)
        with replacing(Path(folder) / "README.md") as out:
            out.write(self._card(frame.schema).encode())

    def _card(self, schema: pl.Schema) -> str:
        features = []
        for name, kind in schema.items():
            features.append(f"  - name: {json.dumps(name)}")
            if name == "label":
                features.append("    dtype:\n      class_label:\n        names:")
                features += [f"          '{code}': {json.dumps(label)}" for code, label in enumerate(self.labels)]
            else:
                features.append(f"    {_card_type(kind)}")
        return (
            "---\ndataset_info:\n  features:\n" + "\n".join(features) + "\n"
            "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n\n"
            f"{len(self)} rows labelled by Consilience: `label` is the most probable class, `p_...` the probability\n"
            "of each, `why` the functions that voted.\n"
        )


def _card_type(kind: pl.DataType, key: str = "dtype") -> str:
    """A column's type in the words of a dataset card; empty for a type that has none there."""
    if kind == pl.String or kind == pl.Boolean:
        return f"{key}: {'string' if kind == pl.String else 'bool'}"
    if kind.is_integer() or kind in (pl.Float32, pl.Float64):
        return f"{key}: {str(kind).lower()}"
    return _card_type(cast(pl.DataType, kind.inner), "list") if isinstance(kind, pl.List) and key == "dtype" else ""


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"row_{name}"
    return name


def _as_text(column: pl.Series) -> pl.Series:
    """A column of any type as strings; what is nested as JSON."""
    if column.dtype.is_nested():
        return pl.Series(column.name, [None if v is None else json.dumps(_as_list(v), default=str) for v in column])
    return column.cast(pl.String)


def _as_list(value: Any) -> Any:
    return value.to_list() if isinstance(value, pl.Series) else value
