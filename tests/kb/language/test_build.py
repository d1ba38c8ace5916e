"""A program made in Python is, tree for tree, what the text would have become."""

from __future__ import annotations

import math

import numpy as np
import pytest

from consilience.errors import ProgramError
from consilience.kb.language import build as b
from consilience.kb.language import check, parse, parse_query, write

R = b.relation("R", a="int", b="int")
S = b.relation("S", a="int")
Q = b.relation("Q", a="int", random=True)
P = b.relation("P", a="int", random=True)
H = b.relation("H")
x, y, z = b.names("x y z")
t = b.names("text")[0]
f = b.function("f", over={"a": int, "b": int}, returns={"a": int}, implementation="m:f")

PAIRS = [
    # declarations
    (b.relation("R", a="int", b="text[]"), "R(a int, b text[])."),
    (b.relation("R", a=int, b=float, c=str, d=bool), "R(a bigint, b double, c text, d boolean)."),
    (b.relation("R", a=" decimal( 10, 2 ) []", b="double   precision"), "R(a decimal(10,2)[], b double precision)."),
    (b.relation("V", a="int", random=True), "V?(a int)."),
    (b.relation("V", a="int", b="text", random=True, key="a"), "V?(@key a int, b text)."),
    (b.relation("V", a="int", b="int", c="text", random=True, key=("a", "b")), "V?(@key a int, @key b int, c text)."),
    (
        b.relation(
            "R",
            b.column("random", "int", b.annotation("references", relation="S", column="a")),
            annotations=[b.annotation("source"), b.annotation("foo", 1, "two", x=3.5)],
        ),
        '@source @foo(1, "two", x=3.5) R(@references(relation="S", column="a") random int).',
    ),
    (f, 'function f over (a bigint, b bigint) returns (a bigint) implementation "m:f".'),
    (
        b.function("f", over=R, returns=S, implementation="udf/f.py -x", handles="tsj"),
        'function f over rows like R returns rows like S implementation "udf/f.py -x" handles tsj lines.',
    ),
    # derivations
    (b.rule(H(x), R(x, ...)), "H(x) :- R(x, _)."),
    (b.rule(H(1, "a"), annotations=[b.annotation("materialize")]), '@materialize H(1, "a") :- TRUE.'),
    (b.rule(H(x), R(x, y), y > 3, distinct=True), "H(x) *:- R(x, y), y > 3."),
    (b.rule(H(x), R(x, 2), distinct=True, limit=10), "H(x) * | 10 :- R(x, 2)."),
    (b.rule(H(x), b.either([R(x, y), y < 1], S(x))), "H(x) :- R(x, y), y < 1; S(x)."),
    (b.rule(H(x), S(x), b.exists(R(x, y), y > 1)), "H(x) :- S(x), EXISTS[R(x, y), y > 1]."),
    (b.rule(H(x), S(x), ~b.exists(R(x, ...))), "H(x) :- S(x), !EXISTS[R(x, _)]."),
    (b.rule(H(x, y), S(x), b.optional(R(x, y))), "H(x, y) :- S(x), OPTIONAL[R(x, y)]."),
    (b.rule(H(x), S(x), b.all_of(R(x, y), y != 0)), "H(x) :- S(x), ALL[R(x, y), y != 0]."),
    (b.rule(H(x, b.count(y)), R(x, y)), "H(x, count(y)) :- R(x, y)."),
    (
        b.rule(H(b.sum(x), b.max(x), b.min(x), b.avg(x), b.array_agg(x)), S(x)),
        "H(Sum(x), MAX(x), MIN(x), AVG(x), Array_Agg(x)) :- S(x).",
    ),
    # expressions
    (b.rule(H(x + y * 2 - z / 3 % 4)), "H(x + y * 2 - z / 3 % 4) :- TRUE."),
    (b.rule(H((x + y) * 2, 1 - x, 2 * x, 3 / x, 1 + x, -x)), "H((x + y) * 2, 1 - x, 2 * x, 3 / x, 1 + x, -x) :- TRUE."),
    (b.rule(H(x & y, b.concat(x, "-", y))), 'H(x & y, x || "-" || y) :- TRUE.'),
    (b.rule(H(x[1], x[y][2])), "H(x[1], x[y][2]) :- TRUE."),
    (b.rule(H(x.cast("int[]").cast("text"))), "H(x :: int[] :: text) :- TRUE."),
    (b.rule(H(b.call("lower", x), b.call("now"))), "H(lower(x), now()) :- TRUE."),
    (b.rule(H(1, -1, 2.5, True, False, None, 'a"\n')), 'H(1, -1, 2.5, TRUE, FALSE, NULL, "a\\"\\n") :- TRUE.'),
    (b.rule(H(np.int64(3), np.float32(0.5), np.bool_(True))), "H(3, 0.5, TRUE) :- TRUE."),
    (
        b.rule(H(b.case((x > 0, "a"), (x.is_null(), "b"), otherwise="c"), b.case((x > 0, 1)))),
        'H(if x > 0 then "a" else if x IS NULL then "b" else "c" end, if x > 0 then 1 end) :- TRUE.',
    ),
    (b.rule(H(b.case((x > 0, 1), otherwise=None))), "H(if x > 0 then 1 else NULL end) :- TRUE."),
    # conditions
    (
        b.rule(H(x), S(x), (x < 1) | (x >= 5) | (x == 3), ~(x <= 2)),
        "H(x) :- S(x), [x < 1; x >= 5; x = 3], !x <= 2.",
    ),
    (
        b.rule(H(x), S(x), (x < 1) | ((x >= 5) & (x != 7) & (x != 8))),
        "H(x) :- S(x), [x < 1; x >= 5, x != 7, x != 8].",
    ),
    (
        b.rule(H(x), S(x), x.like("a%"), x.is_not_null(), ~((x == 1) & (x == 2))),
        'H(x) :- S(x), x LIKE "a%", x IS NOT NULL, ![x = 1, x = 2].',
    ),
    (b.rule(H(x), S(x), b.call("starts_with", x, "a")), 'H(x) :- S(x), [starts_with(x, "a")].'),
    (b.rule(H(x), S(x), ~x, x), "H(x) :- S(x), !x, x."),
    (b.rule(H(x), S(x), x.is_(True), x.is_not(y)), "H(x) :- S(x), x IS TRUE, x IS NOT y."),
    (b.rule(H(x.cast(" varchar( 10)"))), "H(x :: varchar(10)) :- TRUE."),
    # functions
    (b.rule(S << f(x, y + 1), R(x, y)), "S += f(x, y + 1) :- R(x, y)."),
    (b.rule(S << f(x, y), R(x, y), distinct=True, limit=3), "S += f(x, y) * | 3 :- R(x, y)."),
    # labels
    (b.rule(Q(x), S(x), label=True), "Q(x) = TRUE :- S(x)."),
    (b.rule(Q(x), S(x), label=None), "Q(x) = NULL :- S(x)."),
    (b.rule(Q(x), R(x, y), label=y > 3), "Q(x) = (y > 3) :- R(x, y)."),
    (b.rule(Q(x), R(x, y), label=y), "@label(y) Q(x) :- R(x, y)."),
    (b.rule(Q(x), R(x, y), label=True, probability=y), "Q(x) = TRUE @ y :- R(x, y)."),
    # inference
    (b.rule(Q(x), weight="?"), '@weight("?") Q(x) :- TRUE.'),
    (b.rule(Q(x), S(x), weight=b.weight("any")), '@weight("?") Q(x) :- S(x).'),
    (b.rule(~Q(x), S(x), weight=2.5), "@weight(2.5) !Q(x) :- S(x)."),
    (b.rule(Q(x), R(x, y), weight=y), "@weight(y) Q(x) :- R(x, y)."),
    (b.rule(Q(x), R(x, y), weight=(x, y + 1)), "@weight(x, y + 1) Q(x) :- R(x, y)."),
    (b.rule(Q(x), R(x, y), weight="?", feature_value=y), '@weight("?") @feature_value(y) Q(x) :- R(x, y).'),
    (b.rule(Q(x) >> ~P(x), S(x), weight=-1), "@weight(-1) Q(x) => !P(x) :- S(x)."),
    (
        b.rule((Q(x) & P(x)) >> Q(y), R(x, y), weight=3, name="n", semantics="logical"),
        '@name("n") @weight(3) @semantics("logical") Q(x), P(x) => Q(y) :- R(x, y).',
    ),
    (b.rule(Q(x) & ~P(x) & P(y), R(x, y), weight=3), "@weight(3) Q(x) ^ !P(x) ^ P(y) :- R(x, y)."),
    (b.rule(Q(x) | P(x) | ~P(y), R(x, y), weight=3), "@weight(3) Q(x) v P(x) v !P(y) :- R(x, y)."),
    (b.rule(Q(x) == P(x), weight=3), "@weight(3) Q(x) = P(x) :- TRUE."),
    (b.rule((Q(x) == ~P(x)) == P(y), weight=3), "@weight(3) Q(x) = !P(x) = P(y) :- TRUE."),
]


@pytest.mark.parametrize(("built", "text"), PAIRS, ids=lambda v: v if isinstance(v, str) else "")
def test_calls_make_the_tree_of_the_text(built, text):
    assert b.program(built) == parse(text)
    assert parse(write(b.program(built))) == b.program(built)


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (b.query(R(x, y)), "?- R(x, y)."),
        (b.query(R(x, y), show=[x, b.count(y)], distinct=True, limit=5), "x, COUNT(y) * | 5 ?- R(x, y)."),
        (b.query(R(x, y), show=[b.asc(x), b.desc(y)]), '@order_by x, @order_by("desc") y ?- R(x, y).'),
        (
            b.query(R(x, y), show=[b.asc(x), b.desc(y, priority=-1)]),
            '@order_by x, @order_by(priority=-1, dir="DESC") y ?- R(x, y).',
        ),
        (b.query(H(x), rules=[b.rule(H(x), S(x))]), "H(x) :- S(x). ?- H(x)."),
        (b.query(b.either(S(x), R(x, ...))), "?- S(x); R(x, _)"),
    ],
)
def test_queries_too(built, text):
    assert built == parse_query(text)


def test_a_whole_program_is_checked_like_its_text():
    built = b.program(R, S, Q, H, f, b.rule(H(x), R(x, ...)), b.rule(Q(x), H(x)), b.rule(S << f(x, y), R(x, y)))
    assert check(built) == check(parse(write(built)))


def test_trouble_of_a_program_without_text_shows_the_rule():
    with pytest.raises(ProgramError, match=r"(?s)Variable 'y' is not bound.*\n  \| Q\(y\) :- S\(x\)\.\nFix: "):
        check(b.program(S, Q, b.rule(Q(y), S(x))))


def test_a_part_of_a_rule_is_neither_true_nor_false():
    for ask in (lambda: 1 < x < 5, lambda: x == 1 and y == 2, lambda: not Q(x), lambda: x in [y], lambda: bool(Q(x))):
        with pytest.raises(ProgramError, match="neither true nor false"):
            ask()


def test_a_variable_is_no_sequence():
    with pytest.raises(TypeError):
        list(x)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: R(x), "has 2 columns, and here 1"),
        (lambda: b.names("x if"), "'if' can't be a name"),
        (lambda: b.names("1x"), "can't be a name"),
        (lambda: b.relation("a b", a="int"), "can't be a name"),
        (lambda: b.relation("R", a="int", key="b"), "has no column 'b' for a key"),
        (lambda: b.relation("R", a="int). S(b int"), "is no type"),
        (lambda: b.relation("R", a=list), "There is no type"),
        (lambda: x.cast("int) + (1"), "is no type"),
        (lambda: S([1]), "list is no value"),
        (lambda: S(math.inf), "can't say the number inf"),
        (lambda: S(10**40), "more than 38 digits"),
        (lambda: S("a\0"), "No database can hold"),
        (lambda: S("\ud800"), "No database can hold"),
        (lambda: b.rule(Q(x) >> P(x)), "a weight is missing"),
        (lambda: b.rule(~Q(x)), "a weight is missing"),
        (lambda: b.rule(Q(x), weight=1, label=True), "either infers"),
        (lambda: b.rule(Q(x), semantics="linear"), "belong to a rule with a weight"),
        (lambda: b.rule(Q(x), weight=1, semantics="cubic"), "There is no semantics 'cubic'"),
        (lambda: b.rule(Q(x), probability=0.5), "is that of a label"),
        (lambda: b.rule(Q(x), weight=1, limit=3), "Only derivations"),
        (lambda: b.rule(Q(x), weight=()), "takes a value"),
        (lambda: b.rule(S << f(x, y), weight=1), "have no weight"),
        (lambda: b.rule(S << f(x, y), label=True), "can't be labelled"),
        (lambda: b.rule(H(x), S(x) & S(y)), "in heads only"),
        (lambda: b.rule(H(x), ~S(x)), "stands in a body"),
        (lambda: b.rule(H(x), S(x), b.either(S(x), S(y))), "stands alone"),
        (lambda: (Q(x) | P(x)) >> Q(y), "can't join these"),
        (lambda: Q(x) & (P(x) >> Q(y)), "can't join these"),
        (lambda: ~b.optional(S(x)), "turns exists"),
        (lambda: b.case(), "needs a condition"),
        (lambda: b.function("f", over=R, returns=S, implementation="f", handles="csv"), "tsj or tsv"),
        (lambda: b.program("R(a int)."), "str is no statement"),
        (lambda: b.query(S(x), rules=[b.rule(Q(x), weight=1)]), "Rules of a query derive"),
    ],
)
def test_what_no_text_could_say_is_refused_where_it_is_written(wrong, message):
    with pytest.raises(ProgramError, match=message) as found:
        wrong()
    assert "\nFix: " in str(found.value)
