"""The database: whole or not at all, one writer, no way out, and a run that was killed goes on."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import polars as pl
import pytest

from consilience.errors import DataError, ProgramError, StoreError
from consilience.kb.grounding import ground as grounding
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store, answering
from consilience.kb.language.parse import parse

PROGRAM = """
R(x int, t text). V?(x int).
S(x) :- R(x, _). T(x) :- S(x), x > 1.
V(x) = if x > 2 then TRUE else NULL end :- T(x).
@name("f") @weight(t) V(x) :- R(x, t).
"""
ROWS = pl.DataFrame({"x": [1, 2, 3], "t": ["a", "b", "c"]})


def test_a_file_keeps_what_was_done(tmp_path):
    program = parse(PROGRAM)
    with Store.open(tmp_path / "main.duckdb", threads=1) as store:  # a name that DuckDB has for itself
        load(store, program, "R", ROWS)
        report = ground(store, program)
    assert report.rows == {"R": 3, "S": 3, "T": 2, "V": 2}
    assert (report.variables, report.factors, report.weights) == ({"V": 2}, {"f": 2}, 2)
    with Store.open(tmp_path / "main.duckdb", read_only=True) as store:
        assert store.rows("SELECT x FROM main.T ORDER BY x") == [(2,), (3,)]
        with pytest.raises(duckdb.Error, match="read-only"):
            store.execute("CREATE TABLE z (x int)")
    with Store.open(tmp_path / "main.duckdb") as store:
        again = ground(store, program)
    assert len(again.skipped) == 6 and again.rows == report.rows and again.factors == report.factors


def test_a_transaction_is_whole_or_nothing(tmp_path):
    with Store.open(tmp_path / "kb.duckdb") as store:
        with pytest.raises(duckdb.Error, match="nothing"), store.transaction(), store.transaction():
            store.connection.execute("CREATE TABLE z (x int); SELECT nothing")
        assert not store.has_table("main", "z")
        with store.transaction():
            store.execute("CREATE TABLE z (x int)")
        assert store.columns("main", "z") == {"x": "INTEGER"}


def test_a_second_writer_is_told_who_has_the_file(tmp_path):
    file = tmp_path / "kb.duckdb"
    code = "import sys; from consilience.kb.grounding.store import Store; Store.open(sys.argv[1])"
    with Store.open(file), pytest.raises(StoreError, match=r"(?s)written by someone else.*\nFix: wait"):
        Store.open(file)
    with Store.open(file):
        other = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert "is being written by someone else" in other.stderr and "PID" in other.stderr


def test_files_that_are_no_knowledge_base(tmp_path):
    with pytest.raises(StoreError, match="There is no knowledge base"):
        Store.open(tmp_path / "none.duckdb", read_only=True)
    (tmp_path / "text").write_text("hello" * 1000)
    with pytest.raises(StoreError, match=r"cannot be opened.*\nFix: "):
        Store.open(tmp_path / "text")
    duckdb.connect(tmp_path / "other.duckdb").close()
    with pytest.raises(StoreError, match="is no knowledge base"):
        Store.open(tmp_path / "other.duckdb", read_only=True)
    with Store.open(tmp_path / "kb.duckdb") as store:
        store.execute("UPDATE _kb.about SET value = '999'")
    with pytest.raises(StoreError, match=r"of version 999"):
        Store.open(tmp_path / "kb.duckdb")
    with pytest.raises(StoreError, match="does not start"):
        Store.open(memory_limit="much")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "ATTACH '/tmp/x.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access=true",
        "SET threads=9",
        "SELECT * FROM ROWS",
    ],
)
def test_there_is_no_way_out_of_the_database(query):
    with Store.open() as store, pytest.raises(duckdb.Error):
        store.execute(query)


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path, monkeypatch):
    program = parse(PROGRAM)
    file = tmp_path / "kb.duckdb"
    with Store.open(file) as store:
        load(store, program, "R", ROWS)
        with monkeypatch.context() as patched:
            patched.setattr(grounding, "ground_variables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ground(store, program)
        assert not store.has_table("variables", "V")
    with Store.open(file) as store:
        report = ground(store, program)
    assert report.skipped == ["relation R", "relation S", "relation T", "relation V"]
    assert report.factors == {"f": 2}


def test_only_what_a_change_reaches_is_grounded_again():
    program = parse(PROGRAM)
    with Store.open() as store:
        load(store, program, "R", ROWS)
        ground(store, program)
        changed = parse(PROGRAM.replace("x > 1", "x > 2"))
        assert ground(store, changed).skipped == ["relation R", "relation S"]
        named = parse(PROGRAM.replace("x > 1", "x > 2") + '@name("g") @weight(1) V(x) :- R(x, _).')
        report = ground(store, named)
        assert len(report.skipped) == 6 and report.factors == {"f": 1, "g": 1}
        report = ground(store, changed)
        assert report.factors == {"f": 1} and report.weights == 1 and not store.has_table("factors", "g")
        load(store, program, "R", ROWS.head(1))
        assert ground(store, changed).skipped == []


def test_a_weight_keeps_its_place_and_value_while_its_values_last():
    program = parse(PROGRAM)
    with Store.open() as store:
        load(store, program, "R", ROWS)
        ground(store, program)
        store.execute("UPDATE _kb.weights SET value = position + 1")
        load(store, program, "R", ROWS.tail(1))
        load(store, program, "R", pl.DataFrame({"x": [4], "t": [None]}), replace=False)
        ground(store, program)
        found = store.rows("SELECT description, position, value FROM _kb.weights ORDER BY position")
    assert found == [("f(c)", 1, 2.0), ("f(NULL)", 2, 0.0)]


def test_a_step_that_fails_leaves_what_was():
    with Store.open() as store:
        load(store, parse(PROGRAM), "R", ROWS)
        ground(store, parse(PROGRAM))
        broken = parse(PROGRAM.replace("S(x) :- R(x, _)", "S(t :: int) :- R(_, t)"))
        with pytest.raises(DataError, match=r"what derives S meets a value.*'a'.*\nFix: "):
            ground(store, broken)
        assert store.rows("SELECT x FROM main.S ORDER BY x") == [(1,), (2,), (3,)]


def test_what_the_database_refuses_is_said_with_the_rule():
    with Store.open() as store:
        wanted = r"(?s)Line 3: the rule cannot be answered: .*nothing.*\nFix: "
        with pytest.raises(ProgramError, match=wanted), answering("Line 3: the rule"):
            store.execute("SELECT nothing")
        with pytest.raises(DataError, match="meets a value"), answering("x"):
            store.rows("SELECT 'a'::int")


def test_memory_and_threads_are_arguments(tmp_path):
    with Store.open(tmp_path / "kb.duckdb", memory_limit="100MB", threads=1) as store:
        assert store.one("SELECT current_setting('threads')") == 1
        n = store.one("SELECT count(*) FROM (SELECT DISTINCT md5(i::text) FROM range(3000000) t(i))")
        assert n == 3_000_000  # more than the memory: it is written beside the file
