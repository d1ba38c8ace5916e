"""Declarative functions: fifty as people write them, beside a plain Python loop with `re`; lexicons beside a peer.

Texts are made from a seed: words as frequent as in language (Zipf), some of them those the functions look for. What the
Python loop says of its sample must be what our functions say of it. Half of the terms of a lexicon are of real lists of
diseases, phenotypes, genes and chemicals, where these are at hand; the others are made up, of one to four words.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import consilience as cs
from consilience.labeling.phrases import automaton
from consilience.labeling.sieve import sieved
from jobs import SEED, Found, Job
from stopwatch import clocked

from functions.plain import WORDS
from real_data import DataAbsent, data_folder

LABELS = ("ham", "spam")
SAMPLE = 20_000  # rows of the Python loop
SYLLABLES = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "ox", "ium")]

TOPICS = [
    ["subscribe", "check out", "my channel"],
    ["free", "money", "win", "cash", "prize", "claim", "urgent", "winner"],
    ["love", "great", "best", "good", "nice", "beautiful", "awesome"],
    ["song", "music", "voice", "dance", "video"],
    ["http", "www", "click here", "link in bio"],
]
PATTERNS = [
    r"https?://|www\.",
    r"\bfree\b.*\bmoney\b",
    r"[0-9]+ (?:million|views)",
    r"(?i)\bsubscri(?:be|bed|ption)\b",
    r"!{2,}",
    r"\b[A-Z]{4,}\b",
    r"^(?:the|this|that)\b",
    r"(?i)check(?:ing)?\s+(?:it|this|out)",
    r"\$\s?[0-9]+",
    r"[\w.]+@[\w.]+\.[a-z]{2,}",
    r"(?i)\b(?:lol|lmao|omg)\b",
    r"(?i)my\s+(?:new\s+)?(?:channel|video|song)",
    r"\.com\b",
    r"(.)\.{3,}",
    r"(?i)best\s+\w+\s+ever",
]
EXPRESSIONS: list[tuple[str, Callable[[str, int], bool]]] = [
    ("length(text) < 20", lambda text, likes: len(text) < 20),
    ("length(text) > 60", lambda text, likes: len(text) > 60),
    ("likes > 90", lambda text, likes: likes > 90),
    ("likes = 0", lambda text, likes: likes == 0),
    ("likes < 5 and length(text) < 30", lambda text, likes: likes < 5 and len(text) < 30),
    ("text like '%com%'", lambda text, likes: "com" in text),
    ("text like 'the %'", lambda text, likes: text.startswith("the ")),
    ("likes between 10 and 20", lambda text, likes: 10 <= likes <= 20),
    ("lower(text) = text", lambda text, likes: text.lower() == text),
    ("likes > 50 or text like '%song%'", lambda text, likes: likes > 50 or "song" in text),
]


@cache
def vocabulary(n: int) -> list[str]:
    """Made-up words, all different."""
    rng = random.Random(SEED)
    words = dict.fromkeys(WORDS)
    while len(words) < n:
        words["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4)))] = None
    return list(words)


def texts(n: int, low: int, high: int, words: list[str]) -> list[str]:
    """Texts of low to high words, of Zipf's frequencies."""
    rng = np.random.default_rng(SEED)
    shuffled = rng.permutation(len(words))
    weights = 1 / np.arange(1, len(words) + 1) ** 0.9
    lengths = rng.integers(low, high + 1, n)
    drawn = shuffled[rng.choice(len(words), int(lengths.sum()), p=weights / weights.sum())]
    ends = np.cumsum(lengths)
    return [" ".join(words[word] for word in drawn[end - k : end]) for end, k in zip(ends, lengths, strict=True)]


def keyword_lists() -> list[list[str]]:
    """25 lists of words and phrases: 5 that everybody writes, 20 of 3 to 60 rarer words."""
    rng = random.Random(SEED)
    words = vocabulary(5000)
    rarer = [rng.sample(words[200:], rng.choice((3, 8, 20, 60))) for _ in range(20)]
    return TOPICS + [[*some, f"{some[0]} {some[1]}"] for some in rarer]


def short_rows(n: int) -> pl.DataFrame:
    likes = np.random.default_rng(SEED).integers(0, 100, n)
    return pl.DataFrame({"id": range(n), "text": texts(n, 4, 12, vocabulary(5000)), "likes": likes})


def fifty() -> dict[str, Any]:
    made = {f"keywords{n}": cs.keywords("spam", phrases) for n, phrases in enumerate(keyword_lists())}
    made |= {f"pattern{n}": cs.pattern("spam", regex) for n, regex in enumerate(PATTERNS)}
    return made | {f"expression{n}": cs.expression("ham", sql) for n, (sql, _) in enumerate(EXPRESSIONS)}


def of_kind(kind: str) -> dict[str, Any]:
    return {name: function for name, function in fifty().items() if name.startswith(kind)}


def in_python() -> list[Callable[[str, int], Any]]:
    """The same fifty, as one writes them with `re`."""
    found = []
    for phrases in keyword_lists():
        regex = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
        found.append(partial(_matches, re.compile(rf"\b(?:{regex})\b", re.IGNORECASE)))
    found += [partial(_matches, re.compile(regex)) for regex in PATTERNS]
    return found + [holds for _, holds in EXPRESSIONS]


def _matches(regex: re.Pattern[str], text: str, likes: int) -> bool:
    return regex.search(text) is not None


# measuring


def ours(functions: Callable[[], dict[str, Any]], n: int, runs: int, folder: Path) -> Found:
    """Apply functions to rows that are new to the package, compiled loops loaded."""
    frame = short_rows(n)
    made = functions()
    cs.apply(made, cs.Table(frame.head(2000), labels=LABELS), labels=LABELS)
    _load_kernels()
    times, matrix = clocked(lambda: cs.Table(frame, labels=LABELS), lambda rows: cs.apply(made, rows), runs)
    assert not any(function.failure for function in matrix.functions)
    return {**times, "votes": int((matrix.votes >= 0).sum())}


def _load_kernels() -> None:
    cs.lexicon("spam", ["a"]).find(["a"])
    sieved([frozenset([(frozenset(b"a"),)])], pl.Series(["a"]))
    tables = {"a": cs.keywords("spam", ["a"]), "b": cs.lexicon("spam", ["a"], min_terms=2)}
    cs.apply(tables, cs.read([{"text": "a"}]), labels=LABELS)


def plain_python(runs: int, folder: Path) -> Found:
    """Each function on each row of a sample; what it says must be what ours say."""
    frame = short_rows(SAMPLE)
    rows = list(zip(frame["text"].to_list(), frame["likes"].to_list(), strict=True))
    functions = in_python()
    times, said = clocked(
        lambda: None, lambda _: [[bool(holds(text, likes)) for holds in functions] for text, likes in rows], runs
    )
    matrix = cs.apply(fifty(), cs.Table(frame, labels=LABELS))
    assert np.array_equal(matrix.votes >= 0, np.array(said)), "the Python loop says something else"
    return times


@cache
def terms(n: int) -> list[str]:
    """Names of diseases, phenotypes, genes and chemicals from real lists, where they are at hand; then made-up ones."""
    rng = random.Random(SEED)
    words = vocabulary(200_000)[300:]  # no term is as common as the commonest words
    found = dict.fromkeys(real_terms()[: n // 2])
    while len(found) < n:
        found[" ".join(rng.choices(words, k=rng.choice((1, 2, 2, 3, 4))))] = None
    return list(found)


def real_terms() -> list[str]:
    """Distinct terms of the lists that come with the real data of group "kb"; none where it is absent."""
    try:
        lists = data_folder("kb") / "lexicons"
    except DataAbsent:
        return []
    found: dict[str, None] = {}
    for path in sorted(lists.glob("*/*.t*")):
        for line in path.read_text().splitlines():
            found |= dict.fromkeys(part.strip() for part in re.split(r"[|\t]", line)[1:])
    return [term for term in found if len(term) > 3 and not re.fullmatch(r"[A-Z]+|[\w.]+:\w+|[\d.]+", term)]


@cache
def abstracts(n: int) -> list[str]:
    """Texts of about 200 words, a few terms in each."""
    rng = random.Random(SEED)
    listed = terms(400_000)
    plain = texts(n, 150, 220, vocabulary(50_000))
    return [
        f"{text[: len(text) // 2]} {' and '.join(rng.choices(listed, k=6))}. {text[len(text) // 2 :]}" for text in plain
    ]


def make_lexicon(n: int, runs: int, folder: Path) -> Found:
    listed = pl.DataFrame({"term": terms(n), "label": [LABELS[k % 2] for k in range(n)]})
    cs.lexicon(None, listed[:100]).find(["a"])
    times, _ = clocked(automaton.cache_clear, lambda _: cs.lexicon(None, listed).find([""]), runs)
    return times


def our_lexicon(labels: bool, n: int, runs: int, folder: Path) -> Found:
    _load_kernels()
    frame = pl.DataFrame({"id": range(n), "text": abstracts(n)})
    listed = pl.DataFrame({"term": terms(400_000), "label": [LABELS[k % 2] for k in range(400_000)]})
    made = cs.lexicon(None if labels else "spam", listed)
    cs.apply({"terms": made}, cs.Table(frame.head(10), labels=LABELS))
    times, _ = clocked(lambda: cs.Table(frame, labels=LABELS), lambda rows: cs.apply({"terms": made}, rows), runs)
    return {**times, "mb_s": frame["text"].str.len_bytes().sum() / 1e6 / times["cpu_s"]}


def our_spans(n: int, runs: int, folder: Path) -> Found:
    rows = pl.Series(abstracts(n))
    made = cs.lexicon("spam", terms(400_000))
    made.find(rows.head(10))
    times, spans = clocked(lambda: None, lambda _: made.find(rows), runs)
    return {**times, "spans": len(spans), "mb_s": rows.str.len_bytes().sum() / 1e6 / times["cpu_s"]}


def peer_spans(n: int, runs: int, folder: Path) -> Found:
    """ahocorasick-rs, lower-cased, leftmost-longest: it knows no words, so terms within words are found too."""
    import ahocorasick_rs

    rows = abstracts(n)
    began = time.process_time()
    peer = ahocorasick_rs.AhoCorasick(terms(400_000), matchkind=ahocorasick_rs.MatchKind.LeftmostLongest)
    build_s = time.process_time() - began
    times, spans = clocked(
        lambda: None, lambda _: sum(len(peer.find_matches_as_indexes(text.lower())) for text in rows), runs
    )
    return {**times, "spans": spans, "build_s": build_s}


def jobs() -> list[Job]:
    """All lines, in the order of the table."""
    million, each = 1_000_000, "votes"
    size = 187_000  # kB of 100k abstracts
    lines = [
        Job("50 declarative functions", "1M rows", partial(ours, fifty, million, 3), 50 * million, each, 1e6),
        Job("50 functions, Python loop", "20k rows", partial(plain_python, 3), 50 * SAMPLE, each),
    ]
    for kind, n in (("keywords", 25), ("pattern", 15), ("expression", 10)):
        run = partial(ours, partial(of_kind, kind), million, 3)
        lines.append(Job(f"{n} of kind {kind}", "1M rows", run, n * million, each, 1e6))
    abstract = "100k abstracts"
    return [
        *lines,
        Job("lexicon of 400k terms, made", "400k terms", partial(make_lexicon, 400_000, 3), 400_000, "terms"),
        Job("lexicon, one label", abstract, partial(our_lexicon, False, 100_000, 3), size, "kB", 10_000),
        Job("lexicon, label a term", abstract, partial(our_lexicon, True, 100_000, 3), size, "kB", 10_000),
        Job("lexicon, places of terms", abstract, partial(our_spans, 100_000, 3), size, "kB", 10_000),
        Job("ahocorasick-rs, places", abstract, partial(peer_spans, 100_000, 3), size, "kB"),
    ]
