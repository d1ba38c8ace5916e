"""Take a project's training set or predictions elsewhere: one file, or a folder for Hugging Face."""

from __future__ import annotations

from pathlib import Path

from consilience.data.write import format_of
from consilience.errors import DataError, nearest
from consilience.project.project import Project

WHAT = ("training-set", "predictions")


def export_to(
    project: Project,
    path: Path,
    what: str = "training-set",
    *,
    format: str | None = None,
    for_spreadsheets: bool = False,
) -> int:
    """Write the training set, or predictions on all rows. Returns the rows.

    format: one of consilience.data.write.FORMATS; by default what the path's ending names. WRENCH's JSON also gets the
    votes. raises: DataError for something else to export or an ending that names no format.
    """
    if what not in WHAT:
        raise DataError(f"There is no {what!r} to export.\nFix: {nearest(what, WHAT)}")
    kind = format_of(path, format)
    made = project.training_set() if what == "training-set" else project.predictions()
    made.write(path, kind, for_spreadsheets=for_spreadsheets, matrix=project.matrix if kind == "wrench" else None)
    return len(made)
