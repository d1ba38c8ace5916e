"""consilience eval: score everything on gold that was kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session

if TYPE_CHECKING:
    from consilience.end_models.report import Report
    from consilience.views import View


def evaluate(
    on: Annotated[str, typer.Option(help="Rows to score on: test, dev, train or all.")] = "test",
    slices: Annotated[bool, typer.Option("--slices", help="Also on the rows of each function.")] = False,
    slice: Annotated[
        list[str] | None, typer.Option(help="Also on the rows that answer this query. Repeatable.")
    ] = None,
    supervised: Annotated[
        bool, typer.Option("--supervised", help="Compare with a model trained on the gold of all train rows.")
    ] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Score majority vote, the label model and the end model on rows with gold, with intervals."""
    with session("eval", json) as talk, opened(project) as work:
        queries = [*(slice or []), *(work.matrix.names if slices else [])]
        reports, run = work.evaluate(on, slices=queries, supervised=supervised)
        talk.show(comparison(reports), run=run.id, **run.record)
        end = reports["end model"]
        if queries:
            talk.say("\nthe end model, slice by slice")
            talk.show(end.view())
        talk.show(end.confusion_view())
        talk.next("consilience export labels.parquet", "consilience runs")


def comparison(reports: dict[str, Report]) -> View:
    """One line a model, from the reports of `Project.evaluate`."""
    from consilience.views import View

    lines = [(name, report.view()) for name, report in reports.items()]
    columns = list(lines[0][1].columns)[2:]
    rows = [[name, *view.rows[0][2:]] for name, view in lines]
    notes = [f"{name}: {note}" for name, view in lines for note in view.notes]
    return View(["model", *columns], rows, notes=[f"{lines[0][1].rows[0][1]:,} rows with gold", *notes])
