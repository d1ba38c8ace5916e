"""CoNLL files: a token a line, columns parted by tabs or spaces, an empty line between sentences.

A row is a sentence: its tokens and tags as lists, its text joined by spaces. A sentence with a line that cannot be
read, or tags that make no spans, is set aside as a whole, with the line at fault: its rest would say something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from consilience.data.sources.lines import check_encoding, decoded_lines, opened
from consilience.data.sources.raw import SHOWN, Raw, check_columns
from consilience.data.table import Reject
from consilience.errors import DataError, nearest
from consilience.progress import track

SCHEMES = ("bio", "iob1", "bioes", "bilou", "none")
SHAPE = re.compile(r"O|[BIESLU]-.+")
OPENS, CONTINUES, ENDS = frozenset("BSU"), frozenset("IEL"), frozenset("ESLU")
NEW_DOCUMENT = "-DOCSTART-"
SKIPPED = "_"  # the name of a column that is left out

Sentence = list[tuple[int, list[str]]]  # line and cells of each token


def from_conll(path: Path, delimiter: str | None, columns: Sequence[str] | None, scheme: str | None) -> Raw:
    """Sentences: lists of tokens and tags, their text, and the number of their document where the file has such.

    columns: names of the file's columns, "_" for one to leave out; by default the first is "tokens" and the last
    "tags". delimiter: by default a tab, if the first line has one, else any spaces.
    scheme: how "tags" are checked: "bio", "bioes", "bilou"; "iob1", which becomes "bio"; "none"; None: as they look.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise DataError(f"There is no tag scheme {scheme!r}.\nFix: {nearest(scheme, SCHEMES)}")
    rejects: list[Reject] = []
    found = list(_sentences(path, delimiter, list(columns) if columns else None, rejects))
    wanted = _wanted(found, columns, path)
    rows: dict[str, list[Any]] = {
        name: [[cells[at] for _, cells in words] for _, words in found] for name, at in wanted
    }
    lines = pl.Series([words[0][0] for _, words in found], dtype=pl.Int64)
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.List(pl.String)) for name, cells in rows.items()})
    if "tokens" in rows:
        text = pl.Series("text", [" ".join(tokens) for tokens in rows["tokens"]], dtype=pl.String)
        frame = frame.insert_column(0, text)
    documents = [document for document, _ in found]
    if any(documents):
        frame = frame.with_columns(pl.Series("document", documents, dtype=pl.Int64))
    if "tags" in rows and found:
        frame, lines = _checked(frame, lines, [words for _, words in found], scheme or _guess(rows["tags"]), rejects)
    return Raw(frame, lines, rejects, unit="sentence")


def _sentences(
    path: Path, delimiter: str | None, columns: list[str] | None, rejects: list[Reject]
) -> Iterator[tuple[int, Sentence]]:
    """Document number (from 1; 0 where the file has none) and tokens of each sentence all of whose lines are sound."""
    with opened(path) as file:
        check_encoding(file.read(4096), path)
    with opened(path) as file:
        lines = track(_conll_lines(file), f"reading {path.name}")
        head, cut, width = _layout(lines, delimiter, len(columns or ()))
        words: Sentence = []
        document, fault = 0, None
        for number, line in chain(head, lines, [(0, "")]):
            if isinstance(line, Reject):
                fault = fault or line
            elif not line.strip():
                if fault is not None:
                    rejects.append(fault)
                elif words:
                    yield document, words
                words, fault = [], None
            elif line.startswith(NEW_DOCUMENT):
                document += 1
            else:
                cells = cut(line)
                if line.startswith("#") and not words and len(cells) != width:
                    continue  # a comment before a sentence; a token that is # has as many columns as the others
                if len(cells) != width or not cells[0]:
                    why = f"{len(cells)} columns where the first line has {width}" if cells[0] else "no token"
                    fault = fault or Reject(number, f"{why}; its sentence is set aside", line[:SHOWN])
                words.append((number, cells))


def _layout(
    lines: Iterator[tuple[int, str | Reject]], delimiter: str | None, width: int
) -> tuple[list[tuple[int, str | Reject]], Callable[[str], list[str]], int]:
    """How lines are cut, and into how many columns: as the first line that is surely a token. Also the lines seen."""
    head: list[tuple[int, str | Reject]] = []
    for number, line in lines:
        head.append((number, line))
        if isinstance(line, str) and line.strip() and not line.startswith(("#", NEW_DOCUMENT)):
            break
        if len(head) >= 1000:
            break
    seen = [line for _, line in head if isinstance(line, str) and line.strip() and not line.startswith(NEW_DOCUMENT)]
    sure = [line for line in seen if not line.startswith("#")]
    first = (sure or [line for line in seen if "\t" in line] or [""])[0]
    mark = delimiter or ("\t" if "\t" in first else None)  # None: any spaces

    def cut(line: str) -> list[str]:
        return line.split(mark)

    return head, cut, width or len(cut(first))


def _conll_lines(file: BinaryIO) -> Iterator[tuple[int, str | Reject]]:
    for number, line in decoded_lines(file):
        yield number, line.rstrip("\r\n") if isinstance(line, str) else line


def _wanted(found: list[tuple[int, Sentence]], columns: Sequence[str] | None, path: Path) -> list[tuple[str, int]]:
    """Names and places of the columns to keep."""
    if columns:
        check_columns([name for name in columns if name != SKIPPED], path)
        return [(name, place) for place, name in enumerate(columns) if name != SKIPPED]
    width = len(found[0][1][0][1]) if found else 1
    return [("tokens", 0)] + ([("tags", width - 1)] if width > 1 else [])


def _guess(tags: list[list[str]]) -> str:
    """The scheme that tags look like; "none" if most of the distinct ones look like no scheme."""
    distinct = {tag for sentence in tags for tag in sentence}
    shaped = {tag for tag in distinct if SHAPE.fullmatch(tag)}
    if 2 * len(shaped) <= len(distinct) or shaped == {"O"} != distinct:
        return "none"
    first = {tag[0] for tag in shaped}
    return "bilou" if first & set("LU") else "bioes" if first & set("ES") else "bio"


def _checked(
    frame: pl.DataFrame, lines: pl.Series, found: list[Sentence], scheme: str, rejects: list[Reject]
) -> tuple[pl.DataFrame, pl.Series]:
    """The sentences whose tags make spans; the others are set aside with the line of the first tag at fault."""
    if scheme == "none":
        return frame, lines
    tags = frame["tags"].to_list()
    if scheme == "iob1":
        tags = [_from_iob1(sentence) for sentence in tags]
        frame = frame.with_columns(pl.Series("tags", tags, dtype=pl.List(pl.String)))
    good = []
    for sentence, words in zip(tags, found, strict=True):
        at, why = check_tags(sentence, "bio" if scheme == "iob1" else scheme) or (None, "")
        good.append(at is None)
        if at is not None:
            line, cells = words[at]
            rejects.append(Reject(line, f"{why}; its sentence is set aside", " ".join(cells)[:SHOWN]))
    keep = pl.Series(good, dtype=pl.Boolean)
    return frame.filter(keep), lines.filter(keep)


def _from_iob1(tags: list[str]) -> list[str]:
    """Tags in which B- only parts neighbours of one type, with a B- on every first token."""
    made, before = [], "O"
    for tag in tags:
        begins = tag.startswith("I-") and before[2:] != tag[2:]
        made.append(f"B-{tag[2:]}" if begins else tag)
        before = tag
    return made


def check_tags(tags: Sequence[str], scheme: str) -> tuple[int, str] | None:
    """Place of the first tag that is no part of a span in the scheme ("bio", "bioes", "bilou"), and why; else None.

    >>> check_tags(["B-PER", "I-LOC"], "bio")
    (1, "the tag 'I-LOC' continues nothing")
    """
    letters = {"bio": "BI", "bioes": "BIES", "bilou": "BILU"}[scheme]
    must_close = scheme != "bio"
    inside: str | None = None  # type of the span that is open
    for place, tag in enumerate(tags):
        letter, _, kind = tag.partition("-")
        if tag != "O" and (letter not in letters or len(letter) != 1 or not kind):
            return place, f"the tag {tag!r} is none of {scheme.upper()}"
        if tag != "O" and letter in CONTINUES and inside != kind:
            return place, f"the tag {tag!r} continues nothing"
        if must_close and inside is not None and letter not in CONTINUES:
            return place, f"the tag {tag!r} comes before the {inside} before it has ended"
        inside = None if tag == "O" or letter in ENDS else kind
    if must_close and inside is not None:
        return len(tags) - 1, f"the {inside} at the end of the sentence has no end"
    return None
