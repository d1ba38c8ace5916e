"""Labeling functions that look for the terms of a lexicon: hundreds of thousands of names, each with a label and an id.

Votes count distinct terms; `find` gives the places themselves, which tagging and linking start from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.errors import DataError, FunctionError
from consilience.labeling.function import Batch, LabelingFunction, Votes, fingerprint_of
from consilience.labeling.phrases import Automaton, LooksForPhrases, PhraseSet, automaton, hits_on, utf8
from consilience.labeling.term_files import Terms, terms_of
from consilience.progress import track

ROWS_AT_ONCE = 50_000  # of `find`


class Lexicon(LabelingFunction, LooksForPhrases):
    """Made by `lexicon`. terms: frame with columns term, id and label. rejects: lines that were set aside."""

    kind = "lexicon"

    def __init__(
        self,
        label: str | None,
        terms: Terms,
        *,
        name: str | None,
        column: str | None,
        ignore_case: bool,
        min_terms: int,
    ) -> None:
        if not isinstance(min_terms, int) or min_terms < 1:
            raise FunctionError(f"min_terms is {min_terms!r}.\nFix: give a whole number, 1 or more.")
        if label is not None and (not isinstance(label, str) or not label):
            raise FunctionError(f"{label!r} cannot be a label.\nFix: give a label's name, or None for a label column.")
        if label is None and terms.frame["label"].null_count():
            raise FunctionError(
                f"The lexicon {terms.source} has no label, and no column of labels.\n"
                "Fix: give the label first, as in lexicon('disease', ...), or name the column with label_column=."
            )
        self.terms = terms.frame
        self.rejects = terms.rejects
        self.column = column
        self.ignore_case = ignore_case
        self.min_terms = min_terms
        self.name = name
        self.one_label = label
        own = self.terms["label"].unique(maintain_order=True).to_list() if label is None else [label]
        self.labels: tuple[str, ...] = tuple(own)
        aside = f", {len(self.rejects)} lines set aside" if self.rejects else ""
        self.description = f"has terms of {terms.source} ({len(self.terms):,} terms{aside})"

    @cached_property
    def _content(self) -> str:
        """Hash of what decides votes: terms and their labels, whatever their order."""
        known = self._votes_by.unique()
        return _digest(known.sort(known.columns))

    @cached_property
    def _listing(self) -> str:
        """Hash of terms and their labels in their order, by which an automaton knows them."""
        return _digest(self._votes_by)

    @property
    def _votes_by(self) -> pl.DataFrame:
        return self.terms.select("phrase", *(["label"] if self.one_label is None else []))

    @property
    def fingerprint(self) -> str:
        """Hash of label, terms, case, column and how many terms it takes."""
        return fingerprint_of(self.kind, self.one_label, self._content, self.column, self.ignore_case, self.min_terms)

    @cached_property
    def phrase_set(self) -> PhraseSet:
        """The terms, as one pass for several functions wants them."""
        if self.one_label is not None and self.min_terms == 1:
            return PhraseSet(f"{self.fingerprint}-{self._listing}", self.terms["phrase"])
        places = {label: place for place, label in enumerate(self.labels)}
        if self.one_label is not None:
            classes = np.zeros(len(self.terms), np.int64)
        else:
            classes = self.terms["label"].replace_strict(places, return_dtype=pl.Int64).to_numpy()
        return PhraseSet(f"{self.fingerprint}-{self._listing}", self.terms["phrase"], classes, len(self.labels))

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """The label whose distinct terms are most on each row, if they are enough; a tie abstains."""
        codes = np.array([labels.vote_index(name) for name in self.labels], np.int16)
        hits = hits_on(batch, self)
        if self.phrase_set.classes is None:
            return Votes(np.where(hits.flags[self.phrase_set.key], codes[0], np.int16(ABSTAIN)))
        counts = hits.counts[self.phrase_set.key]
        most = counts.max(axis=0)
        sure = (most >= self.min_terms) & ((counts == most).sum(axis=0) == 1)
        return Votes(np.where(sure, codes[counts.argmax(axis=0)], np.int16(ABSTAIN)))

    def find(self, rows: Table | pl.Series | Iterable[str | None]) -> pl.DataFrame:
        """The terms in each row: the longest that begin at a place, from left to right, none within another.

        rows: a table, whose column it looks in; or texts, known by their places.
        returns: frame with columns row (id), start and end (in characters), term (as it is listed), id and label. A
            term that is listed several times, with several ids, say, has a line for each.

        >>> import consilience as cs
        >>> drugs = cs.lexicon("drug", ["aspirin", "acetylsalicylic acid"])
        >>> drugs.find(["Aspirin is acetylsalicylic  acid"]).rows()
        [(0, 0, 7, 'aspirin', None, 'drug'), (0, 11, 32, 'acetylsalicylic acid', None, 'drug')]
        """
        if isinstance(rows, Table):
            ids, texts = rows.ids, Batch(rows).text(self.column)
        else:
            texts = rows if isinstance(rows, pl.Series) else pl.Series(list(rows), dtype=pl.String)
            ids = pl.Series(np.arange(len(texts)))
        if texts.dtype != pl.String:
            raise DataError(f"These texts are of type {texts.dtype}.\nFix: give strings.")
        machine = automaton((PhraseSet(self._listing, self.terms["phrase"]),), self.ignore_case)
        listed = self._listed(machine)
        starts = range(0, max(len(texts), 1), ROWS_AT_ONCE)
        found = [
            _spans(machine, texts[start : start + ROWS_AT_ONCE], start)
            for start in track(starts, f"looking for {len(self.terms)} terms")
        ]
        spans = pl.concat(found).join(listed, on="key", how="left", maintain_order="left_right")
        return spans.select(ids[spans["row"]].alias("row"), "start", "end", "term", "id", "label")

    def _listed(self, machine: Automaton) -> pl.DataFrame:
        label = pl.col("label") if self.one_label is None else pl.lit(self.one_label).alias("label")
        return self.terms.select(pl.Series("key", machine.terms), "term", "id", label).unique(maintain_order=True)


def _digest(frame: pl.DataFrame) -> str:
    digest = hashlib.sha256()
    for column in frame:
        text, offsets = utf8(column)
        digest.update(offsets.tobytes() + text.tobytes())
    return digest.hexdigest()


def _spans(machine: Automaton, texts: pl.Series, first: int) -> pl.DataFrame:
    spans = machine.find(texts)
    return pl.DataFrame({"row": spans[:, 0] + first, "start": spans[:, 1], "end": spans[:, 2], "key": spans[:, 3]})


def lexicon(
    label: str | None,
    terms: str | Path | Iterable[str] | Mapping[str, Iterable[str]] | pl.DataFrame,
    *,
    name: str | None = None,
    column: str | None = None,
    ignore_case: bool = True,
    min_terms: int = 1,
    term_column: str = "term",
    label_column: str = "label",
    id_column: str = "id",
) -> Lexicon:
    """Labeling function that looks for terms, as whole words; there may be hundreds of thousands of them.

    label: what it says where it finds some; None: each term has its own label, and the one most of whose distinct terms
        are found is said; a tie abstains. A term within a longer one does not count: "lung" in "lung cancer".
    terms: path of a .txt file, one term a line; or of a .csv, .tsv, .jsonl or .parquet file with a column of terms,
        and perhaps of labels and of ids; or a frame like that; or a list of terms; or lists of terms by label.
    column: to look in; default the text column. min_terms: how many distinct terms of the label it takes.
    term_column, label_column, id_column: what the columns of a file are called.
    returns: the function. Lines that cannot be used are set aside: `.rejects`, counted in `.description`. `.find` gives
        the places of terms.
    raises: FunctionError for no terms or no label; DataError for a file that is not there or cannot be read.

    About 1 µs and 150 bytes a term to make ready, once; then a few ns a byte of text, together with all keywords and
    lexicons that look in the same column.

    >>> import consilience as cs
    >>> names = cs.lexicon(None, {"drug": ["aspirin", "ibuprofen"], "disease": ["headache", "lung cancer"]})
    >>> rows = cs.read([{"text": "aspirin for headache"}, {"text": "Lung  cancer"}, {"text": "ibuprofen, not aspirin"}])
    >>> cs.apply({"names": names}, rows).names_of("names")
    [None, 'disease', 'drug']
    """
    found = terms_of(terms, term_column=term_column, label_column=label_column, id_column=id_column)
    return Lexicon(label, found, name=name, column=column, ignore_case=ignore_case, min_terms=min_terms)
