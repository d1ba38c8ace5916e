"""Functions in Snorkel's style as labeling functions of names: in apply, in lfs.py, cached like any other."""

from __future__ import annotations

import textwrap

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience.compat.snorkel import to_consilience
from consilience.compat.snorkel.labeling import LabelingFunction, PandasLFApplier, labeling_function
from consilience.compat.snorkel.preprocess import preprocessor
from consilience.compat.snorkel.slicing import slicing_function
from consilience.errors import FunctionError, LabelError
from consilience.labeling.casting import cast
from consilience.labeling.function import Batch
from consilience.project.functions import written_functions

LABELS = ["ham", "spam"]
TABLE = cs.read(
    [{"body": text, "n": i} for i, text in enumerate(["Check OUT", "song", "", "plz check", "so short"])], text="body"
)


@preprocessor(memoize=True)
def lower(x):
    x.lower = x.text.lower()
    x.n = x.n + 1
    return x


@labeling_function(pre=[lower])
def check(x):
    """Asks to look."""
    return 1 if "check" in x.lower and x.n > 0 else -1


@labeling_function(resources={"most": 1})
def short(x, most):
    return 0 if len(x["body"].split()) <= most else -2


@slicing_function()
def asks(x):
    return "plz" in x.body


def test_votes_are_the_names_of_the_integers():
    matrix = cs.apply([to_consilience(check, LABELS), to_consilience(short, LABELS)], TABLE)
    frame = TABLE.frame.with_columns(text=pl.col("body"))
    assert np.array_equal(matrix.votes, PandasLFApplier([check, short]).apply(frame))
    assert matrix.names_of("check") == ["spam", None, None, "spam", None]
    assert matrix.functions[0].description == "Asks to look."
    assert matrix.functions[0].kind == "snorkel"


def test_it_stands_beside_functions_of_every_kind_and_is_kept_with_the_table():
    functions = [to_consilience(check, LABELS), cs.keywords("ham", ["song"], name="song")]
    cs.apply(functions, TABLE)
    again = cs.apply([to_consilience(check, LABELS), functions[1]], TABLE)
    assert [info.from_store for info in again.functions] == [True, True]
    changed = LabelingFunction("check", lambda x: 0)
    assert not cs.apply([to_consilience(changed, LABELS)], TABLE).functions[0].from_store


def test_votes_do_not_hang_on_how_rows_are_cut():
    function = to_consilience(check, LABELS)
    labels = cs.Labels(*LABELS)
    whole = cast([function], Batch(TABLE), labels)[0].codes
    parts = [cast([function], Batch(TABLE, start, start + 2), labels)[0].codes for start in (0, 2, 4)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_a_slicing_function_says_its_one_label():
    assert cs.apply([to_consilience(asks, ["spam"])], TABLE, labels=LABELS).names_of("asks") == [
        None,
        None,
        None,
        "spam",
        None,
    ]
    with pytest.raises(FunctionError, match=r"says one label, not 2.\nFix: "):
        to_consilience(asks, LABELS)


@pytest.mark.parametrize("answer", [2, None, "ham", [1], 0.5])
def test_an_answer_that_is_no_label_is_counted_and_abstained_on(answer):
    odd = to_consilience(LabelingFunction("odd", lambda x: answer), LABELS)
    matrix = cs.apply([odd], TABLE)
    assert (matrix.votes == -1).all()
    assert matrix.functions[0].failure.count == len(TABLE)
    assert "is not one of its labels" in matrix.functions[0].failure.first_error


def test_a_row_on_which_it_raises_is_counted_and_abstained_on():
    fails = to_consilience(LabelingFunction("fails", lambda x: 1 if x.n < 3 else x.nothing), LABELS)
    matrix = cs.apply([fails], TABLE)
    assert matrix.votes.ravel().tolist() == [1, 1, 1, -1, -1]
    assert matrix.functions[0].failure.count == 2
    assert "no field 'nothing'" in matrix.functions[0].failure.first_error


def test_it_can_be_called_on_one_row_and_named():
    function = to_consilience(check, LABELS, name="look")
    assert (function.name, function(TABLE.rows()[0]), function(TABLE.rows()[1])) == ("look", "spam", None)


def test_a_row_that_others_see_is_not_written_to():
    def shout(x):
        x.body = x.body.upper()
        return 1

    matrix = cs.apply([to_consilience(LabelingFunction("shout", shout), LABELS), to_consilience(short, LABELS)], TABLE)
    assert matrix.functions[0].failure.count == len(TABLE)
    assert "Fix: use a variable, or set it in a preprocessor" in matrix.functions[0].failure.first_error
    assert TABLE.rows()[1].body == "song"


def test_gold_stays_hidden():
    table = cs.read([{"text": "a", "y": "ham"}], gold="y")
    peeks = to_consilience(LabelingFunction("peeks", lambda x: 0 if x.y == "ham" else 1), LABELS)
    assert cs.apply([peeks], table).functions[0].failure.count == 1


def test_what_is_no_such_function_is_an_error():
    with pytest.raises(FunctionError, match=r"no labeling function in Snorkel's style.\nFix: "):
        to_consilience(len, LABELS)
    with pytest.raises(LabelError):
        cs.apply([to_consilience(check, LABELS)], TABLE, labels=["no", "yes"])


def test_a_projects_file_may_hold_it(tmp_path):
    (tmp_path / "lfs.py").write_text(
        textwrap.dedent("""
        from consilience.compat.snorkel import to_consilience
        from consilience.compat.snorkel.labeling import labeling_function

        @labeling_function()
        def lf_check(x):
            return 1 if "check" in x.text else -1

        check = to_consilience(lf_check, ["ham", "spam"])
        """),
        "utf-8",
    )
    found = written_functions(tmp_path / "lfs.py")
    assert [function.name for function in found] == ["lf_check"]
    assert cs.apply(found, TABLE).names_of("lf_check")[3] == "spam"


def test_it_can_be_sent_to_another_process():
    cloudpickle = pytest.importorskip("cloudpickle")
    check(TABLE.rows()[0])
    twin = cloudpickle.loads(cloudpickle.dumps(to_consilience(check, LABELS)))
    assert np.array_equal(cs.apply([twin], TABLE).votes, cs.apply([to_consilience(check, LABELS)], TABLE).votes)
