"""What we know without gold: labeling functions over pairs, written after reading abstracts of the training part.

Each sees one candidate: where the two stand (sentences apart, in the title, how often), and the words between and
around the nearest mentions, with the pair's own mentions masked. `rows` makes what they see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import consilience as cs

from documents import CHEMICAL, DISEASE, Document, Mention
from features import Pair, general_and_specific

CAUSES, UNRELATED = "causes", "unrelated"
LABELS = [UNRELATED, CAUSES]

CAUSE = re.compile(r"\b(induc|caus|produc|provok|elicit|precipitat|trigger|evok|lead|led|result)\w*\b")
BECAUSE = re.compile(r"\b(induced|caused|produced|provoked|elicited|precipitated|triggered|evoked) by\b|\bdue to\b")
AFTER = re.compile(r"\b(after|following|during|secondary to|associated with|attributed to|receiving|related to)\b")
TREATS = re.compile(
    r"\b(treat|prevent|protect|reliev|alleviat|ameliorat|attenuat|abolish|antagoni[sz]|revers|manag)\w*\b"
)
DENIES = re.compile(r"\b(no|not|without|neither|nor|failed|absence)\b")
SIDE = re.compile(r"\b(side|adverse|toxic|untoward)[ -](effect|event|reaction)|\btoxicity\b|\bcomplication")


def rows(documents: list[Document]) -> Iterator[dict[str, object]]:
    """What labeling functions see of each candidate, in the order of `Document.pairs`."""
    for doc in documents:
        chemicals, diseases = doc.entities(CHEMICAL), doc.entities(DISEASE)
        most_c = max((len(m) for m in chemicals.values()), default=0)
        most_x = max((len(m) for m in diseases.values()), default=0)
        general, _ = general_and_specific(diseases)
        for c, x in doc.pairs:
            yield {
                "id": f"{doc.name} {c} {x}",
                **_sight(Pair(doc, c, x, chemicals[c], diseases[x])),
                "chemical_titled": chemicals[c][0].sentence == 0,
                "disease_titled": diseases[x][0].sentence == 0,
                "chemical_share": len(chemicals[c]) / most_c,
                "disease_share": len(diseases[x]) / most_x,
                "is_general": x in general,
                "one_chemical": len(chemicals) == 1,
            }


def _sight(pair: Pair) -> dict[str, object]:
    doc = pair.doc
    in_title = pair.together.get(0)
    chemical, disease = in_title or pair.nearest
    left, right = (chemical, disease) if chemical.start < disease.start else (disease, chemical)
    return {
        "text": masked(doc, *doc.sentences[disease.sentence], chemical, disease),
        "between": doc.text[left.end : right.start].lower() if pair.together else None,
        "after": doc.text[right.end : right.end + 60].lower(),
        "chemical_first": left is chemical,
        "together": len(pair.together),
        "apart": pair.sentences_apart,
    }


def masked(doc: Document, start: int, end: int, *mentions: Mention) -> str:
    """A sentence with the pair's nearest mentions as `[CHEMICAL]` and `[DISEASE]`."""
    text, place = "", start
    for mention in sorted(mentions, key=lambda m: m.start):
        if start <= mention.start and mention.end <= end and mention.start >= place:
            text += doc.text[place : mention.start] + f"[{mention.kind.upper()}]"
            place = mention.end
    return text + doc.text[place:end]


def near(row, words: int = 10) -> bool:
    """Whether the two stand in one sentence with few words between."""
    return row.between is not None and len(row.between.split()) <= words


induced = cs.pattern(CAUSES, r"\[CHEMICAL\][- ](?:induced|associated|related|evoked)[^.\[]{0,40}\[DISEASE\]")
disease_from = cs.pattern(
    CAUSES, r"\[DISEASE\][^.\[]{0,40}(?:induced|caused|produced|provoked) by[^.\[]{0,30}\[CHEMICAL\]"
)


@cs.labeling_function(CAUSES)
def causes_between(row) -> bool:
    """The chemical, a word of causing, the disease."""
    return near(row) and row.chemical_first and bool(CAUSE.search(row.between)) and not DENIES.search(row.between)


@cs.labeling_function(CAUSES)
def because_between(row) -> bool:
    """The disease, `caused by` or `due to`, the chemical."""
    return near(row) and not row.chemical_first and bool(BECAUSE.search(row.between))


@cs.labeling_function(CAUSES)
def after_between(row) -> bool:
    """The disease came after, during or with the chemical."""
    return near(row) and not row.chemical_first and bool(AFTER.search(row.between))


@cs.labeling_function(CAUSES)
def side_effect(row) -> bool:
    """The sentence speaks of side effects, and both stand in it."""
    return row.between is not None and row.chemical_share == 1 and bool(SIDE.search(row.text.lower()))


@cs.labeling_function(CAUSES)
def title_says_so(row) -> bool:
    """Both stand in the title, and neither treating nor denying stands between them."""
    return row.chemical_titled and row.disease_titled and not TREATS.search(row.between or "")


@cs.labeling_function(CAUSES)
def only_chemical(row) -> bool:
    """The only chemical, with a disease that is named often."""
    return row.one_chemical and row.disease_share >= 0.5 and row.together > 0


@cs.labeling_function(CAUSES)
def often_together(row) -> bool:
    """Three sentences or more name both."""
    return row.together >= 3


@cs.labeling_function(UNRELATED)
def treats_between(row) -> bool:
    """A word of treating between the two."""
    return near(row) and bool(TREATS.search(row.between))


@cs.labeling_function(UNRELATED)
def denied(row) -> bool:
    """A word of denying between the two."""
    return near(row) and bool(DENIES.search(row.between))


@cs.labeling_function(UNRELATED)
def chemical_for_disease(row) -> bool:
    """`lithium in patients with mania`: what the patients have was there before."""
    return (
        near(row) and row.chemical_first and bool(re.search(r"\b(?:for|patients with|in the treatment)\b", row.between))
    )


@cs.labeling_function(UNRELATED)
def never_together(row) -> bool:
    """No sentence names both, and neither is what the title is about."""
    return row.together == 0 and not (row.chemical_titled and row.disease_titled)


@cs.labeling_function(UNRELATED)
def far_apart(row) -> bool:
    """Three sentences or more lie between the nearest mentions."""
    return row.apart >= 3


@cs.labeling_function(UNRELATED)
def minor_chemical(row) -> bool:
    """A chemical named far less often than the one the abstract is about."""
    return row.chemical_share <= 0.34 and not row.chemical_titled


@cs.labeling_function(UNRELATED)
def too_general(row) -> bool:
    """Another disease of the document says more exactly what this one says."""
    return row.is_general


FUNCTIONS = {name: value for name, value in list(vars().items()) if isinstance(value, cs.LabelingFunction)}


def votes(documents: list[Document]) -> cs.LabelMatrix:
    """What every function says of every candidate, in the order of `rows`."""
    return cs.apply(FUNCTIONS, cs.read(list(rows(documents))), labels=LABELS)
