"""Slices of comments, and a model's scores on each."""

import re

import numpy as np
import pandas as pd
from snorkel.analysis import Scorer
from snorkel.preprocess import preprocessor
from snorkel.slicing import PandasSFApplier, SFApplier, SlicingFunction, slice_dataframe, slicing_function

df = pd.DataFrame(
    {
        "text": [
            "nice",
            "see bit.ly/x now for more of it",
            "please come to my page today friends",
            "so good",
            "plz ow.ly",
        ],
        "label": [0, 1, 1, 0, 1],
    }
)


@slicing_function()
def short_comment(x):
    """Few words."""
    return len(x.text.split()) < 5


@slicing_function()
def short_link(x):
    return int(bool(re.search(r"\w+\.ly", x.text)))


def asks(x, words):
    return any(word in x.text.lower() for word in words)


@preprocessor(memoize=True)
def cheer(x):
    x.cheer = sum(word in x.text for word in ("nice", "good"))
    return x


@slicing_function(pre=[cheer], name="cheerful")
def cheerful_comment(x):
    return x.cheer > 0


sfs = [
    short_comment,
    short_link,
    SlicingFunction("asks", asks, resources={"words": ["please", "plz"]}),
    cheerful_comment,
]
S = PandasSFApplier(sfs).apply(df, progress_bar=False)
gold, preds = df.label.to_numpy(), np.array([0, 1, 0, 1, 1])
scorer = Scorer(metrics=["accuracy", "f1"])
results = {
    "slices": {name: S[name] for name in S.dtype.names},
    "same": {
        name: SFApplier(sfs).apply([x for _, x in df.iterrows()], progress_bar=False)[name] for name in S.dtype.names
    },
    "short": slice_dataframe(df, short_comment),
    "scores": scorer.score_slices(S=S, golds=gold, preds=preds, probs=np.eye(2)[preds], as_dataframe=True),
    "as a dict": scorer.score_slices(S, gold, preds, np.eye(2)[preds]),
}
