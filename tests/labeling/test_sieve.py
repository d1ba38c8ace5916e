"""One pass for the patterns of a run: what is found is what each expression finds alone."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.runs import has_one

import consilience as cs
from consilience.labeling import pattern as patterns
from consilience.labeling import sieve
from consilience.labeling.function import Batch

BYTES = st.frozensets(st.sampled_from(b"abc\xc3\xa9"), min_size=1, max_size=2)
NEEDS = st.lists(st.frozensets(st.lists(BYTES, min_size=1, max_size=6).map(tuple), min_size=1, max_size=5), max_size=40)
TEXTS = st.lists(st.one_of(st.none(), st.text("abcé", max_size=9)), max_size=8)


@settings(deadline=None)
@given(NEEDS, TEXTS)
def test_finds_each_run_that_stands_in_a_text(needs, texts):
    found = sieve.sieved(needs, pl.Series(texts, dtype=pl.String))
    assert found.tolist() == [[has_one(text, need) for text in texts] for need in needs]


def test_finds_as_much_on_two_threads(monkeypatch):
    monkeypatch.setattr("consilience.labeling.phrases.BYTES_A_PART", 100)
    needs = [frozenset([(frozenset(b"7"), frozenset(b"7"))])]
    texts = pl.Series([str(number) for number in range(2000)])
    assert sieve.sieved(needs, texts)[0].tolist() == texts.str.contains("77").to_list()


@pytest.fixture
def always(monkeypatch):
    """Every run of patterns is worth a pass."""
    monkeypatch.setattr(patterns, "worth_sieving", lambda needs, texts: True)


REGEXES = [
    r"www\.",
    r"(?i)sky",
    r"\d+ views",
    r"x*",
    r"^the\b",
    r"caf[eé]",
    r"[A-Z]{4,}",
    r"(?x)a b",
    r"(?s)ab.cd$",
    r"!{2,}",
    r"q|",
]


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.none(), st.sampled_from(["", "the end", "\u017f\u212aY", "ABCDE", "9 views!!", "ab\ncd"]), st.text()
        )
    )
)
def test_votes_are_those_of_the_expressions(texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "worth_sieving", lambda needs, texts: True)
        frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).with_row_index("id")
        made = {regex: cs.pattern("yes", regex) for regex in REGEXES}
        matrix = cs.apply(made, cs.Table(frame, labels=("yes", "no")))
    for column, regex in enumerate(REGEXES):
        expected = frame["text"].str.contains(regex).fill_null(False).to_list()
        assert (matrix.votes[:, column] >= 0).tolist() == expected


def test_columns_of_their_own_and_other_kinds_stand_beside(always):
    table = cs.read([{"text": "see www.x", "title": "99 views", "n": 1}, {"text": "no", "title": "www.", "n": 22}])
    made = {
        "link": cs.pattern("yes", r"www\."),
        "views": cs.pattern("yes", r"\d+ views", column="title"),
        "linked": cs.pattern("yes", r"www\.", column="title"),
        "number": cs.pattern("yes", "22", column="n"),
        "short": cs.expression("yes", "length(text) < 3"),
    }
    assert (cs.apply(made, table, labels=["yes", "no"]).votes + 1).T.tolist() == [
        [1, 0],
        [1, 0],
        [0, 1],
        [0, 1],
        [0, 1],
    ]


def test_a_missing_column_is_said_by_the_function_that_asks_for_it(always):
    batch = Batch(
        cs.read([{"text": "a"}]), functions=[cs.pattern("yes", "abc", column="titel"), cs.expression("yes", "1 = 1")]
    )
    with pytest.raises(cs.errors.DataError, match="titel"):
        batch.functions[0].mask(batch)
    assert batch.functions[1].mask(batch).to_list() == [True]


def test_few_rows_are_not_worth_loading_a_compiled_loop(monkeypatch):
    monkeypatch.delitem(sys.modules, "consilience.labeling.sieve_kernels", raising=False)
    needs = [frozenset([(frozenset(b"x"),)])] * 10
    assert not sieve.worth_sieving(needs, pl.Series(["a short text"] * 1000))
    assert not sieve.worth_sieving(needs[:1], pl.Series(["a short text"]).new_from_index(0, 3_000_000))
    assert sieve.worth_sieving(needs, pl.Series(["a text " * 100]).new_from_index(0, 1_000_000))


def test_more_runs_than_one_pass_holds():
    needs = [frozenset([tuple(frozenset([byte]) for byte in f"{number:06}".encode())]) for number in range(100)]
    found = sieve.sieved(needs, pl.Series([f"x{number:06}" for number in range(100)]))
    assert np.array_equal(found, np.eye(100, dtype=bool))
