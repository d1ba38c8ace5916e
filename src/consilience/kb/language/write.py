"""A tree becomes text again: the same tree always the same text, which parses to the same tree.

For messages about programs made in Python, for `consilience kb compile`, and for fingerprints, by which a rule that
changed is told from one that was only moved or had its variables renamed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from consilience.errors import ProgramError
from consilience.kb.language import tree as t
from consilience.kb.language.walk import changed

WIDTH = 100  # columns of a declaration, and bodies, that are longer get a line each
_SYMBOL = {"imply": " => ", "and": " ^ ", "or": " v ", "equal": " = "}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}

# How tightly an expression holds together; where something tighter is needed it gets parentheses.
CONDITION, JOINED, SUM, PRODUCT, CAST, PRIMARY = range(6)
_TIGHTNESS = {"||": JOINED, "&": JOINED, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT}


def write(node: t.Program | t.Statement | t.Query) -> str:
    """The text of a program, statement or query.

    Relations that `check` added, whose types nobody wrote, are left out. Linear in the tree.

    raises: ProgramError for a number that no text can say (infinite, not a number).

    >>> from consilience.kb.language import parse
    >>> print(write(parse("P( x )  :-R(x,_) ,[x>1;x=0].  # a comment")))
    P(x) :- R(x, _), [x > 1; x = 0].
    """
    if isinstance(node, t.Program):
        return "\n\n".join(write(s) for s in node.statements if not _is_implicit(s))
    if isinstance(node, t.Query):
        return "\n\n".join([*map(write, node.rules), _query(node)])
    notes = "".join(f"{_annotation(note)}\n" for note in _notes(node))
    return notes + _core(node) + "."


def fingerprint(statement: t.Statement) -> str:
    """32 hexadecimal digits that change when a statement's meaning does.

    They do not change with its place, with comments, with the names of its variables, or with the name of a rule.

    >>> from consilience.kb.language import parse
    >>> one, other = parse("P(x) :- R(x, y).  P(a) :- R(a,b).  # renamed").statements
    >>> fingerprint(one) == fingerprint(other)
    True
    """
    if isinstance(statement, t.Inference):
        statement = replace(statement, name=None)
    numbers: dict[str, str] = {}
    renamed = changed(statement, lambda name: t.Name(numbers.setdefault(name.name, f"v{len(numbers) + 1}")))
    return hashlib.blake2b(write(renamed).encode(), digest_size=16).hexdigest()


def _is_implicit(statement: t.Statement) -> bool:
    return isinstance(statement, t.Relation) and any(not column.type for column in statement.columns)


# Statements ----------------------------------------------------------------------------------------------------------


def _notes(node: t.Statement) -> Iterable[t.Annotation]:
    """Annotations of a statement, with those that a tree holds in fields of their own."""
    if isinstance(node, t.Inference):
        if node.name is not None:
            yield t.Annotation("name", (("", t.Constant(node.name)),))
        weights = node.weights or (t.Constant("?"),)
        yield t.Annotation("weight", tuple(("", weight) for weight in weights))
        if node.feature_value is not None:
            yield t.Annotation("feature_value", (("", node.feature_value),))
        if node.semantics != "ratio":
            yield t.Annotation("semantics", (("", t.Constant(node.semantics)),))
    yield from node.annotations


def _core(node: t.Statement) -> str:
    match node:
        case t.Relation():
            return f"{node.name}{'?' * node.is_variable}({_columns(node.columns)})"
        case t.Function():
            handles = "" if node.style == "python" else f" handles {node.style} lines"
            return (
                f"function {node.name} over {_rows(node.inputs)} returns {_rows(node.outputs)}\n"
                f"    implementation {_string(node.implementation)}{handles}"
            )
        case t.Derivation():
            return _atom(node.head) + _arrow(node) + _bodies(node.bodies)
        case t.FunctionCall():
            call = _atom(t.Atom(node.function, node.arguments))
            return f"{node.relation} += {call}{_arrow(node)}{_bodies(node.bodies)}"
        case t.Supervision():
            sure = "" if node.probability is None else f" @ {expression(node.probability)}"
            return f"{_atom(node.head)} = {expression(node.label)}{sure} :-{_bodies(node.bodies)}"
        case t.Inference():
            return f"{_head(node)} :-{_bodies(node.bodies)}"


def _head(node: t.Inference) -> str:
    literals = ["!" * literal.negated + _atom(literal.atom) for literal in node.literals]
    if node.function == "imply":
        return ", ".join(literals[:-1]) + " => " + literals[-1]
    return _SYMBOL.get(node.function, "").join(literals)


def _columns(columns: Sequence[t.Column]) -> str:
    written = ["".join(f"{_annotation(a)} " for a in c.annotations) + f"{c.name} {c.type}" for c in columns]
    line = ", ".join(written)
    return line if len(line) <= WIDTH else "\n    " + ",\n    ".join(written) + "\n"


def _rows(rows: tuple[t.Column, ...] | str) -> str:
    return f"rows like {rows}" if isinstance(rows, str) else f"({_columns(rows)})"


def _annotation(node: t.Annotation) -> str:
    given = ", ".join(f"{name}={expression(e)}" if name else expression(e) for name, e in node.arguments)
    return f"@{node.name}({given})" if given else f"@{node.name}"


def _arrow(node: t.Derivation | t.FunctionCall | t.Query) -> str:
    sign = "?-" if isinstance(node, t.Query) else ":-"
    limit = f" | {node.limit}" if node.limit is not None else ""
    return f"{' *' * node.distinct}{limit} {sign}"


def _query(node: t.Query) -> str:
    terms = ", ".join(_order(node, i) + expression(term) for i, (term, _) in enumerate(node.terms))
    return f"{terms}{_arrow(node)}".lstrip() + _bodies(node.bodies) + "."


def _order(node: t.Query, i: int) -> str:
    way = node.terms[i][1]
    if way is None:
        return ""
    priority = f", priority={node.order.index(i) + 1}" if i in node.order else ""
    return f'@order_by(dir="{way.upper()}"{priority}) '


# Bodies --------------------------------------------------------------------------------------------------------------


def _bodies(bodies: tuple[t.Body, ...]) -> str:
    if not bodies:
        return " TRUE"
    line = "; ".join(", ".join(map(_part, body)) for body in bodies)
    if len(line) <= WIDTH:
        return f" {line}"
    return "\n    " + ";\n    ".join(",\n    ".join(map(_part, body)) for body in bodies)


def _part(part: t.Part) -> str:
    if isinstance(part, t.Atom):
        return _atom(part)
    if isinstance(part, t.Quantified):
        word = "!EXISTS" if part.kind == "not exists" else part.kind.upper()
        return f"{word}[{', '.join(map(_part, part.parts))}]"
    text = expression(part, CONDITION)
    # without brackets a call would be a relation, and a lone TRUE no condition at all
    return f"[{text}]" if isinstance(part, t.Call) or text == "TRUE" else text


def _atom(atom: t.Atom) -> str:
    return f"{atom.relation}({', '.join(map(expression, atom.arguments))})"


# Expressions ---------------------------------------------------------------------------------------------------------


def expression(node: t.Expression, tightness: int = JOINED) -> str:
    """The text of an expression, in parentheses if it holds together less tightly than asked.

    >>> expression(t.Operation("*", t.Operation("+", t.Name("x"), t.Constant(1)), t.Name("y")))
    '(x + 1) * y'
    """
    text, own = _expression(node)
    return text if own >= tightness else f"({text})"


def _expression(node: t.Expression) -> tuple[str, int]:
    """Text and tightness."""
    match node:
        case t.Name():
            return node.name, PRIMARY
        case t.Anything():
            return "_", PRIMARY
        case t.Constant():
            return _constant(node.value), PRIMARY
        case t.Call():
            return f"{node.function}({', '.join(map(expression, node.arguments))})", PRIMARY
        case t.Element():
            return f"{expression(node.array, PRIMARY)}[{expression(node.index)}]", PRIMARY
        case t.Cast():
            return f"{expression(node.value, CAST)} :: {node.type}", CAST
        case t.Operation():
            own = _TIGHTNESS.get(node.operator, CONDITION)
            left, right = (own, own + 1) if own else (JOINED, JOINED)  # a - b - c is (a - b) - c
            return f"{expression(node.left, left)} {node.operator} {expression(node.right, right)}", own
        case t.Not():
            return "!" + expression(node.condition, CONDITION), CONDITION
        case t.All():
            return f"[{', '.join(expression(c, CONDITION) for c in node.conditions)}]", CONDITION
        case t.Any():
            return f"[{'; '.join(expression(c, CONDITION) for c in node.conditions)}]", CONDITION
        case t.Choice():
            return _choice(node), PRIMARY


def _choice(node: t.Choice) -> str:
    cases = [f"if {expression(c, CONDITION)} then {expression(e)}" for c, e in node.cases]
    rest = ""
    if node.otherwise is not None:
        text = expression(node.otherwise)
        # `else if` without parentheses goes on with the same choice
        rest = f" else ({text})" if text.startswith("if ") else f" else {text}"
    return f"{' else '.join(cases)}{rest} end"


def _constant(value: str | int | float | bool | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ProgramError(f"A program can't say the number {value}.\nFix: write NULL, or a number.")
    return repr(value)


def _string(text: str) -> str:
    return '"' + "".join(_character(c) for c in text) + '"'


def _character(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    return c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}"
