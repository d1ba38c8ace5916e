"""The queries of a change: what rules derive more or less when the relations they read change.

A change of a relation is a table of rows with signed counts. Counts are linear in each atom of a body, so the change of
a join of k atoms is a sum of k joins, in which atom i reads its change, those before it their relations after the
change and those behind it their relations before it. The relations in the database are those after the change. Before
it they were the rows that no one wrote since, and those the change took out: no row is read that is then taken back.

Source: Gupta, Mumick & Subrahmanian 1993 (counting); the order of old and new is that of DeepDive's delta deriver.
Departs: what was before is told by row numbers, so that only changes are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import Read, Source, column, current, table
from consilience.kb.sql.expressions import has_aggregate
from consilience.kb.sql.rules import literal_source
from consilience.kb.sql.schema import BASE, CHANGES, COUNT, POSITION, VALUE, Schema, atoms_of

WRITTEN_NOW = 2**50  # rows that the transaction under way wrote have numbers from here on, until it is committed


def change_table(name: str) -> exp.Table:
    """Rows of a relation that came and went, as the rules that read it see them: columns, `_count`."""
    return table(f"change of {name}", CHANGES)


def literal_change_table(name: str) -> exp.Table:
    """Variables (or values) of a relation that came and went: columns, `position`, perhaps `value`, `_count`."""
    return table(f"change of variables {name}", CHANGES)


def stands_in(schema: Schema, name: str) -> str:
    """The schema of the table with a relation's rows: what only base rows make is a view of those."""
    return "main" if schema.is_derived(name) or schema.is_variable(name) else BASE


def taken_out(schema: str, name: str) -> str:
    """Name of the temporary table of rows that a change took out of a table, with the counts they had."""
    return f"hits {schema} {name}"


def old_variables(relation: tree.Relation) -> str:
    """The same of the table of a relation's variables."""
    return f"old variables {relation.name}"


def old_values(relation: tree.Relation) -> str:
    """The same of the table of the values of categorical variables."""
    return f"old values {relation.name}"


@dataclass(frozen=True)
class Changed:
    """What changed: relations as bodies read them, and variable relations as literals of inference rules do.

    lost_rows, lost_variables: those among them of which rows were taken out, or put in again with another count.
    """

    relations: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    lost_rows: frozenset[str] = frozenset()
    lost_variables: frozenset[str] = frozenset()

    def seen_by(self, relations: set[str], variables: set[str]) -> Changed:
        """What of it concerns some relations in bodies, and some in literals."""
        return Changed(
            self.relations & relations,
            self.variables & variables,
            self.lost_rows & relations,
            self.lost_variables & variables,
        )


def changed_source(source: Source, change: exp.Table) -> Source:
    """A source that reads the change instead."""
    return Source(change, source.columns, source.types, counted=True)


@dataclass(frozen=True)
class _Rows:
    """Where rows of a source stand, now and before. lost: rows taken out of `stands`. more: columns beside its own."""

    source: Source
    stands: exp.Expr
    lost: exp.Table | None
    more: tuple[str, ...]

    def before(self, *, only_lost: bool) -> Source:
        """As it was; only_lost: but for the rows that are there still."""
        parts = [] if only_lost else [self._of(self.stands, "now").where(_written(exp.LT, "now"))]
        parts += [] if self.lost is None else [self._of(self.lost, "lost")]
        both: exp.Query = parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False, copy=False)
        return self._read(both)

    def new(self) -> Source:
        """Rows that were written since."""
        return self._read(self._of(self.stands, "new").where(_written(exp.GTE, "new")))

    def _read(self, rows: exp.Query) -> Source:
        return Source(rows.subquery(), self.source.columns, self.source.types, counted=True)

    def _of(self, table: exp.Expr, alias: str) -> exp.Select:
        source = self.source
        made = exp.select(*(column(n, alias) for n in (*source.columns, *self.more)))
        count: exp.Expr = column(COUNT, alias) if source.counted else exp.cast(exp.Literal.number(1), "bigint")
        return made.select(exp.alias_(count, COUNT, quoted=True)).from_(_named(table.copy(), alias))


def _written(comparison: type[exp.Binary], alias: str) -> exp.Expr:
    return comparison(this=exp.column("rowid", alias), expression=exp.Literal.number(WRITTEN_NOW))


def _named(source: exp.Expr, alias: str) -> exp.Expr:
    return exp.alias_(source, alias, table=True, quoted=True)


def _lost(name: str) -> exp.Table:
    return table(name, CHANGES)


def terms(atoms: Sequence[tree.Atom], n_body: int, changed: Changed) -> list[int]:
    """The numbers of the atoms that read something that changed; those from n_body on are literals."""
    return [i for i, a in enumerate(atoms) if a.relation in (changed.relations if i < n_body else changed.variables)]


def readers(
    schema: Schema, term: int, changed: Changed, only: frozenset[int] = frozenset()
) -> tuple[Read, Callable[[int, tree.Atom], Source]]:
    """What body atoms and literals read where atom `term` reads its change.

    only: atoms of which no row is needed that was there before and is still.
    """
    now = current(schema)

    def chosen(i: int, rows: _Rows, change: exp.Table) -> Source:
        if i == term:
            return changed_source(rows.source, change)
        if i > term:
            return rows.before(only_lost=i in only)
        return rows.new() if i in only else rows.source

    def read(i: int, atom: tree.Atom) -> Source:
        name, source = atom.relation, now(i, atom)
        if name not in changed.relations:
            return source
        stands = stands_in(schema, name)
        lost = _lost(taken_out(stands, name)) if name in changed.lost_rows else None
        return chosen(i, _Rows(source, table(name, stands), lost, ()), change_table(name))

    def read_literal(i: int, atom: tree.Atom) -> Source:
        name, source = atom.relation, literal_source(schema, atom)
        if name not in changed.variables:
            return source
        relation = schema.relation(name)
        more = (POSITION, VALUE) if relation.categories else (POSITION,)
        old = old_values(relation) if relation.categories else old_variables(relation)
        lost = _lost(old) if name in changed.lost_variables else None
        return chosen(i, _Rows(source, source.table, lost, more), literal_change_table(name))

    return read, read_literal


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
