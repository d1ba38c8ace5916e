"""What a question asks for (TREC): a description, a thing, an abbreviation, a person, a place or a number."""

import consilience as cs

from functions import listed

LABELS = ("DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM")


@cs.labeling_function("DESC")
def asks_what_it_is(row) -> bool:
    """Short "What is X ?" asks for a definition."""
    words = row.text.lower().split()
    return len(words) <= 6 and words[:1] == ["what"] and words[1:2] in (["is"], ["are"], ["was"])


def _what(label: str, nouns: str):
    """The noun that follows what, which or name, a word or two later at most."""
    return cs.pattern(label, rf"(?i)\b(what|which|name)\s+(\S+\s+){{0,3}}({nouns})s?\b")


FUNCTIONS = {
    "who": cs.pattern("HUM", r"(?i)^who\b|\bwhose\b|\bwho (was|is|invented|wrote|won)\b"),
    "what_person": _what(
        "HUM", "author|actor|actress|president|man|woman|person|singer|company|team|king|queen|player|inventor|poet"
    ),
    "where": cs.pattern("LOC", r"(?i)\bwhere\b"),
    "what_place": _what(
        "LOC", "city|cities|country|countries|state|island|river|ocean|county|continent|mountain|capital|province|lake"
    ),
    "how_many": cs.pattern("NUM", r"(?i)\bhow (many|much|far|long|old|tall|big|fast|often|high|deep|large|hot|wide)\b"),
    "when": cs.pattern("NUM", r"(?i)^when\b|\bwhat (\w+ )?(year|date|day|century|time)\b"),
    "what_amount": _what("NUM", "number|population|distance|average|percentage|speed|age|cost|birthdate|temperature"),
    "short_for": cs.pattern("ABBR", r"(?i)\bstands? for\b|abbreviat|acronym|\bfull form\b|\binitials\b|\bshort for\b"),
    "why_and_how": cs.pattern("DESC", r"(?i)^why\b|^how (do|does|did|can|could|is|are|was|were|to|would|should)\b"),
    "meaning": cs.keywords(
        "DESC",
        listed("mean, meaning, definition, define, origin, difference, purpose of"),
    ),
    "asks_what_it_is": asks_what_it_is,
    "what_thing": _what(
        "ENTY",
        "animal|color|film|movie|book|novel|song|game|sport|food|plant|disease|language|instrument|product|drink|word"
        "|term|band|kind|type|bird|dog|flower|car|religion|substance",
    ),
}
