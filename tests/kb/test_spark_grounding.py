"""Spark derives what DuckDB derives: the same rows with the same counts, labels, and groundings by key."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from sqlglot import exp

from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import Schema

pytestmark = pytest.mark.slow
pytest.importorskip("pyspark")

PROGRAM = """
mention(id text, name text, doc text, at int).
words(doc text, tokens text[]).
known(name1 text, name2 text).
candidate(p1 text, n1 text, p2 text, n2 text).
people(doc text, n int, names text[]).
longest(doc text, last text).
shared(name text).
lonely(id text).
nearby(id text, other text).
firsts(id text).
married?(p1 text, p2 text).
kind?(@key id text, what text).

function letters over (id text, name text) returns (id text, what text)
    implementation "nowhere:letters" handles tsj lines.
candidate(p1, n1, p2, n2) :- mention(p1, n1, d, a1), mention(p2, n2, d, a2), p1 < p2, a1 != a2.
people(d, COUNT(p), ARRAY_AGG(n)) :- mention(p, n, d, _).
longest(d, MAX(lower(n))) :- mention(_, n, d, _).
shared(n) *:- mention(_, n, d, _), mention(_, n, e, _), d != e.
lonely(p) :- mention(p, _, d, _), !EXISTS[words(d, _)].
nearby(p, q) :- mention(p, _, d, a), OPTIONAL[mention(q, _, d, b), b > a].
firsts(p) | 3 :- mention(p, _, _, _).
kind += letters(p, n) :- mention(p, n, _, _).
kind(p, "person") = TRUE :- mention(p, "Ann", _, _).
married(p, q) = if n > 2 then TRUE else NULL end :- candidate(p, _, q, _), mention(p, _, d, _), people(d, n, _).
married(p, q) = FALSE @ 0.75 :- candidate(p, n1, q, n2), known(n2, n1).
@name("word") @weight(w) married(p, q) :- candidate(p, _, q, _), mention(p, _, d, _), words(d, t), w = t[1].
@name("kinds") @weight(w) @feature_value(0.5) kind(p, w) ^ kind(q, w) :- candidate(p, _, q, _).
@name("one") @weight(3.0) married(p, q) => !married(p, z) :- TRUE.
"""


def letters(key: str, name: str) -> list[tuple[str, str]]:
    """Two kinds for each name."""
    return [(key, name[:1].lower()), (key, "person")]


def frames() -> dict[str, pl.DataFrame]:
    """A few documents, with names that repeat, NULLs and letters of several scripts."""
    names = ["Ann", "Bo", "Ann", "Çelik", "李", "Bo", None, "Ann"]
    return {
        "mention": pl.DataFrame(
            {
                "id": [f"m{i}" for i in range(8)],
                "name": names,
                "doc": ["a", "a", "b", "b", "b", "c", "c", "d"],
                "at": [1, 2, 1, 2, 2, None, 3, 1],
            },
            schema_overrides={"at": pl.Int64},
        ),
        "words": pl.DataFrame({"doc": ["a", "b"], "tokens": [["x", "y"], ["z", None]]}),
        "known": pl.DataFrame({"name1": ["Bo", "Çelik"], "name2": ["Ann", "Ann"]}),
    }


def hashable(x: Any) -> Any:
    """Rows, structs and arrays as tuples."""
    return tuple(hashable(y) for y in x) if isinstance(x, (list, tuple)) else x


@pytest.fixture(scope="module")
def session():
    from consilience.engines.spark import local_session

    made = local_session(2)
    yield made
    made.stop()


@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_the_rows_are_those_of_duckdb(session):
    from consilience.kb.grounding.spark import ground_on_spark

    program = parse(PROGRAM)
    schema = Schema(program)
    base = {
        name: session.createDataFrame(frame.rows(), ", ".join(f"{c.name} {_ddl(c.type)}" for c in columns))
        for name, frame in frames().items()
        if (columns := program.relations[name].columns)
    }
    found = ground_on_spark(session, program, base, functions={"letters": letters})
    with Store.open(threads=1) as store:
        for name, frame in frames().items():
            load(store, program, name, frame)
        ground(store, program, functions={"letters": letters})
        for name in schema.order:
            same(found[name], store, list(schema.columns(name)), name, "main")
            if schema.is_variable(name):
                labels = [*schema.columns(name), "_label", "_probability"]
                same(found[f"labels of {name}"], store, labels, name, "labels")
        for rule in schema.inferences:
            assert rule.name is not None
            rows = counted([tuple(r) for r in found[f"factors {rule.name}"].collect()])
            assert rows == groundings(store, schema, rule)
            assert rows


def _ddl(kind: str) -> str:
    return {"text": "string", "int": "bigint", "text[]": "array<string>"}[kind]


def counted(rows: list[Any]) -> Counter[Any]:
    """Rows whose last column is their count."""
    found: Counter[Any] = Counter()
    for *row, count in rows:
        found[hashable(row)] += count
    return found


def same(frame: Any, store: Store, columns: list[str], name: str, within: str) -> None:
    """Compare a frame of Spark's with a table."""
    wanted = store.rows(exp.select(*map(column, [*columns, "_count"])).from_(table(name, within)))
    assert counted([tuple(r) for r in frame.collect()]) == counted(wanted), name
    assert wanted, name


def groundings(store: Store, schema: Schema, rule: Any) -> Counter[Any]:
    """Rows of a table of factors, with keys in place of positions and tying values in place of weights."""
    keys: dict[int, Any] = {}
    for name, relation in schema.relations.items():
        if relation.is_variable:
            for *key, position in store.rows(
                exp.select(*map(column, relation.keys), "_position").from_(table(name, "variables"))
            ):
                keys[position] = tuple(key)
    ties = {
        row[-1]: () if rule.fixed_weight is not None else row[:-1]
        for row in store.rows(exp.select(exp.Star()).from_(table(rule.name, "weights")))
    }
    found: Counter[Any] = Counter()
    n = len(rule.literals)
    columns = [*(f"{c}{i}" for i in range(n) for c in "pv"), "weight", "feature", "_count"]
    for *row, count in store.rows(exp.select(*map(column, columns)).from_(table(rule.name, "factors"))):
        literals = [keys[x] if i % 2 == 0 else x for i, x in enumerate(row[: 2 * n])]
        found[hashable([*literals, *ties[row[2 * n]], row[-1]])] += count
    return found
