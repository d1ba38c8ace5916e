"""consilience diff: what changed between two runs, and what came of it."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def diff(
    before: Annotated[int, typer.Argument(help="Number of a run, from `consilience runs`.")],
    after: Annotated[int, typer.Argument(help="Number of another run of the same kind.")],
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Compare two runs of the same kind: functions, settings, figures. Only differences are shown."""
    with session("diff", json) as talk, opened(project) as work:
        from consilience.project.diff import compare_runs

        view = compare_runs(work.run(before), work.run(after))
        talk.show(view, differences=view.records())
        talk.next("consilience runs")
