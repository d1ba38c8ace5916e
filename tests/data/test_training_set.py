"""Training sets: rows with soft labels, and every way out of the house."""

from __future__ import annotations

import csv
import json
import re
from datetime import date

import numpy as np
import polars as pl
import pytest

from consilience import Labels, Table, TrainingSet
from consilience.errors import DataError

LABELS = Labels("ham", "spam")
FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "c"],
        "text": ["hi\nthere", '=cmd|"x"', "-1"],
        "tags": [["x", 'y"z'], [], None],
        "box": [{"w": 1}, {"w": 2}, None],
        "day": [date(2024, 1, 2), None, date(2024, 1, 3)],
        "y": ["ham", None, "spam"],
    }
)
SOFT = np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]])


@pytest.fixture
def made():
    return TrainingSet(Table(FRAME, gold="y"), LABELS, SOFT, np.array([1.0, 2.0, 0.5]), ["f=ham", "@g=spam", ""])


def test_the_frame_has_features_then_labels_and_reasons_but_no_gold(made):
    assert made.frame.columns == ["id", "text", "tags", "box", "day", "label", "p_ham", "p_spam", "weight", "why"]
    assert made.hard_labels == made.frame["label"].to_list() == ["ham", "spam", "ham"]
    assert made.frame["p_spam"].to_list() == [0.1, 0.75, 0.5]
    assert len(made) == 3 and made.texts == FRAME["text"].to_list()
    assert repr(made) == "TrainingSet(3 rows: ham 55.0%, spam 45.0%; 3 distinct reasons)"


def test_features_that_share_a_name_with_what_is_made_are_kept_under_another():
    table = Table(pl.DataFrame({"id": [1], "text": ["hi"], "label": ["old"], "weight": [7], "p_ham": [0.3]}))
    both = Table(pl.DataFrame({"id": [1], "text": ["hi"], "label": ["old"], "row_label": ["older"]}))
    frame = TrainingSet(table, LABELS, SOFT[:1], np.ones(1), ["f=ham"]).frame
    assert frame["row_label"].to_list() == ["old"] and frame["label"].to_list() == ["ham"]
    assert frame["row_weight"].to_list() == [7] and frame["row_p_ham"].to_list() == [0.3]
    values = TrainingSet(both, LABELS, SOFT[:1], np.ones(1), ["f=ham"]).frame.row(0)
    assert {"old", "older", "ham"} <= set(values)


def test_parquet_is_read_back_as_it_was(made, tmp_path):
    made.to_parquet(tmp_path / "made.parquet")
    assert pl.read_parquet(tmp_path / "made.parquet").equals(made.frame)


def test_each_line_of_jsonl_is_a_row(made, tmp_path):
    made.to_jsonl(tmp_path / "made.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "made.jsonl").read_text("utf-8").splitlines()]
    assert [line["text"] for line in lines] == made.texts
    assert [line["tags"] for line in lines] == [["x", 'y"z'], [], None]
    assert [line["p_ham"] for line in lines] == SOFT[:, 0].tolist()
    assert lines[0]["box"] == {"w": 1} and lines[0]["why"] == "f=ham"


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_lists_as_json_and_texts_as_they_are(made, tmp_path):
    made.to_csv(tmp_path / "made.csv")
    rows = read_csv(tmp_path / "made.csv")
    assert [row["text"] for row in rows] == made.texts
    assert json.loads(rows[0]["tags"]) == ["x", 'y"z'] and json.loads(rows[0]["box"]) == {"w": 1}
    assert [float(row["p_spam"]) for row in rows] == SOFT[:, 1].tolist()
    assert rows[1]["why"] == "@g=spam"


@pytest.mark.parametrize("trigger", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_csv_for_spreadsheets_holds_no_formula(trigger, tmp_path):
    table = Table(pl.DataFrame({"id": [1, 2], "text": [trigger, "5 = 5"], "n": [-1, 1]}))
    made = TrainingSet(table, LABELS, SOFT[:2], np.ones(2), [trigger, "f"])
    made.to_csv(tmp_path / "made.csv", for_spreadsheets=True)
    rows = read_csv(tmp_path / "made.csv")
    assert rows[0]["text"] == "'" + trigger and rows[0]["why"] == "'" + trigger
    assert rows[1]["text"] == "5 = 5" and rows[0]["n"] == "-1"


def test_the_huggingface_folder_has_the_rows_and_a_card_naming_the_classes(made, tmp_path):
    made.to_huggingface(tmp_path / "hf")
    files = sorted(str(path.relative_to(tmp_path / "hf")) for path in (tmp_path / "hf").rglob("*") if path.is_file())
    assert files == ["README.md", "data/train-00000-of-00001.parquet"]
    frame = pl.read_parquet(tmp_path / "hf" / files[1])
    assert frame["label"].to_list() == [0, 1, 0] and frame["text"].to_list() == made.texts
    card = (tmp_path / "hf" / "README.md").read_text("utf-8")
    head = card.split("---")[1]
    assert re.search(r"class_label:\s+names:\s+'0': \"ham\"\s+'1': \"spam\"", head)
    assert re.findall(r'- name: "(\w+)"', head) == frame.columns
    assert "path: data/train-*" in head


def test_every_column_of_the_card_has_a_type(made, tmp_path):
    made.to_huggingface(tmp_path / "hf")
    head = (tmp_path / "hf" / "README.md").read_text("utf-8").split("configs:")[0]
    kinds = dict(re.findall(r'- name: "(\w+)"\n +(\w+: ?\w*)', head))
    assert kinds["id"] == "dtype: string" and kinds["tags"] == "list: string" and kinds["weight"] == "dtype: float64"
    assert kinds["box"] == kinds["day"] == "dtype: string"


def test_an_export_that_fails_leaves_the_old_file(made, tmp_path, monkeypatch):
    path = tmp_path / "made.csv"
    path.write_text("old")
    monkeypatch.setattr(pl.DataFrame, "write_csv", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.to_csv(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_gold_makes_a_training_set_of_certain_labels():
    certain = TrainingSet.from_gold(Table(FRAME, gold="y"))
    assert certain.table.ids.to_list() == ["a", "c"] and certain.soft_labels.tolist() == [[1, 0], [0, 1]]
    assert certain.why == ["gold", "gold"] and list(certain.labels) == ["ham", "spam"]


def test_without_gold_there_is_no_such_set():
    with pytest.raises(DataError, match=r"The table has no gold.\nFix"):
        TrainingSet.from_gold(Table(FRAME.with_columns(y=pl.lit(None, pl.String)), gold="y"), LABELS)


@pytest.mark.parametrize("part", ["soft", "weights", "why"])
def test_shapes_that_do_not_fit_are_refused(part):
    given = {"soft": SOFT, "weights": np.ones(3), "why": ["", "", ""]}
    given[part] = given[part][:2]
    with pytest.raises(DataError, match=r"3 rows and 2 labels need 3 x 2 probabilities(.|\n)*Fix"):
        TrainingSet(Table(FRAME), LABELS, given["soft"], given["weights"], given["why"])
