"""What a program means is checked before anything runs, and what it leaves unsaid is filled in.

Reads a tree, writes a tree: relations that nobody declared are added, `rows like R` becomes columns, every inference
rule has a name. All troubles are told at once. Uses `schema.py` (declarations), `bindings.py` (variables).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from consilience.errors import nearest
from consilience.kb.language import tree as t
from consilience.kb.language.bindings import bound_by, check_bindings
from consilience.kb.language.schema import Findings, check_declarations, implied_relations, refuse_twins, resolve_rows
from consilience.kb.language.trouble import quoted
from consilience.kb.language.walk import atoms, walk


@dataclass(frozen=True, slots=True)
class Known:
    """Relations and functions by name, looked up once for all rules."""

    relations: dict[str, t.Relation]
    functions: dict[str, t.Function]


def check(program: t.Program) -> t.Program:
    """The program with everything said, if it means something; checking it again changes nothing.

    returns: declared and derived relations (columns of the latter have the type ""), functions with their columns,
        and rules; inference rules without @name are named after their heads, `inf_imply_smokes_cancer`, and numbered
        in the order of the text if heads repeat.
    raises: ProgramError with everything that is wrong.

    Linear in the program, bar names that are looked for among all others.

    >>> from consilience.kb.language import parse
    >>> program = check(parse("person(id bigint). adult(p) :- person(p)."))
    >>> [column.name for column in program.relations["adult"].columns]
    ['p']
    """
    findings = Findings(program.source)
    check_declarations(program, findings)
    program = resolve_rows(program, findings)
    program = replace(program, statements=(*program.statements, *implied_relations(program)))
    known = Known(program.relations, program.functions)
    refuse_twins(known.relations.values(), findings)
    for rule in program.rules:
        _check_rule(rule, known, findings)
    _refuse_repeated_names(program, findings)
    _refuse_recursion(program, findings)
    findings.stop()
    return _with_names(program)


def check_query(query: t.Query, program: t.Program) -> t.Query:
    """The query with the columns it shows, if it means something for a checked program.

    raises: ProgramError with everything that is wrong.

    >>> from consilience.kb.language import parse, parse_query
    >>> program = check(parse("person(id bigint, name text)."))
    >>> [term.name for term, _ in check_query(parse_query("?- person(p, n)."), program).terms]
    ['p', 'n']
    """
    findings = Findings(query.source)
    for rule in query.rules:
        if rule.head.relation in program.relations:
            fact = f"Relation '{rule.head.relation}' stands in the program; a query can't add to it."
            findings.add(rule, fact, "give the relation of the query another name.", statement=rule)
    findings.stop()
    whole = t.Program((*program.statements, *query.rules))
    whole = t.Program((*whole.statements, *implied_relations(whole)))
    known = Known(whole.relations, whole.functions)
    refuse_twins(known.relations.values(), findings)
    for rule in query.rules:
        _check_rule(rule, known, findings)
    _refuse_recursion(whole, findings)
    query = _with_terms(query, findings)
    _check_body(query, known, findings)
    check_bindings(query, findings)
    findings.stop()
    return query


def strata(program: t.Program) -> tuple[tuple[str, ...], ...]:
    """Relations of a checked program in the order in which they can be computed.

    Relations of one stratum read only relations of strata before it; the first holds those that read none.

    >>> from consilience.kb.language import parse
    >>> strata(check(parse("R(x int). P(x) :- R(x), Q(x). Q(x) :- R(x).")))
    (('R',), ('Q',), ('P',))
    """
    sorter = TopologicalSorter(_reads(program))
    sorter.prepare()
    order = {name: i for i, name in enumerate(program.relations)}
    levels = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append(tuple(sorted(ready, key=lambda name: order.get(name, len(order)))))
        sorter.done(*ready)
    return tuple(levels)


def defines(rule: t.Rule) -> str | None:
    """The relation whose rows a rule makes; None for an inference rule."""
    if isinstance(rule, t.FunctionCall):
        return rule.relation
    return None if isinstance(rule, t.Inference) else rule.head.relation


def _reads(program: t.Program) -> dict[str, dict[str, None]]:
    """For each relation those that its rules read."""
    reads: dict[str, dict[str, None]] = {name: {} for name in program.relations}
    for rule in program.rules:
        made = defines(rule)
        if made is not None:
            reads.setdefault(made, {}).update({atom.relation: None for atom in atoms(rule.bodies)})
    return reads


def _refuse_recursion(program: t.Program, findings: Findings) -> None:
    try:
        TopologicalSorter(_reads(program)).prepare()
    except CycleError as failure:
        cycle = failure.args[1]
        first = next(r for r in program.rules if defines(r) == cycle[1] and cycle[0] in _read_by(r))
        fact = f"Relations are derived from themselves: {' -> '.join(cycle)}."
        fix = "recursion is not supported; write out as many steps as are needed, or compute them in a function."
        findings.add(first, fact, fix, statement=first)


def _read_by(rule: t.Rule) -> set[str]:
    return {atom.relation for atom in atoms(rule.bodies)}


# One rule ------------------------------------------------------------------------------------------------------------


def _check_rule(rule: t.Rule, known: Known, findings: Findings) -> None:
    _check_body(rule, known, findings)
    check_bindings(rule, findings)
    if isinstance(rule, t.Derivation):
        _check_atom(rule.head, rule, known, findings)
    elif isinstance(rule, t.FunctionCall):
        _check_call(rule, known, findings)
    elif isinstance(rule, t.Supervision):
        _check_variable(rule.head, rule, known, findings)
        _check_label(rule, known, findings)
    else:
        for literal in rule.literals:
            _check_variable(literal.atom, rule, known, findings)
        _check_inference(rule, findings)
    limit = getattr(rule, "limit", None)
    if limit is not None and limit < 0:
        findings.add(rule, f"The limit {limit} is negative.", "write a number of rows.", statement=rule)


def _check_body(rule: t.Rule | t.Query, known: Known, findings: Findings) -> None:
    for node in walk(rule.bodies):
        if isinstance(node, t.Atom):
            _check_atom(node, rule, known, findings)
        elif isinstance(node, t.Quantified):
            _check_quantified(node, rule, findings)


def _check_atom(atom: t.Atom, rule: t.Rule | t.Query, known: Known, findings: Findings) -> None:
    relation = known.relations.get(atom.relation)
    if relation is None:
        fact = f"Relation {quoted(atom.relation)} is neither declared nor derived."
        fix = f"declare it. {nearest(atom.relation, known.relations)}"
        if "Did you mean" not in fix and atom in atoms(rule.bodies):
            fix += f" If it is a function of SQL, put it in brackets: `[{atom.relation}(...)]`."
        findings.add(atom, fact, fix, statement=rule)
    elif len(atom.arguments) != len(relation.columns):
        columns = ", ".join(c.name for c in relation.columns)
        fact = f"Relation '{atom.relation}' has {_columns(relation.columns)}, and here {len(atom.arguments)}."
        findings.add(
            atom, fact, f"write {atom.relation}({columns}), with `_` for what does not matter.", statement=rule
        )


def _columns(columns: tuple[t.Column, ...]) -> str:
    return "1 column" if len(columns) == 1 else f"{len(columns)} columns"


def _check_quantified(node: t.Quantified, rule: t.Rule | t.Query, findings: Findings) -> None:
    n = sum(isinstance(part, t.Atom) for part in node.parts)
    word = "EXISTS" if node.kind == "not exists" else node.kind.upper()
    if node.kind == "optional" and n != 1:
        fix = "put the one relation in it, with its conditions; use OPTIONAL again for another."
        findings.add(node, f"OPTIONAL holds one relation, and here {n}.", fix, statement=rule)
    elif n == 0:
        findings.add(node, f"{word} holds no relation.", "put a relation in it, or drop it.", statement=rule)


def _check_variable(atom: t.Atom, rule: t.Supervision | t.Inference, known: Known, findings: Findings) -> None:
    """A relation in the head of a rule that labels or infers holds random variables."""
    _check_atom(atom, rule, known, findings)
    relation = known.relations.get(atom.relation)
    if relation is not None and not relation.is_variable:
        what = "labelled" if isinstance(rule, t.Supervision) else "inferred"
        declared = ", ".join(f"{c.name} {c.type or 'text'}" for c in relation.columns)
        fact = f"Relation '{atom.relation}' is {what}, but is not declared to hold random variables."
        findings.add(atom, fact, f"declare it with `?`: {atom.relation}?({declared}).", statement=rule)


def _check_call(rule: t.FunctionCall, known: Known, findings: Findings) -> None:
    function = known.functions.get(rule.function)
    if function is None:
        fact = f"Function {quoted(rule.function)} is not declared."
        near = nearest(rule.function, known.functions)
        fix = f"declare it: `function {rule.function} over (...) returns (...) implementation ...`. {near}"
        findings.add(rule, fact, fix, statement=rule)
        return
    inputs, outputs = function.inputs, function.outputs
    if isinstance(inputs, str) or isinstance(outputs, str) or not (inputs and outputs):
        return  # `rows like` of an unknown relation, told already
    if len(rule.arguments) != len(inputs):
        wanted = ", ".join(c.name for c in inputs)
        fact = f"Function '{rule.function}' takes {len(inputs)} values, and here {len(rule.arguments)}."
        findings.add(rule, fact, f"give it ({wanted}).", statement=rule)
    relation = known.relations.get(rule.relation)
    if relation is not None and len(relation.columns) != len(outputs):
        has = _columns(relation.columns)
        fact = f"Function '{rule.function}' returns {_columns(outputs)}, and '{rule.relation}' has {has}."
        findings.add(rule, fact, f"let it return `rows like {rule.relation}`.", statement=rule)


def _check_label(rule: t.Supervision, known: Known, findings: Findings) -> None:
    label, sure = rule.label, rule.probability
    if isinstance(label, t.Constant) and not (label.value is None or isinstance(label.value, bool)):
        fix = "write TRUE, FALSE, NULL, or a condition such as `if x > 0 then TRUE end`."
        findings.add(label, "A label is TRUE, FALSE or NULL.", fix, statement=rule)
    if isinstance(label, t.Call) and label.function in known.relations:
        fact = f"'{label.function}' is a relation, and a label is a value."
        findings.add(label, fact, 'put `@weight("?")` before the rule to infer that both are equal.', statement=rule)
    if isinstance(sure, t.Constant) and not _is_between(sure.value, 0, 1):
        fix = "after `@` stands how probable the label is: 0.9."
        findings.add(sure, "A probability lies between 0 and 1.", fix, statement=rule)


def _is_between(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _check_inference(rule: t.Inference, findings: Findings) -> None:
    least = 1 if rule.function == "is_true" else 2
    if len(rule.literals) < least or (rule.function == "is_true" and len(rule.literals) > 1):
        fact = f"A rule of the kind '{rule.function}' can't have {len(rule.literals)} relations in its head."
        findings.add(rule, fact, "is_true joins one, all others two or more.", statement=rule)
    constants = [w for w in rule.weights if isinstance(w, t.Constant)]
    if len(constants) > 1:
        fix = "@weight takes one number, one text, or variables: one weight is learned for each of their values."
        findings.add(constants[1], "@weight has more than one constant.", fix, statement=rule)
    if rule.fixed_weight is not None and not math.isfinite(rule.fixed_weight):
        findings.add(rule, "A fixed weight is a finite number.", "10 is as good as certain.", statement=rule)
    if rule.semantics not in ("linear", "ratio", "logical"):
        near = nearest(rule.semantics, ["linear", "ratio", "logical"])
        findings.add(rule, f"There is no semantics {quoted(rule.semantics)}.", near, statement=rule)


# Names of rules, terms of queries ------------------------------------------------------------------------------------


def _inferences(program: t.Program) -> list[t.Inference]:
    return [rule for rule in program.rules if isinstance(rule, t.Inference)]


def _refuse_repeated_names(program: t.Program, findings: Findings) -> None:
    times = Counter(rule.name for rule in _inferences(program) if rule.name is not None)
    seen: set[str] = set()
    for rule in _inferences(program):
        if rule.name in seen:
            fact = f"The name {quoted(rule.name)} belongs to {times[rule.name]} rules."
            findings.add(rule, fact, "give each inference rule a @name of its own.", statement=rule)
        seen |= {rule.name} if rule.name is not None else set()


def _with_names(program: t.Program) -> t.Program:
    taken = {rule.name for rule in _inferences(program)}
    times: Counter[str] = Counter()

    def named(statement: t.Statement) -> t.Statement:
        if not isinstance(statement, t.Inference) or statement.name is not None:
            return statement
        plain = name = _plain_name(statement)
        while name in taken:
            times[plain] += 1
            name = f"{plain}_{times[plain] + 1}"
        taken.add(name)
        return replace(statement, name=name)

    return replace(program, statements=tuple(named(s) for s in program.statements))


def _plain_name(rule: t.Inference) -> str:
    heads = ["not_" * literal.negated + literal.atom.relation for literal in rule.literals]
    return "_".join(["inf", rule.function.replace("_", ""), *heads])


def _with_terms(query: t.Query, findings: Findings) -> t.Query:
    """A query that names no columns shows the variables that all of its bodies bind."""
    if query.terms or not query.bodies:
        if not query.terms:
            findings.add(query, "This query has nothing to show.", "write what to show before `?-`.", statement=query)
        return query
    common = [n for n in bound_by(query.bodies[0]) if all(n in bound_by(body) for body in query.bodies)]
    if not common:
        fact = "This query has nothing to show: its alternatives have no variable in common."
        if len(query.bodies) == 1:
            fact = "This query has nothing to show: its relations have no variable."
        findings.add(query, fact, "write what to show before `?-`.", statement=query)
    return replace(query, terms=tuple((t.Name(name), None) for name in common))
