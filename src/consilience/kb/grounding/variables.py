"""Variables from rows in scope: one for each key, with a stable id, a dense position, and what its labels say.

Hard labels decide: of a Boolean variable any FALSE makes it false, else any TRUE true; of a categorical one the
smallest category labelled TRUE. Labels with a probability are averaged, and count where no hard label decides; soft
labels of several categories of one key are its distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from consilience.errors import DataError, GraphError
from consilience.kb.grounding.store import Store, answering
from consilience.kb.language.tree import Relation
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import (
    CARDINALITY,
    COUNT,
    EVIDENCE,
    ID,
    LABEL,
    LABELS,
    POSITION,
    PROBABILITY,
    SOFT,
    VALUE,
    VALUES,
    VARIABLES,
    Schema,
    at,
)

HARD = f"{PROBABILITY} IS NULL"
WEIGHED = f"CASE WHEN {LABEL} THEN {PROBABILITY} ELSE 1 - {PROBABILITY} END"
IS_SOFT = f"{PROBABILITY} IS NOT NULL AND {LABEL} IS NOT NULL"

# Of a category: the mean of what is said of it; those nothing is said of share what is left. Then all add up to 1.
SHARE = """CASE WHEN _said = 0 THEN NULL WHEN _sum = 0 AND _said = _n THEN 1 / _n
WHEN _right IS NULL THEN GREATEST(1 - _sum, 0) / (_n - _said)
WHEN _said = _n OR _sum > 1 THEN _right / _sum ELSE _right END"""


def ground_variables(store: Store, schema: Schema) -> int:
    """Number the variables of all relations anew, from 0, in the order of relations and keys. Returns how many."""
    store.execute("DELETE FROM _kb.retired")
    first = 0
    names = [n for n in schema.order if schema.is_variable(n)]
    for name in names:
        relation = schema.relation(name)
        with answering(f"{at(relation.place)}the variables of {name}"):
            check_probabilities(store, relation)
            query = categorical_values(relation, first) if relation.categories else boolean_variables(relation, first)
            if relation.categories:
                _replace(store, name, VALUES, query)
                query = categorical_variables(relation)
            _replace(store, name, VARIABLES, query)
            conflicts = int(
                store.one(exp.select(exp.Count(this=exp.Star())).from_(conflicting(relation).subquery("c")))
            )
        store.set_counter(f"conflicts {name}", conflicts)
        first += int(store.one(exp.select(exp.Count(this=exp.Star())).from_(table(name, VARIABLES))))
    if first >= 2**31:
        raise GraphError(f"There are {first} variables; a graph holds {2**31 - 1}.\nFix: narrow the scope of rules.")
    store.set_counter("variables", first)
    check_ids(store, names)
    return first


def _replace(store: Store, name: str, schema: str, query: exp.Query) -> None:
    store.execute(exp.Create(this=table(name, schema), kind="TABLE", replace=True, expression=query))


def variable_id(relation: Relation) -> exp.Expr:
    """64 bits of the md5 of a relation's name and a key: the same on any machine, whatever else is in scope."""
    parts: list[exp.Expr] = [exp.Literal.string(relation.name)]
    for key in relation.keys:
        as_text = exp.cast(column(key), "text")
        length = exp.cast(exp.Length(this=as_text.copy()), "text")
        joined = exp.DPipe(
            this=exp.DPipe(
                this=exp.DPipe(this=exp.Literal.string("|"), expression=length), expression=exp.Literal.string(":")
            ),
            expression=as_text.copy(),
        )
        parts.append(exp.Coalesce(this=joined, expressions=[exp.Literal.string("|N")]))
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Anonymous(this="md5_number_lower", expressions=[made])


def _numbered(by: Sequence[str], first: int) -> exp.Expr:
    """Positions from `first` on, in the order of columns."""
    rank = exp.Window(this=exp.RowNumber(), order=_order(by))
    return exp.cast(
        exp.Add(this=rank, expression=exp.Literal.number(first - 1) if first else exp.Neg(this=exp.Literal.number(1))),
        "int",
    )


def _order(by: Sequence[str]) -> exp.Order:
    return exp.Order(expressions=[exp.Ordered(this=column(c), desc=False, nulls_first=False) for c in by])


def boolean_labels(relation: Relation, source: exp.Expr) -> exp.Select:
    """What the labels say of each Boolean variable: keys, id, cardinality, evidence, soft."""
    keys = [column(k) for k in relation.keys]
    return (
        exp.select(*keys, exp.alias_(variable_id(relation), ID))
        .select(f"2::INTEGER AS {CARDINALITY}", dialect="duckdb")
        .select(
            f"(CASE WHEN BOOL_OR({HARD} AND NOT {LABEL}) THEN 0 WHEN BOOL_OR({HARD} AND {LABEL}) THEN 1 ELSE -1 END)"
            f"::INTEGER AS {EVIDENCE}",
            f"SUM(CASE WHEN {IS_SOFT} THEN ({WEIGHED}) * {COUNT} END) / SUM(CASE WHEN {IS_SOFT} THEN {COUNT} END) "
            f"AS {SOFT}",
            dialect="duckdb",
        )
        .from_(source)
        .group_by(*(k.copy() for k in keys))
    )


def boolean_variables(relation: Relation, first: int) -> exp.Select:
    """The table of Boolean variables: keys, id, cardinality, evidence (-1 if open), soft P(true), position."""
    inner = boolean_labels(relation, table(relation.name, LABELS)).subquery("v")
    return exp.select(exp.Star(), exp.alias_(_numbered(relation.keys, first), POSITION)).from_(inner)


def categorical_values(relation: Relation, first: int) -> exp.Select:
    """The table of values: keys, categories, position of the variable, value, soft, and what labels say of each."""
    keys, categories = list(relation.keys), list(relation.categories)
    per_value = (
        exp.select(*(column(c) for c in keys + categories))
        .select(
            f"COALESCE(BOOL_OR({HARD} AND {LABEL}), FALSE) AS _true",
            f"COALESCE(BOOL_OR({HARD} AND NOT {LABEL}), FALSE) AS _false",
            f"SUM(CASE WHEN {IS_SOFT} THEN ({WEIGHED}) * {COUNT} END) / SUM(CASE WHEN {IS_SOFT} THEN {COUNT} END) "
            "AS _right",
            dialect="duckdb",
        )
        .from_(table(relation.name, LABELS))
        .group_by(*(column(c) for c in keys + categories))
    )
    group = [column(k) for k in keys]
    within = exp.Window(this=exp.RowNumber(), partition_by=group, order=_order(categories))
    value = exp.cast(exp.Sub(this=within, expression=exp.Literal.number(1)), "int")
    place = exp.Window(this=exp.DenseRank(), order=_order(keys))
    position = exp.cast(
        exp.Add(
            this=place, expression=exp.paren(exp.Sub(this=exp.Literal.number(first), expression=exp.Literal.number(1)))
        ),
        "int",
    )

    def over(what: str) -> exp.Expr:
        made: exp.Expr = exp.maybe_parse(what, dialect="duckdb")
        return exp.Window(this=made, partition_by=[g.copy() for g in group])

    totals = (
        exp.select(
            exp.Star(),
            exp.alias_(value, VALUE),
            exp.alias_(position, POSITION),
            exp.alias_(over("COUNT(*)"), "_n"),
            exp.alias_(over("COUNT(_right)"), "_said"),
            exp.alias_(over("SUM(_right)"), "_sum"),
        )
        .from_(per_value.subquery("v"))
        .subquery("w")
    )
    return (
        exp.select(*(column(c) for c in keys + categories), POSITION, VALUE, "_true", "_false")
        .select(f"{SHARE} AS {SOFT}", dialect="duckdb")
        .from_(totals)
    )


def categorical_variables(relation: Relation) -> exp.Select:
    """The table of categorical variables, from that of their values: keys, id, cardinality, evidence, position."""
    keys = [column(k) for k in relation.keys]
    return (
        exp.select(*keys, exp.alias_(variable_id(relation), ID))
        .select(
            f"COUNT(*)::INTEGER AS {CARDINALITY}",
            f"(CASE WHEN BOOL_OR(_true) THEN MIN(CASE WHEN _true THEN {VALUE} END) "
            f"WHEN BOOL_OR(_false) AND SUM(CASE WHEN _false THEN 0 ELSE 1 END) = 1 "
            f"THEN MIN(CASE WHEN NOT _false THEN {VALUE} END) ELSE -1 END)::INTEGER AS {EVIDENCE}",
            f"ANY_VALUE({POSITION}) AS {POSITION}",
            dialect="duckdb",
        )
        .from_(table(relation.name, VALUES))
        .group_by(*(k.copy() for k in keys))
    )


def conflicting(relation: Relation) -> exp.Select:
    """Keys whose hard labels disagree: TRUE and FALSE of one row, or two categories TRUE."""
    keys = [column(k) for k in relation.keys]
    if not relation.categories:
        made = exp.select(*keys).from_(table(relation.name, LABELS)).where(HARD, dialect="duckdb")
        return made.group_by(*(k.copy() for k in keys)).having(
            f"BOOL_OR({LABEL}) AND NOT BOOL_AND({LABEL})", dialect="duckdb"
        )
    made = exp.select(*keys).from_(table(relation.name, VALUES)).group_by(*(k.copy() for k in keys))
    return made.having("BOOL_OR(_true AND _false) OR SUM(_true::INTEGER) > 1 ", dialect="duckdb")


def check_probabilities(store: Store, relation: Relation) -> None:
    """Raise DataError naming a label whose probability is none."""
    wrong = store.rows(
        exp.select(*(column(c.name) for c in relation.columns), PROBABILITY)
        .from_(table(relation.name, LABELS))
        .where(f"NOT ({PROBABILITY} BETWEEN 0 AND 1)", dialect="duckdb")
        .limit(1)
    )
    for *row, p in wrong:
        raise DataError(
            f"{at(relation.place)}the label of {relation.name}({', '.join(map(repr, row))}) has the probability {p}.\n"
            "Fix: give a number from 0 to 1 behind the @."
        )


def check_ids(store: Store, names: Sequence[str]) -> None:
    """Raise GraphError if two variables have one id (for a billion variables the odds are 1 in 40)."""
    if not names:
        return
    made: exp.Query = exp.select(ID).from_(table(names[0], VARIABLES))
    for name in names[1:]:
        made = exp.union(made, exp.select(ID).from_(table(name, VARIABLES)), distinct=False)
    twice = store.one(exp.select(ID).from_(made.subquery("i")).group_by(ID).having("COUNT(*) > 1").limit(1))
    if twice is not None:
        raise same_id(twice)


def same_id(found: int) -> GraphError:
    """The error for two variables with one id."""
    return GraphError(
        f"Two variables have the id {found}.\nFix: rename a relation of random variables; ids follow its name."
    )
