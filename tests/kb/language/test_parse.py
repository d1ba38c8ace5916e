"""Text becomes a tree: every construct, places, and what can't be read."""

from __future__ import annotations

import time

import pytest

from consilience.errors import ProgramError
from consilience.kb.language import parse, parse_query
from consilience.kb.language import tree as t


def one(text):
    (statement,) = parse(text).statements
    return statement


def value(text):
    """The expression in the head of a derivation."""
    return one(f"H({text}) :- R(x).").head.arguments[0]


def condition(text):
    return one(f"H(x) :- R(x), {text}.").bodies[0][1]


def names(text):
    return tuple(t.Name(n) for n in text.split())


x, y = names("x y")


def n(number):
    return t.Constant(number)


def op(sign, left, right):
    return t.Operation(sign, left, right)


# Declarations


def test_a_relation_with_annotations():
    assert one('@a @b(x=1, "two") R?(@key @references(relation="S", column="c") k int[], v decimal(10, 2)).') == (
        t.Relation(
            "R",
            (
                t.Column(
                    "k",
                    "int[]",
                    (
                        t.Annotation("key"),
                        t.Annotation("references", (("relation", n("S")), ("column", n("c")))),
                    ),
                ),
                t.Column("v", "decimal(10,2)"),
            ),
            True,
            (t.Annotation("a"), t.Annotation("b", (("x", n(1)), ("", n("two"))))),
        )
    )


def test_keys_and_categories():
    chunk = one("chunk?(@key s int, @key w int, tag text).")
    assert (chunk.keys, chunk.categories) == (("s", "w"), ("tag",))
    assert one("p?(a int, b int).").keys == ("a", "b")
    assert one("p(@key a int, b int).").categories == ()


def test_words_of_the_language_are_names_where_nothing_else_can_stand():
    relation = one("rows(begin int, end int, over text, v text, like json, TRUTH bool).")
    assert [c.name for c in relation.columns] == ["begin", "end", "over", "v", "like", "TRUTH"]
    assert one("v(v) :- v(v), then(end, else).").bodies[0][1].arguments == names("end else")
    rule = one("@weight(v) v(v) v v(x) :- iffy(v, x).")
    assert (rule.function, len(rule.literals)) == ("or", 2)


def test_functions():
    columns = (t.Column("a", "int"), t.Column("b", "text[]"))
    assert one('function f over (a int, b text[]) returns rows like S implementation "f.py" handles tsv lines.') == (
        t.Function("f", columns, "S", "f.py", "tsv")
    )
    assert one('@x function f over rows like R returns (a int, b text[]) implementation "m:f".') == (
        t.Function("f", "R", columns, "m:f", "python", (t.Annotation("x"),))
    )


# Rules


def test_derivations():
    rule = one("H(x) * | 10 :- R(x, _); S(x), x > 1.")
    bodies = ((t.Atom("R", (x, t.Anything())),), (t.Atom("S", (x,)), op(">", x, n(1))))
    assert rule == t.Derivation(t.Atom("H", (x,)), bodies, True, 10)
    for text in ("H(x) *:- R(x).", "H(x) * :- R(x).", "H(x)*\n:-R(x)."):
        assert one(text).distinct and one(text).limit is None
    assert one("H(x) | 3 :- R(x).").limit == 3 and one("H(1) :- TRUE.").bodies == ()


def test_a_lone_true_is_no_body_and_true_in_brackets_a_condition():
    assert one("H(1) :- [TRUE].").bodies == ((n(True),),)
    assert one("H(x) :- R(x), TRUE.").bodies[0][1] == n(True)


def test_quantifiers():
    body = one(
        "H(x) :- R(x), EXISTS[S(x, y), y > 1], !EXISTS[S(x, _)], OPTIONAL[S(x, z)], ALL[S(_, w), w < x]."
    ).bodies[0]
    assert [part.kind for part in body[1:]] == ["exists", "not exists", "optional", "all"]
    assert body[1].parts == (t.Atom("S", (x, y)), op(">", y, n(1)))
    nested = one("H(x) :- R(x), EXISTS[S(x), !EXISTS[T(x)]].").bodies[0][1]
    assert nested.parts[1] == t.Quantified("not exists", (t.Atom("T", (x,)),))


def test_function_calls():
    rule = one("S += f(x, lower(y)) :- R(x, y).")
    assert (rule.relation, rule.function, rule.arguments) == ("S", "f", (x, t.Call("lower", (y,))))


def test_labels():
    rule = one("V(x) = if y > 0 then TRUE else if y < 0 then FALSE else NULL end :- R(x, y).")
    cases = ((op(">", y, n(0)), n(True)), (op("<", y, n(0)), n(False)))
    assert (rule.label, rule.probability) == (t.Choice(cases, n(None)), None)
    assert one("V(x) = TRUE @ p :- R(x, p).").probability == t.Name("p")
    assert one("V(x) = y @ 0.5 + p :- R(x, p, y).").probability == op("+", n(0.5), t.Name("p"))
    assert one("@m @label(y) V(x) :- R(x, y).") == one("@m V(x) = y :- R(x, y).")
    assert one("V(x) = (y = 1) :- R(x, y).").label == op("=", y, n(1))
    assert one("V(x) = f(y) :- R(x, y).").label == t.Call("f", (y,))


@pytest.mark.parametrize(
    ("head", "function", "negated"),
    [
        ("P(x)", "is_true", [False]),
        ("! P(x)", "is_true", [True]),
        ("P(x) => Q(x)", "imply", [False, False]),
        ("!P(x), Q(x) => !R(x)", "imply", [True, False, True]),
        ("P(x) ^ !Q(x) ^ R(x)", "and", [False, True, False]),
        ("P(x) v Q(x)", "or", [False, False]),
        ("P(x) = Q(x)", "equal", [False, False]),
        ("!P(x) = !Q(x) = R(x)", "equal", [True, True, False]),
    ],
)
def test_heads_of_inference_rules(head, function, negated):
    rule = one(f"@weight(w) {head} :- S(x, w).")
    assert rule.function == function
    assert [literal.negated for literal in rule.literals] == negated
    assert [literal.atom.arguments for literal in rule.literals] == [(x,)] * len(negated)


@pytest.mark.parametrize(
    ("weight", "weights", "fixed"),
    [
        ('"?"', (), None),
        ('""', (), None),
        ("3", (n(3),), 3.0),
        ("-0.3", (n(-0.3),), -0.3),
        ("x", (x,), None),
        ("x + y", (op("+", x, y),), None),
        ('x, "a"', (x, n("a")), None),
    ],
)
def test_weights(weight, weights, fixed):
    rule = one(f"@weight({weight}) P(x) :- R(x, y).")
    assert (rule.weights, rule.fixed_weight) == (weights, fixed)


def test_annotations_of_inference_rules():
    rule = one('@name("a  b") @semantics("Linear") @Weight(x) @feature_value(y) @other P(x) => Q(y) :- R(x, y).')
    assert (rule.name, rule.semantics, rule.feature_value) == ("a  b", "linear", y)
    assert rule.annotations == (t.Annotation("other"),)
    assert one('@weight("?") P(x) :- TRUE.').semantics == "ratio"


# Expressions and conditions


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x + y * 2", op("+", x, op("*", y, n(2)))),
        ("x - y - 2", op("-", op("-", x, y), n(2))),
        ('x || y + 1 || "a"', op("||", op("||", x, op("+", y, n(1))), n("a"))),
        ("x & y % 2", op("&", x, op("%", y, n(2)))),
        ("x / y :: float", op("/", x, t.Cast(y, "float"))),
        ("x :: double precision :: text[]", t.Cast(t.Cast(x, "double precision"), "text[]")),
        ("x[y + 1][2]", t.Element(t.Element(x, op("+", y, n(1))), n(2))),
        ("f(x)[1]", t.Element(t.Call("f", (x,)), n(1))),
        ("-x", op("-", n(0), x)),
        ("-3", n(-3)),
        ("x - -3", op("-", x, n(-3))),
        ("x -3", op("-", x, n(3))),
        ("1.5e-3", n(0.0015)),
        ("2E5", n(2e5)),
        ("0.0", n(0.0)),
        ("(x)", x),
        ("(x > 1)", op(">", x, n(1))),
        ("max(x) - Array_agg(y)", op("-", t.Call("MAX", (x,)), t.Call("ARRAY_AGG", (y,)))),
        ("if x > 1, y > 1; x = 0 then 1 end", t.Choice(
            ((t.Any((t.All((op(">", x, n(1)), op(">", y, n(1)))), op("=", x, n(0)))), n(1)),))),
        ("if x then 1 else # why\n if y then 2 else 3 end", t.Choice(((x, n(1)), (y, n(2))), n(3))),
        ("if x then 1 else (if y then 2 end) end", t.Choice(((x, n(1)),), t.Choice(((y, n(2)),)))),
    ],
)  # fmt: skip
def test_expressions(text, tree):
    assert value(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x = 1", op("=", x, n(1))),
        ("!x < y", t.Not(op("<", x, y))),
        ("x LIKE \"a%\"", op("LIKE", x, n("a%"))),
        ("x IS NULL", op("IS", x, n(None))),
        ("x IS  NOT NULL", op("IS NOT", x, n(None))),
        ("[x = 1]", op("=", x, n(1))),
        ("[f(x)]", t.Call("f", (x,))),
        ("(f(x))", t.Call("f", (x,))),
        ("f(x) > 1", op(">", t.Call("f", (x,)), n(1))),
        ("f(x)", t.Atom("f", (x,))),
        ("[x, y; x]", t.Any((t.All((x, y)), x))),
        ("[x, [y; ![x, y]]]", t.All((x, t.Any((y, t.Not(t.All((x, y)))))))),
    ],
)  # fmt: skip
def test_conditions(text, tree):
    assert condition(text) == tree


@pytest.mark.parametrize(
    ("text", "string"),
    [
        (r'"a\"b\\c\/\n\t\r\b\f\'"', "a\"b\\c/\n\t\r\b\f'"),
        (r'"\u00e9\ud83d\ude00"', "é😀"),
        ('"é😀 # no comment // either"', "é😀 # no comment // either"),
        ('""', ""),
    ],
)
def test_strings(text, string):
    assert value(text) == n(string)


def test_one_and_true_are_not_equal():
    assert len({n(1), n(1.0), n(True), n("1")}) == 4 and value("1") != value("TRUE")


def test_a_number_before_the_period():
    first, second = parse("H(x) :- R(x), x = 3.H(x) :- R(x), x = 3.5.").statements
    assert first.bodies[0][1].right == n(3) and second.bodies[0][1].right == n(3.5)


def test_comments():
    program = parse("# one\n// two\nR(a int, b float#three\n, c text // four\n). // five . \n# six")
    assert [c.type for c in program.statements[0].columns] == ["int", "float", "text"]


def test_places():
    program = parse("R(a int).\n\n@weight(w)\n  P(x) :-\n\tR(x, lower(z)), x > w.")
    rule = program.statements[1]
    assert (rule.place, rule.weights[0].place) == (t.Place(4, 3), t.Place(3, 9))
    assert rule.bodies[0][0].place == t.Place(5, 2)
    assert rule.bodies[0][0].arguments[1].arguments[0].place == t.Place(5, 13)
    assert rule.bodies[0][1].place == t.Place(5, 18)
    assert program.statements[0].columns[0].place == t.Place(1, 3)


def test_unicode_names_and_line_ends():
    program = parse("\ufeffpersonne(prénom text, 名前 text).\r\nÉlève(名前) :- personne(_, 名前).\r\n")
    assert program.statements[1].head == t.Atom("Élève", names("名前"))
    assert program.statements[1].place == t.Place(2, 1)


@pytest.mark.parametrize("text", ["", "  \n", "# nothing", "\ufeff", "// nothing\n\n"])
def test_an_empty_program(text):
    assert parse(text) == t.Program(())


# Queries


def test_queries():
    query = parse_query('x, @order_by("DESC") COUNT(y) * | 20 ?- R(x, y), x > 1; S(x, y)')
    assert query.terms == ((x, None), (t.Call("COUNT", (y,)), "desc"))
    assert (query.distinct, query.limit, len(query.bodies), query.order) == (True, 20, 2, ())
    assert parse_query("?- R(x).").terms == ()
    assert parse_query("(x, y) ?- R(x, y).").terms == parse_query("x, y ?- R(x, y).").terms
    assert parse_query("(x) ?- R(x).").terms == ((x, None),)
    assert parse_query("(@order_by x) ?- R(x).").terms == ((x, "asc"),)


def test_order_by_priority():
    query = parse_query('@order_by x, @order_by(priority=-1, dir="desc") y, @order_by("ASC", 2) z ?- R(x, y, z).')
    assert query.order == (1, 0, 2)
    assert [(term.name, way) for term, way in query.sort_keys] == [("y", "desc"), ("x", "asc"), ("z", "asc")]


def test_rules_of_a_query():
    query = parse_query("H(x, COUNT(y)) *:- R(x, y). K(x) :- S(x). x ?- H(x, n), K(x).")
    assert [rule.head.relation for rule in query.rules] == ["H", "K"] and query.rules[0].distinct


# What can't be read: text, line, column, what is said


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("R(a int)\nS(b int).", 2, 1, r"'S' can't stand here; expected '\.'.*Fix: end the statement before .*line 1"),
        ("R(a int)", 1, 9, "The text ends, and '.' .*missing.*Fix: end the last statement with a period"),
        ("H(x) :- R(x", 1, 12, "The text ends, and ',' or '\\)' is missing"),
        ("H(x) :- .", 1, 9, "'.' can't stand here; expected a value"),
        ("R(a).", 1, 5, "'.' can't stand here; expected .*':-'"),
        ("R(a int,).", 1, 9, "'\\)' can't stand here; expected a name"),
        ("H(x) :- R('a').", 1, 11, "Fix: strings stand in double quotes"),
        ('H(x) :- R("a).\nR(x int).', 1, 11, "string is not closed"),
        ('H(x) :- R("a\\q").', 1, 13, r"no escape '\\q'"),
        ('H(x) :- R("\\ud800").', 1, 11, "half a character"),
        ('H(x) :- R("\\u0000").', 1, 12, "no escape"),
        ("/* c */ R(a int).", 1, 1, "Fix: comments begin with #"),
        ("H(x) :- R(x), x == 1.", 1, 18, "Fix: equality is `=`"),
        ("H(x) :- R(x), x <> 1.", 1, 18, "Fix: inequality is `!=`"),
        ("H(x) :- R(x) and S(x).", 1, 14, "Fix: conditions are joined by a comma"),
        ("H(x) :- R(x), x like \"a\".", 1, 17, "Fix: LIKE is written in capitals"),
        ("H(x) :- R(x), x is NULL.", 1, 17, "Fix: IS is written in capitals"),
        ("H(x) <- R(x).", 1, 6, "Fix: a rule is written"),
        ("@weight(1) P(x) -> Q(x) :- R(x).", 1, 17, "Fix: implication is `=>`"),
        ("P(x) => Q(x) :- R(x).", 1, 1, "@weight is missing"),
        ("!P(x) :- R(x).", 1, 1, "@weight is missing"),
        ("P(x) = Q(x) = S(x) :- R(x).", 1, 1, "@weight is missing"),
        ('@semantics("linear") P(x) :- R(x).', 1, 2, "@semantics belongs .*@weight is missing"),
        ("@weight P(x) :- R(x).", 1, 2, "@weight takes values"),
        ("@weight() P(x) :- R(x).", 1, 2, "@weight takes values"),
        ("@weight(1) @weight(2) P(x) :- R(x).", 1, 13, "@weight stands twice"),
        ("@weight(1)\n@label(2) P(x) :- R(x).", 2, 2, "either infers"),
        ("@label(2) P(x) = TRUE :- R(x).", 1, 2, "said twice"),
        ("@weight(1) P(x) = 3 :- R(x).", 1, 19, "this is a value"),
        ("@weight(1) P(x) = Q(x) @ 1 :- R(x).", 1, 26, "no `@ p`"),
        ("@weight(1) P(x) *:- R(x).", 1, 17, "neither `\\*` nor"),
        ("P(x) = TRUE | 3 :- R(x).", 1, 13, "neither `\\*` nor"),
        ('@weight(1) @semantics("cubic") P(x) :- R(x).', 1, 13, "no semantics 'cubic'.*There are"),
        ('@weight(1) @semantics("linaer") P(x) :- R(x).', 1, 13, "Did you mean 'linear'"),
        ("@weight(1) @name(x) P(x) :- R(x).", 1, 13, "@name takes a string"),
        ('function f over (a int) returns (b int).', 1, 40, "expected 'implementation'.*module:function"),
        ('function f over (a int) returns (b int) implementation "f" handles json lines.', 1, 68, "tsj or tsv lines"),
        ("H(x) :- R(x), x = 1e999.", 1, 19, "too large"),
        ("H(x) :- R(x), x = " + "9" * 50 + ".", 1, 19, "too many digits"),
        ("H(x) :- R(x), {x = 1}.", 1, 15, "Fix: conditions stand in square brackets"),
        ("H(x) :- R(x)\x00.", 1, 13, r"'\\x00' can't stand in a program"),
        ("H(x) :- R(\"\ud800\").", 1, 12, "can't stand in a program"),
        ("H(if x then 1 elif y then 2 end) :- R(x, y).", 1, 15, "Fix: write `else if`"),
        ("H(if x 1 end) :- R(x).", 1, 8, "expected .*'then'"),
        ("\n\n  ???", 3, 3, "can't stand here; expected a relation, function or rule"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(text, line, column, said):
    with pytest.raises(ProgramError, match=rf"(?s)^app, line {line}, column {column}: .*{said}") as found:
        parse(text, name="app") if said else None
    assert "\nFix: " in str(found.value) and "\n  " in str(found.value)
    for jargon in ("_RPAR", "Token", "terminal", "LALR", "NAME"):
        assert jargon not in str(found.value).split("\n")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The text ends"),
        ("R(x).", r"expected .*'\?-'|expected ':-'"),
        ("?- R(x). ?- R(y).", "can't stand here"),
        ("x, y :- R(x). ?- R(x).", "begins with one relation"),
        ('@order_by("up") x ?- R(x).', "@order_by is not understood"),
        ("@order_by(y) x ?- R(x).", "@order_by is not understood"),
        ("@order x ?- R(x).", "no @order"),
    ],
)
def test_queries_that_cannot_be_read(text, said):
    with pytest.raises(ProgramError, match=said):
        parse_query(text)


def test_the_message_as_it_is():
    with pytest.raises(ProgramError) as found:
        parse("R(a int).\nH(x)\t:- R(x), x == 1.", name="app.ddlog")
    assert str(found.value) == (
        "app.ddlog, line 2, column 18: '=' can't stand here; expected a value.\n"
        "  2 | H(x) :- R(x), x == 1.\n"
        "                       ^\n"
        "Fix: equality is `=`."
    )


def test_the_caret_stands_under_wide_characters_too():
    with pytest.raises(ProgramError) as found:
        parse('H("名前" 1) :- R(x).')
    shown, caret = str(found.value).splitlines()[1:3]
    assert caret.index("^") == shown.index(" 1)") + 1 + 2


# Hostile text


def test_a_line_of_a_hundred_thousand_characters():
    long = ", ".join(f'R(x{i}, "{"a" * 20}")' for i in range(3000))
    assert len(long) > 100_000 and len(one(f"H(x1) :- {long}.").bodies[0]) == 3000
    with pytest.raises(ProgramError, match="line 1, column ") as found:
        parse(f"H(x1) :- {long}, ?.")
    assert max(map(len, str(found.value).splitlines())) < 200


@pytest.mark.parametrize(
    "text",
    [
        "(" * 8_000 + "x" + ")" * 8_000,
        "f(" * 1_000 + "x" + ")" * 1_000,
        "+".join("x" * 4_000),
        "x" + "[1]" * 4_000,
        "x" + ":: int" * 4_000,
        "if x then " * 500 + "1" + " end" * 500,
    ],
)
def test_deep_nesting_is_refused(text):
    with pytest.raises(ProgramError, match=r"nested more than \d+ deep"):
        parse(f"H({text}) :- R(x).")


def test_deep_conditions_and_quantifiers_are_refused():
    for text in ("!" * 4_000 + "x", "[" * 4_000 + "x" + "]" * 4_000, "EXISTS[" * 1_000 + "R(x)" + "]" * 1_000):
        with pytest.raises(ProgramError, match="nested more than"):
            parse(f"H(x) :- R(x), {text}.")


def test_never_closed():
    with pytest.raises(ProgramError, match="The text ends"):
        parse("H(" + "(" * 8_000)


def test_what_is_nested_as_deep_as_allowed_can_be_written_compared_and_checked():
    from consilience.kb.language import check, write

    program = parse("R(x int). H(" + "f(" * 55 + "x" + ")" * 55 + ") :- R(x).")
    assert parse(write(program)) == program and check(program) is not None


def test_three_hundred_statements_take_less_than_a_second():
    text = "\n".join(
        f'@weight(f{i})\nP(x, y) => Q{i}(y, x) :- R(x, y, f{i}), S(x, _, "a{i}"), [x > {i}; y < x + 1, x != y].'
        for i in range(300)
    )
    parse("R(a int).")
    begun = time.process_time()
    assert len(parse(text).statements) == 300
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("text", [b"R(a int).", None, 3])
def test_only_text_is_a_program(text):
    with pytest.raises(ProgramError, match=r"app is \w+, and a program is text"):
        parse(text, name="app")
