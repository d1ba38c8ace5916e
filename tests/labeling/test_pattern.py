"""Patterns: a regular expression somewhere in the text, in time linear in the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import apply, pattern, read
from consilience.errors import FunctionError


def found(texts, regex, **options):
    matrix = apply({"f": pattern("yes", regex, **options)}, read([{"text": text} for text in texts]))
    return [said is not None for said in matrix.names_of("f")]


REGEX = st.sampled_from([r"ab?c", r"^a", r"[ab]{2,}", r"b|c$", r"\d+", r"a.c", r"\bab\b", r"(a|b)*c"])


@given(st.lists(st.text(alphabet="abc1 ", max_size=8), min_size=1, max_size=5), REGEX)
def test_finds_what_pythons_re_finds(texts, regex):
    assert found(texts, regex) == [re.search(regex, text) is not None for text in texts]


def test_case_counts_unless_told_otherwise():
    assert found(["FREE", "free"], "free") == [False, True]
    assert found(["FREE", "ÉCOLE"], "free|école", ignore_case=True) == [True, True]


def test_an_evil_pattern_on_long_rows_comes_to_an_end():
    assert found(["word " * 20_000 + "!", "just words"], r"^(\w+\s?)*$") == [False, True]


@pytest.mark.parametrize("regex", ["(?=a)b", "(?<!a)b", r"(a)\1"])
def test_look_around_and_back_references_are_refused_with_the_reason(regex):
    with pytest.raises(FunctionError, match=r"uses look-around or a back-reference(.|\n)*Fix: write it without"):
        pattern("yes", regex)


@pytest.mark.parametrize(("regex", "reason"), [("(", "unclosed group"), ("a{2", "repetition"), ("[", "unclosed")])
def test_a_broken_expression_is_refused_with_the_reason(regex, reason):
    with pytest.raises(FunctionError, match=f"is not a regular expression: .*{reason}.*\nFix"):
        pattern("yes", regex)


@pytest.mark.parametrize("regex", ["", None, 7])
def test_what_is_no_expression_is_refused(regex):
    with pytest.raises(FunctionError, match=r"is no regular expression.\nFix"):
        pattern("yes", regex)


def test_the_fingerprint_follows_expression_case_and_column():
    kinds = [
        pattern("yes", "a"),
        pattern("yes", "b"),
        pattern("yes", "a", ignore_case=True),
        pattern("yes", "a", column="t"),
    ]
    assert len({kind.fingerprint for kind in kinds}) == 4
    assert kinds[0].fingerprint == pattern("yes", "a", name="other").fingerprint
