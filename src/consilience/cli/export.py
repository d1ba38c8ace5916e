"""consilience export: take the labels or the predictions elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def export(
    path: Annotated[Path, typer.Argument(help="A file, or a folder for Hugging Face.")],
    what: Annotated[
        str, typer.Option(help="training-set (train rows and why) or predictions (all rows).")
    ] = "training-set",
    format: Annotated[
        str | None,
        typer.Option(
            help="parquet, arrow, jsonl, csv, tsv, conll, spacy, wrench, huggingface (for load_dataset) or "
            "saved-dataset (for load_from_disk). Default: by the ending."
        ),
    ] = None,
    for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="Make formulas in a CSV harmless.")
    ] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Write the training set with its soft labels and reasons, or the end model's predictions on all rows."""
    with session("export", json) as talk, opened(project) as work:
        from consilience.project.export import export_to

        n = export_to(work, path, what, format=format, for_spreadsheets=for_spreadsheets)
        talk.say(f"{n:,} rows of the {what} in {path}", rows=n, path=str(path), what=what)
        talk.next("consilience runs")
