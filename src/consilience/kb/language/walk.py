"""Walks over trees: the parts of a node, all nodes under it, and a copy with something changed.

For the checks, for fingerprints, and for whoever asks a rule which relations it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

from consilience.kb.language.tree import NOWHERE, Atom, Body, Name, Place

Node = TypeVar("Node")


@cache
def _parts(kind: type) -> tuple[str, ...]:
    """Fields of a kind of node in which other nodes can stand."""
    return tuple(f.name for f in fields(kind) if f.name not in ("place", "source"))


def walk(node: object) -> Iterator[Any]:
    """The node and all nodes under it, in the order of the text; tuples are passed through.

    >>> from consilience.kb.language import parse
    >>> [n.name for n in walk(parse("P(x) :- R(x, y), y > z.")) if isinstance(n, Name)]
    ['x', 'x', 'y', 'y', 'z']
    """
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(reversed(node))
        elif is_dataclass(node) and not isinstance(node, (type, Place)):
            yield node
            waiting.extend(getattr(node, part) for part in reversed(_parts(type(node))))


def names(node: object) -> list[Name]:
    """Every place where a variable of a rule stands."""
    return [n for n in walk(node) if isinstance(n, Name)]


def atoms(bodies: tuple[Body, ...] | Body) -> list[Atom]:
    """Every relation that bodies read, those in EXISTS, OPTIONAL and ALL too."""
    return [n for n in walk(bodies) if isinstance(n, Atom)]


def place_of(node: object) -> Place:
    """Where the first node that stands somewhere stands."""
    return next((n.place for n in walk(node) if getattr(n, "place", NOWHERE) != NOWHERE), NOWHERE)


def changed(node: Node, change: Callable[[Name], Any]) -> Node:
    """A copy of a node in which each variable has become what `change` makes of it."""
    if isinstance(node, Name):
        return change(node)
    if isinstance(node, tuple):
        return tuple(changed(part, change) for part in node)  # type: ignore[return-value]
    if not is_dataclass(node):
        return node
    kind: type = type(node)
    parts = {part: changed(getattr(node, part), change) for part in _parts(kind)}
    return replace(node, **parts)  # type: ignore[type-var]
