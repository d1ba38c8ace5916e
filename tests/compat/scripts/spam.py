"""Comments: functions made by a factory, patterns, lengths, a preprocessor that counts good and bad words."""

import re

import numpy as np
import pandas as pd
from snorkel.analysis import Scorer, get_label_buckets, metric_score
from snorkel.labeling import (
    LabelingFunction,
    LFAnalysis,
    PandasLFApplier,
    filter_unlabeled_dataframe,
    labeling_function,
)
from snorkel.labeling.model import LabelModel, MajorityLabelVoter
from snorkel.preprocess import preprocessor
from snorkel.utils import preds_to_probs, probs_to_preds

ABSTAIN, HAM, SPAM = -1, 0, 1
TEXTS = [
    "Check this out, my new channel is great",
    "love this song",
    "SUBSCRIBE please!!! http://example.com/x",
    "the worst video, plz check out mine",
    "what a beautiful, beautiful voice she has in this old song",
    "",
    "Schöne Musik, wirklich – große Liebe ♥",
    "please visit www.example.com and win free money",
    "bad bad bad",
    "I came here for the guitar at 1:30, who else did?",
    "my mom loves it",
    "out of this world! check my cover",
]
GOLD = np.array([1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1])
df = pd.DataFrame({"author": [f"user {i}" for i in range(12)], "text": TEXTS, "label": GOLD}, index=range(100, 112))


def has_word(x, words, label):
    return label if any(word in x.text.lower() for word in words) else ABSTAIN


def word_lf(words, label=SPAM):
    return LabelingFunction(name=f"word_{words[0]}", f=has_word, resources={"words": words, "label": label})


@labeling_function()
def regex_check_out(x):
    return SPAM if re.search(r"check.*out", x["text"], flags=re.I) else ABSTAIN


@labeling_function(name="short")
def short_comment(x):
    """Short comments are by people."""
    return HAM if len(x.text.split()) < 5 else ABSTAIN


GOOD, BAD = {"love", "loves", "great", "beautiful", "schöne", "liebe"}, {"worst", "bad"}


@preprocessor(memoize=True)
def mood(x):
    words = re.findall(r"\w+", x.text.lower())
    x.polarity = (sum(w in GOOD for w in words) - sum(w in BAD for w in words)) / max(len(words), 1)
    x.n_words = len(words)
    return x


@labeling_function(pre=[mood])
def cheerful(x):
    return HAM if x.polarity > 0.1 else ABSTAIN


@labeling_function(pre=[mood])
def long_and_flat(x):
    return SPAM if x.polarity == 0 and x.n_words > 5 else ABSTAIN


lfs = [
    word_lf(["my"]),
    word_lf(["subscribe"]),
    word_lf(["http", "www."]),
    word_lf(["please", "plz"]),
    word_lf(["song", "voice"], label=HAM),
    regex_check_out,
    short_comment,
    cheerful,
    long_and_flat,
]
applier = PandasLFApplier(lfs=lfs)
L_train = applier.apply(df=df, progress_bar=False)
analysis = LFAnalysis(L=L_train, lfs=lfs)
voter = MajorityLabelVoter()
proba = voter.predict_proba(L=L_train)
rows, kept = filter_unlabeled_dataframe(X=df, y=proba, L=L_train)
guesses = probs_to_preds(proba)
results = {
    "votes": L_train,
    "summary": analysis.lf_summary(),
    "summary with gold": analysis.lf_summary(GOLD, est_weights=np.linspace(0.5, 0.9, len(lfs))),
    "summary without names": LFAnalysis(L_train).lf_summary(Y=np.where(GOLD == 0, -1, GOLD)),
    "coverage": [analysis.label_coverage(), analysis.label_overlap(), analysis.label_conflict()],
    "overlaps": analysis.lf_overlaps(normalize_by_coverage=True),
    "conflicts": analysis.lf_conflicts(normalize_by_overlaps=True),
    "accuracies": analysis.lf_empirical_accuracies(GOLD),
    "tables": analysis.lf_empirical_probs(GOLD, 2),
    "buckets": {str(tuple(map(int, k))): v for k, v in get_label_buckets(L_train[:, 5], GOLD).items()},
    "majority": proba,
    "predictions": voter.predict(L_train),
    "guesses": guesses,
    "score": voter.score(L_train, GOLD, metrics=["accuracy", "f1", "coverage"], tie_break_policy="random"),
    "f1 of the sure": voter.score(L_train, GOLD, metrics=["f1"]),
    "rows": rows,
    "kept": kept,
    "back": preds_to_probs(guesses, 2),
    "auc": metric_score(GOLD, probs=proba, metric="roc_auc"),
    "scores": Scorer(["precision", "recall", "matthews_corrcoef"]).score(GOLD, voter.predict(L_train)),
    "faults": [
        part if place == 0 else {name: part.faults[name] for name in ("broken",)}
        for place, part in enumerate(
            PandasLFApplier([LabelingFunction("broken", lambda x: x.nothing), short_comment]).apply(
                df, progress_bar=False, fault_tolerant=True, return_meta=True
            )
        )
    ],
    "memo": mood(df.iloc[0]).polarity,
}
label_model = LabelModel(cardinality=2, verbose=False)
label_model.fit(L_train=L_train, n_epochs=200, log_freq=100, seed=123, progress_bar=False)
learned = label_model.predict_proba(L=L_train)
labels, again = label_model.predict(L_train, return_probs=True, tie_break_policy="abstain")
label_model.score(L=L_train, Y=GOLD, tie_break_policy="random")
weights = label_model.get_weights()
