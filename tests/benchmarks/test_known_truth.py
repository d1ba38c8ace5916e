from __future__ import annotations

import importlib

import numpy as np
import pytest


@pytest.fixture
def known_truth():
    return importlib.import_module("known_truth")


def test_copies_are_as_accurate_as_is_said(known_truth):
    case = known_truth.Case(6, "balanced", "2 pairs", ((0, 5), (1, 4)))
    known = known_truth.drawn(case, 40_000, seed=1)
    votes = known.matrix.votes
    shares = [(votes[votes[:, j] >= 0, j] == known.truth[votes[:, j] >= 0]).mean() for j in range(6)]
    assert np.allclose(shares, known.accuracies, atol=0.015)
    assert (votes[:, 0] == votes[:, 5]).mean() > 0.8


def test_no_function_is_in_two_pairs(known_truth):
    for case in known_truth.cases():
        seconds = [second for _, second in case.pairs]
        assert len(set(seconds)) == len(seconds)
        assert not {first for first, _ in case.pairs} & set(seconds)
        assert all(place < case.functions for place in seconds)


def test_a_model_that_follows_the_truth_loses_nothing(known_truth):
    cs = importlib.import_module("consilience")
    case = known_truth.Case(10, "balanced", "independent", ())
    found = known_truth.measured(cs.DawidSkene, known_truth.drawn(case, 5000, seed=0), seed=0)
    assert found["lost"] < 0.5
    assert found["accuracies_error"] < 2
    assert found["calibration_error"] < 2
