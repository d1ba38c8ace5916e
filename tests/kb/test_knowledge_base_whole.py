"""What the door promises when things go wrong: whole or nothing, nothing lost, nothing left unfinished, any name."""

from __future__ import annotations

import polars as pl
import pytest

from consilience import KnowledgeBase
from consilience.errors import DataError, GraphError, ProgramError

COINS = """
R(x int, f float). S(x int, said boolean).
v?(x int).
v(x) :- R(x, _).
v(x) = said :- S(x, said).
@name("heavy") @weight(2.0) @feature_value(f) v(x) :- R(x, f).
@name("learned") @weight("?") v(x) :- R(x, _).
"""


def coins(path=None, program=COINS):
    kb = KnowledgeBase(program, path, threads=1)
    kb.load("R", {"x": [1, 2, 3], "f": [1.0, 0.5, -1.0]})
    kb.load("S", {"x": [1, 3], "said": [True, False]})
    return kb


def facts(kb):
    return kb.marginals("v").rows()


def test_an_update_that_fails_changes_nothing_in_memory_or_on_disk_and_waiting_rows_wait(tmp_path):
    with coins(tmp_path / "kb.duckdb") as kb:
        kb.run()
        before, program = facts(kb), kb.program
        kb.load("R", {"x": [4], "f": [1.0]})
        for wrong in (
            {"deletes": {"R": {"x": [99], "f": [1.0]}}},
            {"inserts": {"R": {"x": [5], "f": [float("inf")]}}},
            {"inserts": {"S": {"x": [5], "said": [True]}, "R": {"x": ["a"], "f": [1.0]}}},
            {"inserts": {"Q": {"x": [5]}}},
            {"program": "v?(x int"},
        ):
            with pytest.raises((DataError, GraphError, ProgramError), match="Fix: "):
                kb.update(**wrong)
            assert kb.program is program
        assert facts(kb) == before
        assert sum(kb.store.rows("SELECT count(*) FROM base.R")[0]) == 3
        kb.update()
        assert [x for x, *_ in facts(kb)] == [1, 2, 3, 4]
        after = facts(kb)
    with KnowledgeBase(path=tmp_path / "kb.duckdb") as again:
        assert facts(again) == after


def test_a_run_killed_behind_grounding_is_finished_by_the_next(tmp_path, monkeypatch):
    with coins(tmp_path / "kb.duckdb") as kb:
        kb.run()
    with KnowledgeBase(path=tmp_path / "kb.duckdb", threads=1) as kb:
        monkeypatch.setattr("consilience.kb.memory.learn", lambda *_, **__: 1 / 0)
        monkeypatch.setattr("consilience.kb.memory.update_marginals", lambda *_, **__: 1 / 0)
        kb.load("S", {"x": [2], "said": [False]})
        with pytest.raises(ZeroDivisionError):
            kb.run()
        monkeypatch.undo()
    with KnowledgeBase(path=tmp_path / "kb.duckdb", threads=1) as kb:
        assert [step["step"] for step in kb.run().record()["steps"]] == ["ground", "learn", "infer"]
        found, weights = facts(kb), kb.weights()
    with coins() as fresh:
        fresh.load("S", {"x": [2], "said": [False]})
        fresh.run()
        assert found == fresh.marginals("v").rows()
        assert weights["value"].to_list() == pytest.approx(fresh.weights()["value"].to_list(), abs=1e-4)


def test_inference_that_fails_in_memory_is_made_up_for(monkeypatch):
    with coins() as kb:
        kb.run()
        monkeypatch.setattr("consilience.kb.results.kept.keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kb.update({"R": {"x": [4, 5], "f": [1.0, 2.0]}})
        monkeypatch.undo()
        kb.update({"R": {"x": [6], "f": [1.0]}})
        found = {x: p for x, p, _ in facts(kb)}
        assert found[4] == found[6] and found[5] > found[4]


def test_rows_that_go_go_in_a_full_run_too_and_before_the_first():
    with coins() as kb:
        kb.update({"R": {"x": [4], "f": [1.0]}}, {"R": {"x": [2], "f": [0.5]}})
        assert [x for x, *_ in facts(kb)] == [1, 3, 4]
        kb._deletes["R"] = [pl.DataFrame({"x": [4], "f": [1.0]})]  # as `follow` does
        assert "everything anew" in str(kb.run(full=True))
        assert [x for x, *_ in facts(kb)] == [1, 3]


def test_grounding_or_learning_alone_leaves_nothing_stale():
    with coins() as kb:
        kb.run()
        kb.load("R", {"x": [4], "f": [0.5]})
        kb.ground()
        kb.infer()
        assert facts(kb)[3][1] == facts(kb)[1][1]
        kb.learn(l2=10)
        kb.update({"R": {"x": [5], "f": [0.5]}})
        assert facts(kb)[4][1] == facts(kb)[1][1]


def test_a_rule_that_goes_with_everything_anew_comes_back_with_its_weights():
    with coins() as kb:
        kb.run(learn=False)
        want = facts(kb)
        kb.update(program="R(x int, f float). S(x int, said boolean). v?(x int). v(x) :- R(x, _). T(x int).")
        kb.run(full=True)
        kb.update(program=COINS)
        kb.run(learn=False, full=True)
        assert kb.weights()["factors"].to_list() == [3, 3]
        assert facts(kb) == want


def test_a_rule_that_comes_with_a_fixed_weight_has_it():
    with KnowledgeBase("R(x int). v?(x int). v(x) :- R(x).", threads=1) as kb:
        kb.load("R", {"x": [1]})
        kb.run()
        kb.update(program="R(x int). v?(x int). v(x) :- R(x). @weight(1.0) v(x) :- R(x).")
        assert facts(kb)[0][1] == pytest.approx(0.8808, abs=1e-4)


def test_values_that_tie_weights_may_change_their_type():
    program = 'R(x int, k int). v?(x int). v(x) :- R(x, _). @name("k") @weight(k) v(x) :- R(x, k).'
    with KnowledgeBase(program, threads=1) as kb:
        kb.load("R", {"x": [1], "k": [1]})
        kb.run()
        kb.update(deletes={"R": {"x": [1], "k": [1]}})
        kb.update(program=program.replace("k int", "k text"))
        kb.update({"R": {"x": [1], "k": ["a"]}})
        assert kb.weights()["tied to"].to_list() == ["(a)"]


@pytest.mark.parametrize("name", ["wanted", "groundings", "incoming", "inferred", "factors", "select", "temp", "größe"])
def test_relations_may_have_any_name(name):
    program = f'{name}(x int, y text). v?(x int). v(x) :- {name}(x, _). v(x) = TRUE :- {name}(x, "a").'
    program += f"@weight(y) v(x) :- {name}(x, y)."
    with KnowledgeBase(program, threads=1) as kb:
        kb.load(name, {"x": [1, 2, 3], "y": ["a", "b", None]})
        kb.run()
        kb.update({name: [{"x": 4, "y": "a"}]}, {name: [{"x": 2, "y": "b"}]})
        assert kb.query(f"x ?- {name}(x, _).")["x"].sort().to_list() == [1, 3, 4]
        assert [x for x, *_ in facts(kb)] == [1, 3, 4]


def test_columns_that_facts_need_are_refused_at_once_and_others_are_free():
    for name in ("probability", "evidence", "truth"):
        with pytest.raises(ProgramError, match=f"Line 1, column .*{name}.*\nFix: rename"):
            KnowledgeBase(f"v?({name} int).")
    for name in ("before", "after", "held_out", "label"):
        with KnowledgeBase(f'v?({name} int). @weight("?") v(x) :- TRUE.', threads=1) as kb:
            kb.supervise("v", [True, False, 0.25, None], pl.DataFrame({name: [1, 2, 3, 4]}))
            kb.run(holdout=0.5)
            assert kb.changes().columns == ["relation", "fact", "before", "after"]
            assert len(kb.calibration("v").facts) + len(kb.facts("v").drop_nulls()) == 4


def test_labels_that_are_sure_are_evidence_and_others_are_not():
    with KnowledgeBase("v?(x int).", threads=1) as kb:
        kb.supervise("v", [True, False, None, float("nan"), 0.25, 0], pl.DataFrame({"x": [1, 2, 3, 4, 5, 6]}))
        kb.run()
        assert kb.marginals("v")["evidence"].to_list() == [True, False, None, None, None, None]
        with pytest.raises(DataError, match=r"'yes' is no label of a Boolean variable.\nFix: "):
            kb.supervise("v", ["yes"], pl.DataFrame({"x": [1]}))


def test_soft_labels_of_all_categories_are_a_distribution():
    program = "L(x int, c text, p float). v?(@key x int, c text). v(x, c) = TRUE @ p :- L(x, c, p)."
    with KnowledgeBase(program, threads=1) as kb:
        kb.load("L", {"x": [1, 1, 1, 2, 2], "c": ["a", "b", "c", "a", "b"], "p": [0.7, 0.2, 0.1, 0.9, 0.9]})
        kb.run()
        found = [p for (p,) in kb.store.rows("SELECT _soft FROM vals.v ORDER BY x, c")]
        assert found == pytest.approx([0.7, 0.2, 0.1, 0.5, 0.5])


def test_a_holdout_that_is_no_share_spoils_nothing():
    with coins() as kb:
        with pytest.raises(DataError, match=r"holdout is 1.5 .*\nFix: "):
            kb.run(holdout=1.5)
        kb.run()


def test_no_rows_are_rows_and_records_are_looked_at_to_the_end():
    with coins() as kb:
        kb.update({"R": [], "S": {}})
        kb.update({"S": [{"x": n, "said": None} for n in range(200)] + [{"x": 2, "said": True}]})
        assert kb.marginals("v").filter(x=2)["evidence"].to_list() == [True]
        with pytest.raises(DataError, match="Fix: "):
            kb.update({"R": [{"x": 1, "f": 1.0}, {"x": object(), "f": "a"}]})


def test_facts_with_columns_of_any_type_are_explained():
    columns = "a text[], b date, c boolean, d float"
    program = f"R({columns}). v?({columns}). v(a, b, c, d) :- R(a, b, c, d). @weight(1.0) v(a, b, c, d) :- TRUE."
    with KnowledgeBase(program, threads=1) as kb:
        row = pl.DataFrame({"a": [["x", ""]], "b": ["2020-01-31"], "c": [True], "d": [1.0]})
        kb.load("R", row.with_columns(pl.col("b").str.to_date()))
        kb.run()
        assert kb.explain("v", ["x", ""], "2020-01-31", "true", 1.0).n_reasons == 1
        assert kb.changes()["fact"].to_list() == ["['x', ''], 2020-01-31, true, 1.0"]


def test_what_is_no_program_is_said():
    for wrong in (17, [17]):
        with pytest.raises(ProgramError, match=r"int is no (program|statement).\nFix: "):
            KnowledgeBase(wrong)
