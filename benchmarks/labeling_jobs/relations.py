"""Pairs of spans as rows: drugs and the diseases they cause (BC5CDR), and people who may be married (news articles).

    python benchmarks/labeling_jobs/relations.py

Functions look between the two, around them, and in tables of known facts. BC5CDR has gold: a pair of mentions is
positive where its chemical and disease are related in that abstract. Facts are the relations of half of the training
abstracts; the label model is fitted on the other half, without gold, and scored on the development abstracts.
"""

from __future__ import annotations

import bz2
import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import consilience as cs
from consilience.data.units import pairs, spans
from jobs import Found, Job
from stopwatch import clocked

from real_data import data_folder

CDR = ["other", "causes"]
WED = ["other", "spouse"]


class Corpus(NamedTuple):
    """Documents, the mentions in them, and the related entities of each document."""

    documents: cs.Table
    mentions: pl.DataFrame
    related: set[tuple[str, str, str]]


def pubtator(path: Path) -> Corpus:
    """A file of PubTator: title and abstract, then mentions with offsets into both, then relations."""
    texts: dict[str, list[str]] = {}
    mentions, related = [], set()
    for line in path.read_text("utf-8").splitlines():
        if re.match(r"\d+\|[ta]\|", line):
            id, _, text = line.split("|", 2)
            texts.setdefault(id, []).append(text)
        elif line.strip():
            id, *cells = line.split("\t")
            if cells[0] == "CID":
                related.add((id, cells[1], cells[2]))
            else:
                mentions.append((id, int(cells[0]), int(cells[1]), cells[2], cells[3], cells[4]))
    frame = pl.DataFrame(mentions, schema=["document", "start", "end", "span", "type", "entity"], orient="row")
    documents = pl.DataFrame({"id": list(texts), "text": [" ".join(parts) for parts in texts.values()]})
    return Corpus(cs.Table(documents, unit="document"), frame, related)


def candidates(corpus: Corpus) -> cs.Table:
    """Each chemical with each disease of its sentence, with gold."""
    found = spans(corpus.documents, corpus.mentions)
    made = pairs(found, corpus.documents, types=("Chemical", "Disease"))
    keys = made.frame.select("document", "first_entity", "second_entity").rows()
    gold = pl.Series("gold", [CDR[key in corpus.related] for key in keys], pl.String)
    return cs.Table(made.frame.with_columns(gold), gold="gold", labels=CDR, unit="pair")


def cdr_functions(facts: set[tuple[str, str]]) -> dict[str, Any]:
    """Who causes what: words between and around, order and distance, and what is known of the two."""

    @cs.labeling_function("causes")
    def induced(row) -> bool:
        """ "chemical-induced disease", and its like."""
        return row.in_order and row.between.strip(" -").lower() in ("induced", "associated", "related")

    @cs.labeling_function("other", batch=True)
    def far_apart(frame: pl.DataFrame) -> pl.Series:
        """Twenty words or more between them."""
        return frame["distance"] >= 20

    causal = ["induced", "induces", "caused", "causes", "produced", "after", "following", "associated with", "due to"]
    return {
        "induced": induced,
        "far_apart": far_apart,
        "causal_between": cs.keywords("causes", causal, column="between"),
        "apart_and_turned": cs.expression("other", "distance > 12 AND NOT in_order"),
        "near": cs.expression("causes", "distance < 4 AND in_order"),
        "developed": cs.pattern("causes", r"(?i)\bdevelop|\boccurr|\bexperienc", column="text"),
        "treats": cs.keywords(
            "other", ["treatment of", "for the treatment", "therapy for", "treated with"], column="text"
        ),
        "patients_with": cs.pattern("other", r"(?i)(patients|rats|mice|children) with\W+$", column="left"),
        "no_effect": cs.keywords(
            "other", ["no effect", "did not", "without", "prevented", "reduced"], column="between"
        ),
        "others_between": cs.pattern("other", r",[^,]+,|;", column="between"),
        "known": cs.lookup("causes", facts, on=["first_entity", "second_entity"]),
    }


def cdr(folder: Path) -> Found:
    """From files to probabilities of relations; the quality on the development abstracts."""
    home = data_folder("kb") / "bc5cdr"
    corpora = [pubtator(home / f"CDR_{part}Set.PubTator.txt") for part in ("Training", "Development")]
    known = set(sorted({key[0] for key in corpora[0].related})[::2])
    facts = {(chemical, disease) for id, chemical, disease in corpora[0].related if id in known}

    def run(_: None) -> tuple[cs.LabelMatrix, Any, int]:
        train, dev = (candidates(corpus) for corpus in corpora)
        functions = cdr_functions(facts)
        fresh = train.take(~train.frame["document"].is_in(known).to_numpy())
        model = cs.LabelModel().fit(cs.apply(functions, fresh))
        matrix = cs.apply(functions, dev)
        return matrix, model.predict_proba(matrix), len(train) + len(dev)

    times, (matrix, proba, rows) = clocked(lambda: None, run, 2)
    counted = cs.MajorityVote().fit(matrix).predict(matrix)
    said = [None if not covered else CDR[int(p > 0.5)] for p, covered in zip(proba[:, 1], matrix.covered, strict=True)]
    quality = {
        "f1": f1(said, matrix),
        "majority_f1": f1(counted, matrix),
        "all_f1": f1(["causes"] * len(matrix), matrix),
    }
    right = (
        sum(a == b for a, b in zip(said, matrix.labels.decode(matrix.gold.tolist()), strict=True))
        / matrix.covered.sum()
    )
    return {**times, **quality, "accuracy": float(right), "rows": rows, "functions": by_function(matrix)}


def f1(said: list[str | None], matrix: cs.LabelMatrix) -> float:
    """F1 of the second label."""
    positive = matrix.labels[1]
    gold = matrix.labels.decode(matrix.gold.tolist())
    both = sum(a == b == positive for a, b in zip(said, gold, strict=True))
    return 2 * both / max(1, said.count(positive) + gold.count(positive))


def by_function(matrix: cs.LabelMatrix) -> dict[str, dict[str, float]]:
    """Coverage, and precision where there is gold."""
    found = {}
    for place, name in enumerate(matrix.names):
        votes = matrix.votes[:, place]
        voted = votes >= 0
        found[name] = {"coverage": round(float(voted.mean()), 4)}
        if matrix.n_gold and voted.any():
            found[name]["precision"] = round(float((votes == matrix.gold)[voted].mean()), 4)
    return found


# people in news articles

NAME = re.compile(r"\b(?:[A-Z][a-z]+ )(?:[A-Z]\. )?(?:Mc|Mac|O')?[A-Z][a-z]+\b")


def spouse_functions(facts: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "wed": cs.keywords("spouse", ["married", "wife", "husband", "wedding", "wed"], column="between"),
        "wife_left": cs.pattern("spouse", r"(?i)(wife|husband|bride|spouse)\W*$", column="left"),
        "kin": cs.keywords("other", ["brother", "sister", "mother", "father", "son", "daughter"], column="between"),
        "far_apart": cs.expression("other", "distance > 15"),
        "known": cs.lookup("spouse", facts, on=["first", "second"], symmetric=True, ignore_case=True),
    }


def spouses(folder: Path) -> Found:
    """A thousand articles: names by their capitals, pairs in a sentence, and who is known to be married to whom."""
    home = data_folder("kb") / "deepdive_spouse"
    with bz2.open(home / "articles-1000.tsv.bz2", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t", 1) for line in lines]
    documents = cs.Table(pl.DataFrame({"id": [id for id, _ in rows], "text": [json_text(text) for _, text in rows]}))
    with bz2.open(home / "spouses_dbpedia.csv.bz2", "rt", encoding="utf-8") as lines:
        facts = [tuple(line.rstrip("\n").split(",", 1)) for line in lines if line.count(",") == 1]

    def run(_: None) -> cs.LabelMatrix:
        mentions = [
            {"document": id, "start": name.start(), "end": name.end()}
            for id, text in documents.frame.iter_rows()
            for name in NAME.finditer(text)
        ]
        return cs.apply(spouse_functions(facts), pairs(spans(documents, mentions), documents), labels=WED)

    times, matrix = clocked(lambda: None, run, 2)
    return {**times, "rows": len(matrix), "functions": by_function(matrix), "facts": len(facts)}


def json_text(text: str) -> str:
    """The text of an article, whose line breaks are written as such."""
    return text.strip('"').replace("\\n", "\n").replace('""', '"')


def facts_lookup(n: int, folder: Path) -> Found:
    """As many rows as facts: one join."""
    frame = pl.DataFrame(
        {"id": range(n), "first": [f"Person {i * 7 % n}" for i in range(n)], "second": [f"P {i}" for i in range(n)]}
    )
    facts = pl.DataFrame(
        {"first": [f"P {i}" for i in range(0, n, 2)], "second": [f"person {i * 7 % n}" for i in range(0, n, 2)]}
    )
    function = cs.lookup("spouse", facts, on=["first", "second"], symmetric=True, ignore_case=True)
    times, matrix = clocked(
        lambda: cs.Table(frame, text=None, labels=WED), lambda rows: cs.apply({"known": function}, rows), 3
    )
    return {**times, "votes": int((matrix.votes >= 0).sum())}


def jobs() -> list[Job]:
    """All lines of this topic."""
    return [
        Job("drugs and diseases, 10 functions, label model", "BC5CDR", cdr),
        Job("spouses in news, 5 functions", "1,000 articles", spouses),
        Job("lookup in 500k facts", "1M rows", partial(facts_lookup, 1_000_000), 1_000_000, "rows"),
    ]


if __name__ == "__main__":
    for job in jobs():
        print(job.what, job.size, json.dumps(job.measure(Path()), indent=1))
