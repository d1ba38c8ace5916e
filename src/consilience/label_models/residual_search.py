"""Find dependencies by what a model leaves unexplained: fit, link the pairs with the greatest residuals, fit again.

Reads patterns of votes; writes pairs, and the model with the pairs linked, whose classes are not bent towards functions
that repeat one another. The default way of structure.py; pseudo_likelihood.py starts from it.

A clique of functions that copy each other can pass for the class, and then it is the good functions that look
dependent. So the search begins from several first guesses of the classes (counting; then the votes of whichever
functions agree beyond the last fit) and keeps the reading under which the votes are most likely, less the usual price
of each parameter.

Source: residuals of pairwise tables as in Qu, Tan & Kutner 1996; error control of Benjamini & Hochberg 1995; links are
maximum spanning forests as in Chow & Liu 1968; the choice of reading is Schwarz 1978 (BIC).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2
from threadpoolctl import threadpool_limits

from consilience.errors import ModelError
from consilience.label_models.base import Evidence, Floats
from consilience.label_models.dawid_skene import prior_tables
from consilience.label_models.dependency_paths import Path, Scored, path_of
from consilience.label_models.forest import Edge, Forest, ForestFit
from consilience.label_models.majority import shares_of
from consilience.label_models.one_coin import normalised

MAX_COLUMNS = 4000  # functions x things they say: pairwise tables of this many columns take 128 MB each
FEW = 5.0  # cells expected to have fewer rows than this count as if they were expected to have as many
MAX_ROUNDS = 12
MAX_STARTS = 4
STRIKING = 0.1  # residuals under a mere guess of the classes are rough: only these are linked
GUESS_WEIGHT = 1.5  # log-odds of the vote of the most typical function in a guess: right in 82% of two-class rows

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """One explanation of the votes: which pairs depend, and the model with a forest of them linked.

    found: pairs and strengths; score: log-likelihood less the price of the links; residual: (m, s, m, s) shares of rows
    beyond the model; first_residual: the same before the first link.
    """

    found: Scored
    path: Path
    forest: Forest
    fit: ForestFit
    score: float
    residual: Floats
    first_residual: Floats

    @property
    def unlinked(self) -> int:
        """How many pairs were found that no link of the forest explains; many are the mark of a wrong reading."""
        return len(self.found) - len(self.fit.links)


def search(evidence: Evidence, error_rate: float, min_strength: float) -> Reading:
    """The best reading of the votes. raises: ModelError for too many functions."""
    columns = evidence.votes.shape[1] * (evidence.n_symbols + 1)
    if columns > MAX_COLUMNS:
        raise ModelError(
            f"{evidence.votes.shape[1]} functions that can say {evidence.n_symbols} things are too many to compare.\n"
            f"Fix: look for dependencies among fewer, so that functions x (things + 1) is at most {MAX_COLUMNS}."
        )
    with threadpool_limits(1, "blas"):
        return _Search(evidence, error_rate, min_strength).best()


class _Search:
    """The votes' pairwise tables, counted once, and the steps of a search on them."""

    def __init__(self, evidence: Evidence, error_rate: float, min_strength: float) -> None:
        self.evidence, self.error_rate, self.min_strength = evidence, error_rate, min_strength
        self.m, self.n = evidence.votes.shape[1], float(evidence.counts.sum())
        self.observed = pairwise_shares(evidence)
        said = (np.einsum("jaja->ja", self.observed) > 0).sum(axis=1)
        self.freedom = np.triu(np.outer(said - 1, said - 1), 1)
        self.scale = self.n * np.maximum(np.minimum.outer(said, said) - 1, 1)
        self.centre = prior_tables(evidence)

    def best(self) -> Reading:
        best = self.climb(shares_of(self.evidence.class_votes).T, guess=False)
        residual = best.first_residual
        for _ in range(MAX_STARTS - 1):
            if not best.found:
                break
            other = self.climb(self.guess(residual), guess=True)
            if other.found.keys() == best.found.keys() and not best.unlinked:
                break
            residual = other.residual
            best = other if other.score > best.score + 1 else best
        return best

    def climb(self, posterior: Floats, *, guess: bool) -> Reading:
        """Link and refit until nothing is left to link. guess: the posterior is one, so link before EM builds on it."""
        edges: list[Edge] = []
        residuals = []
        for part in range(MAX_ROUNDS):
            rough = guess and part == 0
            forest = Forest(self.evidence, edges, self.centre)
            fit = forest.fit(posterior, max_iterations=0 if rough else 100)
            posterior = fit.posterior
            linked, independent = forest.joint(fit)
            residuals.append(self.observed - linked)
            left = self.residual_strengths(linked)
            link_strength = np.sqrt(_distance(linked, independent, self.n) / self.scale)
            kept = [edge for edge in edges if link_strength[edge] >= self.min_strength]
            grown = kept + list(self.new_links(kept, left, STRIKING if rough else self.min_strength))
            if grown == edges and not rough:
                break
            edges = grown
        scored = {(min(edge), max(edge)): float(link_strength[edge]) for edge in kept}
        scored |= {(int(a), int(b)): float(left[a, b]) for a, b in np.argwhere(left > 0)}
        found = {pair: strength for pair, strength in scored.items() if strength >= self.min_strength}
        path = path_of(np.array(list(scored.values())), self.min_strength)
        score = fit.log_likelihood - 0.5 * np.log(self.n) * forest.n_extra
        return Reading(found, path, forest, fit, score, residuals[-1], residuals[0])

    def residual_strengths(self, modelled: Floats) -> Floats:
        """How far each pair is from the model, 0 where chance could explain it, else up to about 1. returns: (m, m)."""
        distance = _distance(self.observed, modelled, self.n)
        tested = self.freedom > 0
        sure = np.zeros((self.m, self.m), bool)
        if tested.any():
            sure[tested] = discoveries(chi2.sf(distance[tested], self.freedom[tested]), self.error_rate)
        return np.where(sure, np.sqrt(distance / self.scale), 0.0)

    def new_links(self, edges: list[Edge], strength: Floats, least: float) -> Iterator[Edge]:
        """The strongest pairs that close no cycle, down to half of the greatest strength; weaker ones may follow."""
        tree = list(range(self.m))
        for a, b in edges:
            tree = _joined(tree, a, b)
        least = max(least, strength.max() / 2)
        places = np.argwhere(strength >= least)
        for a, b in places[np.argsort(-strength[tuple(places.T)], kind="stable")].tolist():
            if tree[a] != tree[b]:
                tree = _joined(tree, a, b)
                yield a, b

    def guess(self, residual: Floats) -> Floats:
        """Classes as seen by the functions that most agree with each other beyond the model. returns: (k, p)."""
        allows = self.evidence.meanings / self.evidence.meanings.sum(axis=1, keepdims=True)
        said = np.einsum("jaja->ja", self.observed)[:, 1:]
        spread = np.sqrt(np.maximum(said @ (allows**2).sum(axis=1), 1e-9))
        agreement = np.einsum("ay,jalb,by->jl", allows, residual[:, 1:, :, 1:], allows, optimize=True)
        agreement /= np.outer(spread, spread)
        np.fill_diagonal(agreement, 0.0)
        direction = np.linalg.eigh(agreement)[1][:, -1]
        weight = np.maximum(direction * np.sign(direction.sum()), 0.0)
        weight = GUESS_WEIGHT * weight / max(weight.max(), 1e-12)
        votes = np.zeros((self.evidence.n_classes, len(self.evidence.votes)))
        shares = np.vstack([np.zeros(self.evidence.n_classes), allows])  # row 0: abstained
        for column, value in zip(self.evidence.votes.T, weight, strict=True):
            votes += value * shares[column.astype(np.intp) + 1].T
        return normalised(votes)[0]


def discoveries(p_values: Floats, error_rate: float) -> Bools:
    """Which of many tests to believe, so that the expected share of false ones among them is at most error_rate.

    >>> discoveries(np.array([0.001, 0.2, 0.012, 0.9]), 0.05).tolist()
    [True, False, True, False]
    """
    ranked = np.sort(p_values)
    below = np.flatnonzero(ranked <= error_rate * np.arange(1, len(ranked) + 1) / len(ranked))
    cut = ranked[below[-1]] if len(below) else -1.0
    return np.asarray(p_values <= cut)


def pairwise_shares(evidence: Evidence, chunk: int = 20_000) -> Floats:
    """Share of rows on which each two functions say each two things, symbol 0 being nothing. returns: (m, s, m, s)."""
    m, s = evidence.votes.shape[1], evidence.n_symbols + 1
    joint = np.zeros((m * s, m * s))
    for start in range(0, len(evidence.votes), chunk):  # memory stays small however many patterns there are
        rows = slice(start, start + chunk)
        said = (evidence.votes[rows, :, None] + 1 == np.arange(s)).reshape(-1, m * s).astype(np.float32)
        # float32: whole numbers stay exact up to 16 million rows a chunk, and beyond that lose nothing that matters
        joint += said.T @ (said * evidence.counts[rows, None].astype(np.float32))
    return (joint / evidence.counts.sum()).reshape(m, s, m, s)


def _distance(observed: Floats, modelled: Floats, n: float) -> Floats:
    """Pearson's chi-square of each pair's table. observed, modelled: (m, s, m, s) shares. returns: (m, m)."""
    cells = (observed - modelled) ** 2 / np.maximum(modelled, FEW / n)
    distance: Floats = n * cells.sum(axis=(1, 3))
    return distance


def _joined(tree: list[int], a: int, b: int) -> list[int]:
    """Which tree each function is in, after the trees of two become one."""
    return [tree[a] if mark == tree[b] else mark for mark in tree]
