"""consilience export: take the labels or the predictions elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def export(
    path: Annotated[Path, typer.Argument(help="A .parquet, .jsonl or .csv file, or a folder for Hugging Face.")],
    what: Annotated[
        str, typer.Option(help="training-set (train rows and why) or predictions (all rows).")
    ] = "training-set",
    for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="Make formulas in a CSV harmless.")
    ] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Write the training set with its soft labels and reasons, or the end model's predictions on all rows."""
    with session("export", json) as talk, opened(project) as work:
        from consilience.project.export import export_to

        n = export_to(work, path, what, for_spreadsheets=for_spreadsheets)
        talk.say(f"{n:,} rows of the {what} in {path}", rows=n, path=str(path), what=what)
        talk.next("consilience runs")
