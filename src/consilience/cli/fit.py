"""consilience fit: learn how far to trust each function."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session
from consilience.label_models.zoo import names_of_models


def fit(
    model: Annotated[str, typer.Option(help=f"One of {', '.join(names_of_models())}.")] = "auto",
    gold: Annotated[bool, typer.Option("--gold", help="Let it use the gold of the dev rows too.")] = False,
    seed: Annotated[int, typer.Option(help="For models that draw random numbers.")] = 0,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Fit a label model on the votes on the train rows, and compare it with counting."""
    with session("fit", json) as talk, opened(project) as work:
        fitted, run = work.fit(model, gold=gold, seed=seed)
        dev = dict(work.split.items()).get("dev")
        view = fitted.summary(None if dev is None else work.matrix.on(dev))
        talk.show(view, run=run.id, **run.record)
        if run.record["figures"]:
            talk.say(f"on dev: {_figures(run.record['figures']['dev'])}")
        talk.next("consilience train")


def _figures(line: dict[str, object]) -> str:
    shown = []
    for name, value in line.items():
        if isinstance(value, list) and value[0] is not None:
            shown.append(f"{name} {value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}]")
    return ", ".join(shown)
