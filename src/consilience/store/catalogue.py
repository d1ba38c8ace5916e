"""The project's catalogue: one SQLite file that says which rows, columns and runs there are, and in which blobs.

A blob is written first and its line here last, so a killed run leaves at most a blob nobody asks for.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consilience.errors import StoreError

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE part (
    fingerprint TEXT PRIMARY KEY, blob TEXT NOT NULL, source TEXT NOT NULL, n_rows INTEGER NOT NULL, added REAL NOT NULL
);
CREATE TABLE reject (
    part TEXT NOT NULL REFERENCES part ON DELETE CASCADE,
    line INTEGER NOT NULL, reason TEXT NOT NULL, content TEXT NOT NULL
);
CREATE TABLE vote_column (
    key TEXT PRIMARY KEY, blob TEXT NOT NULL, field TEXT NOT NULL DEFAULT 'vote',
    failed INTEGER NOT NULL, failed_id TEXT, failure TEXT, stops INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL
);
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, started REAL NOT NULL, blob TEXT, record TEXT NOT NULL
);
"""
MIGRATIONS = {  # from each version to the next
    1: """
ALTER TABLE vote_column ADD COLUMN field TEXT NOT NULL DEFAULT 'vote';
ALTER TABLE vote_column ADD COLUMN stops INTEGER NOT NULL DEFAULT 0;
""",
}


class Catalogue:
    """An open catalogue. Readers and one writer may work at once; a second writer waits up to ten seconds.

    path: of the SQLite file, made if absent. raises: StoreError if it is damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA foreign_keys = ON")
            mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            self._prepare(mode)
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"The catalogue {path} cannot be opened: {error}.\n"
                "Fix: if another program holds it, wait; if it is damaged, move .consilience away and add the files."
            ) from error

    def _prepare(self, mode: str) -> None:
        if mode != "wal":
            raise StoreError(
                f"The folder of {self.path} cannot keep a write-ahead log (a network drive?).\n"
                "Fix: move the project to a local disk."
            )
        version = self._version()
        if version < SCHEMA_VERSION:
            with self.writing():
                version = self._version()  # another process may have been faster
                if version == SCHEMA_VERSION:
                    return
                self._run(SCHEMA if version == 0 else "".join(MIGRATIONS[v] for v in range(version, SCHEMA_VERSION)))
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version > SCHEMA_VERSION:
            raise StoreError(
                f"The catalogue has version {version}, this is {SCHEMA_VERSION}.\nFix: upgrade consilience."
            )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _run(self, statements: str) -> None:
        for statement in statements.split(";"):
            self._db.execute(statement)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All statements of the block happen, or none."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _execute(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """One statement. Raises StoreError if another process writes too long, the disk is full, or it is damaged."""
        try:
            return self._db.execute(sql, values)
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)):
                raise
            raise StoreError(
                f"The catalogue {self.path} cannot be used: {error}.\n"
                "Fix: if another program writes to it, wait; else make room, and see that the folder can be written to."
            ) from error

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row a query gives. Values are passed as parameters, never pasted."""
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row a query gives, or None."""
        row: sqlite3.Row | None = self._execute(sql, values).fetchone()
        return row

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement; returns the id of the row it made."""
        return int(self._execute(sql, values).lastrowid or 0)

    def add_run(self, kind: str, started: float, record: dict[str, Any], blob: str | None = None) -> int:
        """Note that something was done, and what came of it. Returns the run's number."""
        text = json.dumps(record, ensure_ascii=False, sort_keys=True)
        return self.write(
            "INSERT INTO run (kind, started, blob, record) VALUES (?, ?, ?, ?)", kind, started, blob, text
        )

    def blobs(self) -> set[str]:
        """Names of all blobs the catalogue speaks of."""
        query = (
            "SELECT blob FROM part UNION SELECT blob FROM vote_column UNION SELECT blob FROM run WHERE blob IS NOT NULL"
        )
        return {row["blob"] for row in self.all(query)}

    def check(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        found = [row[0] for row in self.all("PRAGMA integrity_check")]
        return [] if found == ["ok"] else [str(line) for line in found]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
