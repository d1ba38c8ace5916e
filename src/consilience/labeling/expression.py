"""Labeling functions that are a condition over the columns, in SQL or as a Polars expression. Vectorised."""

from __future__ import annotations

import re

import polars as pl

from consilience.errors import DataError, FunctionError, nearest
from consilience.labeling.conditions import Condition, is_about_one_row
from consilience.labeling.function import Batch, fingerprint_of

READS_FILES = re.compile(r"\bfrom\b.*\bread_[a-z]+", re.IGNORECASE | re.DOTALL)  # as only a query within it can
LIKELY_TYPES = (pl.Int64, pl.String, pl.Float64, pl.Boolean, pl.Date, pl.List(pl.String))


class Expression(Condition):
    """Made by `expression`."""

    kind = "expression"

    def __init__(self, label: str, condition: str | pl.Expr, *, name: str | None) -> None:
        if not isinstance(condition, (str, pl.Expr)):
            raise FunctionError(f"{condition!r} is no condition.\nFix: give SQL text or a Polars expression.")
        if isinstance(condition, str) and READS_FILES.search(condition):  # Polars would open them before it is used
            raise FunctionError(
                f"The condition {condition!r} reads a file.\n"
                "Fix: a condition is about the columns of one row; take lookup(...) for what a file says."
            )
        try:
            self._expr = pl.sql_expr(condition) if isinstance(condition, str) else condition
        except Exception as error:
            raise FunctionError(
                f"The condition {condition!r} cannot be read: {error}.\nFix: correct the SQL."
            ) from None
        self._identity = condition if isinstance(condition, str) else _serialized(condition)
        if _surely_compares_rows(self._expr):
            raise FunctionError(COMPARES_ROWS.format(condition))
        super().__init__(label, name, str(condition))

    @property
    def fingerprint(self) -> str:
        """Hash of label and condition."""
        return fingerprint_of(self.kind, self.labels, self._identity)

    def condition(self, batch: Batch) -> pl.Expr:
        """The condition, if these rows have its columns and the answer for a row hangs on that row alone."""
        for name in self._expr.meta.root_names():
            if name == batch.gold_column:
                raise DataError(f"The gold column {name!r} is hidden from labeling functions.\nFix: use other columns.")
            if name not in batch.columns.columns:
                raise DataError(
                    f"The expression {self.description!r} asks for column {name!r}, which the rows do not have.\n"
                    f"Fix: {nearest(name, batch.columns.columns)}"
                )
        try:
            alone = is_about_one_row(self._expr, batch.columns.schema)
        except pl.exceptions.PolarsError:
            return self._expr  # it cannot be computed on columns of these types, as its answer will say
        if not alone:
            raise DataError(COMPARES_ROWS.format(self.description))
        return self._expr


COMPARES_ROWS = (
    "The expression {!s} compares rows with each other, so its votes would hang on how rows are cut into batches.\n"
    "Fix: compute a column of what it compares with first, and let the expression be about one row."
)


def _surely_compares_rows(condition: pl.Expr) -> bool:
    """Whether it shows before the rows are known, by columns of some likely type that it can be computed on."""
    for likely in LIKELY_TYPES:
        try:
            return not is_about_one_row(condition, dict.fromkeys(condition.meta.root_names(), likely))
        except pl.exceptions.PolarsError:
            continue
    return False


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
        It is about one row: no aggregates, windows or shifts.
    raises: FunctionError if it cannot be read or compares rows; when applied, DataError for a column the rows do not
        have, or if only their types show that it compares rows.

    >>> import consilience as cs
    >>> short = cs.expression("ham", "length(text) < 5")
    >>> cs.apply([short], cs.read([{"text": "hi"}, {"text": "a long text"}])).names_of("short")
    ['ham', None]
    """
    return Expression(label, condition, name=name)
