"""Text of trees: the same tree always the same text, and back."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from tests.kb.language import trees

from consilience.errors import ProgramError
from consilience.kb.language import fingerprint, parse, parse_query, write
from consilience.kb.language import tree as t
from consilience.kb.language.walk import changed


@settings(max_examples=80, deadline=None)
@given(trees.programs)
def test_what_is_written_is_read_as_the_same_tree(program):
    assert parse(write(program)) == program


@settings(max_examples=30, deadline=None)
@given(trees.queries())
def test_a_query_too(query):
    assert parse_query(write(query)) == query


@settings(max_examples=30, deadline=None)
@given(trees.programs)
def test_writing_twice_changes_nothing(program):
    assert write(parse(write(program))) == write(program)


@settings(max_examples=30, deadline=None)
@given(trees.statements)
def test_a_fingerprint_does_not_see_names_of_variables(statement):
    renamed = changed(statement, lambda name: t.Name(name.name + "_renamed"))
    assert fingerprint(renamed) == fingerprint(statement)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P(x) :- R(x, y).", "P(y) :- R(x, y)."),
        ("P(x) :- R(x, y).", "P(x) :- R(x, _)."),
        ("P(x) :- R(x, x).", "P(x) :- R(x, y)."),
        ("P(x) :- R(x, 1).", "P(x) :- R(x, 1.0)."),
        ("P(x) :- R(x, 1).", "P(x) :- R(x, TRUE)."),
        ("P(x) :- R(x).", "P(x) *:- R(x)."),
        ('@weight("?") P(x) :- R(x).', "@weight(x) P(x) :- R(x)."),
        ('@weight("?") P(x) :- R(x).', '@weight("?") @semantics("linear") P(x) :- R(x).'),
    ],
)
def test_a_fingerprint_sees_meaning(one, other):
    assert fingerprint(parse(one).statements[0]) != fingerprint(parse(other).statements[0])


def test_a_fingerprint_does_not_see_the_name_of_a_rule():
    one, other = parse('@name("a") @weight(x) P(x) :- R(x). @name("b") @weight(y) P(y) :- R(y).').statements
    assert fingerprint(one) == fingerprint(other)


def test_a_fingerprint_stays_what_it_is():
    """Databases keep them: a change here makes every saved rule look changed."""
    assert fingerprint(parse("P(x) :- R(x).").statements[0]) == "eff748c4388715d3f19ecf8d99e948c9"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("P(x):-R(x),x-1-2>0.", "P(x) :- R(x), x - 1 - 2 > 0."),
        ("P(x):-R(x),x-(1-2)>0.", "P(x) :- R(x), x - (1 - 2) > 0."),
        ("P((x*2)+1):-R(x).", "P(x * 2 + 1) :- R(x)."),
        ("P(x * (2+1)):-R(x).", "P(x * (2 + 1)) :- R(x)."),
        ("P(-x):-R(x).", "P(0 - x) :- R(x)."),
        ("P(a :: int :: text):-R(a).", "P(a :: int :: text) :- R(a)."),
        ("P(x):-R(x),[f(x)].", "P(x) :- R(x), [f(x)]."),
        ("P(x):-R(x),![x=1;x=2].", "P(x) :- R(x), ![x = 1; x = 2]."),
        ("P(x) *|3:-R(x);S(x).", "P(x) * | 3 :- R(x); S(x)."),
        ("V(x)=NULL@.5e0:-TRUE.", None),
        ("P(if x then 1 else (if y then 2 end) end):-TRUE.", "P(if x then 1 else (if y then 2 end) end) :- TRUE."),
        (
            "P(if x then 1 else(if y then 2 end)+1end):-TRUE.",
            "P(if x then 1 else (if y then 2 end + 1) end) :- TRUE.",
        ),
        ('@weight("any")V(x):-TRUE.', '@weight("?")\nV(x) :- TRUE.'),
        ("@label(l) V(x) :- R(x, l).", "V(x) = l :- R(x, l)."),
    ],
)
def test_canonical_text(text, written):
    if written is None:
        with pytest.raises(ProgramError):
            parse(text)
    else:
        assert write(parse(text)) == written


def test_long_declarations_and_bodies_take_a_line_each():
    columns = ", ".join(f"a_long_name_of_a_column_{i} text" for i in range(6))
    text = write(parse(f"R({columns})."))
    assert len(text.splitlines()) == 8 and parse(text) == parse(f"R({columns}).")


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_no_text_says(number):
    rule = parse("P(1) :- R(x).").statements[0]
    with pytest.raises(ProgramError, match=r"can't say the number"):
        write(dataclasses.replace(rule, head=t.Atom("P", (t.Constant(number),))))
