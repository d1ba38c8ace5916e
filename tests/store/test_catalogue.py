"""The catalogue: one SQLite file that several processes may open, and that says so when it is not what it should be."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from consilience.errors import StoreError
from consilience.store.catalogue import SCHEMA_VERSION, Catalogue


@pytest.fixture
def catalogue(tmp_path):
    opened = Catalogue(tmp_path / "store" / "catalogue.sqlite")
    yield opened
    opened.close()


def test_a_run_is_noted_with_its_record(catalogue):
    first = catalogue.add_run("fit", 1.5, {"b": "é", "a": [1]}, blob="x")
    second = catalogue.add_run("apply", 2.5, {})
    assert (first, second) == (1, 2)
    row = catalogue.one("SELECT * FROM run WHERE id = ?", first)
    assert (row["kind"], row["started"], row["blob"], row["record"]) == ("fit", 1.5, "x", '{"a": [1], "b": "é"}')
    assert catalogue.one("SELECT * FROM run WHERE id = 9") is None
    assert catalogue.blobs() == {"x"} and catalogue.check() == []


def test_what_one_connection_writes_another_reads(catalogue):
    other = Catalogue(catalogue.path)
    try:
        with catalogue.writing():
            catalogue.add_run("fit", 0.0, {})
            assert other.all("SELECT id FROM run") == []
        assert len(other.all("SELECT id FROM run")) == 1
        other.add_run("fit", 0.0, {})
        assert len(catalogue.all("SELECT id FROM run")) == 2
    finally:
        other.close()


def write_and_fail(catalogue):
    with catalogue.writing():
        catalogue.add_run("fit", 0.0, {})
        _ = 1 / 0


def test_a_block_that_fails_has_written_nothing(catalogue):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(catalogue)
    assert catalogue.all("SELECT id FROM run") == []


def test_many_may_open_a_new_catalogue_at_once(tmp_path):
    def write(n):
        opened = Catalogue(tmp_path / "catalogue.sqlite")
        opened.add_run("fit", float(n), {})
        opened.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(16)))
    opened = Catalogue(tmp_path / "catalogue.sqlite")
    assert len(opened.all("SELECT id FROM run")) == 16
    opened.close()


def test_a_part_takes_its_rejects_with_it(catalogue):
    catalogue.write("INSERT INTO part VALUES ('p', 'blob', 'file', 1, 0)")
    catalogue.write("INSERT INTO reject VALUES ('p', 3, 'why', 'text')")
    catalogue.write("DELETE FROM part WHERE fingerprint = ?", "p")
    assert catalogue.all("SELECT * FROM reject") == []


def test_a_file_of_another_version_is_refused(catalogue):
    catalogue.write(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match=r"The catalogue has version 3, this is 2.\nFix: upgrade"):
        Catalogue(catalogue.path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(StoreError, match=r"cannot be opened: file is not a database.\nFix"):
        Catalogue(path)


def test_values_are_never_pasted_into_statements(catalogue):
    hostile = "x'); DROP TABLE run; --"
    catalogue.add_run(hostile, 0.0, {"name": hostile})
    assert catalogue.one("SELECT kind FROM run")["kind"] == hostile


def test_closing_lets_go_of_the_file(tmp_path):
    opened = Catalogue(tmp_path / "catalogue.sqlite")
    opened.close()
    with pytest.raises(sqlite3.ProgrammingError):
        opened.all("SELECT 1")


def test_a_catalogue_that_another_process_writes_to_is_said_to_be_busy(catalogue):
    catalogue._db.execute("PRAGMA busy_timeout = 10")
    other = Catalogue(catalogue.path)
    with other.writing(), pytest.raises(StoreError, match=r"cannot be used: database is locked.\nFix: if another"):
        catalogue.write("DELETE FROM run")
    other.close()
    catalogue.write("DELETE FROM run")


def test_a_full_disk_loses_only_what_did_not_fit(catalogue):
    catalogue.add_run("fit", 0.0, {})
    pages = catalogue.one("PRAGMA page_count")[0]
    catalogue._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"full.\nFix: .*make room"), catalogue.writing():
        catalogue.add_run("apply", 0.0, {"long": "x" * 100_000})
    assert [row["kind"] for row in catalogue.all("SELECT kind FROM run")] == ["fit"]
