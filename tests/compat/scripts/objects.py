"""Pictures, tweets judged by workers, and books: boxes, look-ups by id, sets, lists, missing reviews."""

import numpy as np
import pandas as pd
from snorkel.labeling import LabelingFunction, LFAnalysis, LFApplier, PandasLFApplier
from snorkel.labeling.lf import labeling_function
from snorkel.labeling.model import MajorityClassVoter, MajorityLabelVoter, RandomVoter
from snorkel.preprocess import preprocessor

# three classes, of pairs of things in pictures

RIDE, CARRY, OTHER, ABSTAIN = 0, 1, 2, -1
pictures = pd.DataFrame(
    {
        "subject": ["person", "person", "horse", "dog"],
        "object": ["horse", "bag", "person", "ball"],
        "subject_box": [[0, 50, 0, 40], [10, 90, 10, 60], [0, 30, 0, 30], [5, 6, 5, 6]],
        "object_box": [[20, 90, 0, 60], [40, 60, 50, 70], [0, 60, 0, 60], [500, 900, 0, 2000]],
    }
)


@labeling_function()
def rides(x):
    return RIDE if x.subject == "person" and x.object in ("horse", "bike") else ABSTAIN


@labeling_function()
def carries(x):
    return CARRY if x.subject == "person" and x.object in ("bag", "skis") else ABSTAIN


@labeling_function()
def nobody(x):
    return OTHER if x.subject != "person" else ABSTAIN


@labeling_function()
def far(x):
    return OTHER if np.linalg.norm(np.subtract(x.subject_box, x.object_box)) > 100 else ABSTAIN


def area(box):
    return (box[1] - box[0]) * (box[3] - box[2])


@labeling_function()
def small(x):
    return OTHER if area(x.subject_box) / area(x.object_box) <= 0.5 else ABSTAIN


seen = PandasLFApplier([rides, carries, nobody, far, small]).apply(pictures, progress_bar=False)
kinds = np.array([0, 1, 2, 2])

# workers, each of whom judged some tweets

tweets = pd.DataFrame({"tweet_id": [11, 12, 13, 14], "tweet_text": ["fine day", "rain", "", "sun"]}).set_index(
    "tweet_id", drop=False
)
judged = {"ann": {11: 1, 12: 0}, "bob": {11: 1, 13: 0, 14: 1}, "eve": {99: 1}}


def by_worker(x, answers):
    return answers.get(x.tweet_id, ABSTAIN)


workers = [LabelingFunction(f"worker_{who}", f=by_worker, resources={"answers": told}) for who, told in judged.items()]
crowd = PandasLFApplier(workers).apply(tweets, progress_bar=False)

# books that somebody may like, with reviews that may be missing

author_of = {1: "A", 2: "A", 3: "B", 4: "A"}
books_of = {"A": {1, 2, 4}, "B": {3}}
books = pd.DataFrame(
    {
        "book_idx": [1, 3, 2, 4],
        "book_idxs": [(1, 2, 4), (3, 1), (2,), (1, 2, 3, 4)],
        "review_text": ["Five stars, I loved it", np.nan, "2 stars. Hated it", None],
    }
)


@labeling_function(resources={"author_of": author_of, "books_of": books_of})
def same_author(x, author_of, books_of):
    return 1 if len(set(x.book_idxs) & books_of[author_of[x.book_idx]]) > 1 else ABSTAIN


@labeling_function(resources={"low": ["1 star", "2 star"], "high": ["five stars", "5 stars"]})
def stars(x, low, high):
    if not isinstance(x.review_text, str):
        return ABSTAIN
    text = x.review_text.lower()
    return 0 if any(words in text for words in low) else 1 if any(words in text for words in high) else ABSTAIN


@preprocessor(memoize=True)
def feeling(x):
    text = x.review_text if isinstance(x.review_text, str) else None
    x.feeling = None if text is None else ("loved" in text) - ("Hated" in text)
    return x


@labeling_function(pre=[feeling])
def feels_good(x):
    return 1 if x.feeling and x.feeling > 0 else ABSTAIN


@labeling_function(pre=[feeling])
def feels_bad(x):
    return 0 if x.feeling is not None and x.feeling < 0 else ABSTAIN


read = PandasLFApplier([stars, same_author, feels_good, feels_bad]).apply(books, progress_bar=False)


# lists and arrays


@labeling_function()
def big(x):
    return 1 if x[0] > 42 else 0


by_class = MajorityClassVoter(cardinality=3)
by_class.fit(balance=np.array([0.4, 0.2, 0.4]))
np.random.seed(3)
results = {
    "pictures": seen,
    "pictures counted": LFAnalysis(seen, [rides, carries, nobody, far, small]).lf_summary(kinds),
    "pictures labeled": MajorityLabelVoter(cardinality=3).predict(seen),
    "pictures scored": MajorityLabelVoter(cardinality=3).score(seen, kinds, metrics=["f1_micro", "f1_macro"]),
    "crowd": crowd,
    "crowd counted": LFAnalysis(crowd, workers).lf_summary(np.array([1, 0, 0, 1])),
    "books": read,
    "books counted": LFAnalysis(read, [stars, same_author, feels_good, feels_bad]).lf_summary(),
    "array": LFApplier([big]).apply(np.array([[10, 1], [100, 2]]), progress_bar=False),
    "by class": by_class.predict_proba(seen),
    "at random": RandomVoter(cardinality=3).predict_proba(seen),
}
