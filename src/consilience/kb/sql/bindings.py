"""The rows of a rule's body that bear on one fact: every name of the rule as a column. What `explain` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import Join, column, current
from consilience.kb.sql.rules import literal_source, union
from consilience.kb.sql.schema import Schema, atoms_of


def bindings_query(
    schema: Schema, rule: tree.Inference, literal: int, key: Mapping[str, Any], *, limit: int
) -> tuple[exp.Query, list[Any]]:
    """A query for what the names of an inference rule stand for where one of its literals is a given variable.

    literal: which of the rule's literals. key: the variable's key columns. returns: the query and its parameters.
    """
    parts = []
    params: list[Any] = []
    for body in rule.bodies or ((),):
        parts.append(_bound(schema, rule, body, literal, key))
        params += list(key.values())
    return exp.select(exp.Star()).from_(union(parts).subquery("bindings")).limit(limit), params


def _bound(
    schema: Schema, rule: tree.Inference, body: tree.Body, literal: int, key: Mapping[str, Any]
) -> exp.Select:
    join = Join(current(schema))
    first = len(atoms_of(body))
    aliases = [join.add_atom(first + i, x.atom, literal_source(schema, x.atom)) for i, x in enumerate(rule.literals)]
    join.add_body(body)
    same = [exp.NullSafeEQ(this=column(name, aliases[literal]), expression=exp.Placeholder()) for name in key]
    names = sorted(name for name in join.given) if len(rule.bodies) > 1 else list(join.given)
    columns = [exp.alias_(join.given[name].copy(), name, quoted=True) for name in names if name != "_"]
    join.conditions = [*same, *join.conditions]
    return join.finished().select(*(columns or [exp.Literal.number(1)])).distinct()
