"""What a character is to the regular expression engine: part of a word, white space or neither; and its other cases.

Asked of the engine itself, once a process, so that matching by automaton and by expression cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

OTHER, WORD, SPACE = 0, 1, 2
N_CHARACTERS = 0x110000
N_CASED = 0x20000  # beyond it no character has another case
SURROGATES = range(0xD800, 0xE000)  # no characters, and in no UTF-8


@dataclass(frozen=True)
class Letters:
    """kinds: (0x110000,) uint8, OTHER, WORD or SPACE by code point. folded: (0x20000,) uint32, one case by code point.

    ascii: (256,) uint8 by byte: the folded letter if it is a word's, 0 if it is not, 255 if it is not ASCII.
    """

    kinds: npt.NDArray[np.uint8]
    folded: npt.NDArray[np.uint32]
    ascii: npt.NDArray[np.uint8]


@cache
def letters(ignore_case: bool) -> Letters:
    """The tables. About 0.1 s when first asked for."""
    kinds = _kinds()
    folded = _folded() if ignore_case else np.arange(N_CASED, dtype=np.uint32)
    plain = np.full(256, 255, np.uint8)
    plain[:128] = np.where(kinds[:128] == WORD, folded[:128], 0)
    return Letters(kinds, folded, plain)


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.full(N_CHARACTERS, OTHER, np.uint8)
    codes = np.arange(N_CHARACTERS, dtype="<u4")
    every = pl.Series([np.delete(codes, SURROGATES).tobytes().decode("utf-32-le")])
    for regex, kind in ((r"\w+", WORD), (r"\s+", SPACE)):
        for run in every.str.extract_all(regex)[0].to_list():
            _fill(kinds, ord(run[0]), len(run), kind)
    return kinds


def _fill(kinds: npt.NDArray[np.uint8], first: int, length: int, kind: int) -> None:
    """Mark a run of characters; the surrogates are not among them, but may lie within."""
    before = max(0, min(length, SURROGATES.start - first)) if first < SURROGATES.start else length
    kinds[first : first + before] = kind
    kinds[SURROGATES.stop : SURROGATES.stop + length - before] = kind


@cache
def _folded() -> npt.NDArray[np.uint32]:
    """The least character of each class of characters that are one letter in other cases, as (?i) has them."""
    text = pl.Series([chr(code) if code not in SURROGATES else "" for code in range(N_CASED)])
    upper, lower = text.str.to_uppercase(), text.str.to_lowercase()
    folded = np.arange(N_CASED, dtype=np.uint32)
    for cased in (upper, lower):
        for place in ((cased != text) & (cased.str.len_chars() == 1)).arg_true().to_list():
            _join(folded, place, ord(cased[place]))
    long = upper.str.len_chars() > 1  # such as the two ligatures of s and t, whose capital is ST
    first: dict[str, int] = {}
    for place in long.arg_true().to_list():
        _join(folded, place, first.setdefault(upper[place], place))
    return folded


def _join(folded: npt.NDArray[np.uint32], one: int, other: int) -> None:
    if "\u0131" in (chr(one), chr(other)):  # the dotless i: its capital is I, but no expression takes it for an i
        return
    if OTHER in (_kinds()[one], _kinds()[other]):  # Polars may know a newer Unicode than its expressions do
        return
    first, second = sorted((int(folded[one]), int(folded[other])))
    folded[folded == second] = first
