"""spaCy's DocBin files (.spacy): documents with their tokens and entities.

The file is unpacked with a limit and taken apart here: nothing in it can run, its user data is not even decoded, and
no spaCy document is built of arrays that may be broken. spaCy is asked for msgpack and for the hashes of strings.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.data.sources.lines import GROWTH_FREE, GROWTH_LIMIT, check_file
from consilience.data.sources.raw import SHOWN, Raw
from consilience.data.table import Reject
from consilience.errors import DataError, ExtraError

ORTH, ENT_IOB, ENT_TYPE = 65, 77, 78  # numbers of spaCy's attributes
INSIDE, OUTSIDE, BEGINS = 1, 2, 3  # values of ENT_IOB; 0 is not known
SPAN = pl.Struct({"start": pl.Int64, "end": pl.Int64, "label": pl.String})
SCORE = pl.Struct({"label": pl.String, "score": pl.Float64})
KINDS: dict[str, pl.DataType] = {
    "text": pl.String(),
    "tokens": pl.List(pl.String),
    "ents": pl.List(SPAN),
    "cats": pl.List(SCORE),
}


def from_docbin(path: Path) -> Raw:
    """Documents: text, tokens, entities (`ents`: start and end in characters, label), categories (`cats`)."""
    parts = _parts(path)
    rows: dict[str, list[Any]] = {"text": [], "tokens": [], "ents": [], "cats": []}
    lines, rejects, start = [], [], 0
    for place, length in enumerate(parts.lengths.tolist()):
        stop = start + length
        try:
            row = parts.document(place, start, stop)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            rejects.append(Reject(place + 1, f"not a document: {error}"[:SHOWN], ""))
        else:
            lines.append(place + 1)
            for name, value in row.items():
                rows[name].append(value)
        start = stop
    try:
        frame = pl.DataFrame({name: pl.Series(values, dtype=KINDS[name]) for name, values in rows.items()})
    except (UnicodeEncodeError, pl.exceptions.PolarsError, TypeError) as error:
        raise _broken(path, error) from None
    return Raw(frame, pl.Series(lines, dtype=pl.Int64), rejects, unit="document")


class _Parts:
    """What a DocBin holds: a table of attributes for all tokens, and for each document its length and categories."""

    def __init__(self, message: dict[str, Any]) -> None:
        from spacy.strings import StringStore

        self.attributes = [int(number) for number in message["attrs"]]
        self.lengths = np.frombuffer(message["lengths"], np.int32)
        self.spaces = np.frombuffer(message["spaces"], np.uint8).astype(bool)
        tokens = np.frombuffer(message["tokens"], np.uint64)
        self.tokens = tokens.reshape(-1, len(self.attributes))
        self.strings = StringStore([string for string in message["strings"] if isinstance(string, str)])
        self.cats = message.get("cats") or []
        self.flags = message.get("flags") or []
        n = len(self.tokens)
        if ORTH not in self.attributes or (self.lengths < 0).any() or self.lengths.sum() != n or len(self.spaces) != n:
            raise ValueError("its lengths do not add up")

    def document(self, place: int, start: int, stop: int) -> dict[str, Any]:
        """One document as a row. Raises KeyError or ValueError if it is broken."""
        tokens = self.tokens[start:stop]
        words = [self.strings[hash] for hash in tokens[:, self.attributes.index(ORTH)].tolist()]
        spaces = self.spaces[start:stop].tolist()
        flags = self.flags[place] if place < len(self.flags) else {}
        if flags.get("has_unknown_spaces"):
            spaces = [True] * (len(words) - 1) + [False] * bool(words)
        pieces, bounds, at = [], [], 0
        for word, space in zip(words, spaces, strict=True):
            bounds.append((at, at + len(word)))
            pieces.append(word + " " * space)
            at += len(word) + space
        cats = self.cats[place] if place < len(self.cats) else {}
        scores = [{"label": str(label), "score": float(score)} for label, score in cats.items()]
        return {"text": "".join(pieces), "tokens": words, "ents": self._entities(tokens, bounds), "cats": scores}

    def _entities(self, tokens: Any, bounds: list[tuple[int, int]]) -> list[dict[str, Any]]:
        if ENT_IOB not in self.attributes or ENT_TYPE not in self.attributes:
            return []
        marks = tokens[:, self.attributes.index(ENT_IOB)].tolist()
        kinds = tokens[:, self.attributes.index(ENT_TYPE)].tolist()
        found: list[dict[str, Any]] = []
        for place, (mark, kind) in enumerate(zip(marks, kinds, strict=True)):
            if mark not in (INSIDE, BEGINS) or not kind:  # an empty type at B says that there is no entity
                continue
            label = self.strings[kind]
            goes_on = mark == INSIDE and place and marks[place - 1] in (INSIDE, BEGINS) and kinds[place - 1] == kind
            if goes_on and found:
                found[-1]["end"] = bounds[place][1]
            else:
                found.append({"start": bounds[place][0], "end": bounds[place][1], "label": label})
        return found


def _parts(path: Path) -> _Parts:
    check_file(path)
    if find_spec("spacy") is None:
        raise ExtraError("Files of spaCy need spaCy, which is not installed.\nFix: pip install 'consilience[spacy]'.")
    try:
        data = _unpacked(path)  # before spaCy is loaded, which takes a second
        from srsly.msgpack import unpackb

        message = unpackb(data, raw=False, strict_map_key=True)
        if not isinstance(message, dict):
            raise ValueError("it holds no fields")
        return _Parts(message)
    except DataError:
        raise
    except Exception as error:
        raise _broken(path, error) from None


def _unpacked(path: Path) -> bytes:
    """The file unpacked, if it does not grow beyond what is sound."""
    packed = path.read_bytes()
    most = max(GROWTH_FREE, GROWTH_LIMIT * len(packed))
    unpack = zlib.decompressobj()
    data = unpack.decompress(packed, most)
    if unpack.unconsumed_tail:
        raise DataError(f"{path} unpacks to more than {GROWTH_LIMIT} times its size.\nFix: make it again, in parts.")
    if not unpack.eof:
        raise ValueError("it is cut off")
    return data


def _broken(path: Path, error: Exception) -> DataError:
    said = str(error).split("\n")[0][:SHOWN] or type(error).__name__
    return DataError(f"{path} is not a readable DocBin ({said}).\nFix: write it again with DocBin.to_disk.")
