"""What every benchmark does with its figures: say on what machine they were made, print a table, append JSON lines."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOT_KNOWN = "–"
JSON_HELP = "append one JSON line a row of the table (default: build/benchmarks/NAME.jsonl)"


def lines_file(name: str) -> Path:
    """Where a benchmark keeps its JSON lines if nothing else is asked."""
    return Path(__file__).resolve().parents[1] / "build" / "benchmarks" / f"{name}.jsonl"


def machine() -> str:
    """The processor, how many cores of it this process may use, and the Python version."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else platform.machine()}, {cores} cores, Python {platform.python_version()}"


def peak_mb() -> float:
    """The most memory this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kB on Linux


def append_json(path: Path, record: dict[str, Any]) -> None:
    """One more line in a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record, ensure_ascii=False) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Rows of text under columns, for a terminal or as Markdown. The first column is set left, the others right.

    >>> print(table(["set", "n"], [["sms", "12"], ["trec", "7"]]))
    set    n
    ----  --
    sms   12
    trec   7
    """
    if markdown:
        rule = ["---", *["---:"] * (len(columns) - 1)]
        return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *rows))
    widths = [max(len(line[place]) for line in (columns, *rows)) for place in range(len(columns))]
    lines = (columns, ["-" * width for width in widths], *rows)
    return "\n".join(_line(line, widths).rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest])
