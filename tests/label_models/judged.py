"""How good labels and pairs are, where the truth is known. Used by tests of label models."""

from __future__ import annotations

import numpy as np


def calibration_error(proba, truth, bins=10):
    """Expected calibration error: how far confidence is from being right, in bins of confidence."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, confidence - right, bins)
    return float(np.abs(gaps).sum() / len(truth))


def pair_f1(found, true):
    """Harmonic mean of precision and recall of pairs of function names f0, f1, ... against pairs of places."""
    found = {frozenset(pair) for pair in found}
    true = {frozenset((f"f{a}", f"f{b}")) for a, b in true}
    return 2 * len(found & true) / (len(found) + len(true)) if found or true else 1.0
