"""The crowd data sets, as paths and columns. Standard library only: the systems measured beside ours read it too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

NAMES = (
    *("bluebird", "dog", "trec", "cf", "cf_amt", "sp", "sp_amt", "d_jn-product", "d_sentiment"),
    *("s4_face_sentiment_identification", "s4_relevance", "s5_adultcontent", "weather"),
)
F1_OF = {"d_jn-product": "1"}  # sets with a rare label that matters


@dataclass(frozen=True)
class CrowdSet:
    """Where the answers are, what their columns are called, and gold by item."""

    answers: Path
    item: str
    worker: str
    label: str
    gold: dict[str, str]

    def rows(self) -> list[tuple[str, str, str]]:
        """Item, worker and label of each answer."""
        with self.answers.open(encoding="utf-8", newline="") as file:
            return [(row[self.item], row[self.worker], row[self.label]) for row in csv.DictReader(file)]


def crowd_set(folder: Path, name: str) -> CrowdSet:
    """One of the sets. folder: of the group "crowd"."""
    if name == "weather":
        return CrowdSet(
            folder / name / "weather-non-agg-DFE.csv", "tweet_id", "worker_id", "emotion", _weather_gold(folder / name)
        )
    with (folder / name / "truth.csv").open(encoding="utf-8", newline="") as file:
        gold = {row["item"]: row["truth"] for row in csv.DictReader(file)}
    return CrowdSet(folder / name / "label.csv", "item", "worker", "label", gold)


def _weather_gold(folder: Path) -> dict[str, str]:
    """The sentiments all of a second crowd called right. They came from the first crowd, so they flatter any model."""
    with (folder / "weather-evaluated-agg-DFE.csv").open(encoding="utf-8", newline="") as file:
        judged = list(csv.DictReader(file))
    sure = [row for row in judged if row["correct_category"] == "Yes" and float(row["correct_category_conf"]) == 1]
    return {row["tweet_id"]: row["sentiment"] for row in sure}
