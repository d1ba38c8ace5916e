"""The labeling functions of a project: those declared in `lfs.toml` (data), then those written in `lfs.py` (code)."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import tomllib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consilience.end_models.model_function import model
from consilience.errors import ConsilienceError, FunctionError, nearest
from consilience.labeling.crowd import Crowd, CrowdWorker, crowd
from consilience.labeling.expression import expression
from consilience.labeling.function import LabelingFunction, check_names
from consilience.labeling.keywords import keywords
from consilience.labeling.lexicon import Lexicon, lexicon
from consilience.labeling.lookup import Lookup, lookup
from consilience.labeling.neighbours import neighbours
from consilience.labeling.pattern import pattern
from consilience.labeling.recorded import recorded
from consilience.project.trust import require_trust
from consilience.store.files import replacing

DECLARED = "lfs.toml"
WRITTEN = "lfs.py"


def project_functions(folder: Path, *, python: bool = True) -> list[LabelingFunction]:
    """All functions of a project, in order, each with a name.

    python: also those of lfs.py, which needs the folder to be trusted.
    raises: FunctionError for a file that cannot be read; TrustError.
    """
    functions = declared_functions(folder / DECLARED)
    if python and (folder / WRITTEN).is_file():
        require_trust(folder, folder / WRITTEN)
        functions += written_functions(folder / WRITTEN)
    check_names(functions)
    return functions


def declared_functions(path: Path) -> list[LabelingFunction]:
    """Functions declared in a TOML file: one table each, whose name is the function's.

    [asks]                                   [link]
    label = "spam"                           label = "spam"
    keywords = ["subscribe", "check out"]    pattern = 'https?://'
    """
    if not path.is_file():
        return []
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FunctionError(f"{path} cannot be read: {error}.\nFix: correct that line.") from None
    return [function for name, table in tables.items() for function in _declared(path, name, table)]


def declared_names(path: Path) -> list[str]:
    """Names of the tables of a TOML file of functions; none if there is no such file or it cannot be read."""
    try:
        return list(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return []


def declare(path: Path, tables: Sequence[str]) -> None:
    """Append functions to a TOML file, whole or not at all; what stands there stays, comments too.

    tables: the lines of each, as `consilience.labeling.suggest.declaration` writes them.
    raises: FunctionError if the file cannot be read, or has a function of such a name.
    """
    try:
        before = path.read_bytes().decode("utf-8") if path.is_file() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        after = before + gap + "".join(f"\n{table}" for table in tables)
        tomllib.loads(after)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FunctionError(
            f"{path} would not be readable with the new functions: {error}.\n"
            "Fix: correct the file, or give them other names."
        ) from None
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise FunctionError(f"{path} is a link out of the project's folder.\nFix: put the file itself there.")
    with replacing(path.resolve()) as out:  # a link stays a link
        out.write(after.encode("utf-8"))


@dataclass(frozen=True)
class Declared:
    """A kind of function as lfs.toml declares it: what makes it, the other keys it knows, whether it needs a label.

    make: called with the label (if it needs one), the value of the kind's own key, name=..., and the other keys. It may
        make several functions. of_file: the kind's own key, if it is a string, names a file in the folder of lfs.toml.
    keeps: it is also given cache=..., a folder of the store.
    """

    make: Callable[..., LabelingFunction | Sequence[LabelingFunction]]
    options: tuple[str, ...] = ()
    needs_label: bool = True
    of_file: bool = False
    keeps: bool = False


def _known(facts: Any, *, name: str, label: str | None = None, **options: Any) -> Lookup:
    """A lookup whose label, or the column that says it, is one of the other keys."""
    if "on" not in options:
        raise FunctionError(
            "It does not say which columns must agree.\nFix: name them, as in on = ['person1', 'person2']."
        )
    return lookup(label, facts, name=name, **options)


def _workers(answers: Any, *, name: str, **options: Any) -> list[CrowdWorker]:
    """A function for each worker, called after the table and the worker."""
    return [worker.named(f"{name}.{worker.name}") for worker in crowd(answers, **options)]


def _lexicon(terms: Any, *, label: str | None = None, **options: Any) -> Lexicon:
    return lexicon(label, terms, **options)


SWITCHES, NAMES = (
    ("ignore_case", "symmetric", "strip"),
    ("column", "label_column", "term_column", "id_column", "vectors"),
)
TYPES: dict[str, type] = dict.fromkeys(SWITCHES, bool) | dict.fromkeys(NAMES, str)
LEXICON = ("label", "column", "ignore_case", "min_terms", "term_column", "label_column", "id_column")

KINDS: dict[str, Declared] = {
    "keywords": Declared(keywords, ("column", "ignore_case")),
    "pattern": Declared(pattern, ("column", "ignore_case")),
    "expression": Declared(expression),
    "lexicon": Declared(_lexicon, LEXICON, needs_label=False, of_file=True),
    "neighbours": Declared(
        neighbours, ("column", "vectors", "embedding", "k", "min_similarity"), needs_label=False, keeps=True
    ),
    "recorded": Declared(recorded, ("labels",), needs_label=False),
    "lookup": Declared(
        _known,
        ("label", "label_column", "on", "several", "symmetric", "ignore_case", "strip"),
        needs_label=False,
        of_file=True,
    ),
    "model": Declared(model, ("labels", "threshold", "columns", "batch_size"), needs_label=False, of_file=True),
    "crowd": Declared(_workers, ("item", "worker", "label", "labels", "column"), needs_label=False, of_file=True),
}


def _declared(path: Path, name: str, table: Any) -> list[LabelingFunction]:
    where = f"[{name}] in {path}"
    found = [kind for kind in KINDS if isinstance(table, dict) and kind in table]
    if len(found) != 1:
        raise FunctionError(f"{where} is not a function.\nFix: give it a label and one of {', '.join(KINDS)}.")
    kind = KINDS[found[0]]
    own = {found[0], "label"} if kind.needs_label else {found[0]}
    if kind.needs_label and "label" not in table:
        raise FunctionError(f'{where} has no label.\nFix: give it one, as in label = "spam".')
    options = {key: value for key, value in table.items() if key not in own}
    unknown = next((key for key in options if key not in kind.options), None)
    if unknown is not None:
        raise FunctionError(f"{where} has {unknown!r}, which means nothing.\nFix: {nearest(unknown, kind.options)}")
    for key, value in options.items():
        if key in TYPES and not isinstance(value, TYPES[key]):
            said = "true or false" if TYPES[key] is bool else "a name in quotes"
            raise FunctionError(f"{where} has {key} = {value!r}.\nFix: give it {said}.")
    first = (table["label"],) if kind.needs_label else ()
    value = table[found[0]]
    try:
        value = _file(path.parent, value) if kind.of_file and isinstance(value, str) else value
        kept = {"cache": path.parent / ".consilience" / "vectors"} if kind.keeps else {}
        made = kind.make(*first, value, name=name, **options, **kept)
        return [made] if isinstance(made, LabelingFunction) else list(made)
    except ConsilienceError as error:
        raise FunctionError(f"{where}: {error}") from None
    except TypeError as error:
        raise FunctionError(f"{where} cannot be made: {error}.\nFix: give its keys values of the right type.") from None


def _file(folder: Path, name: str) -> Path:
    """A file of the project. A declared function is data that nobody was asked to trust: it reads no other files."""
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL in it; a link that leads to itself
        path = Path("/")
    if not name or not path.is_relative_to(folder.resolve()):
        raise FunctionError(f"The file {name!r} is outside the project's folder.\nFix: put it into the folder.")
    return path


def written_functions(path: Path) -> list[LabelingFunction]:
    """Functions in a Python file, run now: every one that a top-level name holds, itself or in a list, dict or crowd.

    A function without a name takes that of its holder; in a list, with its place (from 1); in a dict, its key.
    """
    name = f"consilience_lfs_{abs(hash(str(path.resolve())))}"
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that inspect finds the source, which fingerprints need
    sys.path.insert(0, str(path.parent))
    cached, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a file edited twice a second must not be stale
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        line = f"line {error.lineno}" if isinstance(error, SyntaxError) else f"line {place.lineno} of {place.filename}"
        raise FunctionError(f"{path} failed at {line}: {type(error).__name__}: {error}.\nFix: correct it.") from error
    finally:
        sys.dont_write_bytecode = cached
        sys.path.remove(str(path.parent))
    held = [pair for name, value in vars(module).items() for pair in _held(name, value, path)]
    alone = {id(value): name for name, value in reversed(vars(module).items()) if isinstance(value, LabelingFunction)}
    first = {id(function): (alone.get(id(function), name), function) for name, function in reversed(held)}
    order = dict.fromkeys(id(function) for _, function in held)
    return [f if f.name else f.named(name) for name, f in (first[key] for key in order)]


def _held(name: str, value: Any, path: Path) -> list[tuple[str, LabelingFunction]]:
    """The functions that a top-level name holds, each with the name it has if it has none of its own."""
    if isinstance(value, LabelingFunction):
        return [(name, value)]
    if not isinstance(value, (list, tuple, dict, Crowd)):
        return []
    pairs = list(value.items()) if isinstance(value, dict) else [(f"{name}_{n}", f) for n, f in enumerate(value, 1)]
    found = [(str(key), function) for key, function in pairs if isinstance(function, LabelingFunction)]
    if found and len(found) < len(pairs):
        other = next(thing for _, thing in pairs if not isinstance(thing, LabelingFunction))
        raise FunctionError(
            f"{name} in {path} holds labeling functions and {other!r}.\nFix: keep functions in a list of their own."
        )
    return found
