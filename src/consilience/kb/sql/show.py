"""A whole program as SQL to read, in the dialect of one database or another: what grounding would run, in its order.

Grounding itself runs the same expressions on DuckDB; see `grounding/`.
"""

from __future__ import annotations

from sqlglot import exp

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree
from consilience.kb.sql.rules import (
    call_query,
    derivation_query,
    grounding_query,
    label_query,
    once,
    rule_name,
    union,
)
from consilience.kb.sql.schema import LABEL, PROBABILITY, Schema

DIALECTS = ("duckdb", "postgres", "spark")


def compile_program(program: tree.Program, dialect: str = "duckdb") -> list[tuple[str, str]]:
    """Queries of a program by name: each relation before those that read it, then each inference rule.

    A relation's query gives its columns and `_count`; a variable relation's its scope with labels; a function's its
    inputs; an inference rule's the groundings. raises: ProgramError for what no query can say.

    >>> from consilience.kb.language.parse import parse
    >>> program = parse("R(x int). S(x int). S(x + 1) :- R(x), x > 0.")
    >>> print(dict(compile_program(program))["relation S"])
    SELECT
      CAST("R0"."x" + 1 AS BIGINT) AS "x",
      CAST("R0"."_count" AS BIGINT) AS "_count"
    FROM "main"."R" AS "R0"
    WHERE
      "R0"."x" > 0
    """
    if dialect not in DIALECTS:
        raise ProgramError(f"SQL is not written in {dialect!r}.\nFix: {nearest(dialect, DIALECTS)}")
    return [(name, written(query, dialect)) for name, query in program_queries(program)]


def program_queries(program: tree.Program) -> list[tuple[str, exp.Query]]:
    """The queries of a program as expressions, by name, in the order in which they can run."""
    schema = Schema(program)
    found: list[tuple[str, exp.Query]] = []
    for name in schema.order:
        rules = schema.rules_of(name)
        for rule in rules:
            if isinstance(rule, tree.FunctionCall):
                found.append((f"inputs of {rule.function} for {name}", call_query(schema, rule)))
        derived = [r for r in rules if not isinstance(r, tree.FunctionCall)]
        if not derived:
            continue
        if schema.is_variable(name):
            labels = union([label_query(schema, r) for r in derived if not isinstance(r, tree.Inference)])
            found.append((f"scope of {name}", once(labels, (*schema.columns(name), LABEL, PROBABILITY))))
            continue
        rows = union([derivation_query(schema, r) for r in derived if isinstance(r, tree.Derivation)])
        whole = once(rows, schema.columns(name)) if schema.holds_once(name) else rows
        found.append((f"relation {name}", whole))
    for rule in schema.inferences:
        found.append((f"factors {rule_name(rule)}", grounding_query(schema, rule)))
    return found


def written(query: exp.Query, dialect: str = "duckdb", *, pretty: bool = True) -> str:
    """A query in a dialect, where what DuckDB calls by another name is called by theirs."""
    if dialect == "duckdb":
        return query.sql("duckdb", pretty=pretty)
    return query.copy().transform(lambda node: _translated(node, dialect)).sql(dialect, pretty=pretty)


def _translated(node: exp.Expr, dialect: str) -> exp.Expr:
    if dialect == "spark" and isinstance(node, exp.Bracket):  # an index beyond the end is no error
        return exp.Anonymous(this="try_element_at", expressions=[node.this, exp.cast(node.expressions[0], "int")])
    if isinstance(node, exp.ArrayAgg) and isinstance(node.this, exp.Order) and dialect == "spark":
        return _spark_array(node.this)
    if isinstance(node, exp.Flatten) and dialect == "spark" and isinstance(node.this, exp.ArrayAgg):
        return _spark_repeated(node.this)
    return node


def _spark_array(order: exp.Order) -> exp.Expr:
    """collect_list drops NULL: each value travels in an array of one."""
    return _spark_sorted(exp.Array(expressions=[order.this.copy()]))


def _spark_repeated(collected: exp.ArrayAgg) -> exp.Expr:
    repeat = collected.this.this
    times = exp.cast(repeat.expressions[1].copy(), "int")
    value = repeat.expressions[0].expressions[0].copy()
    return _spark_sorted(exp.Anonymous(this="array_repeat", expressions=[value, times]))


def _spark_sorted(values: exp.Expr) -> exp.Expr:
    made = values
    for name in ("collect_list", "flatten", "array_sort"):
        made = exp.Anonymous(this=name, expressions=[made])
    return made
