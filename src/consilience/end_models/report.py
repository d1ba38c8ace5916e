"""How good predictions are on rows with gold: metrics with intervals, confusion, and the same by slice with row ids.

Made by `evaluate` of every end model, and for label models by `report_votes`; shown in terminal, notebook and JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels, labels_in
from consilience.data.table import Table
from consilience.errors import DataError
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.apply import apply
from consilience.labeling.function import LabelingFunction
from consilience.labeling.matrix import LabelMatrix
from consilience.metrics import (
    NOTHING,
    Interval,
    accuracy_of,
    bootstrap_tables,
    confusion,
    f1_by_class,
    macro_f1_of,
    percentile_interval,
    wilson,
)
from consilience.views import View

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Slices = Sequence[LabelingFunction] | Mapping[str, LabelingFunction]


@dataclass(frozen=True)
class SliceReport:
    """The figures on some of the rows. ids: of those rows; wrong: of those predicted wrongly."""

    name: str
    accuracy: Interval
    macro_f1: Interval
    f1: Interval
    ids: tuple[Any, ...]
    wrong: tuple[Any, ...]


@dataclass(frozen=True)
class Report:
    """The figures on all rows with gold, and on slices of them.

    accuracy: Wilson's interval. macro_f1: mean over classes. f1: of the last label, for two labels; else nothing.
    confusion: (k, k), gold down, predicted across. errors: id, gold, predicted (and text) of each wrong row.
    """

    labels: Labels
    whole: SliceReport
    slices: tuple[SliceReport, ...]
    confusion: Ints
    errors: pl.DataFrame
    note: str = ""

    @property
    def accuracy(self) -> Interval:
        """Share of rows predicted right."""
        return self.whole.accuracy

    @property
    def macro_f1(self) -> Interval:
        """Mean over classes of F1."""
        return self.whole.macro_f1

    @property
    def f1(self) -> Interval:
        """F1 of the last of two labels."""
        return self.whole.f1

    def view(self) -> View:
        """Lines for the whole and each slice."""
        two = len(self.labels) == 2
        columns = ["rows", "n", "wrong", "accuracy", "macro F1", *([f"F1 of {self.labels[-1]}"] if two else [])]
        lines = [
            [s.name, len(s.ids), len(s.wrong), s.accuracy, s.macro_f1, *([s.f1] if two else [])]
            for s in (self.whole, *self.slices)
        ]
        return View(columns, lines, notes=[self.note] if self.note else [])

    def confusion_view(self) -> View:
        """Gold down, predicted across."""
        rows = [[name, *map(int, row)] for name, row in zip(self.labels, self.confusion, strict=True)]
        return View(["gold \\ predicted", *self.labels], rows)

    def record(self) -> dict[str, Any]:
        """All figures as JSON can hold them."""
        return {
            "labels": list(self.labels),
            "rows": self.view().records(),
            "confusion": self.confusion.tolist(),
            "wrong_ids": [str(i) for i in self.whole.wrong],
            "note": self.note,
        }

    def __str__(self) -> str:
        return f"{self.view()}\n\n{self.confusion_view()}"

    def _repr_html_(self) -> str:
        return self.view().html() + self.confusion_view().html()


def make_report(
    table: Table,
    predicted: Ints,
    labels: Labels,
    *,
    slices: Mapping[str, Mask] | None = None,
    note: str = "",
    seed: int = 0,
) -> Report:
    """Report on predictions.

    table: rows, some with gold; only those count. predicted: (n,) codes. slices: (n,) bool by name.
    seed: of the bootstrap. raises: DataError if no row has gold.
    """
    gold = table.gold_codes(labels).astype(np.int64)
    scored = gold >= 0
    if not scored.any():
        raise DataError(
            "No row has gold to score against.\nFix: read(..., gold='the column'), and give some rows a label."
        )
    rows, gold, predicted = table.take(scored), gold[scored], predicted[scored]
    ids = np.array(rows.ids.to_list(), dtype=object)

    def part(name: str, mask: npt.NDArray[np.bool_]) -> SliceReport:
        return _figures(name, gold[mask], predicted[mask], ids[mask], len(labels), seed)

    wrong = gold != predicted
    shown = {"id": rows.ids, "gold": labels.decode(gold.tolist()), "predicted": labels.decode(predicted.tolist())}
    errors = pl.DataFrame(shown | ({"text": rows.texts} if rows.text_column else {})).filter(pl.Series(wrong))
    return Report(
        labels=labels,
        whole=part("all", np.ones(len(gold), bool)),
        slices=tuple(part(name, mask[scored]) for name, mask in (slices or {}).items()),
        confusion=confusion(gold, predicted, len(labels)),
        errors=errors,
        note=note,
    )


def report_votes(
    model: BaseLabelModel, matrix: LabelMatrix, *, slices: Mapping[str, Mask] | None = None, seed: int = 0
) -> Report:
    """Report on a label model. A row without votes gets the most frequent label; the report says how many did.

    matrix: votes on rows with gold. raises: DataError if none has gold or there are no rows behind the votes.
    """
    if matrix.table is None:
        raise DataError("These votes have no rows behind them.\nFix: make the matrix with apply(functions, table).")
    bare = int((~matrix.covered & (matrix.gold >= 0)).sum())
    usual = model.labels_[int(model.class_balance_.argmax())]
    note = f"{bare} rows without votes were given {usual!r}" if bare else ""
    return make_report(matrix.table, model.predict_codes(matrix), matrix.labels, slices=slices, note=note, seed=seed)


def slice_masks(rows: Table, slices: Slices) -> dict[str, Mask]:
    """Which rows each function votes on, by the function's name."""
    named = slices if isinstance(slices, Mapping) else {f.name or f.description: f for f in slices}
    if not named:
        return {}
    given = [label for function in named.values() for label in function.labels or ()]
    known = rows.labels
    new = [name for name in labels_in(given) if known is None or not known.speaks_of(name)]
    names = dict.fromkeys([*(known or ()), *new, *rows.gold_names()])
    votes = apply(named, rows, labels=Labels(*names, groups=None if known is None else known.groups))
    return {name: votes.votes[:, place] >= 0 for place, name in enumerate(votes.names)}


def _figures(name: str, gold: Ints, predicted: Ints, ids: npt.NDArray[Any], k: int, seed: int) -> SliceReport:
    table = confusion(gold, predicted, k)
    wrong = gold != predicted
    if not len(gold):
        return SliceReport(name, NOTHING, NOTHING, NOTHING, (), ())
    samples = bootstrap_tables(table, seed=seed)
    macro = percentile_interval(float(macro_f1_of(table)), macro_f1_of(samples))
    f1 = NOTHING
    if k == 2 and (gold == 1).any() | (predicted == 1).any():
        f1 = percentile_interval(float(f1_by_class(table)[-1]), f1_by_class(samples)[:, -1])
    accuracy = wilson(float(accuracy_of(table)) * len(gold), len(gold))
    return SliceReport(name, accuracy, macro, f1, tuple(ids.tolist()), tuple(ids[wrong].tolist()))
