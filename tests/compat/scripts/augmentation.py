"""More rows from rows: words swapped and replaced, by policies that draw at random."""

import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
from snorkel.augmentation import (
    ApplyAllPolicy,
    ApplyEachPolicy,
    ApplyOnePolicy,
    MeanFieldPolicy,
    PandasTFApplier,
    RandomPolicy,
    TFApplier,
    transformation_function,
)
from snorkel.preprocess import preprocessor

NAMES = ["Ada Lind", "Bo Ek", "Cy Dahl"]
SYNONYMS = {"good": "fine", "song": "tune", "like": "love"}
df = pd.DataFrame(
    {
        "text": ["Ann Oak sings a good old song", "I like it", "nothing here", "good good Ann Oak"],
        "label": [0, 0, 1, 1],
        "score": [0.5, 1.5, 2.5, 3.5],
        "tags": [["a"], [], ["b", "c"], ["d"]],
    },
    index=["r1", "r2", "r3", "r4"],
)


@preprocessor()
def words(x):
    x.words = x.text.split()
    return x


@transformation_function()
def change_person(x):
    if "Ann Oak" in x.text:
        x.text = x.text.replace("Ann Oak", np.random.choice(NAMES))
        return x


@transformation_function(pre=[words])
def swap_adjectives(x):
    places = [i for i, word in enumerate(x.words) if word in ("good", "old")]
    if len(places) >= 2:
        i, j = sorted(np.random.choice(places, 2, replace=False))
        told = list(x.words)
        told[i], told[j] = told[j], told[i]
        x.text = " ".join(told)
        return x


@transformation_function(pre=[words])
def synonym(x):
    places = [i for i, word in enumerate(x.words) if word in SYNONYMS]
    if places:
        i = random.choice(places)
        x.text = " ".join([*x.words[:i], SYNONYMS[x.words[i]], *x.words[i + 1 :]])
        x.tags.append("synonym")
        return x


tfs = [change_person, swap_adjectives, synonym]


def augmented(policy, tfs=tfs):
    np.random.seed(0)
    random.seed(0)
    return PandasTFApplier(tfs, policy).apply(df, progress_bar=False)


@transformation_function()
def halve(x):
    return SimpleNamespace(num=x.num / 2) if x.num % 2 == 0 else None


np.random.seed(5)
results = {
    "random": augmented(RandomPolicy(3, sequence_length=2, n_per_original=2, keep_original=True)),
    "mean field": augmented(MeanFieldPolicy(3, 2, p=[0.05, 0.15, 0.8], n_per_original=2, keep_original=False)),
    "all": augmented(ApplyAllPolicy(3)),
    "each": augmented(ApplyEachPolicy(3)),
    "one": augmented(ApplyOnePolicy(n_per_original=2), [synonym]),
    "parts": list(PandasTFApplier([synonym], ApplyOnePolicy()).apply_generator(df, batch_size=3)),
    "types": [str(kind) for kind in augmented(ApplyAllPolicy(3)).dtypes],
    "original": df,
    "list": [x.num for x in TFApplier([halve], ApplyOnePolicy()).apply([SimpleNamespace(num=n) for n in (4, 5, 6)])],
    "sequences": RandomPolicy(4, sequence_length=3, n_per_original=2).generate_for_example(),
}
