"""Grounding is held to plain loops: the same bags, variables, evidence, weights and factors, program by program."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from sqlglot import exp
from tests.kb.programs import POOL, RELATIONS, bases, programs
from tests.reference import datalog, datalog_graph
from tests.reference.datalog_graph import Named, Variable

from consilience.kb.graph.factor_graph import COUNTING, HEAD, OPEN, FactorFunction
from consilience.kb.grounding.arrays import LoadedGraph, load_graph
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree as t
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import rule_name
from consilience.kb.sql.schema import Schema

KINDS: dict[str, Any] = {"int": pl.Int64, "bigint": pl.Int64, "text": pl.String, "float": pl.Float64}


def loaded(program: t.Program, base: dict[str, list[Any]]) -> Store:
    """A store in memory with base rows."""
    store = Store.open(threads=1)
    for name, rows in base.items():
        types = {c.name: KINDS[c.type] for c in program.relations[name].columns}
        load(store, program, name, pl.DataFrame(rows, schema=types, orient="row"))
    return store


def bag(store: Store, schema: Schema, name: str) -> Counter[Any]:
    """Rows of a relation as the rules see them."""
    found: Counter[Any] = Counter()
    for *row, count in store.rows(exp.select(*map(column, schema.columns(name)), column("_count")).from_(table(name))):
        assert count > 0
        found[datalog.hashable(tuple(row))] += 1 if schema.holds_once(name) else count
    return found


def named(store: Store, program: t.Program, loaded: LoadedGraph) -> Named:
    """A loaded graph by names."""
    schema, out, graph = Schema(program), Named(), loaded.graph
    keys: dict[int, Any] = {}
    soft = {
        int(v): tuple(graph.soft.probability[a:b])
        for v, a, b in zip(graph.soft.variable, graph.soft.offsets, graph.soft.offsets[1:], strict=False)
    }
    for name, relation in schema.relations.items():
        if not relation.is_variable:
            continue
        for *key, position in store.rows(
            exp.select(*map(column, relation.keys), "_position").from_(table(name, "variables"))
        ):
            keys[position] = (name, tuple(key))
            values: tuple[Any, ...] = ()
            if relation.categories:
                query = exp.select(*map(column, relation.categories)).from_(table(name, "vals"))
                values = tuple(store.rows(query.where(f"_position = {position}").order_by("_value")))
                assert graph.cardinality[position] == len(values)
            evidence = None if graph.evidence[position] == OPEN else int(graph.evidence[position])
            out.variables[keys[position]] = Variable(values, evidence, soft.get(position))
        out.conflicts += store.counter(f"conflicts {name}")
    weights = weights_by_key(store, schema)
    factors = graph.factors
    for f in range(len(factors)):
        span = slice(factors.offsets[f], factors.offsets[f + 1])
        literals = [(keys[v], int(x)) for v, x in zip(factors.variable[span], factors.value[span], strict=True)]
        function = FactorFunction(factors.function[f])
        clauses: list[Any] = []
        if function in COUNTING:
            numbers = factors.clause[span]
            assert numbers[0] == HEAD and (np.diff(numbers) >= 0).all()
            clauses = [
                tuple(x for x, c in zip(literals, numbers, strict=True) if c == n) for n in range(numbers[-1] + 1)
            ]
            literals = literals[:1]
        key, fixed = weights[int(factors.weight[f])]
        assert graph.weight_is_fixed[factors.weight[f]] == (fixed is not None)
        out.weights[key] = fixed
        whole = (function.name, tuple(literals), tuple(sorted(clauses, key=repr)), key, float(factors.scale[f]))
        out.factors[whole] += 1
    return out


def weights_by_key(store: Store, schema: Schema) -> dict[int, Any]:
    """(number of the rule, tied values) and fixed value, by position."""
    found = {}
    books = {p: (is_fixed, v) for p, is_fixed, v in store.rows("SELECT position, is_fixed, value FROM _kb.weights")}
    for number, rule in enumerate(schema.inferences):
        for *tied, position in store.rows(exp.select(exp.Star()).from_(table(rule_name(rule), "weights"))):
            is_fixed, v = books[position]
            key = (number, () if all(isinstance(w, t.Constant) for w in rule.weights) else tuple(tied))
            found[position] = (key, v if is_fixed else None)
    return found


def same(a: Named, b: Named) -> None:
    """Raise if two graphs differ."""
    assert set(a.variables) == set(b.variables)
    for key, one in a.variables.items():
        other = b.variables[key]
        assert (one.values, one.evidence) == (other.values, other.evidence), key
        assert (one.soft is None) == (other.soft is None), key
        if one.soft is not None:
            np.testing.assert_allclose(one.soft, other.soft, err_msg=str(key))
    assert a.factors == b.factors
    assert a.weights == b.weights
    assert a.conflicts == b.conflicts


def hold_to_loops(program: t.Program, base: dict[str, list[Any]]) -> None:
    """Ground by SQL and by loops, and compare."""
    schema = Schema(program)
    bags = datalog.derived(program, base)
    with loaded(program, base) as store:
        ground(store, program)
        for name in schema.relations:
            assert bag(store, schema, name) == bags[name], name
        found = load_graph(store, program)
        found.graph.check()
        same(named(store, program, found), datalog_graph.ground(program, base))


WHOLE = t.Program((*RELATIONS, *POOL))


@pytest.mark.parametrize("seed", range(3))
def test_every_construct_at_once(seed):
    rng = np.random.default_rng(seed)
    pick = lambda n, values: [values[i] for i in rng.integers(len(values), size=n)]  # noqa: E731
    r = list(zip(pick(6, [0, 1, 2, 3, None]), pick(6, [0, 1, 2, 3]), strict=True))
    s = list(zip(pick(5, [0, 1, 2, 3]), pick(5, ["a", "b", "", None]), strict=True))
    hold_to_loops(WHOLE, {"r": r, "s": s})


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(programs, bases)
def test_random_programs_ground_as_by_loops(program, base):
    hold_to_loops(program, base)
