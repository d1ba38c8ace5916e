"""The queries of one kept rule under a change, as text, kept so that the next change does not make them again.

Read by `grounding/delta.py`. A rule's rows gain or lose what the terms of its bodies say; aggregates are made anew for
the groups that the terms touch; the rest (`why_recomputed`) is derived whole before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, joined, selected
from consilience.kb.sql.deltas import Changed, aggregates, readers, terms
from consilience.kb.sql.groups import Head, group_keys, groups_query, touched_groups
from consilience.kb.sql.islands import (
    Apart,
    Meeting,
    Reading,
    columns_of,
    meeting_query,
    only_changed,
    origins,
    unmatched_query,
)
from consilience.kb.sql.rules import BOOLEAN, DOUBLE, grounding_query, input_columns, rule_atoms
from consilience.kb.sql.schema import CHANGES, COUNT, LABEL, PROBABILITY, Schema, atoms_of, data_type


def head_of(schema: Schema, rule: tree.Rule) -> Head:
    """(name, expression, type) of each column a rule's query has, but the count: inputs, if it calls a function."""
    if isinstance(rule, tree.FunctionCall):
        inputs = input_columns(schema, rule)
        return [
            (f"a{i}", e, data_type(c.type, c.place))
            for i, (e, c) in enumerate(zip(rule.arguments, inputs, strict=True))
        ]
    assert isinstance(rule, (tree.Derivation, tree.Supervision))
    name = rule.head.relation
    head = list(zip(schema.columns(name), rule.head.arguments, schema.types(name), strict=True))
    if schema.is_variable(name):
        none = tree.Constant(None)
        labelled = isinstance(rule, tree.Supervision)
        head.append((LABEL, rule.label if isinstance(rule, tree.Supervision) else none, BOOLEAN))
        probability = rule.probability if isinstance(rule, tree.Supervision) and labelled else None
        head.append((PROBABILITY, probability or none, DOUBLE))
    return head


@dataclass
class RuleDeltas:
    """Queries of the rules of one program. Rules go by their number among all rules of the program."""

    schema: Schema
    made: dict[object, object] = field(default_factory=dict)

    def term_queries(self, number: int, body: int, changed: Changed, is_apart: Apart) -> list[str]:
        """What a body of a derivation, call or supervision gains and loses, term by term."""
        needed = self._terms(number, body, changed, is_apart)
        key = ("terms", number, body, self._seen(number, body, changed), needed)
        if key not in self.made:
            rule = self.schema.program.rules[number]
            found = []
            for term, only in needed:
                read, _ = readers(self.schema, term, changed, only)
                found.append(selected(joined(rule.bodies[body], read), head_of(self.schema, rule)).sql("duckdb"))
            self.made[key] = found
        return self.made[key]  # type: ignore[return-value]

    def touched(self, number: int, body: int, changed: Changed, is_apart: Apart) -> str | None:
        """Keys of the groups of an aggregate that a change touches; None if it reads nothing that changed."""
        needed = self._terms(number, body, changed, is_apart)
        key = ("touched", number, body, self._seen(number, body, changed), needed)
        if key not in self.made:
            rule = self.schema.program.rules[number]
            found = []
            for term, only in needed:
                read, _ = readers(self.schema, term, changed, only)
                found.append(touched_groups(head_of(self.schema, rule), rule.bodies[body], read).sql("duckdb"))
            self.made[key] = " UNION ".join(found) if found else None
        return self.made[key]  # type: ignore[return-value]

    def group_queries(
        self, number: int, body: int, changed: Changed, name: str, nullable: frozenset[int], is_new: bool
    ) -> list[str]:
        """Rows of the touched groups as they are, and (with negative counts) as they were.

        is_new: whether no row that was there and is still is in such a group.
        """
        seen = self._seen(number, body, changed)
        key = ("groups", number, body, seen, nullable, is_new)
        if key not in self.made:
            rule = self.schema.program.rules[number]
            head, parts = head_of(self.schema, rule), rule.bodies[body]
            keys = exp.table_(name, db=CHANGES, quoted=True)
            only = frozenset({0} if is_new else ())
            read_now, read_was = (readers(self.schema, term, changed, only)[0] for term in (len(atoms_of(parts)), -1))
            found = [groups_query(head, parts, read_now, keys, nullable, signed=False).sql("duckdb")]
            if not is_new or seen.lost_rows:
                was = groups_query(head, parts, read_was, keys, nullable, signed=True)
                found.append(negated(was, [n for n, _, _ in head]).sql("duckdb"))
            self.made[key] = found
        return self.made[key]  # type: ignore[return-value]

    def groups_are_new(self, number: int, body: int, changed: Changed, is_apart: Apart) -> bool:
        """Whether the touched groups of an aggregate over one relation have only rows of the change."""
        rule = self.schema.program.rules[number]
        parts = rule.bodies[body]
        atom = parts[0] if len(atoms_of(parts)) == 1 else None
        if not isinstance(atom, tree.Atom) or atom.relation not in changed.relations:
            return False
        has, keys = columns_of(self.schema, atom), group_keys(head_of(self.schema, rule))
        names = [k.name for k in keys if isinstance(k, tree.Name) and k.name in has]
        if not keys or len(names) < len(keys):
            return False
        reading = Reading(atom.relation, False, tuple(has[n] for n in names))
        return is_apart(Meeting(reading, reading))

    def grounding_queries(self, number: int, body: int, changed: Changed, is_apart: Apart) -> list[str]:
        """Groundings that one body of an inference rule (-1: that of a rule without) gains and loses."""
        needed = self._terms(number, body, changed, is_apart)
        key = ("groundings", number, body, self._seen(number, body, changed), needed)
        if key not in self.made:
            rule = self.schema.program.rules[number]
            assert isinstance(rule, tree.Inference)
            parts = rule.bodies[body] if rule.bodies else ()
            found = []
            for term, only in needed:
                read, read_literal = readers(self.schema, term, changed, only)
                query = grounding_query(self.schema, rule, read, read_literal, [parts])
                found.append(query.sql("duckdb"))
            self.made[key] = found
        return self.made[key]  # type: ignore[return-value]

    def n_keys(self, number: int) -> int:
        """How many keys an aggregating head has."""
        return len(group_keys(head_of(self.schema, self.schema.program.rules[number])))

    def groups(self, number: int) -> bool:
        """Whether a rule's head has aggregates."""
        rule = self.schema.program.rules[number]
        if isinstance(rule, tree.Inference):
            return False
        return aggregates([e for _, e, _ in head_of(self.schema, rule)])

    def meeting(self, meeting: Meeting) -> str:
        """A query that gives a row if old rows meet a change."""
        if meeting not in self.made:
            self.made[meeting] = meeting_query(self.schema, meeting).sql("duckdb")
        return self.made[meeting]  # type: ignore[return-value]

    def unmatched(self, part: Reading, whole: Reading) -> str:
        """A query that gives a row if one change has values that another has not."""
        if (part, whole) not in self.made:
            self.made[part, whole] = unmatched_query(self.schema, part, whole).sql("duckdb")
        return self.made[part, whole]  # type: ignore[return-value]

    def origins(self, reading: Reading, loaded: frozenset[str]) -> frozenset[Reading] | None:
        """Base relations that have all the values of a reading; None if not known."""
        key = ("origins", reading, loaded)
        if key not in self.made:
            self.made[key] = origins(self.schema, reading.relation, reading.columns, loaded)
        return self.made[key]  # type: ignore[return-value]

    def _terms(
        self, number: int, body: int, changed: Changed, is_apart: Apart
    ) -> tuple[tuple[int, frozenset[int]], ...]:
        """Terms that may give something, each with the atoms that need no old rows in it."""
        rule = self.schema.program.rules[number]
        parts = rule.bodies[body] if rule.bodies else ()
        found = []
        for term in terms(rule_atoms(rule, parts), len(atoms_of(parts)), changed):
            only = only_changed(self.schema, rule, parts, term, changed, is_apart)
            if only is not None:
                found.append((term, only))
        return tuple(found)

    def _seen(self, number: int, body: int, changed: Changed) -> Changed:
        """What of a change a body can see."""
        rule = self.schema.program.rules[number]
        parts = rule.bodies[body] if rule.bodies else ()
        inside = {a.relation for a in atoms_of(parts)}
        heads = {x.atom.relation for x in rule.literals} if isinstance(rule, tree.Inference) else set()
        return changed.seen_by(inside, heads)


def negated(query: exp.Query, columns: Sequence[str]) -> exp.Select:
    """Rows of a query with their counts negated."""
    count = exp.alias_(exp.Neg(this=column(COUNT, "q")), COUNT, quoted=True)
    return exp.select(*(column(c, "q") for c in columns), count).from_(query.subquery("q"))
