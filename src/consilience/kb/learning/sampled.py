"""Weights by stochastic steps along a sampled gradient, for components that cannot be solved exactly.

Every epoch sweeps once over the variables that matter; after each batch (every b-th block) the weights move:

    w <- prox(w + rate * gradient),   rate = step * decay^epoch / root mean square of the last epochs' gradients

and the answer is the mean of the weights over the second half of the epochs. Source: Tieleman & Hinton 2012 (RMSProp;
AdaGrad's sum of all squares was tried, and crept: first gradients are the largest), Polyak & Juditsky 1992 (averaging),
Duchi & Singer 2009 (proximal L1 and L2). Departs from the published sampler of DeepDive, whose one step size for all
weights must be tuned to the graph: here a weight's first steps are about `step`, over the size of its factors' scales
and the square root of how many weights act on its variables, whether the graph has ten factors or ten million, whether
the weight is seen once or everywhere; and penalties are paid once, not once an update.

Components are dealt to a fixed number of shards that sweep at the same time, each with its own random numbers and its
own sum, added up in order: the answer does not depend on the number of threads. A small graph gets many pairs of chains
instead, for one would be all noise.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.learning.relevant import HARD, Relevant
from consilience.kb.learning.settings import LearningSettings
from consilience.kb.learning.sweep import Swept, sweep, swept
from consilience.progress import track

Array = NDArray[np.float64]
SHARDS = 4  # a graph's answer depends on it, so it is not a setting
REMEMBERED = 5.0  # epochs over which squared gradients are averaged
ENOUGH_VISITS = 16384  # of variables in a sweep over all chains
WORTH_A_THREAD = 4096  # visits a batch, below which threads cost more than they bring


@dataclass
class Chains:
    """Pairs of chains and who sweeps which variables. free, clamped: (chains, n). rng: (shards, chains)."""

    arrays: Swept
    free: NDArray[np.int32]
    clamped: NDArray[np.int32]
    rng: NDArray[np.uint64]
    bounds: NDArray[np.int64]  # (shards + 1,) variables
    scratch: list[tuple[Array, Array]]
    gradient: Array  # (shards, weights in use)
    block: int  # neighbours in memory that are visited together

    def run(self, weights: Array, batch: int, n_batches: int, pool: Executor | None) -> None:
        """Sweep one batch in every shard; `gradient` is that of this batch, summed over chains."""
        self.gradient[:] = 0.0

        def one(shard: int) -> None:
            first, last = self.bounds[shard : shard + 2]
            chains = (self.free, self.clamped, self.rng[shard])
            sweep(
                self.arrays,
                weights,
                first,
                last,
                batch,
                n_batches,
                self.block,
                *chains,
                self.gradient[shard],
                *self.scratch[shard],
            )

        list(pool.map(one, range(len(self.scratch))) if pool else map(one, range(len(self.scratch))))


def descend(
    matters: Relevant, start: Array, seed: int, l2: float, settings: LearningSettings
) -> tuple[Array, list[float]]:
    """All weights, and the estimated gradient of each epoch: root mean square, in standard deviations of a weight."""
    in_use, number = np.unique(matters.graph.factors.weight, return_inverse=True)
    chains = _chains(matters, number.astype(np.int32), len(in_use), seed)
    weights = start[in_use]
    moves = ~matters.graph.weight_is_fixed[in_use]
    n_batches = int(min(settings.batches, max(1, matters.graph.n_variables // SHARDS)))
    visits = matters.graph.n_variables * len(chains.free) / n_batches
    rate, information = _rates(chains.arrays, matters, len(in_use), settings.step)
    squares, total, epoch_gradient = np.zeros(len(in_use)), np.zeros(len(in_use)), np.zeros(len(in_use))
    zero = np.zeros(len(in_use), np.int64)
    norms, n_steps, n_averaged, keep = list[float](), 0, 0, 1 - 1 / (REMEMBERED * n_batches)
    with _pool(settings.threads, visits) as pool:
        for epoch in track(range(-settings.burn_in, settings.epochs), "learning weights"):
            averages = epoch >= settings.epochs // 2
            now = rate * (settings.decay**epoch if epoch >= 0 else 0.0)  # before the first epoch only squares are seen
            epoch_gradient[:] = -l2 * weights
            for batch in range(n_batches):
                chains.run(weights, batch, n_batches, pool)
                n_steps += 1
                seen = 1 - keep**n_steps  # how much of what it could the mean of squares has seen
                penalties = l2 / n_batches, settings.l1 / n_batches
                sums = squares, epoch_gradient, averages, total, zero
                _step(weights, chains.gradient, 1 / len(chains.free), moves, now, keep, seen, *penalties, *sums)
                n_averaged += averages
            if epoch >= 0:
                norms.append(_norm(epoch_gradient, information + l2, moves & (squares > 0)))
    mean = np.where(2 * zero > n_averaged, 0.0, total / n_averaged)  # L1: what was mostly 0 is 0
    if settings.l1 or l2:
        mean[squares == 0] = 0.0  # the evidence never spoke for or against it
    out = start.copy()
    out[in_use[moves]] = mean[moves]
    return out, norms


def _norm(gradient: Array, information: Array, which: NDArray[np.bool_]) -> float:
    """Root mean square of a gradient, in standard deviations of the weights."""
    return float(np.sqrt(np.mean(gradient[which] ** 2 / information[which]))) if which.any() else 0.0


def _chains(matters: Relevant, weight: NDArray[np.int32], n_weights: int, seed: int) -> Chains:
    """Chains that start at the evidence, latent and soft variables at random, the free one equal to the clamped one."""
    arrays = swept(matters, weight)
    n = matters.graph.n_variables
    n_chains = int(np.clip(ENOUGH_VISITS // n, 1, 256))
    rng = np.random.default_rng(seed)
    at_random = (rng.random((n_chains, n), np.float32) * arrays.cardinality).astype(np.int32)
    clamped = np.where(arrays.known == HARD, arrays.evidence, at_random).astype(np.int32)
    cost = np.cumsum(np.diff(arrays.incident) + 1)[matters.first_variable[1:] - 1]  # up to the end of each component
    cuts = np.searchsorted(cost, cost[-1] * np.arange(1, SHARDS) / SHARDS)
    bounds = np.unique(np.concatenate([[0], matters.first_variable[1:][cuts], [n]]))
    n_shards = len(bounds) - 1
    values = int(arrays.cardinality.max())
    widest = int((np.diff(arrays.incident) * arrays.cardinality).max())
    return Chains(
        arrays,
        clamped.copy(),
        clamped,
        rng.integers(0, 2**64, (n_shards, n_chains), np.uint64),
        bounds,
        [(np.zeros(values), np.zeros(widest)) for _ in range(n_shards)],
        np.zeros((n_shards, n_weights)),
        int(np.clip(n // 1024, 1, 16)),
    )


def _rates(arrays: Swept, matters: Relevant, n_weights: int, step: float) -> tuple[Array, Array]:
    """(W,) first steps, and (W,) the sum of squared scales, about the information there is on a weight."""
    squared = np.bincount(arrays.weight, arrays.scale.astype(np.float64) ** 2, n_weights)
    count = np.maximum(np.bincount(arrays.weight, minlength=n_weights), 1)
    learned = ~matters.graph.weight_is_fixed[matters.graph.factors.weight]
    first = arrays.variable[arrays.offsets[:-1]]  # one variable stands for a factor's company
    company = np.bincount(first, learned, len(arrays.known))[first]
    crowd = np.bincount(arrays.weight, company, n_weights) / count
    size = np.sqrt(squared / count)
    return step / (np.where(size > 0, size, 1.0) * np.sqrt(np.maximum(crowd, 1.0))), np.asarray(squared, np.float64)


def _pool(threads: int | None, visits: float) -> AbstractContextManager[Executor | None]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(SHARDS, threads or cores)
    return ThreadPoolExecutor(threads) if threads > 1 and visits >= WORTH_A_THREAD else nullcontext()


@compiled
def _step(weights, gradients, share, moves, rate, keep, seen, l2, l1, squares, epoch_gradient, averages, total, zero):
    """One proximal step of every weight; the sums that the answer and the trace are made of."""
    for w in range(len(weights)):
        if not moves[w]:
            continue
        gradient = 0.0
        for shard in range(len(gradients)):
            gradient += gradients[shard, w]
        gradient *= share
        epoch_gradient[w] += gradient
        squares[w] = keep * squares[w] + (1 - keep) * gradient * gradient
        if squares[w] > 0:
            eta = rate[w] / np.sqrt(squares[w] / seen)  # 0 while the chains warm up
            moved = weights[w] + eta * gradient
            shrunk = max(0.0, abs(moved) - eta * l1) / (1.0 + eta * l2)
            weights[w] = shrunk if moved > 0 else -shrunk
        if averages:
            total[w] += weights[w]
            zero[w] += weights[w] == 0.0
