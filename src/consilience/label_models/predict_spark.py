"""Probabilities of votes that lie in Spark: the fitted model goes to the executors, once a distinct row in each batch.

After a label model was fitted on counted votes (`SparkVotes.matrix()`); the result is joined to the rows by id.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from consilience.engines import spark as engine
from consilience.errors import ModelError, nearest
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.apply_spark import SparkVotes
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type

if TYPE_CHECKING:
    import pyarrow as pa


def predict_spark(
    model: BaseLabelModel,
    votes: Any,
    *,
    id: str | None = None,
    spark: Any = None,
    into: Path | str | None = None,
) -> Any:
    """Probability of each label for each row of votes in Spark.

    votes: what `apply_spark` gave; or a Spark DataFrame or Parquet folder with a column of label names (null abstains)
        for each function that the model was fitted on. Other columns are left alone.
    id: column that is kept to join by; default that of the votes, or "id". spark: session to read a path with.
    into: folder to write to, as Parquet, at once; otherwise computed when asked for.
    returns: Spark DataFrame of the id, and a float64 column a label, named after it with "p " in front.
    raises: ModelError for a model not fitted, a column there is not, and, when computed, a vote that is no label.

    Predicted once for each distinct row of votes in a batch.
    """
    model._check_fitted()
    if isinstance(votes, SparkVotes):
        votes, id = votes.frame, id or votes.id
    key = id or "id"
    frame = engine.frame_of(votes, spark)
    engine.check_columns(frame, [key, *model.function_names_], ModelError)
    kinds = dict(frame.dtypes)
    wrong = next((name for name in model.function_names_ if kinds[name] != "string"), None)
    if wrong is not None:
        raise ModelError(
            f"Column {wrong!r} is of type {kinds[wrong]}, which is no vote.\nFix: give columns of label names."
        )
    needed = frame.select(*map(engine.column, [key, *model.function_names_]))
    made = engine.mapped(needed, partial(predict_batches, model, key), _columns(frame, key, model))
    return made if into is None else engine.write_parquet(made, into)


def predict_batches(model: BaseLabelModel, id: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The probabilities of each Arrow batch of votes: the id, and a column a label. Runs on the executors."""
    import pyarrow as pa

    for batch in batches:
        if batch.num_rows:
            proba = model.predict_proba(matrix_of(model, pl.DataFrame(pl.from_arrow(batch))))
            shares = {name: pa.array(proba[:, place]) for place, name in enumerate(probability_names(model))}
            yield pa.RecordBatch.from_pydict({id: batch.column(id), **shares})


def matrix_of(model: BaseLabelModel, frame: pl.DataFrame) -> LabelMatrix:
    """A frame of label names as the matrix of a model's functions. Raises ModelError for a name that is no label."""
    labels, names = model.labels_, model.function_names_
    for name in names:
        for said in frame[name].drop_nulls().unique():
            if labels.find(said) is None:
                raise ModelError(
                    f"The function {name!r} says {said!r}, which the model does not know.\n"
                    f"Fix: {nearest(said, labels.votes)}"
                )
    codes = np.column_stack([labels.codes_of(frame[name]) for name in names])
    votes = np.asfortranarray(codes, vote_type(len(labels.votes)))
    ids = pl.Series("id", np.arange(len(frame)))
    return LabelMatrix(votes, labels, ids, [FunctionInfo(name) for name in names])


def probability_names(model: BaseLabelModel) -> list[str]:
    """What the columns of probabilities are called."""
    return [f"p {name}" for name in model.labels_]


def _columns(frame: Any, id: str, model: BaseLabelModel) -> dict[str, Any]:
    """The Spark types of the columns of probabilities."""
    from pyspark.sql.types import DoubleType

    return {id: frame.schema[id].dataType, **dict.fromkeys(probability_names(model), DoubleType())}
