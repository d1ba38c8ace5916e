"""Of each function, the vote at the nearest row on which it voted: one search for all functions, in blocks.

Vectors and votes of some rows make a `Support`; asked about other vectors it gives nearness and vote by function.
Cosine similarity and distance are two paths: of similarities the largest is nearest, of distances the smallest.
An exact search multiplies blocks of vectors; "cells" looks only into the parts of space that are near a vector.
Source: inverted files of k-means cells, Jegou et al. 2011, section 4 (without their codes).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consilience.data.labels import ABSTAIN
from consilience.errors import DataError, ExtraError
from consilience.progress import working

Floats = npt.NDArray[np.floating[Any]]
Places = npt.NDArray[np.int64]

METRICS = ("cosine", "l2")
INDICES = ("auto", "exact", "cells", "hnsw")
SAME = 1e-6  # similarities (and distances, in units of the rows' spread) closer than this are equal
TWIN_GRID = 1e-3  # vectors that round alike on this grid are one row (in units of a typical length, for distances)
QUERIES, SUPPORTERS = 1024, 2048  # rows in a block: together they fit a cache
EXACT_UP_TO = 1e12  # multiplications, for as many rows as there are supporters, up to which "auto" is exact
PROBES = 16  # cells looked into
ROUNDS = 8  # of k-means
SAMPLE = 50  # rows a cell from which k-means learns
FOUND = 8  # neighbours asked of a graph: room for ties, and for the row itself
LINKS, EFFORT = 32, 64  # of the graph of neighbours: links a row, and how many are looked at in a search


class Nearest(NamedTuple):
    """By row and function: how near the nearest supporter is, and what it says. (n, m) each.

    nearness: similarity (-inf: none) or distance (+inf: none). votes: codes, ABSTAIN where nearest supporters that say
    different things are equally near.
    """

    nearness: npt.NDArray[np.float32]
    votes: npt.NDArray[np.int16]


def as_vectors(embeddings: npt.ArrayLike, n: int, d: int | None = None) -> Floats:
    """Embeddings, checked. returns: (n, d), as they are.

    raises: DataError for another shape, for no numbers, and for NaN or infinite values, naming the first such row.
    """
    vectors = np.asarray(embeddings)
    if (
        vectors.ndim != 2
        or vectors.shape[0] != n
        or not vectors.shape[1]
        or vectors.shape[1] != (d or vectors.shape[1])
    ):
        raise DataError(
            f"Embeddings of shape {vectors.shape} do not belong to {n} rows{f' of {d} dimensions' if d else ''}.\n"
            "Fix: give one vector a row, in the rows' order, all made by one encoder."
        )
    if vectors.dtype.kind not in "fiu":
        raise DataError(f"Embeddings of type {vectors.dtype} are no numbers.\nFix: give an array of floats.")
    for start in range(0, n, QUERIES):
        bad = np.flatnonzero(~np.isfinite(vectors[start : start + QUERIES]).all(axis=1))
        if len(bad):
            raise DataError(
                f"The embedding of row {start + bad[0]} is not finite.\n"
                "Fix: look at what the encoder made of that row; a row without a vector is all zeros."
            )
    return vectors


def unit(vectors: Floats) -> npt.NDArray[np.float32]:
    """Vectors of length 1; those without direction stay zero. returns: (n, d) float32."""
    made = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), QUERIES):
        wide = np.asarray(vectors[start : start + QUERIES], np.float64)
        scale = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
        wide = wide / np.where(scale > 0, scale, 1.0)  # first, so that squares neither overflow nor vanish
        length = np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]
        made[start : start + QUERIES] = wide / np.where(length > 0, length, 1.0)
    return made


def twins(vectors: Floats, grid: float) -> tuple[Places, Places]:
    """Rows that are nearly identical: they round alike on a grid. returns: one row of each set, the set of each row.

    A pair on two sides of a step of the grid stays apart, which only costs time.
    """
    if not len(vectors):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    odd = np.random.default_rng(0).integers(0, 2**63, (vectors.shape[1], 2), np.uint64) | np.uint64(1)
    codes = np.empty((len(vectors), 2), np.uint64)
    for start in range(0, len(vectors), QUERIES):
        steps = np.rint(np.asarray(vectors[start : start + QUERIES], np.float64) / grid).astype(np.int64)
        codes[start : start + QUERIES] = steps.view(np.uint64) @ odd  # a hash: sums wrap
    _, first, group = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # sets in the order of their first rows
    place = np.empty(len(first), np.int64)
    place[order] = np.arange(len(first))
    return first[order], place[group.ravel()]


@dataclass(frozen=True)
class Support:
    """Rows on which functions voted: their vectors, twins as one, and who said what on which.

    metric: "cosine" (vectors have length 1) or "l2". vectors: (s, d). channels: (p, 2) function and code, in order;
    members[starts[i]:starts[i + 1]] are the supporters of channel i. m: functions. spread: typical length, of l2.
    group: (n,) which supporter each row it was made of is, -1 for one that is none. index: one of INDICES.
    """

    metric: str
    vectors: Floats
    channels: npt.NDArray[np.int64]
    starts: Places
    members: Places
    m: int
    group: Places
    spread: float = 1.0
    index: str = "auto"
    seed: int = 0
    _graphs: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)

    def prepared(self, vectors: Floats) -> Floats:
        """Vectors as this support compares them: of length 1, or in double precision."""
        return unit(np.asarray(vectors)) if self.metric == "cosine" else np.asarray(vectors, np.float64)

    def channels_of(self, j: int) -> Places:
        """The channels of one function."""
        return np.flatnonzero(self.channels[:, 0] == j)

    def members_of(self, channel: int) -> Places:
        """The supporters of one channel."""
        return self.members[self.starts[channel] : self.starts[channel + 1]]

    def nearest(self, embeddings: Floats, own: Places | None = None, what: str = "") -> Nearest:
        """The nearest supporter of each function, and what it says there.

        embeddings: (n, d), as given. own: (n,) supporters that do not count, one a row: itself; -1 for none.
        O(n s d) for an exact search, in blocks; n x s never lie in memory.
        """
        n = len(embeddings)
        out = Nearest(
            np.full((n, self.m), self._none, np.float32, order="F"), np.full((n, self.m), ABSTAIN, np.int16, order="F")
        )
        if not n or not len(self.vectors):
            return out
        chosen = self._chosen
        ask = {"exact": self._exact, "cells": self._in_cells, "hnsw": self._in_graphs}[chosen]
        if chosen == "hnsw":
            _ = [self._graph(j) for j in range(self.m)]  # once, before threads ask for them
        elif chosen == "cells":
            _ = self.cells
        blocks = [slice(start, min(start + self._block(chosen), n)) for start in range(0, n, self._block(chosen))]

        def answer(rows: slice) -> None:
            queries = self.prepared(embeddings[rows])
            best = ask(queries, None if own is None else own[rows])
            if self.metric == "cosine":
                best[:, ~queries.any(axis=1)] = -np.inf
            for j in range(self.m):
                out.nearness[rows, j], out.votes[rows, j] = self._picked(best, j)

        with threadpool_limits(1, "blas"), working(what or "looking for neighbours", len(blocks)) as tick:
            for _ in in_threads(answer, blocks):
                tick()
        return out

    def _block(self, chosen: str) -> int:
        return 16 * QUERIES if chosen == "cells" else QUERIES  # many queries have a cell in common

    @property
    def _none(self) -> float:
        return -np.inf if self.metric == "cosine" else np.inf

    @property
    def _chosen(self) -> str:
        """The way to search: of the support alone, or votes would depend on how many rows are asked at a time."""
        if self.index != "auto":
            return self.index
        return "exact" if len(self.vectors) * self.vectors.size <= EXACT_UP_TO else "cells"

    # what channels have nearest

    def _picked(self, best: Floats, j: int) -> tuple[Floats, npt.NDArray[np.int16]]:
        """Of one function: the nearest of its channels, and its code. best: (p, n). returns: (n,), (n,)."""
        mine = self.channels_of(j)
        if not len(mine):
            return np.full(best.shape[1], self._none), np.full(best.shape[1], ABSTAIN, np.int16)
        values = best[mine]
        codes = self.channels[mine, 1].astype(np.int16)
        if self.metric == "cosine":
            at, top = values.argmax(axis=0), values.max(axis=0)
            tied = (values >= top - SAME).sum(axis=0) > 1
            nothing = np.isneginf(top)
        else:
            at, top = values.argmin(axis=0), values.min(axis=0)
            tied = (values <= top + SAME * self.spread).sum(axis=0) > 1
            nothing = np.isposinf(top)
        return top, np.where(tied | nothing, np.int16(ABSTAIN), codes[at])

    def _near(self, queries: Floats, chosen: slice | Places) -> Floats:
        """Nearness of some supporters to queries. returns: (supporters, queries)."""
        vectors = self.vectors[chosen]
        if self.metric == "cosine":
            return np.minimum(vectors @ queries.T, np.float32(1.0))
        squares = np.einsum("sd,sd->s", vectors, vectors)[:, None] + np.einsum("nd,nd->n", queries, queries)
        return np.sqrt(np.maximum(squares - 2 * (vectors @ queries.T), 0.0))

    def _take_best(self, best: Floats, near: Floats, rows: Places, starts: Places, columns: Any) -> None:
        """Let channels have what is nearer. near: (supporters, queries); rows[starts[i]:starts[i+1]] is channel i's."""
        for channel in np.flatnonzero(np.diff(starts)):
            some = near[rows[starts[channel] : starts[channel + 1]]]
            if self.metric == "cosine":
                best[channel, columns] = np.maximum(best[channel, columns], some.max(axis=0))
            else:
                best[channel, columns] = np.minimum(best[channel, columns], some.min(axis=0))

    def _empty(self, n: int) -> Floats:
        kind = np.float32 if self.metric == "cosine" else np.float64
        return np.full((len(self.channels), n), self._none, kind)

    # the three ways

    def _exact(self, queries: Floats, own: Places | None) -> Floats:
        best = self._empty(len(queries))
        for number, chosen in enumerate(self._chunks):
            near = self._near(queries, chosen)
            if own is not None:
                here = np.flatnonzero((own >= chosen.start) & (own < chosen.stop))
                near[own[here] - chosen.start, here] = self._none
            self._take_best(best, near, *self._members_by_chunk[number], columns=slice(None))
        return best

    @cached_property
    def _chunks(self) -> list[slice]:
        size = len(self.vectors)
        return [slice(start, min(start + SUPPORTERS, size)) for start in range(0, size, SUPPORTERS)]

    @cached_property
    def _members_by_chunk(self) -> list[tuple[Places, Places]]:
        bins = np.arange(len(self.vectors)) // SUPPORTERS
        return self._members_in(bins, np.arange(len(self.vectors)) % SUPPORTERS, len(self._chunks))

    def _members_in(self, part: Places, place: Places, n_parts: int) -> list[tuple[Places, Places]]:
        """Supporters of each channel, part by part. part, place: (s,) of each supporter. returns: rows and starts."""
        channel = np.repeat(np.arange(len(self.channels)), np.diff(self.starts))
        order = np.lexsort((channel, part[self.members]))
        rows, key = place[self.members][order], part[self.members][order] * len(self.channels) + channel[order]
        edges = np.searchsorted(key, np.arange(n_parts * len(self.channels) + 1))
        found = []
        for number in range(n_parts):
            mine = edges[number * len(self.channels) : (number + 1) * len(self.channels) + 1]
            found.append((rows[mine[0] : mine[-1]], mine - mine[0]))
        return found

    @cached_property
    def cells(self) -> Cells:
        """The parts of space supporters lie in, for a search that is not exact."""
        return make_cells(self.vectors, self.metric, self.seed)

    @cached_property
    def _members_by_cell(self) -> list[tuple[Places, Places]]:
        place = np.empty(len(self.vectors), np.int64)
        for some in self.cells.members:
            place[some] = np.arange(len(some))
        return self._members_in(self.cells.cell, place, len(self.cells.members))

    def _in_cells(self, queries: Floats, own: Places | None) -> Floats:
        best = self._empty(len(queries))
        probed = self.cells.nearest_to(queries, PROBES)
        order = np.argsort(probed.ravel(), kind="stable")
        edges = np.searchsorted(probed.ravel()[order], np.arange(len(self.cells.members) + 1))
        for cell, some in enumerate(self.cells.members):
            asking = order[edges[cell] : edges[cell + 1]] // probed.shape[1]
            for start in range(0, len(asking) if len(some) else 0, QUERIES):
                columns = asking[start : start + QUERIES]
                near = self._near(queries[columns], some)
                if own is not None:
                    near[some[:, None] == own[columns]] = self._none
                self._take_best(best, near, *self._members_by_cell[cell], columns=columns)
        return best

    def _in_graphs(self, queries: Floats, own: Places | None) -> Floats:
        best = self._empty(len(queries))
        for j in range(self.m):
            places, graph = self._graph(j)
            if not len(places):
                continue
            _, found = graph.search(np.asarray(queries, np.float32), min(FOUND, len(places)))
            supporters = np.where(found >= 0, places[found], -1)
            for channel in self.channels_of(j):
                says = np.zeros(len(self.vectors) + 1, bool)
                says[self.members_of(channel)] = True
                counts = says[supporters]
                if own is not None:
                    counts &= supporters != own[:, None]
                best[channel] = self._best_of(queries, supporters, counts)
        return best

    def _best_of(self, queries: Floats, supporters: Places, counts: npt.NDArray[np.bool_]) -> Floats:
        """Nearness of the nearest of a few supporters that count, a few for each query. (n, few) -> (n,)."""
        vectors = self.vectors[supporters]
        if self.metric == "cosine":
            near = np.minimum(np.einsum("nd,nfd->nf", queries, vectors), np.float32(1.0))
            return np.where(counts, near, -np.inf).max(axis=1)
        distance = np.sqrt(np.square(queries[:, None] - vectors).sum(axis=2))
        return np.where(counts, distance, np.inf).min(axis=1)

    def _graph(self, j: int) -> tuple[Places, Any]:
        """The supporters of one function, and a graph of their neighbours."""
        if j not in self._graphs:
            faiss = _faiss()
            mine = self.channels_of(j)
            places = np.unique(np.concatenate([np.empty(0, np.int64), *(self.members_of(c) for c in mine)]))
            kind = faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2
            graph = faiss.IndexHNSWFlat(self.vectors.shape[1], LINKS, kind)
            graph.hnsw.efConstruction = graph.hnsw.efSearch = EFFORT
            before = faiss.omp_get_max_threads()
            faiss.omp_set_num_threads(1)  # rows that are added side by side make another graph each time
            if len(places):
                graph.add(np.asarray(self.vectors[places], np.float32))
            faiss.omp_set_num_threads(before)
            self._graphs[j] = places, graph
        return self._graphs[j]


def make_support(
    votes: npt.NDArray[Any], vectors: Floats, metric: str = "cosine", index: str = "auto", seed: int = 0
) -> Support:
    """The support that some rows give. votes: (n, m) codes; vectors: (n, d), checked. O(n d + votes)."""
    spread = 1.0
    if metric == "l2" and len(vectors):
        sample = np.asarray(vectors[:: max(1, len(vectors) // 10_000)], np.float64)
        spread = float(np.sqrt(np.square(sample - sample.mean(axis=0)).sum(axis=1).mean())) or 1.0
    votes_any = (votes >= 0).any(axis=1)
    group = np.full(len(votes), -1, np.int64)
    ready = unit(vectors) if metric == "cosine" else np.asarray(vectors, np.float64)
    usable = ready.any(axis=1) if metric == "cosine" else np.ones(len(ready), bool)
    first, member = twins(ready[usable], TWIN_GRID * spread)
    group[usable] = member
    voted = np.zeros(len(first), bool)
    voted[group[usable & votes_any]] = True  # twins of a row nobody voted on are no supporters
    place = np.where(voted, np.cumsum(voted) - 1, -1)
    group[usable] = place[member]
    row, j = np.nonzero((votes >= 0) & (group >= 0)[:, None])
    said = np.unique(np.column_stack([j, votes[row, j], group[row]]).astype(np.int64), axis=0)
    channels, starts = np.unique(said[:, :2], axis=0, return_index=True)
    kept = np.flatnonzero(usable)[first[voted]]
    return Support(
        metric=metric,
        vectors=np.ascontiguousarray(ready[kept]),
        channels=channels.reshape(-1, 2),
        starts=np.append(starts, len(said)),
        members=np.ascontiguousarray(said[:, 2]),
        m=votes.shape[1],
        group=group,
        spread=spread,
        index=index,
        seed=seed,
    )


@dataclass(frozen=True)
class Cells:
    """Parts of space by their nearest centre. centres: (c, d); cell: (s,) of each supporter; members: by cell."""

    metric: str
    centres: Floats
    cell: Places
    members: list[Places]

    def nearest_to(self, queries: Floats, n: int) -> Places:
        """The n cells nearest to each query. returns: (queries, n), in no order."""
        n = min(n, len(self.centres))
        return np.argpartition(_towards(queries, self.centres, self.metric), -n, axis=1)[:, -n:]


def make_cells(vectors: Floats, metric: str, seed: int) -> Cells:
    """Cells by k-means on a sample, about as many as each holds supporters."""
    rng = np.random.default_rng(seed)
    count = int(np.clip(round(len(vectors) ** 0.5), 1, len(vectors)))
    sample = vectors[np.sort(rng.choice(len(vectors), min(len(vectors), SAMPLE * count), replace=False))]
    centres = k_means(sample, count, metric, rng)
    cell = assigned(vectors, centres, metric)
    order = np.argsort(cell, kind="stable")
    edges = np.searchsorted(cell[order], np.arange(count + 1))
    return Cells(metric, centres, cell, [order[edges[c] : edges[c + 1]] for c in range(count)])


def k_means(vectors: Floats, count: int, metric: str, rng: np.random.Generator) -> Floats:
    """Centres of some cells of the vectors, of length 1 for cosine. returns: (count, d)."""
    centres = vectors[np.sort(rng.choice(len(vectors), count, replace=False))].copy()
    for _ in range(ROUNDS):
        cell = assigned(vectors, centres, metric)
        order = np.argsort(cell, kind="stable")
        held, starts = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(vectors[order], starts, axis=0)
        if metric == "cosine":
            centres[held] = unit(sums)
        else:
            centres[held] = sums / np.diff(np.append(starts, len(vectors)))[:, None]
    return centres


def assigned(vectors: Floats, centres: Floats, metric: str) -> Places:
    """The centre nearest to each vector. returns: (n,)."""
    cell = np.empty(len(vectors), np.int64)
    for start in range(0, len(vectors), 8 * QUERIES):
        some = slice(start, start + 8 * QUERIES)
        cell[some] = _towards(vectors[some], centres, metric).argmax(axis=1)
    return cell


def _towards(vectors: Floats, centres: Floats, metric: str) -> Floats:
    """How near centres are, the more the nearer, in units of their own. returns: (n, c)."""
    inner = vectors @ centres.T
    return inner if metric == "cosine" else inner - np.einsum("cd,cd->c", centres, centres) / 2


def in_threads(work: Any, parts: Iterable[Any]) -> Iterator[None]:
    """Do work on parts, as many at a time as there are processors; raises what it raises."""
    parts = list(parts)
    n_threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)
    if len(parts) < 2 or n_threads < 2:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        yield from pool.map(work, parts)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise ExtraError(
            "The index 'hnsw' needs faiss-cpu, which is not installed.\nFix: pip install 'consilience[ann]'."
        ) from None
    return faiss
