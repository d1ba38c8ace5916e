"""The text sets with real gold: how each is read, what its functions are, and what others have published on it.

A set gives a train part (its gold is for the fully supervised model alone), a test part and labeling functions: votes
that came with the data, or rules of `functions/`. Sets without an official test part are split here, by a seed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from consilience.data.table import concat
from consilience.labeling.recorded import recorded_votes

from functions import comments, headlines, messages, questions, sentiment, sst2_keywords, subjectivity

SEED = 0
TEST_SHARE = 0.3  # of sets without an official test part


@dataclass(frozen=True)
class Loaded:
    """A set that was read."""

    train: cs.Table
    test: cs.Table
    functions: Any
    labels: cs.Labels


@dataclass(frozen=True)
class Published:
    """Figures of others, in percent: majority vote, the best other label model, an end model, full supervision."""

    majority: float | None = None
    label_model: float | None = None
    label_model_name: str = ""
    end_model: float | None = None
    end_model_name: str = ""
    supervised: float | None = None


@dataclass(frozen=True)
class TextSet:
    """One line of the table. group: of the data. metric: "accuracy", or "F1" of the last label."""

    group: str
    task: str
    load: Callable[[Path], Loaded]
    metric: str = "accuracy"
    published: Published = Published()
    note: str = ""


# votes that came with the data


def wrench(folder: str, *, test: str = "test") -> Callable[[Path], Loaded]:
    """WRENCH's JSON, with train and test files. test: "valid" where there is no test file."""

    def load(root: Path) -> Loaded:
        train, held_out = cs.read(root / folder / "train.json"), cs.read(root / folder / f"{test}.json")
        exemplars = root / folder / "labeled_ids.json"
        if exemplars.is_file():  # labelled examples the rules were made from; no rows of the unlabelled set
            ids = json.loads(exemplars.read_text("utf-8"))["labeled_ids"]
            train = train.where(~pl.col("id").is_in(ids))
        return _with_votes(train, held_out)

    return load


def wrench_split(folder: str) -> Callable[[Path], Loaded]:
    """WRENCH's JSON where only the valid file has all its votes; cut in two here.

    The `unlabeled` file is left out: it holds only rows that the published rules did not cover, which would make the
    train part unlike the test part.
    """

    def load(root: Path) -> Loaded:
        train, held_out = cs.read(root / folder / "valid.json").split(by="text", test=TEST_SHARE, seed=SEED)
        return _with_votes(train, held_out)

    return load


def _with_votes(train: cs.Table, test: cs.Table) -> Loaded:
    labels = train.labels or cs.Labels(*train.gold_names())
    return Loaded(train, test, recorded_votes(train), labels)


def votes_only(folder: str, *, test: str) -> Callable[[Path], Loaded]:
    """Votes and gold without texts, in votes.npz.

    The data's README says that 0 abstains in these. It does not: -1 does. Of the spouse votes, 90% are -1, and 6% of
    the pairs they are on are positive (7% of all are); of 0 votes, 3%; of 1 votes, 37%. In cdr the shares are 32%, 29%
    and 61% (33% of all), in tennis 34%, 18% and 87% (41% of all).
    """
    labels = cs.Labels("negative", "positive")

    def load(root: Path) -> Loaded:
        with np.load(root / folder / "votes.npz", allow_pickle=False) as parts:
            train = _vote_table(parts["L_train"], None, labels)
            held_out = _vote_table(parts[f"L_{test}"], parts[f"y_{test}"], labels)
        return Loaded(train, held_out, recorded_votes(train), labels)

    return load


def _vote_table(votes: np.ndarray, gold: np.ndarray | None, labels: cs.Labels) -> cs.Table:
    """Rows that have nothing but their votes (codes, -1 abstains), as a table with columns vote_0, vote_1, ..."""
    columns: dict[str, Any] = {"id": np.arange(len(votes))}
    if gold is not None:
        columns["gold"] = labels.decode(gold.tolist())
    frame = pl.DataFrame(columns).with_columns(_vote_columns(votes, labels))
    return cs.Table(frame, text=None, gold=None if gold is None else "gold", labels=labels)


def _vote_columns(votes: np.ndarray, labels: cs.Labels) -> list[pl.Series]:
    return [pl.Series(f"vote_{j}", labels.decode(votes[:, j].tolist()), pl.String) for j in range(votes.shape[1])]


def csv_votes(folder: str, stem: str, *, text: str) -> Callable[[Path], Loaded]:
    """Texts in one CSV file, votes of the same rows in another: 0 abstains, -1 is negative, 1 positive."""
    labels = cs.Labels("negative", "positive")

    def part(root: Path, name: str) -> cs.Table:
        rows = cs.read(
            root / folder / f"{stem}_{name}.csv", text=text, gold="Label", gold_names=dict(enumerate(labels))
        )
        votes = cs.read(root / folder / f"{stem}_lf_matrix_{name}.csv").frame.drop("id").to_numpy()
        gold = rows.gold_codes(labels)
        if not np.array_equal(gold, (votes[:, -2] + 1) // 2):  # the last two columns: gold, and what Snorkel said
            raise ValueError(f"The votes of {folder}/{name} do not belong to the rows beside them.")
        codes = np.array([0, -1, 1])[votes[:, :-2] + 1]
        frame = rows.frame.with_columns(_vote_columns(codes, labels))
        return cs.Table(frame, id=rows.id_column, text=text, gold="Label", labels=labels)

    def load(root: Path) -> Loaded:
        train, held_out = part(root, "train"), part(root, "test")
        return Loaded(train, held_out, recorded_votes(train), labels)

    return load


def sst2_signals(root: Path) -> Loaded:
    """The published keyword signals, applied to the texts; see functions/sst2_keywords.py."""
    names = dict(enumerate(sst2_keywords.LABELS))
    train, test = (
        cs.read(root / "sst2" / f"sst2-{part}.csv", text="sentence", gold="label", gold_names=names)
        for part in ("train", "test")
    )
    matrix = cs.apply(sst2_keywords.FUNCTIONS, train)
    shipped = np.load(root / "sst2" / "weak_signals.npy", allow_pickle=False)
    if not np.array_equal(matrix.votes[matrix.covered], shipped):
        raise ValueError("The keyword signals do not give the votes of weak_signals.npy.")
    return Loaded(train, test, sst2_keywords.FUNCTIONS, matrix.labels)


# raw text, and rules of our own

Rows = list[dict[str, str | None]]


def raw(
    rules: Any, rows: Callable[[Path], Rows], test: Callable[[Path], Rows] | None = None
) -> Callable[[Path], Loaded]:
    """Texts with gold and the rules of one file of `functions`. test: rows of the official test part, if there is one.

    Where there is none, equal texts go to the same part, so that no test text was trained on.
    """

    def load(root: Path) -> Loaded:
        train = cs.read(rows(root), gold="gold", labels=rules.LABELS)
        if test is None:
            train, held_out = train.split(by="text", test=TEST_SHARE, seed=SEED)
        else:
            held_out = cs.read(test(root), gold="gold", labels=rules.LABELS)
        return Loaded(train, held_out, rules.FUNCTIONS, cs.Labels(*rules.LABELS))

    return load


def coded_lines(name: str, names: Sequence[str], encoding: str = "latin-1") -> Callable[[Path], Rows]:
    """Lines of sent_conv: a code, a space, a text. Only a line feed ends a line: some texts hold NEL characters."""

    def rows(root: Path) -> Rows:
        lines = (root / "sent_conv" / name).read_bytes().decode(encoding).split("\n")
        pairs = (line.split(" ", 1) for line in lines if line.strip())
        return _rows((names[int(code)], text) for code, text in pairs)

    return rows


def _rows(pairs: Iterable[tuple[str, str]]) -> Rows:
    return [{"text": text.strip(), "gold": gold} for gold, text in pairs if text.strip()]


def sms_lines(root: Path) -> Rows:
    lines = (root / "sms_raw" / "SMSSpamCollection").read_text("utf-8").split("\n")
    return _rows(tuple(line.split("\t", 1)) for line in lines if line)  # type: ignore[misc]


def clickbait_lines(root: Path) -> Rows:
    files = {"clickbait": "clickbait_data.gz", "news": "non_clickbait_data.gz"}
    texts = {gold: gzip.decompress((root / "clickbait" / name).read_bytes()) for gold, name in files.items()}
    return _rows((gold, line) for gold, text in texts.items() for line in text.decode("utf-8").split("\n"))


def youtube_comments(root: Path) -> Loaded:
    """The comments of all five videos. Ids are made of the rows, for COMMENT_ID is taken twice in places."""
    names = dict(enumerate(comments.LABELS))
    options: dict[str, Any] = {"text": "CONTENT", "gold": "CLASS", "gold_names": names}
    parts = [cs.read(path, **options) for path in sorted((root / "youtube_raw").glob("*.csv"))]
    rows = concat(parts)
    train, test = rows.split(by="CONTENT", test=TEST_SHARE, seed=SEED)
    return Loaded(train, test, comments.FUNCTIONS, cs.Labels(*comments.LABELS))


COSINE = "RoBERTa + COSINE"
IN_THE_LOOP = "RoBERTa"

SETS: Mapping[str, TextSet] = {
    "youtube": TextSet(
        "weak", "spam, 2", wrench("youtube"), published=Published(84.0, 84.0, "MeTaL", 94.9, IN_THE_LOOP)
    ),
    "sms": TextSet(
        "weak",
        "spam, 2",
        wrench("sms"),
        "F1",
        Published(end_model=92.4, end_model_name=IN_THE_LOOP),
        note="votes realigned; WRENCH's label models (F1 24) were scored on votes in another row order",
    ),
    "trec": TextSet(
        "weak",
        "question, 6",
        wrench("trec", test="valid"),
        published=Published(60.8, 64.2, "DP", 82.6, COSINE, 96.7),
        note="scored on valid; published on test",
    ),
    "semeval": TextSet(
        "weak",
        "relation, 9",
        wrench("semeval"),
        published=Published(77.3, 71.0, "DP"),
        note="the end model sees the sentence and not which two entities are asked about",
    ),
    "chemprot": TextSet(
        "weak",
        "relation, 10",
        wrench("chemprot"),
        published=Published(49.0, 52.1, "WMV", 54.4, COSINE, 79.7),
        note="the end model sees the sentence and not which two entities are asked about",
    ),
    "agnews": TextSet(
        "weak",
        "topic, 4",
        wrench_split("agnews"),
        published=Published(63.8, 64.0, "WMV", 87.5, COSINE, 91.4),
        note="votes recomputed from the rules, on WRENCH's valid part, which is cut in two",
    ),
    "yelp": TextSet(
        "weak",
        "sentiment, 2",
        wrench_split("yelp"),
        published=Published(70.2, 71.5, "DS", 96.0, COSINE, 97.3),
        note="votes recomputed from the rules, on WRENCH's valid part, which is cut in two",
    ),
    "imdb": TextSet(
        "weak",
        "sentiment, 2",
        wrench_split("imdb"),
        published=Published(71.0, 71.0, "WMV", 90.5, COSINE, 94.3),
        note="votes recomputed from the rules, on WRENCH's valid part, which is cut in two",
    ),
    "hausa": TextSet("weak", "topic, 5", wrench("hausa")),
    "youtube_prompted": TextSet(
        "weak",
        "spam, 2",
        wrench("youtube_prompted"),
        published=Published(end_model=92.0, end_model_name=IN_THE_LOOP),
        note="votes of a prompted model",
    ),
    "sms_prompted": TextSet(
        "weak",
        "spam, 2",
        wrench("sms_prompted", test="valid"),
        "F1",
        Published(end_model=91.8, end_model_name=IN_THE_LOOP),
        note="votes of a prompted model; scored on valid; published on test",
    ),
    "spouse": TextSet(
        "weak",
        "relation, 2",
        votes_only("spouse", test="test"),
        "F1",
        Published(20.8, 46.6, "MeTaL", 37.9, IN_THE_LOOP),
        note="votes only; 10 functions, where WRENCH has 9",
    ),
    "cdr": TextSet(
        "weak",
        "relation, 2",
        votes_only("cdr", test="dev"),
        "F1",
        Published(60.3, 69.6, "MeTaL"),
        note="votes only; scored on dev, published on test",
    ),
    "tennis": TextSet(
        "weak",
        "video, 2",
        votes_only("tennis", test="valid"),
        "F1",
        Published(81.0, 82.6, "WMV"),
        note="votes only; scored on valid, published on test",
    ),
    "rna": TextSet("weak", "relevance, 2", csv_votes("rna", "rna", text="Title"), "F1"),
    "spouse_sentences": TextSet(
        "weak",
        "relation, 2",
        csv_votes("spouse_sentences", "spouse", text="sentence"),
        "F1",
        note="the end model sees the sentence and not which two people are asked about",
    ),
    "sst2": TextSet("weak", "sentiment, 2", sst2_signals, note="published keyword signals"),
    "youtube_raw": TextSet("text", "spam, 2", youtube_comments),
    "sms_raw": TextSet("text", "spam, 2", raw(messages, sms_lines), "F1"),
    "rt_polarity": TextSet("text", "sentiment, 2", raw(sentiment, coded_lines("rt-polarity.all", sentiment.LABELS))),
    "custrev": TextSet("text", "sentiment, 2", raw(sentiment, coded_lines("custrev.all", sentiment.LABELS))),
    "mpqa": TextSet("text", "sentiment, 2", raw(sentiment, coded_lines("mpqa.all", sentiment.LABELS))),
    "sst2_raw": TextSet(
        "text",
        "sentiment, 2",
        raw(
            sentiment,
            coded_lines("stsa.binary.train", sentiment.LABELS, "utf-8"),
            coded_lines("stsa.binary.test", sentiment.LABELS, "utf-8"),
        ),
    ),
    "subj": TextSet("text", "subjectivity, 2", raw(subjectivity, coded_lines("subj.all", subjectivity.LABELS))),
    "trec_raw": TextSet(
        "text",
        "question, 6",
        raw(
            questions,
            coded_lines("TREC.train.all", questions.LABELS),
            coded_lines("TREC.test.all", questions.LABELS),
        ),
    ),
    "clickbait": TextSet("text", "headline, 2", raw(headlines, clickbait_lines)),
}

LEFT_OUT = {
    "cola": "whether a sentence is grammatical; no word or pattern says so, and rules that do would be a parser",
    "copa": "which of two alternatives is the likelier cause or effect; pairs to compare, not texts to label",
    "sst5": "the sentences of sst2_raw in five grades; our rules see praise and blame, not their degree",
}
