"""Queries in the language, answered by the relations as they stand. Beside grounding; nothing is written."""

from __future__ import annotations

import numpy as np
import polars as pl
from sqlglot import exp

from consilience.kb.grounding.store import Store, answering
from consilience.kb.language import tree
from consilience.kb.language.check import check_query
from consilience.kb.language.schema import implied_relations
from consilience.kb.sql.bodies import Read, Source, joined, relation_source, selected
from consilience.kb.sql.rules import derivation_query, once, union
from consilience.kb.sql.schema import COUNT, Schema


def ask(store: Store, program: tree.Program, query: tree.Query) -> pl.DataFrame:
    """Rows a query asks for: a column a term, called as the term or `column_1`, ...; rows that repeat come repeatedly.

    Terms marked for it order the rows, NULL last; with a limit and without an order, which rows come is not said.
    raises: ProgramError if it means nothing for the program.

    >>> from consilience.kb.grounding.load import load
    >>> from consilience.kb.language import check, parse, parse_query
    >>> program = check(parse("R(x int)."))
    >>> with Store.open() as store:
    ...     _ = load(store, program, "R", pl.DataFrame({"x": [3, 1, 2]}))
    ...     from consilience.kb.grounding.ground import ground
    ...     _ = ground(store, program)
    ...     ask(store, program, parse_query("@order_by x, x * x ?- R(x), x > 1.")).rows()
    [(2, 4), (3, 9)]
    """
    query = check_query(query, program)
    whole = tree.Program((*program.statements, *query.rules))
    whole = tree.Program((*whole.statements, *implied_relations(whole)))
    schema = Schema(whole)
    read = _with_own(schema, query.rules)
    names = _names([term for term, _ in query.terms])
    head = [(name, term, None) for name, (term, _) in zip(names, query.terms, strict=True)]
    made: exp.Query = union([selected(joined(body, read), head) for body in query.bodies or ((),)])
    if query.distinct:
        made = once(made, names)
    orders = [(name, order) for name, (_, order) in zip(names, query.terms, strict=True) if order]
    if query.limit is not None and not orders:
        made = exp.select(exp.Star()).from_(made.subquery("q")).limit(query.limit)
    with answering("The query"):
        found = store.frame(made)
    counts = np.ones(len(found), np.int64) if query.distinct else found[COUNT].to_numpy()
    found = found.drop(COUNT)[np.repeat(np.arange(len(found)), counts)]
    if orders:
        down = [order == "desc" for _, order in orders]
        found = found.sort([name for name, _ in orders], descending=down, nulls_last=True, maintain_order=True)
    return found if query.limit is None else found.head(query.limit)


def _with_own(schema: Schema, rules: tuple[tree.Derivation, ...]) -> Read:
    """Reads relations of the program where they stand, and those of the query's own rules through them."""
    own = {rule.head.relation for rule in rules}

    def read(_: int, atom: tree.Atom) -> Source:
        if atom.relation not in own:
            return relation_source(schema, atom.relation, place=atom.place)
        parts = [derivation_query(schema, rule, read) for rule in rules if rule.head.relation == atom.relation]
        columns, types = schema.columns(atom.relation), schema.types(atom.relation)
        if schema.holds_once(atom.relation):
            return Source(once(union(parts), columns).subquery(), columns, types, False)
        return Source(union(parts).subquery(), columns, types, True)

    return read


def _names(terms: list[tree.Expression]) -> list[str]:
    """A name a column: that of a plain name the first time, else one that counts."""
    found: list[str] = []
    for number, term in enumerate(terms, 1):
        name = term.name if isinstance(term, tree.Name) else f"column_{number}"
        found.append(name if name.lower() not in map(str.lower, found) else f"column_{number}")
    return found
