"""A knowledge base on the command line: every verb, its exit code, its JSON, and what comes next."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from consilience.cli.kb import VERBS
from consilience.cli.main import app


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIENCE_HOME", str(tmp_path / "home"))
    assert run("init", ".").exit_code == 0
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["kb", *(str(a) for a in arguments)])


def test_every_step_says_what_it_did_and_what_comes_next(folder):
    steps = [
        (["check"], "friends.csv", "consilience kb run"),
        (["compile"], "SELECT", "consilience kb run"),
        (["compile", "--dialect", "spark"], "SELECT", "consilience kb run"),
        (["run", "--holdout", "0.3"], "factors", "consilience kb marginals smokes"),
        (["marginals", "smokes"], "probability", "consilience kb explain smokes KEY"),
        (["weights"], "friends do alike", "consilience kb explain"),
        (["query", "n, m ?- person(a, n), friends(a, b), person(b, m)."], "Ada", "consilience kb"),
        (["explain", "ill", "1"], "smoking makes ill", "consilience kb weights"),
        (["calibrate", "ill"], "calibration error", "consilience kb"),
        (["ground"], "nothing changed", "consilience kb learn"),
        (["learn"], "weights", "consilience kb infer"),
        (["infer"], "variables", "consilience kb marginals"),
        (["diff"], "changed", "consilience kb explain"),
    ]
    for arguments, said, following in steps:
        done = run(*arguments)
        assert done.exit_code == 0, (arguments, done.output)
        assert said in done.output, (arguments, done.output)
        assert following in done.output.split("next:")[1], (arguments, done.output)


def test_json_is_one_object_with_the_verb_and_what_comes_next(folder):
    run("run")
    for arguments in (["check"], ["run"], ["marginals", "ill"], ["weights"], ["explain", "ill", "1"], ["calibrate"]):
        answer = json.loads(run(*arguments, "--json").output)
        assert answer["verb"] == f"kb {arguments[0]}" and answer["next"]


def test_all_verbs_take_json_and_explain_themselves():
    for verb in VERBS:
        assert "--json" in run(verb, "--help").output


def test_a_changed_file_costs_what_it_touches_and_its_facts_follow(folder):
    run("run")
    data = folder / "data" / "survey.csv"
    asked = set(pl.read_csv(data)["id"].to_list())
    silent = next(i for i in range(96) if i not in asked)
    before = _marginal(silent)
    text = data.read_text()
    data.write_text(f"{text}{silent},true\n")
    done = run("run", "--keep-weights")
    assert done.exit_code == 0 and "1 row" in done.output
    assert _marginal(silent) == 1.0 != before
    data.write_text(text)
    run("run", "--keep-weights")
    assert _marginal(silent) == pytest.approx(before, abs=1e-6)
    changed = json.loads(run("diff", "--json").output)
    assert changed["n_rows"] >= 1


def _marginal(key):
    facts = json.loads(run("marginals", "smokes", "-n", "999", "--json").output)["rows"]
    return next(fact["probability"] for fact in facts if fact["id"] == key)


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl", "nt"])
def test_facts_are_written_in_every_format(folder, ending):
    run("run")
    done = run("marginals", "ill", "--over", "0.5", "--out", f"facts.{ending}")
    assert done.exit_code == 0 and (folder / f"facts.{ending}").stat().st_size > 0
    if ending == "parquet":
        assert pl.read_parquet("facts.parquet")["probability"].min() >= 0.5


def test_errors_are_messages_with_their_place(folder):
    program = folder / "app.ddlog"
    program.write_text(program.read_text() + "\nsmokes(p) :- persn(p, _).\n")
    done = run("check")
    assert done.exit_code == 1
    assert "persn" in done.output and "Fix:" in done.output and "Traceback" not in done.output
    assert str(len(program.read_text().splitlines())) in done.output


def test_before_a_run_there_is_nothing_to_show(folder):
    done = run("marginals", "ill")
    assert done.exit_code == 1 and "Fix: consilience kb run" in done.output
    assert run("init", ".").exit_code == 1


def test_a_folder_without_a_program_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("check")
    assert done.exit_code == 1 and "consilience kb init" in done.output


def test_code_of_a_folder_nobody_trusted_does_not_run(folder):
    (folder / "functions.py").write_text("def loud(name):\n    return [(name.upper(),)]\n")
    program = folder / "app.ddlog"
    more = 'function shout over (name text) returns (said text) implementation "functions:loud".\n'
    program.write_text(program.read_text() + more + "heard(said text).\nheard += shout(n) :- person(_, n).\n")
    done = run("run")
    assert done.exit_code == 4 and "consilience trust" in done.output
    assert CliRunner().invoke(app, ["trust"]).exit_code == 0
    assert run("run").exit_code == 0
    assert "ADA" in run("query", "s ?- heard(s).").output
