"""The public face, and the promises that hold for every file: errors with a fix, nothing unpickled or evaluated."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import consilience
from consilience import errors

SOURCE = Path(consilience.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
ERRORS = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def where(path, node):
    return f"{path.relative_to(SOURCE)}:{node.lineno}"


def calls():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, node


# names


@pytest.mark.parametrize("name", consilience.__all__)
def test_every_public_name_is_there_and_shows_an_example(name):
    value = getattr(consilience, name)
    assert value.__doc__ and len(value.__doc__.strip().splitlines()[0]) > 10
    assert value.__name__ == name


# what one does not make by hand is shown where it is made
MADE_BY_OTHERS = {"LabelMatrix", "LabelingFunction", "Report", "Project"}


@pytest.mark.parametrize("name", sorted(set(consilience.__all__) - MADE_BY_OTHERS))
def test_every_name_one_calls_has_an_example_that_runs(name):
    assert ">>>" in getattr(consilience, name).__doc__


def test_dir_lists_the_names_and_an_unknown_one_is_an_attribute_error():
    assert set(consilience.__all__) <= set(dir(consilience))
    with pytest.raises(AttributeError, match="module 'consilience' has no attribute 'nope'"):
        consilience.nope


def test_names_for_type_checkers_are_those_that_are_loaded():
    (block,) = [node for node in TREES[SOURCE / "__init__.py"].body if isinstance(node, ast.If)]
    listed = {f"{line.module}.{line.names[0].name}" for line in block.body}
    assert listed == {f"consilience.{module}.{name}" for name, module in consilience._HOME.items()}


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["numpy", "polars", "scipy", "sklearn", "pandas", "rich"]
    code = f"import sys, consilience; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_type_checkers_are_told_that_there_are_types():
    assert (SOURCE / "py.typed").is_file()


# errors


def message_of(call):
    """The text of an error's message, with a mark where values go in; None if it is made elsewhere."""
    if not call.args:
        return None
    parts = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
    return "".join(part for part in parts if isinstance(part, str))


def test_every_error_says_what_to_do():
    silent = []
    for path, call in calls():
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name not in ERRORS or not isinstance(
            call.args[:1] and call.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp)
        ):
            continue
        message = message_of(call)
        # an error met while reading a file is passed on with the place in front; it has its own fix
        passes_on = any(isinstance(n, ast.Name) and n.id == "error" for n in ast.walk(call.args[0]))
        if "Fix: " not in message and not passes_on:
            silent.append(where(path, call))
    assert not silent


def test_every_error_is_ours_and_one_of_pythons():
    for name in ERRORS - {"ConsilienceError"}:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.ConsilienceError)
        assert issubclass(kind, (ValueError, OSError, ImportError))
        assert name in errors.__doc__


# nothing is unpickled, evaluated or handed to a shell


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


# a user's own functions, sent to processes that were started for them: code, never data
SENDS_FUNCTIONS = {"engines/shipping.py"}


def test_nothing_imports_a_pickler():
    imports = [
        where(path, node)
        for path, tree in TREES.items()
        if str(path.relative_to(SOURCE)) not in SENDS_FUNCTIONS
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        if name.split(".")[0] in FORBIDDEN
    ]
    assert not imports


def test_nothing_is_evaluated_or_handed_to_a_shell():
    found = []
    for path, call in calls():
        name = getattr(call.func, "id", None)
        attribute = getattr(call.func, "attr", None)
        evaluates = name in {"eval", "exec", "compile", "__import__"} or attribute in {"system", "popen"}
        options = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
        if evaluates or options.get("shell") or options.get("allow_pickle"):
            found.append(where(path, call))
    assert not found


def test_arrays_are_loaded_and_saved_without_pickle_by_name():
    for path, call in calls():
        if getattr(call.func, "attr", None) in {"load", "write_array"} and ast.unparse(call.func).startswith("np."):
            options = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
            assert options.get("allow_pickle") is False, where(path, call)


def test_only_the_command_line_prints():
    prints = [where(path, call) for path, call in calls() if getattr(call.func, "id", None) == "print"]
    assert not [place for place in prints if not place.startswith("cli/")]


def test_randomness_comes_from_a_seed():
    unseeded = [
        where(path, call)
        for path, call in calls()
        if (ast.unparse(call.func).endswith("default_rng") and not call.args)
        or ast.unparse(call.func).startswith(("np.random.seed", "random."))
    ]
    assert not unseeded


def test_every_file_opens_by_saying_what_it_is():
    for path, tree in TREES.items():
        assert ast.get_docstring(tree), path
