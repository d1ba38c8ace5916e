"""A label model that was learned beforehand: one pass over the votes says how far to trust each, with no fitting.

Reads patterns of votes, writes class probabilities. On many thousand simulated worlds, whose truth is known, a small
network has learned what a function's figures (how often it votes, how far others agree with it, how alone it is) say
about the weight of its votes. What it gives is a table of log-odds: so much for each class, for each function and each
thing it says. In a world like those it has seen, that is the best guess on average over all that could be true.

Source: Wu et al., ICLR 2023 (a hyper label model). Departs: weights belong to functions and what they say, not to
single votes, and only each function's sums pass through the network, so a pass costs what one step of EM costs; a
function's figures are taken without its own votes (what the others say), so nothing confirms itself; classes are
treated jointly, not one against the rest; the worlds hold functions of one label, functions that share what they look
at, rows on which everything fires, exceptions to rules, crowds and spammers; and the goal is the evidence of the votes
under even classes, so that a class balance can be brought in afterwards. The worlds and the training are in
`training/hyper/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.majority import expected_accuracies
from consilience.store import arrays

MOST_CELLS = 400_000  # votes of distinct rows looked at; beyond, a sample of the patterns says the same
SMALL = 1e-3
ONE_ROW = 1.0  # how many rows of the average a function's figures are drawn to


class HyperLabelModel(BaseLabelModel):
    """Weights for every function and everything it says, read off the votes by a network learned beforehand.

    weights_: (m, s, k) what each thing a function says adds to the log-odds of each class; 0 where it never said it.
    bias_: (k,). class_balance_: as given, otherwise each class's share of the covered rows.
    Where fit is given a class balance, it is the prior of every row; otherwise classes are even.

    O(votes of distinct rows x k), a few passes; no iteration to convergence, no random numbers.

    >>> from consilience import LabelMatrix
    >>> votes = [[0, 0, -1], [1, -1, 1], [0, -1, 0], [1, 1, 0]] * 25
    >>> matrix = LabelMatrix.from_votes(votes, ["ham", "spam"])
    >>> HyperLabelModel().fit(matrix).predict(matrix)[:4]
    ['ham', 'spam', 'ham', 'spam']
    """

    kind = "hyper label model"
    weights_: Floats
    bias_: Floats
    prior_: Floats

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        k, (_, m) = evidence.n_classes, evidence.votes.shape
        self.prior_ = np.full(k, 1 / k) if balance is None else balance
        self.weights_, self.bias_ = np.zeros((m, evidence.n_symbols, k)), np.zeros(k)
        self._world = np.zeros(6)
        votes_a_pattern = max(1.0, float((evidence.votes >= 0).sum() / len(evidence.votes)))
        looked_at = evidence.sample(int(MOST_CELLS / votes_a_pattern) + 1)
        if k > 1 and looked_at.covered.any():
            with threadpool_limits(1, "blas"):
                self._read(looked_at)
        proba = self._proba(evidence.votes)
        known = evidence.known >= 0
        proba[known] = np.eye(k)[evidence.known[known]]
        voted = evidence.counts * (evidence.covered | known)
        self.class_balance_ = (
            balance if balance is not None else voted @ proba / voted.sum() if voted.any() else self.prior_
        )
        self.accuracies_ = expected_accuracies(evidence, proba)

    def _read(self, evidence: Evidence) -> None:
        """Pass the votes through the network."""
        cells, net = _Cells.of(evidence), network()
        start = net["start"] * (cells.same - cells.same.mean(axis=1, keepdims=True))
        weights, bias = start, np.zeros(evidence.n_classes)
        for layer in range(len(net["base"])):
            figures = cells.figures(weights, bias)
            weights = _mlp(net, f"pair.{layer}", figures.of_pairs)[..., 0]
            weights = weights + net["base"][layer] * cells.same + net["lift"][layer] * figures.lift
            weights = _with_word(weights - weights.mean(axis=1, keepdims=True), cells, evidence)
            bias = _mlp(net, f"bias.{layer}", figures.of_classes)[:, 0] + net["pi"][layer] * figures.log_balance
        self.weights_[cells.pair_function, cells.pair_symbol] = weights
        self.bias_, self._world = bias, cells.world

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        k = len(self.prior_)
        score = np.tile(self.bias_, (len(votes), 1))
        said = np.zeros((len(votes), self.weights_.shape[1]))
        for column, weights in zip(votes.T, self.weights_, strict=True):
            rows = np.flatnonzero(column >= 0)
            score[rows] += weights[column[rows]]
            said[rows, column[rows]] += 1
        if k > 1:
            with threadpool_limits(1, "blas"):
                score *= self._sharpness(score, said @ _shares(self.labels_.meanings), said.sum(axis=1))
        score += np.log(self.prior_)
        proba = np.exp(score - score.max(axis=1, keepdims=True))
        return proba / proba.sum(axis=1, keepdims=True)

    def _sharpness(self, score: Floats, class_votes: Floats, n_votes: Floats) -> Floats:
        """How sure to be of a row, by how many voted and how far they agree. returns: (p, 1)."""
        most = class_votes.max(axis=1)
        figures = np.column_stack(
            [
                np.log1p(n_votes),
                most / np.maximum(n_votes, 1),
                np.log1p(np.maximum(n_votes - most, 0)),
                np.log1p(np.ptp(score, axis=1)),
                np.tile(self._world, (len(score), 1)),
            ]
        )
        return np.exp(_mlp(network(), "scale", figures))

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays: the contract's, and the weights."""
        meta, parts = super().state()
        mine = {"weights": self.weights_, "bias": self.bias_, "prior": self.prior_, "world": self._world}
        return meta, {**parts, **mine}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.weights_, self.bias_, self.prior_ = parts["weights"], parts["bias"], parts["prior"]
        self._world = parts["world"]


@dataclass(frozen=True)
class _Figures:
    """What the network sees at one layer: of_pairs (pairs, k, 22), of_classes (k, 9); lift (pairs, k)."""

    of_pairs: Floats
    of_classes: Floats
    lift: Floats
    log_balance: Floats


@dataclass(frozen=True)
class _Cells:
    """The votes of covered patterns, one a cell; a pair is a function and a thing it says.

    row, pair: (cells,); count: (cells,) rows of the world. same: (pairs, k) the classes a pair speaks for, shared out.
    """

    row: npt.NDArray[np.intp]
    pair: npt.NDArray[np.intp]
    count: Floats
    pair_function: npt.NDArray[np.intp]
    pair_symbol: npt.NDArray[np.intp]
    same: Floats
    known: npt.NDArray[np.int64]
    row_count: Floats
    fixed: Floats  # (pairs, k, 11) figures that no layer changes
    world: Floats  # (6,) of the whole matrix
    shares: Floats  # (k,) of the votes
    voters: Floats  # (k,) share of the functions that speak for a class
    not_alone: npt.NDArray[np.bool_]  # (cells,) whether something else is known of the row

    @classmethod
    def of(cls, evidence: Evidence) -> _Cells:
        """The cells of some evidence, and the figures that do not change."""
        k, n_symbols = evidence.n_classes, evidence.n_symbols
        row, column = np.nonzero(evidence.votes >= 0)
        code = evidence.votes[row, column].astype(np.intp)
        found, pair = np.unique(column * n_symbols + code, return_inverse=True)
        function, symbol = found // n_symbols, found % n_symbols
        same = _shares(evidence.meanings)[symbol]
        count = evidence.counts[row]

        n_votes = (evidence.votes >= 0).sum(axis=1).astype(np.float64)
        agreeing = (evidence.class_votes[row] * evidence.meanings[code]).sum(axis=1) - 1
        others = n_votes[row] - 1
        alone = (n_votes[row] < 2) & (evidence.known[row] < 0)
        total = np.bincount(pair, count)
        together = np.bincount(pair, count * ~alone)
        of_function = np.bincount(function, total)
        rows, m = evidence.counts.sum(), float(len(np.unique(function)))
        votes_of = total @ same
        shares, voters = votes_of / votes_of.sum(), same.sum(axis=0) / m
        agreement = (count @ agreeing) / (count @ others + 1)
        covered = evidence.counts @ evidence.covered / rows
        world = np.array([np.log(m), np.log(total.sum() / rows), np.log(k), np.log(rows) / 3, agreement, covered])
        own_share = same @ shares
        one = [
            np.log(total) / 3,
            np.log1p(together) / 3,
            np.log(total / rows),
            total / of_function[function],
            (total < of_function[function] - 0.5).astype(np.float64),
            np.log(own_share),
            np.log1p(np.bincount(pair, count * agreeing) / total),
            np.log1p(np.bincount(pair, count * (others - agreeing)) / total),
        ]
        n_pairs = len(found)
        fixed = np.stack([np.broadcast_to(figure[:, None], (n_pairs, k)) for figure in one], axis=2)
        return cls(
            row, pair, count, function, symbol, same, evidence.known, evidence.counts * evidence.covered, fixed,
            world, shares, voters, ~alone,
        )  # fmt: skip

    def figures(self, weights: Floats, bias: Floats) -> _Figures:
        """What the others say where a pair votes, and how that differs from what they say everywhere."""
        k, n_pairs = len(bias), len(self.same)
        score = np.tile(bias, (len(self.row_count), 1))
        for y in range(k):
            score[:, y] += np.bincount(self.row, weights[self.pair, y], len(score))
        overall = self._posterior(score, self.known)
        balance = self.row_count @ overall / self.row_count.sum()
        log_balance = np.log(balance + SMALL)
        without = self._posterior(score[self.row] - weights[self.pair], self.known[self.row])
        heard = self.count * self.not_alone
        sums = np.column_stack([np.bincount(self.pair, heard * without[:, y], n_pairs) for y in range(k)])
        n_heard = np.bincount(self.pair, heard, n_pairs)[:, None] + ONE_ROW
        others = (sums + balance * ONE_ROW) / n_heard
        sharp = np.bincount(self.pair, heard * (without**2).sum(axis=1), n_pairs)[:, None] / n_heard
        lift = np.log(others + SMALL) - log_balance
        own, own_lift = ((others * self.same).sum(axis=1), (lift * self.same).sum(axis=1))
        own_balance = self.same @ log_balance

        def wide(figure: Floats) -> Floats:
            return np.broadcast_to(figure, (n_pairs, k))

        world = self.world
        changing = [self.same, lift, others, wide(own[:, None]), wide(own_lift[:, None]), wide(sharp)]
        settled = [self.fixed[:, :, place] for place in range(5)]
        classes = [wide(log_balance), wide(own_balance[:, None]), wide(np.log(self.shares + SMALL))]
        rest = [self.fixed[:, :, 5], wide(self.voters), self.fixed[:, :, 6], self.fixed[:, :, 7]]
        whole = [wide(np.full(1, world[place])) for place in (0, 1, 2, 4)]
        of_pairs = np.stack([*changing, *settled, *classes, *rest, *whole], axis=2)
        by_class = np.column_stack([log_balance, np.log(self.shares + SMALL), self.voters, np.tile(world, (k, 1))])
        return _Figures(of_pairs, by_class, lift, log_balance)

    @staticmethod
    def _posterior(score: Floats, known: npt.NDArray[np.int64]) -> Floats:
        proba = np.exp(score - score.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        proba[known >= 0] = np.eye(score.shape[1])[known[known >= 0]]
        return proba


def _shares(meanings: npt.NDArray[np.bool_]) -> Floats:
    """What a vote gives each class it allows. meanings: (s, k). returns: (s, k), rows summing to 1."""
    return meanings / meanings.sum(axis=1, keepdims=True)


def _with_word(weights: Floats, cells: _Cells, evidence: Evidence) -> Floats:
    """Draw weights to what the user expects of a function, as far as their word outweighs the rows. (pairs, k)."""
    if evidence.expected is None or evidence.expected_rows is None:
        return weights
    k = weights.shape[1]
    expected, worth = evidence.expected[cells.pair_function], evidence.expected_rows[cells.pair_function]
    allowed = cells.same > 0
    n_allowed = allowed.sum(axis=1)
    odds = np.log(expected / n_allowed) - np.log((1 - expected) / np.maximum(k - n_allowed, 1))
    said = np.where(allowed, odds[:, None], 0.0)
    said -= said.mean(axis=1, keepdims=True)
    heard = np.bincount(cells.pair, cells.count * cells.not_alone, len(weights))
    trust = np.where(np.isnan(expected), 0.0, worth / (worth + heard))[:, None]
    return (1 - trust) * weights + trust * np.where(np.isnan(said), 0.0, said)


def _mlp(net: dict[str, Floats], name: str, x: Floats) -> Floats:
    """Two hidden layers. x: (..., inputs). returns: (..., outputs)."""
    from scipy.special import erf  # here, because it takes longer to load than all the rest

    for layer in "ab":
        x = x @ net[f"{name}.{layer}.weight"].T + net[f"{name}.{layer}.bias"]
        x = 0.5 * x * (1 + erf(x / np.sqrt(2)))  # GELU
    return x @ net[f"{name}.c.weight"].T + net[f"{name}.c.bias"]


@cache
def network() -> dict[str, Floats]:
    """The arrays that were learned, by name."""
    file = resources.files("consilience.label_models") / "hyper.npz"
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as found:
        return {name: found[name].astype(np.float64) for name in found.files}
