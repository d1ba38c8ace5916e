"""Crowds: every answer is either a vote or set aside with its reason, and columns of workers are kept like others."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Labels, apply, crowd, crowd_matrix, keywords, read
from consilience.errors import ConsilienceError, DataError, FunctionError, LabelError
from consilience.labeling.function import Batch

ANSWERS = [
    {"item": "a", "worker": "ann", "label": "spam"},
    {"item": "b", "worker": "ann", "label": "ham"},
    {"item": "a", "worker": "bob", "label": "spam"},
    {"item": "c", "worker": "eve", "label": "ham"},
]
TABLE = read([{"id": name, "text": text} for name, text in zip("abcd", ["free", "hi", "free!", "x"], strict=True)])


def answers_of(*rows):
    return [dict(zip(("item", "worker", "label"), row, strict=True)) for row in rows]


# every answer is a vote, or set aside

CELL = st.none() | st.sampled_from(["", " ", "a", "b", "ä", "7"]) | st.integers(0, 2)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12))
def test_every_answer_is_a_vote_or_set_aside(rows):
    try:
        matrix = crowd_matrix(answers_of(*rows))
    except DataError:  # only where nothing at all is left
        assert not any(None not in row and "" not in row and " " not in row for row in rows)
        return
    assert (matrix.votes >= 0).sum() + len(matrix.table.rejects) == len(rows)
    assert [reject.line for reject in matrix.table.rejects] == sorted(r.line for r in matrix.table.rejects)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12))
def test_functions_say_what_the_matrix_says(rows):
    try:
        matrix = crowd_matrix(answers_of(*rows))
    except DataError:
        return
    workers = crowd(answers_of(*rows))
    applied = apply(workers, read([{"id": str(name)} for name in matrix.ids]))
    assert applied.names == matrix.names and applied.labels == matrix.labels
    assert applied.votes.tolist() == matrix.votes.tolist()
    assert workers.rejects == matrix.table.rejects


def test_what_is_set_aside_is_said_with_its_line_and_reason():
    rows = [
        ("a", "x", "dog"),
        (None, "x", "dog"),
        ("b", None, "dog"),
        ("c", "x", None),
        ("b", "x", "dgo"),
        ("a", "x", "cat"),
    ]
    matrix = crowd_matrix(answers_of(*rows), labels=["cat", "dog"])
    assert [(reject.line, reject.reason) for reject in matrix.table.rejects] == [
        (2, "no item"),
        (3, "no worker"),
        (4, "no label"),
        (5, "label 'dgo' is none of the labels. Did you mean 'dog'?"),
        (6, "worker x answered item a before: dog"),
    ]
    assert matrix.table.rejects[3].content == "b, x, dgo"
    assert matrix.ids.to_list() == ["a", "b", "c"] and matrix.votes.tolist() == [[1], [-1], [-1]]
    assert "5 set aside" in repr(crowd(answers_of(*rows), labels=["cat", "dog"]))


# what answers may look like


def test_numbers_are_names_and_labels_and_sort_as_numbers():
    rows = [(3, 7, 10), (12, 7, 2), (3, 8, None), (12, 8, 2)]
    matrix = crowd_matrix(answers_of(*rows), gold={12: 2, 99: 10})
    assert list(matrix.labels) == ["2", "10"] and matrix.names == ["7", "8"]
    assert matrix.ids.to_list() == [3, 12, 99] and matrix.gold.tolist() == [-1, 0, 1]
    assert matrix.votes.tolist() == [[1, -1], [0, 0], [-1, -1]]


def test_frames_files_and_dicts_give_the_same_matrix(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pl.DataFrame({"item": [1, 1, 2], "worker": ["ä", "b", "ä"], "label": [0, 1, 1]})
    frame.write_csv(tmp_path / "answers.csv")
    frame.write_parquet(tmp_path / "answers.parquet")
    sources = [frame, frame.to_dicts(), pandas.DataFrame(frame.to_dict(as_series=False)), *tmp_path.iterdir()]
    made = [crowd_matrix(source, gold=[{"item": 2, "truth": 1}]) for source in sources]
    for matrix in made:
        assert matrix.votes.tolist() == [[0, 1], [1, -1]] and matrix.names == ["ä", "b"]
        assert matrix.ids.to_list() == [1, 2] and matrix.gold.tolist() == [-1, 1]


def test_columns_may_have_other_names_and_a_missing_one_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "answers.csv").write_text("task,user,said\n1,x,yes\n2,x,no\n", "utf-8")
    path = tmp_path / "answers.csv"
    assert len(crowd(path, item="task", worker="user", label="said")) == 1
    with pytest.raises(DataError, match=r"answers.csv has no column 'item'.\nFix: There are 'task', 'user', 'said'."):
        crowd(path)
    with pytest.raises(DataError, match=r"There is no file .*none.csv.\nFix"):
        crowd(tmp_path / "none.csv")


@pytest.mark.parametrize("nothing", [[], [{"item": None, "worker": None, "label": None}]])
def test_no_answers_are_a_clear_error(nothing):
    with pytest.raises(DataError, match=r"(There are no answers|There is no answer that counts)(.|\n)*Fix: "):
        crowd_matrix(nothing)


def test_workers_may_answer_with_sets_of_labels():
    labels = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    matrix = crowd_matrix(answers_of(("a", "x", "animal"), ("a", "y", "not car"), ("a", "z", "cat|car")), labels=labels)
    assert matrix.labels.meanings[matrix.votes[0]].tolist() == [[True, True, False]] * 2 + [[True, False, True]]


# gold


def test_gold_that_contradicts_itself_or_has_no_item_is_set_aside_too():
    rows = [
        {"item": "a", "truth": "ham"},
        {"item": "a", "truth": "spam"},
        {"item": None, "truth": "ham"},
        {"item": "b", "truth": None},
    ]
    matrix = crowd_matrix(ANSWERS, gold=rows)
    assert [r.reason for r in matrix.table.rejects] == ["gold: item 'a' is 'ham' before", "gold: no item"]
    assert matrix.n_gold == 1 and matrix.gold[0] == matrix.labels.index("ham")


def test_gold_outside_the_labels_is_an_error():
    with pytest.raises(DataError, match=r"Gold column 'gold' has 'eggs'(.|\n)*Fix"):
        crowd_matrix(ANSWERS, labels=["ham", "spam"], gold={"a": "eggs"})
    assert "eggs" in crowd_matrix(ANSWERS, gold={"a": "eggs"}).labels


# as functions, beside others


def test_workers_vote_beside_other_functions_and_may_name_another_column():
    functions = [*crowd(ANSWERS), keywords("spam", ["free"], name="free")]
    matrix = apply(functions, TABLE)
    assert matrix.names == ["ann", "bob", "eve", "free"]
    assert matrix.names_of("ann") == ["spam", "ham", None, None] and matrix.names_of("free")[2] == "spam"
    shuffled = read([{"id": 1, "case": "c"}, {"id": 2, "case": "a"}, {"id": 3, "case": "a"}, {"id": 4, "case": None}])
    by_case = apply(crowd(ANSWERS, column="case"), shuffled)
    assert by_case.names_of("ann") == [None, "spam", "spam", None] and by_case.names_of("eve") == [
        "ham",
        None,
        None,
        None,
    ]


def test_a_worker_called_like_another_function_is_refused():
    with pytest.raises(FunctionError, match=r"Two labeling functions are called 'ann'.\nFix"):
        apply([*crowd(ANSWERS), keywords("spam", ["free"], name="ann")], TABLE)


def test_labels_the_matrix_does_not_have_are_refused():
    with pytest.raises(LabelError, match=r"Function 'ann' may say what it cannot(.|\n)*Fix"):
        apply(crowd(ANSWERS), TABLE, labels=["ham", "eggs"])
    with pytest.raises(LabelError, match="Fix"):
        crowd(ANSWERS)[0].vote(Batch(TABLE), Labels("ham"))


# only what changed is asked again


def test_a_fingerprint_hangs_on_the_answers_and_not_on_their_order_or_the_name():
    first, again = crowd(ANSWERS), crowd(ANSWERS[::-1])
    prints = {worker.name: worker.fingerprint for worker in first}
    assert prints == {worker.name: worker.fingerprint for worker in again}
    assert first[0].named("other").fingerprint == prints["ann"]
    assert len(set(prints.values())) == 3
    assert crowd(ANSWERS, column="text")[0].fingerprint != prints["ann"]
    assert crowd([{**ANSWERS[0], "label": "ham"}, *ANSWERS[1:]])[0].fingerprint != prints["ann"]


def test_one_more_answer_costs_one_column():
    cache = {}
    apply(crowd(ANSWERS), TABLE, cache=cache)
    more = apply(crowd([*ANSWERS, {"item": "d", "worker": "bob", "label": "ham"}]), TABLE, cache=cache)
    assert [info.from_store for info in more.functions] == [True, False, True]
    assert more.names_of("bob") == ["spam", None, None, "ham"]


def test_a_crowd_is_a_sequence_of_its_workers():
    workers = crowd(ANSWERS)
    assert len(workers) == 3 and workers[0].name == "ann" and [w.name for w in workers[1:]] == ["bob", "eve"]
    assert repr(workers) == "Crowd(3 workers, 4 answers on 3 items; labels ham, spam)"
    assert isinstance(DataError("x"), ConsilienceError)
