"""Blocks that Polars reads and records that are read one by one give the same rows, lines and rejects."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consilience.data.sources.clean_csv import Dialect, clean_records
from consilience.data.sources.clean_json import Shapes
from consilience.data.sources.delimited import from_csv
from consilience.data.sources.json_rows import from_jsonl
from consilience.errors import DataError

CAREFUL = {"watched": 10**9}


def outcome(read, content, **options):
    """What a reader makes of a file: its rows, lines and rejects, or its error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        path.write_bytes(content)
        try:
            raw = read(path, **options)
        except DataError as error:
            return str(error).replace(folder, "")
    rejects = sorted((reject.line, reject.reason, reject.content) for reject in raw.rejects)
    return raw.frame.schema, raw.frame.rows(), raw.lines.to_list(), rejects


def same(read, content, block, watched, **options):
    quick = outcome(read, content, block=block, watched=watched, **options)
    careful = outcome(read, content, **CAREFUL, **options)
    assert quick == careful


PIECES = [
    b"a",
    b"a",
    b"bc",
    b"1",
    b"-2.5",
    b"007",
    b",",
    b",",
    b'"',
    b'"x, y"',
    b'"a""b"',
    b'""',
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xff",
]
PIECES += ["é😀".encode(), b" ", b"\t", b"'", b"\xe2\x82", b"\xef\xbb\xbf", "\u2028".encode()]
PIECE = st.sampled_from(PIECES)
BLOCKS, WATCHED = st.integers(1, 60), st.integers(1, 4)


@settings(max_examples=120)
@given(st.lists(PIECE, max_size=40).map(b"".join), BLOCKS, WATCHED, st.sampled_from(['"', None, "'"]), st.booleans())
def test_any_bytes_are_the_same_csv_in_blocks_and_record_by_record(content, block, watched, quote, has_header):
    columns = None if has_header else ["x", "y"]
    options = {"delimiter": ",", "quote": quote, "columns": columns}
    same(from_csv, (b"x,y\n" if has_header else b"") + content, block, watched, **options)


CELL = st.text(alphabet='ab", \n\té1.-', max_size=5)


def written_cell(cell, always):
    return '"' + cell.replace('"', '""') + '"' if always or any(mark in cell for mark in '",\n') else cell


@settings(max_examples=60)
@given(st.lists(st.tuples(CELL, CELL, st.booleans()), min_size=1, max_size=12), BLOCKS, st.sampled_from(["\n", "\r\n"]))
def test_well_written_csv_is_the_same_in_blocks_and_record_by_record(rows, block, end):
    lines = [",".join(written_cell(cell, always) for cell in cells) + end for *cells, always in rows]
    same(from_csv, ("x,y" + end + "".join(lines)).encode(), block, 1, delimiter=",", quote='"', columns=None)


def test_well_written_csv_is_beyond_doubt():
    data = b'a,"b, ""c"""\r\n"two\nlines",\n'
    clean = clean_records(data, True, Dialect(",", '"'), 2)
    assert clean is not None and clean.size == len(data) and clean.n_lines == 3 and clean.starts.to_list() == [0, 1]


@pytest.mark.parametrize(
    "data", [b'a,b"c"\n', b'a,"b"c\n', b'a,"b\n', b"a\n", b"a,b,c\n", b"a,b\n\n", b"a,\xff\n", b"a,b\rc\n", b"a,\0\n"]
)
def test_what_is_in_doubt_is_left_to_the_careful_reader(data):
    found = clean_records(data, True, Dialect(",", '"'), 2)
    assert found is None


SCALAR = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4)
VALUE = (
    SCALAR
    | st.lists(st.text(max_size=2), max_size=2)
    | st.lists(SCALAR, max_size=2)
    | st.dictionaries(st.sampled_from("ab"), SCALAR, max_size=2)
)
ROW = st.fixed_dictionaries({"text": st.text(max_size=4), "v": VALUE}) | st.dictionaries(
    st.sampled_from(["text", "v", "w"]), VALUE, max_size=3
)


@settings(max_examples=80)
@given(st.lists(st.tuples(ROW, st.booleans()), min_size=1, max_size=12), BLOCKS.map(lambda n: 4 * n), WATCHED)
def test_any_objects_are_the_same_in_blocks_and_line_by_line(rows, block, watched):
    lines = [json.dumps(row, ensure_ascii=ascii) for row, ascii in rows]
    same(from_jsonl, "\n".join(lines).encode("utf-8", "surrogatepass"), block, watched)


PLAIN = {
    str: st.text(max_size=4),
    int: st.integers(-(10**17), 10**17),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    list: st.lists(st.text(max_size=3), min_size=1, max_size=3),
}


@settings(max_examples=60)
@given(st.data(), st.lists(st.sampled_from(list(PLAIN)), min_size=1, max_size=4), BLOCKS.map(lambda n: 4 * n))
def test_objects_that_look_alike_are_the_same_in_blocks_and_line_by_line(data, kinds, block):
    row = st.tuples(*(PLAIN[kind] | st.none() for kind in kinds))
    rows = data.draw(st.lists(row, min_size=1, max_size=12))
    lines = [
        json.dumps({f"k {n}": value for n, value in enumerate(row)}, ensure_ascii=data.draw(st.booleans()))
        for row in rows
    ]
    same(from_jsonl, "\n".join(lines).encode("utf-8", "surrogatepass"), block, 1)


BITS = [
    "{",
    "}",
    '"',
    '"text"',
    ":",
    ",",
    '"a"',
    "1",
    "1.5",
    "1e5",
    "-0",
    "01",
    "null",
    "true",
    "[",
    "]",
    "\n",
    " ",
    "\\u0041",
    "\\ud83d\\ude00",
    "\\ud800",
    "NaN",
    "\r",
    "é",
]


@settings(max_examples=80)
@given(st.lists(st.sampled_from(BITS) | st.just('{"text": "a"}\n'), max_size=30).map("".join), BLOCKS, WATCHED)
def test_any_text_is_the_same_jsonl_in_blocks_and_line_by_line(content, block, watched):
    same(from_jsonl, ('{"text": "first"}\n' + content).encode(), block, watched)


def test_numbers_are_read_to_the_last_bit():
    rng = np.random.default_rng(0)
    values = (rng.random(20_000) * 10.0 ** rng.integers(-30, 30, 20_000)).tolist()
    lines = "\n".join(json.dumps({"v": value}) for value in values).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        path.write_bytes(lines)
        assert from_jsonl(path, watched=10).frame["v"].to_list() == values


def test_lines_like_those_learnt_are_beyond_doubt_and_others_are_not():
    shapes = Shapes()
    shapes.learn([{"text": "a", "n": 1, "f": 0.5, "b": True, "tags": ["x"], "none": None}])
    like = b'{"text": "\\u00e9 \\"", "n":null, "f": 1, "b": false, "tags": [], "none": null}\n'
    found = shapes.clean(like, True)
    assert found is not None and found[0] == len(like)
    assert found[1].rows() == [('é "', None, 1.0, False, [])]
    assert found[1].schema == {
        "text": pl.String,
        "n": pl.Int64,
        "f": pl.Float64,
        "b": pl.Boolean,
        "tags": pl.List(pl.String),
    }
    for other in (b'{"text": "\\ud800"', b'{"n": 1, "text": "a"', b'{"text": 1', b'{"text": "a", "text": "a"'):
        assert shapes.clean(like.replace(b'{"text": "\\u00e9 \\""', other), True) is None
