"""consilience add: bring rows in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def add(
    files: Annotated[list[Path], typer.Argument(help="Files, of any format `consilience.read` reads.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, tsv, jsonl, json, parquet, arrow, conll, spacy, pubtator or huggingface. Default: by the ending."
        ),
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV file.")] = None,
    no_quotes: Annotated[bool, typer.Option("--no-quotes", help="Quotes in a CSV file mean nothing.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(help="Names of a CSV file without a header, or of a CoNLL file's columns, with commas."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which part of a saved Hugging Face dataset of several.")] = None,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Bring rows in. Malformed rows are set aside with line and reason, never dropped in silence: see rejects.jsonl."""
    from consilience.errors import DataError

    with session("add", json) as talk, opened(project) as work:
        options: dict[str, Any] = {"format": format, "delimiter": delimiter, "quote": None if no_quotes else '"'}
        options["split"] = split
        if columns:
            options["columns"] = columns.split(",")
        added = [(path, work.add(path, **options)) for path in files]
        for path, done in added:
            aside = f", {len(done.rejects)} set aside" if done.rejects else ""
            talk.say(f"{path}: " + ("there already" if done.was_there else f"{done.n_rows:,} rows{aside}"))
            for reject in done.rejects[:5]:
                talk.say(f"  line {reject.line}: {reject.reason}")
            if len(done.rejects) > 5:
                talk.say(f"  ... and {len(done.rejects) - 5} more: consilience show --rejects")
        if any(done.rejects for _, done in added):
            talk.say(f"all of them: {work.store / 'rejects.jsonl'}", rejects=str(work.store / "rejects.jsonl"))
        talk.answer["files"] = [
            {"file": str(p), "rows": d.n_rows, "rejects": len(d.rejects), "was_there": d.was_there} for p, d in added
        ]
        talk.say(f"the project has {len(work.table):,} rows, {work.table.n_gold:,} with gold")
        try:
            parts = {name: len(part) for name, part in work.split.items()}
            talk.say("  " + ", ".join(f"{name} {size:,}" for name, size in parts.items()), parts=parts)
        except DataError as error:  # the rows are in; more gold, or other sizes, can follow
            talk.say(f"  the split in consilience.toml cannot be made yet: {error}", parts=None)
        talk.next("write functions in lfs.toml and lfs.py, then: consilience apply")
