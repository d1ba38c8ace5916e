from __future__ import annotations

import importlib

import numpy as np
import pytest


@pytest.fixture
def speed(monkeypatch):
    """The module, with few sparse votes in the place of a million rows."""
    module, jobs = importlib.import_module("label_model_speed"), importlib.import_module("jobs")
    monkeypatch.setattr(module, "SPARSE", jobs.Votes(3000, 8, 0.05, 0.2))
    monkeypatch.setattr(module, "KEPT", 20)
    return module


def test_counted_votes_stand_for_all_rows_and_are_the_same_whatever_their_number(speed, tmp_path):
    importlib.import_module("jobs").prepare(speed.SPARSE, tmp_path)
    few, few_counts = speed.counted(10**4, tmp_path)
    many, many_counts = speed.counted(10**8, tmp_path)
    assert (few_counts.sum(), many_counts.sum()) == (10**4, 10**8)
    assert len(many) == 20
    assert {tuple(row) for row in few} <= {tuple(row) for row in many}


def test_a_fit_says_its_time_memory_and_what_it_got_right(speed, tmp_path):
    prepared = importlib.import_module("jobs").prepare(speed.SPARSE, tmp_path)
    found = speed.fit("DawidSkene", speed.SPARSE, 2, tmp_path)
    assert found["runs"] == 2
    assert found["patterns"] == prepared["distinct"]
    assert 0.5 < found["accuracy"] <= 1
    assert found["peak_mb"] > 0


def test_every_model_of_ours_has_a_line_and_no_two_lines_are_the_same(speed):
    lines = [(job.what, job.size) for job in speed.jobs("python")]
    assert len(set(lines)) == len(lines)
    named = {what.removesuffix(".fit") for what, _ in lines if what.endswith(".fit")}
    assert named == set(importlib.import_module("our_models").our_models()) - {"MajorityVote"}


def test_repeating_rows_are_counted_to_as_many_as_there_were(speed, tmp_path):
    prepared = importlib.import_module("jobs").prepare(speed.SPARSE, tmp_path)
    found = speed.count_repeating(50_000, 1, tmp_path)
    assert 0.9 * prepared["distinct"] <= found["patterns"] <= prepared["distinct"]
    assert speed.count(np.array([[0, 1], [1, 0], [0, 1]], np.int8), 1)["patterns"] == 2
