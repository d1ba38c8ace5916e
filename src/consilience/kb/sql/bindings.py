"""Which rows speak for a fact: the values of all names in the bodies of a rule, for one row of its head.

A query a body. Its columns are the names of the body (of an inference rule: of its heads too), in the order in which
the text first mentions them, then the columns that it leaves unnamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree
from consilience.kb.sql.bodies import Join, column, current, numbered
from consilience.kb.sql.expressions import expression
from consilience.kb.sql.rules import literal_source
from consilience.kb.sql.schema import COUNT, Schema, at, atoms_of


def binding_queries(
    schema: Schema, rule: tree.Rule, key: Mapping[str, Any] | None = None, *, literal: int = -1
) -> list[tuple[exp.Select, list[Any]]]:
    """For each body of a rule: the query of its bindings with `_count`, and the values of its parameters.

    key: values of columns of the head (of an inference rule: of its literal of that number, by default the last) that
    rows must have; None for all rows. raises: ProgramError if the head has no such column.

    >>> from consilience.kb.language.parse import parse
    >>> schema = Schema(parse("R(x int, y int). S(z int). S(x) :- R(x, y), y > 2."))
    >>> [(query, values)] = binding_queries(schema, schema.rules_of("S")[0], {"z": 7})
    >>> print(query.sql("duckdb"), values)  # doctest: +NORMALIZE_WHITESPACE
    SELECT "R0"."x" AS "x", "R0"."y" AS "y", CAST("R0"."_count" AS BIGINT) AS "_count" FROM "main"."R" AS "R0"
    WHERE "R0"."y" > 2 AND "R0"."x" IS NOT DISTINCT FROM ? [7]
    """
    return [_bindings(schema, rule, body, key or {}, literal) for body in rule.bodies or ((),)]


def _bindings(
    schema: Schema, rule: tree.Rule, body: tree.Body, key: Mapping[str, Any], literal: int
) -> tuple[exp.Select, list[Any]]:
    join = Join(current(schema))
    if isinstance(rule, tree.Inference):
        for i, one in enumerate(rule.literals, len(atoms_of(body))):
            join.add_atom(i, one.atom, literal_source(schema, one.atom))
    join.add_body(body)
    name, arguments = _head(rule, literal)
    columns = schema.columns(name)
    values: list[Any] = []
    for key_column, wanted in key.items():
        if key_column not in columns:
            fix = nearest(key_column, columns)
            raise ProgramError(f"{at(rule.place)}{name} has no column {key_column!r}.\nFix: {fix}")
        argument = expression(arguments[columns.index(key_column)], join.given)
        operand = argument if isinstance(argument, exp.Column) else exp.paren(argument)
        join.conditions.append(exp.NullSafeEQ(this=operand, expression=exp.Placeholder()))
        values.append(wanted)
    given = join.given | _unnamed(schema, body)
    shown = [exp.alias_(value.copy(), n, quoted=True) for n, value in given.items()]
    count = exp.cast(join.count or exp.Literal.number(1), "bigint")
    return join.finished().select(*shown, exp.alias_(count, COUNT, quoted=True)), values


def _unnamed(schema: Schema, body: tree.Body) -> dict[str, exp.Expr]:
    """Columns of a body's atoms that the rule does not name, as `relation.column`; of repeated atoms the first."""
    found: dict[str, exp.Expr] = {}
    for number, part in numbered(body):
        if isinstance(part, tree.Atom):
            for name, argument in zip(schema.columns(part.relation), part.arguments, strict=True):
                if isinstance(argument, tree.Anything):
                    found.setdefault(f"{part.relation}.{name}", column(name, f"R{number}"))
    return found


def _head(rule: tree.Rule, literal: int) -> tuple[str, tuple[tree.Expression, ...]]:
    match rule:
        case tree.FunctionCall():
            raise ProgramError(
                f"{at(rule.place)}Rows of {rule.relation} come out of the function {rule.function}, not out of a head."
                "\nFix: ask for the function's inputs."
            )
        case tree.Inference():
            atom = rule.literals[literal].atom
        case _:
            atom = rule.head
    return atom.relation, atom.arguments
