"""Snorkel's side of speed.py, run by the Python of an environment that has Snorkel and not our package.

    PYTHON peer_snorkel.py apply ROWS SEED RUNS | fit VOTES.npy TRUTH.npy RUNS | predict VOTES.npy TRUTH.npy RUNS

Prints one JSON line. The same ten functions, the same texts, the same votes, in the type its own applier gives.
Settings are Snorkel's own, but that torch keeps to one thread, which is kind to it: with two, a fit of 20k x 10 took
twice as long, and one of 1M x 20 the same.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from snorkel.labeling import LabelingFunction, PandasLFApplier
from snorkel.labeling.model import LabelModel

from record import peak_mb
from stopwatch import clocked

from functions.plain import SPAM, TEN, short_texts


def applied(rows: int, seed: int, runs: int) -> dict:
    frame = pd.DataFrame({"text": short_texts(rows, seed)})
    functions = [LabelingFunction(function.__name__, _coded(function)) for function, _ in TEN]
    times, votes = clocked(
        lambda: PandasLFApplier(functions), lambda applier: applier.apply(frame, progress_bar=False), runs
    )
    return {**times, "votes": int((votes >= 0).sum())}


def _coded(function):
    """The function as Snorkel wants it: a class, or -1."""
    label = int(function in SPAM)
    return lambda row: label if function(row) else -1


def fitted(votes_file: str, truth_file: str, runs: int, predict: bool) -> dict:
    """Time fitting, or predicting. Where no function votes, its probabilities are even, and the first label is said."""
    votes, truth = np.load(votes_file).astype(np.int64), np.load(truth_file)
    times, model = clocked(
        lambda: LabelModel(cardinality=2, verbose=False),
        lambda model: model.fit(votes, seed=0, progress_bar=False) or model,
        1 if predict else runs,
    )
    if predict:
        times, proba = clocked(lambda: votes, model.predict_proba, runs)
    peak = peak_mb()
    proba = proba if predict else model.predict_proba(votes)
    return {**times, "accuracy": float((proba.argmax(axis=1) == truth).mean()), "peak_mb": round(peak)}


def main() -> None:
    torch.set_num_threads(1)
    what, *rest = sys.argv[1:]
    if what == "apply":
        found = applied(*map(int, rest))
    else:
        found = fitted(rest[0], rest[1], int(rest[2]), predict=what == "predict")
    print(json.dumps({"peak_mb": round(peak_mb()), **found, "system": f"Snorkel {version('snorkel')}"}))


if __name__ == "__main__":
    main()
