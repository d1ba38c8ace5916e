"""Whether probabilities mean what they say: facts of which the truth was kept back, in ten buckets of probability.

Reads the facts of a relation with their probabilities and, for those held out, the truth; writes buckets, scores, the
worst mistakes and a picture. Source: the calibration plots of DeepDive (three pictures, ten buckets of equal width).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from consilience.errors import DataError, ExtraError
from consilience.kb.results.kept import PROBABILITY, TRUTH
from consilience.metrics import calibration_error, reliability_of, wilson
from consilience.views import PALETTE, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_BUCKETS = 10


class Bucket(NamedTuple):
    """Facts whose probability is from low to below high: all of them, and how many held-out ones are true and false."""

    low: float
    high: float
    n_facts: int
    n_true: int
    n_false: int


class Scores(NamedTuple):
    """How well a threshold separates true from false held-out facts."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Calibration:
    """Probabilities against the truth.

    facts: the columns of a relation and `probability`, for every fact whose value was inferred. held_out: the same,
    with `truth` (Boolean), for those of which the truth was kept back.

    >>> held_out = pl.DataFrame({"x": [1, 2, 3], "probability": [0.95, 0.92, 0.05], "truth": [True, False, False]})
    >>> found = Calibration("likes", held_out.drop("truth"), held_out)
    >>> [(b.low, b.n_true, b.n_false) for b in found.buckets if b.n_facts]
    [(0.0, 0, 1), (0.9, 1, 1)]
    >>> round(found.error, 3)
    0.307
    """

    relation: str
    facts: pl.DataFrame
    held_out: pl.DataFrame

    def __post_init__(self) -> None:
        for frame, needs in ((self.facts, [PROBABILITY]), (self.held_out, [PROBABILITY, TRUTH])):
            missing = [name for name in needs if name not in frame.columns]
            if missing:
                raise DataError(f"The facts of {self.relation!r} have no column {missing[0]!r}.\nFix: add it.")
        wrong = self.facts[PROBABILITY].drop_nulls().filter(~self.facts[PROBABILITY].drop_nulls().is_between(0, 1))
        if len(wrong):
            raise DataError(f"{wrong[0]} is no probability.\nFix: give numbers between 0 and 1.")

    @cached_property
    def buckets(self) -> list[Bucket]:
        """Ten buckets of equal width."""
        edges = np.linspace(0, 1, N_BUCKETS + 1).round(10)
        counts = [np.bincount(_places(p), minlength=N_BUCKETS) for p in (self._all, *self._by_truth)]
        return [
            Bucket(float(low), float(high), *(int(c[i]) for c in counts))
            for i, (low, high) in enumerate(pairwise(edges))
        ]

    @property
    def _all(self) -> NDArray[np.float64]:
        return self.facts[PROBABILITY].to_numpy()

    @property
    def _held(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.held_out[PROBABILITY].to_numpy(), self.held_out[TRUTH].cast(pl.Float64).to_numpy()

    @property
    def _by_truth(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        probability, truth = self._held
        return probability[truth == 1], probability[truth == 0]

    @property
    def error(self) -> float:
        """Expected calibration error over the held-out facts, in ten buckets of equal width; NaN if there are none."""
        return calibration_error(reliability_of(*self._held, N_BUCKETS, how="equal width"))

    @property
    def brier(self) -> float:
        """Mean squared distance from the probability to the truth, 0 best, 1 worst; NaN without held-out facts."""
        probability, truth = self._held
        return float(((probability - truth) ** 2).mean()) if len(truth) else float("nan")

    def scores(self, threshold: float = 0.5) -> Scores:
        """Precision, recall and F1 of the held-out facts at least this probable; 0 where there is nothing to divide."""
        probability, truth = self._held
        said = probability >= threshold
        hits = float(truth[said].sum())
        precision, recall = hits / max(said.sum(), 1), hits / max(truth.sum(), 1)
        return Scores(threshold, precision, recall, 2 * precision * recall / max(precision + recall, 1e-300))

    def mistakes(self, n: int = 10) -> pl.DataFrame:
        """The held-out facts whose probability is farthest from the truth, worst first, if it is on the wrong side."""
        truth = pl.col(TRUTH).cast(pl.Float64)
        off = (pl.col(PROBABILITY) - truth).abs()
        return self.held_out.filter(off > 0.5).sort(off, descending=True, maintain_order=True).head(n)

    def view(self) -> View:
        """The table for people."""
        rows = [
            (f"{b.low:.1f} to {b.high:.1f}", b.n_facts, b.n_true, b.n_false, _share(b.n_true, b.n_false))
            for b in self.buckets
        ]
        precision, recall, f1 = self.scores()[1:]
        notes = [
            f"{len(self.held_out):,} of {len(self.facts):,} facts were held out",
            f"expected calibration error {self.error:.3f}, Brier score {self.brier:.3f}",
            f"at 0.5: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}",
        ]
        if not len(self.held_out):
            notes = ["No fact was held out, so nothing can be compared with the truth. Run with a holdout."]
        columns = ("probability", "facts", "held out, true", "held out, false", "share true")
        return View(columns, rows, title=f"calibration of {self.relation}", notes=notes)

    def __str__(self) -> str:
        return str(self.view())

    def records(self) -> list[dict[str, Any]]:
        """The buckets as dictionaries, for programs."""
        return [bucket._asdict() for bucket in self.buckets]

    def plot(self) -> Figure:
        """Accuracy against probability, and how many facts each bucket has, held out and in all. Needs matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ExtraError(
                "Pictures need matplotlib, which is not installed.\nFix: pip install 'consilience[plots]'"
            ) from None
        figure = Figure(figsize=(12, 3.8), layout="constrained")
        accuracy, tested, everything = figure.subplots(1, 3)
        self._draw_accuracy(accuracy)
        held = [b.n_true + b.n_false for b in self.buckets]
        _draw_counts(tested, held, "held-out facts")
        _draw_counts(everything, [b.n_facts for b in self.buckets], "all facts inferred")
        figure.suptitle(f"{self.relation}: expected calibration error {self.error:.3f}")
        return figure

    def _draw_accuracy(self, axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#8a8a8a", linewidth=1, linestyle="--", label="as it should be")
        points = [((b.low + b.high) / 2, wilson(b.n_true, b.n_true + b.n_false)) for b in self.buckets]
        points = [(x, share) for x, share in points if not np.isnan(share.value)]
        if points:
            x, share = zip(*points, strict=True)
            low, high = (np.abs([getattr(s, side) - s.value for s in share]) for side in ("low", "high"))
            values = [s.value for s in share]
            axes.errorbar(x, values, yerr=[low, high], fmt="o-", color=PALETTE[0], capsize=2, label="held-out facts")
        axes.set(xlabel="probability", ylabel="share that is true", xlim=(0, 1), ylim=(0, 1), title="accuracy")
        axes.legend(frameon=False, loc="lower right")


def _places(probability: NDArray[np.float64]) -> NDArray[np.intp]:
    # 1e-12: 0.3 as a float may lie just below the edge it is meant to be
    return np.clip((probability * N_BUCKETS + 1e-12).astype(np.intp), 0, N_BUCKETS - 1)


def _share(n_true: int, n_false: int) -> str:
    if not n_true + n_false:
        return ""
    share = wilson(n_true, n_true + n_false)
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _draw_counts(axes: Axes, counts: list[int], title: str) -> None:
    axes.bar(np.arange(N_BUCKETS) / N_BUCKETS + 0.05, counts, width=0.09, color=PALETTE[0])
    if max(counts, default=0) > 50 * max(min((c for c in counts if c), default=1), 1):
        axes.set_yscale("log")
    axes.set(xlabel="probability", ylabel="facts", xlim=(0, 1), title=title)
