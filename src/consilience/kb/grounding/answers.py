"""What learning and inference found, back in the database: weights by what ties them, marginals by rows."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import GraphError
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import rule_name
from consilience.kb.sql.schema import (
    EVIDENCE,
    FACTORS,
    POSITION,
    SOFT,
    VALUE,
    VALUES,
    VARIABLES,
    Schema,
)


def save_weights(store: Store, weights: NDArray[np.float64]) -> None:
    """Keep the weights that were learned; fixed ones stay as they are. weights: (W,) by position."""
    n = store.counter("weights")
    if len(weights) != n:
        raise GraphError(f"There are {n} weights, not {len(weights)}.\nFix: load the graph again before learning.")
    values = pl.DataFrame({"position": np.arange(n, dtype=np.int32), "value": np.asarray(weights, np.float64)})
    with store.transaction(), store.reading(values):
        store.execute(
            "UPDATE _kb.weights AS w SET value = i.value FROM incoming AS i "
            "WHERE i.position = w.position AND NOT w.is_fixed"
        )


def weight_table(store: Store, program: tree.Program) -> pl.DataFrame:
    """All weights, the strongest first: description, rule, value, is_fixed, n_factors (groundings it stands in)."""
    counts = "SELECT NULL::INTEGER AS weight, NULL::BIGINT AS n LIMIT 0"
    made: exp.Query = exp.maybe_parse(counts, dialect="duckdb")
    for rule in Schema(program).inferences:
        if store.has_table(FACTORS, rule_name(rule)):
            n = exp.alias_(exp.Count(this=exp.Star()), "n")
            one = exp.select(column("weight"), n).from_(table(rule_name(rule), FACTORS)).group_by(column("weight"))
            made = exp.union(exp.select("*").from_(made.subquery("u")), one, distinct=False)
    counted = exp.alias_(made.subquery(), "c", table=True)
    query = (
        exp.select("w.description", "w.rule", "w.value", "w.is_fixed", "COALESCE(c.n, 0) AS n_factors", "w.position")
        .from_("_kb.weights AS w")
        .join(counted, on="c.weight = w.position", join_type="left")
        .order_by("ABS(w.value) DESC", "w.description", "w.position")
    )
    return store.frame(query)


def save_marginals(store: Store, cardinality: NDArray[np.int32], probability: NDArray[np.float64]) -> None:
    """Keep marginals in place of those there were. probability: one number a value, laid out by `value_offsets`."""
    if len(probability) != int(cardinality.sum()):
        raise GraphError(
            f"There are {int(cardinality.sum())} values and {len(probability)} probabilities.\n"
            "Fix: give those of the graph that was loaded."
        )
    position = np.repeat(np.arange(len(cardinality), dtype=np.int32), cardinality)
    starts = np.concatenate([[0], np.cumsum(cardinality)[:-1]]) if len(cardinality) else np.zeros(0, np.int64)
    value = (np.arange(len(probability)) - np.repeat(starts, cardinality)).astype(np.int32)
    rows = pl.DataFrame({"position": position, "value": value, "probability": np.asarray(probability, np.float64)})
    with store.transaction(), store.reading(rows):
        store.execute("DELETE FROM _kb.marginals")
        store.execute("INSERT INTO _kb.marginals SELECT position, value, probability FROM incoming")


def marginals(store: Store, program: tree.Program, relation: str) -> pl.DataFrame:
    """The rows of a variable relation with their marginals; NULL before any inference.

    returns: the relation's columns; `probability` that the row holds; `label`: True or False where labels decide
    (those held out too), else NULL; `soft`: what soft labels say. Where the relation has a column of one of these
    names, ours ends in an underscore.
    """
    schema = Schema(program)
    declared = schema.relation(relation)
    if not declared.is_variable:
        raise GraphError(f"{relation} holds no random variables.\nFix: query it, or declare it as {relation}?(...).")
    taken = {c.lower() for c in schema.columns(relation)}
    names = {n: n + "_" if n in taken else n for n in ("probability", "label", "soft")}
    rows = [column(c, "v") for c in schema.columns(relation)]
    value: exp.Expr = column(VALUE, "v") if declared.categories else exp.Literal.number(1)
    within = VALUES if declared.categories else VARIABLES
    known = column(EVIDENCE, "e" if declared.categories else "v")
    label = (
        exp.Case()
        .when(exp.GTE(this=known, expression=exp.Literal.number(0)), exp.EQ(this=known.copy(), expression=value.copy()))
        .else_(exp.null())
    )
    query = exp.select(
        *rows,
        exp.alias_(column("probability", "m"), names["probability"], quoted=True),
        exp.alias_(exp.cast(label, "boolean"), names["label"], quoted=True),
        exp.alias_(column(SOFT, "v"), names["soft"], quoted=True),
    ).from_(exp.alias_(table(relation, within), "v", table=True))
    if declared.categories:
        of_variable = exp.EQ(this=column(POSITION, "e"), expression=column(POSITION, "v"))
        query = query.join(exp.alias_(table(relation, VARIABLES), "e", table=True), on=of_variable)
    found = exp.and_(
        exp.EQ(this=column("position", "m"), expression=column(POSITION, "v")),
        exp.EQ(this=column("value", "m"), expression=value.copy()),
    )
    query = query.join(exp.alias_(table("marginals", "_kb"), "m", table=True), on=found, join_type="left")
    return store.frame(query.order_by(*(r.copy() for r in rows)))
