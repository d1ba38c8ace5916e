"""Apply labeling functions in Snorkel's style: data points in, an (n, m) matrix of integers out, -1 where one abstains.

Row by row, and in a row function by function, as in Snorkel: functions that draw random numbers draw the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from consilience.compat.snorkel.labeling.lf.core import LabelingFunction
from consilience.compat.snorkel.types import DataPoint
from consilience.compat.snorkel.utils.data_operators import check_unique_names
from consilience.data.labels import ABSTAIN
from consilience.errors import FunctionError
from consilience.progress import working

AT_A_TIME = 5_000  # rows between reports of progress


class ApplierMetadata(NamedTuple):
    """What else is known of a run. faults: how often each function raised."""

    faults: dict[str, int]


class BaseLFApplier:
    """What all appliers are: functions with distinct names, applied to parts of the data one after the other."""

    _use_recarray: ClassVar[bool] = False  # a column by each function's name, as slicing functions have it

    def __init__(self, lfs: Sequence[LabelingFunction]) -> None:
        self._lfs = list(lfs)
        self._lf_names = [lf.name for lf in lfs]
        check_unique_names(self._lf_names)

    def _matrix(
        self, parts: Iterator[Iterable[DataPoint]], n_parts: int, fault_tolerant: bool, return_meta: bool
    ) -> Any:
        """What the functions say of all parts of the data."""
        faults: Counter[str] = Counter()
        calls = [lf.caller() for lf in self._lfs]
        if fault_tolerant:
            calls = [_tolerant(call, lf.name, faults) for call, lf in zip(calls, self._lfs, strict=True)]
        blocks = []
        done = 0
        with working(f"applying {len(calls)} functions", n_parts) as tick:
            for points in parts:
                answers = [[call(x) for call in calls] for x in points]
                blocks.append(self._codes(answers, done))
                done += len(answers)
                tick()
        codes = np.concatenate([np.empty((0, len(calls)), np.int64), *blocks])
        found = self._by_name(codes) if self._use_recarray else codes
        return (found, ApplierMetadata(defaultdict(int, faults))) if return_meta else found

    def _codes(self, answers: list[list[Any]], first: int) -> npt.NDArray[np.int64]:
        """Answers as integers, -1 for all below 0. first: place of the first row. Raises FunctionError for others."""
        shape = (len(answers), len(self._lfs))
        try:
            codes = np.array(answers)
        except ValueError:  # an answer is a list
            codes = np.empty(0, object)
        if codes.dtype.kind not in "biuf" or codes.shape != shape:
            codes = np.array(
                [self._code(answer, first + i, j) for i, row in enumerate(answers) for j, answer in enumerate(row)]
            )
        codes = np.where(codes >= 0, codes, ABSTAIN)  # NaN abstains
        return codes.reshape(shape).astype(np.int64)

    def _code(self, answer: Any, row: int, place: int) -> float:
        if isinstance(answer, (bool, int, float, np.integer, np.floating, np.bool_)):
            return float(answer)
        raise FunctionError(
            f"The labeling function {self._lf_names[place]!r} said {answer!r} of row {row}, which is no integer.\n"
            f"Fix: return a class, or {ABSTAIN} to abstain."
        )

    def _by_name(self, codes: npt.NDArray[np.int64]) -> np.recarray[Any, Any]:
        found: np.recarray[Any, Any] = np.recarray(len(codes), dtype=[(name, np.int64) for name in self._lf_names])
        for place, name in enumerate(self._lf_names):
            found[name] = codes[:, place]
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}, LFs: {self._lf_names}"


class LFApplier(BaseLFApplier):
    """Applies labeling functions to a list of data points of any kind, or to the rows of an array.

    >>> from types import SimpleNamespace
    >>> from consilience.compat.snorkel.labeling import labeling_function
    >>> @labeling_function()
    ... def old(x):
    ...     return 1 if x.age > 60 else 0
    >>> LFApplier([old]).apply([SimpleNamespace(age=20), SimpleNamespace(age=70)]).tolist()
    [[0], [1]]
    """

    def apply(
        self,
        data_points: Sequence[DataPoint] | npt.NDArray[Any],
        progress_bar: bool = True,
        fault_tolerant: bool = False,
        return_meta: bool = False,
    ) -> Any:
        """Votes of all functions on all data points. returns: (n, m) int64, -1 abstains.

        progress_bar: not used; progress is reported through consilience.progress.
        fault_tolerant: a function that raises abstains.
        return_meta: return (votes, ApplierMetadata) with how often each function raised.
        raises: whatever a function raises, unless fault_tolerant; FunctionError (a ValueError) for an answer that is
            no integer.
        """
        points = data_points if hasattr(data_points, "__getitem__") else list(data_points)
        starts = range(0, len(points), AT_A_TIME)
        parts = (points[start : start + AT_A_TIME] for start in starts)
        return self._matrix(parts, len(starts), fault_tolerant, return_meta)


def _tolerant(call: Callable[[DataPoint], Any], name: str, faults: Counter[str]) -> Callable[[DataPoint], Any]:
    """The same call, which abstains where it raises, and counts that."""

    def calm(x: DataPoint) -> Any:
        try:
            return call(x)
        except Exception:
            faults[name] += 1
            return ABSTAIN

    return calm
