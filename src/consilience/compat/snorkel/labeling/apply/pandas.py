"""Apply labeling functions in Snorkel's style to a frame: rows are light records, not Series; votes are the same."""

from __future__ import annotations

from typing import Any

from consilience.compat.snorkel.labeling.apply.core import AT_A_TIME, BaseLFApplier
from consilience.compat.snorkel.rows import rows_of


class PandasLFApplier(BaseLFApplier):
    """Applies labeling functions to the rows of a pandas (or Polars) frame.

    Departs from Snorkel's: a row is a Row, which reads like a Series and costs a tenth of it. Integers stay integers
    beside floats, and an attribute that a preprocessor has set is there for the next one too.

    >>> import pandas as pd
    >>> from consilience.compat.snorkel.labeling import labeling_function
    >>> @labeling_function()
    ... def old(x):
    ...     return 1 if x.age > 60 else 0
    >>> PandasLFApplier([old]).apply(pd.DataFrame({"age": [20, 70], "name": ["Ann", "Bo"]})).tolist()
    [[0], [1]]
    """

    def apply(
        self,
        df: Any,
        progress_bar: bool = True,
        fault_tolerant: bool = False,
        return_meta: bool = False,
    ) -> Any:
        """Votes of all functions on all rows. returns: (n, m) int64, -1 abstains. See LFApplier.apply."""
        places = df.iloc if hasattr(df, "iloc") else df
        starts = range(0, len(df), AT_A_TIME)
        parts = (rows_of(places[start : start + AT_A_TIME]) for start in starts)
        return self._matrix(parts, len(starts), fault_tolerant, return_meta)
