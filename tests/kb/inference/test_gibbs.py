"""Gibbs sampling, held to enumeration: conditionals, marginals, whole worlds, and what the diagnostics say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import chi2
from tests.kb.graphs import random_graph
from tests.reference.factor_graphs import distribution, marginals, score

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import COUNTING, OPEN, FactorFunction, FactorGraph
from consilience.kb.inference.chains import new_chain
from consilience.kb.inference.gibbs import STUCK, Stopped, sample
from consilience.kb.inference.gibbs_kernels import score_place
from consilience.kb.inference.structure import potentials, prepare
from consilience.kb.inference.worlds import worlds

F = FactorFunction


def pair(function: FactorFunction, weight: float, *bias: float) -> tuple[FactorGraph, np.ndarray]:
    """Two Boolean variables joined by a factor, with a bias each."""
    factors = [(function, [(0, 1), (1, 1)], 0), *((F.IS_TRUE, [(v, 1)], 1 + v) for v in range(len(bias)))]
    return FactorGraph.of([2, 2], factors), np.array([weight, *bias])


@pytest.mark.parametrize("seed", range(40))
def test_each_value_is_drawn_by_its_probability_given_all_others(seed: int) -> None:
    """Fields, couplings, entries and general factors together make the difference of two worlds' scores."""
    graph, weights = random_graph(seed, n=6, n_factors=12)
    structure = prepare(graph)
    p, rng = potentials(structure, weights), np.random.default_rng(seed)
    for _ in range(5):
        world = np.where(structure.place >= 0, rng.integers(0, graph.cardinality), graph.evidence)
        state = world.astype(structure.known.dtype)
        for place, v in enumerate(structure.variables):
            exact = np.array(
                [score(graph, weights, (*world[:v], x, *world[v + 1 :])) for x in range(graph.cardinality[v])]
            )
            found = np.zeros(len(exact))
            score_place(place, structure.arrays, p, state, found)
            # sums of a dozen numbers of size 1 in single precision
            assert np.allclose(found - found[0], exact - exact[0], atol=1e-5)


@pytest.mark.parametrize("function", list(F), ids=lambda f: f.name)
@pytest.mark.parametrize("largest", [2, 4], ids=["boolean", "categorical"])
def test_marginals_of_every_function_are_those_of_enumeration(function: FactorFunction, largest: int) -> None:
    """n = 8, with negation, evidence, ties and repeated variables. Four chains of 10,000 sweeps are worth at least
    10,000 draws (asserted), so a standard error is at most .5 / sqrt(10,000) = .005, and mostly far less.
    """
    graph, weights = random_graph(
        int(function) + 50, n=8, n_factors=12, functions=(function,), largest=largest, spread=0.6
    )
    found = sample(graph, weights, epochs=10_000, seed=1)
    assert found.least_effective > 10_000
    assert found.worst_r_hat < 1.01
    assert np.abs(found.probability - marginals(graph, weights)).max() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_worlds_come_in_their_probability(seed: int) -> None:
    """Chi-square of 20,000 worlds 20 sweeps apart against enumeration: once in a hundred thousand seeds it fails."""
    graph, weights = random_graph(seed, n=3, n_factors=5, largest=2 + seed, known=0.0, spread=0.5)
    assert worlds_fit(graph, weights, seed)


def worlds_fit(graph: FactorGraph, weights: np.ndarray, seed: int) -> bool:
    """Whether stored worlds come as often as they should."""
    found, probability, _ = distribution(graph, weights)
    kept = worlds(graph, weights, 20_000, seed=seed, thin=20, burn_in=100).values(np.arange(graph.n_variables)).T
    place = {world: k for k, world in enumerate(found)}
    counts = np.bincount([place[tuple(world)] for world in kept.tolist()], minlength=len(found))
    expected = probability * len(kept)
    statistic = ((counts - expected) ** 2 / expected).sum()
    return bool(statistic < chi2.ppf(1 - 1e-5, len(found) - 1))


def test_the_answer_depends_on_the_seed_and_not_on_the_threads() -> None:
    graph, weights = random_graph(3, n=200, n_factors=300)
    one = sample(graph, weights, epochs=200, seed=5, threads=1)
    two = sample(graph, weights, epochs=200, seed=5, threads=3)
    other = sample(graph, weights, epochs=200, seed=6)
    assert np.array_equal(one.probability, two.probability)
    assert not np.array_equal(one.probability, other.probability)
    kept = [worlds(graph, weights, 9, seed=5, threads=threads).bits for threads in (1, 3)]
    assert np.array_equal(*kept)


def test_evidence_is_one_and_the_rest_of_a_whole_component_can_be_left_out() -> None:
    graph = FactorGraph.of(
        [2, 3, 2, 2], [(F.IS_TRUE, [(0, 1)], 0), (F.EQUAL, [(2, 1), (3, 1)], 0)], evidence=[OPEN, 2, OPEN, OPEN]
    )
    found = sample(graph, np.array([1.0]), variables=np.array([0, 1]), epochs=50)
    assert found.probability[2:5].tolist() == [0, 0, 1]
    assert found.probability[1] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)  # alone: its probability is known
    assert np.isnan(found.probability[5:]).all()
    assert found.variables.tolist() == [0]
    with pytest.raises(GraphError, match=r"Factor 1 joins variables that are sampled.*\nFix: sample all"):
        sample(graph, np.array([1.0]), variables=np.array([0, 2]))


def test_a_factor_of_weight_zero_changes_nothing() -> None:
    factors = [(F.EQUAL, [(0, 1), (1, 0)], 0), (F.IS_TRUE, [(0, 1)], 0)]
    without = FactorGraph.of([2, 2, 2], factors, n_weights=2)
    with_it = FactorGraph.of([2, 2, 2], [*factors, (F.RATIO, [(2, 1), [(0, 1)], [(1, 1)]], 1)], n_weights=2)
    weights = np.array([0.7, 0.0])
    found = [sample(graph, weights, epochs=4000).probability for graph in (without, with_it)]
    assert np.abs(found[0] - found[1]).max() < 0.01  # the order of the sweep differs, and so do the draws


def test_effective_draws_tell_the_error() -> None:
    """Over 60 seeds, the error in units of sqrt(p (1 - p) / effective) has a root mean square of about 1."""
    graph, weights = pair(F.EQUAL, 0.8, 0.2, -0.1)
    exact = marginals(graph, weights)[1]
    found = [sample(graph, weights, epochs=400, seed=seed) for seed in range(60)]
    error = [(s.probability[1] - exact) / np.sqrt(exact * (1 - exact) / s.effective[0]) for s in found]
    assert 0.7 < np.sqrt(np.mean(np.square(error))) < 1.4  # 60 squares: 1 ± .09, and effective is itself a guess


def test_sampling_stops_when_the_chains_are_worth_enough_and_says_so() -> None:
    easy, hard = pair(F.EQUAL, 0.2, 0.1, 0.1), pair(F.EQUAL, 2.2, 0.0, 0.0)
    early = sample(*easy, epochs=100_000, effective=2000)
    assert early.stopped is Stopped.CONVERGED and early.least_effective >= 2000 and early.epochs < 20_000
    late = sample(*hard, epochs=800, effective=1e7)
    assert late.stopped is Stopped.BUDGET and late.epochs >= 800
    assert sample(*easy, epochs=800).stopped is Stopped.EPOCHS


def test_variables_that_do_not_mix_are_told() -> None:
    """Two variables equal but for one in e^20: alone neither ever moves, and chains stay where they began."""
    graph, weights = pair(F.EQUAL, 10.0, 0.3, 0.0)
    found = sample(graph, weights, epochs=2000, flips=False)
    assert found.stuck.tolist() == [0, 1] and found.worst_r_hat > STUCK
    assert "2 variables have not mixed" in str(found)


@pytest.mark.parametrize("weight", [10.0, -10.0])
def test_hard_pairs_move_when_flipped_together(weight: float) -> None:
    graph, weights = pair(F.EQUAL, weight, 0.3, 0.1)
    found = sample(graph, weights, epochs=5000)
    assert found.worst_r_hat < 1.01 and not len(found.stuck)
    # standard error .5 / sqrt(effective), as test_effective_draws_tell_the_error holds it to
    assert np.abs(found.probability - marginals(graph, weights)).max() < 4 * 0.5 / np.sqrt(found.least_effective)
    assert found.least_effective > 2500


def test_clusters_with_cycles_and_general_factors_come_in_their_probability() -> None:
    """A hard triangle that hangs on rules of three variables: chi-square of whole worlds, as above."""
    hard = [(F.EQUAL, [(a, 1), (b, 1)], 0) for a, b in ((0, 1), (1, 2), (0, 2))]
    soft = [(F.IMPLY, [(3, 1), (0, 1), (1, 1)], 1), (F.AND, [(2, 1), (3, 1), (4, 0)], 1), (F.IS_TRUE, [(0, 1)], 2)]
    graph, weights = FactorGraph.of([2] * 5, [*hard, *soft]), np.array([1.2, 0.8, 0.4])
    assert len(potentials(prepare(graph), weights).members) == 3
    assert worlds_fit(graph, weights, 3)


def test_worlds_take_the_bits_they_need_and_each_chain_has_its_own() -> None:
    graph, weights = random_graph(1, n=21, n_factors=20, largest=5)
    kept = worlds(graph, weights, 50, seed=2)
    is_open = graph.evidence == OPEN
    width = np.ceil(np.log2(graph.cardinality[is_open])).astype(int)
    assert kept.bits.shape == (width.sum(), 7) and np.array_equal(kept.has(np.arange(21)), is_open)
    values = kept.values(np.arange(21))
    assert (values < graph.cardinality[:, None]).all() and (values[~is_open] == 0).all()
    assert np.array_equal(kept.values(np.array([20, 0, 9])), values[[20, 0, 9]])
    kept.put(np.array([0, 9]), values[[0, 9], :24], at=16)
    assert np.array_equal(kept.values(np.array([0, 9]))[:, 16:40], values[[0, 9], :24])


def check_wide(n_values: int, kind: type) -> None:
    """A variable of many values, one of which goes with a Boolean one."""
    graph = FactorGraph.of([n_values, 2], [(F.AND_CATEGORICAL, [(0, n_values - 1), (1, 1)], 0)])
    weights = np.array([8.0])
    found = sample(graph, weights, epochs=2000)
    assert np.abs(found.probability - marginals(graph, weights)).max() < 0.02
    assert found.states.dtype == kind
    kept = worlds(graph, weights, 20)
    assert kept.bits.shape == (int(np.ceil(np.log2(n_values))) + 1, 3) and kept.values(np.array([0])).max() > 127


def test_variables_of_many_values_are_kept_in_two_bytes() -> None:
    check_wide(300, np.int16)


@pytest.mark.slow  # compiles all loops for it
def test_variables_of_very_many_values_are_kept_in_four_bytes() -> None:
    check_wide(40_000, np.int32)


def test_an_empty_graph_and_one_that_is_all_evidence_need_no_sampling() -> None:
    assert sample(FactorGraph.of([], []), np.zeros(0)).probability.shape == (0,)
    found = sample(FactorGraph.of([2, 1], [(F.EQUAL, [(0, 1), (1, 0)], 0)], evidence=[1, OPEN]), np.ones(1))
    assert found.probability.tolist() == [0, 1, 1]
    assert found.worst_r_hat == 1 and found.least_effective == np.inf


@pytest.mark.parametrize(
    ("weights", "said"), [([1.0, 2.0], "has 1 weights, and 2"), ([np.nan], "Weight 0 is nan"), ([np.inf], "is inf")]
)
def test_weights_that_make_no_distribution_are_refused(weights: list[float], said: str) -> None:
    graph = FactorGraph.of([2], [(F.IS_TRUE, [(0, 1)], 0)])
    with pytest.raises(GraphError, match=said + r".*\nFix: "):
        sample(graph, np.array(weights))


def test_a_chain_goes_on_from_where_it_was() -> None:
    graph, weights = random_graph(8, n=5, n_factors=8)
    structure = prepare(graph)
    p, zeros = potentials(structure, weights), np.zeros(5, np.int16)
    whole, parts = (new_chain(structure, zeros, 1, 0) for _ in range(2))
    whole.sweep(p, 10)
    for n in (3, 7):
        parts.sweep(p, n)
    assert np.array_equal(whole.state, parts.state)
    assert np.allclose(whole.tally, parts.tally)


def test_random_functions_are_all_tried() -> None:
    """The random graphs above hold every function, counting ones and repeated variables among them."""
    graphs = [random_graph(seed, n=6, n_factors=12)[0] for seed in range(40)]
    tried = set(itertools.chain.from_iterable(graph.factors.function.tolist() for graph in graphs))
    assert tried == {int(f) for f in F} and set(map(int, COUNTING)) <= tried
