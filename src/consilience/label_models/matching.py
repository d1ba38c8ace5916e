"""Loadings that explain how pairs and triples of functions vote together: the fit inside models of moments.

Given the class, what different functions say is independent, so the covariance of two columns a, b is
sum over y of P(y) (mu_ay - share_a)(mu_by - share_b), of rank k - 1. In units of standard deviations it is <H_a, H_b>
with loadings H (d, k-1), and mu = share + spread * (H B^T) / sqrt(balance), where B is an orthonormal basis of what is
orthogonal to sqrt(balance). Pairs fix H up to a rotation; triples fix the rotation (see class_balance).

Source: Ratner et al., AAAI 2019, section 3 and algorithm 1, for functions whose dependent pairs are masked.
Departs: what is fitted is P(class | said), a softmax, so that tables are tables and marginals are met exactly, with no
second loss and no clamping; each pair counts by the precision with which it is known; closed-form gradients and L-BFGS
to convergence in the place of stochastic steps; a prior on accuracies that counts as rows of gold holds where votes are
few; third moments; and where functions agree otherwise than classes explain, all votes count for less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from consilience.label_models.base import Floats
from consilience.label_models.cooccurrence import Beliefs, Cooccurrence

GRADIENT = 1e-9  # of the loss a row, at which the minimum is found
ROUGH = 1e-7  # the same on the way to it
STEPS = 2000
NEAR_ZERO = 1e-4  # probability at which a start is: a softmax has no slope at 0
TINY = 1e-300
DOUBTS = 8  # rounds in which the weight of pairs is found
SAME = 1.05


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


class Match:
    """The loss of P(class | said) as a softmax of logits (d, k), and its minimum.

    pairs: n/4 sum over columns a, b of functions apart of (correlation - <H_a, H_b>)^2 / variance, each pair twice;
    prior: - sum of rows * believed * log P(class | said), the likelihood of that many rows of gold;
    triples: 1/2 sum of (tensor of H - that of `core`)^2, in units of its noise, each entry once.
    excess: how many times chance the misfit of pairs is; they weigh by that much less (as triples do by their noise).
    """

    def __init__(
        self,
        together: Cooccurrence,
        believed: Beliefs,
        balance: Floats,
        core: Core | None = None,
        excess: float = 1.0,
    ) -> None:
        self.n, self.balance = together.n, balance
        self.basis, self.root = basis(balance), np.sqrt(balance)
        self.correlation = together.correlation
        self.precision = np.where(together.columns_apart, 1 / together.variance, 0.0)
        self.work = np.empty((2, *self.precision.shape))  # the loss is bound by memory: it writes where it wrote before
        said = together.function, together.symbol + 1
        self.scale = (together.shares / together.spread)[:, None]
        self.believed, self.rows = believed.classes[said], believed.rows[said][:, None]
        self.core, self.excess = core, excess
        if core is not None:
            self.back = np.linalg.pinv(core.start)
            self.corners = self.basis / self.root[:, None]  # (k, r)

    def loadings(self, classes: Floats) -> Floats:
        """H of P(class | said). classes: (d, k). returns: (d, r)."""
        return self.scale * ((classes - self.balance) / self.root @ self.basis)

    def classes(self, loadings: Floats) -> Floats:
        """P(class | said) nearest to loadings. loadings: (d, r). returns: (d, k)."""
        found = np.maximum(self.balance + self.root * (loadings @ self.basis.T) / self.scale, NEAR_ZERO)
        return found / found.sum(axis=1, keepdims=True)

    def loss(self, classes: Floats) -> tuple[float, Floats]:
        """Loss a row, and its gradient by logits. classes: (d, k)."""
        h = self.loadings(classes)
        missed, weighed = self.work
        np.subtract(self.correlation, np.matmul(h, h.T, out=missed), out=missed)
        np.multiply(self.precision, missed, out=weighed)
        weight = self.n / self.excess
        loss, slope = weight * np.vdot(weighed, missed) / 4, -weight * (weighed @ h)
        if self.core is not None:
            turned = self.corners @ (self.back @ h).T  # (k, r)
            wrong = self._tensor(turned) - self.core.tensor
            heavy = self.core.weights * wrong
            loss += np.vdot(heavy, wrong) / 2
            by_corner = np.einsum("y,abc,yb,yc->ya", 3 * self.balance, heavy, turned, turned)
            slope += self.back.T @ (by_corner.T @ self.corners)
        by_class = (self.scale * slope) @ self.basis.T / self.root
        by_logit = classes * (by_class - (classes * by_class).sum(axis=1, keepdims=True))
        by_logit += self.rows * (classes - self.believed)
        prior = -np.vdot(self.rows * self.believed, np.log(np.maximum(classes, TINY)))
        return float((loss + prior) / self.n), by_logit / self.n

    def _tensor(self, corners: Floats) -> Floats:
        return np.einsum("y,ya,yb,yc->abc", self.balance, corners, corners, corners, optimize=True)

    def minimum(self, start: Floats, gradient: float = GRADIENT) -> tuple[Floats, float]:
        """P(class | said) near start with the least loss, and that loss."""
        if start.size == 0 or start.shape[1] == 1:
            return start, 0.0

        def flat(point: Floats) -> tuple[float, Floats]:
            loss, slope = self.loss(softmax(point.reshape(start.shape), axis=1))
            return loss, slope.ravel()

        found = minimize(
            flat,
            np.log(np.maximum(start, NEAR_ZERO)).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS, "maxfun": 2 * STEPS, "gtol": gradient, "ftol": 0.0, "maxcor": 20},
        )
        return softmax(found.x.reshape(start.shape), axis=1), float(found.fun)

    def minimum_in_doubt(self, start: Floats) -> tuple[Floats, float]:
        """The minimum when pairs weigh less by as much as they are missed there; and their misfit. Sets excess."""
        classes = start
        for _ in range(DOUBTS):
            classes, _ = self.minimum(classes, ROUGH)
            before, self.excess = self.excess, self.misfit(classes)
            if self.excess < before * SAME:
                break
        return classes, self.excess

    def misfit(self, classes: Floats) -> float:
        """How many times chance the misfit of pairs is: their mean square in units of their variance, at least 1."""
        h = self.loadings(classes)
        pairs = (self.precision > 0).sum() / 2
        free = pairs - classes.shape[0] * (classes.shape[1] - 1)
        squares = self.n / 2 * np.vdot(self.precision, (self.correlation - h @ h.T) ** 2)
        return max(float(squares / free), 1.0) if free > 0 else 1.0
