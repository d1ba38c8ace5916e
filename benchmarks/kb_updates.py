"""Marginals after a change: the error of each strategy against exact answers, and the cost against a full run.

    python benchmarks/kb_updates.py                # errors on graphs of 12 variables, then cost as graphs grow
    python benchmarks/kb_updates.py --only error   # or --only cost

Graphs and updates are random by the seed; two kinds of updates, at three scales (standard deviation of weights):
`new factors`: two unary factors, a pair and a disjunction come, and one factor goes; `moved weights`: six factors
that are there get another weight, the old one and a normal number. The error of one update is the largest of any
marginal; a line has its mean over updates with its standard error. At scales 1 and 3 only updates that leave an error
of .3 or more if nothing is done count; at .2 hardly a change does, and all count. 2,000 worlds are stored if a line
says nothing else. The error of cost lines is the largest difference from a full run, and of a dense component from a
run of 20,000 sweeps. CPU seconds are without compiling and without making what is stored, which has its own column.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.kb.graph.change import GraphChange, changed
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, Factors
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.choose import UpdateSettings
from consilience.kb.incremental.draw import drawn
from consilience.kb.incremental.local import solved
from consilience.kb.incremental.material import Material, materialise
from consilience.kb.incremental.update import update_marginals
from consilience.kb.inference.exact import Limits
from consilience.kb.inference.gibbs import sample
from consilience.kb.inference.ladder import infer
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

SEED = 0
N = 12
N_SAMPLES = 2000
MOVED = 6
NOT_UPDATED_ERRS = 0.3
NOTHING_EXACT = Limits(worlds=1, factor_worlds=1, table=1, tables=1, junction_variables=0)
BARS = {
    "metropolis": 0.03,
    "importance": 0.03,
    "importance, 20,000 worlds": 0.03,
    "variational": 0.08,
    "auto": 0.03,
    "auto, nothing exact": 0.03,
}
MEASURED = (*BARS, "importance, never annealed", "metropolis, never annealed")
COLUMNS = ("what", "variables", "factors", "updates", "strategy", "mean largest error", "± s.e.", "bar", "held",
           "annealed", "acceptance", "effective", "CPU s", "full run s", "times faster", "material s",
           "peak MB")  # fmt: skip
EQUAL, IS_TRUE, IMPLY, OR = FactorFunction.EQUAL, FactorFunction.IS_TRUE, FactorFunction.IMPLY, FactorFunction.OR


# small graphs, held to exact answers


def small(seed: int) -> tuple[FactorGraph, np.ndarray]:
    """12 Boolean variables, a unary factor each, 18 pairs and 4 implications of three; weights normal, sd .5."""
    rng = np.random.default_rng([SEED, seed])
    factors = [(IS_TRUE, [(v, 1)], v) for v in range(N)]
    for function, arity, n in ((EQUAL, 2, 18), (IMPLY, 3, 4)):
        for _ in range(n):
            named = rng.choice(N, arity, replace=False).tolist()
            factors.append((function, [(v, 1) for v in named], len(factors)))
    return FactorGraph.of([2] * N, factors), rng.normal(0, 0.5, len(factors))


def new_factors(graph: FactorGraph, weights: np.ndarray, seed: int, scale: float) -> GraphChange:
    """Two unary factors, a pair and a disjunction come, with weights of sd `scale`; a factor goes."""
    rng = np.random.default_rng([SEED, seed, 1])
    kinds = [(IS_TRUE, 1), (IS_TRUE, 1), (EQUAL, 2), (OR, 2)]
    w = graph.n_weights
    added = [
        (function, [(int(v), 1) for v in rng.choice(N, arity, replace=False)], w + i)
        for i, (function, arity) in enumerate(kinds)
    ]
    return GraphChange.of(
        removed=graph.factors.take(rng.choice(graph.n_factors, 1)),
        added=Factors.of(added),
        weight_is_fixed=[False] * len(kinds),
        weight_to={w + i: float(rng.normal(0, scale)) for i in range(len(kinds))},
    )


def moved_weights(graph: FactorGraph, weights: np.ndarray, seed: int, scale: float) -> GraphChange:
    """Six factors get another weight: the old one and a normal number of sd `scale`."""
    rng = np.random.default_rng([SEED, seed, 4])
    moved = rng.choice(graph.n_weights, MOVED, replace=False)
    return GraphChange.of(weight_to={int(w): float(weights[w] + rng.normal(0, scale)) for w in moved})


UPDATES = {"new factors": new_factors, "moved weights": moved_weights}


def energy(graph: FactorGraph, weights: np.ndarray, worlds: np.ndarray) -> np.ndarray:
    """(worlds,) log of each world's unnormalised probability; (n, worlds) int32."""
    from consilience.kb.graph.worth import log_potential

    f = graph.factors
    rows = np.ascontiguousarray(worlds.T)
    return np.array(
        [
            log_potential(f.function, f.offsets, f.variable, f.value, f.clause, f.weight, f.scale, weights, row)
            for row in rows
        ]
    )


def per_variable(
    graph: FactorGraph, weights: np.ndarray, after: FactorGraph, weights_after: np.ndarray, seed: int
) -> np.ndarray:
    """The published sampler, for comparison: each variable of a proposed world accepted by itself, which is biased."""
    worlds = drawn(graph, weights, N_SAMPLES, seed=seed).values(np.arange(N))
    rng = np.random.default_rng([seed, 2])
    state, ones = worlds[:, 0].copy(), np.zeros(N)
    for proposal in worlds.T:
        for v in np.flatnonzero(proposal != state):
            pair = np.stack([state, state], axis=1)
            pair[v, 1] = proposal[v]
            old, new = energy(after, weights_after, pair) - energy(graph, weights, pair)
            if np.log(rng.random()) < new - old:
                state[v] = proposal[v]
        ones += state
    share = ones / N_SAMPLES
    return np.stack([1 - share, share], axis=1).ravel()


def error_lines(n_updates: int) -> list[dict[str, Any]]:
    lines = []
    for kind, scale in ((kind, scale) for kind in UPDATES for scale in (0.2, 1.0, 3.0)):
        found: dict[str, list[tuple[float, ...]]] = {}
        seed, counted = 0, 0
        while counted < n_updates:
            counted += one_update(kind, seed, scale, found)
            seed += 1
        for strategy, rows in found.items():
            values = np.array(rows)
            error, acceptance, effective, cpu, annealed = (
                float(column[np.isfinite(column)].mean()) if np.isfinite(column).any() else np.nan
                for column in values.T
            )
            bar = BARS.get(strategy)
            lines.append(
                {
                    "what": f"{kind}, scale {scale:g}",
                    "variables": N,
                    "factors": 34,
                    "updates": len(rows),
                    "strategy": strategy,
                    "error": error,
                    "standard_error": float(values[:, 0].std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else None,
                    "bar": bar,
                    "held": None if bar is None else bool(error <= bar),
                    "annealed": annealed,
                    "acceptance": acceptance,
                    "effective": effective,
                    "cpu_s": cpu,
                }
            )
    return lines


def one_update(kind: str, seed: int, scale: float, found: dict[str, list[tuple[float, ...]]]) -> bool:
    """Errors of every strategy on one update, put into found; False if the update changes too little to count."""
    graph, weights = small(seed)
    change = UPDATES[kind](graph, weights, seed, scale)
    after, weights_after = changed(graph, weights, change)
    old, truth = infer(graph, weights).marginals, infer(after, weights_after).marginals.probability
    nothing = float(np.abs(old.probability - truth).max())
    if scale >= 1 and nothing < NOT_UPDATED_ERRS:
        return False
    nan = float("nan")
    found.setdefault("no update", []).append((nothing, nan, nan, nan, nan))
    started = time.process_time()
    biased = per_variable(graph, weights, after, weights_after, seed)
    cpu = time.process_time() - started
    found.setdefault("metropolis per variable (published)", []).append(
        (float(np.abs(biased - truth).max()), nan, nan, cpu, nan)
    )
    material = materialise(graph, weights, n_samples=N_SAMPLES, seed=seed)
    many = materialise(graph, weights, n_samples=20_000, seed=seed, variational_up_to=0)
    for name in MEASURED:
        strategy = name.split(",")[0]
        exact = Limits() if strategy in ("variational",) or name == "auto" else NOTHING_EXACT
        least = 0.0 if "never annealed" in name else UpdateSettings().least_effective
        settings = UpdateSettings(limits=exact, least_effective=least)
        stored = many if name == "importance, 20,000 worlds" else material
        mine = Material(stored.worlds, stored.fresh.copy(), stored.approximation)
        live = LiveGraph(graph)
        started = time.process_time()
        got, report = update_marginals(
            live, weights, change, old, mine, seed=seed, strategy=strategy, settings=settings
        )
        cpu = time.process_time() - started
        acceptance = [line.acceptance for line in report.lines if line.acceptance is not None]
        effective = got.effective[np.isfinite(got.effective)]
        found.setdefault(name, []).append(
            (
                float(np.abs(got.probability - truth).max()),
                float(np.mean(acceptance)) if acceptance else nan,
                float(effective.min()) if len(effective) else nan,
                cpu,
                float(max((line.steps for line in report.lines), default=0) > 0),
            )
        )
    return True


# cost as graphs grow


def documents(n: int, size: int, pairs_each: int) -> tuple[FactorGraph, np.ndarray]:
    """n variables in documents of `size`; five tied unary factors each, and random pairs within documents."""
    rng = np.random.default_rng([SEED, n])
    first = np.arange(n) // size * size
    pairs = np.stack([np.tile(np.arange(n), pairs_each), np.tile(first, pairs_each)], axis=1)
    pairs[:, 1] += rng.integers(0, np.minimum(size, n - pairs[:, 1]))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    variable = np.concatenate([np.repeat(np.arange(n), 5), pairs.ravel()]).astype(np.int32)
    n_unary = 5 * n
    function = np.concatenate([np.full(n_unary, IS_TRUE), np.full(len(pairs), EQUAL)]).astype(np.uint8)
    offsets = np.concatenate([np.arange(n_unary), n_unary + 2 * np.arange(len(pairs) + 1)]).astype(np.int32)
    weight = np.concatenate([rng.integers(1, 1000, n_unary), np.zeros(len(pairs))]).astype(np.int32)
    factors = Factors(
        function, offsets, variable, np.ones(len(variable), np.int32), weight,
        np.ones(len(function), np.float32), np.zeros(0, np.int32),
    )  # fmt: skip
    empty = FactorGraph.of([2] * n, [], n_weights=1000)
    weights = rng.normal(0, 0.3, 1000)
    weights[0] = 0.15
    return FactorGraph(empty.cardinality, empty.evidence, factors, empty.weight_is_fixed, empty.soft), weights


def share_of(graph: FactorGraph, weights: np.ndarray, share: float, size: int) -> GraphChange:
    """A share of the factors goes, all in the same documents, and as many come with other weights."""
    rng = np.random.default_rng([SEED, 3])
    n_changed = max(1, round(share * graph.n_factors))
    n_documents = max(1, round(2 * share * graph.n_variables / size))
    chosen = rng.choice(max(1, graph.n_variables // size), n_documents, replace=False)
    inside = np.isin(graph.factors.variable[graph.factors.offsets[:-1]] // size, chosen)
    gone = graph.factors.take(np.sort(rng.choice(np.flatnonzero(inside), min(n_changed, inside.sum()), replace=False)))
    come = gone.take(np.arange(len(gone)))
    unary = come.function == IS_TRUE
    come.weight[unary] = rng.integers(1, 1000, int(unary.sum()))
    return GraphChange.of(removed=gone, added=come)


def cost_line(n: int, size: int, pairs_each: int, share: float) -> dict[str, Any]:
    graph, weights = documents(n, size, pairs_each)
    settings = UpdateSettings()
    old = solved(graph, weights, settings=settings, seed=SEED)
    change = share_of(graph, weights, share, size)
    after, weights_after = changed(graph, weights, change)
    started = time.process_time()
    whole = solved(after, weights_after, settings=settings, seed=SEED)
    full_s = time.process_time() - started
    live = LiveGraph(graph)
    started = time.process_time()
    got, report = update_marginals(live, weights, change, old, seed=SEED, settings=settings)
    cpu = time.process_time() - started
    return {
        "what": f"{share:.0%} of factors, documents of {size}",
        "variables": n,
        "factors": graph.n_factors,
        "updates": 1,
        "strategy": ", ".join(sorted({line.strategy.value for line in report.lines})),
        "error": float(np.abs(got.probability - whole.probability).max()),
        "cpu_s": cpu,
        "full_s": full_s,
        "times": full_s / cpu,
        "peak_mb": peak_mb(),
    }


def dense(n: int, pairs_each: int) -> tuple[FactorGraph, np.ndarray]:
    """n variables that all hang together: a unary factor each, and pairs_each pairs at random, weakly coupled."""
    rng = np.random.default_rng([SEED, n, 5])
    pairs = rng.integers(0, n, (n * pairs_each, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    total = n + len(pairs)
    factors = Factors(
        np.repeat(np.array([IS_TRUE, EQUAL], np.uint8), [n, len(pairs)]),
        np.concatenate([np.arange(n), n + 2 * np.arange(len(pairs) + 1)]).astype(np.int32),
        np.concatenate([np.arange(n), pairs.ravel()]).astype(np.int32),
        np.ones(n + 2 * len(pairs), np.int32),
        np.arange(total, dtype=np.int32),
        np.ones(total, np.float32),
        np.zeros(0, np.int32),
    )
    empty = FactorGraph.of([2] * n, [], n_weights=total)
    graph = FactorGraph(empty.cardinality, empty.evidence, factors, empty.weight_is_fixed, empty.soft)
    return graph, np.concatenate([rng.normal(0, 0.5, n), rng.normal(0, 0.3 / np.sqrt(pairs_each), len(pairs))])


def dense_lines(n: int, pairs_each: int) -> list[dict[str, Any]]:
    """A unary factor and a pair come to one large component: as chosen, and sampled anew, against a long run."""
    graph, weights = dense(n, pairs_each)
    settings = UpdateSettings(limits=Limits(junction_variables=0))
    old = solved(graph, weights, settings=settings, seed=SEED)
    started = time.process_time()
    material = materialise(graph, weights, n_samples=N_SAMPLES, seed=SEED, variational_up_to=0)
    material_s = time.process_time() - started
    w = graph.n_weights
    added = Factors.of([(IS_TRUE, [(3, 1)], w), (EQUAL, [(5, 1), (8, 1)], w)])
    change = GraphChange.of(added=added, weight_is_fixed=[False], weight_to={w: 0.5})
    after, weights_after = changed(graph, weights, change)
    started = time.process_time()
    solved(after, weights_after, settings=settings, seed=SEED)
    full_s = time.process_time() - started
    truth = sample(after, weights_after, epochs=5000, seed=SEED + 1).probability
    lines = []
    for strategy in ("auto", "gibbs"):
        mine = Material(material.worlds, material.fresh.copy(), material.approximation)
        live = LiveGraph(graph)
        started = time.process_time()
        got, report = update_marginals(
            live, weights, change, old, mine, seed=SEED, strategy=strategy, settings=settings
        )
        cpu = time.process_time() - started
        used = report.lines[0].strategy.value
        lines.append(
            {
                "what": "two factors come to one dense component",
                "variables": n,
                "factors": graph.n_factors,
                "updates": 1,
                "strategy": used if strategy != "auto" else f"auto: {used}",
                "error": float(np.abs(got.probability - truth).max()),
                "effective": float(got.effective.min()),
                "cpu_s": cpu,
                "full_s": full_s,
                "times": full_s / cpu,
                "material_s": material_s if strategy == "auto" else None,
                "peak_mb": peak_mb(),
            }
        )
    return lines


def cost_lines() -> list[dict[str, Any]]:
    cost_line(200, 10, 1, 0.05)  # compile everything
    dense_lines(50, 4)
    lines = [
        cost_line(n, size, 1, 0.01) for n, size in ((12, 12), (1000, 10), (10_000, 10), (100_000, 10), (1_000_000, 10))
    ]
    return lines + [line for n, each in ((100, 20), (300, 20), (1000, 20)) for line in dense_lines(n, each)]


def shown(line: dict[str, Any]) -> list[str]:
    def number(key: str, form: str) -> str:
        value = line.get(key)
        return NOT_KNOWN if value is None or value != value else format(value, form)

    held = line.get("held")
    return [
        line["what"], f"{line['variables']:,}", f"{line['factors']:,}", str(line["updates"]), line["strategy"],
        number("error", ".4f"), number("standard_error", ".4f"), number("bar", ".2f"),
        NOT_KNOWN if held is None else ("yes" if held else "no"), number("annealed", ".0%"),
        number("acceptance", ".2f"), number("effective", ".0f"), number("cpu_s", ".4f"), number("full_s", ".3f"),
        number("times", ".0f"), number("material_s", ".2f"), number("peak_mb", ".0f"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["error", "cost"])
    parser.add_argument("--updates", type=int, default=30, help="updates a scale")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, default=lines_file("kb_updates"), help=JSON_HELP)
    args = parser.parse_args()
    lines = error_lines(args.updates) if args.only != "cost" else []
    lines += cost_lines() if args.only != "error" else []
    for line in lines:
        append_json(args.json, {"seed": SEED, "machine": machine(), "version": cs.__version__, **line})
    print(table(COLUMNS, [shown(line) for line in lines], markdown=args.markdown))
    print(machine())


if __name__ == "__main__":
    main()
