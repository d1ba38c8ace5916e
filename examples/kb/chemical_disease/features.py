"""What a text says about a chemical, a disease, and the two together: the functions that the program calls.

Each takes a row of `document` and yields rows of features, every one with a strength: the n features of one kind
that a pair has share it as strength / n ** 1/4, so that a long sentence does not shout down a short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from documents import CHEMICAL, DISEASE, Document, Mention, document

STRENGTHS = {"disease": 2.0, "disease word": 1.5, "disease head": 1.5, "disease name": 1.5, "chemical": 1.5}
ENDINGS = ("ingly", "edly", "ing", "ed", "ies", "es", "s", "ly")
NEAR = 12  # words between two mentions; beyond it, single words still count but their order does not


def stem(word: str) -> str:
    """A word without its ending: `induced` and `induces` become `induc`."""
    word = word.lower()
    ending = next((e for e in ENDINGS if word.endswith(e) and len(word) - len(e) >= 4), "")
    return word[: len(word) - len(ending)]


TRIGGERS = {
    "cause": "induce cause produce provoke elicit evoke trigger precipitate lead led result develop due attribute "
    "follow after secondary associate relate contribute responsible complicate receive expose exposure overdose",
    "adverse": "side adverse toxic toxicity event effect reaction complication unwanted",
    "treat": "treat treatment therapy therapeutic prevent protect protective reduce attenuate improve ameliorate "
    "relief inhibit antagonize reversal reverse block alleviate effective efficacy manage suppress abolish decrease",
    "case": "case report patient woman man year present",
    "denial": "no not without neither nor fail absence lack never",
    "more": "increase enhance potentiate exacerbate worsen aggravate risk incidence",
}
TRIGGER_OF = {stem(form): kind for kind, words in TRIGGERS.items() for w in words.split() for form in (w, w + "d")}


def mentions(name: str, text: str, title_length: int, spans: str) -> Iterator[tuple[str, str, str, int]]:
    """Rows (document, kind, entity, sentence)."""
    for mention in document(name, text, title_length, spans).mentions:
        yield name, mention.kind, mention.entity, mention.sentence


def entity_features(name: str, text: str, title_length: int, spans: str) -> Iterator[tuple[str, str, str, str, float]]:
    """Rows (document, entity, kind, feature, strength): who it is, what it is called, which words stand about it."""
    doc = document(name, text, title_length, spans)
    for role in (CHEMICAL, DISEASE):
        for entity, mentions in doc.entities(role).items():
            for kind, feature, strength in _weighed(_of_entity(doc, role.lower(), entity, mentions)):
                yield name, entity, kind, feature, strength


def pair_features(
    name: str, text: str, title_length: int, spans: str
) -> Iterator[tuple[str, str, str, str, str, float]]:
    """Rows (document, chemical, disease, kind, feature, strength) of every pair of the document."""
    doc = document(name, text, title_length, spans)
    chemicals, diseases = doc.entities(CHEMICAL), doc.entities(DISEASE)
    standing = {**_standing(chemicals), **_standing(diseases)}
    general, specific = general_and_specific(diseases)
    for c, x in doc.pairs:
        pair = Pair(doc, c, x, chemicals[c], diseases[x])
        about = {
            **{f"chemical {k}": v for k, v in standing[c].items()},
            **{f"disease {k}": v for k, v in standing[x].items()},
            "general": x in general,
            "specific": x in specific,
        }
        found = {*_of_place(pair, about), *_of_sentences(pair)}
        for kind, feature, strength in _weighed(found):
            yield name, c, x, kind, feature, strength


def broader_diseases(name: str, text: str, title_length: int, spans: str) -> Iterator[tuple[str, str, str]]:
    """Rows (document, general, specific): `toxicity` beside `renal toxicity`, as the document names them."""
    doc = document(name, text, title_length, spans)
    for general, specific in sorted(_broader(doc.entities(DISEASE))):
        yield name, general, specific


class Pair:
    """A chemical and a disease of a document, and where they stand to each other."""

    def __init__(self, doc: Document, c: str, x: str, chemicals: list[Mention], diseases: list[Mention]) -> None:
        self.doc, self.c, self.x = doc, c, x
        self.together: dict[int, tuple[Mention, Mention]] = {}  # the nearest two mentions in each shared sentence
        self.nearest = min(
            ((a, b) for a in chemicals for b in diseases), key=lambda two: (_sentences(*two), _gap(*two))
        )
        for a in chemicals:
            for b in diseases:
                best = self.together.get(a.sentence)
                if a.sentence == b.sentence and (best is None or _gap(a, b) < _gap(*best)):
                    self.together[a.sentence] = a, b

    @property
    def sentences_apart(self) -> int:
        return _sentences(*self.nearest)

    def words(self, start: int, end: int) -> list[str]:
        """Stems between two places; the pair's own mentions and those of others are masked by what they are."""
        out: list[str] = []
        for mention in self.doc.mentions:
            if mention.start < start or mention.end > end:
                continue
            out += [stem(t) for t in self.doc.tokens(start, mention.start)]
            own = mention.entity in (self.c, self.x)
            out.append(mention.kind.upper() if own else f"OTHER-{mention.kind.upper()}")
            start = mention.end
        return out + [stem(t) for t in self.doc.tokens(start, end)]


def _sentences(a: Mention, b: Mention) -> int:
    return abs(a.sentence - b.sentence)


def _gap(a: Mention, b: Mention) -> int:
    return max(a.start, b.start) - min(a.end, b.end)


def _weighed(features: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, float]]:
    by_kind: dict[str, list[str]] = {}
    for kind, feature in sorted(set(features)):
        by_kind.setdefault(kind, []).append(feature)
    for kind, found in by_kind.items():
        strength = round(STRENGTHS.get(kind, 1.0) / len(found) ** 0.25, 4)
        for feature in found:
            yield kind, feature, strength


def step(n: float, *steps: float) -> str:
    """A number as the first step that it does not exceed."""
    return next((f"<={s:g}" for s in steps if n <= s), f">{steps[-1]:g}")


# ---- one entity


def _of_entity(doc: Document, role: str, entity: str, mentions: list[Mention]) -> Iterator[tuple[str, str]]:
    yield role, entity
    for name in {_name(m.text) for m in mentions}:
        if role == "disease" and name:
            yield "disease name", " ".join(name)
            yield "disease head", name[-1]
            yield from (("disease word", word) for word in name)
    if role == "chemical":
        yield from (("chemical ending", m.text.lower()[-4:]) for m in mentions)
    for mention in mentions:
        start, end = doc.sentences[mention.sentence]
        before = [stem(t) for t in doc.tokens(max(start, mention.start - 60), mention.start)][-4:]
        after = [stem(t) for t in doc.tokens(mention.end, min(end, mention.end + 60))][:4]
        yield from ((f"{role} context", f"{w} .. *") for w in before)
        yield from ((f"{role} context", f"* .. {w}") for w in after)
        for n in (1, 2, 3):
            if len(before) >= n:
                yield f"{role} context", " ".join(before[-n:]) + " *"
            if len(after) >= n:
                yield f"{role} context", "* " + " ".join(after[:n])


def _name(text: str) -> tuple[str, ...]:
    return tuple(stem(w) for w in re.findall(r"[A-Za-z]+", text))


def _broader(diseases: dict[str, list[Mention]]) -> set[tuple[str, str]]:
    """(general, specific): every word of one's name is in a longer name of the other."""
    names = {x: {frozenset(_name(m.text)) for m in mentions} - {frozenset()} for x, mentions in diseases.items()}
    return {(x, y) for x in names for y in names if x != y and any(a < b for a in names[x] for b in names[y])}


def general_and_specific(diseases: dict[str, list[Mention]]) -> tuple[set[str], set[str]]:
    """Diseases that another one of the document narrows, and those that narrow another."""
    broader = _broader(diseases)
    return {x for x, _ in broader}, {y for _, y in broader}


def _standing(entities: dict[str, list[Mention]]) -> dict[str, dict[str, object]]:
    """How prominent each entity is among those of its kind."""
    most = max((len(m) for m in entities.values()), default=1)
    return {
        entity: {
            "in title": mentions[0].sentence == 0,
            "mentions": step(len(mentions), 1, 2, 4, 7),
            "share": step(len(mentions) / most, 0.2, 0.4, 0.7, 0.99),
            "rank": step(rank, 0, 1, 2, 4),
            "of": step(len(entities), 1, 2, 3, 5, 8),
            "foremost": len(mentions) == most,
            "last sentence": mentions[-1].sentence,
        }
        for rank, (entity, mentions) in enumerate(entities.items())
    }


# ---- a pair


def _of_place(pair: Pair, standing: dict[str, object]) -> Iterator[tuple[str, str]]:
    last = len(pair.doc.sentences) - 1
    apart, shared = step(pair.sentences_apart, 0, 1, 2, 4), step(len(pair.together), 0, 1, 2, 3)
    for key, value in standing.items():
        yield "place", f"{key} {value == last if key.endswith('last sentence') else value}"
    titled = f"title {standing['chemical in title']:d}{standing['disease in title']:d}"
    yield from (("place", f) for f in (f"apart {apart}", f"shared {shared}", titled))
    foremost, few = standing["chemical foremost"], standing["chemical of"]
    yield "place", f"{titled} shared {shared}"
    yield "place", f"{titled} chemicals {few}"
    yield "place", f"foremost {foremost} shared {shared} chemicals {few}"
    yield "place", f"foremost {foremost} apart {apart} {titled}"
    yield "place", f"{titled} foremost {foremost}{standing['disease foremost']}"


def _of_sentences(pair: Pair) -> Iterator[tuple[str, str]]:
    for sentence, (chemical, disease) in pair.together.items():
        yield from _of_sentence(pair, sentence, chemical, disease)
    if not pair.together:
        chemical, disease = pair.nearest
        order = "chemical first" if chemical.start < disease.start else "disease first"
        named = {m.entity for m in pair.doc.mentions if m.sentence == disease.sentence and m.kind == CHEMICAL}
        yield "apart", f"{order} {step(pair.sentences_apart, 1, 2, 4)}"
        yield "apart", f"chemicals beside the disease {min(2, len(named))}"


def _of_sentence(pair: Pair, sentence: int, chemical: Mention, disease: Mention) -> Iterator[tuple[str, str]]:
    left, right = (chemical, disease) if chemical.start < disease.start else (disease, chemical)
    order = "CD" if left is chemical else "DC"
    start, end = pair.doc.sentences[sentence]
    between = pair.words(left.end, right.start) if left.end < right.start else ["OVERLAP"]
    near = len(between) <= NEAR
    for word in between:
        yield "between" if near else "far between", f"{order} {word}"
        if word in TRIGGER_OF:
            yield "trigger", f"{order} {TRIGGER_OF[word]} {'near' if near else 'far'}"
        if sentence == 0:
            yield "title", f"{order} {word}"
    if near:
        yield from (("between", f"{order} {a} {b}") for a, b in pairwise(["<", *between, ">"]))
    if len(between) <= 5:
        yield "phrase" if sentence else "title phrase", f"{order} {' '.join(between)}"
    seen = [TRIGGER_OF[w] for w in between if w in TRIGGER_OF]
    yield "triggers", f"{order} {' '.join(seen[:4])}"
    others = [min(2, between.count(f"OTHER-{kind.upper()}")) for kind in (CHEMICAL, DISEASE)]
    yield "gap", f"{order} {step(len(between), 0, 1, 3, 6, 10, 20)}"
    yield "gap", f"{order} others {others}"
    before = pair.words(max(start, left.start - 70), left.start)[-2:]
    after = pair.words(right.end, min(end, right.end + 70))[:2]
    yield "window", f"{order} {' '.join(before)} *"
    yield "window", f"{order} * {' '.join(after)}"
    whole = set(pair.words(start, end))
    yield from (("sentence", TRIGGER_OF[w] + ("" if sentence else " title")) for w in whole if w in TRIGGER_OF)
    named = {(m.kind, m.entity) for m in pair.doc.mentions if m.sentence == sentence}
    crowd = [min(3, sum(kind == k for kind, _ in named)) for k in (CHEMICAL, DISEASE)]
    yield "sentence", f"entities {crowd}"
