"""How fast rows come in and go out: a million short texts in each format that holds tables, and fewer in the others.

Files are made beforehand; reading includes settling ids, text and gold. Polars alone, which checks and keeps nothing of
what this package promises, is the peer of the text formats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl

import consilience as cs
from jobs import SEED, Found, Job, main
from stopwatch import clocked

from functions.plain import short_texts

MILLION = 1_000_000
LABELS = ("ham", "spam")


def rows(n: int) -> pl.DataFrame:
    label = ["ham" if place % 3 else "spam" for place in range(n)]
    return pl.DataFrame({"id": range(n), "text": short_texts(n, SEED), "label": label, "score": np.arange(n) / 7})


def file(folder: Path, name: str, n: int, damaged: bool = False) -> Path:
    """A file of n rows, made once. damaged: every hundred thousandth line is broken."""
    path = folder / f"{n}-{'damaged-' if damaged else ''}{name}"
    if not path.exists():
        cs.Table(rows(n), gold="label").write(path)
    if damaged:
        lines = path.read_bytes().split(b"\n")
        lines[50_000::100_000] = [b'"broken' for _ in lines[50_000::100_000]]
        path.write_bytes(b"\n".join(lines))
    return path


def reading(name: str, n: int, damaged: bool, folder: Path) -> Found:
    path = file(folder, name, n, damaged)
    times, table = clocked(lambda: path, lambda given: cs.read(given, gold="label"), 3)
    assert len(table) + len(table.rejects) == n
    return {**times, "rows": len(table)}


def polars_alone(read: Callable[[Path], pl.DataFrame], name: str, n: int, folder: Path) -> Found:
    path = file(folder, name, n)
    times, frame = clocked(lambda: path, read, 3)
    return {**times, "rows": len(frame)}


def made(n: int) -> tuple[cs.TrainingSet, cs.LabelMatrix]:
    rng = np.random.default_rng(SEED)
    table = cs.Table(rows(n), gold="label", labels=LABELS)
    p = rng.random(n)
    training_set = cs.TrainingSet(table, table.labels, np.stack([p, 1 - p], 1), np.ones(n), ["asks=spam"] * n)
    return training_set, cs.LabelMatrix.from_votes(rng.integers(-1, 2, (n, 10)), LABELS, ids=table.ids)


def writing(format: str, n: int, folder: Path) -> Found:
    training_set, matrix = made(n)
    options: dict[str, Any] = {"matrix": matrix} if format == "wrench" else {}
    out = folder / f"out-{format}"
    times, _ = clocked(lambda: out, lambda path: training_set.write(path, format, **options), 3)
    return times


def jobs() -> list[Job]:
    """Reading, then writing."""
    ours = [
        Job(f"read {name}", "1M rows", partial(reading, f"rows.{name}", MILLION, False), MILLION, "rows", 300_000)
        for name in ("csv", "jsonl", "parquet", "arrow")
    ]
    damaged = [
        Job(f"{what}, ten broken lines", "1M rows", partial(reading, name, MILLION, True), MILLION, "rows", 200_000)
        for what, name in (("read csv", "rows.csv"), ("read jsonl", "rows.jsonl"))
    ]
    peers = [
        Job(f"Polars alone, {name}", "1M rows", partial(polars_alone, read, f"rows.{name}", MILLION), MILLION, "rows")
        for name, read in (("csv", pl.read_csv), ("jsonl", pl.read_ndjson))
    ]
    tables = ("parquet", "arrow", "jsonl", "csv", "huggingface", "saved-dataset", "wrench")
    write = [
        Job(f"write {name}", size, partial(writing, name, n), bar=bar)
        for size, n, bar in (("50k rows", 50_000, 2.0), ("1M rows", MILLION, 30.0))
        for name in tables
    ]
    return [*ours, *damaged, *peers, *write, Job("write spacy", "50k rows", partial(writing, "spacy", 50_000))]


if __name__ == "__main__":
    main("readers", __file__, __doc__, lambda _: jobs())
