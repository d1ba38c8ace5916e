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
ROUNDING = 1e-9  # sums of probabilities closer than this are the same


class Said(str):
    """The name of a set of labels, as `Not` and `OneOf` spell it; it knows what it was made of."""

    parts: tuple[str, ...]
    negative: bool


def Not(*labels: str) -> str:
    """What a function says that only knows which labels a row does not have. Groups may be named too.

    >>> import consilience as cs
    >>> cs.Not("spam")
    'not spam'
    >>> table = cs.read([{"text": "see you at six"}, {"text": "win cash"}], labels=["ham", "spam", "advert"])
    >>> cs.apply({"personal": cs.keywords(cs.Not("spam", "advert"), ["see you"])}, table).names_of("personal")
    ['ham', None]
    """
    return _spelled(labels, negative=True)


def OneOf(*labels: str) -> str:
    """What a function says that cannot settle on one label. Groups may be named too; the order does not matter.

    >>> import consilience as cs
    >>> cs.OneOf("dog", "cat")
    'cat|dog'
    >>> table = cs.read([{"text": "it purrs and barks"}], labels=["cat", "dog", "car"])
    >>> cs.apply({"alive": cs.keywords(cs.OneOf("cat", "dog"), ["purrs"])}, table).names_of("alive")
    ['cat|dog']
    """
    return _spelled(labels, negative=False)


def labels_in(votes: Iterable[str]) -> list[str]:
    """The labels that votes speak of, where nobody says what the labels are; any other string is a label.

    >>> labels_in(["ham", Not("spam"), "a|b"])
    ['ham', 'spam', 'a|b']
    """
    return list(dict.fromkeys(name for vote in votes for name in (vote.parts if isinstance(vote, Said) else (vote,))))


def _spelled(labels: tuple[str, ...], negative: bool) -> Said:
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise LabelError(f"{labels!r} cannot be labels.\nFix: name one or more labels, as in Not('spam').")
    parts = tuple(sorted(set(labels)))
    said = Said(("not " if negative else "") + "|".join(parts))
    said.parts, said.negative = parts, negative
    return said


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
        if not isinstance(group, str) or not group.strip() or group in self._codes:
            raise LabelError(f"{group!r} cannot be a group of labels.\nFix: give it a name no label has.")
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise LabelError(f"The group {group!r} has the labels {names!r}.\nFix: give a list of labels.")
        return self._some({self.index(name) for name in names}, group)

    def _some(self, codes: set[int], group: str) -> tuple[str, ...]:
        """The names of codes, in order. Raises LabelError if they are none or all."""
        if not 0 < len(codes) < len(self._names):
            raise LabelError(
                f"The group {group!r} has {len(codes)} of {len(self._names)} labels, so a vote for it says nothing.\n"
                "Fix: give a group some of the labels, not none and not all."
            )
        return tuple(self._names[code] for code in sorted(codes))

    @classmethod
    def tree(cls, nodes: Mapping[str, Any] | Sequence[Any]) -> Labels:
        """Labels that are the leaves of a tree, whose inner nodes are groups.

        nodes: what is below the root: a mapping from inner node to what is below it, or a list of leaves (and of
            mappings, where a node has both).
        raises: LabelError for a name used twice, and a node with less than two children.

        >>> labels = Labels.tree({"animal": ["cat", "dog"], "vehicle": ["bike", {"car": ["van", "taxi"]}]})
        >>> list(labels)
        ['cat', 'dog', 'bike', 'van', 'taxi']
        >>> labels.groups["vehicle"], labels.groups["car"]
        (('bike', 'van', 'taxi'), ('van', 'taxi'))
        """
        groups: dict[str, list[str]] = {}
        return cls(*_leaves("the root", nodes, groups), groups=groups)

    @cached_property
    def meanings(self) -> npt.NDArray[np.bool_]:
        """Which labels each vote allows: labels first (the identity), then groups. returns: (votes, k) bool."""
        k = len(self._names)
        allowed = np.zeros((len(self.votes), k), bool)
        allowed[np.arange(k), np.arange(k)] = True
        for code, members in enumerate(self.groups.values(), start=k):
            allowed[code, [self._codes[name] for name in members]] = True
        return allowed

    @property
    def plain(self) -> Labels:
        """The labels without groups: what gold, training sets and reports speak of."""
        return Labels(*self._names) if self.groups else self

    # votes for sets of labels

    def members(self, name: Any) -> tuple[str, ...]:
        """The labels that a vote allows: a label, a group, or what is made of them ("not spam", "cat|dog").

        raises: LabelError for any other name; for none or all of the labels; and for what `Not` or `OneOf` made, if
            what it is called reads as something else, as "not spam" does where that is a label.

        >>> Labels("cat", "dog", "car").members("not car")
        ('cat', 'dog')
        """
        read = self._read(name) if isinstance(name, str) else None
        if isinstance(name, Said):
            meant = self._combined(name.parts, name.negative)
            if read != meant:  # it must read the same when it comes back from a file
                other = "no vote" if read is None else f"a vote for {self._names_of(read)}"
                raise LabelError(
                    f"{str(name)!r} is meant for {self._names_of(meant)}, but reads as {other}.\n"
                    "Fix: name the set that is meant, as in Labels(..., groups={'name': [...]}), and say that name."
                )
            read = meant
        if read is None:
            raise LabelError(f"{name!r} is not a label.\nFix: {nearest(name, self.votes)}")
        return (name,) if name in self._codes else self._some(read, name)

    def _read(self, text: str) -> set[int] | None:
        """Codes of the labels that a text allows, None if it does not speak of labels."""
        if text in self._vote_codes:
            return self._combined((text,), negative=False)
        negative = text.startswith("not ")
        rest = text.removeprefix("not ") if negative else text
        parts = (rest,) if rest in self._vote_codes else tuple(part.strip() for part in rest.split("|"))
        return self._combined(parts, negative) if all(part in self._vote_codes for part in parts) else None

    def _combined(self, parts: Iterable[str], negative: bool) -> set[int]:
        """Codes of the labels in any of the votes, or in none of them. Raises LabelError for an unknown name."""
        allowed = self.meanings[[self._exact(part) for part in parts]].any(axis=0)
        return set(np.flatnonzero(allowed != negative).tolist())

    def _names_of(self, codes: set[int]) -> list[str]:
        return [self._names[code] for code in sorted(codes)]

    def speaks_of(self, name: str) -> bool:
        """Whether a name is a vote: a label, a group, or made of them."""
        try:
            return bool(self.members(name))
        except LabelError:
            return False

    def with_votes(self, names: Iterable[str]) -> Labels:
        """These labels, with a group for each name that says a set of them which has no name yet.

        raises: LabelError for a name that is neither a label, nor a group, nor made of them.

        >>> Labels("cat", "dog", "car").with_votes([Not("car"), OneOf("dog", "cat"), "cat"]).groups
        {'not car': ('cat', 'dog')}
        """
        groups = dict(self.groups)
        known = set(self._code_of_members)
        for name in names:
            members = self.members(name)
            if members not in known:
                groups[str(name)] = members
                known.add(members)
        return self if len(groups) == len(self.groups) else Labels(*self._names, groups=groups)

    @cached_property
    def _code_of_members(self) -> dict[tuple[str, ...], int]:
        """Code of the first vote that allows just these labels."""
        sets = [*((name,) for name in self._names), *self.groups.values()]
        return {members: code for code, members in reversed(list(enumerate(sets)))}

    def vote_index(self, name: Any) -> int:
        """Code of a vote: of its name, or of another name for the same labels. Raises LabelError naming the nearest.

        >>> Labels("ham", "spam").vote_index("not spam")
        0
        """
        code = self.find(name)
        if code is None:
            self.members(name)
            raise LabelError(
                f"{name!r} is a set of labels that no function was said to vote for.\n"
                "Fix: say that it may, as in @labeling_function('cat', OneOf('cat', 'dog')), or name it as a group."
            )
        return code

    def find(self, name: Any) -> int | None:
        """Code of the vote that a name, or a Python set of names, stands for; None if there is none.

        >>> Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]}).find({"dog", "cat"})
        3
        """
        if isinstance(name, str):
            if name in self._vote_codes:
                return self._vote_codes[name]
            codes = self._read(name)
        else:
            is_set = isinstance(name, (set, frozenset)) and name <= self._vote_codes.keys()
            codes = self._combined(name, negative=False) if is_set else None
        return None if codes is None else self._code_of_members.get(tuple(self._names_of(codes)))

    def _exact(self, name: Any) -> int:
        """Code of a label or group by its own name."""
        try:
            return self._vote_codes[name]
        except (KeyError, TypeError):
            raise LabelError(f"{name!r} is not a label.\nFix: {nearest(name, self.votes)}") from None

    def group_probability(self, proba: npt.ArrayLike) -> pl.DataFrame:
        """Probability of each label and each group: of each node, where the groups are a tree.

        proba: (n, k), as label models give it. returns: n rows, a column for each label, then for each group.
        raises: LabelError for another shape.

        >>> labels = Labels.tree({"animal": ["cat", "dog"], "vehicle": ["car", "bike"]})
        >>> labels.group_probability([[0.4, 0.3, 0.2, 0.1]])["animal"].round(3).to_list()
        [0.7]
        """
        return pl.DataFrame(dict(zip(self.votes, self._mass(proba).T, strict=True)))

    def predict_nodes(self, proba: npt.ArrayLike, *, threshold: float = 0.5) -> list[str | None]:
        """The most specific label or group whose probability is above a threshold: the deepest such node of a tree.

        Of groups with equally many labels it is the most probable; None where there is none.
        raises: LabelError for another shape, or a threshold not in [0, 1).

        >>> labels = Labels.tree({"animal": ["cat", "dog"], "vehicle": ["car", "bike"]})
        >>> labels.predict_nodes([[0.4, 0.3, 0.2, 0.1], [0.9, 0.1, 0, 0], [0.3, 0.2, 0.3, 0.2]])
        ['animal', 'cat', None]
        """
        if not 0 <= threshold < 1:
            raise LabelError(f"The threshold {threshold} is no probability.\nFix: give a number from 0 to below 1.")
        mass, sizes = self._mass(proba), self.meanings.sum(axis=1)
        chosen = np.full(len(mass), ABSTAIN)
        for size in np.unique(sizes)[::-1]:  # the smallest come last, and stay
            codes = np.flatnonzero(sizes == size)
            best = mass[:, codes].argmax(axis=1)
            above = mass[np.arange(len(mass)), codes[best]] > threshold + ROUNDING
            chosen[above] = codes[best[above]]
        return self.decode(chosen.tolist())

    def _mass(self, proba: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability of each vote's labels. proba: (n, k). returns: (n, votes)."""
        array = np.asarray(proba, np.float64)
        if array.ndim != 2 or array.shape[1] != len(self):
            raise LabelError(
                f"Probabilities of shape {array.shape} are not of {len(self)} labels.\nFix: give rows x labels."
            )
        return np.asarray(array @ self.meanings.T)

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
        """Codes of a column of names of votes, ABSTAIN where one is null or none. returns: (n,) int16. O(n)."""
        found = {name: self.find(name) for name in names.drop_nulls().unique()}
        known = {name: code for name, code in found.items() if code is not None}
        if not known:
            return np.full(len(names), ABSTAIN, np.int16)
        codes = names.replace_strict(known, default=ABSTAIN, return_dtype=pl.Int16)
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
        return isinstance(other, Labels) and self.votes == other.votes and self.groups == other.groups

    def __hash__(self) -> int:
        return hash(self.votes)

    def __repr__(self) -> str:
        groups = [f"groups={self.groups}"] if self.groups else []
        return f"Labels({', '.join([*map(repr, self._names), *groups])})"


def _leaves(node: str, below: Any, groups: dict[str, list[str]]) -> list[str]:
    """The leaves below a node of a label tree, in order; the groups found on the way are added, outer ones first."""
    pieces = [below] if isinstance(below, Mapping) else below
    if not isinstance(pieces, (list, tuple)):
        raise LabelError(f"Below {node!r} there is {below!r}.\nFix: give a list of labels, or a dict of nodes.")
    children = [
        child for piece in pieces for child in (piece.items() if isinstance(piece, Mapping) else [(piece, None)])
    ]
    if len(children) < 2:
        only = f"only {children[0][0]!r}" if children else "nothing"
        raise LabelError(
            f"Below {node!r} there is {only}.\nFix: give each node two or more labels or nodes, or drop it."
        )
    leaves: list[str] = []
    for name, deeper in children:
        inner = [name]
        if deeper is not None:
            if name in groups:
                raise LabelError(f"The node {name!r} is given twice.\nFix: give each node its own name.")
            groups[name] = inner
            inner[:] = _leaves(name, deeper, groups)
        leaves += inner
    return leaves
