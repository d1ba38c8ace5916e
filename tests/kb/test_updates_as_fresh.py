"""A knowledge base that was updated says what one says that was run from scratch over the same rows and program."""

from __future__ import annotations

import polars as pl
import pytest

from consilience.errors import StoreError
from consilience.kb.grounding.delta import update
from consilience.kb.knowledge_base import KnowledgeBase

PROGRAM = """
person(name text).  friends(a text, b text).  known(name text).
smokes?(name text).
smokes(n) :- person(n).
smokes(n) = TRUE :- known(n).
@name("habit") @weight(-0.5) smokes(n) :- person(n).
@name("alike") @weight(0.8) smokes(a) = smokes(b) :- friends(a, b).
"""
NEW_RULE = '@name("given") @weight(1.5) smokes(n) :- person(n), n = "p3".'
NAMES = [f"p{i}" for i in range(12)]
BASE = {
    "person": {"name": NAMES},
    "friends": {"a": NAMES[:-1], "b": NAMES[1:]},
    "known": {"name": ["p0"]},
}


def run(program: str, rows: dict[str, dict[str, list[str]]], path=None) -> KnowledgeBase:
    kb = KnowledgeBase(program, path)
    for name, columns in rows.items():
        kb.load(name, columns)
    kb.run()
    return kb


def same(kb: KnowledgeBase, program: str, rows: dict[str, dict[str, list[str]]]) -> None:
    with run(program, rows) as other:
        mine, theirs = (k.marginals("smokes").sort("name") for k in (kb, other))
    assert mine["name"].equals(theirs["name"]) and mine["evidence"].equals(theirs["evidence"])
    assert mine["probability"].to_list() == pytest.approx(theirs["probability"].to_list(), abs=1e-9)


@pytest.mark.parametrize("in_memory", [True, False])
def test_rows_that_come_go_and_come_again(in_memory, tmp_path):
    more = {"person": {"name": ["q0", "q1"]}, "friends": {"a": ["q0"], "b": ["q1"]}, "known": {"name": ["q1", "p11"]}}
    all_rows = {n: {c: BASE[n][c] + more[n][c] for c in BASE[n]} for n in BASE}
    with run(PROGRAM, BASE, None if in_memory else tmp_path / "kb.duckdb") as kb:
        for _ in range(2):
            kb.update(inserts=more)
            same(kb, PROGRAM, all_rows)
            kb.update(deletes=more)
            same(kb, PROGRAM, BASE)


def test_old_rows_that_meet_new_ones_are_not_left_out():
    more = {"friends": {"a": ["p0", "p11"], "b": ["p11", "p5"]}}
    with run(PROGRAM, BASE) as kb:
        kb.update(inserts=more, deletes={"friends": {"a": ["p3"], "b": ["p4"]}})
        pairs = [p for p in zip(BASE["friends"]["a"], BASE["friends"]["b"], strict=True) if p != ("p3", "p4")]
        pairs += list(zip(more["friends"]["a"], more["friends"]["b"], strict=True))
        same(kb, PROGRAM, {**BASE, "friends": {"a": [p[0] for p in pairs], "b": [p[1] for p in pairs]}})


def test_a_new_rule_has_its_fixed_weight():
    with run(PROGRAM, BASE) as kb:
        kb.update(program=PROGRAM + NEW_RULE)
        same(kb, PROGRAM + NEW_RULE, BASE)


def test_facts_that_are_gone_are_told_and_kept_no_longer():
    with run(PROGRAM, BASE) as kb:
        kb.update(deletes={"person": {"name": ["p11"]}, "friends": {"a": ["p10"], "b": ["p11"]}})
        assert kb.store.one("SELECT count(*) FROM _kb.facts") == 11
        assert kb.store.one("SELECT count(*) FROM _kb.changes WHERE after IS NULL") == 1
        kb.update(inserts={"person": {"name": ["p11"]}, "friends": {"a": ["p10"], "b": ["p11"]}})
        assert kb.store.one("SELECT count(*) FROM _kb.facts") == 12
        same(kb, PROGRAM, BASE)


def test_rows_written_in_a_transaction_have_numbers_behind_all_others():
    """What was before a change is told by row numbers; this holds the database to them."""
    from consilience.kb.sql.deltas import WRITTEN_NOW

    with run(PROGRAM, BASE) as kb, kb.store.transaction():
        kb.store.execute("INSERT INTO base.person SELECT 'x' || range, 1 FROM range(200000)")
        kb.store.execute("DELETE FROM base.person WHERE name = 'p0'")
        assert kb.store.one("SELECT count(*) FROM base.person WHERE rowid < ?", [WRITTEN_NOW]) == 11
        assert kb.store.one("SELECT count(*) FROM base.person WHERE rowid >= ?", [WRITTEN_NOW]) == 200_000


def test_an_update_is_a_transaction_of_its_own():
    with run(PROGRAM, BASE) as kb, kb.store.transaction(), pytest.raises(StoreError, match="transaction of its own"):
        update(kb.store, kb.program, inserts={"person": pl.DataFrame({"name": ["x"]})})
