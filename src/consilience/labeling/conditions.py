"""Patterns and expressions: conditions on one row, all of a run's evaluated together by Polars on all cores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import polars as pl

from consilience.errors import DataError
from consilience.labeling.function import Batch, MaskFunction

KEPT, ANSWER = "\0kept", "\0answer"  # names that no column has


class Condition(MaskFunction):
    """A function of one label that holds where a Polars expression is true."""

    @abstractmethod
    def condition(self, batch: Batch) -> pl.Expr:
        """What must be true of a row of `batch.columns`. Raises DataError if these rows cannot be asked."""

    def is_asked_with_others(self, batch: Batch) -> bool:
        """Whether it is computed together with the other conditions of a batch, on all rows."""
        return True

    def mask(self, batch: Batch) -> pl.Series:
        """Rows where the condition is true."""
        own = self.condition(batch)
        together = batch.shared(("asked together", batch.functions), lambda: _asked_together(batch))
        key = ("conditions", batch.functions)
        answers = batch.shared(key, lambda: _answers(together, batch), users=len(together))
        answer = answers.get(self.fingerprint)
        answer = _asked(batch, [own])[0] if answer is None else answer
        if answer.dtype != pl.Boolean:
            raise DataError(
                f"The {self.kind} {self.description!r} gives {answer.dtype}, not true or false.\n"
                "Fix: compare it with something."
            )
        return answer


def is_about_one_row(condition: pl.Expr, schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> bool:
    """Whether the answer for a row hangs on that row alone, so that it is the same however rows are cut into batches.

    Asks Polars whether rows may be left out before the condition is computed, as its optimiser decides it.
    """
    plan = pl.LazyFrame(schema={**schema, KEPT: pl.Int8}).with_columns(condition.alias(ANSWER)).filter(pl.col(KEPT) > 0)
    return not plan.explain().lstrip().startswith("FILTER")


def _asked_together(batch: Batch) -> list[Condition]:
    return [one for one in batch.functions if isinstance(one, Condition) and one.is_asked_with_others(batch)]


def _answers(functions: list[Condition], batch: Batch) -> dict[str, pl.Series]:
    """The answers of all functions, by fingerprint; of none, if one of them breaks: then each is asked alone."""
    conditions = {}
    for one in functions:
        try:
            conditions[one.fingerprint] = one.condition(batch)
        except DataError:
            continue  # raised again when it votes
    try:
        return dict(zip(conditions, _asked(batch, list(conditions.values())), strict=True))
    except Exception:
        return {}


def _asked(batch: Batch, conditions: list[pl.Expr]) -> list[pl.Series]:
    """Whether each condition holds, on each row. returns: (n,) each."""
    if not conditions:
        return []
    named = [condition.alias(str(place)) for place, condition in enumerate(conditions)]
    answers = batch.columns.lazy().select(pl.int_range(pl.len()).alias("row"), *named).collect()
    return [answers[str(place)] for place in range(len(conditions))]
