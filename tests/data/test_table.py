"""A table: rows with ids and roles; what functions see of it; parts and unions of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Labels, Table, read
from consilience.data.rows import make_rows
from consilience.data.table import as_gold, concat
from consilience.errors import DataError

FRAME = pl.DataFrame({"id": ["a", "b", "c"], "text": ["hi", "buy", "ho"], "y": ["ham", "spam", None]})
TABLE = Table(FRAME, gold="y", labels=["ham", "spam"])


def test_gold_is_known_where_it_is_given():
    assert TABLE.n_gold == 2 and TABLE.has_gold().tolist() == [True, True, False]
    assert TABLE.gold_codes(Labels("ham", "spam")).tolist() == [0, 1, -1]
    assert TABLE.gold_names() == ["ham", "spam"]
    assert repr(TABLE) == "Table(3 rows, gold on 2; columns id, text, y)"


def test_a_table_without_gold_knows_none():
    bare = Table(FRAME)
    assert bare.n_gold == 0 and not bare.has_gold().any() and bare.gold_names() == []
    assert bare.gold_codes(Labels("ham")).tolist() == [-1, -1, -1]


def test_functions_never_see_gold():
    assert TABLE.features.columns == ["id", "text"]
    row = TABLE.rows()[0]
    for ask in (lambda: row.y, lambda: row["y"]):
        with pytest.raises(AttributeError, match=r"The gold column 'y' is hidden from labeling functions.\nFix"):
            ask()
    assert "ham" not in tuple(row)


def test_the_fingerprint_follows_features_and_roles_not_gold():
    other_gold = Table(FRAME.with_columns(y=pl.lit("ham")), gold="y")
    assert TABLE.fingerprint == other_gold.fingerprint
    assert TABLE.fingerprint != TABLE.take([1, 0, 2]).fingerprint
    assert TABLE.fingerprint != Table(FRAME.drop("y"), text=None).fingerprint
    assert TABLE.fingerprint != Table(FRAME.drop("y").with_columns(text=pl.lit("x"))).fingerprint


@given(st.lists(st.integers(0, 9), max_size=12))
def test_the_fingerprint_does_not_depend_on_how_the_rows_lie_in_memory(places):
    frame = pl.DataFrame({"id": range(10), "text": [f"a text too long to lie inline {n}" for n in range(10)]})
    chosen = sorted(set(places))
    cut = Table(frame).take(chosen)
    fresh = Table(pl.DataFrame(frame[chosen].to_dict(as_series=False), schema=frame.schema))
    pieces = Table(pl.concat([frame[:0], *(frame[place : place + 1] for place in chosen)], rechunk=False))
    assert cut.fingerprint == fresh.fingerprint == pieces.fingerprint


def test_parts_by_places_by_mask_and_by_condition():
    assert TABLE.take([2, 0]).ids.to_list() == ["c", "a"]
    assert TABLE.take(np.array([True, False, True])).ids.to_list() == ["a", "c"]
    assert TABLE.where("length(text) = 2").ids.to_list() == ["a", "c"]
    assert TABLE.where(pl.col("text") == "buy").gold_column == "y"
    assert len(TABLE.take([])) == 0
    with pytest.raises(DataError, match=r"cannot be used(.|\n)*Fix"):
        TABLE.where("nope = 1")


def test_gold_that_nobody_knows_may_have_any_type():
    empty = Table(pl.DataFrame({"id": [1], "text": ["a"], "y": [None]}), gold="y", labels=["ham"])
    assert empty.n_gold == 0 and empty.gold_codes(Labels("ham")).tolist() == [-1]


def test_iterating_gives_the_rows():
    assert [row.text for row in TABLE] == ["hi", "buy", "ho"]


def test_a_table_of_nothing_but_ids_has_no_texts():
    with pytest.raises(DataError, match=r"This table has no text column.\nFix"):
        Table(FRAME.select("id"), text=None).texts


@pytest.mark.parametrize("ids", [["a", "a"], ["a", None]])
def test_missing_or_repeated_ids_are_refused(ids):
    with pytest.raises(DataError, match=r"ids in column 'id' are missing or repeated.\nFix"):
        Table(pl.DataFrame({"id": ids}), text=None)


def test_a_role_without_its_column_is_refused_naming_the_nearest():
    with pytest.raises(DataError, match=r"There is no column 'txt'.\nFix: Did you mean 'text'"):
        Table(FRAME, text="txt")


def test_hostile_cells_are_escaped_in_notebooks():
    table = Table(pl.DataFrame({"id": ["<script>alert(1)</script>"], "<b>": ["<img src=x onerror=y>"]}), text=None)
    shown = table._repr_html_()
    assert "<script>" not in shown and "<img" not in shown and "<b>" not in shown


def test_a_union_has_the_columns_of_all_and_the_rows_in_order():
    more = Table(pl.DataFrame({"id": ["d"], "text": ["hey"], "extra": [1]}))
    both = concat([TABLE, more])
    assert both.ids.to_list() == ["a", "b", "c", "d"] and both.frame["extra"].to_list() == [None, None, None, 1]
    assert both.gold_column == "y" and both.labels == Labels("ham", "spam")


def test_a_union_of_nothing_or_of_clashing_ids_is_refused():
    with pytest.raises(DataError, match=r"There are no rows yet.\nFix"):
        concat([])
    with pytest.raises(DataError, match="repeated"):
        concat([TABLE, TABLE])


def test_gold_of_any_type_becomes_names():
    assert as_gold(pl.Series([1, None, 0]), {1: "yes", 0: "no"}).to_list() == ["yes", None, "no"]
    assert as_gold(pl.Series([True, False, None]), None).to_list() == ["true", "false", None]


# rows


NAMES = st.text(min_size=1, max_size=5).filter(lambda name: not name.startswith("_") and name not in dir(tuple))


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_every_column_is_found_by_its_name_whatever_the_name(names):
    (row,) = make_rows(pl.DataFrame({name: [place] for place, name in enumerate(names)}), None)
    assert [row[name] for name in names] == list(range(len(names))) == list(row)
    assert [getattr(row, name) for name in names] == list(range(len(names)))


def test_a_hidden_name_is_never_taken_for_another_columns():
    (row,) = make_rows(pl.DataFrame({"_1": ["first"], "b c": ["second"], "column1": ["third"]}), None)
    assert (row._1, row["b c"], row.column1) == ("first", "second", "third")


def test_the_text_column_is_also_called_text():
    (row,) = make_rows(pl.DataFrame({"body": ["hi"], "class": [1]}), "body")
    assert row.text == row.body == row["body"] == row[0] == "hi"
    assert row["class"] == getattr(row, "class") == 1


def test_a_column_called_text_is_itself():
    (row,) = make_rows(pl.DataFrame({"body": ["hi"], "text": ["ho"]}), "body")
    assert row.text == "ho"


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    (row,) = make_rows(pl.DataFrame({"body": ["hi"]}), "body")
    for ask in (lambda: row.bodi, lambda: row["bodi"]):
        with pytest.raises(AttributeError, match=r"The rows have no column 'bodi'.\nFix: Did you mean 'body'"):
            ask()
    with pytest.raises(DataError, match=r"There is no text column 'bodi'.\nFix: Did you mean 'body'"):
        make_rows(pl.DataFrame({"body": ["hi"]}), "bodi")


def test_rows_cannot_be_changed():
    (row,) = read([{"text": "hi"}]).rows()
    with pytest.raises(AttributeError):
        row.text = "ho"
    with pytest.raises(AttributeError):
        row.other = "ho"


def test_names_that_python_takes_for_the_same_are_two_columns():
    (row,) = make_rows(pl.DataFrame({"\ufb01": [1], "fi": [2]}), None)
    assert (row["\ufb01"], row["fi"]) == (1, 2)
