"""The queries of a change: what rules derive more or less when the relations they read change.

A change of a relation is a table of rows with signed counts. Counts are linear in each atom of a body, so the change of
a join of k atoms is a sum of k joins, in which atom i reads its change, those before it their relations after the
change and those behind it their relations before it. The relations in the database are those after the change; before
it they were what they are now less the change, which a union says without a copy.

Source: Gupta, Mumick & Subrahmanian 1993 (counting); the order of old and new is that of DeepDive's delta deriver.
Departs: what was before is a union with the negated change, so that only changes are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import Read, Source, column, current, table
from consilience.kb.sql.expressions import has_aggregate
from consilience.kb.sql.rules import literal_source
from consilience.kb.sql.schema import CHANGES, COUNT, POSITION, VALUE, Schema, atoms_of


def change_table(name: str) -> exp.Table:
    """Rows of a relation that came and went, as the rules that read it see them: columns, `_count`."""
    return table(f"change of {name}", CHANGES)


def literal_change_table(name: str) -> exp.Table:
    """Variables (or values) of a relation that came and went: columns, `position`, perhaps `value`, `_count`."""
    return table(f"change of variables {name}", CHANGES)


@dataclass(frozen=True)
class Changed:
    """What changed: relations as bodies read them, and variable relations as literals of inference rules do."""

    relations: frozenset[str]
    variables: frozenset[str]


def changed_source(source: Source, change: exp.Table) -> Source:
    """A source that reads the change instead."""
    return Source(change, source.columns, source.types, counted=True)


def before(source: Source, change: exp.Table, more: Sequence[str] = ()) -> Source:
    """A source as it was before the change. more: columns it has beside its relation's."""
    names = [*source.columns, *more]
    now = exp.select(*(column(n, "now") for n in names))
    count: exp.Expr = column(COUNT, "now") if source.counted else exp.cast(exp.Literal.number(1), "bigint")
    now = now.select(exp.alias_(count, COUNT, quoted=True)).from_(_named(source.table.copy(), "now"))
    less = exp.select(*(column(n, "less") for n in names))
    less = less.select(exp.alias_(exp.Neg(this=column(COUNT, "less")), COUNT, quoted=True))
    less = less.from_(_named(change.copy(), "less"))
    both = exp.union(now, less, distinct=False, copy=False)
    return Source(both.subquery(), source.columns, source.types, counted=True)


def _named(source: exp.Expr, alias: str) -> exp.Expr:
    return exp.alias_(source, alias, table=True, quoted=True)


def terms(atoms: Sequence[tree.Atom], n_body: int, changed: Changed) -> list[int]:
    """The numbers of the atoms that read something that changed; those from n_body on are literals."""
    return [i for i, a in enumerate(atoms) if a.relation in (changed.relations if i < n_body else changed.variables)]


def readers(schema: Schema, term: int, changed: Changed) -> tuple[Read, Callable[[int, tree.Atom], Source]]:
    """What body atoms and literals read where atom `term` reads its change."""
    now = current(schema)

    def choose(i: int, source: Source, change: exp.Table, has_changed: bool, more: Sequence[str]) -> Source:
        if not has_changed or i < term:
            return source
        return changed_source(source, change) if i == term else before(source, change, more)

    def read(i: int, atom: tree.Atom) -> Source:
        return choose(i, now(i, atom), change_table(atom.relation), atom.relation in changed.relations, ())

    def read_literal(i: int, atom: tree.Atom) -> Source:
        more = (POSITION, VALUE) if schema.relation(atom.relation).categories else (POSITION,)
        source = literal_source(schema, atom)
        return choose(i, source, literal_change_table(atom.relation), atom.relation in changed.variables, more)

    return read, read_literal


def before_all(schema: Schema, changed: Changed) -> Read:
    """Every atom reads its relation as it was."""
    return readers(schema, -1, changed)[0]


def quantified_relations(body: tree.Body) -> set[str]:
    """Relations a body reads inside EXISTS, OPTIONAL or ALL, where counts are not linear."""
    return {a.relation for p in body if isinstance(p, tree.Quantified) for a in atoms_of((p,))}


def aggregates(arguments: Sequence[tree.Expression]) -> bool:
    """Whether a head makes one row of each group."""
    return any(has_aggregate(a) for a in arguments)


def why_recomputed(rule: tree.Rule, body: tree.Body, changed: Changed) -> str | None:
    """Why the change of a rule cannot be had from the change of what it reads; None if it can."""
    if getattr(rule, "limit", None) is not None:
        return f"its rows are limited to {rule.limit}"  # type: ignore[union-attr]
    inside = sorted(quantified_relations(body) & changed.relations)
    if inside:
        kinds = {p.kind for p in body if isinstance(p, tree.Quantified)}
        return f"{', '.join(inside)} changed inside {' and '.join(sorted(kinds)).upper()}[...]"
    return None
