"""Units: sentences cover their documents, spans are what the text has there, pairs are all that are asked for."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.pairing import pairs_of

import consilience as cs
from consilience.data.units import pairs, sentence_bounds, sentences, spans
from consilience.errors import DataError

PIECES = ["Ann met Bob. ", "He left! ", "Dr. Wu ", "\n\n", "你好。", "  ", "a.b ", "“Why?” ", "e.g. this ", "ß👩‍👧 "]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def documents_of(*texts, **columns):
    return cs.Table(pl.DataFrame({"id": [f"d{n}" for n in range(len(texts))], "text": texts, **columns}))


# sentences


@given(TEXTS | st.text(max_size=80))
def test_sentences_are_in_order_do_not_overlap_and_leave_out_only_white_space(text):
    bounds = sentence_bounds(text)
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in bounds)
    edges = [0, *(edge for bound in bounds for edge in bound), len(text)]
    assert edges == sorted(edges)
    gaps = [text[edges[place] : edges[place + 1]] for place in range(0, len(edges), 2)]
    assert not "".join(gaps).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came. She left.", ["He came.", "She left."]),
        ("Dr. Wu and Mr. Li met J. R. Lee. They spoke.", ["Dr. Wu and Mr. Li met J. R. Lee.", "They spoke."]),
        ("It rose by 3.5 percent. Why?! “No.” Then", ["It rose by 3.5 percent.", "Why?!", "“No.”", "Then"]),
        ("Treated with e.g. aspirin. (See Fig. 2.) Done", ["Treated with e.g. aspirin.", "(See Fig. 2.)", "Done"]),
        ("one. two stays. 3 begins.", ["one. two stays.", "3 begins."]),
        ("Title\n\nText goes on", ["Title", "Text goes on"]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("U.S. Army. OK", ["U.S. Army.", "OK"]),
        ("", []),
    ],
)
def test_where_sentences_end(text, expected):
    assert [text[start:end] for start, end in sentence_bounds(text)] == expected


def test_long_texts_take_linear_time():
    assert len(sentence_bounds("Aa. " * 50_000)) == 50_000
    assert len(sentence_bounds("." * 200_000)) == 1
    assert len(sentence_bounds(" " * 100_000 + "\n" * 100_000)) == 0


def test_sentences_know_their_document_and_place():
    table = sentences(documents_of("A b. C d.", None, "", "E.", year=[1, 2, 3, 4]), keep=["year"])
    assert table.unit == "sentence" and table.frame.columns == ["id", "document", "start", "end", "text", "year"]
    assert table.frame.rows() == [
        ("d0:0", "d0", 0, 4, "A b.", 1),
        ("d0:1", "d0", 5, 9, "C d.", 1),
        ("d3:0", "d3", 0, 2, "E.", 4),
    ]
    assert len(sentences(documents_of().take([]))) == 0


# spans


@given(
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 40), st.integers(-2, 40)), max_size=10),
)
def test_a_mention_is_a_span_of_its_document_or_set_aside(texts, found):
    mentions = pl.DataFrame(
        {
            "document": [f"d{d}" for d, _, _ in found],
            "start": [s for _, s, _ in found],
            "end": [e for _, _, e in found],
        },
        schema={"document": pl.String, "start": pl.Int64, "end": pl.Int64},
    )
    made = spans(documents_of(*texts), mentions)
    good = [(d, s, e) for d, s, e in found if d < len(texts) and 0 <= s < e <= len(texts[d])]
    assert len(made) == len(good) and len(made.rejects) == len(found) - len(good)
    for (d, start, end), row in zip(good, made.frame.iter_rows(named=True), strict=True):
        assert row["span"] == texts[d][start:end] and row["document"] == f"d{d}"
        assert row["left"] + row["span"] + row["right"] == row["text"] and row["text"] in texts[d]


def test_what_is_set_aside_is_said_with_its_place_and_reason():
    mentions = [
        {"document": "d0", "start": 0, "end": 3, "span": "Ann"},
        {"document": "d0", "start": 0, "end": 3, "span": "Bob"},
        {"document": "dx", "start": 0, "end": 3, "span": None},
        {"document": "d0", "start": None, "end": 3, "span": None},
        {"document": "d0", "start": 5, "end": 5, "span": None},
    ]
    made = spans(documents_of("Ann met Bob."), mentions)
    assert len(made) == 1 and [(reject.line, reject.reason) for reject in made.rejects] == [
        (2, "the text has 'Ann' there, not 'Bob'"),
        (3, "there is no document 'dx'"),
        (4, "its start or its end is missing"),
        (5, "characters 5 to 5 are not in the document, which has 12"),
    ]


def test_context_is_the_sentence_or_some_words_of_it_or_the_sentences_it_spans():
    documents = documents_of("No. Ann met Bob there today. Yes.")
    made = spans(
        documents, [{"document": "d0", "start": 12, "end": 15}, {"document": "d0", "start": 22, "end": 30}], window=1
    )
    assert made.frame.select("text", "span", "left", "right", "sentence").rows() == [
        ("Ann met Bob there today.", "Bob", "met", "there", 1),
        ("Ann met Bob there today. Yes.", "today. Y", "there", "es.", 1),
    ]


def test_mentions_may_be_lists_in_a_column_a_file_or_have_other_names(tmp_path):
    lists = documents_of("Ann met Bob.", "x", who=[[{"start": 0, "end": 3, "type": "P"}], []])
    made = spans(lists, "who")
    assert made.frame.select("id", "span", "type").rows() == [("d0:0-3", "Ann", "P")]
    frame = pl.DataFrame({"doc": ["d0"], "from": [8], "to": [11], "id": ["m1"]})
    frame.write_csv(tmp_path / "m.csv")
    for source in (frame, tmp_path / "m.csv", frame.to_dicts()):
        made = spans(lists, source, document="doc", start="from", end="to")
        assert made.frame["span"].to_list() == ["Bob"] and made.ids.to_list() == ["d0:8-11"]


def test_the_same_place_twice_gets_two_ids():
    mentions = [{"document": "d0", "start": 0, "end": 1, "type": kind} for kind in "AB"]
    assert spans(documents_of("x"), mentions).ids.to_list() == ["d0:0-1", "d0:0-1-2"]


def test_ids_that_are_numbers_are_found_too():
    documents = cs.read([{"id": 7, "text": "Ann"}])
    assert spans(documents, [{"document": 7, "start": 0, "end": 3}]).ids.to_list() == ["7:0-3"]


# pairs


@given(
    st.lists(TEXTS, min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 6), st.sampled_from("AB")), max_size=7),
    st.sampled_from([None, ("A", "B"), ("A", "A")]),
    st.booleans(),
    st.sampled_from(["sentence", "document"]),
)
def test_pairs_are_those_that_a_loop_over_all_two_finds(texts, found, types, directed, within):
    rows = [{"document": f"d{d}", "start": s, "end": s + length, "type": kind} for d, s, length, kind in found]
    documents = documents_of(*texts)
    made = spans(documents, rows)
    if not len(made):
        return
    bounds = {f"d{n}": sentence_bounds(text) for n, text in enumerate(texts)}

    def together(one, other):
        low, high = min(one["start"], other["start"]), max(one["end"], other["end"])
        breaks = [start for start, _ in bounds[one["document"]][1:]]
        return within == "document" or not any(low < start < high for start in breaks)

    candidates = pairs(made, documents, types=types, directed=directed, within=within)
    expected = pairs_of(made.frame.to_dicts(), types, directed, together)
    near = pairs(made, documents, types=types, directed=directed, within=within, max_words=1)
    assert near.ids.to_list() == candidates.frame.filter(pl.col("distance") <= 1)["id"].to_list()
    assert set(candidates.frame.select("first_id", "second_id").rows()) == expected and len(candidates) == len(expected)
    for row in candidates.frame.iter_rows(named=True):
        text = texts[int(row["document"][1:])]
        early, late = (row["first"], row["second"]) if row["in_order"] else (row["second"], row["first"])
        assert row["left"] + early + row["between"] + late + row["right"] == row["text"] and row["text"] in text
        assert row["first"] == text[row["first_start"] : row["first_end"]]
        assert row["distance"] == len(row["between"].split())


DRUGS = documents_of("Aspirin treats fever. Aspirin, taken daily, can cause nausea.", source=["x"])
FOUND = [
    {"document": "d0", "start": 0, "end": 7, "type": "drug", "entity": "D1"},
    {"document": "d0", "start": 15, "end": 20, "type": "disease", "entity": "E1"},
    {"document": "d0", "start": 22, "end": 29, "type": "drug", "entity": "D1"},
    {"document": "d0", "start": 54, "end": 60, "type": "disease", "entity": "E2"},
]


def test_functions_of_every_kind_look_in_the_columns_of_pairs():
    table = pairs(spans(DRUGS, FOUND), DRUGS, types=("disease", "drug"), keep=["source"])
    assert table.unit == "pair" and table.frame["source"].to_list() == ["x", "x"]
    assert table.frame["in_order"].to_list() == [False, False]
    functions = {
        "treats": cs.keywords("treats", ["treats"], column="between"),
        "causes": cs.pattern("causes", "cause", column="between"),
        "near": cs.expression("treats", "distance < 2"),
        "known": cs.lookup("causes", [("E2", "D1")], on=["first_entity", "second_entity"]),
        "python": cs.labeling_function("treats")(lambda row: row.second == "Aspirin" and row.distance < 3),
    }
    matrix = cs.apply(functions, table)
    assert matrix.votes.tolist() == [[0, -1, 0, -1, 0], [-1, 1, -1, 1, -1]]


def test_most_words_between_and_windows():
    table = pairs(spans(DRUGS, FOUND), DRUGS, types=("drug", "disease"), within="document", max_words=3, window=2)
    assert table.frame.select("first", "second", "in_order", "distance", "left", "right").rows() == [
        ("Aspirin", "fever", True, 1, "", "."),
        ("Aspirin", "fever", False, 1, "Aspirin treats", ", taken"),
    ]
    assert table.frame["distance"].max() <= 3


def test_no_spans_no_pairs():
    table = pairs(spans(DRUGS, []), DRUGS)
    assert len(table) == 0 and "between" in table.frame.columns
    assert cs.apply(
        {"f": cs.keywords("treats", ["x"], column="between")}, table, labels=["treats", "causes"]
    ).votes.shape == (0, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: spans(DRUGS, [{"document": "d0"}]), "no column 'start'"),
        (lambda: spans(DRUGS, "source"), "holds no lists"),
        (lambda: spans(DRUGS, "none.csv"), "no file"),
        (lambda: sentences(DRUGS, keep=["year"]), "no column 'year'"),
        (lambda: sentences(DRUGS, keep=["text"]), "of their own"),
        (lambda: pairs(spans(DRUGS, [{**FOUND[0], "type": None}]).take([]), DRUGS, within="page"), "within 'page'"),
        (lambda: pairs(spans(DRUGS, [{"document": "d0", "start": 0, "end": 2}]), DRUGS, types=("a", "b")), "'type'"),
        (lambda: pairs(spans(DRUGS, FOUND), DRUGS.take([])), "a document 'd0' that is not there"),
    ],
)
def test_what_cannot_be_is_a_clear_error(make, words):
    with pytest.raises(DataError, match=rf"{words}(.|\n)*Fix: "):
        make()
