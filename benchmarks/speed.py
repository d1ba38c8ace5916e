"""How fast labeling, the summary of a matrix and importing are, and what Snorkel takes for the same.

    python benchmarks/speed.py [--only WORD ...] [--snorkel-python PATH] [--markdown] [--json FILE]

Each line is measured in a process of its own, several times, on data made anew from a seed; times are medians. CPU
seconds count all threads, so rates per core are work done by CPU seconds. Rows and matrices are fresh in each run:
nothing was fingerprinted, cached or grouped before. Linear algebra keeps to one thread. Label models have a table of
their own, label_model_speed.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import consilience as cs
from functions.plain import TEN, short_texts
from jobs import LABELS, SEED, Found, Job, Votes, load, main, snorkel
from stopwatch import clocked, spread

# labeling


def apply_functions(rows: int, functions: Callable[[], dict[str, Any]], runs: int, folder: Path) -> Found:
    """Apply functions to texts that are new to the package."""
    frame = pl.DataFrame({"id": range(rows), "text": short_texts(rows, SEED)})
    made = functions()
    times, matrix = clocked(
        lambda: cs.Table(frame, labels=LABELS), lambda rows: cs.apply(made, rows, labels=LABELS), runs
    )
    return {**times, "votes": int((matrix.votes >= 0).sum())}


def ten_python() -> dict[str, Any]:
    return {function.__name__: cs.labeling_function(label)(function) for function, label in TEN}


def one_pattern() -> dict[str, Any]:
    return {"link": cs.pattern("spam", r"https?://|www\.")}


def ten_patterns() -> dict[str, Any]:
    shapes = ("https?://", r"www\.", "subscr", "check +out", "my +channel", "fre+", r"\bwin\b", "[0-9]+", "LOOK", "!!")
    return {f"p{place}": cs.pattern("spam", shape) for place, shape in enumerate(shapes)}


def one_keywords() -> dict[str, Any]:
    words = ["subscribe", "check out", "my channel", "please", "free", "money", "win", "views", "people like", "new"]
    return {"asks": cs.keywords("spam", words)}


# the summary of a matrix


def summarise(votes: Votes, runs: int, folder: Path) -> Found:
    """Coverage, overlap, conflict and accuracy of all functions, with gold on every row."""
    codes, truth = load(folder, votes)
    gold = cs.Labels(*LABELS).decode(truth.tolist())
    times, _ = clocked(
        lambda: cs.LabelMatrix.from_votes(codes, LABELS, gold=gold), lambda matrix: matrix.summary(), runs
    )
    return times


# importing


def importing(python: str, code: str, runs: int, folder: Path) -> Found:
    """Import something in new interpreters; their own start is not counted."""
    program = (
        "import time; wall, cpu = time.perf_counter(), time.process_time()\n"
        f"{code}\nprint(time.perf_counter() - wall, time.process_time() - cpu)"
    )
    times = [
        tuple(map(float, subprocess.check_output([python, "-c", program], text=True).split())) for _ in range(runs + 1)
    ]
    wall, cpu = zip(*times[1:], strict=True)  # the first one fills the disk's cache
    return {**spread(list(wall), list(cpu)), "peak_mb": None}


# all lines


def snorkel_apply(python: str, rows: int, runs: int, folder: Path) -> Found:
    return snorkel(python, "apply", str(rows), str(SEED), str(runs))


def jobs(snorkel_python: str) -> list[Job]:
    """All lines, in the order of the table. Snorkel's are named so."""
    wide = Votes(500_000, 60)
    summary = Job("summary()", "500k x 60", partial(summarise, wide, 3), votes=wide)
    return [*labeling_jobs(snorkel_python), summary, *import_jobs(snorkel_python)]


def labeling_jobs(snorkel_python: str) -> list[Job]:
    million = partial(apply_functions, 1_000_000)
    ten, its_ten = partial(apply_functions, 100_000, ten_python, 5), partial(snorkel_apply, snorkel_python, 100_000, 2)
    return [
        Job("10 Python functions", "100k rows", ten, 1_000_000, "votes", 500_000),
        Job("10 Python functions, Snorkel", "100k rows", its_ten, 1_000_000, "votes"),
        Job("a pattern", "1M rows", partial(million, one_pattern, 5), 1_000_000, "rows", 5_000_000),
        Job("10 patterns", "1M rows", partial(million, ten_patterns, 3), 10_000_000, "votes", 5_000_000),
        Job("keywords, 10 phrases", "1M rows", partial(million, one_keywords, 5), 1_000_000, "rows"),
    ]


def import_jobs(snorkel_python: str) -> list[Job]:
    use = "from consilience import read, apply, LabelModel, TextClassifier"
    its_own = "from snorkel.labeling.model import LabelModel"
    return [
        Job("import consilience", "", partial(importing, sys.executable, "import consilience", 9)),
        Job("import numpy", "", partial(importing, sys.executable, "import numpy", 9)),
        Job("import and load the main names", "", partial(importing, sys.executable, use, 5)),
        Job("import its label model, Snorkel", "", partial(importing, snorkel_python, its_own, 3)),
    ]


if __name__ == "__main__":
    main("speed", __file__, __doc__, jobs)
