"""Expressions: a condition over the columns, in SQL or Polars."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from consilience import apply, expression, read
from consilience.errors import DataError, FunctionError

TABLE = read([{"body": "hi", "n": 1}, {"body": "a longer text", "n": 5}, {"body": "x", "n": None}], text="body")


def said(condition, table=TABLE):
    matrix = apply({"f": expression("yes", condition)}, table, cache={})
    assert matrix.functions[0].failure is None
    return matrix.names_of("f")


@pytest.mark.parametrize(
    "condition", ["n > 2 AND length(body) > 3", (pl.col("n") > 2) & (pl.col("body").str.len_chars() > 3)]
)
def test_sql_and_polars_say_the_same(condition):
    assert said(condition) == [None, "yes", None]


def test_null_counts_as_no_and_the_text_column_is_also_called_text():
    assert said("n < 9") == ["yes", "yes", None]
    assert said("text = body") == ["yes", "yes", "yes"]


@pytest.mark.parametrize(("condition", "answer"), [("true", "yes"), ("1 = 2", None), (pl.lit(True), "yes")])
def test_a_condition_that_looks_at_no_column_holds_for_all_rows_or_none(condition, answer):
    assert said(condition) == [answer] * 3


def test_a_column_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(
        DataError, match=r"asks for column 'bodi', which the rows do not have.\nFix: Did you mean 'body'"
    ):
        said("length(bodi) > 1")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_condition_that_compares_rows_sees_all_of_them(size):
    matrix = apply({"f": expression("yes", pl.col("n") > pl.col("n").mean())}, TABLE, cache={}, batch_size=size)
    assert matrix.names_of("f") == [None, "yes", None]


def test_gold_is_hidden():
    table = read([{"text": "a", "y": "yes"}], gold="y")
    with pytest.raises(DataError, match=r"The gold column 'y' is hidden"):
        said("y = 'yes'", table)


@pytest.mark.parametrize("condition", ["n + 1", pl.col("body")])
def test_a_condition_that_is_neither_true_nor_false_is_refused(condition):
    with pytest.raises(DataError, match=r"gives \w+, not true or false.\nFix: compare it with something"):
        said(condition)


def test_sql_that_cannot_be_read_is_refused():
    with pytest.raises(FunctionError, match=r"The condition 'n > > 2' cannot be read(.|\n)*Fix"):
        expression("yes", "n > > 2")
    with pytest.raises(FunctionError, match=r"7 is no condition.\nFix"):
        expression("yes", 7)


def test_a_condition_that_breaks_on_these_rows_is_counted_on_each_and_the_run_goes_on():
    broken = expression("yes", pl.col("body").cast(pl.Int64) > 1)
    matrix = apply({"broken": broken, "fine": expression("yes", "n = 5")}, TABLE)
    failure = matrix.functions[0].failure
    assert failure.count == 3 and failure.first_id == TABLE.ids[0] and "InvalidOperationError" in failure.first_error
    assert matrix.names_of("broken") == [None] * 3 and matrix.names_of("fine") == [None, "yes", None]


def test_a_condition_that_cannot_be_written_down_is_refused():
    lock = threading.Lock()
    hidden = pl.col("n").map_batches(lambda values: values > lock.locked(), return_dtype=pl.Boolean)
    with pytest.raises(FunctionError, match=r"cannot be written down(.|\n)*Fix"):
        expression("yes", hidden)


def test_the_fingerprint_follows_the_condition():
    prints = [expression("yes", c).fingerprint for c in ("n > 1", "n > 2", pl.col("n") > 1, pl.col("n") > 2)]
    assert len(set(prints)) == 4
    assert expression("yes", pl.col("n") > 2).fingerprint == prints[3]
