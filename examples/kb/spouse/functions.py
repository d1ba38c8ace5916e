"""What the program calls: people in a sentence, what the sentence says of two of them, rules of thumb for labels.

Tokens count from 0; a mention goes from its first to its last token. Every function gets lists of one length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise

MARRIED = {"wife", "husband", "spouse", "marry", "married", "wed", "wedding", "widow", "widower", "bride", "groom"}
ENGAGED = {
    "fiance",
    "fiancee",
    "fiancé",
    "fiancée",
    "engage",
    "engaged",
    "divorce",
    "divorced",
    "ex-wife",
    "ex-husband",
}
FAMILY = {"mother", "father", "sister", "brother", "son", "daughter", "uncle", "aunt", "cousin", "brother-in-law"}
TOPICS = {"married": MARRIED, "engaged or divorced": ENGAGED, "family": FAMILY}
CLOSE = 10  # tokens between two people who may still have to do with each other
LONGEST_PATH = 6


def people(doc: str, number: int, tokens: list[str], ner_tags: list[str]) -> Iterator[tuple[object, ...]]:
    """Rows (id, name, doc, sentence, first, last): each run of tokens tagged PERSON."""
    first = None
    for place, tag in enumerate([*ner_tags, "O"]):
        if tag == "PERSON" and first is None:
            first = place
        elif tag != "PERSON" and first is not None:
            name = " ".join(tokens[first:place])
            yield f"{doc}/{number}/{first}", name, doc, number, first, place - 1
            first = None


def features(
    p1: str,
    p2: str,
    first1: int,
    last1: int,
    first2: int,
    last2: int,
    tokens: list[str],
    lemmas: list[str],
    pos_tags: list[str],
    ner_tags: list[str],
    dep_types: list[str] | None,
    dep_tokens: list[int] | None,
) -> Iterator[tuple[str, str, str]]:
    """Rows (p1, p2, feature): words between and around, tags, the path of dependencies."""
    words = [lemma.lower() for lemma in lemmas]
    between = words[last1 + 1 : first2]
    found = {
        *_of_between(between, ner_tags[last1 + 1 : first2], pos_tags[last1 + 1 : first2]),
        *_of_window(words, ner_tags, first1, last2),
        *_of_names(tokens, (first1, last1), (first2, last2)),
    }
    path = shortest_path(dep_types or [], dep_tokens or [], range(first1, last1 + 1), range(first2, last2 + 1))
    if path is not None:
        found |= set(_of_path(path, words))
    yield from ((p1, p2, feature) for feature in sorted(found))


def _of_between(between: Sequence[str], ner: Sequence[str], pos: Sequence[str]) -> Iterator[str]:
    yield f"tokens between: {min(len(between) // 3, 5)}"
    for topic, words in TOPICS.items():
        if words & set(between):
            yield f"between: a word of {topic}"
    if len(between) <= CLOSE:
        yield from (f"between: {word}" for word in between)
        yield from (f"between: {a} {b}" for a, b in pairwise(between))
        yield f"tags between: {' '.join(pos[:5])}" if len(pos) <= 5 else "tags between: many"
    if len(between) <= 4:
        yield f"all between: {' '.join(between)}"
    for tag in set(ner) - {"O"}:
        yield f"between: {tag}"


def _of_window(words: Sequence[str], ner: Sequence[str], first: int, last: int) -> Iterator[str]:
    for side, near in (
        ("before", range(max(0, first - 3), first)),
        ("after", range(last + 1, min(len(words), last + 4))),
    ):
        shown = [words[i] if ner[i] == "O" else ner[i] for i in near]
        yield from (f"{side}: {word}" for word in shown)
        for topic, vocabulary in TOPICS.items():
            if vocabulary & set(shown):
                yield f"{side}: a word of {topic}"
    for topic, vocabulary in TOPICS.items():
        if vocabulary & set(words):
            yield f"sentence: a word of {topic}"


def _of_names(tokens: Sequence[str], one: tuple[int, int], other: tuple[int, int]) -> Iterator[str]:
    if tokens[one[1]].lower() == tokens[other[1]].lower():
        yield "names: the same last word"
    if _within(tokens[one[0] : one[1] + 1], tokens[other[0] : other[1] + 1]):
        yield "names: one within the other"
    for name, (first, last) in (("first", one), ("second", other)):
        yield f"names: {name} has {'one word' if first == last else 'more words'}"


def _within(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names may be the same person's: `Ms Berg` no, but `Berg` and `Anna Berg`."""
    return set(one) <= set(other) or set(other) <= set(one)


def _of_path(path: Sequence[tuple[str, int]], words: Sequence[str]) -> Iterator[str]:
    """A path of dependencies by its types, and with the words on it."""
    types = " ".join(step for step, _ in path)
    yield f"path: {types}"
    inner = [words[token] for _, token in path[:-1]]
    yield f"path with words: {types} / {' '.join(inner)}"
    yield from (f"on the path: {word}" for word in inner)


def shortest_path(
    dep_types: Sequence[str], dep_tokens: Sequence[int], start: range, goal: range
) -> list[tuple[str, int]] | None:
    """Steps (type and direction, token reached) from one mention to another; None if there is none that is short."""
    beside: dict[int, list[tuple[str, int]]] = {}
    for token, (kind, head) in enumerate(zip(dep_types, dep_tokens, strict=False)):
        if head > 0 and kind:
            beside.setdefault(token, []).append((f"{kind}^", head - 1))
            beside.setdefault(head - 1, []).append((f"{kind}_", token))
    waiting: deque[tuple[int, list[tuple[str, int]]]] = deque((token, []) for token in start)
    seen = set(start)
    while waiting:
        token, path = waiting.popleft()
        if token in goal:
            return path
        for step, reached in beside.get(token, []) if len(path) < LONGEST_PATH else []:
            if reached not in seen:
                seen.add(reached)
                waiting.append((reached, [*path, (step, reached)]))
    return None


def rules_of_thumb(
    p1: str, p2: str, first1: int, last1: int, first2: int, last2: int, lemmas: list[str], ner_tags: list[str]
) -> Iterator[tuple[str, str, int, str]]:
    """Rows (p1, p2, vote, why): above 0 speaks for a couple, below against it."""
    words = [lemma.lower() for lemma in lemmas]
    between, after = set(words[last1 + 1 : first2]), set(words[last2 + 1 :])
    if first2 - last1 - 1 > CLOSE:
        yield p1, p2, -1, "far apart"
    elif between & MARRIED:
        yield p1, p2, 1, "a word of marriage between"
    if _within(words[first1 : last1 + 1], words[first2 : last2 + 1]):
        yield p1, p2, -3, "one name within the other"
    if "PERSON" in ner_tags[last1 + 1 : first2]:
        yield p1, p2, -1, "somebody between"
    if between & FAMILY:
        yield p1, p2, -1, "other family between"
    if between <= {"and", ","} and "and" in between and {"marry", "married", "wed"} & after:
        yield p1, p2, 1, "and ... married"
    if not (MARRIED | ENGAGED) & set(words):
        yield p1, p2, -1, "no word of marriage in the sentence"
