"""consilience show: read rows, by their votes."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def show(
    where: Annotated[str | None, typer.Option(help='Which rows, as: asks=spam & !link & "free gift"')] = None,
    on: Annotated[str, typer.Option(help="Rows to look in: all, train, dev or test.")] = "all",
    n: Annotated[int, typer.Option("-n", help="How many rows.")] = 10,
    rejects: Annotated[bool, typer.Option("--rejects", help="The rows that were set aside, instead.")] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Show rows with their votes. Ask with function names, name=label, covered, conflict, gold=label and "words"."""
    with session("show", json) as talk, opened(project) as work:
        if rejects:
            from consilience.views import View

            lines = work.catalogue.all("SELECT line, reason, content FROM reject LIMIT ?", n)
            total = work.catalogue.one("SELECT count(*) AS n FROM reject")
            view = View(["line", "reason", "content"], [[r["line"], r["reason"], r["content"]] for r in lines])
            talk.show(view, rejects=view.records(), total=total["n"] if total else 0)
            talk.next("consilience apply")
            return
        matrix = work.open_matrix(on)
        found = matrix.where(where) if where else matrix
        view = found.view(n)
        view.notes = [f"{len(found):,} of {len(matrix):,} rows"]
        talk.show(view, rows=view.records(), found=len(found), of=len(matrix))
        talk.next("edit lfs.toml or lfs.py, then: consilience apply")
