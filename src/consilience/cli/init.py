"""consilience init: make a project folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consilience.cli.session import Json, session


def init(
    folder: Annotated[Path, typer.Argument(help="Where to make it.")] = Path(),
    labels: Annotated[str, typer.Option(help="The labels, with commas: ham,spam")] = "",
    text: Annotated[str, typer.Option(help="Column that functions read by default.")] = "text",
    id: Annotated[str | None, typer.Option(help="Column of ids. Default: made of what a row says.")] = None,
    gold: Annotated[str | None, typer.Option(help="Column of known labels; may be nearly empty.")] = None,
    gold_name: Annotated[
        list[str] | None, typer.Option(help="Name of a gold value, as 1=spam. Repeat for each value.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A set of labels to vote for, as animal=cat,dog. Repeat for each.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a project: settings, and two files for labeling functions."""
    with session("init", json) as talk:
        from consilience.data.labels import Labels
        from consilience.errors import StoreError
        from consilience.project.project import Project

        names = _split(labels)
        if not names:
            raise StoreError("A project needs labels.\nFix: consilience init --labels ham,spam")
        pairs = dict(pair.split("=", 1) for pair in gold_name or () if "=" in pair)
        sets = {name.strip(): _split(members) for name, _, members in (each.partition("=") for each in group or ())}
        space = Labels(*names, groups=sets)
        Project.init(folder, labels=space, text=text, id=id, gold=gold, gold_names=pairs or None).close()
        talk.say(
            f"made a project in {folder.resolve()}\n"
            "  consilience.toml   settings\n"
            "  lfs.toml           functions that need no code: keywords, patterns, expressions\n"
            "  lfs.py             functions in Python",
            folder=str(folder.resolve()),
            labels=names,
        )
        talk.next("consilience add FILE")


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
