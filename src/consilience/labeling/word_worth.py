"""What a word says of rows that nobody knows: by the rows with votes that have it, and by the words around it.

Reads terms, and what is believed of rows (beliefs.py); writes for each term the label it speaks for, and how often it
is expected to be right on the rows that need one.

Rows without votes are not like rows with votes: where functions find spam, what is left is ham, and a word that goes
with spam among the voted rows need not do so among the others. So the words of voted rows teach naive Bayes (uniform
prior), and a term is judged on the open rows by what their other words say; its own weight is left out. That is
compared with what words say of open rows in general, and with how the term does on the voted rows.

Where one function labelled most of these because it goes with the term (its own keyword, say), it is left out, and the
term tells nothing of the rows that function votes on. Of the share of the other words, the low end of the interval
counts, so that a rare word must do better. What is expected is never more than what the words around say.

Source: naive Bayes from soft labels, Nigam et al. 2000; two views that check each other, Blum & Mitchell 1998; Wilson
1927. The mean of the two log-odds is ours; what else was tried is in benchmarks/suggest.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.labeling.beliefs import Beliefs, Floats, openness
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.terms import Terms
from consilience.metrics import Z95

Ints = npt.NDArray[np.int64]
MOSTLY = 0.5  # share of a term's rows with votes from which one function made their labels ...
OFTENER = 1.5  # ... if it votes on them so many times as often as on rows with votes in general
OPEN = 0.01  # how much must be unknown of a row for it to count
SMOOTHING = 2.0  # rows in which each word is taken to have been seen beforehand
LEAST = 1e-9


@dataclass(frozen=True)
class Worth:
    """For each of d terms: the label it speaks for, how often it is right on open rows, bits it tells of each.

    bits: 0 where a term is of no use: the two ways of looking at it disagree, or it is no better than a guess.
    """

    label: Ints
    right: Floats
    bits: Floats


class WordEvidence:
    """Weights of words, learned from rows with votes, and what they say of every row of a sample.

    sample: places of the rows whose terms were counted. left: (n,) how much is not known of them.
    """

    def __init__(self, terms: Terms, beliefs: Beliefs, sample: Ints) -> None:
        self.terms, self.beliefs, self.sample = terms, beliefs, sample
        proba, covered = beliefs.of_rows()
        self.left = openness(proba, covered)[sample]
        self.proba, self.covered = proba[sample], covered[sample]
        self.base = proba[covered].mean(axis=0)
        self.usual = (self.base + 1 / proba.shape[1]) / 2  # what a row's label is before anything is known of it
        single = np.flatnonzero(terms.n_words == 1)
        self.words = terms.rows[:, single]
        self.place_of_word = {terms.names[place]: i for i, place in enumerate(single.tolist())}
        mass = np.asarray(self.words[self.covered].T @ self.proba[self.covered]).reshape(len(single), -1)
        smooth = SMOOTHING * self.base + LEAST
        self.weights = np.log(mass + smooth) - np.log(mass.sum(axis=0) + smooth * max(len(single), 1))
        self.scores = np.asarray(self.words @ self.weights)

    def of_terms(self, longest_share: float) -> Worth:
        """Worth of all terms; those in more than a share of the rows have none. O(nonzeros x labels)."""
        own = np.array([self._weight_of(name) for name in self.terms.names]).reshape(-1, len(self.base))
        row, term = self._open_entries(self.open)
        found = self._worth(self.terms.rows, row, term, softmax(self.scores[row] - own[term]))
        often = np.asarray(self.terms.rows.sum(axis=0)).ravel() / max(len(self.sample), 1)
        return Worth(found.label, found.right, np.where(often <= longest_share, found.bits, 0.0))

    def of_functions(self, groups: list[tuple[int, list[int]]]) -> tuple[Worth, Floats]:
        """Worth of functions, each a label and places of terms, and how much is open of the rows each would tell of."""
        row, function, said = list[Ints](), list[Ints](), list[Floats]()
        has, tells = (self._together(matrix, groups) for matrix in (self.terms.rows, self.open))
        columns = tells.tocsc()
        for place, (_, terms) in enumerate(groups):
            rows = columns.indices[columns.indptr[place] : columns.indptr[place + 1]]
            rows = rows[self.left[rows] > OPEN]
            words = {word for term in terms for word in self.terms.names[term].split()}
            parts = sorted(self.place_of_word[word] for word in words if word in self.place_of_word)
            said.append(softmax(self.scores[rows] - np.asarray(self.words[rows][:, parts] @ self.weights[parts])))
            row.append(rows)
            function.append(np.full(len(rows), place))
        labels = np.array([label for label, _ in groups])
        worth = self._worth(has, np.concatenate(row), np.concatenate(function), np.concatenate(said), labels)
        return worth, np.asarray(tells.T @ self.left)

    @cached_property
    def near(self) -> Ints:
        """For each term, the function that goes with it so much that its votes say nothing of the term; -1. (d,)."""
        return _near(self.terms.rows, self.beliefs.matrix, self.covered, self.sample)

    @cached_property
    def open(self) -> Any:
        """The rows that each term would tell something new of: not those that the function it goes with votes on."""
        from scipy.sparse import csr_matrix

        entries = self.terms.rows.tocoo()
        said = self.beliefs.matrix.votes[self.sample] >= 0
        near = self.near[entries.col]
        new = (near < 0) | ~said[entries.row, near] if said.shape[1] else np.ones(len(near), bool)
        return csr_matrix((entries.data[new], (entries.row[new], entries.col[new])), entries.shape)

    def _open_entries(self, matrix: Any) -> tuple[Ints, Ints]:
        """Rows that need a label, and the terms that would tell of them."""
        entries = matrix.tocoo()
        needed = self.left[entries.row] > OPEN
        return entries.row[needed], entries.col[needed]

    def _together(self, matrix: Any, groups: list[tuple[int, list[int]]]) -> Any:
        """Rows that have any of the terms of each group. returns: (n, groups) sparse."""
        from scipy.sparse import csr_matrix

        places = np.concatenate([np.array(terms) for _, terms in groups])
        group = np.repeat(np.arange(len(groups)), [len(terms) for _, terms in groups])
        member = csr_matrix((np.ones(len(places), np.float32), (places, group)), (matrix.shape[1], len(groups)))
        found = matrix @ member
        found.data[:] = 1.0
        return found.tocsr()

    def _weight_of(self, name: str) -> Floats:
        """Sum of the weights of a term's words."""
        places = [self.place_of_word[word] for word in set(name.split()) if word in self.place_of_word]
        return np.asarray(self.weights[places].sum(axis=0))

    def _worth(self, rows: Any, row: Ints, term: Ints, said: Floats, labels: Ints | None = None) -> Worth:
        d, k = rows.shape[1], len(self.base)
        weight = self.left[row]
        total = np.bincount(term, weight, d).astype(np.float64)
        mass = np.column_stack([np.bincount(term, weight * said[:, y], d) for y in range(k)])
        share = mass / np.maximum(total, LEAST)[:, None]
        low = wilson_low(share, total)
        general = self.left @ softmax(self.scores) / max(self.left.sum(), LEAST)
        voted, voted_base = self._voted(rows)
        label = (low / np.maximum(general, LEAST)).argmax(axis=1) if labels is None else labels
        places = np.arange(d)
        around = _odds(low[places, label]) / _odds(general[label])
        on_voted = _odds(voted[places, label]) / _odds(voted_base[label])
        usual = self.usual[label]
        odds = _odds(usual) * np.sqrt(around * on_voted)
        right = np.minimum(odds / (1 + odds), share[places, label])
        useful = (around >= 1) & (on_voted > 1) & (right > usual)
        return Worth(label, right, np.where(useful, _bits(right, usual), 0.0))

    def _voted(self, rows: Any) -> tuple[Floats, Floats]:
        """Share of each label among a term's rows with votes, not by the function that goes with it. (d, k), (k,)."""
        columns = rows.tocsc()
        mass, total = _sums(columns, self.proba, self.covered)
        near = _near(rows, self.beliefs.matrix, self.covered, self.sample)
        for function in np.unique(near[near >= 0]).tolist():
            proba, covered = self.beliefs.of_rows(without=function)
            own = np.flatnonzero(near == function)
            mass[own], total[own] = _sums(columns[:, own], proba[self.sample], covered[self.sample])
        return mass / np.maximum(total, LEAST)[:, None], self.base


def wilson_low(share: Floats, n: Floats) -> Floats:
    """Low end of Wilson's 95% interval, for arrays; 0 where there are no rows. share: (d, k); n: (d,)."""
    rows = np.maximum(n, LEAST)[:, None]
    centre = share + Z95**2 / (2 * rows)
    half = Z95 * np.sqrt(share * (1 - share) / rows + Z95**2 / (4 * rows**2))
    return np.where(n[:, None] > 0, np.maximum((centre - half) / (1 + Z95**2 / rows), 0.0), 0.0)


def _sums(columns: Any, proba: Floats, covered: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Of each term: probability of each label summed over its rows with votes (d, k), and how many these are (d,)."""
    transposed = columns.T
    return np.asarray(transposed @ (proba * covered[:, None])), np.asarray(transposed @ covered.astype(np.float64))


def _near(rows: Any, matrix: LabelMatrix, covered: npt.NDArray[np.bool_], sample: Ints) -> Ints:
    """For each term, the function that made most of its labels because it goes with the term; -1 for none. (d,)."""
    total = np.asarray(rows.T @ covered.astype(np.float64))
    said = (matrix.votes[sample] >= 0).astype(np.float32)
    if not said.shape[1]:
        return np.full(rows.shape[1], -1)
    together = np.asarray(rows.T @ said) / np.maximum(total, 1)[:, None]
    usual = said.sum(axis=0) / max(covered.sum(), 1)
    suspicious = np.where((together >= MOSTLY) & (together >= OFTENER * usual), together, 0.0)
    return np.where(suspicious.max(axis=1) > 0, suspicious.argmax(axis=1), -1)


def softmax(scores: Floats) -> Floats:
    """Probabilities whose logarithms differ as scores do. In place. (n, k)."""
    scores = scores - scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _odds(share: Floats) -> Floats:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return share / (1 - share)


def _bits(right: Floats, usual: Floats) -> Floats:
    """How much a vote that is right so often tells of a row, where the label usually has that share. In bits."""
    p, q = np.clip(right, 1e-6, 1 - 1e-6), np.clip(usual, 1e-6, 1 - 1e-6)
    return p * np.log2(p / q) + (1 - p) * np.log2((1 - p) / (1 - q))
