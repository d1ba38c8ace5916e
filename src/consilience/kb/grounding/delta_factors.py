"""Factors of one inference rule under a change: which go and which come, and the weights that come with them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from consilience.kb.graph.change import GraphChange
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
from consilience.kb.grounding.delta_plan import Plan
from consilience.kb.grounding.factors import assign_weights, counted_factors, ground_factors, ties
from consilience.kb.grounding.remembered import by_meaning
from consilience.kb.grounding.store import Store, answering, text
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.deltas import Changed, why_recomputed
from consilience.kb.sql.islands import Apart
from consilience.kb.sql.rules import fingerprint, grounding_query, rule_name, tie_expressions
from consilience.kb.sql.schema import (
    CARDINALITY,
    COUNT,
    EVIDENCE,
    FACTORS,
    POSITION,
    VARIABLES,
    WEIGHTS,
    Schema,
    at,
)

if TYPE_CHECKING:
    from consilience.kb.grounding.delta import UpdateReport

GROUNDINGS, CHANGED, GROUPS = "groundings that changed", "factors that changed", "implications that changed"


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
    n_groundings = make_temporary(store, GROUNDINGS, " UNION ALL ".join(f"({q})" for q in queries)) if queries else 0
    if n_groundings:
        _new_weights(store, rule)
    parts = [_counted_sql(rule)] if n_groundings else []
    if replaces:
        parts.append(_lost_sql(rule))
    change = changed_rows(store, CHANGED, factor_columns(rule), parts, apart=len(parts) == 1)
    if change is None:
        return None
    if rule.function == "imply":
        return _implications(store, schema, rule, change)
    applied = apply_change(store, change, rule_name(rule), FACTORS, merges=True)
    if applied.merged is None:
        rows = store.arrays(exp.select(*map(column, (*change.columns, COUNT))).from_(change.table))
        return Factors.of([]), assembled(schema, rule, rows), change.n_rows
    removed, added, gained = _merged_sql(rule, applied.merged)
    n_rows = int(store.one(gained) or 0)
    before, after = store.arrays(removed), store.arrays(added)
    return assembled(schema, rule, before), assembled(schema, rule, after), n_rows


def _new_weights(store: Store, rule: tree.Inference) -> None:
    """Weights for tying values not seen before."""
    n_ties = len(tie_expressions(rule))
    if n_ties and store.one(_unseen_sql(rule)):
        columns = list(map(column, grounding_columns(rule)))
        is_left = exp.GT(this=exp.Sum(this=column(COUNT)), expression=exp.Literal.number(0))
        left = exp.select(*columns).from_(temporary(GROUNDINGS)).group_by(*(c.copy() for c in columns)).having(is_left)
        assign_weights(store, rule, exp.select(*ties(n_ties)).distinct().from_(left.subquery("g")))


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


def _implications(store: Store, schema: Schema, rule: tree.Inference, change: Change) -> tuple[Factors, Factors, int]:
    """A factor of an implication is all groundings with one head, weight and feature value: it goes and comes whole."""
    keys = _group_keys(rule)
    make_temporary(store, GROUPS, exp.select(*map(column, keys)).distinct().from_(change.table))
    whole = _whole_sql(rule, change.nullable & frozenset(keys))
    before = store.arrays(whole)
    apply_change(store, change, rule_name(rule), FACTORS, merges=True)
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


@dataclass
class FactorChanges:
    """The walk over the inference rules, and what it found."""

    store: Store
    schema: Schema
    plan: Plan
    report: UpdateReport
    is_apart: Apart
    removed: list[Factors] = field(default_factory=list)
    added: list[Factors] = field(default_factory=list)
    weight_at: list[NDArray[np.int32]] = field(default_factory=list)
    weight_to: list[NDArray[np.float64]] = field(default_factory=list)

    def change(self, rule: tree.Inference, changed: Changed) -> None:
        """Apply what changes in a rule's factors."""
        number = self.schema.program.rules.index(rule)
        with answering(f"{at(rule.place)}what changes in the inference rule {rule_name(rule)}"):
            if number in self.plan.new:
                self._change_rule(rule, changed)
                return
            bodies = rule.bodies or ((),)
            why = next((w for b in bodies if (w := why_recomputed(rule, b, changed))), None)
            if why is not None:
                self.report.recomputed[rule_name(rule)] = why
                queries = [text(grounding_query(self.schema, rule))]
            else:
                queries = []
                for body in range(len(bodies)):
                    queries += self.plan.queries.grounding_queries(number, body, changed, self.is_apart)
            self._note(rule, change_factors(self.store, self.schema, rule, queries, replaces=why is not None))

    def _note(self, rule: tree.Inference, found: tuple[Factors, Factors, int] | None) -> None:
        if found is None:
            return
        removed, added, rows = found
        name = rule_name(rule)
        self.removed.append(removed)
        self.added.append(added)
        self.report.factors_removed[name] = self.report.factors_removed.get(name, 0) + len(removed)
        self.report.factors_added[name] = self.report.factors_added.get(name, 0) + len(added)
        self.report.factor_rows[name] = self.report.factor_rows.get(name, 0) + rows

    def _change_rule(self, rule: tree.Inference, changed: Changed) -> None:
        """A rule that is new, or another under a name that was there."""
        name = rule_name(rule)
        old = self._before(name)
        if old is None:
            ground_factors(self.store, self.schema, rule)
            self._note(rule, self._all(rule, self.schema, lost=False))
        elif _is_like(old, rule):
            if old.fixed_weight != rule.fixed_weight:
                where, value = fixed_weight_at(self.store, rule)
                self.weight_at.append(where)
                self.weight_to.append(value)
            number = self.schema.program.rules.index(rule)
            if _but_for_weights(old) == _but_for_weights(rule) and old.fixed_weight is not None:
                bodies = range(len(rule.bodies or ((),)))
                if not any(why_recomputed(rule, b, changed) for b in rule.bodies or ((),)):
                    queries = [
                        q
                        for b in bodies
                        for q in self.plan.queries.grounding_queries(number, b, changed, self.is_apart)
                    ]
                    self._note(rule, change_factors(self.store, self.schema, rule, queries))
                    return
            whole = [text(grounding_query(self.schema, rule))]
            self._note(rule, change_factors(self.store, self.schema, rule, whole, replaces=True))
        else:
            self._note(rule, self._all(old, self.plan.before, lost=True))
            self._drop(name)
            ground_factors(self.store, self.schema, rule)
            self._note(rule, self._all(rule, self.schema, lost=False))

    def _before(self, name: str) -> tree.Inference | None:
        return next((r for r in self.plan.before.inferences if rule_name(r) == name), None)

    def _all(self, rule: tree.Inference, schema: Schema, *, lost: bool) -> tuple[Factors, Factors, int]:
        """All factors of a rule as it stands, as lost or as gained."""
        columns = map(column, (*factor_columns(rule), COUNT))
        rows = self.store.arrays(exp.select(*columns).from_(table(rule_name(rule), FACTORS)))
        factors, none = assembled(schema, rule, rows), Factors.of([])
        n = len(rows[COUNT])
        return (factors, none, -n) if lost else (none, factors, n)

    def _drop(self, name: str) -> None:
        for within in (FACTORS, WEIGHTS):
            self.store.drop(table(name, within))
        self.store.execute("DELETE FROM _kb.weights WHERE rule = ?", [name])

    def remove_gone(self) -> None:
        """Drop the factors of rules that are no more."""
        names = {rule_name(r) for r in self.schema.inferences}
        for rule in self.plan.gone:
            if isinstance(rule, tree.Inference) and rule_name(rule) not in names:
                self._note(rule, self._all(rule, self.plan.before, lost=True))
                self._drop(rule_name(rule))

    def graph_change(
        self, first_variable: int, first_weight: int, evidence: list[tuple[NDArray[np.int32], NDArray[np.int32]]]
    ) -> GraphChange:
        """All changes as arrays."""
        n = self.store.counter("variables") - first_variable
        cardinality, known = np.full(n, 2, np.int32), np.zeros(n, np.int32)
        for name in self.schema.order:
            if n and self.schema.is_variable(name):
                new = exp.select(POSITION, CARDINALITY, EVIDENCE).from_(table(name, VARIABLES))
                found = self.store.arrays(text(new.where(f"{POSITION} >= {first_variable}")))
                where = np.asarray(found[POSITION], np.int64) - first_variable
                cardinality[where], known[where] = found[CARDINALITY], found[EVIDENCE]
        fixed = np.ones(self.store.counter("weights") - first_weight, bool)
        new_weights = "SELECT position, is_fixed, value FROM _kb.weights WHERE position >= ?"
        found = self.store.arrays(new_weights, [first_weight])
        fixed[np.asarray(found["position"], np.int64) - first_weight] = found["is_fixed"]
        given = np.asarray(found["value"], np.float64) != 0.0
        self.weight_at.append(np.asarray(found["position"], np.int32)[given])
        self.weight_to.append(np.asarray(found["value"], np.float64)[given])
        self.report.weights_new = len(fixed)
        return GraphChange(
            cardinality,
            known,
            Factors.joined(self.removed),
            Factors.joined(self.added),
            np.concatenate([np.zeros(0, np.int32), *(e[0] for e in evidence)]).astype(np.int32),
            np.concatenate([np.zeros(0, np.int32), *(e[1] for e in evidence)]).astype(np.int32),
            fixed,
            np.concatenate([np.zeros(0, np.int32), *self.weight_at]).astype(np.int32),
            np.concatenate([np.zeros(0), *self.weight_to]),
        )


def _is_like(old: tree.Inference, new: tree.Inference) -> bool:
    """Whether two rules of one name keep their factors alike, so that a table of the one can become the other's."""

    def form(rule: tree.Inference) -> object:
        heads = tuple(x.atom.relation for x in rule.literals)
        return rule.function, heads, rule.semantics, len(tie_expressions(rule)), rule.fixed_weight is None

    return form(old) == form(new)


def _but_for_weights(rule: tree.Inference) -> str:
    return fingerprint(dataclasses.replace(rule, weights=()))


def fixed_weight_at(store: Store, rule: tree.Inference) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Where the weight of a rule stands, and what it is fixed to now; the database is told."""
    name = rule_name(rule)
    store.execute("UPDATE _kb.weights SET value = ? WHERE rule = ?", [rule.fixed_weight, name])
    found = store.arrays("SELECT position, value FROM _kb.weights WHERE rule = ? ORDER BY position", [name])
    return np.asarray(found["position"], np.int32), np.asarray(found["value"], np.float64)
