"""Hash of what a Python function does: the code that runs, and the constants, patterns and functions that it reads.

Comments, layout, docstrings and the function's own name do not count. Code of one's own (functions, classes and their
objects, modules beside the project) is gone into, wherever it stands; of installed packages the version counts. An
object of theirs that cannot be looked into (an open model, say) counts by its type, unless it has a `fingerprint` of
its own. A dict or an object that a function fills while it runs counts too: its column is then computed again in that
session, never wrongly kept. What `functools.cache` and `lru_cache` remember does not count, nor do the values of
preprocessors.

The code itself is read, not the text of its file: that may have been edited since the function was made.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib
import importlib.util
import inspect
import re
import site
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))
SPELLED = (range, date, time, timedelta, Decimal, Fraction, PurePath, Enum, slice)
WRITTEN_IN_C = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
TAKES = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR
READ = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
BESIDE = {"_abc_impl", "_member_map_", "_value2member_map_", "_member_names_"}  # what Python notes of a class
SHOWN = {"numpy", "scipy", "sklearn", "consilience"}  # packages whose objects show all they hold
Met = dict[int, tuple[int, Any]]  # what was met, by id: in which place, and itself, so that no id is used twice


def code_fingerprint(function: Callable[..., Any]) -> str:
    """Hash of a function's code and of all it reads. O(size of the code and of the constants)."""
    digest = hashlib.sha256()
    for part in _parts(function, {}):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def package_version(module: str) -> str:
    """The version of the installed package that a module comes from; "" if it says none."""
    top = module.partition(".")[0]
    said = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(said, str):
        return said
    try:
        return metadata.version({"sklearn": "scikit-learn"}.get(top, top))
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def _parts(value: Any, met: Met) -> Iterator[str]:
    """Text that says what a value is, going into functions and containers; an object met before by its place."""
    if isinstance(value, PLAIN) and not isinstance(value, Enum):
        yield repr(value)
    elif id(value) in met:
        yield f"again {met[id(value)][0]}"
    else:
        met[id(value)] = (len(met), value)
        yield f"{type(value).__qualname__}("
        yield from _inside(value, met)
        yield ")"


def _inside(value: Any, met: Met) -> Iterator[str]:
    if isinstance(value, types.FunctionType):
        yield from _function_parts(value, met)
    elif hasattr(type(value), "fingerprint_parts"):  # a labeling function or a preprocessor
        yield from _parts(value.fingerprint_parts, met)
    elif isinstance(value, functools.partial):
        yield from _parts((value.func, value.args, value.keywords), met)
    elif isinstance(value, types.MethodType):
        yield from _parts(value.__func__, met)
        yield from _parts(value.__self__, met)
    elif isinstance(value, SPELLED):
        yield repr(value)
    elif isinstance(value, re.Pattern):
        yield repr((value.pattern, value.flags))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item, met)
    elif isinstance(value, (set, frozenset)):
        yield from sorted("".join(_parts(item, dict(met))) for item in value)
    elif isinstance(value, (dict, types.MappingProxyType)):
        for key, item in value.items():
            yield from _parts(key, met)
            yield from _parts(item, met)
    elif isinstance(value, types.ModuleType):
        yield f"{value.__name__} {package_version(value.__name__)}"
    elif isinstance(value, type):
        yield from _class_parts(value, met)
    elif isinstance(value, WRITTEN_IN_C):  # the search of a pattern, say
        owner = getattr(value, "__objclass__", None)
        yield f"{getattr(value, '__module__', '')} {owner and owner.__qualname__} {value.__qualname__}"
        holder = getattr(value, "__self__", None)
        yield from _parts(None if isinstance(holder, types.ModuleType) else holder, met)
    else:
        yield from _object_parts(value, met)


# code


def _function_parts(function: types.FunctionType, met: Met) -> Iterator[str]:
    yield from _parts(function.__defaults__, met)
    yield from _parts(function.__kwdefaults__, met)
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty cell
            yield from _parts(cell.cell_contents, met)
    if not _is_own(function.__module__):
        yield f"{function.__module__}.{function.__qualname__} {package_version(function.__module__)}"
        return
    code = function.__code__
    yield from _code_parts(code, met)
    attributes = set(_names(code, {"LOAD_ATTR", "LOAD_METHOD"}))
    for name in sorted(set(_names(code, READ))):
        if name in function.__globals__:
            yield name
            yield from _read_parts(function.__globals__[name], attributes, met)
    for name in sorted(set(_names(code, {"IMPORT_NAME"}))):
        yield from _read_parts(_imported(name), attributes | set(_names(code, {"IMPORT_FROM"})), met)


def _code_parts(code: types.CodeType, met: Met) -> Iterator[str]:
    """Its instructions, with what they load; not the lines they come from, nor a docstring."""
    n_arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    yield repr((sys.version_info[:2], *n_arguments, code.co_flags & TAKES))
    for step in dis.get_instructions(code):
        yield step.opname
        if isinstance(step.argval, types.CodeType):
            yield from _code_parts(step.argval, met)
        elif step.opcode in dis.hasconst:
            yield from _parts(step.argval, {})
        elif step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            yield str(step.argval)
        elif step.arg is not None:
            named = step.opcode in dis.hasname or step.opcode in dis.haslocal or step.opcode in dis.hasfree
            yield repr(step.argval) if named else str(step.arg)
    for entry in getattr(dis.Bytecode(code), "exception_entries", ()):
        yield repr(tuple(entry))


def _names(code: types.CodeType, opnames: set[str]) -> Iterator[str]:
    """Names that such instructions have, in inner functions too."""
    for step in dis.get_instructions(code):
        if step.opname in opnames:
            yield step.argval
        elif isinstance(step.argval, types.CodeType):
            yield from _names(step.argval, opnames)


def _read_parts(value: Any, attributes: set[str], met: Met) -> Iterator[str]:
    """What code reads by a name: of a module of one's own, whatever of it the code may use."""
    if not isinstance(value, types.ModuleType) or not _is_own(value.__name__):
        yield from _parts(value, met)
        return
    for name in sorted(attributes & set(vars(value))):
        yield f"{value.__name__}.{name}"
        yield from _read_parts(vars(value)[name], attributes, met)


def _imported(name: str) -> Any:
    """A module that code imports when it runs; installed ones are not loaded for this."""
    if name not in sys.modules and name:
        with suppress(Exception):  # it will say so when it runs
            if importlib.util.find_spec(name.partition(".")[0]) is not None and _is_own(name):
                importlib.import_module(name)
    top = sys.modules.get(name.partition(".")[0])
    return sys.modules.get(name, top) if top is not None else name


# classes and objects


def _class_parts(kind: type, met: Met) -> Iterator[str]:
    """Of a class of one's own, what it defines and what it is made of."""
    if kind.__module__ == "builtins" or not _is_own(kind.__module__):
        yield f"{kind.__module__}.{kind.__qualname__} {package_version(kind.__module__)}"
        return
    yield from _parts((kind.__bases__, type(kind)), met)
    if issubclass(kind, Enum):
        yield from (repr((name, member.value)) for name, member in kind.__members__.items())
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, types.FunctionType) or not (name.startswith("__") or name in BESIDE):
            yield name
            yield from _parts(value, met)


def _object_parts(value: Any, met: Met) -> Iterator[str]:
    own = getattr(value, "fingerprint", None)
    if isinstance(own, str):
        yield own
    elif isinstance(value, property):
        yield from _parts((value.fget, value.fset), met)
    elif isinstance(value, functools.cached_property):
        yield from _parts(value.func, met)
    elif type(value).__module__ != "builtins" and _is_own(type(value).__module__):
        yield from _class_parts(type(value), met)
        for name, held in sorted(held_by(value).items()):
            if not isinstance(getattr(type(value), name, None), functools.cached_property):
                yield name
                yield from _parts(held, met)
    elif callable(getattr(value, "__wrapped__", None)):  # functools.lru_cache, and decorators like it
        yield from _parts(value.__wrapped__, met)
    else:
        yield f"{type(value).__module__} {package_version(type(value).__module__)}"
        yield from _shown_parts(value, met)


def _shown_parts(value: Any, met: Met) -> Iterator[str]:
    """What an object of an installed class shows of what it holds."""
    package = type(value).__module__.partition(".")[0]
    if package in SHOWN:
        from consilience.errors import FunctionError
        from consilience.labeling.state import state_fingerprint

        with suppress(FunctionError):
            yield state_fingerprint(value)
    elif package == "polars" and hasattr(value, "rechunk"):
        frame = value.to_frame() if hasattr(value, "to_frame") else value
        yield repr(frame.schema)
        with suppress(Exception):  # objects in it
            yield hashlib.sha256(frame.hash_rows().to_numpy().tobytes()).hexdigest()
    elif package == "pandas" and hasattr(value, "to_dict"):
        frame = value.to_frame() if hasattr(value, "to_frame") else value
        yield from _parts((frame.to_dict("split"), list(map(str, frame.dtypes))), met)
    elif package in sys.stdlib_module_names and package != "itertools":  # a deque, a bytearray, an itemgetter
        with suppress(Exception):
            made = value.__reduce_ex__(4)
            pieces = [list(piece) if isinstance(piece, Iterator) else piece for piece in made]
            yield from _parts(pieces, met)


def held_by(value: Any) -> dict[str, Any]:
    """What an object holds by name."""
    slots = [name for kind in type(value).__mro__ for name in _listed(getattr(kind, "__slots__", ()))]
    held = {name: getattr(value, name) for name in slots if not name.startswith("__") and hasattr(value, name)}
    return held | getattr(value, "__dict__", {})


def _listed(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


# whose code it is


def _is_own(module: str | None) -> bool:
    """Whether code of a module is the user's: neither Python's nor installed, nor this package's."""
    top = (module or "").partition(".")[0]
    return top in ("", "__main__", "builtins") or (top != "consilience" and not _is_installed(top))


@functools.lru_cache(maxsize=1024)
def _is_installed(top: str) -> bool:
    """Whether a module comes with Python or lies where packages are installed. By its place: no list is read."""
    found: Any = sys.modules.get(top)
    if found is None:
        with suppress(Exception):
            found = importlib.util.find_spec(top)
    place = getattr(found, "__file__", None) or getattr(found, "origin", None)
    folders = getattr(found, "__path__", None) or getattr(found, "submodule_search_locations", None)
    place = place or next(iter(folders or ()), None)
    if place is None or not Path(place).exists():  # built in
        return top in sys.stdlib_module_names
    return any(Path(place).resolve().is_relative_to(folder) for folder in _installed_places())


@functools.lru_cache(maxsize=1)
def _installed_places() -> tuple[Path, ...]:
    named = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")]
    return tuple(Path(one).resolve() for one in (*named, *site.getsitepackages(), site.getusersitepackages()))
