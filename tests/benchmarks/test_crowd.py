from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def call(benchmarks):
    def call(*arguments, **environ):
        command = [sys.executable, str(benchmarks / "crowd.py"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | environ)

    return call


def test_without_data_it_says_how_to_get_it(call, tmp_path):
    done = call("--set", "dog", CONSILIENCE_DATA=str(tmp_path))
    assert done.returncode == 3 and "Fix: unpack it there" in done.stderr and "Traceback" not in done.stderr


def test_every_model_is_measured_on_answers_from_a_file(call, tmp_path):
    folder = tmp_path / "crowd" / "d_jn-product"
    folder.mkdir(parents=True)
    answers = [f"{item},{worker},{int(item % 3 == 0)}" for item in range(30) for worker in range(3)]
    (folder / "label.csv").write_text("\n".join(["item,worker,label", *answers]), "utf-8")
    (folder / "truth.csv").write_text(
        "\n".join(["item,truth", *(f"{i},{int(i % 3 == 0)}" for i in range(30))]), "utf-8"
    )
    done = call("--set", "d_jn-product", "--json", tmp_path / "lines", CONSILIENCE_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    crowd = importlib.import_module("crowd")
    assert [record["model"] for record in records[1:]] == list(crowd.MODELS)
    assert all(record["accuracy"] == {"d_jn-product": 100.0} for record in records)
    assert all(record["f1"] == {"d_jn-product": 100.0} for record in records[1:])


@pytest.mark.slow
def test_published_figures_are_met(call, tmp_path):
    """Dawid-Skene on bluebird is 89.8% in the literature, and majority vote 75.9%; one item is 0.9%."""
    real_data = importlib.import_module("real_data")
    try:
        real_data.data_folder("crowd")
    except real_data.DataAbsent as absent:
        pytest.skip(str(absent))
    done = call("--set", "bluebird", "--json", tmp_path / "lines")
    assert done.returncode == 0, done.stderr
    found = {
        r["model"]: r["accuracy"]["bluebird"] for r in map(json.loads, (tmp_path / "lines").read_text().splitlines())
    }
    assert found["majority vote"] == pytest.approx(75.9, abs=0.1)
    assert found["Dawid-Skene, prior 1"] == pytest.approx(89.8, abs=0.1)
    assert found["Dawid-Skene"] >= 88
