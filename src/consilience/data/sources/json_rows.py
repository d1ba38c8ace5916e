"""JSON: one object a line, WRENCH's object of rows, or a list of objects.

Blocks of lines that all look like the first are read by Polars, with the same result (clean_json.py); all others one
by one. An object that names something twice is set aside: one of the two values would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from consilience.data.sources.ahead import BLOCK, WATCHED, Ahead, Lines
from consilience.data.sources.clean_json import Part, Shapes, joined
from consilience.data.sources.lines import check_encoding, check_file, decoded_lines, opened
from consilience.data.sources.raw import SHOWN, Raw, places
from consilience.data.sources.records import Record, from_records, sorted_out
from consilience.data.table import Reject
from consilience.errors import DataError
from consilience.progress import track

FILE_LIMIT = 1024 * 1024 * 1024  # bytes of a file that is one JSON value and so must be held as a whole


def from_jsonl(path: Path, block: int = BLOCK, watched: int = WATCHED) -> Raw:
    """One JSON object a line; empty lines are skipped. block: bytes judged at once. watched: lines read with care."""
    with opened(path) as file:
        reader = _Reader(path, file, block, watched)
        for _ in track(reader.steps(), f"reading {path.name}"):
            pass
    whole = joined(reader.parts)
    if whole is not None:
        return Raw(whole.frame, whole.lines, reader.rejects + whole.rejects)
    with opened(path) as file:  # blocks that look alike, but a column has other values elsewhere: all with care
        return from_records(track(_json_lines(file), f"reading {path.name} again"))


def _json_lines(file: BinaryIO) -> Iterator[Record]:
    for number, line in decoded_lines(file):
        if isinstance(line, Reject):
            yield number, line, line.content
        elif line.strip():
            yield number, parse_line(line, number), line


class _Reader:
    """Goes through a file from block to block; keeps what it found, in parts."""

    def __init__(self, path: Path, file: BinaryIO, block: int, watched: int) -> None:
        self.parts: list[Part] = []
        self.rejects: list[Reject] = []
        self.block, self.watched = block, watched
        self._shapes = Shapes()
        self._ahead = Ahead(file)
        check_encoding(self._ahead.peek(4096), path)

    def steps(self) -> Iterator[None]:
        """Read on, a block or some lines at a time."""
        number = 1  # of the next line
        while data := self._ahead.peek(self.block):
            clean = self._shapes.clean(data, is_all=len(data) < self.block)
            if clean is not None:
                size, frame = clean
                self.parts.append(Part(frame, number + places(len(frame)) - 1))
                self._ahead.skip(size)
                number += len(frame)
            else:
                number = self._one_by_one(number)
            yield

    def _one_by_one(self, number: int) -> int:
        """Read some lines as they come. Returns the number of the line behind them."""
        lines = Lines(self._ahead, number)
        rows, at, rejects = sorted_out(self._some(lines, self.watched))
        lines.give_back()
        self._shapes.learn(rows)
        self.rejects += rejects
        if self.parts and self.parts[-1].frame is None:
            self.parts[-1].rows.extend(rows)
            self.parts[-1].at.extend(at)
        elif rows:
            self.parts.append(Part(None, None, rows, at))
        return lines.number

    @staticmethod
    def _some(lines: Lines, n: int) -> Iterator[Record]:
        for _ in range(n):
            line, number = lines.look(0), lines.number
            if line is None:
                return
            if isinstance(line, Reject):
                yield number, line, line.content
            elif line.strip():
                yield number, parse_line(line, number), line
            lines.used(1)


def parse_line(text: str, line: int) -> Any:
    """What a line says, or a Reject."""
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        return Reject(line, f"not JSON: {error}", text[:SHOWN])


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"an object names {twice!r} twice")
    return made


def from_json(path: Path) -> Raw:
    """WRENCH's object of rows (gold in "label", names in label.json beside it, votes in vote_0, ...); or a list."""
    whole = _json_file(path)
    if isinstance(whole, list):
        return from_records((place, row, str(row)[:1000]) for place, row in enumerate(whole, 1))
    if not isinstance(whole, dict):
        raise DataError(f"{path} holds neither rows nor a list of rows.\nFix: give an object of objects or a list.")
    names_path = path.parent / "label.json"
    names = _json_file(names_path) if names_path.is_file() else None
    if names is not None and not (isinstance(names, dict) and all(isinstance(name, str) for name in names.values())):
        raise DataError(f'{names_path} does not name the labels.\nFix: write {{"0": "ham", "1": "spam"}} there.')
    raw = from_records(
        (place, _wrench_row(key, row, names), str(row)[:1000]) for place, (key, row) in enumerate(whole.items(), 1)
    )
    if "label" in raw.frame.columns:
        raw.gold = "label"
        raw.names = {"label": names} if names else {}
    return raw


def _json_file(path: Path) -> Any:
    check_file(path)
    size = path.stat().st_size
    if size > FILE_LIMIT:
        raise DataError(f"{path} is one JSON value of {size:,} bytes.\nFix: write one object a line, as .jsonl.")
    try:
        data = path.read_bytes()
        check_encoding(data[:4096], path)
        return _loads(data.decode("utf-8-sig"))
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}.\nFix: write it again.") from error


def _wrench_row(key: str, row: Any, names: dict[str, str] | None) -> Any:
    if not isinstance(row, dict) or not isinstance(row.get("data"), dict):
        return None
    votes = row.get("weak_labels")
    if votes is not None and not isinstance(votes, list):
        return None
    flat = {"id": key, **row["data"]}
    if row.get("label") is not None and row["label"] != -1:
        flat["label"] = str(row["label"])
    for place, vote in enumerate(votes or ()):
        flat[f"vote_{place}"] = None if vote == -1 else (names or {}).get(str(vote), str(vote))
    return flat
