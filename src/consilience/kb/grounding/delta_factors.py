"""Factors of one inference rule under a change: which go and which come, and the weights that come with them."""

from __future__ import annotations

import numpy as np
from sqlglot import exp

from consilience.kb.graph.factor_graph import Factors
from consilience.kb.grounding.arrays import assembled
from consilience.kb.grounding.counted import (
    BEFORE,
    Change,
    apply_change,
    changed_rows,
    make_temporary,
    named,
    same,
    temporary,
)
from consilience.kb.grounding.factors import assign_weights, counted_factors, ties
from consilience.kb.grounding.remembered import by_meaning
from consilience.kb.grounding.store import Store, text
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import rule_name, tie_expressions
from consilience.kb.sql.schema import COUNT, FACTORS, WEIGHTS, Schema

GROUNDINGS, CHANGED, GROUPS = "change of groundings", "change of factors", "changed implications"


def grounding_columns(rule: tree.Inference) -> tuple[str, ...]:
    """Columns of a grounding: literals, what ties the weight, feature value."""
    literals = [f"{c}{i}" for i in range(len(rule.literals)) for c in "pv"]
    return (*literals, *(f"t{i}" for i in range(len(tie_expressions(rule)))), "feature")


def factor_columns(rule: tree.Inference) -> tuple[str, ...]:
    """Columns of a rule's table of factors, without the count."""
    return (*(f"{c}{i}" for i in range(len(rule.literals)) for c in "pv"), "weight", "feature")


def change_factors(
    store: Store, schema: Schema, rule: tree.Inference, queries: list[str], *, replaces: bool = False
) -> tuple[Factors, Factors, int] | None:
    """Apply a change of a rule's groundings. Returns factors removed and added, and the change in rows; None if none.

    queries: groundings with signed counts. replaces: whether they are all the rule has now, instead of what it had.
    """
    grounded = changed_rows(store, GROUNDINGS, grounding_columns(rule), queries)
    if grounded is not None:
        _new_weights(store, rule)
    parts = [] if grounded is None else [_counted_sql(rule)]
    if replaces:
        parts.append(_lost_sql(rule))
    change = changed_rows(store, CHANGED, factor_columns(rule), parts)
    if change is None:
        return None
    if rule.function == "imply":
        return _implications(store, schema, rule, change)
    merged = apply_change(store, change, rule_name(rule), FACTORS, merges=True)
    assert merged is not None
    removed, added, _ = _merged_sql(rule, merged)
    n_rows = _gained(store, rule, merged)
    before, after = store.arrays(removed), store.arrays(added)
    return assembled(schema, rule, before), assembled(schema, rule, after), n_rows


def _gained(store: Store, rule: tree.Inference, merged: str) -> int:
    return int(store.one(_merged_sql(rule, merged)[2]) or 0)


def _new_weights(store: Store, rule: tree.Inference) -> None:
    """Weights for tying values not seen before."""
    n_ties = len(tie_expressions(rule))
    if n_ties == 0:
        if not store.has_table(WEIGHTS, rule_name(rule)):
            assign_weights(store, rule, None)
        return
    if not store.has_table(WEIGHTS, rule_name(rule)) or store.one(_unseen_sql(rule)):
        wanted = exp.select(*ties(n_ties)).distinct().from_(temporary(GROUNDINGS))
        assign_weights(store, rule, wanted.where(exp.GT(this=column(COUNT), expression=exp.Literal.number(0))))


@by_meaning
def _unseen_sql(rule: tree.Inference) -> str:
    names = [f"t{i}" for i in range(len(tie_expressions(rule)))]
    wanted = exp.select(*map(column, names)).distinct().from_(temporary(GROUNDINGS))
    wanted = wanted.where(exp.GT(this=column(COUNT), expression=exp.Literal.number(0)))
    there = named(table(rule_name(rule), WEIGHTS), "w")
    made = exp.select(exp.true()).from_(named(wanted.subquery(), "g"))
    return text(made.join(there, on=same(names, "g", "w", frozenset(names)), join_type="anti").limit(1))


@by_meaning
def _counted_sql(rule: tree.Inference) -> str:
    return text(counted_factors(rule, named(temporary(GROUNDINGS), "g")))


@by_meaning
def _lost_sql(rule: tree.Inference) -> str:
    columns = map(column, factor_columns(rule))
    less = exp.alias_(exp.Neg(this=column(COUNT)), COUNT, quoted=True)
    return text(exp.select(*columns, less).from_(table(rule_name(rule), FACTORS)))


@by_meaning
def _merged_sql(rule: tree.Inference, merged: str) -> tuple[str, str, str]:
    """Rows whose factors go, rows whose factors come, and how many more rows there are."""
    columns = list(map(column, factor_columns(rule)))
    zero = exp.Literal.number(0)
    before, after = (exp.GT(this=column(c), expression=zero) for c in (BEFORE, COUNT))
    # Under `logical` a grounding more or less does not matter, if there are others.
    other = [exp.not_(exp.paren(exp.and_(before, after)))] if rule.semantics == "logical" else []
    source = temporary(merged)
    removed = exp.select(*columns, exp.alias_(column(BEFORE), COUNT, quoted=True)).from_(source).where(before, *other)
    added = exp.select(*columns, column(COUNT)).from_(source).where(after, *other)
    gained = exp.Sub(this=exp.cast(exp.paren(after), "bigint"), expression=exp.cast(exp.paren(before), "bigint"))
    return text(removed), text(added), text(exp.select(exp.Sum(this=gained)).from_(source))


def _implications(
    store: Store, schema: Schema, rule: tree.Inference, change: Change
) -> tuple[Factors, Factors, int]:
    """A factor of an implication is all groundings with one head, weight and feature value: it goes and comes whole."""
    keys = _group_keys(rule)
    make_temporary(store, GROUPS, exp.select(*map(column, keys)).distinct().from_(change.table))
    whole = _whole_sql(rule, change.nullable & frozenset(keys))
    before = store.arrays(whole)
    merged = apply_change(store, change, rule_name(rule), FACTORS, merges=True)
    assert merged is not None
    after = store.arrays(whole)
    n_rows = len(after[COUNT]) - len(before[COUNT])
    return assembled(schema, rule, before), assembled(schema, rule, after), n_rows


def _group_keys(rule: tree.Inference) -> tuple[str, ...]:
    head = len(rule.literals) - 1
    return f"p{head}", f"v{head}", "weight", "feature"


@by_meaning
def _whole_sql(rule: tree.Inference, nullable: frozenset[str]) -> str:
    made = exp.select(*(column(c, "t") for c in (*factor_columns(rule), COUNT)))
    made = made.from_(named(temporary(GROUPS), "g"))
    on = same(_group_keys(rule), "t", "g", nullable)
    return text(made.join(named(table(rule_name(rule), FACTORS), "t"), on=on))


def no_factors() -> Factors:
    """An empty block."""
    return Factors.of([])


def is_empty(factors: Factors) -> bool:
    """Whether there is nothing in it."""
    return len(factors.function) == 0


def fixed_weight_at(store: Store, rule: tree.Inference) -> tuple[np.ndarray, np.ndarray]:
    """Where the weight of a rule stands, and what it is fixed to now; the database is told."""
    name = rule_name(rule)
    store.execute("UPDATE _kb.weights SET value = ? WHERE rule = ?", [rule.fixed_weight, name])
    found = store.arrays("SELECT position, value FROM _kb.weights WHERE rule = ? ORDER BY position", [name])
    return np.asarray(found["position"], np.int32), np.asarray(found["value"], np.float64)
