"""What Spark costs beside this process alone: ten functions on 5M short texts in a partitioned Parquet folder.

Both read the folder, cast the votes and write them as Parquet. Spark's line counts its start, the JVM and the Python
workers; it is refused unless every vote is the same. Its JSON line also has what starting, counting the distinct rows
and writing probabilities took. For a look by itself, with fewer rows:

    PYTHONPATH=benchmarks python benchmarks/labeling_jobs/spark.py local|spark FOLDER ROWS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from jobs import LABELS, Found, Job
from process_tree import watched

from functions.plain import HAM, SPAM, short_texts

ROWS = 5_000_000
PART = 250_000  # rows of a file
MODEL = cs.DawidSkene


def jobs() -> list[Job]:
    """This process alone, and Spark; in this order, for Spark's votes are compared with the other's."""
    votes = 10 * ROWS
    return [
        Job("10 functions, Parquet to Parquet", "5M rows", partial(local, ROWS), votes, "votes"),
        Job("10 functions, Spark local[2], the same votes", "5M rows", partial(on_spark, ROWS), votes, "votes"),
    ]


def functions() -> list[Any]:
    """Five in Python, three patterns, keywords, an expression."""
    written = [*((f, "spam") for f in SPAM[:3]), *((f, "ham") for f in HAM[:2])]
    shapes = {"secure": r"https?://", "subscribes": "subscr", "shouts": r"\b[A-Z]{3,}\b"}
    return [
        *(cs.labeling_function(label)(function) for function, label in written),
        *(cs.pattern("spam", shape, name=name) for name, shape in shapes.items()),
        cs.keywords("spam", ["money", "free", "win", "my channel"], name="asks"),
        cs.expression("ham", "length(text) < 30", name="brief"),
    ]


# the rows


def rows(folder: Path, n: int) -> Path:
    """The folder of rows, made if it is not there: by another process, so that its memory is nobody's."""
    place = folder / f"rows-{n}"
    if not place.exists():
        elsewhere("rows", folder, n)
    return place


def elsewhere(what: str, folder: Path, n: int) -> None:
    """Do a part of this file's work in a process of its own."""
    path = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, __file__, what, str(folder), str(n)], check=True, env=os.environ | path)


def make_rows(folder: Path, n: int) -> None:
    made = folder / f"making-{n}"
    for place, start in enumerate(range(0, n, PART)):
        stop = min(start + PART, n)
        part = made / f"day={place:03d}"
        part.mkdir(parents=True)
        frame = pl.DataFrame({"id": np.arange(start, stop), "text": short_texts(stop - start, seed=place)})
        frame.write_parquet(part / "rows.parquet")
    made.rename(folder / f"rows-{n}")


# this process alone


def local(n: int, folder: Path) -> Found:
    """File by file: read, apply, write the votes."""
    files = sorted(rows(folder, n).rglob("*.parquet"))
    votes = folder / f"votes-{n}"
    votes.mkdir(exist_ok=True)
    with watched() as cost:
        for place, file in enumerate(files):
            matrix = cs.apply(functions(), cs.Table(pl.read_parquet(file)), labels=LABELS)
            names_frame(matrix).write_parquet(votes / f"{place:03d}.parquet")
    with watched() as counting:
        counted = cs.LabelMatrix.scan(votes / "*.parquet", LABELS, matrix.names)
    return line(cost, distinct=len(counted.patterns), counting=counting)


def names_frame(matrix: cs.LabelMatrix) -> pl.DataFrame:
    said = pl.Series([*matrix.labels.votes, None], dtype=pl.String)
    silent = len(matrix.labels.votes)
    columns = {
        name: said.gather(np.where(matrix.votes[:, place] < 0, silent, matrix.votes[:, place]))
        for place, name in enumerate(matrix.names)
    }
    return pl.DataFrame({"id": matrix.ids, **columns})


def line(cost: Found, **more: Any) -> Found:
    best = {"wall_best_s": cost["wall_s"], "cpu_best_s": cost["cpu_s"]}
    return {"runs": 1, **cost, **best, **more}


# Spark


def on_spark(n: int, folder: Path) -> Found:
    """Start Spark, apply, write the votes; then look that they are the same."""
    from consilience.engines.spark import local_session
    from consilience.label_models.predict_spark import predict_spark
    from consilience.labeling.apply_spark import apply_spark

    source, there = rows(folder, n), folder / f"votes-{n}"
    if not there.exists():
        elsewhere("local", folder, n)
    with watched() as cost:
        with watched() as starting:
            spark = local_session(2)
        votes = apply_spark(
            functions(), source, labels=LABELS, id="id", text="text", spark=spark, into=folder / f"spark-{n}"
        )
    with watched() as counting:
        matrix = votes.matrix()
    model = MODEL().fit(matrix)
    with watched() as predicting:
        predict_spark(model, votes, into=folder / f"probabilities-{n}")
    spark.stop()
    check_same(folder / f"spark-{n}", there, n, matrix.names)
    same = MODEL().fit(cs.LabelMatrix.scan(there / "*.parquet", LABELS, matrix.names))
    if not np.array_equal(same.theta_, model.theta_):
        raise RuntimeError("The model fitted on Spark's counts is another.")
    steps = {"starting": starting, "counting": counting, "predicting": predicting}
    return line(cost, accuracy=1.0, distinct=len(matrix.patterns), **steps)


def check_same(ours: Path, theirs: Path, n: int, names: list[str]) -> None:
    """Raise RuntimeError unless both folders have the same votes on the same ids."""
    seen = np.zeros(n, bool)
    known = pl.read_parquet(theirs / "*.parquet", columns=["id", *names]).with_columns(
        pl.col(names).cast(pl.Categorical)
    )
    known = known.sort("id")
    for file in sorted(ours.glob("*.parquet")):
        part = pl.read_parquet(file, columns=["id", *names])
        places = part["id"].to_numpy()
        if seen[places].any() or not known[places].cast(dict.fromkeys(names, pl.String)).equals(part):
            raise RuntimeError(f"The votes in {file} differ.")
        seen[places] = True
    if not seen.all():
        raise RuntimeError(f"{n - seen.sum()} rows have no votes.")


if __name__ == "__main__":
    what, where, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "rows":
        make_rows(where, count)
    else:
        print(json.dumps({"local": local, "spark": on_spark}[what](count, where)))
