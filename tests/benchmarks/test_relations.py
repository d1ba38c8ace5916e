"""Relations on real data: the functions find more than guessing does, and the label model is no worse than counting."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.fixture
def relations(benchmarks, monkeypatch):
    monkeypatch.syspath_prepend(benchmarks / "labeling_jobs")
    return importlib.import_module("relations")


def test_pubtator_is_read_with_offsets_into_title_and_abstract(relations, tmp_path):
    mentions = "1\t0\t7\tAspirin\tChemical\tC1\n1\t15\t21\tNausea\tDisease\tD1\n"
    text = f"1|t|Aspirin harms.\n1|a|Nausea.\n{mentions}1\tCID\tC1\tD1\n\n"
    (tmp_path / "x.txt").write_text(text, "utf-8")
    corpus = relations.pubtator(tmp_path / "x.txt")
    assert corpus.documents.texts == ["Aspirin harms. Nausea."] and corpus.related == {("1", "C1", "D1")}
    assert corpus.mentions["span"].to_list() == ["Aspirin", "Nausea"]
    assert len(relations.candidates(corpus)) == 0  # they stand in two sentences


@pytest.mark.slow
def test_drugs_and_diseases(relations):
    from real_data import DataAbsent

    try:
        found = relations.cdr(Path())
    except DataAbsent:
        pytest.skip("the real data is not here")
    assert found["f1"] > found["all_f1"] + 0.01 and found["f1"] > found["majority_f1"] - 0.01
    assert found["functions"]["known"]["precision"] > 0.75
