"""The small language in which people ask for rows by their votes: `asks=spam & !link & "free gift"`.

    name            the function voted                    covered    some function voted
    name=label      it said that label                    conflict   two functions disagree
    name!=label     it voted, but not that label          gold=label, gold!=label, gold
    "some words"    the text has them, whatever their case

A label may be a group of labels, or a set like "not spam" or "cat|dog" in quotes: `f=animal` holds where what f said is
an animal, be it "cat", "cat|dog" or "animal" itself; `gold=animal` where gold is one.

    & (or a space)  and        |  or        !  not        ( )  groups

A function's name comes before a word of the language.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.errors import LabelError, VoteError, nearest
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.summary import agreeable

Mask = npt.NDArray[np.bool_]
WORDS = ("covered", "conflict", "gold")
_TOKEN = re.compile(r"""\s*(?:(?P<quote>"[^"]*"|'[^']*')|(?P<op>!=|[&|!()=])|(?P<name>[^\s&|!()="']+))""")


def rows_where(matrix: LabelMatrix, query: str) -> Mask:
    """Which rows answer a query. returns: (n,) bool. Raises VoteError showing where the query goes wrong."""
    return _Reader(matrix, query).read()


class _Reader:
    """Recursive descent: or of ands of terms."""

    def __init__(self, matrix: LabelMatrix, query: str) -> None:
        self.matrix, self.query = matrix, query
        self.tokens: list[tuple[str, str, int]] = []
        place = 0
        while query[place:].strip():
            match = _TOKEN.match(query, place)
            if match is None or match.lastgroup is None:
                raise self._error("this cannot be read", place)
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            place = match.end()
        self.next = 0

    def read(self) -> Mask:
        if not self.tokens:
            raise self._error("it is empty", 0)
        found = self._any()
        if self.next < len(self.tokens):
            raise self._error(f"{self._peek()!r} is not expected here", self.tokens[self.next][2])
        return found

    def _peek(self) -> str | None:
        return self.tokens[self.next][1] if self.next < len(self.tokens) else None

    def _take(self, *wanted: str) -> bool:
        if self.next < len(self.tokens) and self.tokens[self.next][0] == "op" and self._peek() in wanted:
            self.next += 1
            return True
        return False

    def _any(self) -> Mask:
        found = self._all()
        while self._take("|"):
            found = found | self._all()
        return found

    def _all(self) -> Mask:
        found = self._term()
        while self._take("&") or self._peek() not in (None, "|", ")"):
            found = found & self._term()
        return found

    def _term(self) -> Mask:
        if self._take("!"):
            return ~self._term()
        if self._take("("):
            found = self._any()
            if not self._take(")"):
                raise self._error("a ) is missing", len(self.query))
            return found
        kind, word, place = self._word()
        if kind == "quote":
            return self._text(word[1:-1])
        if self._take("="):
            return self._implied()[self._said(word, place)]
        if self._take("!="):
            said = self._said(word, place)
            return (said >= 0) & ~self._implied()[said]
        if word in WORDS[:2] and word not in self.matrix.names:
            return self.matrix.covered if word == "covered" else self._conflict()
        return self._said(word, place) >= 0

    def _word(self) -> tuple[str, str, int]:
        if self.next >= len(self.tokens):
            raise self._error("something is missing at its end", len(self.query))
        token = self.tokens[self.next]
        if token[0] == "op":
            raise self._error(f"{token[1]!r} is not expected here", token[2])
        self.next += 1
        return token

    def _implied(self) -> Mask:
        """Which votes say that the row has the label, or one of the group, that is named next; False for silence."""
        _, word, place = self._word()
        labels = self.matrix.labels
        try:
            members = labels.members(word.strip("\"'"))
        except LabelError as error:
            what, _, fix = str(error).partition(".\nFix: ")
            raise self._error(what, place, fix) from None
        others = [name not in members for name in labels]
        return np.append(~labels.meanings[:, others].any(axis=1), False)

    def _said(self, name: str, place: int) -> npt.NDArray[np.integer]:
        if name in self.matrix.names:
            return self.matrix.votes[:, self.matrix.column(name)]
        if name == "gold":
            return self.matrix.gold
        raise self._error(f"{name!r} is not a function", place, nearest(name, [*self.matrix.names, *WORDS]))

    def _conflict(self) -> Mask:
        votes = self.matrix.votes
        highest = votes.max(axis=1, initial=-1)
        differ = ((votes >= 0) & (votes != highest[:, None])).any(axis=1)
        return differ & ~agreeable(votes, self.matrix.labels) if self.matrix.labels.groups else differ

    def _text(self, words: str) -> Mask:
        table = self.matrix.table
        if table is None or table.text_column is None:
            raise self._error("the matrix has no texts to look in", 0, "Apply functions to a table with a text column.")
        texts = pl.Series(table.texts).str.to_lowercase()
        return texts.str.contains(words.lower(), literal=True).to_numpy()

    def _error(self, what: str, place: int, fix: str = "Write it like: asks=spam & !link") -> VoteError:
        return VoteError(f"In the query {self.query!r}, at character {place + 1}: {what}.\nFix: {fix}")
