"""Rows with stable ids: what everything else hangs on.

Made by `read`; labeling functions see its features (never its gold), models and reports find rows by id.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.rows import Row, make_rows
from consilience.errors import DataError, nearest
from consilience.store.files import replacing

if TYPE_CHECKING:
    from consilience.data.split import Split


@dataclass(frozen=True)
class Reject:
    """A row that was set aside: its line (or place) in the source, why, and how it began."""

    line: int
    reason: str
    content: str

    def __post_init__(self) -> None:
        for part in ("reason", "content"):  # half a surrogate pair could neither be stored nor shown
            object.__setattr__(self, part, getattr(self, part).encode("utf-8", "backslashreplace").decode("utf-8"))


def beginning(row: Sequence[Any]) -> str:
    """How a row begins, to show beside the reason why it was set aside. Costs no more than what is shown."""
    return str(tuple(value[:200] if isinstance(value, str) else value for value in row[:50]))[:200]


def write_rejects(rejects: Iterable[Reject], path: Path, source: Any = None, before: bytes = b"") -> None:
    """Write what was set aside, one JSON object a line: file (None: memory), line, reason, content. before: lines."""
    file = str(source) if isinstance(source, (str, Path)) else None
    with replacing(path) as out:
        out.write(before)
        for reject in rejects:
            said = {"file": file, "line": reject.line, "reason": reject.reason, "content": reject.content}
            out.write(json.dumps(said).encode() + b"\n")  # ASCII, so that nothing in it can fail to be written


def add_rejects(rejects: Iterable[Reject], path: Path, source: Any = None) -> None:
    """Add what was set aside to a file of such lines. A reader sees all of them or none."""
    write_rejects(rejects, path, source, path.read_bytes() if path.is_file() else b"")


class Table:
    """Rows, each with an id; perhaps a text column and a gold column that may be nearly empty.

    frame: one row each. id: column of distinct strings or integers. text: column functions read by default.
    gold: column of label names, null where nobody knows. labels: the labels, if they are known already.
    unit: what a row is ("row", "document", "span", ...). rejects: rows that were set aside when these were read.
    lines: (n,) the line, or place from 1, each row had where it was read; rows that are taken of a table have none.
    raises: DataError for a column that is not there, ids that are missing or repeated, gold outside labels.

    >>> comments = Table(pl.DataFrame({"id": ["a", "b"], "text": ["hi", "buy now"], "y": [None, "spam"]}), gold="y")
    >>> len(comments), comments.n_gold
    (2, 1)
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        id: str = "id",
        text: str | None = "text",
        gold: str | None = None,
        labels: Labels | Sequence[str] | None = None,
        unit: str = "row",
        rejects: Sequence[Reject] = (),
        lines: pl.Series | None = None,
    ) -> None:
        if gold in frame.columns and frame.schema[gold] != pl.String:
            frame = frame.with_columns(as_gold(frame[gold], None).alias(gold))
        self.frame = frame
        self.id_column = id
        self.text_column = text
        self.gold_column = gold
        self.labels = Labels.of(labels) if labels is not None else None
        self.unit = unit
        self.rejects = tuple(rejects)
        self.lines = lines
        self.column_cache: dict[str, Any] = {}  # votes already cast on these rows, by key of the function
        self._check()

    def _check(self) -> None:
        for name in (self.id_column, self.text_column, self.gold_column):
            if name is not None and name not in self.frame.columns:
                raise DataError(f"There is no column {name!r}.\nFix: {nearest(name, self.frame.columns)}")
        ids = self.ids
        if ids.null_count() or ids.n_unique() != len(ids):
            raise DataError(
                f"The ids in column {self.id_column!r} are missing or repeated.\nFix: give each row one id."
            )
        if self.labels is not None and self.gold_column is not None:
            self.gold_codes(self.labels)

    @property
    def ids(self) -> pl.Series:
        """The ids, in row order."""
        return self.frame[self.id_column]

    @property
    def texts(self) -> list[str]:
        """The texts, in row order. Raises DataError if no text column was named."""
        if self.text_column is None:
            raise DataError("This table has no text column.\nFix: read(..., text='the column').")
        return self.frame[self.text_column].to_list()

    @cached_property
    def features(self) -> pl.DataFrame:
        """All columns a labeling function may see: every one but gold."""
        return self.frame.drop(self.gold_column) if self.gold_column else self.frame

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the features and roles: equal for equal rows in the same order, whatever their gold.

        Made of 64-bit hashes of the rows; the same on every machine with the same version of Polars.
        """
        digest = hashlib.sha256(self.features.hash_rows(seed=0).to_numpy().tobytes())
        digest.update(repr((list(self.features.schema.items()), self.id_column, self.text_column)).encode())
        return digest.hexdigest()

    @property
    def n_gold(self) -> int:
        """How many rows have a gold label."""
        return 0 if self.gold_column is None else len(self) - self.frame[self.gold_column].null_count()

    def gold_codes(self, labels: Labels) -> npt.NDArray[np.int16]:
        """Gold as codes, ABSTAIN where unknown. returns: (n,) int16. Raises DataError for a name outside labels."""
        if self.gold_column is None:
            return np.full(len(self), ABSTAIN, np.int16)
        gold = self.frame[self.gold_column]
        unknown = gold.filter(gold.is_not_null() & ~gold.is_in(list(labels)))
        if len(unknown):
            raise DataError(
                f"Gold column {self.gold_column!r} has {unknown[0]!r} ({len(unknown)} rows like it), which is not one "
                f"of {list(labels)}.\nFix: add it to Labels(...), or map it with read(..., gold_names={{...}})."
            )
        return labels.codes_of(gold)

    def has_gold(self) -> npt.NDArray[np.bool_]:
        """Which rows have a gold label. returns: (n,) bool."""
        if self.gold_column is None:
            return np.zeros(len(self), bool)
        return self.frame[self.gold_column].is_not_null().to_numpy()

    def gold_names(self) -> list[str]:
        """The labels that occur in gold, sorted."""
        return [] if self.gold_column is None else sorted(self.frame[self.gold_column].drop_nulls().unique().to_list())

    def take(self, places: npt.NDArray[Any] | Sequence[int]) -> Table:
        """The rows at these places (or where a boolean mask holds), as a table."""
        places = np.asarray(places)
        chosen = self.frame.filter(pl.Series(places)) if places.dtype == bool else self.frame[places]
        return self._with(chosen)

    def where(self, condition: pl.Expr | str) -> Table:
        """The rows for which a Polars expression or SQL condition holds."""
        try:
            chosen = self.frame.filter(pl.sql_expr(condition) if isinstance(condition, str) else condition)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"The condition {condition!s} cannot be used: {error}\nFix: correct it.") from None
        return self._with(chosen)

    def rows(self) -> list[Row]:
        """Every row as the record a labeling function gets."""
        return make_rows(self.features, self.text_column, self.gold_column)

    def write(self, path: Path | str, format: str | None = None, **options: Any) -> None:
        """Write all columns, gold too, in the format the path's ending names, or the one named. Whole or not at all.

        format, options: see consilience.data.write.write.
        """
        from consilience.data.write import write
        from consilience.data.writers.content import Content

        gold = self.gold_column
        labels = self.labels or (Labels(*self.gold_names()) if self.n_gold else None)
        codes = self.gold_codes(labels.plain) if labels is not None and gold is not None else None
        write(Content(self.frame, self, labels and labels.plain, codes, None, gold or ""), path, format, **options)

    def line(self, place: int) -> int:
        """The line the row at a place had where it was read, or its place from 1 if that is not known."""
        return place + 1 if self.lines is None else int(self.lines[place])

    def write_rejects(self, path: Path | str) -> None:
        """Write the rows that were set aside, one JSON object a line: line, reason, and how the row begins."""
        write_rejects(self.rejects, Path(path))

    def split(self, *, by: str | None = None, column: str | None = None, seed: int = 0, **sizes: int | float) -> Split:
        """Parts of this table, such as train, dev and test; see consilience.data.split.split."""
        from consilience.data.split import split

        return split(self, by=by, column=column, seed=seed, **sizes)

    def _with(self, frame: pl.DataFrame) -> Table:
        return Table(
            frame,
            id=self.id_column,
            text=self.text_column,
            gold=self.gold_column,
            labels=self.labels,
            unit=self.unit,
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def __repr__(self) -> str:
        aside = f", {len(self.rejects)} set aside" if self.rejects else ""
        gold = f", gold on {self.n_gold}" if self.gold_column else ""
        return f"Table({len(self)} {self.unit}s{gold}{aside}; columns {', '.join(self.frame.columns)})"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.frame.head(20)._repr_html_()}"


def text_ids(frame: pl.DataFrame) -> list[str]:
    """Ids made of what the rows say: the same row has the same id in every file and order; twins get -2, -3, ...

    frame: the columns that count (not gold: filling it in later must not change an id).
    """
    seen: dict[str, int] = {}
    ids = []
    for row in frame.iter_rows():
        digest = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        seen[digest] = seen.get(digest, 0) + 1
        ids.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return ids


def concat(tables: Sequence[Table]) -> Table:
    """One table of the rows of all, in order. The columns are united; ids must stay distinct.

    raises: DataError if there are no tables, or if their roles differ.
    """
    if not tables:
        raise DataError("There are no rows yet.\nFix: add some, with `consilience add FILE` or read(...).")
    first = tables[0]
    frame = pl.concat([t.frame for t in tables], how="diagonal_relaxed")
    rejects = [r for t in tables for r in t.rejects]
    return Table(
        frame,
        id=first.id_column,
        text=first.text_column,
        gold=next((t.gold_column for t in tables if t.gold_column), None),
        labels=first.labels,
        unit=first.unit,
        rejects=rejects,
    )


def whole(values: pl.Series) -> pl.Series:
    """Integers that became floats because some are missing, as integers again."""
    if values.dtype.is_float() and (values.drop_nans().drop_nulls() % 1 == 0).all():
        return values.fill_nan(None).cast(pl.Int64)
    return values


def as_gold(values: pl.Series, names: Mapping[Any, str | None] | None) -> pl.Series:
    """A gold column as label names: null where empty, mapped by names if they are given.

    raises: DataError for a value that names does not have.
    """
    if names is not None:
        lookup = {str(key): name for key, name in names.items()}
        text = whole(values).cast(pl.String)
        unknown = [v for v in text.drop_nulls().unique().to_list() if v not in lookup and v != ""]
        if unknown:
            raise DataError(
                f"Gold {unknown[0]!r} has no name.\nFix: add it to gold_names; {nearest(unknown[0], lookup)}"
            )
        return text.replace_strict(lookup, default=None, return_dtype=pl.String)
    text = whole(values).cast(pl.String).str.strip_chars()
    return text.set(text.is_in(["", "NaN", "nan", "None", "null"]), None)
