"""Label names: in order, distinct, and never silently wrong."""

from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Labels, Not, OneOf
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


# votes for sets of labels

SPACE = Labels("cat", "dog", "car", "vélo", groups={"animal": ["dog", "cat"]})


@given(st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=3))
def test_one_of_allows_its_labels_and_not_allows_the_others(chosen):
    labels = Labels("a", "b", "c", "d")
    assert set(labels.members(OneOf(*chosen))) == chosen
    assert set(labels.members(Not(*chosen))) == set(labels) - chosen
    space = labels.with_votes([OneOf(*chosen)])
    assert space.meanings[space.vote_index(OneOf(*chosen))].tolist() == [name in chosen for name in labels]
    assert space.find(chosen) == space.find(frozenset(chosen)) == space.vote_index(OneOf(*chosen))


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("animal", ("cat", "dog")),
        ("not animal", ("car", "vélo")),
        (Not("animal"), ("car", "vélo")),
        (OneOf("animal", "car"), ("cat", "dog", "car")),
        ("car | vélo", ("car", "vélo")),
        ("vélo|car", ("car", "vélo")),
        ("not vélo|car", ("cat", "dog")),
        (Not("vélo"), ("cat", "dog", "car")),
        (OneOf("cat", "cat"), ("cat",)),
    ],
)
def test_what_a_name_allows(name, members):
    assert SPACE.members(name) == members and SPACE.speaks_of(name)


def test_names_for_the_same_labels_are_one_vote():
    space = SPACE.with_votes(["dog|cat", OneOf("cat", "dog"), "not car|vélo", OneOf("car"), Not("car", "vélo")])
    assert space is SPACE and space.vote_index("dog|cat") == space.vote_index("animal") == 4
    assert Labels("ham", "spam").with_votes([Not("spam")]).votes == ("ham", "spam")
    assert OneOf("b", "a") == OneOf("a", "b", "a") == "a|b" and copy.deepcopy(Not("a", "b")).parts == ("a", "b")


@pytest.mark.parametrize("name", ["eggs", "cat|eggs", "not eggs", "not ", "|", "", 7, None, {"cat"}, ["cat"], "cat|"])
def test_a_name_that_is_no_vote_is_answered_with_a_fix(name):
    with pytest.raises(LabelError, match=r"(?s)is not a label.*\nFix: "):
        SPACE.members(name)
    assert not SPACE.speaks_of(name)


@pytest.mark.parametrize(
    "name", ["not cat|dog|car|vélo", OneOf("cat", "dog", "car", "vélo"), Not("animal", "vélo", "car")]
)
def test_none_or_all_of_the_labels_say_nothing(name):
    with pytest.raises(LabelError, match=r"has [04] of 4 labels, so a vote for it says nothing.\nFix"):
        SPACE.with_votes([name])


@pytest.mark.parametrize("bad", [(), ("",), (" ",), (None,), (["cat"],)])
def test_sets_of_no_labels_are_refused(bad):
    for make in (Not, OneOf):
        with pytest.raises(LabelError, match=r"cannot be labels.\nFix"):
            make(*bad)


def test_a_set_nobody_declared_has_no_code():
    with pytest.raises(LabelError, match=r"'not car' is a set of labels that no function was said to vote for.\nFix"):
        SPACE.vote_index("not car")
    assert SPACE.find({"cat", "car"}) is None and SPACE.find(set()) is None and SPACE.find({"eggs"}) is None


def test_labels_that_look_like_sets_are_labels():
    labels = Labels("spam", "not spam", "a|b")
    assert labels.members("not spam") == ("not spam",) and labels.members("a|b") == ("a|b",)
    assert labels.members(Not("a|b")) == ("spam", "not spam") and labels.members(Not("not spam")) == ("spam", "a|b")
    assert Labels("spam", "not spam").with_votes([Not("spam")]).vote_index(Not("spam")) == 1


@pytest.mark.parametrize(
    ("labels", "vote"),
    [
        (Labels("spam", "not spam", "eggs"), Not("spam")),
        (Labels("a", "b", "a|b"), OneOf("a", "b")),
        (Labels("a", "z", "not a", "c"), OneOf("not a", "z")),
        (Labels("a|b", "c", "d"), OneOf("a|b", "c")),
    ],
)
def test_a_set_that_would_not_read_as_what_it_means_is_refused(labels, vote):
    with pytest.raises(LabelError, match=r"is meant for (.|\n)*, but reads as (.|\n)*Fix: name the set"):
        labels.with_votes([vote])


def test_labels_with_other_groups_or_another_order_of_them_are_others():
    groups = {"x": ["a", "b"], "y": ["b", "c"]}
    labels, turned = Labels(*"abc", groups=groups), Labels(*"abc", groups=dict(reversed(groups.items())))
    assert labels != turned and labels == Labels(*"abc", groups=groups) and labels.plain == Labels(*"abc")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"cat": ["dog"]}, "'cat' cannot be a group of labels"),
        ({" ": ["dog"]}, "cannot be a group of labels"),
        ({"animal": []}, "has 0 of 3 labels"),
        ({"all": ["cat", "dog", "car"]}, "has 3 of 3 labels"),
        ({"animal": "cat"}, "has the labels 'cat'"),
        ({"animal": 3}, "has the labels 3"),
        ({"animal": ["cat", "dgo"]}, "'dgo' is not a label"),
    ],
)
def test_groups_that_cannot_be_are_refused_with_a_fix(groups, message):
    with pytest.raises(LabelError, match=f"(?s){message}.*\nFix: "):
        Labels("cat", "dog", "car", groups=groups)


# trees

TREE = Labels.tree({"animal": ["cat", "dog"], "vehicle": ["bike", {"car": ["van", "taxi", "bus"]}]})


def test_the_leaves_of_a_tree_are_labels_and_its_nodes_groups():
    assert list(TREE) == ["cat", "dog", "bike", "van", "taxi", "bus"]
    assert TREE.groups == {
        "animal": ("cat", "dog"),
        "vehicle": ("bike", "van", "taxi", "bus"),
        "car": ("van", "taxi", "bus"),
    }
    assert Labels.tree(["yes", "no"]) == Labels("yes", "no")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({}, "Below 'the root' there is nothing"),
        ([], "Below 'the root' there is nothing"),
        ({"animal": ["cat", "dog"]}, "Below 'the root' there is only 'animal'"),
        ({"animal": ["cat"], "x": ["y", "z"]}, "Below 'animal' there is only 'cat'"),
        ({"animal": [], "x": ["y", "z"]}, "Below 'animal' there is nothing"),
        ({"animal": {}, "x": ["y", "z"]}, "Below 'animal' there is nothing"),
        ({"animal": "cat", "x": ["y", "z"]}, "Below 'animal' there is 'cat'"),
        ({"animal": ["cat", "dog"], "x": ["cat", "z"]}, "The label 'cat' is given twice"),
        ({"x": ["a", {"x": ["b", "c"]}], "y": ["d", "e"]}, "The node 'x' is given twice"),
        ({"x": ["a", {"y": ["b", "c"]}], "z": [{"y": ["d", "e"]}, "f"]}, "The node 'y' is given twice"),
        ({"cat": ["cat", "dog"], "y": ["d", "e"]}, "'cat' cannot be a group"),
        (["cat", 7], "7 cannot be a label"),
        (["cat", ["dog", "x"]], "cannot be a label"),
    ],
)
def test_trees_that_cannot_be_are_refused_with_a_fix(nodes, message):
    with pytest.raises(LabelError, match=f"(?s){message}.*\nFix: "):
        Labels.tree(nodes)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=6, max_size=6), min_size=1, max_size=5), st.floats(0.5, 0.95))
def test_probabilities_roll_up_and_the_deepest_node_above_the_threshold_is_predicted(weights, threshold):
    proba = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    nodes = TREE.group_probability(proba)
    assert nodes.columns == list(TREE.votes)
    assert np.allclose(nodes["vehicle"], nodes["bike"] + nodes["car"]) and np.allclose(
        nodes["animal"], 1 - nodes["vehicle"]
    )
    parents = {"cat": "animal", "dog": "animal", "bike": "vehicle", "car": "vehicle"} | dict.fromkeys(
        ["van", "taxi", "bus"], "car"
    )
    for row, said in zip(nodes.to_dicts(), TREE.predict_nodes(proba, threshold=threshold), strict=True):
        node = None  # walk down while one child is probable enough: above one half there is at most one
        while below := [name for name in TREE.votes if parents.get(name) == node and row[name] > threshold + 1e-9]:
            (node,) = below
        assert said == node


def test_probabilities_of_another_shape_and_impossible_thresholds_are_refused():
    with pytest.raises(LabelError, match=r"Probabilities of shape \(1, 2\) are not of 6 labels.\nFix"):
        TREE.group_probability([[0.5, 0.5]])
    for threshold in (-0.1, 1.0, float("nan")):
        with pytest.raises(LabelError, match="is no probability"):
            TREE.predict_nodes(np.full((1, 6), 1 / 6), threshold=threshold)
    assert TREE.predict_nodes(np.empty((0, 6))) == [] and isinstance(
        TREE.group_probability(np.empty((0, 6))), pl.DataFrame
    )
