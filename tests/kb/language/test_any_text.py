"""Whatever is given to the language, it answers with a tree or with a ProgramError that says what to do."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kb.language import trees

from consilience.errors import ProgramError
from consilience.kb.language import check, check_query, fingerprint, parse, parse_query, strata, write
from consilience.kb.language import tree as t

PIECES = (
    r'R ( ) [ ] , ; . : :- *:- ?- => += :: = != < <= >= ! ^ v @ | || & + - * / % ? _ x y 1 2.5 "a" " \ # // é'
    " TRUE NULL LIKE IS NOT EXISTS OPTIONAL ALL if then else end function over returns rows like implementation"
    " handles tsj lines @weight(1) @name R(x) :-R(x). R(a_int). MAX(x) \n \x00 \ud800"
)
pieces = st.lists(st.sampled_from(PIECES.split(" ")), max_size=25).map(" ".join)


def refusal(act, *given):
    """What the ProgramError of an act says; None if it raises none. Every one says what to do."""
    try:
        act(*given)
    except ProgramError as error:
        message = str(error)
    else:
        return None
    assert any(line.startswith("Fix: ") for line in message.splitlines())
    return message


@settings(max_examples=200, deadline=None)
@given(st.one_of(pieces, st.text(max_size=30)))
def test_any_text_is_read_or_refused_with_a_place_and_a_fix(text):
    for read in (parse, parse_query):
        said = refusal(read, text)
        assert said is None or re.match(r"(program|query), line \d+, column \d+: ", said)


@settings(max_examples=60, deadline=None)
@given(trees.programs)
def test_any_tree_is_resolved_or_refused(program):
    if refusal(check, program):
        return
    done = check(program)
    assert check(done) == done
    assert {name for stratum in strata(done) for name in stratum} == set(done.relations)


@settings(max_examples=30, deadline=None)
@given(trees.queries())
def test_any_query_is_resolved_or_refused(query):
    refusal(check_query, query, t.Program())


WRONG = """R(a int, b text).
H(x) :- R(x, y), S(y).
@weight(w) H(x) => R(y) :- R(x).
P?(a int). P(x) = "yes" :- R(x, _).
"""


def test_the_last_line_of_the_text_may_be_pointed_at():
    for end in range(len(WRONG)):
        refusal(lambda text: check(parse(text)), WRONG[:end])


def test_little_stack_is_enough():
    """Trees as deep as `parse` allows are walked with what a busy caller has left of Python's stack."""
    text = "R(x int). H(" + "(-" * 110 + "x" + ")" * 110 + ") :- R(x), [" + "!" * 100 + "x]."
    with pytest.raises(ProgramError, match="nested more"):
        parse(text)
    program = parse(text.replace("(-" * 110, "(-" * 55).replace(")" * 110, ")" * 55))

    def below(frames):
        if frames:
            return below(frames - 1)
        return parse(write(program)) == program, check(program), fingerprint(program.statements[1])

    assert below(sys.getrecursionlimit() // 3)[0]
