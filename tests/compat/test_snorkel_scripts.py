"""Scripts in Snorkel's style run when the import is changed, and give what Snorkel 0.10 gives (see asked.py)."""

from __future__ import annotations

import json

import pytest
from tests.compat.asked import ANSWERS, SCRIPTS, make_parser, plain, run

pytest.importorskip("pandas")
EXPECTED = json.loads(ANSWERS.read_text("utf-8"))


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    pytest.importorskip("spacy")
    folder = tmp_path_factory.mktemp("parser")
    make_parser(folder)
    return folder


def ported(path, folder):
    """The script with its import changed as a user would change it: by putting one word for another."""
    copy = folder / path.name
    copy.write_text(path.read_text("utf-8").replace("snorkel", "consilience.compat.snorkel"), "utf-8")
    return run(copy)


def test_each_script_has_been_asked_of_snorkel():
    assert EXPECTED.keys() == {path.stem for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_gives_what_snorkel_gives(path, tmp_path, monkeypatch, request):
    if path.stem == "parsed":
        monkeypatch.setenv("PARSER", str(request.getfixturevalue("parser")))
    found = plain(ported(path, tmp_path)["results"])
    for what, expected in EXPECTED[path.stem].items():
        assert found[what] == expected, what
    assert found.keys() == EXPECTED[path.stem].keys()
