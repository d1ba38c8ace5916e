"""consilience apply: functions vote on rows; only what changed is computed."""

from __future__ import annotations

from consilience.cli.session import HERE, Deadline, Folder, Json, NoPython, Workers, opened, session


def apply(
    no_python: NoPython = False,
    workers: Workers = None,
    deadline: Deadline = 60.0,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Apply the labeling functions to all rows. Only what changed is computed; a killed run goes on where it was."""
    with session("apply", json) as talk, opened(project) as work:
        matrix = work.apply(python=not no_python, workers=workers, deadline_s=deadline)
        record = work.runs()[-1].record
        kept = sum(info.from_store for info in matrix.functions)
        made, rows = len(matrix.functions) - kept, record["rows_computed"]
        on = f" on {rows:,} of {len(matrix):,} rows" if made and rows < len(matrix) else ""
        talk.say(
            f"{made} of {len(matrix.functions)} functions computed{on} in {record['seconds']:.2f} s, "
            f"{kept} from the store",
            computed=made,
            from_store=kept,
            rows=len(matrix),
            rows_computed=rows,
            seconds=record["seconds"],
        )
        summary = work.open_matrix().summary()
        talk.show(summary.view(), functions=summary.view().records(), coverage=summary.coverage)
        talk.next("consilience fit", "consilience show --where '!covered'")
