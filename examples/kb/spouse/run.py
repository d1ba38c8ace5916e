"""Who is married to whom, from real news or from thirty sentences of ours.

    python examples/kb/spouse/run.py --data FOLDER
    python examples/kb/spouse/run.py

FOLDER holds sentences-100.tsj.bz2 and spouses_dbpedia.csv.bz2 of DeepDive's spouse example. A quarter of the labels is
held out and compared with the probabilities; labels come from the list of couples and rules of thumb, not from readers.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

import consilience as cs
from consilience.errors import ConsilienceError, DataError

import sample

if TYPE_CHECKING:
    from consilience.kb.knowledge_base import KnowledgeBase

HERE = Path(__file__).parent
SENTENCES, COUPLES = "sentences-100.tsj.bz2", "spouses_dbpedia.csv.bz2"
L2 = 4.0  # of the weights: there are few positive labels, and many words
N_COLUMNS = 10  # doc, number, text, tokens, lemmas, pos, ner, offsets, dependency types, dependency tokens
OFFSETS = 7
TEXTS, NUMBERS = pl.List(pl.String), pl.List(pl.Int64)
SCHEMA = {
    "doc": pl.String(),
    "number": pl.Int64(),
    "content": pl.String(),
    "tokens": TEXTS,
    "lemmas": TEXTS,
    "pos_tags": TEXTS,
    "ner_tags": TEXTS,
    "dep_types": TEXTS,
    "dep_tokens": NUMBERS,
}


def main() -> None:
    """Load, run, and show: couples, what the weights learned, and the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the news; without it, the sample is used")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="where to write the calibration plot (.png)")
    arguments = parser.parse_args()
    try:
        kb = spouses(arguments.data, arguments.seed)
    except ConsilienceError as error:
        sys.exit(str(error))
    print("the likeliest couples")
    with pl.Config(tbl_rows=-1, fmt_str_lengths=60):
        print(couples(kb).head(15))
    print("what speaks for and against")
    weights = kb.weights().sort("value", descending=True)
    with pl.Config(tbl_rows=-1, fmt_str_lengths=60):
        print(pl.concat([weights.head(10), weights.tail(10)]))
    calibration = kb.calibration("has_spouse")
    print(calibration)
    if arguments.plot:
        calibration.plot().savefig(arguments.plot)


def spouses(folder: Path | None, seed: int = 0) -> KnowledgeBase:
    """The knowledge base of the news in a folder or of the sample, run. Raises DataError for unreadable news."""
    if folder is None:
        sentences, known = sample.sentences(), sample.COUPLES
    else:
        sentences, known = list(read_sentences(folder / SENTENCES)), list(read_couples(folder / COUPLES))
    kb = cs.KnowledgeBase((HERE / "app.ddlog").read_text(), allow_code=True, folder=HERE)
    kb.load("sentence", pl.DataFrame(sentences, schema=SCHEMA, orient="row"))
    kb.load("known_couple", pl.DataFrame(known, schema={"one": pl.String, "other": pl.String}, orient="row"))
    kb.run(seed=seed, holdout=0.25, l2=L2)
    return kb


def couples(kb: KnowledgeBase) -> pl.DataFrame:
    """Each couple once, the likeliest first; names in the order of the alphabet."""
    return (
        kb.marginals("married")
        .filter(pl.col("one") < pl.col("other"))
        .sort("probability", "one", "other", descending=[True, False, False])
    )


def read_sentences(path: Path) -> Iterator[tuple[object, ...]]:
    """Rows of the relation `sentence` from tab-separated JSON. Raises DataError naming the line that cannot be read."""
    with opened(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                cells = [None if cell == r"\N" else json.loads(cell) for cell in line.rstrip("\n").split("\t")]
            except json.JSONDecodeError as error:
                raise DataError(f"{path}: line {number} has a cell that is no JSON: {error}.\nFix: mend it.") from None
            lists = cells[3:OFFSETS] + cells[OFFSETS + 1 :]
            if len(cells) != N_COLUMNS or any(not isinstance(c, list) or len(c) != len(cells[3]) for c in lists):
                raise DataError(
                    f"{path}: line {number} has {len(cells)} cells, or lists of different lengths.\n"
                    "Fix: a line has document, number, text, and seven lists with an entry for each token."
                )
            yield (*cells[:3], *lists)


def read_couples(path: Path) -> Iterator[tuple[str, str]]:
    """Couples from a file of two columns; other lines are passed over."""
    with opened(path) as lines:
        yield from ((row[0], row[1]) for row in csv.reader(lines) if len(row) == 2)


def opened(path: Path):
    """A packed text file. Raises DataError if it is not there."""
    if not path.is_file():
        raise DataError(f"There is no {path}.\nFix: give the folder with {SENTENCES} and {COUPLES}.")
    return bz2.open(path, "rt", encoding="utf-8")


if __name__ == "__main__":
    main()
