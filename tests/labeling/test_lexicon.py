"""Lexicons: terms of files vote by label, and their places are found."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.terms import longest_terms
from tests.strategies import PHRASE, TEXT

from consilience import Table, apply, keywords, lexicon, read
from consilience.errors import DataError, FunctionError

DRUGS = {"drug": ["aspirin", "ibuprofen"], "disease": ["headache", "lung cancer", "lung"]}


def said(function, texts, **options):
    matrix = apply({"f": function}, read([{"text": text} for text in texts]), cache={}, **options)
    assert matrix.functions[0].failure is None
    return matrix.names_of("f")


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, max_size=4), st.lists(PHRASE, min_size=1, max_size=6))
def test_finds_the_longest_terms_from_left_to_right(texts, terms):
    texts, terms = [text.lower() for text in texts], [" ".join(term.lower().split()) for term in terms]
    found = lexicon("yes", list(dict.fromkeys(terms))).find(texts)
    expected = [(row, *span) for row, text in enumerate(texts) for span in longest_terms(text, terms)]
    assert found.select("row", "start", "end", "term").rows() == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=4),
    st.dictionaries(PHRASE.map(str.lower), st.sampled_from("xyz"), min_size=1, max_size=6),
    st.integers(1, 2),
)
def test_votes_for_the_label_with_most_distinct_terms(texts, labelled, least):
    by_label = {label: [term for term in labelled if labelled[term] == label] for label in set(labelled.values())}
    answers = said(lexicon(None, by_label, min_terms=least), texts, labels=["x", "y", "z"])
    known = {" ".join(term.split()): [] for term in labelled}
    for term, label in labelled.items():
        known[" ".join(term.split())].append(label)
    for text, answer in zip(texts, answers, strict=True):
        distinct = {term for _, _, term in longest_terms(text.lower(), known)}
        counts = Counter(label for term in distinct for label in set(known[term])).most_common(2)
        sure = bool(counts) and counts[0][1] >= least and (len(counts) == 1 or counts[0][1] > counts[1][1])
        assert answer == (counts[0][0] if sure else None)


def test_a_lexicon_of_one_label_says_what_keywords_say():
    terms, texts = ["check out", "$$$", "free"], ["Check  out", "FREE $$$", "freedom", "", "checkout"]
    assert said(lexicon("yes", terms), texts) == said(keywords("yes", terms), texts)
    assert said(lexicon("yes", terms, ignore_case=False), texts) == said(
        keywords("yes", terms, ignore_case=False), texts
    )


def test_terms_within_longer_ones_do_not_count_and_a_tie_abstains():
    texts = ["lung cancer", "aspirin headache", "aspirin ibuprofen lung", "none"]
    assert said(lexicon(None, DRUGS), texts) == ["disease", None, "drug", None]
    assert said(lexicon(None, DRUGS, min_terms=2), texts) == [None, None, "drug", None]
    assert said(lexicon("drug", DRUGS["drug"], min_terms=2), ["aspirin aspirin", "aspirin, Ibuprofen"]) == [
        None,
        "drug",
    ]


def test_a_run_of_keywords_and_lexicons_says_what_each_says_alone():
    functions = {
        "one": lexicon("drug", ["aspirin", "lung"]),
        "words": keywords("drug", ["lung"]),
        "two": lexicon(None, DRUGS),
        "more": lexicon(None, {"drug": ["lung cancer"], "disease": ["cancer"]}),
        "case": lexicon("drug", ["Lung"], ignore_case=False),
        "title": lexicon("drug", ["lung"], column="title"),
    }
    rows = read([{"text": t, "title": u} for t, u in [("lung cancer", None), ("Lung aspirin", "LUNG"), ("cancer", "")]])
    matrix = apply(functions, rows, cache={})
    for name, function in functions.items():
        assert matrix.names_of(name) == apply({name: function}, rows, cache={}).names_of(name)


def test_the_same_terms_in_another_order_say_the_same():
    one, other = (lexicon(None, {label: DRUGS[label] for label in order}) for order in (DRUGS, ["disease", "drug"]))
    assert one.fingerprint == other.fingerprint
    for function in (one, other):
        assert said(function, ["aspirin", "headache"]) == ["drug", "disease"]
        assert function.find(["headache"])["term"].to_list() == ["headache"]
    both = apply({"one": one, "other": other}, read([{"text": "aspirin"}]), cache={})
    assert both.names_of("one") == both.names_of("other") == ["drug"]


def test_places_are_in_characters_with_every_listing_of_a_term():
    listed = pl.DataFrame({"term": ["Café", "café", "日本"], "id": ["1", "2", None], "label": ["a", "b", "a"]})
    table = Table(pl.DataFrame({"id": ["x", "y"], "text": ["🙂 CAFÉ", "日本 é"]}))
    assert lexicon(None, listed).find(table).rows() == [
        ("x", 2, 6, "Café", "1", "a"),
        ("x", 2, 6, "café", "2", "b"),
        ("y", 0, 2, "日本", None, "a"),
    ]
    assert lexicon("a", ["b"]).find([]).rows() == lexicon("a", ["b"]).find([None, "", "c"]).rows() == []
    with pytest.raises(DataError, match=r"of type Int64.\nFix"):
        lexicon("a", ["b"]).find(pl.Series([1]))


FILES = {
    "a.txt": "aspirin\r\n\n  lung   cancer \n",
    "a.csv": 'term,label,id\naspirin,drug,D1\n"lung  cancer",disease,D2\n',
    "a.tsv": "id\tterm\tlabel\nD1\taspirin\tdrug\nD2\tlung cancer\tdisease\n",
    "a.jsonl": '{"term": "aspirin", "label": "drug"}\n{"term": "lung cancer", "label": "disease", "id": 7}\n',
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_terms(tmp_path, name):
    (tmp_path / name).write_text(FILES[name], "utf-8")
    label = "x" if name == "a.txt" else None
    made = lexicon(label, tmp_path / name)
    assert not made.rejects
    assert said(made, ["Aspirin", "lung cancer"]) == ([label] * 2 if label else ["drug", "disease"])


def test_parquet_and_other_names_of_columns(tmp_path):
    frame = pl.DataFrame({"name": ["aspirin"], "kind": ["drug"], "mesh": [11]})
    frame.write_parquet(tmp_path / "a.parquet")
    made = lexicon(None, tmp_path / "a.parquet", term_column="name", label_column="kind", id_column="mesh")
    assert made.find(["aspirin"]).rows() == [(0, 0, 7, "aspirin", "11", "drug")]


def test_lines_that_cannot_be_used_are_set_aside_and_counted(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"term\tlabel\naspirin\tdrug\n\tdrug\nlung\nheadache\t\nb\xff\tdrug\nok\tdrug\n")
    made = lexicon(None, path)
    assert [(reject.line, reject.reason) for reject in made.rejects] == [
        (3, "no term"),
        (4, "1 fields where the header has 2"),
        (5, "no label"),
        (6, "not UTF-8 at byte 2 of the line"),
    ]
    assert made.terms["term"].to_list() == ["aspirin", "ok"] and "4 lines set aside" in made.description


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: lexicon("x", []), FunctionError, "has no terms"),
        (lambda path: lexicon("x", [" "]), FunctionError, "has no terms"),
        (lambda path: lexicon("x", ["a", 7]), FunctionError, "the term 7, which is no string"),
        (lambda path: lexicon("x", {"a": "b"}), FunctionError, "The terms of a lexicon are 'b'"),
        (lambda path: lexicon("x", 7), FunctionError, "Terms cannot be read from 7"),
        (lambda path: lexicon("", ["a"]), FunctionError, "'' cannot be a label"),
        (lambda path: lexicon(None, ["a"]), FunctionError, "has no label, and no column of labels"),
        (lambda path: lexicon("x", ["a"], min_terms=0), FunctionError, "min_terms is 0"),
        (lambda path: lexicon("x", path / "none.txt"), DataError, "There is no file"),
        (lambda path: lexicon("x", path / "a.pdf"), DataError, "names no format"),
        (lambda path: lexicon("x", path / "a.csv"), DataError, "has no column 'term'"),
        (lambda path: lexicon(None, path / "b.csv", label_column="kind"), DataError, "has no column 'kind'"),
    ],
)
def test_what_is_no_lexicon_is_refused(tmp_path, make, error, message):
    (tmp_path / "a.csv").write_text("name\naspirin\n")
    (tmp_path / "b.csv").write_text("term\naspirin\n")
    with pytest.raises(error, match=f"(?s){message}.*\nFix: "):
        make(tmp_path)


def test_the_fingerprint_follows_what_decides_votes():
    base = lexicon("x", ["a", "b"])
    assert base.fingerprint == lexicon("x", ["b", "a", "a "], name="other").fingerprint
    others = [
        lexicon("y", ["a", "b"]),
        lexicon("x", ["a"]),
        lexicon("x", ["ab"]),
        lexicon("x", ["a", "b"], column="t"),
        lexicon("x", ["a", "b"], ignore_case=False),
        lexicon("x", ["a", "b"], min_terms=2),
        lexicon(None, {"x": ["a", "b"]}),
        lexicon(None, {"x": ["a"], "y": ["b"]}),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 9


def test_a_project_declares_a_lexicon_by_a_file_in_its_folder(tmp_path):
    from consilience.project.functions import declared_functions

    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "t.txt").write_text("aspirin\n")
    (tmp_path / "out.txt").write_text("secret\n")
    (folder / "lfs.toml").write_text('[drugs]\nlabel = "drug"\nlexicon = "t.txt"\nmin_terms = 1\n')
    [made] = declared_functions(folder / "lfs.toml")
    assert said(made, ["Aspirin"]) == ["drug"] and made.name == "drugs"
    for outside in ("../out.txt", str(tmp_path / "out.txt")):
        (folder / "lfs.toml").write_text(f'[drugs]\nlabel = "drug"\nlexicon = "{outside}"\n')
        with pytest.raises(FunctionError, match=r"outside the project's folder.\nFix"):
            declared_functions(folder / "lfs.toml")
