"""consilience lfs: the table of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, Session, opened, session

if TYPE_CHECKING:
    from consilience.labeling.matrix import LabelMatrix
    from consilience.project.project import Project

MODELS = ("majority", "model")  # what --errors looks at besides functions


def lfs(
    on: Annotated[str, typer.Option(help="Rows to count: all, train, dev or test.")] = "all",
    by_label: Annotated[bool, typer.Option("--by-label", help="A line for each label a function says.")] = False,
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Pairs of functions that contradict.")] = False,
    redundant: Annotated[bool, typer.Option("--redundant", help="Functions that others make needless.")] = False,
    errors: Annotated[
        str | None,
        typer.Option(
            help="Of one function (or of majority, or model): where it is wrong or contradicted, and its traceback.",
            metavar="FUNCTION",
        ),
    ] = None,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Coverage, overlap, conflict, and accuracy on dev gold of each function, as of the last apply."""
    with session("lfs", json) as talk, opened(project) as work:
        matrix = work.open_matrix(on)
        talk.answer["on"] = on
        if conflicts or redundant:
            _pairs(talk, matrix, conflicts, redundant)
        if errors:
            _errors(talk, work, matrix, errors)
        if by_label:
            view = matrix.summary().labels_view()
            talk.show(view, labels=view.records())
        if not (conflicts or redundant or errors or by_label):
            summary = matrix.summary()
            view = summary.view()
            talk.show(view, functions=view.records())
            failed = next((line.info.name for line in summary.lines if line.info.failure), None)
            talk.next(
                *([f"consilience lfs --errors {failed}"] if failed else []),
                "consilience show --where 'conflict'",
                "consilience suggest",
                "consilience fit",
            )
            return
        talk.next("consilience show --where 'conflict'", "consilience suggest")


def _pairs(talk: Session, matrix: LabelMatrix, conflicts: bool, redundant: bool) -> None:
    from consilience.labeling.agreement import agreement

    found = agreement(matrix)
    if conflicts:
        view = found.conflicts_view()
        talk.show(view, conflicts=view.records())
    if redundant:
        view = found.redundant_view()
        talk.show(view, redundant=view.records())


def _errors(talk: Session, work: Project, matrix: LabelMatrix, who: str) -> None:
    from consilience.errors import VoteError, nearest
    from consilience.labeling.mistakes import disputes, mistakes, precision_view

    if who not in matrix.names:
        if who not in MODELS:
            raise VoteError(f"There is no function {who!r}.\nFix: {nearest(who, [*matrix.names, *MODELS])}")
        found = mistakes(matrix, None if who == "majority" else work.label_model().predict_proba(matrix))
        talk.show(found.view(), mistakes=found.view().records())
        return
    info = matrix.functions[matrix.column(who)]
    talk.say(f"{who}: {info.kind}, {info.seconds:.2f} s; {info.description}".rstrip("; "), seconds=info.seconds)
    if matrix.n_gold:
        talk.show(precision_view(matrix, who), precision=precision_view(matrix, who).records())
        wrong = mistakes(matrix, who).view()
        talk.show(wrong, mistakes=wrong.records())
    against = disputes(matrix, who).view()
    talk.show(against, disputes=against.records())
    if info.failure is None:
        talk.say("it never failed", failure=None)
        return
    failure = info.failure
    talk.say(f"it failed on {failure.count:,} rows and abstained; first on row {failure.first_id}:")
    talk.say(failure.first_error, failure=vars(failure))
