"""What touches each variable that is sampled, whatever the weights: made once a graph, read by every sweep.

Follows `graph/`: known values are put in, and each factor falls to the cheapest of four kinds. A factor whose only
open variable is v is a number for each value of v (`field`). One of two open Boolean variables is a field on both and a
number for the case that both are 1 (`coupling`). One of two open variables of which one is categorical is the same for
the pairs of values its literals ask for (`entry`). All others are asked for their worth again and again (`general`).
Values are counted from a base: 0 of a Boolean variable, and of a categorical one a value that no literal asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import OPEN, FactorGraph
from consilience.kb.inference.clusters import STRONG, strong_clusters
from consilience.kb.inference.structure_kernels import Cursors, Given, Terms, mark, place_factors, sum_terms

State = NDArray[np.signedinteger[Any]]  # a world: (n,) int16; int32 if a variable has over 32,767 values

NO_CLUSTERS = (np.zeros(1, np.int32), np.zeros(0, np.int32))


class Arrays(NamedTuple):
    """The arrays of a structure, as kernels take them: m variables sampled, the first `n_simple` of them simple.

    variables: (m,) int32, in the order of the sweep. slots: (m + 1,): where the values of each begin in field and
    tally; a Boolean variable has one slot, for 1. field_*: terms of each slot. coupling_*: terms of each variable, with
    the other variable in `neighbour`. group_*: for each variable that is not simple, the (neighbour, value) that switch
    its entries on; entry_value: what is changed. general_*: the factors asked for their worth.
    """

    n_simple: int
    variables: NDArray[np.int32]
    slots: NDArray[np.int32]
    field_offsets: NDArray[np.integer]
    field_weight: NDArray[np.int32]
    field_coefficient: NDArray[np.float32]
    coupling_offsets: NDArray[np.integer]
    coupling_weight: NDArray[np.int32]
    coupling_coefficient: NDArray[np.float32]
    neighbour: NDArray[np.int32]
    group_offsets: NDArray[np.integer]
    group_variable: NDArray[np.int32]
    group_value: NDArray[np.int32]
    entry_offsets: NDArray[np.integer]
    entry_value: NDArray[np.int32]
    entry_weight: NDArray[np.int32]
    entry_coefficient: NDArray[np.float32]
    general_offsets: NDArray[np.integer]
    general_factor: NDArray[np.int32]
    function: NDArray[np.uint8]
    offsets: NDArray[np.integer]
    variable: NDArray[np.int32]
    value: NDArray[np.int32]
    clause: NDArray[np.int32]
    weight: NDArray[np.int32]
    scale: NDArray[np.float32]


class Potentials(NamedTuple):
    """A structure's numbers under a vector of weights. field: (slots,), coupling, entry: float32. weights: (W,).

    cluster_offsets, members: places that a sweep also flips together, cluster by cluster; see `clusters.py`.
    """

    field: NDArray[np.float32]
    coupling: NDArray[np.float32]
    entry: NDArray[np.float32]
    weights: NDArray[np.float64]
    cluster_offsets: NDArray[np.int32]
    members: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Structure:
    """What `prepare` made of a graph. known: (n,) the values of clamped variables, OPEN at those that are sampled.

    place: (n,) int32: where a variable stands in `arrays.variables`, or -1 if it is not sampled.
    """

    arrays: Arrays
    known: State
    place: NDArray[np.int32]
    value_offsets: NDArray[np.int64]

    @property
    def variables(self) -> NDArray[np.int32]:
        """(m,) the variables that are sampled, in the order of a sweep."""
        return self.arrays.variables

    @property
    def n_slots(self) -> int:
        """How many numbers a tally has: one a Boolean variable, one a value of a categorical one."""
        return int(self.arrays.slots[-1])

    @property
    def is_boolean(self) -> NDArray[np.bool_]:
        """(m,) which of the sampled variables have a single slot."""
        return np.diff(self.arrays.slots) == 1


def prepare(graph: FactorGraph, variables: NDArray[np.integer] | None = None) -> Structure:
    """What touches each variable that is sampled. Depends on the evidence, and not on the weights.

    variables: those to sample; by default all that are open. Evidence on them stays: they are left out. They must not
    share a factor with an open variable that is not among them: components are sampled whole.
    raises: GraphError where they do.

    O(literals) time; about 8 bytes a literal beside the graph.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> graph = FactorGraph.of([2, 2, 2], [(FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)], evidence=[-1, -1, 1])
    >>> prepare(graph).variables.tolist()
    [0, 1]
    """
    f = graph.factors
    known, sampled = _known(graph, variables)
    clause = f.clause if len(f.clause) else np.zeros(1, np.int32)
    factors = (f.function, f.offsets, f.variable, f.value, clause, f.weight, f.scale)
    is_complex = np.zeros(graph.n_variables, np.uint8)
    bad = mark(f.offsets, f.variable, graph.cardinality, known, sampled, is_complex)
    if bad >= 0:
        literals = f.variable[f.offsets[bad] : f.offsets[bad + 1]]
        raise GraphError(
            f"Factor {bad} joins variables that are sampled with open ones that are not: {np.unique(literals)[:20]}.\n"
            "Fix: sample all open variables of a component, or none."
        )
    is_complex[graph.cardinality > 2] = 1
    chosen = np.flatnonzero(sampled)
    simple, other = chosen[is_complex[chosen] == 0], chosen[is_complex[chosen] == 1]
    order = np.concatenate([simple, other]).astype(np.int32)
    place = np.full(graph.n_variables, -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    width = graph.cardinality[order]
    slots = _ends(np.where(width == 2, 1, width))
    parts = _placed(Given(*factors, graph.cardinality, known, place, slots))
    arrays = Arrays._make((len(simple), order, slots, *parts, *factors))
    return Structure(arrays, known, place, graph.value_offsets)


def potentials(
    structure: Structure, weights: NDArray[np.float64], out: Potentials | None = None, *, flips: bool = True
) -> Potentials:
    """A structure's numbers under these weights: what a sweep reads. O(terms). out: written over, to save memory.

    flips: look for strongly coupled variables, which a sweep then also flips together.
    """
    a = structure.arrays
    weights = np.ascontiguousarray(weights, np.float64)
    if out is None:
        made = (structure.n_slots, len(a.neighbour), len(a.entry_weight))
        out = Potentials._make((*(np.empty(n, np.float32) for n in made), weights, *NO_CLUSTERS))
    sum_terms(a.field_offsets, a.field_weight, a.field_coefficient, weights, out.field)
    np.multiply(weights[a.coupling_weight], a.coupling_coefficient, out=out.coupling, casting="same_kind")
    np.multiply(weights[a.entry_weight], a.entry_coefficient, out=out.entry, casting="same_kind")
    found = NO_CLUSTERS
    if flips and max(out.coupling.max(initial=0), -out.coupling.min(initial=0)) >= STRONG:
        found = strong_clusters(a.coupling_offsets, structure.place[a.neighbour], out.coupling)
    return out._replace(weights=weights, cluster_offsets=found[0], members=found[1])


def _known(graph: FactorGraph, variables: NDArray[np.integer] | None) -> tuple[State, NDArray[np.bool_]]:
    """Values that are known, and which variables are sampled. A variable of one value is known."""
    widest = graph.cardinality.max(initial=0)
    known: State = graph.evidence.astype(np.int16 if widest <= np.iinfo(np.int16).max else np.int32)
    known[graph.cardinality == 1] = 0
    sampled = known == OPEN
    if variables is not None:
        asked = np.zeros(graph.n_variables, bool)
        asked[variables] = True
        sampled &= asked
    return known, sampled


def _ends(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """Offsets from counts, in 32 bits where they suffice."""
    ends = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    return ends.astype(np.int32) if ends[-1] < 2**31 else ends


def _placed(given: Given) -> Iterator[NDArray[np.generic]]:
    """Count what touches each variable, then write it. Yields the fields of Arrays, field_offsets to general_factor."""
    m = len(given.slots) - 1
    counts = Cursors(*(np.zeros(n, np.int64) for n in (given.slots[-1], m, m, 1)))
    last_seen = np.full(len(given.place), -1, np.int32)
    place_factors(given, counts, Terms.empty(0, 0, 0, 0), False, last_seen)
    field, coupling, general = _ends(counts.field), _ends(counts.coupling), _ends(counts.general)
    terms = Terms.empty(field[-1], coupling[-1], general[-1], counts.pair[0])
    starts = Cursors(
        field[:-1].astype(np.int64),
        coupling[:-1].astype(np.int64),
        general[:-1].astype(np.int64),
        np.zeros(1, np.int64),
    )
    last_seen[:] = -1
    place_factors(given, starts, terms, True, last_seen)
    yield from (field, terms.field_weight, terms.field_coefficient)
    yield from (coupling, terms.coupling_weight, terms.coupling_coefficient, terms.neighbour)
    yield from _grouped(terms, m)
    yield from (general, terms.general_factor)


def _grouped(terms: Terms, m: int) -> Iterator[NDArray[np.generic]]:
    """The pairs of values, sorted so that what one value of a neighbour switches on stands together."""
    order = np.lexsort((terms.pair_changes, terms.pair_value, terms.pair_variable, terms.pair_place))
    place, variable, value = (a[order] for a in (terms.pair_place, terms.pair_variable, terms.pair_value))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (np.diff(place) != 0) | (np.diff(variable) != 0) | (np.diff(value) != 0)
    first = np.flatnonzero(is_first)
    yield _ends(np.bincount(place[first], minlength=m))
    yield from (variable[first], value[first])
    yield np.append(first, len(order)).astype(np.int32 if len(order) < 2**31 else np.int64)
    yield from (terms.pair_changes[order], terms.pair_weight[order], terms.pair_coefficient[order])
