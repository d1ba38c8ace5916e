"""Abstracts as the functions of this knowledge base see them: sentences, and mentions of chemicals and diseases.

Reads PubTator files (gold mentions and gold facts), writes the rows that the program is loaded with. A document travels
through the program as three columns: its text, the length of its title, and its mentions as JSON.
"""

from __future__ import annotations

import bisect
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from consilience.data.sources.pubtator import from_pubtator
from consilience.data.table import Reject
from consilience.errors import DataError

CHEMICAL, DISEASE, FACT = "Chemical", "Disease", "CID"
MOST_SET_ASIDE = 0.05  # of the documents; more than that is another format, not a slip
END_OF_SENTENCE = re.compile(r"[.?!][\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
ABBREVIATED = re.compile(
    r"(?:\b(?:Dr|vs|et al|e\.g|i\.e|No|Fig|St|spp?|cf|ca|Mr|Mrs|mg|kg|i\.[vpm]|s\.c|p\.o)|\b[A-Z])\.$"
)
TOKEN = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)?|[^\sA-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a text names an entity: characters start to end, in which sentence (the title is 0)."""

    start: int
    end: int
    kind: str
    entity: str
    sentence: int
    text: str


@dataclass(frozen=True)
class Document:
    """An abstract with its mentions."""

    name: str
    text: str
    title_length: int
    spans: tuple[tuple[int, int, str, str], ...]
    facts: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Start and end of each sentence; the title is the first."""
        return [(0, self.title_length), *_cut(self.text, min(self.title_length + 1, len(self.text)))]

    @cached_property
    def mentions(self) -> list[Mention]:
        """Every mention in order; one of several entities (`D1|D2`) stands once for each."""
        starts = [start for start, _ in self.sentences]
        return [
            Mention(a, b, kind, entity, bisect.bisect_right(starts, a) - 1, self.text[a:b])
            for a, b, kind, entity in sorted(self.spans)
        ]

    def entities(self, kind: str) -> dict[str, list[Mention]]:
        """Mentions of each entity of a kind, in the order in which entities are first named."""
        found: dict[str, list[Mention]] = {}
        for mention in self.mentions:
            if mention.kind == kind:
                found.setdefault(mention.entity, []).append(mention)
        return found

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Candidate facts: each chemical with each disease."""
        return [(c, x) for c in self.entities(CHEMICAL) for x in self.entities(DISEASE)]

    def tokens(self, start: int, end: int) -> list[str]:
        """Words, numbers and signs between two places."""
        return [match.group() for match in TOKEN.finditer(self.text, start, end)] if start < end else []

    @property
    def row(self) -> tuple[str, str, int, str]:
        """As a row of the relation `document`."""
        return self.name, self.text, self.title_length, json.dumps(self.spans)


@lru_cache(maxsize=64)
def document(name: str, text: str, title_length: int, spans: str) -> Document:
    """A row of the relation `document` as a Document again. Kept a while: several functions ask for the same one."""
    return Document(name, text, title_length, tuple((a, b, kind, entity) for a, b, kind, entity in json.loads(spans)))


def _cut(text: str, start: int) -> Iterator[tuple[int, int]]:
    for match in END_OF_SENTENCE.finditer(text, start):
        if not ABBREVIATED.search(text, start, match.start() + 1):
            yield start, match.end()
            start = match.end()
    if start < len(text):
        yield start, len(text)


def read_documents(path: Path) -> tuple[list[Document], list[Reject]]:
    """Documents of a PubTator file with their gold facts, and those that had to be set aside.

    raises: DataError if the file has no document, more than one in twenty cannot be read, or one stands there twice.
    """
    raw = from_pubtator(path)
    found = [_from_row(row) for row in raw.frame.iter_rows(named=True)]
    if len(raw.rejects) > MOST_SET_ASIDE * (len(found) + len(raw.rejects)):
        fault = raw.rejects[0]
        raise DataError(
            f"{path}: line {fault.line}: {fault.reason} ({len(raw.rejects)} documents in all).\n"
            "Fix: mend those lines, or take their documents out of the file."
        )
    if not found:
        raise DataError(f"{path} has no documents.\nFix: give a PubTator file with `id|t|title` lines.")
    twice = [name for name, n in Counter(d.name for d in found).items() if n > 1]
    if twice:
        raise DataError(f"{path}: document {twice[0]!r} stands there twice.\nFix: keep one of the two.")
    return found, raw.rejects


def _from_row(row: dict[str, Any]) -> Document:
    spans = [
        (s["start"], s["end"], s["label"], entity)
        for s in row["spans"]
        if s["label"] in (CHEMICAL, DISEASE)
        for entity in re.split(r"[|+]", s["identifier"] or "-1")
        if entity != "-1"  # a mention that the corpus could link to nothing
    ]
    facts = frozenset((r["subject"], r["object"]) for r in row["relations"] if r["label"] == FACT)
    return Document(row["id"], row["text"], len(row["title"]), tuple(spans), facts)
