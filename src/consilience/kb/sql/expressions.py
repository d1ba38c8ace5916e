"""Expressions of the tree as expressions of SQL. Identifiers are quoted, values are literals of the library.

Calls go by name to the database; those that give another value each time, or look at the machine, are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree
from consilience.kb.sql.schema import IDENTIFIER, at, data_type

Bindings = Mapping[str, exp.Expr]

# What rules derive must be the same whenever it is derived: a change is undone by deriving it again.
_UNSTEADY = """
random setseed uuid uuidv4 uuidv7 gen_random_uuid now today current_date current_time current_timestamp localtime
localtimestamp get_current_time get_current_timestamp transaction_timestamp clock_timestamp nextval currval rand
txid_current get_current_date
"""
# What looks at the machine, its settings or files has no place in a rule.
_MACHINE = """
getenv getvariable current_setting write_log read_text read_blob read_csv read_csv_auto read_json read_parquet
parquet_scan glob query query_table sniff_csv current_database current_schema current_schemas current_user user
version pg_read_file lo_import lo_export current_query in_search_path pragma_database_size input_file_name
"""
UNSTEADY, MACHINE = frozenset(_UNSTEADY.split()), frozenset(_MACHINE.split())
OPERATORS: dict[str, Callable[[exp.Expr, exp.Expr], exp.Expr]] = {
    "||": lambda a, b: exp.DPipe(this=a, expression=b, safe=False),
    "+": lambda a, b: exp.Add(this=a, expression=b),
    "-": lambda a, b: exp.Sub(this=a, expression=b),
    "*": lambda a, b: exp.Mul(this=a, expression=b),
    "/": lambda a, b: exp.Div(this=a, expression=b, typed=False, safe=False),
    "%": lambda a, b: exp.Mod(this=a, expression=b),
    "&": lambda a, b: exp.BitwiseAnd(this=a, expression=b),
    "=": lambda a, b: exp.EQ(this=a, expression=b),
    "!=": lambda a, b: exp.NEQ(this=a, expression=b),
    "<>": lambda a, b: exp.NEQ(this=a, expression=b),
    "<": lambda a, b: exp.LT(this=a, expression=b),
    "<=": lambda a, b: exp.LTE(this=a, expression=b),
    ">": lambda a, b: exp.GT(this=a, expression=b),
    ">=": lambda a, b: exp.GTE(this=a, expression=b),
    "LIKE": lambda a, b: exp.Like(this=a, expression=b),
    "IS": lambda a, b: _is(a, b),
    "IS NOT": lambda a, b: exp.not_(exp.paren(_is(a, b))),
}


def _is(a: exp.Expr, b: exp.Expr) -> exp.Expr:
    if isinstance(b, (exp.Null, exp.Boolean)):
        return exp.Is(this=a, expression=b)
    return exp.NullSafeEQ(this=a, expression=b)


def expression(e: tree.Expression, given: Bindings, count: exp.Expr | None = None) -> exp.Expr:
    """An expression of the tree in SQL. given: what names stand for.

    count: how many derivations a row has, where a row may have several; aggregates weigh by it.
    raises: ProgramError for a name without a value, or a call that cannot be.

    >>> rule = tree.Operation("+", tree.Name("x"), tree.Constant(1))
    >>> expression(rule, {"x": exp.column("a", "R0", quoted=True)}).sql("duckdb")
    '"R0"."a" + 1'
    """

    def inner(part: tree.Expression) -> exp.Expr:
        return _operand(expression(part, given, count))

    match e:
        case tree.Name():
            return _bound(e, given)
        case tree.Constant():
            return constant(e.value)
        case tree.Anything():
            raise ProgramError(f"{at(e.place)}`_` has no value.\nFix: give it a name to use it in an expression.")
        case tree.Call():
            return aggregate(e, given, count) if e.is_aggregate else call(e, given, count)
        case tree.Element():
            return exp.Bracket(this=inner(e.array), expressions=[expression(e.index, given, count)], offset=1)
        case tree.Operation():
            operator = e.operator.upper()
            if operator not in OPERATORS:
                raise ProgramError(
                    f"{at(e.place)}{e.operator!r} is not an operator.\nFix: {nearest(operator, OPERATORS)}"
                )
            return OPERATORS[operator](inner(e.left), inner(e.right))
        case tree.Cast():
            return exp.cast(expression(e.value, given, count), data_type(e.type, e.place))
        case tree.Choice():
            case = exp.Case()
            for condition, then in e.cases:
                case = case.when(expression(condition, given, count), expression(then, given, count), copy=False)
            return case if e.otherwise is None else case.else_(expression(e.otherwise, given, count), copy=False)
        case tree.Not():
            return exp.Not(this=inner(e.condition))
        case tree.All():
            return exp.and_(*(inner(c) for c in e.conditions)) if e.conditions else exp.true()
        case tree.Any():
            return exp.or_(*(inner(c) for c in e.conditions)) if e.conditions else exp.false()
    raise ProgramError(f"{e!r} is not an expression.\nFix: use the classes of the tree.")


def _operand(e: exp.Expr) -> exp.Expr:
    return exp.paren(e, copy=False) if isinstance(e, (exp.Binary, exp.Not, exp.Case, exp.Connector, exp.Neg)) else e


def _bound(name: tree.Name, given: Bindings) -> exp.Expr:
    if name.name not in given:
        raise ProgramError(
            f"{at(name.place)}Nothing in the body gives {name.name!r} a value.\nFix: {nearest(name.name, given)}"
        )
    return given[name.name].copy()


def constant(value: str | int | float | bool | None) -> exp.Expr:
    """A value as a literal."""
    if value is None:
        return exp.null()
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, str):
        if "\x00" in value:
            raise ProgramError("A text holds a zero character, which databases do not store.\nFix: leave it out.")
        return exp.Literal.string(value)
    if isinstance(value, float) and not math.isfinite(value):
        return exp.cast(exp.Literal.string(str(value)), exp.DataType.build("double"))
    number = exp.Literal.number(repr(abs(value)))
    negative = value < 0 or (isinstance(value, float) and math.copysign(1, value) < 0)
    return exp.paren(exp.Neg(this=number)) if negative else number


def call(e: tree.Call, given: Bindings, count: exp.Expr | None = None) -> exp.Expr:
    """A function of the database, by name."""
    name = e.function.lower()
    if not IDENTIFIER.match(name):
        raise ProgramError(f"{at(e.place)}{e.function[:60]!r} is not a function.\nFix: call it by its plain name.")
    if name in UNSTEADY or name in MACHINE:
        why = "gives another value each time" if name in UNSTEADY else "looks at the machine, not at the rows"
        raise ProgramError(f"{at(e.place)}{e.function}() {why}.\nFix: put what it gave into a relation, and read that.")
    arguments = [expression(a, given, count) for a in e.arguments]
    try:
        return exp.func(name, *arguments, dialect="duckdb")
    except (SqlglotError, ValueError, TypeError):
        return exp.Anonymous(this=name, expressions=arguments)


def aggregate(e: tree.Call, given: Bindings, count: exp.Expr | None) -> exp.Expr:
    """An aggregate over a bag: SUM, COUNT, AVG and ARRAY_AGG see a row as often as it was derived."""
    name = e.function.upper()
    if name == "COUNT" and (not e.arguments or isinstance(e.arguments[0], tree.Anything)):
        return exp.Count(this=exp.Star()) if count is None else exp.Sum(this=count.copy())
    if len(e.arguments) != 1:
        raise ProgramError(
            f"{at(e.place)}{e.function} takes one argument, not {len(e.arguments)}.\nFix: write {e.function}(x)."
        )
    x = expression(e.arguments[0], given)
    if name in ("MAX", "MIN"):
        return exp.Max(this=x) if name == "MAX" else exp.Min(this=x)
    if name.startswith("ARRAY"):
        return _array(x, count)
    if count is None:
        return {"COUNT": exp.Count, "SUM": exp.Sum, "AVG": exp.Avg}[name](this=x)
    present = exp.Sum(this=exp.Case().when(exp.not_(exp.paren(exp.Is(this=x, expression=exp.null()))), count.copy()))
    if name == "COUNT":
        return exp.Coalesce(this=present, expressions=[exp.Literal.number(0)])
    total = exp.Sum(this=exp.Mul(this=_operand(x.copy()), expression=_operand(count.copy())))
    return total if name == "SUM" else exp.Div(this=total, expression=present, typed=False, safe=False)


def _array(x: exp.Expr, count: exp.Expr | None) -> exp.Expr:
    """All values in their order, NULL last: what a bag gives does not depend on the order of its rows."""
    ordered = exp.Order(this=x, expressions=[exp.Ordered(this=x.copy(), desc=False, nulls_first=False)])
    if count is None:
        return exp.ArrayAgg(this=ordered)
    repeated = exp.Anonymous(this="repeat", expressions=[exp.Array(expressions=[x.copy()]), count.copy()])
    ordered.set("this", repeated)
    return exp.Flatten(this=exp.ArrayAgg(this=ordered))


def has_aggregate(e: tree.Expression) -> bool:
    """Whether an aggregate stands anywhere in an expression."""
    match e:
        case tree.Call():
            return e.is_aggregate or any(map(has_aggregate, e.arguments))
        case tree.Element():
            return has_aggregate(e.array) or has_aggregate(e.index)
        case tree.Operation():
            return has_aggregate(e.left) or has_aggregate(e.right)
        case tree.Cast():
            return has_aggregate(e.value)
        case tree.Choice():
            parts = [p for case in e.cases for p in case]
            return any(map(has_aggregate, parts)) or (e.otherwise is not None and has_aggregate(e.otherwise))
        case tree.Not():
            return has_aggregate(e.condition)
        case tree.All() | tree.Any():
            return any(map(has_aggregate, e.conditions))
    return False


def names_in(e: object) -> set[str]:
    """Names an expression, an atom or a body mentions."""
    match e:
        case tree.Name():
            return {e.name}
        case tree.Call() | tree.Atom():
            return names_in(e.arguments)
        case tree.Element():
            return names_in((e.array, e.index))
        case tree.Operation():
            return names_in((e.left, e.right))
        case tree.Cast():
            return names_in(e.value)
        case tree.Choice():
            return names_in(e.cases) | names_in(e.otherwise)
        case tree.Not():
            return names_in(e.condition)
        case tree.All() | tree.Any():
            return names_in(e.conditions)
        case tree.Quantified():
            return names_in(e.parts)
        case tuple():
            return set().union(*(names_in(part) for part in e))
    return set()
