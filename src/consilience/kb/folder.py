"""A knowledge base's folder: its program `app.ddlog`, a file of rows for each base relation in `data/`, `kb.duckdb`.

The files are the truth; the database is made from them. A run takes in what has changed since the last one: rows of a
file that came or went, rules, and the code of functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consilience.errors import DataError, StoreError
from consilience.kb.example import example_files
from consilience.kb.language import check, parse
from consilience.kb.language.tree import Derivation, FunctionCall, Inference, Program, Supervision
from consilience.store.files import replacing
from consilience.views import View

if TYPE_CHECKING:
    from consilience.kb.knowledge_base import KnowledgeBase
    from consilience.kb.results.report import RunReport

PROGRAM, DATA, DATABASE = "app.ddlog", "data", "kb.duckdb"
ENDINGS = (".csv", ".tsv", ".tsj", ".jsonl", ".parquet")


@dataclass(frozen=True)
class KnowledgeBaseFolder:
    """A folder with a program. Nothing is opened until `open`."""

    path: Path

    @classmethod
    def find(cls, start: Path) -> KnowledgeBaseFolder:
        """The nearest folder with app.ddlog, from start upwards. raises: StoreError if there is none."""
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / PROGRAM).is_file():
                return cls(folder)
        raise StoreError(
            f"There is no knowledge base in {start} or above it: no file {PROGRAM}.\n"
            "Fix: make one with `consilience kb init`."
        )

    def text(self) -> str:
        """The program as it is written. raises: DataError if it is not text."""
        try:
            return (self.path / PROGRAM).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path / PROGRAM} is not UTF-8 at byte {error.start}.\nFix: save it as UTF-8."
            ) from None

    def program(self) -> Program:
        """The program, checked. raises: ProgramError with every line that is wrong."""
        return check(parse(self._written(), name=PROGRAM))

    def _written(self) -> str:
        """The text of a program that says something. raises: DataError."""
        text = self.text()
        if not text.strip("\ufeff \t\r\n"):
            raise DataError(f"{self.path / PROGRAM} is empty.\nFix: write a program, or take it from a backup.")
        return text

    def base(self, program: Program) -> list[str]:
        """Relations whose rows come from files: those that no rule derives."""
        derived = {head_of(rule) for rule in program.rules if not isinstance(rule, Inference)}
        return [name for name in program.relations if name not in derived]

    def files(self, program: Program) -> dict[str, Path]:
        """The file of each base relation that has one. raises: DataError if two files claim to be the same relation."""
        found: dict[str, Path] = {}
        for path in sorted((self.path / DATA).iterdir()) if (self.path / DATA).is_dir() else ():
            if path.suffix.lower() not in ENDINGS or path.stem not in program.relations:
                continue
            if path.stem in found:
                raise DataError(
                    f"Both {found[path.stem].name} and {path.name} in {DATA}/ are rows of {path.stem!r}.\n"
                    "Fix: keep one of them."
                )
            found[path.stem] = path
        return found

    def without_data(self) -> list[str]:
        """Base relations without a file, and without variables: they will be empty."""
        program = self.program()
        files = self.files(program)
        return [n for n in self.base(program) if n not in files and not program.relations[n].is_variable]

    def relations(self) -> list[dict[str, Any]]:
        """What `kb check` lists, one record a relation."""
        program = self.program()
        files, base = self.files(program), set(self.base(program))
        return [
            {
                "relation": name,
                "columns": ", ".join(f"{c.name} {c.type}".strip() for c in r.columns),
                "kind": "variables" if r.is_variable else "base" if name in base else "derived",
                "rules": sum(name in heads_of(rule) for rule in program.rules),
                "file": files[name].name if name in files else "",
            }
            for name, r in program.relations.items()
        ]

    def overview(self) -> View:
        """The relations of the program as a table, and what rules there are."""
        rows = [tuple(record.values()) for record in self.relations()]
        kinds = {"derive": Derivation, "call functions": FunctionCall, "supervise": Supervision, "infer": Inference}
        rules = self.program().rules
        counts = [f"{sum(isinstance(r, kind) for r in rules)} rules {does}" for does, kind in kinds.items()]
        return View(("relation", "columns", "kind", "rules", "file"), rows, title=PROGRAM, notes=[", ".join(counts)])

    @contextmanager
    def open(self, *, write: bool = False, allow_code: bool = False) -> Iterator[KnowledgeBase]:
        """The knowledge base, closed at the end.

        write: to change it, which one process at a time can do. Without it, the program is that of the last run.
        raises: StoreError if it was never run and is only to be read, or if another process is writing.
        """
        from consilience.kb.knowledge_base import KnowledgeBase

        database = self.path / DATABASE
        if not write and not database.is_file():
            raise StoreError(f"Nothing has been computed in {self.path} yet.\nFix: consilience kb run")
        kb = KnowledgeBase(self._written(), database, allow_code=allow_code, folder=self.path, read_only=not write)
        try:
            yield kb
        finally:
            kb.close()

    def ground(self, kb: KnowledgeBase, *, full: bool = False) -> RunReport:
        """Take in the files and the program, as far as they changed; full: everything anew."""
        for name, path in self.files(kb.program).items():
            kb.follow(name, path)
        return kb.ground(full=full)

    def run(self, kb: KnowledgeBase, *, full: bool = False, **settings: Any) -> RunReport:
        """Ground what changed, learn, infer. settings: those of KnowledgeBase.run."""
        for name, path in self.files(kb.program).items():
            kb.follow(name, path)
        return kb.run(full=full, **settings)


def head_of(rule: Derivation | FunctionCall | Supervision) -> str:
    """The relation a rule gives rows to."""
    return rule.relation if isinstance(rule, FunctionCall) else rule.head.relation


def heads_of(rule: Derivation | FunctionCall | Supervision | Inference) -> set[str]:
    """The relations a rule gives rows to, or whose variables it joins."""
    if isinstance(rule, Inference):
        return {literal.atom.relation for literal in rule.literals}
    return {head_of(rule)}


def init_folder(folder: Path) -> list[tuple[str, str]]:
    """Make a folder with an example that runs as it stands. returns: its files and what each is.

    raises: StoreError if there is a program already.
    """
    if (folder / PROGRAM).exists():
        raise StoreError(f"{folder / PROGRAM} is there already.\nFix: edit it, or choose another folder.")
    made = []
    for name, what, text in example_files():
        with replacing(folder / name) as out:
            out.write(text.encode())
        made.append((name, what))
    return made
