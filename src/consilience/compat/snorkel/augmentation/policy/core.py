"""Policies that leave nothing to chance."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Policy(ABC):
    """Says, for one data point, the sequences of transformation functions to run on it, each giving one new data point.

    n_tfs: how many functions there are. n_per_original: new data points for each. keep_original: keep the original too,
    as the empty sequence, which comes first.
    """

    def __init__(self, n_tfs: int, n_per_original: int = 1, keep_original: bool = True) -> None:
        self.n = n_tfs
        self.n_per_original = n_per_original
        self.keep_original = keep_original

    @abstractmethod
    def generate(self) -> list[int]:
        """One sequence: places of functions, in the order to run them."""

    def generate_for_example(self) -> list[list[int]]:
        """All sequences for one data point."""
        kept: list[list[int]] = [[]] if self.keep_original else []
        return kept + [self.generate() for _ in range(self.n_per_original)]


class ApplyAllPolicy(Policy):
    """All functions, in order.

    >>> ApplyAllPolicy(2).generate_for_example()
    [[], [0, 1]]
    """

    def generate(self) -> list[int]:
        """All places, in order."""
        return list(range(self.n))


class ApplyOnePolicy(ApplyAllPolicy):
    """The one function there is."""

    def __init__(self, n_per_original: int = 1, keep_original: bool = True) -> None:
        super().__init__(1, n_per_original, keep_original)


class ApplyEachPolicy(Policy):
    """Each function alone.

    >>> ApplyEachPolicy(2, keep_original=False).generate_for_example()
    [[0], [1]]
    """

    def __init__(self, n_tfs: int, keep_original: bool = True) -> None:
        super().__init__(n_tfs, n_tfs, keep_original)
        self._next = 0

    def generate(self) -> list[int]:
        """The next function alone, in turn."""
        place = self._next % self.n
        self._next += 1
        return [place]

    def generate_for_example(self) -> list[list[int]]:
        """Each function alone, for one data point."""
        self._next = 0
        return super().generate_for_example()
