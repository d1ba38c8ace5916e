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
PAGES = ["README.md", "docs/tutorial.md", "docs/concepts.md", "docs/embeddings.md"]


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
    blocks = [code for language, code in FENCE.findall((ROOT / page).read_text("utf-8")) if language == "python"]
    script = checkout / "page.py"  # a file, so that labeling functions have source
    script.write_text("\n\n".join(blocks), "utf-8")
    done = subprocess.run([sys.executable, "-W", "error", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
