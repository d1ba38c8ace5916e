"""How long label models take, and how much memory, beside Snorkel's on the same votes in the same run.

    python benchmarks/label_model_speed.py [--only WORD ...] [--snorkel-python PATH] [--markdown] [--json FILE]

Each line is measured in a process of its own, several times; times are medians, CPU seconds count all threads, and
linear algebra keeps to one thread, ours and Snorkel's. A fit starts from votes as int8 codes and counts the distinct
rows within its time; Snorkel's starts from the integers its own applier gives.

Votes are simulated with known truth (accuracy 55-90%; coverage 10-50%, 0.5-5% where it says sparse), so what a model
gets right stands beside its time; "Bayes" is the best that can be had from these votes. Dense simulated votes hardly
repeat, which is the worst case for models that fit on distinct rows; those of real functions are nearer to the sparse
ones. "Counted" votes are 5,000 distinct rows with the counts of so many rows: what a fit costs where a database or a
scan has done the counting. Snorkel has no such way in, and gets the rows.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

import consilience as cs
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.patterns import find_patterns
from jobs import LABELS, SEED, Found, Job, Votes, load, main, snorkel_model
from our_models import COUNTING, our_models
from record import peak_mb
from stopwatch import clocked

SMALL, LARGE, SPARSE = Votes(20_000, 10), Votes(1_000_000, 20), Votes(1_000_000, 20, 0.005, 0.05)
RARE, WIDE = Votes(100_000, 50, 0.05, 0.05), Votes(1_000_000, 50)
SIZES = {
    "20k x 10": SMALL,
    "1M x 20": LARGE,
    "1M x 20, sparse": SPARSE,
    "100k x 50, 5% coverage": RARE,
    "1M x 50": WIDE,
}
MAIN = ("LabelModel", "DawidSkene")  # timed at every size; the others at the two that cost least
COUNTED = {"10k": 10**4, "100k": 10**5, "1M": 10**6, "10M": 10**7, "100M": 10**8}
KEPT = 5000  # distinct rows of counted votes
SNORKEL_AT_MOST = 10**6  # rows; 10M as it needs them take more than 10 GB


def fit(name: str, votes: Votes, runs: int, folder: Path) -> Found:
    """Fit a label model on votes; its patterns are counted within the time."""
    codes, truth = load(folder, votes)
    times, fitted = clocked(
        lambda: cs.LabelMatrix.from_votes(codes, LABELS), lambda matrix: made(name).fit(matrix, seed=SEED), runs
    )
    peak = peak_mb()
    matrix = cs.LabelMatrix.from_votes(codes, LABELS)
    right = float((fitted.predict_codes(matrix) == truth).mean())
    return {**times, "accuracy": right, "patterns": len(matrix.patterns), "peak_mb": round(peak)}


def predict(votes: Votes, runs: int, folder: Path) -> Found:
    """Probabilities of a fitted LabelModel on a matrix it has not seen."""
    codes, truth = load(folder, votes)
    fitted = cs.LabelModel().fit(cs.LabelMatrix.from_votes(codes, LABELS), seed=SEED)
    times, proba = clocked(lambda: cs.LabelMatrix.from_votes(codes, LABELS), fitted.predict_proba, runs)
    return {**times, "accuracy": float((proba.argmax(axis=1) == truth).mean())}


def made(name: str) -> BaseLabelModel:
    return our_models()[name]()


def fit_counted(name: str, rows: int, runs: int, folder: Path) -> Found:
    """Fit on distinct rows with counts, drawn from one distribution of rows whatever their number."""
    distinct, counts = counted(rows, folder)
    times, _ = clocked(
        lambda: cs.LabelMatrix.from_counts(distinct, counts, LABELS),
        lambda matrix: made(name).fit(matrix, seed=SEED),
        runs,
    )
    return {**times, "patterns": len(distinct)}


def counted(rows: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent distinct rows of the sparse votes, and counts that sum to rows; those drawn at least once."""
    patterns = find_patterns(load(folder, SPARSE)[0], len(LABELS))
    kept = np.argsort(-patterns.counts, kind="stable")[:KEPT]
    shares = patterns.counts[kept] / patterns.counts[kept].sum()
    counts = np.random.default_rng(SEED).multinomial(rows, shares)
    return patterns.votes[kept][counts > 0], counts[counts > 0]


def snorkel_counted(python: str, rows: int, runs: int, folder: Path) -> Found:
    """Snorkel on the same rows, written out."""
    votes = np.repeat(*counted(rows, folder), axis=0)
    size = Votes(rows, votes.shape[1], 0, 0)  # a name for its files
    np.save(size.file(folder, "votes"), votes)
    np.save(size.file(folder, "truth"), np.zeros(rows, np.int8))
    found = snorkel_model(python, "fit", size, runs, folder)
    return {name: value for name, value in found.items() if name != "accuracy"}


def count_repeating(rows: int, runs: int, folder: Path) -> Found:
    """Count the distinct rows of votes that repeat as those of real functions do."""
    place = np.random.default_rng(SEED).integers(SPARSE.n, size=rows)
    return count(load(folder, SPARSE)[0].T[:, place].T, runs)


def count_distinct(rows: int, runs: int, folder: Path) -> Found:
    """Count the distinct rows of votes that hardly repeat."""
    return count(np.random.default_rng(SEED).integers(-1, 2, size=(20, rows), dtype=np.int8).T, runs)


def count(votes: np.ndarray, runs: int) -> Found:
    times, found = clocked(lambda: votes, lambda votes: find_patterns(votes, len(LABELS)), runs)
    return {**times, "patterns": len(found)}


def jobs(snorkel_python: str) -> list[Job]:
    """All lines, in the order of the table. Snorkel's are named so."""
    return [*fit_jobs(snorkel_python), *counted_jobs(snorkel_python), *counting_jobs()]


def fit_jobs(python: str) -> list[Job]:
    """Our main models and Snorkel's at every size, all others where it costs little; then prediction."""
    lines = []
    for size, votes in SIZES.items():
        runs, bar = (9, 0.1) if votes is SMALL else (3, None)
        cheap = votes in (SMALL, SPARSE)
        names = [*MAIN, *(name for name in our_models() if name not in (*MAIN, COUNTING) and cheap)]
        lines += [
            Job(f"{name}.fit", size, partial(fit, name, votes, runs), bar=bar if name in MAIN else None, votes=votes)
            for name in names
        ]
        theirs = partial(snorkel_model, python, "fit", votes, runs)
        lines.append(Job("LabelModel.fit, Snorkel", size, theirs, votes=votes))
    ours, theirs = partial(predict, LARGE, 5), partial(snorkel_model, python, "predict", LARGE, 5)
    return [
        *lines,
        Job("LabelModel.predict_proba", "1M x 20", ours, votes=LARGE),
        Job("LabelModel.predict_proba, Snorkel", "1M x 20", theirs, votes=LARGE),
    ]


def counted_jobs(python: str) -> list[Job]:
    lines = []
    for size, rows in COUNTED.items():
        said = f"{size} x 20, counted"
        lines.append(Job("LabelModel.fit", said, partial(fit_counted, "LabelModel", rows, 9), votes=SPARSE))
        if rows <= SNORKEL_AT_MOST:
            theirs = partial(snorkel_counted, python, rows, 3)
            lines.append(Job("LabelModel.fit, Snorkel", said, theirs, votes=SPARSE))
    return lines


def counting_jobs() -> list[Job]:
    rows = 10_000_000
    repeating, distinct = partial(count_repeating, rows, 3), partial(count_distinct, rows, 3)
    return [
        Job("find_patterns", "10M x 20, repeating", repeating, rows, "rows", votes=SPARSE),
        Job("find_patterns", "10M x 20, mostly distinct", distinct, rows, "rows"),
    ]


if __name__ == "__main__":
    main("label_model_speed", __file__, __doc__, jobs)
