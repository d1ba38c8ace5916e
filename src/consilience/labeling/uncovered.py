"""Rows that no function votes on, in groups that share words: each is a function that somebody could write.

Reads a label matrix with its texts; groups rows by TF-IDF of words and pairs of words, truncated SVD, and k-means.

Source: Deerwester et al. 1990 (latent semantic analysis); k-means as in scikit-learn, the same for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.labeling.beliefs import Beliefs, Floats, Predict
from consilience.labeling.keywords import Keywords
from consilience.labeling.matrix import LabelMatrix, short
from consilience.labeling.suggest import MOST_ROWS, keyword_function, texts_of
from consilience.labeling.terms import Terms, find_terms, spread_rows
from consilience.labeling.word_worth import WordEvidence, softmax, wilson_low
from consilience.progress import working
from consilience.views import View

LEARNED_FROM = 20_000  # rows that directions and groups are learned from, at most
DIRECTIONS = 50  # that texts are reduced to
TOP_TERMS = 8
EXAMPLES = 3


@dataclass(frozen=True)
class Group:
    """Rows without votes that share words.

    rows: about how many. terms: that mark it. ids, texts: rows in its middle. guess: the label its words lead one to
    expect, and how sure they are; None where there are no votes to learn from. function: looks for
    the terms that are not common in all rows; None without a guess.
    """

    rows: int
    terms: tuple[str, ...]
    ids: tuple[Any, ...]
    texts: tuple[str, ...]
    guess: tuple[str, float] | None
    function: Keywords | None


def uncovered_groups(
    matrix: LabelMatrix,
    n: int = 6,
    *,
    predict: Predict | None = None,
    column: str | None = None,
    seed: int = 0,
    taken: Iterable[str] = (),
) -> list[Group]:
    """Rows that no function votes on, in at most n groups, the largest first.

    predict: how votes become probabilities, for the guess at a label; default shares of votes. taken: names not to use.
    raises: VoteError if the matrix has no rows behind it. About 3 s for 100,000 texts of 20 words.

    >>> import consilience as cs
    >>> texts = ["cup final tonight", "the cup final"] * 10 + ["rates rise again", "bank rates rise"] * 10
    >>> table = cs.read([{"id": i, "text": text} for i, text in enumerate(texts)], labels=["sport", "money"])
    >>> groups = uncovered_groups(cs.apply({"goal": cs.keywords("sport", ["goal"])}, table), 2)
    >>> [(group.rows, group.terms[0]) for group in groups]
    [(20, 'cup'), (20, 'rates')]
    """
    text = texts_of(matrix, column)
    sample = spread_rows(text)
    terms = find_terms(text[sample], longest=2, min_rows=3)
    nobody = np.asarray((matrix.votes < 0).all(axis=1))
    places = np.flatnonzero(nobody[sample])
    with working("grouping rows without votes", 2) as tick:
        features, kept = _features(terms.rows[places])
        tick()
        if not len(kept):
            return []
        group_of, distance = _grouped(features, n, seed)
        tick()
    guesses = _guesses(terms, matrix, predict, sample)
    shares = np.asarray(terms.rows.sum(axis=0)).ravel() / max(len(sample), 1)
    too_common = {terms.names[place] for place in np.flatnonzero(shares > MOST_ROWS).tolist()}
    scale = len(text) / max(len(sample), 1)
    names = {*taken, *matrix.names}
    found = []
    for group in _largest_first(group_of):
        own = kept[group_of == group]
        middle = own[np.argsort(distance[group_of == group], kind="stable")[:EXAMPLES]]
        rows = sample[places[middle]]
        marks = _marks(terms, places[own], places[kept])
        guess = None if guesses is None else _guess(guesses[places[own]], matrix)
        rare = [name for name in marks if name not in too_common]
        function = keyword_function(guess[0], rare, names, column) if guess is not None and rare else None
        shown = tuple(short(text[int(row)]) for row in rows)
        found.append(Group(round(len(own) * scale), marks, tuple(matrix.ids[rows].to_list()), shown, guess, function))
    return found


def groups_view(matrix: LabelMatrix, groups: list[Group]) -> View:
    """Groups of rows without votes, to look at."""
    n = int((matrix.votes < 0).all(axis=1).sum())
    rows = []
    for group in groups:
        guess = "" if group.guess is None else f"{group.guess[0]} ({group.guess[1]:.0%})"
        rows.append([group.rows, ", ".join(group.terms), guess, f"{group.ids[0]}: {short(group.texts[0], 60)}"])
    notes = [f"{n:,} rows have no vote"]
    notes += ["perhaps: what the words lead one to expect, from rows with votes; a guess"] if groups else []
    return View(["rows", "words that mark them", "perhaps", "for example"], rows, notes=notes)


def _features(rows: Any) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Directions of texts, of length 1, and which rows have any term. rows: (n, d) sparse. returns: (r, q), (r,)."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    kept = np.flatnonzero(np.diff(rows.indptr))
    often = np.asarray((rows > 0).sum(axis=0)).ravel()
    used = rows[kept][:, np.flatnonzero(often)]
    if not len(kept):
        return np.empty((0, 0)), kept
    weighted = TfidfTransformer().fit_transform(used)
    if min(used.shape) <= DIRECTIONS:
        return np.asarray(weighted.toarray()), kept
    step = -(-len(kept) // LEARNED_FROM)
    reduced = TruncatedSVD(DIRECTIONS, random_state=0, n_iter=4).fit(weighted[::step]).transform(weighted)
    return np.asarray(normalize(reduced)), kept


def _grouped(features: Floats, n: int, seed: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Which group each row is in, and how far from its middle. returns: (r,), (r,)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    step = -(-len(features) // LEARNED_FROM)
    n = max(1, min(n, len(np.unique(features[::step].round(6), axis=0))))
    with threadpool_limits(1):  # the same sums in the same order, whatever the machine
        model = KMeans(n, n_init=3, random_state=seed).fit(features[::step])
        distances = model.transform(features)
    return distances.argmin(axis=1), distances.min(axis=1)


def _largest_first(group_of: npt.NDArray[np.int64]) -> list[int]:
    """The groups by size, then by their first row."""
    groups, first, sizes = np.unique(group_of, return_index=True, return_counts=True)
    return groups[np.lexsort((first, -sizes))].tolist()


def _marks(terms: Terms, own: npt.NDArray[np.int64], every: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """Terms that are in many rows of a group and in few others; each word once."""
    inside = np.asarray(terms.rows[own].sum(axis=0)).ravel().astype(np.float64)
    outside = np.asarray(terms.rows[every].sum(axis=0)).ravel() - inside
    low = wilson_low((inside / len(own))[:, None], np.full(len(inside), float(len(own))))[:, 0]
    elsewhere = (outside + 1) / (len(every) - len(own) + 2)
    score = low * np.log(np.maximum(low, 1e-9) / elsewhere)  # what the term adds to how unlike the others the group is
    chosen: list[str] = []
    words: set[str] = set()
    for place in np.argsort(-score, kind="stable").tolist():
        name = terms.names[place]
        if len(chosen) == TOP_TERMS or score[place] <= 0:
            break
        if not words & set(name.split()):
            chosen.append(name)
            words |= set(name.split())
    return tuple(chosen)


def _guesses(
    terms: Terms, matrix: LabelMatrix, predict: Predict | None, sample: npt.NDArray[np.int64]
) -> Floats | None:
    """What the words of each row of the sample lead one to expect; None without votes. returns: (n, k)."""
    beliefs = Beliefs(matrix, predict)
    if not beliefs.of_rows()[1].any():
        return None
    return softmax(WordEvidence(terms, beliefs, sample).scores)


def _guess(proba: Floats, matrix: LabelMatrix) -> tuple[str, float]:
    mean = proba.mean(axis=0)
    return matrix.labels[int(mean.argmax())], float(mean.max())
