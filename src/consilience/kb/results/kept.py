"""Marginals kept in the database, by the ids of their variables, and read again with the columns of their relation.

Follows inference. What the run before had is compared with first: `changes` are what a run made of the facts.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import DataError, ProgramError, nearest
from consilience.kb.grounding.store import Store
from consilience.kb.language.tree import Program, Relation
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import CARDINALITY, EVIDENCE, ID, POSITION, VALUE, VALUES, VARIABLES, Schema, at

BOOKS = """
CREATE TABLE IF NOT EXISTS _kb.facts (id UBIGINT, value INTEGER, probability DOUBLE);
CREATE TABLE IF NOT EXISTS _kb.changes (id UBIGINT, value INTEGER, before DOUBLE, after DOUBLE);
DELETE FROM _kb.changes;
"""
WERE = """
CREATE OR REPLACE TEMP TABLE "were rows" AS SELECT f.rowid AS place, f.id, f.value, f.probability
FROM _kb.facts f JOIN (SELECT DISTINCT id FROM "inferred rows" UNION ALL SELECT id FROM "gone rows") n ON n.id = f.id
"""
COMPARE_TOUCHED = """
INSERT INTO _kb.changes SELECT COALESCE(n.id, b.id), COALESCE(n.value, b.value), b.probability, n.probability
FROM "inferred rows" n FULL JOIN "were rows" b ON n.id = b.id AND n.value = b.value
WHERE b.id IS NULL OR n.id IS NULL OR abs(b.probability - n.probability) >= ?
"""
COMPARE_ALL = """
INSERT INTO _kb.changes SELECT COALESCE(n.id, b.id), COALESCE(n.value, b.value), b.probability, n.probability
FROM "inferred rows" n FULL JOIN _kb.facts b ON n.id = b.id AND n.value = b.value
WHERE b.id IS NULL OR n.id IS NULL OR abs(b.probability - n.probability) >= ?
"""
LEAST = 1e-3  # changes of a probability smaller than this are not kept
PROBABILITY, KNOWN, TRUTH = "probability", "evidence", "truth"
BEFORE, AFTER = "_before", "_after"


def keep(
    store: Store,
    ids: NDArray[np.uint64],
    cardinality: NDArray[np.int32],
    probability: NDArray[np.float64],
    touched: NDArray[np.integer] | None = None,
    gone: NDArray[np.uint64] | None = None,
) -> None:
    """Write marginals, and what changed since the last ones.

    ids: (n,), 0 for variables that are gone. probability: a number a value. touched: positions of the variables that
    were inferred anew, None for all. gone: ids of variables that went since. Cost: one look at the ids of all facts,
    and the touched variables.
    """
    which = np.arange(len(ids)) if touched is None else np.unique(touched)
    frame = _rows(ids, cardinality, probability, which)
    went = pl.DataFrame({"id": gone if gone is not None else np.zeros(0, np.uint64)}, schema={"id": pl.UInt64})
    if touched is not None and not len(frame) and not len(went):
        store.execute("DELETE FROM _kb.changes")
        return
    with store.transaction(), store.reading(frame, "inferred rows"), store.reading(went, "gone rows"):
        store.execute(BOOKS)
        if touched is None:
            store.execute(COMPARE_ALL, [LEAST])
            store.execute("DELETE FROM _kb.facts")
        else:
            n_were = int(store.one(WERE))
            store.execute(COMPARE_TOUCHED, [LEAST])
            if n_were:
                store.execute('DELETE FROM _kb.facts WHERE rowid IN (SELECT place FROM "were rows")')
            store.execute('DROP TABLE "were rows"')
        store.execute('INSERT INTO _kb.facts SELECT id, value, probability FROM "inferred rows"')


def _rows(
    ids: NDArray[np.uint64],
    cardinality: NDArray[np.int32],
    probability: NDArray[np.float64],
    which: NDArray[np.integer],
) -> pl.DataFrame:
    """id, value, probability; of two values the second alone. Variables that are gone have no row."""
    offsets = np.concatenate([[0], np.cumsum(cardinality, dtype=np.int64)])
    which = which[ids[which] != 0]
    sizes = cardinality[which].astype(np.int64)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    told = (within > 0) | (np.repeat(sizes, sizes) != 2)
    return pl.DataFrame(
        {
            "id": np.repeat(ids[which], sizes)[told],
            "value": within[told].astype(np.int32),
            PROBABILITY: probability[np.repeat(offsets[which], sizes) + within][told],
        },
        schema={"id": pl.UInt64, "value": pl.Int32, PROBABILITY: pl.Float64},
    )


def is_kept(store: Store) -> bool:
    """Whether anything was inferred yet."""
    return store.has_table("_kb", "facts")


def probabilities(
    store: Store, ids: NDArray[np.uint64], cardinality: NDArray[np.int32], evidence: NDArray[np.int32]
) -> NDArray[np.float64]:
    """The marginals that are kept, a number a value; uniform for variables that were never inferred."""
    offsets = np.concatenate([[0], np.cumsum(cardinality, dtype=np.int64)])
    found = np.repeat(1.0 / cardinality, cardinality)
    known = np.flatnonzero(evidence >= 0)
    found[np.repeat(evidence >= 0, cardinality)] = 0.0
    found[offsets[known] + evidence[known]] = 1.0
    rows = store.arrays("SELECT id, value, probability FROM _kb.facts")
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], rows["id"]), max(len(ids) - 1, 0))
    at = order[place] if len(ids) else place
    fits = (ids[at] == rows["id"]) & (rows["value"] < cardinality[at]) if len(ids) else np.zeros(0, bool)
    at, value, p = at[fits], rows["value"][fits], rows[PROBABILITY][fits]
    found[offsets[at] + value] = p
    boolean = cardinality[at] == 2
    found[offsets[at][boolean]] = 1.0 - p[boolean]
    return found


def facts_of(store: Store, schema: Schema, name: str) -> pl.DataFrame:
    """The facts of a variable relation: its columns, `probability`, and `evidence` (what labels say, or NULL).

    Rows are in the order of the relation's columns. raises: ProgramError if the relation has no variables, DataError if
    nothing was inferred yet.
    """
    relation = variable_relation(schema, name)
    if not is_kept(store):
        raise DataError("Nothing has been inferred yet.\nFix: run the knowledge base first.")
    order = exp.Order(expressions=[exp.Ordered(this=column(c.name), nulls_first=False) for c in relation.columns])
    columns = [column(c.name, "r") for c in relation.columns]
    variables = exp.alias_(table(name, VARIABLES), "v", table=True)
    known = column(EVIDENCE, "v")
    kept = exp.alias_(exp.table_("facts", db="_kb"), "f", table=True)
    if relation.categories:
        value: exp.Expr = column(VALUE, "r")
        source = exp.select(*columns).from_(exp.alias_(table(name, VALUES), "r", table=True))
        source = source.join(variables, on=exp.EQ(this=column(POSITION, "r"), expression=column(POSITION, "v")))
        told: exp.Expr = exp.EQ(this=known, expression=value)
    else:
        value = exp.Literal.number(1)
        source = exp.select(*(column(c.name, "v") for c in relation.columns)).from_(variables)
        told = exp.EQ(this=known, expression=value)
    same = exp.and_(
        exp.EQ(this=column("id", "f"), expression=column(ID, "v")),
        exp.EQ(this=column("value", "f"), expression=value.copy()),
    )
    is_known = exp.Case(ifs=[exp.If(this=exp.GTE(this=known.copy(), expression=exp.Literal.number(0)), true=told)])
    source = source.join(kept, on=same, join_type="left")
    found: exp.Expr = column(PROBABILITY, "f")
    if relation.categories:  # of two values only the second is kept
        other = exp.alias_(exp.table_("facts", db="_kb"), "o", table=True)
        of_two = exp.and_(
            exp.EQ(this=column("id", "o"), expression=column(ID, "v")),
            exp.EQ(this=column(CARDINALITY, "v"), expression=exp.Literal.number(2)),
            exp.EQ(this=value.copy(), expression=exp.Literal.number(0)),
        )
        source = source.join(other, on=of_two, join_type="left")
        rest = exp.Sub(this=exp.Literal.number(1), expression=column(PROBABILITY, "o"))
        found = exp.Coalesce(this=found, expressions=[rest])
    source = source.select(exp.alias_(found, PROBABILITY), exp.alias_(is_known, KNOWN), exp.alias_(column(ID, "v"), ID))
    return store.frame(exp.select(exp.Star()).from_(source.subquery("facts")).order_by(*order.expressions))


def changed_facts(store: Store, schema: Schema, name: str, least: float) -> pl.DataFrame:
    """Facts of a relation whose probability the last inference changed by `least` or more, the largest change first.

    Columns: those of the relation, `_before`, `_after`; NULL where the fact was not there.
    """
    facts = facts_of(store, schema, name)
    relation = schema.relation(name)
    wanted = "SELECT id, value, before, after FROM _kb.changes"
    changes = store.frame(wanted).rename({"before": BEFORE, "after": AFTER})
    value = (
        pl.int_range(pl.len()).over(ID) if relation.categories else pl.lit(1, pl.Int64)
    )  # facts stand in the order of their categories
    joined = facts.with_columns(value.cast(pl.Int32).alias(VALUE)).join(
        changes, left_on=[ID, VALUE], right_on=["id", "value"], how="inner"
    )
    size = (pl.col(AFTER).fill_null(0.0) - pl.col(BEFORE).fill_null(0.0)).abs()
    found = joined.filter(size >= least).sort(size, descending=True, maintain_order=True)
    return found.select(*(c.name for c in relation.columns), BEFORE, AFTER)


def as_text(values: pl.Series) -> pl.Series:
    """Values as people read them; NULL is said."""
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        return pl.Series(values.name, ["NULL" if x is None else str(x) for x in values.to_list()], pl.String)
    return values.cast(pl.String).fill_null("NULL")


def variable_relation(schema: Schema, name: str) -> Relation:
    """A relation of variables by name. raises: ProgramError."""
    known = [n for n in schema.order if schema.is_variable(n)]
    if name not in known:
        what = "has no variables: it is not declared with ?" if name in schema.relations else "is not in the program"
        raise ProgramError(f"The relation {name!r} {what}.\nFix: {nearest(name, known)}")
    return schema.relation(name)


def check_columns(program: Program) -> None:
    """Raise ProgramError if a relation of variables has a column of a name that its facts need."""
    for relation in program.relations.values():
        clash = {c.name.lower() for c in relation.columns} & {PROBABILITY, KNOWN, TRUTH}
        if relation.is_variable and clash:
            raise ProgramError(
                f"{at(relation.place)}the relation {relation.name!r} has a column {clash.pop()!r}, which its facts "
                "need.\nFix: rename the column."
            )
