"""What is wrong with a program, said so that a person finds it: name, line, column, the text, a caret, what to do.

Between everything in this folder and the reader; `parse` stops at the first trouble, `check` gathers all of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from consilience.errors import ProgramError
from consilience.kb.language.tree import NOWHERE, Place

WINDOW = 100  # characters of a line that are shown at most
MOST = 20  # troubles that are spelled out at most


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a program and what it is called."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty beyond the end."""
        start = 0
        for _ in range(number - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return ""
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")

    def place_of(self, position: int) -> Place:
        """Line and column of the character at a position, counted from 0."""
        before = self.text.rfind("\n", 0, position)
        return Place(self.text.count("\n", 0, position) + 1, position - before)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: where, what, and what to do about it.

    statement: the text of the statement, shown where there is no source to point into.
    """

    place: Place
    fact: str
    fix: str
    statement: str = ""


def program_error(troubles: Sequence[Trouble], source: Source | None) -> ProgramError:
    """The error that says all of the troubles, in the order of their places.

    >>> print(program_error([Trouble(Place(1, 3), "Here is a y.", "write x.")], Source("app", "x(y).")))
    app, line 1, column 3: Here is a y.
      1 | x(y).
            ^
    Fix: write x.
    """
    ordered = sorted(troubles, key=lambda t: (t.place.line, t.place.column))
    told = [_tell(trouble, source) for trouble in ordered[:MOST]]
    if len(ordered) == 1:
        return ProgramError(told[0])
    name = source.name if source else "program"
    more = f"\n\n... and {len(ordered) - MOST} more." if len(ordered) > MOST else ""
    every = f"{name}: {len(ordered)} problems.\n\n" + "\n\n".join(told) + more  # each with its fix
    return ProgramError(every)


def _tell(trouble: Trouble, source: Source | None) -> str:
    name = source.name if source else "program"
    if trouble.place == NOWHERE or source is None:
        shown = "".join(f"  | {_printable(line)}\n" for line in trouble.statement.splitlines())
        return f"{name}: {trouble.fact}\n{shown}Fix: {trouble.fix}"
    line, column = trouble.place.line, trouble.place.column
    return f"{name}, line {line}, column {column}: {trouble.fact}\n{_point(source, trouble.place)}Fix: {trouble.fix}"


def _point(source: Source, place: Place) -> str:
    """The line with a caret under the column; of a very long line, what stands around the column."""
    text, at = source.line(place.line), place.column - 1
    start = 0 if len(text) <= WINDOW else max(0, min(at - WINDOW // 2, len(text) - WINDOW))
    lead = "..." if start else ""
    tail = "..." if start + WINDOW < len(text) else ""
    before = lead + _printable(text[start:at])
    shown = before + _printable(text[at : start + WINDOW]) + tail
    margin = f"  {place.line} | "
    return f"{margin}{shown}".rstrip() + "\n" + " " * (len(margin) + _width(before)) + "^\n"


def _printable(text: str) -> str:
    """Tabs and what a terminal would obey or hide become single visible characters."""
    return "".join(" " if c == "\t" else c if c.isprintable() else "\ufffd" for c in text)


def _width(text: str) -> int:
    """Cells a terminal gives to the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def quoted(text: str, most: int = 40) -> str:
    """Text in quotation marks for a message, cut if long.

    >>> quoted("abc")
    "'abc'"
    """
    text = _printable(text)
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}...'"
