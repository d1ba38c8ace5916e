"""From probabilities to predictions and back, ties broken as one asks; labels as arrays of integers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.data.labels import ABSTAIN
from consilience.errors import DataError, ModelError, nearest

Ints = npt.NDArray[np.int64]
POLICIES = ("abstain", "random", "true-random")


def probs_to_preds(probs: npt.ArrayLike, tie_break_policy: str = "random", tol: float = 1e-5) -> Ints:
    """Most probable class of each row. probs: (n, k). returns: (n,).

    tie_break_policy: "abstain" (-1), "random" (one of the best, by a hash of the row's place, so always the same), or
        "true-random" (drawn with NumPy's global generator). tol: probabilities closer than this are tied.
    raises: ModelError (a ValueError) for fewer than two classes, or another policy.

    >>> probs_to_preds([[0.8, 0.2], [0.5, 0.5]], tie_break_policy="abstain").tolist()
    [0, -1]
    """
    array = np.asarray(probs, np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ModelError(f"Probabilities of shape {array.shape} are none.\nFix: give rows x classes, two or more.")
    if tie_break_policy not in POLICIES:
        raise ModelError(
            f"There is no tie_break_policy {tie_break_policy!r}.\nFix: {nearest(tie_break_policy, POLICIES)}"
        )
    best = array.max(axis=1, keepdims=True) - array < tol
    preds = best.argmax(axis=1)
    for row in np.flatnonzero(best.sum(axis=1) != 1):  # also where a probability is NaN
        preds[row] = _broken(np.flatnonzero(best[row]), int(row), tie_break_policy)
    return preds


def _broken(tied: npt.NDArray[np.intp], row: int, policy: str) -> int:
    if policy == "abstain" or not len(tied):
        return ABSTAIN
    if policy == "true-random":
        return int(np.random.choice(tied))  # noqa: NPY002 (scripts in this style seed it)
    digest = hashlib.sha1(str(row).encode(), usedforsecurity=False).hexdigest()
    return int(tied[int(digest, 16) % len(tied)])


def preds_to_probs(preds: npt.NDArray[Any], num_classes: int) -> npt.NDArray[np.float64]:
    """Probability 1 for the class of each row. preds: (n,). returns: (n, k). Raises ModelError if one abstains.

    >>> preds_to_probs(np.array([1, 0]), 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    codes = to_int_label_array(preds)
    if (codes < 0).any() or (codes >= num_classes).any():
        raise ModelError(
            f"A prediction is none of the classes 0 to {num_classes - 1}.\nFix: leave out the rows that abstain."
        )
    return np.eye(num_classes)[codes]


def to_int_label_array(X: npt.ArrayLike, flatten_vector: bool = True) -> Ints:
    """Labels as integers. X: (n,), or (n, 1) which becomes (n,) if flatten_vector.

    raises: DataError (a ValueError) for what is no whole number, or has more columns.
    """
    array = np.asarray(X)
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"Labels of type {array.dtype} are no integers.\nFix: give codes, -1 for unknown."
            ) from None
    if not (np.mod(array, 1) == 0).all():
        raise DataError("A label is no whole number.\nFix: give codes 0, 1, ..., and -1 for unknown.")
    labels = array.astype(np.int64)
    if flatten_vector:
        labels = np.atleast_1d(labels.squeeze()) if labels.size else labels.reshape(-1)
        if labels.ndim != 1:
            raise DataError(f"Labels have shape {array.shape}.\nFix: give one for each row.")
    return labels


def filter_labels(
    label_dict: Mapping[str, npt.NDArray[Any] | None], filter_dict: Mapping[str, Sequence[int]]
) -> dict[str, npt.NDArray[Any] | None]:
    """Arrays without the rows that have an unwanted value in one of them.

    label_dict: aligned arrays, by name. filter_dict: values that are not wanted, by name of the array.

    >>> golds, preds = np.array([-1, 0, 1]), np.array([0, 0, -1])
    >>> filter_labels({"golds": golds, "preds": preds}, {"golds": [-1], "preds": [-1]})["golds"].tolist()
    [0]
    """
    given = [(label_dict.get(name), list(values)) for name, values in filter_dict.items()]
    masks = [~np.isin(labels, values) for labels, values in given if labels is not None]
    if not masks:
        return dict(label_dict)
    keep = np.logical_and.reduce([mask.reshape(len(mask)) for mask in masks])
    return {name: None if labels is None else labels[keep] for name, labels in label_dict.items()}
