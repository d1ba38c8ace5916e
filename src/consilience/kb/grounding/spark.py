"""Grounding on Spark: the queries of a program over DataFrames, for relations that are too large for one machine.

The rows are those that DuckDB makes. Variables have no dense positions here: a literal names its variable by a struct
of its key, so nothing has to be numbered across machines. Needs the extra `spark`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from sqlglot import exp

from consilience.engines.spark import pyspark_sql
from consilience.errors import DataError, nearest
from consilience.kb.grounding.functions import Outcome, outputs
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import (
    call_query,
    derivation_query,
    grounding_query,
    input_columns,
    label_query,
    once,
    output_columns,
    rule_name,
    tie_expressions,
    union,
)
from consilience.kb.sql.schema import (
    COUNT,
    LABEL,
    LABELS,
    MAIN,
    POSITION,
    PROBABILITY,
    VALUE,
    VALUES,
    VARIABLES,
    Schema,
    data_type,
)
from consilience.kb.sql.show import written

DataFrame = Any  # of Spark
Session = Any
Callables = Mapping[str, Callable[..., Any]]


def ground_on_spark(
    session: Session,
    program: tree.Program,
    frames: Mapping[str, DataFrame],
    *,
    functions: Callables | None = None,
    allow_code: bool = False,
    persist: bool = True,
) -> dict[str, DataFrame]:
    """DataFrames of everything a program derives, by name; lazy, but for what functions are given.

    frames: base rows by relation, columns by name. functions, allow_code: as in `ground`; functions run in this
    process, not on executors. persist: let Spark keep relations that it computed, as several rules read them.
    returns: `R`: its columns and `_count`; of a variable relation also `labels of V`: `_label`, `_probability`;
    `factors NAME`: `p0`, `v0`, ... key and value of each literal, `t0`, ... what ties the weight, `feature`, `_count`.
    raises: ExtraError without pyspark; DataError for frames that do not fit; ProgramError.
    """
    pyspark_sql()
    schema = Schema(program)
    for name in frames:
        schema.relation(name)
    run = _Run(session, schema, functions or {}, allow_code, persist)
    for name in schema.order:
        run.relation(name, frames.get(name))
    for rule in schema.inferences:
        names = [f"{c}{i}" for i in range(len(rule.literals)) for c in "pv"]
        names += [*(f"t{i}" for i in range(len(tie_expressions(rule)))), "feature"]
        run.keep(f"factors {rule_name(rule)}", once(grounding_query(schema, rule), names))
    return run.made


class _Run:
    """One program being grounded in one session; its views are named after what they show."""

    def __init__(self, session: Session, schema: Schema, functions: Callables, allow_code: bool, persist: bool) -> None:
        self.session, self.schema, self.functions = session, schema, functions
        self.allow_code, self.persist = allow_code, persist
        self.made: dict[str, DataFrame] = {}

    def query(self, query: exp.Query) -> DataFrame:
        """A query over the views."""
        made = query.transform(_as_view)
        assert isinstance(made, exp.Query)
        return self.session.sql(written(made, "spark", pretty=False))

    def keep(self, name: str, query: exp.Query) -> DataFrame:
        """Let the caller have what a query gives."""
        frame = self.query(query)
        self.made[name] = frame.persist() if self.persist else frame
        return self.made[name]

    def relation(self, name: str, base: DataFrame | None) -> None:
        """All rows of a relation, and the views of it that rules read."""
        names = self.schema.columns(name)
        self._base(name, base)
        rules = self.schema.rules_of(name)
        for number, rule in enumerate(rules):
            if isinstance(rule, tree.FunctionCall):
                self._call(rule, f"calls_{number}_{name}")
        is_variable = self.schema.is_variable(name)
        columns = (*names, LABEL, PROBABILITY) if is_variable else names
        loaded = exp.select(*map(column, names)).from_(table(name, "base"))
        parts: list[exp.Query] = [_labelled(loaded, is_variable)]
        for number, rule in enumerate(rules):
            if isinstance(rule, tree.FunctionCall):
                called = exp.select(*map(column, names)).from_(table(f"{number}_{name}", "calls"))
                parts.append(_labelled(called, is_variable))
            elif is_variable and isinstance(rule, (tree.Derivation, tree.Supervision)):
                parts.append(label_query(self.schema, rule))
            elif isinstance(rule, tree.Derivation):
                parts.append(derivation_query(self.schema, rule))
        if is_variable:
            self.keep(f"labels of {name}", once(union(parts), columns)).createOrReplaceTempView(_view(LABELS, name))
            rows = exp.select(*map(column, (*names, COUNT))).from_(table(name, LABELS))
            self.keep(name, once(rows, names)).createOrReplaceTempView(_view(MAIN, name))
            self._variables(self.schema.relation(name))
        else:
            self.keep(name, once(union(parts), names)).createOrReplaceTempView(_view(MAIN, name))

    def _base(self, name: str, base: DataFrame | None) -> None:
        from pyspark.sql import functions as f

        relation = self.schema.relation(name)
        kinds = {c.name: _spark_type(c) for c in relation.columns}
        if base is None:
            made = self.session.createDataFrame([], ", ".join(f"`{n}` {k}" for n, k in kinds.items()))
        else:
            missing = [n for n in kinds if n not in base.columns]
            if missing:
                raise DataError(
                    f"Rows for {name} lack the column {missing[0]!r}.\nFix: {nearest(missing[0], base.columns)}"
                )
            made = base.select(*(f.col(f"`{n}`").cast(k).alias(n) for n, k in kinds.items()))
        made.withColumn(COUNT, f.lit(1).cast("bigint")).createOrReplaceTempView(_view("base", name))

    def _call(self, rule: tree.FunctionCall, view: str) -> None:
        """Call a function on all its inputs; what it gives becomes a view."""
        inputs = self.query(call_query(self.schema, rule)).collect()
        kinds = [*(pl_type(c) for c in input_columns(self.schema, rule)), pl.Int64()]
        names = [*(f"a{i}" for i in range(len(kinds) - 1)), COUNT]
        frame = pl.DataFrame([tuple(r) for r in inputs], dict(zip(names, kinds, strict=True)), orient="row")
        given = self.functions.get(rule.function)
        rows: list[Any] = []
        for made in outputs(self.schema, rule, [frame], Outcome(), given, allow_code=self.allow_code):
            rows += made.rows()
        columns = self.schema.columns(rule.relation)
        kinds_of = [_spark_type(c) for c in output_columns(self.schema, rule)]
        written_so = ", ".join(f"`{n}` {k}" for n, k in zip(columns, kinds_of, strict=True))
        self.session.createDataFrame(rows, f"{written_so}, `{COUNT}` bigint").createOrReplaceTempView(f"kb_{view}")

    def _variables(self, relation: tree.Relation) -> None:
        """Views in which literals find their variables: the rows, a struct of the key, the place of the category."""
        names = [c.name for c in relation.columns]
        position = exp.alias_(exp.Anonymous(this="struct", expressions=[column(k) for k in relation.keys]), POSITION)
        select = exp.select(*map(column, names), position)
        if relation.categories:
            order = exp.Order(
                expressions=[exp.Ordered(this=column(c), desc=False, nulls_first=False) for c in relation.categories]
            )
            place = exp.Window(this=exp.RowNumber(), partition_by=[column(k) for k in relation.keys], order=order)
            value = exp.cast(exp.Sub(this=place, expression=exp.Literal.number(1)), "int")
            select = select.select(exp.alias_(value, VALUE))
        within = VALUES if relation.categories else VARIABLES
        self.query(select.from_(table(relation.name, MAIN))).createOrReplaceTempView(_view(within, relation.name))


def pl_type(c: tree.Column) -> pl.DataType:
    """A column's type in Polars."""
    from consilience.kb.grounding.load import polars_type

    return polars_type(data_type(c.type, c.place).sql("duckdb"))


def _spark_type(c: tree.Column) -> str:
    written_so = data_type(c.type, c.place).sql("spark") if c.type else "STRING"
    return written_so.replace("JSON", "STRING").replace("UUID", "STRING")


def _labelled(rows: exp.Select, is_variable: bool) -> exp.Select:
    if is_variable:
        for label, kind in ((LABEL, "boolean"), (PROBABILITY, "double")):
            rows = rows.select(exp.alias_(exp.cast(exp.null(), kind), label, quoted=True))
    return rows.select(column(COUNT))


def _view(within: str, name: str) -> str:
    return f"kb_{within}_{name}"


def _as_view(node: exp.Expr) -> exp.Expr:
    """Tables in schemas become views, whose names have no parts."""
    if isinstance(node, exp.Table) and node.db:
        made = exp.table_(_view(node.db, node.name), quoted=True)
        alias = node.args.get("alias")
        if alias is not None:
            made.set("alias", alias.copy())
        return made
    return node
