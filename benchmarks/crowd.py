"""Quality and speed of the label models on crowds: hundreds of workers, each of whom answered a few of the items.

    python benchmarks/crowd.py [--set NAME ...] [--markdown] [--json FILE] [--peer PYTHON]

One line a model: accuracy in percent on the items with gold of each set, the mean of the sets, F1 of the rare label of
d_jn-product, and the CPU seconds to fit and predict all sets. Gold is used to score only. A worker's second answer to
an item is set aside. "Ties at random" is what majority vote scores on average if ties are drawn; otherwise they go to
the label that has the most votes on the whole.

--peer: the Python of an environment with crowd-kit, whose models are measured too (version 1.4.2 needs pandas before 3
and scikit-learn before 1.6). Its GLAD takes 10 minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.label_models import EBCC, WeightedVote
from consilience.label_models.base import BaseLabelModel
from consilience.metrics import accuracy_of, confusion, f1_by_class
from crowd_sets import F1_OF, NAMES, crowd_set
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, table

from real_data import DataAbsent, data_folder

SEED = 0
MODELS: dict[str, Callable[[], BaseLabelModel]] = {
    "majority vote": cs.MajorityVote,
    "weighted vote": WeightedVote,
    "weighted vote, iterated": lambda: WeightedVote(rounds=50),
    "one coin": lambda: cs.DawidSkene(abstains="ignored", form="one coin"),
    "one coin, uniform": lambda: cs.DawidSkene(abstains="ignored", form="one coin", balance="uniform"),
    "Dawid-Skene": lambda: cs.DawidSkene(abstains="ignored"),
    **{
        f"Dawid-Skene, prior {strength:g}": lambda strength=strength: cs.DawidSkene(
            abstains="ignored", prior_strength=strength
        )
        for strength in (0.01, 1, 4, 10)
    },
    "Dawid-Skene, silence counts": cs.DawidSkene,
    **{
        f"EBCC, {subtypes} subtypes": lambda subtypes=subtypes: EBCC(subtypes=subtypes, abstains="ignored")
        for subtypes in (1, 2, 5, 10)
    },
    "EBCC, 10, silence counts": EBCC,
    "label model": cs.LabelModel,
}


def matrix_of(name: str) -> cs.LabelMatrix:
    """One set as a label matrix with its gold."""
    data = crowd_set(data_folder("crowd"), name)
    return cs.crowd_matrix(data.answers, item=data.item, worker=data.worker, label=data.label, gold=data.gold)


def measure(model: str, matrices: dict[str, cs.LabelMatrix]) -> dict[str, Any]:
    """One model on all sets."""
    record: dict[str, Any] = {"benchmark": "crowd", "model": model, "accuracy": {}, "f1": {}, "cpu_s": {}}
    for name, matrix in matrices.items():
        _ = matrix.pattern_of_row  # counted once for all models
        began = time.process_time()
        guess = MODELS[model]().fit(matrix, seed=SEED).predict_codes(matrix)
        record["cpu_s"][name] = round(time.process_time() - began, 3)
        counts = confusion(
            *(codes[matrix.gold >= 0].astype(np.int64) for codes in (matrix.gold, guess)), len(matrix.labels)
        )
        record["accuracy"][name] = round(100 * accuracy_of(counts), 2)
        if name in F1_OF:
            record["f1"][name] = round(100 * float(f1_by_class(counts)[matrix.labels.index(F1_OF[name])]), 2)
    return {**record, "seed": SEED, "version": cs.__version__, "machine": machine()}


def random_ties(matrices: dict[str, cs.LabelMatrix]) -> dict[str, Any]:
    """What majority vote scores on average if ties are drawn."""
    accuracy = {}
    for name, matrix in matrices.items():
        shares = cs.MajorityVote().fit(matrix).predict_proba(matrix)[matrix.gold >= 0]
        best = shares >= shares.max(axis=1, keepdims=True) - 1e-9
        chance = (best / best.sum(axis=1, keepdims=True))[np.arange(len(best)), matrix.gold[matrix.gold >= 0]]
        accuracy[name] = round(100 * float(chance.mean()), 2)
    return {"benchmark": "crowd", "model": "majority vote, ties at random", "accuracy": accuracy, "f1": {}, "cpu_s": {}}


def peer_records(python: str, names: list[str]) -> list[dict[str, Any]]:
    """What another system's models score, measured by its own Python."""
    run = [python, str(Path(__file__).with_name("peer_crowd_kit.py")), str(data_folder("crowd")), *names]
    done = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def row(record: dict[str, Any], names: list[str]) -> list[str]:
    """The line of one model."""
    scores = [record["accuracy"].get(name) for name in names]
    known = [score for score in scores if score is not None]
    mean = f"{np.mean(known):.2f}" if len(known) == len(names) else NOT_KNOWN
    f1 = [f"{record['f1'][name]:.1f}" if name in record["f1"] else NOT_KNOWN for name in names if name in F1_OF]
    seconds = f"{sum(record['cpu_s'].values()):.1f}" if record["cpu_s"] else NOT_KNOWN
    return [record["model"], *(NOT_KNOWN if s is None else f"{s:.1f}" for s in scores), mean, *f1, seconds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("crowd"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--peer", metavar="PYTHON", help="measure crowd-kit too, with this Python")
    options = parser.parse_args()
    names = list(options.set or NAMES)
    try:
        matrices = {name: matrix_of(name) for name in names}
    except DataAbsent as absent:
        print(absent, file=sys.stderr)
        return 3
    records = [random_ties(matrices)]
    for model in MODELS:
        print(f"{model} ...", file=sys.stderr)
        records.append(measure(model, matrices))
    records += peer_records(options.peer, names) if options.peer else []
    for record in records:
        append_json(options.json, record)
    columns = [
        "model",
        *(name[:10] for name in names),
        "mean",
        *(f"F1 {name}" for name in names if name in F1_OF),
        "CPU s",
    ]
    print(table(columns, [row(record, names) for record in records], markdown=options.markdown))
    sizes = {name: (*matrix.votes.shape, matrix.n_gold, len(matrix.table.rejects)) for name, matrix in matrices.items()}
    print(
        "\n"
        + "\n".join(
            f"{name}: {n} items, {m} workers, gold on {g}, {r} answers set aside"
            for name, (n, m, g, r) in sizes.items()
        )
    )
    print(f"\n{machine()}; consilience {cs.__version__}; seed {SEED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
