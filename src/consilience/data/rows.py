"""What a labeling function sees of one row: a light, read-only record with the columns as attributes.

Made once per batch and shared by all Python functions of a run, since making a record costs about what a short
function does.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from functools import partial
from keyword import iskeyword
from typing import Any
from unicodedata import normalize

import polars as pl

from consilience.errors import DataError, nearest

Row = Any  # a tuple subclass made by row_type; its attributes are the table's columns


def row_type(columns: Sequence[str], text: str | None, hidden: str | None = None) -> type:
    """Class of the records of a table: `row.column`, `row["any column"]`, and `row.text` for the text column.

    columns: the visible columns, in order. hidden: the gold column, named in the error when a function asks for it.
    """
    base = namedtuple("Row", _field_names(columns))  # type: ignore[misc]
    places = {name: place for place, name in enumerate(columns)}

    def missing(self: Any, name: str) -> Any:
        if name in places:
            return tuple.__getitem__(self, places[name])
        if name == hidden:
            raise AttributeError(
                f"The gold column {name!r} is hidden from labeling functions.\nFix: use other columns."
            )
        raise AttributeError(f"The rows have no column {name!r}.\nFix: {nearest(name, columns)}")

    def item(self: Any, key: Any) -> Any:
        if not isinstance(key, str):
            return tuple.__getitem__(self, key)
        place = places.get(key)
        return missing(self, key) if place is None else tuple.__getitem__(self, place)

    body: dict[str, Any] = {"__slots__": (), "__getitem__": item, "__getattr__": missing}
    if text is not None and "text" not in places:
        body["text"] = getattr(base, base._fields[places[text]])
    return type("Row", (base,), body)


def _field_names(columns: Sequence[str]) -> list[str]:
    """Attribute names: the columns' own where they can be, and otherwise names that no column has."""
    names = []
    for place, column in enumerate(columns):
        plain = column.isidentifier() and not iskeyword(column) and column[0] != "_"
        name = column if plain and normalize("NFKC", column) == column else f"column{place}"
        while name != column and name in columns:
            name += "x"
        names.append(name)
    return names


def make_rows(frame: pl.DataFrame, text: str | None, hidden: str | None = None) -> list[Row]:
    """Records of a frame, in order. O(rows x columns).

    >>> rows = make_rows(pl.DataFrame({"body": ["hi"], "n words": [1]}), text="body")
    >>> rows[0].text, rows[0].body, rows[0]["n words"]
    ('hi', 'hi', 1)
    """
    if text is not None and text not in frame.columns:
        raise DataError(f"There is no text column {text!r}.\nFix: {nearest(text, frame.columns)}")
    make = partial(tuple.__new__, row_type(frame.columns, text, hidden))  # as _make, without a call of Python a row
    return list(map(make, zip(*(frame[name].to_list() for name in frame.columns), strict=True)))
