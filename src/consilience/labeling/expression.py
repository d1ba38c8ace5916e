"""Labeling functions that are a condition over the columns, in SQL or as a Polars expression. Vectorised."""

from __future__ import annotations

import polars as pl

from consilience.errors import DataError, FunctionError, nearest
from consilience.labeling.function import Batch, MaskFunction, fingerprint_of


class Expression(MaskFunction):
    """Made by `expression`."""

    kind = "expression"

    def __init__(self, label: str, condition: str | pl.Expr, *, name: str | None) -> None:
        if not isinstance(condition, (str, pl.Expr)):
            raise FunctionError(f"{condition!r} is no condition.\nFix: give SQL text or a Polars expression.")
        try:
            self._expr = pl.sql_expr(condition) if isinstance(condition, str) else condition
        except Exception as error:
            raise FunctionError(
                f"The condition {condition!r} cannot be read: {error}.\nFix: correct the SQL."
            ) from None
        self._identity = condition if isinstance(condition, str) else _serialized(condition)
        super().__init__(label, name, str(condition))

    @property
    def fingerprint(self) -> str:
        """Hash of label and condition."""
        return fingerprint_of(self.kind, self.labels, self._identity)

    def mask(self, batch: Batch) -> pl.Series:
        """Rows where the condition is true."""
        for name in self._expr.meta.root_names():
            if name == batch.gold_column:
                raise DataError(f"The gold column {name!r} is hidden from labeling functions.\nFix: use other columns.")
            if name not in batch.columns.columns:
                raise DataError(
                    f"The expression {self.description!r} asks for column {name!r}, which the rows do not have.\n"
                    f"Fix: {nearest(name, batch.columns.columns)}"
                )
        answer = batch.columns.select(holds=self._expr)["holds"]
        if answer.dtype != pl.Boolean:
            raise DataError(
                f"The expression {self.description!r} gives {answer.dtype}, not true or false.\n"
                "Fix: compare it with something."
            )
        return answer if len(answer) == len(batch) else answer.new_from_index(0, len(batch))


def _serialized(condition: pl.Expr) -> str:
    try:
        return condition.meta.serialize(format="json")
    except Exception as error:
        raise FunctionError(
            f"The Polars expression {condition} cannot be written down ({error}), so its changes could not be seen.\n"
            "Fix: leave Python functions out of it, or use @labeling_function."
        ) from None


def expression(label: str, condition: str | pl.Expr, *, name: str | None = None) -> Expression:
    """Labeling function that says `label` where a condition over the columns is true.

    condition: SQL ("n_links > 2 AND length(text) < 50") or a Polars expression. The text column may be called "text".
    raises: FunctionError if it cannot be read; when applied, DataError for a column the rows do not have.

    >>> import consilience as cs
    >>> short = cs.expression("ham", "length(text) < 5")
    >>> cs.apply([short], cs.read([{"text": "hi"}, {"text": "a long text"}])).names_of("short")
    ['ham', None]
    """
    return Expression(label, condition, name=name)
