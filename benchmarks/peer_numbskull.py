"""numbskull's side of kb_gibbs.py, run by the Python of an environment that has it and not our package.

    PYTHON peer_numbskull.py GRAPH.npz OUT.npy BURN_IN SWEEPS THREADS

Reads our arrays, hands them to numbskull as it wants them, and prints one JSON line; marginals go to OUT.npy, one
number a value as ours. It reads the head of a rule last, and Boolean literals without negation. Settings are its own.
"""

from __future__ import annotations

import builtins
import json
import sys
import time
from importlib.metadata import version

import numpy as np

if not hasattr(np, "bool"):  # gone from NumPy 1.24 to 1.26
    np.bool = builtins.bool

from numbskull.numbskull import NumbSkull
from numbskull.numbskulltypes import Factor, FactorToVar, Variable, Weight

from record import peak_mb

HEAD_FIRST = (0, 7, 8, 9, 13)  # functions whose head is the first literal of ours


def arrays(given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Our graph as numbskull's structured arrays."""
    weight = np.zeros(len(given["weights"]), Weight)
    weight["isFixed"], weight["initialValue"] = True, given["weights"]
    variable = np.zeros(len(given["cardinality"]), Variable)
    variable["cardinality"], variable["dataType"] = given["cardinality"], given["cardinality"] > 2
    offsets, function = given["offsets"].astype(np.int64), given["function"]
    factor = np.zeros(len(function), Factor)
    factor["factorFunction"], factor["weightId"], factor["featureValue"] = function, given["weight"], given["scale"]
    factor["arity"], factor["ftv_offset"] = np.diff(offsets), offsets[:-1]
    literal = np.arange(len(given["variable"]))
    for f in np.flatnonzero(np.isin(function, HEAD_FIRST)):
        literal[offsets[f] : offsets[f + 1]] = np.roll(literal[offsets[f] : offsets[f + 1]], -1)
    edge = np.zeros(len(literal), FactorToVar)
    edge["vid"], edge["dense_equal_to"] = given["variable"][literal], given["value"][literal]
    return weight, variable, factor, edge


def main() -> None:
    graph_file, out_file, burn_in, sweeps, threads = sys.argv[1:]
    given = dict(np.load(graph_file))
    weight, variable, factor, edge = arrays(given)
    began = time.process_time()
    peer = NumbSkull(burn_in=1, n_inference_epoch=1, quiet=True, nthreads=int(threads), sample_evidence=False)
    peer.loadFactorGraph(weight, variable, factor, edge, np.zeros(len(variable), np.bool), len(edge))
    graph = peer.getFactorGraph()
    prepare_s = time.process_time() - began
    graph.inference(max(1, int(burn_in)), 0)  # compiles
    began, cpu_began = time.perf_counter(), time.process_time()
    graph.inference(0, int(sweeps))
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    np.save(out_file, values(graph, given["cardinality"]))
    told = {
        "prepare_s": prepare_s,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "sweeps": int(sweeps),
        "peak_mb": round(peak_mb()),
    }
    print(json.dumps({**told, "version": version("numbskull")}))
    graph.clear()


def values(graph: object, cardinality: np.ndarray) -> np.ndarray:
    """Its marginals: one number a Boolean variable, one a value of a categorical one. Ours: one a value."""
    found = []
    for v, k in enumerate(cardinality):
        mine = graph.marginals[graph.cstart[v] : graph.cstart[v + 1]]
        found += [1 - mine[0], mine[0]] if k == 2 else list(mine)
    return np.array(found)


if __name__ == "__main__":
    main()
