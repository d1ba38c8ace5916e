"""Labels from elsewhere: what becomes of votes, probabilities and answers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience.errors import DataError
from consilience.kb.language.tree import Column, Relation
from consilience.kb.supervision import label_rows, label_statements, vote_rows

SMOKES = Relation("smokes", (Column("id", "int"),), is_variable=True)
KEY = Column("id", "int", cs.KnowledgeBase("v?(@key id int, c text).").program.relations["v"].columns[0].annotations)
LINK = Relation("link", (KEY, Column("entity", "text")), is_variable=True)
KEYS = pl.DataFrame({"id": [1, 2, 3, 4], "name": ["a", "b", "c", "d"]})
ROWS = [{"id": i, "text": t} for i, t in enumerate(["yes please", "no way", "yes yes", "hm"], 1)]


def votes():
    table = cs.read(ROWS, labels=["no", "yes"])
    functions = {"says yes": cs.keywords("yes", ["yes"]), "says no": cs.keywords("no", ["no"])}
    return cs.apply(functions, table)


def test_answers_and_probabilities_become_rows():
    found = label_rows(SMOKES, [True, 0.25, None, False], KEYS)
    assert found.rows() == [(1, True, None), (2, True, 0.25), (3, None, None), (4, False, None)]


def test_numbers_that_are_no_probability_are_refused_and_nan_is_unlabelled():
    assert label_rows(SMOKES, [0.5, float("nan"), 0.0, 1.0], KEYS)["label"].to_list() == [True, None, True, True]
    with pytest.raises(DataError, match=r"1.5 is no probability.\nFix:"):
        label_rows(SMOKES, [1.5, 0, 0, 0], KEYS)
    with pytest.raises(DataError, match="4 keys and 1 labels"):
        label_rows(SMOKES, [True], KEYS)
    with pytest.raises(DataError, match="no column 'id'"):
        label_rows(SMOKES, [True] * 4, KEYS.select("name"))
    with pytest.raises(DataError, match="keys they belong to"):
        label_rows(SMOKES, [True])


def test_votes_become_probabilities_and_rows_without_votes_stay_unlabelled():
    matrix = votes()
    found = label_rows(SMOKES, matrix, model=cs.MajorityVote().fit(matrix))
    assert found["id"].to_list() == [1, 2, 3, 4]
    assert found["probability"].to_list() == [1.0, 0.0, 1.0, None]
    assert found["label"].to_list() == [True, True, True, None]
    other = label_rows(SMOKES, matrix, model=cs.MajorityVote().fit(matrix), true="no")
    assert other["probability"].to_list() == [0.0, 1.0, 0.0, None]


def test_which_label_means_true_has_to_be_known():
    table = cs.read(ROWS, labels=["ham", "spam"])
    matrix = cs.apply({"f": cs.keywords("spam", ["yes"])}, table)
    with pytest.raises(DataError, match=r"says that a smokes is true.\nFix: name the one that does, as true='spam'"):
        label_rows(SMOKES, matrix)
    with pytest.raises(DataError, match="no label 'sapm'"):
        label_rows(SMOKES, matrix, true="sapm")


def test_every_vote_can_be_a_row_of_its_own():
    found = vote_rows(SMOKES, votes())
    assert found.rows() == [(1, "says yes", "yes"), (2, "says no", "no"), (3, "says yes", "yes")]


def test_categories_are_labelled_by_name():
    found = label_rows(LINK, ["x", None, "y", "x"], KEYS)
    assert found.select("id", "entity", "label").rows() == [(1, "x", True), (3, "y", True), (4, "x", True)]


def test_labels_are_one_more_relation_that_rules_read():
    held, *rules = label_statements(SMOKES)
    assert held.name == "smokes_labels" and [c.name for c in held.columns] == ["id", "label", "probability"]
    assert {rule.head.relation for rule in rules} == {"smokes"}


def test_what_labeling_functions_say_of_rows_teaches_rules():
    kb = cs.KnowledgeBase("""
        word(id int, w text).
        smokes?(id int).
        smokes(i) :- word(i, _).
        @weight(w) smokes(i) :- word(i, w).
    """)
    kb.load("word", [{"id": r["id"], "w": w} for r in ROWS for w in r["text"].split()])
    matrix = votes()
    assert kb.supervise("smokes", matrix, model=cs.MajorityVote().fit(matrix)) == 4
    kb.run(l2=0.5)
    weights = dict(kb.weights().select("tied to", "value").rows())
    assert weights["(yes)"] > 0.1 > -0.1 > weights["(no)"]
    facts = kb.marginals("smokes")
    assert facts["evidence"].to_list() == [None] * 4  # soft labels leave facts open
    p = dict(facts.select("id", "probability").rows())
    assert p[3] > 0.5 > p[2]


def test_categories_said_of_some_teach_what_the_others_are():
    kb = cs.KnowledgeBase("""
        mention(id int, entity text).
        link?(@key id int, entity text).
        link(m, e) :- mention(m, e).
        @weight(e) link(m, e) :- mention(m, e).
    """)
    kb.load("mention", {"id": [i for i in range(200) for _ in "abc"], "entity": ["a", "b", "c"] * 200})
    rng = np.random.default_rng(0)
    said = rng.choice(["a", "b", "c"], 200, p=[0.7, 0.2, 0.1])
    kb.supervise("link", said.tolist(), pl.DataFrame({"id": list(range(200))}))
    kb.run(l2=0.01, holdout=0.5)
    open_facts = kb.marginals("link").filter(pl.col("evidence").is_null())
    shares = dict(open_facts.group_by("entity").agg(pl.col("probability").mean()).rows())
    for entity in "abc":
        assert shares[entity] == pytest.approx((said == entity).mean(), abs=0.1)  # half of 200 were seen
