"""Rows that some function votes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.data.labels import ABSTAIN


def filter_unlabeled_dataframe(X: Any, y: npt.NDArray[Any], L: npt.ArrayLike) -> tuple[Any, npt.NDArray[Any]]:
    """The rows of a frame on which a function votes, and their probabilities (or predictions).

    X: a pandas (or Polars) frame of n rows. y: (n, ...). L: (n, m) votes, -1 abstains.
    """
    covered = np.flatnonzero((np.asarray(L) != ABSTAIN).any(axis=1))
    return X.iloc[covered] if hasattr(X, "iloc") else X[covered], y[covered]
