"""Why a row has its label: parts that add up, agree with the formula in loops, and say names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reference.trust import log_joint
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote
from consilience.errors import DataError, ModelError
from consilience.label_models.calibration import Calibrated
from consilience.label_models.explain import contributions
from consilience.testing import simulate

MADE = simulate(800, 6, ["ham", "spam"], coverage=(0.4, 0.8), seed=2)


@given(vote_matrices())
def test_exact_parts_agree_with_loops_and_add_up(made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = DawidSkene().fit(matrix)
    found = contributions(model, matrix.votes)
    assert found.exact and np.allclose(found.parts.sum(axis=1) + found.rest, found.total)
    assert np.allclose(found.proba, model.predict_proba(matrix))
    theta, prior = model.theta_, model.prior_
    for i, row in enumerate(votes.tolist()):
        first, second = found.winner[i], found.runner_up[i]
        joint = log_joint(row, theta, prior)
        assert joint[first] == pytest.approx(max(joint))
        assert found.total[i] == pytest.approx(joint[first] - joint[second])
        for j, vote in enumerate(row):
            part = np.log(theta[j][first][vote + 1]) - np.log(theta[j][second][vote + 1])
            assert found.parts[i, j] == pytest.approx(part)
        if k > 1:
            assert first != second and joint[second] == pytest.approx(sorted(joint)[-2])


@given(vote_matrices(), st.sampled_from([MajorityVote, LabelModel, Calibrated]))
def test_parts_and_the_rest_always_make_the_total_and_the_winner_is_the_label(made, make):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    model = make().fit(matrix)
    found = contributions(model, matrix.votes)
    assert np.isfinite(found.parts).all() and np.allclose(found.parts.sum(axis=1) + found.rest, found.total)
    assert (found.total >= -1e-6).all()
    covered = matrix.covered
    assert (found.winner == model.predict_codes(matrix))[covered].all()


def test_a_vote_taken_away_counts_by_what_is_lost():
    matrix = LabelMatrix.from_votes([[0, 0, 1], [0, 1, -1]] * 5, ["a", "b"])
    found = contributions(MajorityVote().fit(matrix), matrix.votes[:1])
    assert not found.exact
    # two to one: without one of the two it would be one to one; without the third, all for a (a share of 0 is .001)
    assert np.allclose(found.parts[0], [np.log(2), np.log(2), np.log(2) - np.log(1000)])


def test_a_model_of_tables_that_answers_otherwise_is_not_taken_for_a_sum(monkeypatch):
    model = DawidSkene().fit(MADE.matrix)
    monkeypatch.setattr(model, "_proba", lambda votes: np.tile([0.6, 0.4], (len(votes), 1)))
    found = contributions(model, MADE.matrix.votes[:5])
    assert not found.exact and np.allclose(found.parts, 0)


def test_scaled_parts_add_up_and_rows_without_votes_are_left_alone():
    made = simulate(800, 6, ["ham", "spam"], coverage=(0.4, 0.8), copies=2, seed=2)
    names = made.matrix.labels.decode(made.truth.tolist())
    for method, exact in (("temperature", True), ("bias", True), ("vector", False)):
        model = Calibrated(DawidSkene(), method=method).fit(made.matrix, gold=names)
        assert model.power_[0] != 1
        votes = np.vstack([made.matrix.patterns.votes[:30], np.full((1, 6), -1)])
        found = contributions(model, votes)
        assert found.exact is exact and np.allclose(found.parts.sum(axis=1) + found.rest, found.total)
        assert np.allclose(found.proba, model._proba(votes))


def test_votes_for_groups_are_explained_exactly():
    labels = Labels("cat", "dog", "car", groups={"animal": ["cat", "dog"]})
    rng = np.random.default_rng(0)
    matrix = LabelMatrix.from_votes(rng.integers(-1, 4, (300, 5)), labels)
    found = contributions(DawidSkene().fit(matrix), matrix.votes)
    assert found.exact


# shown


def test_the_view_names_functions_labels_silence_prior_and_total():
    matrix = LabelMatrix.from_votes(MADE.matrix.votes, ["ham", "spam"], names=["a", "b", "c", "d", "e", "f"])
    model = DawidSkene().fit(matrix, class_balance=[0.9, 0.1])
    place = int(np.flatnonzero((matrix.votes >= 0).sum(axis=1) == 4)[0])
    view = model.explain(matrix, matrix.ids[place])
    cells = {line[0]: line for line in view.rows}
    assert {name for name in "abcdef" if matrix.votes[place, matrix.column(name)] >= 0} <= set(cells)
    assert cells["prior"][2] == pytest.approx(np.log(9), abs=1e-6) or cells["prior"][2] == pytest.approx(-np.log(9))
    parts = [line[2] for line in view.rows if line[0] != "total"]
    assert sum(parts) == pytest.approx(cells["total"][2])
    said = str(view)
    assert "ham" in said and "spam" in said and "%" in said


def test_silence_that_matters_is_shown_and_the_rest_is_summed():
    made = simulate(4000, 30, ["a", "b"], class_dependent=True, coverage=(0.05, 0.9), seed=1)
    model = DawidSkene().fit(made.matrix)
    view = model.explain(made.matrix, 0)
    silent = [line for line in view.rows if line[1] == "(silent)"]
    assert 1 < len(silent) <= 11 and "others" in silent[-1][0]


def test_a_row_nobody_voted_on_and_one_that_no_single_vote_decides_say_so():
    matrix = LabelMatrix.from_votes([[0, 0, 0], [-1, -1, -1]], ["a", "b"])
    model = MajorityVote().fit(matrix)
    assert "no single vote decides" in str(model.explain(matrix, 0))
    assert "no function voted on this row" in str(model.explain(matrix, 1))


def test_one_label_needs_no_explanation_but_gets_one():
    matrix = LabelMatrix.from_votes([[0, -1]], ["only"])
    for make in (MajorityVote, DawidSkene):
        assert "only 100.0%" in str(make().fit(matrix).explain(matrix, 0))


def test_ids_may_be_given_as_text_and_unknown_ones_are_an_error():
    model = DawidSkene().fit(MADE.matrix)
    assert str(model.explain(MADE.matrix, "7")) == str(model.explain(MADE.matrix, 7))
    with pytest.raises(DataError, match=r"There is no row with the id 'x' among 800.\nFix"):
        model.explain(MADE.matrix, "x")
    with pytest.raises(ModelError, match="has learned nothing yet"):
        DawidSkene().explain(MADE.matrix, 0)


def test_names_cannot_smuggle_markup():
    matrix = LabelMatrix.from_votes([[0, 1], [0, 0]], ["<b>", "x"], names=["<i>f</i>", "g"])
    assert "<i>f" not in DawidSkene().fit(matrix).explain(matrix, 0).html()
