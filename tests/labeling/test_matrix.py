"""The label matrix: votes that can be, parts of it, and how it looks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, Table, apply, keywords, labeling_function, read
from consilience.errors import DataError, VoteError
from consilience.labeling.matrix import vote_type

MATRIX = LabelMatrix.from_votes(
    [[0, -1], [1, 1], [-1, -1]], ["ham", "spam"], ids=["a", "b", "c"], names=["f", "g"], gold=["ham", None, "spam"]
)


@given(vote_matrices(min_rows=0))
def test_votes_come_out_as_they_went_in(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    assert (matrix.votes == votes).all() and len(matrix) == len(votes)
    assert matrix.covered.tolist() == [any(row >= 0) for row in votes]
    assert matrix.ids.to_list() == list(range(len(votes)))
    assert matrix.names == [f"f{j}" for j in range(votes.shape[1])]


@given(vote_matrices(), st.data())
def test_parts_are_found_by_id_in_the_order_asked_for(made, data):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    ids = data.draw(st.lists(st.integers(0, len(votes) - 1), unique=True))
    assert (matrix.on(ids).votes == votes[ids]).all()
    assert matrix.on(matrix.take(np.array(ids, int))).ids.to_list() == ids


@pytest.mark.parametrize(
    ("votes", "options", "message"),
    [
        ([0, 1], {}, r"Votes have shape \(2,\)"),
        ([[0.0, 1.0]], {}, "type float64"),
        ([[True, False]], {}, "type bool"),
        ([[0, 1, 0], [0, 0, 7]], {}, "Function 2 voted 7 on row 1, but the classes are 0..1"),
        ([[-2]], {}, "Function 0 voted -2 on row 0"),
        ([[0, 1]], {"names": ["a"]}, "2 functions need 2 distinct names, not 1"),
        ([[0, 1]], {"names": ["a", "a"]}, "2 functions need 2 distinct names, not 1"),
        ([[0], [1]], {"ids": ["x", "x"]}, "2 rows need 2 distinct ids, not 1"),
        ([[0], [1]], {"ids": ["x"]}, "2 rows need 2 distinct ids, not 1"),
        ([[0], [1]], {"gold": ["ham"]}, "2 rows need 2 gold labels, not 1"),
    ],
)
def test_votes_that_cannot_be_are_refused_with_place_and_fix(votes, options, message):
    with pytest.raises(VoteError, match=f"{message}(.|\n)*\nFix: "):
        LabelMatrix.from_votes(votes, ["ham", "spam"], **options)


@pytest.mark.parametrize("k", [2, 126, 127, 300])
def test_votes_are_kept_in_the_smallest_type_that_holds_them(k):
    top = LabelMatrix.from_votes([[k - 1, -1]], class_names(k))
    assert top.votes.dtype == vote_type(k) == (np.int8 if k < 127 else np.int16)
    assert top.patterns.votes.tolist() == [[k - 1, -1]]


def test_names_of_and_column_know_the_functions():
    assert MATRIX.names_of("f") == ["ham", "spam", None] and MATRIX.column("g") == 1 and MATRIX.n_gold == 2
    with pytest.raises(VoteError, match=r"There is no function 'h'.\nFix: There are 'f', 'g'"):
        MATRIX.names_of("h")


def test_parts_keep_gold_and_functions():
    part = MATRIX.take(np.array([True, False, True]))
    assert part.ids.to_list() == ["a", "c"] and part.gold.tolist() == [0, 1] and part.names == ["f", "g"]
    assert MATRIX.only("g", "f").names == ["g", "f"] and MATRIX.only("g").votes.tolist() == [[-1], [1], [-1]]
    assert MATRIX.with_gold(np.array([1, 1, 1])).n_gold == 3 and MATRIX.n_gold == 2


def test_rows_the_matrix_does_not_have_are_named():
    with pytest.raises(DataError, match=r"2 of the rows are not in the matrix, such as id 'x'.\nFix"):
        MATRIX.on(["a", "x", "y"])
    with pytest.raises(DataError, match=r"The rows have ids of type Int64, the matrix String.\nFix"):
        MATRIX.on(Table(pl.DataFrame({"id": [1]}), text=None))


def test_the_part_of_a_split_is_that_splits_rows():
    table = read([{"text": f"free {n}"} for n in range(20)])
    matrix = apply({"f": keywords("spam", ["free"])}, table)
    train, dev = table.split(dev=5)
    assert matrix.on(dev).table.ids.to_list() == dev.ids.to_list() and len(matrix.on(train)) == 15


def test_stacking_puts_rows_and_failures_together():
    @labeling_function("spam", name="f")
    def f(row):
        return 1 / 0 if "boom" in row.text else "free" in row.text

    table = read([{"text": text} for text in ("free", "boom", "x", "boom 2")])
    parts = [apply([f], table.take(places)) for places in ([0, 1], [2, 3])]
    whole = LabelMatrix.stack(parts, table)
    assert whole.votes.tolist() == [[0], [-1], [-1], [-1]]
    assert whole.functions[0].failure.count == 2 and whole.functions[0].failure.first_id == table.ids[1]
    assert whole.ids.to_list() == table.ids.to_list()


def test_it_says_what_it_is():
    assert repr(MATRIX) == "LabelMatrix(3 rows x 2 functions, 66.7% covered; labels ham, spam)"
    assert repr(LabelMatrix.from_votes(np.empty((0, 2), int), ["a"])) == "LabelMatrix(0 rows x 2 functions; labels a)"
    shown = str(MATRIX)
    assert "f=spam, g=spam" in shown and "(none)" in shown and "gold" in shown


def test_long_texts_are_cut_in_the_view():
    table = read([{"text": "word " * 100}])
    (line,) = apply({"f": keywords("spam", ["word"])}, table).view().rows
    assert line[1].endswith("…") and len(line[1]) <= 110


HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png>'


def test_hostile_names_and_texts_are_escaped_in_notebooks():
    table = read([{"text": HOSTILE, "id": HOSTILE, "y": HOSTILE}], gold="y")

    @labeling_function(HOSTILE, name=HOSTILE)
    def f(row):
        if "again" in row.text:
            raise ValueError(HOSTILE)
        return True

    more = read([{"text": "again " + HOSTILE, "id": "b", "y": HOSTILE}], gold="y")
    for shown in (apply([f], rows)._repr_html_() for rows in (table, more)):
        assert "<script" not in shown and "<img" not in shown
        assert "&lt;script&gt;" in shown


def test_the_notebook_view_asks_nothing_of_the_network():
    shown = MATRIX._repr_html_()
    assert "http" not in shown and "<script" not in shown and "@import" not in shown and "url(" not in shown
