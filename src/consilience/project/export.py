"""Take a project's training set or predictions elsewhere: one file, or a folder for Hugging Face."""

from __future__ import annotations

from pathlib import Path

from consilience.errors import DataError, nearest
from consilience.project.project import Project

WHAT = ("training-set", "predictions")


def export_to(project: Project, path: Path, what: str = "training-set", *, for_spreadsheets: bool = False) -> int:
    """Write the training set, or predictions on all rows, in the format the path's ending names. Returns the rows.

    raises: DataError for something else to export or an ending that names no format.
    """
    if what not in WHAT:
        raise DataError(f"There is no {what!r} to export.\nFix: {nearest(what, WHAT)}")
    ending = path.suffix.lower()
    if ending not in (".parquet", ".jsonl", ".csv", ""):
        raise DataError(
            f"{path.name} has an ending that names no format.\nFix: use .parquet, .jsonl, .csv, or a folder."
        )
    made = project.training_set() if what == "training-set" else project.predictions()
    if ending == ".parquet":
        made.to_parquet(path)
    elif ending == ".jsonl":
        made.to_jsonl(path)
    elif ending == ".csv":
        made.to_csv(path, for_spreadsheets=for_spreadsheets)
    else:
        made.to_huggingface(path)
    return len(made)
