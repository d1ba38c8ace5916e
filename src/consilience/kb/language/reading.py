"""What the grammar found becomes the tree of statements.

Second half of `parse`. Here stand the rules that the grammar alone can't hold: a head with `@weight` infers, one with
`=` or `@label` labels, all others derive.
"""

from __future__ import annotations

from typing import Any as Found  # trees of the grammar, whose children are of many kinds
from typing import Literal as OneOf
from typing import NoReturn, cast

from lark import Tree

from consilience.errors import nearest
from consilience.kb.language import tree as t
from consilience.kb.language.expressions import ExpressionReader, place, type_text, weights_of
from consilience.kb.language.trouble import quoted

_SEMANTICS = ("linear", "ratio", "logical")
_MEANT_FOR_WEIGHTS = ("semantics", "feature_value")


class Reader(ExpressionReader):
    """Makes statements and queries of what the grammar found in one source."""

    # Statements

    def program(self, found: Found) -> t.Program:
        """The program of a `program`."""
        self.refuse_depth(found)
        return t.Program(tuple(self._statement(statement) for statement in _trees(found)), self.source)

    def query(self, found: Found) -> t.Query:
        """The query of a `query`."""
        self.refuse_depth(found)
        *derivations, ask = _trees(found)
        rules = tuple(self._query_rule(derivation) for derivation in derivations)
        terms, arrow, bodies = ask.children
        shown = [self._term(term) for term in terms.children] if terms is not None else []
        distinct, limit = self._arrow(arrow)
        order = self._order(shown)
        columns = tuple((expression, way) for expression, way, _ in shown)
        return t.Query(columns, self.bodies(bodies), distinct, limit, rules, place(ask), order, self.source)

    def _statement(self, found: Found) -> t.Statement:
        annotations = tuple(self._annotation(a) for a in found.children[0].children)
        core = found.children[1]
        kind = {
            "relation": self._relation,
            "function": self._function,
            "call_rule": self._call_rule,
            "rule": self._rule,
        }[core.data]
        return cast(t.Statement, kind(core, annotations))

    def _relation(self, found: Found, annotations: tuple[t.Annotation, ...]) -> t.Relation:
        name, mark, *columns = found.children
        read = tuple(self._column(column) for column in columns)
        return t.Relation(str(name), read, mark is not None, annotations, place(found))

    def _column(self, found: Found) -> t.Column:
        *annotations, name, type_ = found.children
        return t.Column(str(name), type_text(type_), tuple(map(self._annotation, annotations)), place(name))

    def _function(self, found: Found, annotations: tuple[t.Annotation, ...]) -> t.Function:
        name, inputs, outputs, implementation, style = found.children
        if style is not None and style not in ("tsj", "tsv"):
            self.stop(style, f"Functions handle tsj or tsv lines, not {quoted(style)}.", "write `handles tsj lines`.")
        spoken = cast(OneOf["tsj", "tsv", "python"], str(style or "python"))
        command = self.text(implementation)
        where = place(found)
        return t.Function(str(name), self._rows(inputs), self._rows(outputs), command, spoken, annotations, where)

    def _rows(self, found: Found) -> tuple[t.Column, ...] | str:
        if found.data == "like":
            return str(found.children[0])
        return tuple(self._column(column) for column in found.children)

    def _annotation(self, found: Found) -> t.Annotation:
        name, *settings = found.children
        return t.Annotation(str(name), tuple(self._setting(s) for s in settings if s is not None), place(name))

    def _setting(self, found: Found) -> tuple[str, t.Expression]:
        if found.data == "named":
            return str(found.children[0]), self.expression(found.children[1])
        return "", self.expression(found.children[0])

    # Rules

    def _call_rule(self, found: Found, annotations: tuple[t.Annotation, ...]) -> t.FunctionCall:
        output, function, arguments, arrow, bodies = found.children
        given = self.arguments(arguments)
        ways = self._arrow(arrow)
        return t.FunctionCall(str(output), str(function), given, self.bodies(bodies), *ways, annotations, place(found))

    def _rule(self, found: Found, annotations: tuple[t.Annotation, ...]) -> t.Rule:
        head, arrow, bodies = found.children
        weight = self._one(annotations, "weight")
        label = self._one(annotations, "label")
        if weight and label:
            self.stop(label, "A rule either infers (@weight) or labels (@label).", "write two rules.")
        if weight:
            self._refuse_ways(arrow, "An inference rule")
            return self._inference(head, self.bodies(bodies), annotations)
        if head.data == "equal" or label:
            self._refuse_ways(arrow, "A rule that labels")
            return self._supervision(head, label, self.bodies(bodies), annotations)
        literals = self._literals(head)
        stray = next((a for a in annotations if a.name.lower() in _MEANT_FOR_WEIGHTS), None)
        if head.data != "head" or literals[0].negated or stray:
            self._miss_weight(stray or head, f"@{stray.name}" if stray else "This head")
        return t.Derivation(literals[0].atom, self.bodies(bodies), *self._arrow(arrow), annotations, place(found))

    def _query_rule(self, found: Found) -> t.Derivation:
        terms, arrow, bodies = found.children
        first = terms.children[0]
        if len(terms.children) > 1 or first.data != "call":
            self.stop(first, "A rule of a query begins with one relation.", "write `R(x, y) :- ...`, or `?-` to ask.")
        return t.Derivation(self.atom(first), self.bodies(bodies), *self._arrow(arrow), (), place(found))

    def _supervision(
        self, head: Found, label: t.Annotation | None, bodies: tuple[t.Body, ...], annotations: tuple[t.Annotation, ...]
    ) -> t.Supervision:
        if head.data == "equal":
            *sides, probability = head.children
            if label:
                self.stop(label, "The label of this rule is said twice.", "drop @label, or what follows `=`.")
            if len(sides) > 2 or sides[0].children[0] is not None or sides[1].data == "literal":
                self._miss_weight(head, "This head")
            atom, value = self._literal(sides[0]).atom, self.expression(sides[1].children[0])
            sure = self.expression(probability) if probability is not None else None
            return t.Supervision(atom, value, sure, bodies, annotations, place(head))
        assert label is not None
        literals = self._literals(head)
        if head.data != "head" or literals[0].negated:
            self.stop(head, "@label stands before one relation.", "write `@label(e) R(x) :- ...`.")
        (value,) = self._settings(label, 1)
        rest = tuple(a for a in annotations if a is not label)
        return t.Supervision(literals[0].atom, value, None, bodies, rest, place(head))

    def _inference(self, head: Found, bodies: tuple[t.Body, ...], annotations: tuple[t.Annotation, ...]) -> t.Inference:
        named = {key: self._one(annotations, key) for key in ("weight", "name", "feature_value", "semantics")}
        kinds = {"head": "is_true", "and_": "and", "or_": "or"}
        function = cast(OneOf["is_true", "imply", "and", "or", "equal"], kinds.get(head.data, str(head.data)))
        literals = self._equal_literals(head) if head.data == "equal" else self._literals(head)
        assert named["weight"] is not None
        return t.Inference(
            function,
            literals,
            bodies,
            weights_of(self._settings(named["weight"], None)),
            self._word(named["name"]),
            self._settings(named["feature_value"], 1)[0] if named["feature_value"] else None,
            self._semantics(named["semantics"]),
            tuple(a for a in annotations if a not in tuple(named.values())),
            place(head),
        )

    def _equal_literals(self, head: Found) -> tuple[t.Literal, ...]:
        first, *sides, probability = head.children
        if probability is not None:
            self.stop(probability, "An inference rule has no `@ p`.", "drop it; or drop @weight to label with it.")
        literals = [self._literal(first)]
        for side in sides:
            if side.data == "literal":
                literals.append(self._literal(side))
            elif side.children[0].data == "call":
                literals.append(t.Literal(self.atom(side.children[0])))
            else:
                self.stop(
                    side,
                    "A rule with @weight joins relations by `=`, and this is a value.",
                    "drop @weight to label with it; or write a relation, as in `P(x) = Q(x)`.",
                )
        return tuple(literals)

    def _literals(self, head: Found) -> tuple[t.Literal, ...]:
        return tuple(self._literal(literal) for literal in head.children)

    def _literal(self, found: Found) -> t.Literal:
        bang, atom = found.children
        return t.Literal(self.atom(atom), bang is not None)

    def _miss_weight(self, where: Found, what: str) -> NoReturn:
        self.stop(
            where,
            f"{what} belongs to an inference rule, and @weight is missing.",
            'put `@weight("?")` (learned), `@weight(x)` (one for each x) or `@weight(3.0)` before the rule.',
        )

    def _arrow(self, found: Found) -> tuple[bool, int | None]:
        distinct, limit = found.children
        return distinct is not None, self.whole(limit) if limit is not None else None

    def _refuse_ways(self, arrow: Found, what: str) -> None:
        if self._arrow(arrow) != (False, None):
            self.stop(arrow, f"{what} takes neither `*` nor `|`.", "write `:-`; derive a relation with them first.")

    # Annotations with a meaning

    def _one(self, annotations: tuple[t.Annotation, ...], name: str) -> t.Annotation | None:
        found = [a for a in annotations if a.name.lower() == name]
        if len(found) > 1:
            self.stop(found[1], f"@{name} stands twice.", "keep one.")
        return found[0] if found else None

    def _settings(self, annotation: t.Annotation, n: int | None) -> tuple[t.Expression, ...]:
        """What stands in parentheses, without names; n things, or at least one."""
        given = annotation.arguments
        if not given or any(name for name, _ in given) or (n is not None and len(given) != n):
            wanted = "one value" if n == 1 else "values"
            self.stop(annotation, f"@{annotation.name} takes {wanted}.", f'write `@{annotation.name}("...")`.')
        return tuple(value for _, value in given)

    def _word(self, annotation: t.Annotation | None) -> str | None:
        if annotation is None:
            return None
        (value,) = self._settings(annotation, 1)
        if not isinstance(value, t.Constant) or not isinstance(value.value, str) or not value.value:
            self.stop(annotation, f"@{annotation.name} takes a string.", f'write `@{annotation.name}("...")`.')
        return value.value

    def _semantics(self, annotation: t.Annotation | None) -> OneOf["linear", "ratio", "logical"]:
        word = self._word(annotation)
        if word is None:
            return "ratio"
        if word.lower() not in _SEMANTICS:
            assert annotation is not None
            self.stop(annotation, f"There is no semantics {quoted(word)}.", nearest(word.lower(), _SEMANTICS))
        return cast(OneOf["linear", "ratio", "logical"], word.lower())

    # Terms of a query

    def _term(self, found: Found) -> tuple[t.Expression, OneOf["asc", "desc"] | None, int | None]:
        if found.data != "annotated":
            return self.expression(found), None, None
        *notes, expression = found.children
        for note in (annotations := tuple(self._annotation(n) for n in notes)):
            if note.name.lower() != "order_by":
                self.stop(note, f"A query has no @{note.name}.", "the one annotation of a query is @order_by.")
        note = cast(t.Annotation, self._one(annotations, "order_by"))
        given = dict(zip(("dir", "priority"), (v for n, v in note.arguments if not n), strict=False))
        given |= {name: value for name, value in note.arguments if name}
        ways = {key: value.value for key, value in given.items() if isinstance(value, t.Constant)}
        way, priority = ways.get("dir", "ASC"), ways.get("priority")
        rightly = given.keys() == ways.keys() and ways.keys() <= {"dir", "priority"}
        if not rightly or str(way).lower() not in ("asc", "desc") or type(priority) not in (int, type(None)):
            self.stop(
                note,
                "@order_by is not understood.",
                'write `@order_by`, `@order_by("DESC")` or `@order_by(dir="DESC", priority=1)`.',
            )
        chosen = cast(OneOf["asc", "desc"], str(way).lower())
        return self.expression(expression), chosen, cast("int | None", priority)

    def _order(self, shown: list[tuple[t.Expression, OneOf["asc", "desc"] | None, int | None]]) -> tuple[int, ...]:
        """Ordered terms by priority; one without counts as its own place, from 1. Empty if that is their order."""
        ordered = [(p if p is not None else i + 1, i) for i, (_, way, p) in enumerate(shown) if way]
        by_priority = tuple(i for _, i in sorted(ordered))
        return by_priority if by_priority != tuple(i for _, i in ordered) else ()


def _trees(found: Found) -> list[Found]:
    return [child for child in found.children if isinstance(child, Tree)]
