"""What is stored before changes come, so that each costs little: worlds, and an approximate graph where it may help.

Made by `materialise`, read by `update_marginals`, kept in one file of plain arrays. What a change has touched no longer
speaks of the graph and is marked; `refreshed` draws it again, at the cost of what is marked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError, StoreError
from consilience.kb.graph.components import Components, components
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.draw import drawn
from consilience.kb.incremental.variational import Approximation, approximated
from consilience.kb.inference.worlds import Worlds
from consilience.store.arrays import load, save

KIND = "knowledge base material"
N_SAMPLES = 2000  # a standard error of .011, or .016 after a change that leaves them worth half


@dataclass(slots=True)
class Material:
    """worlds: of every open variable that hangs together with another. fresh: (n,) bool, variables of which this still
    speaks. approximation: of dense components. Variables alone are drawn when they are asked for: that is exact."""

    worlds: Worlds
    fresh: NDArray[np.bool_]
    approximation: Approximation

    def is_fresh(self, variables: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Of which of these variables it still speaks."""
        known = variables < len(self.fresh)
        return known & self.fresh[np.where(known, variables, 0)] if len(self.fresh) else np.zeros(len(variables), bool)

    def spend(self, variables: NDArray[np.integer]) -> None:
        """Mark variables whose distribution has changed."""
        self.fresh[variables[variables < len(self.fresh)]] = False

    @property
    def n_bytes(self) -> int:
        """Memory of its arrays."""
        a = self.approximation
        arrays = (self.worlds.bits, self.worlds.rows, self.fresh, a.has, a.field, a.pair, a.strength)
        return sum(array.nbytes for array in arrays)

    def save(self, path: Path | str) -> None:
        """Write it to one file, whole or not at all."""
        a = self.approximation
        parts: dict[str, NDArray[Any]] = {"rows": self.worlds.rows, "bits": self.worlds.bits, "fresh": self.fresh}
        parts |= {"has": a.has, "field": a.field, "pair": a.pair, "strength": a.strength}
        save(path, KIND, {"n": self.worlds.n}, parts)

    @staticmethod
    def load(path: Path | str) -> Material:
        """Read what `save` wrote. raises: StoreError for anything else."""
        meta, a = load(path, KIND)
        try:
            worlds = Worlds(int(meta["n"]), a["rows"], a["bits"])
            material = Material(worlds, a["fresh"], Approximation(a["has"], a["field"], a["pair"], a["strength"]))
        except KeyError as lacking:
            raise StoreError(f"{path} lacks {lacking}.\nFix: make the material again.") from None
        shapes = (len(worlds.rows) - 1, len(material.fresh), len(material.approximation.has))
        if len(set(shapes)) != 1 or worlds.bits.shape != (int(worlds.rows[-1]), (worlds.n + 7) // 8):
            raise StoreError(f"{path} holds arrays that do not fit each other.\nFix: make the material again.")
        return material


def materialise(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    *,
    n_samples: int = N_SAMPLES,
    seed: int = 0,
    penalty: float = 0.02,
    variational_up_to: int = 64,
) -> Material:
    """Store n_samples worlds, and approximate dense components of at most variational_up_to Boolean variables.

    penalty: lambda of the log-determinant relaxation; larger keeps fewer pairs. variational_up_to=0: no approximation.
    n_samples bits a variable that is not alone; time is that of drawing them. raises: GraphError if it is negative.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2, 2], [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)])
    >>> material = materialise(graph, np.array([1.0]), n_samples=500)
    >>> material.worlds.bits.shape, material.approximation.strength.round(1)
    ((2, 63), array([1.]))
    """
    if n_samples < 0:
        raise GraphError(f"{n_samples} worlds were to be stored.\nFix: a number from 0 on.")
    found = components(graph)
    joint = chosen(found, np.flatnonzero(np.diff(found.variable_offsets) > 1))
    return _made(graph, weights, joint, n_samples, seed, penalty, variational_up_to)


def _made(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    joint: Components,
    n_samples: int,
    seed: int,
    penalty: float,
    up_to: int,
) -> Material:
    worlds = drawn(graph, weights, n_samples, seed=seed, found=joint)
    approximation = approximated(graph, joint, worlds, penalty=penalty, up_to=up_to)
    return Material(worlds, np.ones(graph.n_variables, bool), approximation)


def refreshed(
    material: Material,
    live: LiveGraph,
    weights: NDArray[np.float64],
    *,
    seed: int = 0,
    penalty: float = 0.02,
    variational_up_to: int = 64,
) -> Material:
    """Material that speaks of the graph as it is now: what changes touched is drawn again, the rest is taken over.

    O(n) copying beside the drawing of what was touched.
    """
    n = live.n_variables
    old = np.zeros(n, bool)
    old[: len(material.fresh)] = material.fresh
    spent = np.flatnonzero(~old & (live.evidence < 0)).astype(np.int32)
    piece = live.piece(spent)
    found = components(piece.graph)
    joint = chosen(found, np.flatnonzero(np.diff(found.variable_offsets) > 1))
    part = _made(piece.graph, weights, joint, material.worlds.n, seed, penalty, variational_up_to)
    kept = np.flatnonzero(old & material.worlds.has(np.arange(n))).astype(np.int32)
    stored = np.zeros(n, bool)
    stored[kept] = True
    stored[piece.variables[joint.variables]] = True
    worlds = Worlds.empty(live.cardinality, stored, material.worlds.n)
    for source, at, into in (
        (material.worlds, kept, kept),
        (part.worlds, joint.variables, piece.variables[joint.variables]),
    ):
        worlds.bits[_rows(worlds, into)] = source.bits[_rows(source, at)]
    return Material(worlds, np.ones(n, bool), _joined(material.approximation, old, part.approximation, piece.variables))


def chosen(found: Components, which: NDArray[np.integer]) -> Components:
    """Some of the components, with their variables only numbered anew by list; factors as they were."""
    sizes, n_factors = np.diff(found.variable_offsets)[which], np.diff(found.factor_offsets)[which]
    lists = [np.zeros(0, np.int32)]
    return Components(
        found.of_variable,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        np.concatenate(lists + [found.variables_of(int(c)) for c in which]),
        np.concatenate([[0], np.cumsum(n_factors)]).astype(np.int32),
        np.concatenate(lists + [found.factors_of(int(c)) for c in which]),
    )


def _rows(worlds: Worlds, variables: NDArray[np.integer]) -> NDArray[np.int64]:
    first, width = worlds.rows[variables], worlds.rows[variables + 1] - worlds.rows[variables]
    ends = np.cumsum(width)
    return np.repeat(first - (ends - width), width) + np.arange(int(width.sum()))


def _joined(
    old: Approximation, fresh: NDArray[np.bool_], part: Approximation, variables: NDArray[np.int32]
) -> Approximation:
    """The old approximation where it is fresh, and that of the part elsewhere."""
    has, field = np.zeros(len(fresh), bool), np.zeros(len(fresh))
    has[: len(old.has)], field[: len(old.has)] = old.has, old.field
    has &= fresh
    has[variables[part.has]] = True
    field[variables[part.has]] = part.field[part.has]
    keep = fresh[old.pair].all(axis=1) if len(old.pair) else np.zeros(0, bool)
    pair = np.concatenate([old.pair[keep], np.sort(variables[part.pair], axis=1).reshape(-1, 2)])
    strength = np.concatenate([old.strength[keep], part.strength])
    order = np.lexsort((pair[:, 1], pair[:, 0]))
    return replace(part, has=has, field=field, pair=pair[order].astype(np.int32), strength=strength[order])
