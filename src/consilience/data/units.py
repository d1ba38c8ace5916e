"""From documents to smaller rows: sentences, spans of characters, pairs of spans. Each is a Table like any other.

Labeling functions do not ask what a row is: every unit has a text column, and columns of its own that functions look in
by name (`keywords("treats", [...], column="between")`). Offsets count characters, as Python does; a mention that does
not lie in its document is set aside with its reason.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from consilience.data.read import load
from consilience.data.table import Reject, Table
from consilience.errors import DataError, nearest

Bounds = tuple[int, int]
# possessive, and only from the beginning of a run, so that no text takes more than linear time
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？]++[」』”’]*+|\n\s*\n")
_OPENING = re.compile(r"\s*[\"'“‘«(\[]*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|Drs|Prof|St|Sen|Rep|Gov|Gen|Col|Lt|Capt|Sgt"
    r"|Jr|Sr|vs|cf|al|etc|approx|ca|Fig|Figs|Eq|Ref|Refs|Vol|pp|Inc|Ltd|Corp|Co|Dept|Univ|spp|sp)\.$"
)


def sentence_bounds(text: str) -> list[Bounds]:
    """Where the sentences of a text begin and end, without the white space around them. O(length).

    A sentence ends at a full stop, question or exclamation mark before white space and a letter that is no small one,
    but not after a known abbreviation or an initial; and at an empty line.

    >>> text = "Dr. Wu met J. Lee. They spoke."
    >>> [text[start:stop] for start, stop in sentence_bounds(text)]
    ['Dr. Wu met J. Lee.', 'They spoke.']
    """
    ends = [match.end() for match in _END.finditer(text) if _is_end(text, match)]
    bounds, begin = [], 0
    for end in [*ends, len(text)]:
        piece = text[begin:end]
        start = begin + len(piece) - len(piece.lstrip())
        if piece.strip():
            bounds.append((start, start + len(piece.strip())))
        begin = end
    return bounds


def _is_end(text: str, match: re.Match[str]) -> bool:
    if match[0][0] in "\n。！？":
        return True
    after = _OPENING.match(text, match.end())
    begins = text[after.end() : after.end() + 1] if after else ""
    before = text[max(0, match.start() - 12) : match.end()]
    if begins.islower() or (begins.isdigit() and before.lstrip("(").endswith(("No.", "Nos.", "no."))):
        return False
    return match[0] != "." or not _ABBREVIATION.search(before)


def sentences(documents: Table, *, keep: Sequence[str] = ()) -> Table:
    """A table of the sentences of documents.

    keep: columns of the documents that each sentence has too.
    returns: columns id ("document:place"), document, start, end (characters of the document), text, and those kept.
    raises: DataError if the documents have no text column, or not a column to keep.

    About 6 µs a sentence.

    >>> import consilience as cs
    >>> documents = cs.read([{"id": "d1", "text": "It works. Really!"}])
    >>> sentences(documents).frame.select("id", "start", "end", "text").rows()
    [('d1:0', 0, 9, 'It works.'), ('d1:1', 10, 17, 'Really!')]
    """
    rows: dict[str, list[Any]] = {name: [] for name in ("id", "document", "start", "end", "text")}
    for id, text in zip(_ids(documents), documents.texts, strict=True):
        for place, (start, end) in enumerate(sentence_bounds(text or "")):
            for name, value in zip(rows, (f"{id}:{place}", id, start, end, (text or "")[start:end]), strict=True):
                rows[name].append(value)
    schema = {"id": pl.String, "document": pl.String, "start": pl.Int64, "end": pl.Int64, "text": pl.String}
    return Table(_with_kept(pl.DataFrame(rows, schema=schema), documents, keep), unit="sentence")


def spans(
    documents: Table,
    mentions: Any,
    *,
    document: str = "document",
    start: str = "start",
    end: str = "end",
    window: int | None = None,
    keep: Sequence[str] = (),
) -> Table:
    """A table of spans of characters of documents: mentions of people, of drugs, of anything.

    mentions: one row a mention, with its document's id, start and end (characters, end not included), as any table,
        list of dicts or file that `read` takes; other columns ("type", "entity") are kept, and one called "span" must
        be what the text has there. Or the name of a column of documents that holds a list of such mentions.
    document, start, end: the columns of mentions. window: words of context on each side; default the whole sentence.
    keep: columns of the documents that each span has too.
    returns: columns id ("document:start-end"), document, start, end, sentence (its place in the document), text (the
        sentence, or sentences, it lies in), span, left and right (what is around it in there), and those kept.
        `.rejects` has the mentions that were set aside, each with its place among the mentions.
    raises: DataError if a column is not there.

    About 13 µs a mention.

    >>> import consilience as cs
    >>> documents = cs.read([{"id": "d1", "text": "Hello. Ann met Bob."}])
    >>> made = spans(documents, [{"document": "d1", "start": 7, "end": 10}, {"document": "d1", "start": 15, "end": 99}])
    >>> made.frame.select("id", "text", "span", "left", "right").rows()
    [('d1:7-10', 'Ann met Bob.', 'Ann', '', ' met Bob.')]
    >>> made.rejects[0].reason
    'characters 15 to 99 are not in the document, which has 19'
    """
    found, lines, rejects = _mentions(documents, mentions, document, start, end)
    texts = _documents(documents)
    kept: list[int] = []
    rows: list[dict[str, Any]] = []
    for place, mention in enumerate(found.iter_rows(named=True)):
        why = _wrong(mention, texts)
        if why:
            rejects.append(Reject(lines[place], why, str(mention)[:200]))
            continue
        text = texts[mention["document"]]
        kept.append(place)
        rows.append(text.around(mention["start"], mention["end"], window))
    schema = {"sentence": pl.Int64} | dict.fromkeys(("text", "span", "left", "right"), pl.String)
    columns = pl.DataFrame(rows, schema=schema)
    extra = [name for name in found.columns if name not in ("document", "start", "end", *schema)]
    frame = pl.concat(
        [found[kept].select("document", "start", "end"), columns, found[kept].select(extra)], how="horizontal"
    )
    ids = _distinct(f"{id}:{first}-{last}" for id, first, last in frame.select("document", "start", "end").iter_rows())
    frame = frame.drop("id", strict=False).insert_column(0, pl.Series("id", ids, pl.String))
    rejects.sort(key=lambda reject: reject.line)
    return Table(_with_kept(frame, documents, keep), unit="span", rejects=rejects)


def pairs(
    spans: Table,
    documents: Table,
    *,
    types: tuple[str, str] | None = None,
    within: Literal["sentence", "document"] = "sentence",
    max_words: int | None = None,
    directed: bool = False,
    window: int | None = None,
    keep: Sequence[str] = (),
) -> Table:
    """A table of pairs of spans of the same document: candidates for a relation.

    spans: as `spans` made them of these documents. types: what column "type" says of the first and the second; each
        pair once, whichever stands first in the text. Without types, first is the one that stands first.
    within: both in one sentence, or anywhere in the document. max_words: most words between them.
    directed: also each pair the other way round, where types allow it. window: words in left and right; default all.
    keep: columns of the documents that each pair has too. Spans that overlap are no pair.
    returns: columns id ("span|span"), document, text (the sentences from one to the other), first, second, between,
        left, right, distance (words between), in_order (whether first stands first in the text), and first_X, second_X
        for each other column X of the spans (id, start, end, type, ...).
    raises: DataError for a column there is not, or documents that are not those of the spans.

    About 25 µs a pair; their number grows with the square of the spans in a sentence (or document).

    >>> import consilience as cs
    >>> documents = cs.read([{"id": "d1", "text": "Ann married Bob. Eve left."}])
    >>> people = spans(documents, [{"document": "d1", "start": a, "end": b} for a, b in [(0, 3), (12, 15), (17, 20)]])
    >>> couples = pairs(people, documents)
    >>> couples.frame.select("first", "second", "between", "distance").rows()
    [('Ann', 'Bob', ' married ', 1)]
    >>> cs.apply({"wed": cs.keywords("spouse", ["married"], column="between")}, couples).names_of("wed")
    ['spouse']
    """
    if types is not None and "type" not in spans.frame.columns:
        raise DataError("The spans have no column 'type'.\nFix: give the mentions one, or leave out types=.")
    if within not in ("sentence", "document"):
        raise DataError(f"Pairs cannot be within {within!r}.\nFix: say within='sentence' or within='document'.")
    texts = _documents(documents)
    lost = next((id for id in spans.frame["document"].unique() if id not in texts), None)
    if lost is not None:
        raise DataError(
            f"The spans lie in a document {lost!r} that is not there.\nFix: give the documents they are of."
        )
    carried = [name for name in spans.frame.columns if name not in ("document", "text", "span", "left", "right")]
    carried = [name for name in carried if name not in keep]
    rows = []
    for first, second in _candidates(spans, texts, within, types, directed, max_words):
        row = texts[first["document"]].between(first, second, window)
        both = (("first", first), ("second", second))
        of_spans = {f"{at}_{name}": span[name] for at, span in both for name in carried}
        rows.append({"id": f"{first['id']}|{second['id']}", "document": first["document"], **row, **of_spans})
    schema: dict[str, Any] = dict.fromkeys(
        ("id", "document", "text", "first", "second", "between", "left", "right"), pl.String
    )
    schema |= {"distance": pl.Int64, "in_order": pl.Boolean}
    schema |= {f"{at}_{name}": spans.frame.schema[name] for at in ("first", "second") for name in carried}
    return Table(_with_kept(pl.DataFrame(rows, schema=schema), documents, keep), unit="pair")


@dataclass
class _Text:
    """One document: its text, and where its sentences are (as found when first asked for)."""

    text: str
    bounds: list[Bounds] = field(default_factory=list)

    def sentence_of(self, place: int) -> int:
        """The sentence that a character is in (or follows)."""
        if not self.bounds:
            self.bounds = sentence_bounds(self.text) or [(0, len(self.text))]
        return max(0, bisect_right(self.bounds, place, key=lambda bound: bound[0]) - 1)

    def context(self, start: int, end: int) -> Bounds:
        """From the beginning of the sentence of start to the end of that of end."""
        first, last = self.sentence_of(start), self.sentence_of(max(start, end - 1))
        begin, stop = self.bounds[first][0], self.bounds[last][1]
        return min(begin, start), max(stop, end)

    def around(self, start: int, end: int, window: int | None) -> dict[str, Any]:
        """The columns of a span."""
        begin, stop = self.context(start, end)
        return {
            "sentence": self.sentence_of(start),
            "text": self.text[begin:stop],
            "span": self.text[start:end],
            "left": _last_words(self.text[begin:start], window),
            "right": _first_words(self.text[end:stop], window),
        }

    def between(self, first: dict[str, Any], second: dict[str, Any], window: int | None) -> dict[str, Any]:
        """The columns of a pair that are its own."""
        early, late = sorted((first, second), key=lambda span: span["start"])
        begin, stop = self.context(early["start"], late["end"])
        gap = self.text[early["end"] : late["start"]]
        return {
            "text": self.text[begin:stop],
            "first": first["span"],
            "second": second["span"],
            "between": gap,
            "left": _last_words(self.text[begin : early["start"]], window),
            "right": _first_words(self.text[late["end"] : stop], window),
            "distance": len(gap.split()),
            "in_order": early is first,
        }


def _documents(documents: Table) -> dict[str, _Text]:
    return {id: _Text(text or "") for id, text in zip(_ids(documents), documents.texts, strict=True)}


def _ids(documents: Table) -> list[str]:
    """The ids of documents as text, which those of smaller units begin with."""
    return documents.ids.cast(pl.String).to_list()


def _mentions(
    documents: Table, mentions: Any, document: str, start: str, end: str
) -> tuple[pl.DataFrame, list[int], list[Reject]]:
    """The mentions with columns document (text), start and end, the line of each, and what could not be read."""
    if isinstance(mentions, str) and mentions in documents.frame.columns:
        lists = pl.DataFrame({"document": documents.ids.cast(pl.String), "mention": documents.frame[mentions]})
        if not isinstance(lists.schema["mention"], (pl.List, pl.Array)):
            raise DataError(
                f"Column {mentions!r} holds no lists of mentions.\nFix: give lists of objects with start and end."
            )
        frame = lists.explode("mention").drop_nulls("mention")
        frame = frame.unnest("mention") if isinstance(frame.schema["mention"], pl.Struct) else frame.drop("mention")
        lines, rejects, document = list(range(1, len(frame) + 1)), [], "document"
    elif isinstance(mentions, (str, Path)) or not _is_empty(mentions):
        raw = load(mentions, None, None, '"', None, {document})
        frame, lines, rejects = raw.frame, raw.lines.to_list(), list(raw.rejects)
    else:
        return pl.DataFrame(schema={"document": pl.String, "start": pl.Int64, "end": pl.Int64}), [], []
    for name in (document, start, end):
        if name not in frame.columns:
            raise DataError(f"The mentions have no column {name!r}.\nFix: {nearest(name, frame.columns)}")
    named = {"document": frame[document].cast(pl.String, strict=False)}
    named |= {to: frame[name].cast(pl.Int64, strict=False) for to, name in (("start", start), ("end", end))}
    return pl.DataFrame(named | {n: frame[n] for n in frame.columns if n not in (document, start, end)}), lines, rejects


def _is_empty(mentions: Any) -> bool:
    return hasattr(mentions, "__len__") and len(mentions) == 0


def _wrong(mention: Mapping[str, Any], texts: Mapping[str, _Text]) -> str | None:
    """Why a mention cannot be; None if it can."""
    start, end = mention["start"], mention["end"]
    if mention["document"] not in texts:
        return f"there is no document {mention['document']!r}"
    if start is None or end is None:
        return "its start or its end is missing"
    text = texts[mention["document"]].text
    if not 0 <= start < end <= len(text):
        return f"characters {start} to {end} are not in the document, which has {len(text)}"
    said = mention.get("span")
    if said is not None and said != text[start:end]:
        return f"the text has {text[start:end]!r} there, not {said!r}"
    return None


def _candidates(
    spans: Table,
    texts: Mapping[str, _Text],
    within: str,
    types: tuple[str, str] | None,
    directed: bool,
    max_words: int | None,
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pairs of spans that are asked for, in the order of the text."""
    keys = ["document", "sentence"] if within == "sentence" else ["document"]
    id = spans.id_column
    frame = spans.frame.rename({id: "id"}) if id != "id" else spans.frame
    for _, group in frame.group_by(keys, maintain_order=True):
        rows = sorted(group.iter_rows(named=True), key=lambda span: (span["start"], span["end"]))
        for early, late in _near(rows, texts, max_words):
            if late["start"] < early["end"] or (within == "sentence" and not _in_one(texts, late)):
                continue
            straight = types is None or (early["type"], late["type"]) == tuple(types)
            turned = types is not None and (late["type"], early["type"]) == tuple(types)
            if straight:
                yield early, late
            if (turned and (not straight or directed)) or (types is None and directed):
                yield late, early


def _near(
    rows: Sequence[dict[str, Any]], texts: Mapping[str, _Text], max_words: int | None
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each two spans, the first in the text first, with so many words between them at most."""
    for place, early in enumerate(rows):
        text = texts[early["document"]].text
        for late in rows[place + 1 :]:
            if max_words is not None and len(text[early["end"] : late["start"]].split()) > max_words:
                break  # the others stand farther away
            yield early, late


def _in_one(texts: Mapping[str, _Text], span: Mapping[str, Any]) -> bool:
    """Whether a span ends in the sentence it begins in."""
    text = texts[span["document"]]
    return text.sentence_of(span["end"] - 1) == text.sentence_of(span["start"])


def _with_kept(frame: pl.DataFrame, documents: Table, keep: Sequence[str]) -> pl.DataFrame:
    """The frame with columns of the documents it is made of. Never gold."""
    for name in keep:
        if name not in documents.features.columns:
            raise DataError(f"The documents have no column {name!r}.\nFix: {nearest(name, documents.features.columns)}")
        if name in frame.columns:
            raise DataError(f"The rows have a column {name!r} of their own.\nFix: rename that of the documents.")
    if not keep:
        return frame
    kept = documents.features.select(documents.ids.cast(pl.String).alias("document"), *(pl.col(name) for name in keep))
    return frame.join(kept, on="document", how="left", maintain_order="left")


def _distinct(ids: Iterator[str]) -> list[str]:
    """Ids made distinct: the second of the same has -2 behind it."""
    seen: dict[str, int] = {}
    made = []
    for id in ids:
        seen[id] = seen.get(id, 0) + 1
        made.append(id if seen[id] == 1 else f"{id}-{seen[id]}")
    return made


def _first_words(text: str, n: int | None) -> str:
    return text if n is None else " ".join(text.split()[:n])


def _last_words(text: str, n: int | None) -> str:
    return text if n is None else " ".join(text.split()[-n:] if n else [])
