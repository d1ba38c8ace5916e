"""What the command line says of functions beyond their table, and what it suggests to do next."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from consilience.cli.main import app
from consilience.errors import FunctionError
from consilience.project.functions import declare, declared_names

WORDS = {
    "spam": """free cash prize win claim urgent offer reply txt mobile tone award guaranteed rate chat draw camera""",
    "ham": """home see dinner mum love ok later sorry lunch sleep tonight class bus film birthday morning weather""",
}
SPAM, HAM = (words.split() for words in WORDS.values())
DECLARED = """\
# my functions; do not touch

[free]   # one
label = "spam"
keywords = ["free", "cash"]
[home]
label = "ham"
keywords = ["home", "see", "dinner"]
[cash]
label = "spam"
keywords = ["cash"]
[wordy]
label = "ham"
pattern = "cash|win"
"""
BROKEN = """
import consilience as cs

@cs.labeling_function("spam")
def broken(row):
    if row.text.startswith("free"):
        raise ValueError("no such thing")
    return "prize" in row.text
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with open("rows.jsonl", "w") as file:
        for place in range(900):
            label = "spam" if rng.random() < 0.4 else "ham"
            words = [*rng.choice(SPAM if label == "spam" else HAM, 3), f"w{rng.integers(0, 40)}"]
            file.write(
                json.dumps({"id": place, "text": " ".join(map(str, words)), "label": label if place < 120 else None})
                + "\n"
            )
    run("init", ".", "--labels", "ham,spam", "--gold", "label", "--id", "id")
    (tmp_path / "lfs.toml").write_text(DECLARED)
    (tmp_path / "lfs.py").write_text(BROKEN)
    run("add", "rows.jsonl")
    assert run("apply").exit_code == 0
    return tmp_path


def test_everything_is_suggested_with_what_comes_next(folder):
    said = run("suggest")
    assert said.exit_code == 0, said.output
    for part in (
        "functions worth writing",
        "rows worth labelling",
        "groups of rows without votes",
        "contradict each other on",
    ):
        assert part in said.output
    assert "counting votes (no label model is fitted yet)" in said.output
    assert "next: consilience suggest functions --write" in said.output
    assert (folder / "lfs.toml").read_text() == DECLARED
    run("fit")
    answer = json.loads(run("suggest", "--json").output)
    assert answer["believed_by"] == "the label model fitted last"
    assert {"functions", "rows", "groups", "conflict", "next"} <= answer.keys()
    assert answer["functions"][0]["toml"].startswith(f"[{answer['functions'][0]['name']}]")
    assert "cs.keywords(" in run("suggest", "functions", "--python").output


def test_written_functions_are_appended_below_what_stands_there_and_apply(folder):
    said = run("suggest", "functions", "-n", "2", "--words", "3", "--write")
    assert said.exit_code == 0 and "2 functions appended" in said.output and "next: consilience apply" in said.output
    text = (folder / "lfs.toml").read_text()
    assert text.startswith(DECLARED) and len(declared_names(folder / "lfs.toml")) == 6
    assert "2 of 7 functions computed" in run("apply").output
    run("suggest", "functions", "--write")
    assert run("apply").exit_code == 0


def test_pairs_of_functions_are_shown(folder):
    said = run("lfs", "--conflicts", "--redundant").output
    assert "pairs contradict each other" in said and "is implied by" in said
    answer = json.loads(run("lfs", "--conflicts", "--redundant", "--by-label", "--json").output)
    assert {"function": "cash", "is implied by": "wordy"}.items() <= answer["redundant"][0].items() or any(
        line["function"] == "cash" for line in answer["redundant"]
    )
    assert answer["conflicts"][0]["disagree"] > 0 and answer["labels"]


def test_the_first_traceback_is_shown_whole_with_its_row(folder):
    said = run("lfs", "--errors", "broken").output
    assert "first on row" in said and "Traceback (most recent call last)" in said
    assert 'raise ValueError("no such thing")' in said and "lfs.py" in said
    assert "consilience lfs --errors broken" in run("lfs").output
    failure = json.loads(run("lfs", "--errors", "broken", "--json").output)["failure"]
    assert failure["count"] > 0 and "ValueError: no such thing" in failure["first_error"]
    assert "it never failed" in run("lfs", "--errors", "free").output


def test_mistakes_of_functions_of_the_majority_and_of_the_model(folder):
    run("fit")
    for who in ("wordy", "majority", "model"):
        answer = json.loads(run("lfs", "--on", "dev", "--errors", who, "--json").output)
        assert answer["mistakes"] and {"said", "gold", "rows", "for example"} == answer["mistakes"][0].keys()
    wrong = run("lfs", "--errors", "wrdy")
    assert wrong.exit_code == 1 and "Fix: Did you mean 'wordy'?" in wrong.output


def test_what_cannot_be_suggested_is_refused(folder):
    assert "Did you mean 'functions'?" in run("suggest", "function").output
    assert "Only suggested functions can be written" in run("suggest", "rows", "--write").output
    assert run("suggest", "-n", "0").exit_code == 2


def test_declaring_keeps_the_file_if_something_is_wrong(tmp_path):
    path = tmp_path / "lfs.toml"
    declare(path, ['[a]\nlabel = "x"\n'])
    before = path.read_bytes()
    for table in ('[a]\nlabel = "y"\n', "[b\n"):
        with pytest.raises(FunctionError, match=r"would not be readable.*\nFix: "):
            declare(path, [table])
        assert path.read_bytes() == before
    path.write_bytes(b"# no end of line\r\n[a]\r\nlabel = 'x'")
    declare(path, ['["b c"]\nlabel = "y"\n'])
    assert path.read_bytes().startswith(b"# no end of line\r\n[a]\r\nlabel = 'x'\n") and declared_names(path) == [
        "a",
        "b c",
    ]
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    declare(link, ['[c]\nlabel = "z"\n'])
    assert link.is_symlink() and declared_names(path)[-1] == "c"
