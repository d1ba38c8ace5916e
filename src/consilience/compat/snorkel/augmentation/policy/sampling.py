"""Policies that draw functions at random, from NumPy's global generator, which scripts in this style seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consilience.compat.snorkel.augmentation.policy.core import Policy
from consilience.errors import FunctionError


class MeanFieldPolicy(Policy):
    """Sequences whose functions are drawn one by one from a distribution.

    sequence_length: functions in a sequence. p: (n_tfs,) how probable each is; default: all the same.
    raises: FunctionError (a ValueError) for a p that is no distribution over the functions.

    >>> MeanFieldPolicy(2, sequence_length=3, p=[0, 1]).generate()
    [1, 1, 1]
    """

    def __init__(
        self,
        n_tfs: int,
        sequence_length: int = 1,
        p: Sequence[float] | None = None,
        n_per_original: int = 1,
        keep_original: bool = True,
    ) -> None:
        super().__init__(n_tfs, n_per_original, keep_original)
        self.sequence_length = sequence_length
        self._p = None if p is None else np.asarray(p, np.float64)
        if self._p is not None and (
            self._p.shape != (n_tfs,) or not (self._p >= 0).all() or not np.isclose(self._p.sum(), 1)
        ):
            raise FunctionError(
                f"p={self._p.tolist()} is no distribution over {n_tfs} functions.\n"
                "Fix: give a share for each, in sum 1."
            )

    def generate(self) -> list[int]:
        """One sequence, drawn."""
        drawn = np.random.choice(self.n, size=self.sequence_length, p=self._p)  # noqa: NPY002 (see the file)
        return [int(place) for place in drawn]


class RandomPolicy(MeanFieldPolicy):
    """Sequences whose functions are drawn one by one, all equally probable."""

    def __init__(
        self, n_tfs: int, sequence_length: int = 1, n_per_original: int = 1, keep_original: bool = True
    ) -> None:
        super().__init__(n_tfs, sequence_length, None, n_per_original, keep_original)
