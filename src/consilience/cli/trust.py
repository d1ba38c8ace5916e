"""consilience trust: let a folder's Python run."""

from __future__ import annotations

from consilience.cli.session import HERE, Folder, Json, session


def trust(project: Folder = HERE, json: Json = False) -> None:
    """Let this project's lfs.py run on this machine. Read it first: it can do anything you can."""
    with session("trust", json) as talk:
        from consilience.project.functions import WRITTEN
        from consilience.project.project import find_project
        from consilience.project.trust import trust as trust_folder

        folder = find_project(project)
        trust_folder(folder)
        path = folder / WRITTEN
        n = len(path.read_text("utf-8").splitlines()) if path.is_file() else 0
        talk.say(f"trusted {folder}: {WRITTEN} ({n} lines) may run from now on", folder=str(folder), lines=n)
        talk.next("consilience apply")
