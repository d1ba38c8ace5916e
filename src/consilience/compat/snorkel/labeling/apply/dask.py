"""Apply labeling functions to a frame under the names that Snorkel gives to doing it in several processes."""

from __future__ import annotations

from typing import Any

from consilience.compat.snorkel.labeling.apply.pandas import PandasLFApplier
from consilience.compat.snorkel.missing import missing_names
from consilience.errors import FunctionError

__getattr__ = missing_names(
    "snorkel.labeling.apply.dask",
    {"DaskLFApplier": "use PandasLFApplier on each part, or turn functions into Consilience's with to_consilience."},
)


class PandasParallelLFApplier(PandasLFApplier):
    """PandasLFApplier by another name: it runs in this process, where Snorkel's starts others through Dask.

    Votes come in the order of the rows, whatever the frame's index.
    """

    def apply(  # type: ignore[override]
        self, df: Any, n_parallel: int = 2, scheduler: Any = "processes", fault_tolerant: bool = False
    ) -> Any:
        """Votes of all functions on all rows. n_parallel (2 or more) and scheduler are not used."""
        if n_parallel < 2:
            raise FunctionError(f"n_parallel is {n_parallel}.\nFix: give 2 or more, or use PandasLFApplier.")
        return super().apply(df, fault_tolerant=fault_tolerant)
