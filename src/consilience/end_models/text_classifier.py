"""A text classifier trained on soft labels: word and character n-grams, logistic regression on the expected loss.

Takes a training set, generalises to rows no function covers. scikit-learn's contract; saved without pickle.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from consilience.data.labels import Labels
from consilience.data.table import Table
from consilience.data.training_set import TrainingSet
from consilience.end_models.report import Report, Slices, make_report, slice_masks
from consilience.errors import ModelError
from consilience.progress import track
from consilience.store import arrays

Floats = npt.NDArray[np.float64]
Texts = TrainingSet | Table | Sequence[str]
VIEWS: dict[str, dict[str, Any]] = {
    # one-letter words count: "u", "2"
    "word": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "char": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


class TextClassifier:
    """Classifies texts by their words, pairs of words, and runs of 3 to 5 characters.

    penalty: strength of the pull of coefficients to 0. max_features: n-grams kept of each kind, the most frequent.
    min_rows: rows an n-gram must occur in. max_iterations: of the optimiser.
    classes_: (k,) label names. coefficients_: (d, k); intercept_: (k,).

    Two labels: about 5,000 short texts a second; ten: about 700. Keeps 8 bytes a label and about 20 for each n-gram.

    >>> model = TextClassifier(min_rows=1).fit(["good day", "bad day", "good"], ["pos", "neg", "pos"])
    >>> model.predict(["a good one"]).tolist()
    ['pos']
    """

    kind = "text classifier"
    classes_: npt.NDArray[np.str_]

    def __init__(
        self, *, penalty: float = 0.3, max_features: int = 100_000, min_rows: int = 2, max_iterations: int = 300
    ) -> None:
        self.penalty = penalty
        self.max_features = max_features
        self.min_rows = min_rows
        self.max_iterations = max_iterations

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings, as scikit-learn asks for them."""
        return {name: getattr(self, name) for name in ("penalty", "max_features", "min_rows", "max_iterations")}

    def set_params(self, **params: Any) -> Self:
        """Change settings by name. Raises ModelError for one that is none."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ModelError(f"TextClassifier has no setting {name!r}.\nFix: use one of {list(self.get_params())}.")
            setattr(self, name, value)
        return self

    def fit(self, X: Texts, y: Any = None, sample_weight: Any = None) -> Self:
        """Train on a TrainingSet, or on texts X with labels y.

        y: (n,) label names, or (n, k) soft labels (then the classes are "0", "1", ... unless X is a TrainingSet).
        sample_weight: (n,), default 1. raises: ModelError for no rows, one class only, or shapes that do not fit.
        """
        texts, soft, weights, labels = _targets(X, y, sample_weight)
        mass = weights @ soft
        if (mass > 1e-9).sum() < 2:
            seen = [name for name, share in zip(labels, mass, strict=True) if share > 1e-9]
            raise ModelError(
                f"The {len(texts)} rows have the labels {seen} to learn from; two labels are needed.\n"
                "Fix: add labeling functions for the other labels."
            )
        from consilience.end_models.expected_loss import fit_soft_logistic

        self.classes_ = np.array(list(labels))
        self._vectorizers = {name: self._vectorizer(name, len(texts)) for name in VIEWS}
        features = self._features(texts, fit=True)
        self.coefficients_, self.intercept_ = fit_soft_logistic(
            features, soft, weights, penalty=self.penalty, max_iterations=self.max_iterations
        )
        return self

    def predict_proba(self, X: Texts) -> Floats:
        """Probability of each class. returns: (n, k), in the order of classes_."""
        from consilience.end_models.expected_loss import predict_logistic

        self._check_fitted()
        texts = _texts(X)
        if not texts:
            return np.zeros((0, len(self.classes_)))
        return predict_logistic(self._features(texts), self.coefficients_, self.intercept_)

    def predict(self, X: Texts) -> npt.NDArray[np.str_]:
        """Most probable label name of each text. returns: (n,)."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def score(self, X: Texts, y: Sequence[str]) -> float:
        """Accuracy on texts whose labels are known."""
        return float((self.predict(X) == np.asarray(y)).mean())

    def evaluate(self, table: Table, *, slices: Slices = ()) -> Report:
        """Metrics with intervals on the rows of table that have gold.

        slices: labeling functions; the rows each votes on are reported apart, with their ids.
        """
        self._check_fitted()
        labels = Labels(*self.classes_.tolist())
        rows = table.take(table.has_gold())
        return make_report(rows, self.predict_proba(rows).argmax(axis=1), labels, slices=slice_masks(rows, slices))

    def top_terms(self, n: int = 10) -> dict[str, list[str]]:
        """The words and pairs of words that speak most for each label."""
        self._check_fitted()
        words = self._vectorizers["word"].get_feature_names_out()
        centred = self.coefficients_[: len(words)] - self.coefficients_[: len(words)].mean(axis=1, keepdims=True)
        return {name: words[np.argsort(-centred[:, c])[:n]].tolist() for c, name in enumerate(self.classes_.tolist())}

    # saved without pickle

    def save(self, path: Path | str) -> None:
        """Write the model to one `.npz` file of plain arrays and JSON."""
        meta, parts = self.state()
        arrays.save(path, self.kind, meta, parts)

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays that say all that was learned."""
        self._check_fitted()
        parts: arrays.Arrays = {"coefficients": self.coefficients_, "intercept": self.intercept_}
        for name, vectorizer in self._vectorizers.items():
            terms = json.dumps(vectorizer.get_feature_names_out().tolist(), ensure_ascii=False)
            parts |= {f"{name}_terms": np.frombuffer(terms.encode(), np.uint8), f"{name}_idf": vectorizer.idf_}
        return {"classes": self.classes_.tolist(), "settings": self.get_params()}, parts

    @classmethod
    def load(cls, source: Path | str | bytes) -> Self:
        """The model that `save` wrote. Raises StoreError for anything else; pickles are never loaded."""
        meta, parts = arrays.load(source, cls.kind)
        model = cls(**meta["settings"])
        model.classes_ = np.array(meta["classes"])
        model.coefficients_, model.intercept_ = parts["coefficients"], parts["intercept"]
        model._vectorizers = {}
        for name in VIEWS:
            terms = json.loads(parts[f"{name}_terms"].tobytes())
            model._vectorizers[name] = model._vectorizer(name, 1, vocabulary=terms)
            model._vectorizers[name].idf_ = parts[f"{name}_idf"]
        return model

    def _vectorizer(self, view: str, n: int, vocabulary: list[str] | None = None) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            **VIEWS[view],
            sublinear_tf=True,
            min_df=min(self.min_rows, n),
            max_features=self.max_features,
            vocabulary=vocabulary,
        )

    def _features(self, texts: list[str], fit: bool = False) -> Any:
        from scipy.sparse import hstack

        parts = []
        for vectorizer in track(self._vectorizers.values(), "counting n-grams", len(VIEWS)):
            try:
                parts.append(vectorizer.fit_transform(texts) if fit else vectorizer.transform(texts))
            except ValueError as error:
                raise ModelError(
                    f"The {len(texts)} texts have nothing in common to learn from ({error}).\n"
                    "Fix: give more texts, or TextClassifier(min_rows=1)."
                ) from None
        return hstack(parts).tocsr()

    def _check_fitted(self) -> None:
        if not hasattr(self, "classes_"):
            raise ModelError("This TextClassifier has learned nothing yet.\nFix: call fit(training_set) first.")

    def __repr__(self) -> str:
        return f"TextClassifier({', '.join(f'{name}={value}' for name, value in self.get_params().items())})"


def _texts(X: Texts) -> list[str]:
    if isinstance(X, (TrainingSet, Table)):
        return X.texts
    if isinstance(X, str):
        raise ModelError("The texts are one string.\nFix: give a list of strings.")
    return [str(text) for text in X]


def _targets(X: Texts, y: Any, sample_weight: Any) -> tuple[list[str], Floats, Floats, Labels]:
    """Texts, soft labels, weights and labels, from either form of training data."""
    texts = _texts(X)
    if not texts:
        raise ModelError("There are no texts to learn from.\nFix: give one or more of each label.")
    if isinstance(X, TrainingSet) and y is None:
        soft, weights, labels = X.soft_labels, X.weights, X.labels
    elif y is None:
        raise ModelError("There is nothing to learn from.\nFix: fit(training_set), or fit(texts, labels).")
    else:
        y = np.asarray(y)
        if y.ndim == 2:
            labels = X.labels if isinstance(X, TrainingSet) else Labels(*map(str, range(y.shape[1])))
            soft = y.astype(np.float64)
        else:
            labels = Labels(*sorted(set(y.astype(str).tolist())))
            soft = np.eye(len(labels))[labels.encode(y.astype(str).tolist())]
        weights = np.ones(len(texts))
    if sample_weight is not None:
        weights = np.asarray(sample_weight, np.float64)
    fits = soft.shape[0] == len(texts) and weights.shape == (len(texts),)
    if not fits or not np.isfinite(soft).all() or not np.isfinite(weights).all() or (weights < 0).any():
        raise ModelError(
            f"{len(texts)} texts have labels of shape {soft.shape} and weights of shape {weights.shape}, or some "
            "are not finite or below 0.\nFix: give one label and one weight a text."
        )
    return texts, soft, weights, labels
