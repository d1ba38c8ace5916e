"""Reports: figures that agree with scikit-learn, intervals around them, and the rows behind each."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from consilience import LabelMatrix, Labels, MajorityVote, Table, apply, keywords, read
from consilience.end_models.report import make_report, report_votes, slice_masks
from consilience.errors import DataError

PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


def report_of(pairs, k, **options):
    labels = Labels(*"abcd"[:k])
    gold = [labels[truth] for truth, _ in pairs]
    frame = pl.DataFrame({"id": range(len(pairs)), "text": ["t"] * len(pairs), "y": gold})
    predicted = np.array([guess for _, guess in pairs])
    return make_report(Table(frame, gold="y"), predicted, labels, **options)


@given(PAIRS)
def test_figures_agree_with_scikit_learn(pairs):
    gold, predicted = (list(side) for side in zip(*pairs, strict=True))
    report = report_of(pairs, 3)
    present = sorted({*gold, *predicted})
    assert report.accuracy.value == pytest.approx(theirs.accuracy_score(gold, predicted))
    macro = theirs.f1_score(gold, predicted, average="macro", labels=present, zero_division=0)
    assert report.macro_f1.value == pytest.approx(macro)
    assert (report.confusion == theirs.confusion_matrix(gold, predicted, labels=[0, 1, 2])).all()
    assert np.isnan(report.f1.value)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_f1_of_two_labels_is_that_of_the_last(pairs):
    gold, predicted = (list(side) for side in zip(*pairs, strict=True))
    report = report_of(pairs, 2)
    if 1 in gold + predicted:
        assert report.f1.value == pytest.approx(theirs.f1_score(gold, predicted, zero_division=0))
    else:
        assert np.isnan(report.f1.value)


@given(PAIRS)
def test_intervals_hold_their_value(pairs):
    report = report_of(pairs, 3)
    for interval in (report.accuracy, report.macro_f1):
        assert 0 <= interval.low <= interval.value + 1e-9 and interval.value <= interval.high + 1e-9 <= 1 + 1e-6


def test_only_rows_with_gold_count():
    frame = pl.DataFrame({"id": ["a", "b", "c"], "text": ["x", "y", "z"], "y": ["ham", None, "spam"]})
    report = make_report(
        Table(frame, gold="y"),
        np.array([0, 1, 0]),
        Labels("ham", "spam"),
        slices={"first two": np.array([True, True, False])},
    )
    assert report.whole.ids == ("a", "c") and report.whole.wrong == ("c",)
    assert report.slices[0].ids == ("a",) and report.slices[0].name == "first two"
    assert report.errors.rows() == [("c", "spam", "ham", "z")]


def test_without_gold_there_is_nothing_to_score():
    with pytest.raises(DataError, match=r"No row has gold to score against.\nFix"):
        make_report(read([{"text": "a"}]), np.array([0]), Labels("ham"))


def test_rows_without_votes_get_the_most_frequent_label_and_the_report_says_so():
    table = read([{"text": "free", "y": "spam"}, {"text": "cash", "y": "spam"}, {"text": "hm", "y": "spam"}], gold="y")
    matrix = apply({"f": keywords("spam", ["free", "cash"])}, table, labels=["ham", "spam"])
    report = report_votes(MajorityVote().fit(matrix), matrix)
    assert report.accuracy.value == 1.0 and report.note == "1 rows without votes were given 'spam'"


def test_votes_without_rows_cannot_be_reported_on():
    matrix = LabelMatrix.from_votes([[0]], ["ham"], gold=["ham"])
    with pytest.raises(DataError, match=r"These votes have no rows behind them.\nFix"):
        report_votes(MajorityVote().fit(matrix), matrix)


def test_slices_are_the_rows_functions_vote_on():
    table = read([{"text": "free"}, {"text": "hello"}])
    masks = slice_masks(table, {"offers": keywords("anything", ["free"])})
    assert {name: mask.tolist() for name, mask in masks.items()} == {"offers": [True, False]}
    assert slice_masks(table, []) == {}


def test_a_report_is_shown_in_a_terminal_a_notebook_and_json():
    report = report_of([(0, 0), (1, 0), (1, 1)], 2, note="<b>note</b>")
    assert "accuracy" in str(report) and "F1 of b" in str(report)
    assert "<b>note" not in report._repr_html_() and "&lt;b&gt;note" in report._repr_html_()
    record = json.loads(json.dumps(report.record()))
    assert record["wrong_ids"] == ["1"] and record["confusion"] == [[1, 0], [1, 1]]
    assert record["rows"][0]["accuracy"] == pytest.approx([0.666667, 0.207655, 0.93851], abs=1e-4)


def test_the_same_seed_gives_the_same_intervals():
    pairs = [(0, 0), (1, 0), (1, 1), (0, 1)] * 5
    assert report_of(pairs, 2, seed=1).macro_f1 == report_of(pairs, 2, seed=1).macro_f1
    assert report_of(pairs, 2, seed=1).macro_f1 != report_of(pairs, 2, seed=2).macro_f1
