"""Functions of the user's: Python callables, or scripts that read and write lines, over the rows of a body."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.rules import fingerprint
from consilience.kb.sql.schema import Schema


def function_fingerprint(function: tree.Function, given: Callable[..., Any] | None, folder: Path | None) -> str:
    """What a function's code is known by."""
    return fingerprint(function)


def call_function(
    store: Store,
    schema: Schema,
    rule: tree.FunctionCall,
    given: Callable[..., Any] | None,
    allow_code: bool,
    folder: Path | None,
) -> list[str]:
    """Call a function on every row of a body; its rows stand in the table of calls."""
    raise NotImplementedError
