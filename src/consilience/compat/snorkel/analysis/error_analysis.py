"""Which rows have which combination of labels: gold and predicted, or of two functions."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.utils.core import to_int_label_array
from consilience.errors import DataError

log = logging.getLogger(__name__)


def get_label_buckets(*y: npt.ArrayLike) -> dict[tuple[int, ...], npt.NDArray[np.int64]]:
    """Places of the rows with each combination of labels that occurs. y: arrays (n,).

    >>> buckets = get_label_buckets(np.array([0, 1, 0]), np.array([0, -1, 0]))
    >>> {bucket: rows.tolist() for bucket, rows in buckets.items()}
    {(0, 0): [0, 2], (1, -1): [1]}
    """
    columns = [to_int_label_array(labels) for labels in y]
    if len({len(column) for column in columns}) != 1:
        raise DataError(f"The arrays have {[len(c) for c in columns]} labels.\nFix: give one for each row, in each.")
    buckets: dict[tuple[int, ...], list[int]] = {}
    for place, bucket in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        buckets.setdefault(bucket, []).append(place)
    return {bucket: np.array(places) for bucket, places in buckets.items()}


def get_label_instances(bucket: tuple[int, ...], x: npt.NDArray[Any], *y: npt.ArrayLike) -> npt.NDArray[Any]:
    """The rows of x with one combination of labels; none, with a log line, if it does not occur.

    >>> get_label_instances((1, 0), np.array(["a", "b"]), np.array([1, 1]), np.array([1, 0])).tolist()
    ['b']
    """
    if len(y) != len(bucket):
        raise DataError(f"A bucket of {len(bucket)} labels is not of {len(y)} arrays.\nFix: give one label for each.")
    if len(x) != len(np.asarray(y[0])):
        raise DataError(f"There are {len(x)} rows and {len(np.asarray(y[0]))} labels.\nFix: give one for each row.")
    places = get_label_buckets(*y).get(tuple(bucket))
    if places is None:
        log.warning("No row has the labels %s.", bucket)
        return np.array([])
    return np.asarray(x[places])
