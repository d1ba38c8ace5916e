"""Boolean variables so strongly coupled that draws one by one do not move them: they are also flipped together.

Follows `structure.py`: couplings under a vector of weights become clusters, and a sweep ends by proposing to flip each
cluster whole, its pattern kept. Source: the Metropolis rule; what a flip changes is the sum of its members' log-odds,
taken one after the other, so it is right whatever else joins them. Only speed rests on what is called a cluster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

STRONG = 3.0  # of a coupling, in log-odds: an EQUAL factor of weight .75. Weaker ones mix by themselves


def strong_clusters(
    coupling_offsets: NDArray[np.integer], neighbour_place: NDArray[np.integer], coupling: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Offsets and members (places) of the clusters: variables joined by couplings of at least 3, and of 6, 12, ...

    Clusters of a stronger coupling lie in those of a weaker one; each is listed once. O(couplings) for each level.

    >>> offsets, members = strong_clusters(np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), np.float32([9, 9, 4, 4]))
    >>> np.split(members, offsets[1:-1])
    [array([0, 1, 2], dtype=int32), array([0, 1], dtype=int32)]
    """
    size = np.abs(coupling)
    strong = np.flatnonzero(size >= STRONG)
    place = np.searchsorted(coupling_offsets, strong, side="right") - 1
    found: dict[tuple[int, int], NDArray[np.integer]] = {}
    level, top = STRONG, float(size[strong].max(initial=0.0))
    while level <= top:
        kept = size[strong] >= level
        for cluster in _joined(place[kept], neighbour_place[strong[kept]]):
            found.setdefault((int(cluster[0]), len(cluster)), cluster)
        level *= 2
    clusters = list(found.values())
    offsets = np.cumsum([0, *map(len, clusters)], dtype=np.int32)
    return offsets, np.concatenate([*clusters, np.zeros(0, np.int32)]).astype(np.int32)


def _joined(one: NDArray[np.integer], other: NDArray[np.integer]) -> list[NDArray[np.integer]]:
    """The connected components of these edges, each ascending."""
    places, ends = np.unique(np.concatenate([one, other]), return_inverse=True)
    edges = (np.ones(len(one), bool), (ends[: len(one)], ends[len(one) :]))
    _, label = connected_components(coo_array(edges, shape=(len(places),) * 2), directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(places[order], np.cumsum(np.bincount(label))[:-1])
