"""Dependent functions: who depends on whom, what they say together, and what that is worth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import LabelMatrix
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.cliques import components, conditional, elimination, state_codes
from consilience.label_models.moments import MomentMatching
from consilience.label_models.triplets import Triplets

BOTH = [Triplets, MomentMatching]
graphs = st.integers(1, 7).flatmap(
    lambda m: st.tuples(
        st.just(m),
        st.sets(st.tuples(st.integers(0, m - 1), st.integers(0, m - 1)).filter(lambda pair: pair[0] < pair[1])),
    )
)


@given(graphs)
def test_components_are_what_paths_join(graph):
    m, pairs = graph
    reach = np.eye(m, dtype=bool)
    for first, second in pairs:
        reach[first, second] = reach[second, first] = True
    for _ in range(m):
        reach = reach @ reach
    number = components(m, sorted(pairs))
    assert np.array_equal(number[:, None] == number, reach)


@given(graphs)
def test_every_pair_meets_in_one_factor_and_each_function_has_its_turn_once(graph):
    m, pairs = graph
    order = elimination(m, sorted(pairs))
    asked = [function for function, _ in order]
    assert len(set(asked)) == len(asked)
    for first, second in pairs:
        assert any({first, second} <= {function, *given} for function, given in order)
    for place, (_, near) in enumerate(order):  # what a function is asked given is a clique of those still left
        for first, second in combinations(near, 2):
            assert any({first, second} <= {function, *others} for function, others in order[place + 1 :])
    turn = {function: place for place, function in enumerate(asked)}
    assert all(turn.get(other, m) > turn[function] for function, given in order for other in given)


def test_every_functions_silence_can_be_left_out():
    matrix = LabelMatrix.from_votes([[0, 0], [1, 1], [0, -1], [1, 0]], ["a", "b"])
    votes, table = matrix.patterns.votes, np.log([[0.2, 0.5, 0.3], [0.3, 0.3, 0.4]])
    codes = state_codes(votes, (0, 1), 3)
    order = np.argsort(codes)
    one = conditional(gather(matrix, None), 1, (0,), codes[order], np.full((4, 2), 0.125), np.exp(table))
    heard, unheard = np.zeros((2, 4)), np.zeros((2, 4))
    one.add_to(heard, votes, table, silence=True)
    one.add_to(unheard, votes, table, silence=False)
    silent = votes[:, 1] < 0
    assert (unheard[:, silent] == 0).all() and (heard[:, silent] != 0).all()
    assert np.array_equal(unheard[:, ~silent], heard[:, ~silent])


def test_a_clique_is_its_joint_table():
    rng = np.random.default_rng(0)
    votes = rng.integers(-1, 2, (5000, 3))
    votes[:, 2] = np.where(rng.random(5000) < 0.7, votes[:, 0], votes[:, 2])
    evidence = gather(LabelMatrix.from_votes(votes, ["a", "b"]), None)
    states = np.array(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij")).reshape(3, -1).T
    order = elimination(3, [(0, 1), (0, 2), (1, 2)])
    joint = np.zeros((2, 27))
    for function, others in order:
        codes, counts = np.unique(state_codes(votes, (*others, function), 3), return_counts=True)
        table = np.tile(counts[:, None] / 5000, (1, 2))  # the class says nothing here
        one = conditional(evidence, function, others, codes, table, np.full((2, 3), 1 / 3))
        one.add_to(joint, states, np.zeros((2, 3)), silence=True)
    (last,) = {0, 1, 2} - {function for function, _ in order}
    share = np.array([(votes[:, last] == s).mean() for s in (-1, 0, 1)])
    truth = np.array([(votes == state).all(axis=1).mean() for state in states])
    assert np.allclose(np.exp(joint[0]) * share[states[:, last] + 1], truth, atol=0.005)


def test_a_state_seen_on_few_rows_is_drawn_to_what_the_function_says_alone():
    matrix = LabelMatrix.from_votes([[0, 0]] * 998 + [[1, 0], [1, 1]], ["a", "b"])
    votes = matrix.patterns.votes
    codes = np.unique(state_codes(votes, (0, 1), 3))
    joint = np.tile(np.array([[0.998], [0.001], [0.001]]) / 2, (1, 2))
    alone = np.array([[0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])
    made = conditional(gather(matrix, None), 1, (0,), codes, joint, alone)
    rows = np.array([[499], [0.5], [0.5]])
    own = np.array([[0.8, 0.2], [0.8, 0.2], [0.1, 0.7]])
    assert np.allclose(np.exp(made.log_theta), (rows + 2 * own) / (np.array([[499], [1], [1]]) + 2))


def clones(n=20_000, seed=0):
    """Five functions that repeat one coin, and five independent ones that are right four times of five."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    coin = np.where(rng.random(n) < 0.6, truth, 1 - truth)
    repeated = np.where(rng.random((n, 5)) < 0.95, coin[:, None], 1 - coin[:, None])
    good = np.where(rng.random((n, 5)) < 0.8, truth[:, None], 1 - truth[:, None])
    return np.column_stack([repeated, good]), truth


PAIRS = [(f"f{i}", f"f{j}") for i in range(5) for j in range(i)]


@pytest.mark.parametrize("model", BOTH)
def test_copies_are_not_believed_five_times(model):
    votes, truth = clones()
    matrix = LabelMatrix.from_votes(votes, ["a", "b"])
    told, untold = model(dependencies=PAIRS).fit(matrix), model().fit(matrix)
    right = (votes == truth[:, None]).mean(axis=0)
    assert np.abs(told.accuracies_ - right).max() < 0.02
    counts = np.zeros((2, 2**10))
    codes = votes @ 2 ** np.arange(10)
    np.add.at(counts, (truth, codes), 1)
    best = (counts.argmax(axis=0)[codes] == truth).mean()  # the best guess from these very rows
    score = {name: (one.predict_codes(matrix) == truth).mean() for name, one in (("told", told), ("untold", untold))}
    assert score["told"] > best - 0.015
    assert score["told"] > score["untold"] + 0.05


@pytest.mark.parametrize("model", BOTH)
def test_a_chain_of_copies_with_abstaining_is_tabled_and_saved(model, tmp_path):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 10_000)
    wrong = (truth[:, None] + rng.integers(1, 3, (10_000, 8))) % 3
    votes = np.where(rng.random((10_000, 8)) < 0.7, truth[:, None], wrong)
    votes = np.where(rng.random((10_000, 8)) < 0.7, votes, -1)
    for j in (1, 2):
        votes[:, j] = np.where(rng.random(10_000) < 0.8, votes[:, j - 1], votes[:, j])
    matrix = LabelMatrix.from_votes(votes, ["a", "b", "c"])
    made = model(dependencies=(("f0", "f1"), ("f1", "f2"))).fit(matrix)
    plain = model().fit(matrix)
    logloss = [-np.log(one.predict_proba(matrix)[np.arange(10_000), truth]).mean() for one in (made, plain)]
    assert logloss[0] < logloss[1] - 0.01
    made.save(tmp_path / "model.npz")
    assert np.array_equal(model.load(tmp_path / "model.npz").predict_proba(matrix), made.predict_proba(matrix))


@pytest.mark.parametrize("model", BOTH)
def test_pairs_that_cannot_be_are_refused(model):
    matrix = LabelMatrix.from_votes([[0, 1], [1, 1]], ["a", "b"])
    with pytest.raises(ModelError, match=r"A dependency names 'f9', which is no function here.\nFix"):
        model(dependencies=[("f0", "f9")]).fit(matrix)
    with pytest.raises(ModelError, match=r"The dependency \('f0', 'f0'\) is no pair.\nFix"):
        model(dependencies=[("f0", "f0")]).fit(matrix)


def test_too_many_at_once_are_refused():
    with pytest.raises(ModelError, match=r"80 functions depend on one another all at once.\nFix"):
        state_codes(np.zeros((1, 80), int), range(80), 3)


@pytest.mark.parametrize("model", BOTH)
def test_copies_nobody_named_are_noticed_and_votes_believed_less(model, tmp_path):
    votes, _ = clones()
    matrix = LabelMatrix.from_votes(votes, ["a", "b"])
    untold, told = model().fit(matrix), model(dependencies=PAIRS).fit(matrix)
    assert untold.excess_ > 10 and told.excess_ < 2
    assert "functions agree otherwise than the classes explain" in untold.findings()[0]
    assert told.findings() == []
    untold.save(tmp_path / "model.npz")
    assert model.load(tmp_path / "model.npz").findings() == untold.findings()
