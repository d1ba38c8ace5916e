"""How fast the slow parts are, how much memory they take, and what Snorkel takes for the same.

    python benchmarks/speed.py [--only WORD ...] [--snorkel-python PATH] [--markdown] [--json FILE]

Each line is measured in a process of its own, several times, on data made anew from a seed; times are medians. CPU
seconds count all threads, so rates per core are work done by CPU seconds. Rows and matrices are fresh in each run:
nothing was fingerprinted, cached or grouped before. Linear algebra keeps to one thread, ours and Snorkel's.

Votes are simulated with known truth (accuracy 55-90%; coverage 10-50%, or 0.5-5% where it says sparse), so what a
label model gets right stands beside its time; "Bayes" is the best that can be had from these votes. Dense simulated
votes hardly repeat, which is the worst case for a model that fits on distinct rows of votes; those of real functions
are nearer to the sparse ones.
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
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import consilience as cs
from consilience.testing import simulate
from functions.plain import TEN, short_texts
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table
from stopwatch import clocked, spread

SEED = 0
# Threads of linear algebra wait for each other by spinning: with a busy neighbour, that is most of what one measures
ONE_THREAD = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LABELS = ("ham", "spam")
COLUMNS = ("what", "size", "CPU s", "wall s", "best wall s", "rate", "bar", "held", "right", "peak MB", "runs")
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


# label models, and the summary of a matrix


def fit(model: type, votes: Votes, runs: int, folder: Path) -> Found:
    """Fit a label model on votes; its patterns are counted within the time."""
    codes, truth = load(folder, votes)
    times, fitted = clocked(
        lambda: cs.LabelMatrix.from_votes(codes, LABELS), lambda matrix: model().fit(matrix, seed=SEED), runs
    )
    peak = peak_mb()
    matrix = cs.LabelMatrix.from_votes(codes, LABELS)
    right = float((fitted.predict_codes(matrix) == truth).mean())
    chosen = fitted.findings_.chosen if isinstance(fitted, cs.LabelModel) else ""
    return {**times, "accuracy": right, "chosen": chosen, "patterns": len(matrix.patterns), "peak_mb": round(peak)}


def predict(votes: Votes, runs: int, folder: Path) -> Found:
    """Probabilities of a fitted LabelModel on a matrix it has not seen."""
    codes, truth = load(folder, votes)
    fitted = cs.LabelModel().fit(cs.LabelMatrix.from_votes(codes, LABELS), seed=SEED)
    times, proba = clocked(lambda: cs.LabelMatrix.from_votes(codes, LABELS), fitted.predict_proba, runs)
    return {**times, "accuracy": float((proba.argmax(axis=1) == truth).mean())}


def summarise(votes: Votes, runs: int, folder: Path) -> Found:
    """Coverage, overlap, conflict and accuracy of all functions, with gold on every row."""
    codes, truth = load(folder, votes)
    gold = cs.Labels(*LABELS).decode(truth.tolist())
    times, _ = clocked(
        lambda: cs.LabelMatrix.from_votes(codes, LABELS, gold=gold), lambda matrix: matrix.summary(), runs
    )
    return times


def load(folder: Path, votes: Votes) -> tuple[np.ndarray, np.ndarray]:
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


# Snorkel

PEER = Path(__file__).with_name("peer_snorkel.py")


def snorkel(python: str, *arguments: str) -> Found:
    return json.loads(subprocess.check_output([python, str(PEER), *arguments], text=True).splitlines()[-1])


def snorkel_model(python: str, what: str, votes: Votes, runs: int, folder: Path) -> Found:
    files = (str(votes.file(folder, part)) for part in ("votes", "truth"))
    return snorkel(python, what, *files, str(runs))


def snorkel_apply(python: str, rows: int, runs: int, folder: Path) -> Found:
    return snorkel(python, "apply", str(rows), str(SEED), str(runs))


def jobs(snorkel_python: str) -> list[Job]:
    """All lines, in the order of the table. Snorkel's are named so."""
    return [*labeling_jobs(snorkel_python), *model_jobs(snorkel_python), *import_jobs(snorkel_python)]


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


def model_jobs(snorkel_python: str) -> list[Job]:
    small, large, wide = Votes(20_000, 10), Votes(1_000_000, 20), Votes(500_000, 60)
    sparse = Votes(1_000_000, 20, 0.005, 0.05)
    peer = partial(snorkel_model, snorkel_python)
    return [
        Job("LabelModel.fit", "20k x 10", partial(fit, cs.LabelModel, small, 9), bar=0.1, votes=small),
        Job("DawidSkene.fit", "20k x 10", partial(fit, cs.DawidSkene, small, 9), bar=0.1, votes=small),
        Job("LabelModel.fit, Snorkel", "20k x 10", partial(peer, "fit", small, 9), votes=small),
        Job("LabelModel.fit", "1M x 20", partial(fit, cs.LabelModel, large, 5), votes=large),
        Job("DawidSkene.fit", "1M x 20", partial(fit, cs.DawidSkene, large, 5), votes=large),
        Job("LabelModel.fit, Snorkel", "1M x 20", partial(peer, "fit", large, 5), votes=large),
        Job("LabelModel.predict_proba", "1M x 20", partial(predict, large, 5), votes=large),
        Job("LabelModel.predict_proba, Snorkel", "1M x 20", partial(peer, "predict", large, 5), votes=large),
        Job("LabelModel.fit", "1M x 20, sparse", partial(fit, cs.LabelModel, sparse, 5), votes=sparse),
        Job("LabelModel.fit, Snorkel", "1M x 20, sparse", partial(peer, "fit", sparse, 5), votes=sparse),
        Job("summary()", "500k x 60", partial(summarise, wide, 3), votes=wide),
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


def in_own_process(*arguments: str) -> Found:
    """Call this file again, and read the JSON it prints. raises: RuntimeError with its last words if it fails."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, env=ONE_THREAD)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


def row(job: Job, found: Found | None) -> list[str]:
    """The line of one job in the table."""
    if found is None:
        return [job.what, job.size, "not installed", *[NOT_KNOWN] * (len(COLUMNS) - 3)]
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
    ]


def bar_text(job: Job) -> str:
    if job.bar is None:
        return NOT_KNOWN
    return f"at least {job.bar:,.0f}" if job.work else f"at most {job.bar} s"


def verdict(job: Job, found: Found, rate: float | None) -> str:
    if job.bar is None:
        return NOT_KNOWN
    return "yes" if (rate >= job.bar if rate is not None else found["cpu_s"] <= job.bar) else "no"


def run(snorkel_python: str, chosen: list[str], json_file: Path, markdown: bool) -> None:
    """Measure line after line; print the table."""
    rows, notes = [], []
    prepared: dict[Votes, Found] = {}
    with tempfile.TemporaryDirectory() as folder:
        for place, job in enumerate(jobs(snorkel_python)):
            if chosen and not any(word.lower() in f"{job.what} {job.size}".lower() for word in chosen):
                continue
            print(f"{job.what} {job.size} ...", file=sys.stderr, flush=True)
            if job.votes and job.votes not in prepared:
                prepared[job.votes] = in_own_process("--prepare", *map(str, job.votes), "--folder", folder)
                said = prepared[job.votes]
                notes.append(
                    f"{job.size}: {said['distinct']:,} distinct rows; majority vote {said['majority']:.2%} right, "
                    f"Bayes {said['bayes']:.2%}"
                )
            if "Snorkel" in job.what and not snorkel_python:
                rows.append(row(job, None))
                continue
            options = ("--snorkel-python", snorkel_python) if snorkel_python else ()
            found = in_own_process("--measure", str(place), "--folder", folder, *options)
            rows.append(row(job, found))
            truth = prepared.get(job.votes, {}) if job.votes else {}
            known = {"benchmark": "speed", "what": job.what, "size": job.size, "bar": job.bar, "seed": SEED}
            append_json(json_file, {**known, **found, **truth, "version": cs.__version__, "machine": machine()})
    print(table(COLUMNS, rows, markdown=markdown))
    print("\n" + "\n".join(f"{'- ' if markdown else ''}{note}" for note in notes))
    print(f"\n{machine()}; consilience {cs.__version__}; seed {SEED}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="lines whose name or size has one of the words"
    )
    parser.add_argument("--snorkel-python", default="", metavar="PATH", help="Python of an environment with Snorkel")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("speed"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    for hidden, kind in (("--measure", int), ("--folder", Path)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", type=float, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        n, m, low, high = options.prepare
        print(json.dumps(prepare(Votes(int(n), int(m), low, high), options.folder)))
    elif options.measure is not None:
        found = jobs(options.snorkel_python)[options.measure].measure(options.folder)
        print(json.dumps({"peak_mb": round(peak_mb()), **found}))
    else:
        run(options.snorkel_python, options.only, options.json, options.markdown)


if __name__ == "__main__":
    main()
