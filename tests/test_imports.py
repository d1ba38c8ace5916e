"""The import graph of docs/map.md: a numbered folder imports lower numbers and the floor, never upwards."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "consilience"
FLOOR = {"errors": 0, "progress": 0, "metrics": 0, "views": 0, "store": 0, "engines": 0}
LEVEL = {
    **FLOOR,
    "data": 1,
    "labeling": 2,
    "label_models": 3,
    "end_models": 4,
    "kb": 5,
    "project": 8,
    "testing": 8,
    "compat": 8,
    "cli": 9,
}


def home(module: str) -> str:
    return module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    """Names of our modules a file imports, those inside functions too; not those for type checkers alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [n.module or "" if isinstance(n, ast.ImportFrom) else alias.name for n in found for alias in n.names]
    return {name for name in names if name.startswith("consilience.")}


def test_no_import_points_upwards():
    arrows = []
    for path in SOURCE.rglob("*.py"):
        inside = path.relative_to(SOURCE).with_suffix("").parts[0]
        if inside == "__init__":
            continue
        assert inside in LEVEL, f"{inside} has no place in the import graph"
        arrows += [
            f"{path.relative_to(SOURCE)} imports {m}" for m in imports_of(path) if LEVEL[home(m)] > LEVEL[inside]
        ]
    assert not arrows


def test_what_stands_on_top_stands_side_by_side():
    """`project` and `testing` stand side by side and do not know each other."""
    assert not [m for path in (SOURCE / "project").rglob("*.py") for m in imports_of(path) if home(m) == "testing"]
    assert not [m for path in (SOURCE / "testing").rglob("*.py") for m in imports_of(path) if home(m) == "project"]


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["numpy", "polars", "scipy", "sklearn", "rich", "typer", "sqlite3", "duckdb", "sqlglot", "lark", "numba"]
    code = f"import sys, consilience; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom consilience.cli.main import app\n"
        "heavy = ['numpy', 'polars', 'scipy', 'sklearn', 'duckdb', 'sqlglot', 'lark', 'numba']\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
