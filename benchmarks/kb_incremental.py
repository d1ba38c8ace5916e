"""What 1% new documents cost: delta grounding against grounding everything again, on the program of `kb_grounding.py`.

    python benchmarks/kb_incremental.py [--size N] [--share P] [--threads N] [--markdown] [--json FILE]

The documents are split: all but a share are grounded, then the share is inserted, deleted again, and inserted again.
"again" is the time to ground all rows anew in a fresh database. CPU seconds are those of all threads. Quality stands in
the same row: whether the graph brought up to date has the variables, evidence and factors of the one grounded anew
(by ids, compared as sorted arrays).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.kb.grounding.arrays import load_graph
from consilience.kb.grounding.delta import Update, update
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse
from consilience.kb.language.tree import Program
from kb_grounding import PROGRAM, SEED, rows
from record import JSON_HELP, append_json, lines_file, machine, peak_mb, table

BAR = 50.0  # times faster, inference included
SIZE, SHARE = 900_000, 0.01


def split(base: dict[str, pl.DataFrame], share: float) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Rows of the documents that are there, and of the last ones, which come later."""
    n_documents = 1 + int(base["person_mention"]["doc_id"].str.slice(3).cast(pl.Int64).max())  # type: ignore[arg-type]
    first = int(n_documents * (1 - share))
    old, new = {}, {}
    for name, frame in base.items():
        if "doc_id" not in frame.columns:
            old[name] = frame
            continue
        later = frame["doc_id"].str.slice(3).cast(pl.Int64) >= first
        old[name], new[name] = frame.filter(~later), frame.filter(later)
    return old, new


def grounded(program: Program, base: dict[str, pl.DataFrame], threads: int) -> tuple[Store, float, float]:
    """A database with rows grounded; wall and CPU seconds of grounding, without loading."""
    store = Store.open(threads=threads)
    for name, frame in base.items():
        load(store, program, name, frame)
    wall, cpu = time.perf_counter(), time.process_time()
    ground(store, program)
    return store, time.perf_counter() - wall, time.process_time() - cpu


def timed(store: Store, program: Program, **change: Any) -> tuple[Update, float, float]:
    """An update with its wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = update(store, program, **change)
    return made, time.perf_counter() - wall, time.process_time() - cpu


def described(store: Store, program: Program) -> tuple[Any, ...]:
    """Ids with their evidence, and factors by id of variable and of weight, sorted."""
    loaded = load_graph(store, program)
    there = loaded.ids != 0
    order = np.argsort(loaded.ids[there])
    weights = store.arrays("SELECT position, id FROM _kb.weights")
    ids = np.zeros(store.counter("weights"), np.uint64)
    ids[weights["position"]] = weights["id"]
    factors = loaded.graph.factors
    by = [loaded.ids[factors.variable], ids[factors.weight], factors.scale]  # every factor has one literal here
    sort = np.lexsort(by[::-1])
    return (loaded.ids[there][order], loaded.graph.evidence[there][order], *(b[sort] for b in by))


def measure(size: int, share: float, threads: int) -> dict[str, Any]:
    """Ground all but a share, update, compare with grounding all."""
    program = parse(PROGRAM)
    old, new = split(rows(size), share)
    found: dict[str, Any] = {"size": size, "share": share, "seed": SEED, "threads": threads}
    store, found["base_wall_s"], found["base_cpu_s"] = grounded(program, old, threads)
    with store:
        for name, change in (("first", {"inserts": new}), ("delete", {"deletes": new}), ("insert", {"inserts": new})):
            made, found[f"{name}_wall_s"], found[f"{name}_cpu_s"] = timed(store, program, **change)
            assert made.change is not None
            found[f"{name}_factors"] = len(made.change.added) + len(made.change.removed)
        updated = described(store, program)
    whole = {name: pl.concat([frame, new[name]]) if name in new else frame for name, frame in old.items()}
    store, found["again_wall_s"], found["again_cpu_s"] = grounded(program, whole, threads)
    with store:
        anew = described(store, program)
    found["same"] = all(np.array_equal(a, b) for a, b in zip(updated, anew, strict=True))
    found["variables"], found["factors"] = len(anew[0]), len(anew[2])
    found["times_faster"] = found["again_wall_s"] / found["insert_wall_s"]
    found["peak_mb"] = peak_mb()
    return found


def main() -> int:
    """Print the table, append the JSON line; 1 if the graphs differ or grounding alone misses the bar."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=SIZE, help="candidates")
    parser.add_argument("--share", type=float, default=SHARE, help="share of the documents that are new")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, default=lines_file("kb_incremental"), help=JSON_HELP)
    chosen = parser.parse_args()
    found = measure(chosen.size, chosen.share, chosen.threads)
    append_json(chosen.json, found | {"what": "kb_incremental", "machine": machine()})
    columns = ["candidates", "factors", "seed", "again s", "first update s", "insert s", "delete s", "times faster"]
    line = [
        f"{found['size']:,}",
        f"{found['factors']:,}",
        str(SEED),
        *(f"{found[k]:.2f}" for k in ("again_wall_s", "first_wall_s", "insert_wall_s", "delete_wall_s")),
        f"{found['times_faster']:.0f}",
        f"{found['peak_mb']:,.0f}",
        "yes" if found["same"] else "NO",
        f"{BAR:g}",
    ]
    print(table([*columns, "peak MB", "same graph", "bar"], [line], markdown=chosen.markdown))
    return 0 if found["same"] and found["times_faster"] >= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
