"""Hash of what a fitted model is: its type, settings and arrays, found by walking through it. Used by model.py.

No pickle: objects are gone into attribute by attribute, and what hides its state (a compiled tree, say) is asked for it
by `__getstate__`. Something that shows nothing at all is an error, since its changes could not be seen.
"""

from __future__ import annotations

import hashlib
import re
import types
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np

from consilience.errors import FunctionError
from consilience.labeling.fingerprint import code_fingerprint, held_by, package_version

# they change when a model is used or moved, and never what it says
PASSING = {"_stop_words_id", "n_jobs", "verbose", "memory", "fit_time_", "refit_time_", "_repr_html_link"}
HEAP_TYPE = 1 << 9  # the flag of classes written in Python; others may hold what no attribute shows
SPELLED = (date, time, timedelta, Decimal, Fraction, Enum, PurePath, slice)
PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), range, np.dtype, np.generic)


def state_fingerprint(model: Any) -> str:
    """Hash of a model's type, the version of its package, and all it holds. O(size of what it holds).

    raises: FunctionError if part of it cannot be looked into.

    >>> from sklearn.linear_model import LogisticRegression
    >>> first, same = (LogisticRegression().fit([[0], [1]], ["a", "b"]) for _ in range(2))
    >>> state_fingerprint(first) == state_fingerprint(same) != state_fingerprint(LogisticRegression())
    True
    """
    walk = _Walk()
    walk.enter(model, type(model).__name__)
    return walk.digest.hexdigest()


class _Walk:
    """Goes through a model once, each object by the number of its first meeting where it comes again."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.met: dict[int, tuple[int, Any]] = {}  # holds what it met, so that no id is used twice

    def say(self, *words: object) -> None:
        self.digest.update(repr(words).encode("utf-8", "surrogatepass"))

    def enter(self, value: Any, path: str) -> None:
        if isinstance(value, PLAIN) and not (isinstance(value, np.generic) and value.dtype.hasobject):
            self.say(type(value).__name__, repr(value))
        elif id(value) in self.met:
            self.say("again", self.met[id(value)][0])
        else:
            self.met[id(value)] = (len(self.met), value)
            self.say(type(value).__module__, type(value).__qualname__)
            self.inside(value, path)

    def inside(self, value: Any, path: str) -> None:
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self.say(str(value.dtype), value.shape)
            self.digest.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, (list, tuple, np.ndarray)):
            self.say(len(value))
            for place, item in enumerate(value):
                self.enter(item, f"{path}[{place}]")
        elif isinstance(value, (set, frozenset)):
            self.say(sorted(map(repr, value)))
        elif isinstance(value, Mapping):
            self.say(len(value))
            for key, item in value.items():
                self.enter(key, path)
                self.enter(item, f"{path}[{key!r}]")
        elif isinstance(value, SPELLED):
            self.say(repr(value))
        elif isinstance(value, re.Pattern):
            self.say(value.pattern, value.flags)
        elif isinstance(value, (types.FunctionType, types.MethodType, partial)):
            self.say(code_fingerprint(value))
        elif isinstance(value, (type, types.BuiltinFunctionType, types.ModuleType, np.ufunc)):
            self.say(getattr(value, "__module__", ""), getattr(value, "__qualname__", getattr(value, "__name__", "")))
        else:
            self.object(value, path)

    def object(self, value: Any, path: str) -> None:
        """An object by a fingerprint of its own or what it would save, else by its attributes or the state it gives."""
        own = getattr(value, "fingerprint", None)
        if isinstance(own, str):
            self.say(own)
            return
        if callable(getattr(value, "state", None)) and isinstance(getattr(value, "kind", None), str):
            self.enter(value.state(), path)  # a model of this package: the same however it was made or loaded
            return
        if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor
            self.enter(np.asarray(value.detach().cpu()), path)
            return
        self.say(package_version(type(value).__module__))
        if hasattr(value, "get_arrays") and hasattr(value, "get_tree_stats"):  # a tree of neighbours counts its calls
            self.enter(tuple(map(np.asarray, value.get_arrays())), path)
            return
        attributes = held_by(value) if _is_python(type(value)) else _state(value)
        if attributes is None:
            raise FunctionError(
                f"The model holds a {type(value).__qualname__} ({path}), which cannot be looked into.\n"
                "Fix: model(..., fingerprint='anything that changes when the model does')."
            )
        if isinstance(attributes, Mapping):
            for name in sorted(attributes, key=str):
                if name not in PASSING:
                    self.say(name)
                    self.enter(attributes[name], f"{path}.{name}")
        else:
            self.enter(attributes, path)


def _is_python(kind: type) -> bool:
    """Whether a class and those it is made of are written in Python, so that attributes are all it holds."""
    return all(base.__flags__ & HEAP_TYPE for base in kind.__mro__[:-1])


def _state(value: Any) -> Any:
    """The state that a compiled object would be copied by; None if it has none."""
    try:
        own = "__getstate__" in {name for kind in type(value).__mro__[:-1] for name in vars(kind)}
        state = value.__getstate__() if own else None
        if state is not None:
            return state
        made = value.__reduce_ex__(2)
        return made[1:3] if isinstance(made, tuple) else None
    except Exception:
        return None
