"""Votes carried over to rows like those they were cast on, and a label model on top: a classifier without training.

Reads a label matrix with a vector for each row; extends the votes (see labeling/extend.py), fits a label model on
them, and gives the probabilities of any rows that have votes and vectors, the rows nobody voted on included.

Source: Chen et al. 2020, "Train and You'll Miss It" (Epoxy); partitions: Chen et al. 2022 (Liger).
Departs: any label model and any number of labels; radii without gold (see labeling/radii.py); with gold, what is
tuned is tuned on dev rows, and nothing on rows to be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.training_set import TrainingSet
from consilience.errors import ModelError
from consilience.label_models.base import Balance, BaseLabelModel, Floats
from consilience.label_models.choose import LabelModel
from consilience.label_models.zoo import model_of_kind
from consilience.labeling.extend import EmbeddingExtender
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.nearest import Places, as_vectors, assigned, k_means, unit
from consilience.store import arrays
from consilience.views import View

ENOUGH = 200  # rows with votes from which a partition has a label model of its own
PARTITION_SAMPLE = 20_000


class Epoxy:
    """Extends votes by embeddings, then combines them: of rows without votes it knows what their neighbours know.

    label_model: fitted on the extended votes; default LabelModel(). metric, radii, index: of the extender, see
    `consilience.labeling.extend.EmbeddingExtender`.
    n_partitions: parts of space, found by k-means on the train rows' vectors, that have a label model each, for
        functions that are better in one place than in another; a part with fewer than 200 rows with votes, or where
        its own model cannot be fitted, has the model of all rows.

    extender_: the fitted extender, whose radii_, coverage_gain_ and est_vote_precision_ say what was done.
    model_: the label model of all rows. partition_models_: that of each partition, None where it is model_.

    >>> import consilience as cs
    >>> from consilience.label_models import Epoxy
    >>> texts = ["win a prize now", "win a prize", "you win a prize", "see you at home", "home at six", "at home now"]
    >>> table = cs.read([{"text": text} for text in texts])
    >>> matrix = cs.apply({"six": cs.keywords("ham", ["six"]), "you": cs.keywords("spam", ["now"])}, table)
    >>> model = Epoxy(cs.MajorityVote(), radii=0.5).fit(matrix, cs.embed(table))
    >>> model.predict(matrix, cs.embed(table))[:3]
    ['spam', 'spam', 'spam']
    """

    kind: ClassVar[str] = "epoxy"
    extender_: EmbeddingExtender
    model_: BaseLabelModel
    partition_models_: list[BaseLabelModel | None]
    labels_: Labels

    def __init__(
        self,
        label_model: BaseLabelModel | dict[str, Any] | None = None,
        *,
        metric: str = "cosine",
        radii: Any = None,
        index: str = "auto",
        n_partitions: int = 1,
    ) -> None:
        if not isinstance(n_partitions, int) or n_partitions < 1:
            raise ModelError(f"{n_partitions!r} partitions are none.\nFix: give a whole number, 1 for none of them.")
        if label_model is not None and not isinstance(label_model, (BaseLabelModel, dict)):
            raise ModelError(f"{label_model!r} is no label model.\nFix: give one, as Epoxy(DawidSkene()).")
        self.label_model = label_model
        self.metric = metric
        self.radii = radii
        self.index = index
        self.n_partitions = n_partitions
        self._extender(0)  # says at once what is wrong with the settings

    def fit(
        self,
        matrix: LabelMatrix,
        embeddings: npt.ArrayLike,
        *,
        dev: LabelMatrix | None = None,
        dev_embeddings: npt.ArrayLike | None = None,
        gold: Sequence[str | None] | None = None,
        class_balance: Balance = None,
        seed: int = 0,
    ) -> Self:
        """Learn how far votes carry, then how far to trust each function.

        matrix: the train votes; its own gold is not looked at. embeddings: (n, d), a vector for each row.
        dev, dev_embeddings: other rows, with gold, that check extended votes, by counting them: fitting the label model
            for each choice of radii took a minute and chose no better. The label model does not see these rows.
        gold, class_balance, seed: as of any label model; gold is of the train rows.
        raises: as the extender's and the label model's fit.
        """
        vectors = as_vectors(embeddings, len(matrix))
        shares = _shares(class_balance, matrix.labels)
        given: dict[str, Any] = {"class_balance": class_balance, "seed": seed}

        self.extender_ = self._extender(seed).fit(
            matrix, vectors, dev=dev, dev_embeddings=dev_embeddings, class_balance=shares
        )
        self.labels_ = matrix.labels
        extended = self.extender_.transform(matrix, vectors)
        self.model_ = self._fresh().fit(extended, gold=gold, **given)
        self._fit_partitions(extended, vectors, gold, given, seed)
        return self

    def _fit_partitions(self, extended: LabelMatrix, vectors: Any, gold: Any, given: dict[str, Any], seed: int) -> None:
        """A label model for each part of space that has enough rows with votes."""
        self.centres_ = np.empty((0, vectors.shape[1]))
        self.partition_models_ = []
        if self.n_partitions == 1:
            return
        rng = np.random.default_rng(seed)
        places = np.sort(rng.choice(len(vectors), min(len(vectors), PARTITION_SAMPLE), replace=False))
        sample = self._prepared(vectors[places])
        self.centres_ = k_means(sample, min(self.n_partitions, len(sample)), self.metric, rng)
        part = self._partition(vectors)
        for number in range(len(self.centres_)):
            rows = np.flatnonzero(part == number)
            some = None if gold is None else [gold[row] for row in rows]
            self.partition_models_.append(self._of_partition(extended.take(rows), some, given))

    def _of_partition(self, matrix: LabelMatrix, gold: Any, given: dict[str, Any]) -> BaseLabelModel | None:
        """The model of one partition; None where it has too few votes, or of one label only."""
        said = np.unique(matrix.votes[matrix.votes >= 0])
        if matrix.covered.sum() < ENOUGH or len(said) < 2:
            return None
        try:
            model = self._fresh().fit(matrix, gold=gold, **given)
        except ModelError:
            return None
        return model if np.isfinite(model._proba(matrix.patterns.votes)).all() else None

    def _partition(self, vectors: Any) -> Places:
        return assigned(self._prepared(vectors), self.centres_, self.metric)

    def _prepared(self, vectors: Any) -> Any:
        return unit(vectors) if self.metric == "cosine" else np.asarray(vectors, np.float64)

    def extend(self, matrix: LabelMatrix, embeddings: npt.ArrayLike) -> LabelMatrix:
        """The extended votes of any rows."""
        self._check_fitted()
        return self.extender_.transform(matrix, embeddings)

    def predict_proba(self, matrix: LabelMatrix, embeddings: npt.ArrayLike) -> Floats:
        """Probability of each label for each row. returns: (n, k)."""
        return self._proba(self.extend(matrix, embeddings), embeddings)

    def _proba(self, extended: LabelMatrix, embeddings: npt.ArrayLike) -> Floats:
        """Probabilities of rows whose votes are extended already."""
        proba = self.model_.predict_proba(extended)
        if self.partition_models_ and len(extended):
            part = self._partition(np.asarray(embeddings))
            for number, model in enumerate(self.partition_models_):
                rows = np.flatnonzero(part == number)
                if model is not None and len(rows):
                    proba[rows] = model.predict_proba(extended.take(rows))
        return proba

    def predict_codes(self, matrix: LabelMatrix, embeddings: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Most probable class of each row, the most frequent one where there is no vote even now. returns: (n,)."""
        return self._codes(self.extend(matrix, embeddings), embeddings)

    def _codes(self, extended: LabelMatrix, embeddings: npt.ArrayLike) -> npt.NDArray[np.int64]:
        codes = self.model_.predict_codes(extended)
        if self.partition_models_ and len(extended):
            part = self._partition(np.asarray(embeddings))
            for number, model in enumerate(self.partition_models_):
                rows = np.flatnonzero(part == number)
                if model is not None and len(rows):
                    codes[rows] = model.predict_codes(extended.take(rows))
        return codes

    def predict(self, matrix: LabelMatrix, embeddings: npt.ArrayLike) -> list[str | None]:
        """Most probable label of each row; None where no function voted and none could be extended."""
        extended = self.extend(matrix, embeddings)
        return self.labels_.decode(np.where(extended.covered, self._codes(extended, embeddings), ABSTAIN).tolist())

    def training_set(
        self,
        matrix: LabelMatrix,
        embeddings: npt.ArrayLike,
        *,
        uncovered: bool = False,
        min_confidence: float = 0.0,
    ) -> TrainingSet:
        """The rows with their probabilities, to train a model on; see BaseLabelModel.training_set.

        With partitions, probabilities are those of each row's partition.
        """
        extended = self.extend(matrix, embeddings)
        made = self.model_.training_set(extended, uncovered=uncovered, min_confidence=min_confidence)
        if not any(self.partition_models_):
            return made
        proba = self._proba(extended, embeddings)
        keep = (proba.max(axis=1) >= min_confidence) & (extended.covered | uncovered)
        if not keep.any() or extended.table is None:
            raise ModelError("No row is left to train on.\nFix: lower min_confidence, or give fewer partitions.")
        everything = self.model_.training_set(extended, uncovered=True)
        why = [reason for reason, kept in zip(everything.why, keep, strict=True) if kept]
        return TrainingSet(extended.table.take(keep), self.labels_.plain, proba[keep], np.ones(int(keep.sum())), why)

    def summary(self) -> View:
        """Each function's radius, what it gained, and how far it is trusted now."""
        self._check_fitted()
        found = self.extender_
        columns = ["function", "radius", "newly votes on", "of these right (est.)", self.model_.accuracy_means]
        values = (found.radii_, found.coverage_gain_, found.est_vote_precision_, self.model_.accuracies_)
        rows = [[name, *map(float, some)] for name, *some in zip(found.function_names_, *values, strict=True)]
        own = sum(model is not None for model in self.partition_models_)
        parts = [f"{own} of {len(self.partition_models_)} partitions have their own model"] * bool(
            self.partition_models_
        )
        return View(columns, rows, notes=[*self.model_.findings(), *parts])

    # saved without pickle

    def save(self, path: Path | str) -> None:
        """Write the model, its support included, to one `.npz` file of plain arrays and JSON."""
        self._check_fitted()
        meta, parts = self.extender_.state()
        all_parts = {f"extender_{name}": part for name, part in parts.items()} | {"centres": self.centres_}
        models = {"all": self.model_} | {
            str(number): model for number, model in enumerate(self.partition_models_) if model is not None
        }
        described = {}
        for name, model in models.items():
            inner, inner_parts = model.state()
            described[name] = {"kind": model.kind, "meta": inner}
            all_parts |= {f"model_{name}_{key}": part for key, part in inner_parts.items()}
        groups = [[name, list(members)] for name, members in self.labels_.groups.items()]
        head = {"settings": self.settings(), "labels": list(self.labels_), "groups": groups, "extender": meta}
        arrays.save(path, self.kind, {**head, "models": described, "n_models": len(self.partition_models_)}, all_parts)

    @classmethod
    def load(cls, source: Path | str | bytes) -> Self:
        """The model that `save` wrote. Raises StoreError for anything else; pickles are never loaded."""
        meta, parts = arrays.load(source, cls.kind)
        model = cls(**meta["settings"])
        model.labels_ = Labels(*meta["labels"], groups=dict(meta["groups"]))
        model.extender_ = EmbeddingExtender.restored(meta["extender"], _named(parts, "extender_"), model.labels_)
        models = {name: _restored(told, _named(parts, f"model_{name}_")) for name, told in meta["models"].items()}
        model.model_ = models["all"]
        model.partition_models_ = [models.get(str(number)) for number in range(meta["n_models"])]
        model.centres_ = parts["centres"]
        return model

    def settings(self) -> dict[str, Any]:
        """What the constructor was given; the label model as its kind and settings."""
        inner = self.label_model
        described = {"kind": inner.kind, "settings": inner.settings()} if isinstance(inner, BaseLabelModel) else inner
        extender = {name: value for name, value in self._extender(0).settings().items() if name != "seed"}
        return {"label_model": described, **extender, "n_partitions": self.n_partitions}

    def _fresh(self) -> BaseLabelModel:
        """An unfitted label model like the one given."""
        inner = self.settings()["label_model"]
        return LabelModel() if inner is None else model_of_kind(inner["kind"])(**inner["settings"])

    def _extender(self, seed: int) -> EmbeddingExtender:
        return EmbeddingExtender(metric=self.metric, radii=self.radii, index=self.index, seed=seed)

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise ModelError("This Epoxy has learned nothing yet.\nFix: call fit(matrix, embeddings) first.")


def _named(parts: arrays.Arrays, start: str) -> arrays.Arrays:
    return {name.removeprefix(start): part for name, part in parts.items() if name.startswith(start)}


def _restored(told: dict[str, Any], parts: arrays.Arrays) -> BaseLabelModel:
    model = model_of_kind(told["kind"])(**told["meta"]["settings"])
    model._restore(told["meta"], parts)
    return model


def _shares(given: Balance, labels: Labels) -> list[float] | None:
    """A class balance in the labels' order, if one was given; the label model says what is wrong with it."""
    if given is None:
        return None
    return [float(given.get(name, 0.0)) for name in labels] if hasattr(given, "get") else [float(p) for p in given]
