"""The way out: rows, with their labels where they have some, to a file or folder of any format. Ends the flow.

A file is written whole or not at all. `Table.write` and `TrainingSet.write` call this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consilience.data.writers.conll import to_conll
from consilience.data.writers.content import Content, Matrix
from consilience.data.writers.docbin import to_docbin
from consilience.data.writers.huggingface import to_huggingface, to_saved_dataset
from consilience.data.writers.tables import to_arrow, to_csv, to_jsonl, to_parquet
from consilience.data.writers.wrench import to_wrench
from consilience.errors import DataError, nearest

ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".conll": "conll",
    ".spacy": "spacy",
    ".json": "wrench",
    "": "huggingface",
}
FORMATS = (*dict.fromkeys(ENDINGS.values()), "saved-dataset")


def write(
    content: Content,
    path: Path | str,
    format: str | None = None,
    *,
    for_spreadsheets: bool = False,
    columns: Sequence[str] | None = None,
    language: str = "xx",
    matrix: Matrix | None = None,
) -> None:
    """Write rows. format: one of FORMATS; by default what the path's ending names, a folder for Hugging Face if none.

    for_spreadsheets: CSV and TSV: what a spreadsheet would run as a formula gets a leading '. columns: CoNLL: those of
    tokens and tags. language: DocBin: whose rules cut texts into tokens. matrix: WRENCH: votes on the rows.
    raises: DataError for an ending that names no format, and for rows the format cannot hold.
    """
    path = Path(path)
    kind = format_of(path, format)
    if kind in ("csv", "tsv"):
        to_csv(content, path, "\t" if kind == "tsv" else ",", for_spreadsheets)
    elif kind == "conll":
        to_conll(content, path, columns)
    elif kind == "spacy":
        to_docbin(content, path, language)
    elif kind == "wrench":
        to_wrench(content, path, matrix)
    else:
        plain = {
            "parquet": to_parquet,
            "arrow": to_arrow,
            "jsonl": to_jsonl,
            "huggingface": to_huggingface,
            "saved-dataset": to_saved_dataset,
        }
        plain[kind](content, path)


def format_of(path: Path, format: str | None = None) -> str:
    """The format that is named, or else the one of the path's ending. Raises DataError if there is no such format."""
    kind = format or ENDINGS.get(path.suffix.lower())
    if kind not in FORMATS:
        why = f"{path.name} has an ending that names no format" if format is None else f"There is no format {format!r}"
        raise DataError(f"{why}.\nFix: name one of {', '.join(FORMATS)}. {nearest(format or path.suffix, FORMATS)}")
    return kind
