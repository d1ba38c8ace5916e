"""consilience kb: a knowledge base in a folder, from its program to its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consilience.cli.pictures import must_be_picture, save_picture
from consilience.cli.session import Json, Session, session

if TYPE_CHECKING:
    import polars as pl

    from consilience.kb.folder import KnowledgeBaseFolder
    from consilience.kb.knowledge_base import KnowledgeBase

Folder = Annotated[Path, typer.Option("--folder", "-C", help="The folder with app.ddlog. Default: here.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Holdout = Annotated[
    float | None, typer.Option(help="Share of the labels kept back, to calibrate with. Default: as the last time.")
]
L2 = Annotated[
    float | None, typer.Option(help="How strongly weights are drawn to 0. Default: as tells held-out labels best.")
]
Epochs = Annotated[int | None, typer.Option(help="Sweeps of sampling, where the exact answer is out of reach.")]
Out = Annotated[
    Path | None, typer.Option(help="Write all of it to a file: .parquet, .csv, .tsv, .jsonl; facts also .nt.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", help="Lines to show.")]
HERE = Path()


def init(
    folder: Annotated[Path, typer.Argument(help="Where to make it.")] = HERE,
    json: Json = False,
) -> None:
    """Make a folder with a small program and its data, to be run as it stands and then to be edited."""
    with session("kb init", json) as talk:
        from consilience.kb.folder import init_folder

        made = init_folder(folder)
        talk.say(f"made a knowledge base in {folder.resolve()}", folder=str(folder.resolve()))
        for path, what in made:
            talk.say(f"  {path:<22}{what}")
        talk.next("consilience kb check", "consilience kb run")


def check(folder: Folder = HERE, json: Json = False) -> None:
    """Read the program, say what is wrong with it and where, and what it consists of."""
    with session("kb check", json) as talk:
        work = _folder(folder)
        talk.show(work.overview(), relations=work.relations())
        missing = work.without_data()
        if missing:
            talk.say(f"no file in data/ for: {', '.join(missing)}", without_data=missing)
        talk.next("consilience kb run", "consilience kb compile")


def compile(
    dialect: Annotated[str, typer.Option(help="duckdb, postgres or spark.")] = "duckdb",
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Print the SQL the program becomes, in any dialect."""
    with session("kb compile", json) as talk:
        from consilience.kb.sql.show import compile_program

        statements = compile_program(_folder(folder).program(), dialect)
        for name, text in statements:
            talk.say(f"-- {name}\n{text};\n")
        talk.answer["statements"] = [{"name": name, "sql": text} for name, text in statements]
        talk.next("consilience kb run")


def run(
    holdout: Holdout = None,
    l2: L2 = None,
    epochs: Epochs = None,
    learn: Annotated[
        bool | None, typer.Option("--learn/--keep-weights", help="Default: learn what has not been learned.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Ground everything anew, whatever has changed.")] = False,
    seed: Seed = 0,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Ground, learn and infer what has changed since the last run: data, program or code."""
    with session("kb run", json) as talk, _opened(folder, write=True) as (work, kb):
        report = work.run(kb, seed=seed, holdout=holdout, l2=l2, epochs=epochs, learn=learn, full=full)
        _tell(talk, report)
        talk.next(f"consilience kb marginals {_first(kb)}", "consilience kb calibrate", "consilience kb weights")


def ground(
    full: Annotated[bool, typer.Option("--full", help="Ground everything anew, whatever has changed.")] = False,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Only ground: take in data and program, and make the factor graph."""
    with session("kb ground", json) as talk, _opened(folder, write=True) as (work, kb):
        _tell(talk, work.ground(kb, full=full))
        talk.next("consilience kb learn", "consilience kb infer")


def learn(
    holdout: Holdout = None,
    l2: L2 = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Only learn the weights of what is grounded."""
    with session("kb learn", json) as talk, _opened(folder, write=True) as (_, kb):
        _tell(talk, kb.learn(seed=seed, holdout=holdout, l2=l2, epochs=epochs))
        talk.next("consilience kb infer", "consilience kb weights")


def infer(epochs: Epochs = None, seed: Seed = 0, folder: Folder = HERE, json: Json = False) -> None:
    """Only infer: the probability of every fact, by the weights there are."""
    with session("kb infer", json) as talk, _opened(folder, write=True) as (_, kb):
        _tell(talk, kb.infer(seed=seed, epochs=epochs))
        talk.next(f"consilience kb marginals {_first(kb)}", "consilience kb calibrate")


def marginals(
    relation: Annotated[str, typer.Argument(help="A relation of the program that is declared with ?.")],
    over: Annotated[float, typer.Option(help="Only facts at least this probable.")] = 0.0,
    limit: Limit = 20,
    out: Out = None,
    for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="CSV: a ' before what a spreadsheet would run.")
    ] = False,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Show the facts of a relation, the most probable first, or write them to a file."""
    with session("kb marginals", json) as talk, _opened(folder) as (_, kb):
        facts = kb.facts(relation, over=over)
        if out is not None:
            kb.export(relation, out, over=over, for_spreadsheets=for_spreadsheets)
            talk.say(f"{len(facts):,} facts of {relation} in {out}", n=len(facts), path=str(out))
        else:
            _show(talk, facts, f"{relation}: {len(facts):,} facts", limit)
        talk.next(f"consilience kb explain {relation} KEY", "consilience kb calibrate")


def weights(
    rule: Annotated[str | None, typer.Option(help="Only the weights of this rule.")] = None,
    limit: Limit = 20,
    out: Out = None,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Show what was learned: the heaviest weights, what they are tied to, and how many factors have them."""
    with session("kb weights", json) as talk, _opened(folder) as (_, kb):
        found = kb.weights(rule)
        if out is not None:
            _write(found, out)
            talk.say(f"{len(found):,} weights in {out}", n=len(found), path=str(out))
        else:
            _show(talk, found, f"{len(found):,} weights", limit)
        talk.next("consilience kb explain RELATION KEY")


def query(
    text: Annotated[str, typer.Argument(help="A query in the language: 'x, y ?- R(x, y), x < y.'")],
    limit: Limit = 50,
    out: Out = None,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Ask the relations, those that were loaded and those that were derived."""
    with session("kb query", json) as talk, _opened(folder) as (_, kb):
        found = kb.query(text)
        if out is not None:
            _write(found, out)
            talk.say(f"{len(found):,} rows in {out}", n=len(found), path=str(out))
        else:
            _show(talk, found, f"{len(found):,} rows", limit)
        talk.next("consilience kb explain RELATION KEY")


def explain(
    relation: Annotated[str, typer.Argument(help="A relation of the program that is declared with ?.")],
    key: Annotated[list[str], typer.Argument(help="The columns that name the fact, in their order.")],
    limit: Limit = 10,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Show why a fact is as probable as it is: rules, weights, and the rows that speak for it."""
    with session("kb explain", json) as talk, _opened(folder) as (_, kb):
        found = kb.explain(relation, *key, limit=limit)
        talk.show(found.view(), **found.record())
        for view in found.evidence_views():
            talk.show(view)
        talk.next("consilience kb weights", "consilience kb query '...'")


def calibrate(
    relation: Annotated[str | None, typer.Argument(help="A relation declared with ?. Default: the first.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw it: a .png, .svg or .pdf file.")] = None,
    mistakes: Annotated[int, typer.Option(help="Worst mistakes to show.")] = 10,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Compare probabilities with the labels that were kept back: ten buckets, scores, and the worst mistakes."""
    with session("kb calibrate", json) as talk, _opened(folder) as (_, kb):
        if out is not None:
            must_be_picture(out)
        name = relation or _first(kb)
        found = kb.calibration(name)
        talk.show(found.view(), relation=name, buckets=found.records(), error=found.error, scores=found.scores())
        worst = found.mistakes(mistakes)
        if len(worst):
            _show(talk, worst, "worst mistakes", mistakes, key="mistakes")
        if out is not None:
            save_picture(found.plot(), out)
            talk.say(f"drawn in {out}", path=str(out))
        talk.next(f"consilience kb explain {name} KEY", "consilience kb run --holdout 0.25")


def diff(
    relation: Annotated[str | None, typer.Argument(help="Only this relation.")] = None,
    least: Annotated[float, typer.Option(help="Smallest change of a probability that counts.")] = 0.05,
    limit: Limit = 20,
    out: Out = None,
    folder: Folder = HERE,
    json: Json = False,
) -> None:
    """Show the facts whose probability the last run changed, the largest change first."""
    with session("kb diff", json) as talk, _opened(folder) as (_, kb):
        found = kb.changes(relation, least=least)
        if out is not None:
            _write(found, out)
            talk.say(f"{len(found):,} changed facts in {out}", n=len(found), path=str(out))
        else:
            _show(talk, found, f"{len(found):,} facts changed by {least} or more", limit)
        talk.next("consilience kb explain RELATION KEY")


VERBS: dict[str, Callable[..., None]] = {
    "init": init,
    "check": check,
    "compile": compile,
    "run": run,
    "ground": ground,
    "learn": learn,
    "infer": infer,
    "marginals": marginals,
    "weights": weights,
    "query": query,
    "explain": explain,
    "calibrate": calibrate,
    "diff": diff,
}
app = typer.Typer(
    help="A knowledge base: a program over relations, and facts with probabilities.", no_args_is_help=True
)
for name, verb in VERBS.items():
    app.command(name)(verb)


def _folder(start: Path) -> KnowledgeBaseFolder:
    from consilience.kb.folder import KnowledgeBaseFolder

    return KnowledgeBaseFolder.find(start)


@contextmanager
def _opened(start: Path, *, write: bool = False) -> Iterator[tuple[KnowledgeBaseFolder, KnowledgeBase]]:
    """The knowledge base of a folder; its code may run if the folder is trusted. Closed at the end."""
    from consilience.errors import TrustError
    from consilience.project.trust import is_trusted

    work = _folder(start)
    try:
        with work.open(write=write, allow_code=is_trusted(work.path)) as kb:
            yield work, kb
    except TrustError as error:
        said = str(error).split("\nFix:")[0]
        raise TrustError(f"{said}\nFix: read it, then run `consilience trust`.") from None


def _first(kb: KnowledgeBase) -> str:
    names = [name for name, relation in kb.program.relations.items() if relation.is_variable]
    return names[0] if names else "RELATION"


def _tell(talk: Session, report: Any) -> None:
    talk.show(report.view(), **report.record())


def _show(talk: Session, frame: pl.DataFrame, title: str, limit: int, *, key: str = "rows") -> None:
    """A frame as a table: the first rows for people, as many for programs."""
    from consilience.views import View

    head = frame.head(limit)
    notes = [f"{len(frame) - len(head):,} more: --limit, or --out FILE"] if len(frame) > len(head) else []
    talk.show(
        View(head.columns, [tuple(map(_cell, row)) for row in head.iter_rows()], title=title, notes=notes),
        **{key: head.to_dicts(), f"n_{key}": len(frame)},
    )


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return "" if value is None else value if isinstance(value, (int, str)) else str(value)


def _write(frame: pl.DataFrame, path: Path) -> None:
    from consilience.kb.results.export import export

    export(frame, path)
