"""Distant supervision: labeling functions that look rows up in a table of known facts. One join for all rows.

A row that names two people known to be married is probably about a marriage; a product in the list of recalls was
recalled. Facts come from any table; their keys and the rows' are made comparable (spaces, case, order) in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels, OneOf
from consilience.data.read import load
from consilience.data.table import Reject, whole
from consilience.errors import DataError, FunctionError, nearest
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import Batch, LabelingFunction, Votes, fingerprint_of

Several = Literal["abstain", "set"]
SAYS = "\0label"  # the column of labels, under a name no column of keys has


class Lookup(LabelingFunction):
    """Made by `lookup`."""

    kind = "lookup"

    def __init__(
        self,
        label: str | None,
        facts: Any,
        *,
        on: str | Sequence[str] | Mapping[str, str],
        label_column: str | None,
        several: Several,
        symmetric: bool,
        ignore_case: bool,
        strip: bool,
        normalise: Callable[[str], str | None] | None,
        name: str | None,
    ) -> None:
        self.row_columns, self.fact_columns = _columns(on)
        self.symmetric, self.ignore_case, self.strip, self.normalise = symmetric, ignore_case, strip, normalise
        self.name = name
        if symmetric and len(self.row_columns) != 2:
            raise FunctionError("Only two columns can be symmetric.\nFix: name two in on=, or drop symmetric=.")
        if several not in ("abstain", "set"):
            raise FunctionError(f"several={several!r} means nothing.\nFix: say 'abstain' or 'set'.")
        if normalise is not None and not callable(normalise):
            raise FunctionError(f"normalise={normalise!r} cannot be called.\nFix: give a function of one string.")
        raw = _facts(facts, self.fact_columns, label_column)
        if (label is None) == (raw.says is None):
            raise FunctionError(
                "A lookup says one label, or what a column of the facts says.\n"
                "Fix: give a label, or None and label_column=; not both."
            )
        if label is not None and (not isinstance(label, str) or not label):
            raise FunctionError(
                f"{label!r} cannot be a label.\nFix: give the label's name, as in lookup('spouse', ...)."
            )
        self.rejects = raw.rejects
        self._sets: list[str] = []
        self.facts = self._known(raw.keys, raw.says, label, several)
        if not len(self.facts):
            raise FunctionError(
                "There are no facts to look up.\nFix: check the table, its columns, and its empty cells."
            )
        spelled = {str(said): said for said in (*raw.spelled, *self._sets)}  # Not and OneOf know what they are made of
        said = self.facts[SAYS].unique().sort().to_list()
        self.labels = (label,) if label is not None else tuple(spelled.get(name, name) for name in said)
        self.description = f"{len(self.facts)} facts by {', '.join(self.row_columns)}"

    @cached_property
    def _content(self) -> str:
        """Hash of the facts, whatever their order."""
        digest = hashlib.sha256()
        for column in self.facts.sort(self.facts.columns):
            digest.update(repr(column.to_list()).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @property
    def fingerprint(self) -> str:
        """Hash of the facts, of the rows' columns, and of how they are compared."""
        own = None if self.normalise is None else code_fingerprint(self.normalise)
        how = (self.row_columns, self.symmetric, self.ignore_case, self.strip, own)
        return fingerprint_of(self.kind, self.labels, self._content, how)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Look every row up; a row without a key, or with one that is not known, is abstained on. O(rows + facts)."""
        rows = self._keys([batch.text(column) for column in self.row_columns])
        found = rows.join(self.facts, on=rows.columns, how="left", maintain_order="left")[SAYS]
        codes = {name: labels.vote_index(name) for name in found.drop_nulls().unique().to_list()}
        if not codes:
            return Votes(np.full(len(batch), ABSTAIN, np.int16))
        said = found.replace_strict(codes, default=ABSTAIN, return_dtype=pl.Int16).fill_null(ABSTAIN)
        return Votes(said.to_numpy().astype(np.int16))

    def _keys(self, columns: Sequence[pl.Series]) -> pl.DataFrame:
        """Columns as they are compared: k0, k1, ... Of symmetric ones, the smaller first."""
        keys = pl.DataFrame({f"k{place}": self._comparable(column) for place, column in enumerate(columns)})
        if not self.symmetric:
            return keys
        first, second = pl.col("k0"), pl.col("k1")
        return keys.select(
            k0=pl.when(first <= second).then(first).otherwise(second),
            k1=pl.when(first <= second).then(second).otherwise(first),
        )

    def _comparable(self, column: pl.Series) -> pl.Series:
        text = whole(column).cast(pl.String)
        if self.strip:
            text = text.str.strip_chars().str.replace_all(r"\s+", " ")
        if self.ignore_case:
            text = text.str.to_lowercase()
        if self.normalise is not None:
            changed = [self._changed(value) for value in text.unique(maintain_order=True).drop_nulls().to_list()]
            old = text.unique(maintain_order=True).drop_nulls()
            text = text.replace_strict(old, pl.Series(changed, dtype=pl.String), default=None) if len(old) else text
        return text.set(text == "", None)

    def _changed(self, value: str) -> str | None:
        assert self.normalise is not None
        made = self.normalise(value)
        if made is not None and not isinstance(made, str):
            raise FunctionError(
                f"normalise made {made!r} of {value!r}.\nFix: return a string, or None to look nothing up."
            )
        return made

    def _known(
        self, keys: Sequence[pl.Series], says: pl.Series | None, label: str | None, several: Several
    ) -> pl.DataFrame:
        """The facts with comparable keys, each key once, and what it says."""
        frame = self._keys(keys)
        said = pl.Series(SAYS, [label], pl.String).new_from_index(0, len(frame)) if says is None else _text(says)
        frame = frame.with_columns(said.alias(SAYS)).drop_nulls().unique()
        grouped = frame.group_by(pl.exclude(SAYS)).agg(pl.col(SAYS).unique().sort())
        one = grouped.filter(pl.col(SAYS).list.len() == 1).with_columns(pl.col(SAYS).list.first())
        if several == "abstain":
            return one
        more = grouped.filter(pl.col(SAYS).list.len() > 1)
        self._sets = [OneOf(*names) for names in more[SAYS].to_list()]
        return pl.concat([one, more.with_columns(pl.Series(SAYS, self._sets, pl.String))])


def lookup(
    label: str | None,
    facts: Any,
    *,
    on: str | Sequence[str] | Mapping[str, str],
    label_column: str | None = None,
    several: Several = "abstain",
    symmetric: bool = False,
    ignore_case: bool = False,
    strip: bool = True,
    normalise: Callable[[str], str | None] | None = None,
    name: str | None = None,
) -> Lookup:
    """Labeling function that says what is known of a row: a join with a table of facts.

    label: what it says of a row that is found; or None, where a column of the facts says it.
    facts: the path of a CSV, TSV, JSONL or Parquet file, any table or list of dicts that `read` takes, a list of keys
        (strings, or tuples of them), or a dict from key to label.
    on: the columns that must agree, called the same in rows and facts; or a dict from the rows' to the facts'.
    label_column: the column of the facts that says the label, with label=None; an empty cell is no fact.
    several: what is said of a key that the facts give several labels: nothing ("abstain"), or that it is one of them
        ("set").
    symmetric: two columns in any order: (ann, bob) is found as (bob, ann).
    ignore_case, strip: compare without case; without white space around, runs of it inside as one space.
    normalise: a function of one string, called after those on each different value, that gives what is compared; None
        looks nothing up.
    returns: a labeling function; its `.rejects` has the lines of a file that could not be read.
    raises: FunctionError for columns there are not, and facts that are none.

    Numbers are compared as text: 7, "7" and 7.0 are the same. An empty cell is never found. The facts count by their
    content, whatever their order. About 0.4 µs a row; twice that without case and in any order.

    >>> import consilience as cs
    >>> couples = [("Ann", "Bob"), ("Eve", "Dan")]
    >>> known = lookup("spouse", couples, on=["first", "second"], symmetric=True)
    >>> table = cs.read([{"first": "Bob", "second": "Ann"}, {"first": "Bob", "second": "Eve"}])
    >>> cs.apply([known], table).names_of("known")
    ['spouse', None]
    """
    return Lookup(
        label,
        facts,
        on=on,
        label_column=label_column,
        several=several,
        symmetric=symmetric,
        ignore_case=ignore_case,
        strip=strip,
        normalise=normalise,
        name=name,
    )


class _Facts:
    """Columns of keys, and of labels if the facts say them. spelled: what a dict says, as it was given."""

    def __init__(
        self,
        keys: list[pl.Series],
        says: pl.Series | None,
        spelled: Iterable[Any] = (),
        rejects: Sequence[Reject] = (),
    ) -> None:
        self.keys, self.says, self.spelled, self.rejects = keys, says, tuple(spelled), tuple(rejects)


def _columns(on: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the rows, and of the facts."""
    pairs = dict(on) if isinstance(on, Mapping) else {name: name for name in ([on] if isinstance(on, str) else on)}
    if not pairs or not all(isinstance(name, str) and name for name in (*pairs, *pairs.values())):
        raise FunctionError(
            f"on={on!r} names no columns.\nFix: name those that must agree, as in on=['person1', 'person2']."
        )
    return tuple(pairs), tuple(pairs.values())


def _facts(source: Any, columns: tuple[str, ...], label_column: str | None) -> _Facts:
    """The facts as columns, from any form they may have."""
    if isinstance(source, Mapping):
        if label_column is not None:
            raise FunctionError("A dict of facts says its labels itself.\nFix: drop label_column=.")
        said = list(source.values())
        return _Facts(_key_columns(list(source), columns), pl.Series(said, dtype=pl.String, strict=False), said)
    if not isinstance(source, (str, Path)) and _is_keys(source):
        return _Facts(_key_columns(list(source), columns), None)
    if isinstance(source, (list, tuple)) and not len(source):
        raise FunctionError("There are no facts to look up.\nFix: give one or more.")
    wanted = {*columns, label_column}
    try:
        raw = load(source, None, None, '"', None, wanted)
    except DataError as error:
        raise FunctionError(str(error)) from None
    frame = raw.frame
    for name in wanted - {None}:
        if name not in frame.columns:
            raise FunctionError(f"The facts have no column {name!r}.\nFix: {nearest(str(name), frame.columns)}")
    return _Facts(
        [frame[name] for name in columns], None if label_column is None else frame[label_column], (), raw.rejects
    )


def _is_keys(source: Any) -> bool:
    """Whether it is a collection of strings, or of tuples of them."""
    return isinstance(source, (list, tuple, set, frozenset)) and all(
        isinstance(key, (str, int, tuple)) for key in source
    )


def _key_columns(keys: Iterable[Any], columns: tuple[str, ...]) -> list[pl.Series]:
    parts = [key if isinstance(key, tuple) else (key,) for key in keys]
    wrong = next((part for part in parts if len(part) != len(columns)), None)
    if wrong is not None:
        raise FunctionError(
            f"The fact {wrong!r} has {len(wrong)} parts, where on= names {len(columns)} columns.\n"
            "Fix: give each fact one value a column."
        )
    return [
        pl.Series([None if part[place] is None else str(part[place]) for part in parts], dtype=pl.String)
        for place in range(len(columns))
    ]


def _text(says: pl.Series) -> pl.Series:
    text = whole(says).cast(pl.String).str.strip_chars()
    return text.set(text == "", None)
