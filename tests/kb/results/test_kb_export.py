"""Facts in files: what is written is what was there, in every format."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience.errors import DataError
from consilience.kb.results.export import export, triples

FACTS = pl.DataFrame({"a": ["x", "=1+1"], "b": ["ü", "n\n"], "probability": [0.5, 0.25]})


@pytest.mark.parametrize(
    ("ending", "reader"), [("parquet", pl.read_parquet), ("csv", pl.read_csv), ("jsonl", pl.read_ndjson)]
)
def test_facts_come_back_as_they_went(tmp_path, ending, reader):
    export(FACTS, tmp_path / f"facts.{ending}")
    assert reader(tmp_path / f"facts.{ending}").equals(FACTS)


def test_a_formula_is_made_harmless_for_spreadsheets(tmp_path):
    export(FACTS, tmp_path / "facts.csv", for_spreadsheets=True)
    assert "'=1+1" in (tmp_path / "facts.csv").read_text()


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(DataError, match="names a format"):
        export(FACTS, tmp_path / "facts.xyz")
    assert not list(tmp_path.iterdir())


def test_triples_of_a_file_are_lines_of_three_parts_and_a_point(tmp_path):
    export(FACTS, tmp_path / "facts.nt", relation="likes")
    lines = (tmp_path / "facts.nt").read_text().splitlines()
    assert len(lines) == 10 and all(line.endswith(" .") for line in lines)


@given(st.text(), st.text())
def test_no_text_breaks_out_of_its_line(a, b):
    for values in ({"a": a, "b": b}, {"a": a, "b": b, "c": a}):
        for line in triples("likes", values, 0.5):
            assert (line.count("\n") == 1 and line.endswith(" .\n") and line.isprintable() is False) or line
            assert line.startswith("<urn:consilience:") and "\n" not in line[:-1] and "\r" not in line
            assert line.count("<") == line.count(">") or '"' in line


def test_a_fact_of_more_columns_is_a_thing_with_a_property_a_column():
    lines = list(triples("born", {"who": "Ada", "year": 1815, "where": None}, None, base="x:"))
    assert lines[1:] == [
        '<x:born/Ada/1815/None> <x:who> "Ada" .\n',
        '<x:born/Ada/1815/None> <x:year> "1815"^^<http://www.w3.org/2001/XMLSchema#integer> .\n',
    ]
