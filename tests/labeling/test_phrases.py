"""One pass for all phrases finds what each one's regular expression finds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consilience import apply, keywords, read
from consilience.labeling import phrases
from consilience.labeling.keywords import phrase_pattern
from consilience.labeling.phrases import Automaton, PhraseSet, utf8

ODD = st.text(alphabet="abkKsſßẞéÉ_1 \u212a.$-#\u00a0\u2003\t日\x00🙂\u0301", max_size=30)
WORDS = ODD.map(lambda text: " ".join(text[:6].split())).filter(bool)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ODD | st.none(), max_size=6),
    st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4),
    st.booleans(),
)
@example(
    ["a" * 3000, "b " * 2000 + "k", "é" + "x" * 2000], [["a" * 3000], ["b k"], ["x" * 2000, "é" + "x" * 2000]], True
)
@example(["check", "out"], [["check out"], ["checkout"]], True)
def test_one_pass_finds_what_expressions_find(texts, lists, ignore_case):
    sets = [PhraseSet(str(place), pl.Series(words)) for place, words in enumerate(lists)]
    text = pl.Series(texts, dtype=pl.String)
    flags = Automaton(sets, ignore_case).look(text).flags
    for place, words in enumerate(lists):
        expected = text.str.contains(phrase_pattern(words, ignore_case)).fill_null(False)
        assert flags[str(place)].tolist() == expected.to_list()


def many(n):
    return {f"f{k}": keywords("yes", [f"word{k}", f"two word{k}"]) for k in range(n)}


def test_a_large_run_takes_one_pass_and_says_the_same(monkeypatch):
    rows = read(pl.DataFrame({"id": range(300), "text": [f"Word{n % 40} and  TWO\tword{n % 7}" for n in range(300)]}))
    by_expressions = apply(many(30), rows, cache={}).votes
    monkeypatch.setattr(phrases, "_pass_is_cheaper", lambda functions, text: True)
    assert np.array_equal(apply(many(30), rows, cache={}).votes, by_expressions)


def test_many_rows_are_shared_among_threads(monkeypatch):
    monkeypatch.setattr(phrases, "BYTES_A_PART", 10)
    machine = Automaton([PhraseSet("a", pl.Series(["b"]))], True)
    text = pl.Series(["a b", "", None, "no such letter in here", "B", "bb"] * 50)
    assert machine.look(text).flags["a"].tolist() == [True, False, False, False, True, False] * 50
    assert [row for row, *_ in machine.find(text).tolist()] == [n for k in range(0, 300, 6) for n in (k, k + 4)]
    assert not len(machine.find(text.head(0))) and not len(machine.find(pl.Series([None, ""], dtype=pl.String)))


def test_bytes_of_texts():
    content, offsets = utf8(pl.Series(["é", None, "", "ab"]))
    assert bytes(content) == "éab".encode() and offsets.tolist() == [0, 2, 2, 2, 4]
    assert utf8(pl.Series([], dtype=pl.String))[1].tolist() == [0]


@pytest.mark.slow
def test_a_cell_of_a_hundred_megabytes():
    machine = Automaton([PhraseSet("a", pl.Series(["the end", "x" * 5000]))], True)
    text = pl.Series(["word " * 20_000_000 + "THE  end", "x" * 100_000_000, "x" * 5000])
    assert machine.look(text).flags["a"].tolist() == [True, False, True]
