"""Whatever a file holds, reading it ends in a table or in an error of ours with a fix; every line is accounted for."""

from __future__ import annotations

import gzip
import json
import os
import random
import struct
import tempfile
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consilience import read
from consilience.data.read import read_sql
from consilience.data.sources import lines
from consilience.errors import ConsilienceError, DataError

TEXT_FORMATS = ["csv", "tsv", "jsonl", "json", "conll", "pubtator"]
DEADLINE_S = 10


def attempt(name, content, **options):
    """A table, or an error of ours with a fix."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        began = time.process_time()
        try:
            return read(path, **options)
        except ConsilienceError as error:
            return with_fix(error)
        finally:
            assert time.process_time() - began < DEADLINE_S


def with_fix(error):
    assert "\nFix: " in str(error)
    return error


def said(name, content, **options):
    """The lines set aside and why; or the error."""
    found = attempt(name, content, **options)
    return str(found) if isinstance(found, Exception) else [(reject.line, reject.reason) for reject in found.rejects]


# arbitrary bytes


BITS = [
    b"\n",
    b'"',
    b",",
    b"\t",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"|t|",
    b"|a|",
    b"1",
    b"-",
    b"text",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
]
BITS += [
    b"\\ud800",
    b"\r",
    b"O",
    b"B-X",
    "é😀\u2028".encode(),
    b'{"text": "a"}',
    b"a,b\n",
    b"a B-X\n",
    b"NaN",
    b"9" * 30,
    b" ",
]
ANY = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(BITS), max_size=30).map(b"".join))


@settings(max_examples=150)
@given(st.sampled_from(TEXT_FORMATS), ANY)
def test_any_bytes_are_a_table_or_an_error_with_a_fix(kind, content):
    found = attempt("rows." + kind, content)
    if not isinstance(found, Exception):
        assert len(found) and all(reject.line >= 1 and reject.reason for reject in found.rejects)


@given(ANY)
def test_every_line_of_any_jsonl_is_a_row_or_set_aside(content):
    whole = b'{"text": "first"}\n' + content
    found = attempt("rows.jsonl", whole)
    seen = sorted([*found.lines.to_list(), *(reject.line for reject in found.rejects)])
    cut = whole.removesuffix(b"\n").split(b"\n")
    assert seen == [place for place, line in enumerate(cut, 1) if line.decode("utf-8", "replace").strip()]


@given(ANY)
def test_every_line_of_any_csv_is_a_row_or_set_aside_when_quotes_mean_nothing(content):
    whole = b"text,n\nfirst,1\n" + content
    found = attempt("rows.csv", whole, quote=None)
    seen = sorted([*found.lines.to_list(), *(reject.line for reject in found.rejects)])
    cut = whole.removesuffix(b"\n").split(b"\n")
    assert seen == [place for place, line in enumerate(cut, 1) if place > 1 and line.strip(b"\r")]


def frame_of(n):
    texts = [f"hi {place}, a longer text than lies inline" for place in range(n)]
    return pl.DataFrame({"id": range(n), "text": texts, "tags": [["a", "b"]] * n, "x": [0.5] * n})


def sound_file(kind, folder):
    path = Path(folder) / f"sound.{'arrow' if kind in ('stream', 'packed') else kind}"
    write = {
        "parquet": lambda: frame_of(50).write_parquet(path),
        "arrow": lambda: frame_of(50).write_ipc(path),
        "packed": lambda: frame_of(50).write_ipc(path, compression="zstd", compat_level=pl.CompatLevel.oldest()),
        "stream": lambda: frame_of(50).write_ipc_stream(path),
    }
    write[kind]()
    return path.suffix, path.read_bytes()


@pytest.mark.parametrize("kind", ["parquet", "arrow", "packed", "stream"])
def test_files_cut_short_anywhere_are_an_error(kind, tmp_path):
    ending, data = sound_file(kind, tmp_path)
    for size in range(0, len(data) - 8, len(data) // 40):
        found = attempt("cut" + ending, data[:size])
        assert isinstance(found, DataError) or (kind == "stream" and len(found) == 50)  # all but the end is there


@pytest.mark.parametrize("kind", ["parquet", "arrow", "packed", "stream"])
def test_files_with_changed_bytes_are_a_table_or_an_error(kind, tmp_path):
    ending, data = sound_file(kind, tmp_path)
    rng = random.Random(0)
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 2, 8])):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        attempt("changed" + ending, bytes(changed))


def test_a_buffer_that_claims_to_unpack_to_petabytes_takes_no_memory(tmp_path):
    ending, data = sound_file("packed", tmp_path)
    mark = b"\x28\xb5\x2f\xfd"  # how zstd begins; the claim stands before it
    place = data.index(mark) - 8
    claimed = data[:place] + struct.pack("<q", 1 << 53) + data[place + 8 :]
    assert "claims to unpack to" in said("claims" + ending, claimed)


# attacks by name


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "\\ud800"}', "cannot be stored"),
        ('{"\\ud800": 1}', "cannot be stored"),
        ('{"text": "a", "text": "b"}', "not JSON: an object names 'text' twice"),
        ('{"text": "a", "v": {"w": 1, "w": 2}}', "not JSON: an object names 'w' twice"),
        ('{"text": "a", "v": ' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON: maximum recursion depth"),
        ('{"text": "a", "v": ' + "[" * 200 + "]" * 200 + "}", "nested deeper than 32 levels"),
        ('{"text": "a", "v": ' + "9" * 5000 + "}", "not JSON: Exceeds the limit"),
        ('{"text": "a\0b', "not JSON: "),
    ],
)
def test_a_hostile_line_of_jsonl_is_set_aside(line, reason):
    found = said("rows.jsonl", f'{{"text": "first"}}\n{line}\n{{"text": "last"}}\n'.encode())
    assert len(found) == 1 and found[0][0] == 2 and found[0][1].startswith(reason)


def test_numbers_that_no_column_holds_make_it_text_and_not_numbers_are_nothing():
    rows = ['{"text": "a", "n": 1, "x": NaN}', '{"text": "b", "n": 9223372036854775808, "x": Infinity}']
    frame = attempt("rows.jsonl", "\n".join(rows).encode()).frame
    assert frame["n"].to_list() == ["1", "9223372036854775808"] and frame["x"].to_list() == [None, float("inf")]
    assert read([{"text": "a", "n": 2**200}, {"text": "b", "n": 1}]).frame["n"].to_list() == [str(2**200), "1"]


def test_objects_whose_keys_change_from_row_to_row_cost_no_square():
    nested = "\n".join(json.dumps({"text": "a", "box": {f"k{n}": n}}) for n in range(3000))
    assert attempt("rows.jsonl", nested.encode()).frame["box"][2999] == '{"k2999": 2999}'
    flat = "\n".join(json.dumps({"text": "a", f"k{n}": n}) for n in range(11_000))
    assert "more than 10,000 columns" in said("rows.jsonl", flat.encode())
    sparse = "\n".join([json.dumps({f"k{n}": n for n in range(9_000)}), *['{"text": "a"}'] * 4000])
    assert "nearly all of them empty" in said("rows.jsonl", sparse.encode())


def test_a_million_columns_are_refused_at_once():
    assert "1,000,000 columns; 10,000 is the most" in said(
        "rows.csv", ",".join(map(str, range(10**6))).encode() + b"\n"
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_line_longer_than_the_limit_is_set_aside_and_never_held(ending, monkeypatch):
    monkeypatch.setattr(lines, "LINE_LIMIT", 1000)
    head, tail = {"csv": (b"text\nfirst\n", b"last\n"), "jsonl": (b'{"text": "first"}\n', b'{"text": "last"}\n')}[
        ending
    ]
    found = attempt("rows." + ending, head + b'"' + b"x" * 50_000 + b"\n" + tail)
    assert found.texts == ["first", "last"] and found.rejects[0].reason == "longer than 1,000 bytes"
    assert len(found.rejects[0].content) == 200


def test_quotes_that_never_close_take_linear_time_and_cost_their_own_lines():
    found = attempt("rows.csv", b"text,n\n" + b'"open,1\n' * 20_000 + b"last,1\n")
    assert found.texts == ["last"] and len(found.rejects) == 20_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nhi\n".encode("utf-16"), "written in UTF-16"),
        ("text\nhi\n".encode("utf-16-be"), "written in UTF-16"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "cannot be read"),
        (b"", "no readable rows"),
        (b"\xef\xbb\xbf", "no readable rows"),
    ],
)
def test_a_file_that_is_no_text_says_so(content, message):
    assert message in said("rows.csv", content)


def test_terminal_escapes_and_formulas_are_kept_as_text_and_shown_harmless():
    found = attempt("rows.csv", b"text,n\n\x1b]0;owned\x07,1\n=cmd()!A0,2\n\x1b[2J\n")
    assert found.texts == ["\x1b]0;owned\x07", "=cmd()!A0"] and found.rejects[0].content == "\x1b[2J"


# files that are no files


def test_folders_pipes_devices_and_links_to_themselves_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for name, message in [
        ("pipe", "pipe or a device"),
        ("folder", "is a folder"),
        ("zero", "pipe or a device"),
        ("loop", "There is no file"),
    ]:
        for kind in (None, "jsonl", "json", "parquet", "arrow", "conll", "spacy"):
            with pytest.raises(ConsilienceError, match=rf"{message}(.|\n)*Fix: "):
                read(tmp_path / f"{name}.csv", format=kind)
    with pytest.raises(DataError, match=r"There is no file(.|\n)*Fix: "):
        read("a\0b.csv")


def test_a_name_with_a_pattern_in_it_is_a_name(tmp_path):
    for name in ("a*.parquet", "ab.parquet", "[ab].parquet"):
        pl.DataFrame({"id": [1], "text": [name]}).write_parquet(tmp_path / "x")
        (tmp_path / "x").rename(tmp_path / name)
    assert read(tmp_path / "a*.parquet").texts == ["a*.parquet"] and read(tmp_path / "[ab].parquet").texts == [
        "[ab].parquet"
    ]


# packed files


def test_packed_text_is_read_and_broken_packing_is_an_error():
    assert attempt("rows.csv.gz", gzip.compress(b"text\nhi\n")).texts == ["hi"]
    assert attempt("rows.jsonl.gz", gzip.compress(b'{"text": "hi"}\n')).texts == ["hi"]
    for content in (b"text\nhi\n", gzip.compress(b"text\nhi\n") + b"\1\1\0\0"):
        assert "is not a whole .gz file" in said("rows.csv.gz", content)
    assert "is packed" in said("rows.csv.zst", b"") and "unzip" in said("rows.csv.zip", b"PK")


@pytest.mark.parametrize("honest", [True, False])
def test_what_unpacks_to_more_than_is_sound_is_refused_before_it_fills_memory(honest, monkeypatch):
    monkeypatch.setattr(lines, "GROWTH_FREE", 1_000_000)
    bomb = gzip.compress(b'{"text": "' + b"x" * 20_000_000, compresslevel=9)
    tracemalloc.start()
    assert "unpacks to more than 100 times its size" in said(
        "rows.jsonl.gz", bomb if honest else bomb[:-4] + b"\1\0\0\0"
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


def test_a_parquet_file_that_claims_a_billion_cells_is_refused(tmp_path, monkeypatch):
    from consilience.data.sources import arrow

    monkeypatch.setattr(arrow, "CELLS_FREE", 1000)
    monkeypatch.setattr(arrow, "CELLS_A_BYTE", 1)
    pl.DataFrame({"n": np.zeros(1_000_000, np.int8)}).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"claims 1,000,000 rows of 1 columns(.|\n)*Fix: "):
        read(tmp_path / "rows.parquet")


# spaCy, saved datasets, SQL


@settings(max_examples=40)
@given(st.binary(max_size=40), st.booleans())
@example(b"\x80", True)
@example(b"\xdf\xff\xff\xff\xff", True)
def test_any_docbin_is_a_table_or_an_error(content, packed):
    pytest.importorskip("spacy")
    attempt("rows.spacy", zlib.compress(content) if packed else content)


def test_a_docbin_with_arrays_that_do_not_fit_is_an_error_and_its_user_data_is_never_read():
    pytest.importorskip("spacy")
    from srsly import msgpack_dumps

    def docbin(**changed):
        parts = {
            "attrs": [65], "lengths": b"\1\0\0\0", "tokens": np.array([2**60], np.uint64).tobytes(),
            "spaces": b"\0", "strings": ["hi"], "cats": [{}], "flags": [{}], "user_data": [b"\xc1 no msgpack at all"],
        }  # fmt: skip
        return zlib.compress(msgpack_dumps(parts | changed))

    assert "not a document" in said("rows.spacy", docbin())  # a hash that no string has
    for changed in (
        {"lengths": b"\xff" * 4},
        {"tokens": b"\0" * 7},
        {"attrs": []},
        {"attrs": ["x"]},
        {"spaces": b""},
        {"strings": 5},
    ):
        assert "not a readable DocBin" in said("rows.spacy", docbin(**changed))


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", "a\\b", ""])
def test_a_saved_dataset_cannot_send_us_elsewhere(name, tmp_path):
    (tmp_path / "secret.arrow").write_bytes(b"secret")
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match=r"which is not in it.\nFix"):
        read(folder)


QUERIES = ["SELECT 1; SELECT 2", "COPY (SELECT 1) TO 'x.csv'", "INSTALL httpfs", "LOAD httpfs", "ATTACH 'x.db'", ""]
QUERIES += [
    "SET threads = 1",
    "CREATE TABLE t (a INT)",
    "PRAGMA version",
    "SELECT * FROM 'https://example.invalid/x.csv'",
]
QUERIES += ["SELECT * FROM frame", "SELEC 1", "SELECT 1 AS a, 2 AS a", "SELECT ?"]


@pytest.mark.parametrize("query", QUERIES)
def test_only_one_select_over_what_is_here_is_answered(query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame({"a": [1]})  # a query cannot reach Python's variables
    with pytest.raises(DataError, match=r"\nFix: "):
        read_sql(query)
    assert list(tmp_path.iterdir()) == [] and len(frame)


def test_values_go_into_a_query_as_values_and_files_and_databases_are_read(tmp_path):
    import duckdb

    pl.DataFrame({"id": [1, 2], "text": ["a'; DROP TABLE x; --", "b"]}).write_parquet(tmp_path / "rows.parquet")
    query = f"SELECT * FROM '{tmp_path}/rows.parquet' WHERE text = ?"  # noqa: S608 - a path of this test
    assert read_sql(query, ["a'; DROP TABLE x; --"]).ids.to_list() == [1]
    with duckdb.connect(tmp_path / "rows.duckdb") as base:
        base.execute("CREATE TABLE t AS SELECT 7 AS id, 'hi' AS text, 'spam' AS y")
    table = read_sql("SELECT * FROM t", database=tmp_path / "rows.duckdb", gold="y")
    assert table.ids.to_list() == [7] and table.gold_names() == ["spam"]
    with pytest.raises(DataError, match=r"There is no database(.|\n)*Fix"):
        read_sql("SELECT 1", database=tmp_path / "none.duckdb")


# what was set aside


def test_what_was_set_aside_is_written_with_file_and_line_whatever_it_holds(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "\\ud800"}\nnonsense\x1b[2J\n')
    table = read(path, rejects=tmp_path / "aside" / "rejects.jsonl")
    kept = [json.loads(line) for line in (tmp_path / "aside" / "rejects.jsonl").read_text("ascii").splitlines()]
    assert [(line["file"], line["line"]) for line in kept] == [(str(path), 2), (str(path), 3)]
    assert kept[1]["reason"].startswith("not JSON") and kept[1]["content"] == "nonsense\x1b[2J\n"
    table.write_rejects(tmp_path / "again.jsonl")
    assert len((tmp_path / "again.jsonl").read_text().splitlines()) == 2
    path.write_text("nonsense\n")
    with pytest.raises(DataError):
        read(path, rejects=tmp_path / "all.jsonl")
    assert json.loads((tmp_path / "all.jsonl").read_text())["line"] == 1


def test_half_a_surrogate_pair_in_a_row_from_memory_can_be_stored_and_written(tmp_path):
    table = read([{"text": "a"}, "\ud800", {"text": "\ud800"}, {"\ud800": 1}], rejects=tmp_path / "rejects.jsonl")
    assert [reject.line for reject in table.rejects] == [2, 3, 4]
    assert all(reject.content.encode() and reject.reason.encode() for reject in table.rejects)


def test_values_of_pandas_that_no_column_holds_become_text_and_are_not_lost():
    pd = pytest.importorskip("pandas")
    table = read(pd.DataFrame({"text": ["a", "b"], "n": [2**200, 1], "v": [1, "x"]}))
    assert table.frame["n"].to_list() == [str(2**200), "1"] and table.frame["v"].to_list() == ["1", "x"]
