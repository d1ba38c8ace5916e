"""Pictures of a label matrix and of what a label model learned. Each function gives a Figure and shows nothing.

Needs matplotlib (the extra `plots`), loaded at the first picture; its global state is never touched. Colours of labels
are those of votes elsewhere (views.PALETTE). Names are cut, not squeezed; what does not fit is left out with a note.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ExtraError, ModelError
from consilience.label_models.base import BaseLabelModel, Floats, best_class, count_votes
from consilience.label_models.held_out import votes_check
from consilience.labeling.agreement import agreement
from consilience.labeling.matrix import LabelMatrix
from consilience.metrics import Bin, calibration_error, reliability, wilson
from consilience.views import PALETTE, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from consilience.label_models.uncertainty import Intervals

LINES = 1500  # rows of a matrix drawn, at most: as many as a picture has points
NAMED = 80  # functions whose names are written along an axis, at most
LISTED = 60  # functions in one list, at most
SLOTS = 40  # of a histogram of probabilities
TABLES = 24  # tables of errors, at most
NUMBERED = 6  # labels up to which tables hold numbers
LEAST_SHOWN = 0.005  # share of rows below which a cell of a table stays empty
PAIRED = 40  # functions drawn against each other, at most
WRITTEN_IN = 16  # of them up to which cells hold numbers
NODES, EDGES = 60, 120  # of a graph of dependencies, at most
INK, FAINT = "#222222", "#8a8a8a"
FIRST, SECOND = PALETTE[0], PALETTE[1]
FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Noto Sans",
)


def plot_matrix(matrix: LabelMatrix) -> Figure:
    """Who votes where: a line a row, a column a function, a colour a label, white where a function is silent.

    Rows are grouped by the label most votes are for, functions by the label they mostly say and then by how often; at
    most 1500 rows are drawn, spread evenly over all. raises: ExtraError without matplotlib. O(patterns x functions).

    >>> from consilience.testing import simulate
    >>> figure = plot_matrix(simulate(300, 6, ["ham", "spam"], seed=1).matrix)
    >>> type(figure).__name__
    'Figure'
    """
    patterns = matrix.patterns
    votes, counts = patterns.votes, patterns.counts
    n_symbols = len(matrix.labels.votes)
    columns = _order_of_functions(votes, counts, n_symbols)
    rows = _order_of_rows(votes[:, columns], matrix)
    drawn = _spread(counts[rows])
    m, covered = len(columns), counts[patterns.n_votes > 0].sum() / max(counts.sum(), 1)
    figure = _figure(min(max(3.0 + 0.2 * m, 6.0), 16.0), 6.0)
    axes = figure.subplots()
    picture = np.array([_rgb("#ffffff"), *(_rgb(_colour(code)) for code in range(n_symbols))])
    if m and len(drawn):
        cells = picture[votes[rows][drawn][:, columns].astype(int) + 1]
        axes.imshow(cells, aspect="auto", interpolation="nearest", extent=(-0.5, m - 0.5, 100.0, 0.0))
    for place in range(1, m):
        axes.axvline(place - 0.5, color="#dddddd", linewidth=0.4 if m <= NAMED else 0.1)
    axes.set_ylabel("rows with votes, %")
    axes.tick_params(axis="y", labelsize=8)
    _name_columns(axes, [matrix.names[j] for j in columns])
    _legend(figure, [(name, _colour(code)) for code, name in enumerate(matrix.labels.votes)])
    bare = f"; {1 - covered:.1%} of the rows have no vote and are not drawn" if covered < 1 else ""
    unnamed = ["too many functions to name"] if m > NAMED else []
    _finish(figure, "Votes", [f"{matrix.n_rows:,} rows x {m} functions{bare}", *unnamed])
    return figure


def plot_accuracies(
    model: BaseLabelModel, intervals: Intervals | None = None, matrix: LabelMatrix | None = None
) -> Figure:
    """Learned accuracy of each function, best on top, with intervals if given, and beside it that on gold.

    intervals: from `intervals(model, ...)`. matrix: with gold, for accuracies on it (Wilson's interval). Of more than
    60 functions, those with most votes are drawn. raises: ModelError if the model is not fitted.
    """
    model._check_fitted()
    names, learned = model.function_names_, model.accuracies_
    voiced = np.flatnonzero(~np.isnan(learned))
    weight = _how_often(model, intervals, matrix)
    kept = voiced[np.argsort(-weight[voiced], kind="stable")][:LISTED]
    kept = kept[np.argsort(learned[kept], kind="stable")]
    place = np.arange(len(kept))
    figure = _figure(7.5, max(2.6, 1.3 + 0.23 * len(kept)))
    axes = figure.subplots()
    axes.axvline(1 / len(model.labels_), color=FAINT, linestyle=":", linewidth=1.2, label="chance")
    scored = None if matrix is None or not matrix.n_gold else [_on_gold(matrix, int(j)) for j in kept]
    lift = 0.0 if scored is None else 0.16
    if intervals is not None:
        low, high = intervals.accuracies[kept, 1], intervals.accuracies[kept, 2]
        axes.hlines(place + lift, low, high, color=FIRST, linewidth=3, alpha=0.45)
    axes.plot(learned[kept], place + lift, "o", color=FIRST, markersize=5, label=model.accuracy_means)
    if scored is not None:
        ends = np.array([[s.value, s.low, s.high] for s in scored]).reshape(-1, 3)
        axes.hlines(place - lift, ends[:, 1], ends[:, 2], color=SECOND, linewidth=1.2)
        axes.plot(ends[:, 0], place - lift, "D", color="white", markeredgecolor=SECOND, markersize=4.5, label="on gold")
    axes.set_yticks(place, labels=[_cut(names[j]) for j in kept], **_text(8))
    axes.set_ylim(-0.8, max(len(kept) - 0.2, 0.8))
    axes.set_xlim(right=1.02)
    axes.set_xlabel("share of its votes that is right")
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="#e6e6e6")
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    left_out = len(voiced) - len(kept)
    notes = [f"the {len(kept)} functions with most votes of {len(voiced)} are drawn"] if left_out else []
    silent = len(names) - len(voiced)
    notes += [f"{silent} functions never vote"] if silent else []
    notes += [f"bars: {intervals.level:.0%} intervals of {intervals.repeats} draws"] if intervals is not None else []
    _finish(figure, "Accuracies", notes)
    return figure


def plot_calibration(model: BaseLabelModel, matrix: LabelMatrix) -> Figure:
    """Whether probabilities mean what they say: how often they come true, above how many rows have them.

    On rows with gold, if the matrix has any; else on votes the model can predict (see votes_check).
    """
    model._check(matrix)
    rows = matrix.covered & (matrix.gold >= 0)
    if rows.any():
        proba, gold = model.predict_proba(matrix)[rows], matrix.gold[rows].astype(np.int64)
        bins = reliability(proba, gold, bins=int(np.clip(len(gold) // 25, 4, 15)))
        spread = reliability(proba, gold, bins=SLOTS, how="equal width")
        said, truth, what = "probability of the most probable label", "how often it is right", "rows"
        notes = [f"{len(gold):,} rows with votes and gold; bars: 95% intervals"]
    else:
        check = votes_check(model, matrix)
        bins, spread = check.bins, check.spread
        said, truth, what = "predicted agreement with the others", "observed agreement", "votes"
        notes = ["no gold: what follows is of votes that the model can predict", *check.view().notes[:1]]
    figure = _figure(5.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="as the model says")
    _draw_bins(above, bins)
    below.bar([b.confidence for b in spread], [b.weight for b in spread], width=0.7 / SLOTS, color=FIRST)
    for axes in (above, below):
        axes.grid(color="#e6e6e6")
        axes.tick_params(labelsize=8)
        axes.set_axisbelow(True)
    above.set_ylabel(truth)
    above.legend(loc="upper left", fontsize=8, frameon=False)
    below.set_xlabel(said)
    below.set_ylabel(what)
    error = calibration_error(bins)
    title = "Calibration: nothing to check" if np.isnan(error) else f"Calibration: off by {error:.3f} on average"
    _finish(figure, title, notes)
    return figure


def _draw_bins(axes: Axes, bins: list[Bin]) -> None:
    """Points with intervals."""
    sure = np.array([b.confidence for b in bins])
    share = np.array([b.accuracy for b in bins]).reshape(-1, 3)
    axes.plot(sure, share[:, 0], color=FIRST, linewidth=0.8, alpha=0.5)
    axes.vlines(sure, share[:, 1], share[:, 2], color=FIRST, linewidth=1.5)
    axes.plot(sure, share[:, 0], "o", color=FIRST, markersize=5)
    left = min(0.5, max(0.0, float(sure.min()) - 0.05)) if len(sure) else 0.0
    axes.set(xlim=(left, 1.01), ylim=(min(left, float(share[:, 1].min(initial=left))) - 0.01, 1.02))


def plot_dependencies(pairs: Mapping[tuple[int, int], float] | npt.ArrayLike, names: Sequence[str]) -> Figure:
    """Which functions depend on each other: a circle of functions, a line a pair, as thick as the pair is strong.

    pairs: strength by pair of places, or an (m, m) matrix of strengths (0: none). Those below 0 (who contradict each
    other) are dashed and in another colour. Functions without a pair are left out; at most the 120 strongest pairs are
    drawn. raises: ModelError for places that are no function's.

    >>> figure = plot_dependencies({(0, 1): 5.0, (1, 2): -1.0}, ["a", "b", "c"])
    """
    strengths = _as_pairs(pairs, len(names))
    ranked = sorted(strengths.items(), key=lambda item: -abs(item[1]))
    drawn: list[tuple[tuple[int, int], float]] = []
    seen: set[int] = set()
    for pair, strength in ranked[:EDGES]:
        if len(seen | set(pair)) <= NODES:
            drawn.append((pair, strength))
            seen |= set(pair)
    order = _round_the_circle(sorted(seen), dict(drawn))
    letters = 0.15 * max((len(_cut(names[j], 22)) for j in order), default=0)  # inches that names take on both sides
    size = 4.0 + 0.05 * len(order) + letters
    figure = _figure(size, size + 0.5)
    axes = figure.subplots()
    angle = {j: 2 * np.pi * place / max(len(order), 1) for place, j in enumerate(order)}
    strongest = max((abs(strength) for _, strength in drawn), default=1.0)
    for (i, j), strength in reversed(drawn):  # the strongest on top
        _draw_edge(axes, angle[i], angle[j], strength / strongest)
    for j in order:
        _draw_node(axes, angle[j], _cut(names[j], 22), len(order))
    reach = 1.08 / (1 - letters / size)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_axis_off()
    joined = len({j for pair in strengths for j in pair})
    notes = [f"{joined} of {len(names)} functions depend on another; strongest {strongest:.3g}"] if drawn else []
    notes += ["no function depends on another"] if not drawn else []
    notes += [f"the {len(drawn)} strongest of {len(ranked)} pairs are drawn"] if len(drawn) < len(ranked) else []
    notes += ["dashed: they contradict each other"] if any(strength < 0 for _, strength in drawn) else []
    _finish(figure, "Dependencies", notes)
    return figure


def plot_confusions(model: BaseLabelModel) -> Figure:
    """What each function says of rows of each label, in percent: one table a function, of those that say most.

    For models with tables (Dawid-Skene and its kin). Darker is more often, within a table; silence is the rest of 100%.
    raises: ModelError for a model without tables.
    """
    model._check_fitted()
    theta = getattr(getattr(model, "chosen_", model), "theta_", None)
    k = len(model.labels_)
    if theta is None or np.ndim(theta) != 3 or np.shape(theta)[1] != k:
        raise ModelError(
            f"A {type(getattr(model, 'chosen_', model)).__name__} has no tables to draw.\nFix: fit a DawidSkene."
        )
    says = theta[:, :, 1:]
    spoken = (model.class_balance_ @ says).sum(axis=1)
    kept = np.sort(np.argsort(-spoken, kind="stable")[:TABLES])
    down = max(round(np.sqrt(len(kept) / 1.6)), 1)
    across = max(-(-len(kept) // down), 1)
    cell = 0.5 if k <= 3 else 0.34 if k <= NUMBERED else 0.17
    wide, high = max(1.5, cell * says.shape[2] + 0.8), max(1.15, cell * k * 0.8 + 0.75)
    figure = _figure(max(across * wide + 0.8, 4.5), max(down * high + 0.9, 2.4))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(kept) :]:
        axes.set_axis_off()
    for place, (axes, j) in enumerate(zip(grid, kept, strict=False)):
        _draw_table(axes, says[j], model, int(j), first=place % across == 0, last=place + across >= len(kept))
    left_out = len(theta) - len(kept)
    notes = ["down: the row's label; across: what the function says"]
    notes[0] += "; in % of the rows of that label, if 0.5% or more" if k <= NUMBERED else ""
    notes += [f"the {len(kept)} functions that say most of {len(theta)} are drawn"] if left_out else []
    _finish(figure, "What functions say of rows of each label", notes)
    return figure


def plot_conflicts(matrix: LabelMatrix) -> Figure:
    """How functions stand to each other: above the diagonal on how many rows they contradict, below on how many agree.

    In percent of all rows. Of more than 40 functions, those with most conflicts are drawn, ordered by the label they
    mostly say. raises: ExtraError without matplotlib. O(patterns x functions^2).

    >>> from consilience.testing import simulate
    >>> figure = plot_conflicts(simulate(300, 6, ["ham", "spam"], seed=1).matrix)
    """
    found = agreement(matrix)
    against = found.disagree
    patterns = matrix.patterns
    kept = np.sort(np.argsort(-against.sum(axis=1), kind="stable")[:PAIRED])
    order = kept[_order_of_functions(patterns.votes[:, kept], patterns.counts, len(matrix.labels.votes))]
    m = len(order)
    n, some = max(matrix.n_rows, 1), np.ix_(order, order)
    upper, lower = np.triu(np.ones((m, m), bool), 1), np.tril(np.ones((m, m), bool), -1)
    drawn = ((upper, against[some] / n, "Oranges"), (lower, found.agree[some] / n, "Blues"))
    most = max(float(shares[part].max(initial=0.0)) for part, shares, _ in drawn) or 1.0
    size = min(max(3.4 + 0.32 * m, 4.5), 15.0)
    figure = _figure(size + 0.8, size)
    axes = figure.subplots()
    for part, shares, colours in drawn:
        axes.imshow(np.ma.masked_where(~part, shares), cmap=colours, vmin=0, vmax=1.15 * most)
        for y, x in np.argwhere(part) if m <= WRITTEN_IN else ():
            share = shares[y, x]
            dark = share > 0.6 * most
            shown = f"{100 * share:.0f}" if share >= LEAST_SHOWN else ""
            axes.text(x, y, shown, ha="center", va="center", fontsize=7, color="white" if dark else INK)
    _name_columns(axes, [matrix.names[j] for j in order])
    axes.set_yticks(range(m), labels=[_cut(matrix.names[j]) for j in order], **_text(8))
    axes.tick_params(axis="y", length=0)
    notes = ["above the diagonal: on how many of all rows two contradict each other, in %; below: agree"]
    notes += (
        [f"the {m} functions with most conflicts of {len(matrix.names)} are drawn"] if m < len(matrix.names) else []
    )
    _finish(figure, "Conflicts", notes)
    return figure


# parts of pictures


def _draw_table(axes: Axes, table: Floats, model: BaseLabelModel, j: int, *, first: bool, last: bool) -> None:
    k, s = table.shape
    axes.imshow(table / max(table.max(), 1e-9), cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    if k <= NUMBERED:
        for (y, x), share in np.ndenumerate(table):
            dark = share > 0.6 * table.max()
            shown = f"{100 * share:.0f}" if share >= LEAST_SHOWN else ""
            axes.text(x, y, shown, ha="center", va="center", fontsize=7, color="white" if dark else INK)
    accuracy = model.accuracies_[j]
    right = "" if np.isnan(accuracy) else f" {accuracy:.2f}"
    axes.set_title(_cut(model.function_names_[j], 16) + right, **_text(8))
    labels = [_cut(name, 10) for name in model.labels_.votes[:s]]
    axes.set_yticks(range(k), labels=labels[:k] if first else [""] * k, **_text(7))
    axes.set_xticks(range(s), labels=labels if last else [""] * s, **_text(7), rotation=90)
    axes.tick_params(length=0)


def _draw_edge(axes: Axes, start: float, end: float, strength: float) -> None:
    """A curve through the circle, the flatter the farther apart its ends are."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    a, b = np.array([np.cos(start), np.sin(start)]), np.array([np.cos(end), np.sin(end)])
    apart = float(np.linalg.norm(a - b)) / 2
    middle = (a + b) / 2 * (0.85 - 0.5 * apart)
    style = {"edgecolor": FIRST if strength > 0 else SECOND, "linestyle": "-" if strength > 0 else "--"}
    width = 0.6 + 4.4 * abs(strength)
    curve = Path([a, middle, b], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    axes.add_patch(PathPatch(curve, facecolor="none", linewidth=width, alpha=0.35 + 0.5 * abs(strength), **style))


def _draw_node(axes: Axes, angle: float, name: str, n: int) -> None:
    x, y = np.cos(angle), np.sin(angle)
    axes.plot([x], [y], "o", color=INK, markersize=5)
    left = x < -1e-9
    turned = np.degrees(angle) + (180 if left else 0)
    size = 9 if n <= 30 else 7
    where = {"ha": "right" if left else "left", "va": "center", "rotation": turned, "rotation_mode": "anchor"}
    axes.text(1.06 * x, 1.06 * y, name, **where, **_text(size))


def _order_of_functions(votes: npt.NDArray[Any], counts: npt.NDArray[Any], n_symbols: int) -> npt.NDArray[np.int64]:
    """By the label a function mostly says (those that say several last), then by how often it votes."""
    cast = np.array([[counts[column == code].sum() for code in range(n_symbols)] for column in votes.T])
    cast = cast.reshape(-1, n_symbols)
    total = cast.sum(axis=1)
    mixed = cast.max(axis=1, initial=0) < 0.9 * total
    return np.lexsort((-total, np.where(mixed, n_symbols, cast.argmax(axis=1))))


def _order_of_rows(votes: npt.NDArray[Any], matrix: LabelMatrix) -> npt.NDArray[np.int64]:
    """Patterns with votes: by the label most votes are for, then so that rows of the same functions lie together."""
    tallies = count_votes(votes, matrix.labels.meanings)
    winner = best_class(tallies, np.zeros(tallies.shape[1]))
    share = tallies.max(axis=1) / np.maximum(tallies.sum(axis=1), 1)
    keys = [np.where(column >= 0, column, 10_000) for column in votes.T[::-1]]
    order = np.lexsort((*keys, share < 1, winner))
    return order[(votes[order] >= 0).any(axis=1)]


def _spread(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places of patterns to draw, each as often as its share of the rows demands."""
    ends = np.cumsum(counts)
    if not len(ends):
        return np.empty(0, np.int64)
    n = int(min(ends[-1], LINES))
    return np.searchsorted(ends, (np.arange(n) + 0.5) / n * ends[-1], side="right")


def _how_often(model: BaseLabelModel, intervals: Intervals | None, matrix: LabelMatrix | None) -> Floats:
    """How often each function votes, as far as anything given says. returns: (m,)."""
    if matrix is not None:
        return np.asarray((matrix.votes >= 0).sum(axis=0), np.float64)
    if intervals is not None:
        return intervals.coverage[:, 0]
    theta = getattr(getattr(model, "chosen_", model), "theta_", None)
    return np.ones(len(model.function_names_)) if theta is None else model.class_balance_ @ (1 - theta[:, :, 0]).T


def _on_gold(matrix: LabelMatrix, j: int) -> Any:
    said = (matrix.votes[:, j] >= 0) & (matrix.gold >= 0)
    right = int(matrix.labels.meanings[matrix.votes[said, j], matrix.gold[said]].sum())
    return wilson(right, int(said.sum()))


def _as_pairs(pairs: Mapping[tuple[int, int], float] | npt.ArrayLike, m: int) -> dict[tuple[int, int], float]:
    """Strengths by ordered pair of different places."""
    if not isinstance(pairs, Mapping):
        array = np.asarray(pairs, np.float64)
        if array.shape != (m, m):
            raise ModelError(f"Strengths of shape {array.shape} are not of {m} functions.\nFix: give an (m, m) matrix.")
        pairs = {(int(i), int(j)): float(array[i, j]) for i, j in np.argwhere(np.triu(np.nan_to_num(array), 1) != 0)}
    wrong = [pair for pair in pairs if not (min(pair) >= 0 and max(pair) < m and pair[0] != pair[1])]
    if wrong:
        raise ModelError(f"The pair {wrong[0]} is not of two of {m} functions.\nFix: give pairs of places below {m}.")
    return {(min(pair), max(pair)): float(strength) for pair, strength in pairs.items() if strength}


def _round_the_circle(nodes: list[int], pairs: dict[tuple[int, int], float]) -> list[int]:
    """Nodes such that the strongly joined are near: each next one is the one most joined to the last few."""
    left, order = list(nodes), list[int]()
    strength = {j: sum(abs(s) for pair, s in pairs.items() if j in pair) for j in nodes}
    while left:
        near = order[-3:]
        pull = {j: sum(abs(pairs.get((min(i, j), max(i, j)), 0.0)) for i in near) for j in left}
        order.append(max(left, key=lambda j: (pull[j], strength[j], -j)))
        left.remove(order[-1])
    return order


# what all share


def _figure(width: float, height: float) -> Figure:
    """An empty figure that belongs to nobody else."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ExtraError(
            "Pictures need matplotlib, which is not installed.\nFix: pip install 'consilience[plots]'."
        ) from None
    return Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")


def _finish(figure: Figure, title: str, notes: Sequence[str]) -> None:
    """Title on the left above, notes below."""
    for axes in figure.axes:
        axes.xaxis.label.set_fontsize(9)
        axes.yaxis.label.set_fontsize(9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    width = int(figure.get_size_inches()[0] * 15)
    lines = [line for note in notes for line in textwrap.wrap(_printable(visible(note)), width)]
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", color="#555555", **_text(8))


def _name_columns(axes: Axes, names: list[str]) -> None:
    """Names of functions below a picture, if there is room."""
    if len(names) > NAMED:
        axes.set_xlabel(f"{len(names)} functions")
        axes.set_xticks([])
        return
    size = 8 if len(names) <= 40 else 6
    axes.set_xticks(range(len(names)), labels=[_cut(name) for name in names], **_text(size), rotation=90)
    axes.tick_params(axis="x", length=0)


def _legend(figure: Figure, entries: list[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label="label") for _, colour in entries]  # a label with _ in front would be dropped
    columns = max(1, int(figure.get_size_inches()[0] / 1.3))
    legend = figure.legend(handles=handles, loc="outside upper right", ncols=columns, fontsize=8, frameon=False)
    for text, (name, _) in zip(legend.get_texts(), entries, strict=True):
        text.set(text=_cut(name, 14), **_text(8))


def _colour(code: int) -> str:
    """Colour of a label, as in tables of votes; beyond the palette lighter."""
    red, green, blue = _rgb(PALETTE[code % len(PALETTE)])
    paler = min(0.5 * (code // len(PALETTE)), 0.8)
    return "#" + "".join(f"{round(255 * (part + (1 - part) * paler)):02x}" for part in (red, green, blue))


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _cut(name: str, limit: int = 26) -> str:
    """A name on one line, no longer than the limit, of characters some font here can draw."""
    flat = _printable(visible(" ".join(name.split())))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _printable(text: str) -> str:
    known = _fonts()[1]
    return "".join(c if ord(c) in known or c == "\n" else "□" for c in text)


def _text(size: float) -> dict[str, Any]:
    """How names are drawn: dollars mean nothing, and other fonts help out."""
    return {"fontsize": size, "parse_math": False, "fontfamily": _fonts()[0]}


@lru_cache(maxsize=1)
def _fonts() -> tuple[list[str], frozenset[int]]:
    """Families to draw text with, and the characters they have between them."""
    from matplotlib.font_manager import fontManager, get_font

    found: dict[str, str] = {}
    for entry in fontManager.ttflist:
        if entry.name in ("DejaVu Sans", *FALLBACK_FONTS) and entry.style == "normal":
            found.setdefault(entry.name, entry.fname)
    families = [name for name in ("DejaVu Sans", *FALLBACK_FONTS) if name in found]
    return families, frozenset(code for name in families for code in get_font(found[name]).get_charmap())
