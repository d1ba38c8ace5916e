"""The command line in temporary folders: every verb, its exit code, its JSON, and what comes next."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from typer.testing import CliRunner

from consilience.cli.main import VERBS, app
from consilience.project.project import Project

DECLARED = """
[money]
label = "spam"
keywords = ["cash", "prize"]
[link]
label = "spam"
pattern = 'www'
[short]
label = "ham"
expression = "length(text) < 16"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("rows.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(60):
            writer.writerow([f"cash prize at www {i}" if i % 2 else f"hello you {i}", "spam" if i % 2 else "ham"])
        file.write('"a line, with too many, fields"\n')
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def ready(folder):
    assert run("init", ".", "--labels", "ham,spam", "--gold", "label").exit_code == 0
    (folder / "lfs.toml").write_text(DECLARED)
    assert run("add", "rows.csv").exit_code == 0


def test_every_step_says_what_it_did_and_what_comes_next(folder):
    ready(folder)
    steps = [
        (["apply"], "3 of 3 functions computed", "consilience fit"),
        (["lfs", "--on", "dev"], "money", "consilience"),
        (["show", "--where", "money & link", "-n", "2"], "30 of 60 rows", "consilience apply"),
        (["show", "--rejects"], "1 fields where the header has 2", "consilience"),
        (["fit"], "picked", "consilience train"),
        (["plot", "matrix", "--out", "votes.png"], "matrix of all rows in votes.png", "consilience lfs"),
        (["plot", "accuracies", "--out", "a.svg", "--repeats", "3"], "accuracies of all rows", "consilience explain"),
        (["train"], "speaks for", "consilience eval"),
        (["eval", "--slices", "--supervised"], "trained on all gold", "consilience export"),
        (["export", "out.parquet"], "rows of the training-set", "consilience runs"),
        (["export", "wrench.json"], "rows of the training-set", "consilience runs"),
        (["export", "hf", "--format", "saved-dataset", "--what", "predictions"], "rows of the pred", "consilience"),
        (["runs"], "apply", "consilience diff"),
        (["diff", "1", "1"], "no difference", "consilience runs"),
        (["doctor"], "the store is whole", "consilience"),
        (["trust"], "trusted", "consilience apply"),
    ]
    for arguments, said, following in steps:
        done = run(*arguments)
        assert done.exit_code == 0, done.output
        assert said in done.output
        assert f"next: {following}" in done.output or following in done.output.split("next:")[1]


@pytest.mark.parametrize("verb", ["apply", "lfs", "show", "suggest", "fit", "train", "eval", "runs", "doctor"])
def test_json_is_one_object_with_the_verb_and_what_comes_next(folder, verb):
    ready(folder)
    for earlier in ("apply", "fit", "train"):
        run(earlier)
    answer = json.loads(run(verb, "--json").output)
    assert answer["verb"] == verb
    assert answer["next"]


def test_all_verbs_take_json_and_explain_themselves():
    for verb in VERBS:
        text = run(verb, "--help").output
        assert "--json" in text
    assert run("--version").output.startswith("consilience ")


def test_exit_codes_are_as_documented(folder):
    assert run("apply").exit_code == 1
    assert run("no-such-verb").exit_code == 2
    ready(folder)
    run("apply")
    project = Project(folder)
    blob = project.catalogue.one("SELECT blob FROM vote_column")["blob"]
    project.close()
    project.blobs.path(blob).write_bytes(b"rubbish")
    assert run("doctor").exit_code == 3
    assert run("doctor", "--repair").exit_code == 0
    assert run("apply").exit_code == 0
    (folder / ".consilience" / "token").unlink()
    assert run("apply").exit_code == 4
    assert run("apply", "--no-python").exit_code == 0


def test_errors_are_messages_not_tracebacks(folder):
    done = run("fit")
    assert "Traceback" not in done.output
    assert "Fix: make one with `consilience init`" in done.output
    failed = json.loads(run("fit", "--json").output)
    assert failed["kind"] == "StoreError"
    assert "Fix:" in failed["error"]


def test_a_changed_function_recomputes_one_column(folder):
    ready(folder)
    run("apply")
    (folder / "lfs.toml").write_text(DECLARED.replace("'www'", "'http'"))
    assert "1 of 3 functions computed" in run("apply").output


def test_hostile_text_is_printed_as_text(folder):
    (folder / "evil.jsonl").write_text(json.dumps({"text": "[bold]x[/] [link=http://a]y[/link] \x1b[31m"}) + "\n")
    run("init", ".", "--labels", "a,b")
    (folder / "lfs.toml").write_text("[k]\nlabel = 'a'\npattern = 'x'\n")
    run("add", "evil.jsonl")
    run("apply")
    shown = run("show").output
    assert "[bold]x[/]" in shown
    assert "\x1b" not in shown


SLOW = """
import time
import consilience as cs

def make(name):
    @cs.labeling_function("spam", name=name)
    def slow(row):
        time.sleep(0.0005)
        return "cash" in row.text
    return slow

a, b = make("a"), make("b")
"""


def command(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "consilience.cli.main", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ.copy(),
    )


def test_a_killed_apply_leaves_nothing_torn(folder):
    ready(folder)
    (folder / "lfs.py").write_text(SLOW)
    chance = random.Random(5)
    for attempt in range(10):
        (folder / "lfs.toml").write_text(DECLARED.replace("'www'", f"'w{attempt}'"))
        process = command(folder, "apply")
        time.sleep(chance.uniform(0.05, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert run("doctor").exit_code == 0
    (folder / "lfs.toml").write_text(DECLARED)
    assert run("apply").exit_code == 0
    answer = json.loads(run("lfs", "--json").output)
    assert {line["function"]: line["votes"] for line in answer["functions"]} == {
        "money": 30,
        "link": 30,
        "short": 30,
        "a": 30,
        "b": 30,
    }


def test_two_processes_apply_at_once(folder):
    ready(folder)
    (folder / "lfs.py").write_text(SLOW)
    processes = [command(folder, "apply") for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert run("doctor").exit_code == 0
    assert len(json.loads(run("runs", "--json").output)["runs"]) == 2


def test_two_processes_add_the_same_rows_at_once(folder):
    ready(folder)
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": f"more {i}"}) + "\n" for i in range(50)))
    (folder / "most.jsonl").write_text("".join(json.dumps({"text": f"more {i}"}) + "\n" for i in range(80)))
    processes = [command(folder, "add", name) for name in ("more.jsonl", "most.jsonl", "most.jsonl")]
    assert [process.wait() for process in processes] == [0, 0, 0]
    run("apply")
    assert json.loads(run("runs", "--json").output)["runs"][-1]["rows"] == 60 + 80


def test_rows_on_which_a_function_failed_are_counted_and_named_on_the_command_line(folder):
    ready(folder)
    (folder / "lfs.py").write_text(
        "import consilience as cs\n\n@cs.labeling_function('spam')\ndef broken(row):\n"
        "    if row.text.endswith('7'):\n        raise ValueError('no sevens')\n    return 'cash' in row.text\n"
    )
    for arguments in (["apply"], ["apply"], ["lfs"]):  # computed, from the store, and without running anything
        said = run(*arguments).output
        assert "broken failed on 6 rows and abstained" in said
        assert "ValueError: no sevens" in said
    answer = json.loads(run("lfs", "--json").output)
    assert [line["errors"] for line in answer["functions"]] == [0, 0, 0, 6]


def test_rows_are_in_even_if_there_is_too_little_gold_to_split_yet(folder):
    run("init", ".", "--labels", "ham,spam", "--gold", "label")
    settings = folder / "consilience.toml"
    settings.write_text(settings.read_text().replace("# dev = 250", "dev = 50").replace("# test = 250", "test = 50"))
    done = run("add", "rows.csv")
    assert done.exit_code == 0
    assert "60 rows" in done.output
    assert "cannot be made yet" in done.output
    assert "Fix: ask for smaller parts" in done.output


def test_votes_for_sets_of_labels_on_the_command_line(folder):
    done = run("init", ".", "--labels", "ham,spam,advert", "--gold", "label", "--group", "junk = spam, advert")
    assert done.exit_code == 0
    sets = '[money]\nlabel = "junk"\nkeywords = ["cash"]\n[hello]\nlabel = "not spam"\nkeywords = ["hello"]\n'
    (folder / "lfs.toml").write_text(sets)
    assert run("add", "rows.csv").exit_code == 0
    table = json.loads(run("apply", "--json").stdout)["functions"]
    assert [line["says"] for line in table] == ["junk", "not spam"] and {line["accuracy"] for line in table} == {1.0}
    assert "30 of 60 rows" in run("show", "--where", 'hello="not spam" & !gold=junk').stdout
    assert run("fit").exit_code == 0
    assert run("show", "--where", "hello=nothing").exit_code == 1
    assert run("init", "other", "--labels", "a,b", "--group", "all=a,b").exit_code == 1


def test_a_row_is_explained_by_its_id(folder):
    ready(folder)
    run("apply")
    run("fit", "--model", "dawid-skene")
    project = Project(folder)
    ids, texts = project.table.ids, project.table.texts
    project.close()
    said = run("explain", ids[1])
    assert said.exit_code == 0 and texts[1] in said.output
    assert "money" in said.output and "prior" in said.output and "total" in said.output
    answer = json.loads(run("explain", ids[1], "--json").output)
    assert answer["label"] == "spam" and answer["text"] == texts[1]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    parts = {line["function"]: line["for spam, not ham"] for line in answer["parts"]}
    assert sum(value for name, value in parts.items() if name != "total") == pytest.approx(parts["total"], abs=1e-4)
    missing = run("explain", "nobody")
    assert missing.exit_code == 1 and "There is no row with the id 'nobody'" in missing.output


@pytest.mark.parametrize("what", ["matrix", "conflicts", "accuracies", "calibration", "confusions", "dependencies"])
def test_every_picture_is_drawn(folder, what):
    ready(folder)
    run("apply")
    run("fit", "--model", "dawid-skene")
    answer = json.loads(run("plot", what, "--out", "x.png", "--repeats", "2", "--json").output)
    assert answer["path"] == "x.png" and (folder / "x.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_that_cannot_be_are_refused(folder):
    ready(folder)
    assert "There is no picture of 'matrx'" in run("plot", "matrx", "--out", "x.png").output
    assert "x.txt is no picture" in run("plot", "matrix", "--out", "x.txt").output
    assert not list(folder.glob("x.*"))


def test_rows_in_files_are_labelled_without_adding_them(folder):
    ready(folder)
    run("apply")
    run("fit")
    pl.DataFrame({"text": ["cash now", "see www.x.org", "hi", None]}).write_parquet(folder / "more.parquet")
    done = run("label", "more.parquet", "--into", "out")
    assert done.exit_code == 0, done.output
    assert "3 rows labelled, 1 set aside (rejects.jsonl); votes computed on 3 of them" in done.output
    (labels,) = (folder / "out" / "labels").glob("*.parquet")
    assert len(pl.read_parquet(labels)) == 3 and pl.read_parquet(labels).columns == ["row", "label", "p ham", "p spam"]
    again = json.loads(run("label", "more.parquet", "--into", "out", "--json").output)
    assert (again["rows"], again["computed"], again["rejects"]) == (3, 0, 1)
    assert run("label", "more.parquet", "--into", "out", "--fit").exit_code == 0


def test_functions_of_a_project_run_in_workers_with_the_modules_beside_them(folder):
    ready(folder)
    (folder / "helper_of_mine.py").write_text("def says(text):\n    return 'cash' in text\n")
    (folder / "lfs.py").write_text(
        "import consilience as cs\nfrom helper_of_mine import says\n\n"
        "@cs.labeling_function('spam')\ndef a(row):\n    return says(row.text)\n\n"
        "@cs.labeling_function('ham')\ndef b(row):\n    return not a(row)\n"
    )
    assert run("apply", "--workers", "2").exit_code == 0
    answer = json.loads(run("lfs", "--json").output)
    assert {line["function"]: line["votes"] for line in answer["functions"] if line["function"] in "ab"} == {
        "a": 30,
        "b": 30,
    }


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_full_disk_is_a_message(folder, monkeypatch, as_json):
    ready(folder)

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("consilience.store.files.Blobs.put", full)
    done = run("apply", *as_json)
    assert done.exit_code == 1
    assert "No space left on device.\\nFix: make room" in (done.output if as_json else done.output.replace("\n", "\\n"))
