"""What a preprocessor saves: ten functions that need the words of a text, made once or by each; and asking a model.

python benchmarks/labeling_jobs/shared_values.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import consilience as cs
from consilience.labeling.preprocessors import tokens
from jobs import LABELS, SEED, Found, Job
from stopwatch import clocked

from functions.plain import short_texts

WORDS = ("free", "win", "cash", "views", "please", "money", "channel", "new", "video", "song")


def ten(uses: bool, folder: Path) -> dict[str, Any]:
    """Functions that look for a word among the words of a text, which they share or make themselves."""

    def one(word: str) -> Any:
        if uses:
            return cs.labeling_function("spam", uses=[tokens], name=word)(lambda row: word in row.tokens)
        return cs.labeling_function("spam", name=word)(lambda row: word in tokens([row.text])[0])

    return {word: one(word) for word in WORDS}


def ten_kept(folder: Path) -> dict[str, Any]:
    """The same words from disk, where an earlier run has put them."""
    kept = tokens.kept(folder / "tokens")
    return {w: cs.labeling_function("spam", uses=[kept], name=w)(lambda row, w=w: w in row.tokens) for w in WORDS}


def asked(folder: Path) -> dict[str, Any]:
    """A pipeline of scikit-learn, sure enough."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
    texts = short_texts(2_000, SEED + 1)
    return {"sure": cs.model(pipeline.fit(texts, [LABELS["free" in text] for text in texts]), threshold=0.7)}


def applied(rows: int, functions: Callable[[Path], dict[str, Any]], folder: Path) -> Found:
    """Apply functions to texts that are new to the package."""
    frame = pl.DataFrame({"id": range(rows), "text": short_texts(rows, SEED)})
    made = functions(folder)
    cs.apply(made, cs.Table(frame, labels=LABELS), cache={})
    times, matrix = clocked(lambda: cs.Table(frame, labels=LABELS), lambda table: cs.apply(made, table), 3)
    return {**times, "votes": int((matrix.votes >= 0).sum())}


def jobs() -> list[Job]:
    """All lines of this topic."""
    return [
        Job(
            "10 functions, shared tokens",
            "100k rows",
            partial(applied, 100_000, partial(ten, True)),
            1_000_000,
            "votes",
        ),
        Job(
            "10 functions, own tokens", "100k rows", partial(applied, 100_000, partial(ten, False)), 1_000_000, "votes"
        ),
        Job("10 functions, kept tokens", "100k rows", partial(applied, 100_000, ten_kept), 1_000_000, "votes"),
        Job("model: counts, logistic", "100k rows", partial(applied, 100_000, asked), 100_000, "rows"),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for job in jobs():
            print(job.what, job.size, json.dumps(job.measure(Path(place))))
