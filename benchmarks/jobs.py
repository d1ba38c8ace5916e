"""What the benchmarks of speed share: lines of a table, each measured in a process of its own, Snorkel's beside ours.

A script makes a list of jobs and calls `main`; it is then called again for each line, by the line's place. Votes that
lines need are simulated with known truth beforehand, in a process of their own, so that what this takes is nobody's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import consilience as cs
from consilience.testing import simulate
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

SEED = 0
# Threads of linear algebra wait for each other by spinning: with a busy neighbour, that is most of what one measures
ONE_THREAD = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LABELS = ("ham", "spam")
COLUMNS = (
    "what",
    "size",
    "CPU s",
    "wall s",
    "best wall s",
    "rate",
    "bar",
    "held",
    "right",
    "peak MB",
    "runs",
    "result",
)
Found = dict[str, Any]


class Votes(NamedTuple):
    """Votes to simulate: rows, functions, and the range of the functions' coverage."""

    n: int
    m: int
    low: float = 0.1
    high: float = 0.5

    def file(self, folder: Path, what: str) -> Path:
        """Where one of their parts is kept."""
        return folder / f"{what}-{'-'.join(map(str, self))}.npy"


@dataclass(frozen=True)
class Job:
    """One line. measure: does it, in the folder of prepared votes. work: units done in a run, for the rate a core.

    bar: what it must reach: a rate a CPU second if there is work, else at most that many CPU seconds.
    """

    what: str
    size: str
    measure: Callable[[Path], Found]
    work: int | None = None
    unit: str = ""
    bar: float | None = None
    votes: Votes | None = None  # those it needs


MakeJobs = Callable[[str], list[Job]]  # from the Python that has Snorkel, or ""


def load(folder: Path, votes: Votes) -> tuple[np.ndarray, np.ndarray]:
    """Prepared votes and their truth. returns: (n, m), (n,)."""
    return np.load(votes.file(folder, "votes")), np.load(votes.file(folder, "truth"))


def prepare(votes: Votes, folder: Path) -> Found:
    """Simulate votes and save them: in a process of its own, so that what this takes is not counted as the model's."""
    coverage = (votes.low, votes.high)
    made = simulate(votes.n, votes.m, LABELS, accuracy=(0.55, 0.9), coverage=coverage, seed=SEED)
    np.save(votes.file(folder, "votes"), made.matrix.votes)
    np.save(votes.file(folder, "truth"), made.truth)
    counting = cs.MajorityVote().fit(made.matrix).predict_codes(made.matrix)
    return {
        "majority": float((counting == made.truth).mean()),
        "bayes": float((made.bayes_codes() == made.truth).mean()),
        "distinct": len(made.matrix.patterns),
    }


# Snorkel

PEER = Path(__file__).with_name("peer_snorkel.py")


def snorkel(python: str, *arguments: str) -> Found:
    return json.loads(subprocess.check_output([python, str(PEER), *arguments], text=True).splitlines()[-1])


def snorkel_model(python: str, what: str, votes: Votes, runs: int, folder: Path) -> Found:
    files = (str(votes.file(folder, part)) for part in ("votes", "truth"))
    return snorkel(python, what, *files, str(runs))


# measuring, line after line


def in_own_process(script: str, *arguments: str) -> Found:
    """Call a script again, and read the JSON it prints. raises: RuntimeError with its last words if it fails."""
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, env=ONE_THREAD)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


def row(job: Job, found: Found | None) -> list[str]:
    """The line of one job in the table."""
    if found is None:
        return [job.what, job.size or NOT_KNOWN, "not installed", *[NOT_KNOWN] * (len(COLUMNS) - 3)]
    rate = job.work / found["cpu_s"] if job.work else None
    return [
        job.what,
        job.size or NOT_KNOWN,
        *(f"{found[key]:.3f}" for key in ("cpu_s", "wall_s", "wall_best_s")),
        NOT_KNOWN if rate is None else f"{rate:,.0f} {job.unit}/s/core",
        bar_text(job),
        verdict(job, found, rate),
        f"{100 * found['accuracy']:.2f}%" if "accuracy" in found else NOT_KNOWN,
        str(found["peak_mb"]) if found.get("peak_mb") else NOT_KNOWN,
        str(found["runs"]),
        str(found.get("result", "")),
    ]


def bar_text(job: Job) -> str:
    if job.bar is None:
        return NOT_KNOWN
    return f"at least {job.bar:,.0f}" if job.work else f"at most {job.bar} s"


def verdict(job: Job, found: Found, rate: float | None) -> str:
    if job.bar is None:
        return NOT_KNOWN
    return "yes" if (rate >= job.bar if rate is not None else found["cpu_s"] <= job.bar) else "no"


def run(benchmark: str, script: str, jobs: list[Job], options: argparse.Namespace) -> None:
    """Measure line after line; print the table."""
    rows, notes = [], []
    prepared: dict[Votes, Found] = {}
    python = ("--snorkel-python", options.snorkel_python) if options.snorkel_python else ()
    with tempfile.TemporaryDirectory() as folder:
        for place, job in enumerate(jobs):
            if options.only and not any(word.lower() in f"{job.what} {job.size}".lower() for word in options.only):
                continue
            print(f"{job.what} {job.size} ...", file=sys.stderr, flush=True)
            if job.votes and job.votes not in prepared:
                prepared[job.votes] = in_own_process(script, "--prepare", *map(str, job.votes), "--folder", folder)
                said = prepared[job.votes]
                notes.append(
                    f"{job.size}: {said['distinct']:,} distinct rows; majority vote {said['majority']:.2%} right, "
                    f"Bayes {said['bayes']:.2%}"
                )
            if "Snorkel" in job.what and not python:
                rows.append(row(job, None))
                continue
            found = in_own_process(script, "--measure", str(place), "--folder", folder, *python)
            rows.append(row(job, found))
            truth = prepared.get(job.votes, {}) if job.votes else {}
            known = {"benchmark": benchmark, "what": job.what, "size": job.size, "bar": job.bar, "seed": SEED}
            append_json(options.json, {**known, **found, **truth, "version": cs.__version__, "machine": machine()})
    shown = len(COLUMNS) - (not any(line[-1] not in ("", NOT_KNOWN) for line in rows))  # without a column of nothing
    print(table(COLUMNS[:shown], [line[:shown] for line in rows], markdown=options.markdown))
    print("".join(f"\n{'- ' if options.markdown else ''}{note}" for note in notes))
    print(f"\n{machine()}; consilience {cs.__version__}; seed {SEED}")


def main(benchmark: str, script: str, description: str | None, make_jobs: MakeJobs) -> None:
    """The command line of a benchmark of speed. script: its own file; description: its docstring."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="lines whose name or size has one of the words"
    )
    parser.add_argument("--snorkel-python", default="", metavar="PATH", help="Python of an environment with Snorkel")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file(benchmark), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    for hidden, kind in (("--measure", int), ("--folder", Path)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", type=float, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        n, m, low, high = options.prepare
        print(json.dumps(prepare(Votes(int(n), int(m), low, high), options.folder)))
    elif options.measure is not None:
        found = make_jobs(options.snorkel_python)[options.measure].measure(options.folder)
        print(json.dumps({"peak_mb": round(peak_mb()), **found}))
    else:
        run(benchmark, script, make_jobs(options.snorkel_python), options)
