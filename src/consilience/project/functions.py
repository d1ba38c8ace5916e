"""The labeling functions of a project: those declared in `lfs.toml` (data), then those written in `lfs.py` (code)."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import tomllib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consilience.errors import ConsilienceError, FunctionError, nearest
from consilience.labeling.expression import expression
from consilience.labeling.function import LabelingFunction, check_names
from consilience.labeling.keywords import keywords
from consilience.labeling.lexicon import Lexicon, lexicon
from consilience.labeling.pattern import pattern
from consilience.labeling.recorded import recorded
from consilience.project.trust import require_trust

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
    return [_declared(path, name, table) for name, table in tables.items()]


@dataclass(frozen=True)
class Declared:
    """A kind of function as lfs.toml declares it: what makes it, the other keys it knows, whether it needs a label.

    make: called with the label (if it needs one), the value of the kind's own key, name=..., and the other keys.
    reads_file: the value of its own key, if it is a string, is the path of a file in the project's folder.
    """

    make: Callable[..., LabelingFunction]
    options: tuple[str, ...] = ()
    needs_label: bool = True
    reads_file: bool = False


def _lexicon(terms: Any, *, label: str | None = None, **options: Any) -> Lexicon:
    return lexicon(label, terms, **options)


LEXICON = ("label", "column", "ignore_case", "min_terms", "term_column", "label_column", "id_column")

KINDS: dict[str, Declared] = {
    "keywords": Declared(keywords, ("column", "ignore_case")),
    "pattern": Declared(pattern, ("column", "ignore_case")),
    "expression": Declared(expression),
    "lexicon": Declared(_lexicon, LEXICON, needs_label=False, reads_file=True),
    "recorded": Declared(recorded, ("labels",), needs_label=False),
}


def _declared(path: Path, name: str, table: Any) -> LabelingFunction:
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
    first = (table["label"],) if kind.needs_label else ()
    value = table[found[0]]
    try:
        if kind.reads_file and isinstance(value, str):
            value = _inside(path.parent, value)
        return kind.make(*first, value, name=name, **options)
    except ConsilienceError as error:
        raise FunctionError(f"{where}: {error}") from None
    except TypeError as error:
        raise FunctionError(f"{where} cannot be made: {error}.\nFix: give its keys values of the right type.") from None


def _inside(folder: Path, name: str) -> Path:
    """A file of the project. A declared function is data that nobody was asked to trust: it reads no other files."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise FunctionError(f"The file {name!r} is outside the project's folder.\nFix: put it into the folder.")
    return path


def written_functions(path: Path) -> list[LabelingFunction]:
    """Functions in a Python file, run now: every labeling function that a top-level name holds."""
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
    held = {key: value for key, value in vars(module).items() if isinstance(value, LabelingFunction)}
    first_holder = {id(function): key for key, function in reversed(held.items())}
    return [f if f.name else f.named(key) for key, f in held.items() if first_holder[id(f)] == key]
