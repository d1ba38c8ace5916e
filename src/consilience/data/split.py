"""Cut a table into parts that never share a row or a group. Follows reading; comes before labeling or scoring.

A row's part depends on its id (or group) and the seed alone, not on the order of rows, so most rows stay where they
are when others are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator

import numpy as np
import polars as pl

from consilience.data.table import Table
from consilience.errors import DataError, nearest

_USUAL = {"train": 0, "dev": 1, "valid": 1, "validation": 1, "test": 2}


class Split:
    """Named parts of a table: unpack them, or take one by name.

    >>> rows = Table(pl.DataFrame({"id": range(10)}), text=None)
    >>> parts = split(rows, dev=2, test=3)
    >>> {name: len(part) for name, part in parts.items()}
    {'train': 5, 'dev': 2, 'test': 3}
    >>> train, dev, test = parts
    """

    def __init__(self, parts: dict[str, Table]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[Table]:
        return iter(self._parts.values())

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, name: str) -> Table:
        if name not in self._parts:
            raise DataError(f"There is no part {name!r}.\nFix: {nearest(name, self._parts)}")
        return self._parts[name]

    def items(self) -> Iterator[tuple[str, Table]]:
        """Names and parts, in order."""
        return iter(self._parts.items())

    def __repr__(self) -> str:
        return f"Split({', '.join(f'{name}: {len(part)}' for name, part in self.items())})"


def split(
    table: Table, *, by: str | None = None, column: str | None = None, seed: int = 0, **sizes: int | float
) -> Split:
    """Cut table into `train` and the named parts.

    sizes: rows (int) or share (float below 1) of each part, as in dev=250, test=0.2; the rest is `train`.
        If the table has gold, the parts are drawn from rows that have it, for without gold they could score nothing.
    by: column of groups that must not be torn apart; sizes are then reached with whole groups.
    column: column that already names each row's part; no sizes then.
    raises: DataError for a column that is not there, too few rows, or nothing asked.

    O(n log n).
    """
    if (column is None) == (not sizes):
        raise DataError(
            "A split needs sizes or a column, not both.\nFix: split(dev=250, test=250) or split(column='part')."
        )
    for name in (by, column):
        if name is not None and name not in table.frame.columns:
            raise DataError(f"There is no column {name!r}.\nFix: {nearest(name, table.frame.columns)}")
    if column is not None:
        return _by_column(table, column)
    groups = table.frame[by].to_list() if by else table.ids.to_list()
    part = _assign(table, groups, sizes, seed)
    names = ["train", *sizes]
    return Split({name: table.take(part == place) for place, name in enumerate(names)})


def _by_column(table: Table, column: str) -> Split:
    names = table.frame[column].cast(pl.String).fill_null("")
    order = sorted(names.unique().to_list(), key=lambda name: (_USUAL.get(name.lower(), 9), name))
    if "" in order:
        raise DataError(f"Column {column!r} names no part for some rows.\nFix: fill it, or split by sizes.")
    return Split({name: table.take((names == name).to_numpy()) for name in order})


def _assign(
    table: Table, groups: list[Hashable], sizes: dict[str, int | float], seed: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Part of each row: 0 for train, then one number per size. Groups are dealt in the order of their hash."""
    if "train" in sizes:
        raise DataError("`train` is what the other parts leave.\nFix: name the sizes of the other parts only.")
    has_gold = table.has_gold() if table.n_gold else np.ones(len(table), bool)
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    drawable = {g: sum(bool(has_gold[i]) for i in places) for g, places in members.items()}
    waiting = sorted((g for g in members if drawable[g]), key=lambda g: _hash(seed, g), reverse=True)
    part = np.zeros(len(table), np.int64)
    for number, (name, size) in enumerate(sizes.items(), 1):
        wanted = _rows_wanted(name, size, int(has_gold.sum()))
        got = 0
        while got < wanted:
            if not waiting:
                kind = "rows with gold" if table.n_gold else "rows"
                raise DataError(
                    f"Part {name!r} should have {wanted} {kind}, but only {got} are left.\nFix: ask for smaller parts."
                )
            group = waiting.pop()
            part[members[group]] = number
            got += drawable[group]
    return part


def _rows_wanted(name: str, size: int | float, n: int) -> int:
    if isinstance(size, bool) or size <= 0 or (isinstance(size, float) and size >= 1):
        raise DataError(f"Part {name!r} has size {size!r}.\nFix: give a number of rows, or a share between 0 and 1.")
    return round(size * n) if isinstance(size, float) else size


def _hash(seed: int, group: Hashable) -> bytes:
    return hashlib.blake2b(f"{seed}|{group!r}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
