"""A trained model as a labeling function, ours among them. The models are asked in labeling/model.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from consilience.end_models.text_classifier import TextClassifier
from consilience.labeling.model import Model, source_of


def model(
    source: Any,
    *,
    labels: Sequence[str] | Mapping[Any, str | None] | None = None,
    threshold: float | Mapping[str, float] | None = None,
    columns: str | Sequence[str] | None = None,
    name: str | None = None,
    batch_size: int = 1024,
    fingerprint: str | None = None,
) -> Model:
    """Labeling function that says what a trained model says, and abstains where that is not sure enough.

    source: a fitted scikit-learn classifier or pipeline, a TextClassifier, the path of one saved (`.npz`) or of an ONNX
        file (`.onnx`, extra `onnx`), or a function of a list of texts (or of a frame, with a list of columns) that
        returns a label a row, or an (n, k) array of probabilities. Pickles are never opened.
    labels: names of the classes in the order of the probabilities, or a dict from class to label, where None (or to
        be left out) abstains; several classes may have one label. Default the model's own classes. Sets of labels,
        such as Not("spam"), may be among them.
    threshold: least probability of what is said; or a dict by label, where a label left out is never said. Default:
        the most probable label, and 0.5 where the model knows but one.
    columns: the column of texts, default the text column; or a list of columns, given to the model as numbers (or as
        a Polars frame: to a function, and to an estimator that was fitted with names of columns).
    batch_size: rows the model is given at once. Votes do not depend on it.
    fingerprint: what to know the model's changes by, where they cannot be seen: its version, say. Default: a hash of
        the file, of the estimator's settings and fitted arrays, or of the function's code.
    raises: FunctionError for what is no model, a threshold or class that cannot be, and answers of another shape.

    Rows whose text (or whose every column) is empty are abstained on, and rows on which the model raises are counted.

    >>> import consilience as cs
    >>> texts, gold = ["win cash", "see you", "a prize", "bye"], ["spam", "ham", "spam", "ham"]
    >>> small = cs.TextClassifier(min_rows=1).fit(texts, gold)
    >>> sure = cs.model(small, threshold=0.6)
    >>> cs.apply([sure], cs.read([{"text": "cash"}, {"text": "you"}, {"text": "bus"}])).names_of("sure")
    ['spam', 'ham', None]
    """
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".npz":
        source = TextClassifier.load(source)
    return Model(
        source_of(source),
        labels=labels,
        threshold=threshold,
        columns=columns,
        name=name,
        batch_size=batch_size,
        fingerprint=fingerprint,
    )
