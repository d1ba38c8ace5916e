"""What a database was grounded from: the program, the code of its functions, and which rows had been loaded.

A change is grounded against this, so it is noted when a run is complete and struck out when another begins. The program
is kept as JSON of its tree: opening someone's database runs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

from consilience.kb.grounding.functions import function_fingerprint
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.rules import fingerprint

P = ParamSpec("P")
NAME = "grounded"
CLASSES = {c.__name__: c for c in vars(tree).values() if dataclasses.is_dataclass(c) and isinstance(c, type)}


@dataclass(frozen=True)
class Grounded:
    """A program and the fingerprints of its functions' code, by name."""

    program: tree.Program
    functions: dict[str, str]


def function_fingerprints(
    program: tree.Program, functions: Mapping[str, Callable[..., Any]] | None, folder: Path | None
) -> dict[str, str]:
    """What the code of each declared function is known by."""
    return {n: function_fingerprint(f, (functions or {}).get(n), folder) for n, f in program.functions.items()}


def remember(store: Store, program: tree.Program, functions: dict[str, str]) -> None:
    """Note what the database holds now."""
    made = {"program": as_json(program), "functions": functions, "loads": _loads(store)}
    store.set_note(NAME, json.dumps(made))


def forget_grounded(store: Store) -> None:
    """Strike it out: grounding has begun."""
    store.execute("DELETE FROM _kb.about WHERE name = ?", [NAME])


def grounded(store: Store) -> Grounded | None:
    """What the database holds; None if it was never grounded to the end, or rows were loaded since."""
    found = store.note(NAME)
    if found is None:
        return None
    made = json.loads(found)
    if made["loads"] != _loads(store):
        return None
    return Grounded(from_json(made["program"]), made["functions"])


def _loads(store: Store) -> dict[str, str]:
    return dict(store.rows("SELECT relation, state FROM _kb.loads ORDER BY relation"))


def as_json(part: Any) -> Any:
    """A tree as lists, texts and numbers; places are left out.

    >>> as_json(tree.Name("x"))
    {'is': 'Name', 'name': 'x'}
    """
    if dataclasses.is_dataclass(part):
        fields = [f.name for f in dataclasses.fields(part) if f.compare]
        return {"is": type(part).__name__, **{f: as_json(getattr(part, f)) for f in fields}}
    return [as_json(p) for p in part] if isinstance(part, (tuple, list)) else part


def from_json(made: Any) -> Any:
    """The tree that `as_json` wrote."""
    if isinstance(made, dict):
        fields = {name: from_json(value) for name, value in made.items() if name != "is"}
        return CLASSES[made["is"]](**fields)
    return tuple(from_json(m) for m in made) if isinstance(made, list) else made


def by_meaning(function: Callable[P, Any]) -> Callable[P, Any]:
    """Remember what a function made of parts of a tree; unlike `lru_cache` it tells 1 from TRUE."""
    made: dict[Any, Any] = {}

    @functools.wraps(function)
    def remembering(*args: P.args, **kwargs: P.kwargs) -> Any:
        key = fingerprint(*(sorted(a) if isinstance(a, frozenset) else a for a in args))
        if key not in made:
            if len(made) >= 1000:
                made.clear()
            made[key] = function(*args, **kwargs)
        return made[key]

    return remembering
