"""consilience suggest: what to write, and what to label, next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from consilience.cli.session import HERE, Folder, Json, Session, opened, session

if TYPE_CHECKING:
    from consilience.labeling.matrix import LabelMatrix
    from consilience.project.project import Project

PARTS = ("functions", "rows", "groups", "conflict")


def suggest(
    what: Annotated[str, typer.Argument(help=f"Only one of {', '.join(PARTS)}. Default: all.")] = "all",
    n: Annotated[int, typer.Option("-n", min=1, help="How many of each.")] = 5,
    words: Annotated[int, typer.Option(min=1, help="Keywords in one suggested function, at most.")] = 8,
    on: Annotated[str, typer.Option(help="Rows to look in: train, dev or all.")] = "train",
    write: Annotated[
        bool, typer.Option("--write", help="Append the suggested functions to lfs.toml. Read them first.")
    ] = False,
    python: Annotated[bool, typer.Option("--python", help="Show them as lines of lfs.py.")] = False,
    seed: Annotated[int, typer.Option(help="Of groups, and of rows with the same votes.")] = 0,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Suggest functions to write, rows to label, groups of rows without votes, and a conflict to settle."""
    with session("suggest", json) as talk, opened(project) as work:
        from consilience.errors import DataError, nearest

        if what not in (*PARTS, "all"):
            raise DataError(f"There is nothing to suggest about {what!r}.\nFix: {nearest(what, (*PARTS, 'all'))}")
        if write and what not in ("functions", "all"):
            raise DataError("Only suggested functions can be written.\nFix: consilience suggest functions --write")
        matrix = work.open_matrix(on)
        predict, who = _believed(work, matrix)
        talk.say(f"{len(matrix):,} {on} rows; labels believed by {who}", on=on, believed_by=who)
        if what in ("functions", "all"):
            _functions(talk, work, matrix, predict, n, words, write, python)
        if what in ("rows", "all"):
            _rows(talk, matrix, predict, n, seed)
        if what in ("groups", "all"):
            _groups(talk, work, matrix, predict, n, seed, python)
        if what in ("conflict", "all"):
            _conflict(talk, matrix, seed)
        again = "consilience apply" if "written" in talk.answer else "consilience suggest functions --write"
        talk.next(again, "consilience show --where '!covered'")


def _believed(work: Project, matrix: LabelMatrix) -> tuple[Any, str]:
    """How votes become probabilities: by the label model fitted last, if it knows these functions."""
    from consilience.errors import StoreError

    try:
        model = work.label_model()
    except StoreError:
        return None, "counting votes (no label model is fitted yet)"
    if model.function_names_ != matrix.names or model.labels_ != matrix.labels:
        return None, "counting votes (the functions have changed since the label model was fitted)"
    return model.predict_proba, "the label model fitted last"


def _functions(
    talk: Session, work: Project, matrix: LabelMatrix, predict: Any, n: int, words: int, write: bool, python: bool
) -> None:
    from consilience.labeling.suggest import suggest_functions
    from consilience.project.functions import DECLARED, declare, declared_names

    path = work.folder / DECLARED
    found = suggest_functions(matrix, n, words=words, predict=predict, taken=declared_names(path))
    talk.say("\nfunctions worth writing")
    talk.show(found.view(), functions=found.records())
    if not write:
        talk.say("\n".join(one.python() if python else one.toml() for one in found.items))
    elif found.items:
        declare(path, [one.toml() for one in found.items])
        talk.say(f"{len(found.items)} functions appended to {path}", written=[one.name for one in found.items])


def _rows(talk: Session, matrix: LabelMatrix, predict: Any, n: int, seed: int) -> None:
    from consilience.labeling.next_rows import next_rows_view, rows_to_label

    chosen = rows_to_label(matrix, n, predict=predict, seed=seed)
    view = next_rows_view(matrix, chosen)
    talk.say("\nrows worth labelling")
    talk.show(view, rows=view.records())


def _groups(talk: Session, work: Project, matrix: LabelMatrix, predict: Any, n: int, seed: int, python: bool) -> None:
    from consilience.labeling.suggest import declaration, python_line
    from consilience.labeling.uncovered import groups_view, uncovered_groups
    from consilience.project.functions import DECLARED, declared_names

    groups = uncovered_groups(matrix, n, predict=predict, seed=seed, taken=declared_names(work.folder / DECLARED))
    talk.say("\ngroups of rows without votes")
    view = groups_view(matrix, groups)
    made = [group.function and (python_line if python else declaration)(group.function) for group in groups]
    records = [{**record, "function": lines} for record, lines in zip(view.records(), made, strict=True)]
    talk.show(view, groups=records)
    first = next((place for place, lines in enumerate(made) if lines), None)
    if first is not None:
        talk.say(f"a function for the group of {groups[first].rows:,} rows, if its label is right:\n{made[first]}")


def _conflict(talk: Session, matrix: LabelMatrix, seed: int) -> None:
    from consilience.labeling.settle import worst_quarrel

    found = worst_quarrel(matrix, seed=seed)
    if found is None:
        talk.say("\nno two functions contradict each other", conflict=None)
        return
    view = found.view(matrix)
    talk.say(f"\n{found.first} and {found.second} contradict each other on {found.rows:,} rows")
    facts = {"first": found.first, "second": found.second, "rows": found.rows, "query": found.query}
    talk.show(view, conflict={**facts, "advice": found.advice(), "examples": view.records()})
    if found.query:
        talk.say(f"see them: consilience show --where '{found.query}'")
