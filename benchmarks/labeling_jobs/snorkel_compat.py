"""Scripts in Snorkel's style with the import changed, and Snorkel itself on the same: votes, summaries, new rows.

Each side runs `snorkel_style.py`. Every JSON line has a digest of what was found; a line of Snorkel's is refused unless
its digest is that of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from jobs import Found, Job, Votes

STYLE = Path(__file__).parents[1] / "snorkel_style.py"
OURS = "consilience.compat.snorkel"
WIDE = Votes(500_000, 60)
APPLY_BAR = 500_000  # votes a CPU second


def jobs(snorkel_python: str = "") -> list[Job]:
    """Ours and Snorkel's, in pairs. snorkel_python: of an environment with Snorkel; without it, ours alone are run."""
    rows = "20k rows x 10"
    return [
        *pair("PandasLFApplier", "apply", rows, 20_000, snorkel_python, work=200_000, bar=APPLY_BAR),
        *pair("PandasLFApplier, memoized preprocessor", "prepared", rows, 20_000, snorkel_python, work=200_000),
        *pair("lf_summary with gold", "summary", "500k x 60", 500_000, snorkel_python, votes=WIDE, runs=2),
        *pair("PandasTFApplier", "transform", "5k rows", 5_000, snorkel_python, work=5_000, unit="rows"),
    ]


def pair(
    name: str,
    what: str,
    size: str,
    n: int,
    snorkel_python: str,
    *,
    work: int | None = None,
    unit: str = "votes",
    bar: float | None = None,
    votes: Votes | None = None,
    runs: int = 5,
) -> list[Job]:
    mine = partial(measure, sys.executable, OURS, what, n, votes, runs)
    its = partial(measure_same, snorkel_python, what, n, votes)
    return [
        Job(f"{name}, import changed", size, mine, work, unit, bar, votes),
        Job(f"{name}, Snorkel", size, its, work, unit, None, votes),
    ]


def measure(python: str, package: str, what: str, n: int, votes: Votes | None, runs: int, folder: Path) -> Found:
    files = [] if votes is None else [str(votes.file(folder, part)) for part in ("votes", "truth")]
    path = os.pathsep.join([str(STYLE.parent), *(os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    command = [python, str(STYLE), package, what, str(n), str(runs), *files]
    told = subprocess.check_output(command, text=True, env=os.environ | {"PYTHONPATH": path})
    found: Found = json.loads(told.splitlines()[-1])
    (folder / f"digest-{package}-{what}").write_text(found["digest"])
    return found


def measure_same(python: str, what: str, n: int, votes: Votes | None, folder: Path) -> Found:
    """Snorkel's figures. raises: RuntimeError if it did not find what ours found, where ours was run before it."""
    found = measure(python, "snorkel", what, n, votes, 2, folder)
    ours = folder / f"digest-{OURS}-{what}"
    if ours.exists() and ours.read_text() != found["digest"]:
        raise RuntimeError(f"{what}: Snorkel found something else. Fix: see what differs before comparing times.")
    return found
