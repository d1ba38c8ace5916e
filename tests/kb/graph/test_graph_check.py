"""What a factor graph promises is checked, and what breaks it is named."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.errors import GraphError
from consilience.kb.graph.factor_graph import FactorFunction, FactorGraph, SoftEvidence

FACTOR = (FactorFunction.IS_TRUE, [(0, 1)], 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([0.2, 0.3, 0.5], "has 3 probabilities, but the variable has 2"),
        ([0.7, 0.7], r"is \[0.7, 0.7\]"),
        ([1.5, -0.5], "is .1.5, -0.5"),
        ([np.nan, 1.0], "is .nan, 1.0"),
    ],
)
def test_soft_labels_that_are_no_distributions_are_named(given, said):
    soft = SoftEvidence(np.array([0], np.int32), np.array([0, len(given)], np.int32), np.array(given))
    with pytest.raises(GraphError, match=rf"variable 0 {said}(.|\n)*\nFix: "):
        FactorGraph.of([2], [FACTOR], soft=soft)


@pytest.mark.parametrize("variables", [[0, 0], [1, 0], [0, 2], [-1, 0]])
def test_soft_labels_of_no_variable_or_of_one_twice_are_named(variables):
    soft = SoftEvidence(np.array(variables, np.int32), np.array([0, 2, 4], np.int32), np.full(4, 0.5))
    with pytest.raises(GraphError, match=r"Soft label \d is of variable -?\d, and there are 2 variables.\nFix: "):
        FactorGraph.of([2, 2], [FACTOR], soft=soft)


@pytest.mark.parametrize("offsets", [[0], [0, 2, 2], [0, 3]])
def test_soft_labels_whose_arrays_do_not_fit_are_named(offsets):
    soft = SoftEvidence(np.array([0], np.int32), np.array(offsets, np.int32), np.full(2, 0.5))
    with pytest.raises(GraphError, match=r"1 soft labels and 2 probabilities.*\nFix: "):
        FactorGraph.of([2], [FACTOR], soft=soft)


def test_a_scale_that_is_no_number_is_named():
    with pytest.raises(GraphError, match=r"scale of factor 0 is nan"):
        FactorGraph.of([2], [(*FACTOR, np.nan)], evidence=[1])
