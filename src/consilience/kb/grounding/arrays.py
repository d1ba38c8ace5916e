"""The factor graph of a database as arrays, column by column, without a Python object a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import HEAD, OPEN, FactorFunction, FactorGraph, Factors, SoftEvidence
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import rule_name
from consilience.kb.sql.schema import (
    CARDINALITY,
    COUNT,
    EVIDENCE,
    FACTORS,
    ID,
    POSITION,
    SOFT,
    VALUE,
    VALUES,
    VARIABLES,
    Schema,
)

COUNTS = {"linear": FactorFunction.LINEAR, "ratio": FactorFunction.RATIO, "logical": FactorFunction.LOGICAL}


@dataclass(frozen=True)
class Holdout:
    """Variables whose labels are kept back: positions ascending, and the values the labels give them."""

    position: NDArray[np.int32]
    value: NDArray[np.int32]


@dataclass(frozen=True)
class LoadedGraph:
    """A factor graph from a database. weights: (W,) their values. ids: (n,) uint64; 0 where a variable is gone.

    kind: (n,) int16: the number of the relation of each Boolean variable, and -1 for categorical ones, for `learn`.
    """

    graph: FactorGraph
    weights: NDArray[np.float64]
    holdout: Holdout
    ids: NDArray[np.uint64]
    kind: NDArray[np.int16]


def load_graph(
    store: Store,
    program: tree.Program,
    *,
    holdout_fraction: float = 0.0,
    seed: int = 0,
    holdout: Sequence[int] | None = None,
) -> LoadedGraph:
    """The factor graph that was grounded.

    holdout_fraction: this share of the labelled variables is left open, chosen by a hash of id and seed: it stays
    held out whatever else changes. holdout: positions to leave open instead.
    raises: GraphError for a share outside 0..1, or a feature value that is no finite number.

    Linear in variables and literals: 9M unary factors in about 2 s.

    >>> from consilience.kb.grounding.ground import ground
    >>> from consilience.kb.language.parse import parse
    >>> program = parse("V?(x int). @weight(x) V(x) :- TRUE.")
    >>> with Store.open() as store:
    ...     _ = ground(store, program)
    ...     load_graph(store, program).graph.n_variables
    0
    """
    schema = Schema(program)
    cardinality, evidence, ids, kind, soft = _variables(store, schema)
    held = _holdout(evidence, ids, holdout_fraction, seed, holdout)
    kept = Holdout(held, evidence[held].copy())
    evidence[held] = OPEN
    parts = [_factors(store, schema, rule) for rule in schema.inferences if store.has_table(FACTORS, rule_name(rule))]
    fixed, weights = _weights(store)
    graph = FactorGraph(cardinality, evidence, Factors.joined(parts), fixed, soft)
    graph.check()
    return LoadedGraph(graph, weights, kept, ids, kind)


def _variables(
    store: Store, schema: Schema
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64], NDArray[np.int16], SoftEvidence]:
    n = store.counter("variables")
    cardinality, evidence = np.full(n, 2, np.int32), np.zeros(n, np.int32)
    ids, kind = np.zeros(n, np.uint64), np.full(n, -1, np.int16)
    gone = store.arrays("SELECT position, cardinality FROM _kb.retired")
    cardinality[gone["position"]] = gone["cardinality"]
    soft: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for number, name in enumerate(schema.order):
        if not schema.is_variable(name):
            continue
        found = store.arrays(exp.select(POSITION, CARDINALITY, EVIDENCE, ID).from_(table(name, VARIABLES)))
        at = found[POSITION]
        cardinality[at], evidence[at], ids[at] = found[CARDINALITY], found[EVIDENCE], found[ID]
        categorical = bool(schema.relation(name).categories)
        kind[at] = -1 if categorical else number
        soft.append(_soft(store, name, categorical))
    return cardinality, evidence, ids, kind, _joined_soft(soft, cardinality, evidence)


def _soft(store: Store, name: str, categorical: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Positions, values and probabilities of soft labels."""
    within = VALUES if categorical else VARIABLES
    value = column(VALUE) if categorical else exp.alias_(exp.cast(exp.Literal.number(1), "int"), VALUE)
    query = exp.select(POSITION, value, SOFT).from_(table(name, within)).where(f"{SOFT} IS NOT NULL")
    found = store.arrays(query)
    at, values, p = (np.asarray(found[c]) for c in (POSITION, VALUE, SOFT))
    if not categorical:
        at, values, p = np.tile(at, 2), np.concatenate([values, 1 - values]), np.concatenate([p, 1 - p])
    return at, values, p


def _joined_soft(
    parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    cardinality: NDArray[np.int32],
    evidence: NDArray[np.int32],
) -> SoftEvidence:
    if not parts or not any(len(p[0]) for p in parts):
        return SoftEvidence.none()
    at, values, p = (np.concatenate([part[i] for part in parts]) for i in range(3))
    is_open = evidence[at] == OPEN  # hard labels beat soft ones
    at, values, p = at[is_open], values[is_open], p[is_open]
    order = np.lexsort((values, at))
    variable = np.unique(at).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(cardinality[variable])]).astype(np.int32)
    return SoftEvidence(variable, offsets, p[order].astype(np.float64))


def _holdout(
    evidence: NDArray[np.int32],
    ids: NDArray[np.uint64],
    fraction: float,
    seed: int,
    chosen: Sequence[int] | None,
) -> NDArray[np.int32]:
    if not 0.0 <= fraction <= 1.0:
        raise GraphError(f"The holdout is {fraction} of the labels.\nFix: give a share from 0 to 1.")
    labelled = (evidence != OPEN) & (ids != 0)
    if chosen is not None:
        wanted = np.zeros(len(evidence), bool)
        wanted[np.asarray(chosen, np.int64)] = True
        return np.flatnonzero(labelled & wanted).astype(np.int32)
    if fraction == 0.0:
        return np.zeros(0, np.int32)
    return np.flatnonzero(labelled & (unit_hash(ids, seed) < fraction)).astype(np.int32)


def unit_hash(ids: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """A number from [0, 1) for each id and a seed. Source: splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = ids + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) / 2**53


def _weights(store: Store) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    n = store.counter("weights")
    fixed, values = np.ones(n, bool), np.zeros(n)
    found = store.arrays("SELECT position, is_fixed, value FROM _kb.weights")
    fixed[found["position"]], values[found["position"]] = found["is_fixed"], found["value"]
    return fixed, values


def _factors(store: Store, schema: Schema, rule: tree.Inference) -> Factors:
    n = len(rule.literals)
    names = [f"{c}{i}" for i in range(n) for c in "pv"]
    query = exp.select(*map(column, names), column("weight"), column("feature"), column(COUNT))
    return assembled(schema, rule, store.arrays(query.from_(table(rule_name(rule), FACTORS))))


def assembled(schema: Schema, rule: tree.Inference, rows: dict[str, NDArray[Any]]) -> Factors:
    """Factors of a rule from rows of its table: p0, v0, ..., weight, feature, `_count`. For an implication the rows
    with the same head, weight and feature value must all be there: together they are one factor."""
    n = len(rule.literals)
    order = [n - 1, *range(n - 1)] if rule.function == "imply" else list(range(n))
    positions = np.stack([rows[f"p{i}"] for i in order], axis=1).astype(np.int32, copy=False)
    values = np.stack([rows[f"v{i}"] for i in order], axis=1).astype(np.int32, copy=False)
    weight, feature, count = rows["weight"].astype(np.int32), rows["feature"], rows[COUNT]
    if not np.isfinite(feature).all():
        raise GraphError(
            f"The rule {rule_name(rule)} has a feature value that is no finite number.\n"
            "Fix: sort such rows out with a condition."
        )
    if rule.function == "imply":
        return _implications(COUNTS[rule.semantics], positions, values, weight, feature, count)
    scale = feature * _worth_of(rule.semantics, count)
    return _fixed_arity(_function(schema, rule), positions, values, weight, scale)


def _function(schema: Schema, rule: tree.Inference) -> FactorFunction:
    categorical = [bool(schema.relation(x.atom.relation).categories) for x in rule.literals]
    if rule.function in ("is_true", "and") and all(categorical):
        return FactorFunction.AND_CATEGORICAL
    return {
        "is_true": FactorFunction.IS_TRUE,
        "and": FactorFunction.AND,
        "or": FactorFunction.OR,
        "equal": FactorFunction.EQUAL,
    }[rule.function]


def _worth_of(semantics: str, count: NDArray[Any]) -> NDArray[np.float64]:
    """g(n) of the numbers of groundings."""
    if semantics == "linear":
        return count.astype(np.float64)
    return np.log2(1.0 + count) if semantics == "ratio" else (count > 0).astype(np.float64)


def _fixed_arity(
    function: FactorFunction,
    positions: NDArray[np.int32],
    values: NDArray[np.int32],
    weight: NDArray[np.int32],
    scale: NDArray[Any],
) -> Factors:
    n_factors, arity = positions.shape
    wide = np.int64 if n_factors * arity >= 2**31 else np.int32
    return Factors(
        np.full(n_factors, function, np.uint8),
        np.arange(n_factors + 1, dtype=wide) * wide(arity),
        positions.ravel(),
        values.ravel(),
        weight,
        scale.astype(np.float32),
        np.zeros(0, np.int32),
    )


def _implications(
    counting: FactorFunction,
    positions: NDArray[np.int32],
    values: NDArray[np.int32],
    weight: NDArray[np.int32],
    feature: NDArray[Any],
    count: NDArray[Any],
) -> Factors:
    """Groundings with one head, weight and feature value are clauses of one factor; a single one is plain."""
    if len(weight) == 0:
        return Factors.of([])
    keys = [*(positions[:, i] for i in range(positions.shape[1] - 1, 0, -1))]
    keys += [*(values[:, i] for i in range(values.shape[1] - 1, 0, -1))]
    order = np.lexsort([*keys, feature, weight, values[:, 0], positions[:, 0]])
    positions, values, weight = positions[order], values[order], weight[order]
    feature, count = feature[order], count[order]
    begins = np.ones(len(weight), bool)
    same = (positions[1:, 0] == positions[:-1, 0]) & (values[1:, 0] == values[:-1, 0])
    begins[1:] = ~(same & (weight[1:] == weight[:-1]) & (feature[1:] == feature[:-1]))
    group = np.cumsum(begins) - 1
    total = np.bincount(group, weights=count).astype(np.int64)
    alone = total[group] == 1
    plain = _fixed_arity(FactorFunction.IMPLY, positions[alone], values[alone], weight[alone], feature[alone])
    if alone.all():
        return plain
    rest = np.repeat(np.flatnonzero(~alone), count[~alone])  # a clause of count m stands m times
    many = _counting(counting, positions[rest], values[rest], weight[rest], feature[rest], group[rest])
    return Factors.joined([plain, many]) if alone.any() else many


def _counting(
    function: FactorFunction,
    positions: NDArray[np.int32],
    values: NDArray[np.int32],
    weight: NDArray[np.int32],
    feature: NDArray[Any],
    group: NDArray[np.int64],
) -> Factors:
    """Rows that are clauses, sorted by group, as factors: the head, then each row's body."""
    n_rows, arity = positions.shape
    body = arity - 1
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    clauses = np.diff(np.append(starts, n_rows))
    offsets = np.concatenate([[0], np.cumsum(1 + clauses * body)])
    of = np.repeat(np.arange(len(starts)), clauses)
    number = np.arange(n_rows) - starts[of]
    places = (offsets[of] + 1 + number * body)[:, None] + np.arange(body)
    variable, value = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int32)
    clause = np.empty(offsets[-1], np.int32)
    heads = offsets[:-1]
    variable[heads], value[heads], clause[heads] = positions[starts, 0], values[starts, 0], HEAD
    variable[places], value[places] = positions[:, 1:], values[:, 1:]
    clause[places] = number[:, None]
    return Factors(
        np.full(len(starts), function, np.uint8),
        offsets.astype(np.int64 if offsets[-1] >= 2**31 else np.int32),
        variable,
        value,
        weight[starts],
        feature[starts].astype(np.float32),
        clause,
    )
