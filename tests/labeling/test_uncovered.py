"""Rows without votes in groups: they share words, cover all that have any, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience.errors import VoteError
from consilience.labeling.uncovered import groups_view, uncovered_groups

WORDS = {
    "sport": "match goal cup final team coach season win league striker",
    "money": "bank rates shares profit market oil prices stocks fund tax",
    "travel": "flight hotel beach ticket airport island tour visa luggage cruise",
}
TOPICS = {topic: words.split() for topic, words in WORDS.items()}


def articles(n=300, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(n):
        topic = list(TOPICS)[place % 3]
        words = [*rng.choice(TOPICS[topic], 4, replace=False), f"w{rng.integers(0, 30)}"]
        rows.append({"id": place, "text": " ".join(map(str, words)), "gold": topic})
    return cs.read(rows, gold="gold", labels=list(TOPICS))


def matrix_of(table, **functions):
    return cs.apply(functions, table).with_gold(np.full(len(table), -1, np.int16))


def test_groups_are_topics_when_texts_have_topics():
    table = articles()
    groups = uncovered_groups(matrix_of(table, none=cs.keywords("sport", ["nowhere"])), 3)
    assert sum(group.rows for group in groups) == 300
    for group in groups:
        (topic,) = {table.frame.filter(pl.col("id") == row)["gold"][0] for row in group.ids}
        assert set(group.terms) <= set(TOPICS[topic]) and group.guess is None and group.function is None


def test_rows_with_votes_are_no_part_of_it_and_teach_the_guess():
    table = articles()
    first = {topic: cs.keywords(topic, words[:2]) for topic, words in TOPICS.items()}
    matrix = matrix_of(table, **first)
    groups = uncovered_groups(matrix, 3)
    assert sum(group.rows for group in groups) == (~matrix.covered).sum()
    for group in groups:
        said = {table.frame.filter(pl.col("id") == row)["gold"][0] for row in group.ids}
        assert {group.guess[0]} == said
        assert group.function is None or group.function.labels == (group.guess[0],)
    assert "perhaps" in str(groups_view(matrix, groups))


def test_the_same_seed_gives_the_same_groups():
    matrix = matrix_of(articles(), none=cs.keywords("sport", ["nowhere"]))
    assert uncovered_groups(matrix, 4, seed=3) == uncovered_groups(matrix, 4, seed=3)


@pytest.mark.parametrize("texts", [[], [""], [None] * 5, ["a"], ["same words here"] * 20, ["..."] * 9])
def test_texts_with_nothing_to_group(texts):
    schema = {"id": pl.Int64, "text": pl.String}
    table = cs.Table(pl.DataFrame({"id": range(len(texts)), "text": texts}, schema=schema), labels=["a", "b"])
    matrix = matrix_of(table, f=cs.keywords("a", ["nowhere"]))
    groups = uncovered_groups(matrix)
    assert len(groups) <= 1 and str(groups_view(matrix, groups))


def test_all_rows_have_votes():
    table = articles(30)
    assert uncovered_groups(matrix_of(table, all=cs.pattern("sport", "."))) == []


def test_votes_without_rows_are_an_error():
    with pytest.raises(VoteError, match=r"no rows behind them.\nFix: "):
        uncovered_groups(cs.LabelMatrix.from_votes([[0]], ["a", "b"]))
