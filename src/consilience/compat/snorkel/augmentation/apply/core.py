"""Apply transformation functions as a policy says: a list of data points in, a longer one out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from consilience.compat.snorkel.augmentation.policy.core import Policy
from consilience.compat.snorkel.map.core import BaseMapper
from consilience.compat.snorkel.types import DataPoint
from consilience.compat.snorkel.utils.data_operators import check_unique_names
from consilience.errors import FunctionError
from consilience.progress import track


class BaseTFApplier:
    """What all appliers are: functions with distinct names, and a policy."""

    def __init__(self, tfs: Sequence[BaseMapper], policy: Policy) -> None:
        self._tfs = list(tfs)
        self._tf_names = [tf.name for tf in tfs]
        check_unique_names(self._tf_names)
        if policy.n > len(self._tfs):
            raise FunctionError(
                f"The policy draws from {policy.n} functions, and there are {len(self._tfs)}.\n"
                f"Fix: {type(policy).__name__}({len(self._tfs)}, ...)."
            )
        self._policy = policy

    def _augment(self, x: DataPoint) -> list[DataPoint]:
        """What the policy's sequences make of a data point; a sequence of which no function applies makes nothing."""
        made = []
        for sequence in self._policy.generate_for_example():
            point, applied = x, not sequence
            for place in sequence:
                changed = self._tfs[place](point)
                if changed is not None:
                    point, applied = changed, True
            if applied:
                made.append(point)
        return made

    def _augment_all(self, points: Iterable[DataPoint]) -> list[DataPoint]:
        return [made for x in points for made in self._augment(x)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}, Policy: {type(self._policy).__name__}, TFs: {self._tf_names}"


class TFApplier(BaseTFApplier):
    """Applies transformation functions to a list of data points."""

    def apply_generator(self, data_points: Sequence[DataPoint], batch_size: int) -> Iterator[list[DataPoint]]:
        """The augmented data points, in lists, each made of batch_size of the given ones."""
        for start in range(0, len(data_points), batch_size):
            yield self._augment_all(data_points[start : start + batch_size])

    def apply(self, data_points: Sequence[DataPoint], progress_bar: bool = True) -> list[DataPoint]:
        """The augmented data points: those made of the first, then those made of the second, ..."""
        return self._augment_all(track(data_points, "transforming rows"))
