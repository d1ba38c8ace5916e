"""The longest terms in a text, from left to right, without tables: every term tried at every place."""

from __future__ import annotations

from collections.abc import Iterable

from tests.reference.phrases import _is_letter


def longest_terms(text: str, terms: Iterable[str]) -> list[tuple[int, int, str]]:
    """Start, end and term of each; text and terms in one case."""
    found, place = [], 0
    while place < len(text):
        ends = {term: end for term in terms if (end := _end(text, place, term.split())) is not None}
        if not ends:
            place += 1
            continue
        term = max(ends, key=lambda term: ends[term])
        found.append((place, ends[term], term))
        place = ends[term]
    return found


def _end(text: str, place: int, words: list[str]) -> int | None:
    """Where the words, standing at a place, end."""
    if _is_letter(words[0][0]) and place > 0 and _is_letter(text[place - 1]):
        return None
    for number, word in enumerate(words):
        if number:
            blank = len(text[place:]) - len(text[place:].lstrip())
            if not blank:
                return None
            place += blank
        if not text.startswith(word, place):
            return None
        place += len(word)
    return None if _is_letter(words[-1][-1]) and place < len(text) and _is_letter(text[place]) else place
