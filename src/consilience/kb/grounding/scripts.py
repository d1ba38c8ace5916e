"""Scripts as functions: a process of its own that reads rows as lines and writes rows as lines.

TSJ: values as JSON, tabs between them. TSV: values as Postgres writes them to a file: `\\N` is NULL, `{a,b}` an array.
The command is split into words, never given to a shell. Lines are written and read at the same time, so that neither
side waits for the other.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from consilience.errors import FunctionError

LAST_LINES = 12  # of what a script says about its trouble
LONGEST_LINE = 64 * 2**20
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
UNESCAPES = {v[1]: k for k, v in ESCAPES.items()}


def to_tsj(row: Sequence[Any]) -> str:
    """A row as JSON values with tabs between them.

    >>> to_tsj(["a\\tb", 1, None, ["x"]])
    '"a\\\\tb"\\t1\\tnull\\t["x"]'
    """
    return "\t".join(json.dumps(_plain(x), ensure_ascii=False) for x in row)


def from_tsj(line: str) -> list[Any]:
    """The values of a line."""
    return [json.loads(part) for part in line.split("\t")]


def to_tsv(row: Sequence[Any]) -> str:
    """A row as Postgres writes it to a file.

    >>> to_tsv(["a\\tb", True, None, ["x y", None]])
    'a\\\\tb\\tt\\t\\\\N\\t{"x y",NULL}'
    """
    return "\t".join(r"\N" if x is None else re.sub(r"[\\\t\n\r\b\f\v]", _escaped, _tsv_text(x)) for x in row)


def from_tsv(line: str) -> list[Any]:
    """The texts of a line; None for NULL."""
    return [None if part == r"\N" else re.sub(r"\\(.)", _unescaped, part) for part in line.split("\t")]


def _escaped(found: re.Match[str]) -> str:
    return ESCAPES[found[0]]


def _unescaped(found: re.Match[str]) -> str:
    return UNESCAPES.get(found[1], found[1])


def _plain(x: Any) -> Any:
    if isinstance(x, float) and not math.isfinite(x):
        return None  # JSON has no such number
    return str(x) if not isinstance(x, (str, int, float, bool, list, dict, type(None))) else x


def _tsv_text(x: Any) -> str:
    if isinstance(x, bool):
        return "t" if x else "f"
    if isinstance(x, (list, tuple)):
        return "{" + ",".join(_element(y) for y in x) + "}"
    return str(x)


def _element(x: Any) -> str:
    if x is None:
        return "NULL"
    text = _tsv_text(x)
    if isinstance(x, (list, tuple)) or (text and re.fullmatch(r"[^\s\"\\{},]+", text) and text.upper() != "NULL"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def array(text: str) -> list[Any]:
    """A Postgres array as a list of texts, lists and None. raises: ValueError.

    >>> array('{a,"b, c",NULL,{1,2}}')
    ['a', 'b, c', None, ['1', '2']]
    """
    stack: list[list[Any]] = [[]]
    for found in re.finditer(r'(\{)|(\})|"((?:[^"\\]|\\.)*)"|([^{},"\s][^{},"]*)|(,|\s+)|(.)', text, re.S):
        if found[1]:
            stack.append([])
        elif found[2]:
            closed = stack.pop()
            if not stack:
                raise ValueError(f"{text[:60]!r} is no array")
            stack[-1].append(closed)
        elif found[3] is not None:
            stack[-1].append(re.sub(r"\\(.)", r"\1", found[3]))
        elif found[4]:
            stack[-1].append(None if found[4] == "NULL" else found[4].rstrip())
        elif found[6]:
            raise ValueError(f"{text[:60]!r} is no array")
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], list):
        raise ValueError(f"{text[:60]!r} is no array")
    made: list[Any] = stack[0][0]
    return made


def run_script(command: str, lines: Iterable[str], folder: Path | None, name: str) -> Iterator[str]:
    """Lines that a command writes while it is given lines. raises: FunctionError if it cannot start or fails.

    name: what messages call it. The process has ended when the iterator has, also if that is closed early.
    """
    words = shlex.split(command)
    if not words:
        raise FunctionError(f"Function {name} has an empty implementation.\nFix: name a command or module:function.")
    words[0] = _program(words[0], folder)
    try:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise FunctionError(
            f"Function {name} cannot be started: {words[0]}: {error.strerror}\n"
            "Fix: check the path of the script, that it may be executed, and its first line (#!)."
        ) from None
    assert process.stdin and process.stdout and process.stderr
    said: deque[str] = deque(maxlen=LAST_LINES)
    trouble: list[BaseException] = []
    threads = [
        threading.Thread(target=_keep, args=(process.stderr, said), daemon=True),
        threading.Thread(target=_feed, args=(process.stdin, lines, trouble), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _read(process.stdout, name)
        status = process.wait()
        for thread in threads:
            thread.join()
        if trouble:
            raise trouble[0]
        if status != 0:
            last = "\n".join(said)
            raise FunctionError(
                f"Function {name} ended with status {status}: {command}\n{last}\nFix: correct the script."
            )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()


def _program(word: str, folder: Path | None) -> str:
    """A path in the program's folder as an absolute one: where a relative one is looked for depends on the system."""
    inside = (folder or Path()) / word
    return os.path.abspath(inside) if inside.is_file() else word


def _feed(stream: IO[bytes], lines: Iterable[str], trouble: list[BaseException]) -> None:
    try:
        for line in lines:
            stream.write(line.encode("utf-8") + b"\n")
    except BrokenPipeError:
        pass  # it has ended or reads no more: its status says which
    except BaseException as error:
        trouble.append(error)
    finally:
        with contextlib.suppress(OSError):
            stream.close()


def _keep(stream: IO[bytes], said: deque[str]) -> None:
    for line in stream:
        said.append(line.decode("utf-8", "replace").rstrip()[:500])


def _read(stream: IO[bytes], name: str) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE):
        if not line.endswith(b"\n") and len(line) >= LONGEST_LINE:
            raise FunctionError(
                f"Function {name} wrote a line longer than {LONGEST_LINE} bytes.\nFix: end each row with a line break."
            )
        yield line.decode("utf-8", "replace").removesuffix("\n")


Reader = Callable[[str], list[Any]]
FORMATS: dict[str, tuple[Callable[[Sequence[Any]], str], Reader]] = {
    "tsj": (to_tsj, from_tsj),
    "tsv": (to_tsv, from_tsv),
}
