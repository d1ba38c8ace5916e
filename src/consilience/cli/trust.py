"""consilience trust: let a folder's Python run."""

from __future__ import annotations

from pathlib import Path

from consilience.cli.session import HERE, Folder, Json, session


def trust(project: Folder = HERE, json: Json = False) -> None:
    """Let this folder's Python run on this machine: a project's lfs.py, or the functions of a knowledge base.

    Read it first: it can do anything you can.
    """
    with session("trust", json) as talk:
        from consilience.errors import StoreError
        from consilience.project.functions import WRITTEN
        from consilience.project.project import find_project
        from consilience.project.trust import trust as trust_folder

        try:
            folder = find_project(project)
        except StoreError:
            if (base := _knowledge_base(project)) is None:
                raise
            trust_folder(base)
            talk.say(f"trusted {base}: the functions of its program may run from now on", folder=str(base))
            talk.next("consilience kb run")
            return
        trust_folder(folder)
        path = folder / WRITTEN
        n = len(path.read_text("utf-8").splitlines()) if path.is_file() else 0
        talk.say(f"trusted {folder}: {WRITTEN} ({n} lines) may run from now on", folder=str(folder), lines=n)
        talk.next("consilience apply")


def _knowledge_base(start: Path) -> Path | None:
    """The nearest folder with a knowledge base's program."""
    from consilience.errors import StoreError
    from consilience.kb.folder import KnowledgeBaseFolder

    try:
        return KnowledgeBaseFolder.find(start).path
    except StoreError:
        return None
