"""The log-determinant relaxation: optimality conditions, and a general solver on small problems."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from consilience.errors import GraphError
from consilience.kb.incremental.log_determinant import NOISE, bounds, relax, violation


def problem(seed: int, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(200, 2)) @ rng.normal(size=(2, n)) + rng.normal(size=(200, n))
    joined = np.triu(rng.random((n, n)) < 0.6, 1)
    return np.cov(np.sign(hidden).T, bias=True), joined | joined.T


def by_slsqp(covariance: np.ndarray, low: np.ndarray, high: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The same program by a general method: entries below the diagonal as free numbers within their bounds."""
    n = len(covariance)
    rows, columns = np.tril_indices(n, -1)

    def matrix(entries: np.ndarray) -> np.ndarray:
        x = np.diag(np.diag(covariance) + NOISE)
        x[rows, columns] = x[columns, rows] = entries
        return x

    def loss(entries: np.ndarray) -> float:
        values = np.linalg.eigvalsh(matrix(entries))
        return 1e3 - 1e3 * values[0] if values[0] <= 1e-9 else -float(np.log(values).sum())

    span = list(zip(low[rows, columns], high[rows, columns], strict=True))
    return matrix(
        minimize(loss, start[rows, columns], bounds=span, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500}).x
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("outside", ["free", "zero"])
def test_the_optimum_is_that_of_a_general_solver(seed, outside):
    covariance, joined = problem(seed)
    low, high = bounds(covariance, joined, 0.1, outside)
    found = relax(covariance, joined, 0.1, outside=outside)
    wanted = by_slsqp(
        covariance, np.maximum(low, -2), np.minimum(high, 2), found.x * 0.99 + 0.01 * np.diag(np.diag(found.x))
    )
    assert np.linalg.slogdet(found.x)[1] >= np.linalg.slogdet(wanted)[1] - 1e-6
    assert np.allclose(found.x, wanted, atol=2e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [0.0, 0.05, 0.3])
def test_the_conditions_of_an_optimum_hold(seed, penalty):
    covariance, joined = problem(seed, n=20)
    found = relax(covariance, joined, penalty)
    assert found.gap <= 1e-6 and violation(found.x, found.inverse, *bounds(covariance, joined, penalty, "free")) <= 1e-6
    assert np.allclose(np.diag(found.x), np.diag(covariance) + NOISE)
    off = ~np.eye(20, dtype=bool)
    assert np.abs(found.inverse[off & ~joined]).max() <= 1e-6
    assert np.abs((found.x - covariance)[joined & off]).max() <= penalty + 1e-9
    assert np.allclose(found.x @ found.inverse, np.eye(20), atol=1e-8)


def test_a_larger_penalty_leaves_fewer_pairs():
    covariance, joined = problem(1, n=15)
    pairs = [int((np.abs(relax(covariance, joined, p).inverse)[joined] > 1e-6).sum()) for p in (0.0, 0.1, 0.4, 2.0)]
    assert pairs == sorted(pairs, reverse=True) and pairs[-1] == 0 and pairs[0] > pairs[2]


def test_zeros_in_x_itself_cannot_always_be_had():
    almost_one = np.full((3, 3), 0.99) + 0.01 * np.eye(3)
    row = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], bool)
    with pytest.raises(GraphError, match=r"no positive definite X.*\nFix: a larger lambda"):
        relax(almost_one, row, 0.01, outside="zero")
    assert relax(almost_one, row, 0.01).gap <= 1e-6


def test_no_variables_need_no_pairs():
    assert relax(np.zeros((0, 0)), np.zeros((0, 0), bool), 0.1).x.shape == (0, 0)
