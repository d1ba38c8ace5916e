"""Keywords: whole words and phrases, whatever the case, the white space and the punctuation."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.reference.phrases import has_phrase
from tests.strategies import PHRASE, TEXT

from consilience import apply, keywords, read
from consilience.errors import DataError, FunctionError, LabelError


def found(texts, phrases, **options):
    table = read([{"text": text} for text in texts])
    matrix = apply({"f": keywords("yes", phrases, **options)}, table)
    assert matrix.functions[0].failure is None
    return [said is not None for said in matrix.names_of("f")]


@given(st.lists(TEXT, min_size=1, max_size=5), st.lists(PHRASE, min_size=1, max_size=4), st.booleans())
@example(["a#b", "A-b", "a\u00a0b"], ["a b", "#", "-"], True)
def test_agrees_with_looking_letter_by_letter(texts, phrases, ignore_case):
    expected = [any(has_phrase(text, phrase, ignore_case) for phrase in phrases) for text in texts]
    assert found(texts, phrases, ignore_case=ignore_case) == expected


@pytest.mark.parametrize(
    ("text", "phrase", "holds"),
    [
        ("win $$$ now", "$$$", True),
        ("x$$$y", "$$$", True),
        ("call now!", "now!", True),
        ("call now!now", "now!", True),
        ("knownow!", "now!", False),
        ("c++ and c#", "c++", True),
        ("Straße", "STRASSE", False),
        ("ÉCOLE", "école", True),
        ("école", "cole", False),
        ("check\n\t out", "check out", True),
        ("checkout", "check out", False),
        ("日本語 です", "日本語", True),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
        ("snake_case", "snake", False),
        ("100 m² flat", "m²", True),
        ("½ price", "½", True),
        ("नमस्ते जी", "नमस्ते", True),
        ("नमस्तेजी", "नमस्ते", False),
    ],
)
def test_bounds_are_asked_for_only_where_a_phrase_ends_in_a_letter(text, phrase, holds):
    assert found([text], [phrase]) == [holds]


def test_thousands_of_phrases_are_one_function():
    phrases = [f"word{n}" for n in range(1203)]
    assert found(["word0", "word700", "word1202", "word1203"], phrases) == [True, True, True, False]


def test_long_phrases_are_no_trouble():
    phrases = [f"wörd{n} " * 40 for n in range(200)]
    assert found(["x " + phrases[150], "wörd150"], phrases) == [True, False]


def test_another_column_may_be_searched_and_a_null_in_it_abstains():
    table = read([{"text": "a", "title": "free"}, {"text": "free", "title": None}])
    assert apply({"f": keywords("yes", ["free"], column="title")}, table).names_of("f") == ["yes", None]


def test_a_column_that_is_not_there_or_is_gold_is_an_error():
    table = read([{"text": "a", "y": "yes"}], gold="y")
    with pytest.raises(DataError, match=r"The rows have no column 'txt'.\nFix: Did you mean 'text'"):
        apply({"f": keywords("yes", ["free"], column="txt")}, table)
    with pytest.raises(DataError, match=r"The gold column 'y' is hidden from labeling functions.\nFix"):
        apply({"f": keywords("yes", ["free"], column="y")}, table)


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ("free", "are one string, 'free'"),
        ([], "has no phrase at all"),
        (["ok", " "], "has the phrase ' '"),
        ([7], "has the phrase 7"),
    ],
)
def test_phrases_that_cannot_be_are_refused(phrases, message):
    with pytest.raises(FunctionError, match=f"{message}.\nFix"):
        keywords("yes", phrases)


def test_the_label_comes_first():
    with pytest.raises(FunctionError, match=r"cannot be a label.\nFix: give the label's name first"):
        keywords(["free"], ["spam"])
    with pytest.raises(
        LabelError, match=r"Function 'f' may say what it cannot: 'spma' is not a label.\nFix: Did you mean 'spam'"
    ):
        apply({"f": keywords("spma", ["a"])}, read([{"text": "a"}]), labels=["ham", "spam"])


def test_the_fingerprint_follows_phrases_case_column_and_label_not_order():
    base = keywords("yes", ["a", "b"])
    assert base.fingerprint == keywords("yes", ["b", "a", "a"], name="other").fingerprint
    others = [
        keywords("no", ["a", "b"]),
        keywords("yes", ["a"]),
        keywords("yes", ["a", "b"], column="title"),
        keywords("yes", ["a", "b"], ignore_case=False),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_it_says_what_it_looks_for():
    assert keywords("yes", ["a", "b", "c", "d", "e"]).description == "any of: a, b, c, d, …"
    assert repr(keywords("yes", ["a"])) == "<keywords (unnamed) -> yes>"
