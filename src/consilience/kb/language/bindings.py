"""Which variables of a rule are bound, and whether aggregates and `_` stand where they mean something.

Second part of `check`. A variable is bound by a column of a relation in the body; the heads of an inference rule are
relations of its body too. What EXISTS and ALL bind stays inside them; OPTIONAL binds, perhaps to NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from consilience.errors import nearest
from consilience.kb.language import tree as t
from consilience.kb.language.schema import Findings
from consilience.kb.language.walk import names, walk

_CONSTANTS = {"true", "false", "null"}


def bound_by(parts: Iterable[t.Part]) -> dict[str, None]:
    """Variables that parts of a body bind for everything beside them, in the order of the text.

    >>> from consilience.kb.language import parse
    >>> (rule,) = parse("P(x) :- R(x, y + 1), EXISTS[S(z)], OPTIONAL[S(u)].").rules
    >>> list(bound_by(rule.bodies[0]))
    ['x', 'u']
    """
    bound: dict[str, None] = {}
    for part in parts:
        if isinstance(part, t.Atom):
            bound |= {a.name: None for a in part.arguments if isinstance(a, t.Name)}
        elif isinstance(part, t.Quantified) and part.kind == "optional":
            bound |= bound_by(part.parts)
    return bound


def check_bindings(rule: t.Rule | t.Query, findings: Findings) -> None:
    """Find variables that no relation binds, and `_` and aggregates that stand in a wrong place."""
    heads = [literal.atom for literal in rule.literals] if isinstance(rule, t.Inference) else []
    said = list(spoken(rule))
    for body in rule.bodies or ((),):
        parts = (*body, *heads)
        bound = set(bound_by(parts))
        unbound = [n for n in names(tuple(said)) if n.name not in bound]
        _tell_unbound([*unbound, *_unbound_inside(parts, bound)], body, bound, rule, findings)
    _refuse_anything((tuple(said), tuple(heads)), rule, findings)
    for body in rule.bodies:
        _refuse_anything_inside(body, rule, findings)
        _refuse_aggregates(body, rule, findings)
    _check_aggregates(rule, findings)


def spoken(rule: t.Rule | t.Query) -> Iterator[t.Expression]:
    """What a rule says beside its body: heads, labels, weights, arguments."""
    if isinstance(rule, t.Query):
        yield from (term for term, _ in rule.terms)
    elif isinstance(rule, t.FunctionCall):
        yield from rule.arguments
    elif isinstance(rule, t.Inference):
        yield from rule.weights
        if rule.feature_value is not None:
            yield rule.feature_value
    else:
        yield from rule.head.arguments
        if isinstance(rule, t.Supervision):
            yield rule.label
            if rule.probability is not None:
                yield rule.probability


def _unbound_inside(parts: tuple[t.Part, ...], bound: set[str]) -> Iterator[t.Name]:
    """Unbound variables of conditions, of arguments that are expressions, and of what is quantified."""
    for part in parts:
        if isinstance(part, t.Quantified):
            yield from _unbound_inside(part.parts, bound | set(bound_by(part.parts)))
        else:
            yield from (n for n in names(part) if n.name not in bound)


def _tell_unbound(
    unbound: list[t.Name], body: t.Body, bound: set[str], rule: t.Rule | t.Query, findings: Findings
) -> None:
    for name in {n.name: n for n in reversed(unbound)}.values():
        which = ""
        if len(rule.bodies) > 1:
            which = f" {rule.bodies.index(body) + 1} (alternatives are divided by `;`)"
        fact = f"Variable '{name.name}' is not bound: no relation of the body{which} has it in a column."
        findings.add(name, fact, _fix_unbound(name, body, bound), statement=rule)


def _fix_unbound(name: t.Name, body: t.Body, bound: set[str]) -> str:
    if name.name.lower() in _CONSTANTS:
        return f"{name.name.upper()} is written in capitals."
    closed = [part for part in body if isinstance(part, t.Quantified) and part.kind != "optional"]
    if any(n.name == name.name for n in names(tuple(closed))):
        return "EXISTS and ALL keep their variables to themselves; name the relation outside of them too."
    for part in body:
        if isinstance(part, t.Operation) and part.operator == "=" and name in (part.left, part.right):
            return f"`=` compares and binds nothing; write the expression where '{name.name}' stands."
    if not bound:
        return f"name a relation with '{name.name}' in one of its columns."
    return f"name a relation with '{name.name}' in one of its columns. {nearest(name.name, sorted(bound))}"


def _refuse_anything(node: object, rule: t.Rule | t.Query, findings: Findings) -> None:
    for found in walk(node):
        if isinstance(found, t.Anything):
            fix = "write a variable or a value; `_` is a column of a relation in the body."
            findings.add(found, "`_` stands where a value is needed.", fix, statement=rule)


def _refuse_anything_inside(parts: t.Body, rule: t.Rule | t.Query, findings: Findings) -> None:
    for part in parts:
        if isinstance(part, t.Quantified):
            _refuse_anything_inside(part.parts, rule, findings)
        elif isinstance(part, t.Atom):
            _refuse_anything(tuple(a for a in part.arguments if not isinstance(a, t.Anything)), rule, findings)
        else:
            _refuse_anything(part, rule, findings)


# Aggregates ----------------------------------------------------------------------------------------------------------


def _aggregates(node: object) -> list[t.Call]:
    return [n for n in walk(node) if isinstance(n, t.Call) and n.is_aggregate]


def _refuse_aggregates(node: object, rule: t.Rule | t.Query, findings: Findings) -> None:
    for call in _aggregates(node):
        fact = f"{call.function} makes one value of many rows, and can't stand here."
        fix = "derive a relation with it in the head, and use that relation."
        findings.add(call, fact, fix, statement=rule)


def _check_aggregates(rule: t.Rule | t.Query, findings: Findings) -> None:
    """Aggregates stand in heads of derivations and in terms of queries, one value each, none in another."""
    said = tuple(spoken(rule))
    if not isinstance(rule, (t.Derivation, t.Query)):
        _refuse_aggregates((said, tuple(rule.literals) if isinstance(rule, t.Inference) else ()), rule, findings)
        return
    groups = {term.name for term in said if isinstance(term, t.Name)}
    for term in said:
        for call in _aggregates(term):
            _refuse_aggregates(call.arguments, rule, findings)
            if len(call.arguments) != 1:
                fact = f"{call.function} takes one value, and has {len(call.arguments)}."
                findings.add(call, fact, f"write {call.function}(x).", statement=rule)
        if _aggregates(term):
            _check_mixture(term, groups, rule, findings)


def _check_mixture(term: t.Expression, groups: set[str], rule: t.Rule | t.Query, findings: Findings) -> None:
    """Beside an aggregate, in one term, stand only variables by which rows are grouped."""
    inside = {id(n) for call in _aggregates(term) for n in walk(call)}
    for name in names(term):
        if id(name) not in inside and name.name not in groups:
            fact = f"'{name.name}' stands beside an aggregate, and rows are not grouped by it."
            fix = f"put '{name.name}' in a column of its own too, or inside an aggregate such as MAX({name.name})."
            findings.add(name, fact, fix, statement=rule)
