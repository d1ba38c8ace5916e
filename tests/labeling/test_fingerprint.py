"""Fingerprints: what a function does, and nothing else. What changes the votes changes them; layout does not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

BASE = """
import re
WORDS = {"free", "win", "cash"}
LIMITS = {"low": 1, "high": [2, 3]}
LINK = re.compile("https?")
def helper(text):
    return text.strip()
def make(bound):
    def inner(row):
        return len(row.text) > bound
    return inner
def f(row, least=2):
    text = helper(row.text)
    return text in WORDS or bool(LINK.search(text)) or len(text) > LIMITS["low"] + least
closure = make(3)
"""


@pytest.fixture
def fingerprint(tmp_path, monkeypatch):
    """Fingerprint of a name of a module with the given source."""
    from consilience.labeling.fingerprint import code_fingerprint

    count = iter(range(100))

    def of(source, name="f"):
        path = tmp_path / f"module_{next(count)}.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)  # as an import would
        spec.loader.exec_module(module)
        return code_fingerprint(getattr(module, name))

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"cash"', '"cash", "prize"'),
        ('"low": 1', '"low": 2'),
        ("[2, 3]", "[2, 4]"),
        ('"https?"', '"http"'),
        ('re.compile("https?")', 're.compile("https?", re.I)'),
        ("text.strip()", "text.lstrip()"),
        ("least=2", "least=3"),
        ("row.text)\n    return text in", "row.body)\n    return text in"),
        (" or len(text)", " and len(text)"),
    ],
)
def test_what_changes_the_votes_changes_the_fingerprint(fingerprint, old, new):
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) != fingerprint(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(row", "# a comment\ndef f(row"),
        ("    text = helper", '    """Now it has a docstring."""\n    text = helper'),
        ("helper(row.text)", "helper(  row.text  )"),
        ("return text in WORDS or", "return text in WORDS or \\\n        "),
        ("WORDS = {", "OTHER = 3\nWORDS = {"),
        ('{"free", "win", "cash"}', '{"win", "cash", "free"}'),
    ],
)
def test_what_does_not_change_the_votes_does_not(fingerprint, old, new):
    assert old in BASE
    assert fingerprint(BASE.replace(old, new)) == fingerprint(BASE)


def test_the_functions_own_name_does_not_count(fingerprint):
    assert fingerprint(BASE.replace("def f(", "def g("), "g") == fingerprint(BASE)


def test_a_value_from_around_the_function_counts(fingerprint):
    changed = BASE.replace("make(3)", "make(4)")
    assert fingerprint(BASE, "closure") != fingerprint(changed, "closure")
    assert fingerprint(BASE, "closure") == fingerprint(BASE.replace("make(3)", "make( 3 )"), "closure")


def test_a_lambda_counts_by_its_code(fingerprint):
    same, again, other = (fingerprint(f"f = lambda row: len(row.text) {test}") for test in ("> 3", ">  3", "> 4"))
    assert same == again != other


def test_a_method_and_a_partial_count_by_what_they_call_and_hold(fingerprint):
    source = """
    import functools
    def base(row, bound):
        return len(row.text) > bound
    f = functools.partial(base, bound=3)
    class Rule:
        def __init__(self): self.bound = 3
        def holds(self, row): return len(row.text) > 3
    method = Rule().holds
    """
    assert fingerprint(source) != fingerprint(source.replace("bound=3)", "bound=4)"))
    assert fingerprint(source) != fingerprint(source.replace(") > bound", ") < bound"))
    assert fingerprint(source, "method") != fingerprint(source.replace("> 3", "< 3"), "method")


def test_a_class_a_function_reads_counts_by_its_source(fingerprint):
    source = """
    class Rule:
        bound = 3
    def f(row):
        return len(row.text) > Rule.bound
    """
    assert fingerprint(source) != fingerprint(source.replace("bound = 3", "bound = 4"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[1], 2]", "[[1, 2]]"),
        ('{"a": ["b"], "c": "d"}', '{"a": ["b", "c", "d"]}'),
        ("range(3)", "range(4)"),
        ("datetime.date(2024, 1, 1)", "datetime.date(2024, 1, 2)"),
        ("pathlib.PurePath('a')", "pathlib.PurePath('b')"),
        ("decimal.Decimal('1')", "decimal.Decimal('2')"),
    ],
)
def test_constants_of_every_plain_kind_count_with_their_shape(fingerprint, old, new):
    source = f"import datetime, decimal, pathlib\nVALUE = {old}\ndef f(row): return row.text in VALUE\n"
    assert fingerprint(source) != fingerprint(source.replace(old, new))


def test_decorators_around_a_function_or_a_helper_count(fingerprint):
    source = """
    import functools
    def around(inner):
        @functools.wraps(inner)
        def outer(row): return inner(row) and True
        return outer
    @functools.lru_cache
    def helper(text): return len(text) > 3
    @around
    def f(row): return helper(row.text)
    """
    assert fingerprint(source) != fingerprint(source.replace("and True", "or True"))
    assert fingerprint(source) != fingerprint(source.replace("> 3", "> 4"))


def test_functions_that_call_themselves_or_each_other_have_one_too(fingerprint):
    source = """
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    def f(row):
        def down(n): return n and down(n - 1)
        return even(len(row.text)) and not down(3)
    LOOP = []
    LOOP.append(LOOP)
    def g(row): return row.text in LOOP
    import math
    def h(row): return math.sqrt(len(row.text)) > 2
    """
    assert fingerprint(source) != fingerprint(source.replace("n == 0", "n == 1"))
    assert fingerprint(source, "g") == fingerprint(source, "g")
    assert fingerprint(source, "h") != fingerprint(source.replace("import math", "import cmath as math"), "h")


def test_what_cannot_be_looked_into_counts_by_its_own_fingerprint(fingerprint):
    source = """
    class Model:
        def __init__(self, name): self.fingerprint = name
    MODEL = Model("one")
    def f(row): return MODEL.predict(row.text)
    """
    assert fingerprint(source) != fingerprint(source.replace('"one"', '"two"'))


def test_arrays_count_by_what_they_hold():
    from consilience.labeling.fingerprint import code_fingerprint

    def with_array(array):
        return lambda row: len(row.text) in array

    assert code_fingerprint(with_array(np.arange(3))) == code_fingerprint(with_array(np.arange(3)))
    assert code_fingerprint(with_array(np.arange(3))) != code_fingerprint(with_array(np.arange(1, 4)))


def test_every_process_finds_the_same_fingerprint(tmp_path):
    (tmp_path / "rules.py").write_text(
        BASE + "\nimport consilience as cs\nf = cs.labeling_function('spam')(f)\n"
        "k = cs.keywords('spam', {'a', 'b', 'c'})\n"
        "small = cs.labeling_function('spam')(lambda row: row.text in {'aa', 'bb', 'cc', 'dd'})\n"
        "print(f.fingerprint, k.fingerprint, small.fingerprint)\n"
    )
    seen = set()
    for seed in ("1", "2", "3"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, tmp_path / "rules.py"], capture_output=True, text=True, check=True, env=env
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_an_attribute_called_like_something_else_does_not_count(fingerprint):
    source = "text = 1\nclass Body: low = 2\ndef f(row):\n    return row.text + Body.low\nlow = 3\n"
    assert fingerprint(source) == fingerprint(source.replace("text = 1", "text = 2").replace("low = 3", "low = 4"))
    assert fingerprint(source) != fingerprint(source.replace("low = 2", "low = 4"))
