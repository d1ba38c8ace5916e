"""The loops that split factors by how many open variables they touch. See `structure.py` for what comes of it.

`place_factors` runs twice: first it counts, then it writes what it counted, from where each variable's part begins.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled, inlined
from consilience.kb.graph.factor_graph import FactorFunction
from consilience.kb.graph.worth import worth

IS_TRUE = int(FactorFunction.IS_TRUE)


class Given(NamedTuple):
    """What the loops read: a graph's factors, and its variables by what is known of them."""

    function: NDArray[np.uint8]
    offsets: NDArray[np.integer]
    variable: NDArray[np.int32]
    value: NDArray[np.int32]
    clause: NDArray[np.int32]
    weight: NDArray[np.int32]
    scale: NDArray[np.float32]
    cardinality: NDArray[np.int32]
    known: NDArray[np.signedinteger]  # OPEN where sampled; written while a factor is asked, and put back
    place: NDArray[np.int32]
    slots: NDArray[np.integer]


class Cursors(NamedTuple):
    """Where the next term of each slot, variable, and pair of values is written; from 0, how many there are."""

    field: NDArray[np.int64]
    coupling: NDArray[np.int64]
    general: NDArray[np.int64]
    pair: NDArray[np.int64]


class Terms(NamedTuple):
    """What is written. A pair says: while `pair_variable` has `pair_value`, `pair_changes` of the variable at
    `pair_place` is worth `pair_coefficient` times the weight."""

    field_weight: NDArray[np.int32]
    field_coefficient: NDArray[np.float32]
    coupling_weight: NDArray[np.int32]
    coupling_coefficient: NDArray[np.float32]
    neighbour: NDArray[np.int32]
    general_factor: NDArray[np.int32]
    pair_place: NDArray[np.int32]
    pair_variable: NDArray[np.int32]
    pair_value: NDArray[np.int32]
    pair_changes: NDArray[np.int32]
    pair_weight: NDArray[np.int32]
    pair_coefficient: NDArray[np.float32]

    @staticmethod
    def empty(n_field: int, n_coupling: int, n_general: int, n_pairs: int) -> Terms:
        """Room for so many terms of each kind."""
        kinds = (n_field,) * 2 + (n_coupling,) * 3 + (n_general,) + (n_pairs,) * 6
        types = {"field_coefficient", "coupling_coefficient", "pair_coefficient"}
        return Terms(
            *(
                np.empty(n, np.float32 if name in types else np.int32)
                for n, name in zip(kinds, Terms._fields, strict=True)
            )
        )


@compiled
def mark(offsets, variable, cardinality, known, sampled, is_complex):
    """Mark the sampled variables that need more than a field and couplings.

    returns: the first factor that joins sampled variables and open ones that are not, or -1. O(literals).
    """
    for f in range(len(offsets) - 1):
        a, b, n_open, missing, categorical = -1, -1, 0, False, False
        for j in range(offsets[f], offsets[f + 1]):
            v = variable[j]
            if sampled[v]:
                if v != a and v != b:
                    a, b = (v, b) if n_open == 0 else (a, v)
                    n_open += 1
                    categorical = categorical or cardinality[v] > 2
            elif known[v] < 0:
                missing = True
        if n_open == 0:
            continue
        if missing:
            return f
        if n_open > 2 or (n_open == 2 and categorical):
            for j in range(offsets[f], offsets[f + 1]):
                is_complex[variable[j]] = 1
    return -1


@inlined
def value_of(g, j, v):
    """The value to try for the literal at j of variable v: 1 of a Boolean variable, else what the literal asks for."""
    return 1 if g.cardinality[v] == 2 else g.value[j]


@inlined
def asked_before(g, start, j, v):
    """Whether an earlier literal of the factor tries the same value of the same variable."""
    for earlier in range(start, j):
        if g.variable[earlier] == v and value_of(g, earlier, v) == value_of(g, j, v):
            return True
    return False


@inlined
def base_of(g, v):
    """0 of a Boolean variable; of a categorical one a value that no literal asks for."""
    return 0 if g.cardinality[v] == 2 else -1


@compiled
def asked(g, f, v, to):
    """Worth of factor f with variable v set to a value, all else as it stands in `known`."""
    return worth(g.function[f], g.offsets[f], g.offsets[f + 1], g.variable, g.value, g.clause, g.known, v, to)


@compiled
def add_field(g, f, v, cursors, terms, filling):
    """Terms of a factor in the field of v, its other open variable (if any) standing at its base."""
    if g.function[f] == IS_TRUE and g.offsets[f + 1] - g.offsets[f] == 1:
        j = g.offsets[f]
        sign = -2.0 if g.cardinality[v] == 2 and g.value[j] == 0 else 2.0
        write_field(g, f, v, value_of(g, j, v), sign, cursors, terms, filling)
        return
    before = asked(g, f, v, base_of(g, v))
    for j in range(g.offsets[f], g.offsets[f + 1]):
        if g.variable[j] == v and not asked_before(g, g.offsets[f], j, v):
            to = value_of(g, j, v)
            write_field(g, f, v, to, asked(g, f, v, to) - before, cursors, terms, filling)


@compiled
def write_field(g, f, v, to, change, cursors, terms, filling):
    """One term: what value `to` of v is worth above the base."""
    if change == 0.0:
        return
    slot = g.slots[g.place[v]] + (0 if g.cardinality[v] == 2 else to)
    at = cursors.field[slot]
    cursors.field[slot] += 1
    if filling:
        terms.field_weight[at] = g.weight[f]
        terms.field_coefficient[at] = change * g.scale[f]


@compiled
def add_pair(g, f, a, b, cursors, terms, filling):
    """Terms of a factor with two open variables: a field on each, and what each two values are worth together."""
    a_base, b_base = base_of(g, a), base_of(g, b)
    g.known[b] = b_base
    add_field(g, f, a, cursors, terms, filling)
    g.known[b] = -1
    g.known[a] = a_base
    add_field(g, f, b, cursors, terms, filling)
    start, stop = g.offsets[f], g.offsets[f + 1]
    for i in range(start, stop):
        if g.variable[i] != a or asked_before(g, start, i, a):
            continue
        x = value_of(g, i, a)
        for j in range(start, stop):
            if g.variable[j] != b or asked_before(g, start, j, b):
                continue
            y = value_of(g, j, b)
            g.known[a] = x
            together = asked(g, f, b, y) - asked(g, f, b, b_base)
            g.known[a] = a_base
            together -= asked(g, f, b, y) - asked(g, f, b, b_base)
            if together != 0.0:
                write_pair(g, f, a, x, b, y, together, cursors, terms, filling)
                write_pair(g, f, b, y, a, x, together, cursors, terms, filling)
    g.known[a] = -1


@compiled
def write_pair(g, f, v, x, u, y, together, cursors, terms, filling):
    """One term seen from v: what its value x is worth more, above the base, while u has value y."""
    i = g.place[v]
    if g.cardinality[v] == 2 and g.cardinality[u] == 2:
        at = cursors.coupling[i]
        cursors.coupling[i] += 1
        if filling:
            terms.coupling_weight[at] = g.weight[f]
            terms.coupling_coefficient[at] = together * g.scale[f]
            terms.neighbour[at] = u
        return
    at = cursors.pair[0]
    cursors.pair[0] += 1
    if filling:
        terms.pair_place[at] = i
        terms.pair_variable[at] = u
        terms.pair_value[at] = y
        terms.pair_changes[at] = 0 if g.cardinality[v] == 2 else x
        terms.pair_weight[at] = g.weight[f]
        terms.pair_coefficient[at] = together * g.scale[f]


@compiled
def place_factors(g, cursors, terms, filling, last_seen):
    """Give each factor to the variables it touches. last_seen: (n,) scratch, -1. O(literals), more if they repeat."""
    for f in range(len(g.function)):
        a, b, n_open = -1, -1, 0
        for j in range(g.offsets[f], g.offsets[f + 1]):
            v = g.variable[j]
            if g.place[v] >= 0 and v != a and v != b:
                a, b = (v, b) if n_open == 0 else (a, v)
                n_open += 1
        if n_open == 1:
            add_field(g, f, a, cursors, terms, filling)
        elif n_open == 2:
            add_pair(g, f, a, b, cursors, terms, filling)
        elif n_open > 2:
            for j in range(g.offsets[f], g.offsets[f + 1]):
                v = g.variable[j]
                if g.place[v] >= 0 and last_seen[v] != f:
                    last_seen[v] = f
                    i = g.place[v]
                    at = cursors.general[i]
                    cursors.general[i] += 1
                    if filling:
                        terms.general_factor[at] = f


@compiled
def sum_terms(offsets, weight, coefficient, weights, out):
    """Sum of weight times coefficient over the terms of each slot. out: (slots,) float32."""
    for slot in range(len(out)):
        total = 0.0
        for term in range(offsets[slot], offsets[slot + 1]):
            total += weights[weight[term]] * coefficient[term]
        out[slot] = total
