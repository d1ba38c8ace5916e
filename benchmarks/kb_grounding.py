"""How long grounding takes: a program like that of the spouse example over simulated documents, from rows to arrays.

    python benchmarks/kb_grounding.py [--sizes N ...] [--threads N] [--markdown] [--json FILE]

A document has 4 sentences, a sentence 4 people (6 pairs of them are candidates) and 10 features out of 50,000, the
frequent ones far more frequent. Candidates are a self-join with a count of people; a quarter of them is labelled by
joining a table of known pairs; a factor joins candidate, mention and feature, its weight tied by the feature. A line
is one size in a process of its own. CPU seconds are those of all threads: on a shared machine the wall clock says what
the neighbours do. `exponent` is the slope of the figure's logarithm over that of factors, over all lines and over the
last two (small sizes cost what starting costs): 1 means in proportion.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.kb.grounding.arrays import load_graph
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.store import Store
from consilience.kb.language.parse import parse
from record import JSON_HELP, append_json, lines_file, machine, peak_mb, table

SEED = 0
BAR_S = 15.0  # by the wall clock of a machine with nothing else to do
FEATURES, PER_SENTENCE, PEOPLE = 50_000, 10, 4
SIZES = (900, 9_000, 90_000, 900_000)
PROGRAM = """
person_mention(mention_id text, mention_text text, doc_id text, sentence_index int, begin_index int).
sentence_feature(doc_id text, sentence_index int, feature text).
known(name1 text, name2 text).
spouse_candidate(p1_id text, p1_name text, p2_id text, p2_name text).
has_spouse?(p1_id text, p2_id text).

num_people(doc, sentence, COUNT(p)) :- person_mention(p, _, doc, sentence, _).

spouse_candidate(p1, p1_name, p2, p2_name) :-
    num_people(doc, sentence, n),
    person_mention(p1, p1_name, doc, sentence, p1_begin),
    person_mention(p2, p2_name, doc, sentence, p2_begin),
    n < 5, p1 < p2, p1_begin != p2_begin.

has_spouse(p1, p2) = NULL :- spouse_candidate(p1, _, p2, _).
has_spouse(p1, p2) = TRUE :- spouse_candidate(p1, n1, p2, n2), known(n1, n2).
has_spouse(p1, p2) = FALSE :- spouse_candidate(p1, n1, p2, n2), known(n2, n1).

@name("feature") @weight(f)
has_spouse(p1, p2) :-
    spouse_candidate(p1, _, p2, _),
    person_mention(p1, _, doc, sentence, _),
    sentence_feature(doc, sentence, f).

@name("one spouse") @weight("?")
has_spouse(p1, p2) = has_spouse(p1, p3) :-
    spouse_candidate(p1, _, p2, _),
    spouse_candidate(p1, _, p3, _),
    p2 < p3.
"""


def rows(n_candidates: int) -> dict[str, pl.DataFrame]:
    """Base rows for about so many candidates."""
    rng = np.random.default_rng(SEED)
    n_sentences = max(1, n_candidates // (PEOPLE * (PEOPLE - 1) // 2))
    sentence = np.repeat(np.arange(n_sentences), PEOPLE)
    place = np.tile(np.arange(PEOPLE), n_sentences)
    names = np.char.add("Person ", rng.integers(0, 2_000, len(sentence)).astype(str))
    doc = np.char.add("doc", (sentence // 4).astype(str))
    ids = np.char.add(
        np.char.add(doc, "_"), np.char.add((sentence % 4).astype(str), np.char.add("_", place.astype(str)))
    )
    mentions = pl.DataFrame(
        {
            "mention_id": ids,
            "mention_text": names,
            "doc_id": doc,
            "sentence_index": sentence % 4,
            "begin_index": place * 5,
        }
    )
    of = np.repeat(np.arange(n_sentences), PER_SENTENCE)
    rank = (FEATURES ** rng.random(len(of))).astype(np.int64)  # the k-th most frequent has a share near 1/k
    features = pl.DataFrame(
        {
            "doc_id": np.char.add("doc", (of // 4).astype(str)),
            "sentence_index": of % 4,
            "feature": np.char.add("word_between_", rank.astype(str)),
        }
    )
    pairs = rng.integers(0, 2_000, (500_000, 2))
    known = pl.DataFrame({f"name{i + 1}": np.char.add("Person ", pairs[:, i].astype(str)) for i in (0, 1)})
    return {"person_mention": mentions, "sentence_feature": features, "known": known}


def measure(n_candidates: int, threads: int) -> dict[str, Any]:
    """One line: load the rows, then ground and load the graph by the clock."""
    program = parse(PROGRAM)
    found: dict[str, Any] = {"size": n_candidates, "seed": SEED, "threads": threads}
    with Store.open(threads=threads) as store:
        base = rows(n_candidates)
        for name, frame in base.items():
            load(store, program, name, frame)
        found["rows"] = base["person_mention"].height + base["sentence_feature"].height
        del base
        before = peak_mb()
        wall, cpu = time.perf_counter(), time.process_time()
        report = ground(store, program)
        found["ground_wall_s"], found["ground_cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
        graph = load_graph(store, program).graph
        found["wall_s"], found["cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
        found |= {"peak_mb": peak_mb(), "peak_before_mb": before, "seconds": report.seconds}
        found |= {"variables": graph.n_variables, "factors": graph.n_factors, "weights": graph.n_weights}
    return found


def exponents(found: list[dict[str, Any]]) -> dict[str, float]:
    """Slopes of log figure over log factors."""
    x = np.log([f["factors"] for f in found])
    return {k: float(np.polyfit(x, np.log([f[k] for f in found]), 1)[0]) for k in ("cpu_s", "wall_s", "peak_mb")}


def parsed(what: str, name: str) -> argparse.Namespace:
    """What the command line says. name: of the file of JSON lines."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="candidates")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, default=lines_file(name), help=JSON_HELP)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def each_size(script: str, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What a script measures with `--one`, size by size, each in a process of its own."""
    for size in chosen.sizes:
        command = [sys.executable, script, "--one", str(size), "--threads", str(chosen.threads)]
        yield json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    """Print the table, append the JSON lines; 1 if the largest size misses the bar."""
    chosen = parsed(__doc__.split("\n", 1)[0], "kb_grounding")
    if chosen.one is not None:
        print(json.dumps(measure(chosen.one, chosen.threads)))
        return 0
    found = []
    for one in each_size(__file__, chosen):
        found.append(one)
        append_json(chosen.json, one | {"what": "kb_grounding", "machine": machine()})
    lines = [
        [
            f"{f['size']:,}",
            *(f"{f[k]:,}" for k in ("rows", "variables", "factors", "weights")),
            *(f"{f[k]:.2f}" for k in ("ground_cpu_s", "cpu_s", "wall_s")),
            f"{f['peak_mb']:,.0f}",
            f"{BAR_S:g}" if f["size"] >= 900_000 else "",
        ]
        for f in found
    ]
    if len(found) > 1:
        slopes = exponents(found)
        lines.append(
            ["exponent", "", "", "", "", "", *(f"{slopes[k]:.2f}" for k in ("cpu_s", "wall_s", "peak_mb")), ""]
        )
    columns = (
        "candidates",
        "rows",
        "variables",
        "factors",
        "weights",
        "ground CPU s",
        "CPU s",
        "wall s",
        "peak MB",
        "bar",
    )
    print(machine())
    print(table(columns, lines, markdown=chosen.markdown))
    return int(any(f["size"] >= 900_000 and f["wall_s"] > BAR_S for f in found))


if __name__ == "__main__":
    sys.exit(main())
