"""Python functions: what their answers mean, and what happens on the rows on which they break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import apply, labeling_function, read
from consilience.errors import FunctionError

TABLE = read([{"id": f"r{n}", "text": str(n)} for n in range(6)])
LABELS = ["ham", "spam"]


def votes(answers, *labels, batch_size=20_000):
    """What is said where a function answers so on rows 0, 1, ..."""
    function = labeling_function(*labels, name="f")(lambda row: answers[int(row.text)])
    matrix = apply([function], TABLE.take(range(len(answers))), labels=LABELS, cache={}, batch_size=batch_size)
    return matrix.names_of("f"), matrix.functions[0].failure


def test_a_name_is_a_vote_and_none_abstains():
    assert votes(["ham", "spam", None]) == (["ham", "spam", None], None)


def test_true_means_the_one_label_and_false_abstains():
    assert votes([True, False, None, "spam", np.True_], "spam") == (["spam", None, None, "spam", "spam"], None)


@pytest.mark.parametrize("answer", ["spma", 7, ["spam"], {"spam": 1}, float("nan"), True])
def test_an_answer_that_means_nothing_is_counted_and_abstained_on(answer):
    said, failure = votes(["ham", answer, "spam"])
    assert said == ["ham", None, "spam"]
    assert failure.count == 1 and failure.first_id == "r1"
    assert repr(answer) in failure.first_error and "Fix: " in failure.first_error


def test_a_label_the_function_did_not_declare_is_wrong():
    said, failure = votes(["ham", "spam"], "spam")
    assert said == [None, "spam"] and failure.count == 1 and "'ham'" in failure.first_error


@given(st.lists(st.sampled_from(["ham", "spam", None, "boom", "wrong"]), min_size=1, max_size=6), st.integers(1, 7))
def test_rows_that_break_are_counted_across_batches_and_the_others_vote(plan, batch_size):
    @labeling_function()
    def f(row):
        answer = plan[int(row.text)]
        return 1 / 0 if answer == "boom" else answer

    matrix = apply([f], TABLE.take(range(len(plan))), labels=LABELS, cache={}, batch_size=batch_size)
    assert matrix.names_of("f") == [answer if answer in LABELS else None for answer in plan]
    broken = [place for place, answer in enumerate(plan) if answer in ("boom", "wrong")]
    failure = matrix.functions[0].failure
    assert (failure.count if failure else 0) == len(broken)


def test_the_first_row_that_broke_is_named_with_its_traceback():
    @labeling_function("spam")
    def fragile(row):
        return {"2": 1}[row.text] if row.text in "234" else None

    failure = apply([fragile], TABLE, labels=LABELS).functions[0].failure
    assert failure.count == 2 and failure.first_id == "r3"
    assert "KeyError: '3'" in failure.first_error and "in fragile" in failure.first_error


def test_a_stop_iteration_is_an_error_like_any_other():
    @labeling_function("spam")
    def stops(row):
        return next(iter([])) if row.text == "1" else True

    matrix = apply([stops], TABLE, labels=LABELS)
    assert matrix.functions[0].failure.count == 1 and matrix.names_of("stops").count("spam") == 5


def test_asking_for_a_column_that_is_not_there_counts_as_breaking():
    @labeling_function("spam")
    def asks(row):
        return row.txt == "1"

    failure = apply([asks], TABLE, labels=LABELS).functions[0].failure
    assert failure.count == 6 and "The rows have no column 'txt'" in failure.first_error


def test_a_decorator_without_parentheses_is_pointed_out():
    with pytest.raises(FunctionError, match=r"@labeling_function on 'bare' is missing its parentheses.\nFix: write"):

        @labeling_function
        def bare(row):
            return None


@pytest.mark.parametrize("label", ["", None, 3, b"x"])
def test_a_label_is_a_name(label):
    with pytest.raises(FunctionError, match=r"cannot be a label.\nFix"):
        labeling_function("spam", label)


def test_only_what_can_be_called_is_decorated():
    with pytest.raises(FunctionError, match=r"7 cannot be called.\nFix"):
        labeling_function("spam")(7)


def test_it_is_still_a_function_with_its_name_and_docstring():
    @labeling_function("spam", name="other")
    def f(row):
        """First line.

        More.
        """
        return row.text == "1"

    assert f(TABLE.rows()[1]) is True and f.name == "other" and f.description == "First line."
    assert f.__doc__.startswith("First line.") and repr(f) == "<python other -> spam>"
