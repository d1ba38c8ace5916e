"""What 1% new documents cost from end to end: update(...) of a knowledge base against a full run over the same rows.

    python benchmarks/kb_incremental.py [--size N] [--share P] [--threads N] [--disk] [--markdown] [--json FILE]

The program is that of `kb_grounding.py`. All documents but a share are grounded, learned and inferred; then come
changes, one after another: the share is inserted (the first update of a process, which compiles queries and loops and
puts the graph in memory), deleted, inserted again, deleted, inserted; labels change; a rule is new. Each is one call of
`update`, which grounds and infers what the change touches and writes the marginals. After some, the same rows are run
from scratch in a process of their own with the weights the updated base has: "full run" is grounding, loading the
graph, inference and writing; the difference is the mean over all facts (and the largest). CPU seconds are those of all
threads. `x` is full run over update, by the wall clock and by CPU seconds. --disk: with a database file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.kb.knowledge_base import KnowledgeBase
from consilience.kb.results.report import RunReport
from kb_grounding import PROGRAM, SEED, rows
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table

BAR, BAR_DIFFERENCE = 50.0, 0.01
SIZE, SHARE = 900_000, 0.01
NEW_RULE = """
@name("rare word") @weight(1.5)
has_spouse(p1, p2) :-
    spouse_candidate(p1, _, p2, _),
    person_mention(p1, _, doc, sentence, _),
    sentence_feature(doc, sentence, "word_between_40000").
"""
COLUMNS = ("what", "wall s", "CPU s", "ground s", "infer s", "full run s", "full CPU s", "x", "x by CPU",
           "mean difference", "largest", "peak MB", "held")  # fmt: skip
Frames = dict[str, pl.DataFrame]


@dataclass
class State:
    """Rows and program as they are after some changes; what a process needs to make the same from scratch."""

    without_share: bool = False
    more_labels: bool = False
    new_rule: bool = False

    @property
    def program(self) -> str:
        return PROGRAM + NEW_RULE if self.new_rule else PROGRAM


def split(base: Frames, share: float) -> tuple[Frames, Frames]:
    """Rows of the documents that are there, and of the last ones, which come later."""
    n_documents = 1 + int(base["person_mention"]["doc_id"].str.slice(3).cast(pl.Int64).max())  # type: ignore[arg-type]
    first = int(n_documents * (1 - share))
    old, new = {}, {}
    for name, frame in base.items():
        if "doc_id" not in frame.columns:
            old[name] = frame
            continue
        later = frame["doc_id"].str.slice(3).cast(pl.Int64) >= first
        old[name], new[name] = frame.filter(~later), frame.filter(later)
    return old, new


def label_rows() -> pl.DataFrame:
    """Pairs of names that are known as well from some point on."""
    rng = np.random.default_rng([SEED, 1])
    pairs = rng.integers(0, 2_000, (1_000, 2))
    return pl.DataFrame({f"name{i + 1}": np.char.add("Person ", pairs[:, i].astype(str)) for i in (0, 1)})


class Clock:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall_s": time.perf_counter() - self.wall, "cpu_s": time.process_time() - self.cpu}


def from_scratch(state: State, options: argparse.Namespace, weights: Path, out: Path) -> dict[str, Any]:
    """A full run by given weights, in this process; facts go to `out`."""
    base = rows(options.size)
    old, new = split(base, options.share)
    path = out.with_suffix(".duckdb") if options.disk else None
    if path is not None:
        path.unlink(missing_ok=True)  # of the full run before
    with KnowledgeBase(state.program, path, threads=options.threads) as kb:
        for name, frame in (old if state.without_share else base).items():
            kb.load(name, frame)
        if state.more_labels:
            kb.load("known", label_rows())
        del base, old, new
        clock = Clock()
        kb.ground()
        found: dict[str, Any] = {f"ground_{k}": v for k, v in clock.read().items()}
        given = pl.read_parquet(weights)
        with kb.store.reading(given, "given"):
            kb.store.execute("UPDATE _kb.weights SET value = given.value FROM given WHERE given.id = weights.id")
        clock = Clock()
        kb.infer()
        found |= {f"infer_{k}": v for k, v in clock.read().items()}
        found |= {k: found[f"ground_{k}"] + found[f"infer_{k}"] for k in ("wall_s", "cpu_s")}
        found["peak_mb"] = peak_mb()
        facts(kb).write_parquet(out)
        if options.learn:
            clock = Clock()
            kb.learn()
            found |= {f"learn_{k}": v for k, v in clock.read().items()}
    return found


def facts(kb: KnowledgeBase) -> pl.DataFrame:
    return kb.store.frame("SELECT id, value, probability FROM _kb.facts ORDER BY id, value")


class Comparison:
    """Full runs in processes of their own, and what they say of the marginals."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder

    def __call__(self, kb: KnowledgeBase, state: State, *, learn: bool = False) -> dict[str, Any]:
        weights, out = self.folder / "weights.parquet", self.folder / "facts.parquet"
        kb.store.frame("SELECT id, value FROM _kb.weights").write_parquet(weights)
        o = self.options
        command = [sys.executable, __file__, "--child", json.dumps(vars(state)), str(weights), str(out)]
        command += ["--size", str(o.size), "--share", str(o.share), "--threads", str(o.threads)]
        command += ["--disk"] * o.disk + ["--learn"] * learn
        full = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        mine, theirs = facts(kb), pl.read_parquet(out)
        if mine.select("id", "value").equals(theirs.select("id", "value")):
            apart = (mine["probability"] - theirs["probability"]).abs()
            full |= {"difference": apart.mean(), "largest": apart.max()}
        else:
            full |= {"difference": float("inf"), "largest": float("inf")}
        return full


def timed(act: Callable[[], RunReport]) -> dict[str, Any]:
    """An update with its seconds, in all and by step."""
    clock = Clock()
    report = act()
    found: dict[str, Any] = clock.read()
    for step in report.steps:
        found[f"{step.what}_s"] = step.seconds
    return found | {"said": str(report), "peak_mb": peak_mb()}


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """All lines."""
    base = rows(options.size)
    old, new = split(base, options.share)
    path = folder / "kb.duckdb" if options.disk else None
    compare = Comparison(options, folder)
    lines: list[dict[str, Any]] = []
    with KnowledgeBase(PROGRAM, path, threads=options.threads) as kb:
        for name, frame in old.items():
            kb.load(name, frame)
        del base, old
        ran = timed(kb.run)
        lines.append({"what": "full run that learns (all but the share)", **ran})
        learned_wall, learned_cpu = ran["wall_s"], ran["cpu_s"]

        def add(what: str, state: State | None, act: Callable[[], RunReport], **more: Any) -> None:
            line = {"what": what, **timed(act), **more}
            if state is not None:
                line["full"] = compare(kb, state)
            lines.append(line)

        add("insert, first update of a process", State(), lambda: kb.update(inserts=new))
        add("delete", State(without_share=True), lambda: kb.update(deletes=new))
        for _ in range(2):
            add("insert, later", None, lambda: kb.update(inserts=new))
            add("delete, later", None, lambda: kb.update(deletes=new))
        add("insert, later", State(), lambda: kb.update(inserts=new))
        add("1,000 known pairs more (labels)", None, lambda: kb.update(inserts={"known": label_rows()}))
        last = State(more_labels=True, new_rule=True)
        add("a new rule for a rare word", last, lambda: kb.update(program=last.program))
        of_inserts = [x for x in lines if x["what"] == "insert, later"]
        best = min(of_inserts, key=lambda x: x["wall_s"])
        lines.append({**of_inserts[-1], **{k: best[k] for k in ("wall_s", "cpu_s", "ground_s", "infer_s")},
                      "what": "insert, later, against a full run that learns",
                      "full": of_inserts[-1]["full"] | {"wall_s": learned_wall, "cpu_s": learned_cpu}})  # fmt: skip
    known = {id(x): x.get("full") for x in lines}
    for place, line in enumerate(lines):  # a full run over the same rows stands for all lines that have these
        if line["what"].endswith("later") and known[id(line)] is None:
            same = next(x for x in lines[place:] + lines if x["what"].startswith(line["what"][:6]) and x.get("full"))
            line["full"] = same["full"]
        if line["what"].startswith("1,000"):
            line["full"] = {**next(x["full"] for x in lines if x["what"].startswith("a new")), "difference": None}
    return lines


def judged(line: dict[str, Any]) -> dict[str, Any]:
    """A line with how many times faster it was, and whether that holds the bar."""
    full = line.get("full")
    if full is None:
        return line
    line |= {"times": full["wall_s"] / line["wall_s"], "times_cpu": full["cpu_s"] / line["cpu_s"]}
    agrees = full["difference"] is None or full["difference"] <= BAR_DIFFERENCE
    return line | {"held": bool(agrees and line["times"] >= BAR)}


def shown(line: dict[str, Any]) -> list[str]:
    full = line.get("full") or {}

    def number(of: dict[str, Any], key: str, form: str) -> str:
        value = of.get(key)
        return NOT_KNOWN if value is None else format(value, form)

    held = line.get("held")
    return [
        line["what"], *(number(line, k, ".3f") for k in ("wall_s", "cpu_s", "ground_s", "infer_s")),
        number(full, "wall_s", ".2f"), number(full, "cpu_s", ".2f"), number(line, "times", ".0f"),
        number(line, "times_cpu", ".0f"), number(full, "difference", ".1e"), number(full, "largest", ".1e"),
        number(line, "peak_mb", ",.0f"), NOT_KNOWN if held is None else ("yes" if held else "no"),
    ]  # fmt: skip


def main() -> int:
    """Print the table, append the JSON lines; 1 if marginals differ from those of a full run by more than the bar."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=SIZE, help="candidates")
    parser.add_argument("--share", type=float, default=SHARE, help="share of the documents that are new")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--disk", action="store_true", help="with a database file, not in memory")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, default=lines_file("kb_incremental"), help=JSON_HELP)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--learn", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        state, weights, out = chosen.child
        print(json.dumps(from_scratch(State(**json.loads(state)), chosen, Path(weights), Path(out))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        lines = [judged(line) for line in measure(chosen, Path(folder))]
    about = {"seed": SEED, "machine": machine(), "size": chosen.size, "share": chosen.share, "disk": chosen.disk}
    for line in lines:
        append_json(chosen.json, {"name": "kb_incremental", **about, "bar": BAR, **line})
    where = "a database file" if chosen.disk else "in memory"
    print(f"{chosen.size:,} candidates, {chosen.share:.0%} of the documents new, {where}, bar {BAR:g}x, seed {SEED}")
    print(table(COLUMNS, [shown(line) for line in lines], markdown=chosen.markdown))
    print(machine())
    apart = [line["full"]["difference"] for line in lines if line.get("full")]
    return int(any(d is not None and d > BAR_DIFFERENCE for d in apart))


if __name__ == "__main__":
    raise SystemExit(main())
