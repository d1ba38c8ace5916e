"""Five ways to find facts, from taking every pair to a knowledge base whose facts speak of one another.

Each gives a score to every candidate of some documents; what it may learn from is what other documents say and know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import consilience as cs
from consilience.errors import DataError, nearest
from consilience.kb.language import parse
from consilience.kb.language.tree import Inference, Program

from documents import CHEMICAL, DISEASE, Document
from lfs import votes

HERE = Path(__file__).parent
L2 = 27.0  # of the weights; chosen by cross-validation on the training part of BC5CDR
CLASSIFIER = ("evidence.ddlog",)
JOINT = ("evidence.ddlog", "joint.ddlog")
PAIR = ["doc", "chemical", "disease"]

Scores = dict[tuple[str, str, str], float]  # of (document, chemical, disease)


@dataclass(frozen=True)
class Way:
    """One way to find facts: a score for every candidate of `documents`, taught by `taught`."""

    name: str
    scores: Callable[[Sequence[Document], Sequence[Document]], Scores]
    learns: bool = True
    threshold: float | None = None


def all_pairs(_: Sequence[Document], documents: Sequence[Document]) -> Scores:
    """Every chemical with every disease."""
    return {(d.name, *pair): 1.0 for d in documents for pair in d.pairs}


def same_sentence(_: Sequence[Document], documents: Sequence[Document]) -> Scores:
    """Pairs that a sentence names both."""
    found: Scores = {}
    for d in documents:
        chemicals, diseases = (
            {x: {m.sentence for m in ms} for x, ms in d.entities(k).items()} for k in (CHEMICAL, DISEASE)
        )
        found |= {(d.name, c, x): float(bool(chemicals[c] & diseases[x])) for c, x in d.pairs}
    return found


def labeling_functions(taught: Sequence[Document], documents: Sequence[Document]) -> Scores:
    """What a label model makes of the votes; of gold it knows only how many pairs are facts."""
    matrix = votes(list(documents))
    facts = sum(len(d.facts & set(d.pairs)) for d in taught) / max(1, sum(len(d.pairs) for d in taught))
    model = cs.LabelModel().fit(matrix, class_balance={"unrelated": 1 - facts, "causes": facts})
    keys = [(d.name, *pair) for d in documents for pair in d.pairs]
    return dict(zip(keys, model.predict_proba(matrix)[:, 1].tolist(), strict=True))


def knowledge_base(
    files: Sequence[str], seed: int = 0, without: Sequence[str] = ()
) -> Callable[[Sequence[Document], Sequence[Document]], Scores]:
    """Facts with their marginals from a knowledge base with these files as its program, less some rules."""
    program = parse("\n".join((HERE / name).read_text() for name in files))
    kept = tuple(s for s in program.statements if not (isinstance(s, Inference) and s.name in without))

    def scores(taught: Sequence[Document], documents: Sequence[Document]) -> Scores:
        with cs.KnowledgeBase(Program(kept), allow_code=True, folder=HERE) as kb:
            for relation, rows in relations(taught, documents).items():
                kb.load(relation, rows)
            kb.run(seed=seed, l2=L2)
            found = kb.marginals("causes").select(*PAIR, "probability")
        return {tuple(row[:3]): row[3] for row in found.iter_rows()}

    return scores


def relations(taught: Sequence[Document], documents: Sequence[Document]) -> dict[str, pl.DataFrame]:
    """The frames that the program is loaded with."""
    both = [*taught, *documents]
    matrix = votes(both)
    names = list(matrix.labels)
    pairs = [(d.name, *pair) for d in both for pair in d.pairs]
    places, functions = np.nonzero(matrix.votes >= 0)
    said = [
        (*pairs[i], matrix.functions[j].name, names[matrix.votes[i, j]])
        for i, j in zip(places.tolist(), functions.tolist(), strict=True)
    ]
    return {
        "document": frame([d.row for d in both], doc=str, content=str, title_length=int, mentions=str),
        "annotated": frame([(d.name,) for d in taught], doc=str),
        "known": frame([(d.name, *fact) for d in taught for fact in sorted(d.facts)], **dict.fromkeys(PAIR, str)),
        "vote": frame(said, **dict.fromkeys([*PAIR, "voter", "says"], str)),
    }


def frame(rows: Sequence[tuple[object, ...]], **columns: type) -> pl.DataFrame:
    """Rows as a frame; one without rows has its columns all the same."""
    return pl.DataFrame(list(rows), schema=columns, orient="row")


def all_ways(seed: int, without: Sequence[str] = ()) -> list[Way]:
    """What the table compares, the simplest first. Raises DataError for a rule that no program has."""
    text = "\n".join((HERE / name).read_text() for name in JOINT)
    rules = [s.name for s in parse(text).statements if isinstance(s, Inference) and s.name]
    for name in without:
        if name not in rules:
            raise DataError(f"There is no rule {name!r}.\nFix: {nearest(name, rules)}")
    return [
        Way("all pairs", all_pairs, learns=False, threshold=0.5),
        Way("a sentence names both", same_sentence, learns=False, threshold=0.5),
        Way("labeling functions", labeling_functions, learns=False),
        Way("classifier alone", knowledge_base(CLASSIFIER, seed, without)),
        Way("joint", knowledge_base(JOINT, seed, without)),
    ]
