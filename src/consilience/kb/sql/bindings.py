"""The rows of a rule's body that bear on one fact: every name of the rule as a column. What `explain` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import Join, column, current, numbered
from consilience.kb.sql.rules import literal_source
from consilience.kb.sql.schema import Schema, atoms_of


def bindings_query(
    schema: Schema, rule: tree.Inference, literal: int, key: Mapping[str, Any], *, which: int = 0, limit: int
) -> tuple[exp.Query, list[Any]]:
    """A query for what the names of an inference rule stand for where one of its literals is a given variable.

    literal, which: the rule's literal, and its body. key: the variable's key columns. returns: the query and its parameters.
    """
    body = (rule.bodies or ((),))[which]
    made = _bound(schema, rule, body, literal, key)
    return exp.select(exp.Star()).from_(made.subquery("bindings")).limit(limit), list(key.values())


def _bound(schema: Schema, rule: tree.Inference, body: tree.Body, literal: int, key: Mapping[str, Any]) -> exp.Select:
    join = Join(current(schema))
    first = len(atoms_of(body))
    aliases = [join.add_atom(first + i, x.atom, literal_source(schema, x.atom)) for i, x in enumerate(rule.literals)]
    join.add_body(body)
    same = [exp.NullSafeEQ(this=column(name, aliases[literal]), expression=exp.Placeholder()) for name in key]
    given = dict(join.given) | _unnamed(schema, body)
    columns = [exp.alias_(made.copy(), name, quoted=True) for name, made in given.items()]
    join.conditions = [*same, *join.conditions]
    return join.finished().select(*(columns or [exp.Literal.number(1)])).distinct()


def _unnamed(schema: Schema, body: tree.Body) -> dict[str, exp.Expr]:
    """Columns of a body's atoms that the rule has no name for, as `relation.column`."""
    found: dict[str, exp.Expr] = {}
    for number, part in numbered(body):
        if isinstance(part, tree.Atom):
            for name, argument in zip(schema.columns(part.relation), part.arguments, strict=True):
                if isinstance(argument, tree.Anything):
                    found.setdefault(f"{part.relation}.{name}", column(name, f"R{number}"))
    return found
