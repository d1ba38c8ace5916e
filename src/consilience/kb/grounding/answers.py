"""What learning found, back in the database, and read again: weights by what ties them."""

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
from consilience.kb.sql.schema import FACTORS, Schema


def save_weights(store: Store, weights: NDArray[np.float64]) -> None:
    """Keep the weights that were learned; fixed ones stay as they are. weights: (W,) by position."""
    n = store.counter("weights")
    if len(weights) != n:
        raise GraphError(f"There are {n} weights, not {len(weights)}.\nFix: load the graph again before learning.")
    values = pl.DataFrame({"position": np.arange(n, dtype=np.int32), "value": np.asarray(weights, np.float64)})
    with store.transaction(), store.reading(values) as incoming:
        store.execute(
            f"UPDATE _kb.weights AS w SET value = i.value FROM {incoming.sql('duckdb')} AS i "  # noqa: S608
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
