"""Pictures: what is drawn is what was given, any names and sizes are fine, and nothing global is touched."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote
from consilience.errors import ExtraError, ModelError
from consilience.label_models import plots
from consilience.label_models.plots import (
    plot_accuracies,
    plot_calibration,
    plot_conflicts,
    plot_confusions,
    plot_dependencies,
    plot_matrix,
)
from consilience.label_models.uncertainty import intervals
from consilience.testing import simulate
from consilience.views import PALETTE

NAMES = ["$x_1$ & $", "日本語の関数", "مرحبا", "😀 emoji", "_under", "a" * 80, "tab\tnew\nline", "\x1b[31mred"]
MADE = simulate(400, 8, ["spam $", "häm", "非"], coverage=(0.4, 0.8), seed=1)
ODD = LabelMatrix.from_votes(MADE.matrix.votes, ["spam $", "häm", "非"], names=NAMES)
SCORED = ODD.with_gold(MADE.truth.astype(np.int16))
MODEL = DawidSkene().fit(ODD)


def drawn(figure):
    """All text of a figure, after it was laid out (a warning, as of a letter no font has, would be an error)."""
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))]


def test_every_picture_takes_any_names():
    for figure in (
        plot_matrix(SCORED),
        plot_conflicts(ODD),
        plot_accuracies(MODEL, intervals(MODEL, ODD, repeats=3), SCORED),
        plot_calibration(MODEL, SCORED),
        plot_calibration(MODEL, ODD),
        plot_confusions(MODEL),
        plot_dependencies({(0, 1): 3.0, (2, 3): -2.0, (4, 5): 1.0, (6, 7): 0.5}, NAMES),
    ):
        words = drawn(figure)
        assert not [word for word in words if len(word) > 120 or "\x1b" in word]
    assert "$x_1$ & $" in drawn(plot_matrix(ODD)) and "_under" in drawn(plot_accuracies(MODEL))


@settings(max_examples=4, deadline=None)
@given(vote_matrices(max_rows=6, max_functions=4), st.sampled_from([MajorityVote, DawidSkene]))
def test_any_votes_can_be_drawn(made, make):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = make().fit(matrix)
    for figure in (
        plot_matrix(matrix),
        plot_conflicts(matrix),
        plot_accuracies(model, None, matrix),
        plot_calibration(model, matrix),
    ):
        drawn(figure)


def test_cells_have_the_colours_of_their_labels_in_proportion():
    votes = np.repeat([[0, -1], [1, 1], [-1, -1]], [60, 40, 100], axis=0)  # who says both labels is drawn last
    (axes, *_) = plot_matrix(LabelMatrix.from_votes(votes, ["a", "b"])).axes
    cells = axes.images[0].get_array()
    assert cells.shape == (100, 2, 3)  # rows without votes are left out
    as_hex = ["#" + "".join(f"{round(255 * part):02x}" for part in cell) for cell in cells[:, 1]]
    assert as_hex.count(PALETTE[0]) == 60 and as_hex.count(PALETTE[1]) == 40


def test_a_million_rows_are_drawn_by_a_sample():
    matrix = LabelMatrix.from_counts([[0, 0], [1, -1], [0, 1]], [900_000_000, 3, 100_000_000], ["a", "b"])
    (axes, *_) = plot_matrix(matrix).axes
    assert len(axes.images[0].get_array()) == plots.LINES


def test_functions_are_ordered_by_label_then_by_how_often_they_vote():
    votes = np.array([[1, 0, 0, 0], [1, -1, 0, 1], [-1, -1, 0, 0], [1, -1, -1, 1]])
    (axes, *_) = plot_matrix(LabelMatrix.from_votes(votes, ["a", "b"], names=["b3", "a1", "a3", "both"])).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a3", "a1", "b3", "both"]


def test_more_labels_than_colours_stay_apart():
    colours = [plots._colour(code) for code in range(12)]
    assert len(set(colours)) == 12 and colours[:8] == list(PALETTE)


def test_conflicts_are_numbers_above_the_diagonal_and_agreement_below():
    matrix = LabelMatrix.from_votes([[0, 1], [0, 0], [0, 0], [0, -1]], ["x", "y"], names=["a", "b"])
    words = drawn(plot_conflicts(matrix))
    assert "25" in words and "50" in words
    many = simulate(200, 60, ["x", "y"], seed=0).matrix
    assert any(
        "40 functions with most conflicts of 60" in word.replace("\n", " ") for word in drawn(plot_conflicts(many))
    )


def test_accuracies_are_drawn_where_they_are():
    figure = plot_accuracies(MODEL, intervals(MODEL, ODD, repeats=3), SCORED)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert np.allclose(lines["learned accuracy"].get_xdata(), np.sort(MODEL.accuracies_))
    order = np.argsort(MODEL.accuracies_, kind="stable")
    said = [(ODD.votes[:, j] >= 0) for j in order]
    on_gold = [(ODD.votes[mask, j] == MADE.truth[mask]).mean() for mask, j in zip(said, order, strict=True)]
    assert np.allclose(lines["on gold"].get_xdata(), on_gold)
    assert np.allclose(lines["chance"].get_xdata(), 1 / 3)


def test_two_hundred_functions_are_summarised_with_a_note():
    made = simulate(600, 200, class_names(9), coverage=(0.02, 0.1), seed=1)
    model = DawidSkene().fit(made.matrix)
    words = " ".join(drawn(plot_matrix(made.matrix)))
    assert "too many functions to name" in words and "200 functions" in words
    assert "the 60 functions with most votes of 200 are drawn" in " ".join(
        drawn(plot_accuracies(model, None, made.matrix))
    )
    assert "the 24 functions that say most of 200 are drawn" in " ".join(drawn(plot_confusions(model)))
    strengths = np.triu(np.random.default_rng(0).exponential(1, (200, 200)), 1)
    figure = plot_dependencies(strengths, made.matrix.names)
    assert "strongest of 19900 pairs are drawn" in " ".join(drawn(figure)) and max(figure.get_size_inches()) < 12


def test_functions_that_never_vote_are_counted():
    matrix = LabelMatrix.from_votes([[0, -1], [1, -1]] * 5, ["a", "b"])
    words = drawn(plot_accuracies(DawidSkene().fit(matrix)))
    assert "1 functions never vote" in " ".join(words) and "f1" not in words


def test_calibration_says_what_it_was_checked_on():
    covered = int(ODD.covered.sum())
    assert f"{covered} rows with votes and gold" in " ".join(drawn(plot_calibration(MODEL, SCORED)))
    assert "votes of 8 of 8 functions" in " ".join(drawn(plot_calibration(MODEL, ODD)))


def test_lines_are_as_thick_as_pairs_are_strong_and_contradictions_are_dashed():
    figure = plot_dependencies({(0, 1): 4.0, (2, 1): -2.0}, ["a", "b", "c", "d"])
    weak, strong = figure.axes[0].patches
    assert strong.get_linewidth() > weak.get_linewidth() and weak.get_linestyle() == "--"
    words = drawn(figure)
    assert "d" not in words and "3 of 4 functions depend on another; strongest 4" in " ".join(words)
    assert "no function depends on another" in drawn(plot_dependencies({}, ["a"]))
    square = np.zeros((4, 4))
    square[0, 1] = 4.0
    assert len(plot_dependencies(square, ["a", "b", "c", "d"]).axes[0].patches) == 1


@pytest.mark.parametrize("pairs", [{(0, 9): 1.0}, {(1, 1): 1.0}, np.zeros((3, 3))])
def test_pairs_of_no_functions_are_refused(pairs):
    with pytest.raises(ModelError, match=r"\nFix: give"):
        plot_dependencies(pairs, ["a", "b"])


def test_tables_hold_percents_and_groups():
    groups = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    votes = np.random.default_rng(0).integers(-1, 4, (300, 3))
    model = DawidSkene().fit(LabelMatrix.from_votes(votes, groups))
    words = drawn(plot_confusions(model))
    assert "animal" in words and f"{100 * model.theta_[0, 0, 1]:.0f}" in words
    with pytest.raises(ModelError, match=r"A MajorityVote has no tables to draw.\nFix"):
        plot_confusions(MajorityVote().fit(ODD))
    made = simulate(5000, 8, ["a", "b"], coverage=(0.4, 0.8), seed=1)
    chosen = LabelModel().fit(made.matrix)
    assert isinstance(chosen.chosen_, DawidSkene) and drawn(plot_confusions(chosen))


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraError, match=r"Pictures need matplotlib.*\nFix: pip install 'consilience\[plots\]'"):
        plot_matrix(ODD)


def test_pyplot_and_matplotlib_stay_where_they_are():
    code = (
        "import sys\nimport consilience.label_models.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from consilience import LabelMatrix\n"
        "plots.plot_matrix(LabelMatrix.from_votes([[0, 1]], ['a', 'b']))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
