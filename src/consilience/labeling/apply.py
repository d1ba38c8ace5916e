"""Apply labeling functions to rows: each makes one column of votes, and a column already made is not made again.

Fast kinds get all rows at once. Python functions get them in batches, whose records they share; see `running`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np

from consilience.data.labels import Labels, labels_in
from consilience.data.table import Table
from consilience.engines.watch import Alarm, watching
from consilience.errors import FunctionError, LabelError
from consilience.labeling.casting import Column, cast_one, function_key
from consilience.labeling.function import Batch, LabelingFunction, check_names
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type
from consilience.labeling.running import BATCH_ROWS, Running, Tick
from consilience.progress import working


class Cache(Protocol):
    """Where columns are kept by key: a dict, or a project's store."""

    def __contains__(self, key: object) -> bool: ...
    def __getitem__(self, key: str) -> Column: ...
    def update(self, columns: Mapping[str, Column], /) -> None:
        """Keep some more columns, made together."""


def apply(
    functions: Sequence[LabelingFunction] | Mapping[str, LabelingFunction],
    table: Table,
    *,
    labels: Labels | Sequence[str] | None = None,
    cache: Cache | None = None,
    workers: int | None = None,
    deadline_s: float = 60.0,
    batch_size: int = BATCH_ROWS,
) -> LabelMatrix:
    """Votes of each function on each row.

    functions: a list, or a dict by name. A function without a name takes that of the caller's variable that holds it.
    labels: default those of the table, else those the functions may give and the gold names.
    cache: columns made before, by key; default: kept with the table, so that only what changed is computed again.
    workers: processes for Python functions; 0: this one. Default: this one, or all cores where that is seen to pay; the
        votes are the same. In workers, a row that ends its process is named and abstained on too.
    deadline_s: a Python function that spends longer on one row is stopped there (within twice the time); after 3 such
        rows it is given up. batch_size: rows that Python functions get at once.
    returns: the LabelMatrix. A row on which a function raised or was stopped counts in its `failure` and is abstained
        on.
    raises: FunctionError for a function without a name or a name used twice; LabelError for a label not in labels.

    O(rows x functions); about 0.01 µs a row for keywords, patterns and expressions, 0.3 µs for a small Python one.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "free entry"}, {"text": "ok"}])
    >>> matrix = cs.apply({"free": cs.keywords("spam", ["free"])}, table, labels=["ham", "spam"])
    >>> matrix.votes.tolist()
    [[1], [-1]]
    """
    named = named_functions(functions, sys._getframe(1).f_locals)
    check_names(named)
    base = base_labels(named, table, labels)
    with Running(named, base, workers=workers, deadline_s=deadline_s, batch_rows=batch_size) as running:
        return apply_running(running, table, table.column_cache if cache is None else cache)


def apply_running(running: Running, table: Table, cache: Cache, tick: Tick | None = None) -> LabelMatrix:
    """Votes on one table of the functions of a run that may go on to other tables.

    tick: told how many votes were cast, whenever some were; without it, progress is reported for this table.
    """
    functions, space = running.functions, running.space
    columns, from_store = columns_of(running, table, cache, tick)
    votes = np.empty((len(table), len(functions)), vote_type(len(space.votes)), order="F")
    for place, column in enumerate(columns):
        votes[:, place] = column.coded(space)
    infos = [info_of(*known) for known in zip(functions, columns, from_store, strict=True)]
    return LabelMatrix(votes, space, table.ids, infos, table.gold_codes(space), table)


def columns_of(
    running: Running, table: Table, cache: Cache, tick: Tick | None = None
) -> tuple[list[Column], list[bool]]:
    """The column of each function, and whether it came from the cache; those that did not are kept there.

    A function that was given up is not kept: next time it is tried again.
    """
    keys = [f"{key}-{table.fingerprint}" for key in running.keys]
    ready = {key: cache[key] for key in keys if key in cache}
    kept = [key in ready for key in keys]
    fresh = {key: function for key, function in zip(keys, running.functions, strict=True) if key not in ready}
    with ExitStack() as stack:
        if tick is None:
            tick = stack.enter_context(working(f"applying {len(fresh)} functions", len(table) * len(fresh)))
        for made in _compute(fresh, table, running, tick):
            ready |= made
            cache.update({key: column for key, column in made.items() if not column.given_up})
    return [ready[key] for key in keys], kept


def column_key(function: LabelingFunction | FunctionInfo, table: Table, labels: Labels) -> str:
    """What a column depends on: the function, what its labels mean, and the rows."""
    return f"{function_key(function, labels)}-{table.fingerprint}"


def _compute(
    functions: dict[str, LabelingFunction], table: Table, running: Running, tick: Tick
) -> Iterator[dict[str, Column]]:
    """Columns of the given functions, by key: first those of the fast kinds, then the others."""
    fast = {key: function for key, function in functions.items() if function.all_at_once}
    slow = {key: function for key, function in functions.items() if not function.all_at_once}
    if fast:
        yield dict(zip(fast, _cast_whole(list(fast.values()), table, running, tick), strict=True))
    if slow:
        yield dict(zip(slow, running.columns(table, list(slow.values()), tick), strict=True))


def _cast_whole(functions: list[LabelingFunction], table: Table, running: Running, tick: Tick) -> Iterator[Column]:
    whole = Batch(table, functions=functions)
    for function in functions:
        with watching(Alarm(running.deadline_s)):  # a model, or a callable of the user's in it, may hang too
            column = cast_one(function, whole, running.labels)
        yield column
        tick(len(table))


def info_of(function: LabelingFunction, column: Column, from_store: bool) -> FunctionInfo:
    """What is known of a function once it has been applied."""
    return FunctionInfo(
        name=function.name or "",
        kind=function.kind,
        labels=function.labels,
        description=function.description,
        fingerprint=function.fingerprint,
        failure=column.failure,
        seconds=column.seconds,
        from_store=from_store,
    )


def named_functions(functions: Any, variables: Mapping[str, Any]) -> list[LabelingFunction]:
    """The functions, each with a name if one can be found: its own, its key, or the variable that holds it."""
    pairs = functions.items() if isinstance(functions, Mapping) else [(None, function) for function in functions]
    holders = {id(value): name for name, value in variables.items() if isinstance(value, LabelingFunction)}
    named = []
    for name, function in pairs:
        if not isinstance(function, LabelingFunction):
            shown = getattr(function, "__name__", repr(function))
            raise FunctionError(
                f"{shown} is not a labeling function.\nFix: decorate it with @labeling_function('label')."
            )
        if name is None and function.name is None:
            function.name = holders.get(id(function))  # for good: reports and slices call it so from now on
        named.append(function.named(name) if name else function)
    return named


def base_labels(
    functions: Sequence[LabelingFunction], table: Table | None, labels: Labels | Sequence[str] | None
) -> Labels:
    """The labels as they were given, or as found in what functions may give and in gold."""
    if labels is not None:
        return Labels.of(labels)
    if table is not None and table.labels is not None:
        return table.labels
    given = [label for function in functions for label in function.labels or ()]
    found = dict.fromkeys([*labels_in(given), *(table.gold_names() if table is not None else ())])
    if not found:
        raise LabelError("Nothing says what the labels are.\nFix: apply(..., labels=['ham', 'spam']).")
    return Labels(*found)
