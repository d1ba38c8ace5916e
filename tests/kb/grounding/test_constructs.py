"""Constructs of the language, one by one, with rows worked out by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from sqlglot import exp

from consilience.errors import DataError, ProgramError
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse
from consilience.kb.sql.bindings import binding_queries
from consilience.kb.sql.bodies import table
from consilience.kb.sql.schema import Schema
from consilience.kb.sql.show import DIALECTS, compile_program

BASE = """
a(k int).
b(k int, p text, q text, r int).
c(s text, n int, t text).
l(k int, words text[], marks int[]).
"""
ROWS: dict[str, Any] = {
    "a": {"k": [1, 1, 2, 3]},
    "b": {"k": [1, 2, 4], "p": ["x", "y", None], "q": ["u", "v", "w"], "r": [10, 20, 30]},
    "c": {"s": ["xu", "x", "x", "Y_%"], "n": [10, 1, 2, 20], "t": ["foo", "bar", "foo", "o'x\n"]},
    "l": {"k": [1, 2], "words": [["p", "q"], None], "marks": [[7, 8, 9], []]},
}


@pytest.fixture(scope="module")
def store():
    """The rows above; each program is grounded over them in turn."""
    with Store.open(threads=1) as made:
        for name, columns in ROWS.items():
            load(made, parse(BASE), name, pl.DataFrame(columns))
        yield made


def rows(store: Store, rule: str, of: str = "H", declared: str = "") -> list[tuple[Any, ...]]:
    """What a rule derives: each row as often as it is derived, sorted."""
    program = parse(BASE + declared + rule)
    ground(store, program)
    once = Schema(program).holds_once(of)
    found = store.rows(exp.select(exp.Star()).from_(table(of)))
    plain = [(tuple(tuple(x) if isinstance(x, list) else x for x in row), n) for *row, n in found]
    return sorted((row for row, n in plain for _ in range(1 if once else n)), key=repr)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("H(x) :- a(x).", [(1,), (1,), (2,), (3,)]),
        ("H(x) *:- a(x).", [(1,), (2,), (3,)]),
        ("H(x) | 3 :- a(x).", [(1,), (1,), (2,)]),
        ("H(x) * | 2 :- a(x).", [(1,), (2,)]),
        ("H(x, y) :- a(x), b(x, y, _, _).", [(1, "x"), (1, "x"), (2, "y")]),
        ("H(x) :- a(x), a(x).", [(1,)] * 4 + [(2,), (3,)]),
        ("H(x) :- b(x, y, y, _).", []),
        ('H(k, n) :- b(k, y, z, _), c(y || z, n, "foo").', [(1, 10)]),
        ("H(x, z) :- a(x), z = x * 10 + 1.", [(1, 11), (1, 11), (2, 21), (3, 31)]),
        ("H(z) :- b(_, _, _, r), [r = 10; r > 25], z = y + 1, y = r / 10.", [(2.0,), (4.0,)]),
        ("H(x) :- a(x), [x = 1; [x > 2, x < 9]].", [(1,), (1,), (3,)]),
        ("H(x) :- a(x), !x = 1, x != 3.", [(2,)]),
        ("H(x) :- a(x), !(x + 1) * 2 = 4.", [(2,), (3,)]),
        ("H(k) :- b(k, p, _, _), p IS NULL.", [(4,)]),
        ("H(k) :- b(k, p, _, _), p IS NOT NULL.", [(1,), (2,)]),
        ("H(k) :- b(k, NULL, _, _).", []),
        ('H(s) :- c(s, _, t), t LIKE "f%".', [("x",), ("xu",)]),
        ('H(n) :- c(_, n, "o\'x\\n").', [(20,)]),
        ("H(x :: text, 1 :: float) :- a(x), x > 2.", [("3", 1.0)]),
        ('H(x, if x > 2 then "big" else if x > 1 then "mid" end) *:- a(x).', [(1, None), (2, "mid"), (3, "big")]),
        ("H(upper(p), length(q)) :- b(_, p, q, _), p IS NOT NULL.", [("X", 1), ("Y", 1)]),
        ("H(k, w[1], m[k + 1], m[9]) :- l(k, w, m).", [(1, "p", 8, None), (2, None, None, None)]),
        ("H(k, unnest(m)) :- l(k, _, m).", [(1, 7), (1, 8), (1, 9)]),
        ("H(x % 2, x & 2) *:- a(x).", [(0, 2), (1, 0), (1, 2)]),
        ("H(-x) :- a(x), x - -1 > 3.", [(-3,)]),
        ("H(x) :- a(x); b(x, _, _, _), x > 2.", [(1,), (1,), (2,), (3,), (4,)]),
        ("H(x) :- a(x). H(x) :- b(x, _, _, _).", [(1,), (1,), (1,), (2,), (2,), (3,), (4,)]),
        ("H(x) :- b(x, y, _, _), EXISTS[c(y, n, _), n < 9].", [(1,)]),
        ("H(x) :- b(x, y, _, _), !EXISTS[c(y, _, _)].", [(2,), (4,)]),
        ("H(x) :- a(x), EXISTS[b(x, y, _, _), EXISTS[c(y, _, _)]].", [(1,), (1,)]),
        ("H(x) :- a(x), EXISTS[b(_, _, _, r), r > x * 9].", [(1,), (1,), (2,), (3,)]),
        ("H(x) :- b(x, y, _, _), ALL[c(y, n, _), n > 1].", [(2,), (4,)]),
        ('H(x) *:- a(x), ALL[b(x, y, _, _), y != "x"].', [(2,), (3,)]),
        ('H(k) :- a(k), ALL[b(_, p, _, _), p != "z"].', []),  # the p that is NULL does not hold
        ("H(x, n) :- b(x, y, _, _), OPTIONAL[c(y, n, _)].", [(1, 1), (1, 2), (2, None), (4, None)]),
        ('H(x, n) :- b(x, y, _, _), OPTIONAL[c(y, n, t), t = "foo", n < x + 9].', [(1, 2), (2, None), (4, None)]),
        ("H(x, n) :- b(x, y, _, _), OPTIONAL[c(y, n, _)], n IS NULL.", [(2, None), (4, None)]),
        ('H(x, k, n) :- b(x, y, _, 10), OPTIONAL[a(k), c(_, n, "bar"), k = x].', [(1, 1, 1), (1, 1, 1)]),
        ("H(x) :- OPTIONAL[a(x), x > 7].", [(None,)]),
        ("H(COUNT(x)) :- a(x).", [(4,)]),
        ("H(COUNT(x)) :- a(x), x > 7.", []),
        ("H(x, COUNT(p), SUM(r), MIN(r)) :- a(x), b(_, p, _, r), x < 2.", [(1, 4, 120, 10)]),
        ("H(7, MAX(x)) :- a(x).", [(7, 3)]),
        ("H(AVG(x)) :- a(x).", [(1.75,)]),
        ("H(SUM(x) + COUNT(x)) :- a(x).", [(11,)]),
        ("H(ARRAY_AGG(x)) :- a(x).", [((1, 1, 2, 3),)]),
        ("H(s, ARRAY_AGG(n)) :- c(s, n, _), n < 9.", [("x", (1, 2))]),
        ("M(x, SUM(r)) :- a(x), b(x, _, _, r). H(x, y) :- M(x, y), y > 10.", [(1, 20), (2, 20)]),
    ],
)
def test_rule(store, rule, expected):
    assert rows(store, rule) == sorted(expected, key=repr)


def test_types_that_are_declared_hold(store):
    assert rows(store, "H(x, x) :- a(x), x > 2.", declared="H(t text, f float).") == [("3", 3.0)]
    with pytest.raises(DataError, match=r"what derives H meets a value.*'xu'"):
        rows(store, "H(s) :- c(s, _, _).", declared="H(i int).")


def test_a_sum_of_whole_numbers_is_a_whole_number(store):
    assert [type(x) for x in rows(store, "H(SUM(x)) :- a(x).")[0]] == [int]


def test_names_and_texts_are_never_read_as_sql(store):
    rule = """H("'; DROP TABLE b; --", `x` || "\\"") :- c(x, _, "o'x\\n").""".replace("`", "")
    assert rows(store, rule) == [("'; DROP TABLE b; --", 'Y_%"')]
    assert rows(store, "select(x) :- a(x), x > 2.", of="select") == [(3,)]


@pytest.mark.parametrize("call", ["read_text(x)", "getenv(x)", "current_setting(x)", "random()", "now()", "glob(x)"])
def test_functions_that_look_elsewhere_are_refused(store, call):
    with pytest.raises(ProgramError, match=r"(looks at the machine|gives another value).*\nFix: "):
        rows(store, f"H({call}) :- c(x, _, _).")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("H(y) :- a(x).", "Nothing in the body gives 'y' a value"),
        ("H(x) :- d(x).", "no relation 'd'"),
        ("H(x) :- a(x, y).", "a has 1 columns, not 2"),
        ("H(x) :- a(x), frobnicate(x) = 1.", "(?i)frobnicate"),
        ("H(x) :- H2(x). H2(x) :- H(x).", "derived from itself: H2? -> H2? -> H2?"),
        ("H(x) :- a(x), OPTIONAL[b(y, _, _, _), EXISTS[a(x)]].", "inside OPTIONAL"),
    ],
)
def test_programs_that_mean_nothing(store, rule, message):
    with pytest.raises(ProgramError, match=message):
        rows(store, rule)


def test_recursion_is_found_in_deep_programs_too():
    chain = "".join(f"r{i + 1}(x) :- r{i}(x). " for i in range(2000))
    assert Schema(parse("r0(x int). " + chain)).order[-1] == "r2000"
    with pytest.raises(ProgramError, match="derived from itself"):
        _ = Schema(parse(chain + "r0(x) :- r2000(x).")).order


def test_bindings_are_the_rows_that_speak_for_a_fact(store):
    program = parse(BASE + 'H(x, y) :- a(x), b(x, y, z, _); c(y, x, t), t != "bar".')
    schema = Schema(program)
    ground(store, program)
    queries = binding_queries(schema, schema.rules_of("H")[0], {"x": 1})
    first, second = (store.frame(query, values) for query, values in queries)
    assert first.drop("b.r").to_dicts() == [{"x": 1, "y": "x", "z": "u", "_count": 1}] * 2
    assert second.columns == ["y", "x", "t", "_count"] and len(second) == 0
    with pytest.raises(ProgramError, match="no column 'z'"):
        binding_queries(schema, schema.rules_of("H")[0], {"z": 1})


WHOLE = """
R(x int, words text[]). V?(x int). C?(@key x int, tag text).
function f over (x int) returns (y int) implementation "m:f" handles tsj lines.
S(x, COUNT(w), ARRAY_AGG(w)) :- R(x, ws), w = ws[x].
T += f(x) :- R(x, _).
U(x) | 5 :- R(x, _), EXISTS[S(x, n, _), n > 1], OPTIONAL[T(x)].
V(x) = if x > 1 then TRUE else NULL end :- R(x, _).
C(x, "a") = TRUE @ 0.5 :- R(x, _).
@weight(w) V(x) => V(y) :- R(x, ws), w = ws[1], T(y).
@weight(3) C(x, t) ^ C(y, t) :- U(x), U(y).
"""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_program_is_written_in_every_dialect(dialect):
    made = dict(compile_program(parse(WHOLE), dialect))
    assert [n.split("#")[0] for n in made] == [
        *("scope of V", "scope of C", "relation S", "inputs of f for T", "relation U", "factors V", "factors C")
    ]
    quote = "`" if dialect == "spark" else '"'
    assert f"{quote}variables{quote}.{quote}V{quote}" in "".join(made.values())


def test_another_dialect_is_an_error():
    with pytest.raises(ProgramError, match="not written in 'oracle'"):
        compile_program(parse(WHOLE), "oracle")
