"""Applying itself: Python functions in one process and in two, one edit of fifty functions, 50M rows of Parquet.

The edit is timed as people meet it: the command `consilience apply` from its start to its last line, on a project of
1M rows, after everything was applied once.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from jobs import LABELS, SEED, Found, Job, snorkel
from process_tree import watched
from stopwatch import clocked

from functions.plain import TEN, short_texts

COMMAND = [sys.executable, "-m", "consilience.cli.main"]


def jobs(snorkel_python: str) -> list[Job]:
    """All lines, in the order of the table."""
    peer = partial(peer_apply, snorkel_python, 100_000, 2)
    return [
        Job("10 Python functions", "100k rows", partial(ten_python, 100_000, 0, 5), 1_000_000, "votes", 500_000),
        Job("10 Python functions, Snorkel", "100k rows", peer, 1_000_000, "votes"),
        Job("10 slower Python functions, this process", "300k rows", partial(slower, 300_000, 0)),
        Job("10 slower Python functions, 2 workers", "300k rows", partial(slower, 300_000, 2)),
        Job("edit one of 50 functions: declared and Python", "1M rows", partial(one_edit, 1_000_000, declared=40)),
        Job("edit one of 50 functions: all Python", "1M rows", partial(one_edit, 1_000_000, declared=0)),
        Job("edit one of 50 functions: slower Python", "1M rows", partial(one_edit, 1_000_000, declared=0, slow=True)),
        Job("apply_files, 12 functions", "50M rows", partial(many_files, 50_000_000)),
    ]


def peer_apply(python: str, rows: int, runs: int, folder: Path) -> Found:
    return snorkel(python, "apply", str(rows), str(SEED), str(runs))


# Python functions


def ten_python(rows: int, workers: int, runs: int, folder: Path) -> Found:
    """Ten small functions of one row."""
    frame = pl.DataFrame({"id": range(rows), "text": short_texts(rows, SEED)})
    functions = {function.__name__: cs.labeling_function(label)(function) for function, label in TEN}
    times, matrix = clocked(
        lambda: cs.Table(frame, labels=LABELS), lambda table: cs.apply(functions, table, workers=workers), runs
    )
    return {**times, "votes": int((matrix.votes >= 0).sum())}


def slower(rows: int, workers: int, folder: Path) -> Found:
    """Ten functions that each cut the text into words: some microseconds a row."""
    table = cs.Table(pl.DataFrame({"id": range(rows), "text": short_texts(rows, SEED)}), labels=LABELS)
    with watched() as cost:
        matrix = cs.apply(worded(), table, workers=workers)
    return {**once(cost), "votes": int((matrix.votes >= 0).sum())}


def worded() -> list[cs.LabelingFunction]:
    def made(number: int) -> cs.LabelingFunction:
        @cs.labeling_function("ham", name=f"words{number}")
        def function(row: Any) -> bool:
            words = re.findall(r"[a-z]+", row.text.lower())
            return len(set(words)) % 10 == number

        return function

    return [made(number) for number in range(10)]


def once(cost: Found) -> Found:
    """The times of one run, as a line has them."""
    return {"runs": 1, **cost, "wall_best_s": cost["wall_s"], "cpu_best_s": cost["cpu_s"]}


# one edit on the command line

SOURCE = """
@cs.labeling_function("ham")
def f{number}(row):
    words = re.findall(r"[a-z]+", row.text.lower())
    return len(words) % 53 == {number} or "{word}" in words
"""
SLOWER = """
@cs.labeling_function("ham")
def f{number}(row):
    counts = Counter(re.findall(r"[a-z]+", row.text.lower()))
    weight = sum(len(word) * n for word, n in counts.most_common())
    return weight % 53 == {number} or "{word}" in counts
"""
WORDS = ("song", "love", "video", "money", "views", "best", "people", "think", "great", "music")


def one_edit(rows: int, folder: Path, *, declared: int, slow: bool = False) -> Found:
    """Seconds of `consilience apply` after one Python function was edited; and what the first apply took."""
    place = folder / f"project-{declared}-{slow}"
    place.mkdir()
    pl.DataFrame({"id": range(rows), "text": short_texts(rows, SEED)}).write_parquet(place / "rows.parquet")
    environ = {**os.environ, "CONSILIENCE_HOME": str(folder / "home")}

    def timed(*arguments: str) -> tuple[float, float, str]:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=place, env=environ, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.perf_counter() - began, cpu, done.stdout.splitlines()[0]

    timed("init", ".", "--labels", "ham,spam", "--id", "id")
    timed("add", "rows.parquet")
    (place / "lfs.toml").write_text("".join(declaration(number) for number in range(declared)))
    code = "import re\nfrom collections import Counter\nimport consilience as cs\n"
    code += "".join((SLOWER if slow else SOURCE).format(number=n, word=WORDS[n % 10]) for n in range(50 - declared))
    (place / "lfs.py").write_text(code)
    full_s, full_cpu_s, said = timed("apply")
    assert said.startswith("50 of 50 functions computed"), said
    walls, cpus = [], []
    for word in ("dance", "voice", "nice"):
        (place / "lfs.py").write_text(code.replace('"song"', f'"{word}"', 1))
        wall, cpu, said = timed("apply")
        assert said.startswith("1 of 50 functions computed"), said
        walls.append(wall)
        cpus.append(cpu)
    wall, cpu = sorted(walls)[1], sorted(cpus)[1]
    found = {"runs": 3, "wall_s": wall, "wall_best_s": min(walls), "cpu_s": cpu, "cpu_best_s": min(cpus)}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    result = f"all {full_s:.1f} s, an edit {wall:.2f} s: 1/{full_s / wall:.0f} (bar 1/30)"
    return {**found, "peak_mb": round(peak), "full_s": full_s, "full_cpu_s": full_cpu_s, "result": result}


def declaration(number: int) -> str:
    """A declared function: keywords, a pattern or an expression."""
    kind = (
        f'keywords = ["subscribe", "{WORDS[number % 10]}", "phrase {number}"]',
        f"pattern = 'https?://|w{{1,{number + 1}}}\\.'",
        f'expression = "length(text) < {10 + number}"',
    )[number % 3]
    return f'[d{number}]\nlabel = "spam"\n{kind}\n'


# more rows than memory holds


def many_files(rows: int, folder: Path) -> Found:
    """Parquet to Parquet, then the patterns counted: peak memory of this process and all it starts."""
    source = folder / f"rows-{rows}"
    subprocess.run([sys.executable, __file__, str(source), str(rows)], check=True, env=os.environ | path_here())
    ten = {function.__name__: cs.labeling_function(label)(function) for function, label in TEN[:2]}
    patterns = ("https?://", r"www\.", "subscr", "check +out", "fre+", r"\bwin\b", "[0-9]+")
    functions = {
        **ten,
        **{f"p{place}": cs.pattern("spam", shape) for place, shape in enumerate(patterns)},
        "asks": cs.keywords("spam", ["my channel", "please", "money", "million views"]),
        "praise": cs.keywords("ham", ["love", "great", "best ever"]),
        "brief": cs.expression("ham", "length(text) < 25"),
    }
    with watched() as cost:
        votes = cs.apply_files(functions, source, folder / f"votes-{rows}", labels=LABELS)
    with watched() as again:
        cs.apply_files(functions, source, folder / f"votes-{rows}", labels=LABELS)
    with watched() as counting:
        matrix = votes.matrix()
    assert matrix.n_rows == rows
    result = f"{len(matrix):,} patterns counted in {counting['wall_s']:.1f} s, {counting['peak_mb']} MB; "
    result += f"again, nothing changed: {again['wall_s']:.1f} s"
    return {**once(cost), "rows": rows, "counting": counting, "again": again, "result": result}


def path_here() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}


def make_rows(source: Path, rows: int) -> None:
    """Files of 5M rows, in a process of its own, so that its memory is nobody's."""
    source.mkdir()
    base = pl.Series("text", short_texts(200_000, SEED))
    rng = np.random.default_rng(SEED)
    for number, start in enumerate(range(0, rows, 5_000_000)):
        n = min(5_000_000, rows - start)
        text = base[rng.integers(0, len(base), n)] + " " + pl.Series(rng.integers(0, 10**6, n)).cast(pl.String)
        frame = pl.DataFrame({"id": np.arange(start, start + n), "text": text})
        frame.write_parquet(source / f"{number:03d}.parquet")


if __name__ == "__main__":
    make_rows(Path(sys.argv[1]), int(sys.argv[2]))
