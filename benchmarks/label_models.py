"""Quality of every label model, ours and others', on every real set that has votes and gold.

    python benchmarks/label_models.py [--only WORD ...] [--models WORD ...] [--peers PYTHON] [--gold 50]
                                      [--markdown] [--brief] [--json FILE]
    python benchmarks/label_models.py --from FILE [--markdown] [--brief]     the tables again, from earlier lines

A model is fitted on the votes of the train part without its gold (on those of the rows it is scored on, where there is
no other part with gold), and scored on gold it has not seen, in the metric of the set: accuracy, or F1 of the last
label. "All rows" counts rows without votes too. Ties go to the label that the model holds rarer, rows without votes to
the most frequent one: ours decide so in `predict_codes`, and the same rule is applied to the probabilities of the
others. "Ties at random" is majority vote with random labels there, as WRENCH has it (the mean of 20 draws). A model
that draws random numbers is fitted with five seeds; mean ± standard deviation.

With `--gold 50`, fifty covered rows with gold are drawn from the scored part and given to the model; all others are
scored, for five draws. Beside it the same model without gold, on the same rows. Ours only.

PYTHON is an interpreter of another environment (see README.md); a peer that is not there is named and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
import peers
from label_model_tables import TIES, show
from our_models import COUNTING, Make, our_models
from record import JSON_HELP, append_json, lines_file, machine
from scores import calibration_error, decided, random_ties, score
from vote_sets import SOURCES, VoteSet

from real_data import DataAbsent, data_folder

SEEDS = (0, 1, 2, 3, 4)
Figures = dict[str, float]


def figures(votes: cs.LabelMatrix, codes: np.ndarray, proba: np.ndarray, metric: str) -> Figures:
    """What is said of one labelling of the scored rows: on all of them, on those with votes, and its calibration."""
    k, gold, covered = len(votes.labels), votes.gold.astype(np.int64), votes.covered
    return {
        "all": score(gold, codes, k, metric),
        "covered": score(gold[covered], codes[covered], k, metric),
        "accuracy": score(gold, codes, k, "accuracy"),
        "calibration_error": calibration_error(proba[covered], gold[covered]),
    }


def over_seeds(found: list[Figures]) -> dict[str, Any]:
    """Mean of each figure, and how far "all" spreads over seeds."""
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return {**means, "spread": float(np.std([one["all"] for one in found])), "seeds": len(found)}


def ours(make: Make, made: VoteSet) -> dict[str, Any]:
    """One of our models; with more seeds only if the second gives other probabilities than the first."""
    to_fit, to_score, found, first = made.to_fit, made.to_score, [], None
    began = time.process_time()
    for seed in SEEDS:
        model = make().fit(to_fit, seed=seed)
        cpu_s = time.process_time() - began
        proba = model.predict_proba(to_score)
        if first is not None and np.array_equal(proba, first):
            break
        first = proba
        codes = model.predict_codes(to_score)
        found.append({**figures(to_score, codes, proba, made.metric), "cpu_s": cpu_s})
        began = time.process_time()
    return {**over_seeds(found), "findings": model.findings()}


def theirs(python: str, peer: str, random: bool, made: VoteSet) -> dict[str, Any]:
    """One peer. What went wrong stands in "error"."""
    question = peers.Question(made.votes.votes, len(made.votes.labels), made.fitted, made.scored)
    said, wrong = peers.asked(python, peer, question, list(SEEDS) if random else [SEEDS[0]])
    to_score = made.to_score
    found = [
        {
            **figures(to_score, decided(one.proba, one.balance, to_score.covered), one.proba, made.metric),
            "cpu_s": one.cpu_s,
        }
        for one in said
    ]
    return {**(over_seeds(found) if found else {}), **({"error": wrong} if wrong else {})}


def with_gold(make: Make, made: VoteSet, n_gold: int) -> dict[str, Any]:
    """One of our models given the gold of a few scored rows, and without it; both scored on the other rows."""
    to_fit, to_score, found = made.to_fit, made.to_score, []
    without = make().fit(to_fit, seed=SEEDS[0])
    for seed in SEEDS:
        covered = np.flatnonzero(to_score.covered)
        chosen = np.random.default_rng(seed).choice(covered, min(n_gold, len(covered) // 2), replace=False)
        rest = to_score.take(np.setdiff1d(np.arange(len(to_score)), chosen))
        began = time.process_time()
        model = make().fit(to_fit, gold=given_gold(made, to_score, chosen), seed=seed)
        one = {"cpu_s": time.process_time() - began}
        one |= figures(rest, model.predict_codes(rest), model.predict_proba(rest), made.metric)
        k = len(rest.labels)
        found.append({**one, "without": score(rest.gold, without.predict_codes(rest), k, made.metric)})
    return over_seeds(found)


def given_gold(made: VoteSet, to_score: cs.LabelMatrix, chosen: np.ndarray) -> Any:
    """The gold of some scored rows, as fit wants it: beside the rows, or as rows of their own. chosen: places."""
    if not made.fits_on_scored:
        return to_score.take(chosen)
    known = np.full(len(made.votes), -1)
    known[made.scored[chosen]] = to_score.gold[chosen]
    return made.votes.labels.decode(known.tolist())


def measure(name: str, options: argparse.Namespace, known: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The lines of one set, one a model."""
    source, made = SOURCES[name], SOURCES[name].load()
    said = {
        "benchmark": "label_models",
        "block": f"{options.gold} rows of gold" if options.gold else "quality",
        "set": name,
        "group": source.group,
        "metric": made.metric,
        "classes": len(made.votes.labels),
        "functions": len(made.votes.functions),
        "rows_fitted": len(made.fitted),
        "rows_scored": len(made.scored),
        "coverage": float(made.to_score.covered.mean()),
        "version": cs.__version__,
        "machine": machine(),
    }

    def wanted(model: str) -> bool:
        return not options.models or any(word.lower() in model.lower() for word in options.models)

    for model, make in our_models().items():
        if model == COUNTING or wanted(model):  # all others are held against counting
            found = tried(lambda make=make: with_gold(make, made, options.gold) if options.gold else ours(make, made))
            yield {**said, "model": model, "whose": "ours", **found}
    if options.gold:
        return
    counting, to_score = cs.MajorityVote().fit(made.to_fit), made.to_score
    ties = {
        "all": random_ties(counting, to_score, made.metric),
        "covered": random_ties(counting, to_score.take(to_score.covered), made.metric),
    }
    yield {**said, "model": TIES, "whose": "ours", **ties}
    for peer, about in known.items():
        if "absent" not in about and wanted(peer):
            found = theirs(options.peers, peer, about["random"], made)
            yield {**said, "model": peer, "whose": "peer", "system": about["version"], **found}


def tried(act: Any) -> dict[str, Any]:
    """What act gives, or the error it ended in: one model that fails does not end the benchmark."""
    try:
        return act()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure set after set; JSON lines are written as they come."""
    known, records = peers.listed(options.peers), []
    for peer, about in known.items():
        if "absent" in about:
            print(f"{peer} is not there: {about['absent']}", file=sys.stderr)
    for name in SOURCES:
        if options.only and not any(word.lower() in name for word in options.only):
            continue
        began = time.perf_counter()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        for record in measure(name, options, known):
            append_json(options.json, record)
            records.append(record)
        print(f"{time.perf_counter() - began:.1f} s", file=sys.stderr)
    return records


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="sets whose name has one of the words")
    parser.add_argument(
        "--models", nargs="+", default=[], metavar="WORD", help="models whose name has one of the words"
    )
    parser.add_argument("--peers", default="", metavar="PYTHON", help="Python of an environment with other systems")
    parser.add_argument("--gold", type=int, default=0, metavar="ROWS", help="give each model the gold of so many rows")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("label_models"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--brief", action="store_true", help="print the table of means only")
    parser.add_argument("--from", dest="lines", type=Path, metavar="FILE", help="show an earlier run's JSON lines")
    options = parser.parse_args()
    try:
        if options.lines:
            records = [json.loads(line) for line in options.lines.read_text("utf-8").splitlines()]
        else:
            for group in {source.group for source in SOURCES.values()}:
                data_folder(group)
            records = run(options)
    except DataAbsent as absent:
        print(absent, file=sys.stderr)
        return 3
    show(records, markdown=options.markdown, brief=options.brief)
    return 0


if __name__ == "__main__":
    sys.exit(main())
