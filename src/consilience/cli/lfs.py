"""consilience lfs: the table of functions."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def lfs(
    on: Annotated[str, typer.Option(help="Rows to count: all, train, dev or test.")] = "all",
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Coverage, overlap, conflict, and accuracy on dev gold of each function, as of the last apply."""
    with session("lfs", json) as talk, opened(project) as work:
        view = work.open_matrix(on).summary().view()
        talk.show(view, functions=view.records(), on=on)
        talk.next("consilience show --where 'conflict'", "consilience fit")
