"""What a program means: what is filled in, in which order relations can be computed, and what is wrong with it."""

from __future__ import annotations

import pytest

from consilience.errors import ProgramError
from consilience.kb.language import check, check_query, parse, parse_query, strata, write
from consilience.kb.language import tree as t

BASE = """R(a int, b int). S(a int). P?(a int). Q?(a int). C?(@key a int, tag text).
function f over (a int, b int) returns (a int) implementation "m:f".
"""


def checked(text):
    return check(parse(text))


def columns(program, relation):
    return [c.name for c in program.relations[relation].columns]


# What is filled in


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("H(x, y) :- R(x, y).", ["x", "y"]),
        ("H(x, y + 1, MAX(x)) :- R(x, y).", ["x", "column_2", "column_3"]),
        ("H(x, x) :- R(x, _).", ["column_1", "column_2"]),
        ("H(x, X) :- R(x, X).", ["column_1", "column_2"]),
        ("H(x, y) :- R(x, y). H(x, z) :- R(z, x).", ["x", "column_2"]),
        ("H(_count, column_1) :- R(_count, column_1).", ["column_1", "column_2"]),
        ("H += f(x, y) :- R(x, y).", ["a"]),
        ("H += f(x, y) :- R(x, y). H(a) :- S(a).", ["a"]),
    ],
)
def test_relations_nobody_declared(rules, expected):
    program = checked(BASE + rules)
    assert columns(program, "H") == expected
    assert {c.type for c in program.relations["H"].columns} == {""}


def test_what_nobody_declared_does_not_depend_on_the_order_of_rules():
    one = checked(BASE + "H(x, y) :- R(x, y). H(x, z) :- R(z, x).")
    other = checked(BASE + "H(x, z) :- R(z, x). H(x, y) :- R(x, y).")
    assert one.relations["H"] == other.relations["H"]


def test_rows_like_become_columns():
    text = 'R(@key a int, b text). function g over rows like R returns rows like R implementation "m:g".'
    function = checked(text).functions["g"]
    assert function.inputs == function.outputs == (t.Column("a", "int"), t.Column("b", "text"))


def test_inference_rules_have_names():
    program = checked(
        BASE
        + """
        @weight(1) P(x) :- S(x).
        @weight(2) P(y) :- S(y).
        @name("inf_istrue_P_3") @weight(3) P(z) :- S(z).
        @weight(4) P(z) :- S(z).
        @weight(1) P(x), !Q(x) => Q(y) :- R(x, y).
        @weight(1) P(x) = Q(x) :- TRUE."""
    )
    names = [rule.name for rule in program.rules]
    assert names == [
        "inf_istrue_P",
        "inf_istrue_P_2",
        "inf_istrue_P_3",
        "inf_istrue_P_4",
        "inf_imply_P_not_Q_Q",
        "inf_equal_P_Q",
    ]


def test_checking_again_changes_nothing_and_text_keeps_what_was_said():
    program = checked(
        BASE + "H(x) :- S(x). P(x) = TRUE :- H(x). @weight(x) P(x) => Q(x) :- H(x). S += f(x, y) :- R(x, y)."
    )
    assert check(program) == program
    assert checked(write(program)) == program


# Programs that mean something


@pytest.mark.parametrize(
    "rules",
    [
        "@weight(3) P(x) => Q(x) :- TRUE.",  # heads bind their own variables
        "@weight(tag, b) C(x, tag) :- R(x, b).",
        "@weight(u, w) C(x, u) ^ C(y, w) :- y = x + 1.",
        "P(x) :- S(x). P(x) = NULL :- S(x).",  # scope by a derivation
        "H(x, y) :- OPTIONAL[R(x, y)], OPTIONAL[S(x)].",
        "H(x) :- R(x, y), EXISTS[R(x, z), z > y, EXISTS[S(z), z != y]].",
        "H(x) :- S(x), !EXISTS[R(x, _)], ALL[R(x, z), z > x].",
        "H(x, COUNT(y), SUM(if y > x then 1 else 0 end), MAX(y) - MIN(y) + x) :- R(x, y).",
        "H(x) :- R(x, _); S(x); R(_, x), x > 3.",
        "H(1, NULL) :- TRUE.",
        "C(x, \"a\") = FALSE :- S(x). C(x, \"b\") = TRUE @ 0.75 :- S(x).",
        "@weight(1) P(1) :- TRUE.",
        "@weight(1) P(x) => C(x, \"a\") :- S(x).",  # Boolean and categorical together
        "H(x) :- P(x).",
    ],
)  # fmt: skip
def test_what_means_something(rules):
    assert checked(BASE + rules)


SPOUSE = """
has_spouse?(@key @references(relation="mention", column="id", alias="p1") p1 text, @key p2 text).
@source sentence(@key doc text, @key at int, tokens json, tags json).
mention(@key id text, @searchable said text, doc text, at int, start int, end int).
function find_mentions over (doc text, at int, tokens text[], tags text[]) returns rows like mention
    implementation "udf/mentions.py" handles tsj lines.
mention += find_mentions(d, i, tokens, tags) :- sentence(d, i, tokens, tags).

crowd(d, i, COUNT(m)) :- mention(m, _, d, i, _, _).
candidate(a, an, b, bn) :- crowd(d, i, n), mention(a, an, d, i, s, _), mention(b, bn, d, i, u, _),
    n < 5, a < b, an != bn, s != u.
feature(p1 text, p2 text, feature text).
married(one text, other text).
vote(p1 text, p2 text, vote int, rule text).
vote(a, b, 0, NULL) :- candidate(a, _, b, _).
vote(a, b, 1, "known") :- candidate(a, an, b, bn), married(x, y),
    [lower(x) = lower(an), lower(y) = lower(bn); lower(y) = lower(an), lower(x) = lower(bn)].
verdict(a, b, SUM(v)) :- vote(a, b, v, _).
@materialize has_spouse(a, b) = if l > 0 then TRUE else if l < 0 then FALSE else NULL end :- verdict(a, b, l).
@weight(f) has_spouse(a, b) :- feature(a, b, f).
@weight(3.0) has_spouse(a, b) => has_spouse(b, a) :- TRUE.
@weight(-1.0) has_spouse(a, b) => has_spouse(a, c) :- TRUE.
"""
SMOKE = """
person(id bigint, name text). friends(a bigint, b bigint). smokes?(id bigint). cancer?(id bigint).
smokes(p) :- person(p, _).
@weight(0.5) smokes(p) => cancer(p) :- person(p, _).
@weight(0.4) smokes(p) => smokes(q) :- person(p, _), person(q, _), friends(p, q).
"""
CHAIN = """
heads(id bigint). unknown(id bigint). side?(@key id bigint, side text).
side(i, "H") = TRUE :- heads(i). side(i, "T") = FALSE :- heads(i).
side(i, "H") = NULL :- unknown(i). side(i, "T") = NULL :- unknown(i).
@weight(s, u) side(i, s) ^ side(j, u) :- [j = i + 1].
"""
CHUNKING = """
chunk?(@key sentence bigint, @key word bigint, tag text). tags(tag text).
words(sentence bigint, word bigint, text text, pos text, gold text).
embedding(text text, vector float[]). dimensions(k int).
chunk(s, w, tag) = (if tag = gold then TRUE else FALSE end) :- words(s, w, _, _, gold), tags(tag).
@name("current word") @weight(tag, text) chunk(s, w, tag) :- words(s, w, text, _, _).
@name("linear chain") @weight(a, b) chunk(s, v, a) ^ chunk(s, w, b) :- w = v + 1.
@name("vectors") @weight(tag, k) @feature_value(v[k])
chunk(s, w, tag) :- words(s, w, text, _, _), embedding(t, v), t = lower(text), dimensions(k).
"""
COIN = 'flips(trial int, out bool). coin?(trial int). coin(t) = o :- flips(t, o). @weight("?") coin(t) :- TRUE.'


@pytest.mark.parametrize(
    "text", [SPOUSE, SMOKE, CHAIN, CHUNKING, COIN], ids=["spouse", "smoke", "chain", "chunks", "coin"]
)
def test_programs_as_people_write_them(text):
    program = checked(text)
    assert checked(write(program)) == program and check(program) == program
    assert sum(map(len, strata(program))) == len(program.relations)


# Order


def test_strata_put_a_relation_after_all_that_it_reads():
    program = checked(SPOUSE)
    levels = {name: i for i, stratum in enumerate(strata(program)) for name in stratum}
    assert levels["sentence"] == 0 and levels["has_spouse"] == max(levels.values())
    assert levels["mention"] < levels["crowd"] < levels["candidate"] < levels["vote"] < levels["verdict"]


def test_strata_of_an_empty_program():
    assert strata(checked("")) == ()


@pytest.mark.parametrize(
    ("rules", "cycle"),
    [
        ("H(x) :- H(x).", "H -> H"),
        ("H(x) :- K(x). K(x) :- S(x), EXISTS[H(x)].", "K -> H -> K|H -> K -> H"),
        ("S += f(x, y) :- R(x, y), K(x). K(x) :- S(x).", "S -> K -> S|K -> S -> K"),
        ("P(x) = TRUE :- H(x). H(x) :- S(x), !EXISTS[P(x)].", "P -> H -> P|H -> P -> H"),
    ],
)
def test_recursion_is_refused_and_its_cycle_named(rules, cycle):
    with pytest.raises(ProgramError, match=rf"line 3, .*derived from themselves: ({cycle})\."):
        checked(BASE + rules)


def test_inference_rules_may_go_round():
    assert checked(BASE + "@weight(1) P(x) => Q(x) :- S(x). @weight(1) Q(x) => P(x) :- P(x).")


# Broken programs


BROKEN = [
    ("H(x) :- T(x).", 1, 9, "Relation 'T' is neither declared nor derived.*declare it"),
    ("H(x) :- starts_with(x, 1), S(x).", 1, 9, "Relation 'starts_with'.*in brackets: `\\[starts_with"),
    ("person(a int). H(x) :- persn(x).", 1, 24, "Did you mean 'person'"),
    ("H(x) :- S(x), EXISTS[T(x)].", 1, 22, "Relation 'T' is neither"),
    ("@weight(1) T(x) :- S(x).", 1, 12, "Relation 'T' is neither"),
    ("H(x) :- R(x).", 1, 9, "'R' has 2 columns, and here 1.*write R\\(a, b\\)"),
    ("R(x) :- S(x).", 1, 1, "'R' has 2 columns, and here 1"),
    ("H(x) :- S(x). H(x, x) :- S(x).", 1, 15, "'H' has 1 column, and here 2"),
    ("S() :- TRUE.", 1, 1, "'S' has 1 column, and here 0"),
    ("K += g(x) :- S(x).", 1, 1, "Function 'g' is not declared.*'f'"),
    ("K += f(x) :- S(x).", 1, 1, "Function 'f' takes 2 values, and here 1.*\\(a, b\\)"),
    ("R += f(x, x) :- S(x).", 1, 1, "'f' returns 1 column, and 'R' has 2 columns"),
    ("S(x) = TRUE :- R(x, _).", 1, 1, "'S' is labelled, but is not declared to hold.*S\\?\\(a int\\)"),
    ("@weight(1) S(x) :- R(x, _).", 1, 12, "'S' is inferred, but is not declared"),
    ("@weight(1)\nP(x) => S(x) :- R(x, _).", 2, 9, "'S' is inferred"),
    ("@weight(1) H(x) :- S(x). H(x) :- S(x).", 1, 12, "'H' is inferred, but"),
    ("H(y) :- S(x).", 1, 3, "Variable 'y' is not bound"),
    ("H(x) :- S(x), y > 1.", 1, 15, "Variable 'y' is not bound"),
    ("H(word1) :- R(word_1, _).", 1, 3, "Did you mean 'word_1'"),
    ("H(x) :- S(x + 1).", 1, 3, "Variable 'x' is not bound"),
    ("H(y) :- S(x), y = x + 1.", 1, 3, "`=` compares and binds nothing"),
    ("H(x, y) :- S(x), EXISTS[R(x, y)].", 1, 6, "keep their variables to themselves"),
    ("H(x) :- S(x), EXISTS[S(y), z > y].", 1, 28, "'z' is not bound"),
    ("H(x, y) :- R(x, y); S(x).", 1, 6, "body 2 \\(alternatives"),
    ("H(true) :- S(x).", 1, 3, "TRUE is written in capitals"),
    ("@weight(w) P(x) :- S(x).", 1, 9, "Variable 'w' is not bound"),
    ("@weight(1) @feature_value(w) P(x) :- S(x).", 1, 27, "Variable 'w' is not bound"),
    ("@weight(1) P(x + 1) :- TRUE.", 1, 14, "Variable 'x' is not bound"),
    ("P(x) = l :- S(x).", 1, 8, "Variable 'l' is not bound"),
    ("P(x) = TRUE @ l :- S(x).", 1, 15, "Variable 'l' is not bound"),
    ("P(x) = TRUE :- TRUE.", 1, 3, "Variable 'x' is not bound"),
    ("K += f(x, y) :- S(x).", 1, 11, "Variable 'y' is not bound"),
    ("P(x) = 1 :- S(x).", 1, 8, "A label is TRUE, FALSE or NULL"),
    ("P(x) = TRUE @ 2 :- S(x).", 1, 15, "between 0 and 1"),
    ("P(x) = Q(x) :- S(x).", 1, 8, "'Q' is a relation.*@weight"),
    ("@weight(1, 2) P(x) :- S(x).", 1, 12, "more than one constant"),
    ('@name("n") @weight(1) P(x) :- S(x).\n@name("n") @weight(2) P(x) :- S(x).', 2, 23, "The name 'n' belongs to 2"),
    ("T(a int).\nT(b int).", 2, 1, "Relation 'T' is declared twice \\(first on line 3\\)"),
    ("T(a int). t(b int).", 1, 11, "'T' and 't' differ only in capitals"),
    ("T(a int). t(x) :- S(x).", 1, 11, "'T' and 't' differ only in capitals"),
    ("T(a int, a int).", 1, 10, "has the column 'a' twice"),
    ("T(a int, A int).", 1, 10, "has the column 'A' and 'a', which"),
    ("T(a int, _COUNT int).", 1, 10, "every table keeps for itself"),
    ('function f over (a int) returns (a int) implementation "m:f".', 1, 1, "Function 'f' is declared twice"),
    ('function g over rows like T returns (a int) implementation "m:f".', 1, 1, "rows like 'T', and no such"),
    ('function g over (a int, a int) returns (a int) implementation "m:f".', 1, 25, "has the column 'a' twice"),
    ('function g over (a int) returns (a int) implementation "udf/f.py".', 1, 1, "no Python function: 'udf/f.py'"),
    ('function g over (a int) returns (a int) implementation " " handles tsj lines.', 1, 1, "has no command"),
    ("H(x) :- S(x), OPTIONAL[x > 1].", 1, 15, "OPTIONAL holds one relation, and here 0"),
    ("H(x) :- S(x), OPTIONAL[S(x), S(x)].", 1, 15, "OPTIONAL holds one relation, and here 2"),
    ("H(x) :- S(x), !EXISTS[x > 1].", 1, 15, "EXISTS holds no relation"),
    ("H(x) :- S(x), ALL[x > 1].", 1, 15, "ALL holds no relation"),
    ("H(_) :- S(x).", 1, 3, "`_` stands where a value is needed"),
    ("H(x) :- S(x), _ > 1.", 1, 15, "`_` stands"),
    ("H(x) :- R(x, _ + 1).", 1, 14, "`_` stands"),
    ("@weight(1) P(_) :- S(x).", 1, 14, "`_` stands"),
    ("H(x) :- R(x, y), MAX(y) > 3.", 1, 18, "MAX makes one value of many rows"),
    ("P(x) = MAX(y) :- R(x, y).", 1, 8, "MAX makes one value"),
    ("@weight(COUNT(y)) P(x) :- R(x, y).", 1, 9, "COUNT makes one value"),
    ("S += f(x, max(y)) :- R(x, y).", 1, 11, "MAX makes one value"),
    ("H(SUM(MAX(y))) :- R(x, y).", 1, 7, "MAX makes one value"),
    ("H(SUM(y) + x) :- R(x, y).", 1, 12, "'x' stands beside an aggregate"),
    ("H(SUM(x, y)) :- R(x, y).", 1, 3, "SUM takes one value, and has 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "said"), BROKEN, ids=[case[0] for case in BROKEN])
def test_broken_programs(text, line, column, said):
    before = BASE.count("\n")
    with pytest.raises(ProgramError, match=rf"(?s)line {line + before}, column {column}: .*{said}") as found:
        check(parse(BASE + text, name="app"))
    *_, shown, caret, fix = str(found.value).splitlines()[:4]
    assert shown.strip().startswith(f"{line + before} | ") and caret.strip() == "^" and fix.startswith("Fix: ")


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_text():
    with pytest.raises(ProgramError) as found:
        check(parse("H(y) :- S(x).\n@weight(w) Q(x) :- R(x).\nR(a int, a int).", name="app"))
    message = str(found.value)
    assert message.startswith("app: 6 problems.\n\n")
    lines = [line for line in message.splitlines() if line.startswith("app, line")]
    assert [line.split(":")[0] for line in lines] == [
        "app, line 1, column 3",
        "app, line 1, column 9",
        "app, line 2, column 9",
        "app, line 2, column 12",
        "app, line 2, column 20",
        "app, line 3, column 10",
    ]


def test_very_many_problems_are_counted():
    with pytest.raises(ProgramError, match=r"(?s)50 problems.*\.\.\. and 30 more\."):
        checked("S(a int)." + "\n".join(f"H{i}(y) :- S(x)." for i in range(50)))


def test_trees_that_no_text_makes():
    atom = t.Atom("P", (t.Constant(1),))
    alone = t.Inference("imply", (t.Literal(atom),), ())
    empty = t.Relation("E", (), True)
    endless = t.Inference("is_true", (t.Literal(atom),), (), weights=(t.Constant(float("1e999")),))
    negative = t.Derivation(t.Atom("S", (t.Constant(1),)), (), limit=-1)
    for statement, said in [
        (alone, "can't have 1 relations"),
        (empty, "has no columns"),
        (negative, "limit -1 is negative"),
    ]:
        with pytest.raises(ProgramError, match=said):
            check(t.Program((*parse(BASE).statements, statement)))
    with pytest.raises(ProgramError, match=r"finite|can't say the number"):
        check(t.Program((*parse(BASE).statements, endless)))


# Queries


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?- R(x, y).", ["x", "y"]),
        ("?- R(y, x), S(y).", ["y", "x"]),
        ("?- R(x, y); S(x).", ["x"]),
        ("y ?- R(x, y).", ["y"]),
        ("n ?- N(x, n).", ["n"]),
    ],
)
def test_queries_show_what_their_bodies_have_in_common(query, shown):
    program = checked(BASE)
    query = "N(x, COUNT(y)) :- R(x, y). " + query
    assert [term.name for term, _ in check_query(parse_query(query), program).terms] == shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?- T(x).", "line 1, column 4: Relation 'T' is neither"),
        ("?- R(x).", "'R' has 2 columns"),
        ("y ?- S(x).", "line 1, column 1: Variable 'y' is not bound"),
        ("?- R(x, _); R(_, y).", "no variable in common"),
        ("?- R(_, 1).", "have no variable"),
        ("?- TRUE.", "nothing to show"),
        ("_ ?- S(x).", "`_` stands"),
        ("x + COUNT(y) ?- R(x, y).", "'x' stands beside an aggregate"),
        ("S(x) :- R(x, _). ?- S(x).", "'S' stands in the program"),
        ("H(y) :- S(x). ?- H(y).", "Variable 'y' is not bound"),
        ("H(x) :- H(x). ?- H(x).", "derived from themselves"),
        ("s(x) :- S(x). ?- s(x).", "differ only in capitals"),
    ],
)
def test_queries_that_mean_nothing(query, said):
    with pytest.raises(ProgramError, match=said):
        check_query(parse_query(query), checked(BASE))
