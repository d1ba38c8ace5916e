"""Slicing functions: a data point in, yes or no out."""

from __future__ import annotations

from consilience.compat.snorkel.labeling.lf.core import LabelingFunction, labeling_function


class SlicingFunction(LabelingFunction):
    """A function that says whether a data point is in a slice. As LabelingFunction otherwise."""

    says_where = True


class slicing_function(labeling_function):
    """Decorator: a function of one data point becomes a SlicingFunction.

    >>> @slicing_function()
    ... def shouts(x):
    ...     return x.text.isupper()
    >>> from types import SimpleNamespace
    >>> shouts(SimpleNamespace(text="WOW"))
    True
    """

    makes = SlicingFunction
