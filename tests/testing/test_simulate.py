"""Simulated votes follow the tables and pairs they say they follow, and the Bayes rule knows of both."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from consilience.errors import VoteError
from consilience.testing import simulate


def test_votes_without_pairs_are_what_they_always_were():
    """Tests and benchmarks quote figures on these votes: a seed must go on giving the same ones."""
    made = simulate(300, 5, ["a", "b", "c"], class_dependent=True, copies=2, seed=5)
    assert hashlib.sha256(made.matrix.votes.astype(np.int8).tobytes()).hexdigest()[:12] == "77e478041801"


def test_a_copy_repeats_its_source_as_often_as_it_says_and_by_chance():
    made = simulate(40_000, 5, "ab", pairs=[(0, 3), (3, 4)], copy_rate=0.6, seed=1)
    votes, chance = made.matrix.votes, np.einsum("y,ys,ys->", made.balance, made.own[3], made.theta[0])
    assert abs((votes[:, 0] == votes[:, 3]).mean() - (0.6 + 0.4 * chance)) < 0.01
    for j in range(5):
        seen = [np.bincount(votes[made.truth == y, j] + 1, minlength=3) / (made.truth == y).sum() for y in range(2)]
        assert np.abs(made.theta[j] - seen).max() < 0.02


def test_the_bayes_rule_knows_of_pairs():
    made = simulate(60_000, 3, "ab", accuracy=(0.6, 0.9), pairs=[(0, 1), (0, 2)], copy_rate=0.7, seed=2)
    proba = made.bayes_proba()
    patterns, place = np.unique(made.matrix.votes, axis=0, return_inverse=True)
    for code in range(len(patterns)):
        rows = place.ravel() == code
        if rows.sum() > 2000:
            assert abs(proba[rows][0, 1] - made.truth[rows].mean()) < 0.04
    assert np.array_equal(made.bayes_codes(), proba.argmax(axis=1))


@pytest.mark.parametrize("pairs", [[(0, 0)], [(0, 4)], [(0, 2), (1, 2)], [(1, 2), (0, 1)]])
def test_pairs_that_cannot_be_are_refused(pairs):
    with pytest.raises(VoteError, match=r"cannot copy function \d here.\nFix"):
        simulate(10, 4, "ab", pairs=pairs)


def test_copies_and_pairs_are_one_or_the_other():
    with pytest.raises(VoteError, match=r"1 copies and 1 pairs.\nFix"):
        simulate(10, 4, "ab", copies=1, pairs=[(0, 1)])
