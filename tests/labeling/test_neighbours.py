"""Functions that say the label of the most similar examples."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import TEXT

import consilience as cs
from consilience.data.embeddings import Tfidf, embed
from consilience.errors import DataError, FunctionError
from consilience.labeling.function import Batch
from consilience.labeling.nearest import unit
from consilience.labeling.neighbours import nearest_label, neighbours
from consilience.project.functions import declared_functions

SEEDS = {"spam": ["win a big prize", "subscribe to my channel"], "ham": ["see you at home"]}


def said(function, rows, **options):
    return cs.apply({"f": function}, cs.read(rows), **options).names_of("f")


def texts(*all_texts):
    return [{"text": text} for text in all_texts]


def test_rows_get_the_label_of_what_they_are_like():
    function = neighbours(SEEDS)
    rows = texts("you WIN a big prize", "please subscribe to my channel", "See you at home!", "lovely weather", "")
    assert said(function, rows) == ["spam", "spam", "ham", None, None]


def plain(vectors, seeds, label_of, n_labels, k, least):
    """The plain version: sort by similarity, take k and what ties with the last, count."""
    out = []
    for vector in vectors:
        near = sorted(
            ((float(vector @ seed), label) for seed, label in zip(seeds, label_of, strict=True)), reverse=True
        )
        last = near[min(k, len(near)) - 1][0]
        votes = [label for s, label in near if s >= last - 1e-6 and s >= least - 1e-6] if vector.any() else []
        counts = [votes.count(label) for label in range(n_labels)]
        top = max(counts)
        out.append(counts.index(top) if top and counts.count(top) == 1 else -1)
    return out


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9), st.floats(-1, 1))
@settings(max_examples=50, deadline=None)
def test_votes_are_those_of_the_plain_version(seed, k, n_seeds, least):
    rng = np.random.default_rng(seed)
    vectors, seeds = unit(rng.integers(-2, 3, (7, 3)).astype(float)), unit(rng.integers(-2, 3, (n_seeds, 3)) + 0.5)
    label_of = rng.integers(0, 3, n_seeds)
    assert nearest_label(vectors, seeds, label_of, 3, k, least).tolist() == plain(vectors, seeds, label_of, 3, k, least)


@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_votes_do_not_depend_on_how_rows_are_cut(all_texts, size):
    function = neighbours(SEEDS, min_similarity=0.1, name="f")
    table, labels = cs.read(texts(*all_texts)), cs.Labels("spam", "ham")
    whole = function.vote(Batch(table), labels).codes
    parts = [function.vote(Batch(table, at, at + size), labels).codes for at in range(0, len(table), size)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_equally_near_seeds_of_different_labels_say_nothing():
    function = neighbours({"spam": ["one text"], "ham": ["one text"]})
    assert said(function, texts("one text")) == [None]


def test_several_neighbours_are_outvoted():
    seeds = {"spam": [[1.0, 0.1], [1.0, -0.1]], "ham": [[1.0, 0.0]]}
    rows = [{"text": "x", "v": [1.0, 0.0]}]
    assert said(neighbours(seeds, vectors="v", k=1), rows) == ["ham"]
    assert said(neighbours(seeds, vectors="v", k=3), rows) == ["spam"]


@pytest.mark.parametrize("dtype", [pl.List(pl.Float64), pl.Array(pl.Float32, 2)])
def test_vectors_made_beforehand_are_compared(dtype):
    column = pl.Series("v", [[1.0, 0.2], [0.1, 3.0], None, [0.0, 0.0]], dtype=dtype)
    table = cs.Table(pl.DataFrame({"id": range(4)}).with_columns(column), text=None)
    function = neighbours({"a": np.array([[1, 0]]), "b": np.array([[0, 1]])}, vectors="v")
    assert cs.apply({"f": function}, table).names_of("f") == ["a", "b", None, None]


def test_rows_of_a_table_with_gold_are_seeds():
    seeds = cs.read(
        [*({"text": t, "y": y} for y, some in SEEDS.items() for t in some), {"text": "?", "y": None}], gold="y"
    )
    assert said(neighbours(seeds), texts("win a big prize", "?")) == ["spam", None]
    with pytest.raises(FunctionError, match=r"has no gold.*\nFix: "):
        neighbours(cs.read(texts("a")))


def test_groups_of_labels_may_be_said():
    function = neighbours({cs.Not("car"): ["a cat and a dog"], "car": ["a red car"]})
    labels = cs.Labels("cat", "dog", "car")
    assert said(function, texts("a dog and a cat", "red car"), labels=labels) == ["not car", "car"]


def test_the_fingerprint_follows_what_decides_the_votes():
    same = neighbours({"spam": ["b", "a"], "ham": ["c"]}, name="other").fingerprint
    assert neighbours({"spam": ["a", "b"], "ham": ["c"]}).fingerprint == same
    for changed in (
        neighbours({"spam": ["a"], "ham": ["c"]}),
        neighbours({"spam": ["a", "b"], "ham": ["c"]}, k=2),
        neighbours({"spam": ["a", "b"], "ham": ["c"]}, min_similarity=0.6),
        neighbours({"spam": ["a", "b"], "ham": ["c"]}, column="title"),
        neighbours({"spam": ["a", "b"], "ham": ["c"]}, embedding=lambda some: [[len(t)] for t in some]),
        neighbours({"spam": ["a", "b"], "ham": ["c"]}, embedding=Tfidf().fit(["a word", "a text"])),
    ):
        assert changed.fingerprint != same
    one, two = (neighbours({"a": np.eye(2) * scale, "b": np.ones((1, 2))}, vectors="v") for scale in (1, 2))
    assert one.fingerprint != two.fingerprint


def test_functions_of_one_column_share_its_vectors():
    asked = []

    def encoder(some):
        asked.extend(some)
        return embed(some)

    one, two = neighbours(SEEDS, embedding=encoder), neighbours({"ham": ["hello"]}, embedding=encoder)
    cs.apply({"one": one, "two": two}, cs.read(texts("a row", "another row")))
    assert asked.count("a row") == 1


def test_vectors_are_kept_where_a_folder_is_given(tmp_path):
    said(neighbours(SEEDS, cache=tmp_path), texts("a row"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_encoder_that_raises_counts_as_an_error_on_each_row():
    def broken(some):
        raise RuntimeError("no encoder today")

    matrix = cs.apply({"f": neighbours(SEEDS, embedding=broken)}, cs.read(texts("a", "b")))
    assert matrix.functions[0].failure.count == 2
    assert "no encoder today" in matrix.functions[0].failure.first_error
    assert (matrix.votes == -1).all()


def test_no_rows_give_no_votes():
    empty = cs.Table(pl.DataFrame({"id": [], "text": []}, schema={"id": pl.Int64, "text": pl.String}))
    assert cs.apply({"f": neighbours(SEEDS)}, empty).votes.shape == (0, 1)


@pytest.mark.parametrize(
    ("seeds", "options", "message"),
    [
        ({}, {}, r"no examples by label.\nFix: "),
        (["a"], {}, r"no examples by label.\nFix: "),
        ({"spam": "a text"}, {}, r"The seeds of 'spam' are 'a text'.\nFix: "),
        ({"spam": []}, {}, r"one or more texts"),
        ({"spam": [" "]}, {}, r"none of them empty"),
        ({"": ["a"]}, {}, r"cannot be a label.\nFix: "),
        (SEEDS, {"k": 0}, r"0 neighbours cannot vote.\nFix: "),
        (SEEDS, {"min_similarity": 2}, r"No similarity is 2.\nFix: "),
        (SEEDS, {"embedding": "tfidf"}, r"depend on the other rows.*\nFix: "),
        (SEEDS, {"embedding": 7}, r"cannot make vectors.\nFix: "),
        ({"a": [[1.0, 2.0]], "b": [[1.0]]}, {"vectors": "v"}, r"vectors of \[1, 2\] dimensions.\nFix: "),
        ({"a": ["text"]}, {"vectors": "v"}, r"no vectors: "),
    ],
)
def test_what_cannot_be_is_said(seeds, options, message):
    with pytest.raises(FunctionError, match=message):
        neighbours(seeds, **options)


def test_columns_that_hold_no_vectors_are_named():
    function = neighbours({"a": [[1.0, 0.0]]}, vectors="v")
    for rows, message in (
        ([{"text": "x"}], r"no column 'v' of vectors"),
        ([{"text": "x", "v": "y"}], r"does not hold vectors"),
        ([{"text": "x", "v": [1.0]}], r"have 1 dimensions, those of the seeds 2"),
    ):
        with pytest.raises(DataError, match=message):
            said(function, rows)


def test_lfs_toml_declares_them(tmp_path):
    (tmp_path / "lfs.toml").write_text(
        '[like]\nneighbours = { spam = ["win a big prize"], ham = ["see you at home"] }\nmin_similarity = 0.4\nk = 1\n'
        'embedding = "hashed"\n'
    )
    (function,) = declared_functions(tmp_path / "lfs.toml")
    assert function.name == "like"
    assert said(function, texts("win a prize")) == ["spam"]
    (tmp_path / "lfs.toml").write_text('[like]\nneighbours = "spam"\n')
    with pytest.raises(FunctionError, match=r"\[like\] in .* no examples by label"):
        declared_functions(tmp_path / "lfs.toml")
