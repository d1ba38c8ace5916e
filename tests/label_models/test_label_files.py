"""Labelling files of votes: the probabilities of the model on the same rows, and only what changed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience.errors import ModelError
from consilience.label_models.label_files import label_files
from consilience.labeling.apply_files import apply_files

TEXTS = ["free prize", "see you", "win now", "ok", "free", "lunch at the free place", "win", "see the prize", "no"]
FUNCTIONS = [
    cs.keywords("spam", ["free", "win"], name="asks"),
    cs.keywords("spam", ["prize"], name="prize"),
    cs.keywords("ham", ["see", "lunch"], name="meets"),
]


@pytest.fixture
def votes(tmp_path):
    pl.DataFrame({"id": range(90), "text": TEXTS * 10}).write_parquet(tmp_path / "rows.parquet")
    return apply_files(FUNCTIONS, tmp_path / "rows.parquet", tmp_path / "v", labels=["ham", "spam"], part_rows=40)


@pytest.mark.parametrize("kind", [cs.MajorityVote, cs.LabelModel, cs.DawidSkene])
def test_probabilities_are_those_of_the_model_on_the_same_rows(votes, tmp_path, kind):
    matrix = cs.apply(
        FUNCTIONS, cs.read([{"id": i, "text": t} for i, t in enumerate(TEXTS * 10)]), labels=["ham", "spam"]
    )
    here, there = kind().fit(matrix), kind().fit(votes.matrix())
    files = label_files(there, votes, tmp_path / "l")
    found = pl.concat([pl.read_parquet(path) for path in files])
    assert found["id"].to_list() == list(range(90))
    assert found["label"].to_list() == here.predict(matrix)
    np.testing.assert_allclose(found.select("p ham", "p spam").to_numpy(), here.predict_proba(matrix), atol=1e-9)


def test_only_files_whose_votes_or_model_changed_are_written(votes, tmp_path):
    model = cs.MajorityVote().fit(votes.matrix())
    files = label_files(model, votes, tmp_path / "l")
    stamps = [path.stat().st_mtime_ns for path in files]
    assert [path.stat().st_mtime_ns for path in label_files(model, votes, tmp_path / "l")] == stamps
    files[0].write_bytes(b"torn")
    again = [path.stat().st_mtime_ns for path in label_files(model, votes, tmp_path / "l")]
    assert again[1:] == stamps[1:] and len(pl.read_parquet(files[0])) == 40
    other = cs.DawidSkene().fit(votes.matrix())
    assert all(path.stat().st_mtime_ns not in stamps for path in label_files(other, votes, tmp_path / "l"))


def test_votes_that_lack_a_function_are_refused(votes, tmp_path):
    matrix = cs.LabelMatrix.from_votes([[0], [1]], ["ham", "spam"], names=["other"])
    with pytest.raises(ModelError, match=r"no votes of 'other'(.|\n)*Fix"):
        label_files(cs.MajorityVote().fit(matrix), votes, tmp_path / "l")
