"""Apply labeling functions where the rows are a Spark table: each Arrow batch is cast as a table of this machine is.

Beside `apply`. The functions go to the executors; votes stay there, as columns of label names or a Parquet folder;
what comes back is the distinct rows of votes with their counts (a GROUP BY), on which label models fit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.data.table import Table, as_gold
from consilience.engines import spark as engine
from consilience.engines.shipping import shipped
from consilience.errors import DataError, FunctionError
from consilience.labeling.apply import named_functions
from consilience.labeling.casting import Column, cast, label_space
from consilience.labeling.function import Batch, Failure, LabelingFunction, check_names
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type

if TYPE_CHECKING:
    import pyarrow as pa

FAILURES = "_failures"  # the column that says, once a batch, which functions raised
SPEAKS = r"(?U)\S"  # Java's: a character that is not white space, in Unicode's sense
INTEGERS = ("tinyint", "smallint", "int", "bigint")


@dataclass(frozen=True)
class Casting:
    """All that an executor needs to cast votes: the functions, the labels given, those of the matrix, the roles."""

    functions: tuple[LabelingFunction, ...]
    labels: Labels
    space: Labels
    id: str
    text: str | None
    gold: str | None

    @property
    def names(self) -> list[str]:
        """The functions' names, in order."""
        return [function.name or "" for function in self.functions]


@dataclass(frozen=True)
class SparkVotes:
    """Votes that lie in Spark. Made by `apply_spark`.

    stored: the id, gold if there is any, a column of label names (null abstains) a function, and `_failures`.
    labels: those of the matrix, with the sets of them that functions may give.
    """

    stored: Any
    labels: Labels
    id: str
    gold: str | None
    functions: tuple[FunctionInfo, ...]
    source: Any
    text: str | None

    @property
    def names(self) -> list[str]:
        """The functions' names, in order."""
        return [function.name for function in self.functions]

    @property
    def frame(self) -> Any:
        """Spark DataFrame of the id, gold if there is any, and a column of label names (or null) a function."""
        return self.stored.drop(FAILURES)

    def matrix(self) -> LabelMatrix:
        """The distinct rows of votes with their counts, to fit label models on. One GROUP BY on the cluster.

        returns: a counted LabelMatrix, equal in patterns and counts to the one `apply` makes of the same rows; its
            functions know their failures. raises: DataError if there are no rows.
        """
        count = _free_name("rows", self.names)
        groups = engine.count_rows(self.stored, self.names, count).sort(self.names)
        if not len(groups):
            raise DataError("There are no rows of votes to count.\nFix: look at set_aside(), and at the source.")
        matrix = LabelMatrix.from_counts(self._codes(groups), groups[count].to_numpy(), self.labels, self.names)
        return LabelMatrix(matrix.votes, self.labels, matrix.ids, self._infos(), counts=matrix.counts)

    def gold_matrix(self) -> LabelMatrix:
        """The votes on the rows that have gold, brought here with their ids: for summaries, for `fit(gold=...)`.

        raises: DataError if no gold column was named, no row has gold, or gold is none of the labels.
        """
        if self.gold is None:
            raise DataError("No gold column was named.\nFix: apply_spark(..., gold='the column').")
        columns = map(engine.column, [self.id, self.gold, *self.names])
        with engine.plain_errors():
            frame = engine.as_polars(self.stored.where(engine.column(self.gold).isNotNull()).select(*columns))
        if not len(frame):
            raise DataError(f"No row has gold in column {self.gold!r}.\nFix: fill some in.")
        table = Table(frame.sort(self.id), id=self.id, text=None, gold=self.gold)
        votes = np.asfortranarray(self._codes(table.frame), vote_type(len(self.labels.votes)))
        return LabelMatrix(votes, self.labels, table.ids, self.functions, table.gold_codes(self.labels))

    def _codes(self, frame: pl.DataFrame) -> npt.NDArray[np.int16]:
        """Codes of the functions' columns of label names. returns: (n, m)."""
        return np.column_stack([self.labels.codes_of(frame[name]) for name in self.names])

    def _infos(self) -> list[FunctionInfo]:
        """The functions, with what went wrong."""
        failures = self.failures()
        return [replace(info, failure=failures.get(info.name)) for info in self.functions]

    def failures(self) -> dict[str, Failure]:
        """What went wrong, by function: on how many rows, the id of a first one, and its traceback.

        It was gathered while voting. Of the first rows of all batches that failed, the id that sorts first is given.
        """
        from pyspark.sql import functions as F

        said = self.stored.where(engine.column(FAILURES).isNotNull())
        each = said.select(F.explode(engine.column(FAILURES)).alias("one")).select("one.*")
        first = F.min(F.struct("first_id", "first_error")).alias("first")
        with engine.plain_errors():
            found = each.groupBy("function").agg(F.sum("count").alias("count"), first).collect()
        by_name = {row["function"]: Failure(row["count"], *row["first"]) for row in found}
        return {name: by_name[name] for name in self.names if name in by_name}

    def set_aside(self) -> dict[str, int]:
        """Why rows of the source got no votes, and how many: no id, no text. Counted by Spark when you ask."""
        from pyspark.sql import functions as F

        reasons = _reasons(self.id, self.text)
        asked = [F.count_if(condition).alias(str(place)) for place, condition in enumerate(reasons.values())]
        with engine.plain_errors():
            counts = self.source.agg(*asked).first()
        return {reason: count for reason, count in zip(reasons, counts, strict=True) if count}

    def write(self, folder: Path | str) -> SparkVotes:
        """Write the votes as a folder of Parquet files. returns: the votes as they lie there.

        raises: DataError if there is something at that path already.
        """
        return replace(self, stored=engine.write_parquet(self.stored, folder))

    def release(self) -> None:
        """Let Spark forget votes that it kept only for this session (those not written)."""
        self.stored.unpersist()

    def __repr__(self) -> str:
        return f"SparkVotes({len(self.functions)} functions; labels {', '.join(self.labels)})"


def apply_spark(
    functions: Sequence[LabelingFunction] | Mapping[str, LabelingFunction],
    source: Any,
    *,
    labels: Labels | Sequence[str],
    id: str,
    text: str | None = None,
    gold: str | None = None,
    spark: Any = None,
    into: Path | str | None = None,
    check_ids: bool = True,
) -> SparkVotes:
    """Votes of each function on each row of a Spark table: the same votes, bit for bit, as `apply` gives.

    functions: as for `apply`; Python functions are sent with the code and constants they use.
    source: a Spark DataFrame, or Parquet files (a path: a file, a partitioned folder, a glob). Functions see all of its
        columns but gold; select those they read, for each is copied from the JVM to Python.
    id: column of distinct strings or integers, by which results are joined, for Spark keeps no order.
    text: column of strings that functions read by default. gold: column of label names, hidden from functions.
    spark: session to read a path with; default the one that runs.
    into: folder to write the votes to, as Parquet, at once. Without it Spark computes them when they are first asked
        for, and keeps them until `release()`.
    check_ids: look beforehand whether ids repeat (one GROUP BY over them).
    returns: SparkVotes. Rows without an id or a text get no votes; `set_aside()` counts them.
    raises: ExtraError without Spark or Java; DataError for columns, ids or a path that cannot be; FunctionError for
        a function that has no name or cannot be sent; LabelError for a label not in labels.

    O(rows x functions), spread over the executors. Beside what functions take, Spark needs about 10 CPU seconds to
    start, and 7 µs a row of short text to read it, move it to Python and back, and write ten columns of votes.
    """
    engine.pyspark_sql()
    named = named_functions(functions, sys._getframe(1).f_locals)
    check_names(named)
    base = Labels.of(labels)
    casting = Casting(tuple(named), base, label_space(named, base), id, text, gold)
    frame = engine.frame_of(source, spark)
    _check_roles(frame, casting)
    _check_functions(casting)
    _rehearse(frame, casting)
    if check_ids:
        _check_ids(frame, id)
    usable = frame
    for condition in _reasons(id, text).values():
        usable = usable.where(~condition)
    voted = engine.mapped(usable, partial(cast_batches, casting), _vote_columns(frame, casting))
    infos = tuple(_info(function) for function in named)
    votes = SparkVotes(voted, casting.space, id, gold, infos, frame, text)
    return votes.write(into) if into is not None else replace(votes, stored=voted.persist())


# what runs on the executors


def cast_batches(casting: Casting, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The votes on each Arrow batch of rows: id, gold if there is any, a column of names a function, and failures."""
    for batch in batches:
        if batch.num_rows:
            yield cast_batch(casting, batch)


def cast_batch(casting: Casting, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The votes on one Arrow batch, each of whose rows has an id of its own."""
    import pyarrow as pa

    frame = pl.DataFrame(pl.from_arrow(batch))
    if casting.gold is not None:
        frame = frame.with_columns(as_gold(frame[casting.gold], None).alias(casting.gold))
    table = Table(frame, id=casting.id, text=casting.text, gold=casting.gold)
    columns = cast(casting.functions, Batch(table), casting.labels)
    kept = {casting.id: batch.column(casting.id)}
    if casting.gold is not None:
        kept[casting.gold] = frame[casting.gold].to_arrow().cast(pa.string())
    names = pa.array(casting.space.votes, pa.string())
    for name, column in zip(casting.names, columns, strict=True):
        codes = column.coded(casting.space)
        kept[name] = names.take(pa.array(codes, mask=codes < 0))
    kept[FAILURES] = _failures(casting.names, columns, len(frame))
    return pa.RecordBatch.from_pydict(kept)


def _failures(names: Sequence[str], columns: Sequence[Column], n: int) -> pa.Array:
    """The failures of a batch, all told on its first row: no second pass, and no counter that a retry counts twice."""
    import pyarrow as pa

    told = [
        {
            "function": name,
            "count": column.failure.count,
            "first_id": column.failure.first_id,
            "first_error": column.failure.first_error,
        }
        for name, column in zip(names, columns, strict=True)
        if column.failure
    ]
    text, number = pa.string(), pa.int64()
    kind = pa.list_(pa.struct({"function": text, "count": number, "first_id": text, "first_error": text}))
    return pa.concat_arrays([pa.array([told or None], kind), pa.nulls(n - 1, kind)])


# what is looked at before anything runs


def _check_roles(frame: Any, casting: Casting) -> None:
    """Raise DataError or FunctionError for columns that are not there, or of a type or name that will not do."""
    roles = [name for name in (casting.id, casting.text, casting.gold) if name is not None]
    engine.check_columns(frame, roles)
    types = dict(frame.dtypes)
    for name in roles:
        if types[name] != "string" and (types[name] not in INTEGERS or name == casting.text):
            needed = "strings" if name == casting.text else "strings or integers"
            raise DataError(
                f"Column {name!r} is of type {types[name]}.\nFix: cast it; it must be a column of {needed}."
            )
    if not casting.functions:
        raise FunctionError("There are no functions to apply.\nFix: give one or more.")
    taken = {casting.id.lower(), FAILURES, *([casting.gold.lower()] if casting.gold else [])}
    for name in casting.names:  # Spark's columns are the same whatever their case
        if name.lower() in taken:
            raise FunctionError(
                f"The function {name!r} would make a second column of that name.\n"
                "Fix: name it so that it differs from the other functions, id and gold in more than upper case."
            )
        taken.add(name.lower())


def _check_functions(casting: Casting) -> None:
    """Raise FunctionError naming the function that cannot be sent to executors."""
    for function in casting.functions:
        shipped(function, f"The function {function.name!r}")


def _rehearse(frame: Any, casting: Casting) -> None:
    """Cast no rows at all, here: a function that asks for a column there is not says so now, not in a cluster's log."""
    with engine.plain_errors():
        empty = frame.limit(0).toArrow()
    rows = pl.DataFrame(pl.from_arrow(empty))
    table = Table(rows, id=casting.id, text=casting.text, gold=casting.gold)
    cast(casting.functions, Batch(table), casting.labels)


def _check_ids(frame: Any, id: str) -> None:
    """Raise DataError if ids repeat."""
    from pyspark.sql import functions as F

    there = frame.where(~_reasons(id, None)[f"no id in column {id!r}"]).select(engine.column(id).alias("id"))
    with engine.plain_errors():
        twin = there.groupBy("id").agg(F.count(F.lit(1)).alias("n")).where("n > 1").first()
    if twin is not None:
        raise DataError(
            f"The id {twin['id']!r} in column {id!r} stands on {twin['n']} rows.\n"
            f"Fix: name a column that tells rows apart, or give source.dropDuplicates([{id!r}])."
        )


def _reasons(id: str, text: str | None) -> dict[str, Any]:
    """Why a row gets no votes, and the Spark condition that says so; each row has one reason at most."""
    from pyspark.sql import functions as F

    no_id = ~F.coalesce(engine.column(id).cast("string").rlike(SPEAKS), F.lit(False))
    reasons = {f"no id in column {id!r}": no_id}
    if text is not None:
        reasons[f"no text in column {text!r}"] = ~no_id & engine.column(text).isNull()
    return reasons


def _vote_columns(frame: Any, casting: Casting) -> dict[str, Any]:
    """The Spark types of the votes' columns."""
    from pyspark.sql import types as T

    fields = ("function", T.StringType()), ("count", T.LongType()), ("first_id", T.StringType())
    failure = T.StructType([T.StructField(*field) for field in (*fields, ("first_error", T.StringType()))])
    text = [*([casting.gold] if casting.gold else []), *casting.names]
    return {
        casting.id: frame.schema[casting.id].dataType,
        **dict.fromkeys(text, T.StringType()),
        FAILURES: T.ArrayType(failure),
    }


def _info(function: LabelingFunction) -> FunctionInfo:
    return FunctionInfo(
        name=function.name or "",
        kind=function.kind,
        labels=function.labels,
        description=function.description,
        fingerprint=function.fingerprint,
    )


def _free_name(wanted: str, taken: Sequence[str]) -> str:
    """A column name like the one wanted that no column has."""
    while wanted.lower() in {name.lower() for name in taken}:
        wanted += "_"
    return wanted
