"""What is written is read back, by our readers and by those the formats come from."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import LabelMatrix, Labels, Table, TrainingSet, read
from consilience.data.write import ENDINGS, FORMATS
from consilience.errors import DataError, StoreError

LABELS = Labels("ham", "spam")
FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "ü-c"],
        "text": ["hi\nthere, you", '=cmd|"x" 😀', ""],
        "n": [1, None, -3],
        "x": [0.1, 1e300, None],
        "yes": [True, None, False],
        "tags": [["x", 'y"z'], [], None],
        "y": ["ham", None, "spam"],
    }
)
SOFT = np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]])


@pytest.fixture
def rows():
    return Table(FRAME, gold="y", labels=LABELS)


@pytest.fixture
def made(rows):
    return TrainingSet(rows, LABELS, SOFT, np.ones(3), ["f=ham", "g=spam", ""])


# tables


@pytest.mark.parametrize("ending", ["parquet", "arrow", "feather", "ipc", "jsonl", "pq"])
def test_tables_are_read_back_as_they_were(rows, ending, tmp_path):
    rows.write(tmp_path / f"rows.{ending}")
    again = read(tmp_path / f"rows.{ending}", gold="y")
    assert again.frame.equals(FRAME) and again.n_gold == 2
    assert [path.name for path in tmp_path.iterdir()] == [f"rows.{ending}"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_delimited_text_is_read_back_but_for_empty_cells_and_lists(rows, ending, tmp_path):
    rows.write(tmp_path / f"rows.{ending}")
    again = read(tmp_path / f"rows.{ending}", gold="y").frame
    assert again.drop("tags", "yes").equals(FRAME.drop("tags", "yes"))
    assert json.loads(again["tags"][0]) == ["x", 'y"z']


@given(st.lists(st.text(max_size=6), min_size=1, max_size=6))
def test_any_text_goes_through_every_table_format(texts):
    import tempfile
    from pathlib import Path

    table = read([{"id": place, "text": text.replace("\r", "")} for place, text in enumerate(texts)])
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("parquet", "arrow", "jsonl", "csv"):
            path = Path(folder) / f"rows.{ending}"
            table.write(path)
            assert read(path).texts == table.texts


def test_arrow_files_are_what_pyarrow_reads(rows, tmp_path):
    rows.write(tmp_path / "rows.feather")
    assert pa.feather.read_table(tmp_path / "rows.feather")["text"].to_pylist() == rows.texts
    pa.feather.write_feather(pa.table({"id": [1], "text": ["hi"]}), tmp_path / "theirs.feather")
    assert read(tmp_path / "theirs.feather").texts == ["hi"]


TRIGGERS = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_no_cell_and_no_name_runs_in_a_spreadsheet(trigger, tmp_path):
    table = Table(pl.DataFrame({"id": [1], "text": [trigger], trigger: ["ok"], "n": [-1]}))
    table.write(tmp_path / "rows.csv", for_spreadsheets=True)
    frame = pl.read_csv(tmp_path / "rows.csv", infer_schema=False)
    assert frame["text"][0] == "'" + trigger and frame.columns[2] == "'" + trigger and frame["n"][0] == "-1"


# WRENCH


def test_wrench_rows_and_votes_are_read_back(made, rows, tmp_path):
    votes = np.array([[0, -1], [1, 1], [-1, -1]])
    matrix = LabelMatrix.from_votes(votes[::-1], LABELS, ids=FRAME["id"].reverse())
    made.write(tmp_path / "train.json", matrix=matrix)
    again = read(tmp_path / "train.json")
    assert again.frame["vote_0"].to_list() == ["ham", "spam", None]
    assert again.frame["vote_1"].to_list() == [None, "spam", None]
    assert again.frame["label"].to_list() == made.hard_labels and list(again.labels) == list(LABELS)
    assert again.ids.to_list() == FRAME["id"].to_list() and again.texts == FRAME["text"].to_list()
    assert again.frame["tags"].to_list() == FRAME["tags"].to_list()
    rows.write(tmp_path / "gold.json")
    assert read(tmp_path / "gold.json").frame["label"].to_list() == ["ham", None, "spam"]


def test_wrench_needs_labels_and_votes_on_every_row(made, tmp_path):
    with pytest.raises(DataError, match=r"needs the labels.\nFix"):
        Table(FRAME.drop("y")).write(tmp_path / "rows.json")
    few = LabelMatrix.from_votes(np.zeros((1, 1), int), LABELS, ids=["a"])
    with pytest.raises(DataError, match=r"no votes on the row 'b'.\nFix"):
        made.write(tmp_path / "rows.json", matrix=few)
    (tmp_path / "label.json").write_text('{"0": "cat"}')
    with pytest.raises(DataError, match=r"names other labels.\nFix"):
        made.write(tmp_path / "rows.json")
    assert [path.name for path in tmp_path.iterdir()] == ["label.json"]


# CoNLL

TOKENS = pl.DataFrame(
    {
        "id": [1, 2],
        "text": ["Ann saw Rome", "# ok"],
        "tokens": [["Ann", "saw", "Rome"], ["#", "ok"]],
        "tags": [["B-PER", "O", "B-LOC"], ["O", "O"]],
    }
)


def test_conll_is_read_back(tmp_path):
    Table(TOKENS, unit="sentence").write(tmp_path / "rows.conll")
    again = read(tmp_path / "rows.conll")
    assert again.frame.drop("id").equals(TOKENS.drop("id")) and again.unit == "sentence" and not again.rejects


TOKEN = st.text(alphabet="ab#-é\u00a0\u3000 '\"", min_size=1, max_size=3).filter(lambda token: token.strip() != "")


@given(
    st.lists(
        st.lists(st.tuples(TOKEN, st.sampled_from(["O", "B-X", "S"])), min_size=1, max_size=4), min_size=1, max_size=4
    )
)
def test_any_tokens_go_through_conll(sentences):
    import tempfile
    from pathlib import Path

    tokens, tags = ([[cells[at] for cells in sentence] for sentence in sentences] for at in (0, 1))
    frame = pl.DataFrame({"id": range(len(tokens)), "tokens": tokens, "tags": tags})
    with tempfile.TemporaryDirectory() as folder:
        Table(frame, text=None).write(Path(folder) / "rows.conll")
        again = read(Path(folder) / "rows.conll", tag_scheme="none")
    assert again.frame["tokens"].to_list() == tokens and again.frame["tags"].to_list() == tags


@pytest.mark.parametrize(
    ("tokens", "tags", "message"),
    [
        (["a b\tc"], ["O"], "cannot hold"),
        ([""], ["O"], "cannot hold"),
        (["a"], [], "different lengths"),
        (["a\u2028b"], ["O"], "cannot hold"),
    ],
)
def test_what_conll_cannot_hold_is_refused(tokens, tags, message, tmp_path):
    frame = pl.DataFrame({"id": [1], "tokens": [tokens], "tags": [tags]}, schema_overrides={"tags": pl.List(pl.String)})
    with pytest.raises(DataError, match=rf"Row 1 has (.|\n)*{message}(.|\n)*Fix: "):
        Table(frame, text=None).write(tmp_path / "rows.conll")
    with pytest.raises(DataError, match=r"no column 'tokens', which CoNLL needs.\nFix"):
        Table(FRAME).write(tmp_path / "rows.conll")


# spaCy


def test_docbin_is_read_back_by_us_and_by_spacy(made, tmp_path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    text = "Ann Lee saw Rome."
    ents = [{"start": 0, "end": 7, "label": "PER"}, {"start": 12, "end": 16, "label": "LOC"}]
    table = Table(pl.DataFrame({"id": [1], "text": [text], "ents": [ents]}))
    table.write(tmp_path / "rows.spacy")
    (doc,) = DocBin().from_disk(tmp_path / "rows.spacy").get_docs(spacy.blank("xx").vocab)
    assert doc.text == text and [(ent.text, ent.label_) for ent in doc.ents] == [("Ann Lee", "PER"), ("Rome", "LOC")]
    again = read(tmp_path / "rows.spacy")
    assert again.texts == [text] and again.frame["ents"].to_list() == [ents]
    made.write(tmp_path / "made.spacy")
    cats = read(tmp_path / "made.spacy").frame["cats"].to_list()
    assert [[score["score"] for score in row] for row in cats] == SOFT.tolist()


def test_an_entity_that_is_no_span_of_tokens_is_named(tmp_path):
    pytest.importorskip("spacy")
    table = Table(pl.DataFrame({"id": [7], "text": ["Ann"], "ents": [[{"start": 0, "end": 2, "label": "PER"}]]}))
    with pytest.raises(DataError, match=r"of row 7 does not begin and end with tokens.\nFix"):
        table.write(tmp_path / "rows.spacy")


# Hugging Face


def test_saved_datasets_are_read_back_by_us_and_by_datasets(made, tmp_path):
    made.write(tmp_path / "saved", "saved-dataset")
    again = read(tmp_path / "saved", gold="label")
    assert again.frame["label"].to_list() == made.hard_labels and list(again.labels) == list(LABELS)
    assert again.frame.drop("label").equals(made.frame.drop("label"))
    datasets = pytest.importorskip("datasets")
    theirs = datasets.load_from_disk(str(tmp_path / "saved"))
    assert theirs["text"][:] == FRAME["text"].to_list() and theirs.features["label"].names == list(LABELS)
    assert read(theirs, gold="label").frame.equals(again.frame)


def test_datasets_own_folders_and_objects_are_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    kind = datasets.ClassLabel(names=["ham", "spam"])
    features = datasets.Features({"id": datasets.Value("int64"), "text": datasets.Value("string"), "y": kind})
    part = datasets.Dataset.from_dict({"id": [1, 2, 3], "text": ["a", "b", "c"], "y": [1, 0, -1]}, features=features)
    both = datasets.DatasetDict(train=part.select([2, 0]), test=part)
    both.save_to_disk(str(tmp_path / "both"))
    for source in (both, tmp_path / "both"):
        train = read(source, split="train", gold="y")
        assert train.texts == ["c", "a"] and train.frame["y"].to_list() == [None, "spam"]
        with pytest.raises(DataError, match=r"several splits.\nFix: (.|\n)*'train', 'test'"):
            read(source)
        with pytest.raises(DataError, match=r"no split 'tset'.\nFix: (.|\n)*'test'"):
            read(source, split="tset")
    stream = part.to_iterable_dataset()
    assert read(stream, gold="y").frame["y"].to_list() == ["spam", "ham", None]


# the door


def test_every_ending_names_a_format_and_others_are_refused(rows, tmp_path):
    assert set(ENDINGS.values()) <= set(FORMATS)
    with pytest.raises(DataError, match=r"rows.xyz has an ending that names no format.\nFix"):
        rows.write(tmp_path / "rows.xyz")
    with pytest.raises(DataError, match=r"no format 'parket'.\nFix(.|\n)*'parquet'"):
        rows.write(tmp_path / "rows", "parket")


def test_a_folder_that_holds_something_else_is_not_replaced(made, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match=r"holds something else.\nFix"):
        made.write(tmp_path / "mine", "saved-dataset")
    assert (tmp_path / "mine" / "thesis.txt").exists()
    made.write(tmp_path / "new", "saved-dataset")
    made.write(tmp_path / "new", "saved-dataset")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new"]


def test_a_folder_that_fails_leaves_the_old_one(made, tmp_path, monkeypatch):
    made.write(tmp_path / "new", "saved-dataset")
    before = sorted((path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir())
    monkeypatch.setattr(pl.DataFrame, "write_ipc_stream", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.write(tmp_path / "new", "saved-dataset")
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_dates_and_bytes_are_text_where_a_format_has_none(tmp_path):
    frame = pl.DataFrame({"id": [1], "text": ["a"], "day": [date(2024, 1, 2)], "raw": [b"\xff"], "box": [{"w": [1]}]})
    table = Table(frame)
    for format in ("jsonl", "csv", "saved-dataset", "huggingface"):
        table.write(tmp_path / format, format)
    said = json.loads((tmp_path / "jsonl").read_text())
    assert said["day"] == "2024-01-02" and said["raw"] == "/w==" and said["box"] == {"w": [1]}
    saved = read(tmp_path / "saved-dataset").frame
    assert saved["day"].to_list() == ["2024-01-02"] and saved["box"].to_list() == ['{"w": [1]}']
