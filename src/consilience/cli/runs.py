"""consilience runs: what was done in this project."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session, when


def runs(
    n: Annotated[int, typer.Option("-n", help="How many, the last ones.")] = 20,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """List the runs: applies, fits, trainings and evaluations, with their main figures."""
    with session("runs", json) as talk, opened(project) as work:
        from consilience.views import View

        done = work.runs()[-n:]
        rows = [[run.id, run.kind, when(run.started), _said(run.kind, run.record)] for run in done]
        view = View(["run", "what", "when", "came of it"], rows)
        talk.show(view, runs=[{"run": r.id, "kind": r.kind, "started": r.started, **r.record} for r in done])
        talk.next("consilience diff RUN RUN")


def _said(kind: str, record: dict[str, Any]) -> str:
    if kind == "apply":
        kept = sum(f["from_store"] for f in record["functions"])
        return f"{len(record['functions'])} functions on {record['rows']:,} rows, {kept} from the store"
    figures = ", ".join(f"{name} accuracy {line['accuracy'][0]:.3f}" for name, line in record["figures"].items())
    model = f"{record['model']}: " if "model" in record else ""
    return f"{model}{record['rows']:,} rows" + (f"; {figures}" if figures else "")
