"""The names of the classes, in order. Users see names; integers stay inside.

Every later step (functions, models, reports) speaks of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.errors import LabelError, nearest

ABSTAIN = -1  # a function that has nothing to say; never a class


class Labels(Sequence[str]):
    """The labels a row can have.

    names: one or more distinct, non-empty strings, in the order in which probabilities are given.
    raises: LabelError for an empty, repeated or non-string name.

    >>> labels = Labels("ham", "spam")
    >>> labels.index("spam"), len(labels), list(labels)
    (1, 2, ['ham', 'spam'])
    >>> labels.index("spma")
    Traceback (most recent call last):
    ...
    consilience.errors.LabelError: 'spma' is not a label.
    Fix: Did you mean 'spam'?
    """

    def __init__(self, *names: str) -> None:
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise LabelError(f"{name!r} cannot be a label.\nFix: give labels as non-empty strings.")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise LabelError(f"The label {repeated[0]!r} is given twice.\nFix: give each label once.")
        if not names:
            raise LabelError("No labels were given.\nFix: name at least one, as in Labels('ham', 'spam').")
        self._names = names
        self._codes = {name: code for code, name in enumerate(names)}

    @classmethod
    def of(cls, names: Labels | Iterable[str]) -> Labels:
        """Labels as they are, or made of any iterable of names."""
        return names if isinstance(names, Labels) else cls(*names)

    def index(self, name: Any, *_: Any) -> int:
        """Position of a name. Raises LabelError naming the nearest labels."""
        try:
            return self._codes[name]
        except (KeyError, TypeError):
            raise LabelError(f"{name!r} is not a label.\nFix: {nearest(name, self._names)}") from None

    def encode(self, names: Iterable[str | None]) -> npt.NDArray[np.int16]:
        """Codes of names, ABSTAIN for None. returns: (n,) int16. Raises LabelError at the first unknown name."""
        return np.fromiter((ABSTAIN if name is None else self.index(name) for name in names), np.int16)

    def codes_of(self, names: pl.Series) -> npt.NDArray[np.int16]:
        """Codes of a column of names, ABSTAIN where one is null or not a label. returns: (n,) int16. O(n)."""
        codes = names.replace_strict(self._codes, default=ABSTAIN, return_dtype=pl.Int16)
        return codes.fill_null(ABSTAIN).to_numpy().astype(np.int16)

    def decode(self, codes: Iterable[int]) -> list[str | None]:
        """Names of codes, None for ABSTAIN.

        >>> Labels("ham", "spam").decode([1, -1])
        ['spam', None]
        """
        names = [*self._names, None]  # position -1 is ABSTAIN
        return [names[code] for code in codes]

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._codes

    def __getitem__(self, position: Any) -> Any:
        return self._names[position]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self._names == other._names

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"Labels({', '.join(map(repr, self._names))})"
