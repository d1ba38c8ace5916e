"""Rows of one SELECT that DuckDB answers: over files, or a database file opened to be read only.

Nothing is installed, loaded or changed: one statement, a SELECT; no extensions; no reaching into Python's variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.sources.raw import Raw, places
from consilience.errors import DataError

SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}


def from_sql(query: str, params: Sequence[Any], database: Path | None) -> Raw:
    """Rows of one SELECT. params: values for its question marks."""
    import duckdb

    if database is not None and not database.is_file():
        raise DataError(f"There is no database {database}.\nFix: check the path.")
    try:
        with duckdb.connect(
            database or ":memory:", read_only=database is not None, config=dict(SETTINGS)
        ) as connection:
            statements = connection.extract_statements(query)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise DataError(f"The query is not one SELECT: {query[:200]}\nFix: write exactly one SELECT.")
            frame = pl.DataFrame(_Stream(connection.sql(query, params=list(params))))
    except pl.exceptions.DuplicateError:
        raise DataError("The query names a column twice.\nFix: give one of them another name with AS.") from None
    except (duckdb.Error, pl.exceptions.PolarsError, UnicodeEncodeError) as error:
        said = str(error).strip().split("\n\n")[0][:500]
        raise DataError(f"The query cannot be answered: {said}\nFix: correct the query.") from None
    return Raw(frame, places(len(frame)))


class _Stream:
    """A relation as nothing but a stream of Arrow: Polars would remember its type, and DuckDB complain at exit."""

    def __init__(self, relation: Any) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._relation.__arrow_c_stream__(requested_schema)
