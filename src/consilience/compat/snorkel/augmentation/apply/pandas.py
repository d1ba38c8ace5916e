"""Apply transformation functions to a frame: a longer frame with the same columns comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from consilience.compat.snorkel.augmentation.apply.core import BaseTFApplier
from consilience.compat.snorkel.frames import pandas
from consilience.compat.snorkel.rows import Row, rows_of
from consilience.progress import track


class PandasTFApplier(BaseTFApplier):
    """Applies transformation functions to the rows of a pandas frame.

    As in Snorkel, what a function sets by attribute (`x.doc`) is no column of the result unless the frame has that
    column; what it sets by item (`x["language"]`) is. Rows keep the index of the row they were made of.

    >>> import pandas as pd
    >>> from consilience.compat.snorkel.augmentation import ApplyOnePolicy, transformation_function
    >>> @transformation_function()
    ... def shout(x):
    ...     x.text = x.text.upper()
    ...     return x
    >>> PandasTFApplier([shout], ApplyOnePolicy()).apply(pd.DataFrame({"text": ["hi"]}))["text"].tolist()
    ['hi', 'HI']
    """

    def apply_generator(self, df: Any, batch_size: int) -> Iterator[Any]:
        """The augmented rows, in frames, each made of batch_size of the given ones."""
        for start in range(0, len(df), batch_size):
            part = df.iloc[start : start + batch_size]
            yield _frame(self._augment_all(rows_of(part)), part)

    def apply(self, df: Any, progress_bar: bool = True) -> Any:
        """The augmented rows: those made of the first, then those made of the second, ..."""
        return _frame(self._augment_all(track(rows_of(df), "transforming rows")), df)


def _frame(rows: Sequence[Row], original: Any) -> Any:
    """Rows as a frame: the original's columns, then those that functions added."""
    pd = pandas("PandasTFApplier")
    columns = dict.fromkeys(original.columns)
    for row in rows:
        columns.update(dict.fromkeys(row.keys()))
    index = pd.Index([row.name for row in rows], name=original.index.name) if rows else original.index[:0]
    made = {
        place: pd.Series([row.get(name) for row in rows], index=index, dtype=object).infer_objects()
        for place, name in enumerate(columns)
    }
    frame = pd.DataFrame(made, index=index)
    frame.columns = list(columns)
    return frame
