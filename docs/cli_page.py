"""Write docs/cli.md from the command's own --help, so that they cannot disagree. `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from typer.main import get_command

from consilience.cli.kb import VERBS as KB_VERBS
from consilience.cli.main import VERBS, app

PAGE = Path(__file__).parent / "cli.md"
INTRO = """# Command line

<!-- written by docs/cli_page.py from --help: do not edit -->

Every verb works on the project in the current folder or above it (`--project FOLDER` for another), prints what it did
and what comes next, and with `--json` prints one JSON object instead.

| exit code | means |
|---|---|
| 0 | done |
| 1 | it cannot be done; the message says why, and after `Fix:` what to do |
| 2 | the command line makes no sense |
| 3 | `doctor` found damage that is still there |
| 4 | the folder's Python is not trusted yet |
| 130 | interrupted; nothing is half-written |
"""

KB = "Its verbs work on a folder with `app.ddlog`, `data/` and `kb.duckdb` (`--folder FOLDER` for one elsewhere)."


def page() -> str:
    """The page as Markdown."""
    group = get_command(app)
    parts = [INTRO]
    parts += [_section(verb, group.commands[verb]) for verb in VERBS]  # type: ignore[attr-defined]
    facts = group.commands["kb"]  # type: ignore[attr-defined]
    parts.append(f"## consilience kb\n\n{facts.help} {KB}\n")
    parts += [_section(f"kb {verb}", facts.commands[verb]) for verb in KB_VERBS]
    return "\n".join(parts)


def _section(verb: str, command: object) -> str:
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]  # type: ignore[attr-defined]
    table = "| | |\n|---|---|\n" + "\n".join(rows)
    return f"## consilience {verb}\n\n{command.help}\n\n{table}\n"  # type: ignore[attr-defined]


def _row(parameter: object) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))  # type: ignore[attr-defined]
    if parameter.param_type_name == "argument":  # type: ignore[attr-defined]
        names = f"`{parameter.name.upper()}`"  # type: ignore[attr-defined]
    text = (parameter.help or "").replace("|", "\\|")  # type: ignore[attr-defined]
    default = parameter.default  # type: ignore[attr-defined]
    shown = f" Default: `{default}`." if isinstance(default, (str, int, float)) and default not in (False, "") else ""
    return f"| {names} | {text}{shown} |"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text("utf-8") == page() else "docs/cli.md is not what --help says.\nFix: make docs")
    PAGE.write_text(page(), "utf-8")
