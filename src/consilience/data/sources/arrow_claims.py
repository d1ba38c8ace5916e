"""What an Arrow IPC file claims to hold, checked before Polars takes memory for it: a false claim ends the process.

Follows the format's own tables (flatbuffers): in each batch, buffers lie in its body, and what a packed buffer says it
unpacks to is no more than is sound. Everything else that is wrong with such a file Polars says itself.

Source: Apache Arrow columnar format, sections on the IPC streaming and file formats.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from consilience.data.sources.lines import GROWTH_FREE, GROWTH_LIMIT

DICTIONARY, BATCH = 2, 3  # kinds of messages that have a body
ROWS_FREE, ROWS_A_BYTE = 100_000_000, 100
GROWTH = 10 * GROWTH_LIMIT  # columns of one value pack far better than text


class FalseClaim(ValueError):
    """A file that claims what cannot be."""


def check_claims(path: Path) -> None:
    """Raise FalseClaim if a buffer is not in the file, or unpacks to more than is sound. O(buffers)."""
    size = path.stat().st_size
    if not size:
        raise FalseClaim("it is empty")
    data = np.memmap(path, np.uint8, "r")
    rows = unpacked = 0
    try:
        for start, length, body in _messages(data):
            if not 0 < length <= size - start or not 0 <= body <= size - start - length:
                raise FalseClaim("a message reaches beyond its end")
            more_rows, more_bytes = _batch(_Table.root(data[start : start + length]), data[start + length :][:body])
            rows, unpacked = rows + more_rows, unpacked + more_bytes
            if rows > ROWS_FREE + ROWS_A_BYTE * size or unpacked > max(GROWTH_FREE, GROWTH * size):
                raise FalseClaim(f"it claims {rows:,} rows and {unpacked:,} bytes in {size:,}")
    except (struct.error, OverflowError, ValueError) as error:
        raise error if isinstance(error, FalseClaim) else FalseClaim("its tables are broken") from None


def _messages(data: np.memmap) -> Iterator[tuple[int, int, int]]:
    """Place and length of each message's description, and the length of the body behind it."""
    if bytes(data[:6]) == b"ARROW1":
        yield from _blocks(data)
        return
    at = 0
    while at + 8 <= len(data):
        length = _int(data, at, "<i")
        head = 8 if length == -1 else 4  # before version 0.15 there was no mark
        length = _int(data, at + 4, "<i") if length == -1 else length
        if length == 0:
            return
        start = at + head
        if not 0 < length <= len(data) - start:
            raise FalseClaim("a message reaches beyond its end")
        body = _Table.root(data[start : start + length]).number(3, "<q")
        yield start, length, body
        at = start + length + body


def _blocks(data: np.memmap) -> Iterator[tuple[int, int, int]]:
    """The same of the file form, whose last table says where batches are."""
    length = _int(data, len(data) - 10, "<i")
    if bytes(data[-6:]) != b"ARROW1" or not 0 < length <= len(data) - 18:
        raise FalseClaim("it is cut off")
    end = len(data) - 10
    footer = _Table.root(data[end - length : end])
    for field in (2, 3):
        for place in footer.vector(field, 24):
            start, length = _int(footer.data, place, "<q"), _int(footer.data, place + 8, "<i")
            body = _int(footer.data, place + 16, "<q")
            if not 0 <= start <= len(data) - 8 or not 8 < length <= len(data) - start:
                raise FalseClaim("a message reaches beyond its end")
            head = 8 if _int(data, start, "<i") == -1 else 4
            inner = _Table.root(data[start + head : start + length]).number(3, "<q")
            yield start + head, length - head, max(body, inner)


def _batch(message: _Table, body: np.ndarray) -> tuple[int, int]:
    """Rows of a message, and bytes its packed buffers unpack to."""
    kind = message.number(1, "<B")
    batch = message.table(2) if kind in (DICTIONARY, BATCH) else None
    batch = batch.table(1) if batch is not None and kind == DICTIONARY else batch
    if batch is None:
        return 0, 0
    is_packed, unpacked = batch.place(3) is not None, 0
    for place in batch.vector(2, 16):
        start, length = _int(batch.data, place, "<q"), _int(batch.data, place + 8, "<q")
        if start < 0 or length < 0 or start + length > len(body):
            raise FalseClaim("a buffer reaches beyond its end")
        if is_packed and length:
            says = _int(body, start, "<q")
            if says < -1 or says > GROWTH_FREE + GROWTH * len(body):
                raise FalseClaim(f"a buffer of {length:,} bytes claims to unpack to {says:,}")
            unpacked += max(says, 0)
    for place in batch.vector(1, 16):
        if not 0 <= _int(batch.data, place, "<q") <= max(ROWS_FREE, ROWS_A_BYTE * len(body)):
            raise FalseClaim("a column claims more values than there can be")
    rows = batch.number(0, "<q")
    if rows < 0:
        raise FalseClaim("a batch claims fewer than no rows")
    return rows, unpacked


def _int(data: Any, at: int, kind: str) -> int:
    """One number. Raises FalseClaim outside the data."""
    if not 0 <= at <= len(data) - struct.calcsize(kind):
        raise FalseClaim("a table reaches beyond its end")
    return int(struct.unpack_from(kind, data, at)[0])


class _Table:
    """A table of a flatbuffer: fields by number, each perhaps not there."""

    def __init__(self, data: np.ndarray, at: int) -> None:
        self.data, self._at = data, at
        self._fields = at - _int(data, at, "<i")
        self._n = (_int(data, self._fields, "<H") - 4) // 2

    @classmethod
    def root(cls, data: np.ndarray) -> _Table:
        """The table a flatbuffer begins with."""
        return cls(data, _int(data, 0, "<I"))

    def place(self, field: int) -> int | None:
        """Where a field lies; None if it is not there."""
        skip = _int(self.data, self._fields + 4 + 2 * field, "<H") if field < self._n else 0
        return self._at + skip if skip else None

    def number(self, field: int, kind: str) -> int:
        """A number; 0 if it is not there."""
        at = self.place(field)
        return 0 if at is None else _int(self.data, at, kind)

    def table(self, field: int) -> _Table | None:
        """A table within the table."""
        at = self.place(field)
        return None if at is None else _Table(self.data, at + _int(self.data, at, "<I"))

    def vector(self, field: int, width: int) -> range:
        """Places of the parts of a vector, each of so many bytes."""
        at = self.place(field)
        if at is None:
            return range(0)
        at += _int(self.data, at, "<I")
        n = _int(self.data, at, "<I")
        if n * width > len(self.data) - at - 4:
            raise FalseClaim("a table reaches beyond its end")
        return range(at + 4, at + 4 + n * width, width)
