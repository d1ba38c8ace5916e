"""What Spark's engine says when something is missing, in our words; Spark itself is in the slow tests."""

from __future__ import annotations

import stat
import sys

import pytest

from consilience.engines import spark as engine
from consilience.errors import DataError, ExtraError, ModelError


@pytest.mark.parametrize("missing", ["pyspark", "pyarrow", "pandas"])
def test_a_missing_package_is_named(missing, monkeypatch):
    for name in ("pyspark", "pyarrow", "pandas"):
        pytest.importorskip(name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ExtraError, match=rf"Spark needs {missing}, which is not installed.\nFix: pip install .*spark"):
        engine.pyspark_sql()


def java_that_says(folder, words, code=0):
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit {code}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return folder


def test_no_java_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ExtraError, match=r"Spark needs Java, and .* does not run.*\nFix: install Java 17"):
        engine.check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExtraError, match=r"java does not run.*\nFix"):
        engine.check_java()


@pytest.mark.parametrize("words", ['openjdk version "11.0.2" 2019', 'java version "1.8.0_292"'])
def test_an_old_java_is_refused(words, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java_that_says(tmp_path, words)))
    with pytest.raises(ExtraError, match=r"needs Java 17; .* is Java (11|1).\nFix"):
        engine.check_java()


@pytest.mark.parametrize("words", ['openjdk version "17.0.15" 2025', 'openjdk version "21" 2023', "nobody knows"])
def test_a_java_of_today_will_do(words, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java_that_says(tmp_path, words)))
    engine.check_java()


def test_a_java_that_fails_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java_that_says(tmp_path, "broken", code=1)))
    with pytest.raises(ExtraError, match=r"does not run.*\nFix"):
        engine.check_java()


def test_our_own_errors_come_back_from_executors_as_they_were():
    text = (
        "An exception was thrown from the Python worker:\nTraceback (most recent call last):\n  File ...\n"
        "consilience.errors.ModelError: The function 'a' says 'x', which the model does not know.\n"
        "Fix: Did you mean 'y'?\n\n\tat org.apache.spark..."
    )
    error = engine.plain_error(text)
    assert type(error) is ModelError
    assert str(error) == "The function 'a' says 'x', which the model does not know.\nFix: Did you mean 'y'?"
    assert engine.plain_error("consilience.errors.nearest: x") is None


def test_an_executor_without_a_package_is_said():
    error = engine.plain_error("...\nModuleNotFoundError: No module named 'consilience'\n\tat ...")
    assert type(error) is ExtraError
    assert str(error).startswith("Spark's executors cannot import 'consilience'.\nFix: give them an environment")


def test_paths_that_are_there_or_not():
    assert type(engine.plain_error("[PATH_NOT_FOUND] no", "PATH_NOT_FOUND")) is DataError
    assert "\nFix: write to a folder" in str(engine.plain_error("[P] there", "PATH_ALREADY_EXISTS"))
    assert engine.plain_error("a disk is full", "SOMETHING") is None and engine.plain_error("a disk is full") is None
