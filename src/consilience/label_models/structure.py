"""Which functions depend on one another beyond what the class explains? Learned from votes alone.

Reads a label matrix, writes pairs of functions with strengths, for `DataProgramming` and for the author of the
functions. Three ways, a file each: residual_search.py (the default), pseudo_likelihood.py, robust_pca.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consilience.errors import ModelError, nearest
from consilience.label_models.base import Evidence, gather
from consilience.label_models.dependency_paths import Path, Scored
from consilience.labeling.matrix import LabelMatrix
from consilience.views import View

METHODS = ("residual", "pseudo-likelihood", "robust pca")


@dataclass(frozen=True)
class Dependencies:
    """Pairs of functions that depend on one another given the class, strongest first.

    pairs: names; strengths: one a pair, comparable within a method. path: (threshold, number of pairs at least as
    strong), from strict to lenient; threshold: the one chosen on it.
    """

    method: str
    pairs: tuple[tuple[str, str], ...]
    strengths: tuple[float, ...]
    path: tuple[tuple[float, int], ...]
    threshold: float

    def view(self) -> View:
        """The pairs, to read."""
        rows = [[first, second, strength] for (first, second), strength in zip(self.pairs, self.strengths, strict=True)]
        note = f"{len(rows)} pairs by {self.method}, at least {self.threshold:.3f} strong"
        return View(["function", "depends on", "strength"], rows, title="Dependencies", notes=[note])

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return str(self.view())


def find_dependencies(
    votes: LabelMatrix | Evidence,
    *,
    method: str = "residual",
    error_rate: float = 0.01,
    min_strength: float = 0.05,
    names: Sequence[str] | None = None,
) -> Dependencies:
    """Pairs of functions whose votes depend on one another even where the class is the same.

    method: "residual" refits a model with the pairs found so far until no two functions agree or differ more than it
        explains; "pseudo-likelihood" predicts each function from all others, with an l1 penalty lowered step by step;
        "robust pca" splits the inverse covariance into a sparse and a low-rank part, and is the least exact.
    error_rate: expected share of false pairs among those found, where the model of the rest is true.
    min_strength: weaker pairs are not worth modelling, however sure. 0 is independence, 1 one repeating the other.
    names: of the functions, if votes are Evidence.
    raises: ModelError for another method, a rate or a strength that cannot be, or too many functions.

    O(rows (m s)^2) once, s = things a function can say; then a few dozen rounds of O(rows m). 100 functions x 10k rows
    take about a second.

    >>> from consilience.testing import simulate
    >>> find_dependencies(simulate(5000, 6, ["ham", "spam"], pairs=[(1, 4)], seed=1).matrix).pairs
    (('f1', 'f4'),)
    """
    if method not in METHODS:
        raise ModelError(f"There is no method {method!r} to find dependencies.\nFix: {nearest(method, METHODS)}")
    if not 0 < error_rate < 1 or not 0 < min_strength < 1:
        raise ModelError(
            f"error_rate={error_rate} and min_strength={min_strength} cannot be.\nFix: give shares between 0 and 1."
        )
    evidence = gather(votes, None) if isinstance(votes, LabelMatrix) else votes
    if isinstance(votes, LabelMatrix):
        names = votes.names
    elif names is None:
        names = [f"f{j}" for j in range(evidence.votes.shape[1])]
    found, path, threshold = _found(evidence, method, error_rate, min_strength)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return Dependencies(
        method,
        tuple((names[a], names[b]) for (a, b), _ in ranked),
        tuple(strength for _, strength in ranked),
        tuple(path),
        threshold,
    )


def _found(evidence: Evidence, method: str, error_rate: float, min_strength: float) -> tuple[Scored, Path, float]:
    """Pairs of places with strengths, the path, and the threshold chosen."""
    if method == "robust pca":
        from consilience.label_models.robust_pca import robust_pca_dependencies

        return robust_pca_dependencies(evidence, min_strength)
    from consilience.label_models.residual_search import search

    reading = search(evidence, error_rate, min_strength)
    if method == "residual":
        return reading.found, reading.path, min_strength
    from consilience.label_models.pseudo_likelihood import pseudo_likelihood_dependencies

    return pseudo_likelihood_dependencies(evidence, reading, min_strength)
