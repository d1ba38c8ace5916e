"""Votes whose truth is known: rows get a class, and functions see it through tables we chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consilience.data.labels import Labels
from consilience.errors import VoteError
from consilience.labeling.matrix import LabelMatrix

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """A matrix, the classes its rows really have, and the tables its functions really follow.

    truth: (n,) codes; theta: (m, k, k+1), symbol 0 is abstaining; balance: (k,).
    pairs: places of functions whose second repeats the first on a share copy_rate of the rows. own: like theta, what
    each says where it copies nobody.
    """

    matrix: LabelMatrix
    truth: npt.NDArray[np.int64]
    theta: Floats
    balance: Floats
    own: Floats
    pairs: tuple[tuple[int, int], ...] = ()
    copy_rate: float = 0.0

    def bayes_proba(self) -> Floats:
        """Probabilities of the classes given these votes and the true tables: nobody can do better. returns: (n, k)."""
        source = {copy: original for original, copy in self.pairs}
        said = self.matrix.votes.T.astype(int) + 1
        joint = np.repeat(np.log(self.balance)[:, None], len(self.truth), axis=1)
        for j, table in enumerate(self.own):
            p = table[:, said[j]]
            if j in source:
                p = (1 - self.copy_rate) * p + self.copy_rate * (said[j] == said[source[j]])
            joint += np.log(p)
        proba = np.exp(joint - joint.max(axis=0))
        return np.ascontiguousarray((proba / proba.sum(axis=0)).T)

    def bayes_codes(self) -> npt.NDArray[np.int64]:
        """The best guess anyone can make from these votes, knowing the true tables. returns: (n,)."""
        return self.bayes_proba().argmax(axis=1)

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
    pairs: Sequence[tuple[int, int]] = (),
    copy_rate: float = 0.8,
    seed: int = 0,
) -> Simulated:
    """Votes of m functions on n rows, independent given the class but for the pairs.

    accuracy, coverage: ranges the functions' own are drawn from. class_dependent: how often a function abstains depends
    on the class. copies: that many of the last functions repeat one of the first on four rows of five.
    pairs: (first, second): the second repeats what the first says, or its silence, on a share copy_rate of the rows.
    A function copies at most one other, whose own copying comes before.
    raises: VoteError for pairs that cannot be.

    >>> made = simulate(1000, 4, ["ham", "spam"], pairs=[(0, 3)], copy_rate=1.0)
    >>> bool((made.matrix.votes[:, 0] == made.matrix.votes[:, 3]).all())
    True
    """
    _check_pairs(pairs, m, copies)
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
    own = theta.copy()
    chain, rate = ([(copy, m - 1 - copy) for copy in range(copies)], 0.8) if copies else (list(pairs), copy_rate)
    for first, second in chain:
        repeats = rng.random(n) < rate
        votes[repeats, second] = votes[repeats, first]
        theta[second] = rate * theta[first] + (1 - rate) * theta[second]
    return Simulated(LabelMatrix.from_votes(votes, names), truth, theta, shares, own, tuple(chain), rate)


def _check_pairs(pairs: Sequence[tuple[int, int]], m: int, copies: int) -> None:
    if pairs and copies:
        raise VoteError(f"There are {copies} copies and {len(pairs)} pairs.\nFix: give one of copies and pairs.")
    copiers: set[int] = set()
    settled: set[int] = set()
    for first, second in pairs:
        settled.add(first)
        if not (0 <= first < m and 0 <= second < m) or second in copiers | settled:
            raise VoteError(
                f"Function {second} of {m} cannot copy function {first} here.\n"
                "Fix: let each copy at most one other, and put what that one copies before."
            )
        copiers.add(second)
