"""Pairs of people in a sentence: windows of words, names, and known couples."""

import numpy as np
import pandas as pd
from snorkel.labeling import LFAnalysis, PandasLFApplier, labeling_function
from snorkel.preprocess import preprocessor
from snorkel.types import DataPoint

POSITIVE, NEGATIVE, ABSTAIN = 1, 0, -1


def pair(sentence, first, second):
    tokens = sentence.split()
    return {
        "tokens": tokens,
        "between_tokens": tokens[first[1] + 1 : second[0]],
        "person1_word_idx": first,
        "person2_word_idx": second,
    }


df = pd.DataFrame(
    [
        pair("Anna Berg and her husband Carl Berg came home", (0, 1), (5, 6)),
        pair("the boss of Dora is Emil Frank", (3, 3), (5, 6)),
        pair("his wife Gina Holt left Ivan Jung", (2, 3), (5, 6)),
        pair("Kim Lund married Max Noll in 1999", (0, 1), (3, 4)),
        pair("the mother of Olga Pohl met Rosa", (3, 4), (6, 6)),
        pair("Sara Thal sang with Udo Vogt", (0, 1), (4, 5)),
        pair("Udo Thal thanked Sara Vogt", (0, 1), (3, 4)),
    ]
)
GOLD = np.array([1, 0, 0, 1, 0, 1, 0])


@preprocessor()
def person_text(cand: DataPoint) -> DataPoint:
    cand.person_names = []
    for index in (1, 2):
        start, end = cand[f"person{index}_word_idx"]
        cand.person_names.append(" ".join(cand["tokens"][start : end + 1]))
    return cand


@preprocessor()
def last_names(cand: DataPoint) -> DataPoint:
    cand = person_text(cand)
    parts = [name.split(" ") for name in cand.person_names]
    cand.person_lastnames = [part[-1] if len(part) > 1 else None for part in parts]
    return cand


@preprocessor()
def left_tokens(cand: DataPoint) -> DataPoint:
    for index in (1, 2):
        before = cand.tokens[: getattr(cand, f"person{index}_word_idx")[0]]
        setattr(cand, f"person{index}_left_tokens", before[-3:])
    cand.tokens.clear()  # of a copy
    return cand


couple = {"wife", "husband", "spouse"}
family = {"mother", "father", "sister", "brother"}
family |= {word + "-in-law" for word in family}
known = {("Sara Thal", "Udo Vogt"), ("Xenia Thal", "Yan Vogt")}


@labeling_function(resources={"couple": couple})
def husband_wife(x, couple):
    return POSITIVE if couple & set(x.between_tokens) else ABSTAIN


@labeling_function(resources={"couple": couple}, pre=[left_tokens])
def husband_wife_left(x, couple):
    return POSITIVE if couple & {*x.person1_left_tokens, *x.person2_left_tokens} else ABSTAIN


@labeling_function(pre=[last_names])
def same_last_name(x):
    one, other = x.person_lastnames
    return POSITIVE if one and one == other else ABSTAIN


@labeling_function()
def married(x):
    return POSITIVE if "married" in x.between_tokens else ABSTAIN


@labeling_function(resources={"family": family}, pre=[left_tokens])
def family_left(x, family):
    return NEGATIVE if family & {*x.person1_left_tokens, *x.person2_left_tokens} else ABSTAIN


@labeling_function(resources={"other": {"boss", "colleague"}})
def other_relation(x, other):
    return NEGATIVE if other & set(x.tokens) else ABSTAIN


@labeling_function(resources={"known": known}, pre=[person_text])
def known_couple(x, known):
    one, other = x.person_names
    return POSITIVE if (one, other) in known or (other, one) in known else ABSTAIN


@labeling_function(resources={"names": {(a.split()[1], b.split()[1]) for a, b in known}}, pre=[last_names])
def known_last_names(x, names):
    one, other = x.person_lastnames
    return POSITIVE if one != other and ((one, other) in names or (other, one) in names) else ABSTAIN


lfs = [
    husband_wife,
    husband_wife_left,
    same_last_name,
    married,
    family_left,
    other_relation,
    known_couple,
    known_last_names,
]
L_dev = PandasLFApplier(lfs).apply(df, progress_bar=False)
candidate = df.loc[2]
results = {
    "votes": L_dev,
    "summary": LFAnalysis(L_dev, lfs).lf_summary(GOLD),
    "names": person_text(candidate).person_names,
    "untouched": [list(tokens) for tokens in df.tokens],
    "new in the row": "person_names" in candidate,
    "alone": [same_last_name(candidate), husband_wife(candidate)],
}
