"""What the pages say is true: their code runs, the command line page is what --help says, the reference is complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import consilience

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"spark.md"}  # run by a slow test of its own
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in DOCS.glob("*.md") if page.name not in ELSEWHERE)]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the root of a checkout, to run pages in."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "messages.csv").write_bytes((DOCS / "messages.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIENCE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_python_on_a_page_runs_as_it_stands(page, checkout):
    run_page(page, checkout)


@pytest.mark.slow
def test_the_page_on_spark_runs_as_it_stands(checkout):
    pytest.importorskip("pyspark")
    run_page("docs/spark.md", checkout)
    assert (checkout / "probabilities" / "_SUCCESS").exists()


def run_page(page, checkout):
    """Run the Python of a page as one script; warnings are errors."""
    blocks = [code for language, code in FENCE.findall((ROOT / page).read_text("utf-8")) if language == "python"]
    script = checkout / "page.py"  # a file, so that labeling functions have source
    script.write_text("\n\n".join(blocks), "utf-8")
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SAME = """
from pathlib import Path
from consilience.project.functions import declared_functions
for function in declared_functions(Path("lfs.toml")):
    table, _, worker = function.name.partition(".")
    written = {one.name: one for one in globals()[table]}[worker] if worker else globals()[table]
    assert function.fingerprint == written.fingerprint and function.kind == written.kind, function
    print(function.name)
"""


def test_functions_in_toml_are_those_in_python_beside_them(checkout):
    blocks = FENCE.findall((DOCS / "functions.md").read_text("utf-8"))
    (checkout / "lfs.toml").write_text("\n".join(code for language, code in blocks if language == "toml"), "utf-8")
    script = checkout / "page.py"
    script.write_text("\n\n".join([*(code for language, code in blocks if language == "python"), SAME]), "utf-8")
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "crew.bob" in done.stdout and "personal" in done.stdout


def test_every_key_of_a_declared_function_is_explained():
    from consilience.project.functions import KINDS

    pages = (DOCS / "settings.md").read_text("utf-8")
    keys = {key for kind, declared in KINDS.items() for key in (kind, *declared.options)}
    assert not [key for key in sorted(keys) if f"`{key}`" not in pages]


def test_the_commands_of_the_tutorial_run_in_order(checkout):
    text = (DOCS / "tutorial.md").read_text("utf-8")
    declared = next(code for language, code in FENCE.findall(text) if language == "toml")
    commands = [
        line[2:] for language, code in FENCE.findall(text) if language == "console" for line in code.splitlines()
    ]
    assert len(commands) > 5
    for command in commands:
        verb, *arguments = shlex.split(command)[1:]
        if verb == "apply":
            (checkout / "spam-project" / "lfs.toml").write_text(declared, "utf-8")
        run = [sys.executable, "-m", "consilience.cli.main", verb, *arguments]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert (checkout / "labels.parquet").exists()


def test_the_command_line_page_is_what_help_says():
    environment = os.environ | {"COLUMNS": "120"}
    run = [sys.executable, str(DOCS / "cli_page.py"), "--check"]
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_in_the_reference():
    page = (DOCS / "reference.md").read_text("utf-8")
    missing = [name for name in consilience.__all__ if f"consilience.{name}\n" not in page]
    assert not missing


def test_the_map_names_every_folder_and_floor_file():
    page = (DOCS / "map.md").read_text("utf-8")
    source = ROOT / "src" / "consilience"
    things = [path for path in source.iterdir() if path.name not in ("__init__.py", "__pycache__", "py.typed")]
    missing = [path.name for path in things if f"`{path.name}{'/' if path.is_dir() else ''}`" not in page]
    assert not missing


def test_every_setting_of_a_project_is_explained():
    from consilience.project.config import KNOWN

    page = (DOCS / "settings.md").read_text("utf-8")
    missing = [name for table in KNOWN.values() for name in table if f"`{name}`" not in page]
    assert not missing


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            made = target.startswith("_made/")  # `make docs` draws these, and fails where one is missing
            assert made or (page.parent / target).exists(), f"{page.name} links to {target}"
