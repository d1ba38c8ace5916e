"""Any sequence of updates ends in the marginals of a fresh run: random programs, rows and orders, through the door."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.kb.programs import POOL, RELATIONS, SCOPES

from consilience import KnowledgeBase
from consilience.kb.language import tree as t

Rows = dict[str, list[tuple[Any, ...]]]
SCHEMAS = {"r": {"a": pl.Int64, "b": pl.Int64}, "s": {"a": pl.Int64, "c": pl.String}}
SMALL, MARKS = (0, 1, 2, 3, None), ("a", "b", "", None)


def random_program(rng: random.Random) -> t.Program:
    chosen = sorted(rng.sample(range(len(POOL)), rng.randint(8, len(POOL))))
    scopes = rng.sample(SCOPES, 2)
    return t.Program((*RELATIONS, *dict.fromkeys((*scopes, *(POOL[i] for i in chosen)))))


def random_rows(rng: random.Random) -> Rows:
    return {
        "r": [(rng.choice(SMALL), rng.choice(SMALL)) for _ in range(rng.randint(0, 6))],
        "s": [(rng.choice(SMALL), rng.choice(MARKS)) for _ in range(rng.randint(0, 4))],
    }


def frames(rows: Rows) -> dict[str, pl.DataFrame]:
    return {name: pl.DataFrame(some, schema=SCHEMAS[name], orient="row") for name, some in rows.items() if some}


def less(a: Rows, b: Rows) -> Rows:
    return {name: list((Counter(a[name]) - Counter(b[name])).elements()) for name in a}


def give_weights(kb: KnowledgeBase) -> None:
    """Every learned weight that is 0 gets a value of its own, the same in any knowledge base."""
    for rule, description in kb.store.rows(
        "SELECT rule, description FROM _kb.weights WHERE NOT is_fixed AND value = 0"
    ):
        digest = hashlib.md5(f"{rule}|{description}".encode(), usedforsecurity=False).digest()
        kb.store.execute(
            "UPDATE _kb.weights SET value = ? WHERE rule = ? AND description IS NOT DISTINCT FROM ?",
            [digest[0] / 128 - 1, rule, description],
        )


def copy_weights(kb: KnowledgeBase, fresh: KnowledgeBase) -> None:
    fresh.store.execute("UPDATE _kb.weights SET value = 0 WHERE NOT is_fixed")
    for rule, description, value in kb.store.rows(
        "SELECT rule, description, value FROM _kb.weights WHERE NOT is_fixed"
    ):
        fresh.store.execute(
            "UPDATE _kb.weights SET value = ? WHERE rule = ? AND description IS NOT DISTINCT FROM ?",
            [value, rule, description],
        )


def as_fresh(kb: KnowledgeBase, program: t.Program, rows: Rows) -> None:
    """Compare facts, labels and weights in use with those of a knowledge base that never was another."""
    with KnowledgeBase(program, threads=1) as fresh:
        for name, frame in frames(rows).items():
            fresh.load(name, frame)
        fresh.ground()
        copy_weights(kb, fresh)
        fresh.infer()
        for name, relation in program.relations.items():
            if relation.is_variable:
                assert_frame_equal(kb.marginals(name), fresh.marginals(name), abs_tol=1e-6)
        used = pl.col("factors") > 0
        order = ["rule", "tied to"]
        assert_frame_equal(
            kb.weights().filter(used).sort(order), fresh.weights().filter(used).sort(order), abs_tol=1e-12
        )


def walk(seed: int, path: Any = None, n_steps: int = 5) -> None:
    """A random walk of updates, compared with fresh knowledge bases after every step."""
    rng = random.Random(seed)
    program, rows = random_program(rng), random_rows(rng)
    kb = KnowledgeBase(program, path, threads=1)
    for name, frame in frames(rows).items():
        kb.load(name, frame)
    kb.ground()
    give_weights(kb)
    kb.infer()
    as_fresh(kb, program, rows)
    for step in range(n_steps):
        new = random_rows(rng) if rng.random() < 0.8 else rows
        changed = random_program(rng) if rng.random() < 0.3 else None
        if path is not None and rng.random() < 0.4:
            kb.close()
            kb = KnowledgeBase(program, path, threads=1)
        if rng.random() < 0.2:
            kb.materialise(rng.choice([0, 50]), seed=step)
        way = rng.choice(["update", "load", "apart"])
        inserts, deletes = frames(less(new, rows)), frames(less(rows, new))
        if way == "update" or changed is not None:
            kb.update(inserts, deletes, program=changed)
        elif way == "load":
            for name, frame in inserts.items():
                kb.load(name, frame)
            kb.update(deletes=deletes)
        else:
            for name, frame in inserts.items():
                kb.load(name, frame)
            kb.ground()
            if rng.random() < 0.5:
                kb.infer()
            kb.update(deletes=deletes)
        program, rows = changed or program, new
        as_fresh(kb, program, rows)
    kb.close()


@pytest.mark.parametrize("seed", range(2))
def test_updates_end_in_the_marginals_of_a_fresh_run(seed, tmp_path):
    walk(seed, tmp_path / "kb.duckdb" if seed % 2 else None)


@pytest.mark.slow
def test_many_updates_end_in_the_marginals_of_a_fresh_run(tmp_path):
    for seed in range(100, 200):
        walk(seed, tmp_path / f"{seed}.duckdb" if seed % 2 else None)
