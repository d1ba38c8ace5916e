"""Labeling functions that repeat what a column already says: votes that came with the data, or one crowd worker's."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.errors import DataError, FunctionError, nearest
from consilience.labeling.function import Batch, LabelingFunction, Votes, fingerprint_of


class Recorded(LabelingFunction):
    """Made by `recorded`."""

    kind = "recorded"

    def __init__(self, column: str, labels: Sequence[str] | None = None, name: str | None = None) -> None:
        if isinstance(labels, str) or not all(isinstance(label, str) and label for label in labels or ()):
            raise FunctionError(f"{labels!r} cannot be labels.\nFix: give a list, as in labels=['ham', Not('spam')].")
        self.column = column
        self.name = name or column
        self.labels = tuple(labels) if labels else None
        self.description = f"what column {column} says"

    @property
    def fingerprint(self) -> str:
        """Hash of labels and the column's name; its content is part of the rows' own fingerprint."""
        return fingerprint_of(self.kind, self.column, *([self.labels] if self.labels else []))

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """The column's labels; null abstains. Raises DataError for a value that is not a label."""
        said = batch.text(self.column)
        names = self.labels or labels.votes
        allowed = {labels.vote_index(name) for name in names}
        codes: dict[str, int] = {}
        for value in said.drop_nulls().unique(maintain_order=True).to_list():
            code = labels.find(value)
            if code is None or code not in allowed:
                raise DataError(
                    f"Column {self.column!r} says {value!r}, which is not one of {[*map(str, names)]}.\n"
                    f"Fix: {nearest(value, names)} A set of labels must be given in recorded(..., labels=...)."
                )
            codes[value] = code
        found = said.replace_strict(codes, default=ABSTAIN, return_dtype=pl.Int16).fill_null(ABSTAIN)
        return Votes(found.to_numpy().astype("int16"))


def recorded(column: str, *, labels: Sequence[str] | None = None, name: str | None = None) -> Recorded:
    """Labeling function that says what a column says: the votes of a file, of an earlier system, of one annotator.

    labels: what the column may say; default any label or group. A column that says sets of labels, such as "not spam"
        or "cat|dog", needs it: `labels=["ham", Not("spam")]`.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "hi", "anna": "ham"}, {"text": "buy", "anna": None}], labels=["ham", "spam"])
    >>> cs.apply([recorded("anna")], table).names_of("anna")
    ['ham', None]
    """
    return Recorded(column, labels, name)


def recorded_votes(table: Table, prefix: str = "vote_") -> list[Recorded]:
    """One function for each column whose name begins with prefix, as `read` names the votes of a WRENCH file."""
    return [Recorded(name) for name in table.features.columns if name.startswith(prefix)]
