"""Programs by plain loops: relations as Counters of tuples, joins as nested loops, NULL as SQL has it.

Slow on purpose. `derived` gives the bag of every relation, `datalog_graph.ground` the factor graph by names.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from consilience.kb.language import tree as t

Row = tuple[Any, ...]
Bag = Counter[Row]
Binding = dict[str, Any]
Callables = Mapping[str, Callable[..., Iterable[Row]]]

GROUP = "*"  # the binding under which an aggregate finds the rows of its group
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "length": len,
    "abs": abs,
    "concat": lambda *parts: "".join(str(p) for p in parts),
}


def value(e: t.Expression, given: Binding) -> Any:
    """What an expression is worth; None is NULL, also as a truth value."""
    match e:
        case t.Name():
            return given[e.name]
        case t.Constant():
            return e.value
        case t.Cast():
            return cast(value(e.value, given), e.type)
        case t.Element():
            array, index = value(e.array, given), value(e.index, given)
            return None if array is None or index is None or not 1 <= index <= len(array) else array[index - 1]
        case t.Call() if e.is_aggregate:
            rows = given[GROUP]
            if not e.arguments or isinstance(e.arguments[0], t.Anything):
                return len(rows)
            return hashable(aggregate(e.function, [value(e.arguments[0], r) for r in rows]))
        case t.Call():
            arguments = [value(a, given) for a in e.arguments]
            if e.function.lower() == "coalesce":
                return next((a for a in arguments if a is not None), None)
            return None if None in arguments else FUNCTIONS[e.function.lower()](*arguments)
        case t.Choice():
            for condition, then in e.cases:
                if value(condition, given) is True:
                    return value(then, given)
            return None if e.otherwise is None else value(e.otherwise, given)
        case t.Not():
            inner = value(e.condition, given)
            return None if inner is None else not inner
        case t.All():
            inner = [value(c, given) for c in e.conditions]
            return False if False in inner else None if None in inner else True
        case t.Any():
            inner = [value(c, given) for c in e.conditions]
            return True if True in inner else None if None in inner else False
        case t.Operation():
            return operation(e.operator.upper(), value(e.left, given), value(e.right, given))
    raise NotImplementedError(e)


def operation(operator: str, a: Any, b: Any) -> Any:
    """Two operands; NULL with anything is NULL, but for IS and IS NOT."""
    if operator == "IS":
        return a is b if b is None or isinstance(b, bool) else a == b
    if operator == "IS NOT":
        return not operation("IS", a, b)
    if a is None or b is None:
        return None
    match operator:
        case "||":
            return a + b if isinstance(a, list) else text(a) + text(b)
        case "LIKE":
            return fnmatch.fnmatchcase(a, b.replace("%", "*").replace("_", "?"))
        case "=":
            return a == b
        case "!=" | "<>":
            return a != b
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "%": lambda: a % b,
        "&": lambda: a & b,
        "<": lambda: a < b,
        "<=": lambda: a <= b,
        ">": lambda: a > b,
        ">=": lambda: a >= b,
    }[operator]()


def text(x: Any) -> str:
    """A value as SQL casts it to text."""
    return str(x).lower() if isinstance(x, bool) else str(x)


def cast(x: Any, type: str) -> Any:
    """`x :: type`, for the few types tests use."""
    if x is None:
        return None
    name = type.lower()
    if name in ("text", "varchar", "string"):
        return text(x)
    if name.startswith(("int", "bigint")):
        return int(x)
    return float(x)


def match_atom(atom: t.Atom, bag: Bag, given: Binding) -> Iterator[tuple[Binding, int]]:
    """Bindings that agree with an atom, each with the count of its row. Names bind; all else waits for `agrees`."""
    for row, count in bag.items():
        bound: Binding | None = dict(given)
        for argument, x in zip(atom.arguments, row, strict=True):
            if isinstance(argument, t.Name):
                if argument.name not in bound:
                    bound[argument.name] = x
                elif x is None or bound[argument.name] is None or bound[argument.name] != x:
                    bound = None
                    break
        if bound is not None:
            yield bound, count


def agrees(atom: t.Atom, row: Row, given: Binding) -> bool:
    """Whether the expressions of an atom equal the row's values."""
    return all(
        operation("=", value(a, given), x) is True
        for a, x in zip(atom.arguments, row, strict=True)
        if not isinstance(a, (t.Name, t.Anything))
    )


def rows_of(
    atoms: list[t.Atom], bags: Mapping[str, Bag], given: Binding
) -> Iterator[tuple[Binding, list[tuple[t.Atom, Row]], int]]:
    """Every choice of one row for each atom whose names agree, with the product of the counts."""
    if not atoms:
        yield given, [], 1
        return
    for row, count in bags[atoms[0].relation].items():
        for bound, _ in match_atom(atoms[0], Counter({row: 1}), given):
            for final, chosen, n in rows_of(atoms[1:], bags, bound):
                yield final, [(atoms[0], row), *chosen], n * count


def join(body: t.Body, bags: Mapping[str, Bag], given: Binding | None = None) -> Iterator[tuple[Binding, int]]:
    """Bindings of a body and their counts: atoms, then what is optional, then conditions and quantifiers."""
    atoms = [p for p in body if isinstance(p, t.Atom)]
    optional = [p for p in body if isinstance(p, t.Quantified) and p.kind == "optional"]
    rest = [p for p in body if not isinstance(p, t.Atom) and p not in optional]
    for bound, chosen, count in rows_of(atoms, bags, given or {}):
        for wide, times in widened(optional, bags, bound):
            if all(agrees(a, row, wide) for a, row in chosen) and all(holds(p, bags, wide) for p in rest):
                yield wide, count * times


def widened(optional: list[t.Quantified], bags: Mapping[str, Bag], given: Binding) -> Iterator[tuple[Binding, int]]:
    """Each OPTIONAL adds its bindings, or NULL for its names if it has none."""
    if not optional:
        yield given, 1
        return
    found = list(join(optional[0].parts, bags, given))
    if not found:
        inside = dict.fromkeys(names_of(optional[0].parts))
        found = [(inside | given, 1)]
    for bound, count in found:
        for final, times in widened(optional[1:], bags, bound):
            yield final, count * times


def names_of(body: t.Body) -> list[str]:
    """Names that stand as arguments of a body's atoms."""
    return [a.name for p in body if isinstance(p, t.Atom) for a in p.arguments if isinstance(a, t.Name)]


def holds(part: t.Part, bags: Mapping[str, Bag], given: Binding) -> bool:
    """Whether a condition or quantifier is true; ALL: whatever its atoms bind, its conditions hold."""
    if not isinstance(part, t.Quantified):
        return value(part, given) is True
    if part.kind in ("exists", "not exists"):
        return any(True for _ in join(part.parts, bags, given)) == (part.kind == "exists")
    inner = [p for p in part.parts if isinstance(p, t.Atom)]
    must = [p for p in part.parts if not isinstance(p, t.Atom)]
    return all(all(holds(p, bags, bound) for p in must) for bound, _ in join(tuple(inner), bags, given))


def aggregate(function: str, values: list[Any]) -> Any:
    """SQL's aggregates: NULLs do not count; of nothing COUNT is 0 and all others NULL."""
    name, present = function.upper(), [v for v in values if v is not None]
    if name == "COUNT":
        return len(present)
    if name.startswith("ARRAY"):
        return sorted(values, key=lambda v: (v is None, v))
    if not present:
        return None
    return {"MAX": max, "MIN": min, "SUM": sum, "AVG": lambda v: sum(v) / len(v)}[name](present)


def hashable(x: Any) -> Any:
    """Lists as tuples, so that rows can be counted."""
    return tuple(hashable(y) for y in x) if isinstance(x, (list, tuple)) else x


def head_rows(arguments: tuple[t.Expression, ...], body: t.Body, bags: Mapping[str, Bag]) -> Bag:
    """Rows a body derives for a head, an aggregate making one row of each group."""
    out: Bag = Counter()
    if not has_aggregate(arguments):
        for given, count in join(body, bags):
            out[tuple(hashable(value(a, given)) for a in arguments)] += count
        return out
    groups: dict[Row, list[Binding]] = {}
    keys = [a for a in arguments if not has_aggregate(a)]
    for given, count in join(body, bags):
        key = tuple(hashable(value(a, given)) for a in keys)
        groups.setdefault(key, []).extend([given] * count)
    for rows in groups.values():
        out[tuple(hashable(value(a, rows[0] | {GROUP: rows})) for a in arguments)] += 1
    return out


def has_aggregate(e: Any) -> bool:
    """Whether an aggregate stands anywhere in an expression."""
    if isinstance(e, t.Call) and e.is_aggregate:
        return True
    if isinstance(e, tuple):
        return any(has_aggregate(x) for x in e)
    return hasattr(e, "__dataclass_fields__") and any(has_aggregate(getattr(e, f)) for f in e.__dataclass_fields__)


def limited(bag: Bag, limit: int | None) -> Bag:
    """The first rows of a bag in the order of their values, NULL last; counts are cut where the limit falls."""
    if limit is None:
        return bag
    out: Bag = Counter()
    for row in itertools.islice(sorted(bag.elements(), key=order), limit):
        out[row] += 1
    return out


def order(row: Row) -> tuple[Any, ...]:
    """Sorting key of a row: NULL after all else."""
    return tuple((x is None, 0 if x is None else x) for x in row)


def called(rule: t.FunctionCall, function: Callable[..., Iterable[Row]], bags: Mapping[str, Bag]) -> Bag:
    """What a function gives for each distinct input, times the count of the input."""
    out: Bag = Counter()
    for body in rule.bodies:
        for inputs, count in limited(head_rows(rule.arguments, body, bags), rule.limit).items():
            for row in function(*inputs):
                out[hashable(tuple(row))] += count
    return out


def derived(
    program: t.Program, base: Mapping[str, Iterable[Row]], callables: Callables | None = None
) -> dict[str, Bag]:
    """The bag of every relation; relations that hold each row once have counts of 1.

    base: rows of relations. callables: what stands for each declared function.
    """
    done: dict[str, Bag] = {}
    waiting = set(program.relations)
    while waiting:
        ready = sorted(n for n in waiting if not needs(program, n) & waiting)
        assert ready, f"recursion among {waiting}"
        for name in ready:
            bag: Bag = Counter(hashable(tuple(row)) for row in base.get(name, ()))
            for rule in program.rules:
                bag += rule_rows(rule, name, done, callables or {})
            done[name] = Counter(dict.fromkeys(bag, 1)) if once(program, name) else bag
            waiting.discard(name)
    return done


def once(program: t.Program, name: str) -> bool:
    """Whether a relation holds each row once: random variables, and what is derived by `*:-`."""
    return program.relations[name].is_variable or any(
        r.distinct and target(r) == name for r in program.rules if isinstance(r, (t.Derivation, t.FunctionCall))
    )


def target(rule: t.Rule) -> str | None:
    """The relation a rule adds rows to; inference rules add none."""
    match rule:
        case t.Derivation() | t.Supervision():
            return rule.head.relation
        case t.FunctionCall():
            return rule.relation
    return None


def relations_in(body: t.Body) -> set[str]:
    """Relations a body reads, also inside quantifiers."""
    inside = [relations_in(p.parts) for p in body if isinstance(p, t.Quantified)]
    return {p.relation for p in body if isinstance(p, t.Atom)}.union(*inside)


def needs(program: t.Program, name: str) -> set[str]:
    """Relations read by the rules of a relation."""
    return {r for rule in program.rules if target(rule) == name for body in rule.bodies for r in relations_in(body)}


def rule_rows(rule: t.Rule, name: str, bags: Mapping[str, Bag], callables: Callables) -> Bag:
    """Rows that one rule adds to a relation. A supervised row is in scope, whatever its label."""
    if target(rule) != name:
        return Counter()
    if isinstance(rule, t.FunctionCall):
        return called(rule, callables[rule.function], bags)
    out: Bag = Counter()
    assert isinstance(rule, (t.Derivation, t.Supervision))
    for body in rule.bodies:
        out += head_rows(rule.head.arguments, body, bags)
    if isinstance(rule, t.Derivation) and rule.distinct:
        out = Counter(dict.fromkeys(out, 1))
    return limited(out, rule.limit) if isinstance(rule, t.Derivation) else out
