"""Which atoms of a term need only the rows that a change brought or took, since old rows do not meet the change.

Read by `rule_deltas.py`. New documents seldom share a key with old ones; one look at a column says so, and then no term
has to search the large tables again. A look is a query that finds a row if old rows and a change do meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, numbered, table
from consilience.kb.sql.deltas import (
    WRITTEN_NOW,
    Changed,
    change_table,
    literal_change_table,
    stands_in,
)
from consilience.kb.sql.rules import literal_source
from consilience.kb.sql.schema import BASE, Schema, atoms_of


@dataclass(frozen=True)
class Reading:
    """What an atom reads: a relation, in a body or as a literal, by some of its columns."""

    relation: str
    is_literal: bool
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meeting:
    """Old rows of one reading that agree with the change of another in their columns."""

    old: Reading
    change: Reading


Apart = Callable[[Meeting], bool]


def meeting_query(schema: Schema, meeting: Meeting) -> exp.Select:
    """A row, if some row of `old` that this transaction did not write agrees with a row of the change."""
    old, change = meeting.old, meeting.change
    if old.is_literal:
        stands = literal_source(schema, tree.Atom(old.relation, ())).table
    else:
        stands = table(old.relation, stands_in(schema, old.relation))
    changed = literal_change_table(change.relation) if change.is_literal else change_table(change.relation)
    on = [
        exp.EQ(this=column(a, "t"), expression=column(b, "d")) for a, b in zip(old.columns, change.columns, strict=True)
    ]
    is_old = exp.LT(this=exp.column("rowid", "t"), expression=exp.Literal.number(WRITTEN_NOW))
    made = exp.select(exp.true()).from_(exp.alias_(changed, "d", table=True, quoted=True))
    return made.join(exp.alias_(stands.copy(), "t", table=True, quoted=True), on=exp.and_(*on)).where(is_old).limit(1)


def unmatched_query(schema: Schema, part: Reading, whole: Reading) -> exp.Select:
    """A row, if the change of `part` has values that the change of `whole` has not."""
    sides = []
    for reading, alias in ((part, "p"), (whole, "w")):
        stands = literal_change_table(reading.relation) if reading.is_literal else change_table(reading.relation)
        sides.append(exp.alias_(stands, alias, table=True, quoted=True))
    on = [
        exp.EQ(this=column(a, "p"), expression=column(b, "w")) for a, b in zip(part.columns, whole.columns, strict=True)
    ]
    return exp.select(exp.true()).from_(sides[0]).join(sides[1], on=exp.and_(*on), join_type="anti").limit(1)


def origins(
    schema: Schema, relation: str, columns: tuple[str, ...], loaded: frozenset[str]
) -> frozenset[Reading] | None:
    """Base relations whose rows have, in some columns, all values that a relation has in these; None if not known.

    A rule hands values on where all of them are variables that one atom of its body has, of the same types.
    loaded: relations of which rows were loaded; what is derived must not be among them.
    """
    if stands_in(schema, relation) == BASE:
        return frozenset({Reading(relation, False, columns)})
    if relation in loaded:
        return None
    found: set[Reading] = set()
    for rule in schema.rules_of(relation):
        if not isinstance(rule, (tree.Derivation, tree.Supervision)) or not rule.bodies:
            return None
        head = dict(zip(schema.columns(relation), rule.head.arguments, strict=True))
        for body in rule.bodies:
            known = (_handed_on(schema, relation, columns, head, p, loaded) for p in body)
            handed = next((k for k in known if k is not None), None)
            if handed is None:
                return None
            found |= handed
    return frozenset(found)


def _handed_on(
    schema: Schema,
    relation: str,
    columns: tuple[str, ...],
    head: dict[str, tree.Expression],
    part: tree.Part,
    loaded: frozenset[str],
) -> frozenset[Reading] | None:
    if not isinstance(part, tree.Atom):
        return None
    has = columns_of(schema, part)
    inner = []
    for name in columns:
        argument = head[name]
        if not isinstance(argument, tree.Name) or argument.name not in has:
            return None
        inner.append(has[argument.name])
        kinds = [dict(zip(schema.columns(r), schema.types(r), strict=True)) for r in (relation, part.relation)]
        if kinds[0][name] is None or kinds[0][name] != kinds[1][inner[-1]]:
            return None
    return origins(schema, part.relation, tuple(inner), loaded)


def only_changed(
    schema: Schema, rule: tree.Rule, body: tree.Body, term: int, changed: Changed, is_apart: Apart
) -> frozenset[int] | None:
    """Numbers of the atoms that need no old rows where atom `term` reads its change; None if the term gives nothing.

    An atom is linked to those with which it shares variables. Where its old rows meet no row of the change, it needs
    only new ones; where it reads what was before, only those lost, and if none was, the term is empty. From atoms that
    read new rows alone it goes on to those linked with them.
    """
    atoms = _linked(rule, body)
    columns = {i: columns_of(schema, atom) for i, (atom, _) in atoms.items()}
    small, frontier = {term}, [term]
    while frontier:
        k = frontier.pop()
        for j, (atom, is_literal) in atoms.items():
            changes = atom.relation in (changed.variables if is_literal else changed.relations)
            shared = sorted(set(columns[j]) & set(columns[k]))
            if j in small or not changes or not shared:
                continue
            old = Reading(atom.relation, is_literal, tuple(columns[j][v] for v in shared))
            other, literal_too = atoms[k]
            change = Reading(other.relation, literal_too, tuple(columns[k][v] for v in shared))
            if not is_apart(Meeting(old, change)):
                continue
            lost = atom.relation in (changed.lost_variables if is_literal else changed.lost_rows)
            if j > term and not lost:
                return None
            small.add(j)
            if not lost:  # what it reads is its change, and nothing else
                frontier.append(j)
    return frozenset(small - {term})


def _linked(rule: tree.Rule, body: tree.Body) -> dict[int, tuple[tree.Atom, bool]]:
    """Atoms by their numbers, and whether they are literals; those inside brackets link nothing."""
    found = {i: (p, False) for i, p in numbered(body) if isinstance(p, tree.Atom)}
    if isinstance(rule, tree.Inference):
        first = len(atoms_of(body))
        found |= {first + i: (x.atom, True) for i, x in enumerate(rule.literals)}
    return found


def columns_of(schema: Schema, atom: tree.Atom) -> dict[str, str]:
    """The column in which an atom has each variable."""
    names = schema.columns(atom.relation)
    return {
        a.name: name for name, a in reversed(list(zip(names, atom.arguments, strict=True))) if isinstance(a, tree.Name)
    }
