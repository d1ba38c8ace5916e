"""How long suggestions, groups of rows, rows to label and the summary take, on texts and votes made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from consilience.labeling.agreement import agreement
from consilience.labeling.next_rows import rows_to_label
from consilience.labeling.suggest import suggest_functions
from consilience.labeling.uncovered import uncovered_groups
from jobs import LABELS, SEED, Found, Job, Votes, load
from stopwatch import clocked

ROWS, WORDS = 100_000, 20
VOCABULARY = 20_000


def texts(n: int) -> list[str]:
    """Texts of 20 words, as frequent as words are (Zipf); each label has a hundred words of its own."""
    rng = np.random.default_rng(SEED)
    shares = 1 / np.arange(1, VOCABULARY + 1)
    words = rng.choice(VOCABULARY, (n, WORDS), p=shares / shares.sum())
    label = rng.random(n) < 0.4
    words[:, 0] = VOCABULARY + 100 * label + rng.integers(0, 100, n)
    words[:, 1] = VOCABULARY + 100 * label + rng.integers(0, 100, n)
    names = np.array([f"w{place}" for place in range(VOCABULARY + 200)])
    return [" ".join(row) for row in names[words].tolist()]


def voted() -> cs.LabelMatrix:
    """Their votes by ten functions of two words each: about a third of the rows have one."""
    frame = pl.DataFrame({"id": range(ROWS), "text": texts(ROWS)})
    functions = {
        f"f{j}": cs.keywords(LABELS[j % 2], [f"w{VOCABULARY + 100 * (j % 2) + 2 * j + i}" for i in range(2)])
        for j in range(10)
    }
    return cs.apply(functions, cs.Table(frame, labels=LABELS))


def on_texts(act: Callable[[cs.LabelMatrix], Any], folder: Path) -> Found:
    """Each run has a matrix of its own: nothing was counted before."""
    matrix = voted()
    fresh = lambda: cs.LabelMatrix(matrix.votes, matrix.labels, matrix.ids, matrix.functions, None, matrix.table)  # noqa: E731
    return clocked(fresh, act, 3)[0]


def on_votes(act: Callable[[cs.LabelMatrix], Any], votes: Votes, folder: Path) -> Found:
    codes, truth = load(folder, votes)
    gold = cs.Labels(*LABELS).decode(truth.tolist())
    return clocked(lambda: cs.LabelMatrix.from_votes(codes, LABELS, gold=gold), act, 3)[0]


def jobs() -> list[Job]:
    """The lines of this topic."""
    wide = Votes(500_000, 60)
    size = f"{ROWS // 1000}k texts of {WORDS} words"
    return [
        Job("suggested functions", size, partial(on_texts, suggest_functions), bar=20.0),
        Job("groups of rows without votes", size, partial(on_texts, uncovered_groups), bar=20.0),
        Job("rows to label next", size, partial(on_texts, rows_to_label), bar=5.0),
        Job("summary", "500k x 60", partial(on_votes, lambda matrix: matrix.summary(), wide), bar=0.1, votes=wide),
        Job("functions two by two", "500k x 60", partial(on_votes, agreement, wide), votes=wide),
    ]
