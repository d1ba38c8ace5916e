"""How label models are scored: one metric a set, in percent, and how far their probabilities can be believed."""

from __future__ import annotations

import numpy as np

import consilience as cs
from consilience.label_models.base import best_class
from consilience.metrics import accuracy_of, confusion, f1_by_class

SEED = 0


def score(gold: np.ndarray, guess: np.ndarray, n_classes: int, metric: str) -> float:
    """Accuracy, or F1 of the last label, in percent. gold, guess: (n,) codes."""
    counts = confusion(gold.astype(np.int64), guess, n_classes)
    return 100 * float(f1_by_class(counts)[-1] if metric == "F1" else accuracy_of(counts))


def decided(proba: np.ndarray, balance: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Codes from probabilities, by the rule our own models follow.

    Ties go to the label with the smaller balance; rows without votes, whatever their probabilities say, to the one with
    the greatest. proba: (n, k); balance: (k,); covered: (n,) bool. returns: (n,).
    """
    return np.where(covered, best_class(proba, balance), balance.argmax())


def calibration_error(proba: np.ndarray, gold: np.ndarray, bins: int = 10) -> float:
    """Mean gap between confidence and accuracy, over equal bins of confidence, in percent. proba: (n, k)."""
    if not len(gold):
        return float("nan")
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == gold
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return 100 * float(np.abs(gaps).sum() / len(gold))


def random_ties(counting: cs.MajorityVote, votes: cs.LabelMatrix, metric: str, draws: int = 20) -> float:
    """Majority vote in percent if ties, and rows without votes, get a random label: the mean of some draws."""
    rng, scored = np.random.default_rng(SEED), votes.gold >= 0
    shares = counting.predict_proba(votes)[scored]
    best = shares >= shares.max(axis=1, keepdims=True) - 1e-9
    guesses = ((best * rng.random(best.shape)).argmax(axis=1) for _ in range(draws))
    gold, k = votes.gold[scored], len(votes.labels)
    return round(float(np.mean([score(gold, guess, k, metric) for guess in guesses])), 1)
