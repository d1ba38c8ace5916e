"""Expressions: a condition over the columns, in SQL or Polars."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from consilience import apply, expression, pattern, read
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


number, body = pl.col("n"), pl.col("body")
COMPARING = [
    number > number.mean(),
    number.shift(1).is_null(),
    "n > avg(n)",
    "rank() over (order by n) > 1",
    "sum(n) over (partition by body) > 1",
    "count(*) > 1",
    "length(body) > max(length(body)) - 3",
    number.cum_sum() > 1,
    number.is_duplicated(),
    number.over("body") > 1,
    pl.int_range(pl.len()) > 1,
    number.filter(number > 1) > 1,
    number.fill_null(strategy="forward") > 1,
    number > pl.len(),
    number.sort() > 1,
    number > pl.lit(pl.Series([1, 2, 3])),
    number.is_in(number.implode()),
    number.rolling_mean(2) > 1,
    number.drop_nulls() > 1,
    body.str.len_chars() > body.str.len_chars().median(),
    number.shuffle() > 1,
]
ALONE = [
    "n in (1, 2)",
    "body like 'x%' or regexp_like(body, '[0-9]')",
    "case when n > 1 then length(body) > 3 else false end",
    "coalesce(n, 3) > 1 and n between 0 and 9",
    number.is_in([1, 2]),
    body.is_in(pl.Series(["a", "b"])),
    body.str.contains_any(["x"]),
    body.str.split(" ").list.eval(pl.element().str.len_chars().sum()).list.first() > 1,
    pl.when(number > 1).then(True).otherwise(body == "x"),
    pl.sum_horizontal("n", pl.lit(1)) > 1,
    body.str.extract_all("x").list.len() > number,
    body.replace({"x": "y"}) == "FILTER",
    pl.lit(True),
]


@pytest.mark.parametrize("condition", COMPARING, ids=str)
def test_a_condition_that_compares_rows_is_refused(condition):
    with pytest.raises(FunctionError, match=r"compares rows with each other(.|\n)*Fix: compute a column"):
        expression("yes", condition)


@pytest.mark.parametrize("condition", ALONE, ids=str)
def test_a_condition_on_one_row_answers_the_same_however_rows_are_cut(condition):
    one = expression("yes", condition)
    whole = said(condition)
    apart = [cs_apply_row(one, place) for place in range(len(TABLE))]
    assert [name for [name] in apart] == whole


def cs_apply_row(function, place):
    return apply({"f": function}, TABLE.take([place]), labels=["yes"], cache={}).names_of("f")


def test_what_only_the_types_of_columns_show_is_refused_when_applied():
    hard = pl.col("t").struct.field("x") > pl.col("t").struct.field("x").max()
    rows = read(pl.DataFrame({"id": [1, 2], "t": [{"x": 1}, {"x": 2}]}))
    with pytest.raises(DataError, match="compares rows with each other"):
        said(hard, rows)


def test_functions_asked_together_fail_alone():
    broken = expression("yes", body.cast(pl.Int64) > 1)
    numbers = {"broken": broken, "fine": expression("yes", "n = 5"), "match": pattern("yes", "lo")}
    matrix = apply(numbers, TABLE, cache={})
    assert [function.failure is None for function in matrix.functions] == [False, True, True]
    assert matrix.names_of("fine") == matrix.names_of("match") == [None, "yes", None]


def test_time_is_shared_evenly_among_what_is_computed_together():
    many = {f"f{n}": expression("yes", f"length(body) > {n}") for n in range(8)}
    texts = read(pl.DataFrame({"id": range(200_000), "body": ["some text"] * 200_000}), text="body")
    seconds = [function.seconds for function in apply(many, texts, cache={}).functions]
    assert min(seconds) > 0 and max(seconds) < 0.6 * sum(seconds)


def test_a_column_whose_name_looks_like_a_selection_is_itself():
    rows = read(pl.DataFrame({"id": [1, 2], "*": ["a", "b"], "^.*$": ["b", "a"]}))
    found = apply({"s": pattern("yes", "a", column="*"), "r": pattern("yes", "a", column="^.*$")}, rows)
    assert found.votes.tolist() == [[0, -1], [-1, 0]]


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


@pytest.mark.parametrize(
    "condition",
    [
        "n IN (SELECT n FROM read_csv('{}'))",
        "EXISTS (FROM read_csv('{}'))",
        "n = (SELECT n FROM \"READ_CSV\"('{}'))",
        "n = $$ ' $$ OR n IN (SELECT n FROM/**/read_parquet('{}')) OR n = $$ ' $$",
    ],
)
def test_a_condition_opens_no_files(tmp_path, condition):
    (tmp_path / "there.csv").write_text("n\n1\n")
    for name in ("there.csv", "not_there.csv"):  # one cannot tell which is there
        with pytest.raises(FunctionError, match=r"reads a file.\nFix: a condition is about the columns of one row"):
            expression("yes", condition.format(tmp_path / name))
    assert said("body LIKE '%read_csv(%'") == [None, None, None]
