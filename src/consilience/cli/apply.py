"""consilience apply: functions vote on rows; only what changed is computed."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def apply(
    no_python: Annotated[bool, typer.Option("--no-python", help="Only the functions of lfs.toml.")] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Apply the labeling functions to all rows. Only columns whose function or rows changed are computed."""
    with session("apply", json) as talk, opened(project) as work:
        matrix = work.apply(python=not no_python)
        kept = sum(info.from_store for info in matrix.functions)
        made = len(matrix.functions) - kept
        seconds = sum(info.seconds for info in matrix.functions if not info.from_store)
        talk.say(
            f"{made} of {len(matrix.functions)} functions computed in {seconds:.2f} s, {kept} from the store",
            computed=made,
            from_store=kept,
        )
        summary = work.open_matrix().summary()
        talk.show(summary.view(), functions=summary.view().records(), coverage=summary.coverage)
        talk.next("consilience fit", "consilience show --where '!covered'")
