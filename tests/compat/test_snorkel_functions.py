"""Mappers, labeling functions and appliers in Snorkel's style, where the scripts do not go."""

from __future__ import annotations

import copy
import importlib
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from consilience.compat.snorkel.augmentation import (
    ApplyOnePolicy,
    MeanFieldPolicy,
    PandasTFApplier,
    TFApplier,
    transformation_function,
)
from consilience.compat.snorkel.labeling import (
    LabelingFunction,
    LFAnalysis,
    LFApplier,
    PandasLFApplier,
    filter_unlabeled_dataframe,
    labeling_function,
)
from consilience.compat.snorkel.labeling.apply.dask import PandasParallelLFApplier
from consilience.compat.snorkel.map import LambdaMapper, Mapper
from consilience.compat.snorkel.preprocess import Preprocessor, preprocessor
from consilience.compat.snorkel.slicing import PandasSFApplier, slice_dataframe, slicing_function
from consilience.errors import CompatError, ConsilienceError, ExtraError, FunctionError
from consilience.progress import reporting

TEXTS = pl.DataFrame({"text": ["check it", "song", ""]})


@labeling_function()
def check(x):
    """Asks to look."""
    return 1 if "check" in x.text else -1


# mappers


def test_a_memo_is_asked_before_the_function_and_can_be_forgotten():
    calls = []

    @preprocessor(memoize=True)
    def lower(x):
        calls.append(x.text)
        x.text = x.text.lower()
        return x

    for _ in range(2):
        assert lower(SimpleNamespace(text="A", tags=[1])).text == "a"
    assert calls == ["A"]
    lower.reset_cache()
    lower(SimpleNamespace(text="A", tags=[1]))
    assert calls == ["A", "A"]


def test_a_memo_by_a_key_of_ones_own_gives_what_came_out_for_that_key_first():
    mapper = LambdaMapper("id", lambda x: x, memoize=True, memoize_key=lambda x: x.text)
    assert mapper(SimpleNamespace(text="a", n=1)).n == 1
    assert mapper(SimpleNamespace(text="a", n=2)).n == 1


def test_what_is_remembered_is_not_changed_by_a_transformation():
    @preprocessor(memoize=True)
    def words(x):
        x.words = x.text.split()
        return x

    @transformation_function(pre=[words])
    def drop(x):
        x.words.pop()
        x.text = " ".join(x.words)
        return x

    rows = [SimpleNamespace(text="a b c")]
    made = TFApplier([drop], ApplyOnePolicy(n_per_original=3)).apply(rows)
    assert [x.text for x in made] == ["a b c", "a b", "a b", "a b"]


def test_a_mapper_of_fields_gets_and_sets_them_by_its_names_for_them():
    class Lengths(Preprocessor):
        def run(self, words, least):
            return None if len(words) < least else {"n": len(words), "first": words[0]}

    mapper = Lengths("lengths", {"words": "tokens", "least": "k"}, {"n": "length"})
    assert mapper(SimpleNamespace(tokens=["a", "b"], k=1)).length == 2
    assert not hasattr(mapper(SimpleNamespace(tokens=["a", "b"], k=1)), "first")
    assert mapper(SimpleNamespace(tokens=[], k=1)) is None


def test_a_mapper_whose_fields_are_not_known_is_an_error():
    class Any(Mapper):
        def run(self, **fields):
            return fields

    with pytest.raises(FunctionError, match="Fix: name its parameters"):
        Any("any")
    with pytest.raises(NotImplementedError):
        Mapper("none", {})(SimpleNamespace())


def test_what_one_preprocessor_sets_is_there_for_the_next():
    @preprocessor()
    def article(x):
        x.article = f"{x.title}: {x.text}"
        return x

    @preprocessor(memoize=True)
    def words(x):
        x.words = x.article.split()
        return x

    @labeling_function(pre=[article, words])
    def long(x):
        return int(len(x.words) > 2)

    frame = pl.DataFrame({"title": ["a", "b"], "text": ["c d", ""]})
    assert PandasLFApplier([long]).apply(frame).tolist() == [[1], [0]]


def test_a_preprocessor_that_returns_nothing_is_named():
    lf = LabelingFunction("f", lambda x: 0, pre=[LambdaMapper("forgets", lambda x: None)])
    with pytest.raises(FunctionError, match=r"'forgets' of 'f' returned None.\nFix: "):
        lf(SimpleNamespace())


@pytest.mark.parametrize("decorator", [labeling_function, slicing_function, preprocessor, transformation_function])
def test_parentheses_that_are_missing_are_an_error(decorator):
    with pytest.raises(FunctionError, match=r"missing its parentheses.\nFix: write @"):
        decorator(lambda x: x)


# appliers


def test_answers_that_are_lists_throughout_are_no_integers_either():
    with pytest.raises(FunctionError, match=r"'f' said \[1\] of row 0.*\nFix: "):
        PandasLFApplier([LabelingFunction("f", lambda x: [1])]).apply(TEXTS)


@pytest.mark.parametrize("answer", [None, "1", [1], {}, 1j])
def test_an_answer_that_is_no_integer_is_named_with_its_row(answer):
    odd = LabelingFunction("odd", lambda x: answer if x.text == "song" else 0)
    with pytest.raises(FunctionError, match=r"'odd' said .* of row 1, which is no integer.\nFix: "):
        PandasLFApplier([check, odd]).apply(TEXTS)


@pytest.mark.parametrize(("answer", "code"), [(True, 1), (np.int8(2), 2), (1.0, 1), (float("nan"), -1), (-7, -1)])
def test_answers_of_other_types_of_number_are_codes(answer, code):
    lfs = [LabelingFunction("f", lambda x: answer), check]
    assert PandasLFApplier(lfs).apply(TEXTS)[:, 0].tolist() == [code] * 3


def test_no_rows_and_no_functions():
    assert PandasLFApplier([check]).apply(TEXTS[:0]).shape == (0, 1)
    assert LFApplier([check]).apply([]).shape == (0, 1)
    assert PandasSFApplier([check]).apply(TEXTS[:0])["check"].tolist() == []
    with pytest.raises(FunctionError, match=r"no functions to apply.\nFix: "):
        PandasLFApplier([])
    with pytest.raises(FunctionError, match=r"2 functions are called 'check'.\nFix: "):
        PandasLFApplier([check, check])


def test_an_error_of_a_function_is_raised_unless_it_is_to_be_tolerated():
    broken = LabelingFunction("broken", lambda x: x.nothing)
    with pytest.raises(AttributeError, match="no field 'nothing'"):
        PandasLFApplier([broken]).apply(TEXTS)
    votes, meta = LFApplier([broken]).apply([SimpleNamespace()], fault_tolerant=True, return_meta=True)
    assert votes.tolist() == [[-1]]
    assert meta.faults["broken"] == 1
    assert meta.faults["other"] == 0


def test_votes_do_not_hang_on_how_rows_are_cut(monkeypatch):
    from consilience.compat.snorkel.labeling.apply import core, pandas

    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text": [f"check {i}" if i % 3 else "song" for i in range(50)]}, index=np.arange(50) / 7)
    whole = PandasLFApplier([check]).apply(frame)
    monkeypatch.setattr(core, "AT_A_TIME", 7)
    monkeypatch.setattr(pandas, "AT_A_TIME", 7)
    assert (PandasLFApplier([check]).apply(frame) == whole).all()
    assert (LFApplier([check]).apply(rows for _, rows in frame.iterrows()) == whole).all()
    assert (PandasParallelLFApplier([check]).apply(frame[::-1], n_parallel=3) == whole[::-1]).all()


def test_progress_is_reported():
    seen = []
    with reporting(seen.append):
        PandasLFApplier([check]).apply(TEXTS)
    assert seen[-1].finished


def test_an_applier_says_what_it_applies():
    assert repr(PandasLFApplier([check])) == "PandasLFApplier, LFs: ['check']"
    assert repr(check) == "LabelingFunction check, Preprocessors: []"
    policy = TFApplier([LambdaMapper("m", lambda x: x)], ApplyOnePolicy())
    assert repr(policy) == "TFApplier, Policy: ApplyOnePolicy, TFs: ['m']"


def test_parallel_needs_two_and_frames_of_polars_can_be_filtered():
    with pytest.raises(FunctionError, match="Fix: give 2 or more"):
        PandasParallelLFApplier([check]).apply(TEXTS, n_parallel=1)
    votes = PandasLFApplier([check]).apply(TEXTS)
    rows, kept = filter_unlabeled_dataframe(TEXTS, np.array([5, 6, 7]), votes)
    assert rows["text"].to_list() == ["check it"]
    assert kept.tolist() == [5]


def test_a_row_that_a_slicing_function_abstains_on_is_not_in_the_slice():
    @slicing_function()
    def either(x):
        return 1 if "check" in x.text else -1

    assert slice_dataframe(TEXTS, either)["text"].to_list() == ["check it"]


# transformations


def test_fields_set_by_item_are_columns_and_attributes_are_not():
    pd = pytest.importorskip("pandas")

    @transformation_function()
    def mark(x):
        x["language"] = "en"
        x.doc = object()
        return x

    made = PandasTFApplier([mark], ApplyOnePolicy()).apply(pd.DataFrame({"text": ["a"]}))
    assert made.columns.tolist() == ["text", "language"]
    assert made["language"].tolist()[1] == "en"


def test_nothing_applied_is_no_row():
    pd = pytest.importorskip("pandas")
    never = LambdaMapper("never", lambda x: None)
    frame = pd.DataFrame({"text": ["a", "b"], "n": [1, 2]})
    made = PandasTFApplier([never], ApplyOnePolicy(keep_original=False)).apply(frame)
    assert (len(made), made.columns.tolist()) == (0, ["text", "n"])
    parts = list(PandasTFApplier([never], ApplyOnePolicy()).apply_generator(frame, 1))
    assert [len(part) for part in parts] == [1, 1]


def test_a_policy_must_fit_the_functions():
    with pytest.raises(FunctionError, match=r"is no distribution over 2 functions.\nFix: "):
        MeanFieldPolicy(2, p=[0.5, 0.6])
    with pytest.raises(FunctionError, match=r"draws from 3 functions, and there are 1.\nFix: "):
        TFApplier([LambdaMapper("m", lambda x: x)], MeanFieldPolicy(3))


# what decides votes


def made(word, tags=()):
    @preprocessor()
    def lower(x):
        x.text = x.text.lower() + word
        return x

    return LabelingFunction("f", lambda x, tags: 0, resources={"tags": tags}, pre=[lower])


def test_the_fingerprint_says_all_that_decides_votes():
    assert made("a").fingerprint == made("a").fingerprint
    assert made("a").fingerprint != made("b").fingerprint
    assert made("a", ["t"]).fingerprint != made("a").fingerprint
    remembered = made("a")
    remembered._pre[0].memoize = True
    remembered(SimpleNamespace(text="x"))
    assert remembered.fingerprint == made("a").fingerprint
    assert copy.copy(remembered._pre[0])._cache == {}


# what is missing


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("slicing", "SliceAwareClassifier"),
        ("classification", "MultitaskClassifier"),
        ("classification", "Trainer"),
        ("classification.data", "DictDataset"),
        ("labeling.apply.spark", "SparkLFApplier"),
        ("labeling.apply.dask", "DaskLFApplier"),
        ("labeling.lf.nlp_spark", "spark_nlp_labeling_function"),
        ("map.spark", "make_spark_mapper"),
        ("preprocess.spark", "make_spark_preprocessor"),
        ("slicing.apply.dask", "DaskSFApplier"),
        ("slicing.apply.spark", "SparkSFApplier"),
        ("synthetic.synthetic_data", "generate_simple_label_matrix"),
    ],
)
def test_what_has_no_counterpart_says_so_on_import(module, name):
    found = importlib.import_module(f"consilience.compat.snorkel.{module}")
    with pytest.raises(
        CompatError, match=f"Snorkel's snorkel.{module}.{name} has no counterpart here.\nFix: "
    ) as error:
        getattr(found, name)
    assert isinstance(error.value, ImportError)
    assert isinstance(error.value, ConsilienceError)
    with pytest.raises(AttributeError):
        found.nothing_of_the_kind


def test_a_spacy_model_that_is_not_installed_is_an_error_that_says_so():
    pytest.importorskip("spacy")
    from consilience.compat.snorkel.labeling.lf.nlp import nlp_labeling_function

    with pytest.raises(ExtraError, match=r"spaCy has no model 'xx_no_such'.*\nFix: install it"):
        nlp_labeling_function(language="xx_no_such")(lambda x: 0)


def test_without_spacy_the_extra_is_named(monkeypatch):
    import sys

    from consilience.compat.snorkel.preprocess.nlp import SpacyPreprocessor

    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ExtraError, match=r"spaCy, which is not installed.\nFix: pip install 'consilience\[spacy\]'"):
        SpacyPreprocessor("text", "doc", language="another")


def test_without_pandas_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ExtraError, match=r"Fix: pip install 'consilience\[pandas\]'"):
        LFAnalysis(np.zeros((2, 1), int)).lf_summary()


def test_the_loss_on_probabilities_is_cross_entropy():
    torch = pytest.importorskip("torch")
    from consilience.compat.snorkel.classification import cross_entropy_with_probs

    scores = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    classes, weight = torch.tensor([1, 0]), torch.tensor([1.0, 3.0])
    known = torch.nn.functional.one_hot(classes).float()
    for reduction in ("mean", "sum", "none"):
        expected = torch.nn.functional.cross_entropy(scores, classes, reduction=reduction)
        assert torch.allclose(cross_entropy_with_probs(scores, known, reduction=reduction), expected)
    weighed = torch.nn.functional.cross_entropy(scores, classes, weight=weight, reduction="none")
    assert torch.allclose(cross_entropy_with_probs(scores, known, weight, "mean"), weighed.mean())
