"""How fast the summary of a matrix and importing are, and what Snorkel takes for the same.

    python benchmarks/speed.py [--only WORD ...] [--snorkel-python PATH] [--markdown] [--json FILE]

Each line is measured in a process of its own, several times, on data made anew from a seed; times are medians. CPU
seconds count all threads, so rates per core are work done by CPU seconds. Rows and matrices are fresh in each run:
nothing was fingerprinted, cached or grouped before. Linear algebra keeps to one thread. Labeling functions and label
models have tables of their own, labeling.py and label_model_speed.py.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import consilience as cs
from jobs import LABELS, Found, Job, Votes, load, main
from stopwatch import clocked, spread

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


def jobs(snorkel_python: str) -> list[Job]:
    """All lines, in the order of the table. Snorkel's are named so."""
    wide = Votes(500_000, 60)
    summary = Job("summary()", "500k x 60", partial(summarise, wide, 3), votes=wide)
    return [summary, *import_jobs(snorkel_python)]


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
