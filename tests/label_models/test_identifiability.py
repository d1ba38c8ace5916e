"""Warnings: each is given where its reason is, none where votes follow the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from tests.strategies import class_names, vote_matrices

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote
from consilience.label_models.base import gather
from consilience.label_models.identifiability import warnings_of
from consilience.labeling.matrix import FunctionInfo
from consilience.testing import simulate


def warned(votes, labels, model=None, gold=None):
    matrix = LabelMatrix.from_votes(votes, labels)
    return warnings_of(gather(matrix, gold), matrix.names, model and model.fit(matrix))


def only(warnings, words):
    """The one warning that says these words."""
    (found,) = [line for line in warnings if words in line]
    assert "Fix: " in found and "\n" not in found
    return found


@settings(max_examples=40)
@given(vote_matrices())
def test_any_votes_can_be_asked_about(made):
    votes, k = made
    for model in (None, MajorityVote(), DawidSkene()):
        for line in warned(votes, class_names(k), model):
            assert ". Fix: " in line and line[-1] == "."


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [{}, {"balance": [0.85, 0.15]}, {"class_dependent": True}])
def test_votes_that_follow_the_model_give_no_warning(options, seed):
    made = simulate(3000, 8, ["a", "b"], seed=seed, **options)
    names = made.matrix.labels.decode(made.truth.tolist())
    gold = [name if place < 300 else None for place, name in enumerate(names)]
    for some in (None, gold):
        evidence = gather(made.matrix, some)
        assert warnings_of(evidence, made.matrix.names, DawidSkene().fit(made.matrix)) == []


def test_two_functions_are_too_few_and_three_are_not():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, (100, 3))
    assert "Only 2 functions" in only(warned(votes[:, :2], ["a", "b"]), "three are needed")
    assert not [line for line in warned(votes, ["a", "b"]) if "three are needed" in line]
    known = [["a", "b"][vote] for vote in votes[:, 0]]
    assert warned(votes[:, :2], ["a", "b"], gold=known) == []


def test_functions_that_never_meet_are_named_by_group():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, (200, 6))
    votes[:100, :3] = votes[100:, 3:] = -1
    line = only(warned(votes, ["a", "b"]), "2 groups")
    assert "f0, f1, f2; f3, f4, f5" in line or "f3, f4, f5; f0, f1, f2" in line
    votes[:, 5] = -1
    votes[:3, 5] = 1
    assert "f5 votes where hardly any other" in only(warned(votes, ["a", "b"]), "assumed, not learned")


def test_labels_nobody_votes_for_are_named_but_not_those_of_groups():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, (100, 4))
    assert "No function ever votes for c." in only(warned(votes, ["a", "b", "c"]), "No function ever votes")
    assert "All votes are for 'a'" in only(warned(np.minimum(votes, 0), ["a", "b"]), "All votes are for")
    groups = Labels("a", "b", "c", groups={"not a": ["b", "c"]})
    assert not [line for line in warned(np.where(votes == 1, 3, 0), groups) if "No function" in line]


def test_functions_that_say_the_same_of_the_same_rows_are_named():
    rng = np.random.default_rng(0)
    votes = rng.integers(-1, 2, (300, 5))
    votes[:, 4] = votes[:, 0]
    votes[:2, 4] = 1
    assert "f0 and f4" in only(warned(votes, ["a", "b"]), "Nearly the same votes")


def test_functions_of_one_kind_may_be_wrong_together():
    matrix = LabelMatrix.from_votes(np.random.default_rng(0).integers(-1, 2, (100, 3)), ["a", "b"])
    infos = [FunctionInfo(name, "keywords") for name in matrix.names]
    line = only(warnings_of(gather(matrix, None), infos), "of one kind")
    assert "All 3 functions are of one kind (keywords)" in line
    infos[0] = FunctionInfo("f0", "pattern")
    assert warnings_of(gather(matrix, None), infos) == []


# fitted models


def test_a_model_that_has_swapped_labels_is_found_out_unless_gold_says_so():
    made = simulate(1000, 6, ["a", "b"], accuracy=(0.8, 0.9), coverage=(0.6, 0.9), seed=1)
    model = DawidSkene().fit(made.matrix)
    model.theta_, model.prior_ = model.theta_[:, ::-1], model.prior_[::-1]
    model.class_balance_, model.accuracies_ = model.class_balance_[::-1], 1 - model.accuracies_
    found = warnings_of(gather(made.matrix, None), made.matrix.names, model)
    assert "cast 100% of the votes to be right less often than chance" in only(found, "less often than chance")
    assert "What the model calls 'a' fits votes for 'b' better" in only(found, "swapped them")
    names = [["a", "b"][1 - y] for y in made.truth]
    assert warnings_of(gather(made.matrix, names), made.matrix.names, model) == []


def test_labels_that_votes_hardly_tell_apart_may_be_swapped():
    made = simulate(2000, 6, ["a", "b"], coverage=(0.6, 0.9), seed=1)
    model = DawidSkene().fit(made.matrix)
    says = np.where(np.arange(6)[:, None, None] % 2 == 0, [[0.8, 0.2], [0.2, 0.8]], [[0.22, 0.78], [0.78, 0.22]])
    model.theta_ = np.concatenate([np.full((6, 2, 1), 0.3), 0.7 * says], axis=2)
    found = warnings_of(gather(made.matrix, None), made.matrix.names, model)
    assert "hardly better than chance" in only(found, "as well with 'a' and 'b' swapped")


def test_a_label_the_model_gives_up_is_named():
    made = simulate(2000, 6, ["a", "b"], coverage=(0.6, 0.9), seed=1)
    found = warnings_of(
        gather(made.matrix, None), made.matrix.names, DawidSkene().fit(made.matrix, class_balance=[1 - 1e-12, 1e-12])
    )
    assert "'b' has" in only(found, "it may have collapsed")


def test_gold_that_contradicts_learned_accuracies_names_the_farthest_off():
    made = simulate(3000, 6, ["a", "b"], copies=2, coverage=(0.6, 0.9), accuracy=(0.6, 0.8), seed=1)
    model = DawidSkene().fit(made.matrix)
    names = made.matrix.labels.decode(made.truth.tolist())
    gold = [name if place < 500 else None for place, name in enumerate(names)]
    line = only(warnings_of(gather(made.matrix, gold), made.matrix.names, model), "Gold contradicts")
    off = np.abs(model.accuracies_ - made.accuracies)
    assert f"f{off.argmax()} (" in line and "gold=" in line


def test_label_model_is_asked_like_any_other():
    made = simulate(500, 4, ["a", "b", "c"], seed=1)
    assert isinstance(warnings_of(gather(made.matrix, None), made.matrix.names, LabelModel().fit(made.matrix)), list)
