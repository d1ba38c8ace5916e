"""Factors of one rule: its groundings, counted, over positions of variables, with the weights that their values tie.

A weight keeps its position as long as its rule and values last, and with it what was learned.
"""

from __future__ import annotations

from sqlglot import exp

from consilience.kb.grounding.counted import make_temporary, temporary
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import grounding_query, rule_name, tie_expressions
from consilience.kb.sql.schema import COUNT, FACTORS, WEIGHTS, Schema

# no relation of a program can have such a name
GROUNDINGS, WANTED = temporary("groundings of a rule"), temporary("weights of a rule")


def ground_factors(store: Store, schema: Schema, rule: tree.Inference) -> int:
    """Make the table of a rule's factors anew, and the weights it needs. Returns the number of rows."""
    name = rule_name(rule)
    grounding = grounding_query(schema, rule)
    n_ties = len(tie_expressions(rule))
    source: exp.Expr = grounding.subquery("g")
    if n_ties:
        make_temporary(store, GROUNDINGS.name, grounding)
        source = exp.alias_(GROUNDINGS.copy(), "g", table=True)
        assign_weights(store, rule, exp.select(*ties(n_ties)).distinct().from_(source.copy()), anew=True)
    else:
        assign_weights(store, rule, None, anew=True)
    query = counted_factors(rule, source)
    store.execute(exp.Create(this=table(name, FACTORS), kind="TABLE", replace=True, expression=query))
    store.drop(GROUNDINGS)
    return int(store.one(exp.select(exp.Count(this=exp.Star())).from_(table(name, FACTORS))))


def ties(n: int, of: str | None = None) -> list[exp.Expr]:
    """Columns with the values that tie a weight."""
    return [column(f"t{i}", of) for i in range(n)]


def counted_factors(rule: tree.Inference, source: exp.Expr) -> exp.Select:
    """Groundings `g` with the same literals, weight and feature value counted together; weights are there."""
    n = len(rule.literals)
    n_ties = len(tie_expressions(rule))
    literals = [column(f"{c}{i}", "g") for i in range(n) for c in "pv"]
    weight = column("position", "w")
    total = exp.alias_(exp.cast(exp.Sum(this=column(COUNT, "g")), "bigint"), COUNT, quoted=True)
    select = exp.select(*literals, exp.alias_(weight, "weight", quoted=True), column("feature", "g"), total).from_(
        source
    )
    same = [exp.NullSafeEQ(this=a, expression=b) for a, b in zip(ties(n_ties, "g"), ties(n_ties, "w"), strict=True)]
    weights = exp.alias_(table(rule_name(rule), WEIGHTS), "w", table=True)
    select = select.join(weights, on=exp.and_(*same)) if same else select.join(weights, join_type="cross")
    return select.group_by(*(x.copy() for x in literals), weight.copy(), column("feature", "g"))


def assign_weights(store: Store, rule: tree.Inference, wanted: exp.Query | None, *, anew: bool = False) -> None:
    """See that every combination of tying values in `wanted` (columns t0, t1, ...) has a weight.

    anew: weights of this rule that are not wanted go. A rule without ties has one weight.
    """
    name, n_ties = rule_name(rule), len(tie_expressions(rule))
    query = wanted if wanted is not None else exp.select(exp.alias_(exp.Literal.number(0), "only"))
    there = store.columns(WEIGHTS, name)
    make_temporary(store, WANTED.name, query)
    tied_by = list(store.rows(f"DESCRIBE {WANTED.sql('duckdb')}"))
    if anew and list(there.values())[:-1] != [kind for _, kind, *_ in tied_by]:
        store.drop(table(name, WEIGHTS))
        store.execute("DELETE FROM _kb.weights WHERE rule = ?", [name])
        there = {}
    if not there:
        columns = exp.select(exp.Star(), exp.alias_(exp.cast(exp.Literal.number(0), "int"), "position"))
        empty = columns.from_(WANTED.copy()).limit(0)
        store.execute(exp.Create(this=table(name, WEIGHTS), kind="TABLE", expression=empty))
    keys = [f"t{i}" for i in range(n_ties)] or ["only"]
    same = exp.and_(*(exp.NullSafeEQ(this=column(k, "a"), expression=column(k, "b")) for k in keys))
    kept = exp.alias_(table(name, WEIGHTS), "b", table=True)
    if anew and there:
        _drop_unwanted(store, name, same)
    first = store.counter("weights")
    order = exp.Order(expressions=[exp.Ordered(this=column(k, "a"), desc=False, nulls_first=False) for k in keys])
    rank = exp.Window(this=exp.RowNumber(), order=order)
    position = exp.cast(
        exp.Add(
            this=exp.paren(exp.Sub(this=rank, expression=exp.Literal.number(1))), expression=exp.Literal.number(first)
        ),
        "int",
    )
    new = (
        exp.select(*(column(k, "a") for k in keys), exp.alias_(position, "position"))
        .from_(exp.alias_(WANTED.copy(), "a", table=True))
        .join(kept, on=same, join_type="anti")
    )
    store.execute(exp.insert(new, table(name, WEIGHTS)))
    _enter(store, rule, keys if n_ties else [], first)
    store.drop(WANTED)


def _drop_unwanted(store: Store, name: str, same: exp.Expr) -> None:
    gone = (
        exp.select(column("position", "b"))
        .from_(exp.alias_(table(name, WEIGHTS), "b", table=True))
        .join(exp.alias_(WANTED.copy(), "a", table=True), on=same.copy(), join_type="anti")
    )
    positions = [p for (p,) in store.rows(gone)]
    if positions:
        store.execute("DELETE FROM _kb.weights WHERE position IN (SELECT unnest(?::INTEGER[]))", [positions])
        store.execute(
            exp.delete(table(name, WEIGHTS)).sql("duckdb") + " WHERE position IN (SELECT unnest(?::INTEGER[]))",
            [positions],
        )


def _enter(store: Store, rule: tree.Inference, keys: list[str], first: int) -> None:
    """Write new weights into the book of all weights, and a fixed one's value."""
    name = rule_name(rule)
    fixed = rule.fixed_weight
    shown: exp.Expr = exp.Literal.string(name)
    hashed: exp.Expr = exp.Literal.string(name)
    for i, key in enumerate(keys):
        as_text = exp.cast(column(key, "w"), "text")
        piece = exp.Coalesce(this=as_text, expressions=[exp.Literal.string("NULL")])
        before = exp.Literal.string("(" if i == 0 else ", ")
        shown = exp.DPipe(this=exp.DPipe(this=shown, expression=before), expression=piece)
        length = exp.cast(exp.Length(this=as_text.copy()), "text")
        part = exp.DPipe(
            this=exp.DPipe(
                this=exp.DPipe(this=exp.Literal.string("|"), expression=length), expression=exp.Literal.string(":")
            ),
            expression=as_text.copy(),
        )
        hashed = exp.DPipe(this=hashed, expression=exp.Coalesce(this=part, expressions=[exp.Literal.string("|N")]))
    if keys:
        shown = exp.DPipe(this=shown, expression=exp.Literal.string(")"))
    new = (
        exp.select(
            column("position", "w"),
            exp.Anonymous(this="md5_number_lower", expressions=[hashed]),
            exp.Literal.string(name),
            shown,
            exp.true() if fixed is not None else exp.false(),
            exp.cast(exp.Literal.string(repr(fixed or 0.0)), "double"),
        )
        .from_(exp.alias_(table(name, WEIGHTS), "w", table=True))
        .where(exp.GTE(this=column("position", "w"), expression=exp.Literal.number(first)))
    )
    store.execute(exp.insert(new, "_kb.weights"))
    if fixed is not None:
        store.execute("UPDATE _kb.weights SET is_fixed = TRUE, value = ? WHERE rule = ?", [fixed, name])
    else:
        store.execute("UPDATE _kb.weights SET is_fixed = FALSE, value = 0 WHERE rule = ? AND is_fixed", [name])
    last = store.one("SELECT max(position) FROM _kb.weights")
    store.set_counter("weights", max(first, 0 if last is None else last + 1))
