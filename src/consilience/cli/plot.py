"""consilience plot: pictures of the votes and of what was learned from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consilience.cli.pictures import must_be_picture, save_picture
from consilience.cli.session import HERE, Folder, Json, opened, session

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from consilience.project.project import Project

KINDS = ("matrix", "conflicts", "accuracies", "calibration", "confusions", "dependencies")


def plot(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")],
    out: Annotated[Path, typer.Option(help="A .png, .svg or .pdf file.")],
    on: Annotated[str, typer.Option(help="Rows to draw: all, train, dev or test. Gold is that of dev rows.")] = "all",
    repeats: Annotated[int, typer.Option(help="Draws for intervals of accuracies; 0 for none.")] = 50,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Draw the votes, or what the label model fitted last has learned. Needs: pip install 'consilience[plots]'."""
    with session("plot", json) as talk, opened(project) as work:
        from consilience.errors import DataError, nearest

        if what not in KINDS:
            raise DataError(f"There is no picture of {what!r}.\nFix: {nearest(what, KINDS)}")
        must_be_picture(out)
        save_picture(_drawn(work, what, on, repeats), out)
        talk.say(f"{what} of {on} rows in {out}", what=what, on=on, path=str(out))
        talk.next("consilience lfs" if what in ("matrix", "conflicts") else "consilience explain ID")


def _drawn(work: Project, what: str, on: str, repeats: int) -> Figure:
    from consilience.label_models import plots

    matrix = work.open_matrix(on)
    if what == "matrix":
        return plots.plot_matrix(matrix)
    if what == "conflicts":
        return plots.plot_conflicts(matrix)
    model = work.label_model()
    if what == "confusions":
        return plots.plot_confusions(model)
    if what == "calibration":
        return plots.plot_calibration(model, matrix)
    if what == "dependencies":
        import numpy as np

        from consilience.label_models.held_out import PARTNERS, dependence

        found = dependence(model, matrix)
        return plots.plot_dependencies(np.where(np.abs(found) >= PARTNERS, found, 0.0), matrix.names)
    from consilience.label_models.uncertainty import intervals

    ends = intervals(model, work.matrix.on(work.split["train"]), repeats=repeats) if repeats else None
    return plots.plot_accuracies(model, ends, matrix)
