"""Apply labeling functions to Parquet files, however large: piece by piece, with bounded memory, and only what changed.

Beside each file of rows come files of votes, one a piece, which know what they were made of: a run that was killed goes
on where it was, an edited function costs one column, a new file only its own rows.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.labels import Labels
from consilience.data.read import read
from consilience.data.sources.arrow import broken, n_rows_of_parquet
from consilience.data.table import Reject, Table
from consilience.errors import DataError, FunctionError, nearest
from consilience.labeling.apply import base_labels, columns_of, named_functions
from consilience.labeling.casting import Column, column_codes, vote_series
from consilience.labeling.function import Failure, LabelingFunction, check_names
from consilience.labeling.matrix import FunctionInfo, LabelMatrix
from consilience.labeling.running import Running
from consilience.progress import working
from consilience.store.files import replacing

PART_ROWS = 250_000
NOTE = "consilience"  # the key of our note in a file's metadata
OURS = (".votes.parquet", ".labels.parquet")  # what we write into folders; never rows, unless named one by one
ROW = "row"  # the column of ids, where the files have none: places in a file


@dataclass(frozen=True)
class VoteFiles:
    """Votes in files: a folder of Parquet files with a column of ids and one of label names (or null) a function.

    files: in the order of the rows. functions: what is known of each, with what failed. n_rows: with votes or without;
    rejects: rows set aside.
    computed: rows on which at least one function was computed by the call that gave this.
    """

    folder: Path
    files: tuple[Path, ...]
    labels: Labels
    functions: tuple[FunctionInfo, ...]
    n_rows: int
    computed: int
    rejects: int

    def matrix(self) -> LabelMatrix:
        """The label matrix to fit a label model on: distinct rows with their counts. Memory: the distinct rows."""
        names = [info.name for info in self.functions]
        counted = LabelMatrix.scan(pl.scan_parquet(list(self.files), glob=False), self.labels, names)
        counted.functions = self.functions
        return counted


def apply_files(
    functions: Sequence[LabelingFunction] | Mapping[str, LabelingFunction],
    source: str | Path | Iterable[str | Path],
    into: str | Path,
    *,
    labels: Labels | Sequence[str] | None = None,
    text: str | None = None,
    id: str | None = None,
    gold: str | None = None,
    workers: int | None = None,
    deadline_s: float = 60.0,
    part_rows: int = PART_ROWS,
) -> VoteFiles:
    """Votes of each function on each row of Parquet files, written into a folder of Parquet files.

    source: a file, a folder (with all below it), a pattern such as "rows/*.parquet", or a list of them.
    into: the folder of votes, made if need be; only what changed since it was written is computed.
    text, id, gold: columns, as for `read` (gold is hidden from functions, where a file has it); without ids, a row's
        place in its file is its id. Rows without text or with an id that is missing or repeated within a piece are set
        aside, and listed in rejects.jsonl in the folder.
    workers, deadline_s: as for `apply`. part_rows: rows dealt with at once, which bounds the memory.
    returns: VoteFiles, whose `.matrix()` label models learn from.
    raises: DataError for files that cannot be read; FunctionError, LabelError as for `apply`.

    O(rows x functions) time; memory for one piece, beside what reading one row group of the files takes.

    >>> import tempfile, polars as pl, consilience as cs
    >>> folder = Path(tempfile.mkdtemp())
    >>> pl.DataFrame({"text": ["free entry", "see you", "free!"]}).write_parquet(folder / "rows.parquet")
    >>> votes = apply_files([cs.keywords("spam", ["free"], name="free")], folder, folder / "v", labels=["ham", "spam"])
    >>> votes.n_rows, votes.computed, votes.matrix().n_rows
    (3, 3, 3)
    """
    named = named_functions(functions, sys._getframe(1).f_locals)
    check_names(named)
    folder = Path(into).absolute()
    files = row_files(source, besides=folder)
    base = base_labels(named, None, labels)
    parts = [part for path, root in files for part in _parts(path, root, folder, part_rows)]
    _check_columns(files[0][0], named, text, id)
    notes: list[Note] = []
    rows_to_do = 0
    with Running(named, base, workers=workers, deadline_s=deadline_s) as running:
        running.n_rows = sum(part.n_rows for part in parts)
        roles = {"text": text, "id": id, "gold": gold}
        with working(f"applying {len(named)} functions", running.n_rows) as tick:
            for part in parts:
                note, was_there = _apply_part(part, running, roles)
                rows_to_do += 0 if was_there else note.n_rows
                notes.append(note)
                tick(part.n_rows)
    _tidy(folder, {part.into for part in parts})
    n_rejects = _write_rejects(folder, parts, notes)
    infos = tuple(_info(running, place, notes) for place in range(len(named)))
    into_files = tuple(part.into for part in parts)
    return VoteFiles(
        folder, into_files, running.space, infos, sum(note.n_rows for note in notes), rows_to_do, n_rejects
    )


# which files, and which pieces of them


@dataclass(frozen=True)
class Part:
    """Some rows of a file, and the file of votes that is to come of them."""

    path: Path
    start: int
    n_rows: int
    into: Path
    identity: str


def row_files(source: str | Path | Iterable[str | Path], besides: Path | None = None) -> list[tuple[Path, Path]]:
    """The Parquet files meant, in order, each with the folder its name is relative to; none of those in `besides`."""
    found: dict[Path, Path] = {}
    for one in [source] if isinstance(source, (str, Path)) else source:
        path = Path(one)
        if path.is_dir():
            paths, root = sorted(path.rglob("*.parquet")), path
        elif path.exists():
            paths, root = [path], path.parent
        else:
            paths = sorted(map(Path, glob(str(one), recursive=True)))
            root = Path(re.split(r"[*?[]", str(one))[0] + "x").parent
        if not paths:
            raise DataError(
                f"There is no Parquet file in {one}.\nFix: name a file, a folder, or a pattern like 'a/*.parquet'."
            )
        found |= {
            p.absolute(): root.absolute()
            for p in paths
            if p in (path,) or not (p.name.endswith(OURS) or besides in p.absolute().parents)
        }
    if not found:
        raise DataError("No file of rows is named.\nFix: name a file, a folder, or a pattern like 'a/*.parquet'.")
    return sorted(found.items())


def _parts(path: Path, root: Path, into: Path, part_rows: int) -> Iterator[Part]:
    n_rows = n_rows_of_parquet(path)
    place = into / path.relative_to(root).with_suffix("")
    for start in range(0, n_rows, part_rows):
        n = min(part_rows, n_rows - start)
        target = place.with_name(f"{place.name}.{start:012d}.votes.parquet")
        yield Part(path, start, n, target, f"{_identity(path)}-{start}-{n}")


def _identity(path: Path) -> str:
    """What a file is without reading its rows: its size, its time, and its footer, which describes each block."""
    stat = path.stat()
    with path.open("rb") as file:
        file.seek(max(stat.st_size - 8, 0))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(stat.st_size - 8 - length, 0))
        footer = hashlib.sha256(file.read()).hexdigest()
    return f"{stat.st_size}-{stat.st_mtime_ns}-{footer}"


def _check_columns(path: Path, functions: Sequence[LabelingFunction], *columns: str | None) -> None:
    schema = pl.scan_parquet(path, glob=False).collect_schema()
    for name in filter(None, columns):
        if name not in schema:
            raise DataError(f"{path} has no column {name!r}.\nFix: {nearest(name, schema.names())}")
    taken = {columns[1] or ("id" if "id" in schema else ROW)}
    for function in functions:
        if function.name in taken:
            raise FunctionError(f"A function is called {function.name!r}, as the column of ids is.\nFix: rename it.")


# one piece


@dataclass(frozen=True)
class NotedColumn:
    """How a column was made: the function's name and key (None: it was given up), what failed, and how long it took."""

    name: str
    key: str | None
    failure: Failure | None
    seconds: float


@dataclass(frozen=True)
class Note:
    """What a file of votes says of itself: the rows it was made of, and how each column was made.

    identity: of the file of rows and the piece of it; fingerprint: of the rows.
    """

    identity: str
    fingerprint: str
    roles: dict[str, str | None]
    n_rows: int
    rejects: list[Reject]
    columns: list[NotedColumn]

    @property
    def names(self) -> list[str]:
        """The functions."""
        return [column.name for column in self.columns]

    @property
    def keys(self) -> list[str | None]:
        """What the columns were made by."""
        return [column.key for column in self.columns]

    def packed(self) -> str:
        """As text for a file's metadata."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def of(cls, path: Path) -> Note | None:
        """The note in a file of votes; None if there is no such file, or it is none of ours, or damaged."""
        try:
            with path.open("rb") as file:  # not its path: Polars takes * and [ in it for a pattern
                fields = json.loads(pl.read_parquet_metadata(file)[NOTE])
            rejects = [Reject(**reject) for reject in fields.pop("rejects")]
            columns = [_column_of(column) for column in fields.pop("columns")]
            return cls(**fields, rejects=rejects, columns=columns)
        except (OSError, KeyError, ValueError, TypeError, pl.exceptions.PolarsError):
            return None


def _apply_part(part: Part, running: Running, roles: dict[str, str | None]) -> tuple[Note, bool]:
    """The note of a piece's file of votes, and whether the file was there already and complete."""
    note = Note.of(part.into)
    same_rows = note is not None and note.identity == part.identity and note.roles == roles
    if note is not None and same_rows and note.keys == running.keys and note.names == running.names:
        return note, True
    table, rejects = _rows(part, roles)
    if note is not None and same_rows:
        table.__dict__["fingerprint"] = note.fingerprint
    columns, _ = columns_of(running, table, _kept(part.into, note), lambda votes: None)
    keys = [None if column.given_up else key for key, column in zip(running.keys, columns, strict=True)]
    noted = [
        NotedColumn(name, key, column.failure, column.seconds)
        for name, key, column in zip(running.names, keys, columns, strict=True)
    ]
    note = Note(part.identity, table.fingerprint, roles, len(table), rejects, noted)
    votes = [vote_series(column).alias(name) for name, column in zip(running.names, columns, strict=True)]
    write_noted(pl.DataFrame([table.ids, *votes]), part.into, note.packed())
    return note, False


def write_noted(frame: pl.DataFrame, path: Path, note: str) -> None:
    """Write a Parquet file with a note of ours, whole or not at all. Raises DataError if there is no room, say."""
    try:
        with replacing(path) as out:
            frame.write_parquet(out, metadata={NOTE: note})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path} cannot be written: {error}.\nFix: make room, or choose a folder that can be written to."
        ) from error


def _kept(path: Path, note: Note | None) -> dict[str, Column]:
    """The columns of a file of votes, by key; none if it cannot be read."""
    if note is None:
        return {}
    try:
        frame = pl.read_parquet(path, glob=False)
        return {
            f"{column.key}-{note.fingerprint}": Column(
                *column_codes(frame[column.name]), column.failure, column.seconds
            )
            for column in note.columns
            if column.key is not None
        }
    except (OSError, pl.exceptions.PolarsError):
        return {}


def _column_of(fields: dict[str, Any]) -> NotedColumn:
    failure = fields.pop("failure")
    return NotedColumn(**fields, failure=None if failure is None else Failure(**failure))


def _rows(part: Part, roles: dict[str, str | None]) -> tuple[Table, list[Reject]]:
    """The rows of a piece, without those set aside; places in the file are counted from 1 in what is said of these."""
    try:
        frame = pl.scan_parquet(part.path, glob=False).slice(part.start, part.n_rows).collect()
    except BaseException as error:  # also PanicException, which is no Exception
        raise broken(part.path, "a readable Parquet file", error) from error
    id = roles["id"] or ("id" if "id" in frame.columns else ROW)
    if id not in frame.columns:
        frame = frame.with_row_index(ROW, part.start).with_columns(pl.col(ROW).cast(pl.Int64))
    try:
        gold = roles["gold"] if roles["gold"] in frame.columns else None
        table = read(frame, text=roles["text"], id=id, gold=gold)
    except DataError as error:
        raise DataError(f"{part.path}, rows {part.start + 1} to {part.start + part.n_rows}: {error}") from None
    rejects = [replace(reject, line=part.start + reject.line) for reject in table.rejects]
    return table, rejects


# all pieces


def _write_rejects(folder: Path, parts: Sequence[Part], notes: Sequence[Note]) -> int:
    """rejects.jsonl, with every row that was set aside; none if none was. returns: how many."""
    path = folder / "rejects.jsonl"
    lines = [
        json.dumps({"file": str(part.path), **asdict(reject)}, ensure_ascii=False)
        for part, note in zip(parts, notes, strict=True)
        for reject in note.rejects
    ]
    if lines:
        with replacing(path) as out:
            out.write(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
    else:
        path.unlink(missing_ok=True)
    return len(lines)


def _tidy(folder: Path, wanted: set[Path]) -> None:
    """Remove files of votes on rows that are gone: only files that we wrote."""
    for path in folder.rglob("*.votes.parquet"):
        if path not in wanted and Note.of(path) is not None:
            path.unlink()


def _info(running: Running, place: int, notes: Sequence[Note]) -> FunctionInfo:
    function = running.functions[place]
    columns = [note.columns[place] for note in notes]
    failures = [column.failure for column in columns if column.failure]
    return FunctionInfo(
        name=running.names[place],
        kind=function.kind,
        labels=function.labels,
        description=function.description,
        fingerprint=function.fingerprint,
        failure=sum(failures[1:], failures[0]) if failures else None,
        seconds=sum(column.seconds for column in columns),
    )
