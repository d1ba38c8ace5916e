"""Each kind of rule as one query over the tables that grounding keeps.

| rule | columns of its query |
|---|---|
| derivation | those of its relation, `_count` |
| function call | `a0`, `a1`, ... the function's inputs, `_count` |
| supervision, and derivations of variables | those of the relation, `_label`, `_probability`, `_count` |
| inference | `p0`, `v0`, ... position and value of each literal, `t0`, ... what ties its weight, `feature`, `_count` |

Literals stand in the order of the text: the head of an implication is the last.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

from sqlglot import exp

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree
from consilience.kb.sql.bodies import Join, Read, Source, column, current, joined, selected, table
from consilience.kb.sql.expressions import expression
from consilience.kb.sql.schema import (
    COUNT,
    LABEL,
    POSITION,
    PROBABILITY,
    VALUE,
    VALUES,
    VARIABLES,
    Schema,
    at,
    atoms_of,
    data_type,
)

BOOLEAN, DOUBLE, INTEGER = (exp.DataType.build(t) for t in ("boolean", "double", "int"))


def fingerprint(*parts: object) -> str:
    """32 hex digits of what parts of a tree mean; where they stand in the text does not count.

    >>> fingerprint(tree.Name("x", tree.Place(1, 2))) == fingerprint(tree.Name("x"))
    True
    """
    return hashlib.md5(repr(_meaning(parts)).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _meaning(part: object) -> object:
    if dataclasses.is_dataclass(part):
        fields = [f.name for f in dataclasses.fields(part) if f.compare]
        return type(part).__name__, *(_meaning(getattr(part, f)) for f in fields)
    if isinstance(part, (tuple, list)):
        return tuple(_meaning(p) for p in part)
    return part


def rule_name(rule: tree.Inference) -> str:
    """The name of an inference rule: what it is called, else its head and the beginning of its fingerprint.

    >>> rule_name(tree.Inference("is_true", (tree.Literal(tree.Atom("V", ())),), ()))[:2]
    'V#'
    """
    if rule.name:
        return rule.name
    heads = dict.fromkeys(literal.atom.relation for literal in rule.literals)
    return f"{'+'.join(heads)}#{fingerprint(rule)[:6]}"


def rule_atoms(rule: tree.Rule, body: tree.Body) -> list[tree.Atom]:
    """All atoms a query of a rule reads, by their numbers: those of the body, then an inference rule's literals."""
    return atoms_of(body) + ([x.atom for x in rule.literals] if isinstance(rule, tree.Inference) else [])


def union(queries: Sequence[exp.Query]) -> exp.Query:
    """All rows of all queries."""
    made = queries[0]
    for query in queries[1:]:
        made = exp.union(made, query, distinct=False, copy=False)
    return made


def derivation_query(
    schema: Schema, rule: tree.Derivation, read: Read | None = None, bodies: Sequence[tree.Body] | None = None
) -> exp.Query:
    """Rows a derivation adds to its relation: columns, `_count`. Rows may come several times; counts add up."""
    relation = schema.relation(rule.head.relation, rule.head.place)
    names = _matched(rule.head, schema.columns(relation.name))
    kinds = schema.types(relation.name)
    head = list(zip(names, rule.head.arguments, kinds, strict=True))
    chosen = rule.bodies if bodies is None else bodies
    made = union([selected(joined(body, read or current(schema)), head) for body in chosen or ((),)])
    if rule.limit is not None:
        return limited(made, names, rule.limit, each_once=rule.distinct)
    return once(made, names) if rule.distinct else made


def call_query(
    schema: Schema, rule: tree.FunctionCall, read: Read | None = None, bodies: Sequence[tree.Body] | None = None
) -> exp.Query:
    """Inputs of a function, each once, with the number of its derivations."""
    inputs = input_columns(schema, rule)
    if len(inputs) != len(rule.arguments):
        raise ProgramError(
            f"{at(rule.place)}Function {rule.function} takes {len(inputs)} arguments, not {len(rule.arguments)}.\n"
            f"Fix: give it {', '.join(c.name for c in inputs)}."
        )
    names = [f"a{i}" for i in range(len(inputs))]
    head = [(n, e, data_type(c.type, c.place)) for n, e, c in zip(names, rule.arguments, inputs, strict=True)]
    chosen = rule.bodies if bodies is None else bodies
    made = once(union([selected(joined(body, read or current(schema)), head) for body in chosen or ((),)]), names)
    return made if rule.limit is None else limited(made, names, rule.limit, each_once=rule.distinct)


def input_columns(schema: Schema, rule: tree.FunctionCall) -> tuple[tree.Column, ...]:
    """Columns a function takes. raises: ProgramError if it is not declared."""
    return _function_columns(schema, rule, "inputs")


def output_columns(schema: Schema, rule: tree.FunctionCall) -> tuple[tree.Column, ...]:
    """Columns a function gives back."""
    return _function_columns(schema, rule, "outputs")


def _function_columns(schema: Schema, rule: tree.FunctionCall, which: str) -> tuple[tree.Column, ...]:
    functions = schema.program.functions
    if rule.function not in functions:
        raise ProgramError(
            f"{at(rule.place)}There is no function {rule.function!r}.\nFix: {nearest(rule.function, functions)}"
        )
    columns = getattr(functions[rule.function], which)
    found: tuple[tree.Column, ...] = (
        schema.relation(columns, rule.place).columns if isinstance(columns, str) else columns
    )
    return found


def label_query(
    schema: Schema,
    rule: tree.Supervision | tree.Derivation,
    read: Read | None = None,
    bodies: Sequence[tree.Body] | None = None,
) -> exp.Query:
    """Rows in scope of a variable relation with their labels: columns, `_label`, `_probability`, `_count`."""
    columns: tuple[str, ...] = schema.columns(rule.head.relation)
    if isinstance(rule, tree.Derivation):
        derived = derivation_query(schema, rule, read, bodies).subquery("d")
        extra = [
            exp.alias_(exp.cast(exp.null(), t), n, quoted=True) for n, t in ((LABEL, BOOLEAN), (PROBABILITY, DOUBLE))
        ]
        return exp.select(*(column(n, "d") for n in columns), *extra, column(COUNT, "d")).from_(derived)
    _matched(rule.head, columns)
    head: list[tuple[str, tree.Expression, exp.DataType | None]] = list(
        zip(columns, rule.head.arguments, schema.types(rule.head.relation), strict=True)
    )
    probability, label = rule.probability, rule.label
    if probability is None:
        probability = tree.Constant(None)
    else:  # a label that is sure to an unknown degree says nothing
        known = tree.Operation("IS NOT", probability, tree.Constant(None))
        label = tree.Choice(((known, label),))
    head += [(LABEL, label, BOOLEAN), (PROBABILITY, probability, DOUBLE)]
    chosen = rule.bodies if bodies is None else bodies
    made = []
    for body in chosen or ((),):
        made.append(selected(joined(body, read or current(schema)), head))
    return union(made)


def literal_source(schema: Schema, atom: tree.Atom) -> Source:
    """Where a literal finds its variable: the table of variables, or of the values of categorical ones."""
    relation = schema.relation(atom.relation, atom.place)
    if not relation.is_variable:
        raise ProgramError(
            f"{at(atom.place)}{atom.relation} is in the head of an inference rule, but holds no random variables.\n"
            f"Fix: declare it as {atom.relation}?(...)."
        )
    within = VALUES if relation.categories else VARIABLES
    return Source(table(relation.name, within), schema.columns(relation.name), schema.types(relation.name), False)


def tie_expressions(rule: tree.Inference) -> tuple[tree.Expression, ...]:
    """What ties the weights of a rule; nothing for a fixed weight or one learned weight, whatever text it bears."""
    return () if all(isinstance(w, tree.Constant) for w in rule.weights) else rule.weights


def grounding_query(
    schema: Schema,
    rule: tree.Inference,
    read: Read | None = None,
    read_literal: Callable[[int, tree.Atom], Source] | None = None,
    bodies: Sequence[tree.Body] | None = None,
) -> exp.Query:
    """Groundings of an inference rule, not yet counted together.

    read, read_literal: what body atoms and literals read; literals are numbered behind the atoms of the body.
    A literal's source has, beside the relation's columns, `_position`, and `_value` if its variables are categorical.
    """
    of_literal = read_literal or (lambda _, atom: literal_source(schema, atom))
    chosen = rule.bodies if bodies is None else bodies
    return union([_grounding(schema, rule, body, read or current(schema), of_literal) for body in chosen or ((),)])


def _grounding(
    schema: Schema,
    rule: tree.Inference,
    body: tree.Body,
    read: Read,
    read_literal: Callable[[int, tree.Atom], Source],
) -> exp.Query:
    join = Join(read)
    first = len(atoms_of(body))
    columns: list[exp.Expr] = []
    for i, literal in enumerate(rule.literals):
        source = read_literal(first + i, literal.atom)
        alias = join.add_atom(first + i, literal.atom, source)
        columns.append(exp.alias_(column(POSITION, alias), f"p{i}", quoted=True))
        if schema.relation(literal.atom.relation).categories:
            if literal.negated:
                raise ProgramError(
                    f"{at(literal.atom.place)}A literal of the categorical relation {literal.atom.relation} is negated."
                    "\nFix: say which category it is, or let the weight be negative."
                )
            value: exp.Expr = column(VALUE, alias)
        else:
            value = exp.cast(exp.Literal.number(0 if literal.negated else 1), INTEGER)
        columns.append(exp.alias_(value, f"v{i}", quoted=True))
    join.add_body(body)
    for i, tie in enumerate(tie_expressions(rule)):
        columns.append(exp.alias_(expression(tie, join.given), f"t{i}", quoted=True))
    worth = rule.feature_value if rule.feature_value is not None else tree.Constant(1.0)
    feature = exp.cast(expression(worth, join.given), DOUBLE)
    columns.append(exp.alias_(feature, "feature", quoted=True))
    count = join.count or exp.Literal.number(1)
    if rule.feature_value is not None:  # a feature without a value is no factor
        join.conditions.append(exp.not_(exp.paren(exp.Is(this=feature.copy(), expression=exp.null()))))
    return join.finished().select(*columns, exp.alias_(exp.cast(count, "bigint"), COUNT, quoted=True))


def _matched(head: tree.Atom, columns: tuple[str, ...]) -> tuple[str, ...]:
    if len(head.arguments) != len(columns):
        raise ProgramError(
            f"{at(head.place)}{head.relation} has {len(columns)} columns, not {len(head.arguments)}.\n"
            f"Fix: its columns are {', '.join(columns)}."
        )
    return columns


def once(query: exp.Query, names: Sequence[str]) -> exp.Select:
    """Each row of a query once, with the sum of its counts."""
    inner = query.subquery("q")
    keys = [column(n, "q") for n in names]
    total = exp.alias_(exp.cast(exp.Sum(this=column(COUNT, "q")), "bigint"), COUNT, quoted=True)
    made = exp.select(*keys, total).from_(inner)
    return made.group_by(*(k.copy() for k in keys)) if keys else made


def limited(query: exp.Query, names: Sequence[str], limit: int, *, each_once: bool = False) -> exp.Select:
    """The first rows of a bag in the order of their values, NULL last; a row of count 3 is three rows, or one."""
    grouped = once(query, names).subquery("g")
    order = exp.Order(
        expressions=[exp.Ordered(this=column(n, "g"), desc=False, nulls_first=False) for n in names]
        or [exp.Ordered(this=exp.Literal.number(1))]
    )
    until = exp.Window(this=exp.RowNumber() if each_once else exp.Sum(this=column(COUNT, "g")), order=order)
    counted = exp.select(*(column(n, "g") for n in names), column(COUNT, "g"))
    counted = counted.select(exp.alias_(until, "until", quoted=True)).from_(grouped)
    if each_once:
        first = exp.LTE(this=column("until", "l"), expression=exp.Literal.number(limit))
        return exp.select(*(column(n, "l") for n in (*names, COUNT))).from_(counted.subquery("l")).where(first)
    before = exp.Sub(this=column("until", "l"), expression=column(COUNT, "l"))
    left = exp.Least(
        this=column(COUNT, "l"),
        expressions=[exp.Sub(this=exp.Literal.number(limit), expression=exp.paren(before))],
    )
    return (
        exp.select(*(column(n, "l") for n in names), exp.alias_(exp.cast(left, "bigint"), COUNT, quoted=True))
        .from_(counted.subquery("l"))
        .where(exp.LT(this=before.copy(), expression=exp.Literal.number(limit)))
    )
