"""PubTator files: `id|t|title`, `id|a|abstract`, and a line for each annotation, an empty line between documents.

A row is a document: its text is the title, a space, and the abstract; its spans have a type and an identifier. A
document with a line that cannot be read, or a span that is not where it says, is set aside with that line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.sources.lines import decoded_lines, opened
from consilience.data.sources.raw import SHOWN, Raw
from consilience.data.table import Reject
from consilience.progress import track

KINDS = {
    "id": pl.String(),
    "text": pl.String(),
    "title": pl.String(),
    "abstract": pl.String(),
    "spans": pl.List(
        pl.Struct({"start": pl.Int64, "end": pl.Int64, "text": pl.String, "label": pl.String, "identifier": pl.String})
    ),
    "relations": pl.List(pl.Struct({"label": pl.String, "subject": pl.String, "object": pl.String})),
}

Lines = list[tuple[int, str]]


def from_pubtator(path: Path) -> Raw:
    """Documents: id, text, title, abstract, spans (start and end in characters of the text), relations."""
    rejects: list[Reject] = []
    rows, lines = [], []
    for block in _blocks(path, rejects):
        made = _document(block)
        if isinstance(made, Reject):
            rejects.append(made)
        else:
            rows.append(made)
            lines.append(block[0][0])
    frame = pl.DataFrame({name: pl.Series([row[name] for row in rows], dtype=kind) for name, kind in KINDS.items()})
    return Raw(frame, pl.Series(lines, dtype=pl.Int64), rejects, unit="document")


def _blocks(path: Path, rejects: list[Reject]) -> Iterator[Lines]:
    """The lines of each document; one with a line that is no text is set aside."""
    block: Lines = []
    fault: Reject | None = None
    with opened(path) as file:
        for number, line in track(decoded_lines(file), f"reading {path.name}"):
            if isinstance(line, Reject):
                fault = fault or line
            elif line.strip():
                block.append((number, line.rstrip("\r\n")))
            else:
                if block and fault is None:
                    yield block
                rejects += [fault] if fault else []
                block, fault = [], None
    if block and fault is None:
        yield block
    rejects += [fault] if fault else []


def _document(block: Lines) -> dict[str, Any] | Reject:
    texts = {"t": "", "a": ""}
    name, spans, relations = None, [], []
    for number, line in block:
        head = line.split("|", 2)
        if len(head) == 3 and head[1] in texts and "\t" not in head[0]:
            if name is not None and head[0] != name:
                return _fault(number, f"the document {head[0]!r} begins inside {name!r}", line)
            name, texts[head[1]] = head[0], head[2]
            continue
        cells = line.split("\t")
        if name is None or cells[0] != name:
            return _fault(number, "a line of no document", line)
        if len(cells) == 4:
            relations.append({"label": cells[1], "subject": cells[2], "object": cells[3]})
            continue
        whole = f"{texts['t']} {texts['a']}"
        span = _span(cells, whole)
        if isinstance(span, str):
            return _fault(number, span, line)
        spans.append(span)
    if name is None:
        return _fault(block[0][0], "a document without title", block[0][1])
    title, abstract = texts["t"], texts["a"]
    text = f"{title} {abstract}" if abstract else title
    return {"id": name, "text": text, "title": title, "abstract": abstract, "spans": spans, "relations": relations}


def _span(cells: list[str], text: str) -> dict[str, Any] | str:
    """One annotation, or why it is none."""
    if len(cells) not in (5, 6, 7) or not (cells[1].isdecimal() and cells[2].isdecimal()):
        return f"{len(cells)} columns, which is no annotation"
    if len(cells[1]) > 12 or len(cells[2]) > 12:
        return "a span beyond the text"
    start, end = int(cells[1]), int(cells[2])
    if text[start:end] != cells[3]:
        return f"the text at {start} to {end} is {text[start:end][:50]!r}, not {cells[3][:50]!r}"
    identifier = cells[5] if len(cells) > 5 and cells[5] else None
    return {"start": start, "end": end, "text": cells[3], "label": cells[4], "identifier": identifier}


def _fault(number: int, reason: str, line: str) -> Reject:
    return Reject(number, f"{reason}; its document is set aside", line[:SHOWN])
