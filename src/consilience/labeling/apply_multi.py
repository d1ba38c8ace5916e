"""Apply labeling functions where a row may have several labels: each function is about one label, each label a matrix.

A function says its label, or `Not` of it; that makes the votes on that label a matter of yes and no.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence

import polars as pl

from consilience.data.labels import Labels, Not, Said
from consilience.data.table import Table
from consilience.errors import FunctionError, LabelError, nearest
from consilience.labeling.apply import Cache, apply, named_functions
from consilience.labeling.function import LabelingFunction, check_names
from consilience.labeling.matrix import LabelMatrix


def apply_multi(
    functions: Sequence[LabelingFunction] | Mapping[str, LabelingFunction],
    table: Table,
    *,
    labels: Sequence[str] | None = None,
    cache: Cache | None = None,
) -> dict[str, LabelMatrix]:
    """Votes on each label apart, for rows that may have several.

    functions: each about one label: it may say that label, or Not of it.
    table: a gold column, if there is one, has the labels of a row with | between them.
    labels: default those the functions are about, in their order.
    returns: by label, a matrix with the labels ("not comedy", "comedy").
    raises: FunctionError for a function about no label or several; LabelError for a label without functions.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "a funny love story"}, {"text": "war"}])
    >>> functions = {"love": cs.keywords("romance", ["love"]), "war": cs.keywords(cs.Not("romance"), ["war"])}
    >>> votes = cs.apply_multi(functions | {"fun": cs.keywords("comedy", ["funny"])}, table)
    >>> list(votes), votes["romance"].names_of("war"), votes["comedy"].names
    (['romance', 'comedy'], [None, 'not romance'], ['fun'])
    """
    named = named_functions(functions, sys._getframe(1).f_locals)
    check_names(named)
    about: dict[str, list[LabelingFunction]] = {label: [] for label in (() if labels is None else Labels.of(labels))}
    for function in named:
        label = _label_of(function, about)
        if labels is not None and label not in about:
            raise LabelError(f"Function {function.name!r} is about {label!r}, no label.\nFix: {nearest(label, about)}")
        about.setdefault(label, []).append(function)
    bare = [label for label, group in about.items() if not group]
    if bare or not about:
        raise LabelError(f"No function is about {bare[0] if bare else 'anything'!r}.\nFix: write one, or leave it out.")
    store = table.column_cache if cache is None else cache
    return {label: apply(group, _asked(table, label, list(about)), cache=store) for label, group in about.items()}


def _label_of(function: LabelingFunction, known: Container[str]) -> str:
    """The one label that a function says, or says Not of."""
    about = {name if name in known else _about(name) for name in function.labels or ()}
    if len(about) != 1 or None in about:
        said = list(map(str, function.labels)) if function.labels else "any label"
        raise FunctionError(
            f"Function {function.name!r} may say {said}, where a row may have several labels.\n"
            "Fix: write one function a label, that says the label or Not of it, as @labeling_function('x', Not('x'))."
        )
    return str(about.pop())


def _about(name: str) -> str | None:
    if isinstance(name, Said):
        return name.parts[0] if len(name.parts) == 1 else None
    return name.removeprefix("not ")


def _asked(table: Table, label: str, labels: list[str]) -> Table:
    """The table as rows that have a label or not; its gold says which."""
    frame, space = table.frame, Labels(str(Not(label)), label)
    if table.gold_column is not None:
        has = pl.col(table.gold_column).str.split("|").list.eval(pl.element().str.strip_chars())
        for found in frame.select(has.explode().drop_nulls().unique(maintain_order=True)).to_series():
            if found not in labels:
                raise LabelError(f"Gold has {found!r}, which is not a label.\nFix: {nearest(found, labels)}")
        said = pl.when(has.list.contains(label)).then(pl.lit(label)).otherwise(pl.lit(space[0]))
        frame = frame.with_columns(pl.when(has.is_null()).then(None).otherwise(said).alias(table.gold_column))
    return Table(
        frame, id=table.id_column, text=table.text_column, gold=table.gold_column, labels=space, unit=table.unit
    )
