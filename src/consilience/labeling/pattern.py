"""Labeling functions that match a regular expression. Linear in the text whatever the pattern: no pattern can hang."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
from polars.selectors import by_name

from consilience.errors import FunctionError
from consilience.labeling.conditions import Condition
from consilience.labeling.function import Batch, fingerprint_of
from consilience.labeling.needed import Runs, needed
from consilience.labeling.sieve import sieved, worth_sieving


class Pattern(Condition):
    """Made by `pattern`."""

    kind = "pattern"

    def __init__(self, label: str, regex: str, *, name: str | None, column: str | None, ignore_case: bool) -> None:
        if not isinstance(regex, str) or not regex:
            raise FunctionError(f"{regex!r} is no regular expression.\nFix: give a non-empty string.")
        self.regex = regex
        self.column = column
        self.ignore_case = ignore_case
        self._compiled = f"(?i){regex}" if ignore_case else regex
        try:
            pl.Series([""]).str.contains(self._compiled)
        except pl.exceptions.PolarsError as error:
            raise FunctionError(_explain(regex, str(error))) from None
        super().__init__(label, name, f"matches {regex}")

    @property
    def fingerprint(self) -> str:
        """Hash of label, expression, case and column."""
        return fingerprint_of(self.kind, self.labels, self.regex, self.column, self.ignore_case)

    @cached_property
    def needs(self) -> Runs | None:
        """Runs of bytes, one of which is in each text that matches; None: none is known."""
        return needed(self._compiled)

    def is_asked_with_others(self, batch: Batch) -> bool:
        """Not if one pass for several patterns says which few rows each may match."""
        column = batch.name_of(self.column)
        together = _sieved_together(column, batch)
        if self not in together or column not in batch.columns.columns:
            return True
        key = ("worth sieving", column, batch.functions)
        return not batch.shared(key, lambda: worth_sieving(list(together.values()), batch.text(self.column)))

    def mask(self, batch: Batch) -> pl.Series:
        """Rows that match, among those that have something without which none does."""
        if self.is_asked_with_others(batch):
            return super().mask(batch)
        column, text = batch.name_of(self.column), batch.text(self.column)
        together = _sieved_together(column, batch)
        key = ("sieve", column, batch.functions)
        may = batch.shared(key, lambda: sieved(list(together.values()), text), users=len(together))
        places = np.flatnonzero(may[list(together).index(self)])
        holds = np.zeros(len(batch), bool)
        holds[places] = text.gather(places).str.contains(self._compiled).fill_null(False).to_numpy()
        return pl.Series(holds)

    def condition(self, batch: Batch) -> pl.Expr:
        """That the text matches."""
        return by_name(batch.check(self.column)).cast(pl.String, strict=False).str.contains(self._compiled)


def _sieved_together(column: str | None, batch: Batch) -> dict[Pattern, Runs]:
    """The patterns of a batch that look in a column and need something, and what."""

    def find() -> dict[Pattern, Runs]:
        there = [one for one in batch.functions if isinstance(one, Pattern) and batch.name_of(one.column) == column]
        return {one: one.needs for one in there if one.needs is not None}

    found: dict[Pattern, Runs] = batch.shared(("patterns", column, batch.functions), find)
    return found


def pattern(
    label: str, regex: str, *, name: str | None = None, column: str | None = None, ignore_case: bool = False
) -> Pattern:
    r"""Labeling function that says `label` where the text matches a regular expression somewhere.

    regex: in the syntax of Rust's regex crate: no look-around and no back-references, so that time is linear.
    raises: FunctionError saying what is wrong with the expression.

    About 0.03 µs a short text, on all cores. Several in a run over many rows are asked only of the rows that have some
    run of characters without which they cannot match, which one pass finds for all: 15 take 0.01 µs a text each.

    >>> import consilience as cs
    >>> link = cs.pattern("spam", r"https?://|www\.")
    >>> cs.apply([link], cs.read([{"text": "see www.x.org"}, {"text": "hi"}])).names_of("link")
    ['spam', None]
    >>> cs.pattern("spam", r"(?=a)b")
    Traceback (most recent call last):
    ...
    consilience.errors.FunctionError: The pattern '(?=a)b' uses look-around or a back-reference, ...
    """
    return Pattern(label, regex, name=name, column=column, ignore_case=ignore_case)


def _explain(regex: str, error: str) -> str:
    if "look-around" in error or "backreference" in error:
        return (
            f"The pattern {regex!r} uses look-around or a back-reference, which can take exponential time.\n"
            "Fix: write it without, or as a Python function with @labeling_function."
        )
    reason = next((line for line in error.splitlines() if line.startswith("error:")), error.splitlines()[0])
    return f"The pattern {regex!r} is not a regular expression: {reason.removeprefix('error: ')}.\nFix: correct it."
