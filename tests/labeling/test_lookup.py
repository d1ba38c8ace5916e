"""Looking up in known facts: the same as a plain loop over all facts, whatever form the facts have."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.lookups import says

import consilience as cs
from consilience.errors import FunctionError

LABELS = ["married", "siblings", "strangers"]
NAME = st.none() | st.sampled_from(["ann", "Ann", " ann", "bob", "b ob", "b  ob", "", "ä", "Ä"])


def table_of(rows):
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row").with_row_index("id")
    return cs.Table(frame, text=None, labels=LABELS)


def said(function, rows):
    return cs.apply({"f": function}, table_of(rows), cache={}).names_of("f")


@given(
    st.lists(st.tuples(NAME, NAME), max_size=8),
    st.lists(st.tuples(NAME, NAME, st.sampled_from([*LABELS[:2], None])), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["abstain", "set"]),
)
def test_it_says_what_a_loop_over_all_facts_says(rows, facts, symmetric, ignore_case, strip, several):
    how = {"symmetric": symmetric, "ignore_case": ignore_case, "strip": strip, "several": several}
    frame = pl.DataFrame(facts, schema={"a": pl.String, "b": pl.String, "says": pl.String}, orient="row")
    expected = [says(row, facts, **how) for row in rows]
    try:
        function = cs.lookup(None, frame, on=["a", "b"], label_column="says", **how)
    except FunctionError:  # only where no fact is left
        assert not any(expected)
        return
    assert said(function, rows) == expected
    assert (
        cs.lookup(None, frame.reverse(), on=["a", "b"], label_column="says", **how).fingerprint == function.fingerprint
    )


def test_facts_may_have_any_form(tmp_path):
    frame = pl.DataFrame({"a": ["ann", "eve"], "b": ["bob", "dan"]})
    for name, write in (
        ("f.csv", frame.write_csv),
        ("f.parquet", frame.write_parquet),
        ("f.jsonl", frame.write_ndjson),
    ):
        write(tmp_path / name)
    frame.write_csv(tmp_path / "f.tsv", separator="\t")
    forms = [
        frame,
        frame.lazy(),
        frame.to_dicts(),
        frame.rows(),
        set(frame.rows()),
        *tmp_path.iterdir(),
        str(tmp_path / "f.csv"),
    ]
    made = [cs.lookup("married", form, on=["a", "b"]) for form in forms]
    made.append(cs.lookup(None, dict.fromkeys(frame.rows(), "married"), on=["a", "b"]))
    assert len({function.fingerprint for function in made[:-1]}) == 1
    for function in made:
        assert said(function, [("ann", "bob"), ("bob", "ann"), (None, None)]) == ["married", None, None]


def test_one_column_numbers_and_other_names():
    table = cs.read([{"id": 1, "n": 7}, {"id": 2, "n": 8}, {"id": 3, "n": None}], labels=LABELS)
    for facts in ([7], ["7"], [{"k": 7.0}], pl.DataFrame({"k": [7]})):
        keys = "n" if isinstance(facts, list) and not isinstance(facts[0], dict) else {"n": "k"}
        assert cs.apply({"f": cs.lookup("married", facts, on=keys)}, table).names_of("f") == ["married", None, None]


def test_keys_may_be_made_comparable_by_a_function():
    def surname(name):
        return name.split()[-1] if " " in name else None

    f = cs.lookup("siblings", [("ann lee", "bob lee")], on=["a", "b"], normalise=surname)
    assert said(f, [("eve lee", "dan lee"), ("lee", "lee"), (None, "x lee")]) == ["siblings", None, None]
    with pytest.raises(FunctionError, match=r"normalise made 7 of 'x'(.|\n)*Fix"):
        cs.lookup("siblings", [("x", "y")], on=["a", "b"], normalise=lambda name: 7)


def test_sets_of_labels_know_what_they_are_made_of():
    several = [{"a": "x", "says": "married"}, {"a": "x", "says": "siblings"}, {"a": "y", "says": "married"}]
    f = cs.lookup(None, several, on="a", label_column="says", several="set")
    assert f.labels == ("married", "married|siblings")
    table = cs.read([{"a": "x"}, {"a": "y"}])
    also = cs.lookup("strangers", ["z"], on="a")
    assert list(cs.apply({"f": f, "also": also}, table).labels) == LABELS  # found without being said
    other = cs.lookup(None, {"x": cs.Not("married"), "y": "married"}, on="a")
    assert cs.apply({"f": other}, table, labels=LABELS).names_of("f") == ["not married", "married"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.lookup("x", [], on="a"), "no facts"),
        (lambda: cs.lookup(None, {}, on="a"), "no facts"),
        (lambda: cs.lookup("x", [{"a": None}], on="a"), "no facts"),
        (lambda: cs.lookup("x", [("a", "b")], on="a"), "has 2 parts"),
        (lambda: cs.lookup("x", ["a"], on="a", symmetric=True), "Only two columns"),
        (lambda: cs.lookup("x", ["a"], on=[]), "names no columns"),
        (lambda: cs.lookup("x", ["a"], on=[3]), "names no columns"),
        (lambda: cs.lookup("x", [{"a": 1}], on="b"), "no column 'b'"),
        (lambda: cs.lookup(None, [{"a": 1}], on="a", label_column="b"), "no column 'b'"),
        (lambda: cs.lookup("x", [{"a": 1, "b": "y"}], on="a", label_column="b"), "says one label, or"),
        (lambda: cs.lookup(None, ["a"], on="a"), "says one label, or"),
        (lambda: cs.lookup("x", {"a": "y"}, on="a"), "says one label, or"),
        (lambda: cs.lookup("x", ["a"], on="a", several="first"), "means nothing"),
        (lambda: cs.lookup("x", ["a"], on="a", normalise=3), "cannot be called"),
        (lambda: cs.lookup(7, ["a"], on="a"), "cannot be a label"),
        (lambda: cs.lookup("x", "none.csv", on="a"), "no file"),
        (lambda: cs.lookup("x", 7, on="a"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make, words):
    with pytest.raises(FunctionError, match=rf"{words}(.|\n)*Fix: "):
        make()
