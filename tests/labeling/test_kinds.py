"""Every kind of labeling function, in one suite: names, labels, fingerprints, batches, odd rows, and lfs.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import consilience as cs
from consilience.labeling.function import LabelingFunction
from consilience.project.functions import declared_functions
from consilience.testing import check_labeling_function

LABELS = cs.Labels("ham", "spam", "advert")
WORDS = ["free cash", "see you", "WIN cash now", "hi", "", "buy now", "naïve 你好", "cash?", "so long", "free"]
PEOPLE = ["ann", "bob", "eve", None, "ann "]
TABLE = cs.Table(
    pl.DataFrame(
        {
            "id": [f"r{n}" for n in range(40)],
            "text": [f"{WORDS[n % 10]} {n}" if n % 11 else None for n in range(40)],
            "first": [PEOPLE[n % 5] for n in range(40)],
            "second": [PEOPLE[n % 3] for n in range(40)],
            "n": [n % 7 if n % 13 else None for n in range(40)],
            "anna": [("spam", "ham", None)[n % 3] for n in range(40)],
            "gold": ["spam" if n % 2 else None for n in range(40)],
        }
    ),
    gold="gold",
    labels=LABELS,
)
COUPLES = [("ann", "bob"), ("eve", "ann")]
ANSWERS = [{"item": f"r{n}", "worker": "w1", "label": "spam" if n % 2 else "ham"} for n in range(0, 30, 3)]
TEXTS, GOLD = ["free cash", "win cash", "see you", "hi you"], ["spam", "spam", "ham", "ham"]


def python(label, least=2, **options):
    @cs.labeling_function(label, **options)
    def f(row):
        return len(row.text.split()) > least

    return f


def batches(label, word="cash"):
    @cs.labeling_function(label, batch=True)
    def f(frame):
        return frame["text"].str.contains(word)

    return f


def using(label, least=3, of="row"):
    @cs.preprocessor(of=of)
    def length(given):
        return len(given.text) if of == "row" else [len(text) for text in given]

    @cs.labeling_function(label, uses=[length])
    def f(row):
        return row.length is not None and row.length % 3 < least

    return f


def called(label, share=0.5):
    def ask(texts):
        return np.array([[share, 1 - share] if "cash" in text else [0.0, 1.0] for text in texts])

    return cs.model(ask, labels=[label, "ham"], threshold=0.4)


def pipeline(texts=TEXTS):
    return make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, GOLD)


def numbers(bound=3):
    X = pl.DataFrame({"n": range(7)})
    return LogisticRegression().fit(X, np.where(X["n"].to_numpy() < bound, "ham", "spam"))


def classifier(folder, texts=TEXTS):
    cs.TextClassifier(min_rows=1).fit(texts, GOLD).save(folder / "m.npz")
    return folder / "m.npz"


@lru_cache  # converting the same model twice does not make the same file
def onnx_bytes(bound):
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType

    X = np.arange(7, dtype=np.float32)[:, None]
    model = LogisticRegression().fit(X, np.where(X[:, 0] < bound, "ham", "spam"))
    return skl2onnx.convert_sklearn(model, initial_types=[("n", FloatTensorType([None, 1]))]).SerializeToString()


def onnx(folder, bound=3):
    pytest.importorskip("onnxruntime")
    (folder / "m.onnx").write_bytes(onnx_bytes(bound))
    return folder / "m.onnx"


def facts(folder, rows=COUPLES, says=None):
    frame = pl.DataFrame({"first": [a for a, _ in rows], "second": [b for _, b in rows]})
    if says:
        frame = frame.with_columns(pl.Series("says", says))
    frame.write_csv(folder / "facts.csv")
    return folder / "facts.csv"


def answers(folder, rows=ANSWERS):
    pl.DataFrame(rows).write_csv(folder / "answers.csv")
    return folder / "answers.csv"


@dataclass
class Kind:
    """make: called with a folder and the label it says. others: the same with another fingerprint. toml: the same."""

    make: Callable[[Path, str], LabelingFunction]
    others: list[Callable[[Path, str], LabelingFunction]]
    toml: str | None = None
    same: list[Callable[[Path, str], LabelingFunction]] = field(default_factory=list)
    full: bool = True  # whether it says the label given


ON = ["first", "second"]
KINDS = {
    "keywords": Kind(
        lambda _, label: cs.keywords(label, ["cash", "free"]),
        [
            lambda _, label: cs.keywords(label, ["cash"]),
            lambda _, label: cs.keywords(label, ["cash", "free"], ignore_case=False),
            lambda _, label: cs.keywords(label, ["cash", "free"], column="first"),
        ],
        'label = "{label}"\nkeywords = ["cash", "free"]',
        [lambda _, label: cs.keywords(label, ["free", "cash", "free"])],
    ),
    "pattern": Kind(
        lambda _, label: cs.pattern(label, "ca.h"),
        [lambda _, label: cs.pattern(label, "ca.h", ignore_case=True)],
        'label = "{label}"\npattern = "ca.h"',
    ),
    "expression": Kind(
        lambda _, label: cs.expression(label, "n > 3"),
        [lambda _, label: cs.expression(label, "n > 4")],
        'label = "{label}"\nexpression = "n > 3"',
    ),
    "recorded": Kind(
        lambda _, label: cs.recorded("anna"),
        [lambda _, label: cs.recorded("anna", labels=["spam", "ham"])],
        'recorded = "anna"',
        full=False,
    ),
    "python": Kind(
        lambda _, label: python(label),
        [lambda _, label: python(label, 3), lambda _, label: python(label, batch=True)],
    ),
    "python, batches": Kind(lambda _, label: batches(label), [lambda _, label: batches(label, "free")]),
    "python, preprocessed": Kind(
        lambda _, label: using(label), [lambda _, label: using(label, 1), lambda _, label: using(label, of="texts")]
    ),
    "model, a function": Kind(lambda _, label: called(label), [lambda _, label: called(label, 0.6)]),
    "model, an estimator": Kind(
        lambda _, label: cs.model(pipeline(), labels=["ham", label], threshold=0.6),
        [
            lambda _, label: cs.model(pipeline(), labels=["ham", label], threshold=0.7),
            lambda _, label: cs.model(pipeline(), labels=["ham", label], threshold={label: 0.6}),
            lambda _, label: cs.model(pipeline(), labels=["advert", label], threshold=0.6),
            lambda _, label: cs.model(pipeline(TEXTS[::-1]), labels=["ham", label], threshold=0.6),
        ],
        same=[lambda _, label: cs.model(pipeline(), labels=["ham", label], threshold=0.6, batch_size=3)],
    ),
    "model, columns": Kind(
        lambda _, label: cs.model(numbers(), labels={"spam": label}, threshold=0.6),
        [lambda _, label: cs.model(numbers(4), labels={"spam": label}, threshold=0.6)],
    ),
    "model, saved": Kind(
        lambda folder, label: cs.model(classifier(folder), labels=["ham", label], threshold=0.6),
        [lambda folder, label: cs.model(classifier(folder, TEXTS[::-1]), labels=["ham", label], threshold=0.6)],
        'model = "m.npz"\nlabels = ["ham", "{label}"]\nthreshold = 0.6',
    ),
    "model, onnx": Kind(
        lambda folder, label: cs.model(onnx(folder), labels={"spam": label}, columns=["n"], threshold=0.6),
        [lambda folder, label: cs.model(onnx(folder, 4), labels={"spam": label}, columns=["n"], threshold=0.6)],
        'model = "m.onnx"\nlabels = {{spam = "{label}"}}\ncolumns = ["n"]\nthreshold = 0.6',
    ),
    "lookup": Kind(
        lambda folder, label: cs.lookup(label, facts(folder), on=ON),
        [
            lambda folder, label: cs.lookup(label, facts(folder, COUPLES[:1]), on=ON),
            lambda folder, label: cs.lookup(label, facts(folder), on=ON, symmetric=True),
            lambda folder, label: cs.lookup(label, facts(folder), on=ON, ignore_case=True),
            lambda folder, label: cs.lookup(label, facts(folder), on=ON, strip=False),
            lambda folder, label: cs.lookup(label, facts(folder), on=dict(zip(ON, ON[::-1], strict=True))),
            lambda folder, label: cs.lookup(label, facts(folder), on=ON, normalise=str.title),
        ],
        'label = "{label}"\nlookup = "facts.csv"\non = ["first", "second"]',
        [
            lambda folder, label: cs.lookup(label, COUPLES[::-1] * 2, on=ON),
            lambda folder, label: cs.lookup(label, [{"first": a, "second": b, "x": 1} for a, b in COUPLES], on=ON),
        ],
    ),
    "lookup that says": Kind(
        lambda folder, label: cs.lookup(None, facts(folder, says=[label, "ham"]), on=ON, label_column="says"),
        [lambda folder, label: cs.lookup(None, facts(folder, says=["ham", label]), on=ON, label_column="says")],
        'lookup = "facts.csv"\non = ["first", "second"]\nlabel_column = "says"',
    ),
    "crowd worker": Kind(
        lambda folder, _: cs.crowd(answers(folder))[0],
        [lambda folder, _: cs.crowd(answers(folder, ANSWERS[1:]))[0]],
        'crowd = "answers.csv"',
        full=False,
    ),
}
SAYS = ["spam", cs.Not("spam"), cs.OneOf("ham", "spam")]
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@every_kind
@pytest.mark.parametrize("label", SAYS)
def test_every_kind_keeps_the_laws(kind, label, tmp_path):
    function = kind.make(tmp_path, label)
    check_labeling_function(function, TABLE)
    said = {name for name in cs.apply({"f": function}, TABLE).names_of("f") if name}
    assert label in said or not kind.full
    assert said


@every_kind
def test_the_fingerprint_changes_with_what_decides_the_votes_and_only_then(kind, tmp_path):
    prints = [make(tmp_path, "spam").fingerprint for make in (kind.make, *kind.others)]
    if kind.full:
        prints += [kind.make(tmp_path, label).fingerprint for label in SAYS[1:]]
    assert len(set(prints)) == len(prints)
    assert {make(tmp_path, "spam").fingerprint for make in (kind.make, *kind.same)} == {prints[0]}


@every_kind
@pytest.mark.parametrize("label", SAYS)
def test_what_lfs_toml_declares_is_what_python_makes(kind, label, tmp_path):
    if kind.toml is None:
        pytest.skip("this kind is written in Python only")
    function = kind.make(tmp_path, label)
    (tmp_path / "lfs.toml").write_text(f"[f]\n{kind.toml.format(label=label)}\n", "utf-8")
    (declared,) = declared_functions(tmp_path / "lfs.toml")
    assert declared.name == ("f.w1" if kind.toml.startswith("crowd") else "f")
    assert declared.fingerprint == function.fingerprint and declared.kind == function.kind
    assert np.array_equal(cs.apply([declared], TABLE).votes, cs.apply({"f": function}, TABLE).votes)


@every_kind
def test_only_what_changed_is_computed_again(kind, tmp_path):
    store = {}
    cs.apply({"f": kind.make(tmp_path, "spam")}, TABLE, cache=store)
    again = cs.apply({"renamed": kind.make(tmp_path, "spam")}, TABLE, cache=store)
    assert again.functions[0].from_store
    changed = cs.apply({"f": kind.others[0](tmp_path, "spam")}, TABLE, cache=store)
    assert not changed.functions[0].from_store
