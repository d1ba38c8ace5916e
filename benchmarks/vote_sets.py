"""The sets of votes with gold: labeling functions (those of text_sets.py that came with votes) and crowds of workers.

Each is one label matrix with two lists of rows: those a label model is fitted on, and those it is scored on. Only
scored rows carry gold. Where there is no separate test part, a model is fitted on the rows it is scored on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

import consilience as cs
import text_sets

from real_data import data_folder

Codes = np.ndarray
WHOLE = ("agnews", "yelp", "imdb")  # text_sets.py cuts the one part these have in two; here it stays whole


@dataclass(frozen=True)
class VoteSet:
    """A set that was read. votes: all rows; fitted, scored: places in it. metric: as in text_sets.py."""

    votes: cs.LabelMatrix
    fitted: Codes
    scored: Codes
    metric: str = "accuracy"

    @property
    def to_fit(self) -> cs.LabelMatrix:
        """The rows to fit on, without gold."""
        part = self.votes.take(self.fitted)
        return part.with_gold(np.full(len(part), -1, np.int16))

    @property
    def to_score(self) -> cs.LabelMatrix:
        """The rows to score on, with gold."""
        return self.votes.take(self.scored)

    @property
    def fits_on_scored(self) -> bool:
        """Whether the scored rows are among those fitted on."""
        return len(self.fitted) == len(self.votes)


@dataclass(frozen=True)
class Source:
    """One line of the table. note: how it differs from the set others printed figures for."""

    group: str
    load: Callable[[], VoteSet]
    note: str = ""


def of_text_set(name: str) -> VoteSet:
    """Votes of a set of text_sets.py."""
    source = text_sets.SETS[name]
    loaded = source.load(data_folder(source.group))
    parts = [cs.apply(loaded.functions, part, labels=loaded.labels) for part in (loaded.train, loaded.test)]
    n_train, n = len(parts[0]), len(parts[0]) + len(parts[1])
    fitted, scored = (np.arange(n),) * 2 if name in WHOLE else (np.arange(n_train), np.arange(n_train, n))
    gold = np.concatenate([part.gold for part in parts])
    votes = np.concatenate([part.votes for part in parts])
    matrix = cs.LabelMatrix.from_votes(votes, loaded.labels, names=parts[0].names)
    return VoteSet(matrix.with_gold(_only(gold, scored)), fitted, scored, source.metric)


def _only(gold: Codes, places: Codes) -> Codes:
    kept = np.full(len(gold), -1, np.int16)
    kept[places] = gold[places]
    return kept


def crowd(folder: str) -> VoteSet:
    """label.csv (item, worker, label) and truth.csv (item, truth), labels from 0 on."""
    root = data_folder("crowd") / folder
    said, truth = (pl.read_csv(root / name, infer_schema=False) for name in ("label.csv", "truth.csv"))
    k = 1 + max(said["label"].cast(int).max(), truth["truth"].cast(int).max())  # type: ignore[operator,type-var]
    return crowd_votes(said, truth, [str(label) for label in range(k)])


def weather() -> VoteSet:
    """Tweets on the weather, judged by twenty workers each.

    Gold is the crowd's own answer where all of a second crowd found it right (632 of 1,000 tweets): kind to counting.
    """
    root = data_folder("crowd") / "weather"
    said = pl.read_csv(root / "weather-non-agg-DFE.csv", infer_schema=False).select(
        item="tweet_id", worker="worker_id", label="emotion"
    )
    judged = pl.read_csv(root / "weather-evaluated-agg-DFE.csv", infer_schema=False)
    sure = (pl.col("correct_category") == "Yes") & (pl.col("correct_category_conf").cast(float) == 1)
    truth = judged.filter(sure).select(item="tweet_id", truth="sentiment")
    return crowd_votes(said, truth, sorted(said["label"].unique()))


def crowd_votes(said: pl.DataFrame, truth: pl.DataFrame, labels: list[str]) -> VoteSet:
    """Judgements as a matrix with one function a worker. Of a worker's two judgements of an item the last counts.

    said: item, worker, label; truth: item, truth. Both hold text.
    """
    codes = {name: code for code, name in enumerate(labels)}
    items, workers = said["item"].unique(maintain_order=True), said["worker"].unique(maintain_order=True)
    row, column = (
        said[name].replace_strict(known, range(len(known))) for name, known in (("item", items), ("worker", workers))
    )
    votes = np.full((len(items), len(workers)), -1, np.int16)
    votes[row.to_numpy(), column.to_numpy()] = said["label"].replace_strict(codes).to_numpy()
    gold = pl.DataFrame({"item": items}).join(truth, on="item", how="left", maintain_order="left")["truth"]
    known = gold.replace_strict(codes, return_dtype=pl.Int16).fill_null(-1).to_numpy()
    matrix = cs.LabelMatrix.from_votes(votes, labels).with_gold(known)
    return VoteSet(matrix, np.arange(len(items)), np.flatnonzero(known >= 0))


CROWDS = (
    *("bluebird", "dog", "trec", "cf", "cf_amt", "sp", "sp_amt", "d_jn-product", "d_sentiment"),
    *("s4_face_sentiment_identification", "s4_relevance", "s5_adultcontent"),
)
HERE = {  # how our copy differs from what others printed figures for
    "sms": "votes realigned: the published figures belong to votes in another row order than gold",
    "trec": "scored on valid, published on test",
    "chemprot": "votes rebuilt from the rules",
    **dict.fromkeys(WHOLE, "votes recomputed from the rules; fitted and scored on the valid part"),
    "spouse": "10 functions, where WRENCH has 9",
    "cdr": "scored on dev, published on test",
    "tennis": "scored on valid, published on test",
}
SOURCES: Mapping[str, Source] = {
    **{
        name: Source("weak", partial(of_text_set, name), HERE.get(name, ""))
        for name, source in text_sets.SETS.items()
        if source.group == "weak"
    },
    **{f"crowd {name}": Source("crowd", partial(crowd, name)) for name in CROWDS},
    "crowd weather": Source("crowd", weather),
}

# label models of the WRENCH paper on the test parts of its own copies, in percent; here are not always the same rows
_SETS = ("imdb", "yelp", "youtube", "sms", "agnews", "trec", "spouse", "cdr", "semeval", "chemprot", "tennis")
_FIGURES = {
    "MV": (71.04, 70.21, 84.00, 23.97, 63.84, 60.80, 20.81, 60.31, 77.33, 49.04, 81.00),
    "WMV": (71.04, 68.50, 78.00, 23.97, 64.00, 57.20, 20.53, 52.12, 71.00, 52.08, 82.61),
    "DS": (70.60, 71.45, 83.20, 4.94, 62.76, 50.00, 15.53, 50.43, 71.00, 37.59, 80.65),
    "DP": (70.96, 69.37, 82.00, 23.78, 63.90, 64.20, 21.12, 63.51, 71.00, 47.42, 82.55),
    "MeTaL": (70.96, 68.30, 84.00, 7.06, 62.27, 57.60, 46.62, 69.61, 71.00, 51.96, 82.52),
    "FlyingSquid": (70.36, 68.68, 76.80, 0.00, 60.98, 31.40, 34.30, 20.18, 31.83, 43.31, 82.29),
}
WRENCH = {name: {system: figures[place] for system, figures in _FIGURES.items()} for place, name in enumerate(_SETS)}
