"""What every verb shares: where the project is, how results and errors are printed, and what the exit codes mean.

0  done                                  3  doctor found damage that is still there
1  it cannot be done; the message says why and what to do      4  the folder's Python is not trusted
2  the command line makes no sense                             130  interrupted
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from consilience.project.project import Project

FAILED, DAMAGED, UNTRUSTED, INTERRUPTED = 1, 3, 4, 130

Folder = Annotated[Path, typer.Option("--project", "-C", help="A folder in the project. Default: here.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
NoPython = Annotated[bool, typer.Option("--no-python", help="Only the functions of lfs.toml.")]
Workers = Annotated[
    int | None, typer.Option(help="Processes for Python functions; 0: none. Default: all cores, once that pays.")
]
Deadline = Annotated[float, typer.Option(help="Seconds a Python function may spend on one row.")]
HERE = Path()


class Session:
    """Collects what one verb has to say, as text or as one JSON object."""

    def __init__(self, verb: str, as_json: bool) -> None:
        from rich.console import Console

        width = None if sys.stdout.isatty() else 120
        self.console = Console(width=width, highlight=False, soft_wrap=False)
        self.as_json = as_json
        self.answer: dict[str, Any] = {"verb": verb}

    def say(self, text: str, **facts: Any) -> None:
        """A line for people, and facts for programs."""
        from consilience.views import visible

        self.answer |= facts
        if not self.as_json:
            self.console.print(visible(text), markup=False)

    def show(self, view: Any, **facts: Any) -> None:
        """A table for people, and facts for programs."""
        self.answer |= facts
        if not self.as_json:
            self.console.print(view.rich())

    def next(self, *commands: str) -> None:
        """What comes next."""
        self.answer["next"] = list(commands)
        if not self.as_json:
            self.console.print("\nnext: " + "   or: ".join(commands), style="dim", markup=False)

    def finish(self) -> None:
        """Print the JSON object, if that was asked for."""
        if self.as_json:
            print(json.dumps(self.answer, ensure_ascii=False, default=str))


@contextmanager
def session(verb: str, as_json: bool) -> Iterator[Session]:
    """Run a verb: progress while it works, its answer at the end, errors as messages and exit codes."""
    from consilience.errors import ConsilienceError, TrustError
    from consilience.views import visible

    talk = Session(verb, as_json)
    try:
        with ExitStack() as stack:
            if sys.stderr.isatty() and not as_json:
                from rich.console import Console

                from consilience.progress import bar_hook, reporting

                stack.enter_context(reporting(bar_hook(after_s=0.5, console=Console(stderr=True))))
            yield talk
        talk.finish()
    except ConsilienceError as error:
        if as_json:
            print(json.dumps({"verb": verb, "error": str(error), "kind": type(error).__name__}, ensure_ascii=False))
        else:
            typer.echo(visible(f"{type(error).__name__}: {error}"), err=True)
        raise typer.Exit(UNTRUSTED if isinstance(error, TrustError) else FAILED) from None
    except BrokenPipeError:  # whoever read has enough
        raise
    except OSError as error:  # no room, no right to: what was begun is not there by halves
        said = f"{error}.\nFix: make room, or see that the folder can be read and written."
        if as_json:
            print(json.dumps({"verb": verb, "error": said, "kind": type(error).__name__}, ensure_ascii=False))
        else:
            typer.echo(visible(f"{type(error).__name__}: {said}"), err=True)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing is half-written", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def opened(folder: Path) -> Iterator[Project]:
    """The project that folder is in, closed at the end."""
    from consilience.project.project import Project, find_project

    project = Project(find_project(folder))
    try:
        yield project
    finally:
        project.close()


def when(started: float) -> str:
    """A time as people here read it."""
    from datetime import datetime

    return datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M:%S")
