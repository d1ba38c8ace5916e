"""From a path to bytes and lines, whatever the path is: only ordinary files, unpacked with care, no line without end.

Used by the readers of text formats. A line that is not UTF-8 or too long comes as a Reject, and reading goes on.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from consilience.data.sources.raw import SHOWN
from consilience.data.table import Reject
from consilience.errors import DataError

LINE_LIMIT = 64 * 1024 * 1024  # bytes in one line, and in one cell; beyond it the row is set aside
GROWTH_LIMIT = 100  # times its own size that a packed file may unpack to; real text seldom reaches 30
GROWTH_FREE = 64 * 1024 * 1024  # bytes any packed file may unpack to
PACKED = {".zst": "zstd -d", ".zstd": "zstd -d", ".bz2": "bunzip2", ".xz": "unxz", ".zip": "unzip"}
BOM = b"\xef\xbb\xbf"


def check_file(path: Path) -> None:
    """Raise DataError if the path is not an ordinary file: a folder, a pipe and a device are none."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: a NUL in the path
        raise DataError(f"There is no file {path}.\nFix: check the path.") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path} is a folder.\nFix: give one of its files; folders are read if Datasets saved them.")
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is a pipe or a device, not a file.\nFix: copy what it gives into a file.")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of an ordinary file, of a .gz file unpacked.

    raises: DataError for a file packed in another way, and one that unpacks to more than is sound.
    """
    check_file(path)
    ending = path.suffix.lower()
    if ending in PACKED:
        raise DataError(f"{path.name} is packed.\nFix: unpack it first: {PACKED[ending]} {path.name}.")
    try:
        with path.open("rb") as file:
            if ending == ".gz":
                yield _Unpacked(file, path)  # type: ignore[misc]
            else:
                yield file
    except PermissionError:
        raise DataError(f"{path} may not be read by you.\nFix: change its permissions.") from None


class _Unpacked(gzip.GzipFile):
    """A .gz file that stops when it grows beyond what is sound: a few kilobytes can unpack to gigabytes."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._path = path
        size = os.fstat(file.fileno()).st_size
        self._most = max(GROWTH_FREE, GROWTH_LIMIT * size)
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(max(0, size - 4))
        if is_packed and int.from_bytes(file.read(4), "little") > self._most:  # it ends with its own size, if honest
            raise self._too_big()
        file.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(lambda: super(_Unpacked, self).read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._checked(lambda: super(_Unpacked, self).readline(-1 if size is None else size))

    def _checked(self, get: object) -> bytes:
        try:
            data: bytes = get()  # type: ignore[operator]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path} is not a whole .gz file ({error}).\nFix: pack it again.") from None
        if self.tell() > self._most:
            raise self._too_big()
        return data

    def _too_big(self) -> DataError:
        return DataError(
            f"{self._path} unpacks to more than {GROWTH_LIMIT} times its size.\n"
            "Fix: unpack it yourself if you trust it, and read what comes out."
        )


def check_encoding(head: bytes, path: Path) -> None:
    """Raise DataError if the first bytes of a file are those of UTF-16, or of no text at all."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head.count(0) > len(head) // 4 > 0:
        raise DataError(f"{path} is written in UTF-16.\nFix: save it as UTF-8.")


def decoded_lines(file: BinaryIO) -> Iterator[tuple[int, str | Reject]]:
    """Lines with their numbers, line ends kept; one that cannot be read comes as a Reject."""
    number = 0
    while line := next_line(file):
        number += 1
        yield number, decoded(line, number)


class HasLines(Protocol):
    """Something lines can be read from."""

    def readline(self, size: int, /) -> bytes:
        """The next line, or its first `size` bytes."""
        ...


def next_line(file: HasLines) -> bytes:
    """The next line; of one that is too long the first LINE_LIMIT + 1 bytes, and a line end."""
    line = file.readline(LINE_LIMIT + 1)
    if len(line) <= LINE_LIMIT:
        return line
    more = line
    while more and not more.endswith(b"\n"):
        more = file.readline(LINE_LIMIT)
    return line if line.endswith(b"\n") else line + b"\n"


def decoded(line: bytes, number: int) -> str | Reject:
    """A line as text, or why it is none."""
    if len(line) > LINE_LIMIT:
        return Reject(number, f"longer than {LINE_LIMIT:,} bytes", _shown(line))
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        return Reject(number, f"not UTF-8 at byte {error.start + 1} of the line", _shown(line))


def _shown(line: bytes) -> str:
    return line[:SHOWN].decode("utf-8", "replace")
