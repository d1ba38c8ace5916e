"""Texts parsed by spaCy: people who are named, known ones among them; and words swapped by their part of speech.

The model is in the folder that the variable PARSER names.
"""

import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
from snorkel.augmentation import ApplyOnePolicy, PandasTFApplier, transformation_function
from snorkel.labeling import PandasLFApplier, labeling_function
from snorkel.labeling.lf.nlp import NLPLabelingFunction, nlp_labeling_function
from snorkel.preprocess import preprocessor
from snorkel.preprocess.nlp import SpacyPreprocessor
from snorkel.slicing import PandasSFApplier
from snorkel.slicing.sf.nlp import nlp_slicing_function

MODEL = os.environ["PARSER"]
df = pd.DataFrame(
    {
        "text": ["Ann Oak sings", "a song", "Bo Ek met Ann Oak in town", ""],
        "title": ["News", "Ann Oak", "", "nothing"],
        "body": ["a fortune was made", "of nobody", "Bo Ek", "x"],
    }
)
spacy = SpacyPreprocessor(text_field="text", doc_field="doc", language=MODEL, memoize=True)


def people(doc):
    return [ent.text for ent in doc.ents if ent.label_ == "PERSON"]


@labeling_function(pre=[spacy])
def has_person(x):
    return 0 if len(x.doc) < 20 and people(x.doc) else -1


@nlp_labeling_function(language=MODEL)
def has_person_too(x):
    return 0 if len(x.doc) < 20 and people(x.doc) else -1


two_people = NLPLabelingFunction(
    "two_people", lambda x, least: 1 if len(people(x.doc)) >= least else -1, {"least": 2}, language=MODEL
)


@preprocessor()
def article(x):
    x.article = f"{x.title} {x.body}"
    return x


class Parsed(SpacyPreprocessor):
    """Another class, so that its settings may differ where one class has one set of them."""


@labeling_function(pre=[Parsed("article", "doc", language=MODEL, pre=[article], memoize=True)])
def mentions_person(x):
    return 1 if people(x.doc) else 0


@transformation_function(pre=[spacy])
def change_person(x):
    found = people(x.doc)
    if found:
        x.text = x.text.replace(np.random.choice(found), "Cy Dahl")
        return x


@nlp_slicing_function(language=MODEL)
def long(x):
    return len(x.doc) > 2


np.random.seed(1)
results = {
    "votes": PandasLFApplier([has_person, has_person_too, two_people, mentions_person]).apply(df, progress_bar=False),
    "alone": has_person_too(SimpleNamespace(text="Ann Oak")),
    "slices": PandasSFApplier([long]).apply(df, progress_bar=False)["long"],
    "augmented": PandasTFApplier([change_person], ApplyOnePolicy()).apply(df, progress_bar=False),
}
