"""What Snorkel has and this package has not: importing such a name says so, and what to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from consilience.errors import CompatError


def missing_names(module: str, fixes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that raises CompatError, an ImportError, for these names. fixes: what to do, by name.

    >>> missing_names("snorkel.slicing", {"SliceAwareClassifier": "train one model, and report it by slice."})(
    ...     "SliceAwareClassifier"
    ... )
    Traceback (most recent call last):
        ...
    consilience.errors.CompatError: Snorkel's snorkel.slicing.SliceAwareClassifier has no counterpart here.
    Fix: train one model, and report it by slice.
    """

    def get(name: str) -> Any:
        if name in fixes:
            raise CompatError(f"Snorkel's {module}.{name} has no counterpart here.\nFix: {fixes[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get
