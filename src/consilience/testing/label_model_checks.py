"""The laws every label model keeps, as one call. Our own models pass it; the author of a new one calls it too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from consilience.errors import ModelError, VoteError
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.matrix import LabelMatrix
from consilience.testing.simulate import simulate

Make = Callable[[], BaseLabelModel]
NAMES = ("one", "two", "three")


def check_label_model(make: Make, *, seed: int = 0) -> None:
    """Raise AssertionError naming the first law that the models made by `make` break.

    make: gives a fresh, unfitted model at each call. Takes a few seconds.

    >>> from consilience import MajorityVote
    >>> check_label_model(MajorityVote)
    """
    for law in LAWS:
        law(make, seed)


def _fit(make: Make, matrix: LabelMatrix, seed: int = 0) -> BaseLabelModel:
    return make().fit(matrix, seed=seed)


def gives_distributions(make: Make, seed: int) -> None:
    """Probabilities have one row a row of votes, lie between 0 and 1 and sum to 1."""
    matrix = simulate(300, 6, NAMES, seed=seed).matrix
    proba = _fit(make, matrix).predict_proba(matrix)
    assert proba.shape == (300, 3), f"predict_proba has shape {proba.shape}, not (300, 3)"
    assert np.isfinite(proba).all() and (proba >= 0).all(), "a probability is negative or not finite"
    assert np.allclose(proba.sum(axis=1), 1), "the probabilities of a row do not sum to 1"


def order_of_functions_is_free(make: Make, seed: int) -> None:
    """The order of functions does not change the probabilities."""
    matrix = simulate(400, 6, NAMES, seed=seed).matrix
    turned = matrix.only(*reversed(matrix.names))
    same = np.allclose(_fit(make, matrix).predict_proba(matrix), _fit(make, turned).predict_proba(turned), atol=1e-6)
    assert same, "the order of the functions changes the probabilities"


def order_of_rows_is_free(make: Make, seed: int) -> None:
    """The order of rows does not change the probabilities, to the last bit."""
    matrix = simulate(400, 6, NAMES, seed=seed).matrix
    order = np.random.default_rng(seed).permutation(400)
    turned = matrix.take(order)
    same = np.array_equal(_fit(make, matrix).predict_proba(matrix)[order], _fit(make, turned).predict_proba(turned))
    assert same, "the order of the rows changes the probabilities"


def names_of_labels_are_free(make: Make, seed: int) -> None:
    """Permuting the labels permutes the probabilities."""
    matrix = simulate(400, 6, NAMES, seed=seed).matrix
    turn = np.array([2, 0, 1])
    votes = np.where(matrix.votes >= 0, turn[matrix.votes], -1)
    turned = LabelMatrix.from_votes(votes, ["two", "three", "one"], names=matrix.names)
    same = np.allclose(
        _fit(make, matrix).predict_proba(matrix), _fit(make, turned).predict_proba(turned)[:, turn], atol=1e-6
    )
    assert same, "the order of the labels changes the probabilities"


def same_seed_same_result(make: Make, seed: int) -> None:
    """Two fits with one seed give the same probabilities, to the last bit."""
    matrix = simulate(200, 5, NAMES, seed=seed).matrix
    first, second = (_fit(make, matrix, seed=5).predict_proba(matrix) for _ in range(2))
    assert np.array_equal(first, second), "the same seed gives different probabilities"


def small_and_empty_cases(make: Make, seed: int) -> None:
    """One row, rows without votes, and votes for one class only are no error; no rows or functions are a clear one."""
    for votes in ([[0, 1]], [[-1, -1], [-1, -1]], [[0, 0], [0, -1]]):
        matrix = LabelMatrix.from_votes(votes, NAMES)
        proba = _fit(make, matrix).predict_proba(matrix)
        assert np.isfinite(proba).all(), f"the votes {votes} give probabilities that are not finite"
    silent = LabelMatrix.from_votes([[-1, -1]], NAMES)
    assert _fit(make, silent).predict(silent) == [None], "a row nobody voted on is given a label"
    for shape in ((0, 2), (2, 0)):
        try:
            _fit(make, LabelMatrix.from_votes(np.zeros(shape, int), NAMES))
        except VoteError:
            continue
        raise AssertionError(f"votes of shape {shape} are fitted without a VoteError")


def unfitted_says_so(make: Make, seed: int) -> None:
    """A model that was not fitted, or is given other functions, says so."""
    matrix = simulate(50, 4, NAMES, seed=seed).matrix
    for model, asked in ((make(), matrix), (_fit(make, matrix), matrix.only(*matrix.names[:2]))):
        try:
            model.predict_proba(asked)
        except ModelError:
            continue
        raise AssertionError("predict_proba answers although the model is not fitted on such votes")


def better_than_chance(make: Make, seed: int) -> None:
    """On simulated votes of decent functions the labels are mostly right, and accuracies point the right way."""
    made = simulate(2000, 8, NAMES, accuracy=(0.6, 0.9), coverage=(0.3, 0.7), seed=seed)
    model = _fit(make, made.matrix)
    right = (model.predict_codes(made.matrix) == made.truth)[made.matrix.covered].mean()
    assert right > 0.6, f"only {right:.0%} of covered rows are right, where chance is 33%"
    assert model.accuracies_.shape == (8,), "accuracies_ has not one entry a function"
    assert np.corrcoef(model.accuracies_, made.accuracies)[0, 1] > 0.3, "accuracies_ do not follow the true ones"


def gold_does_no_harm(make: Make, seed: int) -> None:
    """Gold for some rows is accepted in both forms and does not make labels worse."""
    made = simulate(1000, 6, NAMES, seed=seed)
    names = made.matrix.labels.decode(made.truth.tolist())
    some = [name if place < 200 else None for place, name in enumerate(names)]
    scored = made.matrix.with_gold(np.where(np.arange(1000) < 200, made.truth, -1).astype(np.int16))
    without = (_fit(make, made.matrix).predict_codes(made.matrix) == made.truth).mean()
    for gold in (some, scored):
        model = make().fit(made.matrix, gold=gold)
        with_gold = (model.predict_codes(made.matrix) == made.truth).mean()
        assert with_gold > without - 0.03, f"200 rows of gold lower accuracy from {without:.1%} to {with_gold:.1%}"


def saved_and_loaded(make: Make, seed: int) -> None:
    """Saving and loading gives the same probabilities, to the last bit."""
    matrix = simulate(300, 6, NAMES, seed=seed).matrix
    model = _fit(make, matrix)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        model.save(path)
        again = type(model).load(path)
    same = np.array_equal(model.predict_proba(matrix), again.predict_proba(matrix))
    assert same, "the loaded model gives other probabilities"


LAWS = (
    gives_distributions,
    order_of_functions_is_free,
    order_of_rows_is_free,
    names_of_labels_are_free,
    same_seed_same_result,
    small_and_empty_cases,
    unfitted_says_so,
    better_than_chance,
    gold_does_no_harm,
    saved_and_loaded,
)
