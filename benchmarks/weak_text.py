"""Quality and speed on every real text set: from votes or raw text to a trained model, without a label.

    python benchmarks/weak_text.py [--set NAME ...] [--markdown] [--brief] [--json FILE]
    python benchmarks/weak_text.py --from FILE [--markdown] [--brief]     the table again, from an earlier run's lines

The same road for all: read, apply the labeling functions, fit the label models on the votes of the train part without
its gold, train a TextClassifier on what the label model made, score on the gold of the test part. Beside it stands the
same TextClassifier trained on the gold of all train rows. Where functions do not vote, a label model says the most
frequent class; no row is left out of a score. Each set runs in a process of its own, so its peak memory is its own.

Reading the table: majority vote may differ from published figures by a few points without either being better. WRENCH
breaks ties at random, and gives rows without votes a random label; here both go to the label that has the most votes on
the whole. "Ties at random" is majority vote in WRENCH's way (the mean of 20 draws), to hold beside the published one.
F1 is of the last label (spam, positive). Seconds are of the whole road, the supervised model included. The published
end models are large ones (RoBERTa); ours is linear.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.end_models.report import Report, report_votes
from consilience.metrics import accuracy_of, confusion, f1_by_class
from record import JSON_HELP, NOT_KNOWN, append_json, lines_file, machine, peak_mb, table
from text_sets import LEFT_OUT, SEED, SETS, TEST_SHARE, Loaded

from real_data import DataAbsent, data_folder

COLUMNS = (
    *("set", "train rows", "functions", "coverage", "metric", "majority vote", "ties at random", "label model"),
    *("chosen", "end model", "supervised", "s", "peak MB"),
    *("published: majority", "published: label model", "published: end model"),
)

BRIEF = tuple(name for name in COLUMNS if name not in ("ties at random", "chosen"))

OUR_RULES = (
    "youtube_raw and all sets below it: our rules, in functions/; scored on the official test part of sst2_raw and "
    f"trec_raw, and of the others on {TEST_SHARE:.0%} of the texts, held out by a seed"
)


def measure(name: str) -> dict[str, Any]:
    """All figures of one set. Takes seconds to a minute."""
    began = time.perf_counter()
    text_set = SETS[name]
    loaded = text_set.load(data_folder(text_set.group))
    votes, test_votes = (cs.apply(loaded.functions, part, labels=loaded.labels) for part in (loaded.train, loaded.test))
    counting, model = cs.MajorityVote().fit(votes, seed=SEED), cs.LabelModel().fit(votes, seed=SEED)
    reports = {"majority": report_votes(counting, test_votes), "label_model": report_votes(model, test_votes)}
    labelled_s = time.perf_counter() - began
    if loaded.train.text_column is not None:
        reports |= trained(loaded, model, votes)
    return {
        "benchmark": "weak_text",
        "set": name,
        "task": text_set.task,
        "metric": text_set.metric,
        "rows_train": len(loaded.train),
        "rows_test": len(loaded.test),
        "functions": len(votes.functions),
        "coverage": float(votes.covered.mean()),
        "chosen": model.findings_.chosen,
        "reason": model.findings_.reason,
        **{which: figure(report, text_set.metric) for which, report in reports.items()},
        "majority_random_ties": random_ties(counting, test_votes, text_set.metric),
        "seconds_to_labels": round(labelled_s, 2),
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time(), 2),
        "peak_mb": round(peak_mb()),
        "published": vars(text_set.published),
        "note": text_set.note,
        "seed": SEED,
        "version": cs.__version__,
        "machine": machine(),
    }


def trained(loaded: Loaded, model: cs.LabelModel, votes: cs.LabelMatrix) -> dict[str, Report]:
    """The end model trained on the label model's labels, and the same one trained on gold, both on the test part."""
    weakly = cs.TextClassifier().fit(model.training_set(votes))
    fully = cs.TextClassifier().fit(cs.TrainingSet.from_gold(loaded.train, loaded.labels))
    return {"end_model": weakly.evaluate(loaded.test), "supervised": fully.evaluate(loaded.test)}


def figure(report: Report, metric: str) -> dict[str, float]:
    """The metric in percent, with its 95% interval."""
    interval = report.f1 if metric == "F1" else report.accuracy
    return {name: round(100 * value, 1) for name, value in interval._asdict().items()}


def random_ties(counting: cs.MajorityVote, votes: cs.LabelMatrix, metric: str, draws: int = 20) -> float:
    """Majority vote in percent if ties, and rows without votes, get a random label: the mean of some draws."""
    rng, scored = np.random.default_rng(SEED), votes.gold >= 0
    shares = counting.predict_proba(votes)[scored]
    best = shares >= shares.max(axis=1, keepdims=True) - 1e-9
    scores = []
    for _ in range(draws):
        guess = (best * rng.random(best.shape)).argmax(axis=1)
        counts = confusion(votes.gold[scored].astype(np.int64), guess, len(votes.labels))
        scores.append(f1_by_class(counts)[-1] if metric == "F1" else accuracy_of(counts))
    return round(100 * float(np.mean(scores)), 1)


def row(record: dict[str, Any]) -> list[str]:
    """The line of one set in the table."""
    published = record["published"]
    best = percent(published["label_model"])
    return [
        record["set"],
        f"{record['rows_train']:,}",
        str(record["functions"]),
        f"{100 * record['coverage']:.0f}%",
        record["metric"],
        percent(record["majority"]["value"]),
        percent(record["majority_random_ties"]),
        percent(record["label_model"]["value"]),
        record["chosen"],
        *(percent(record.get(which, {}).get("value")) for which in ("end_model", "supervised")),
        f"{record['seconds']:.1f}",
        str(record["peak_mb"]),
        percent(published["majority"]),
        f"{best} {published['label_model_name']}".strip(),
        f"{percent(published['end_model'])} {published['end_model_name']}".strip(),
    ]


def percent(value: float | None) -> str:
    """One decimal, or a dash for what is not known."""
    return NOT_KNOWN if value is None else f"{value:.1f}"


def in_own_process(name: str) -> dict[str, Any]:
    """Measure one set in a new process. raises: RuntimeError with its last words if it fails."""
    done = subprocess.run([sys.executable, __file__, "--measure", name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(names: list[str], json_file: Path) -> list[dict[str, Any]]:
    """Measure sets one after another, each in its own process. A set that fails is named and left out."""
    records = []
    for place, name in enumerate(names, 1):
        print(f"[{place}/{len(names)}] {name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            record = in_own_process(name)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            continue
        print(f"{record['seconds']:.1f} s", file=sys.stderr)
        append_json(json_file, record)
        records.append(record)
    return records


def show(records: list[dict[str, Any]], *, markdown: bool, brief: bool) -> None:
    """Print the table and what has to be known to read it."""
    columns = BRIEF if brief else COLUMNS
    lines = [dict(zip(COLUMNS, row(record), strict=True)) for record in records]
    print(table(columns, [[line[name] for name in columns] for line in lines], markdown=markdown))
    notes = [f"{record['set']}: {record['note']}" for record in records if record["note"]]
    if any(SETS[record["set"]].group == "text" for record in records):
        notes.append(OUR_RULES)
    notes += [f"left out: {name}, {why}" for name, why in LEFT_OUT.items()]
    if not brief:
        print("\n" + "\n".join(f"{'- ' if markdown else ''}{note}" for note in notes))
    print(f"\n{records[0]['machine']}; consilience {records[0]['version']}; seed {SEED}" if records else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", choices=list(SETS), metavar="NAME", help=f"of {', '.join(SETS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("weak_text"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--brief", action="store_true", help="leave out the columns and notes that explain")
    parser.add_argument("--from", dest="lines", type=Path, metavar="FILE", help="show an earlier run's JSON lines")
    parser.add_argument("--measure", choices=list(SETS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.lines:
        records = [json.loads(line) for line in options.lines.read_text("utf-8").splitlines()]
        show(records, markdown=options.markdown, brief=options.brief)
        return 0
    try:
        for group in {SETS[name].group for name in options.set or SETS}:
            data_folder(group)
        if options.measure:
            print(json.dumps(measure(options.measure), ensure_ascii=False))
            return 0
        names = options.set or list(SETS)
        records = measured(names, options.json)
        show(records, markdown=options.markdown, brief=options.brief)
        return int(len(records) < len(names))
    except DataAbsent as absent:
        print(absent, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
