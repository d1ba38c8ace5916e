"""Each labelled variable given its labelled neighbours, as a table of worlds: the pseudo-likelihood of the labels.

The probability of a label given all other variables needs no sum over worlds, whatever the graph. Factors that touch a
variable without a sure label are left out, for there is no telling what they are worth. It chooses the penalty where
the likelihood itself is out of reach (`penalty.py`); weights are not learned from it.

Source: Besag 1975.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.adjacency import adjacency
from consilience.kb.graph.worth import worth
from consilience.kb.learning.relevant import HARD, TARGET, VIRTUAL, Relevant
from consilience.kb.learning.worlds import WorldTable


def conditionals(matters: Relevant, fold: NDArray[np.int64], n_folds: int) -> list[WorldTable]:
    """A table for each fold, with one component for each labelled variable of it. fold: (n,), -1 for none.

    O(literals of the factors of labelled variables, once for each of their variables and values).
    """
    graph, f = matters.graph, matters.graph.factors
    near = adjacency(graph)
    about = (graph.cardinality, graph.evidence, matters.known, matters.soft_start, graph.soft.probability, matters.tilt)
    factors = (f.function, f.offsets, f.variable, f.value, f.clause, f.weight, f.scale)
    known = _n_unknown(f.offsets, f.variable, matters.known)
    return [_table(np.flatnonzero(fold == k), matters, known, near.offsets, near.factors, about, factors)
            for k in range(n_folds)]  # fmt: skip


def _table(which, matters, n_unknown, incident, incidence, about, factors) -> WorldTable:
    sizes = matters.graph.cardinality[which].astype(np.int64)
    groups = np.where(matters.known[which] == TARGET, sizes, 1)
    first_row, first_group = (np.concatenate([[0], np.cumsum(x)]) for x in (sizes, groups))
    most = int(((sizes - 1) * (incident[which + 1] - incident[which])).sum())
    row_start = np.zeros(first_row[-1] + 1, np.int64)
    column, data = np.zeros(most, np.int32), np.zeros(most)
    group, tilt, share = np.full(first_row[-1], -1, np.int64), np.zeros(first_row[-1]), np.ones(first_group[-1])
    out = (row_start, column, data, group, tilt, share)
    _fill(which, first_row, first_group, n_unknown, incident, incidence, *about, *factors, *out)
    clamped_row = np.flatnonzero(group >= 0)
    first_clamped = np.searchsorted(group[clamped_row], np.arange(first_group[-1] + 1))
    used = row_start[-1]
    return WorldTable(row_start, column[:used], data[:used], first_row, clamped_row, first_clamped, share, tilt)


@compiled
def _n_unknown(offsets, variable, known):
    """(F,): distinct variables of each factor that have no sure label; 2 stands for more."""
    count = np.zeros(len(offsets) - 1, np.uint8)
    for f in range(len(count)):
        first = -1
        for literal in range(offsets[f], offsets[f + 1]):
            v = variable[literal]
            if known[v] != HARD and v != first and count[f] < 2:
                count[f] += 1
                first = v
    return count


@compiled
def _fill(which, first_row, first_group, n_unknown, incident, incidence, cardinality, evidence, known, soft_start,
          probability, given_tilt, function, offsets, variable, value, clause, weight, scale, row_start, column, data,
          group, tilt, share):  # fmt: skip
    """Write one row a value of each variable, relative to value 0."""
    state = np.maximum(evidence, 0)
    entry = 0
    for place in range(len(which)):
        v = which[place]
        for x in range(cardinality[v]):
            row = first_row[place] + x
            for at in range(incident[v], incident[v + 1] if x else incident[v]):
                f = incidence[at]
                if n_unknown[f] > (known[v] != HARD):
                    continue
                start, stop = offsets[f], offsets[f + 1]
                gain = worth(function[f], start, stop, variable, value, clause, state, v, x)
                gain -= worth(function[f], start, stop, variable, value, clause, state, v, 0)
                if gain != 0:
                    column[entry] = weight[f]
                    data[entry] = scale[f] * gain
                    entry += 1
            row_start[row + 1] = entry
            if known[v] == TARGET:
                group[row] = first_group[place] + x
                share[group[row]] = probability[soft_start[v] + x]
            elif known[v] == VIRTUAL:
                group[row] = first_group[place]
                tilt[row] = given_tilt[soft_start[v] + x]
            elif evidence[v] == x:
                group[row] = first_group[place]
