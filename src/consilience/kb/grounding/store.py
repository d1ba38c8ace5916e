"""One database file holds a knowledge base: relations, labels, variables, weights, factors, and how far a run is.

DuckDB in this process, with no way out of it: no files, no extensions, no Python variables, settings locked. What is
done inside `transaction` is done whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import DataError, ProgramError, StoreError
from consilience.kb.sql.schema import BASE, CALLS, FACTORS, LABELS, VALUES, VARIABLES, WEIGHTS

VERSION = "1"
CATALOGUE = "consilience"
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
BOOKS = """
CREATE TABLE IF NOT EXISTS _kb.about (name VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE IF NOT EXISTS _kb.loads (relation VARCHAR PRIMARY KEY, state VARCHAR);
CREATE TABLE IF NOT EXISTS _kb.steps (
    name VARCHAR PRIMARY KEY, fingerprint VARCHAR, n_rows BIGINT, seconds DOUBLE, finished TIMESTAMP);
CREATE TABLE IF NOT EXISTS _kb.counters (name VARCHAR PRIMARY KEY, value BIGINT);
CREATE TABLE IF NOT EXISTS _kb.weights (
    position INTEGER, id UBIGINT, rule VARCHAR, description VARCHAR, is_fixed BOOLEAN, value DOUBLE);
CREATE TABLE IF NOT EXISTS _kb.retired (position INTEGER, cardinality INTEGER);
"""
Query = str | exp.Expr


class Stream:
    """Rows as nothing but a stream of Arrow: neither side learns the other's type, and pyarrow is not needed."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._rows.__arrow_c_stream__(requested_schema)


class Store:
    """A knowledge base's database.

    >>> with Store.open() as store:
    ...     store.frame("SELECT 1 AS one").rows()
    [(1,)]
    """

    def __init__(self, connection: Any, path: Path | None, read_only: bool) -> None:
        self.connection = connection
        self.path = path
        self.read_only = read_only
        self._depth = 0

    @staticmethod
    def open(
        path: str | os.PathLike[str] | None = None,
        *,
        read_only: bool = False,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> Store:
        """Open, or make, a database file; None keeps all in memory.

        memory_limit: such as "4GB", after which DuckDB writes beside the file. threads: at most this many.
        raises: StoreError if it is no such file, of another version, or written by another process.
        """
        file = None if path is None else Path(path)
        if read_only and (file is None or not file.is_file()):
            raise StoreError(f"There is no knowledge base {file}.\nFix: check the path, or run the program first.")
        config: dict[str, str | bool | int | float | list[str]] = dict(SETTINGS)
        if memory_limit is not None:
            config["memory_limit"] = memory_limit
        if threads is not None:
            config["threads"] = str(threads)
        if file is not None:
            config["temp_directory"] = f"{file}.tmp"
        try:
            connection = duckdb.connect(":memory:", config=config)
        except duckdb.Error as error:
            raise StoreError(f"DuckDB does not start: {said(error)}\nFix: check memory_limit and threads.") from None
        store = Store(connection, file, read_only)
        try:
            store._begin()
        except BaseException:
            connection.close()
            raise
        return store

    def _begin(self) -> None:
        where = ":memory:" if self.path is None else str(self.path)
        attach = exp.Literal.string(where).sql("duckdb")
        options = " (READ_ONLY)" if self.read_only else ""
        try:
            self.connection.execute(f"ATTACH {attach} AS {CATALOGUE}{options}")
        except duckdb.Error as error:
            raise _cannot_open(where, error) from None
        self.connection.execute(f"USE {CATALOGUE}")
        self.connection.execute("SET enable_external_access=false")
        self.connection.execute("SET lock_configuration=true")
        if not self.read_only:
            self._must_be_ours(where)
            with self.transaction():
                for name in ("_kb", BASE, LABELS, VARIABLES, VALUES, FACTORS, WEIGHTS, CALLS):
                    self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
                self.connection.execute(BOOKS)
                self.connection.execute("INSERT OR IGNORE INTO _kb.about VALUES ('version', ?)", [VERSION])
        try:
            found = self.rows("SELECT value FROM _kb.about WHERE name = 'version'")
        except duckdb.Error:
            raise StoreError(f"{where} is no knowledge base.\nFix: check the path.") from None
        if found != [(VERSION,)]:
            raise StoreError(
                f"{where} is a knowledge base of version {found[0][0] if found else 'unknown'}, not {VERSION}.\n"
                "Fix: run the program again into a new file."
            )

    def _must_be_ours(self, where: str) -> None:
        """Raise StoreError for a database with tables that we did not make: grounding would write over them."""
        if not self.has_table("_kb", "about") and self.one(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ?", [CATALOGUE]
        ):
            raise StoreError(f"{where} holds tables and is no knowledge base.\nFix: name another file.")

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or, if it raises, nothing of it. Inside another transaction it is part of that one."""
        if self._depth:
            yield
            return
        self.connection.execute("BEGIN TRANSACTION")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._depth = 0
            with suppress(duckdb.Error):  # the error may have ended it already
                self.connection.execute("ROLLBACK")
            raise
        self._depth = 0
        try:
            self.connection.execute("COMMIT")
        except duckdb.Error as error:
            raise StoreError(
                f"What was done could not be written: {said(error)}\nFix: see that the disk has room."
            ) from None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    def execute(self, query: Query, params: Sequence[Any] = ()) -> Any:
        """Run one statement. Errors are DuckDB's own: see `answering`."""
        return self.connection.execute(text(query), list(params))

    def drop(self, name: exp.Table, kind: str = "TABLE") -> None:
        """Drop a table or view, if it is there."""
        self.connection.execute(f"DROP {kind} IF EXISTS {name.sql('duckdb')}")

    def rows(self, query: Query, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query as tuples."""
        found: list[tuple[Any, ...]] = self.execute(query, params).fetchall()
        return found

    def one(self, query: Query, params: Sequence[Any] = ()) -> Any:
        """The first value of the first row; None if there is no row. All rows are fetched: no result stays open."""
        found = self.rows(query, params)
        return found[0][0] if found else None

    def frame(self, query: Query, params: Sequence[Any] = ()) -> pl.DataFrame:
        """All rows of a query as a frame."""
        made = self.connection.sql(text(query), params=list(params))
        return pl.DataFrame(Stream(made))

    def arrays(self, query: Query, params: Sequence[Any] = ()) -> dict[str, NDArray[Any]]:
        """Columns of a query as arrays, without a Python object a row; a column with NULL is masked."""
        found: dict[str, NDArray[Any]] = self.execute(query, params).fetchnumpy()
        return {name: found[name] if isinstance(found[name], np.ndarray) else np.asarray(found[name]) for name in found}

    @contextmanager
    def reading(self, frame: pl.DataFrame, name: str = "incoming rows") -> Iterator[exp.Table]:
        """A frame as a table that queries can read while the block lasts."""
        self.connection.register(name, Stream(frame))
        try:
            yield exp.table_(name, quoted=True)
        finally:
            self.connection.unregister(name)

    def counter(self, name: str) -> int:
        """How many positions of a kind (variables, weights) have been given."""
        return int(self.one("SELECT value FROM _kb.counters WHERE name = ?", [name]) or 0)

    def set_counter(self, name: str, value: int) -> None:
        """Note how many positions of a kind have been given."""
        self.execute("INSERT OR REPLACE INTO _kb.counters VALUES (?, ?)", [name, value])

    def note(self, name: str) -> str | None:
        """Something that was noted of the whole database."""
        found = self.one("SELECT value FROM _kb.about WHERE name = ?", [name])
        return None if found is None else str(found)

    def set_note(self, name: str, value: str) -> None:
        """Note something of the whole database."""
        self.execute("INSERT OR REPLACE INTO _kb.about VALUES (?, ?)", [name, value])

    def has_table(self, schema: str, name: str) -> bool:
        """Whether there is a table or view."""
        return bool(
            self.one(
                "SELECT count(*) FROM information_schema.tables "
                "WHERE table_catalog = ? AND table_schema = ? AND table_name = ?",
                [CATALOGUE, schema, name],
            )
        )

    def columns(self, schema: str, name: str) -> dict[str, str]:
        """Columns of a table and their types, in order; empty if there is no such table."""
        return dict(
            self.rows(
                "SELECT column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
                [CATALOGUE, schema, name],
            )
        )


def text(query: Query) -> str:
    """A query as DuckDB reads it."""
    return query if isinstance(query, str) else query.sql("duckdb")


def said(error: BaseException) -> str:
    """The gist of what DuckDB says."""
    return str(error).strip().split("\n\n")[0].split("\nLINE ")[0][:500]


def _cannot_open(where: str, error: duckdb.Error) -> StoreError:
    message = said(error)
    if "lock" in message.lower() or "already attached" in message.lower():
        return StoreError(
            f"{where} is being written by someone else: {message}\n"
            "Fix: wait until it is done or end it; only one process may have the file open while one writes."
        )
    return StoreError(
        f"{where} cannot be opened: {message}\n"
        "Fix: check that it is a knowledge base, and readable; if it is broken, delete it and run again from its data."
    )


@contextmanager
def answering(what: str) -> Iterator[None]:
    """What DuckDB refuses inside the block is said as an error of ours. what: 'Line 3: the rule for R', say."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise StoreError(
            f"{what} could not be finished: {said(error)}\nFix: give it more memory or room on the disk."
        ) from None
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        raise DataError(
            f"{what} meets a value it cannot take: {said(error)}\nFix: sort such rows out with a condition."
        ) from None
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise ProgramError(f"{what} cannot be answered: {said(error)}\nFix: correct the rule.") from None
