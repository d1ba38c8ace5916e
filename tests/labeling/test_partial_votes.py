"""Votes for sets of labels, end to end: every kind of function may give them, and every report understands them."""

from __future__ import annotations

import pytest

from consilience import (
    DawidSkene,
    LabelMatrix,
    LabelModel,
    Labels,
    MajorityVote,
    Not,
    OneOf,
    apply,
    expression,
    keywords,
    labeling_function,
    pattern,
    read,
    recorded,
)
from consilience.end_models.report import slice_masks
from consilience.errors import DataError, FunctionError, LabelError, VoteError

ROWS = [
    {"text": "it purrs", "y": "cat", "anna": "cat|dog", "n": 1},
    {"text": "it barks", "y": "dog", "anna": "animal", "n": 2},
    {"text": "it honks", "y": "car", "anna": "not dog|cat", "n": 3},
    {"text": "it rings, naïf", "y": "vélo", "anna": None, "n": 4},
]
LABELS = Labels("cat", "dog", "car", "vélo", groups={"animal": ["cat", "dog"]})
TABLE = read(ROWS, gold="y", labels=LABELS)


def said(function, labels=LABELS):
    return apply({"f": function}, TABLE, labels=labels, cache={}).names_of("f")


@labeling_function("cat", OneOf("dog", "car"), Not("cat"))
def returns_sets(row):
    return [{"cat"}, {"dog", "car"}, frozenset({"dog", "car", "vélo"}), Not("cat")][row.n - 1]


@labeling_function("cat", "animal", OneOf("car", "vélo"))
def returns_names(row):
    return ["cat", OneOf("dog", "cat"), "vélo|car", Not("animal")][row.n - 1]


@pytest.mark.parametrize(
    ("function", "votes"),
    [
        (keywords(Not("cat"), ["barks", "honks"]), [None, "not cat", "not cat", None]),
        (pattern(OneOf("vélo", "car"), "honks|rings"), [None, None, "car|vélo", "car|vélo"]),
        (expression(Not("animal"), "n > 2"), [None, None, "not animal", "not animal"]),
        (keywords("animal", ["purrs"]), ["animal", None, None, None]),
        (keywords(OneOf("dog", "cat"), ["purrs"]), ["animal", None, None, None]),
        (keywords("not car|vélo", ["purrs"]), ["animal", None, None, None]),
        (returns_sets, ["cat", "car|dog", "not cat", "not cat"]),
        (returns_names, ["cat", "animal", "car|vélo", "car|vélo"]),
        (recorded("anna", labels=["animal", Not("animal")]), ["animal", "animal", "not animal", None]),
        (labeling_function()(lambda row: {"dog", "cat"}), ["animal"] * 4),
    ],
)
def test_every_kind_of_function_may_say_sets_of_labels(function, votes):
    assert said(function) == votes


def test_names_of_sets_stay_understood_whatever_other_functions_say_and_in_kept_columns():
    cache = {}
    first = {"f": keywords(Not("car", "vélo"), ["purrs"]), "g": keywords(OneOf("cat", "dog"), ["barks"])}
    plain = ["cat", "dog", "car", "vélo"]
    one = apply(first, TABLE, labels=plain, cache=cache)
    two = apply({"g": first["g"], "f": first["f"]}, TABLE, labels=plain, cache=cache)
    assert one.labels.votes[4:] == ("not car|vélo",) and two.labels.votes[4:] == ("cat|dog",)
    assert one.votes[:, 0].tolist() == two.votes[:, 1].tolist() == [4, -1, -1, -1] and len(cache) == 2
    assert all(info.from_store for info in two.functions)


def test_a_group_that_now_means_other_labels_is_voted_on_again():
    cache, calls = {}, []

    class Counter:
        fingerprint = "counter"

        def __call__(self):
            calls.append(1)

    count = Counter()

    @labeling_function("animal")
    def f(row):
        count()
        return {"cat", "dog"}

    assert apply([f], TABLE, cache=cache).names_of("f") == ["animal"] * 4
    other = Labels("cat", "dog", "car", "vélo", groups={"animal": ["cat", "dog", "vélo"]})
    again = apply([f], TABLE, labels=other, cache=cache)
    assert again.names_of("f") == [None] * 4 and again.functions[0].failure.count == 4 and len(calls) == 8


def test_what_others_may_say_does_not_change_what_a_function_without_labels_may_say():
    cache, anything = {}, labeling_function(name="any")(lambda row: Not("cat"))
    for others in ([], [keywords(Not("cat"), ["barks"], name="k")]):
        matrix = apply([anything, *others], TABLE, cache=cache)
        assert matrix.names_of("any") == [None] * 4 and matrix.functions[0].failure.count == 4
    assert len(cache) == 2 and matrix.functions[0].from_store


def test_where_nobody_says_what_the_labels_are_a_set_names_some_of_them():
    table = read([{"text": "free"}, {"text": "see you"}])
    matrix = apply({"f": keywords("ham", ["you"]), "g": keywords(Not("spam"), ["see"])}, table)
    assert list(matrix.labels) == ["ham", "spam"] and matrix.names_of("g") == [None, "ham"]
    plain = apply({"f": keywords("not spam", ["you"]), "g": keywords("a|b", ["see"])}, table)
    assert list(plain.labels) == ["not spam", "a|b"]
    with pytest.raises(LabelError, match=r"Function 'g' may say what it cannot(.|\n)*has 0 of 1 labels(.|\n)*Fix"):
        apply({"g": keywords(Not("spam"), ["see"])}, table)


@pytest.mark.parametrize(
    "answer", [set(), {"cat", "dog", "car", "vélo"}, {"eggs"}, {1}, {"cat", "vélo"}, "cat|vélo", "not "]
)
def test_answers_that_are_no_declared_set_are_counted_and_abstained_on(answer):
    matrix = apply({"f": labeling_function("cat", OneOf("cat", "dog"))(lambda row: answer)}, TABLE, cache={})
    failure = matrix.functions[0].failure
    assert matrix.names_of("f") == [None] * 4 and failure.count == 4
    assert "which is not one of its labels" in failure.first_error and "\nFix: " in failure.first_error


def test_a_set_of_unknown_no_or_all_labels_is_refused_with_the_functions_name():
    for vote, message in [
        (Not("eggs"), "'eggs' is not a label"),
        ("cat|eggs", "'cat|eggs' is not a label"),
        (OneOf("cat", "dog", "car", "vélo"), "has 4 of 4 labels"),
        (Not("animal", "car", "vélo"), "has 0 of 4 labels"),
    ]:
        with pytest.raises(LabelError) as error:
            apply({"f": keywords(vote, ["x"])}, TABLE)
        assert "Function 'f' may say what it cannot" in str(error.value) and message in str(error.value)


def test_a_recorded_column_says_only_what_it_may():
    with pytest.raises(DataError, match=r"Column 'anna' says 'cat\|dog', which is not one of \['cat'\](.|\n)*Fix"):
        said(recorded("anna", labels=["cat"]))
    with pytest.raises(DataError, match=r"says 'not dog\|cat'(.|\n)*must be given in recorded\(..., labels=...\)"):
        said(recorded("anna"))
    with pytest.raises(FunctionError, match=r"cannot be labels.\nFix"):
        recorded("anna", labels="cat")


def test_labels_that_are_spelled_like_sets_are_said_as_they_are():
    table = read([{"text": "a"}, {"text": "b"}])
    labels = ["spam", "not spam", "a|b", "x"]
    functions = {"f": keywords("not spam", ["a"]), "g": keywords("a|b", ["b"]), "h": keywords(Not("a|b"), ["a"])}
    matrix = apply(functions, table, labels=labels)
    assert [matrix.names_of(name) for name in "fgh"] == [["not spam", None], [None, "a|b"], ["not a|b", None]]
    with pytest.raises(LabelError, match="Function 'f' may say what it cannot: 'not spam' is meant for"):
        apply({"f": keywords(Not("spam"), ["a"])}, table, labels=labels)
    named = Labels(*labels, groups={"decent": ["not spam", "a|b", "x"]})
    assert apply({"f": keywords("decent", ["a"])}, table, labels=named).names_of("f") == ["decent", None]


# reports

FUNCTIONS = {
    "alive": keywords("animal", ["purrs", "barks", "honks"]),
    "loud": keywords(Not("cat"), ["barks", "honks"]),
    "cat": keywords("cat", ["purrs"]),
}
MATRIX = apply(FUNCTIONS, TABLE)


def test_a_vote_for_a_set_is_right_if_gold_is_in_it():
    lines = {line.info.name: line for line in MATRIX.summary().lines}
    assert lines["alive"].accuracy.value == pytest.approx(2 / 3) and lines["loud"].accuracy.value == 1.0
    assert lines["alive"].says == ("animal",) and lines["loud"].says == ("not cat",)
    assert (lines["alive"].conflict, lines["cat"].conflict) == (0.0, 0.0)
    both = apply({"f": returns_sets}, TABLE).summary()
    assert both.frame["says"].to_list() == ["cat, car|dog, not cat"]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("alive=animal", [0, 1, 2]),
        ("cat=animal", [0]),
        ("alive=cat", []),
        ("alive!=cat", [0, 1, 2]),
        ("alive='not car|vélo'", [0, 1, 2]),
        ('loud="not cat"', [1, 2]),
        ('cat="not dog"', [0]),
        ('!cat="not dog"', [1, 2, 3]),
        ("gold=animal", [0, 1]),
        ("gold!=animal", [2, 3]),
        ('gold="car|vélo"', [2, 3]),
        ('gold="not animal" & loud', [2]),
        ("conflict", []),
    ],
)
def test_queries_understand_sets(query, rows):
    assert MATRIX.where(query).ids.to_list() == [TABLE.ids[place] for place in rows]


@pytest.mark.parametrize("query", ["alive=eggs", "alive='cat|eggs'", "gold='not cat|dog|car|vélo'"])
def test_a_query_for_a_set_that_cannot_be_says_where(query):
    with pytest.raises(VoteError, match=r"In the query (.|\n)*at character(.|\n)*\nFix: "):
        MATRIX.where(query)


def test_a_row_no_label_can_satisfy_is_in_conflict():
    matrix = LabelMatrix.from_votes([[4, 2], [4, 0], [4, 4]], LABELS)
    assert matrix.where("conflict").ids.to_list() == [0]


def test_slices_of_functions_that_say_sets():
    masks = slice_masks(TABLE, {**FUNCTIONS, "plain": keywords("new", ["rings"])})
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "alive": [True, True, True, False],
        "loud": [False, True, True, False],
        "cat": [True, False, False, False],
        "plain": [False, False, False, True],
    }


@pytest.mark.parametrize("make", [MajorityVote, DawidSkene, LabelModel])
def test_models_learn_from_sets_make_training_sets_and_come_back_from_files(make, tmp_path):
    labels = Labels(*LABELS, groups={"wheels": ["car", "vélo"], "animal": ["cat", "dog"]})  # not in alphabetical order
    matrix = apply({**FUNCTIONS, "w": keywords("wheels", ["rings"])}, TABLE, labels=labels)
    model = make().fit(matrix)
    made = model.training_set(matrix)
    assert list(made.labels) == list(LABELS) and not made.labels.groups and made.why[1] == "alive=animal, loud=not cat"
    made.to_jsonl(tmp_path / "made.jsonl")
    model.save(tmp_path / "model.npz")
    again = make.load(tmp_path / "model.npz")
    assert again.labels_ == matrix.labels
    assert (again.predict_proba(matrix) == model.predict_proba(matrix)).all()
    assert model.summary(matrix).rows[0][2] == pytest.approx(2 / 3)
