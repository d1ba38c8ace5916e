"""Whether probabilities mean what they say: simulated knowledge bases, their weights learned, held-out facts inferred.

    python benchmarks/kb_calibration.py [--only WORD ...] [--variables 4000 10000 ...] [--spread .25 .5 1 ...]
        [--methods exact sgd] [--draws 3] [--markdown] [--json FILE]

Boolean variables under five features each (of 300, the frequent ones much more frequent) and a bias, whose weights are
drawn from a normal distribution of this spread and then hidden; the truth is drawn from that very model. Six shapes:
features alone; pairs tied by EQUAL; chains of ten; a torus grid, which no exact engine can solve; and features alone
with no gold labels but votes of five sources (each right in 70 of 100) on half of the variables. The votes are given as
soft labels (the posterior of the votes), read as virtual evidence or as targets to repeat; or as variables of their own
beside the latent truth, tied to it by a fixed EQUAL weight, which is as much as can be made of them. Elsewhere 30% of
the variables, at random, are labelled, so pairs and chains have latent members. No setting is given but the method:
the penalty is chosen from the labels.

Figures on variables without any label, means over draws of weights and data: expected calibration error of P(true) over
ten buckets of equal width, its bar .05; log loss, also of the true weights and of the base rate; accuracy; CPU seconds
of learning; the penalty; root mean square error of the learned weights that at least 100 labelled variables bear on.

Targets miss the bar, and by their meaning must: learned probabilities repeat the posterior of the votes, which does not
know the features. They stand here for comparison.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from consilience.kb.graph.factor_graph import OPEN, FactorFunction, FactorGraph, Factors, SoftEvidence
from consilience.kb.inference.ladder import InferenceSettings, infer
from consilience.kb.learning.learn import learn
from consilience.kb.learning.settings import LearningSettings
from consilience.metrics import calibration_error, reliability_of
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

BAR = 0.05
N_FEATURES, FEATURES_EACH, COUPLING = 300, 5, {"pairs": 0.6, "chains": 0.6, "grid": 0.25}
SOURCES, ACCURACY, VOTED_ON, LABELLED = 5, 0.7, 0.5, 0.3
TARGETS = "votes, soft targets"
SHAPES = ("features", "pairs", "chains", "grid", "votes, virtual evidence", TARGETS, "votes, as variables")
METHODS = ("exact", "sgd")


@dataclass(frozen=True)
class World:
    """A graph to learn from, and what is true: weights (W,), the truth (n,) of its first n variables."""

    graph: FactorGraph
    weights: np.ndarray
    truth: np.ndarray


def edges(shape: str, n: int) -> np.ndarray:
    """(e, 2) variables tied to each other, always one of even colour and one of odd."""
    v = np.arange(n)
    if shape == "pairs":
        return np.stack([v[:-1:2], v[1::2]], axis=1)
    if shape == "chains":
        return np.stack([v[:-1], v[1:]], axis=1)[v[:-1] % 10 != 9]
    if shape == "grid":
        side = math.isqrt(n) // 2 * 2
        at = np.arange(side * side).reshape(side, side)
        return np.concatenate([np.stack([at, np.roll(at, -1, axis)], axis=-1).reshape(-1, 2) for axis in (0, 1)])
    return np.zeros((0, 2), np.int64)


def drawn_truth(field: np.ndarray, tied: np.ndarray, coupling: float, shape: str, rng: np.random.Generator) -> Any:
    """(n,) +-1 by two-colour Gibbs sampling of the true model."""
    n = len(field)
    side = math.isqrt(n) // 2 * 2
    colour = (np.arange(n) % side + np.arange(n) // side) % 2 if shape == "grid" else np.arange(n) % 2
    state = np.where(rng.random(n) < 0.5, 1, -1)
    for sweep in range(2 * (300 if len(tied) else 1)):
        near = np.bincount(tied[:, 0], state[tied[:, 1]], n) + np.bincount(tied[:, 1], state[tied[:, 0]], n)
        new = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * (field + coupling * near))), 1, -1)
        state = np.where(colour == sweep % 2, new, state)
    return state


def simulated(shape: str, n: int, seed: int, spread: float) -> World:
    """One knowledge base of a shape."""
    rng = np.random.default_rng(seed)
    if shape == "grid":
        n = (math.isqrt(n) // 2 * 2) ** 2
    weights = np.concatenate([rng.normal(0, spread, N_FEATURES), [-0.3, COUPLING.get(shape, 0.0)]])
    frequency = 1 / np.arange(3, N_FEATURES + 3)
    features = rng.choice(N_FEATURES, (n, FEATURES_EACH), p=frequency / frequency.sum())
    features = np.concatenate([features, np.full((n, 1), N_FEATURES)], axis=1)
    tied = edges(shape, n)
    truth = drawn_truth(weights[features].sum(axis=1), tied, weights[-1], shape, rng)
    known = np.where(rng.random(n) < LABELLED, truth > 0, OPEN).astype(np.int32)
    blocks = [
        arity(FactorFunction.IS_TRUE, np.repeat(np.arange(n), features.shape[1])[:, None], features.ravel()),
        arity(FactorFunction.EQUAL, tied, np.full(len(tied), N_FEATURES + 1)),
    ]
    fixed = np.zeros(len(weights), bool)
    graph = FactorGraph(np.full(n, 2, np.int32), known, Factors.joined(blocks), fixed, SoftEvidence.none())
    if shape.startswith("votes"):
        graph, weights = voted(graph, weights, truth, "variables" not in shape, rng)
    graph.check()
    return World(graph, weights, truth > 0)


def arity(function: FactorFunction, variables: np.ndarray, weight: np.ndarray) -> Factors:
    """Factors of one function over (F, literals) variables, all to be true."""
    n, width = variables.shape
    ones = np.ones(n * width, np.int32)
    starts = np.arange(n + 1, dtype=np.int32) * width
    literals, clause = variables.ravel().astype(np.int32), np.zeros(0, np.int32)
    kind, scale = np.full(n, int(function), np.uint8), np.ones(n, np.float32)
    return Factors(kind, starts, literals, ones, weight.astype(np.int32), scale, clause)


def voted(
    graph: FactorGraph, weights: np.ndarray, truth: np.ndarray, softly: bool, rng: np.random.Generator
) -> tuple[FactorGraph, np.ndarray]:
    """The graph with votes in place of labels."""
    n = graph.n_variables
    voters = np.flatnonzero(rng.random(n) < VOTED_ON)
    votes = np.where(rng.random((len(voters), SOURCES)) < ACCURACY, truth[voters, None], -truth[voters, None])
    strength = math.log(ACCURACY / (1 - ACCURACY))
    graph = graph.with_evidence(np.full(n, OPEN, np.int32))
    if softly:
        share = (truth > 0).mean()
        p = 1 / (1 + np.exp(-votes.sum(axis=1) * strength - math.log(share / (1 - share))))
        soft = SoftEvidence(
            voters.astype(np.int32),
            np.arange(len(voters) + 1, dtype=np.int32) * 2,
            np.stack([1 - p, p], axis=1).ravel(),
        )
        return replace(graph, soft=soft), weights
    variables = n + np.arange(votes.size)
    ties = arity(
        FactorFunction.EQUAL,
        np.stack([np.repeat(voters, SOURCES), variables], axis=1),
        np.full(votes.size, len(weights)),
    )
    return FactorGraph(
        np.full(n + votes.size, 2, np.int32),
        np.concatenate([graph.evidence, (votes.ravel() > 0).astype(np.int32)]),
        Factors.joined([graph.factors, ties]),
        np.append(graph.weight_is_fixed, True),
        graph.soft,
    ), np.append(weights, strength / 2)


def p_true(world: World, weights: np.ndarray) -> np.ndarray:
    """P(true) of the first n variables."""
    settings = InferenceSettings(epochs=500)
    return infer(world.graph, weights, settings=settings).marginals.probability[1 : 2 * len(world.truth) : 2]


def log_loss(p: np.ndarray, truth: np.ndarray) -> float:
    """Mean of -log of what was given to what is true."""
    return float(-np.log(np.clip(np.where(truth, p, 1 - p), 1e-12, 1)).mean())


def figures(world: World, method: str, soft: str) -> dict[str, float]:
    """Learning by one method, and how good what follows from it is on variables without a label."""
    start = np.where(world.graph.weight_is_fixed, world.weights, 0.0)
    began = time.process_time()
    settings = LearningSettings(method=method, soft=soft)  # type: ignore[arg-type]
    learned = learn(world.graph, start, settings=settings)
    seconds = time.process_time() - began
    n = len(world.truth)
    held_out = world.graph.evidence[:n] == OPEN
    held_out[world.graph.soft.variable] = False
    ties = world.graph.factors.take(np.flatnonzero(world.graph.weight_is_fixed[world.graph.factors.weight]))
    held_out[ties.variable[ties.variable < n]] = False
    p, best = (p_true(world, w)[held_out] for w in (learned.weights, world.weights))
    truth = world.truth[held_out]
    taught = np.bincount(world.graph.factors.weight[: n * (FEATURES_EACH + 1)], minlength=len(start)) >= 100 / LABELLED
    taught &= ~world.graph.weight_is_fixed
    return {
        "learn_s": seconds,
        "l2": learned.report.l2,
        "calibration_error": calibration_error(reliability_of(p, truth, 10, how="equal width")),
        "log_loss": log_loss(p, truth),
        "log_loss_true_weights": log_loss(best, truth),
        "log_loss_base_rate": log_loss(np.full(len(truth), truth.mean()), truth),
        "right": float(((p > 0.5) == truth).mean()),
        "right_base_rate": float(max(truth.mean(), 1 - truth.mean())),
        "weights_error": float(np.sqrt(np.mean((learned.weights - world.weights)[taught] ** 2))),
    }


def run(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One record a shape, method, spread and size: means over draws, and the worst calibration error."""
    cases = itertools.product(options.variables, options.spread, SHAPES, options.methods)
    for variables, spread, shape, method in cases:
        if (shape, method) == ("grid", "exact") or (options.only and not any(word in shape for word in options.only)):
            continue
        print(f"{variables:,}, spread {spread}, {shape}, {method} ...", file=sys.stderr, flush=True)
        soft = "target" if shape == TARGETS else "virtual"
        worlds = [simulated(shape, variables, seed, spread) for seed in range(options.draws)]
        figures(simulated(shape, 400, 0, spread), method, soft)  # compiles
        found = [figures(world, method, soft) for world in worlds]
        record: dict[str, Any] = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
        record["worst_calibration_error"] = max(f["calibration_error"] for f in found)
        about = {"benchmark": "kb_calibration", "shape": shape, "method": method, "variables": variables}
        about |= {"spread": spread, "draws": options.draws}
        record = {**about, **record, "bar": BAR, "peak_mb": peak_mb(), "machine": machine()}
        append_json(options.json, record)
        yield record


def shown(record: dict[str, Any]) -> list[str]:
    """A row of the table."""
    error = f"{record['calibration_error']:.3f} (≤ {record['worst_calibration_error']:.3f})"
    losses = [f"{record[name]:.3f}" for name in ("log_loss", "log_loss_true_weights", "log_loss_base_rate")]
    right = [f"{100 * record[name]:.1f}" for name in ("right", "right_base_rate")]
    weights = f"{record['weights_error']:.3f}" if math.isfinite(record["weights_error"]) else NOT_KNOWN
    size = [f"{record['variables']:,}", f"{record['spread']:g}", f"{record['draws']}"]
    return [
        f"{record['shape']}; {record['method']}", *size, f"{record['learn_s']:.2f}", f"{record['peak_mb']:.0f}",
        f"{record['l2']:.1f}", error, f"{BAR}", *losses, *right, weights,
    ]  # fmt: skip


COLUMNS = (
    "case", "variables", "spread", "seeds", "learning CPU s", "peak MB", "l2", "calibration error (worst)", "bar",
    "log loss", "of true weights", "of base rate", "right %", "majority %", "weights' error",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="shapes whose name has one of the words")
    parser.add_argument("--variables", type=int, nargs="+", default=[4_000, 10_000])
    parser.add_argument("--spread", type=float, nargs="+", default=[0.5], help="standard deviation of true weights")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--draws", type=int, default=3, help="seeds 0, 1, ...")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("kb_calibration"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    rows = [shown(record) for record in run(options)]
    print(f"\n{table(COLUMNS, rows, markdown=options.markdown)}\n\n{machine()}")


if __name__ == "__main__":
    main()
