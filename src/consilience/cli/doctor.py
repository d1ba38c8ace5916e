"""consilience doctor: is the store whole, and can it be mended?"""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import DAMAGED, HERE, Folder, Json, opened, session


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    tidy: Annotated[bool, typer.Option("--tidy", help="Forget votes that the last apply did not use.")] = False,
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Check settings, functions, catalogue and every stored file. Exit code 3 if damage is left."""
    left = 0
    with session("doctor", json) as talk, opened(project) as work:
        from consilience.project.doctor import examine

        found = examine(work, repair=repair, tidy=tidy)
        left = sum(finding.damage and not finding.mended for finding in found)
        for finding in found:
            mark = "mended" if finding.mended else ("DAMAGE" if finding.damage else "note")
            talk.say(f"{mark}: {finding.what}\n  {finding.fix}")
        counts = f"{len(work.parts) if not left else '?'} files of rows, {len(work.runs())} runs"
        talk.say(
            f"the store is {'damaged' if left else 'whole'} ({counts})", damage=left, findings=[vars(f) for f in found]
        )
        talk.next("consilience doctor --repair" if left else "consilience apply")
    if left:
        raise typer.Exit(DAMAGED)
