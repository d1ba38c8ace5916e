"""The queries of a program give the same rows on a local Spark as on DuckDB."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from sqlglot import exp
from tests.kb.programs import POOL, RELATIONS

from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree as t
from consilience.kb.language.parse import parse
from consilience.kb.sql.bodies import table
from consilience.kb.sql.show import program_queries, written

MORE = """
words(x int, ws text[], ms int[]).
P(x, ws[1], ms[x + 1], "it's") :- words(x, ws, ms).
Q(x, unnest(ms)) :- words(x, _, ms).
A(x, ARRAY_AGG(y), AVG(y)) :- r(x, y).
B(ARRAY_AGG(c), COUNT(c)) :- s(_, c).
D(x / 2, x % 2, x :: text || "!", if x > 1 then "big" end) *:- r(x, _), x IS NOT NULL, x <= 2.5.
E(x) | 2 :- r(x, _), OPTIONAL[s(x, c), c LIKE "a%"], [c IS NULL; !x = 1].
"""
PROGRAM = t.Program((*RELATIONS, *POOL, *parse(MORE).statements))
ROWS: dict[str, Any] = {
    "r": pl.DataFrame({"a": [1, 1, 2, 3, None, 0], "b": [2, 2, 3, 1, 2, None]}),
    "s": pl.DataFrame({"a": [1, 2, 2, 3, 0], "c": ["a", "b", "a", None, ""]}),
    "words": pl.DataFrame({"x": [1, 2, 3], "ws": [["p", None], [], None], "ms": [[7, 8], [9], None]}),
}
TYPES = {"BIGINT": "bigint", "INTEGER": "int", "VARCHAR": "string", "DOUBLE": "double", "BOOLEAN": "boolean"}


def spark_type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"array<{spark_type(kind[:-2])}>"
    return TYPES.get(kind, "string")  # ids do not fit Spark's numbers


def flat(node: exp.Expr) -> exp.Expr:
    """Spark's views of a session have no schema in their names."""
    if not isinstance(node, exp.Table) or not node.db:
        return node
    return exp.Table(this=exp.to_identifier(f"{node.db}__{node.name}"), alias=node.args.get("alias"))


def storable(value: Any) -> Any:
    return str(value) if isinstance(value, int) and abs(value) > 2**40 else value


def comparable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(comparable, value))
    return round(float(value), 9) if isinstance(value, (float, Decimal)) else value


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[2]").appName("kb").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_spark_gives_the_rows_that_duckdb_gives(spark):
    with Store.open(threads=1) as store:
        for name, frame in ROWS.items():
            load(store, PROGRAM, name, frame)
        ground(store, PROGRAM)
        for schema, name in store.rows(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('main', 'variables', 'vals') AND table_catalog = current_database()"
        ):
            kinds = store.columns(schema, name)
            rows = store.rows(exp.select(exp.Star()).from_(table(name, schema)))
            rows = [tuple(map(storable, row)) for row in rows]
            declared = ", ".join(f"`{c}` {spark_type(kind)}" for c, kind in kinds.items())
            spark.createDataFrame(rows, declared).createOrReplaceTempView(f"{schema}__{name}")
        differing = {}
        for name, query in program_queries(PROGRAM):
            wanted = Counter(map(comparable, store.rows(query)))
            text = written(query.copy().transform(flat), "spark")
            try:
                found = Counter(comparable(tuple(row)) for row in spark.sql(text).collect())
            except Exception as error:
                differing[name] = (str(error)[:200], text)
                continue
            if found != wanted:
                differing[name] = (found, wanted, text)
    assert not differing
