"""Logistic regression on soft labels: scikit-learn's where labels are certain, and what it means elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_array, csr_matrix
from sklearn.linear_model import LogisticRegression

from consilience.end_models.expected_loss import fit_soft_logistic, predict_logistic


def data(seed, n=40, d=4, k=3):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d))
    soft = rng.dirichlet(np.ones(k), n)
    return features, soft, rng.uniform(0.2, 2, n)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("penalty", [0.3, 5.0])
def test_agrees_with_scikit_learn_where_labels_are_certain(k, penalty):
    features, soft, weights = data(1, n=200, k=k)
    hard = soft.argmax(axis=1)
    coefficients, intercept = fit_soft_logistic(features, np.eye(k)[hard], weights, penalty=penalty)
    # scikit-learn fits one column for two classes, which is a softmax of twice the penalty
    C = 1 / penalty if k > 2 else 2 / penalty
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=5000).fit(features, hard, weights)
    ours = predict_logistic(features, coefficients, intercept)
    assert np.allclose(ours, theirs.predict_proba(features), atol=1e-4)


def test_a_row_with_a_soft_label_is_as_many_weighted_rows_with_certain_ones():
    features, soft, weights = data(2)
    repeated = np.repeat(features, 3, axis=0)
    certain = np.tile(np.eye(3), (len(features), 1))
    together = fit_soft_logistic(features, soft, weights, penalty=0.5)
    apart = fit_soft_logistic(repeated, certain, (weights[:, None] * soft).ravel(), penalty=0.5)
    assert np.allclose(
        predict_logistic(features, *together), predict_logistic(features, *apart), atol=1e-4
    )  # both stop within the optimiser's tolerance


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.01, 1.0]))
def test_the_slope_is_that_of_the_loss(seed, penalty):
    features, soft, weights = data(seed, n=6, d=3, k=2)
    seen = {}

    def remember(loss, start, **_):
        seen["loss"] = loss
        return minimize(loss, start, jac=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consilience.end_models.expected_loss.minimize", remember)
        fit_soft_logistic(features, soft, weights, penalty=penalty)
    at = np.random.default_rng(seed).normal(size=8)
    _, slope = seen["loss"](at)
    step = 1e-6
    for place, unit in enumerate(np.eye(8)):
        rise = (seen["loss"](at + step * unit)[0] - seen["loss"](at - step * unit)[0]) / (2 * step)
        assert np.isclose(slope[place], rise, atol=1e-5)


@pytest.mark.parametrize("sparse", [csr_matrix, csr_array])
def test_sparse_features_give_what_dense_ones_give(sparse):
    features, soft, weights = data(3)
    dense = fit_soft_logistic(features, soft, weights, penalty=0.5)
    thin = fit_soft_logistic(sparse(features), soft, weights, penalty=0.5)
    assert np.allclose(dense[0], thin[0], atol=1e-4) and np.allclose(dense[1], thin[1], atol=1e-4)


def test_without_features_the_answer_is_the_weighted_mean_of_the_labels():
    features, soft, weights = data(4)
    proba = predict_logistic(features * 0, *fit_soft_logistic(features * 0, soft, weights, penalty=1.0))
    assert np.allclose(proba[0], weights @ soft / weights.sum(), atol=1e-4)


def test_probabilities_stay_finite_far_out():
    proba = predict_logistic(np.array([[1e6], [-1e6]]), np.array([[1.0, -1.0]]), np.zeros(2))
    assert proba.tolist() == [[1, 0], [0, 1]]
