"""A script in Snorkel's style that times itself: run by the Python of an environment with Snorkel, or on ours.

    PYTHON benchmarks/snorkel_style.py PACKAGE WHAT SIZE RUNS [VOTES.npy TRUTH.npy]

PACKAGE is snorkel or consilience.compat.snorkel; WHAT is apply, prepared, summary or transform.
Prints one JSON line. The same functions, rows and votes for both; only the package that is imported differs. Imports
nothing of ours but through the name it is given.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd

from record import peak_mb
from stopwatch import clocked

from functions.plain import SPAM, TEN, short_texts


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"text": short_texts(rows, 0), "author": [f"user {i % 97}" for i in range(rows)], "n": range(rows)}
    )


def functions(package: str, prepared: bool) -> list[Any]:
    """Ten functions; with `prepared`, five of them read words that a preprocessor has made and remembers."""
    labeling = importlib.import_module(f"{package}.labeling")
    preprocess = importlib.import_module(f"{package}.preprocess")

    @preprocess.preprocessor(memoize=True)
    def words(x):
        x.words = x.text.split()
        return x

    def coded(function):
        label = int(function in SPAM)
        return lambda x: label if function(x) else -1

    def counting(least):
        return lambda x: 1 if len(x.words) >= least else -1

    made = [labeling.LabelingFunction(function.__name__, coded(function)) for function, _ in TEN]
    if prepared:
        made[5:] = [labeling.LabelingFunction(f"words_{n}", counting(n), pre=[words]) for n in (5, 6, 7, 8, 9)]
    return made


def applied(package: str, rows: int, runs: int, prepared: bool) -> dict[str, Any]:
    labeling = importlib.import_module(f"{package}.labeling")
    given = frame(rows)
    times, votes = clocked(
        lambda: labeling.PandasLFApplier(functions(package, prepared)),
        lambda applier: applier.apply(given, progress_bar=False),
        runs,
    )
    return {**times, "votes": int((votes >= 0).sum()), "digest": digest(votes.tobytes())}


def summarised(package: str, runs: int, votes_file: str, truth_file: str) -> dict[str, Any]:
    labeling = importlib.import_module(f"{package}.labeling")
    votes, truth = np.load(votes_file).astype(np.int64), np.load(truth_file).astype(np.int64)
    times, summary = clocked(lambda: labeling.LFAnalysis(votes), lambda analysis: analysis.lf_summary(truth), runs)
    figures = summary[["Coverage", "Overlaps", "Conflicts", "Correct", "Incorrect", "Emp. Acc."]]
    return {**times, "digest": digest(figures.to_numpy(float).tobytes())}


def transformed(package: str, rows: int, runs: int) -> dict[str, Any]:
    """Each row twice: as it is, and with its words the other way round."""
    augmentation = importlib.import_module(f"{package}.augmentation")

    @augmentation.transformation_function()
    def reverse(x):
        x.text = " ".join(reversed(x.text.split()))
        return x

    given = frame(rows)
    applier = augmentation.PandasTFApplier([reverse], augmentation.ApplyOnePolicy())
    times, made = clocked(lambda: applier, lambda applier: applier.apply(given, progress_bar=False), runs)
    return {**times, "digest": digest(made.to_csv().encode())}


def digest(found: bytes) -> str:
    """Says whether two sides found the same."""
    return hashlib.sha256(found).hexdigest()[:16]


def measured(package: str, what: str, size: int, runs: int, *files: str) -> dict[str, Any]:
    """One line's figures."""
    if what == "summary":
        return summarised(package, runs, *files)
    if what == "transform":
        return transformed(package, size, runs)
    return applied(package, size, runs, prepared=what == "prepared")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name, what, size, runs, *files = sys.argv[1:]
    found = measured(name, what, int(size), int(runs), *files)
    print(json.dumps({**found, "peak_mb": round(peak_mb())}))
