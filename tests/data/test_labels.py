"""Label names: in order, distinct, and never silently wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Labels
from consilience.errors import LabelError, nearest

NAMES = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=6, unique=True)


@given(NAMES, st.data())
def test_decoding_undoes_encoding(names, data):
    said = data.draw(st.lists(st.none() | st.sampled_from(names)))
    labels = Labels(*names)
    assert labels.decode(labels.encode(said).tolist()) == said


@given(NAMES)
def test_a_name_has_the_code_of_its_place(names):
    labels = Labels(*names)
    assert [labels.index(name) for name in names] == list(range(len(names)))
    assert list(labels) == names and labels[0] == names[0] and len(labels) == len(names)


def test_labels_of_labels_are_the_same_object():
    labels = Labels("ham", "spam")
    assert Labels.of(labels) is labels
    assert Labels.of(["ham", "spam"]) == labels and hash(Labels.of(["ham", "spam"])) == hash(labels)
    assert labels != Labels("spam", "ham") and labels != ("ham", "spam")
    assert repr(labels) == "Labels('ham', 'spam')" and "ham" in labels and "eggs" not in labels


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(LabelError, match=r"'spma' is not a label.\nFix: Did you mean 'spam'\?"):
        Labels("ham", "spam").encode(["ham", "spma"])


def test_an_unhashable_name_is_no_label():
    with pytest.raises(LabelError, match="is not a label"):
        Labels("ham").index(["ham"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "No labels were given"),
        (("ham", "ham"), "'ham' is given twice"),
        (("ham", ""), "'' cannot be a label"),
        (("ham", "  "), "cannot be a label"),
        (("ham", None), "None cannot be a label"),
        ((1,), "1 cannot be a label"),
    ],
)
def test_names_that_cannot_be_are_refused_with_a_fix(names, message):
    with pytest.raises(LabelError, match=f"(?s){message}.*\nFix: "):
        Labels(*names)


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ([], "There are none."),
        (["left", "right"], "There are 'left', 'right'."),
        ([f"{place}{place}" for place in range(20)], "..."),
    ],
)
def test_what_is_nearest_to_nothing_is_a_list_of_what_there_is(known, sentence):
    assert sentence in nearest("qqq", known)
