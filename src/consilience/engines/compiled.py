"""Loops compiled by Numba when they are first called, and kept on disk where that can be. The floor.

Only modules that are themselves imported late import this one: it loads Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function compiled when first called; kept on disk for the next process where a folder can be written."""
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder for it
        return numba.njit(nogil=True, **options)(function)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled into its callers: a call that hands over arrays costs more than what these do."""
    return compiled(function, forceinline=True)
