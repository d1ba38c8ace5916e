"""Checks of several functions together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from consilience.errors import FunctionError


def check_unique_names(names: Sequence[str]) -> None:
    """Raise FunctionError (a ValueError) if there are no functions, or two have one name."""
    if not names:
        raise FunctionError("There are no functions to apply.\nFix: give a list of one or more.")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise FunctionError(f"{times} functions are called {name!r}.\nFix: give each its own name.")
