"""The settings of a project, `consilience.toml`: read and checked here, written once by `init`. Data, never code."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consilience.data.labels import Labels
from consilience.errors import LabelError, StoreError, nearest

FILE = "consilience.toml"
KNOWN: dict[str, dict[str, Any]] = {
    "project": {"labels": list},
    "groups": {},  # any name: a list of labels
    "data": {"text": str, "id": str, "gold": str, "gold_names": dict},
    "split": {"dev": (int, float), "test": (int, float), "seed": int, "by": str, "column": str},
}


@dataclass(frozen=True)
class Config:
    """What consilience.toml says."""

    labels: Labels
    text: str = "text"
    id: str | None = None
    gold: str | None = None
    gold_names: dict[str, str] | None = None
    split: dict[str, Any] = field(default_factory=dict)

    def toml(self) -> str:
        """The settings as a file for people to edit."""
        lines = ["[project]", f"labels = {_quoted(list(self.labels))}", ""]
        if self.labels.groups:
            lines.append("[groups]             # sets of labels that functions may vote for")
            lines += [f"{_quoted(name)} = {_quoted(list(group))}" for name, group in self.labels.groups.items()] + [""]
        lines.append("[data]")
        lines.append(f"text = {_quoted(self.text)}          # column that functions read by default")
        lines.append(
            f"id = {_quoted(self.id)}" if self.id else '# id = "..."           # default: made of what a row says'
        )
        lines.append(
            f"gold = {_quoted(self.gold)}"
            if self.gold
            else '# gold = "label"       # column of known labels, may be nearly empty'
        )
        if self.gold_names:
            pairs = ", ".join(f"{_quoted(key)} = {_quoted(name)}" for key, name in self.gold_names.items())
            lines.append(f"gold_names = {{ {pairs} }}")
        lines += ["", "[split]              # rows with gold kept apart: dev to work with, test to score at the end"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in self.split.items()] or [
            "# dev = 250",
            "# test = 250",
        ]
        return "\n".join(lines) + "\n"


def load_config(folder: Path) -> Config:
    """Read and check consilience.toml. Raises StoreError naming the first thing wrong."""
    path = folder / FILE
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError(f"There is no {FILE} in {folder}.\nFix: make a project with `consilience init`.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read: {error}.\nFix: correct that line.") from None
    for table, settings in found.items():
        if table not in KNOWN or not isinstance(settings, dict):
            raise StoreError(f"{path} has {table!r}, which means nothing.\nFix: {nearest(table, KNOWN)}")
        for name, value in settings.items():
            if table == "groups":
                continue
            if name not in KNOWN[table]:
                raise StoreError(
                    f"{path} has {name!r} in [{table}], which means nothing.\nFix: {nearest(name, KNOWN[table])}"
                )
            if not isinstance(value, KNOWN[table][name]) or isinstance(value, bool):
                raise StoreError(f"{path}: {name} in [{table}] is {value!r}.\nFix: give it a value of the right type.")
    if not found.get("project", {}).get("labels"):
        raise StoreError(f'{path} names no labels.\nFix: write labels = ["ham", "spam"] under [project].')
    data = found.get("data", {})
    try:
        labels = Labels(*found["project"]["labels"], groups=found.get("groups"))
    except LabelError as error:
        raise StoreError(f"{path}: {error}") from None
    return Config(labels, split=found.get("split", {}), **data)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
