"""Metrics by name, over integers; scikit-learn's, loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.utils.core import filter_labels, to_int_label_array
from consilience.data.labels import ABSTAIN
from consilience.errors import DataError, nearest


class Metric(NamedTuple):
    """A function of some of golds, preds and probs. inputs: which of them, in order."""

    func: Callable[..., float]
    inputs: Sequence[str] = ("golds", "preds")


def metric_score(
    golds: npt.ArrayLike | None = None,
    preds: npt.ArrayLike | None = None,
    probs: npt.NDArray[Any] | None = None,
    metric: str = "accuracy",
    filter_dict: Mapping[str, Sequence[int]] | None = None,
    **kwargs: Any,
) -> float:
    """One metric of predictions.

    golds, preds: (n,) integers; probs: (n, k); which of them are needed is up to the metric. filter_dict: values whose
    rows do not count, as {"golds": [-1]}. kwargs: for scikit-learn's function.
    raises: DataError (a ValueError) for a metric there is not, or what it needs and was not given.

    >>> metric_score(golds=np.array([1, 0, 1]), preds=np.array([1, 0, 0]), metric="f1")
    0.666...
    """
    if metric not in METRICS:
        raise DataError(f"There is no metric {metric!r}.\nFix: {nearest(metric, METRICS)}")
    given: dict[str, Any] = {
        "golds": None if golds is None else to_int_label_array(golds),
        "preds": None if preds is None else to_int_label_array(preds),
        "probs": None if probs is None else np.asarray(probs),
    }
    if filter_dict:
        unknown = next((name for name in filter_dict if name not in given), None)
        if unknown is not None:
            raise DataError(f"filter_dict has {unknown!r}.\nFix: {nearest(unknown, given)}")
        given = filter_labels(given, filter_dict)
    inputs = METRICS[metric].inputs
    lacking = next((name for name in inputs if given[name] is None), None)
    if lacking is not None:
        raise DataError(f"The metric {metric!r} needs {lacking}.\nFix: metric_score(..., {lacking}=...).")
    return float(METRICS[metric].func(*(given[name] for name in inputs), **kwargs))


def _sklearn(name: str, **fixed: Any) -> Callable[..., float]:
    def score(*arguments: Any, **kwargs: Any) -> float:
        from sklearn import metrics

        value: float = getattr(metrics, name)(*arguments, **fixed, **kwargs)
        return value

    return score


def _coverage(preds: npt.NDArray[np.int64]) -> float:
    return float((preds != ABSTAIN).sum() / len(preds))


def _f1(golds: npt.NDArray[np.int64], preds: npt.NDArray[np.int64], **kwargs: Any) -> float:
    if len(golds) and golds.max() > 1:
        raise DataError("f1 is of two classes, and there are more.\nFix: use 'f1_micro' or 'f1_macro'.")
    return _sklearn("f1_score")(golds, preds, **kwargs)


def _roc_auc(golds: npt.NDArray[np.int64], probs: npt.NDArray[np.float64], **kwargs: Any) -> float:
    if probs.ndim != 2 or probs.shape[1] != 2:
        raise DataError(
            f"roc_auc is of two classes; probs have shape {probs.shape}.\nFix: give (n, 2), or use another."
        )
    return _sklearn("roc_auc_score")(golds, probs[:, 1], **kwargs)


METRICS = {
    "accuracy": Metric(_sklearn("accuracy_score")),
    "coverage": Metric(_coverage, ("preds",)),
    "precision": Metric(_sklearn("precision_score")),
    "recall": Metric(_sklearn("recall_score")),
    "f1": Metric(_f1),
    "f1_micro": Metric(_sklearn("f1_score", average="micro")),
    "f1_macro": Metric(_sklearn("f1_score", average="macro")),
    "fbeta": Metric(_sklearn("fbeta_score")),
    "matthews_corrcoef": Metric(_sklearn("matthews_corrcoef")),
    "roc_auc": Metric(_roc_auc, ("golds", "probs")),
}
