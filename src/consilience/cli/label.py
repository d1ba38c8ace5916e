"""consilience label: probabilities of rows in Parquet files, however many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consilience.cli.session import HERE, Deadline, Folder, Json, NoPython, Workers, opened, session


def label(
    files: Annotated[list[Path], typer.Argument(help="Parquet files, or folders of them.")],
    into: Annotated[Path, typer.Option(help="Folder for the votes and the labels.")],
    fit: Annotated[bool, typer.Option("--fit", help="Fit a label model on these rows; default: the last one.")] = False,
    no_python: NoPython = False,
    workers: Workers = None,
    deadline: Deadline = 60.0,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Label rows that need not fit in memory: the project's functions vote, its label model weighs the votes."""
    with session("label", json) as talk, opened(project) as work:
        done = work.label_files(files, into, fit=fit, python=not no_python, workers=workers, deadline_s=deadline)
        votes, labelled = done
        aside = f", {votes.rejects:,} set aside (rejects.jsonl)" if votes.rejects else ""
        talk.say(
            f"{votes.n_rows:,} rows labelled{aside}; votes computed on {votes.computed:,} of them",
            rows=votes.n_rows,
            rejects=votes.rejects,
            computed=votes.computed,
        )
        for info in votes.functions:
            if info.failure:
                last = (info.failure.first_error.splitlines() or [""])[-1]
                talk.say(
                    f"  {info.name} failed on {info.failure.count:,} rows, first on {info.failure.first_id}: {last}"
                )
        talk.say(f"votes in {into / 'votes'}, labels in {into / 'labels'}", files=[str(path) for path in labelled])
        talk.next("consilience runs")
