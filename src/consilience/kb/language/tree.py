"""The tree of a program: what text and Python calls both become, and what all later steps read.

A program is a list of statements. Statements hold atoms, conditions and expressions. Two trees are equal if they mean
the same text: places are carried along for messages and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from typing import Literal as OneOf

if TYPE_CHECKING:
    from consilience.kb.language.trouble import Source

AGGREGATES = frozenset({"MAX", "MIN", "SUM", "COUNT", "AVG", "ARRAY_AGG", "ARRAY_ACCUM"})  # matched in any case


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the text something began; lines and columns count from 1. What was made in Python stands nowhere."""

    line: int = 0
    column: int = 0


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Name:
    """A variable of a rule: `x`."""

    name: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Anything:
    """The placeholder `_`: a column that does not matter."""

    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A string, number, TRUE, FALSE or NULL; 1, 1.0 and TRUE are three constants."""

    value: str | int | float | bool | None
    place: Place = field(default=NOWHERE, compare=False)

    def __eq__(self, other: object) -> bool:
        # Python holds 1 == 1.0 == True; a program does not.
        return isinstance(other, Constant) and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(repr(self.value))


@dataclass(frozen=True, slots=True)
class Call:
    """A function of SQL or an aggregate: `lower(x)`, `MAX(y)`."""

    function: str
    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def is_aggregate(self) -> bool:
        """Whether the function makes one value of many rows."""
        return self.function.upper() in AGGREGATES


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array, counted from 1: `x[1]`."""

    array: Expression
    index: Expression
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands: || + - * / & %, or a comparison = != < <= > >= LIKE, IS, IS NOT."""

    operator: str
    left: Expression
    right: Expression
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Cast:
    """`x :: text`."""

    value: Expression
    type: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """`if c then e else if c then e else e end`; without `else` the rest is NULL."""

    cases: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None = None
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`!c` of a condition."""

    condition: Expression
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class All:
    """`[c, d]`: every condition holds."""

    conditions: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Any:
    """`[c; d]`: at least one condition holds."""

    conditions: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False)


Expression = Name | Anything | Constant | Call | Element | Operation | Cast | Choice | Not | All | Any


@dataclass(frozen=True, slots=True)
class Atom:
    """A relation with something in each of its columns: `R(x, "a", _)`."""

    relation: str
    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Quantified:
    """`EXISTS[...]`, `!EXISTS[...]`, `OPTIONAL[...]` or `ALL[...]` in a body."""

    kind: OneOf["exists", "not exists", "optional", "all"]
    parts: Body
    place: Place = field(default=NOWHERE, compare=False)


Part = Atom | Quantified | Expression
Body = tuple[Part, ...]  # joined by commas: all must hold


@dataclass(frozen=True, slots=True)
class Annotation:
    """`@name(arguments)`; named arguments carry their names, others the empty string."""

    name: str
    arguments: tuple[tuple[str, Expression], ...] = ()
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation or function: name, type as written (`text`, `int[]`), annotations."""

    name: str
    type: str
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def is_key(self) -> bool:
        """Whether it is annotated @key."""
        return any(a.name.lower() == "key" for a in self.annotations)


@dataclass(frozen=True, slots=True)
class Relation:
    """`R(a int, b text).`, or with `?` a relation of random variables."""

    name: str
    columns: tuple[Column, ...]
    is_variable: bool = False
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that name a variable: those annotated @key, else all."""
        marked = tuple(c.name for c in self.columns if c.is_key)
        return marked or tuple(c.name for c in self.columns)

    @property
    def categories(self) -> tuple[str, ...]:
        """Columns whose values a variable chooses among; empty for Boolean variables and plain relations."""
        return tuple(c.name for c in self.columns if c.name not in self.keys) if self.is_variable else ()


@dataclass(frozen=True, slots=True)
class Function:
    """`function f over (...) returns (...) implementation "..." handles tsj lines.`

    inputs, outputs: columns, or the name of the relation whose rows they are like.
    implementation: a command that speaks lines, or `module:function` for a Python callable (style "python").
    """

    name: str
    inputs: tuple[Column, ...] | str
    outputs: tuple[Column, ...] | str
    implementation: str
    style: OneOf["tsj", "tsv", "python"] = "tsj"
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Derivation:
    """`H(e, ...) :- body; body.`, `*:-` keeps each row once, `| 10` at most ten rows; no bodies for `:- TRUE`."""

    head: Atom
    bodies: tuple[Body, ...]
    distinct: bool = False
    limit: int | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`R += f(e, ...) :- body.`"""

    relation: str
    function: str
    arguments: tuple[Expression, ...]
    bodies: tuple[Body, ...]
    distinct: bool = False
    limit: int | None = None
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Supervision:
    """`V(k) = e @ p :- body.`: e is TRUE, FALSE or NULL; p, if given, is the probability that e is right."""

    head: Atom
    label: Expression
    probability: Expression | None
    bodies: tuple[Body, ...]
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A variable in the head of an inference rule, perhaps negated."""

    atom: Atom
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Inference:
    """`@name("n") @weight(w) P(x), Q(y) => R(z) :- body.`

    function: what joins the literals; the head of an `imply` is its last literal.
    weights: empty for one learned weight (`@weight("?")`), a number for a fixed one, else what weights are tied by.
    bodies: empty for `:- TRUE`.
    """

    function: OneOf["is_true", "imply", "and", "or", "equal"]
    literals: tuple[Literal, ...]
    bodies: tuple[Body, ...]
    weights: tuple[Expression, ...] = ()
    name: str | None = None
    feature_value: Expression | None = None
    semantics: OneOf["linear", "ratio", "logical"] = "ratio"
    annotations: tuple[Annotation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def fixed_weight(self) -> float | None:
        """The number of `@weight(3.0)`; None if the weight is learned."""
        if len(self.weights) == 1 and isinstance(self.weights[0], Constant):
            value = self.weights[0].value
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return float(value)
        return None


Rule = Derivation | FunctionCall | Supervision | Inference
Statement = Relation | Function | Rule


@dataclass(frozen=True, slots=True)
class Query:
    """`@order_by x, y | 20 ?- body.`: what to show, in which order, how many rows.

    terms: (expression, "asc" | "desc" | None) for each column; empty shows every variable of the body.
    rules: derivations that hold for this query alone.
    order: positions of the ordered terms, most important first; empty for their order in the text.
    """

    terms: tuple[tuple[Expression, OneOf["asc", "desc"] | None], ...]
    bodies: tuple[Body, ...]
    distinct: bool = False
    limit: int | None = None
    rules: tuple[Derivation, ...] = ()
    place: Place = field(default=NOWHERE, compare=False)
    order: tuple[int, ...] = ()
    source: Source | None = field(default=None, compare=False, repr=False)

    @property
    def sort_keys(self) -> tuple[tuple[Expression, OneOf["asc", "desc"]], ...]:
        """What to sort by, most important first."""
        ordered = [(term, way) for term, way in self.terms if way is not None]
        by_priority = [self.terms[i] for i in self.order] or ordered
        return tuple((term, way) for term, way in by_priority if way is not None)


@dataclass(frozen=True, slots=True)
class Program:
    """All statements, in the order in which they were written; what they mean does not depend on it.

    source: the text they were read from, for messages; None if made in Python.
    """

    statements: tuple[Statement, ...] = ()
    source: Source | None = field(default=None, compare=False, repr=False)

    @property
    def relations(self) -> dict[str, Relation]:
        """Declared relations by name."""
        return {s.name: s for s in self.statements if isinstance(s, Relation)}

    @property
    def functions(self) -> dict[str, Function]:
        """Declared functions by name."""
        return {s.name: s for s in self.statements if isinstance(s, Function)}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Everything that derives, calls, supervises or infers."""
        return tuple(s for s in self.statements if isinstance(s, (Derivation, FunctionCall, Supervision, Inference)))
