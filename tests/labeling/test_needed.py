"""What a text must have for an expression to match: never more than the expression engine says."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.reference.runs import has_one

from consilience.labeling import needed as module
from consilience.labeling.needed import needed

LETTERS = "abkKsSzé\u017f\u212a0 -.!]\n"
CLASSES = [
    "[ab]",
    "[^a]",
    "[a-k]",
    "[s.]",
    r"[\w-]",
    r"[\]a]",
    "[]a]",
    "[[:alpha:]]",
    "[a&&b]",
    "[é]",
    "[-a]",
    "[a-]",
    "[b-]]",
]
ESCAPED = [r"\b", r"\B", r"\d", r"\w", r"\S", r"\.", r"\-", r"\n", r"\x61", r"\pL", r"\A", r"\z", r"\b{start}", r"\<"]
ATOMS = st.one_of(st.sampled_from(LETTERS[:9]), st.sampled_from([".", "^", "$", *CLASSES, *ESCAPED]), st.just("ab"))
TIMES = st.sampled_from(["*", "+", "?", "*?", "{2}", "{0}", "{0,1}", "{1,}", "{2,3}", "{,2}", "{9}", "+*"])
OPENED = st.sampled_from(["(", "(?:", "(?i:", "(?s:", "(?-i:", "(?P<n>", "(?<n>", "(?i)(", "(?x:", "(?x)("])
PARTS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.tuples(inner, TIMES).map("".join),
        st.builds("{}{})".format, OPENED, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}|{}".format, inner, inner),
    ),
    max_leaves=8,
)
EXPRESSIONS = st.builds(
    "{}{}".format, st.sampled_from(["", "(?i)", "(?s)", "(?x)", "(?im)", "(?i)(?s)", "(?U)"]), PARTS
)
TEXTS = st.lists(st.one_of(st.text(LETTERS, max_size=10), st.none()), min_size=1, max_size=20)


def matched(regex: str, texts: list[str | None]) -> list[bool]:
    """What the engine says; the expression is passed over where it cannot be read."""
    try:
        return pl.Series(texts, dtype=pl.String).str.contains(regex).fill_null(False).to_list()
    except pl.exceptions.PolarsError:
        assume(False)
        raise


def holds(regex: str, texts: list[str | None]) -> None:
    """Each text that matches has one of the runs that are needed, however common they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RARE", 0.0)
        runs = needed(regex)
    if runs is not None:
        for text, matches in zip(texts, matched(regex, texts), strict=True):
            assert has_one(text, runs) or not matches, (regex, text, runs)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, TEXTS)
@example("(?i)sky", ["\u017f\u212ay"])
@example("a|", [""])
@example("(?i:k)", ["\u212a"])
def test_no_text_matches_without_what_is_needed(regex, texts):
    holds(regex, texts)


@settings(max_examples=300, deadline=None)
@given(st.text("ab[]()|*+?{}\\-^$.12,s&~:<>i!P=#", max_size=9), TEXTS)
def test_nor_with_expressions_of_any_characters(regex, texts):
    assume(regex)
    holds(regex, texts)


@settings(max_examples=100, deadline=None)
@given(st.text(LETTERS, max_size=12), st.data())
def test_nor_where_parts_of_the_text_itself_are_looked_for(text, data):
    start = data.draw(st.integers(0, len(text)))
    part = text[start : start + data.draw(st.integers(0, 12))]
    for regex in (module.re.escape(part), "(?i)" + module.re.escape(part.swapcase())):
        holds(regex, [text])


def test_no_other_character_is_a_case_of_an_ascii_letter():
    every = pl.Series([chr(code) for code in range(128, 0x20000) if code not in range(0xD800, 0xE000)])
    assert set(every.filter(every.str.contains("(?i)[a-z]"))) == set(module.ALSO_S_AND_K.values())


@pytest.mark.parametrize(
    ("regex", "runs"),
    [
        (r"https?://|www\.", {b"http:", b"https:", b"www."}),
        (r"\bfree\b.*\bmoneys\b", {b"moneys"}),
        (r"(?:lol|rofl)+!*", {b"lol", b"rofl"}),
        (r"a?bcd", {b"abcd", b"bcd"}),
        (r"!{2,}", {b"!!"}),
        (r"école", {"école".encode()}),
    ],
)
def test_finds_the_rarest_runs(regex, runs):
    assert {bytes(min(place) for place in run) for run in needed(regex)} == runs


def test_sees_classes_and_cases():
    assert needed("(?i)[xz]q") == {(frozenset(b"xzXZ"), frozenset(b"qQ"))}
    assert needed("(?i)is") >= {(frozenset(b"iI"), frozenset(b"sS"))}


@pytest.mark.parametrize(
    "regex", ["a", "[a-z]+", "x*", "abc|", r"\w+ \d", "(?x)a b c", r"\x41\x42", "a" * 3000, "(" * 60 + "abc" + ")" * 60]
)
def test_says_nothing_of_what_is_common_or_not_understood(regex):
    assert needed(regex) is None
