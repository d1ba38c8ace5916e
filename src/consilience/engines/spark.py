"""Spark, the one engine for work that one machine is too small for: map Arrow batches, count rows, read, write.

Nothing here knows what the batches mean. There is no scheduler and no shuffle of our own: partitions, retries and
memory are Spark's. Needs the extra `spark`, and Java 17 or later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from consilience import errors
from consilience.engines.shipping import THREADS, Shipment, shipped
from consilience.errors import ConsilienceError, DataError, ExtraError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

DataFrame = Any  # of Spark, classic or Connect
Session = Any
MapBatches = Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]
OLDEST_JAVA = 17
OURS = re.compile(r"consilience\.errors\.(\w+): (.*)", re.DOTALL)
NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def local_session(cores: int = 2, *, memory: str = "1g", settings: Mapping[str, str] | None = None) -> Session:
    """A Spark of this machine alone, to try things on: `local[cores]`. On a cluster, use the session you have.

    memory: of the JVM; Python workers need theirs beside it. settings: more of Spark's, by name. It listens on the
    loopback address alone and has no web page. A session that runs already is given back as it is; stop it yourself.
    raises: ExtraError without pyspark, or without Java 17.
    """
    sql = pyspark_sql()
    check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # Spark's own default is whatever `python3` is
    given = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(2 * cores),
        **{f"spark.executorEnv.{name}": "1" for name in THREADS},
        **(settings or {}),
    }
    builder = sql.SparkSession.builder.master(f"local[{cores}]").appName("consilience")
    for name, value in given.items():
        builder = builder.config(name, value)
    with _quiet_about_pandas():
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def pyspark_sql() -> Any:
    """The module pyspark.sql. Raises ExtraError if what Spark needs is not installed."""
    try:
        import pandas  # noqa: F401 - Spark asks for it wherever Arrow batches are mapped
        import pyarrow  # noqa: F401
        from pyspark import sql
    except ImportError as error:
        raise ExtraError(
            f"Spark needs {error.name}, which is not installed.\nFix: pip install 'consilience[spark]'."
        ) from None
    return sql


def check_java() -> None:
    """Raise ExtraError if there is no Java, or one too old for Spark."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    fix = f"install Java {OLDEST_JAVA} or later (a JRE is enough), or set JAVA_HOME to where it is."
    try:
        said = subprocess.run([java or "java", "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError) as error:
        raise ExtraError(f"Spark needs Java, and {java or 'java'} does not run: {error}.\nFix: {fix}") from None
    version = re.search(r'version "(\d+)', said)
    if version and int(version[1]) < OLDEST_JAVA:
        raise ExtraError(f"Spark needs Java {OLDEST_JAVA}; {java} is Java {version[1]}.\nFix: {fix}")


def frame_of(source: Any, spark: Session | None = None) -> DataFrame:
    """A Spark DataFrame as it is, or that of the Parquet files a path names: a file, a partitioned folder, a glob.

    spark: default the session that runs. raises: DataError for anything else, for no session, and for no such files.
    """
    sql = pyspark_sql()
    if isinstance(source, sql.DataFrame):
        return source
    if not isinstance(source, (str, Path)):
        raise DataError(f"Spark cannot read a {type(source).__name__}.\nFix: give a Parquet folder or a DataFrame.")
    session = spark if spark is not None else sql.SparkSession.getActiveSession()
    if session is None:
        raise DataError(
            "There is no Spark session.\n"
            "Fix: give yours as spark=..., or make one with consilience.engines.spark.local_session()."
        )
    with plain_errors():
        return session.read.parquet(str(source))


def mapped(frame: DataFrame, function: MapBatches, columns: Mapping[str, Any]) -> DataFrame:
    """The frame that a function makes of another's Arrow batches, partition by partition; lazy, as Spark is.

    function: an iterator of batches to an iterator of batches; it is sent along with the code it needs, and runs in
    one thread. columns: the new frame's Spark types, by name.
    """
    from pyspark.sql.types import StructField, StructType

    schema = StructType([StructField(name, kind) for name, kind in columns.items()])
    names = list(frame.columns)
    plain = frame.toDF(*(f"c{place}" for place in range(len(names))))  # mapInArrow takes a dot in a name for a path
    with _quiet_about_pandas():
        return plain.mapInArrow(Shipment(shipped(function), names), schema)


@contextmanager
def _quiet_about_pandas() -> Iterator[None]:
    """Spark warns of new versions of pandas, whose frames are not used here: batches stay Arrow's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        yield


def count_rows(frame: DataFrame, names: Sequence[str], count: str) -> pl.DataFrame:
    """The distinct rows of some columns and how often each occurs, by one GROUP BY; they must fit this machine.

    count: what the column of counts is called.
    """
    from pyspark.sql import functions as F

    groups = frame.groupBy(*map(column, names)).agg(F.count(F.lit(1)).alias(count))
    with plain_errors():
        return as_polars(groups)


def as_polars(frame: DataFrame) -> pl.DataFrame:
    """A small Spark frame, brought here."""
    return pl.DataFrame(pl.from_arrow(frame.toArrow()))


def column(name: str) -> Any:
    """A Spark column of just that name, whatever dots and backticks are in it."""
    from pyspark.sql import functions as F

    escaped = name.replace("`", "``")
    return F.col(f"`{escaped}`")


def check_columns(frame: DataFrame, names: Sequence[str], error: type[ConsilienceError] = DataError) -> None:
    """Raise an error naming the first column that a frame does not have, and the nearest it has."""
    for name in names:
        if name not in frame.columns:
            raise error(f"There is no column {name!r}.\nFix: {nearest(name, frame.columns)}")


def write_parquet(frame: DataFrame, folder: Path | str) -> DataFrame:
    """Write a frame as a folder of Parquet files, and read it from there. Raises DataError if there is one already."""
    session = frame.sparkSession
    with plain_errors():
        frame.write.mode("errorifexists").parquet(str(folder))
        return session.read.parquet(str(folder))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors of Spark that say what a user did into ours, without the stack of two machines."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        plain = plain_error(str(error), error.getCondition())
        if plain is None:
            raise
        raise plain from None


def plain_error(text: str, condition: str | None = None) -> ConsilienceError | None:
    """What an error of Spark means to a user, None if it is Spark's own affair.

    >>> plain_error("... consilience.errors.DataError: No column 'x'.\\nFix: name another.")
    DataError("No column 'x'.\\nFix: name another.")
    """
    ours, missing = OURS.search(text), NO_MODULE.search(text)
    if ours and isinstance(kind := getattr(errors, ours[1], None), type) and issubclass(kind, ConsilienceError):
        head, _, rest = ours[2].partition("\nFix: ")
        fix = rest.splitlines()[0] if rest else "look at the executor's log."
        return kind(f"{head.strip()}\nFix: {fix.strip()}")
    if missing:
        return ExtraError(
            f"Spark's executors cannot import {missing[1]!r}.\n"
            "Fix: give them an environment with consilience and all that your functions import; docs/spark.md says how."
        )
    if condition == "PATH_ALREADY_EXISTS":
        return DataError(f"{text.splitlines()[0]}\nFix: write to a folder that is not there yet, or remove this one.")
    if condition in ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA"):
        return DataError(f"{text.splitlines()[0]}\nFix: check the path; it must name Parquet files.")
    return None
