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
from consilience.kb.graph.worth import AND_CATEGORICAL, EQUAL, IMPLY, IMPLY_MLN, LINEAR, LOGICAL, OR, RATIO, worth

IS_TRUE = int(FactorFunction.IS_TRUE)
COUNT = (LINEAR, RATIO, LOGICAL)


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
        floats = {"field_coefficient", "coupling_coefficient", "pair_coefficient"}
        return Terms._make(
            np.empty(n, np.float32 if name in floats else np.int32)
            for n, name in zip(kinds, Terms._fields, strict=True)
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
    for earlier in range(start, j):  # noqa: SIM110 - kernels have no any()
        if g.variable[earlier] == v and value_of(g, earlier, v) == value_of(g, j, v):
            return True
    return False


@inlined
def base_of(g, v):
    """0 of a Boolean variable; of a categorical one a value that no literal asks for."""
    return 0 if g.cardinality[v] == 2 else -1


@inlined
def asked(g, f, v, to):
    """Worth of factor f with variable v set to a value, all else as it stands in `known`."""
    return worth(g.function[f], g.offsets[f], g.offsets[f + 1], g.variable, g.value, g.clause, g.known, v, to)


@inlined
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


@inlined
def slot_of(g, v, to):
    """Where value `to` of v stands in the field."""
    return g.slots[g.place[v]] + (0 if g.cardinality[v] == 2 else to)


@inlined
def write(cursor, at, weight, coefficient, weights, coefficients, filling):
    """One term. returns: where it stands, or -1 while counting. Few arrays: each one handed over costs."""
    to = cursor[at]
    cursor[at] = to + 1
    if not filling:
        return -1
    weights[to] = weight
    coefficients[to] = coefficient
    return to


@inlined
def write_field(g, f, v, to, change, cursors, terms, filling):
    """What value `to` of v is worth above the base."""
    if change != 0.0:
        slot = slot_of(g, v, to)
        write(
            cursors.field, slot, g.weight[f], change * g.scale[f], terms.field_weight, terms.field_coefficient, filling
        )


@inlined
def worth_of_two(function, first, second):
    """`worth` of a factor that does not count, by whether its two literals are true: most pairs are such."""
    n_true = int(first) + int(second)
    if function == IMPLY:
        return (1.0 if first else -1.0) if second else 0.0
    if function == IMPLY_MLN:
        return 0.0 if second and not first else 1.0
    if function == OR:
        return 1.0 if n_true > 0 else -1.0
    if function == EQUAL:
        return 1.0 if n_true != 1 else -1.0
    if function == AND_CATEGORICAL:
        return 1.0 if n_true == 2 else 0.0
    return 1.0 if n_true == 2 else -1.0


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


@inlined
def write_pair(g, f, v, x, u, y, together, cursors, terms, filling):
    """One term seen from v: what its value x is worth more, above the base, while u has value y."""
    i, w, c = g.place[v], g.weight[f], together * g.scale[f]
    if g.cardinality[v] == 2 and g.cardinality[u] == 2:
        at = write(cursors.coupling, i, w, c, terms.coupling_weight, terms.coupling_coefficient, filling)
        if filling:
            terms.neighbour[at] = u
        return
    at = write(cursors.pair, 0, w, c, terms.pair_weight, terms.pair_coefficient, filling)
    if filling:
        terms.pair_place[at] = i
        terms.pair_variable[at] = u
        terms.pair_value[at] = y
        terms.pair_changes[at] = 0 if g.cardinality[v] == 2 else x


@compiled
def place_factors(g, cursors, terms, filling, last_seen):
    """Give each factor to the variables it touches. last_seen: (n,) scratch, -1. O(literals), more if they repeat.

    Two kinds that most factors are of are done here: calls with all arrays cost more than what they do.
    """
    function, offsets, variable, value, place = g.function, g.offsets, g.variable, g.value, g.place
    slots, cardinality, weight, scale = g.slots, g.cardinality, g.weight, g.scale
    field, field_weight, field_coefficient = cursors.field, terms.field_weight, terms.field_coefficient
    coupling, neighbour = cursors.coupling, terms.neighbour
    coupling_weight, coupling_coefficient = terms.coupling_weight, terms.coupling_coefficient
    for f in range(len(function)):
        a, b, n_open = -1, -1, 0
        start, stop = offsets[f], offsets[f + 1]
        for j in range(start, stop):
            v = variable[j]
            if place[v] >= 0 and v != a and v != b:
                a, b = (v, b) if n_open == 0 else (a, v)
                n_open += 1
        if n_open == 0:
            continue
        kind, w, s = function[f], weight[f], scale[f]
        if n_open == 1 and stop == start + 1 and kind == IS_TRUE and cardinality[a] == 2:
            c = s * (2.0 if value[start] == 1 else -2.0)
            write(field, slots[place[a]], w, c, field_weight, field_coefficient, filling)
        elif n_open == 1:
            add_field(g, f, a, cursors, terms, filling)
        elif n_open == 2 and stop == start + 2 and kind not in COUNT and cardinality[a] + cardinality[b] == 4:
            x, y, i, k = value[start], value[start + 1], place[a], place[b]
            neither = worth_of_two(kind, x == 0, y == 0)
            first = worth_of_two(kind, x == 1, y == 0) - neither
            second = worth_of_two(kind, x == 0, y == 1) - neither
            both = worth_of_two(kind, x == 1, y == 1) - neither - first - second
            if first != 0.0:
                write(field, slots[i], w, s * first, field_weight, field_coefficient, filling)
            if second != 0.0:
                write(field, slots[k], w, s * second, field_weight, field_coefficient, filling)
            if both != 0.0:
                at = write(coupling, i, w, s * both, coupling_weight, coupling_coefficient, filling)
                back = write(coupling, k, w, s * both, coupling_weight, coupling_coefficient, filling)
                if filling:
                    neighbour[at], neighbour[back] = b, a
        elif n_open == 2:
            add_pair(g, f, a, b, cursors, terms, filling)
        else:
            for j in range(start, stop):
                v = variable[j]
                if place[v] >= 0 and last_seen[v] != f:
                    last_seen[v] = f
                    at = cursors.general[place[v]]
                    cursors.general[place[v]] += 1
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
