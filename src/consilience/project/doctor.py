"""Look for damage in a project's store, and mend what can be: votes and models can be made again, rows cannot."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from consilience.errors import ConsilienceError, StoreError
from consilience.project.functions import declared_functions
from consilience.project.project import Project

SETTLED_S = 60
OURS = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}\..*\.part")


@dataclass(frozen=True)
class Finding:
    """One thing found: whether it is damage or a note, what to do, and whether that was done."""

    what: str
    fix: str
    damage: bool = True
    mended: bool = False


def examine(project: Project, *, repair: bool = False, tidy: bool = False) -> list[Finding]:
    """All findings.

    repair: drop votes and models whose files are lost, and files nobody asks for. tidy: drop the votes of functions
    that the last apply did not have, and of rows that are no longer there; they are kept otherwise, for an edit undone.
    """
    found = [Finding(line, "Move .consilience away and add the files again.") for line in project.catalogue.check()]
    try:
        declared_functions(project.folder / "lfs.toml")
    except ConsilienceError as error:
        found.append(Finding(str(error), "Correct lfs.toml.", damage=False))
    found += _lost_blobs(project, repair)
    found += _idle_columns(project, tidy)
    found += _idle_files(project, repair, project.clock())
    rejects = project.catalogue.one("SELECT count(*) AS n FROM reject")
    if rejects and rejects["n"]:
        found.append(Finding(f"{rejects['n']:,} rows were set aside", "See consilience show --rejects.", damage=False))
    return found


def _lost_blobs(project: Project, repair: bool) -> list[Finding]:
    found = []
    for blob in sorted(project.catalogue.blobs()):
        try:
            project.blobs.get(blob)
        except StoreError as error:
            found.append(_mend(project, blob, str(error).splitlines()[0], repair))
    return found


def _mend(project: Project, blob: str, what: str, repair: bool) -> Finding:
    """Forget votes or a model whose file is lost; rows that are lost must be added again by hand."""
    part = project.catalogue.one("SELECT source, n_rows FROM part WHERE blob = ?", blob)
    fix = "Run consilience apply, fit or train to make it again."
    if part is not None:
        fix = f"These are {part['n_rows']:,} rows from {part['source']}: add that file again after --repair."
    if repair:
        project.blobs.path(blob).unlink(missing_ok=True)
        with project.catalogue.writing():
            project.catalogue.write("DELETE FROM part WHERE blob = ?", blob)
            project.catalogue.write("DELETE FROM vote_column WHERE blob = ?", blob)
            project.catalogue.write("DELETE FROM run WHERE blob = ?", blob)
    return Finding(what, fix, mended=repair)


def _idle_columns(project: Project, tidy: bool) -> list[Finding]:
    """Columns of votes that the last apply did not use."""
    applied = [run for run in project.runs() if run.kind == "apply"]
    if not applied:
        return []
    used = set(project.columns.keys_of(applied[-1].record, project.config.labels))
    idle = [row["key"] for row in project.catalogue.all("SELECT key FROM vote_column") if row["key"] not in used]
    if not idle:
        return []
    if tidy:
        with project.catalogue.writing():
            for key in idle:
                project.catalogue.write("DELETE FROM vote_column WHERE key = ?", key)
    what = f"{len(idle):,} columns of votes are of functions or rows that the last apply did not have"
    return [Finding(what, "consilience doctor --tidy forgets them.", damage=False, mended=tidy)]


def _idle_files(project: Project, repair: bool, now: float) -> list[Finding]:
    """Files that a killed run left behind: unfinished ones, and blobs the catalogue does not speak of."""
    with ExitStack() as stack:
        if repair:  # rows that are being added now, for longer than a minute perhaps, are not yet spoken of
            stack.enter_context(project.catalogue.writing())
        known = project.catalogue.blobs()
        files = [
            p
            for p in project.blobs.folder.rglob("*")
            if p.is_file() and _is_ours(p) and p.name not in known and _settled(p, now)
        ]
        for path in files if repair else ():
            if _settled(path, now):
                path.unlink(missing_ok=True)
    if not files:
        return []
    what = f"{len(files)} files in the store are no longer asked for"
    return [Finding(what, "consilience doctor --repair deletes them.", damage=False, mended=repair)]


def _is_ours(path: Path) -> bool:
    """Whether a file has the name of a blob, or of one that was not finished."""
    return OURS.fullmatch(path.name) is not None and path.parent.name == path.name.lstrip(".")[:2]


def _settled(path: Path, now: float) -> bool:
    """Whether a file is too old to be one that another process is about to catalogue."""
    try:
        return now - path.stat().st_mtime > SETTLED_S
    except FileNotFoundError:  # another process has just finished with it
        return False
