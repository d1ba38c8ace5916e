"""How near label models come to a truth we chose: simulated votes, where the best possible answer is known.

    python benchmarks/known_truth.py [--only WORD ...] [--models WORD ...] [--rows 10000] [--draws 3]
                                     [--markdown] [--brief] [--json FILE]

5 to 60 functions (accuracy 60-90%, each of them votes on 20-60% of the rows), in four settings: two labels as frequent
as each other; 80/20; four labels 50/30/15/5; and two labels where how often a function abstains depends on the label.
Functions are independent given the label, or some of them are copies: the second of a pair says what the first says,
or is silent with it, on four rows of five. In "copies of one", half of the functions copy the same one so.

Three figures, means over draws of data: the mean absolute error of accuracies_, in points; how many points of label
accuracy are lost against the Bayes rule of the true tables and the true copying, on all rows; and the expected
calibration error of the probabilities on rows with votes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.testing import simulate
from our_models import COUNTING, Make, our_models
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, table
from scores import calibration_error

COPY_RATE = 0.8
SETTINGS: dict[str, dict[str, Any]] = {
    "balanced": {"labels": ("a", "b")},
    "80/20": {"labels": ("a", "b"), "balance": (0.8, 0.2)},
    "50/30/15/5": {"labels": ("a", "b", "c", "d"), "balance": (0.5, 0.3, 0.15, 0.05)},
    "telling abstains": {"labels": ("a", "b"), "class_dependent": True},
}
FUNCTIONS = (5, 10, 20, 40, 60)
FIGURES = {
    "accuracies_error": "Mean absolute error of accuracies, points",
    "lost": "Label accuracy lost against the Bayes rule, points",
    "calibration_error": "Expected calibration error, points",
}
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Case:
    """One line of the tables. pairs: places of functions whose second copies the first."""

    functions: int
    setting: str
    copying: str
    pairs: Pairs

    @property
    def name(self) -> str:
        return f"{self.functions} functions, {self.setting}, {self.copying}"


def cases() -> Iterator[Case]:
    """All lines: each setting with each number of functions, and as many pairs as can be apart from each other."""
    for setting in SETTINGS:
        for m in FUNCTIONS:
            for n_pairs in (0, 5, 20):
                if 2 * n_pairs <= m:
                    pairs = tuple((first, m - 1 - first) for first in range(n_pairs))
                    yield Case(m, setting, f"{n_pairs} pairs" if n_pairs else "independent", pairs)
            if m in (10, 20):
                yield Case(m, setting, "copies of one", tuple((0, copy) for copy in range(m // 2, m)))


@dataclass(frozen=True)
class Known:
    """Votes, and all that is true of them. truth, bayes: (n,) codes; accuracies: (m,)."""

    matrix: cs.LabelMatrix
    truth: np.ndarray
    accuracies: np.ndarray
    bayes: np.ndarray


def drawn(case: Case, n: int, seed: int) -> Known:
    """Simulate a case."""
    made = simulate(n, case.functions, seed=seed, pairs=case.pairs, copy_rate=COPY_RATE, **SETTINGS[case.setting])
    return Known(made.matrix, made.truth, made.accuracies, made.bayes_codes())


def measured(make: Make, known: Known, seed: int) -> dict[str, float]:
    """The three figures of one model on one draw."""
    began = time.process_time()
    model = make().fit(known.matrix, seed=seed)
    cpu_s = time.process_time() - began
    proba, covered = model.predict_proba(known.matrix), known.matrix.covered
    right, best = (float((codes == known.truth).mean()) for codes in (model.predict_codes(known.matrix), known.bayes))
    return {
        "accuracies_error": 100 * float(np.nanmean(np.abs(model.accuracies_ - known.accuracies))),
        "lost": 100 * (best - right),
        "calibration_error": calibration_error(proba[covered], known.truth[covered]),
        "bayes": 100 * best,
        "cpu_s": cpu_s,
    }


def lines_of(case: Case, models: dict[str, Make], rows: int, draws: int) -> Iterator[dict[str, Any]]:
    """One line a model: means over draws, or the error it ended in."""
    known = [drawn(case, rows, seed) for seed in range(draws)]
    said = {"benchmark": "known_truth", "case": case.name, "copying": case.copying, "rows": rows, "draws": draws}
    for model, make in models.items():
        try:
            found = [measured(make, one, seed) for seed, one in enumerate(known)]
            figures: dict[str, Any] = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        except Exception as error:  # one model that fails does not end the benchmark
            figures = {"error": f"{type(error).__name__}: {error}"[:200]}
        yield {**said, "model": model, **figures, "version": cs.__version__, "machine": machine()}


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Case after case; JSON lines are written as they come."""
    models = {
        name: make
        for name, make in our_models().items()
        if not options.models or name == COUNTING or any(word.lower() in name.lower() for word in options.models)
    }
    records = []
    for case in cases():
        if options.only and not any(word.lower() in case.name for word in options.only):
            continue
        print(f"{case.name} ...", file=sys.stderr, flush=True)
        for record in lines_of(case, models, options.rows, options.draws):
            append_json(options.json, record)
            records.append(record)
    return records


def show(records: list[dict[str, Any]], *, markdown: bool, brief: bool) -> None:
    """Means by model and kind of copying for each figure, then every case."""
    models = list(dict.fromkeys(record["model"] for record in records))
    copying = list(dict.fromkeys(record["copying"] for record in records))
    names = list(dict.fromkeys(record["case"] for record in records))

    def mean(figure: str, **wanted: str) -> str:
        some = [
            record[figure]
            for record in records
            if figure in record and all(record[key] == value for key, value in wanted.items())
        ]
        return f"{np.mean(some):.2f}" if some else NOT_KNOWN

    head = "### " if markdown else ""
    for figure, title in FIGURES.items():
        rows = [[model, *(mean(figure, model=model, copying=kind) for kind in copying)] for model in models]
        print(f"\n{head}{title}: means\n\n{table(['model', *copying], rows, markdown=markdown)}")
    rows = [
        [model, f"{sum(line.get('cpu_s', 0) for line in records if line['model'] == model):.1f}"] for model in models
    ]
    print(f"\n{head}CPU s of one fit of each case\n\n{table(['model', 'CPU s'], rows, markdown=markdown)}")
    if not brief:
        for figure, title in FIGURES.items():
            rows = [
                [name, mean("bayes", case=name), *(mean(figure, case=name, model=m) for m in models)] for name in names
            ]
            print(f"\n{head}{title}\n\n{table(['case', 'Bayes right', *models], rows, markdown=markdown)}")
    for record in records:
        if "error" in record:
            print(f"{'- ' if markdown else ''}{record['case']}, {record['model']}: {record['error']}")
    if records:
        print(f"\n{records[-1]['rows']:,} rows; {records[-1]['machine']}; consilience {records[-1]['version']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="cases whose name has one of the words")
    parser.add_argument(
        "--models", nargs="+", default=[], metavar="WORD", help="models whose name has one of the words"
    )
    parser.add_argument("--rows", type=int, default=10_000, help="rows of each draw")
    parser.add_argument("--draws", type=int, default=3, help="draws of each case")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("known_truth"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--brief", action="store_true", help="print the tables of means only")
    options = parser.parse_args()
    show(run(options), markdown=options.markdown, brief=options.brief)


if __name__ == "__main__":
    main()
