"""The rows of one slice."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.compat.snorkel.labeling.lf.core import LabelingFunction
from consilience.compat.snorkel.slicing.apply.core import PandasSFApplier


def slice_dataframe(df: Any, slicing_function: LabelingFunction) -> Any:
    """The rows of a frame that are in a slice.

    Departs from Snorkel's: a row for which the function says -1 is not in it.
    """
    inside = np.flatnonzero(PandasSFApplier([slicing_function]).apply(df)[slicing_function.name] > 0)
    return df.iloc[inside] if hasattr(df, "iloc") else df[inside]
