"""Components as a table of their worlds: one row a world, one column a weight, in it what its factors are worth.

Given the table T, every world's log-potential is a row of T w, and with the worlds that agree with the evidence

    log-likelihood = sum_c [ sum_s q(s) logsumexp(T w : worlds of c that agree with s) - logsumexp(T w : worlds of c) ]

where s runs over the values of the variables of component c whose soft labels are targets, drawn independently of each
other and of all else with their given probabilities q (so a component without such labels has one s). Soft labels that
are virtual evidence add their tilt to the rows on the left. Latent variables are summed out on both sides. The gradient
is T' (share of the clamped phase - share of the free phase).

A labelled variable whose factors touch no other is a component with one row a value: logistic regression is the case of
this table that matters most, and it is as fast as any sparse logistic regression. Rows are relative to the first world
of their component (constants cancel), which is why a Boolean variable costs one row and not two.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consilience.engines.compiled import compiled
from consilience.kb.graph.worth import worth
from consilience.kb.learning.relevant import HARD, TARGET, VIRTUAL, Relevant


@dataclass(frozen=True, slots=True)
class WorldTable:
    """Rows of all components, as a sparse matrix with one number (scale * worth) for each factor that differs there.

    row_start: (rows + 1,) int64 into column (int32, weights) and data (float64). first_row: (c + 1,) int64.
    clamped_row: rows that agree with the evidence, by group; first_clamped: (groups + 1,) int64 into it.
    group_probability: (groups,) float64: q(s). tilt: (rows,) float64: what virtual evidence says of each row.
    """

    row_start: NDArray[np.int64]
    column: NDArray[np.int32]
    data: NDArray[np.float64]
    first_row: NDArray[np.int64]
    clamped_row: NDArray[np.int64]
    first_clamped: NDArray[np.int64]
    group_probability: NDArray[np.float64]
    tilt: NDArray[np.float64]

    def likelihood(self, weights: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
        """Log-likelihood of the evidence, its gradient added to `gradient` (W,). O(entries)."""
        arrays = (getattr(self, name) for name in WorldTable.__slots__)
        return float(_likelihood(weights, *arrays, gradient))

    def curvature(self, n_weights: int) -> NDArray[np.float64]:
        """(W,): about the second derivative of the log-likelihood by each weight, were all worlds as probable."""
        n_worlds = np.diff(self.first_row)
        share = np.repeat((n_worlds - 1.0) / np.maximum(n_worlds, 1) ** 2, n_worlds)
        squares = self.data**2 * np.repeat(share, np.diff(self.row_start))
        return np.bincount(self.column, squares, n_weights).astype(np.float64)


def n_worlds(relevant: Relevant) -> NDArray[np.float64]:
    """(c,): worlds of each component, infinity where there are too many to count."""
    logs = np.log2(np.maximum(relevant.graph.cardinality, 1).astype(np.float64))
    with np.errstate(over="ignore"):
        return np.rint(np.exp2(np.add.reduceat(np.append(logs, 0.0), relevant.first_variable[:-1])))


def n_entries(relevant: Relevant) -> NDArray[np.float64]:
    """(c,): entries of the table for each component."""
    return (n_worlds(relevant) - 1) * np.diff(relevant.first_factor)


def world_table(relevant: Relevant, which: NDArray[np.bool_]) -> WorldTable:
    """The table of the components `which` (c,). O(entries * literals a factor), the entries as in `n_entries`."""
    chosen = np.flatnonzero(which)
    graph, f = relevant.graph, relevant.graph.factors
    rows = np.concatenate([[0], np.cumsum(n_worlds(relevant)[chosen])]).astype(np.int64)
    most = int(n_entries(relevant)[chosen].sum())
    groups = _groups(relevant)[chosen]
    first_group = np.concatenate([[0], np.cumsum(groups)])
    row_start = np.zeros(rows[-1] + 1, np.int64)
    group = np.full(rows[-1], -1, np.int64)
    column, data = np.zeros(most, np.int32), np.zeros(most)
    group_probability, tilt = np.ones(first_group[-1]), np.zeros(rows[-1])
    arrays = (f.function, f.offsets, f.variable, f.value, f.clause, f.weight, f.scale)
    about = (
        graph.cardinality,
        graph.evidence,
        relevant.known,
        relevant.soft_start,
        graph.soft.probability,
        relevant.tilt,
    )
    firsts = (chosen, relevant.first_variable, relevant.first_factor, rows, first_group)
    _fill(*firsts, *about, *arrays, row_start, column, data, group, group_probability, tilt)
    agreeing = np.flatnonzero(group >= 0)
    clamped_row = agreeing[np.argsort(group[agreeing], kind="stable")]
    first_clamped = np.searchsorted(group[clamped_row], np.arange(first_group[-1] + 1))
    used = row_start[-1]
    return WorldTable(row_start, column[:used], data[:used], rows, clamped_row, first_clamped, group_probability, tilt)


def _groups(relevant: Relevant) -> NDArray[np.int64]:
    """(c,): joint values of the softly labelled variables of each component."""
    sizes = np.where(relevant.known == TARGET, relevant.graph.cardinality, 1).astype(np.float64)
    with np.errstate(over="ignore"):
        counts = np.multiply.reduceat(np.append(sizes, 1.0), relevant.first_variable[:-1])
    return np.minimum(counts, 2.0**62).astype(np.int64)


@compiled
def _fill(
    chosen,
    first_variable,
    first_factor,
    first_row,
    first_group,
    cardinality,
    evidence,
    known,
    soft_start,
    probability,
    tilt,
    function,
    offsets,
    variable,
    value,
    clause,
    weight,
    scale,
    row_start,
    column,
    data,
    group,
    group_probability,
    row_tilt,
):
    """Write the worlds of the chosen components, the last variable of a component changing fastest."""
    state = np.zeros(len(cardinality), np.int32)
    entry = 0
    for place in range(len(chosen)):
        c = chosen[place]
        start, stop = first_factor[c], first_factor[c + 1]
        base = np.zeros(stop - start)
        low, high = first_variable[c], first_variable[c + 1]
        for row in range(first_row[place], first_row[place + 1]):
            for f in range(start, stop):
                here = worth(function[f], offsets[f], offsets[f + 1], variable, value, clause, state, -1, 0)
                if row == first_row[place]:
                    base[f - start] = here
                elif here != base[f - start]:
                    column[entry] = weight[f]
                    data[entry] = scale[f] * (here - base[f - start])
                    entry += 1
            row_start[row + 1] = entry
            agrees, s, q = True, 0, 1.0
            for v in range(low, high):
                if known[v] == HARD:
                    agrees = agrees and state[v] == evidence[v]
                elif known[v] == TARGET:
                    s = s * cardinality[v] + state[v]
                    q *= probability[soft_start[v] + state[v]]
                elif known[v] == VIRTUAL:
                    row_tilt[row] += tilt[soft_start[v] + state[v]]
            if agrees:
                group[row] = first_group[place] + s
                group_probability[first_group[place] + s] = q
            v = high - 1  # the next world
            while v >= low:
                state[v] += 1
                if state[v] < cardinality[v]:
                    break
                state[v] = 0
                v -= 1


@compiled
def _likelihood(
    weights, row_start, column, data, first_row, clamped_row, first_clamped, group_probability, tilt, gradient
):
    """Log-likelihood; T' residual is added to gradient."""
    n_rows = len(row_start) - 1
    theta = np.zeros(n_rows)
    for row in range(n_rows):
        for entry in range(row_start[row], row_start[row + 1]):
            theta[row] += data[entry] * weights[column[entry]]
    residual = np.zeros(n_rows)
    total = 0.0
    seen = theta + tilt
    for s in range(len(group_probability)):
        total += group_probability[s] * _shared(seen, clamped_row, first_clamped[s], first_clamped[s + 1],
                                                group_probability[s], residual)  # fmt: skip
    all_rows = np.arange(n_rows)
    for c in range(len(first_row) - 1):
        total -= _shared(theta, all_rows, first_row[c], first_row[c + 1], -1.0, residual)
    for row in range(n_rows):
        for entry in range(row_start[row], row_start[row + 1]):
            gradient[column[entry]] += data[entry] * residual[row]
    return total


@compiled
def _shared(theta, rows, start, stop, factor, residual):
    """Log of the sum of exp(theta) over some rows; factor * their shares in it are added to residual."""
    top = theta[rows[start]]
    for place in range(start + 1, stop):
        top = max(top, theta[rows[place]])
    mass = 0.0
    for place in range(start, stop):
        mass += np.exp(theta[rows[place]] - top)
    for place in range(start, stop):
        residual[rows[place]] += factor * np.exp(theta[rows[place]] - top) / mass
    return top + np.log(mass)
