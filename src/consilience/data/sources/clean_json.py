"""Which lines of a JSONL file all look alike, and reading those with Polars. Used by json_rows.py.

Lines look alike if they name the same keys in the same order, each once, with values of one plain kind: strings,
numbers that fit, true and false, lists of strings, or null. One regular expression, which is linear, judges a block of
lines; on such lines Polars and the reader that goes line by line agree (tests hold them together).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from consilience.data.sources.records import check_names, framed
from consilience.data.table import Reject
from consilience.errors import DataError

ESCAPE = r"""\\(?:["\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}|""" + (
    r"[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"  # halves of a pair only together
)
STRING = rf'"(?:[^"\\\x00-\x1f]|{ESCAPE})*"'
INTEGER = "(?:0|-?[1-9][0-9]{0,17})"
NUMBER = r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,2})?"
LIST = rf"\[ *(?:{STRING}(?: *, *{STRING})*)? *\]"
VALUES: dict[Any, tuple[str, Any]] = {
    str: (STRING, pl.String),
    int: (INTEGER, pl.Int64),
    float: (NUMBER, pl.Float64),
    bool: ("true|false", pl.Boolean),
    list: (LIST, pl.List(pl.String)),
}
KEY = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
MOST_KEYS = 100  # columns of a line that a regular expression is made for


@dataclass
class Part:
    """Rows that follow each other in the file: a frame and its lines, or records and theirs."""

    frame: pl.DataFrame | None
    lines: pl.Series | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    at: list[int] = field(default_factory=list)


class Shapes:
    """What lines have looked like so far."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[type]] = {}
        self._pattern: str | None = None
        self._schema: dict[str, Any] = {}

    def learn(self, rows: list[dict[str, Any]]) -> None:
        """Look at rows that were read one by one: the next ones may be like them."""
        self._pattern = None
        keys = list(rows[0]) if rows else []
        if not keys or len(keys) > MOST_KEYS or any(list(row) != keys for row in rows):
            return
        for key in keys:
            kinds = self._kinds.setdefault(key, set())
            kinds |= {kind for kind in map(type, (row[key] for row in rows)) if kind is not type(None)}
            if list in kinds and not all(_is_list_of_strings(row[key]) for row in rows if type(row[key]) is list):
                kinds.add(dict)  # which no column of lists of strings can hold
        chosen = {key: _one_kind(self._kinds[key]) for key in keys}
        if None in chosen.values() or not all(KEY.fullmatch(key) for key in keys):
            return
        self._schema = {key: VALUES[kind][1] for key, kind in chosen.items() if kind is not type(None)}
        cells = [rf'"{_escaped(key)}" *: *(?:{VALUES.get(kind, ("null",))[0]}|null)' for key, kind in chosen.items()]
        self._pattern = rf"\A(?:\{{ *{' *, *'.join(cells)} *\}} *\r?\n)+\z" if self._schema else None

    def clean(self, data: bytes, is_all: bool) -> tuple[int, pl.DataFrame] | None:
        """How many bytes of the whole lines at the beginning of data, and their rows, if all look like those learnt."""
        if self._pattern is None:
            return None
        if is_all and not data.endswith(b"\n"):
            data += b"\n"
        size = data.rfind(b"\n") + 1
        if not size:
            return None
        data = data[:size]
        try:
            text = pl.Series([data.decode("utf-8")])
            if not text.str.contains(self._pattern)[0]:
                return None
            return size, pl.read_ndjson(io.BytesIO(data), schema=self._schema)
        except (UnicodeDecodeError, pl.exceptions.PolarsError):  # also a pattern too big to be made
            return None


def _is_list_of_strings(value: list[Any]) -> bool:
    return all(type(part) is str for part in value)


def _one_kind(kinds: set[type]) -> Any:
    """The kind of a column's values: NoneType if there are none, None if it has no one plain kind."""
    if kinds == {int, float}:
        return float
    if not kinds:
        return type(None)
    kind = next(iter(kinds))
    return kind if len(kinds) == 1 and kind in VALUES else None


def _escaped(key: str) -> str:
    return re.sub(r"[^\w]", lambda mark: rf"\x{{{ord(mark[0]):x}}}", key)


@dataclass
class Joined:
    """All parts as one frame, and what no column can hold."""

    frame: pl.DataFrame
    lines: pl.Series
    rejects: list[Reject]


def joined(parts: list[Part]) -> Joined | None:
    """All parts as one, or None if a column has values of several kinds in them, so that all must be seen together."""
    rejects: list[Reject] = []
    frames, lines = [], []
    for part in parts:
        frame, at = part.frame, part.lines
        if frame is None or at is None:
            try:
                raw = framed(part.rows, part.at, rejects)
            except DataError:
                if len(parts) == 1:
                    raise
                return None
            frame, at = raw.frame, raw.lines
        frames.append(frame.select(pl.col(name) for name in frame.columns))
        lines.append(at)
    if not frames:
        return Joined(pl.DataFrame(), pl.Series([], dtype=pl.Int64), rejects)
    kinds: dict[str, set[Any]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, set()).update([kind] if frame[name].null_count() < len(frame) else [])
    if any(len(found) > 1 and not found <= {pl.Int64, pl.Float64} for found in kinds.values()):
        return None
    check_names(list(kinds), sum(map(len, frames)), sum(len(frame) * frame.width for frame in frames))
    whole = {name: _column(name, frames, found) for name, found in kinds.items()}
    return Joined(pl.DataFrame(whole), pl.concat(lines, rechunk=True), rejects)


def _column(name: str, frames: list[pl.DataFrame], kinds: set[Any]) -> pl.Series:
    kind = pl.Float64 if len(kinds) > 1 else next(iter(kinds), pl.Null)
    parts = [
        frame[name].cast(kind) if name in frame.columns else pl.Series(name, [None] * len(frame), dtype=kind)
        for frame in frames
    ]
    return pl.concat(parts, rechunk=True)
