"""Labeling functions that look for words and phrases: all of a run in one pass, or each by a regular expression.

Which of the two is a matter of size; what they find is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import polars as pl

from consilience.errors import FunctionError
from consilience.labeling.function import Batch, MaskFunction, fingerprint_of
from consilience.labeling.phrases import LooksForPhrases, PhraseSet, hits_on, worth_a_pass

CHUNK = 20_000  # characters of phrases per expression: beyond that compiling one costs more than scanning twice


class Keywords(MaskFunction, LooksForPhrases):
    """Made by `keywords`."""

    kind = "keywords"

    def __init__(
        self, label: str, phrases: Iterable[str], *, name: str | None, column: str | None, ignore_case: bool
    ) -> None:
        if isinstance(phrases, str):
            raise FunctionError(f"The phrases of a keywords function are one string, {phrases!r}.\nFix: give a list.")
        self.phrases = tuple(dict.fromkeys(phrases))
        bad = next((p for p in self.phrases if not isinstance(p, str) or not p.strip()), None)
        if bad is not None or not self.phrases:
            found = "no phrase at all" if not self.phrases else f"the phrase {bad!r}"
            raise FunctionError(f"A keywords function has {found}.\nFix: give one or more non-empty strings.")
        self.column = column
        self.ignore_case = ignore_case
        shown = ", ".join(self.phrases[:4]) + (", …" if len(self.phrases) > 4 else "")
        super().__init__(label, name, f"any of: {shown}")

    @property
    def fingerprint(self) -> str:
        """Hash of label, phrases, case and column."""
        return fingerprint_of(self.kind, self.labels, sorted(self.phrases), self.column, self.ignore_case)

    def mask(self, batch: Batch) -> pl.Series:
        """Rows whose text has one of the phrases as whole words."""
        if not worth_a_pass(self, batch):
            return self.matched(batch.text(self.column))
        return pl.Series(hits_on(batch, self).flags[self.fingerprint])

    @cached_property
    def phrase_set(self) -> PhraseSet:
        """The phrases, as one pass for several functions wants them."""
        return PhraseSet(self.fingerprint, pl.Series([" ".join(phrase.split()) for phrase in self.phrases]))

    def matched(self, text: pl.Series) -> pl.Series:
        """Rows that a regular expression for the phrases matches. text: (n,) strings; a null has none."""
        found = pl.Series([False]).new_from_index(0, len(text))
        for phrases in chunks(self.phrases):
            found |= text.str.contains(phrase_pattern(phrases, self.ignore_case)).fill_null(False)
        return found


def keywords(
    label: str,
    phrases: Iterable[str],
    *,
    name: str | None = None,
    column: str | None = None,
    ignore_case: bool = True,
) -> Keywords:
    """Labeling function that says `label` where the text has one of the phrases, as whole words.

    phrases: words or phrases; a space in one matches any white space. column: to look in; default the text column.
    raises: FunctionError for no phrases, an empty one, or a bare string.

    Many such functions cost hardly more than one: together about 5 ns a byte of text, alone about 1 ns each.

    >>> import consilience as cs
    >>> asks = cs.keywords("spam", ["subscribe", "check out"])
    >>> table = cs.read([{"text": "Check  out my channel"}, {"text": "they subscribed"}])
    >>> cs.apply([asks], table).names_of("asks")
    ['spam', None]
    """
    return Keywords(label, phrases, name=name, column=column, ignore_case=ignore_case)


def chunks(phrases: Iterable[str]) -> Iterator[list[str]]:
    """The phrases in groups whose expressions are not too long."""
    group: list[str] = []
    length = 0
    for phrase in phrases:
        if group and length + len(phrase) > CHUNK:
            yield group
            group, length = [], 0
        group.append(phrase)
        length += len(phrase)
    yield group


def phrase_pattern(phrases: Iterable[str], ignore_case: bool) -> str:
    r"""Regular expression for any of the phrases as whole words.

    A bound is asked for only where a phrase begins or ends with a letter or digit: "$$$" may touch what it likes.

    >>> phrase_pattern(["check out", "$$$"], ignore_case=True)
    '(?i)\\bcheck\\s+out\\b|\\$\\$\\$'
    """
    ends = pl.Series([phrase.strip() for phrase in phrases])
    bounds = zip(ends.str.contains(r"^\w"), ends.str.contains(r"\w$"), strict=True)  # the engine's idea of a letter
    parts = []
    for phrase, (left, right) in zip(ends, bounds, strict=True):
        words = r"\s+".join(map(re.escape, phrase.split()))
        parts.append((r"\b" if left else "") + words + (r"\b" if right else ""))
    return ("(?i)" if ignore_case else "") + "|".join(parts)
