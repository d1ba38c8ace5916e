"""The language in which people ask for rows by their votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import LabelMatrix, apply, keywords, read
from consilience.errors import VoteError

VOTES = [[0, -1, 1], [1, 1, -1], [-1, -1, -1], [1, 0, 1], [0, 0, 0]]
MATRIX = LabelMatrix.from_votes(
    VOTES, ["ham", "spam"], names=["a", "b", "c-d"], gold=["ham", "spam", None, "ham", "ham"]
)


def ids(query, matrix=MATRIX):
    return matrix.where(query).ids.to_list()


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("a", [0, 1, 3, 4]),
        ("a=spam", [1, 3]),
        ("a = 'spam'", [1, 3]),
        ("a!=spam", [0, 4]),
        ("!a=spam", [0, 2, 4]),
        ("a=spam & b", [1, 3]),
        ("a=spam b=ham", [3]),
        ("a=ham | b=spam & c-d", [0, 4]),
        ("(a=ham | b=spam) & c-d", [0, 4]),
        ("a=ham|b=spam & c-d", [0, 4]),
        ("(a=ham | b=spam) & !c-d", [1]),
        ("a=ham | b=spam & !c-d", [0, 1, 4]),
        ("!(a | b)", [2]),
        ("!!a", [0, 1, 3, 4]),
        ("covered", [0, 1, 3, 4]),
        ("conflict", [0, 3]),
        ("gold", [0, 1, 3, 4]),
        ("gold=ham", [0, 3, 4]),
        ("gold!=ham", [1]),
        ("gold=ham & a=spam", [3]),
    ],
)
def test_queries_find_their_rows(query, rows):
    assert ids(query) == rows


TERMS = {"a": 0, "b": 1, "c-d": 2}
EXPRESSIONS = st.recursive(
    st.sampled_from(
        [
            (f"{name}={label}", f"(row[{j}] == {c})")
            for name, j in TERMS.items()
            for c, label in enumerate(("ham", "spam"))
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda e: (f"!({e[0]})", f"(not {e[1]})")),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} | {p[1][0]})", f"({p[0][1]} or {p[1][1]})")),
        st.tuples(inner, inner).map(lambda p: (f"{p[0][0]} & {p[1][0]}", f"({p[0][1]} and {p[1][1]})")),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} {p[1][0]})", f"({p[0][1]} and {p[1][1]})")),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_agrees_with_python_on_every_row(both):
    query, python = both
    assert ids(query) == [place for place, row in enumerate(VOTES) if eval(python, {"row": row})]  # noqa: S307


def test_text_is_found_whatever_its_case():
    table = read([{"id": 1, "text": "A FREE Gift"}, {"id": 2, "text": "free of gifts"}, {"id": 3, "text": "a & b|c"}])
    matrix = apply({"f": keywords("spam", ["free"])}, table)
    assert ids('"free gift"', matrix) == [1]
    assert ids("'FREE' & !\"gift\"", matrix) == []
    assert ids('"& b|"', matrix) == [3]
    assert ids('f "gifts"', matrix) == [2]


def test_a_functions_name_comes_before_a_word_of_the_language():
    matrix = LabelMatrix.from_votes([[0, -1], [-1, 0]], ["x"], names=["covered", "gold"])
    assert ids("covered", matrix) == [0] and ids("gold", matrix) == [1]


@pytest.mark.parametrize(
    ("query", "place", "message"),
    [
        ("", 1, "it is empty"),
        ("   ", 1, "it is empty"),
        ("a & (b", 7, r"a \) is missing"),
        ("a )", 3, r"'\)' is not expected here"),
        ("a &", 4, "something is missing at its end"),
        ("a & | b", 5, r"'\|' is not expected here"),
        ("a=", 3, "something is missing at its end"),
        ("a='spam", 3, "this cannot be read"),
        ("nope", 1, "'nope' is not a function"),
        ("a & covred", 5, "'covred' is not a function"),
        ("a=spma", 3, "'spma' is not a label"),
    ],
)
def test_a_query_that_goes_wrong_says_where(query, place, message):
    with pytest.raises(VoteError, match=f"at character {place}: {message}.\nFix: "):
        MATRIX.where(query)


def test_names_that_are_nearly_right_are_answered_with_the_nearest():
    with pytest.raises(VoteError, match="Did you mean 'covered'"):
        MATRIX.where("coverd")
    with pytest.raises(VoteError, match="Did you mean 'spam'"):
        MATRIX.where("a=spma")


def test_votes_without_rows_have_no_text_to_look_in():
    with pytest.raises(VoteError, match=r"the matrix has no texts to look in.\nFix"):
        MATRIX.where('"free"')


def test_many_functions_and_rows_are_no_trouble():
    rng = np.random.default_rng(0)
    matrix = LabelMatrix.from_votes(rng.integers(-1, 2, (1000, 5)), ["ham", "spam"])
    assert len(matrix.where("f0=ham | f0=spam | !f0")) == 1000
