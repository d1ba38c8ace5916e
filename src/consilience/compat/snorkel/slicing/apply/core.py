"""Apply slicing functions: an array with a field for each slice comes out, 1 for the rows in it."""

from __future__ import annotations

from consilience.compat.snorkel.labeling.apply.core import LFApplier
from consilience.compat.snorkel.labeling.apply.pandas import PandasLFApplier


class SFApplier(LFApplier):
    """Applies slicing functions to a list. `apply` gives a recarray (n,) of int64, with a field for each function."""

    _use_recarray = True


class PandasSFApplier(PandasLFApplier):
    """Applies slicing functions to the rows of a frame. `apply` gives a recarray (n,) of int64, a field a function.

    >>> import pandas as pd
    >>> from consilience.compat.snorkel.slicing import slicing_function
    >>> @slicing_function()
    ... def short(x):
    ...     return len(x.text) < 5
    >>> PandasSFApplier([short]).apply(pd.DataFrame({"text": ["hi", "a long text"]}))["short"].tolist()
    [1, 0]
    """

    _use_recarray = True
