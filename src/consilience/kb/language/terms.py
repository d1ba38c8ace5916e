"""What a program made in Python is written with: variables and relations whose operators make parts of a tree.

Under `build.py`. Trees compare by `==`, so operators live on these objects, each of which holds the tree it stands for.
"""

from __future__ import annotations

import math
import re
from functools import cache
from types import EllipsisType
from typing import Any as Anything
from typing import Literal as OneOf
from typing import NoReturn

from consilience.errors import ProgramError
from consilience.kb.language import tree as t
from consilience.kb.language.expressions import call_of

# Words that mean something wherever a name can stand; all others are told apart by where they stand.
RESERVED = frozenset({"if", "TRUE", "FALSE", "NULL", "NOT", "EXISTS", "OPTIONAL", "ALL", "function", "_"})
_NAME = re.compile(r"[^\W\d]\w*")
MOST_DIGITS = 38

Value = Anything  # a Term, a str, int, float, bool or None, or `...` for a column that does not matter


def checked_name(name: str) -> str:
    """The name, if a program can say it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED:
        raise ProgramError(
            f"{name!r} can't be a name.\nFix: use letters, digits and _; not {', '.join(sorted(RESERVED))}."
        )
    return name


def expression(value: Value) -> t.Expression:
    """The tree of a value in Python."""
    if isinstance(value, Term):
        return value.tree
    if isinstance(value, EllipsisType):
        return t.Anything()
    if hasattr(value, "item") and not isinstance(value, (str, int, float)):
        value = value.item()  # a number of numpy
    if value is None or isinstance(value, (bool, int, float, str)):
        return t.Constant(_sayable(value))
    raise ProgramError(
        f"{type(value).__name__} is no value of a program: {value!r:.80}.\n"
        "Fix: use strings, numbers, True, False, None, `...`, or variables made by names(...)."
    )


def _sayable(value: str | int | float | bool | None) -> str | int | float | bool | None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ProgramError(f"A program can't say the number {value}.\nFix: write None, or a number.")
    if isinstance(value, int) and len(str(abs(value))) > MOST_DIGITS:
        raise ProgramError(f"A number has more than {MOST_DIGITS} digits.\nFix: write it as text.")
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ProgramError(f"No database can hold the text {value!r:.80}.\nFix: take NUL and half characters out.")
    return value


@cache
def normal_type(text: str) -> str:
    """The type as the parser would keep it, by asking the parser."""
    from consilience.kb.language.parse import parse

    try:
        (declared,) = parse(f"R(c {text}).").statements
        assert isinstance(declared, t.Relation)
        (found,) = declared.columns
    except (ProgramError, ValueError, AssertionError):
        raise ProgramError(
            f"{text!r} is no type.\nFix: write a type as in 'bigint', 'text[]', 'decimal(10,2)'."
        ) from None
    return found.type


class Built:
    """Anything with operators. It is neither true nor false: what it says is asked of rows, later."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise ProgramError(
            "A part of a rule is neither true nor false before rows are known.\n"
            "Fix: join conditions by & | ~ (not `and`, `or`, `not`), and write `(1 < x) & (x < 5)` for `1 < x < 5`."
        )


class Term(Built):
    """A value in a rule: a variable, or what operators and functions make of it.

    `+ - * / %` and `&` compute; `== != < <= > >=` make conditions; `x[1]` is the first element of an array.
    """

    __slots__ = ("tree",)
    __iter__ = None  # x[1] must not make a Term look like a sequence

    def __init__(self, tree: t.Expression) -> None:
        self.tree = tree

    def __repr__(self) -> str:
        from consilience.kb.language.write import expression as written

        return written(self.tree, 0)

    def __add__(self, other: Value) -> Term:
        return _operation("+", self, other)

    def __radd__(self, other: Value) -> Term:
        return _operation("+", other, self)

    def __sub__(self, other: Value) -> Term:
        return _operation("-", self, other)

    def __rsub__(self, other: Value) -> Term:
        return _operation("-", other, self)

    def __mul__(self, other: Value) -> Term:
        return _operation("*", self, other)

    def __rmul__(self, other: Value) -> Term:
        return _operation("*", other, self)

    def __truediv__(self, other: Value) -> Term:
        return _operation("/", self, other)

    def __rtruediv__(self, other: Value) -> Term:
        return _operation("/", other, self)

    def __mod__(self, other: Value) -> Term:
        return _operation("%", self, other)

    def __neg__(self) -> Term:
        return _operation("-", 0, self)

    def __and__(self, other: Value) -> Term:
        return _both(self, other)

    def __or__(self, other: Value) -> Condition:
        return _several(t.Any, self, other)

    def __invert__(self) -> Condition:
        return Condition(t.Not(self.tree))

    def __eq__(self, other: Value) -> Condition:  # type: ignore[override]
        return _comparison("=", self, other)

    def __ne__(self, other: Value) -> Condition:  # type: ignore[override]
        return _comparison("!=", self, other)

    def __lt__(self, other: Value) -> Condition:
        return _comparison("<", self, other)

    def __le__(self, other: Value) -> Condition:
        return _comparison("<=", self, other)

    def __gt__(self, other: Value) -> Condition:
        return _comparison(">", self, other)

    def __ge__(self, other: Value) -> Condition:
        return _comparison(">=", self, other)

    def __getitem__(self, index: Value) -> Term:
        return Term(t.Element(self.tree, expression(index)))

    def like(self, pattern: Value) -> Condition:
        """Whether a text has a pattern, where `%` is any text and `_` any character."""
        return _comparison("LIKE", self, pattern)

    def is_(self, value: Value) -> Condition:
        """Whether it is a value, where NULL is NULL: `x IS TRUE`."""
        return _comparison("IS", self, value)

    def is_not(self, value: Value) -> Condition:
        """Whether it is not a value: `x IS NOT TRUE`."""
        return _comparison("IS NOT", self, value)

    def is_null(self) -> Condition:
        """Whether there is no value."""
        return self.is_(None)

    def is_not_null(self) -> Condition:
        """Whether there is a value."""
        return self.is_not(None)

    def cast(self, type: str) -> Term:
        """The value as one of another type, such as `text`."""
        return Term(t.Cast(self.tree, normal_type(type)))


class Condition(Term):
    """What holds or not: conditions are joined by `&` and `|`, and turned by `~`."""

    __slots__ = ()


def _operation(operator: str, left: Value, right: Value) -> Term:
    return Term(t.Operation(operator, expression(left), expression(right)))


def _comparison(operator: str, left: Value, right: Value) -> Condition:
    return Condition(t.Operation(operator, expression(left), expression(right)))


def _both(left: Term, right: Value) -> Term:
    if isinstance(left, Condition) or isinstance(right, Condition):
        return _several(t.All, left, right)
    return _operation("&", left, right)


def _several(kind: type[t.All] | type[t.Any], left: Value, right: Value) -> Condition:
    """Conditions side by side: `a & b & c` is one list of three."""
    parts = expression(left), expression(right)
    first = parts[0].conditions if isinstance(parts[0], kind) else parts[:1]
    return Condition(kind((*first, parts[1])))


def sql_call(function: str, *arguments: Value) -> Term:
    """A function of SQL, or an aggregate, of values."""
    return Term(call_of(checked_name(function), tuple(map(expression, arguments))))


# Relations in rules --------------------------------------------------------------------------------------------------


class Row(Built):
    """A relation with something in each of its columns; in the head of an inference rule perhaps negated by `~`."""

    __slots__ = ("atom", "negated")

    def __init__(self, atom: t.Atom, negated: bool = False) -> None:
        self.atom, self.negated = atom, negated

    @property
    def head(self) -> Head:
        """This row alone as a head."""
        return Head("is_true", (t.Literal(self.atom, self.negated),))

    def __invert__(self) -> Row:
        return Row(self.atom, not self.negated)

    def __and__(self, other: Row | Head) -> Head:
        return self.head & other

    def __or__(self, other: Row | Head) -> Head:
        return self.head | other

    def __eq__(self, other: Row | Head) -> Head:  # type: ignore[override]
        return self.head == other

    def __rshift__(self, other: Row | Head) -> Head:
        return self.head >> other


class Head(Built):
    """What an inference rule says of several rows: `a & b`, `a | b`, `a == b`, `a >> b`, `(a & b) >> c`."""

    __slots__ = ("function", "literals")

    def __init__(
        self, function: OneOf["is_true", "imply", "and", "or", "equal"], literals: tuple[t.Literal, ...]
    ) -> None:
        self.function, self.literals = function, literals

    def __and__(self, other: Row | Head) -> Head:
        return self._with("and", other, "is_true", "and")

    def __or__(self, other: Row | Head) -> Head:
        return self._with("or", other, "is_true", "or")

    def __eq__(self, other: Row | Head) -> Head:  # type: ignore[override]
        return self._with("equal", other, "is_true", "equal")

    def __rshift__(self, other: Row | Head) -> Head:
        return self._with("imply", other, "is_true", "and")

    def _with(self, function: OneOf["imply", "and", "or", "equal"], other: Row | Head, *allowed: str) -> Head:
        last = other.head if isinstance(other, Row) else other
        if not isinstance(last, Head) or last.function != "is_true" or self.function not in allowed:
            raise ProgramError(
                f"A head can't join these by '{function}'.\n"
                "Fix: write a & b, a | b, a == b, a >> b or (a & b) >> c, with relations for a, b and c; "
                "`a == b == c` is (a == b) == c."
            )
        return Head(function, self.literals + last.literals)


class Quantifier(Built):
    """`exists(...)`, `optional(...)` or `all_of(...)` in a body; `~exists(...)` holds where there is no such row."""

    __slots__ = ("tree",)

    def __init__(self, tree: t.Quantified) -> None:
        self.tree = tree

    def __invert__(self) -> Quantifier:
        if self.tree.kind not in ("exists", "not exists"):
            raise ProgramError(f"`~` turns exists(...), not {self.tree.kind}.\nFix: turn the conditions in it.")
        kind: OneOf["exists", "not exists"] = "exists" if self.tree.kind == "not exists" else "not exists"
        return Quantifier(t.Quantified(kind, self.tree.parts))


def part(value: Row | Quantifier | Value) -> t.Part:
    """The tree of a part of a body."""
    if isinstance(value, Quantifier):
        return value.tree
    if isinstance(value, Row):
        if value.negated:
            raise ProgramError(
                f"`~` of '{value.atom.relation}' stands in a body.\n"
                "Fix: write ~exists(...) for rows that do not exist; only heads of inference rules are negated."
            )
        return value.atom
    if isinstance(value, Head):
        raise ProgramError("`& | == >>` join relations in heads only.\nFix: pass relations of a body one by one.")
    return expression(value)


def body(parts: tuple[Value, ...]) -> t.Body:
    """The tree of a body."""
    return tuple(map(part, parts))
