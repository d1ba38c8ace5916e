"""What an update has to look at: which rules are new, which are gone, and whether the change can be had piecemeal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from consilience.kb.grounding.remembered import grounded
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.rule_deltas import RuleDeltas
from consilience.kb.sql.rules import fingerprint
from consilience.kb.sql.schema import Schema, atoms_of, target

_queries: dict[str, RuleDeltas] = {}  # of the last few programs


@dataclass
class Plan:
    """before: the schema that was grounded. whole: why everything must be grounded anew, or None.

    new: numbers of the rules of the program that are new (or whose function is); gone: rules that are no more.
    """

    before: Schema
    queries: RuleDeltas
    whole: str | None = None
    new: set[int] = field(default_factory=set)
    gone: list[tree.Rule] = field(default_factory=list)

    def may_change(self, schema: Schema, loaded: set[str]) -> frozenset[str]:
        """Relations that base rows and rules reach."""
        reached = set(loaded)
        rules = schema.program.rules
        reached |= {t for i in self.new if (t := target(rules[i])) is not None}
        reached |= {t for r in self.gone if (t := target(r)) is not None}
        for name in schema.order:
            reads = {a.relation for r in schema.rules_of(name) for b in r.bodies for a in atoms_of(b)}
            if reads & reached:
                reached.add(name)
        return frozenset(reached)


def planned(store: Store, schema: Schema, functions: dict[str, str]) -> Plan:
    """Compare a program with the one that was grounded."""
    schema.order  # noqa: B018 - says what is wrong with a program before anything is touched
    meaning = fingerprint(schema.program)
    if meaning not in _queries:
        if len(_queries) >= 8:
            _queries.clear()
        _queries[meaning] = RuleDeltas(schema)
    was = grounded(store)
    if was is None:
        return Plan(schema, _queries[meaning], "it was not grounded to the end before, or rows were loaded since")
    before = schema if fingerprint(was.program) == meaning else Schema(was.program)
    plan = Plan(before, _queries[meaning], _why_whole(before, schema))
    left = Counter(fingerprint(r) for r in before.program.rules)
    for number, rule in enumerate(schema.program.rules):
        mark = fingerprint(rule)
        known = left[mark] > 0
        left[mark] -= known
        other = isinstance(rule, tree.FunctionCall) and was.functions.get(rule.function) != functions.get(rule.function)
        if not known or other:
            plan.new.add(number)
        if known and other:
            plan.gone.append(rule)
    for rule in before.program.rules:
        mark = fingerprint(rule)
        if left[mark] > 0:
            left[mark] -= 1
            plan.gone.append(rule)
    return plan


def _why_whole(before: Schema, now: Schema) -> str | None:
    """Why tables of the program before do not serve the program of now."""
    if before is now:
        return None
    for name, relation in before.relations.items():
        if name not in now.relations:
            if relation.is_variable or not before.is_derived(name):
                return f"the declaration of {name} is gone"
            continue
        same = fingerprint(relation) == fingerprint(now.relation(name))
        if not same or before.holds_once(name) != now.holds_once(name):
            return f"the declaration of {name} changed"
        if before.is_derived(name) != now.is_derived(name):
            return f"{name} is {'no longer' if before.is_derived(name) else 'now'} derived by rules"
    return None
