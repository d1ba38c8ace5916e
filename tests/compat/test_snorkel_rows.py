"""Rows read like a Series, can be written to, and are copied so that nothing leaks back."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience.compat.snorkel.rows import copy_of, point_key, rows_of
from consilience.errors import DataError

pd = pytest.importorskip("pandas")
CELLS = st.one_of(st.none(), st.text(), st.integers(-5, 5), st.lists(st.text(max_size=2), max_size=2))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_a_row_reads_like_a_series(cells):
    frame = pd.DataFrame({"a": [a for a, _ in cells], "b c": [b for _, b in cells]}, dtype=object)
    seen = []
    frame.apply(lambda series: seen.append(series.copy()), axis=1)
    for row, series in zip(rows_of(frame), seen, strict=True):
        assert row.a == series.a == row["a"] == row.get("a")
        assert row["b c"] == series["b c"]
        assert row.name == series.name
        assert list(row) == list(series)
        assert row.to_dict() == series.to_dict()
        assert ("a" in row, "z" in row, row.get("z", 7)) == (True, False, 7)
        assert len(row) == 2


def test_frames_of_both_kinds_give_the_same_rows():
    columns = {"text": ["a", "b"], "n": [1, 2], "tags": [["x"], []]}
    assert rows_of(pd.DataFrame(columns)) == rows_of(pl.DataFrame(columns))


def test_integers_stay_integers_beside_floats():
    assert [type(value) for value in rows_of(pd.DataFrame({"n": [1], "x": [0.5]}))[0]] == [int, float]


def test_a_frame_without_rows_or_columns_has_as_many_rows():
    assert rows_of(pd.DataFrame({"a": []})) == []
    assert len(rows_of(pd.DataFrame(index=range(3)))) == 3


def test_columns_called_as_what_a_series_has_are_read_as_columns_but_for_name():
    row = rows_of(pd.DataFrame({"count": [3], "name": ["Ann"], "keys": ["k"]}, index=["label"]))[0]
    assert row.count == 3
    assert row.name == "label"
    assert row["name"] == "Ann"
    assert row["keys"] == "k"


def test_what_else_a_series_can_do_is_asked_of_one():
    row = rows_of(pd.DataFrame({"a": [1], "b": [None]}))[0]
    assert row.isna().tolist() == [False, True]
    assert row.loc["a"] == 1
    assert row[["a"]].tolist() == [1]


def test_a_field_that_is_not_there_is_named_with_the_nearest():
    row = rows_of(pl.DataFrame({"text": ["a"]}))[0]
    with pytest.raises(AttributeError, match=r"no field 'txt'.\nFix: Did you mean 'text'"):
        row.txt
    with pytest.raises(KeyError, match="Did you mean 'text'"):
        row["txt"]
    assert not hasattr(row, "article")


def test_two_columns_of_one_name_and_no_frame_are_errors():
    with pytest.raises(DataError, match="Fix: "):
        rows_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match=r"list is no frame.\nFix: "):
        rows_of([1])


def test_items_are_fields_and_attributes_are_not():
    row = rows_of(pl.DataFrame({"a": [1]}))[0]
    row["b"] = 2
    row.c = 3
    row.a = 4
    assert row.to_dict() == {"a": 4, "b": 2}
    assert (row.b, row.c) == (2, 3)
    assert row.attributes() == {"c": 3}


@pytest.mark.parametrize(
    "make", [dict, SimpleNamespace, pd.Series, lambda **fields: rows_of(pd.DataFrame([fields]))[0]]
)
def test_a_copy_can_be_changed_through_and_through(make):
    fields = {"words": ["a"], "deep": {"b": [1]}, "numbers": np.zeros(2), "own": SimpleNamespace(n=1)}
    point = make(**fields) if make is not pd.Series else pd.Series(fields)
    twin = copy_of(point)
    get = (lambda thing, key: thing[key]) if make is dict else getattr
    get(twin, "words").append("z")
    get(twin, "deep")["b"].append(2)
    get(twin, "numbers")[0] = 9
    get(twin, "own").n = 2
    assert get(point, "words") == ["a"]
    assert get(point, "deep") == {"b": [1]}
    assert get(point, "numbers").tolist() == [0, 0]
    assert get(point, "own").n == 1


def test_attributes_stay_when_a_row_or_a_series_is_copied():
    for point in (rows_of(pd.DataFrame({"a": ["x"]}))[0], pd.Series({"a": "x"})):
        object.__setattr__(point, "made", ["y"])
        twin = copy_of(point)
        twin.made.append("z")
        assert point.made == ["y"]
        assert twin.made == ["y", "z"]


@given(st.lists(CELLS, min_size=2, max_size=2), st.lists(CELLS, min_size=2, max_size=2))
def test_equal_points_have_equal_keys_and_others_have_others(one, other):
    def row(cells):
        return rows_of(pl.DataFrame({"a": [cells[0]], "b": [cells[1]]}, strict=False))[0]

    same = row(one) == row(copy.deepcopy(one))
    assert same and hash(point_key(row(one))) == hash(point_key(row(copy.deepcopy(one))))
    assert (point_key(row(one)) == point_key(row(other))) == (row(one) == row(other))


def test_keys_tell_attributes_apart_and_take_what_cannot_be_hashed_there():
    one, other = rows_of(pl.DataFrame({"a": [1, 1]}))
    assert point_key(one) == point_key(other)
    one.article, other.article = "x", "y"
    assert point_key(one) != point_key(other)
    one.article = other.article = thing = bytearray(b"z")
    assert point_key(one) == point_key(other)
    assert thing
    one["b"] = bytearray(b"z")
    with pytest.raises(DataError, match=r"cannot be hashed.*\nFix: memoize=False"):
        point_key(one)
