"""Whether suggestions help: functions that `suggest` would add, and rows it would have labelled next.

    python benchmarks/suggest.py [--part functions|rows] [--set NAME ...] [--seeds N] [--markdown] [--json FILE]

functions: a seed keeps half of a set's functions; `suggest` adds its best five without gold, as nobody should do
unread; votes are believed by their shares, or ("model") as LabelModel does. Beside it stand random keywords (as many,
for the same labels, each as frequent as the one it replaces) and all of the functions. Quality is on the gold of the
test part: of the label model, and of a text classifier trained on it.

rows: with all functions, 20 or 50 rows of the train part get their gold, chosen by `suggest` or at random among rows
with votes; LabelModel and DawidSkene learn from votes and gold.

Large sets are thinned evenly to 4,000 rows to learn from and 1,500 to score on. What is in word_worth.py was settled
while looking at the sets of the first group, with other seeds; of the second group only that believing plain shares of
votes is better than smoothing them (which label models do not do either).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from consilience.end_models.report import report_votes
from consilience.labeling.next_rows import rows_to_label
from consilience.labeling.suggest import suggest_functions
from consilience.labeling.terms import Terms, find_terms
from record import JSON_HELP, append_json, lines_file, machine, table
from text_sets import SETS, Loaded

from real_data import DataAbsent, data_folder

LOOKED_AT = (
    *("youtube_raw", "sms_raw", "custrev", "imdb", "subj", "yelp", "agnews", "clickbait", "trec_raw", "rt_polarity"),
)
NOT_LOOKED_AT = ("mpqa", "sst2_raw", "sst2", "youtube", "sms", "trec", "semeval", "hausa")
LEARN_ROWS, TEST_ROWS = 4_000, 1_500
FIRST_SEED = 100  # those below were used to settle how suggestions are made
ADDED = 5
BUDGETS = (20, 50)
WHAT = ("before", "suggested", "suggested, model", "random words", "all functions")


def load(name: str) -> Loaded:
    """A set, thinned evenly."""
    text_set = SETS[name]
    loaded = text_set.load(data_folder(text_set.group))
    functions = loaded.functions
    if not isinstance(functions, dict):
        functions = {function.name: function for function in functions}
    return replace(
        loaded, train=thinned(loaded.train, LEARN_ROWS), test=thinned(loaded.test, TEST_ROWS), functions=functions
    )


def thinned(rows: cs.Table, most: int) -> cs.Table:
    return rows.take(np.arange(0, len(rows), -(-len(rows) // most)))


def votes_of(functions: dict[str, Any], rows: cs.Table, labels: cs.Labels, *, gold: bool) -> cs.LabelMatrix:
    matrix = cs.apply(functions, rows, labels=labels)
    return matrix if gold else matrix.with_gold(np.full(len(rows), -1, np.int16))


def quality(loaded: Loaded, functions: dict[str, Any], seed: int) -> tuple[dict[str, float], cs.LabelModel]:
    """Coverage of the train part, and accuracy of the label model and the end model on the test part, in percent."""
    votes = votes_of(functions, loaded.train, loaded.labels, gold=False)
    tested = votes_of(functions, loaded.test, loaded.labels, gold=True)
    model = cs.LabelModel().fit(votes, seed=seed)
    found = {"coverage": float(votes.covered.mean()), "label model": report_votes(model, tested).accuracy.value}
    try:
        classifier = cs.TextClassifier(max_features=20_000).fit(model.training_set(votes))
        found["end model"] = classifier.evaluate(loaded.test).accuracy.value
    except cs.errors.ModelError:  # all rows have one label
        found["end model"] = found["label model"]
    return {name: 100 * value for name, value in found.items()}, model


# functions


def half(functions: dict[str, Any], seed: int) -> dict[str, Any]:
    names = sorted(functions)
    kept = np.random.default_rng(seed).choice(len(names), len(names) // 2, replace=False)
    return {names[place]: functions[names[place]] for place in sorted(kept)}


def functions_part(name: str, seed: int) -> dict[str, dict[str, float]]:
    loaded = load(name)
    own = half(loaded.functions, seed)
    votes = votes_of(own, loaded.train, loaded.labels, gold=False)
    lines: dict[str, dict[str, float]] = {}
    lines["before"], model = quality(loaded, own, seed)
    began = time.process_time()
    suggested = [s.function for s in suggest_functions(votes, ADDED).items]
    seconds = time.process_time() - began
    by_model = [s.function for s in suggest_functions(votes, ADDED, predict=model.predict_proba).items]
    for what, more in (
        ("suggested", suggested),
        ("suggested, model", by_model),
        ("random words", at_random(suggested, find_terms(pl.Series(loaded.train.texts)), seed)),
    ):
        lines[what] = quality(loaded, own | {function.name: function for function in more}, seed)[0]
    lines["all functions"] = quality(loaded, loaded.functions, seed)[0]
    lines["suggested"] |= {"functions": len(suggested), "seconds": seconds, **rightness(loaded, suggested, votes)}
    return lines


def at_random(functions: Iterable[Any], terms: Terms, seed: int) -> list[Any]:
    """Functions of other words, each about as frequent as the one it replaces."""
    rng = np.random.default_rng(seed)
    often = np.asarray(terms.rows.sum(axis=0)).ravel()
    order = np.argsort(often, kind="stable")
    rank = {terms.names[place]: i for i, place in enumerate(order.tolist())}
    made = []
    for function in functions:
        near = [rank[phrase] + int(rng.integers(-10, 11)) for phrase in function.phrases]
        words = [terms.names[order[np.clip(place, 0, len(order) - 1)]] for place in near]
        made.append(cs.keywords(function.labels[0], words, name=function.name))
    return made


def rightness(loaded: Loaded, functions: list[Any], before: cs.LabelMatrix) -> dict[str, float]:
    """Share of the suggested functions' votes that is right, on all rows and on those that had no vote, in percent."""
    if not functions:
        return {}
    matrix = cs.apply(functions, loaded.train, labels=loaded.labels)
    said, right = matrix.votes >= 0, matrix.votes == matrix.gold[:, None]
    new = said & ~before.covered[:, None]
    return {
        "right": 100 * float(right[said].mean()),
        "right on new": 100 * float(right[new].mean()) if new.any() else 0,
    }


# rows


def rows_part(name: str, seed: int) -> dict[str, dict[str, float]]:
    loaded = load(name)
    votes = votes_of(loaded.functions, loaded.train, loaded.labels, gold=True)
    hidden = votes.with_gold(np.full(len(votes), -1, np.int16))
    tested = votes_of(loaded.functions, loaded.test, loaded.labels, gold=True)
    model = cs.LabelModel().fit(hidden, seed=seed)
    lines = {"before": with_gold(hidden, None, tested, seed)}
    rng = np.random.default_rng(seed)
    for n in BUDGETS:
        chosen = [row.place for row in rows_to_label(hidden, n, predict=model.predict_proba, seed=seed)]
        covered = np.flatnonzero(votes.covered)
        drawn = rng.choice(covered, min(n, len(covered)), replace=False).tolist()
        for what, places in ((f"{n} chosen", chosen), (f"{n} random", drawn)):
            gold = [None] * len(votes)
            for place in places:
                gold[place] = votes.labels[int(votes.gold[place])] if votes.gold[place] >= 0 else None
            lines[what] = with_gold(hidden, gold, tested, seed)
    return lines


def with_gold(votes: cs.LabelMatrix, gold: Any, tested: cs.LabelMatrix, seed: int) -> dict[str, float]:
    """Accuracy of two label models that learn from votes and some gold, in percent."""
    models = {"label model": cs.LabelModel(), "Dawid-Skene": cs.DawidSkene()}
    fitted = {name: model.fit(votes, gold=gold, seed=seed) for name, model in models.items()}
    return {name: 100 * report_votes(model, tested).accuracy.value for name, model in fitted.items()}


# the table


def mean_of(found: list[dict[str, dict[str, float]]], what: str, figure: str) -> float:
    values = [one[what][figure] for one in found if figure in one.get(what, {})]
    return float(np.mean(values)) if values else float("nan")


def show(part: str, found: dict[str, list[dict[str, dict[str, float]]]], markdown: bool) -> None:
    """One line a set, means of groups below. Cells: coverage / label model / end model, or two label models."""
    figures = ("coverage", "label model", "end model") if part == "functions" else ("label model", "Dawid-Skene")
    names = (
        WHAT if part == "functions" else ("before", *(f"{n} {how}" for n in BUDGETS for how in ("chosen", "random")))
    )
    columns = ["set", *names, *(["right", "right on new"] if part == "functions" else [])]
    rows = []
    for group, sets in (("mean, looked at", LOOKED_AT), ("mean, not looked at", NOT_LOOKED_AT)):
        here = [name for name in sets if name in found]
        by_set = {name: found[name] for name in here}
        rows += [line(name, [runs], names, figures, part) for name, runs in by_set.items()]
        rows += [line(group, list(by_set.values()), names, figures, part)] if here else []
    print(table(columns, rows, markdown=markdown))


def line(title: str, runs: list[Any], names: Iterable[str], figures: tuple[str, ...], part: str) -> list[str]:
    cells = [
        " / ".join(f"{np.nanmean([mean_of(own, what, figure) for own in runs]):.1f}" for figure in figures)
        for what in names
    ]
    extra = ("right", "right on new") if part == "functions" else ()
    cells += [f"{np.nanmean([mean_of(own, 'suggested', figure) for own in runs]):.1f}" for figure in extra]
    return [title, *cells]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = (*LOOKED_AT, *NOT_LOOKED_AT)
    parser.add_argument("--part", choices=("functions", "rows"), nargs="+", default=["functions", "rows"])
    parser.add_argument("--set", nargs="+", choices=names, metavar="NAME", default=list(names), help=", ".join(names))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("suggest"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    measures = {"functions": functions_part, "rows": rows_part}
    try:
        for part in options.part:
            found: dict[str, list[dict[str, dict[str, float]]]] = {}
            for name in options.set:
                print(f"{part} {name} ...", file=sys.stderr, flush=True)
                for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
                    found.setdefault(name, []).append(measures[part](name, seed))
                    record = {"benchmark": "suggest", "part": part, "set": name, "seed": seed, "found": found[name][-1]}
                    append_json(options.json, record | {"version": cs.__version__, "machine": machine()})
            show(part, found, options.markdown)
            print()
    except DataAbsent as absent:
        print(absent, file=sys.stderr)
        return 3
    print(f"{machine()}; consilience {cs.__version__}; seeds from {FIRST_SEED}, {options.seeds} of them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
