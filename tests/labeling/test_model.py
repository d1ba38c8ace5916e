"""Models as labeling functions: what is sure enough is said, nothing is unpickled, and batches change nothing."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import consilience as cs
from consilience.errors import DataError, ExtraError, FunctionError, StoreError
from consilience.labeling.model import Onnx
from consilience.labeling.state import state_fingerprint
from consilience.testing import check_labeling_function

LABELS = ["ham", "spam", "advert"]
TABLE = cs.read([{"id": n, "text": str(n), "x": n % 5, "y": (n * n) % 11} for n in range(30)], labels=LABELS)


def said(function, table=TABLE):
    return cs.apply({"f": function}, table, cache={}).names_of("f")


def failure(function):
    return cs.apply({"f": function}, TABLE, cache={}).functions[0].failure


def given_probabilities(rows):
    """A model that gives row n of an array for text n."""
    array = np.asarray(rows, np.float64)
    return lambda texts: array[[int(text) for text in texts]]


# what is said, against a plain loop


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=1, max_size=8),
    st.none() | st.floats(0, 1) | st.dictionaries(st.sampled_from(LABELS), st.floats(0, 1), min_size=1),
    st.integers(1, 9),
)
def test_the_most_probable_label_that_reaches_its_threshold_is_said(weights, threshold, batch_size):
    proba = [[w / sum(row) for w in row] for row in weights]
    f = cs.model(given_probabilities(proba), labels=LABELS, threshold=threshold, batch_size=batch_size)
    expected = []
    for row in proba:
        least = threshold if isinstance(threshold, dict) else dict.fromkeys(LABELS, threshold or 0.0)
        reach = [
            (round(p, 9), -place) for place, p in enumerate(row) if round(p, 9) >= round(least.get(LABELS[place], 2), 9)
        ]
        expected.append(LABELS[-max(reach)[1]] if reach else None)
    assert said(f, TABLE.take(range(len(proba)))) == expected


def test_classes_may_share_a_label_and_be_left_out():
    proba = [[0.3, 0.3, 0.4], [0.1, 0.2, 0.7]] + [[1, 0, 0]] * 28
    f = cs.model(given_probabilities(proba), labels=["spam", "spam", "ham"], threshold=0.5)
    assert said(f)[:3] == ["spam", "ham", "spam"]
    left_out = cs.model(given_probabilities(proba), labels=["spam", "spam", None], threshold=0.5)
    assert said(left_out)[:3] == ["spam", None, "spam"] and left_out.labels == ("spam",)


def test_one_probability_is_that_of_the_only_label():
    f = cs.model(lambda texts: np.array([int(text) / 30 for text in texts]), labels=["spam"])
    assert said(f) == ["spam" if n >= 15 else None for n in range(30)]
    assert said(cs.model(f.source.function, labels=["spam"], threshold=0.9)).count("spam") == 3


def test_labels_may_be_given_instead_of_probabilities():
    for give in (lambda names: names, lambda names: np.array(names, object), lambda names: pl.Series(names).to_list()):
        f = cs.model(lambda texts, give=give: give(["spam" if int(text) > 3 else None for text in texts]))
        assert said(f) == [None] * 4 + ["spam"] * 26
    numbers = cs.model(lambda texts: np.array([int(text) % 3 for text in texts]), labels={0: "ham", 2: cs.Not("ham")})
    assert said(numbers)[:4] == ["ham", None, "not ham", "ham"]


# what is given to the model


def test_columns_are_given_as_numbers_or_as_a_frame_by_name():
    X, y = TABLE.frame.select("x", "y"), np.where(TABLE.frame["x"] > 2, "spam", "ham")
    by_place = cs.model(LogisticRegression().fit(X.to_numpy(), y), columns=["x", "y"])
    by_name = cs.model(LogisticRegression().fit(X, y))
    assert said(by_place) == said(by_name) == y.tolist()
    assert said(cs.model(lambda frame: ["spam"] * frame["x"].len(), columns=["x"])) == ["spam"] * 30


def test_rows_without_anything_to_be_asked_about_are_abstained_on():
    frame = pl.DataFrame({"id": [1, 2, 3], "text": ["a", None, "b"], "x": [None, None, 1], "y": [1, None, 2]})
    table = cs.Table(frame, labels=LABELS)
    asked = []
    f = cs.model(lambda texts: asked.extend(texts) or ["spam"] * len(texts))
    assert said(f, table) == ["spam", None, "spam"] and asked == ["a", "b"]
    forest = HistGradientBoostingClassifier(max_iter=2).fit([[0, 1], [1, 2]] * 30, ["ham", "spam"] * 30)
    assert said(cs.model(forest, columns=["x", "y"]), table)[1] is None


def test_a_row_that_the_model_raises_on_fails_alone():
    f = cs.model(lambda texts: ["spam" if 1 / (int(text) % 7) else None for text in texts], batch_size=11)
    assert said(f) == [None if n % 7 == 0 else "spam" for n in range(30)]
    assert failure(f).count == 5 and failure(f).first_id == "0" and "ZeroDivisionError" in failure(f).first_error
    nan = cs.model(
        lambda texts: np.array([[np.nan if int(t) == 3 else 1.0, 0.0] for t in texts]), labels=["ham", "spam"]
    )
    assert failure(nan).count == 1 and failure(nan).first_id == "3" and said(nan).count("ham") == 29


@pytest.mark.parametrize("batch_size", [1, 7, 1024])
def test_votes_do_not_depend_on_the_batch(batch_size):
    texts = [f"{a} {b}" for a in "abcde" for b in "vwxyz"]
    pipeline = make_pipeline(TfidfVectorizer(token_pattern="."), LogisticRegression())
    pipeline.fit(texts, ["spam" if "a" in t or "z" in t else "ham" for t in texts])
    table = cs.read([{"text": text} for text in texts], labels=LABELS)
    check_labeling_function(cs.model(pipeline, threshold=0.6, batch_size=batch_size), table)
    assert said(cs.model(pipeline, threshold=0.6, batch_size=batch_size), table) == said(
        cs.model(pipeline, threshold=0.6), table
    )


# errors


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.model("model.pkl"), "is a pickle"),
        (lambda: cs.model("model.joblib"), "is a pickle"),
        (lambda: cs.model("model.h5"), "is no model that can be opened"),
        (lambda: cs.model("none.onnx"), "There is no file"),
        (lambda: cs.model(7), "is no model"),
        (lambda: cs.model(LogisticRegression()), "has no classes_"),
        (lambda: cs.model(LinearSVC().fit([[0], [1]], ["ham", "spam"]), threshold=0.5), "gives no probabilities"),
        (lambda: cs.model(len, threshold=2), "is no probability"),
        (lambda: cs.model(len, threshold={"spma": 0.5}, labels=["spam"]), "threshold for 'spma'"),
        (lambda: cs.model(len, labels=[]), "name no labels"),
        (lambda: cs.model(len, labels="spam"), "name no labels"),
        (lambda: cs.model(len, labels=[3]), "cannot be a label"),
        (lambda: cs.model(len, columns=3), "name no columns"),
        (lambda: cs.model(len, batch_size=0), "is no number of rows"),
        (lambda: cs.model(GaussianNB().fit([[0], [1]], [0, 1]), labels=["a", "b", "c"]), "has 2 classes"),
        (lambda: cs.model(GaussianNB().fit([[0], [1]], [0, 1]), labels={2: "a"}), "has no class '2'"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(make, words):
    with pytest.raises(FunctionError, match=rf"{words}(.|\n)*Fix: "):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cs.model(lambda texts: ["spam"]), "for 30 rows"),
        (lambda: cs.model(lambda texts: "spam"), "for 30 rows"),
        (lambda: cs.model(lambda texts: np.ones((30, 3)), labels=["ham", "spam"]), r"shape \(30, 3\)"),
        (lambda: cs.model(lambda texts: np.ones((30, 2))), "name the classes"),
        (lambda: cs.model(lambda texts: ["spma"] * 30), "not a label"),
        (lambda: cs.model(lambda texts: ["spam"] * 30, threshold=0.5), "threshold means nothing"),
        (lambda: cs.model(lambda texts: [1] * 30, labels=["ham"]), "none of its classes"),
    ],
)
def test_answers_of_another_shape_are_an_error(make, words):
    with pytest.raises(FunctionError, match=rf"(.|\n)*{words}"):
        said(make())


def test_columns_there_are_not_and_gold_are_refused():
    with pytest.raises(DataError, match=r"no column 'z'.\nFix"):
        said(cs.model(len, columns=["z"]))
    gold = cs.read([{"text": "a", "g": "ham"}], gold="g", labels=LABELS)
    with pytest.raises(DataError, match="is hidden"):
        said(cs.model(len, columns=["g"]), gold)


def test_files_that_are_something_else_are_refused(tmp_path):
    for name in ("m.npz", "m.onnx"):
        (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(StoreError, match="Fix: "):
        cs.model(tmp_path / "m.npz")
    pytest.importorskip("onnxruntime")
    with pytest.raises(FunctionError, match=r"cannot be opened as ONNX(.|\n)*Fix"):
        said(cs.model(tmp_path / "m.onnx", labels=["ham", "spam"]))


# fingerprints

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.where(X[:, 0] > 0, "ham", "spam")


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogisticRegression(),
        lambda: RandomForestClassifier(3, random_state=0),
        lambda: KNeighborsClassifier(algorithm="kd_tree"),
        lambda: HistGradientBoostingClassifier(max_iter=2, random_state=0),
        lambda: make_pipeline(LogisticRegression()),
    ],
)
def test_what_an_estimator_has_learned_is_its_fingerprint_however_often_it_is_used(make):
    fitted, again, other = make().fit(X, Y), make().fit(X, Y), make().fit(X[:, ::-1], Y)
    before = state_fingerprint(fitted)
    fitted.predict_proba(X)
    assert before == state_fingerprint(fitted) == state_fingerprint(again) != state_fingerprint(other)


def test_a_saved_classifier_is_the_one_that_was_saved(tmp_path):
    one, other = (cs.TextClassifier(min_rows=1).fit(["a b", "c"], names) for names in (["x", "y"], ["y", "x"]))
    one.save(tmp_path / "m.npz")
    assert cs.model(one).fingerprint == cs.model(tmp_path / "m.npz").fingerprint != cs.model(other).fingerprint


def test_what_hides_what_it_holds_needs_a_fingerprint():
    def held(text):
        yield text

    with pytest.raises(FunctionError, match=r"cannot be looked into(.|\n)*Fix: model\(..., fingerprint="):
        state_fingerprint([held("x")])

    class Hides:
        def __init__(self):
            self.secret = held("x")

        def __call__(self, texts):
            return ["spam"] * len(texts)

    one, two = (cs.model(Hides(), fingerprint=version) for version in "12")
    assert one.fingerprint != two.fingerprint and said(one) == ["spam"] * 30


@pytest.mark.slow  # loading torch takes seconds
def test_tensors_count_by_what_they_hold():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self, weight):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([weight]))

        def forward(self, texts):
            return ["spam" if len(text) > self.weight else None for text in texts]

    assert cs.model(Net(1.0)).fingerprint == cs.model(Net(1.0)).fingerprint != cs.model(Net(2.0)).fingerprint


def test_an_object_that_is_called_counts_by_what_it_holds():
    class Longer:
        def __init__(self, bound):
            self.bound = bound

        def __call__(self, texts):
            return ["spam" if len(text) > self.bound else None for text in texts]

    class Shorter(Longer):
        def __call__(self, texts):
            return ["spam" if len(text) < self.bound else None for text in texts]

    assert cs.model(Longer(1)).fingerprint != cs.model(Shorter(1)).fingerprint
    assert cs.model(Longer(1)).fingerprint == cs.model(Longer(1)).fingerprint != cs.model(Longer(2)).fingerprint


# ONNX


def test_without_onnxruntime_one_is_told_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExtraError, match=r"needs onnxruntime, which is not installed.\nFix: pip install 'consilience"):
        said(cs.model(tmp_path / "m.onnx", labels=["ham", "spam"]))


@pytest.fixture(scope="module")
def onnx_files(tmp_path_factory):
    """Files of a model of texts that names its classes, one that does not, and one of columns by name."""
    skl2onnx = pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    folder = tmp_path_factory.mktemp("onnx")
    # lower-casing by ONNX needs a locale that not every machine has
    texts = make_pipeline(TfidfVectorizer(token_pattern="[a-z]+", lowercase=False), LogisticRegression())
    texts.fit(["free cash", "win cash", "see you", "hi you"], ["spam", "spam", "ham", "ham"])
    wide = make_pipeline(LogisticRegression()).fit(X, Y)
    made = {
        "texts": skl2onnx.convert_sklearn(texts, initial_types=[("text", StringTensorType([None, 1]))]),
        "array": skl2onnx.convert_sklearn(
            wide, initial_types=[("x", FloatTensorType([None, 3]))], options={"zipmap": False}
        ),
    }
    for name, model in made.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    return folder, texts, wide


def test_an_onnx_file_says_what_the_model_said_that_it_was_made_of(onnx_files):
    folder, texts, wide = onnx_files
    rows = ["cash", "you and cash", "free", "see", "hi"]
    table = cs.read([{"text": text} for text in rows], labels=LABELS)
    for threshold in (None, 0.6):
        options = {"threshold": threshold, "labels": {"spam": "spam", "ham": "ham"}}
        assert said(cs.model(folder / "texts.onnx", **options), table) == said(cs.model(texts, **options), table)
    assert said(cs.model(folder / "texts.onnx"), table) == texts.predict(rows).tolist()
    frame = pl.DataFrame(X, schema=["a", "b", "c"]).with_row_index("id")
    table = cs.Table(frame, text=None, labels=LABELS)
    f = cs.model(folder / "array.onnx", labels=["ham", "spam"], columns=["a", "b", "c"], batch_size=7)
    assert said(f, table) == wide.predict(X).tolist()
    check_labeling_function(f, table)


def test_an_onnx_file_that_changes_is_opened_again_and_a_session_is_not_carried_along(onnx_files, tmp_path):
    folder, *_ = onnx_files
    source = Onnx(folder / "texts.onnx")
    source.ask(["cash"])
    assert source._session is not None and source.__getstate__()["_session"] is None
    path = tmp_path / "m.onnx"
    path.write_bytes((folder / "texts.onnx").read_bytes())
    source = Onnx(path)
    before, session = source.fingerprint, source._opened()
    path.write_bytes((folder / "array.onnx").read_bytes())
    assert source.fingerprint != before and source._opened() is not session


def test_weights_beside_an_onnx_file_count_and_must_lie_in_its_folder(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    table = cs.read([{"a": 1.0, "b": 0.0}])
    folder = tmp_path / "models"
    folder.mkdir()

    def saved(place, weights):
        held = onnx.numpy_helper.from_array(np.array(weights, np.float32), "w")
        (folder / place).write_bytes(held.raw_data)
        held.ClearField("raw_data")
        held.data_location = onnx.TensorProto.EXTERNAL
        held.external_data.add(key="location", value=place)
        of = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2]) for name in "xy"]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [of[0]], [of[1]], [held]
        )
        made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        (folder / "m.onnx").write_bytes(made.SerializeToString())
        return cs.model(folder / "m.onnx", labels=["p", "q"], columns=["a", "b"], name="f")

    long = "w" * 200 + ".bin"
    for place in ("w.bin", long):
        first = saved(place, [[1, 0], [0, 1]])
        before = first.fingerprint
        assert cs.apply([first], table, labels=["p", "q"]).names_of("f") == ["p"]
        assert saved(place, [[0, 1], [1, 0]]).fingerprint != before
    for place in ("../w.bin", str(tmp_path / "w.bin")):
        with pytest.raises(FunctionError, match=r"no file in its folder.\nFix: put it there"):
            _ = saved(place, [[1, 0], [0, 1]]).fingerprint
