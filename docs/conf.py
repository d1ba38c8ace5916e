"""Settings of the documentation site (Sphinx, MyST Markdown, the furo theme)."""

import re

import consilience

project = "Consilience"
author = "the Consilience developers"
version = release = consilience.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = "Consilience"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
nitpicky = False

ENTRY = re.compile(r"^((?:``)?[a-z]\w*(?:``)?(?:, (?:``)?[a-z]\w*(?:``)?)*): (.*)$")
NAME = re.compile(r"(?<![\w`.])([A-Za-z]\w*_|\.\.\.)(?![\w`])")


def as_restructured_text(lines: list[str]) -> list[str]:
    """Our docstrings (plain paragraphs, `name: what it is` lines, examples, indented tables) in Sphinx's markup."""
    made: list[str] = []
    for place, paragraph in enumerate("\n".join(lines).split("\n\n")):
        block = [line for line in paragraph.splitlines() if line.strip()]
        if not block:
            continue
        if block[0].startswith(">>>"):
            made += [*block, ""]
        elif all(line.startswith("    ") for line in block) or any(c in paragraph for c in "├└"):
            made += ["::", "", *("    " + line for line in block), ""]
        else:
            made += [*_paragraph(block, entries=place > 0), ""]
    return made


def _paragraph(block: list[str], entries: bool) -> list[str]:
    made: list[str] = []
    listed = False
    for line in block:
        text = NAME.sub(r"``\1``", line.strip().replace("`", "``").replace("*", "\\*").replace("|", "\\|"))
        entry = ENTRY.match(text) if entries else None
        if entry:
            made += [] if listed or not made else [""]
            made.append(f"* **{entry[1].replace('`', '')}**: {entry[2]}")
            listed = True
        else:
            made.append(("  " if listed else "") + text)
    return made


def process(app, what, name, obj, options, lines):
    """Called by autodoc with each docstring; changes it in place."""
    lines[:] = as_restructured_text(lines)


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", process)
