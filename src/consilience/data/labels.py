"""The names of the classes, in order, and of the sets of them a vote may name. Users see names; integers stay inside.

Every later step (functions, models, reports) speaks of these. A vote need not settle on one label: "not spam",
"cat|dog" and any named group ("animal") are votes for a set of labels. Label trees and tasks that depend on one another
are groups too, so no other step knows of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.errors import LabelError, nearest

ABSTAIN = -1  # a function that has nothing to say; never a class


class Labels(Sequence[str]):
    """The labels a row can have, and the names of sets of them that a vote may give.

    names: one or more distinct, non-empty strings, in the order in which probabilities are given.
    groups: sets of labels with a name of their own. A row never has a group as its label; a vote for one says that the
        row's label is one of the group.
    raises: LabelError for an empty, repeated or non-string name, and a group of unknown, no or all labels.

    >>> labels = Labels("ham", "spam")
    >>> labels.index("spam"), len(labels), list(labels)
    (1, 2, ['ham', 'spam'])
    >>> labels.index("spma")
    Traceback (most recent call last):
    ...
    consilience.errors.LabelError: 'spma' is not a label.
    Fix: Did you mean 'spam'?
    >>> Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]}).meanings.astype(int).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    """

    def __init__(self, *names: str, groups: Mapping[str, Iterable[str]] | None = None) -> None:
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
        self.groups = {name: self._members(name, group) for name, group in (groups or {}).items()}
        self.votes = (*names, *self.groups)
        self._vote_codes = {name: code for code, name in enumerate(self.votes)}

    def _members(self, group: str, names: Iterable[str]) -> tuple[str, ...]:
        """The labels of a group, in order."""
        chosen = {self.index(name) for name in names}
        if not isinstance(group, str) or not group.strip() or group in self._codes:
            raise LabelError(f"{group!r} cannot be a group of labels.\nFix: give it a name no label has.")
        if not 0 < len(chosen) < len(self._names):
            raise LabelError(
                f"The group {group!r} has {len(chosen)} of {len(self._names)} labels, so a vote for it says nothing.\n"
                "Fix: give a group some of the labels, not none and not all."
            )
        return tuple(self._names[code] for code in sorted(chosen))

    @cached_property
    def meanings(self) -> npt.NDArray[np.bool_]:
        """Which labels each vote allows: labels first (the identity), then groups. returns: (votes, k) bool."""
        allowed = [(name,) for name in self._names] + list(self.groups.values())
        return np.array([[name in group for name in self._names] for group in allowed])

    @property
    def plain(self) -> Labels:
        """The labels without groups: what gold, training sets and reports speak of."""
        return Labels(*self._names) if self.groups else self

    def with_votes(self, names: Iterable[str]) -> Labels:
        """These labels, and those of the names that say a set of them: "not spam", "cat|dog".

        raises: LabelError for a name that is neither a label, nor a group, nor made of labels.

        >>> Labels("cat", "dog", "car").with_votes([Not("car"), "cat"]).groups
        {'not car': ('cat', 'dog')}
        """
        groups: dict[str, tuple[str, ...]] = dict(self.groups)
        for name in names:
            if name not in self._codes and name not in groups:
                groups[name] = self._said(name)
        return self if len(groups) == len(self.groups) else Labels(*self._names, groups=groups)

    def _said(self, name: Any) -> tuple[str, ...]:
        """The labels that "not a|b" or "a|b" speaks of."""
        if not isinstance(name, str):
            self.vote_index(name)
        negative = name.startswith("not ")
        members = self._parts(name.removeprefix("not ") if negative else name)
        if members is None:
            raise LabelError(f"{name!r} is not a label.\nFix: {nearest(name, self.votes)}")
        return tuple(label for label in self._names if (label in members) != negative)

    def _parts(self, text: str) -> tuple[str, ...] | None:
        parts = (text,) if text in self._codes else tuple(part.strip() for part in text.split("|"))
        return parts if all(part in self._codes for part in parts) else None

    def vote_index(self, name: Any) -> int:
        """Code of what a vote names: a label or a group. Raises LabelError naming the nearest."""
        try:
            return self._vote_codes[name]
        except (KeyError, TypeError):
            raise LabelError(f"{name!r} is not a label.\nFix: {nearest(name, self.votes)}") from None

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
        """Codes of a column of labels and groups, ABSTAIN where one is null or neither. returns: (n,) int16. O(n)."""
        codes = names.replace_strict(self._vote_codes, default=ABSTAIN, return_dtype=pl.Int16)
        return codes.fill_null(ABSTAIN).to_numpy().astype(np.int16)

    def decode(self, codes: Iterable[int]) -> list[str | None]:
        """Names of codes, None for ABSTAIN.

        >>> Labels("ham", "spam").decode([1, -1])
        ['spam', None]
        """
        names = [*self.votes, None]  # position -1 is ABSTAIN
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
        return isinstance(other, Labels) and self._names == other._names and self.groups == other.groups

    def __hash__(self) -> int:
        return hash(self.votes)

    def __repr__(self) -> str:
        groups = [f"groups={self.groups}"] if self.groups else []
        return f"Labels({', '.join([*map(repr, self._names), *groups])})"


def Not(*labels: str) -> str:
    """What a function says that only knows which labels a row does not have.

    >>> Not("spam")
    'not spam'
    """
    return f"not {OneOf(*labels)}"


def OneOf(*labels: str) -> str:
    """What a function says that cannot settle on one label.

    >>> OneOf("cat", "dog")
    'cat|dog'
    """
    if not labels or not all(isinstance(label, str) and label for label in labels):
        raise LabelError(f"{labels!r} cannot be labels.\nFix: name one or more labels, as in Not('spam').")
    return "|".join(labels)
