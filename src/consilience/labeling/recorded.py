"""Labeling functions that repeat what a column already says: votes that came with the data, or one crowd worker's."""

from __future__ import annotations

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.errors import DataError, nearest
from consilience.labeling.function import Batch, LabelingFunction, Votes, fingerprint_of


class Recorded(LabelingFunction):
    """Made by `recorded`."""

    kind = "recorded"

    def __init__(self, column: str, name: str | None = None) -> None:
        self.column = column
        self.name = name or column
        self.labels = None
        self.description = f"what column {column} says"

    @property
    def fingerprint(self) -> str:
        """Hash of the column's name; its content is part of the rows' own fingerprint."""
        return fingerprint_of(self.kind, self.column)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """The column's labels; null abstains. Raises DataError for a value that is not a label."""
        said = batch.text(self.column)
        unknown = said.filter(said.is_not_null() & ~said.is_in(list(labels.votes)))
        if len(unknown):
            raise DataError(
                f"Column {self.column!r} says {unknown[0]!r}, which is not one of {list(labels.votes)}.\n"
                f"Fix: {nearest(unknown[0], labels.votes)}"
            )
        return Votes(labels.codes_of(said))


def recorded(column: str, *, name: str | None = None) -> Recorded:
    """Labeling function that says what a column says: the votes of a file, of an earlier system, of one annotator.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "hi", "anna": "ham"}, {"text": "buy", "anna": None}], labels=["ham", "spam"])
    >>> cs.apply([recorded("anna")], table).names_of("anna")
    ['ham', None]
    """
    return Recorded(column, name)


def recorded_votes(table: Table, prefix: str = "vote_") -> list[Recorded]:
    """One function for each column whose name begins with prefix, as `read` names the votes of a WRENCH file."""
    return [Recorded(name) for name in table.features.columns if name.startswith(prefix)]
