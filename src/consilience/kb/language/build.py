"""The same program in Python: relations are called, operators make heads and conditions, `rule` makes statements.

Beside `parse`: what is built here equals, tree for tree, what the text would have become. `terms.py` has the operators.

    person = relation("person", id="bigint", name="text")
    smokes = relation("smokes", id="bigint", random=True)
    cancer = relation("cancer", id="bigint", random=True)
    (p,) = names("p")
    program(
        person, smokes, cancer,
        rule(smokes(p), person(p, ...)),
        rule(smokes(p) >> cancer(p), person(p, ...), weight=0.5),
    )
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import cast

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree as t
from consilience.kb.language.declare import Filled, FunctionOf, RelationOf, annotation, column, function, relation
from consilience.kb.language.expressions import weights_of
from consilience.kb.language.terms import (
    Condition,
    Head,
    Quantifier,
    Row,
    Term,
    Value,
    body,
    checked_name,
    expression,
    sql_call,
)

__all__ = [
    "all_of",
    "annotation",
    "array_agg",
    "asc",
    "avg",
    "call",
    "case",
    "column",
    "concat",
    "count",
    "desc",
    "either",
    "exists",
    "function",
    "max",
    "min",
    "names",
    "optional",
    "program",
    "query",
    "relation",
    "rule",
    "sum",
    "weight",
]

_SEMANTICS = ("linear", "ratio", "logical")
_UNSAID = object()


# Values and conditions -----------------------------------------------------------------------------------------------


def names(text: str) -> tuple[Term, ...]:
    """Variables of rules, by their names.

    >>> p, q = names("p q")
    >>> (p + 1 < q) & (q != 5)
    [p + 1 < q, q != 5]
    """
    return tuple(Term(t.Name(checked_name(word))) for word in text.replace(",", " ").split())


def call(function: str, /, *arguments: Value) -> Term:
    """A function of SQL: `call("lower", x)`."""
    return sql_call(function, *arguments)


def concat(first: Value, *more: Value) -> Term:
    """Texts one after the other: `x || y`."""
    joined = expression(first)
    for value in more:
        joined = t.Operation("||", joined, expression(value))
    return Term(joined)


def case(*cases: tuple[Condition, Value], otherwise: Value = _UNSAID) -> Term:
    """The value beside the first condition that holds; without `otherwise` the rest is NULL.

    >>> (votes,) = names("votes")
    >>> case((votes > 0, True), (votes < 0, False), otherwise=None)
    if votes > 0 then TRUE else if votes < 0 then FALSE else NULL end
    """
    if not cases:
        raise ProgramError("A case needs a condition and a value.\nFix: write case((x > 0, True)).")
    pairs = tuple((expression(condition), expression(value)) for condition, value in cases)
    return Term(t.Choice(pairs, None if otherwise is _UNSAID else expression(otherwise)))


def count(value: Value) -> Term:
    """How many rows of a group have a value."""
    return sql_call("COUNT", value)


def sum(value: Value) -> Term:
    """The sum over a group of rows."""
    return sql_call("SUM", value)


def max(value: Value) -> Term:
    """The largest of a group of rows."""
    return sql_call("MAX", value)


def min(value: Value) -> Term:
    """The smallest of a group of rows."""
    return sql_call("MIN", value)


def avg(value: Value) -> Term:
    """The mean over a group of rows."""
    return sql_call("AVG", value)


def array_agg(value: Value) -> Term:
    """All values of a group of rows as an array."""
    return sql_call("ARRAY_AGG", value)


# Bodies --------------------------------------------------------------------------------------------------------------


def exists(*parts: Value) -> Quantifier:
    """Holds where there is such a row; `~exists(...)` where there is none. Variables of its own stay inside."""
    return Quantifier(t.Quantified("exists", body(parts)))


def optional(*parts: Value) -> Quantifier:
    """A relation that may have no row; its variables are NULL then."""
    return Quantifier(t.Quantified("optional", body(parts)))


def all_of(*parts: Value) -> Quantifier:
    """Holds where every row of the relation keeps the conditions."""
    return Quantifier(t.Quantified("all", body(parts)))


@dataclass(frozen=True, eq=False)
class Alternatives:
    """Bodies of which any may hold. Made by `either`."""

    bodies: tuple[t.Body, ...]


def either(*bodies: Value | Iterable[Value]) -> Alternatives:
    """Alternative bodies, `body; body` in text; each is one part or a list of parts."""
    return Alternatives(tuple(body(tuple(b) if isinstance(b, (list, tuple)) else (b,)) for b in bodies))


def _bodies(parts: tuple[Value, ...]) -> tuple[t.Body, ...]:
    if len(parts) == 1 and isinstance(parts[0], Alternatives):
        return parts[0].bodies
    if any(isinstance(p, Alternatives) for p in parts):
        raise ProgramError("either(...) stands alone.\nFix: repeat in each alternative what they have in common.")
    return (body(parts),) if parts else ()


# Rules ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Weight:
    """What weights are tied by. Made by `weight`."""

    values: tuple[t.Expression, ...]


def weight(*values: Value) -> Weight:
    """As `@weight(...)`: a number is fixed, `"?"` is one learned weight, variables have one for each of their values.

    >>> f, g = names("f g")
    >>> [len(weight(*values).values) for values in [("?",), (3.0,), (f, g)]]
    [0, 1, 2]
    """
    if not values:
        raise ProgramError('weight() takes a value.\nFix: write weight("?"), weight(3.0) or weight(x).')
    return Weight(weights_of(tuple(map(expression, values))))


def rule(
    head: Row | Head | Filled,
    *parts: Value,
    weight: Value | tuple[Value, ...] | Weight = _UNSAID,
    name: str | None = None,
    feature_value: Value = _UNSAID,
    semantics: OneOf["linear", "ratio", "logical"] = "ratio",
    label: Value = _UNSAID,
    probability: Value = _UNSAID,
    distinct: bool = False,
    limit: int | None = None,
    annotations: Iterable[t.Annotation] = (),
) -> t.Rule:
    """A rule: with a weight it infers, with a label it labels, else it derives rows of its head.

    head: `r(x)`; `r << f(x)` for rows that a function makes; with a weight also `~r(x)`, `a >> b`, `a & b` and so on.
    parts: what must hold: relations, conditions, exists(...), or one either(...); none for `:- TRUE`.
    label, probability: True, False, None (in scope, not known) or a case; how probable it is that the label is right.
    raises: ProgramError for what no text could say; `check` finds the rest.

    >>> from consilience.kb.language.write import write
    >>> smokes = relation("smokes", id="bigint", random=True)
    >>> knows = relation("knows", a="bigint", b="bigint")
    >>> p, q = names("p q")
    >>> print(write(rule(smokes(p) >> smokes(q), knows(p, q), p != q, weight=0.4, name="peers")))
    @name("peers")
    @weight(0.4)
    smokes(p) => smokes(q) :- knows(p, q), p != q.
    """
    bodies, notes = _bodies(parts), tuple(annotations)
    infers, labels = weight is not _UNSAID, label is not _UNSAID
    if infers and labels:
        raise ProgramError("A rule either infers (weight) or labels (label).\nFix: write two rules.")
    if not infers and (feature_value is not _UNSAID or semantics != "ratio"):
        raise ProgramError('feature_value and semantics belong to a rule with a weight.\nFix: give weight="?".')
    if not labels and probability is not _UNSAID:
        raise ProgramError("A probability is that of a label.\nFix: give label=True too.")
    if (infers or labels) and (distinct or limit is not None):
        raise ProgramError("Only derivations are distinct or limited.\nFix: derive a relation with them first.")
    if infers:
        tied = weight if isinstance(weight, Weight) else _weight_of(weight)
        value = None if feature_value is _UNSAID else expression(feature_value)
        return _inference(head, bodies, tied.values, name, value, semantics, notes)
    if name is not None:
        notes = (annotation("name", name), *notes)
    if isinstance(head, Filled):
        if labels:
            raise ProgramError("Rows that a function makes can't be labelled here.\nFix: label them in another rule.")
        made = head.made
        return t.FunctionCall(head.relation, made.function, made.arguments, bodies, distinct, limit, notes)
    atom = _single(head)
    if labels:
        sure = None if probability is _UNSAID else expression(probability)
        return t.Supervision(atom, expression(label), sure, bodies, notes)
    return t.Derivation(atom, bodies, distinct, limit, notes)


def _weight_of(value: Value | tuple[Value, ...]) -> Weight:
    return weight(*value) if isinstance(value, (tuple, list)) else weight(value)


def _inference(
    head: Row | Head | Filled,
    bodies: tuple[t.Body, ...],
    weights: tuple[t.Expression, ...],
    name: str | None,
    feature_value: t.Expression | None,
    semantics: OneOf["linear", "ratio", "logical"],
    notes: tuple[t.Annotation, ...],
) -> t.Inference:
    if isinstance(head, Filled):
        raise ProgramError("Rows that a function makes have no weight.\nFix: infer from them in another rule.")
    if semantics not in _SEMANTICS:
        raise ProgramError(f"There is no semantics {semantics!r}.\nFix: {nearest(semantics, _SEMANTICS)}")
    if name is not None and not (isinstance(name, str) and name):
        raise ProgramError(f"{name!r} is no name of a rule.\nFix: write a text, or leave it out.")
    said = head.head if isinstance(head, Row) else head
    return t.Inference(said.function, said.literals, bodies, weights, name, feature_value, semantics, notes)


def _single(head: Row | Head) -> t.Atom:
    if isinstance(head, Row) and not head.negated:
        return head.atom
    raise ProgramError(
        "This head belongs to an inference rule, and a weight is missing.\n"
        'Fix: give weight="?" (learned), weight=x (one for each x) or weight=3.0.'
    )


# Programs and queries ------------------------------------------------------------------------------------------------


def program(*statements: RelationOf | FunctionOf | t.Statement) -> t.Program:
    """A program of relations, functions and rules."""
    trees = [s.tree if isinstance(s, (RelationOf, FunctionOf)) else s for s in statements]
    for tree in trees:
        if tree is not None and not isinstance(tree, t.Statement):
            raise ProgramError(
                f"{type(tree).__name__} is no statement.\nFix: pass relations, functions and rule(...)s."
            )
    return t.Program(tuple(tree for tree in trees if tree is not None))


@dataclass(frozen=True, eq=False)
class Ordered:
    """A term to sort by. Made by `asc` and `desc`."""

    term: t.Expression
    way: OneOf["asc", "desc"]
    priority: int | None


def asc(value: Value, priority: int | None = None) -> Ordered:
    """Show a value, and sort by it; the smallest priority is sorted by first, by default its place from 1."""
    return Ordered(expression(value), "asc", priority)


def desc(value: Value, priority: int | None = None) -> Ordered:
    """Show a value, and sort by it, the largest first."""
    return Ordered(expression(value), "desc", priority)


def query(
    *parts: Value,
    show: Iterable[Value | Ordered] = (),
    distinct: bool = False,
    limit: int | None = None,
    rules: Iterable[t.Rule] = (),
) -> t.Query:
    """What to show of which rows; without `show` every variable of the body.

    >>> from consilience.kb.language.write import write
    >>> person, (p, n) = relation("person", id="bigint", name="text"), names("p n")
    >>> write(query(person(p, n), p > 3, show=[n, desc(p)], limit=10))
    'n, @order_by(dir="DESC") p | 10 ?- person(p, n), p > 3.'
    """
    shown = [s if isinstance(s, Ordered) else expression(s) for s in show]
    terms = tuple((s.term, s.way) if isinstance(s, Ordered) else (s, None) for s in shown)
    ordered = [(i + 1 if s.priority is None else s.priority, i) for i, s in enumerate(shown) if isinstance(s, Ordered)]
    order = tuple(i for _, i in sorted(ordered))
    derivations = tuple(rules)
    if not all(isinstance(r, t.Derivation) for r in derivations):
        raise ProgramError("Rules of a query derive.\nFix: put rules that label or infer into the program.")
    return t.Query(
        terms,
        _bodies(parts),
        distinct,
        limit,
        cast("tuple[t.Derivation, ...]", derivations),
        order=() if order == tuple(i for _, i in ordered) else order,
    )
