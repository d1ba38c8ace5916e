"""Votes counted where they lie give the same patterns, and the same model, as the votes themselves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix
from consilience.errors import DataError, VoteError
from consilience.testing import simulate

MADE = simulate(3000, 6, ["ham", "spam"], seed=4)


def names_frame(matrix):
    return pl.DataFrame({name: pl.Series(matrix.names_of(name), dtype=pl.String) for name in matrix.names})


def test_a_scan_of_files_gives_the_model_that_the_votes_give(tmp_path):
    frame = names_frame(MADE.matrix)
    frame[:1000].write_parquet(tmp_path / "part-0.parquet")
    frame[1000:].write_parquet(tmp_path / "part-1.parquet")
    scanned = LabelMatrix.scan(tmp_path / "part-*.parquet", MADE.matrix.labels)
    assert scanned.n_rows == 3000 and len(scanned) == len(MADE.matrix.patterns)
    from_rows, from_files = DawidSkene().fit(MADE.matrix), DawidSkene().fit(scanned)
    assert np.array_equal(from_rows.theta_, from_files.theta_)
    assert np.array_equal(from_rows.predict_proba(MADE.matrix), from_files.predict_proba(MADE.matrix))


def test_counts_made_by_somebody_else_are_taken_as_they_are():
    counted = names_frame(MADE.matrix).group_by(MADE.matrix.names).agg(pl.len().alias("n"))
    matrix = LabelMatrix.scan(counted, MADE.matrix.labels, count="n")
    assert np.array_equal(matrix.patterns.votes, MADE.matrix.patterns.votes)
    assert np.array_equal(matrix.patterns.counts, MADE.matrix.patterns.counts)


@given(vote_matrices())
def test_codes_are_counted_as_names_are(made):
    votes, k = made
    frame = pl.DataFrame(votes, schema=[f"f{j}" for j in range(votes.shape[1])])
    matrix, direct = LabelMatrix.scan(frame, class_names(k)), LabelMatrix.from_votes(votes, class_names(k))
    assert np.array_equal(matrix.patterns.votes, direct.patterns.votes)
    assert np.array_equal(matrix.patterns.counts, direct.patterns.counts)


def test_the_probabilities_join_back_to_the_rows():
    frame, model = names_frame(MADE.matrix), DawidSkene().fit(MADE.matrix)
    table = model.probabilities(MADE.matrix)
    joined = frame.join(table, on=MADE.matrix.names, how="left", nulls_equal=True, maintain_order="left")
    assert np.array_equal(joined["p spam"].to_numpy(), model.predict_proba(MADE.matrix)[:, 1])
    assert table["rows"].sum() == 3000


def test_sets_of_labels_are_counted_too():
    frame = pl.DataFrame({"a": ["not spam", "ham", None]})
    matrix = LabelMatrix.scan(frame, ["ham", "spam", "other"])
    assert matrix.labels.groups == {"not spam": ("ham", "other")} and matrix.n_rows == 3
    said = LabelMatrix.scan(pl.DataFrame({"a": ["not spam", "ham"]}), ["ham", "spam"])
    assert said.names_of("a") == ["ham"] and said.n_rows == 2, "another name for ham is ham"


@pytest.mark.parametrize("counts", [[0, 1], [1], [1.5, 2.0]])
def test_counts_that_count_nothing_are_refused(counts):
    with pytest.raises(VoteError, match=r"do not count 2 rows of votes.\nFix"):
        LabelMatrix.from_counts([[0], [1]], counts, ["a", "b"])


def test_columns_and_votes_that_are_none_are_refused(tmp_path):
    frame = pl.DataFrame({"asks": ["spam"], "length": [1.5]})
    with pytest.raises(DataError, match=r"There is no column 'aks'.\nFix: Did you mean 'asks'"):
        LabelMatrix.scan(frame, ["ham", "spam"], ["aks"])
    with pytest.raises(VoteError, match=r"'length' is of type Float64, which is no vote.\nFix"):
        LabelMatrix.scan(frame, ["ham", "spam"])
    with pytest.raises(VoteError, match=r"There are no rows to count.\nFix"):
        LabelMatrix.scan(frame[:0], ["ham", "spam"], ["asks"])
    with pytest.raises(DataError, match=r"cannot be scanned.*\nFix"):
        LabelMatrix.scan(tmp_path / "none.parquet", ["ham", "spam"])
