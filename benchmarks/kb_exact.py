"""Exact inference: its error against enumeration, and what it costs in time and memory as graphs grow.

    python benchmarks/kb_exact.py             # error of every factor function, then the speed of every engine
    python benchmarks/kb_exact.py --memory    # 10M variables and 30M factors, end to end (--scale 0.3 for 3M and 9M)
    python benchmarks/kb_exact.py --growth    # the same from 10k variables to 10M, and how cost grows

Graphs are random by the seed. Each line is measured in a process of its own; compiling is not counted. The error is
the largest of any marginal, expected worth and log-partition against all worlds scored one by one in plain loops.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors, SoftEvidence
from consilience.kb.inference.exact import Limits, Prepared
from consilience.kb.inference.ladder import InferenceSettings, infer
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

ROOT = Path(__file__).resolve().parents[1]
SEED = 0
COLUMNS = ("what", "variables", "factors", "engine", "CPU s", "of it planning", "peak MB", "error", "bar", "held")
ERROR_BAR = 1e-9
MEMORY_BAR_MB = 4000.0
EQUAL, IS_TRUE = FactorFunction.EQUAL, FactorFunction.IS_TRUE


# graphs as arrays


def unary(variables: np.ndarray, weight: np.ndarray) -> Factors:
    """One IS_TRUE factor for each variable given."""
    n = len(variables)
    ones = np.ones(n, np.int32)
    return Factors(
        np.full(n, IS_TRUE, np.uint8),
        np.arange(n + 1, dtype=np.int32),
        variables.astype(np.int32),
        ones,
        weight.astype(np.int32),
        np.ones(n, np.float32),
        np.zeros(0, np.int32),
    )


def pairwise(pairs: np.ndarray, weight: int) -> Factors:
    """One EQUAL factor for each pair given, (p, 2) int32."""
    p = len(pairs)
    return Factors(
        np.full(p, EQUAL, np.uint8),
        np.arange(0, 2 * p + 1, 2, dtype=np.int32),
        pairs.astype(np.int32).ravel(),
        np.ones(2 * p, np.int32),
        np.full(p, weight, np.int32),
        np.ones(p, np.float32),
        np.zeros(0, np.int32),
    )


def boolean(n: int, parts: list[Factors], n_weights: int) -> FactorGraph:
    """A graph of n open Boolean variables."""
    both, none = np.full(n, 2, np.int32), np.full(n, OPEN, np.int32)
    return FactorGraph(both, none, Factors.joined(parts), np.zeros(n_weights, bool), SoftEvidence.none())


N_WEIGHTS = 1000  # tied; the last is that of pairs


def features(rng: np.random.Generator, n: int, each: int) -> Factors:
    """Tied unary factors, `each` a variable, in no order of variables."""
    return unary(
        rng.permutation(np.repeat(np.arange(n, dtype=np.int32), each)), rng.integers(0, N_WEIGHTS - 1, n * each)
    )


def singletons(n: int, each: int) -> FactorGraph:
    return boolean(n, [features(np.random.default_rng(SEED), n, each)], N_WEIGHTS)


def couples(n_pairs: int) -> FactorGraph:
    rng = np.random.default_rng(SEED)
    pairs = rng.permutation(2 * n_pairs).reshape(-1, 2)
    return boolean(2 * n_pairs, [features(rng, 2 * n_pairs, 1), pairwise(pairs, N_WEIGHTS - 1)], N_WEIGHTS)


def chains(n_chains: int, length: int) -> FactorGraph:
    rng = np.random.default_rng(SEED)
    at = rng.permutation(n_chains * length).reshape(n_chains, length)
    pairs = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], axis=1)
    return boolean(at.size, [features(rng, at.size, 1), pairwise(pairs, N_WEIGHTS - 1)], N_WEIGHTS)


def grids(n_grids: int, wide: int, long: int) -> FactorGraph:
    """Grids of `wide` columns, the treewidth."""
    rng = np.random.default_rng(SEED)
    at = np.arange(n_grids * wide * long).reshape(n_grids, long, wide)
    down = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], axis=1)
    across = np.stack([at[:, :, :-1].ravel(), at[:, :, 1:].ravel()], axis=1)
    pairs = np.concatenate([down, across])
    return boolean(at.size, [features(rng, at.size, 1), pairwise(pairs, N_WEIGHTS - 1)], N_WEIGHTS)


def triangles(n_rings: int, size: int) -> FactorGraph:
    """Rings: the smallest components with a cycle."""
    rng = np.random.default_rng(SEED)
    at = rng.permutation(n_rings * size).reshape(n_rings, size)
    pairs = np.stack([at.ravel(), np.roll(at, 1, axis=1).ravel()], axis=1)
    return boolean(at.size, [features(rng, at.size, 1), pairwise(pairs, N_WEIGHTS - 1)], N_WEIGHTS)


def knowledge_base(n: int) -> FactorGraph:
    """n variables and 3 n factors: two unary ones a variable, and pairs in blocks of 1, 2, 4, 8 and 16 variables.

    A tenth of the variables stand in rings of 100, and a fifth are evidence.
    """
    rng = np.random.default_rng(SEED)
    pairs = np.empty((n, 2), np.int32)
    at = np.arange(n, dtype=np.int32)
    block = np.select([at < 0.2 * n, at < 0.5 * n, at < 0.9 * n], [2, 4, 16], 100).astype(np.int32)
    start = at - at % block
    pairs[:, 0] = at
    pairs[:, 1] = np.minimum(start + (at + 1 - start) % block, n - 1)
    del at, start, block
    pairs[pairs[:, 0] == pairs[:, 1], 1] -= 1
    both = np.full(n, 2, np.int32)
    evidence = np.where(rng.random(n, np.float32) < 0.2, rng.integers(0, 2, n, np.int32), np.int32(OPEN))
    # written in place: the graph is the larger part of what is measured
    function = np.full(3 * n, IS_TRUE, np.uint8)
    function[2 * n :] = EQUAL
    offsets = np.concatenate([np.arange(2 * n, dtype=np.int32), np.arange(2 * n, 4 * n + 1, 2, dtype=np.int32)])
    variable = np.empty(4 * n, np.int32)
    variable[:n] = np.arange(n)
    variable[n : 2 * n] = variable[:n]
    variable[2 * n :] = pairs.ravel()
    del pairs
    weight = rng.integers(0, N_WEIGHTS - 1, 3 * n, np.int32)
    weight[2 * n :] = N_WEIGHTS - 1
    factors = Factors(
        function, offsets, variable, np.ones(4 * n, np.int32), weight, np.ones(3 * n, np.float32), np.zeros(0, np.int32)
    )
    return FactorGraph(both, evidence, factors, np.zeros(N_WEIGHTS, bool), SoftEvidence.none())


def tangled(n: int) -> FactorGraph:
    """n variables and 3 n factors: two unary ones a variable, and pairs at random, most in one large component."""
    rng = np.random.default_rng(SEED)
    each = np.tile(np.arange(n, dtype=np.int32), 2)
    pairs = rng.integers(0, n, (n, 2), np.int32)
    return boolean(
        n, [unary(each, rng.integers(0, N_WEIGHTS - 1, 2 * n, np.int32)), pairwise(pairs, N_WEIGHTS - 1)], N_WEIGHTS
    )


def tied_weights() -> np.ndarray:
    weights = np.random.default_rng(SEED).normal(0, 0.5, N_WEIGHTS)
    weights[-1] = 0.4
    return weights


# lines


SPEED: dict[str, tuple[Callable[[], FactorGraph], float | None]] = {
    "1M singletons, 5 unary factors each": (lambda: singletons(1_000_000, 5), 1.0),
    "900k singletons, 10 unary factors each": (lambda: singletons(900_000, 10), 1.0),
    "500k pairs": (lambda: couples(500_000), 1.0),
    "1,000 chains of 1,000": (lambda: chains(1000, 1000), None),
    "1 chain of 1,000,000": (lambda: chains(1, 1_000_000), None),
    "100k rings of 6": (lambda: triangles(100_000, 6), None),
    "2,000 rings of 100": (lambda: triangles(2000, 100), None),
    "1 grid of treewidth 8, 8 x 1,000": (lambda: grids(1, 8, 1000), None),
    "10 grids of treewidth 8, 8 x 100": (lambda: grids(10, 8, 100), None),
}


def measure_speed(name: str) -> dict[str, Any]:
    make, bar = SPEED[name]
    weights = tied_weights()
    for limits in (Limits(), Limits(worlds=1)):  # compile every engine
        Prepared(chains(1, 9), limits=limits).solve(weights)
        Prepared(triangles(1, 9), limits=limits).solve(weights)
    graph = make()
    before = peak_mb()
    started = time.process_time()
    prepared = Prepared(graph)
    planned = time.process_time()
    solved = prepared.solve(weights)
    done = time.process_time()
    assert len(solved.unsolved) == 0
    engines = [e.name.lower() for e, _ in sorted(solved.seconds.items()) if (solved.marginals.engine == e).any()]
    return {
        "variables": graph.n_variables,
        "factors": graph.n_factors,
        "engine": ", ".join(engines).replace("_", " "),
        "cpu_s": done - started,
        "planning_s": planned - started,
        "peak_mb": peak_mb(),
        "graph_mb": before,
        "bar": bar,
        "held": None if bar is None else done - started <= bar,
    }


WAYS = {
    "enumeration": Limits(),
    "tree": Limits(worlds=1),
    "junction tree": Limits(worlds=1, factor_worlds=1),
}


def measure_error(name: str) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from tests.kb.graphs import random_graph
    from tests.reference import factor_graphs as reference

    function = FactorFunction[name]
    worst, engines, n_graphs = 0.0, set(), 0
    for n, largest in ((4, 3), (8, 2), (12, 2)):
        for seed in range(4):
            graph, weights = random_graph(
                seed, n=n, n_factors=n, functions=(function, IS_TRUE), largest=largest, known=0.1, spread=1.5
            )
            expected = reference.marginals(graph, weights), reference.expected_worth(graph, weights)
            log_z = reference.distribution(graph, weights)[2]
            for limits in WAYS.values():
                solved = Prepared(graph, limits=limits).solve(weights, expected=True)
                found = solved.marginals.probability, solved.expected_worth
                errors = [np.abs(a - b).max() for a, b in zip(found, expected, strict=True)]
                worst = max(worst, *errors, abs(solved.marginals.log_partition - log_z))
                engines |= set(solved.seconds)
            n_graphs += 1
    return {
        "variables": 12,
        "factors": n_graphs * 12,
        "engine": "all",
        "error": worst,
        "bar": ERROR_BAR,
        "held": worst <= ERROR_BAR,
    }


def measure_memory(scale: float, make: Callable[[int], FactorGraph]) -> dict[str, Any]:
    """Few sweeps: memory does not depend on their number."""
    weights = tied_weights()
    settings = InferenceSettings(epochs=16)
    infer(make(1000), weights, settings=settings)
    empty = peak_mb()
    graph = make(round(10_000_000 * scale))
    before = peak_mb()
    started = time.process_time()
    found = infer(graph, weights, settings=settings)
    done = time.process_time()
    print(found.report, file=sys.stderr)
    return {
        "variables": graph.n_variables,
        "factors": graph.n_factors,
        "engine": ", ".join(line.engine.name.lower() for line in found.report.lines).replace("_", " "),
        "cpu_s": done - started,
        "peak_mb": peak_mb(),
        "graph_mb": before,
        "empty_mb": empty,
        "bar": MEMORY_BAR_MB,
        "held": peak_mb() <= MEMORY_BAR_MB,
    }


GROWTH = (0.001, 0.01, 0.1, 1.0)


def growth(found: list[dict[str, Any]]) -> str:
    """How seconds, and memory beyond that of an empty process, grow with the variables: slopes of logs."""
    n = np.log([f["variables"] for f in found])
    least = min(f["empty_mb"] for f in found)
    slopes = {
        "CPU seconds": np.polyfit(n, np.log([f["cpu_s"] for f in found]), 1)[0],
        "memory": np.polyfit(n, np.log([max(f["peak_mb"] - least, 1.0) for f in found]), 1)[0],
    }
    return "; ".join(f"{what} grow as n^{slope:.2f}" for what, slope in slopes.items())


def row(what: str, found: dict[str, Any]) -> list[str]:
    """One line of the table."""

    def shown(key: str, form: str) -> str:
        return NOT_KNOWN if found.get(key) is None else format(found[key], form)

    unit = {ERROR_BAR: "", MEMORY_BAR_MB: " MB"}.get(found["bar"], " s")
    return [
        what,
        shown("variables", ","),
        shown("factors", ","),
        found["engine"],
        shown("cpu_s", ".3f"),
        shown("planning_s", ".3f"),
        shown("peak_mb", ",.0f"),
        shown("error", ".1e"),
        NOT_KNOWN if found["bar"] is None else f"at most {found['bar']:g}{unit}",
        {None: NOT_KNOWN, True: "yes", False: "no"}[found["held"]],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="lines whose name has one of the words")
    parser.add_argument("--memory", action="store_true", help="the line of memory alone")
    parser.add_argument("--scale", type=float, default=1.0, help="of the line of memory: 1 is 10M variables")
    parser.add_argument("--growth", action="store_true", help="that line at 10k to 10M variables, and how cost grows")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("kb_exact"), help=JSON_HELP)
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    measures = {
        "error": measure_error,
        "speed": measure_speed,
        "memory": lambda name: measure_memory(float(name), knowledge_base),
    }
    measures["tangled"] = lambda name: measure_memory(float(name), tangled)
    if options.measure:
        print(json.dumps(measures[options.measure[0]](options.measure[1]), default=float))
        return
    lines = [(kind, str(options.scale)) for kind in ("memory", "tangled")] if options.memory else []
    if options.growth:
        lines = [("memory", str(scale)) for scale in GROWTH]
    if not lines:
        lines = [*itertools.product(["error"], [f.name for f in FactorFunction]), *(("speed", name) for name in SPEED)]
    rows, measured = [], []
    for kind, name in lines:
        if options.only and not any(word.lower() in f"{kind} {name}".lower() for word in options.only):
            continue
        print(f"{kind} {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, __file__, "--measure", kind, name], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        measured.append(found)
        rows.append(
            row({"memory": "infer end to end", "tangled": "the same, tangled, 16 sweeps"}.get(kind, name), found)
        )
        append_json(
            options.json,
            {
                "benchmark": "kb_exact",
                "what": name,
                "seed": SEED,
                **found,
                "version": cs.__version__,
                "machine": machine(),
            },
        )
    print(table(COLUMNS, rows, markdown=options.markdown))
    if options.growth:
        print(f"\n{growth(measured)}")
    print(f"\n{machine()}; consilience {cs.__version__}; seed {SEED}")


if __name__ == "__main__":
    main()
