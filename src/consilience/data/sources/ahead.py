"""Looking ahead in a file: a block of bytes to judge, or lines, of which those that are not used are read again.

The readers of CSV and JSONL go through a file in turns: blocks that are beyond doubt at once, others line by line.
"""

from __future__ import annotations

import io
from collections import deque
from typing import BinaryIO

from consilience.data.sources.lines import decoded, next_line
from consilience.data.table import Reject

BLOCK = 4 * 1024 * 1024  # bytes that are judged at once
WATCHED = 2_000  # records that are read one by one where a block is in doubt


class Ahead:
    """A file one can look ahead in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""

    def peek(self, size: int) -> bytes:
        """The next bytes: `size` of them, or all there are."""
        while len(self._held) < size:
            more = self._file.read(size - len(self._held))
            if not more:
                break
            self._held += more
        return self._held[:size]

    def skip(self, size: int) -> None:
        """Go on behind the next `size` bytes, which were looked at."""
        self._held = self._held[size:]

    def take(self) -> io.BytesIO:
        """The bytes that were looked at, as a file; what is left of them comes back by `put_back`."""
        held, self._held = self._held, b""
        return io.BytesIO(held)

    def readline(self, size: int) -> bytes:
        """The next line of the file behind those bytes."""
        return self._file.readline(size)

    def put_back(self, data: bytes) -> None:
        """Let these be the next bytes."""
        self._held = data


class Lines:
    """Lines one by one, which may be looked at in advance; what is not used goes back to where it came from."""

    def __init__(self, ahead: Ahead, number: int) -> None:
        self._ahead, self._held = ahead, ahead.take()
        self._seen: deque[bytes] = deque()
        self.number = number  # of the next line that was not used

    def readline(self, size: int) -> bytes:
        """The next line, of at most `size` bytes."""
        line = self._held.readline(size)
        if len(line) < size and not line.endswith(b"\n"):
            line += self._ahead.readline(size - len(line))
        return line

    def look(self, place: int) -> str | Reject | None:
        """The line that many places ahead; None behind the last."""
        while len(self._seen) <= place:
            line = next_line(self)
            if not line:
                return None
            self._seen.append(line)
        return decoded(self._seen[place], self.number + place)

    def used(self, n: int) -> None:
        """Go on behind the next n lines."""
        for _ in range(n):
            self._seen.popleft()
        self.number += n

    def give_back(self) -> None:
        """Let the lines that were not used be read again."""
        self._ahead.put_back(b"".join(self._seen) + self._held.read())
