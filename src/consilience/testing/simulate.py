"""Votes whose truth is known: rows get a class, and functions see it through tables we chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consilience.data.labels import Labels
from consilience.labeling.matrix import LabelMatrix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """A matrix, the classes its rows really have, and the tables its functions really follow.

    truth: (n,) codes; theta: (m, k, k+1), symbol 0 is abstaining; balance: (k,).
    """

    matrix: LabelMatrix
    truth: npt.NDArray[np.int64]
    theta: Floats
    balance: Floats

    def bayes_codes(self) -> npt.NDArray[np.int64]:
        """The best guess anyone can make from these votes, knowing the true tables. returns: (n,)."""
        joint = np.log(self.balance) + sum(
            np.log(self.theta[j][:, self.matrix.votes[:, j].astype(int) + 1]).T for j in range(len(self.theta))
        )
        return joint.argmax(axis=1)

    @property
    def accuracies(self) -> Floats:
        """Each function's true share of right votes. returns: (m,)."""
        right = np.einsum("y,jyy->j", self.balance, self.theta[:, :, 1:])
        return right / (self.balance @ (1 - self.theta[:, :, 0]).T)


def simulate(
    n: int,
    m: int,
    labels: Sequence[str],
    *,
    balance: Sequence[float] | None = None,
    accuracy: tuple[float, float] = (0.6, 0.9),
    coverage: tuple[float, float] = (0.2, 0.6),
    class_dependent: bool = False,
    copies: int = 0,
    seed: int = 0,
) -> Simulated:
    """Votes of m functions on n rows, independent given the class.

    accuracy, coverage: ranges the functions' own are drawn from. class_dependent: how often a function abstains depends
    on the class. copies: that many of the last functions repeat one of the first on four rows of five.
    """
    rng = np.random.default_rng(seed)
    names = Labels(*labels)
    k = len(names)
    shares = np.full(k, 1 / k) if balance is None else np.asarray(balance, np.float64)
    truth = rng.choice(k, n, p=shares)
    theta = np.empty((m, k, k + 1))
    for j in range(m):
        right = rng.uniform(*accuracy)
        fires = rng.uniform(*coverage, size=k) if class_dependent else np.full(k, rng.uniform(*coverage))
        says = np.full((k, k), (1 - right) / max(k - 1, 1))
        np.fill_diagonal(says, right)
        theta[j] = np.column_stack([1 - fires, fires[:, None] * says])
    ladders = theta.cumsum(axis=2)[:, truth]  # (m, n, k+1)
    votes = (rng.random((m, n, 1)) > ladders[:, :, :-1]).sum(axis=2).T - 1
    for copy in range(copies):
        repeats = rng.random(n) < 0.8
        votes[repeats, m - 1 - copy] = votes[repeats, copy]
    return Simulated(LabelMatrix.from_votes(votes, names), truth, theta, shares)
