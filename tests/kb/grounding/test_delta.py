"""A graph that was brought up to date is the graph grounded anew, and that of plain loops: change by change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.kb.grounding.test_ground import KINDS, bag, loaded, named, same
from tests.kb.programs import (
    POOL,
    RELATIONS,
    SCOPES,
    atom,
    bases,
    derive,
    infer,
    is_,
    names,
    programs,
    relation,
)
from tests.reference import datalog, datalog_graph

from consilience.errors import DataError
from consilience.kb.grounding.arrays import load_graph
from consilience.kb.grounding.delta import Update, update
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree as t
from consilience.kb.sql.schema import Schema

Rows = dict[str, list[Any]]
SETTINGS = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, phases=[Phase.generate]
)
WHOLE = t.Program((*RELATIONS, *POOL))


def difference(a: Rows, b: Rows, program: t.Program) -> dict[str, pl.DataFrame]:
    """Rows of a that b lacks, as frames."""
    return {
        name: pl.DataFrame(
            list((Counter(a[name]) - Counter(b[name])).elements()),
            schema={c.name: KINDS[c.type] for c in program.relations[name].columns},
            orient="row",
        )
        for name in a
    }


def bring(store: Store, program: t.Program, old: Rows, new: Rows, **options: Any) -> Update:
    """Update from some base rows to others."""
    return update(
        store, program, inserts=difference(new, old, program), deletes=difference(old, new, program), **options
    )


def hold(store: Store, program: t.Program, base: Rows, functions: Any = None) -> None:
    """Compare relations and graph with those of plain loops, and see that grounding has nothing left to do."""
    bags = datalog.derived(program, base, functions)
    schema = Schema(program)
    for name in schema.relations:
        assert bag(store, schema, name) == bags[name], name
    graph = load_graph(store, program)
    graph.graph.check()
    found, wanted = named(store, program, graph), datalog_graph.ground(program, base, functions)
    same_but_weights(found, wanted)
    report = ground(store, program, functions=functions)
    assert all(s == 0.0 for s in report.seconds.values()), [n for n in report.seconds if n not in report.skipped]


def same_but_weights(found: datalog_graph.Named, wanted: datalog_graph.Named) -> None:
    """Weights that no factor uses any more stay in the database."""
    found.weights = {k: w for k, w in found.weights.items() if k in wanted.weights}
    same(found, wanted)


@SETTINGS
@given(programs, bases, bases)
def test_changed_rows(program, old, new):
    with loaded(program, old) as store:
        ground(store, program)
        made = bring(store, program, old, new)
        assert made.report.whole is None
        hold(store, program, new)
        bring(store, program, new, old)
        hold(store, program, old)


@SETTINGS
@given(programs, programs, bases, bases)
def test_changed_rules_and_rows(first, second, old, new):
    with loaded(first, old) as store:
        ground(store, first)
        bring(store, second, old, new)
        hold(store, second, new)


@pytest.mark.parametrize("seed", range(2))
def test_every_construct_at_once(seed):
    base: Rows = {"r": [(0, 1), (1, 2), (2, 0), (1, 2), (3, None)], "s": [(0, "a"), (1, "b"), (2, None)]}
    new: Rows = [
        {"r": [(0, 1), (1, 2), (2, 3), (3, 3)], "s": [(0, "a"), (1, "a"), (3, "b")]},
        {"r": [*base["r"], (1, 0)], "s": base["s"]},
    ][seed]
    with loaded(WHOLE, base) as store:
        ground(store, WHOLE)
        bring(store, WHOLE, base, new)
        hold(store, WHOLE, new)


def test_nothing_changes_nothing():
    base: Rows = {"r": [(0, 1), (1, 2)], "s": [(0, "a")]}
    with loaded(WHOLE, base) as store:
        ground(store, WHOLE)
        made = bring(store, WHOLE, base, base)
        change = made.change
        assert change is not None
        assert len(change.removed) == len(change.added) == len(change.cardinality) == len(change.evidence_at) == 0
        assert made.report.recomputed == {}
        hold(store, WHOLE, base)


def test_a_row_that_is_not_there_changes_nothing():
    base: Rows = {"r": [(0, 1)], "s": [(0, "a")]}
    with loaded(WHOLE, base) as store:
        ground(store, WHOLE)
        with pytest.raises(DataError, match=r"not among the rows loaded into r: \(0, 2\)"):
            bring(store, WHOLE, {"r": [(0, 2)], "s": []}, {"r": [], "s": [(1, "b")]})
        hold(store, WHOLE, base)


CALLING = t.Program(
    (
        *RELATIONS[:3],
        relation("v", "a int", variable=True),
        t.Function(
            "twice", (t.Column("a", "int"),), (t.Column("a", "int"), t.Column("b", "int")), "nowhere:twice", "python"
        ),
        t.FunctionCall("link", "twice", names("x"), ((atom("r", "x", "_"), is_("x", ">=", 0)),)),
        derive(atom("v", "y"), (atom("link", "_", "y"),)),
        infer("is_true", atom("v", "y"), body=(atom("link", "x", "y"),), weights=("x",), name="of"),
    )
)


def test_functions_run_on_changed_inputs_alone():
    seen: list[int] = []

    def twice(x: int) -> list[tuple[int, int]]:
        seen.append(x)
        return [(x, x), (x, 2 * x)]

    def thrice(x: int) -> list[tuple[int, int]]:
        return [(x, 3 * x)]

    base: Rows = {"r": [(0, 1), (1, 1), (2, 1), (2, 2)], "s": []}
    new: Rows = {"r": [(0, 1), (2, 1), (3, 1), (3, 2)], "s": []}
    with loaded(CALLING, base) as store:
        ground(store, CALLING, functions={"twice": twice})
        seen.clear()
        bring(store, CALLING, base, new, functions={"twice": twice})
        assert sorted(seen) == [1, 2, 3]  # lost, lost once of twice, gained
        hold(store, CALLING, new, functions={"twice": twice})
        made = bring(store, CALLING, new, new, functions={"twice": thrice})
        assert made.report.whole is None
        hold(store, CALLING, new, functions={"twice": thrice})


def test_a_fixed_weight_changes_in_place():
    first = t.Program((*RELATIONS, infer("is_true", atom("v", "x"), weights=(1.0,), name="w"), SCOPES[2]))
    second = t.Program((*RELATIONS, infer("is_true", atom("v", "x"), weights=(2.0,), name="w"), SCOPES[2]))
    base: Rows = {"r": [], "s": [(0, "a"), (1, None)]}
    with loaded(first, base) as store:
        ground(store, first)
        change = bring(store, second, base, base).change
        assert change is not None
        assert (change.weight_at.tolist(), change.weight_to.tolist()) == ([0], [2.0])
        assert len(change.removed) == len(change.added) == 0
        hold(store, second, base)


def factors_of(factors: Any) -> Counter[Any]:
    """Factors as tuples; clauses of one that counts in any order."""
    found: Counter[Any] = Counter()
    for f in range(len(factors)):
        span = slice(factors.offsets[f], factors.offsets[f + 1])
        clauses = factors.clause[span].tolist() if len(factors.clause) else [0] * (span.stop - span.start)
        groups: dict[int, list[Any]] = {}
        for v, x, c in zip(factors.variable[span].tolist(), factors.value[span].tolist(), clauses, strict=True):
            groups.setdefault(c, []).append((v, x))
        head = tuple(groups.pop(-1, []))
        body = tuple(sorted(map(tuple, groups.values())))
        found[int(factors.function[f]), head, body, int(factors.weight[f]), float(factors.scale[f])] += 1
    return found


@SETTINGS
@given(bases, bases)
def test_the_change_leads_from_the_graph_before_to_the_graph_after(old, new):
    with loaded(WHOLE, old) as store:
        ground(store, WHOLE)
        before = load_graph(store, WHOLE).graph
        change = bring(store, WHOLE, old, new).change
        assert change is not None
        after = load_graph(store, WHOLE).graph
    removed = factors_of(change.removed)
    assert not removed - factors_of(before.factors)
    assert factors_of(before.factors) - removed + factors_of(change.added) == factors_of(after.factors)
    evidence = np.concatenate([before.evidence, change.evidence])
    evidence[change.evidence_at] = change.evidence_to
    np.testing.assert_array_equal(evidence, after.evidence)
    np.testing.assert_array_equal(np.concatenate([before.cardinality, change.cardinality]), after.cardinality)
    fixed = np.concatenate([before.weight_is_fixed, change.weight_is_fixed])
    np.testing.assert_array_equal(fixed, after.weight_is_fixed)


def test_a_failure_halfway_leaves_the_old_state(monkeypatch):
    base: Rows = {"r": [(0, 1), (1, 2)], "s": [(0, "a")]}
    with loaded(WHOLE, base) as store:
        ground(store, WHOLE)
        monkeypatch.setattr("consilience.kb.grounding.delta_factors.FactorChanges.graph_change", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bring(store, WHOLE, base, {"r": [(2, 2)], "s": [(2, "b")]})
        hold(store, WHOLE, base)
