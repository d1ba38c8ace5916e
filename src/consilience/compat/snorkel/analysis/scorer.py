"""Several metrics at once, over all rows and slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.analysis.metrics import METRICS, metric_score
from consilience.compat.snorkel.frames import pandas
from consilience.errors import DataError, nearest


class Scorer:
    """Metrics by name, and one's own.

    metrics: names, see metric_score. custom_metric_funcs: functions of golds, preds and probs, by name; one that
        returns a dict gives several scores.
    abstain_label: rows with it, as gold or as prediction, do not count (but for coverage); None: all count.
    raises: DataError (a ValueError) for a metric there is not.

    >>> Scorer(["accuracy"]).score(np.array([1, 0, -1]), np.array([1, 1, 1]))
    {'accuracy': 0.5}
    """

    def __init__(
        self,
        metrics: Sequence[str] | None = None,
        custom_metric_funcs: Mapping[str, Callable[..., Any]] | None = None,
        abstain_label: int | None = -1,
    ) -> None:
        self.abstain_label = abstain_label
        self.metrics: dict[str, Callable[..., Any]] = {}
        for metric in metrics or ():
            if metric not in METRICS:
                raise DataError(f"There is no metric {metric!r}.\nFix: {nearest(metric, METRICS)}")
            left_out = {} if abstain_label is None else {"golds": [abstain_label], "preds": [abstain_label]}
            self.metrics[metric] = partial(
                metric_score, metric=metric, filter_dict={} if metric == "coverage" else left_out
            )
        self.metrics.update(custom_metric_funcs or {})

    def score(
        self, golds: npt.ArrayLike, preds: npt.ArrayLike | None = None, probs: npt.NDArray[Any] | None = None
    ) -> dict[str, float]:
        """All scores by name. golds, preds: (n,); probs: (n, k). Raises DataError for no rows."""
        if len(np.asarray(golds)) == 0:
            raise DataError("There are no labels to score.\nFix: give one or more rows.")
        scores: dict[str, float] = {}
        for name, metric in self.metrics.items():
            found = metric(golds, preds, probs)
            scores.update(found if isinstance(found, dict) else {name: found})
        return scores

    def score_slices(
        self,
        S: np.recarray[Any, Any],
        golds: npt.NDArray[Any],
        preds: npt.NDArray[Any],
        probs: npt.NDArray[Any],
        as_dataframe: bool = False,
    ) -> Any:
        """Scores of all rows, as "overall", and of each slice. S: what a slicing applier gives.

        returns: scores by slice and name, or a pandas frame of them. A slice without rows has NaN.
        Departs from Snorkel's: a row for which a slicing function says -1 is not in the slice, and an empty slice is no
        error.
        """
        if not len(S) == len(golds) == len(preds) == len(probs):
            raise DataError(
                f"There are {len(S)} rows in S, {len(golds)} golds, {len(preds)} preds and {len(probs)} probs.\n"
                "Fix: give the same rows to each."
            )
        scores = {"overall": self.score(golds, preds, probs)}
        for name in S.dtype.names:
            rows = S[name] > 0
            nothing = dict.fromkeys(scores["overall"], float("nan"))
            scores[name] = self.score(golds[rows], preds[rows], probs[rows]) if rows.any() else nothing
        return pandas("score_slices").DataFrame.from_dict(scores).transpose() if as_dataframe else scores
