"""Votes carried over to rows like those they were cast on: functions of little coverage reach further.

Stands between applying and label models: a label matrix and a vector for each row in, a label matrix with more votes
out. Where a function is silent it gets its own vote at the nearest row it voted on, if that is near enough.

Source: Chen et al. 2020, "Train and You'll Miss It" (Epoxy), section 3.
Departs: any number of labels, and groups of them; nearly identical rows are one supporter; radii without a grid and,
if there is none, without gold (see radii.py); large searches look into parts of space (see nearest.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.errors import VoteError, nearest
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.nearest import INDICES, METRICS, Nearest, Support, as_vectors, make_support
from consilience.labeling.radii import Known, Reach, Space, reach, views
from consilience.progress import track
from consilience.store.arrays import Arrays

Floats = npt.NDArray[np.float64]
Score = Callable[[LabelMatrix, LabelMatrix], npt.NDArray[Any]]
Radii = float | Sequence[float] | npt.NDArray[Any] | None
JUDGED = 10_000  # rows, at most, by which radii are judged
GOLD_ENOUGH = 20  # rows of it from which the class balance is taken


SHARED = 9  # radii for all functions alike that are tried on dev rows
CLEARLY = 2.0  # standard errors by which other radii must be right more often on dev rows
GOLD_PRIOR = 5.0  # rows of dev that the estimate by votes is worth, of how often extended votes are right


def by_counting(train: LabelMatrix, dev: LabelMatrix) -> npt.NDArray[np.bool_]:
    """Of which rows with gold most votes are right.

    Of labels with as many it takes the one with fewest votes on train, as MajorityVote; without votes that with most.
    """
    tables = np.vstack(
        [dev.labels.meanings / dev.labels.meanings.sum(axis=1, keepdims=True), np.zeros(len(dev.labels))]
    )
    usual = sum(tables[column].sum(axis=0) for column in train.votes.T)
    counts = sum((tables[column] for column in dev.votes.T), np.zeros((len(dev), len(dev.labels))))
    usual = 1e-6 * usual / max(usual.sum(), 1.0)
    silent = ~dev.covered[:, None]
    return np.asarray(np.where(silent, usual, counts - usual).argmax(axis=1) == dev.gold)


class EmbeddingExtender:
    """Learns from train rows how far each function's votes carry; then extends the votes on any rows.

    metric: "cosine" (the larger the similarity, the nearer) or "l2" (distance).
    radii: how near a supporter must be: one number, or one a function, in the matrix's order. A vote is taken where the
        similarity is above it (or the distance below it). Default: learned for each function, see `fit`.
    index: "exact"; "cells", which looks only where a vector lies, and is much faster for many rows; "auto", exact up to
        some 50,000 supporters of 384 dimensions; or "hnsw" (a graph a function; needs the extra `ann`).
    seed: for the cells.

    radii_: (m,); a similarity of 1 (a distance of 0) means that a function is not extended. coverage_gain_: (m,) share
    of the train rows that a function newly votes on. est_vote_precision_: (m,) how many of these votes are estimated to
    be right; NaN where there are none or radii were given.

    Votes that functions cast are never changed, and a row between two supporters, equally near, that say different
    things is abstained on; so is one whose vector is all zeros, for cosine.

    >>> import numpy as np
    >>> from consilience import LabelMatrix
    >>> train = LabelMatrix.from_votes([[1], [0], [-1]], ["ham", "spam"], names=["asks"])
    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.2]])
    >>> extender = EmbeddingExtender(radii=0.8).fit(train, vectors)
    >>> extender.transform(train, vectors).names_of("asks")
    ['spam', 'ham', 'spam']
    """

    labels_: Labels
    function_names_: list[str]
    support_: Support
    radii_: Floats
    coverage_gain_: Floats
    est_vote_precision_: Floats

    def __init__(self, *, metric: str = "cosine", radii: Radii = None, index: str = "auto", seed: int = 0) -> None:
        for word, known in ((metric, METRICS), (index, INDICES)):
            if word not in known:
                raise VoteError(f"There is no {word!r} for an extender.\nFix: {nearest(word, known)}")
        self.metric = metric
        self.radii = radii
        self.index = index
        self.seed = seed

    def fit(
        self,
        matrix: LabelMatrix,
        embeddings: npt.ArrayLike,
        *,
        dev: LabelMatrix | None = None,
        dev_embeddings: npt.ArrayLike | None = None,
        class_balance: Sequence[float] | None = None,
        score: Score | None = None,
    ) -> Self:
        """Take the votes of train rows as support, and learn radii if none were given.

        matrix: votes of the train rows; of these alone votes are carried over. embeddings: (n, d), a vector a row.
        dev, dev_embeddings: rows with gold and their vectors, apart from the train rows: on them extended votes are
            checked. Without, votes are checked by what the other functions say of the train rows.
        class_balance: (k,) share of each label; default that of 20 or more rows of dev, else what votes say of it.
        score: what judges radii on dev: given the extended train votes and the extended votes of the rows with gold,
            says of which of these it is right, as (g,) bools; default counts votes.
        raises: DataError for vectors that do not fit; VoteError for radii or a dev matrix that do not.

        Radii are learned, and what is gained is counted, on at most 10,000 train rows, evenly spread; dev rows are
        compared for each of eleven choices of radii.
        """
        vectors = as_vectors(embeddings, len(matrix))
        self.labels_, self.function_names_ = matrix.labels, matrix.names
        self.support_ = make_support(matrix.votes, vectors, self.metric, self.index, self.seed)
        m = len(matrix.names)
        if self.radii is None:
            learned = self._by_votes(matrix, vectors, _balance(matrix.labels, dev, class_balance))
            found = learned if dev is None else self._by_gold(matrix, vectors, learned, dev, dev_embeddings, score)
        else:
            found = Reach(_given(self.radii, m), np.full(m, np.nan))
        self.radii_, self.est_vote_precision_ = found
        some = np.arange(0, len(matrix), max(1, -(-len(matrix) // JUDGED)))
        near = self.support_.nearest(vectors[some], what="seeing what is gained")
        gained = self._new(matrix.take(some), near, self.radii_)
        self.coverage_gain_ = gained.sum(axis=0) / max(len(some), 1)
        self.est_vote_precision_ = np.where(gained.any(axis=0), self.est_vote_precision_, np.nan)
        return self

    def transform(self, matrix: LabelMatrix, embeddings: npt.ArrayLike) -> LabelMatrix:
        """The same rows and functions with more votes.

        matrix: of the same functions; train rows, dev rows or others. embeddings: (n, d). O(n s d) for s supporters,
        much less from where "auto" looks into cells.
        raises: DataError for vectors that do not fit; VoteError for other functions, or before `fit`.
        """
        self._check(matrix)
        vectors = as_vectors(embeddings, len(matrix), self._dimensions)
        near = self.support_.nearest(vectors, what=f"extending votes on {len(matrix)} rows")
        return self._with(matrix, near, self.radii_)

    def _new(self, matrix: LabelMatrix, near: Nearest, radii: Floats) -> npt.NDArray[np.bool_]:
        """Where functions newly vote. returns: (n, m)."""
        close = near.nearness > radii if self.metric == "cosine" else near.nearness < radii
        return np.asarray(close & (matrix.votes < 0) & (near.votes >= 0))

    def _with(self, matrix: LabelMatrix, near: Nearest, radii: Floats) -> LabelMatrix:
        """The matrix with the votes that are near enough."""
        votes = np.where(self._new(matrix, near, radii), near.votes.astype(matrix.votes.dtype), matrix.votes)
        functions = [replace(info, from_store=False) for info in matrix.functions]
        return LabelMatrix(
            np.asfortranarray(votes), matrix.labels, matrix.ids, functions, matrix.gold, matrix.table, matrix.counts
        )

    def _by_votes(self, matrix: LabelMatrix, vectors: Any, balance: Floats | None) -> Reach:
        """Radii by what functions say of each other's extended votes on train rows."""
        meanings, patterns = matrix.labels.meanings, matrix.patterns
        seen = views(patterns.votes, patterns.counts.astype(np.float64), meanings, balance)
        some = slice(None, None, max(1, -(-len(matrix) // JUDGED)))
        near = self.support_.nearest(vectors[some], self.support_.group[some], what="learning radii")
        known = Known(matrix.votes[some] < 0, seen.p[matrix.pattern_of_row[some]])
        sign = -1 if self.metric == "cosine" else 1
        return reach(near, known, seen, matrix.votes, Space(meanings, meanings @ seen.balance, sign, self._nowhere))

    def _by_gold(
        self,
        matrix: LabelMatrix,
        vectors: Any,
        learned: Reach,
        dev: LabelMatrix,
        dev_embeddings: npt.ArrayLike | None,
        score: Score | None,
    ) -> Reach:
        """The learned radii, none, or one radius for all functions, whichever is right on most rows of dev.

        What was learned is left only for what is clearly better.
        """
        self._check(dev)
        if dev_embeddings is None:
            raise VoteError("The dev rows have no embeddings.\nFix: give dev_embeddings, a vector for each row of dev.")
        dev_vectors = as_vectors(dev_embeddings, len(dev), self._dimensions)
        places = np.flatnonzero(dev.gold >= 0)
        if not len(places):
            raise VoteError("None of the dev rows has gold.\nFix: give rows with gold, or leave out dev.")
        dev = dev.take(places)
        of_dev = self.support_.nearest(dev_vectors[places], what="learning radii from gold")
        of_train = self.support_.nearest(vectors, what="learning radii from gold")
        reached = of_dev.nearness[np.isfinite(of_dev.nearness) & (dev.votes < 0)]
        shared = np.quantile(reached, np.linspace(0, 1, SHARED + 2)[1:-1]) if len(reached) else np.empty(0)
        nowhere = np.full(len(learned.radii), self._nowhere)
        tried = [learned.radii, nowhere, *(np.full(len(nowhere), radius) for radius in np.unique(shared))]
        judge = score or by_counting
        right = [
            judge(self._with(matrix, of_train, radii), self._with(dev, of_dev, radii))
            for radii in track(tried, "comparing radii on gold")
        ]
        best = 0
        for place, others in enumerate(right):
            gain = others.astype(np.float64) - right[0]
            lead = others.sum() > right[best].sum()
            if lead and gain.sum() > max(CLEARLY * float(np.sqrt(np.square(gain).sum())), 1.0):
                best = place
        new = self._new(dev, of_dev, tried[best])
        correct = dev.labels.meanings.T[dev.gold[:, None], of_dev.votes] & new
        total = new.sum(axis=0)
        smoothed = (correct.sum(axis=0) + GOLD_PRIOR * np.nan_to_num(learned.precision, nan=0.5)) / (total + GOLD_PRIOR)
        return Reach(tried[best], smoothed)

    @property
    def _nowhere(self) -> float:
        return 1.0 if self.metric == "cosine" else 0.0

    @property
    def _dimensions(self) -> int:
        return int(self.support_.vectors.shape[1])

    def _check(self, matrix: LabelMatrix) -> None:
        if not hasattr(self, "support_"):
            raise VoteError("This extender has seen no votes yet.\nFix: call fit(matrix, embeddings) first.")
        if matrix.names != self.function_names_ or matrix.labels != self.labels_:
            raise VoteError(
                f"The matrix has functions {matrix.names} and labels {list(matrix.labels)}; the extender was fitted on "
                f"{self.function_names_} and {list(self.labels_)}.\nFix: apply the same functions in the same order."
            )

    # saved without pickle, as a part of the models that use it

    def settings(self) -> dict[str, Any]:
        """What the constructor was given."""
        radii = self.radii if self.radii is None or np.isscalar(self.radii) else np.asarray(self.radii).tolist()
        return {"metric": self.metric, "radii": radii, "index": self.index, "seed": self.seed}

    def state(self) -> tuple[dict[str, Any], Arrays]:
        """Description and arrays that say all that was learned."""
        support = self.support_
        meta = {"settings": self.settings(), "spread": support.spread, "functions": self.function_names_}
        return meta, {
            "vectors": support.vectors,
            "channels": support.channels,
            "starts": support.starts,
            "members": support.members,
            "radii": self.radii_,
            "coverage_gain": self.coverage_gain_,
            "precision": self.est_vote_precision_,
        }

    @classmethod
    def restored(cls, meta: dict[str, Any], parts: Arrays, labels: Labels) -> Self:
        """The extender whose state this is."""
        extender = cls(**meta["settings"])
        extender.labels_, extender.function_names_ = labels, list(meta["functions"])
        extender.radii_, extender.coverage_gain_ = parts["radii"], parts["coverage_gain"]
        extender.est_vote_precision_ = parts["precision"]
        extender.support_ = Support(
            extender.metric,
            parts["vectors"],
            parts["channels"],
            parts["starts"],
            parts["members"],
            m=len(extender.function_names_),
            group=np.empty(0, np.int64),  # only learning radii asks for it
            spread=float(meta["spread"]),
            index=extender.index,
            seed=extender.seed,
        )
        return extender


def extend(
    matrix: LabelMatrix,
    embeddings: npt.ArrayLike,
    *,
    train: Table | LabelMatrix | None = None,
    dev: Table | LabelMatrix | None = None,
    metric: str = "cosine",
    radii: Radii = None,
    index: str = "auto",
    seed: int = 0,
) -> LabelMatrix:
    """The matrix with more votes: where a function is silent, its own vote at the nearest row it voted on, if near.

    matrix: the votes. embeddings: (n, d), a vector for each of its rows, as `embed` makes them.
    train: the rows votes are carried over from, such as a split's; default all but dev. Test rows must not be among
        them. dev: rows of the matrix whose gold checks extended votes.
    metric, radii, index, seed: as of `consilience.labeling.extend.EmbeddingExtender`, which this is one use of.
    raises: DataError for vectors that do not fit, VoteError for a setting that is none.

    About 1 s for 10,000 rows of 10 functions and 384 dimensions, 8 s for 100,000 of 20.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "please subscribe to me"}, {"text": "please subscribed to me"}, {"text": "lovely"}])
    >>> asks = cs.keywords("spam", ["subscribe"])
    >>> matrix = cs.apply([asks], table, labels=["ham", "spam"])
    >>> matrix.names_of("asks")
    ['spam', None, None]
    >>> cs.extend(matrix, cs.embed(table), radii=0.6).names_of("asks")
    ['spam', 'spam', None]
    """
    vectors = as_vectors(embeddings, len(matrix))
    checked = None if dev is None else _places(matrix, dev, "dev")
    if train is not None:
        support = _places(matrix, train, "train")
    else:
        support = np.ones(len(matrix), bool)
        if checked is not None:
            support &= ~checked
    extender = EmbeddingExtender(metric=metric, radii=radii, index=index, seed=seed)
    if checked is None:
        extender.fit(matrix.take(support), vectors[support])
    else:
        extender.fit(matrix.take(support), vectors[support], dev=matrix.take(checked), dev_embeddings=vectors[checked])
    return extender.transform(matrix, vectors)


def _places(matrix: LabelMatrix, rows: Table | LabelMatrix, what: str) -> npt.NDArray[np.bool_]:
    """Where rows of the matrix are. Raises VoteError if none is."""
    found = matrix.ids.is_in(rows.ids.implode()).to_numpy()
    if not found.any():
        raise VoteError(f"None of the {what} rows is in the matrix.\nFix: give rows of the table it was made from.")
    return np.asarray(found)


def _given(radii: Radii, m: int) -> Floats:
    """Radii as they were given. returns: (m,)."""
    try:
        array = np.asarray(radii, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != m) or np.isnan(array).any():
        raise VoteError(f"The radii {radii!r} are none for {m} functions.\nFix: give one number, or one a function.")
    return np.broadcast_to(array, m).copy()


def _balance(labels: Labels, dev: LabelMatrix | None, given: Sequence[float] | None) -> Floats | None:
    """Share of each label, as given or as in dev; None if neither says. returns: (k,)."""
    k = len(labels)
    if given is not None:
        shares = np.asarray(given, np.float64)
        if shares.shape != (k,) or not (shares > 0).all() or not np.isclose(shares.sum(), 1, atol=1e-6):
            raise VoteError(f"The class balance {given} is none for {k} labels.\nFix: give shares that sum to 1.")
        return shares
    if dev is None or dev.n_gold < GOLD_ENOUGH:
        return None
    counts = np.bincount(dev.gold[dev.gold >= 0], minlength=k) + 1.0
    return np.asarray(counts / counts.sum())
