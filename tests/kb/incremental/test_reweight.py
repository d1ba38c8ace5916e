"""Weighted worlds, corrected by what was known before."""

from __future__ import annotations

import numpy as np

from consilience.kb.incremental.reweight import Known, importance_weights, metropolis_weights, reweighted
from consilience.kb.inference.chains import generator

TWO, THREE = np.array([2], np.int32), np.array([3], np.int32)


def case(seed: int, draws: float) -> tuple[float, float]:
    """Error of one marginal in its standard error as told, and as it is. A pair, before and after a unary factor."""
    rng = np.random.default_rng(seed)
    joint = np.array([[0.3, 0.2], [0.1, 0.4]])
    worlds = np.stack(np.unravel_index(rng.choice(4, 500, p=joint.ravel()), (2, 2))).astype(np.int32)
    gain = np.array([0.2, -0.2])  # of the values of the first
    log_w = gain[worlds[0]][None] + 0.0
    after = joint * np.exp(gain)[:, None]
    truth = after.sum(axis=0) / after.sum()
    before = joint.sum(axis=0)
    if np.isfinite(draws) and draws > 0:
        share = rng.binomial(int(draws), before[1]) / draws
        before = np.array([1 - share, share])
    p, worth = reweighted(worlds[1:], TWO, importance_weights(log_w), np.array([0]), Known(before, np.array([draws])))
    error = p[1] - truth[1]
    return float(error / np.sqrt(truth[0] * truth[1] / worth[0])), float(error)


def test_what_was_known_takes_most_of_the_noise_away_and_the_precision_told_is_right():
    spread = {}
    for draws in (0.0, 500.0, np.inf):
        found = np.array([case(seed, draws) for seed in range(400)])
        assert 0.9 < np.sqrt(np.mean(found[:, 0] ** 2)) < 1.1  # 400 squares: 1 ± .035
        spread[draws] = np.sqrt(np.mean(found[:, 1] ** 2))
    assert spread[np.inf] < 0.25 * spread[0.0] and spread[500.0] < 0.8 * spread[0.0]


def test_probabilities_of_many_values_add_up_and_a_value_in_no_world_keeps_its_own():
    worlds = np.array([[0, 0, 1, 1, 1]], np.int32)
    known = Known(np.array([0.5, 0.4, 0.1]), np.array([np.inf]))
    p, worth = reweighted(worlds, THREE, np.full((1, 5), 0.2), np.array([0]), known)
    assert np.allclose(p, [0.5, 0.4, 0.1]) and worth.shape == (1,)
    plain, _ = reweighted(worlds, THREE, np.full((1, 5), 0.2), np.array([0]), Known(np.zeros(3), np.zeros(1)))
    assert np.allclose(plain, [0.4, 0.6, 0.0])


def test_a_chain_that_proposes_often_spends_its_time_by_the_weights():
    log_w = np.random.default_rng(1).normal(0, 1, (1, 400))
    total = np.zeros((1, 400))
    for seed in range(200):
        shares, accepted = metropolis_weights(log_w, generator(seed, 0))
        assert abs(shares.sum() - 1) < 1e-9 and 0.3 < accepted[0] < 1
        total += shares / 200
    assert np.abs(total - importance_weights(log_w)).max() < 0.1 * importance_weights(log_w).max()
