"""Whole words and phrases in a text, letter by letter, without regular expressions."""

from __future__ import annotations


def has_phrase(text: str, phrase: str, ignore_case: bool = True) -> bool:
    """Whether the words of the phrase stand in the text, parted by white space, with no letter touching their ends."""
    if ignore_case:
        text, phrase = text.lower(), phrase.lower()
    words = phrase.split()
    return any(_stands_at(text, words, start) for start in range(len(text)))


def _stands_at(text: str, words: list[str], start: int) -> bool:
    if _is_letter(words[0][0]) and start > 0 and _is_letter(text[start - 1]):
        return False
    place = start
    for number, word in enumerate(words):
        if number:
            after = place
            while after < len(text) and text[after].isspace():
                after += 1
            if after == place:
                return False
            place = after
        if not text.startswith(word, place):
            return False
        place += len(word)
    return not (_is_letter(words[-1][-1]) and place < len(text) and _is_letter(text[place]))


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"
