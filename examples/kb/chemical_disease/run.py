"""Which chemicals bring about which diseases, from abstracts: learn on one part of a corpus, score on the others.

    python examples/kb/chemical_disease/run.py --data FOLDER
    python examples/kb/chemical_disease/run.py --train FILE --score FILE --score FILE

FOLDER holds PubTator files with gold mentions and gold facts: the one with "train" in its name teaches, each other one
is scored. Facts count once a document. Five ways stand beside each other; where a way has a threshold, it is the one
with the best F1 on the training part, every fifth of which is judged by what the rest taught.

What carries over from the training part by name alone can be left out, to see what the text itself says:
`--without "this chemical" --without "this disease" --without "same pair elsewhere"`. So can every other rule.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from consilience.errors import ConsilienceError, DataError

from documents import Document, read_documents
from ways import Scores, Way, all_ways

FOLDS = 5


@dataclass(frozen=True)
class Quality:
    """Precision, recall and F1 of facts."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def main() -> None:
    """Read, run every way, print the table."""
    arguments = parsed()
    console = Console(highlight=False, width=100)
    began = time.perf_counter()
    try:
        train, scored = parts(arguments)
        ways = all_ways(arguments.seed, arguments.without)
        table = [row for way in ways for row in judged(way, train, scored, arguments.seed, console)]
    except ConsilienceError as error:
        sys.exit(str(error))
    console.print(grid(table))
    console.print(f"seed {arguments.seed}, {time.perf_counter() - began:.0f} s", style="dim")
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in table))


def parsed() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of PubTator files, one of them with 'train' in its name")
    parser.add_argument("--train", type=Path, help="a PubTator file to learn from, instead of --data")
    parser.add_argument("--score", type=Path, action="append", default=[], help="one to score; may be repeated")
    parser.add_argument("--without", action="append", default=[], metavar="RULE", help="leave out a rule, by its name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows of the table to this file too, one JSON a line")
    arguments = parser.parse_args()
    if (arguments.data is None) == (arguments.train is None and not arguments.score):
        parser.error("give either --data FOLDER, or --train FILE and --score FILE")
    return arguments


# ---- the data


def parts(arguments: argparse.Namespace) -> tuple[list[Document], dict[str, list[Document]]]:
    """Documents to learn from, and those to score by the name of their file."""
    if arguments.data is not None:
        train_path, scored_paths = files_of(arguments.data)
    else:
        train_path, scored_paths = arguments.train, arguments.score
    if train_path is None or not scored_paths:
        raise DataError(
            "There is nothing to learn from, or nothing to score.\nFix: give --train FILE and --score FILE."
        )
    train = read(train_path)
    scored = {path.name: read(path) for path in scored_paths}
    names = {d.name for d in train}
    for file, documents in scored.items():
        seen = [d.name for d in documents if d.name in names]
        if seen:
            raise DataError(
                f"{file}: {len(seen)} documents (the first: {seen[0]}) are learned from or scored already.\n"
                "Fix: take them out of one of the files."
            )
        names |= {d.name for d in documents}
    return train, scored


def files_of(folder: Path) -> tuple[Path, list[Path]]:
    """The training file of a folder, and the others; they may lie in its bc5cdr/ or kb/bc5cdr/."""
    places = [folder / inside for inside in ("", "bc5cdr", "kb/bc5cdr")]
    found = [sorted(p for p in place.glob("*") if "pubtator" in p.name.lower() and p.is_file()) for place in places]
    files = next(filter(None, found), [])
    train = [p for p in files if "train" in p.name.lower()]
    if len(train) != 1 or len(files) < 2:
        raise DataError(
            f"{folder} holds {len(files)} PubTator files, {len(train)} of them with 'train' in the name.\n"
            "Fix: it needs one to learn from and at least one other to score, or say --train FILE --score FILE."
        )
    return train[0], [p for p in files if p != train[0]]


def read(path: Path) -> list[Document]:
    """Documents of a file; what could not be read is said on the error stream."""
    documents, rejects = read_documents(path)
    for fault in rejects:
        print(f"{path.name}: line {fault.line}: {fault.reason}", file=sys.stderr)
    return documents


# ---- the figures


def judged(
    way: Way, train: list[Document], scored: dict[str, list[Document]], seed: int, console: Console
) -> list[dict[str, object]]:
    """A row for the training part (cross-validated) and one for each scored file."""
    with console.status(f"{way.name}: cross-validation on the training part"):
        own = cross_validated(way, train, seed) if way.learns else way.scores(train, train)
    threshold = way.threshold if way.threshold is not None else best_threshold(own, train)
    everything = [d for documents in scored.values() for d in documents]
    with console.status(f"{way.name}: scoring"):
        found = way.scores(train, everything)
    judged_parts = {"train, cross-validated": (own, train), **{f: (found, ds) for f, ds in scored.items()}}
    rows = []
    for part, (scores, documents) in judged_parts.items():
        quality = quality_of(scores, documents, threshold)
        figures = {"precision": quality.precision, "recall": quality.recall, "f1": quality.f1}
        rows.append({"way": way.name, "part": part, "threshold": threshold, **figures})
    return rows


def cross_validated(way: Way, train: list[Document], seed: int) -> Scores:
    """Scores of each fifth of the documents, taught by the others."""
    fold = np.random.default_rng(seed).permutation(len(train)) % min(FOLDS, len(train))
    found: Scores = {}
    for k in range(fold.max() + 1):
        held = [d for d, f in zip(train, fold, strict=True) if f == k]
        rest = [d for d, f in zip(train, fold, strict=True) if f != k]
        scores = way.scores(rest, held)
        found |= {(d.name, *pair): scores[d.name, *pair] for d in held for pair in d.pairs}
    return found


def best_threshold(scores: Scores, documents: Sequence[Document]) -> float:
    """The score from which on pairs are taken as facts, so that F1 is best."""
    gold = {(d.name, *fact) for d in documents for fact in d.facts}
    ranked = sorted(
        ((scores[d.name, *pair], (d.name, *pair) in gold) for d in documents for pair in d.pairs), reverse=True
    )
    value = np.array([score for score, _ in ranked])
    hits = np.cumsum([hit for _, hit in ranked])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + len(gold))
    last_of_ties = np.append(value[1:] != value[:-1], True)
    best = int(np.argmax(np.where(last_of_ties, f1, -1)))
    following = value[best + 1] if best + 1 < len(value) else 0.0
    return float((value[best] + following) / 2)


def quality_of(scores: Scores, documents: Sequence[Document], threshold: float) -> Quality:
    """How the pairs that score at least the threshold compare with the gold facts, all documents together."""
    gold = {(d.name, *fact) for d in documents for fact in d.facts}
    taken = {key for d in documents for pair in d.pairs if scores[key := (d.name, *pair)] >= threshold}
    hits = len(taken & gold)
    return Quality(hits / len(taken) if taken else 0.0, hits / len(gold) if gold else 0.0)


def grid(rows: list[dict[str, object]]) -> Grid:
    """The table for people."""
    shown = Grid("way", "part", "threshold", "precision", "recall", "F1")
    for column in shown.columns[:2]:
        column.no_wrap = True
    last = None
    for row in rows:
        figures = [f"{row[name]:.3f}" for name in ("threshold", "precision", "recall", "f1")]
        shown.add_row("" if row["way"] == last else str(row["way"]), str(row["part"]), *figures)
        last = row["way"]
    return shown


if __name__ == "__main__":
    main()
