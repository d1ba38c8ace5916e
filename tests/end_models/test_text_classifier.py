"""The text classifier: scikit-learn's contract with soft labels, saved without pickle."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from consilience import Labels, MajorityVote, Table, TextClassifier, TrainingSet, apply, keywords, pattern, read
from consilience.errors import ModelError, StoreError

HAM = ["hello my friend", "see you at home", "good morning friend", "see my home"]
SPAM = ["win cash now", "free cash prize", "win a free prize", "cash prize now"]
TEXTS, NAMES = HAM + SPAM, ["ham"] * 4 + ["spam"] * 4


@pytest.fixture(scope="module")
def fitted():
    return TextClassifier(min_rows=1).fit(TEXTS, NAMES)


def test_it_learns_words_and_parts_of_words(fitted):
    assert fitted.predict(["a friend at home", "freee cashh"]).tolist() == ["ham", "spam"]
    assert fitted.score(TEXTS, NAMES) == 1.0 and fitted.classes_.tolist() == ["ham", "spam"]
    assert "cash" in fitted.top_terms(5)["spam"] and "friend" in fitted.top_terms(5)["ham"]


def test_probabilities_are_distributions_in_the_order_of_the_classes(fitted):
    proba = fitted.predict_proba(TEXTS)
    assert proba.shape == (8, 2) and np.allclose(proba.sum(axis=1), 1)
    assert (proba[:4, 0] > 0.5).all() and (proba[4:, 1] > 0.5).all()
    assert fitted.predict_proba([]).shape == (0, 2) and fitted.predict([]).tolist() == []


def test_three_labels_and_soft_labels_are_no_different():
    soft = np.eye(3)[[0, 0, 1, 1, 2, 2]] * 0.8 + 0.2 / 3
    model = TextClassifier(min_rows=1).fit(["a b", "a", "c d", "c", "e f", "e"], soft)
    assert model.classes_.tolist() == ["0", "1", "2"] and model.predict(["a", "c", "e"]).tolist() == ["0", "1", "2"]


def test_a_training_set_and_its_parts_teach_the_same():
    table = read([{"text": text} for text in TEXTS])
    matrix = apply({"f": keywords("spam", ["cash", "prize"]), "g": keywords("ham", ["friend", "home"])}, table)
    made = MajorityVote().fit(matrix).training_set(matrix)
    whole = TextClassifier(min_rows=1).fit(made)
    parts = TextClassifier(min_rows=1).fit(made.texts, made.soft_labels, sample_weight=made.weights)
    assert np.array_equal(whole.predict_proba(TEXTS), parts.predict_proba(TEXTS))
    assert whole.classes_.tolist() == list(matrix.labels)
    relabelled = TextClassifier(min_rows=1).fit(made, made.hard_labels)
    assert (relabelled.predict(TEXTS) == whole.predict(TEXTS)).all()


def test_weights_count():
    texts = ["free call", "free call"]
    for heavy, name in (([9, 1], "a"), ([1, 9], "b")):
        assert TextClassifier(min_rows=1).fit(texts, ["a", "b"], sample_weight=heavy).predict(texts)[0] == name


def test_saving_and_loading_gives_the_same_model_to_the_last_bit(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    again = TextClassifier.load(tmp_path / "model.npz")
    texts = [*TEXTS, "never seen ünïcode", ""]
    assert again.predict_proba(texts).tobytes() == fitted.predict_proba(texts).tobytes()
    assert again.get_params() == fitted.get_params() and again.top_terms() == fitted.top_terms()
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()
    assert TextClassifier.load((tmp_path / "model.npz").read_bytes()).classes_.tolist() == ["ham", "spam"]


def test_other_files_are_refused(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"is not a model saved by Consilience(.|\n)*Fix"):
        TextClassifier.load(tmp_path / "model.npz")


# scikit-learn's contract


def test_settings_are_kept_asked_for_and_changed():
    model = TextClassifier(penalty=2.0)
    assert model.set_params(max_features=5, min_rows=3) is model
    assert model.get_params() == {"penalty": 2.0, "max_features": 5, "min_rows": 3, "max_iterations": 300}
    assert repr(model).startswith("TextClassifier(penalty=2.0, max_features=5")
    with pytest.raises(ModelError, match=r"TextClassifier has no setting 'C'.\nFix"):
        model.set_params(C=1)


def test_a_clone_has_the_settings_and_nothing_learned(fitted):
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    with pytest.raises(ModelError, match=r"has learned nothing yet.\nFix"):
        twin.predict_proba(TEXTS)


def test_fitting_twice_gives_the_same(fitted):
    again = TextClassifier(min_rows=1).fit(TEXTS, NAMES)
    assert again.predict_proba(TEXTS).tobytes() == fitted.predict_proba(TEXTS).tobytes()


# what cannot be


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        (["a", "b"], ["x", "x"], None, r"the labels \['x'\] to learn from; two labels are needed"),
        (read([{"text": "a"}]).take([]), np.empty((0, 2)), None, "There are no texts to learn from"),
        (["a", "b"], np.array([[1.0, 0.0], [1.0, 0.0]]), None, "two labels are needed"),
        ("one text", ["x"], None, "The texts are one string"),
        (["a", "b"], None, None, "There is nothing to learn from"),
        (["a", "b"], ["x", "y", "x"], None, "2 texts have labels of shape"),
        (["a", "b"], ["x", "y"], [1.0], "2 texts have labels of shape"),
        (["a", "b"], ["x", "y"], 2.0, "2 texts have labels of shape"),
        (["a", "b"], np.array([[np.nan, 0.0], [1.0, 0.0]]), None, "not finite"),
        (["a", "b"], ["x", "y"], [np.inf, 1], "not finite"),
        (["a", "b"], ["x", "y"], [1, -1], "below 0"),
        (["abc", "xyz"], ["x", "y"], None, "nothing in common to learn from"),
        (["!!!", "???"], ["x", "y"], None, "nothing in common to learn from"),
    ],
)
def test_what_cannot_be_learned_from_says_why(X, y, weight, message):
    with pytest.raises(ModelError, match=f"(?s){message}.*\nFix: "):
        TextClassifier().fit(X, y, sample_weight=weight)


# evaluation


def test_a_report_by_slice(fitted):
    table = Table(
        pl.DataFrame({"id": range(9), "text": [*TEXTS, "hello cash"], "y": [*NAMES[:-1], "ham", None]}), gold="y"
    )
    link = keywords("spam", ["cash"], name="money")
    report = fitted.evaluate(table, slices=[link, pattern("ham", "^zzz", name="empty")])
    assert report.accuracy.value == pytest.approx(7 / 8) and report.whole.wrong == (7,)
    assert len(report.whole.ids) == 8
    money, empty = report.slices
    assert money.ids == (4, 5, 7) and money.wrong == (7,)
    assert empty.ids == () and np.isnan(empty.accuracy.value)
    assert report.errors.rows() == [(7, "ham", "spam", "cash prize now")]


def test_gold_the_classifier_does_not_know_is_an_error(fitted):
    with pytest.raises(ValueError, match="'eggs'"):
        fitted.evaluate(read([{"text": "a", "y": "eggs"}], gold="y"))


def test_a_training_set_of_gold_is_supervised_learning():
    table = read([{"text": text, "y": name} for text, name in zip(TEXTS, NAMES, strict=True)], gold="y")
    made = TrainingSet.from_gold(table, Labels("spam", "ham"))
    model = TextClassifier(min_rows=1).fit(made)
    assert model.classes_.tolist() == ["spam", "ham"] and model.score(made, NAMES) == 1.0


def test_an_unfitted_model_says_so():
    with pytest.raises(ModelError, match=r"has learned nothing yet.\nFix"):
        TextClassifier().predict(TEXTS)


def test_no_rows_are_an_error():
    with pytest.raises(ModelError, match=r"There are no texts to learn from.\nFix: "):
        TextClassifier().fit([], [])
