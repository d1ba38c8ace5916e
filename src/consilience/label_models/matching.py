"""Loadings that explain how pairs and triples of functions vote together: the fit inside models of moments.

Given the class, what different functions say is independent, so the covariance of two columns a, b is
sum over y of P(y) (mu_ay - share_a)(mu_by - share_b), of rank k - 1. In units of standard deviations it is <H_a, H_b>
with loadings H (d, k-1), and mu = share + spread * (H B^T) / sqrt(balance), B an orthonormal basis of what is orthogonal
to sqrt(balance). Pairs fix H up to a rotation; triples fix the rotation (see class_balance).

Source: Ratner et al., AAAI 2019, section 3 and algorithm 1, for functions whose dependent pairs are masked.
Departs: closed-form gradients and L-BFGS to convergence in the place of stochastic steps; the marginals are met exactly,
not as a second loss; a prior on accuracies that counts as rows of gold holds where votes are few; third moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from consilience.label_models.base import Floats
from consilience.label_models.cooccurrence import Beliefs, Cooccurrence

GRADIENT = 1e-9  # of the loss a row, at which loadings are found
STEPS = 2000


@dataclass(frozen=True)
class Core:
    """Third moments of the class, in the coordinates of some loadings.

    start: (d, r) those loadings; tensor: (r, r, r), sum over y of P(y) h_y h_y h_y, where mu_y = share + spread * start
    h_y; noise: (r, r, r) standard errors.
    """

    start: Floats
    tensor: Floats
    noise: Floats

    @property
    def signal(self) -> float:
        """How many standard errors the entries are from 0: their root mean square; 1 by chance."""
        return float(np.sqrt(np.mean((self.tensor / self.noise) ** 2)))

    @property
    def weights(self) -> Floats:
        """What an entry weighs where all are summed, though 3 or 6 of them are one. returns: (r, r, r)."""
        return 1 / (times_listed(len(self.tensor)) * self.noise**2)


def times_listed(r: int) -> Floats:
    """How often each entry of a symmetric tensor stands in it: 1, 3 or 6. returns: (r, r, r)."""
    a, b, c = np.indices((r, r, r))
    different = (a != b).astype(np.int64) + (b != c) + (a != c)  # 0, 2 or 3 of these hold
    return np.array([1.0, np.nan, 3.0, 6.0])[different]


def basis(balance: Floats) -> Floats:
    """Orthonormal vectors orthogonal to sqrt(balance). returns: (k, k-1).

    The one whose rows keep their angles when classes are turned round: a Householder reflection of the simplex.
    """
    k = len(balance)
    root = np.sqrt(balance)
    away = root.copy()
    away[-1] += 1.0
    mirror = np.eye(k) - 2 * np.outer(away, away) / (away @ away)
    return mirror[:, :-1]


def leans_of(loadings: Floats, spread: Floats, balance: Floats) -> Floats:
    """P(said, class) - P(said) P(class). loadings: (d, r). returns: (d, k)."""
    return spread[:, None] * (loadings @ basis(balance).T) * np.sqrt(balance)


def loadings_of(leans: Floats, spread: Floats, balance: Floats) -> Floats:
    """Loadings nearest to such leans. leans: (d, k). returns: (d, r)."""
    return (leans / spread[:, None] / np.sqrt(balance)) @ basis(balance)


class Match:
    """The loss of loadings, and its minimum.

    pairs: n/4 sum over columns a, b of functions apart of (correlation - <H_a, H_b>)^2, each pair standing there twice;
    prior: 1/2 sum of rows (P(class | said) - believed)^2 / believed;
    triples: 1/2 sum of (tensor of H - that of `core`)^2, in units of its noise, each entry once.
    """

    def __init__(self, together: Cooccurrence, believed: Beliefs, balance: Floats, core: Core | None = None) -> None:
        self.n, self.balance, self.spread = together.n, balance, together.spread
        self.correlation = np.where(together.columns_apart, together.correlation, 0.0)
        self.apart = together.columns_apart.astype(np.float64)
        said = together.function, together.symbol + 1
        self.towards = basis(balance).T * np.sqrt(balance)  # (r, k)
        self.scale = (together.spread / together.shares)[:, None]
        self.believed = believed.classes[said]
        self.weight = believed.rows[said][:, None] / np.maximum(self.believed, 1e-3)
        self.core = core
        if core is not None:
            self.back = np.linalg.pinv(core.start)
            self.corners = basis(balance) / np.sqrt(balance)[:, None]  # (k, r)

    def start(self) -> Floats:
        """Loadings that are believed beforehand. returns: (d, r)."""
        return (self.believed - self.balance) / self.scale / np.sqrt(self.balance) @ basis(self.balance)

    def loss(self, loadings: Floats) -> tuple[float, Floats]:
        """Loss a row and its gradient. loadings: (d, r)."""
        missed = self.correlation - self.apart * (loadings @ loadings.T)
        off = self.balance + self.scale * (loadings @ self.towards) - self.believed
        loss = self.n / 4 * np.vdot(missed, missed) + 0.5 * np.vdot(self.weight * off, off)
        gradient = -self.n * missed @ loadings + (self.scale * self.weight * off) @ self.towards.T
        if self.core is not None:
            turned = self.corners @ (self.back @ loadings).T  # (k, r)
            wrong = self._tensor(turned) - self.core.tensor
            loss += 0.5 * np.vdot(self.core.weights * wrong, wrong)
            slope = np.einsum("y,abc,yb,yc->ya", 3 * self.balance, self.core.weights * wrong, turned, turned)
            gradient += self.back.T @ (slope.T @ self.corners)
        return float(loss / self.n), gradient / self.n

    def _tensor(self, corners: Floats) -> Floats:
        return np.einsum("y,ya,yb,yc->abc", self.balance, corners, corners, corners, optimize=True)

    def minimum(self, start: Floats) -> tuple[Floats, float]:
        """Loadings near start with the least loss, and that loss."""
        if start.size == 0:
            return start, 0.0

        def flat(point: Floats) -> tuple[float, Floats]:
            loss, gradient = self.loss(point.reshape(start.shape))
            return loss, gradient.ravel()

        found = minimize(
            flat,
            start.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxfun": 2 * STEPS, "gtol": GRADIENT, "ftol": 0.0, "maxcor": 20},
        )
        return found.x.reshape(start.shape), float(found.fun)
