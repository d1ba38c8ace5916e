"""Hash of what a Python function does: its code, and the constants, patterns and functions that its code reads.

Comments, layout, docstrings and the function's own name do not count; a changed word list in the same module does.
What cannot be looked into (an open model, say) counts by its type, unless it has a `fingerprint` of its own. A dict
that a function fills while it runs counts too: its column is then computed again in that session, never wrongly kept.
What `functools.cache` and `lru_cache` remember does not count, nor do the values of preprocessors.
"""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any


def code_fingerprint(function: Callable[..., Any]) -> str:
    """Hash of a function's code and of all it reads. O(size of the code and of the constants)."""
    digest = hashlib.sha256()
    for part in _parts(function, seen=set()):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """Text that says what a value is, going into functions and containers, each object once."""
    if isinstance(value, (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))):
        yield repr(value)
    elif id(value) in seen:
        yield "again"
    else:
        seen.add(id(value))
        yield f"{type(value).__qualname__}("
        yield from _inside(value, seen)
        yield ")"


def _inside(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, types.FunctionType):
        yield from _function_parts(value, seen)
    elif hasattr(type(value), "fingerprint_parts"):  # a labeling function or a preprocessor
        for piece in value.fingerprint_parts:
            yield from _parts(piece, seen)
    elif isinstance(value, functools.partial):
        for piece in (value.func, value.args, value.keywords):
            yield from _parts(piece, seen)
    elif isinstance(value, types.MethodType):
        yield from _parts(value.__func__, seen)
        yield from _parts(value.__self__, seen)
    elif isinstance(value, (range, date, time, timedelta, Decimal, Fraction, PurePath, Enum)):
        yield repr(value)
    elif isinstance(value, re.Pattern):
        yield repr((value.pattern, value.flags))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item, seen)
    elif isinstance(value, (set, frozenset)):
        yield from sorted("".join(_parts(item, set(seen))) for item in value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(key, seen)
            yield from _parts(item, seen)
    elif isinstance(value, types.ModuleType):
        yield f"{value.__name__} {getattr(value, '__version__', '')}"
    elif isinstance(value, type):
        yield _source(value) or value.__qualname__
    elif hasattr(value, "__wrapped__"):  # functools.lru_cache, and decorators like it
        yield from _parts(value.__wrapped__, seen)
    elif hasattr(value, "tobytes"):  # a NumPy array
        yield hashlib.sha256(value.tobytes()).hexdigest()
    else:
        yield str(getattr(value, "fingerprint", ""))


def _function_parts(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    yield _source(function.__code__) or _bytecode(function.__code__)  # of the code: inspect follows __wrapped__
    yield from _parts(function.__defaults__, seen)
    yield from _parts(function.__kwdefaults__, seen)
    for cell in function.__closure__ or ():
        yield from _parts(cell.cell_contents if cell.cell_contents is not function else None, seen)
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name
            yield from _parts(function.__globals__[name], seen)


def _names(code: types.CodeType) -> set[str]:
    """Global names a function may read, those of its inner functions included; not names of attributes."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(_names, inner))


def _source(thing: Any) -> str | None:
    """The code of a function or class as text that comments, layout, docstrings and names do not change."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):
        return None
    found = tree.body[0]
    if not isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return None  # a lambda: its line of source may hold other things
    for node in ast.walk(found):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1:
                node.body.pop(0)
    found.name = "_"
    found.decorator_list = []
    return ast.dump(found)


def _bytecode(code: types.CodeType) -> str:
    consts = [_bytecode(c) if isinstance(c, types.CodeType) else "".join(_parts(c, set())) for c in code.co_consts]
    return repr((sys.version_info[:2], code.co_code, consts, code.co_names))
