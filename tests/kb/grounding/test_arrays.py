"""Graphs out of the database: what is held out, what labels say, what comes back with probabilities."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from consilience.errors import DataError, GraphError, ProgramError
from consilience.kb.graph.factor_graph import OPEN, FactorFunction
from consilience.kb.grounding.answers import save_weights, weight_table
from consilience.kb.grounding.arrays import load_graph, unit_hash
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse


def grounded(text, **frames):
    program = parse(text)
    store = Store.open(threads=1)
    for name, frame in frames.items():
        load(store, program, name, pl.DataFrame(frame))
    return store, program, ground(store, program)


MANY = """
R(x int). V?(x int).
V(x) = if x % 3 = 0 then TRUE else if x % 3 = 1 then FALSE end :- R(x).
@weight("?") V(x) :- R(x).
"""


def test_a_holdout_is_open_and_keeps_its_labels():
    store, program, _ = grounded(MANY, R={"x": range(900)})
    whole = load_graph(store, program)
    part = load_graph(store, program, holdout_fraction=0.25, seed=3)
    held = part.holdout
    assert 100 < len(held.position) < 200
    assert (part.graph.evidence[held.position] == OPEN).all()
    assert (whole.graph.evidence[held.position] == held.value).all() and (held.value >= 0).all()
    rest = np.setdiff1d(np.arange(900), held.position)
    assert (part.graph.evidence[rest] == whole.graph.evidence[rest]).all()
    other = load_graph(store, program, holdout_fraction=0.25, seed=4).holdout
    assert set(other.position) != set(held.position)
    more = load_graph(store, program, holdout_fraction=0.5, seed=3).holdout
    assert set(held.position) < set(more.position)


def test_a_holdout_stays_when_other_rows_come():
    def held(n):
        store, program, _ = grounded(MANY, R={"x": range(n)})
        found = load_graph(store, program, holdout_fraction=0.3)
        return set(found.ids[found.holdout.position])

    few, many = held(300), held(600)
    assert few < many


def test_a_holdout_can_be_chosen():
    store, program, _ = grounded(MANY, R={"x": range(6)})
    found = load_graph(store, program, holdout=[0, 1, 2])
    assert found.holdout.position.tolist() == [0, 1] and found.holdout.value.tolist() == [1, 0]  # 2 has no label
    assert found.graph.evidence.tolist() == [-1, -1, -1, 1, 0, -1]
    with pytest.raises(GraphError, match="The holdout is 2"):
        load_graph(store, program, holdout_fraction=2)


def test_hashes_are_even_and_depend_on_the_seed():
    ids = np.arange(100_000, dtype=np.uint64)
    first = unit_hash(ids, 0)
    assert abs(first.mean() - 0.5) < 0.01 and abs(first.var() - 1 / 12) < 0.01
    assert abs(np.corrcoef(first, unit_hash(ids, 1))[0, 1]) < 0.02


def test_ids_are_the_same_whatever_else_is_there():
    store, program, _ = grounded(MANY, R={"x": [5]})
    # md5 of "V|1:5", its last 8 bytes as DuckDB numbers them: fixed for ever, as ids stand in people's files
    assert load_graph(store, program).ids.tolist() == [store.one("SELECT md5_number_lower('V|1:5')")]


SPOUSE = """
candidate(a text, b text). feature(a text, b text, f text).
spouse?(a text, b text).
spouse(a, b) :- candidate(a, b).
@name("feature") @weight(f) spouse(a, b) :- feature(a, b, f).
@name("symmetry") @weight(3.0) spouse(a, b) => spouse(b, a) :- TRUE.
"""
PAIRS = {"a": ["x", "y", "z"], "b": ["y", "x", "q"]}


def test_weights_come_back_by_name():
    features = {"a": ["x", "x", "z"], "b": ["y", "y", "q"], "f": ["near", "far", "near"]}
    store, program, report = grounded(SPOUSE, candidate=PAIRS, feature=features)
    assert report.factors == {"feature": 3, "symmetry": 2}
    found = load_graph(store, program)
    table = weight_table(store, program)
    assert table["description"].to_list() == ["symmetry", "feature(far)", "feature(near)"]
    assert table["n_factors"].to_list() == [2, 1, 2] and table["value"].to_list() == [3.0, 0.0, 0.0]
    learned = np.where(found.graph.weight_is_fixed, 99.0, 0.7)
    save_weights(store, learned)
    found = load_graph(store, program)
    assert sorted(found.weights) == [0.7, 0.7, 3.0]
    with pytest.raises(GraphError, match="3 weights, not 1"):
        save_weights(store, learned[:1])


TAGS = """
word(w int, t text). tag(t text).
is?(@key w int, probability text).
is(w, t) :- word(w, _), tag(t).
is(w, t) = TRUE :- word(w, t), t = "N".
is(w, t) = FALSE :- word(w, "notN"), tag(t), t = "N".
is(w, t) = TRUE @ 0.7 :- word(w, "maybeV"), tag(t), t = "V".
@name("pair") @weight(t, u) is(w, t) ^ is(v, u) :- word(w, _), word(v, _), v = w + 1.
@name("own") @weight(t) is(w, t) :- word(w, _).
"""


def test_categorical_variables_choose_among_their_rows():
    words = {"w": [1, 2, 3, 4], "t": ["N", "notN", "maybeV", None]}
    store, program, report = grounded(TAGS, word=words, tag={"t": ["V", "N", "A"]})
    found = load_graph(store, program).graph
    assert found.cardinality.tolist() == [3, 3, 3, 3]
    assert found.evidence.tolist() == [1, -1, -1, -1]  # A < N < V
    assert found.soft.variable.tolist() == [2]
    np.testing.assert_allclose(found.soft.probability, [0.15, 0.15, 0.7])
    assert set(found.factors.function) == {FactorFunction.AND_CATEGORICAL}
    assert report.factors == {"pair": 27, "own": 12} and report.weights == 12


def test_false_labels_leave_a_single_value():
    store, program, report = grounded(TAGS, word={"w": [1], "t": ["notN"]}, tag={"t": ["V", "N"]})
    assert load_graph(store, program).graph.evidence.tolist() == [1] and report.conflicts == {"is": 0}


def test_conflicts_are_counted():
    text = "R(x int, l boolean). V?(x int). V(x) = l :- R(x, l)."
    store, program, report = grounded(text, R={"x": [1, 1, 2, 2, 3], "l": [True, False, True, None, None]})
    assert report.conflicts == {"V": 1}
    assert load_graph(store, program).graph.evidence.tolist() == [0, 1, -1]


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_probabilities_that_are_none(p):
    text = "R(x int, p float). V?(x int). V(x) = TRUE @ p :- R(x, p)."
    with pytest.raises(DataError, match=r"the label of V\(1\) has the probability"):
        grounded(text, R={"x": [1], "p": [p]})


def test_feature_values_must_be_finite():
    text = 'R(x int, p float). V?(x int). V(x) :- R(x, _). @name("f") @weight("?") @feature_value(p) V(x) :- R(x, p).'
    store, program, report = grounded(text, R={"x": [1, 2, 3], "p": [0.5, None, 2.0]})
    assert report.factors == {"f": 2}  # no value, no factor
    assert load_graph(store, program).graph.factors.scale.tolist() == [0.5, 2.0]
    store, program, _ = grounded(text, R={"x": [1], "p": [float("inf")]})
    with pytest.raises(GraphError, match="The rule f has a feature value that is no finite number"):
        load_graph(store, program)


def test_an_empty_knowledge_base_is_an_empty_graph():
    store, program, report = grounded(SPOUSE)
    found = load_graph(store, program)
    assert (found.graph.n_variables, found.graph.n_factors) == (0, 0)
    found.graph.check()
    assert report.variables == {"spouse": 0}


def test_variables_without_factors_stay():
    store, program, _ = grounded(SPOUSE, candidate=PAIRS)
    assert load_graph(store, program).graph.n_variables == 3


def test_unnamed_rules_and_plain_relations_in_heads():
    with pytest.raises(ProgramError, match="candidate is in the head of an inference rule"):
        grounded(SPOUSE + '@weight("?") candidate(a, b) :- feature(a, b, _).')
    with pytest.raises(ProgramError, match="categorical relation is is negated"):
        grounded(TAGS + '@weight("?") !is(w, t) :- word(w, t).')
