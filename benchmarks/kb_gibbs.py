"""How fast Gibbs sampling of a factor graph is and how far from the truth, and numbskull on the same graphs.

    python benchmarks/kb_gibbs.py [--numbskull-python PATH] [--variables N] [--markdown] [--json FILE]

First table: 200k Boolean variables, each with 5 tied IS_TRUE factors and about 2 EQUAL factors, from a seed; what a
sampler says after its sweeps against a run of ours ten times as long with another seed. Each line is a process of its
own. Rates are draws a wall second, and draws a CPU second of all threads: on a busy machine only the latter tells.

Second table: each factor function on random graphs of 10 variables against enumeration; the largest error of a marginal
over three graphs. Ours runs until 99% of the marginals are worth 100,000 independent draws, or 1.6M sweeps; the peer
40,000 sweeps. It is asked what it can express: no negation, no evidence, no variable twice in a factor; what LINEAR,
RATIO and LOGICAL count is of another meaning there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.kb.graph.factor_graph import COUNTING, OPEN, FactorFunction, FactorGraph, Factors, SoftEvidence
from consilience.kb.inference.gibbs import sample
from consilience.kb.inference.structure import prepare
from jobs import ONE_THREAD
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.reference.factor_graphs import marginals

SEED = 0
BAR = 10_000_000  # draws a second
BAR_ERROR = 0.005
BURN_IN, SWEEPS, LONG = 50, 250, 2500
PEER_SWEEPS = 25
SMALL_GRAPHS, CHAINS, WORTH, MOST = 3, 4, 100_000, 400_000
SMALL_PEER_SWEEPS = 40_000
PEER = Path(__file__).with_name("peer_numbskull.py")
SPEED_COLUMNS = (
    "sampler", "variables", "factors", "threads", "prepare CPU s", "sweeps", "CPU s", "wall s", "draws/s wall",
    "draws/s CPU", "bar", "held", "mean difference", "worst R-hat", "peak MB",
)  # fmt: skip
ERROR_COLUMNS = (
    "function",
    "graphs",
    "most sweeps",
    "ours",
    "ours, negated, tied, categorical",
    "numbskull",
    "bar",
    "held",
)
Found = dict[str, Any]


def large(n: int) -> tuple[FactorGraph, np.ndarray]:
    """n Boolean variables with 5 tied unary factors each, and n EQUAL factors between them: each has 2 on average."""
    rng = np.random.default_rng(SEED)
    n_tied = max(1, n // 10)
    other = (np.arange(n) + rng.integers(1, n, n)) % n
    pairs = np.stack([np.arange(n), other], axis=1).ravel()
    function = np.repeat(np.array([FactorFunction.IS_TRUE, FactorFunction.EQUAL], np.uint8), [5 * n, n])
    offsets = np.concatenate([np.arange(5 * n), 5 * n + 2 * np.arange(n + 1)]).astype(np.int32)
    variable = np.concatenate([np.repeat(np.arange(n), 5), pairs]).astype(np.int32)
    weight = np.concatenate([rng.integers(0, n_tied, 5 * n), np.full(n, n_tied)]).astype(np.int32)
    ones, none = np.ones(len(variable), np.int32), np.zeros(0, np.int32)
    factors = Factors(function, offsets, variable, ones, weight, np.ones(6 * n, np.float32), none)
    known, fixed = np.full(n, OPEN, np.int32), np.zeros(n_tied + 1, bool)
    graph = FactorGraph(np.full(n, 2, np.int32), known, factors, fixed, SoftEvidence.none())
    return graph, np.append(rng.normal(0, 0.3, n_tied), 0.4)


def small(function: FactorFunction, seed: int, *, plain: bool) -> tuple[FactorGraph, np.ndarray]:
    """A graph of 10 variables with 12 factors of one function, and a bias on each variable.

    plain: nothing the peer cannot say; else negation, evidence, a variable twice, and up to 4 values.
    """
    rng = np.random.default_rng([seed, int(function)])
    wide = function == FactorFunction.AND_CATEGORICAL
    width = np.full(10, 3 if wide else 2) if plain else rng.integers(2, 5, 10)

    def literals(k: int) -> list[tuple[int, int]]:
        chosen = rng.choice(10, k, replace=not plain)
        return [(int(v), int(rng.integers(width[v])) if wide or not plain else 1) for v in chosen]

    factors: list[tuple[Any, ...]] = []
    for f in range(12):
        given: list[Any] = literals(1 if function == FactorFunction.IS_TRUE else int(rng.integers(2, 5)))
        if function in COUNTING:
            given = [given[0], *([literal] for literal in given[1:])]
        factors.append((function, given, f))
    bias = FactorFunction.AND_CATEGORICAL if wide else FactorFunction.IS_TRUE
    factors += [(bias, [(v, 1)], 12 + v) for v in range(10)]
    known = np.where(rng.random(10) < (0 if plain else 0.2), rng.integers(0, width), OPEN)
    graph = FactorGraph.of(width.tolist(), factors, evidence=known.tolist())
    return graph, rng.normal(0, 0.7, graph.n_weights)


def ours(n: int, sweeps: int, seed: int, out: Path) -> Found:
    """Sample the large graph, after a short run that compiles; save P(1) of each variable."""
    sample(*large(100), epochs=4)
    graph, weights = large(n)
    began = time.process_time()
    structure = prepare(graph)
    prepare_s = time.process_time() - began
    wall, cpu = time.perf_counter(), time.process_time()
    found = sample(graph, weights, structure=structure, chains=CHAINS, burn_in=BURN_IN, epochs=sweeps, seed=seed)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    np.save(out, found.probability[1::2])
    draws = n * CHAINS * (found.burn_in + found.epochs)
    return {
        "prepare_s": prepare_s,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "sweeps": found.epochs * CHAINS,
        "draws": draws,
        "worst_r_hat": found.worst_r_hat,
        "least_effective": found.least_effective,
        "peak_mb": round(peak_mb()),
    }


def asked(python: str, graph: FactorGraph, weights: np.ndarray, sweeps: int, threads: int, folder: Path) -> Found:
    """The peer's answer, its marginals among it."""
    file, out, f = folder / "graph.npz", folder / "peer.npy", graph.factors
    parts = {name: getattr(f, name) for name in ("function", "offsets", "variable", "value", "weight", "scale")}
    np.savez(file, weights=weights, cardinality=graph.cardinality, **parts)
    command = [python, "-W", "ignore", str(PEER), str(file), str(out), str(max(1, sweeps // 10)), str(sweeps)]
    done = subprocess.run([*command, str(threads)], capture_output=True, text=True, env=ONE_THREAD)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "draws": graph.n_variables * found["sweeps"], "probability": np.load(out)}


def speed_row(name: str, n: int, threads: str, found: Found, bar: int | None) -> list[str]:
    """A line of the first table."""
    if "failed" in found:
        return [name, f"{n:,}", f"{6 * n:,}", threads, found["failed"][:60], *[NOT_KNOWN] * (len(SPEED_COLUMNS) - 5)]
    rates = [found["draws"] / found["wall_s"], found["draws"] / found["cpu_s"]]
    return [
        name,
        f"{n:,}",
        f"{6 * n:,}",
        threads,
        f"{found['prepare_s']:.2f}",
        f"{found['sweeps']:,}",
        f"{found['cpu_s']:.2f}",
        f"{found['wall_s']:.2f}",
        *(f"{rate / 1e6:.2f}M" for rate in rates),
        f"{bar / 1e6:.0f}M" if bar else NOT_KNOWN,
        ("yes" if rates[0] >= bar else "no") if bar else NOT_KNOWN,
        f"{found['difference']:.4f}",
        f"{found['worst_r_hat']:.3f}" if "worst_r_hat" in found else NOT_KNOWN,
        f"{found['peak_mb']:,}",
    ]


def speed(n: int, python: str, folder: Path) -> list[tuple[list[str], Found]]:
    """The first table."""
    files = {"long": folder / "long.npy", "ours": folder / "ours.npy"}
    for name, sweeps, seed in (("long", LONG, 1), ("ours", SWEEPS, 0)):
        command = [sys.executable, __file__, "--measure", str(n), str(sweeps), str(seed), str(files[name])]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD).stdout
    truth, found = np.load(files["long"]), json.loads(said.splitlines()[-1])
    found["difference"] = float(np.abs(np.load(files["ours"]) - truth).mean())
    rows = [(speed_row("consilience", n, "2", found, BAR), found)]
    for threads in (1, 2) if python else ():
        found = asked(python, *large(n), PEER_SWEEPS, threads, folder)
        if "failed" not in found:
            found["difference"] = float(np.abs(found.pop("probability")[1::2] - truth).mean())
        rows.append((speed_row("numbskull", n, str(threads), found, None), found))
    return rows


def errors(python: str, folder: Path) -> list[tuple[list[str], Found]]:
    """The second table."""
    rows = []
    for function in FactorFunction:
        found: dict[str, float] = {"ours": 0.0, "hard": 0.0, "peer": np.nan}
        most = 0
        for seed in range(SMALL_GRAPHS):
            for name in ("ours", "hard"):
                graph, weights = small(function, seed, plain=name == "ours")
                truth = marginals(graph, weights)
                said = sample(graph, weights, epochs=MOST, effective=WORTH, chains=CHAINS, seed=seed)
                most = max(most, said.epochs * CHAINS)
                found[name] = max(found[name], float(np.abs(said.probability - truth).max()))
                if name == "ours" and python:
                    theirs = asked(python, graph, weights, SMALL_PEER_SWEEPS, 1, folder)
                    if "failed" not in theirs:
                        found["peer"] = float(np.fmax(found["peer"], np.abs(theirs["probability"] - truth).max()))
        held = max(found["ours"], found["hard"]) <= BAR_ERROR
        peer = NOT_KNOWN if np.isnan(found["peer"]) else f"{found['peer']:.4f}"
        cells = [
            f"{SMALL_GRAPHS} + {SMALL_GRAPHS}",
            f"{most:,}",
            f"{found['ours']:.4f}",
            f"{found['hard']:.4f}",
        ]
        row = [function.name, *cells, peer, f"{BAR_ERROR}", "yes" if held else "no"]
        rows.append(
            (row, {"function": function.name, **found, "peer": None if np.isnan(found["peer"]) else found["peer"]})
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--numbskull-python", default="", metavar="PATH", help="Python of an environment with numbskull"
    )
    parser.add_argument("--variables", type=int, default=200_000, metavar="N", help="of the large graph")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("kb_gibbs"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        n, sweeps, seed, out = options.measure
        print(json.dumps(ours(int(n), int(sweeps), int(seed), Path(out))))
        return
    with tempfile.TemporaryDirectory() as folder:
        python = options.numbskull_python
        tables = {
            "speed": (SPEED_COLUMNS, speed(options.variables, python, Path(folder))),
            "errors": (ERROR_COLUMNS, errors(python, Path(folder))),
        }
    for what, (columns, lines) in tables.items():
        print(table(columns, [row for row, _ in lines], markdown=options.markdown), end="\n\n")
        for row, found in lines:
            known = {
                "benchmark": "kb_gibbs",
                "table": what,
                "what": row[0],
                "seed": SEED,
                "variables": options.variables,
            }
            append_json(options.json, {**known, **found, "version": cs.__version__, "machine": machine()})
    print(f"{machine()}; consilience {cs.__version__}; seed {SEED}")


if __name__ == "__main__":
    main()
