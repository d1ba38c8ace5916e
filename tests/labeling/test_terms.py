"""Words and phrases, and the rows that have them: exactly those a keyword function votes on."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import TEXT

from consilience import Table, apply, keywords
from consilience.labeling.terms import find_terms, spread_rows

TEXTS = st.lists(TEXT | st.none(), min_size=1, max_size=12)


@given(TEXTS, st.integers(1, 3))
def test_a_term_is_where_a_keyword_function_votes(texts, longest):
    found = find_terms(pl.Series("text", texts, pl.String), longest=longest, min_rows=2)
    table = Table(pl.DataFrame({"id": range(len(texts)), "text": pl.Series(texts, dtype=pl.String)}), labels=["a", "b"])
    has = found.rows.toarray()
    for place, name in enumerate(found.names):
        votes = apply({"f": keywords("a", [name])}, table).votes[:, 0] >= 0
        assert votes.tolist() == (has[:, place] > 0).tolist()
        assert votes.sum() >= 2 and len(name.split(" ")) == found.n_words[place] <= longest
    assert found.names == sorted(found.names) and len(set(found.names)) == len(found.names)


@given(TEXTS)
def test_every_frequent_word_and_phrase_is_found(texts):
    found = set(find_terms(pl.Series("text", texts, pl.String), longest=2, min_rows=2).names)
    words = [name for name in found if " " not in name]
    table = Table(pl.DataFrame({"id": range(len(texts)), "text": pl.Series(texts, dtype=pl.String)}), labels=["a", "b"])
    for first in words[:4]:
        for second in words[:4]:
            votes = apply({"f": keywords("a", [f"{first} {second}"])}, table).covered
            assert (votes.sum() >= 2) == (f"{first} {second}" in found)


def test_the_most_frequent_stay_if_there_are_too_many():
    texts = pl.Series(["b a", "b c", "b a", "d"])
    assert find_terms(texts, longest=1, min_rows=1, most=2).names == ["a", "b"]


def test_no_texts_have_no_terms():
    for texts in (pl.Series([], dtype=pl.String), pl.Series(["", None, "..."]), pl.Series([None], dtype=pl.String)):
        found = find_terms(texts, min_rows=1)
        assert found.names == [] and found.rows.shape == (len(texts), 0)


def test_rows_are_spread_evenly_over_many_characters():
    texts = pl.Series(["x" * 10] * 100)
    assert spread_rows(texts).tolist() == list(range(100))
    assert spread_rows(texts, most=200).tolist() == list(range(0, 100, 5))
