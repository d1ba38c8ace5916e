"""From a long table of answers (item, worker, label) to those that count. Used by crowd.py.

An answer that cannot count is set aside with its line and the reason: without item, worker or label, with a label that
is none, or not its worker's first to the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.labels import Labels
from consilience.data.read import load
from consilience.data.sources import Raw
from consilience.data.table import Reject, as_gold, whole
from consilience.errors import DataError, LabelError, nearest


@dataclass(frozen=True)
class Answers:
    """frame: columns item, worker, label, as text. items: all that were spoken of, in order, answered or not."""

    frame: pl.DataFrame
    items: list[str]
    labels: Labels
    rejects: list[Reject]


def read_answers(
    source: Any,
    columns: tuple[str, str, str],
    labels: Labels | Sequence[str] | None,
    also: Iterable[str] = (),
) -> Answers:
    """The answers that count, and those that do not.

    columns: of item, worker and label. labels: what may be said; default all that is said, and what is in also.
    raises: DataError if a column is not there or nothing is left.
    """
    raw = load_columns(source, columns)
    item, worker, label = (raw.frame[name] for name in columns)
    frame = pl.DataFrame({"item": as_names(item), "worker": as_names(worker), "label": as_gold(label, None)})
    space, unknown = _label_space(frame["label"], labels, also)
    judged = frame.with_columns(_reason(unknown).alias("reason"), pl.Series("line", raw.lines, pl.Int64))
    good = judged.filter(pl.col("reason").is_null())
    is_first = good.select(pl.struct("item", "worker").is_first_distinct()).to_series()
    kept = good.filter(is_first)
    rejects = [
        *raw.rejects,
        *_set_aside(judged.filter(pl.col("reason").is_not_null())),
        *_set_aside(good.filter(~is_first).drop("reason").join(_reasons_of_firsts(kept), on=["item", "worker"])),
    ]
    rejects.sort(key=lambda reject: reject.line)
    if not len(kept):
        why = f" Line {rejects[0].line}: {rejects[0].reason}." if rejects else ""
        raise DataError(
            f"There is no answer that counts; {len(rejects)} were set aside.{why}\n"
            "Fix: check the columns item=, worker= and label=, and the labels."
        )
    items = frame["item"].drop_nulls().unique(maintain_order=True).to_list()
    return Answers(kept.select("item", "worker", "label"), items, space, rejects)


def read_truth(source: Any, item: str, truth: str) -> tuple[dict[str, str], list[Reject]]:
    """Gold by item, and what of it was set aside. source: None, a mapping, or rows with columns item and truth."""
    if source is None:
        return {}, []
    if isinstance(source, Mapping):
        source = [{item: name, truth: said} for name, said in source.items()]
        if not source:
            return {}, []
    raw = load_columns(source, (item, truth))
    known: dict[str, str] = {}
    rejects = [Reject(reject.line, f"gold: {reject.reason}", reject.content) for reject in raw.rejects]
    pairs = zip(raw.lines, as_names(raw.frame[item]), as_gold(raw.frame[truth], None), strict=True)
    for line, name, said in pairs:
        if name is None and said is not None:
            rejects.append(Reject(line, "gold: no item", said[:200]))
        elif said is not None and known.setdefault(name, said) != said:
            rejects.append(Reject(line, f"gold: item {name!r} is {known[name]!r} before", f"{name}, {said}"[:200]))
    return known, rejects


def load_columns(source: Any, columns: Sequence[str]) -> Raw:
    """The rows of a source that has these columns. Raises DataError if it has not, or has no rows."""
    raw = load(source, None, None, '"', None, set(columns))
    if not len(raw.frame) and not raw.frame.columns:
        raise DataError("There are no answers.\nFix: give one row an answer, with its item, worker and label.")
    for name in columns:
        if name not in raw.frame.columns:
            where = Path(source).name if isinstance(source, (str, Path)) else "The table of answers"
            raise DataError(f"{where} has no column {name!r}.\nFix: {nearest(name, raw.frame.columns)}")
    return raw


def as_names(values: pl.Series) -> pl.Series:
    """Names of items or workers as text: 7 and 7.0 are "7"; empty, null and NaN are null."""
    text = whole(values).cast(pl.String)
    return text.set(text.str.strip_chars() == "", None)


def numbers_again(names: list[str]) -> pl.Series:
    """Names as integers, if all are just that, else as text."""
    series = pl.Series(names, dtype=pl.String)
    return series.cast(pl.Int64) if series.str.contains(r"^(0|-?[1-9][0-9]{0,17})$").all() else series


def _label_space(
    said: pl.Series, labels: Labels | Sequence[str] | None, also: Iterable[str]
) -> tuple[Labels, dict[str, str]]:
    """The labels with the sets of them that are said; and of each thing said that is none, why. Cost: once a label."""
    distinct = said.drop_nulls().unique().to_list()
    if labels is None:
        found = sorted({*distinct, *also}, key=_order)
        return Labels(*(found or ["none"])), {}  # without a label there is no answer, which is said later
    space, unknown = Labels.of(labels), {}
    for name in sorted(distinct):
        try:
            space = space.with_votes([name])
        except LabelError:
            unknown[name] = f"label {name!r} is none of the labels. {nearest(name, space.votes)}"
    return space, unknown


def _order(label: str) -> tuple[bool, float, str]:
    """Labels that are numbers in their order, before those that are words."""
    is_number = label.removeprefix("-").isdecimal()
    return not is_number, float(label) if is_number else 0.0, label


def _reason(unknown: Mapping[str, str]) -> pl.Expr:
    """Why an answer cannot count; null where it can."""
    return (
        pl.when(pl.col("item").is_null())
        .then(pl.lit("no item"))
        .when(pl.col("worker").is_null())
        .then(pl.lit("no worker"))
        .when(pl.col("label").is_null())
        .then(pl.lit("no label"))
        .otherwise(pl.col("label").replace_strict(unknown, default=None, return_dtype=pl.String))
    )


def _reasons_of_firsts(kept: pl.DataFrame) -> pl.DataFrame:
    """For each item and worker, why a later answer does not count."""
    reason = pl.format("worker {} answered item {} before: {}", "worker", "item", "label")
    return kept.select("item", "worker", reason.alias("reason"))


def _set_aside(answers: pl.DataFrame) -> list[Reject]:
    columns = answers.select("line", "reason", "item", "worker", "label").iter_rows()
    return [Reject(line, why, ", ".join(str(v or "") for v in parts)[:200]) for line, why, *parts in columns]
