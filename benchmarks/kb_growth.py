"""How the cost of a whole run grows: rows, variables and factors against seconds and memory, over three decades.

    python benchmarks/kb_growth.py [--sizes N ...] [--threads N] [--markdown] [--json FILE]

The program and the rows are those of `kb_grounding.py`; a line is one size in a process of its own, from a knowledge
base in memory: rows are loaded, grounded, weights learned, all inferred and written. Seconds are CPU seconds of all
threads, for on a shared machine the wall clock says what the neighbours do; "wall s" is of the whole run. A size is run
once before on few rows, so that nothing is compiled by the clock. `exponent` is the slope of the logarithm of a figure
over that of factors, over all lines and over the last two: 1 means in proportion. "bytes a factor" is the memory beyond
what the process held with the rows not yet loaded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from consilience.kb.knowledge_base import KnowledgeBase
from kb_grounding import PROGRAM, SEED, each_size, parsed, rows
from record import append_json, machine, peak_mb, table

WARM = 300
STEPS = ("load", "ground", "learn", "infer")
COLUMNS = ("candidates", "rows", "variables", "factors", "weights", *(f"{s} s" for s in STEPS), "all s", "wall s",
           "peak MB", "bytes a factor")  # fmt: skip


def measure(size: int, threads: int) -> dict[str, Any]:
    """One line."""
    whole_run(WARM, threads)
    return whole_run(size, threads)


def whole_run(size: int, threads: int) -> dict[str, Any]:
    base = rows(size)
    found: dict[str, Any] = {"size": size, "rows": sum(f.height for f in base.values())}
    before, began = peak_mb(), time.perf_counter()
    with KnowledgeBase(PROGRAM, threads=threads) as kb:

        def timed(step: str, act: Callable[[], object]) -> None:
            cpu = time.process_time()
            act()
            found[f"{step}_s"] = time.process_time() - cpu

        timed("load", lambda: [kb.load(name, frame) for name, frame in base.items()])
        base.clear()
        timed("ground", kb.ground)
        timed("learn", kb.learn)
        timed("infer", kb.infer)
        found["wall_s"] = time.perf_counter() - began
        found["all_s"] = sum(found[f"{s}_s"] for s in STEPS)
        graph = kb.memory.graph(kb.program).graph
        found |= {"variables": graph.n_variables, "factors": graph.n_factors, "weights": graph.n_weights}
    found["peak_mb"] = peak_mb()
    found["bytes_a_factor"] = 1e6 * (found["peak_mb"] - before) / found["factors"]
    return found


def slope(found: list[dict[str, Any]], key: str) -> float:
    """Of the logarithm of a figure over that of factors."""
    return float(np.polyfit(np.log([f["factors"] for f in found]), np.log([f[key] for f in found]), 1)[0])


def main() -> int:
    """Print the table, append the JSON lines."""
    chosen = parsed(__doc__.split("\n", 1)[0], "kb_growth")
    if chosen.one is not None:
        print(json.dumps(measure(chosen.one, chosen.threads)))
        return 0
    found = []
    for one in each_size(__file__, chosen):
        found.append(one)
        append_json(chosen.json, {"name": "kb_growth", "seed": SEED, "machine": machine(), **one})
    seconds = [*(f"{s}_s" for s in STEPS), "all_s", "wall_s"]
    lines = [
        [*(f"{f[k]:,}" for k in ("size", "rows", "variables", "factors", "weights")), *(f"{f[k]:.2f}" for k in seconds),
         f"{f['peak_mb']:,.0f}", f"{f['bytes_a_factor']:,.0f}"]
        for f in found
    ]  # fmt: skip
    for name, of in (("exponent", found), ("exponent, last two", found[-2:])):
        if len(found) > 1:
            slopes = [f"{slope(of, k):.2f}" for k in (*seconds, "peak_mb")]
            lines.append([name, "", "", "", "", *slopes, ""])
    print(table(COLUMNS, lines, markdown=chosen.markdown))
    print(machine())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
