"""Fingerprints: what a function does, and nothing else. What changes the votes changes them; layout does not."""

from __future__ import annotations

import importlib
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


HELPER = """
BOUND = 3
def is_long(text):
    return len(text) > BOUND
class Base:
    def holds(self, text): return is_long(text)
class Rule(Base):
    word = "cash"
    def __init__(self, least=2): self.least = least
    def more(self, text): return len(text) > self.least
"""


@pytest.mark.parametrize(
    "source",
    [
        "import helper_module\ndef f(row): return helper_module.is_long(row.text)",
        "import helper_module as h\ndef f(row): return h.Rule().holds(row.text)",
        "from helper_module import Rule\nrule = Rule()\ndef f(row): return rule.holds(row.text)",
        "from helper_module import Rule\nholds = Rule().holds\ndef f(row): return holds(row.text)",
        "def f(row):\n    import helper_module\n    return helper_module.is_long(row.text)",
        "def f(row):\n    from helper_module import is_long\n    return is_long(row.text)",
    ],
)
def test_helpers_in_another_module_count_however_they_are_reached(fingerprint, tmp_path, monkeypatch, source):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def with_helper(helper):
        (tmp_path / "helper_module.py").write_text(helper)
        monkeypatch.delitem(sys.modules, "helper_module", raising=False)
        importlib.invalidate_caches()
        return fingerprint(source)

    first = with_helper(HELPER)
    assert with_helper(HELPER.replace("BOUND = 3", "BOUND = 4")) != first
    assert with_helper(HELPER.replace("> BOUND", "< BOUND")) != first
    assert with_helper("# moved\nOTHER = 1\n" + HELPER) == first
    monkeypatch.delitem(sys.modules, "helper_module", raising=False)


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("class A:\n  def __init__(s): s.w = ['a']\na = A()\ndef f(r): return r.text in a.w", "'a'", "'b'"),
        ("class A:\n  __slots__ = ('w',)\n  def __init__(s): s.w = 1\na = A()\ndef f(r): return a.w", "= 1", "= 2"),
        ("class B:\n  def p(s): return 1\nclass A(B): pass\na = A()\ndef f(r): return a.p()", "return 1", "return 2"),
        ("class A:\n  @property\n  def p(s): return 1\na = A()\ndef f(r): return a.p", "return 1", "return 2"),
        ("class M(type):\n  def q(c): return 1\nclass A(metaclass=M): pass\ndef f(r): return A.q()", "n 1", "n 2"),
        ("class C:\n  W = ['a']\n  def __call__(s, r): return r.text in s.W\nf = C()", "'a'", "'b'"),
        ("from enum import Enum\nclass E(Enum):\n  A = 1\ndef f(r): return r.x == E.A.value", "A = 1", "A = 2"),
        ("import re\nfind = re.compile('a').search\ndef f(r): return bool(find(r.text))", "'a'", "'b'"),
        ("import math\nrounded = math.floor\ndef f(r): return rounded(r.x)", "floor", "ceil"),
        ("X = ['a']\nY = ['b']\nL = [X, Y, X]\ndef f(r): return r.text in L[2]", "Y, X]", "Y, Y]"),
        ("import numpy as np\nA = np.array([[1, 2], [3, 4]])\ndef f(r): return A", "[[1, 2], [3, 4]]", "[1, 2, 3, 4]"),
        ("import numpy as np\nA = np.array([['a']], object)\ndef f(r): return A", "'a'", "'b'"),
        ("import polars as pl\nA = pl.Series(['a'])\ndef f(r): return r.text in A", "'a'", "'b'"),
        ("import polars as pl\nA = pl.DataFrame({'a': [1]})\ndef f(r): return A", "[1]", "[2]"),
        ("from collections import deque\nA = deque(['a'])\ndef f(r): return r.text in A", "'a'", "'b'"),
        ("A = bytearray(b'a')\ndef f(r): return A", "'a'", "'b'"),
        ("from operator import itemgetter\nA = itemgetter(1)\ndef f(r): return A(r)", "(1)", "(2)"),
        ("from types import MappingProxyType as M\nA = M({'a': 1})\ndef f(r): return A['a']", ": 1", ": 2"),
        ("g = {}\nexec('def h(x): return 1', g)\nh = g['h']\ndef f(r): return h(r.x)", "return 1", "return 2"),
        ("def f(r):\n  try: return r.x\n  except ValueError: return 2", "ValueError", "KeyError"),
        ("def f(r): return r.x == 1", "== 1", "== 1.0"),
    ],
)
def test_objects_that_a_function_holds_count_by_what_they_are_and_hold(fingerprint, source, old, new):
    assert old in source
    assert fingerprint(source) == fingerprint(source) != fingerprint(source.replace(old, new))


def test_what_runs_counts_and_not_what_the_file_says_by_now(tmp_path, monkeypatch):
    from consilience.labeling.fingerprint import code_fingerprint

    path = tmp_path / "edited_later.py"
    path.write_text("def f(row): return 1\n")
    spec = importlib.util.spec_from_file_location("edited_later", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "edited_later", module)
    spec.loader.exec_module(module)
    before = code_fingerprint(module.f)
    path.write_text("def f(row): return 200\n")
    assert code_fingerprint(module.f) == before


def test_workers_find_the_fingerprint_that_the_parent_found():
    from consilience.engines.shipping import shipped
    from consilience.labeling.fingerprint import code_fingerprint

    code = "import sys, cloudpickle as c; from consilience.labeling.fingerprint import code_fingerprint as k; "
    code += "print(k(c.loads(sys.stdin.buffer.read())))"
    for function in (_uses_a_rule, _Rule().holds, lambda row: row.text in _LIST):
        done = subprocess.run([sys.executable, "-c", code], input=shipped(function), capture_output=True, check=True)
        assert done.stdout.decode().strip() == code_fingerprint(function)


_LIST = ["a", "b"]


class _Rule:
    def __init__(self):
        self.words = {"a": 1}

    def holds(self, row):
        return row.text in self.words


def _uses_a_rule(row):
    return _Rule().holds(row) or row.text in _LIST
