"""Data programming: sums, likelihood, gradient, posterior against enumeration; known dependencies against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from tests.label_models.judged import calibration_error
from tests.reference.factors import Model, accuracies, log_likelihood, posterior

from consilience import LabelMatrix, Labels
from consilience.errors import ModelError
from consilience.label_models.base import gather
from consilience.label_models.data_programming import DataProgramming
from consilience.label_models.factor_graph import KINDS, Component
from consilience.label_models.factor_objective import Graph, Objective
from consilience.label_models.gibbs import Chains
from consilience.label_models.one_coin import OneCoin
from consilience.testing import simulate

EVERY_KIND = [(0, 1, "copying"), (2, 1, "fixing"), (0, 3, "reinforcing"), (3, 0, "correlated"), (2, 3, "exclusive")]


def votes_with_groups(n, seed):
    """Four functions, one of which says groups, and a lone fifth."""
    made = simulate(n, 5, "abc", coverage=(0.5, 0.8), seed=seed)
    votes = made.matrix.votes.copy()
    votes[:, 1] = np.where(votes[:, 1] == 2, 3, votes[:, 1])
    labels = Labels("a", "b", "c", groups={"b|c": ["b", "c"]})
    return LabelMatrix.from_votes(votes, labels), made.truth


def slow_model(objective, point):
    """The same weights for the reference; lone functions get the propensity that they are normalised to."""
    graph, parts = objective.graph, objective.parts(point)
    propensity = logit(graph.coins.propensity) - np.logaddexp(0, parts.accuracy)
    propensity[graph.joined] = point[graph.m : graph.m + len(graph.joined)]
    says = [np.flatnonzero(graph.coins.spread[j].sum(axis=0) > 0).tolist() for j in range(graph.m)]
    return Model(
        parts.accuracy.tolist(),
        propensity.tolist(),
        EVERY_KIND,
        parts.weights.tolist(),
        parts.prior.tolist(),
        graph.coins.allows.T.tolist(),
        says,
    )


def penalised(objective, point, rows, known):
    """The reference's likelihood with the priors, written out."""
    model = slow_model(objective, point)
    right = 1 / (1 + np.exp(-np.array(model.accuracy)))
    prior = 8 * (0.75 * np.log(right) + 0.25 * np.log(1 - right)).sum() - 0.5 * np.square(model.weights).sum()
    return log_likelihood(model, rows, known) + prior + np.log(model.balance).sum()


def test_likelihood_gradient_and_posterior_agree_with_enumeration():
    matrix, truth = votes_with_groups(12, seed=1)
    gold = np.where(np.arange(12) < 3, truth, -1).tolist()
    evidence = gather(matrix, matrix.labels.decode(gold))
    objective = Objective(evidence, Graph(evidence, EVERY_KIND), DataProgramming(balance="learn"), None)
    rng = np.random.default_rng(2)
    point = objective.start() + rng.normal(size=len(objective.start())) * 0.5
    rows, known = [tuple(row) for row in matrix.votes.tolist()], gold
    value, gradient = objective.value_and_gradient(point)
    assert np.isclose(value, penalised(objective, point, rows, known))
    for i in range(len(point)):
        step = np.zeros(len(point))
        step[i] = 1e-5
        slope = penalised(objective, point + step, rows, known) - penalised(objective, point - step, rows, known)
        assert np.isclose(gradient[i], slope / 2e-5, atol=1e-4), f"coordinate {i}"
    parts = objective.parts(point)
    proba = objective.likelihood(parts, objective.sums(parts)[0])[0].T
    patterns = [tuple(row) for row in evidence.votes.tolist()]
    free = evidence.known < 0
    assert np.allclose(proba[free], np.array(posterior(slow_model(objective, point), patterns))[free])


def test_what_a_fitted_model_predicts_and_reports_agrees_with_enumeration():
    matrix, _ = votes_with_groups(300, seed=4)
    named = [(f"f{a}", f"f{b}", kind) for a, b, kind in EVERY_KIND]
    model = DataProgramming(dependencies=named, balance="learn").fit(matrix)
    evidence = gather(matrix, None)
    objective = Objective(evidence, Graph(evidence, EVERY_KIND), model, None)
    weights = [weight for one in model.dependencies_ for weight in one.weights]
    joined = objective.graph.joined
    spread = objective.log_spread
    right = model.unary_[joined, 0, 1] - model.unary_[joined, 1, 1]  # a vote for a: right in a, one of the wrong in b
    right += spread[joined, 1, 0] - spread[joined, 0, 0]
    accuracy = logit(np.clip(model.accuracies_, 0.01, 0.99))  # of the lone function, for which it is the weight
    accuracy[joined] = right
    propensity = model.unary_[joined, 1, 1] - spread[joined, 1, 0]
    point = np.concatenate([accuracy, propensity, weights, np.log(model.prior_)])
    slow = slow_model(objective, point)
    assert np.allclose(model.accuracies_, accuracies(slow), atol=1e-8)
    rows = [tuple(row) for row in matrix.votes[:40].tolist()]
    assert np.allclose(model.predict_proba(matrix)[:40], posterior(slow, rows), atol=1e-8)
    assert np.isclose(
        model.log_likelihood_, log_likelihood(slow, [tuple(r) for r in matrix.votes.tolist()], [-1] * 300)
    )


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 3))
def test_summing_out_is_summing_over_all(seed, c, s):
    rng = np.random.default_rng(seed)
    chosen = [(a, b) if rng.random() < 0.5 else (b, a) for a in range(c) for b in range(a) if rng.random() < 0.6]
    edges = tuple(dict.fromkeys([*chosen, *((a, a + 1) for a in range(c - 1) if (a + 1, a) not in chosen)]))
    singles, pairs = rng.normal(size=(c, 2, s)), [rng.normal(size=(2, s, s)) for _ in edges]
    total, says, both = Component(tuple(range(c)), edges).sums(singles, pairs)
    states = np.stack(np.meshgrid(*[np.arange(s)] * c, indexing="ij"), axis=-1).reshape(-1, c)
    for y in range(2):
        energy = sum(singles[j, y, states[:, j]] for j in range(c))
        energy = energy + sum(t[y, states[:, a], states[:, b]] for t, (a, b) in zip(pairs, edges, strict=True))
        chance = np.exp(energy)
        assert np.isclose(total[y], np.log(chance.sum()))
        chance /= chance.sum()
        for j in range(c):
            assert np.allclose(says[j, y], np.bincount(states[:, j], chance, s))
        for table, (a, b) in zip(both, edges, strict=True):
            seen = np.bincount(states[:, a] * s + states[:, b], chance, s * s).reshape(s, s)
            assert np.allclose(table[y], seen)


def test_a_long_chain_is_summed_exactly_though_it_has_many_states():
    chain = Component(tuple(range(40)), tuple((j, j + 1) for j in range(39)))
    assert chain.cells(3) < 400
    assert np.isclose(chain.sums(np.zeros((40, 1, 3)), [np.zeros((1, 3, 3))] * 39)[0][0], 40 * np.log(3))


# against the truth


def judged(model, made, gap=0.002):
    model.fit(made.matrix)
    right = (model.predict_codes(made.matrix) == made.truth)[made.matrix.covered].mean()
    best = (made.bayes_codes() == made.truth)[made.matrix.covered].mean()
    assert right > best - gap, f"{right:.4f} of labels right, where {best:.4f} can be"
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.02
    assert calibration_error(model.predict_proba(made.matrix), made.truth) < 0.03


PAIRS = [(0, 5), (0, 6), (1, 7), (8, 9)]
WORLDS = [
    ("ab", {"copy_rate": 0.3}),
    ("ab", {"copy_rate": 0.9, "balance": [0.8, 0.2]}),
    ("abcd", {"copy_rate": 0.6, "balance": [0.5, 0.3, 0.15, 0.05], "coverage": (0.3, 0.7)}),
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("labels", "options"), WORLDS)
def test_pairs_known_or_learned_no_longer_count_twice(labels, options, known):
    made = simulate(20_000, 12, labels, pairs=PAIRS, seed=11, **options)
    pairs = [(f"f{a}", f"f{b}") for a, b in PAIRS] if known else "learn"
    judged(DataProgramming(dependencies=pairs, balance="learn" if "balance" in options else "uniform"), made)


def clones_and_experts(n, seed=0):
    """Five functions that repeat one that guesses, and five that are right 99 times of 100."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    guess = rng.integers(0, 2, n)
    experts = np.where(rng.random((n, 5)) < 0.99, truth[:, None], 1 - truth[:, None])
    return LabelMatrix.from_votes(np.column_stack([*[guess] * 5, experts]), ["a", "b"]), truth


def test_five_clones_do_not_outvote_five_experts():
    """Example 3.1 of the VLDB 2018 paper: without dependencies the clones pass for the class."""
    matrix, truth = clones_and_experts(2000)
    clones = [(f"f{a}", f"f{b}") for a in range(5) for b in range(a)]
    for dependencies in (clones, "learn"):
        model = DataProgramming(dependencies=dependencies).fit(matrix)
        assert (model.predict_codes(matrix) == truth).mean() > 0.99
        assert np.abs(model.accuracies_ - ([0.5] * 5 + [0.99] * 5)).max() < 0.03
    naive = OneCoin().fit(matrix)
    assert (naive.predict_codes(matrix) == truth).mean() < 0.6  # or this example would show nothing


@pytest.mark.parametrize("kind", KINDS)
def test_the_sign_of_a_weight_says_how_functions_depend(kind):
    rng = np.random.default_rng(5)
    n = 8000
    truth = rng.integers(0, 2, n)
    votes = np.where(rng.random((n, 6)) < 0.75, truth[:, None], 1 - truth[:, None])
    votes[rng.random((n, 6)) < 0.4] = -1
    if kind == "exclusive":
        votes[votes[:, 0] >= 0, 1] = -1
    elif kind == "fixing":
        wrong = (votes[:, 0] >= 0) & (votes[:, 0] != truth)
        votes[wrong, 1] = truth[wrong]
    else:
        repeats = rng.random(n) < 0.7
        votes[repeats, 1] = votes[repeats, 0]
    model = DataProgramming(dependencies=[("f0", "f1", kind)]).fit(LabelMatrix.from_votes(votes, ["a", "b"]))
    weight = model.dependencies_[0].weights[0]
    assert weight < -0.5 if kind == "exclusive" else weight > 0.5
    assert "f0 and f1 are" in str(model.summary())


# sampling


def test_sampled_sums_are_near_the_exact_ones():
    evidence = gather(simulate(200, 4, "ab", seed=3).matrix, None)
    graph = Graph(evidence, [(0, 1, "copying"), (1, 2, "correlated"), (0, 2, "similar")])
    objective = Objective(evidence, graph, DataProgramming(), None)
    parts = objective.parts(objective.start() + 0.3)
    _, says, both = graph.sums(parts)
    _, sampled, sampled_both = Chains(graph, seed=1).sums(parts, sweeps=400)
    assert np.abs(sampled - says).max() < 0.02
    assert max(np.abs(a - b).max() for a, b in zip(both, sampled_both, strict=True)) < 0.02


def test_where_sums_would_be_too_large_sampling_finds_much_the_same():
    made = simulate(5000, 8, "ab", pairs=[(0, 5), (1, 6)], copy_rate=0.7, seed=2)
    pairs = [("f0", "f5"), ("f1", "f6")]
    exact = DataProgramming(dependencies=pairs).fit(made.matrix)
    sampled = DataProgramming(dependencies=pairs, max_states=0).fit(made.matrix, seed=4)
    again = DataProgramming(dependencies=pairs, max_states=0).fit(made.matrix, seed=4)
    assert np.array_equal(sampled.predict_proba(made.matrix), again.predict_proba(made.matrix))
    assert np.abs(sampled.accuracies_ - exact.accuracies_).max() < 0.05
    right = [(model.predict_codes(made.matrix) == made.truth).mean() for model in (exact, sampled)]
    assert abs(right[0] - right[1]) < 0.005


# the rest of the contract


def test_without_dependencies_it_is_the_one_coin_model():
    made = simulate(500, 6, "abc", copies=1, seed=8)
    alone = OneCoin().fit(made.matrix).predict_proba(made.matrix)
    assert np.array_equal(DataProgramming().fit(made.matrix).predict_proba(made.matrix), alone)


def test_gold_teaches_what_votes_cannot():
    made = simulate(3000, 4, "ab", accuracy=(0.52, 0.6), coverage=(0.7, 0.9), pairs=[(0, 1), (0, 2)], seed=4)
    names = made.matrix.labels.decode(made.truth.tolist())
    model = DataProgramming(dependencies=[("f0", "f1"), ("f0", "f2")]).fit(made.matrix, gold=names)
    assert np.abs(model.accuracies_ - made.accuracies).max() < 0.04


def test_saved_dependencies_come_back(tmp_path):
    made = simulate(2000, 6, "ab", pairs=[(0, 5)], seed=1)
    model = DataProgramming(dependencies="learn").fit(made.matrix)
    model.save(tmp_path / "model.npz")
    again = DataProgramming.load(tmp_path / "model.npz")
    assert again.dependencies_ == model.dependencies_ and len(again.dependencies_) == 1
    assert np.array_equal(again.predict_proba(made.matrix), model.predict_proba(made.matrix))
    unseen = LabelMatrix.from_votes([[0, 1, 0, 1, 0, 1], [-1] * 6, [1, -1, -1, -1, -1, -1]], ["a", "b"])
    assert np.allclose(again.predict_proba(unseen).sum(axis=1), 1)


def test_learned_pairs_that_would_make_functions_worse_than_guesses_are_left_out():
    """Functions that say one label only: little in their votes tells a copy from a second witness."""
    rng = np.random.default_rng(1)
    truth, says = rng.integers(0, 2, 3000), np.array([1, 1, 1, 1, 0, 0, 0])
    fires = rng.random((3000, 7)) < np.where(truth[:, None] == says, 0.35, np.where(says, 0.02, 0.2))
    for first, second, rate in ((0, 1, 0.5), (2, 3, 0.5), (1, 2, 0.3), (4, 5, 0.2)):
        repeats = rng.random(3000) < rate
        fires[repeats, second] = fires[repeats, first]
    matrix = LabelMatrix.from_votes(np.where(fires, says, -1), ["ham", "spam"])
    model = DataProgramming(dependencies="learn").fit(matrix)
    assert model.dependencies_ == [] and len(model.left_out_) >= 3
    assert model.accuracies_.min() > 0.5 and "worse than guesses" in str(model.summary())
    insisted = DataProgramming(dependencies=model.left_out_).fit(matrix)
    assert insisted.accuracies_.min() < 0.5  # what the rule is for


@pytest.mark.parametrize(
    "dependencies", [[("f0",)], [("f0", "f0")], [("f0", "f1", "twins")], "f0", [("a", "b", "similar", "x")]]
)
def test_what_is_no_dependency_is_refused(dependencies):
    with pytest.raises(ModelError, match=r"is no dependency of two functions.\nFix: give pairs"):
        DataProgramming(dependencies=dependencies)


def test_unknown_functions_are_answered_with_the_nearest():
    with pytest.raises(ModelError, match=r"There is no function 'f9'.\nFix"):
        DataProgramming(dependencies=[("f0", "f9")]).fit(simulate(50, 3, "ab").matrix)


@pytest.mark.parametrize("votes", [[[0, 0]], [[-1, -1]], [[0, -1], [-1, -1]]])
@pytest.mark.parametrize("kind", KINDS)
def test_tiny_votes_and_one_class_are_no_error(votes, kind):
    for labels in (["a"], ["a", "b"]):
        matrix = LabelMatrix.from_votes(votes, labels)
        model = DataProgramming(dependencies=[("f0", "f1", kind)], balance="learn").fit(matrix)
        assert np.allclose(model.predict_proba(matrix).sum(axis=1), 1)
