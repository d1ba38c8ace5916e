"""consilience train: a text classifier from the label model's probabilities."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.fit import _figures
from consilience.cli.session import HERE, Folder, Json, opened, session


def train(
    penalty: Annotated[float, typer.Option(help="Pull of coefficients to 0; more is smoother.")] = 0.3,
    min_confidence: Annotated[float, typer.Option(help="Leave out rows whose best probability is lower.")] = 0.0,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Train a text classifier on the covered train rows and their probabilities."""
    with session("train", json) as talk, opened(project) as work:
        _, run = work.train(penalty=penalty, min_confidence=min_confidence)
        talk.say(f"trained on {run.record['rows']:,} rows", run=run.id, **run.record)
        for label, terms in run.record["top_terms"].items():
            talk.say(f"  speaks for {label}: {', '.join(terms)}")
        if run.record["figures"]:
            talk.say(f"on dev: {_figures(run.record['figures']['dev'])}")
        talk.next("consilience eval")
