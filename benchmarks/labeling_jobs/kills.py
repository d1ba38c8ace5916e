"""Kill `consilience apply` and `consilience label` at random moments, again and again: is anything torn, or lost?

After each kill the doctor looks at the store, and no piece of work that was kept before may be gone. Whenever a run
gets through, its votes must be those of a project that was never killed; then the functions are edited, and it goes on.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import polars as pl

from jobs import SEED, Found, Job
from labeling_jobs.applying import COMMAND, SOURCE, WORDS

from functions.plain import short_texts

PIECES, PIECE_ROWS = 6, 100_000


def jobs() -> list[Job]:
    return [
        Job("kills of apply", "100 kills, 600k rows", partial(killed, 100, ("apply",))),
        Job("kills of label", "100 kills, 600k rows", partial(killed, 100, ("label", "rows.parquet", "--into", "out"))),
    ]


def functions(version: int) -> str:
    code = "import re\nimport consilience as cs\n"
    code += "".join(SOURCE.format(number=n, word=WORDS[n] + "x" * version) for n in range(4))
    return code + '\n@cs.labeling_function("spam")\ndef asks(row):\n    return "subscribe" in row.text\n'


class Place:
    """A project in a folder of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "CONSILIENCE_HOME": str(home)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=self.folder, env=self.environ, stdout=pipe, stderr=pipe, text=True
        )

    def done(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{arguments} ended with {process.returncode}: {out} {err}")
        return out

    def kept(self) -> set[str]:
        """What the store and the folders of votes and labels hold, by name."""
        blobs = {path.name for path in (self.folder / ".consilience" / "blobs").glob("??/*") if path.name[0] != "."}
        return blobs | {path.name for path in (self.folder / "out").rglob("*.parquet")}

    def votes(self, command: str) -> pl.DataFrame:
        if command == "label":
            parts = sorted((self.folder / "out" / "votes").rglob("*.votes.parquet"))
            return pl.concat([pl.read_parquet(path).cast(pl.String) for path in parts])
        from consilience import Project

        project = Project(self.folder)
        try:
            matrix = project.matrix
            return pl.DataFrame({name: matrix.names_of(name) for name in matrix.names}, schema_overrides=None)
        finally:
            project.close()


def make(folder: Path, home: Path, command: str) -> Place:
    place = Place(folder, home)
    folder.mkdir(parents=True)
    n = PIECES * PIECE_ROWS
    frame = pl.DataFrame({"id": range(n), "text": short_texts(n, SEED)})
    frame.write_parquet(folder / "rows.parquet")
    place.done("init", ".", "--labels", "ham,spam", "--id", "id")
    frame.head(1000 if command == "label" else n).write_parquet(folder / "known.parquet")
    place.done("add", "known.parquet")
    (folder / "lfs.py").write_text(functions(0))
    if command == "label":
        place.done("apply")
        place.done("fit")
    return place


def killed(kills: int, arguments: tuple[str, ...], folder: Path) -> Found:
    command, chance = arguments[0], random.Random(SEED)
    home = folder / "home"
    place, never = make(folder / "killed", home, command), make(folder / "whole", home, command)
    began, version, longest, n_done, n_lost, n_torn = time.perf_counter(), 0, 0.0, 0, 0, 0
    whole_began = time.perf_counter()
    never.done(*arguments)
    longest = time.perf_counter() - whole_began
    n_kills = resumed = 0
    while n_kills < kills:
        before, process = place.kept(), place.start(*arguments)
        try:
            out, err = process.communicate(timeout=chance.uniform(0.05, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            n_kills += 1
            after = place.kept()
            n_lost += len(before - after)
            resumed += len(after - before) > 0
            n_torn += place.start("doctor").wait() != 0
            continue
        if process.returncode:
            raise RuntimeError(f"it ended with {process.returncode}: {out} {err}")
        never.done(*arguments)
        if not place.votes(command).equals(never.votes(command)):
            raise RuntimeError("the votes are not those of a run that was never killed")
        n_done, version = n_done + 1, version + 1
        for one in (place, never):
            (one.folder / "lfs.py").write_text(functions(version))
            shutil.rmtree(one.folder / "out", ignore_errors=True)
    wall = time.perf_counter() - began
    result = f"{n_kills} kills, {n_torn} torn, {n_lost} lost; {resumed} left work that was gone on with; "
    result += f"{n_done} runs got through, all right"
    found = {"wall_s": wall, "wall_best_s": wall, "cpu_s": 0.0, "cpu_best_s": 0.0, "runs": n_kills, "result": result}
    if n_lost or n_torn:
        raise RuntimeError(result)
    return found


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        n = int(sys.argv[1])
        for job in jobs():
            print(job.measure.func(n, job.measure.args[1], Path(name) / job.what.replace(" ", "-"))["result"])  # type: ignore[attr-defined]
