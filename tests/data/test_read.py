"""Rows come in from files and memory; what cannot be read is set aside with its line and reason, never dropped."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import RECORDS

from consilience import read
from consilience.errors import DataError

ROWS = [{"id": "a", "text": "hi", "y": "ham", "n": 1}, {"id": "b", "text": "buy", "y": None, "n": None}]


def written(tmp_path, content, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_bytes(content, name="rows.csv", **options):
    with tempfile.TemporaryDirectory() as folder:
        return read(written(Path(folder), content, name), **options)


def reasons(table):
    return [(reject.line, reject.reason) for reject in table.rejects]


# laws


@given(RECORDS)
def test_every_row_is_in_the_table_or_set_aside_with_its_place(records):
    try:
        table = read(records, text="text", id="key", gold="y")
    except DataError:
        assert all(row["text"] is None or row["key"] is None for row in records)
        return
    aside = {reject.line for reject in table.rejects}
    kept = [row for place, row in enumerate(records, 1) if place not in aside]
    assert len(records) == len(table) + len(table.rejects) == len(table) + len(aside)
    assert table.frame.select("key", "text", "y").to_dicts() == kept


PIECES = st.sampled_from([b"a", b",", b'"', b"\xff", "é".encode(), b" ", b"'", b"\xe2\x82"])


@given(st.lists(st.lists(PIECES, min_size=1, max_size=6).map(b"".join), min_size=1, max_size=10))
def test_every_line_of_a_hostile_file_is_accounted_for_when_quotes_mean_nothing(lines):
    table = read_bytes(b"x,y\nfirst,row\n" + b"\n".join(lines), quote=None)
    assert len(table) + len(table.rejects) == len(lines) + 1


@given(st.lists(st.lists(PIECES, min_size=1, max_size=6).map(b"".join), min_size=1, max_size=10))
def test_broken_quotes_never_cost_a_row_that_reads_well(lines):
    whole = [b"first,row", *lines, b"last,row"]
    table = read_bytes(b"x,y\n" + b"\n".join(whole))
    assert {"first", "last"} <= set(table.frame["x"])
    assert len(table) + len(table.rejects) <= len(whole)


CELL = st.text(alphabet="ab\",\n é'", max_size=6)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(rows):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([("x", "y"), *rows])
    table = read_bytes(out.getvalue())
    assert table.frame.select("x", "y").rows() == rows
    assert table.rejects == ()


JSON_LINES = st.sampled_from(
    ['{"text": "hi"}', '{"text": "é", "n": 1}', "[1]", "7", "{", '"x"', '{"text": "\\ud800"}', "[" * 100_000, "null"]
)


@given(st.lists(JSON_LINES, min_size=1, max_size=8))
def test_every_line_of_a_jsonl_file_is_accounted_for(lines):
    whole = ['{"text": "first"}', *lines]
    table = read_bytes("\n".join(whole), "rows.jsonl")
    aside = {reject.line for reject in table.rejects}
    assert len(table) + len(aside) == len(whole) and len(aside) == len(table.rejects)
    assert aside == {place for place, line in enumerate(whole, 1) if "ud800" in line or not line.startswith('{"text"')}


@given(st.lists(st.tuples(st.text(max_size=4), st.integers(0, 3)), min_size=1, max_size=8), st.randoms())
def test_ids_made_of_rows_do_not_depend_on_their_order(rows, random):
    records = [{"text": text, "n": n} for text, n in rows]
    turned = random.sample(records, len(records))
    assert sorted(read(records).ids) == sorted(read(turned).ids)


@given(st.lists(st.text(max_size=4), min_size=1, max_size=8), st.data())
def test_ids_made_of_rows_do_not_change_when_gold_is_filled_in(texts, data):
    gold = data.draw(st.lists(st.sampled_from([None, "a", "b"]), min_size=len(texts), max_size=len(texts)))
    empty = read([{"text": text, "y": None} for text in texts], gold="y")
    filled = read([{"text": text, "y": label} for text, label in zip(texts, gold, strict=True)], gold="y")
    assert empty.ids.to_list() == filled.ids.to_list()
    assert empty.fingerprint == filled.fingerprint
    assert filled.n_gold == sum(label is not None for label in gold)


# CSV


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_breaks(tmp_path):
    table = read(written(tmp_path, 'id,text\na,"one, ""two""\nthree"\nb,plain\n'))
    assert table.texts == ['one, "two"\nthree', "plain"]


def test_a_ragged_line_is_set_aside_with_its_line_and_beginning(tmp_path):
    table = read(written(tmp_path, "id,text\na,one\nb,two,three\nc\nd,four\n"))
    assert reasons(table) == [(3, "3 fields where the header has 2"), (4, "1 fields where the header has 2")]
    assert table.rejects[0].content == "b,two,three"
    assert table.ids.to_list() == ["a", "d"]


def test_a_quote_that_never_closes_costs_only_its_own_line(tmp_path):
    table = read(written(tmp_path, 'id,text\na,"open\nb,two\nc,three\n'))
    assert table.ids.to_list() == ["b", "c"]
    assert table.rejects[0].line == 2 and table.rejects[0].reason.startswith("broken quotes")


def test_a_line_that_is_not_utf8_is_set_aside_and_says_where(tmp_path):
    table = read(written(tmp_path, b"id,text\na,ok\nb,caf\xe9\nc,fine\n"))
    assert reasons(table) == [(3, "not UTF-8 at byte 6 of the line")]
    assert table.rejects[0].content.startswith("b,caf\ufffd")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert read(written(tmp_path, b"\xef\xbb\xbfid,text\na,hi\n")).texts == ["hi"]


def test_windows_line_ends_and_empty_lines_are_no_rows(tmp_path):
    table = read(written(tmp_path, "id,text\r\na,hi\r\n\r\nb,ho\r\n"))
    assert table.texts == ["hi", "ho"] and table.rejects == ()


@pytest.mark.parametrize("content", ["", "\n\n", "id,text\n"])
def test_a_file_without_rows_is_an_error_with_a_fix(tmp_path, content):
    with pytest.raises(DataError, match=r"has no readable rows\.(.|\n)*Fix: "):
        read(written(tmp_path, content))


def test_a_header_that_names_a_column_twice_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"names column 'text' twice.\nFix"):
        read(written(tmp_path, "text,text\na,b\n"))


def test_tabs_and_quotes_that_mean_nothing(tmp_path):
    path = written(tmp_path, 'ham\tsay "hi\nspam\tbuy\n', "sms.txt")
    table = read(path, format="csv", delimiter="\t", quote=None, columns=["y", "text"], gold="y")
    assert table.texts == ['say "hi', "buy"] and table.n_gold == 2


def test_the_ending_tsv_means_tabs(tmp_path):
    assert read(written(tmp_path, "id\ttext\na\thi, you\n", "rows.TSV")).texts == ["hi, you"]


def test_columns_are_typed_only_where_every_cell_is_a_number(tmp_path):
    table = read(written(tmp_path, "id,n,f,mix\na,1,1.5,1\nb,,2,x\nc,-3,.5e2,\n"))
    assert table.frame.schema == {"id": pl.String, "n": pl.Int64, "f": pl.Float64, "mix": pl.String}
    assert table.frame["n"].to_list() == [1, None, -3]
    assert table.frame["f"].to_list() == [1.5, 2.0, 50.0]


def test_numbers_too_long_for_a_column_stay_text(tmp_path):
    table = read(written(tmp_path, "id,n\na,123456789012345678901\nb,1\n"))
    assert table.frame["n"].to_list() == ["123456789012345678901", "1"]


@pytest.mark.parametrize("gap", ["\u2028", "\u0085", "\x0b", "\x1c", "\x0c"])
def test_only_a_line_feed_ends_a_line(tmp_path, gap):
    table = read(written(tmp_path, f'id,text\na,one{gap}two\nb,"one{gap}two"\n'))
    assert table.texts == [f"one{gap}two"] * 2 and table.rejects == ()


def test_a_line_break_outside_quotes_is_set_aside_not_cut(tmp_path):
    table = read(written(tmp_path, "id,text\na,one\rtwo\nb,x\n"))
    assert reasons(table) == [(2, "broken quotes: a line break outside quotes")]


def test_leading_zeros_are_part_of_a_name(tmp_path):
    table = read(written(tmp_path, "id,zip,n\n007,010,1\n7,2,2\n"))
    assert table.ids.to_list() == ["007", "7"] and table.frame["zip"].to_list() == ["010", "2"]


def test_ids_texts_and_gold_are_kept_as_they_are_written(tmp_path):
    table = read(written(tmp_path, "k,body,y\n1.1,1.50,1.0\n1.10,2,2\n"), id="k", text="body", gold="y")
    assert table.frame.rows() == [("1.1", "1.50", "1.0"), ("1.10", "2", "2")]


def test_an_empty_cell_is_no_id(tmp_path):
    table = read(written(tmp_path, "id,text\na,one\n,two\n ,three\n"))
    assert reasons(table) == [(3, "no id in column 'id'"), (4, "no id in column 'id'")]


@pytest.mark.parametrize("head", [b"id,t\xe9xt\n", b'id,"text\n'])
def test_a_header_that_cannot_be_read_is_an_error_not_a_lost_row(tmp_path, head):
    with pytest.raises(DataError, match=r"The header of .* cannot be read(.|\n)*Fix"):
        read(written(tmp_path, head + b"a,one\nb,two\n"))


def test_a_header_may_hold_a_line_break(tmp_path):
    assert read(written(tmp_path, 'id,"te\nxt"\na,one\n'), text="te\nxt").texts == ["one"]


def test_given_names_of_columns_are_distinct_too(tmp_path):
    with pytest.raises(DataError, match=r"names column 'a' twice.\nFix"):
        read(written(tmp_path, "1,2\n"), columns=["a", "a"])


def test_any_single_character_may_quote_and_part(tmp_path):
    assert read(written(tmp_path, "id;text\na;|one\ntwo;|\n"), delimiter=";", quote="|").texts == ["one\ntwo;"]
    with pytest.raises(DataError, match=r"must be single characters.\nFix"):
        read(written(tmp_path, "id,text\n"), delimiter="::")


def test_a_file_in_utf16_is_named_as_such(tmp_path):
    with pytest.raises(DataError, match=r"is written in UTF-16.\nFix: save it as UTF-8"):
        read(written(tmp_path, "id,text\na,hi\n".encode("utf-16")))


def test_a_file_of_open_quotes_takes_no_longer_than_another(tmp_path):
    table = read(written(tmp_path, "id,text\n" + "".join(f'{n},"open\n' for n in range(4000)) + "x,fine\n"))
    assert "x" in table.ids.to_list()


def test_reading_leaves_the_process_wide_csv_limit_as_it_was(tmp_path):
    before = csv.field_size_limit()
    read(written(tmp_path, f'id,text\na,"{"x" * 200_000}"\n'))
    assert csv.field_size_limit() == before


# JSONL, JSON, Parquet


def test_a_line_that_is_no_object_says_why(tmp_path):
    table = read(written(tmp_path, '{"text": "hi"}\n\n[1]\n{"text": \n{"text": "ho"}\n', "rows.jsonl"))
    assert table.texts == ["hi", "ho"]
    assert table.rejects[0].line == 3 and table.rejects[0].reason == "not an object but list"
    assert table.rejects[1].line == 4 and table.rejects[1].reason.startswith("not JSON: ")


def test_values_of_several_types_in_one_column_become_text(tmp_path):
    lines = [{"text": "a", "v": 1}, {"text": "b", "v": "two"}, {"text": "c", "v": [3]}, {"text": "d"}]
    table = read(written(tmp_path, "\n".join(map(json.dumps, lines)), "rows.jsonl"))
    assert table.frame["v"].to_list() == ["1", "two", "[3]", None]


def test_whole_and_broken_numbers_in_one_column_are_numbers():
    assert read([{"text": "a", "v": 1}, {"text": "b", "v": 0.5}]).frame["v"].to_list() == [1.0, 0.5]


def test_parquet_is_read_back_as_it_was(tmp_path):
    frame = pl.DataFrame({"id": [1, 2], "text": ["hi", "ho"], "tags": [["x"], []], "n": [0.5, None]})
    frame.write_parquet(tmp_path / "rows.parquet")
    table = read(tmp_path / "rows.parquet")
    assert table.frame.equals(frame)


def test_a_broken_parquet_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(DataError, match=r"is not a readable Parquet file(.|\n)*Fix: "):
        read(written(tmp_path, b"PAR1 nothing", "rows.parquet"))


def test_a_place_that_is_no_local_disk_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path, format="parquet")


def test_wrench_files_bring_gold_names_and_votes(tmp_path):
    written(tmp_path, '{"0": "ham", "1": "spam"}', "label.json")
    rows = {
        "0": {"label": 1, "weak_labels": [1, -1], "data": {"text": "buy"}},
        "1": {"label": 0, "weak_labels": [-1, 0], "data": {"text": "hi"}},
        "2": {"label": -1, "weak_labels": [-1, -1], "data": {"text": "hm"}},
        "3": {"label": 0, "weak_labels": [0]},
    }
    table = read(written(tmp_path, json.dumps(rows), "train.json"))
    assert list(table.labels) == ["ham", "spam"]
    assert table.frame.rows() == [
        ("0", "buy", "spam", "spam", None),
        ("1", "hi", "ham", None, "ham"),
        ("2", "hm", None, None, None),
    ]
    assert table.frame.columns == ["id", "text", "label", "vote_0", "vote_1"]
    assert reasons(table) == [(4, "not an object but NoneType")]


def test_wrench_files_without_names_keep_numbers(tmp_path):
    rows = {"7": {"label": 1, "weak_labels": [0], "data": {"text": "buy"}}}
    table = read(written(tmp_path, json.dumps(rows), "train.json"))
    assert table.frame.rows() == [("7", "buy", "1", "0")]


def test_a_json_list_of_objects_is_a_list_of_rows(tmp_path):
    table = read(written(tmp_path, json.dumps([{"text": "hi", "label": 3}, 5]), "rows.json"))
    assert table.gold_column is None and reasons(table) == [(2, "not an object but int")]


@pytest.mark.parametrize(("content", "message"), [("{", "is not JSON"), ("7", "holds neither rows nor a list")])
def test_json_that_holds_no_rows_is_an_error(tmp_path, content, message):
    with pytest.raises(DataError, match=f"{message}(.|\n)*Fix: "):
        read(written(tmp_path, content, "rows.json"))


# memory


@pytest.mark.parametrize(
    "wrap",
    [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist, lambda rows: pl.DataFrame(rows).lazy(), iter],
    ids=["dicts", "pandas", "polars", "arrow", "lazy", "generator"],
)
def test_every_kind_of_table_gives_the_same_rows(wrap):
    table = read(wrap(ROWS), gold="y")
    assert table.ids.to_list() == ["a", "b"] and table.texts == ["hi", "buy"]
    assert table.frame["y"].to_list() == ["ham", None]
    assert table.frame["n"].to_list() == [1, None]


def test_missing_values_of_pandas_are_missing():
    frame = pd.DataFrame({"text": ["a", None, float("nan"), "d"], "n": [1.0, 2.0, 3.0, float("nan")]})
    table = read(frame)
    assert table.texts == ["a", "d"] and table.frame["n"].to_list() == [1.0, None]
    assert reasons(table) == [(2, "no text in column 'text'"), (3, "no text in column 'text'")]


def test_whole_gold_numbers_of_pandas_keep_their_names_beside_missing_ones():
    frame = pd.DataFrame({"text": ["a", "b", "c"], "y": [1, 0, None]})
    table = read(frame, gold="y", gold_names={0: "ham", 1: "spam"})
    assert table.frame["y"].to_list() == ["spam", "ham", None]


def test_keys_that_are_no_strings_name_columns_too():
    assert read([{1: "a", "text": "x"}]).frame["1"].to_list() == ["a"]


@pytest.mark.parametrize("source", [7, b"bytes", {"text": "hi"}])
def test_what_holds_no_rows_is_refused(source):
    with pytest.raises(DataError, match=r"Rows cannot be read from a \w+.\nFix: "):
        read(source)


# roles


def test_missing_texts_missing_ids_and_repeated_ids_are_set_aside_each_with_its_reason():
    rows = [{"k": 1, "body": "a"}, {"k": 1, "body": "b"}, {"k": None, "body": "c"}, {"k": 2, "body": None}]
    table = read(rows, text="body", id="k")
    assert reasons(table) == [
        (2, "the id in column 'k' is already taken"),
        (3, "no id in column 'k'"),
        (4, "no text in column 'body'"),
    ]
    assert table.ids.to_list() == [1]
    assert repr(table) == "Table(1 rows, 3 set aside; columns k, body)"


def test_when_every_row_is_set_aside_the_error_says_why():
    with pytest.raises(DataError, match=r"2 were set aside; line 1: no text in column 'body'.\nFix"):
        read([{"body": None}, {"body": None}], text="body")


@pytest.mark.parametrize("role", ["text", "id", "gold"])
def test_a_column_that_is_not_there_is_answered_with_the_nearest(role):
    with pytest.raises(DataError, match=r"has no column 'bodi'.\nFix: Did you mean 'body'\?"):
        read([{"body": "hi"}], **{role: "bodi"})


def test_a_missing_file_and_an_unknown_ending_are_clear(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*none.csv.\nFix"):
        read(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"rows.xyz has an ending that names no format.\nFix"):
        read(tmp_path / "rows.xyz")


def test_gold_is_empty_where_nobody_knows():
    said = ["ham", None, "", " ", "NaN", "null", " spam "]
    table = read([{"text": str(n), "y": label} for n, label in enumerate(said)], gold="y")
    assert table.frame["y"].to_list() == ["ham", None, None, None, None, None, "spam"]


def test_gold_values_get_their_names_and_the_names_are_the_labels():
    table = read([{"text": "a", "y": 1}, {"text": "b", "y": 0}], gold="y", gold_names={0: "ham", 1: "spam"})
    assert table.frame["y"].to_list() == ["spam", "ham"] and list(table.labels) == ["ham", "spam"]


def test_a_gold_value_without_a_name_is_an_error():
    with pytest.raises(DataError, match=r"Gold '2' has no name.\nFix"):
        read([{"text": "a", "y": 2}], gold="y", gold_names={0: "ham", 1: "spam"})


def test_gold_outside_the_labels_is_an_error():
    with pytest.raises(DataError, match=r"Gold column 'y' has 'eggs' \(2 rows like it\)(.|\n)*Fix"):
        read([{"text": "a", "y": "eggs"}, {"text": "b", "y": "eggs"}], gold="y", labels=["ham", "spam"])


def test_text_that_is_no_string_becomes_one():
    assert read([{"body": 12}, {"body": 3}], text="body").texts == ["12", "3"]


@pytest.mark.parametrize(("names", "message"), [("{", "is not JSON"), ('["ham"]', "does not name the labels")])
def test_a_broken_list_of_label_names_is_named(tmp_path, names, message):
    (tmp_path / "train.json").write_text('{"0": {"label": 0, "data": {"text": "hi"}}}')
    (tmp_path / "label.json").write_text(names)
    with pytest.raises(DataError, match=rf"label\.json {message}(.|\n)*Fix: "):
        read(tmp_path / "train.json")
