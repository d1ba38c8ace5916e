"""Applying functions: names, labels, batches, and columns that are not made twice."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Labels, Table, apply, expression, keywords, labeling_function, pattern, read, recorded
from consilience.errors import DataError, FunctionError, LabelError
from consilience.labeling.function import Batch
from consilience.labeling.recorded import recorded_votes

TABLE = read([{"id": n, "text": text, "n": n} for n, text in enumerate(["free", "hello", "free hello", "x", ""])])


def four_kinds():
    return {
        "k": keywords("spam", ["free"]),
        "p": pattern("ham", "hel+o"),
        "e": expression("spam", "n % 2 = 1"),
        "f": labeling_function("ham", "spam")(lambda row: {0: "ham", 1: "spam"}.get(len(row.text) % 3)),
    }


@given(st.integers(1, 9))
def test_the_size_of_batches_does_not_matter(size):
    whole = apply(four_kinds(), TABLE, cache={})
    cut = apply(four_kinds(), TABLE, cache={}, batch_size=size)
    assert cut.votes.tolist() == whole.votes.tolist()
    assert whole.names == ["k", "p", "e", "f"] and list(whole.labels) == ["spam", "ham"]


@given(st.lists(st.integers(0, 4), unique=True))
def test_a_row_gets_the_same_votes_whatever_rows_are_beside_it(places):
    whole = apply(four_kinds(), TABLE, cache={})
    part = apply(four_kinds(), TABLE.take(places), cache={}, labels=whole.labels)
    assert part.votes.tolist() == whole.votes[places].tolist()


def test_no_rows_give_an_empty_matrix():
    assert apply(four_kinds(), TABLE.take([]), cache={}).votes.shape == (0, 4)


# names


def test_a_function_takes_the_name_of_the_variable_that_holds_it():
    greets = keywords("ham", ["hello"])
    assert apply([greets], TABLE).names == ["greets"]
    assert greets.name == "greets"


def test_a_dict_names_functions_and_leaves_them_as_they_are():
    greets = keywords("ham", ["hello"], name="own")
    assert apply({"other": greets}, TABLE).names == ["other"] and greets.name == "own"


def test_a_function_without_a_name_is_refused():
    with pytest.raises(FunctionError, match=r"has no name.\nFix: give it one with name="):
        apply([keywords("ham", ["hello"])], TABLE)


def test_a_name_used_twice_is_refused():
    with pytest.raises(FunctionError, match=r"Two labeling functions are called 'a'.\nFix"):
        apply([keywords("ham", ["hello"], name="a"), keywords("ham", ["x"], name="a")], TABLE)


def test_a_bare_function_is_refused_by_name():
    def bare(row):
        return None

    with pytest.raises(FunctionError, match=r"bare is not a labeling function.\nFix: decorate it"):
        apply([bare], TABLE)


# labels


def test_labels_are_those_given_else_those_of_the_table_else_those_found():
    f = keywords("spam", ["free"])
    gold = Table(pl.DataFrame({"id": [1], "text": ["free"], "y": ["ham"]}), gold="y")
    known = Table(gold.frame, gold="y", labels=["ham", "spam", "eggs"])
    assert list(apply([f], gold).labels) == ["spam", "ham"]
    assert list(apply([f], known).labels) == ["ham", "spam", "eggs"]
    assert list(apply([f], known, labels=["spam", "ham"]).labels) == ["spam", "ham"]
    assert apply([f], known, labels=["spam", "ham"]).gold.tolist() == [1]


def test_a_label_outside_the_labels_is_answered_with_the_nearest():
    with pytest.raises(
        LabelError, match=r"Function 'f' may say what it cannot: 'spam' is not a label.\nFix: Did you mean 'spams'"
    ):
        apply({"f": keywords("spam", ["free"])}, TABLE, labels=["ham", "spams"])


def test_when_nothing_says_what_the_labels_are_that_is_an_error():
    with pytest.raises(LabelError, match=r"Nothing says what the labels are.\nFix: apply\(..., labels="):
        apply({"f": labeling_function()(lambda row: None)}, TABLE)


# only what changed


class Calls:
    """How often a function was called; by a fingerprint of its own, the count is no part of the function's."""

    fingerprint = "calls"
    n = 0


def counting(calls, answer="ham"):
    @labeling_function("ham", "spam", name="counting")
    def f(row):
        calls.n += 1
        return answer

    return f


def test_only_the_changed_function_is_called_again():
    calls, other, cache = Calls(), Calls(), {}
    f = counting(calls)
    apply([f, counting(other, "spam").named("other")], TABLE, cache=cache)
    apply([f, counting(other, "ham").named("other")], TABLE, cache=cache)
    matrix = apply([f], TABLE, cache=cache)
    assert calls.n == 5
    assert matrix.functions[0].from_store and matrix.names_of("counting") == ["ham"] * 5


def test_a_table_remembers_its_columns_by_itself_and_other_rows_are_new():
    calls = Calls()
    f = counting(calls)
    table = TABLE.take([0, 1, 2])
    apply([f], table)
    apply([f], table)
    assert calls.n == 3
    apply([f], table.take([0, 1]))
    assert calls.n == 5


def test_a_new_name_alone_computes_nothing():
    calls, cache = Calls(), {}
    f = counting(calls)
    apply([f], TABLE, cache=cache)
    assert apply([f.named("renamed")], TABLE, cache=cache).names_of("renamed") == ["ham"] * 5
    assert calls.n == 5


def test_a_kept_column_is_right_under_another_order_of_labels():
    cache, f = {}, keywords("spam", ["free"], name="f")
    said = [
        apply([f], TABLE, labels=labels, cache=cache).names_of("f") for labels in (["ham", "spam"], ["spam", "ham"])
    ]
    assert said[0] == said[1] == ["spam", None, "spam", None, None]
    assert len(cache) == 1


def test_filling_in_gold_computes_nothing():
    calls, cache = Calls(), {}
    for gold in ([None, None], ["ham", "spam"]):
        frame = pl.DataFrame({"id": [1, 2], "text": ["a", "b"], "y": pl.Series(gold, dtype=pl.String)})
        apply([counting(calls)], Table(frame, gold="y"), labels=["ham", "spam"], cache=cache)
    assert calls.n == 2


def test_a_failure_is_remembered_with_its_column():
    @labeling_function("ham")
    def breaks(row):
        return 1 / 0

    cache = {}
    first, again = (apply([breaks], TABLE, cache=cache).functions[0] for _ in range(2))
    assert first.failure == again.failure and first.failure.count == 5
    assert again.from_store and not first.from_store


# recorded votes


def test_a_column_of_votes_repeats_what_it_says():
    table = read([{"text": "a", "vote_x": "ham", "vote_y": None}, {"text": "b", "vote_x": None, "vote_y": "spam"}])
    matrix = apply(recorded_votes(table), table, labels=["ham", "spam"])
    assert matrix.names == ["vote_x", "vote_y"] and matrix.votes.tolist() == [[0, -1], [-1, 1]]
    assert recorded("vote_x", name="x").name == "x"


def test_a_recorded_vote_that_is_no_label_is_an_error():
    table = read([{"text": "a", "anna": "spma"}])
    with pytest.raises(DataError, match=r"Column 'anna' says 'spma'(.|\n)*Fix: Did you mean 'spam'"):
        apply([recorded("anna")], table, labels=["ham", "spam"])
    with pytest.raises(DataError, match="The rows have no column 'bert'"):
        apply([recorded("bert")], table, labels=Labels("ham"))


def test_a_batch_without_text_says_so():
    with pytest.raises(DataError, match=r"These rows have no text column.\nFix"):
        Batch(Table(pl.DataFrame({"id": [1]}), text=None)).text(None)
