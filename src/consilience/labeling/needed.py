"""What a text must have for a regular expression to match: short runs of characters that are quickly looked for.

Read conservatively: what is not surely understood, or matches too much, is said to need nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

Run = tuple[frozenset[int], ...]  # bytes that may stand at each place
Runs = frozenset[Run]

LONGEST = 6  # bytes of a run: more of them single out hardly fewer texts
MOST = 32  # runs of an expression
MOST_CHARACTERS = 2000  # of an expression that is read
DEEPEST = 50  # groups within groups
RARE = 5.0  # bits: what is likelier than once in 2^5 places singles out too little
COMMON = frozenset(b" abcdefghijklmnopqrstuvwxyz.,'-")
ALSO_S_AND_K = {"s": "\u017f", "k": "\u212a"}  # the only other cases of ASCII letters that are not ASCII

FLAGS = re.compile(r"\(\?([imsuU]+)\)")
GROUP = re.compile(r"\((?:\?(?:P?<\w+>|([imsuU]*):))?(?!\?)")
REPEATED = re.compile(r"([*+?])\??|\{(\d+)(,?)(\d*)\}\??")
CLASS = re.compile(r"\[(\^?)((?:[^][\\]|\\[^\w<>]|\\[wdsWDSnrt])+)]")
CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}


@dataclass(frozen=True)
class Reading:
    """Of a part of an expression. exact: what it matches is one of these; None: not known, or too many.

    part: where exact is None, any match has one of these in it; None: not known.
    """

    exact: Runs | None = None
    part: Runs | None = None

    @property
    def within(self) -> Runs | None:
        """Any match has one of these in it."""
        return self.part if self.exact is None else self.exact


ANYTHING = Reading()
NOTHING = Reading(frozenset([()]))  # such as a bound of a word


class Unclear(Exception):
    """The expression has something that is not read here."""


def needed(regex: str) -> Runs | None:
    """Runs of bytes, one of which is in every text (as UTF-8) that an expression matches; None: none is known.

    >>> sorted(bytes(min(place) for place in run) for run in needed(r"https?://|www\\."))
    [b'http:', b'https:', b'www.']
    >>> needed(r"a*b?") is None
    True
    """
    if len(regex) > MOST_CHARACTERS:
        return None
    try:
        found = _Reader(regex).whole()
    except Unclear:
        return None
    return found if found and () not in found and _rarity(found) >= RARE else None


class _Reader:
    def __init__(self, regex: str) -> None:
        self.regex = regex
        self.place = 0
        self.depth = 0
        self.others: set[Run] = set()  # what a match may have in place of an s or a k

    def whole(self) -> Runs | None:
        fold = False
        while flags := FLAGS.match(self.regex, self.place):
            fold |= "i" in flags[1]
            self.place = flags.end()
        found = self.branches(fold).within
        if self.place < len(self.regex):
            raise Unclear
        return found and found | self.others

    def branches(self, fold: bool) -> Reading:
        readings = [self.branch(fold)]
        while self.next() == "|":
            self.place += 1
            readings.append(self.branch(fold))
        return Reading(_union(one.exact for one in readings), _union(one.within for one in readings))

    def branch(self, fold: bool) -> Reading:
        parts = []
        while self.next() not in ("", "|", ")"):
            part = self.atom(fold)
            while repeated := REPEATED.match(self.regex, self.place):
                self.place = repeated.end()
                part = _times(part, *_bounds(repeated))
            parts.append(part)
        return _chain(parts)

    def atom(self, fold: bool) -> Reading:
        character = self.next()
        if character == "(":
            return self.group(fold)
        if character == "[":
            return self.one_of(fold)
        if character in "*+?{":
            raise Unclear
        self.place += 1
        if character == "\\":
            return self.escaped(fold)
        if character in "^$":
            return NOTHING
        return ANYTHING if character == "." else self.letter(character, fold)

    def group(self, fold: bool) -> Reading:
        opened = GROUP.match(self.regex, self.place)
        self.depth += 1
        if not opened or self.depth > DEEPEST:
            raise Unclear
        self.place = opened.end()
        found = self.branches(fold or "i" in (opened[1] or ""))
        if self.next() != ")":
            raise Unclear
        self.place += 1
        self.depth -= 1
        return found

    def escaped(self, fold: bool) -> Reading:
        character = self.next()
        self.place += 1
        if character in ("b", "B", "A", "z") and self.next() != "{":
            return NOTHING
        if character in ("d", "D", "s", "S", "w", "W"):
            return ANYTHING
        if character in CONTROL:
            return self.letter(CONTROL[character], fold)
        if not character.isascii() or character.isalnum() or character in ("", "<", ">", "_"):
            raise Unclear
        return self.letter(character, fold)

    def one_of(self, fold: bool) -> Reading:
        """A class in brackets: known if it lists characters of ASCII."""
        found = CLASS.match(self.regex, self.place)
        if not found or any(operator in found[2] for operator in ("&&", "--", "~~")):
            raise Unclear
        self.place = found.end()
        if found[1] or not found[2].isascii() or re.search(r"\\[wdsWDS]", found[2]):
            return ANYTHING
        items = re.findall(r"(?s)\\.|.", found[2])
        listed = [CONTROL.get(one[1:], one[-1:]) for one in items]
        characters, place = "", 0
        while place < len(items):
            first, last = listed[place], listed[place]
            if items[place + 1 : place + 2] == ["-"] and place + 2 < len(items):
                place += 2
                last = listed[place]
            characters += "".join(map(chr, range(ord(first), ord(last) + 1)))
            place += 1
        return self.letter(characters, fold)

    def letter(self, characters: str, fold: bool) -> Reading:
        """One of some characters of ASCII, or one character of any other script."""
        if not characters.isascii():
            return ANYTHING if fold else Reading(frozenset([tuple(frozenset([byte]) for byte in characters.encode())]))
        if fold:
            characters = characters.lower() + characters.upper()
            for letter in ALSO_S_AND_K.keys() & set(characters):
                self.others.add(tuple(frozenset([byte]) for byte in ALSO_S_AND_K[letter].encode()))
        return Reading(frozenset([(frozenset(characters.encode()),)]))

    def next(self) -> str:
        return self.regex[self.place : self.place + 1]


def _bounds(repeated: re.Match[str]) -> tuple[int, int | None]:
    """How often at least, and at most."""
    if repeated[1]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[repeated[1]]
    low = int(repeated[2])
    return low, int(repeated[4]) if repeated[4] else None if repeated[3] else low


def _times(part: Reading, low: int, high: int | None) -> Reading:
    if low == 0:
        return Reading(_union([part.exact, NOTHING.exact])) if high == 1 else ANYTHING
    found = _chain([part] * min(low, LONGEST))
    return found if low == high and low <= LONGEST else Reading(None, found.within)


def _chain(parts: list[Reading]) -> Reading:
    """One part behind the other: as long as it is known what they match, the runs grow."""
    runs, others = frozenset[Run]([()]), []
    for part in parts:
        grown = _joined(runs, part.exact)
        if grown is None:
            others += [runs, part.within]
            runs = frozenset([()]) if part.exact is None else part.exact
        else:
            runs = grown
    if not others:
        return Reading(runs)
    return Reading(None, max([runs, *(one for one in others if one)], key=_rarity))


def _joined(first: Runs, second: Runs | None) -> Runs | None:
    if second is None or len(first) * len(second) > MOST:
        return None
    grown = frozenset(one + other for one in first for other in second)
    return grown if max(map(len, grown)) <= LONGEST else None


def _union(several: Iterable[Runs | None]) -> Runs | None:
    """All of them together, if all are known and not too many."""
    together = reduce(lambda some, more: None if some is None or more is None else some | more, several)
    return together if together is not None and len(together) <= MOST else None


def _rarity(runs: Runs) -> float:
    """Bits: how rare a place is where one of the runs stands, if characters came as they please."""
    chances = [
        math.prod(min(1.0, sum(1 / 16 if one in COMMON else 1 / 64 for one in place)) for place in run) for run in runs
    ]
    return -math.log2(min(1.0, sum(chances))) if chances else math.inf
