"""Labeling functions of every kind, at any size: speed, memory and, where there is gold, quality, in the same row.

    python benchmarks/labeling.py [--only WORD ...] [--snorkel-python PATH] [--markdown] [--json FILE]

Its lines are in labeling_jobs/, a file a topic. Each is measured in a process of its own; CPU seconds count all threads
and, where a line starts processes, theirs.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from jobs import Job, main

FIRST = ("applying", "declarative")  # the order of the table: these, then the others by name


def jobs(snorkel_python: str) -> list[Job]:
    """The lines of all topics."""
    found = {path.stem for path in (Path(__file__).parent / "labeling_jobs").glob("*.py")}
    lines = []
    for name in [*(name for name in FIRST if name in found), *sorted(found - {*FIRST, "__init__"})]:
        make = importlib.import_module(f"labeling_jobs.{name}").jobs
        lines += make(snorkel_python) if inspect.signature(make).parameters else make()
    return lines


if __name__ == "__main__":
    main("labeling", __file__, __doc__, jobs)
