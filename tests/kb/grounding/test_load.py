"""Rows come in as declared, or are refused with column and row."""

from __future__ import annotations

import bz2
import gzip

import polars as pl
import pytest

from consilience.errors import DataError, ProgramError
from consilience.kb.grounding.files import load_file
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse

PROGRAM = parse("R(i int, f float, t text, b boolean, a text[], m int[], j json). V?(x int). K(x int).")
ROWS = [
    (1, 0.5, "tab\tline\nñ\\", True, ["x, y", None], [1, 2], '{"k": 1}'),
    (None, None, None, None, None, None, None),
    (-(2**63), -0.0, "", False, [], [], "null"),
]
NAMES = ["i", "f", "t", "b", "a", "m", "j"]
TSV = (
    '1\t0.5\ttab\\tline\\nñ\\\\\tt\t{"x, y",NULL}\t{1,2}\t{"k": 1}\n'
    + "\\N\t" * 6
    + "\\N\n-9223372036854775808\t-0.0\t\tf\t{}\t{}\tnull\n"
)
TSJ = (
    '1\t0.5\t"tab\\tline\\nñ\\\\"\ttrue\t["x, y", null]\t[1, 2]\t{"k": 1}\n'
    + "null\t" * 6
    + 'null\n-9223372036854775808\t-0.0\t""\tfalse\t[]\t[]\t"null"\n'
)


def stored(store, relation="R"):
    names = ", ".join(NAMES) if relation == "R" else "x"
    return sorted(store.rows(f"SELECT {names} FROM base.{relation}"), key=lambda r: repr(r[0]))  # noqa: S608


@pytest.fixture
def store():
    with Store.open(threads=1) as made:
        yield made


def test_a_frame_is_loaded_by_name_in_any_order(store):
    frame = pl.DataFrame(ROWS, schema=NAMES, orient="row").select(reversed(NAMES))
    assert load(store, PROGRAM, "R", frame) == 3
    assert stored(store) == sorted(ROWS, key=lambda r: repr(r[0]))
    assert load(store, PROGRAM, "R", frame, replace=False) == 3
    assert len(stored(store)) == 6
    assert load(store, PROGRAM, "R", frame.clear()) == 0
    assert stored(store) == []


@pytest.mark.parametrize("wrap", ["", ".gz", ".bz2"])
@pytest.mark.parametrize(("suffix", "text"), [(".tsv", TSV), (".tsj", TSJ)])
def test_lines_of_the_published_systems(store, tmp_path, suffix, text, wrap):
    file = tmp_path / f"rows{suffix}{wrap}"
    file.write_bytes({"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[wrap](text.encode()))
    assert load_file(store, PROGRAM, "R", file) == 3
    assert stored(store) == sorted(ROWS, key=lambda r: repr(r[0]))


def test_csv_and_json_lines_and_parquet(store, tmp_path):
    (tmp_path / "k.csv").write_text('\ufeffx\n1\n""\n 3 \n')
    assert load_file(store, PROGRAM, "K", tmp_path / "k.csv") == 3
    assert stored(store, "K") == [(1,), (3,), (None,)]
    (tmp_path / "k.jsonl").write_text('{"x": 4}\n\n{}\n')
    load_file(store, PROGRAM, "K", tmp_path / "k.jsonl")
    assert stored(store, "K") == [(4,), (None,)]
    pl.DataFrame({"x": [5]}).write_parquet(tmp_path / "k.parquet")
    load_file(store, PROGRAM, "K", tmp_path / "k.parquet")
    assert stored(store, "K") == [(5,)]
    (tmp_path / "k.tsv").write_text("x\n6\n")  # a header is skipped
    load_file(store, PROGRAM, "K", tmp_path / "k.tsv")
    assert stored(store, "K") == [(6,)]
    (tmp_path / "k.tsv").write_text("")
    assert load_file(store, PROGRAM, "K", tmp_path / "k.tsv") == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": [1]}, r"lack the column 'x'\.\nFix: "),
        ({"x": [1], "y": [1]}, "have a column 'y' that it does not"),
        ({"x": ["a"]}, "Column 'x' of K is declared BIGINT, but the rows have String"),
        ({"x": [1.0, 2.5]}, "Row 1 of K has 2.5 in column 'x'"),
        ({"x": [1.0, float("nan")]}, "Row 1 of K has nan"),
        ({"x": pl.Series([1, 2**64 - 1], dtype=pl.UInt64)}, "Row 1 of K has 18446744073709551615"),
        ({"x": [[1]]}, "the rows have List"),
    ],
)
def test_frames_that_do_not_fit(store, columns, message):
    load(store, PROGRAM, "K", pl.DataFrame({"x": [9]}))
    with pytest.raises(DataError, match=message):
        load(store, PROGRAM, "K", pl.DataFrame(columns))
    assert stored(store, "K") == [(9,)]


def test_a_relation_nobody_declared(store):
    with pytest.raises(ProgramError, match=r"no relation 'Q'"):
        load(store, PROGRAM, "Q", pl.DataFrame({"x": [9]}))


def test_random_variables_come_once(store):
    with pytest.raises(DataError, match=r"Row 1 for V comes twice: \(2,\)"):
        load(store, PROGRAM, "V", pl.DataFrame({"x": [1, 2, 2]}))
    assert load(store, PROGRAM, "V", pl.DataFrame({"x": [1, None]})) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("k.tsv", "1\n2\t3\n", "line 2 has 2 values, not 1"),
        ("k.tsv", "1\nx\n", "row 1 has 'x' in column 'x', which is declared BIGINT"),
        ("k.tsj", '1\n{"a"\n', "line 2: "),
        ("k.tsj", '1\n"a"\n', "several other kinds"),
        ("k.csv", "y\n1\n", "lack the column 'x'"),
        ("k.csv", "x\n1\n2,3\n", "cannot be read"),
        ("k.jsonl", '{"x": 1, "z": 2}\n', "line 1 has a column 'z'"),
        ("k.jsonl", "[1]\n", "line 1 has no names"),
        ("k.jsonl", "{\n", "line 1: "),
        ("k.xls", "", "of no kind that is read"),
        ("k.parquet", "x", "cannot be read"),
    ],
)
def test_files_that_do_not_fit(store, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        load_file(store, PROGRAM, "K", tmp_path / name)


def test_files_that_are_not_there_or_no_text(store, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_file(store, PROGRAM, "K", tmp_path / "none.tsv")
    (tmp_path / "k.tsv").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read"):
        load_file(store, PROGRAM, "K", tmp_path / "k.tsv")


def test_a_declaration_that_changed(store):
    load(store, PROGRAM, "K", pl.DataFrame({"x": [1]}))
    other = parse("K(y int).")
    from consilience.kb.grounding.ground import ground

    with pytest.raises(DataError, match=r"K have the columns x BIGINT, but .* with y BIGINT.*\nFix: take"):
        ground(store, other)
    load(store, other, "K", pl.DataFrame({"y": [1]}))
    assert ground(store, other).rows == {"K": 1}
