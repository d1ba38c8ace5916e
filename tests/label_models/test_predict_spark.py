"""Probabilities by Arrow batches of votes, as Spark's executors make them, are those of predict_proba."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import consilience as cs
from consilience import Labels, Not
from consilience.engines.shipping import received, shipped
from consilience.errors import ModelError
from consilience.label_models.predict_spark import matrix_of, predict_batches, predict_spark
from consilience.testing import simulate

pa = pytest.importorskip("pyarrow")

MADE = simulate(300, 5, ["ham", "spam", "非"], seed=2)
MODELS = [cs.DawidSkene().fit(MADE.matrix), cs.MajorityVote().fit(MADE.matrix), cs.LabelModel().fit(MADE.matrix)]


def frame_of(matrix):
    names = {name: pl.Series(matrix.names_of(name), dtype=pl.String) for name in matrix.names}
    return pl.DataFrame({"key": [f"r{place}" for place in range(len(matrix))], **names})


def batches_of(frame, size):
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches(size)


@settings(max_examples=12)
@given(st.sampled_from(MODELS), st.integers(1, 400))
def test_probabilities_do_not_depend_on_how_rows_are_cut(model, size):
    made = predict_batches(model, "key", iter(batches_of(frame_of(MADE.matrix), size)))
    back = pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in made])
    assert back.columns == ["key", "p ham", "p spam", "p 非"]
    # a product of matrices may round otherwise when it has other rows: the last digits are not promised
    assert np.allclose(back.drop("key").to_numpy(), model.predict_proba(MADE.matrix), rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_a_model_that_was_sent_predicts_as_it_did(model):
    (batch,) = batches_of(frame_of(MADE.matrix), 300)
    (here,) = predict_batches(model, "key", iter([batch]))
    (there,) = received(shipped(partial(predict_batches, model, "key")))(iter([batch]))
    assert here.equals(there)


def test_batches_without_rows_and_rows_without_votes():
    frame, model = frame_of(MADE.matrix), MODELS[0]
    empty = batches_of(frame, 300)[0].slice(0, 0)
    assert list(predict_batches(model, "key", iter([empty]))) == []
    silent = frame[:2].with_columns(pl.lit(None, pl.String).alias(name) for name in MADE.matrix.names)
    (batch,) = predict_batches(model, "key", iter(batches_of(silent, 2)))
    nothing = cs.LabelMatrix.from_votes(np.full((2, 5), -1), MADE.matrix.labels, names=MADE.matrix.names)
    assert np.allclose(batch.column("p ham").to_numpy(), model.predict_proba(nothing)[:, 0])


def test_columns_in_another_order_and_other_columns_do_not_matter():
    frame = frame_of(MADE.matrix)
    mixed = frame.select(pl.lit(1).alias("other"), *reversed(frame.columns))
    assert np.array_equal(matrix_of(MODELS[0], mixed).votes, MADE.matrix.votes)


def test_sets_of_labels_are_found_under_each_of_their_names():
    labels = Labels("ham", "spam", "advert").with_votes([Not("spam")])
    matrix = cs.LabelMatrix.from_votes([[3, 0], [1, -1], [2, 2]], labels, names=["a", "b"])
    model = cs.DawidSkene().fit(matrix)
    said = pl.DataFrame({"a": ["ham|advert", "spam", "advert"], "b": ["ham", None, "advert"]})
    assert np.array_equal(matrix_of(model, said).votes, matrix.votes)


def test_a_vote_that_is_no_label_is_refused_and_not_taken_for_silence():
    name = MADE.matrix.names[2]
    frame = frame_of(MADE.matrix).with_columns(pl.lit("spma").alias(name))
    with pytest.raises(ModelError, match=rf"'{name}' says 'spma', which the model does not know.\nFix: Did you mean"):
        matrix_of(MODELS[0], frame)


def test_a_model_that_learned_nothing_is_refused():
    with pytest.raises(ModelError, match=r"has learned nothing yet.\nFix"):
        predict_spark(cs.DawidSkene(), "anywhere")
