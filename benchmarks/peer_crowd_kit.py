"""crowd-kit's side of crowd.py, run by the Python of an environment that has crowd-kit and pandas, and not our package.

    PYTHON peer_crowd_kit.py FOLDER SET ...

Prints one JSON line a model. Settings are crowd-kit's own, but that Dawid-Skene gets 100 rounds instead of 10 and 20. A
model that fails on a set has no score there.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from crowdkit.aggregation import GLAD, MMSR, DawidSkene, MajorityVote, OneCoinDawidSkene, Wawa, ZeroBasedSkill

from crowd_sets import F1_OF, crowd_set

MODELS = {
    "majority vote": MajorityVote,
    "Wawa": Wawa,
    "zero-based skill": ZeroBasedSkill,
    "one coin": lambda: OneCoinDawidSkene(n_iter=100),
    "Dawid-Skene": lambda: DawidSkene(n_iter=100),
    "MMSR": MMSR,
    "GLAD": GLAD,
}


def main() -> None:
    warnings.filterwarnings("ignore")
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    sets = {name: crowd_set(folder, name) for name in names}
    for model, make in MODELS.items():
        record = {"benchmark": "crowd", "model": f"crowd-kit {version('crowd-kit')} {model}"}
        record |= {"accuracy": {}, "f1": {}, "cpu_s": {}}
        for name, data in sets.items():
            answers = pd.DataFrame(data.rows(), columns=["task", "worker", "label"]).drop_duplicates(["task", "worker"])
            print(f"{model} on {name} ...", file=sys.stderr)
            began = time.process_time()
            try:
                guess = make().fit_predict(answers)
            except Exception as error:
                print(f"{model} fails on {name}: {error}", file=sys.stderr)
                continue
            record["cpu_s"][name] = round(time.process_time() - began, 3)
            right = [guess[item] == truth for item, truth in data.gold.items()]
            record["accuracy"][name] = round(100 * sum(right) / len(right), 2)
            if name in F1_OF:
                record["f1"][name] = f1_of({item: guess[item] for item in data.gold}, data.gold, F1_OF[name])
        print(json.dumps(record), flush=True)


def f1_of(guess: dict[str, str], gold: dict[str, str], label: str) -> float:
    hits = sum(guess[item] == label == truth for item, truth in gold.items())
    said = sum(value == label for value in guess.values()) + sum(value == label for value in gold.values())
    return round(200 * hits / said, 2) if said else 0.0


if __name__ == "__main__":
    main()
