"""Expressions, conditions and bodies, made of what the grammar found: numbers, strings and calls get their meaning.

Inside `parse`, under `reading.py`, which makes the statements around them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any as Found  # trees of the grammar, whose children are of many kinds
from typing import Literal as OneOf
from typing import NoReturn, cast

from lark import Token, Tree

from consilience.kb.language import tree as t
from consilience.kb.language.trouble import Source, Trouble, program_error, quoted

DEPTH = 120  # nested constructs; later steps walk the tree by recursion
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")


class ExpressionReader:
    """Makes bodies and expressions of what the grammar found in one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._expressions: dict[str, Callable[[Found], t.Expression]] = {
            "string": self._string,
            "number": self._number,
            "true": lambda f: t.Constant(True, place(f)),
            "false": lambda f: t.Constant(False, place(f)),
            "null": lambda f: t.Constant(None, place(f)),
            "anything": lambda f: t.Anything(place(f)),
            "name": lambda f: t.Name(str(f.children[0]), place(f)),
            "call": self._call,
            "paren": lambda f: self.expression(f.children[0]),
            "bracket": lambda f: self.expression(f.children[0]),
            "choice": self._choice,
            "element_of": lambda f: t.Element(self.expression(f.children[0]), self.expression(f.children[1]), place(f)),
            "cast_to": lambda f: t.Cast(self.expression(f.children[0]), type_text(f.children[1]), place(f)),
            "minus": lambda f: t.Operation("-", t.Constant(0), self.expression(f.children[1]), place(f)),
            "binary": self._binary,
            "not_": lambda f: t.Not(self.expression(f.children[1]), place(f)),
            "all_": lambda f: t.All(self.each(f), place(f)),
            "any_": lambda f: t.Any(self.each(f), place(f)),
        }

    # Bodies and expressions

    def bodies(self, found: Found) -> tuple[t.Body, ...]:
        """Alternative bodies; none for a lone TRUE (as a condition it is written `[TRUE]`)."""
        if len(found.children) == 1 and [part.data for part in found.children[0].children] == ["true"]:
            return ()
        return tuple(tuple(self._part(part) for part in body.children) for body in found.children)

    def _part(self, found: Found) -> t.Part:
        if found.data == "call":
            return self.atom(found)
        if found.data != "quantified":
            return self.expression(found)
        kind = str(found.children[-2]).lower()
        if kind == "exists" and found.children[0] is not None:
            kind = "not exists"
        parts = tuple(self._part(part) for part in found.children[-1].children)
        return t.Quantified(cast(OneOf["exists", "not exists", "optional", "all"], kind), parts, place(found))

    def atom(self, found: Found) -> t.Atom:
        """A relation with its arguments."""
        name, arguments = found.children
        return t.Atom(str(name), self.arguments(arguments), place(found))

    def arguments(self, found: Found | None) -> tuple[t.Expression, ...]:
        """The expressions in parentheses, perhaps none."""
        return self.each(found) if found is not None else ()

    def each(self, found: Found) -> tuple[t.Expression, ...]:
        """The expressions of all children."""
        return tuple(self.expression(child) for child in found.children)

    def expression(self, found: Found) -> t.Expression:
        """The expression or condition of what was found."""
        return self._expressions[found.data](found)

    def _call(self, found: Found) -> t.Call:
        name, arguments = found.children
        return call_of(str(name), self.arguments(arguments), place(found))

    def _binary(self, found: Found) -> t.Operation:
        left, sign, right = found.children
        words = sign.children if isinstance(sign, Tree) else [sign]
        operator = " ".join(map(str, words))
        return t.Operation(operator, self.expression(left), self.expression(right), place(found))

    def _choice(self, found: Found) -> t.Choice:
        *cases, otherwise = found.children
        pairs = tuple((self.expression(case.children[0]), self.expression(case.children[1])) for case in cases)
        return t.Choice(pairs, self.expression(otherwise) if otherwise is not None else None, place(found))

    def _number(self, found: Found) -> t.Constant:
        minus, digits = found.children
        sign = -1 if minus is not None else 1
        if digits.type == "INT":
            return t.Constant(sign * self.whole(digits), place(found))
        value = sign * float(digits)
        if math.isinf(value):
            self.stop(digits, "This number is too large.", "numbers with a point reach 1.7e308.")
        return t.Constant(value, place(found))

    def whole(self, digits: Token) -> int:
        """The number of a row of digits."""
        if len(digits) > 38:
            self.stop(digits, "This number has too many digits.", "whole numbers have at most 38; or write it as text.")
        return int(digits)

    def _string(self, found: Found) -> t.Constant:
        return t.Constant(self.text(found.children[0]), place(found))

    def text(self, token: Token) -> str:
        """What a string means, without its quotes and escapes."""
        inside = token[1:-1]
        if "\\" not in inside:
            return str(inside)

        def meaning(match: re.Match[str]) -> str:
            escape = match[1]
            if len(escape) > 1 and escape != "u0000":
                return chr(int(escape[1:], 16))
            if escape not in _ESCAPES:
                at = self.source.place_of((token.start_pos or 0) + 1 + match.start())
                self.stop_at(
                    at, f"There is no escape {quoted(match[0])}.", 'write \\\\ for a backslash, \\" for a quote.'
                )
            return _ESCAPES[escape]

        text = _ESCAPE.sub(meaning, inside)
        try:  # halves of a pair, each written \uXXXX, are one character
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.stop(token, "A \\u escape of this string is half a character.", "write the character itself.")

    # Trouble

    def stop(self, where: Found | t.Annotation, fact: str, fix: str) -> NoReturn:
        """Raise the ProgramError that says a fact and a fix at a place."""
        self.stop_at(place(where), fact, fix)

    def stop_at(self, where: t.Place, fact: str, fix: str) -> NoReturn:
        """Raise the ProgramError that says a fact and a fix at a place."""
        raise program_error([Trouble(where, fact, fix)], self.source) from None

    def refuse_depth(self, found: Found) -> None:
        """Raise at the first construct that stands too deep, before anything walks there."""
        level = [found]
        for _ in range(DEPTH):
            level = [child for node in level for child in node.children if isinstance(child, Tree)]
            if not level:
                return
        self.stop(
            level[0],
            f"This is nested more than {DEPTH} deep.",
            "divide the expression: derive a relation with a part of it first.",
        )


def place(found: Found | t.Annotation) -> t.Place:
    """Where something begins."""
    if isinstance(found, t.Annotation):
        return found.place
    where = found.meta if isinstance(found, Tree) else found
    return t.Place(where.line or 0, where.column or 0)


def type_text(found: Found) -> str:
    """The type as it is kept: words with one space between, sizes, then `[]` for arrays."""
    parts: dict[str, list[str]] = {"NAME": [], "INT": [], "ARRAY": []}
    for token in found.children:
        if token is not None:
            parts[token.type].append(str(token))
    sizes = f"({','.join(parts['INT'])})" if parts["INT"] else ""
    return " ".join(parts["NAME"]) + sizes + "[]" * len(parts["ARRAY"])


def call_of(function: str, arguments: tuple[t.Expression, ...], where: t.Place = t.NOWHERE) -> t.Call:
    """A call; aggregates, which may be written in any case, are kept in capitals."""
    call = t.Call(function, arguments, where)
    return t.Call(function.upper(), arguments, where) if call.is_aggregate else call


def weights_of(values: tuple[t.Expression, ...]) -> tuple[t.Expression, ...]:
    """What weights are tied by: nothing for a lone constant that is no number (`@weight("?")`)."""
    if len(values) == 1 and isinstance(values[0], t.Constant):
        value = values[0].value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return ()
    return values
