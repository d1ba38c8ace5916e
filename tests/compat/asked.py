"""What scripts in Snorkel's style give, as plain values; with Snorkel itself, into the file the tests compare with.

    PYTHON tests/compat/asked.py      # the Python of an environment with Snorkel 0.10 and spaCy; writes answers.json

Imports nothing of ours: it is run where our package is not.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

SCRIPTS = sorted(Path(__file__).with_name("scripts").glob("*.py"))
ANSWERS = Path(__file__).with_name("answers.json")


def run(path: Path) -> dict:
    """What a script holds in the end."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return vars(module)


def plain(value):
    """Arrays, frames and the like as JSON has them; missing values as null, numbers to 12 places."""
    if hasattr(value, "columns"):
        rows = [[plain(cell) for cell in row] for row in value.astype(object).to_numpy()]
        return {"columns": plain(list(value.columns)), "index": plain(list(value.index)), "rows": rows}
    if isinstance(value, np.ndarray):
        return {"type": value.dtype.kind, "values": plain(value.tolist())}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else round(float(value), 12)
    return int(value) if isinstance(value, np.integer) else value


def make_parser(folder: Path) -> None:
    """A small spaCy model that knows two people by name."""
    import spacy

    nlp = spacy.blank("en")
    names = nlp.add_pipe("entity_ruler")
    names.add_patterns([{"label": "PERSON", "pattern": name} for name in ("Ann Oak", "Bo Ek")])
    nlp.to_disk(folder)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        make_parser(Path(folder))
        os.environ["PARSER"] = folder
        answers = {path.stem: plain(run(path)["results"]) for path in SCRIPTS}
    lines = [
        f"{json.dumps(script)}: {{\n"
        + ",\n".join(f"  {json.dumps(what)}: {json.dumps(given[what], ensure_ascii=False)}" for what in sorted(given))
        + "\n}"
        for script, given in answers.items()
    ]
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
