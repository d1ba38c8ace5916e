"""Which keyword functions are worth writing: words and phrases that speak for a label on rows nobody votes on.

Reads a label matrix with its texts and what is believed of its rows (see beliefs.py); writes suggested functions, best
first. No gold is needed; rows that have some count as known.

How often a term is expected to be right is worked out in word_worth.py. What it is worth are the bits it tells of each
row that has it, times how much is not known yet of that row; what is known is counted anew after each term, so that the
next one is not the same again. Terms of one label are put together in functions of a few keywords.

Source: choosing greedily what adds most to what is covered, Nemhauser et al. 1978, as Snuba (Varma & Ré 2018) does for
functions it makes from labelled rows. Departs: no row has to be labelled; people read what is suggested.
"""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.errors import VoteError
from consilience.labeling.beliefs import Beliefs, Floats, Predict
from consilience.labeling.function import Batch
from consilience.labeling.keywords import Keywords, keywords
from consilience.labeling.matrix import LabelMatrix, short
from consilience.labeling.terms import Terms, find_terms, spread_rows
from consilience.labeling.word_worth import WordEvidence, Worth
from consilience.progress import working
from consilience.views import View

WORDS = 8  # in one suggested function, at most
MOST_ROWS = 0.1  # share of the rows with a term from which it says too little to be a keyword
EXAMPLES = 3  # rows shown with a suggestion
LEAST_RIGHT = 0.75  # what a chosen term is taken for at least, when the next one is chosen
LEAST_GAIN = 1.0  # bits below which a term is not suggested


@dataclass(frozen=True)
class Suggestion:
    """A keyword function that nobody has written yet.

    rows: it would vote on; new_rows: of these nobody votes on. right: share of its votes on rows not known yet that is
    expected to be right, by other functions and other words, not by gold. gain: what it is expected to tell, in bits.
    """

    function: Keywords
    rows: int
    new_rows: int
    right: float
    gain: float
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.name or ""

    @property
    def label(self) -> str:
        """What it says."""
        assert self.function.labels is not None
        return self.function.labels[0]

    def toml(self) -> str:
        """The lines of lfs.toml that declare it."""
        return declaration(self.function)

    def python(self) -> str:
        """The line of lfs.py that makes it."""
        return python_line(self.function)


@dataclass(frozen=True)
class Suggestions:
    """Functions worth writing, best first, and what the rows look like without them."""

    items: tuple[Suggestion, ...]
    n_rows: int
    uncovered: int
    why_none: str = ""

    def view(self) -> View:
        """The table to look at."""
        columns = ["function", "says", "keywords", "rows", "new rows", "right", "gain"]
        rows = [
            [s.name, s.label, ", ".join(s.function.phrases), s.rows, s.new_rows, s.right, round(s.gain)]
            for s in self.items
        ]
        notes = [f"{self.uncovered:,} of {self.n_rows:,} rows have no vote"]
        if self.items:
            notes.append("right: what other functions and the words around lead one to expect of rows not known yet")
        return View(columns, rows, notes=[*notes, *([self.why_none] if self.why_none else [])])

    def records(self) -> list[dict[str, Any]]:
        """What --json prints of each."""
        return [
            {
                "name": s.name,
                "label": s.label,
                "keywords": list(s.function.phrases),
                "rows": s.rows,
                "new_rows": s.new_rows,
                "right": round(s.right, 6),
                "gain": round(s.gain, 3),
                "examples": list(s.examples),
                "toml": s.toml(),
                "python": s.python(),
            }
            for s in self.items
        ]


def suggest_functions(
    matrix: LabelMatrix,
    n: int = 5,
    *,
    words: int = WORDS,
    predict: Predict | None = None,
    column: str | None = None,
    min_rows: int = 5,
    taken: Iterable[str] = (),
) -> Suggestions:
    """Keyword functions worth writing, best first.

    matrix: votes with the rows behind them. n: how many functions, at most. words: keywords in each, at most.
    predict: how votes become probabilities, such as `model.predict_proba` of a fitted label model; default shares of
    votes. column: to look in; default the text column. min_rows: rows a keyword must occur in. taken: names not to use.
    raises: VoteError if the matrix has no rows behind it; DataError without such a column.

    About 3 s for 100,000 texts of 20 words. Long texts are counted in a spread sample of rows.

    >>> import consilience as cs
    >>> texts = ["free prize now", "claim your prize now"] * 9 + ["your prize"] * 9 + ["home by six", "see you"] * 150
    >>> table = cs.read([{"id": i, "text": text} for i, text in enumerate(texts)])
    >>> functions = {"free": cs.keywords("spam", ["free"]), "claim": cs.keywords("spam", ["claim"]),
    ...     "home": cs.keywords("ham", ["home"])}
    >>> found = suggest_functions(cs.apply(functions, table), words=1)
    >>> print(found.items[0].toml())
    [prize]
    label = "spam"
    keywords = ["prize"]
    <BLANKLINE>
    """
    text = texts_of(matrix, column)
    beliefs = Beliefs(matrix, predict)
    covered = beliefs.of_rows()[1]
    uncovered = int((matrix.votes < 0).all(axis=1).sum())
    if not covered.any() or len(matrix.labels) < 2:
        why = "one label alone has nothing to tell apart" if covered.any() else "no row has a vote to learn from"
        return Suggestions((), len(matrix), uncovered, why)
    with working("looking for words", 3) as tick:
        sample = spread_rows(text)
        terms = find_terms(text[sample], min_rows=min_rows)
        tick()
        evidence = WordEvidence(terms, beliefs, sample)
        worth = evidence.of_terms(MOST_ROWS)
        tick()
        chosen = _chosen(evidence, worth, n, words)
        tick()
    functions = _as_functions(chosen, terms, matrix, {*taken, *matrix.names}, column)
    items = _measured(functions, chosen, evidence, text) if functions else []
    why = "" if items else "no word speaks clearly for a label on rows that need one"
    return Suggestions(tuple(items[:n]), len(matrix), uncovered, why)


# choosing, one term after the other


def _chosen(evidence: WordEvidence, worth: Worth, n: int, words: int) -> list[tuple[int, list[int]]]:
    """Groups of terms with their label, in the order in which they were begun."""
    rows, left = evidence.open, evidence.left * len(evidence.beliefs.matrix) / max(len(evidence.sample), 1)
    columns = rows.tocsc()
    usable = worth.bits > 0
    need = np.where(usable, np.asarray(rows.T @ left), 0.0)
    groups: list[tuple[int, list[int]]] = []
    for _ in range(n * words * 2):
        gain = np.where(usable, worth.bits * need, 0.0)
        best = _first_best(gain, evidence.terms.n_words)
        if best < 0:
            break
        label = int(worth.label[best])
        unfilled = next((group for own, group in groups if own == label and len(group) < words), None)
        if unfilled is not None:
            unfilled.append(best)
        elif len(groups) < 2 * n:
            groups.append((label, [best]))
        else:
            usable[worth.label == label] = False
            continue
        usable[best] = False
        touched = columns.indices[columns.indptr[best] : columns.indptr[best + 1]]
        change = left[touched] * _known_by(float(worth.right[best]))
        left[touched] -= change
        need -= np.asarray(rows[touched].T @ change)
    return groups


def _first_best(gain: Floats, n_words: npt.NDArray[np.int64]) -> int:
    """The best term; of equally good ones the shortest, then the first by name. -1 if none is worth it."""
    most = gain.max(initial=0.0)
    if most < LEAST_GAIN:
        return -1
    tied = np.flatnonzero(gain >= most * (1 - 1e-9))
    return int(tied[n_words[tied].argmin()])


def _known_by(right: float) -> float:
    """Share of what was not known of a row that counts as known once a term that is right so often votes on it."""
    share = min(max(right, LEAST_RIGHT), 1 - 1e-9)
    return 1 + share * float(np.log2(share)) + (1 - share) * float(np.log2(1 - share))


# what was chosen, as functions


def _as_functions(
    groups: Sequence[tuple[int, list[int]]], terms: Terms, matrix: LabelMatrix, taken: set[str], column: str | None
) -> list[Keywords]:
    """Each group of terms as a function with a name of its own."""
    made = []
    for label, places in groups:
        phrases = [terms.names[place] for place in places]
        made.append(keyword_function(matrix.labels[label], phrases, taken, column))
    return made


def keyword_function(label: str, phrases: Sequence[str], taken: set[str], column: str | None) -> Keywords:
    """A function named after its first phrase; the name is added to those that are taken."""
    name = _name(phrases[0], taken)
    taken.add(name)
    return keywords(label, phrases, name=name, column=column)


def _name(phrase: str, taken: set[str]) -> str:
    """A name that a Python variable can have, made of a phrase."""
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", phrase))
    plain = plain if plain.isidentifier() and not keyword.iskeyword(plain) else f"says_{plain}"
    number = next(i for i in count(1) if (plain if i == 1 else f"{plain}_{i}") not in taken)
    return plain if number == 1 else f"{plain}_{number}"


def _measured(
    functions: Sequence[Keywords], groups: list[tuple[int, list[int]]], evidence: WordEvidence, text: pl.Series
) -> list[Suggestion]:
    """What each function would do on all rows, best first. groups: the terms of each."""
    matrix = evidence.beliefs.matrix
    assert matrix.table is not None
    batch = Batch(matrix.table, functions=functions)
    masks = np.column_stack([function.mask(batch).fill_null(False).to_numpy() for function in functions])
    worth, need = evidence.of_functions(groups)
    gain = worth.bits * need * len(matrix) / len(evidence.sample)
    nobody, made = (matrix.votes < 0).all(axis=1), []
    for place, function in enumerate(functions):
        mask = masks[:, place]
        new = mask & nobody
        shown = np.flatnonzero(new if new.any() else mask)[:EXAMPLES].tolist()
        examples = tuple(short(text[row]) for row in shown)
        counts = int(mask.sum()), int(new.sum())
        made.append(Suggestion(function, *counts, float(worth.right[place]), float(gain[place]), examples))
    return sorted((one for one in made if one.gain >= LEAST_GAIN), key=lambda one: -one.gain)


def texts_of(matrix: LabelMatrix, column: str | None) -> pl.Series:
    """The texts behind a matrix, null as empty. Raises VoteError if there are no rows, DataError for no such column."""
    if matrix.table is None:
        raise VoteError("These votes have no rows behind them.\nFix: make the matrix with apply(functions, table).")
    return Batch(matrix.table).text(column).fill_null("")


def declaration(function: Keywords) -> str:
    """The lines of lfs.toml that declare a function.

    >>> print(declaration(keywords("spam", ["free", "gift card"], name="free")))
    [free]
    label = "spam"
    keywords = ["free", "gift card"]
    <BLANKLINE>
    """
    name = function.name or ""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
    phrases = ", ".join(map(_quoted, function.phrases))
    column = f"column = {_quoted(function.column)}\n" if function.column else ""
    return f"[{key}]\nlabel = {_quoted((function.labels or ('',))[0])}\nkeywords = [{phrases}]\n{column}"


def python_line(function: Keywords) -> str:
    """The line of lfs.py that makes a function.

    >>> python_line(keywords("spam", ["free", "gift card"], name="free"))
    "free = cs.keywords('spam', ['free', 'gift card'])"
    """
    column = f", column={function.column!r}" if function.column else ""
    return f"{function.name} = cs.keywords({(function.labels or ('',))[0]!r}, {list(function.phrases)!r}{column})"


def _quoted(text: str) -> str:
    """A string as TOML writes it: as JSON does, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
