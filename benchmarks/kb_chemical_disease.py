"""Chemicals that bring about diseases, at document level from gold mentions: quality of five ways, on BC5CDR.

    python benchmarks/kb_chemical_disease.py [--data FOLDER] [--markdown]

Runs `examples/kb/chemical_disease/run.py` as it stands and shows its table with time and memory. FOLDER holds the
corpus' PubTator files: the one with "train" in its name teaches, each other one is scored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from process_tree import watched
from record import JSON_HELP, append_json, lines_file, machine, table

from real_data import DataAbsent, data_folder

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "kb" / "chemical_disease" / "run.py"
BAR = 0.55  # F1 of the joint way on the development part
COLUMNS = ("way", "scored on", "threshold", "precision", "recall", "F1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of PubTator files (default: the real data's kb/bc5cdr)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("kb_chemical_disease"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    try:
        folder = options.data or data_folder("kb") / "bc5cdr"
    except DataAbsent as absent:
        sys.exit(str(absent))
    rows, cost = measured(folder, options.seed)
    for row in rows:
        append_json(options.json, {"benchmark": "kb_chemical_disease", **row, **cost, "machine": machine()})
    shown = [[str(row["way"]), str(row["part"]), *(f"{row[n]:.3f}" for n in FIGURES)] for row in rows]
    print(table(COLUMNS, shown, markdown=options.markdown))
    print(f"\nbar: F1 of joint > {BAR} on the development part; {cost['wall_s']:.0f} s by the clock, ", end="")
    print(f"{cost['cpu_s']:.0f} s of CPU, {cost['peak_mb']:.0f} MB, seed {options.seed}; {machine()}")


FIGURES = ("threshold", "precision", "recall", "f1")


def measured(folder: Path, seed: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The rows of the example's table, and what the run took."""
    with tempfile.TemporaryDirectory() as temp:
        out = Path(temp) / "rows.jsonl"
        command = [sys.executable, str(EXAMPLE), "--data", str(folder), "--seed", str(seed), "--json", str(out)]
        with watched() as used:
            subprocess.run(command, check=True)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    return rows, used


if __name__ == "__main__":
    main()
