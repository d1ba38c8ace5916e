"""Multinomial logistic regression on soft labels: the loss is its expectation under the label model's probabilities.

Takes any features and (n, k) probabilities; used by the classifiers beside this file.
Source: Ratner et al. 2016, the noise-aware loss. scikit-learn's takes one label a row, so ours is written out here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from consilience.progress import working

Floats = npt.NDArray[np.float64]


def fit_soft_logistic(
    features: Any,
    soft_labels: Floats,
    weights: Floats,
    *,
    penalty: float,
    max_iterations: int = 300,
    tolerance: float = 1e-7,
) -> tuple[Floats, Floats]:
    """Minimise sum_i w_i E_{y ~ q_i}[-log p(y | x_i)] + penalty / 2 * |coefficients|^2; the intercept is free.

    features: (n, d), dense or sparse. soft_labels: (n, k). weights: (n,). returns: coefficients (d, k), intercept (k,).
    tolerance: it ends when a step lowers the loss by less than this share of it.
    O(iterations x non-zeros x k) time; L-BFGS keeps 10 copies of the coefficients.

    >>> x = np.array([[0.0], [1.0]])
    >>> coefficients, intercept = fit_soft_logistic(x, np.array([[0.9, 0.1], [0.2, 0.8]]), np.ones(2), penalty=1e-6)
    >>> predict_logistic(x, coefficients, intercept).round(2).tolist()
    [[0.9, 0.1], [0.2, 0.8]]
    """
    d = features.shape[1]
    k = soft_labels.shape[1]
    transposed = features.T.tocsr() if hasattr(features, "tocsr") else features.T

    def loss(flat: Floats) -> tuple[float, Floats]:
        coefficients, intercept = flat[: d * k].reshape(d, k), flat[d * k :]
        log_p = log_softmax(features @ coefficients + intercept, axis=1)
        value = -(weights[:, None] * soft_labels * log_p).sum() + penalty / 2 * (coefficients**2).sum()
        slope = weights[:, None] * (np.exp(log_p) * soft_labels.sum(axis=1, keepdims=True) - soft_labels)
        return float(value), np.concatenate([(transposed @ slope + penalty * coefficients).ravel(), slope.sum(axis=0)])

    options = {"maxiter": max_iterations, "maxcor": 10, "ftol": tolerance, "gtol": 1e-5}
    with working("training", max_iterations) as tick:
        start = np.zeros((d + 1) * k)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options, callback=lambda _: tick()).x
    return found[: d * k].reshape(d, k), found[d * k :]


def predict_logistic(features: Any, coefficients: Floats, intercept: Floats) -> Floats:
    """Probabilities of the classes. features: (n, d). returns: (n, k), rows summing to 1."""
    return np.exp(log_softmax(features @ coefficients + intercept, axis=1))
