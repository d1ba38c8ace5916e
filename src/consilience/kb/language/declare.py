"""Relations and functions of a program made in Python: what is declared, and then called in rules.

Under `build.py`, which has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal as OneOf

from consilience.errors import ProgramError, nearest
from consilience.kb.language import tree as t
from consilience.kb.language.terms import Row, Value, checked_name, expression, normal_type

_TYPES: dict[type, str] = {int: "bigint", float: "double", str: "text", bool: "boolean"}


@dataclass(frozen=True, eq=False)
class RelationOf:
    """A relation to be called: `person(p, ...)`; `person << f(x)` is filled by a function. Made by `relation`."""

    name: str
    tree: t.Relation | None  # None if it is derived and not declared

    def __call__(self, *arguments: Value) -> Row:
        """The relation with something in each of its columns; `...` for what does not matter."""
        columns = self.tree.columns if self.tree is not None else arguments
        if len(arguments) != len(columns):
            raise ProgramError(
                f"Relation '{self.name}' has {len(columns)} columns, and here {len(arguments)}.\n"
                "Fix: give each column something, `...` for one that does not matter."
            )
        return Row(t.Atom(self.name, tuple(map(expression, arguments))))

    def __lshift__(self, made: Made) -> Filled:
        return Filled(self.name, made)


@dataclass(frozen=True, eq=False)
class FunctionOf:
    """A function to be called on the right of `relation << f(x)`. Made by `function`."""

    tree: t.Function

    def __call__(self, *arguments: Value) -> Made:
        """The rows that the function makes of values, for the right of `relation << ...`."""
        return Made(self.tree.name, tuple(map(expression, arguments)))


@dataclass(frozen=True, eq=False)
class Made:
    """Rows that a function makes of values."""

    function: str
    arguments: tuple[t.Expression, ...]


@dataclass(frozen=True, eq=False)
class Filled:
    """A relation filled by a function: the head of a rule."""

    relation: str
    made: Made


def relation(
    name: str,
    /,
    *columns: t.Column,
    random: bool = False,
    key: str | Iterable[str] = (),
    annotations: Iterable[t.Annotation] = (),
    **types: str | type,
) -> RelationOf:
    """A relation with its columns and their types; with none, one that is derived and needs no declaration.

    random: whether it holds random variables (`?`).
    key: columns that name a variable; the others are what it chooses among. By default all: variables are Boolean.
    columns: those made by `column`, for annotations and for names that Python keeps for itself.
    types: as the database calls them, or int, float, str, bool.

    >>> tag = relation("tag", word="bigint", tag=str, random=True, key="word")
    >>> tag.tree.categories
    ('tag',)
    """
    keys = (key,) if isinstance(key, str) else tuple(key)
    made = (*columns, *(column(c, type_) for c, type_ in types.items()))
    unknown = [k for k in keys if k not in {c.name for c in made}]
    if unknown:
        raise ProgramError(
            f"Relation '{name}' has no column '{unknown[0]}' for a key.\n"
            f"Fix: {nearest(unknown[0], [c.name for c in made])}"
        )
    if not made:
        return RelationOf(checked_name(name), None)
    marked = tuple(
        t.Column(c.name, c.type, (t.Annotation("key"), *c.annotations)) if c.name in keys else c for c in made
    )
    return RelationOf(name, t.Relation(checked_name(name), marked, random, tuple(annotations)))


def column(name: str, type: str | type, *annotations: t.Annotation) -> t.Column:
    """A column, where a name and a type are not enough.

    >>> column("doc", "text", annotation("references", relation="documents")).annotations[0].name
    'references'
    """
    if isinstance(type, str):
        type_ = type
    elif type in _TYPES:
        type_ = _TYPES[type]
    else:
        raise ProgramError(f"There is no type {type!r}.\nFix: use int, float, str, bool, or a name such as 'int[]'.")
    return t.Column(checked_name(name), normal_type(type_), tuple(annotations))


def annotation(name: str, /, *values: Value, **named: Value) -> t.Annotation:
    """`@name(values)` on a relation, column or rule."""
    given = [("", expression(value)) for value in values]
    return t.Annotation(checked_name(name), (*given, *((n, expression(value)) for n, value in named.items())))


def function(
    name: str,
    /,
    *,
    over: Mapping[str, str | type] | RelationOf,
    returns: Mapping[str, str | type] | RelationOf,
    implementation: str,
    handles: OneOf["tsj", "tsv"] | None = None,
    annotations: Iterable[t.Annotation] = (),
) -> FunctionOf:
    """A function that makes rows of rows; to be called as `relation << name(x, y)`.

    over, returns: columns and types, or the relation whose rows they are like.
    implementation: `module:function`, or a command, of which `handles` says which lines it reads and writes.

    >>> words = relation("words", word="text")
    >>> split = function("split", over={"text": "text"}, returns=words, implementation="my_functions:split")
    >>> split.tree.style
    'python'
    """
    if handles not in (None, "tsj", "tsv"):
        raise ProgramError(f"Functions handle tsj or tsv lines, not {handles!r}.\nFix: write handles='tsj'.")
    return FunctionOf(
        t.Function(
            checked_name(name), _rows(over), _rows(returns), implementation, handles or "python", tuple(annotations)
        )
    )


def _rows(rows: Mapping[str, str | type] | RelationOf) -> tuple[t.Column, ...] | str:
    if isinstance(rows, RelationOf):
        return rows.name
    return tuple(column(name, type_) for name, type_ in rows.items())
