"""The tables of label_models.py, from its JSON lines: means a model, then a line a set, ours and others apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from our_models import COUNTING
from record import NOT_KNOWN, table
from vote_sets import SOURCES, WRENCH

Record = dict[str, Any]
TIES = "ties at random"
DIFFERENT = 0.1  # points from which one model has done better than another on a set
MEANS = (
    *("model", "weak", "covered rows", "crowd", "all sets", "sets", "gain", "won", "lost", "worst", "on"),
    *("calibration error", "CPU s"),
)


def show(records: list[Record], *, markdown: bool, brief: bool) -> None:
    """Print all tables. records: of one block or more; the latest line of a set and model counts."""
    for block in dict.fromkeys(record["block"] for record in records):
        latest = {(record["set"], record["model"]): record for record in records if record["block"] == block}
        _show_block(block, list(latest.values()), markdown=markdown, brief=brief)
    if records:
        print(f"\n{records[-1]['machine']}; consilience {records[-1]['version']}")


def _show_block(block: str, records: list[Record], *, markdown: bool, brief: bool) -> None:
    def shown(title: str, columns: Iterable[str], rows: list[list[str]]) -> None:
        print(f"\n{'### ' if markdown else ''}{title}\n\n{table(tuple(columns), rows, markdown=markdown)}")

    shown(f"Means: {block}", *means_table(records))
    if brief:
        return
    if block == "quality":
        for whose in ("ours", "peer"):
            some = [record for record in records if record["whose"] == whose or record["model"] in (COUNTING, TIES)]
            if len({record["model"] for record in some}) > 1:
                shown(f"All rows, {_WHOSE[whose]}", *set_table(some, "all"))
                shown(f"Rows with votes, {_WHOSE[whose]}", *set_table(some, "covered"))
        shown("Published by WRENCH (its own test parts)", *published_table(records))
    else:
        shown(f"All other rows, {block}", *set_table(records, "all"))
    for record in records:
        if "error" in record:
            print(f"{'- ' if markdown else ''}{record['set']}, {record['model']}: {record['error']}")


_WHOSE = {"ours": "our models", "peer": "the others"}


def by_model(records: list[Record]) -> dict[str, dict[str, Record]]:
    """Lines with figures, a model, a set."""
    found: dict[str, dict[str, Record]] = {}
    for record in records:
        if "all" in record:
            found.setdefault(record["model"], {})[record["set"]] = record
    return found


def means_table(records: list[Record]) -> tuple[list[str], list[list[str]]]:
    """One line a model. Gain, won, lost and worst are against majority vote, on all rows of the sets it finished."""
    models = by_model(records)
    columns = [*MEANS, *(["without gold"] if any("without" in record for record in records) else [])]
    counting = {name: record["all"] for name, record in models.get(COUNTING, {}).items()}
    return columns, [_mean_line(model, lines, counting, len(columns)) for model, lines in models.items()]


def _mean_line(model: str, lines: dict[str, Record], counting: dict[str, float], width: int) -> list[str]:
    gains = {name: record["all"] - counting[name] for name, record in lines.items() if name in counting}
    worst = min(gains, key=lambda name: gains[name], default="")

    def mean(which: str, keep: Callable[[Record], bool] = lambda record: True) -> str:
        return percent(_mean([record[which] for record in lines.values() if keep(record) and which in record]))

    cells = [
        model,
        mean("all", lambda record: record["group"] == "weak"),
        mean("covered", lambda record: record["group"] == "weak"),
        mean("all", lambda record: record["group"] == "crowd"),
        mean("all"),
        str(len(lines)),
        f"{_mean(list(gains.values())):+.1f}" if gains else NOT_KNOWN,
        str(sum(gain >= DIFFERENT for gain in gains.values())),
        str(sum(gain <= -DIFFERENT for gain in gains.values())),
        f"{gains[worst]:+.1f}" if gains else NOT_KNOWN,
        worst or NOT_KNOWN,
        mean("calibration_error"),
        f"{sum(record.get('cpu_s', 0.0) for record in lines.values()):.1f}",
        mean("without"),
    ]
    return cells[:width]


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def set_table(records: list[Record], which: str) -> tuple[list[str], list[list[str]]]:
    """One line a set, one column a model. which: "all" rows, or "covered" ones."""
    models = list(dict.fromkeys(record["model"] for record in records))
    sets: dict[str, dict[str, Record]] = {}
    for record in records:
        sets.setdefault(record["set"], {})[record["model"]] = record
    rows = []
    for name, lines in sets.items():
        about = next(iter(lines.values()))
        rows.append(
            [
                name,
                *(str(about[column]) for column in ("classes", "functions")),
                f"{about['rows_scored']:,}",
                f"{100 * about['coverage']:.0f}%",
                about["metric"],
                *(cell(lines.get(model, {}), which) for model in models),
            ]
        )
    return ["set", "classes", "functions", "rows", "coverage", "metric", *models], rows


def published_table(records: list[Record]) -> tuple[list[str], list[list[str]]]:
    """What WRENCH printed for the sets at hand, and how ours differ from its own."""
    names = [name for name in dict.fromkeys(record["set"] for record in records) if name in WRENCH]
    systems = list(dict.fromkeys(system for name in names for system in WRENCH[name]))
    rows = [
        [name, *(percent(WRENCH[name].get(system)) for system in systems), SOURCES[name].note or "the same votes"]
        for name in names
    ]
    return ["set", *systems, "here"], rows


def cell(record: Record, which: str) -> str:
    """A figure, with its spread if there is any to show."""
    if which not in record:
        return "failed" if "error" in record else NOT_KNOWN
    spread = record.get("spread", 0.0) if which == "all" else 0.0
    return f"{record[which]:.1f}" + (f" ± {spread:.1f}" if spread >= 0.05 else "")


def percent(value: float | None) -> str:
    """One decimal, or a dash for what is not known."""
    return NOT_KNOWN if value is None else f"{value:.1f}"
