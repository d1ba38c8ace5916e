"""The command `consilience`: one verb a step of the way, in the order in which people take them."""

from __future__ import annotations

from collections.abc import Callable

import typer

from consilience import __version__
from consilience.cli import (
    add,
    apply,
    diff,
    doctor,
    evaluate,
    explain,
    export,
    fit,
    init,
    kb,
    label,
    lfs,
    plot,
    runs,
    show,
    suggest,
    train,
    trust,
)

app = typer.Typer(
    name="consilience",
    help="From raw rows and what you know about them to a trained model: init, add, apply, fit, train, eval, export.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

VERBS: dict[str, Callable[..., None]] = {
    "init": init.init,
    "add": add.add,
    "apply": apply.apply,
    "lfs": lfs.lfs,
    "show": show.show,
    "suggest": suggest.suggest,
    "fit": fit.fit,
    "explain": explain.explain,
    "plot": plot.plot,
    "train": train.train,
    "eval": evaluate.evaluate,
    "label": label.label,
    "export": export.export,
    "runs": runs.runs,
    "diff": diff.diff,
    "doctor": doctor.doctor,
    "trust": trust.trust,
}
for name, verb in VERBS.items():
    app.command(name)(verb)
app.add_typer(kb.app, name="kb")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"consilience {__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 1 cannot be done, 2 usage, 3 damage found, 4 not trusted, 130 interrupted.")
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """From raw rows and what you know about them to a trained model: init, add, apply, fit, train, eval, export."""


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
