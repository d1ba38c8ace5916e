"""Label models, counts and scores under Snorkel's names."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import consilience as cs
from consilience.compat.snorkel.analysis import Scorer, get_label_buckets, get_label_instances, metric_score
from consilience.compat.snorkel.labeling import LFAnalysis
from consilience.compat.snorkel.labeling.model import LabelModel, MajorityClassVoter, MajorityLabelVoter, RandomVoter
from consilience.compat.snorkel.utils import filter_labels, preds_to_probs, probs_to_preds, to_int_label_array
from consilience.errors import DataError, ModelError, StoreError, VoteError
from consilience.testing import simulate

VOTES = arrays(np.int64, st.tuples(st.integers(0, 8), st.integers(1, 4)), elements=st.integers(-1, 2))


@pytest.fixture(scope="module")
def made():
    return simulate(3000, 8, ["no", "yes"], seed=2)


# the label model


def test_it_says_what_consilience_says(made):
    ours = LabelModel(cardinality=2, verbose=False, device="cpu")
    ours.fit(made.matrix.votes, n_epochs=500, lr=0.01, log_freq=100, seed=3, progress_bar=False)
    own = cs.LabelModel().fit(made.matrix, seed=3)
    covered = made.matrix.covered
    proba = ours.predict_proba(made.matrix.votes)
    assert np.allclose(proba[covered], own.predict_proba(made.matrix)[covered])
    assert np.allclose(proba[~covered], 0.5)
    assert np.allclose(ours.get_weights(), own.accuracies_)
    assert ours.score(made.matrix.votes, made.truth, tie_break_policy="random")["accuracy"] > 0.8


def test_rows_without_votes_abstain_unless_a_balance_was_given(made):
    model = LabelModel()
    model.fit(made.matrix.votes)
    nothing = np.full((2, 8), -1)
    assert model.predict(nothing).tolist() == [-1, -1]
    model.fit(made.matrix.votes, class_balance=[0.2, 0.8])
    assert np.allclose(model.predict_proba(nothing), [0.2, 0.8])
    assert model.predict(nothing).tolist() == [1, 1]
    model.fit(made.matrix.votes, Y_dev=np.array([0, 1, 1, 1, -1]))
    assert np.allclose(model.predict_proba(nothing), [0.25, 0.75])


def test_a_model_of_the_zoo_can_be_used(made):
    model = LabelModel(model=cs.MajorityVote())
    model.fit(made.matrix.votes)
    counted = cs.MajorityVote().fit(made.matrix).predict_proba(made.matrix)
    assert np.allclose(model.predict_proba(made.matrix.votes), counted)


def test_tables_say_how_often_each_function_says_what_in_each_class(made):
    model = LabelModel(model=cs.DawidSkene())
    model.fit(made.matrix.votes)
    tables = model.get_conditional_probs()
    assert tables.shape == (8, 3, 2)
    assert np.allclose(tables.sum(axis=1), 1)
    truth = LFAnalysis(made.matrix.votes).lf_empirical_probs(made.truth, 2)
    assert np.abs(tables - truth).max() < 0.1


@pytest.mark.parametrize("name", ["model.npz", "model.pkl"])
def test_it_is_saved_without_pickle(made, tmp_path, name):
    model = LabelModel()
    model.fit(made.matrix.votes, class_balance=[0.4, 0.6])
    model.save(str(tmp_path / name))
    other = LabelModel(cardinality=3)
    other.load(str(tmp_path / name))
    assert other.cardinality == 2
    assert np.array_equal(other.predict_proba(made.matrix.votes), model.predict_proba(made.matrix.votes))
    assert np.array_equal(other.get_conditional_probs(), model.get_conditional_probs())
    with pytest.raises(StoreError, match="Fix: "):
        MajorityLabelVoter().load(tmp_path / name)


def test_a_pickle_is_never_loaded(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"cardinality": 2}))
    with pytest.raises(StoreError, match="pickles are never loaded"):
        LabelModel().load(tmp_path / "model.pkl")


def test_what_cannot_be_is_an_error(made):
    votes = made.matrix.votes
    for act, error in [
        (lambda: LabelModel().predict(votes), ModelError),
        (lambda: LabelModel(cardinality=1), ModelError),
        (lambda: LabelModel(verbos=True), ModelError),
        (lambda: LabelModel().fit(votes, n_epoch=3), ModelError),
        (lambda: LabelModel().fit(votes + 1), VoteError),
        (lambda: LabelModel().fit(votes / 2), VoteError),
        (lambda: LabelModel().fit(votes[:0]), VoteError),
        (lambda: LabelModel().fit(votes, class_balance=[0.5, 0.6]), ModelError),
        (lambda: LabelModel().fit(votes, Y_dev=np.array([1, 1])), ModelError),
        (lambda: MajorityClassVoter().predict(votes), ModelError),
        (lambda: MajorityClassVoter().fit([1.0]), ModelError),
    ]:
        with pytest.raises(error, match="\nFix: ") as found:
            act()
        assert isinstance(found.value, ValueError)


def test_votes_may_be_floats_of_whole_numbers_and_all_may_abstain(made):
    model = LabelModel()
    model.fit(made.matrix.votes.astype(np.float64))
    assert model.predict_proba(made.matrix.votes).shape == (3000, 2)
    model.fit(np.full((4, 2), -1))
    assert model.predict(np.full((4, 2), -1)).tolist() == [-1] * 4


def test_scores_of_the_sure_rows_alone_are_said_to_be_so(made, caplog):
    with caplog.at_level(logging.WARNING):
        MajorityLabelVoter().score(made.matrix.votes, made.truth, tie_break_policy="random")
        assert not caplog.records
        MajorityLabelVoter().score(made.matrix.votes, made.truth)
    assert "abstain" in caplog.text


@given(VOTES)
def test_the_majority_is_that_of_counting_one_by_one(votes):
    proba = MajorityLabelVoter(cardinality=3).predict_proba(votes)
    for row, shares in zip(votes, proba, strict=True):
        counts = [sum(vote == label for vote in row) for label in range(3)]
        best = [label for label in range(3) if counts[label] == max(counts)]
        assert shares.tolist() == [1 / len(best) if label in best else 0 for label in range(3)]


def test_voters_that_know_nothing_give_distributions(tmp_path):
    assert np.allclose(RandomVoter(cardinality=4).predict_proba(np.zeros((5, 2), int)).sum(axis=1), 1)
    voter = MajorityClassVoter(cardinality=2)
    voter.fit([0.3, 0.7])
    voter.save(tmp_path / "voter")
    other = MajorityClassVoter()
    other.load(tmp_path / "voter")
    assert other.predict(np.zeros((2, 1), int)).tolist() == [1, 1]


# counts


@given(VOTES)
def test_counts_are_those_of_going_row_by_row(votes):
    found, (n, m) = LFAnalysis(votes), votes.shape
    said = [[vote for vote in row if vote >= 0] for row in votes.tolist()]
    assert found.label_coverage() == pytest.approx(sum(map(bool, said)) / max(n, 1))
    assert found.label_overlap() == pytest.approx(sum(len(row) > 1 for row in said) / max(n, 1))
    assert found.label_conflict() == pytest.approx(sum(len(set(row)) > 1 for row in said) / max(n, 1))
    for j in range(m):
        mine = [row for row, votes_of_row in zip(said, votes, strict=True) if votes_of_row[j] >= 0]
        assert found.lf_polarities()[j] == sorted({int(vote) for vote in votes[:, j] if vote >= 0})
        assert found.lf_coverages()[j] == pytest.approx(len(mine) / max(n, 1))
        assert found.lf_overlaps()[j] == pytest.approx(sum(len(row) > 1 for row in mine) / max(n, 1))
        assert found.lf_conflicts()[j] == pytest.approx(sum(len(set(row)) > 1 for row in mine) / max(n, 1))


@given(VOTES.filter(len), st.data())
def test_a_summary_with_gold_counts_right_and_wrong(votes, data):
    pytest.importorskip("pandas")
    gold = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(votes), max_size=len(votes))))
    frame = LFAnalysis(votes).lf_summary(gold[:, None])
    for j, column in enumerate(votes.T):
        pairs = [(vote, truth) for vote, truth in zip(column, gold, strict=True) if vote >= 0]
        assert frame["Correct"][j] == sum(vote == truth for vote, truth in pairs)
        assert frame["Incorrect"][j] == sum(vote != truth >= 0 for vote, truth in pairs)


def test_counts_of_what_is_no_matrix_are_errors():
    with pytest.raises(VoteError, match="Fix: "):
        LFAnalysis(np.zeros(3, int))
    with pytest.raises(VoteError, match="1 functions and 2 columns"):
        LFAnalysis(np.zeros((3, 2), int), [cs.keywords("spam", ["a"], name="a")])
    with pytest.raises(VoteError, match=r"3 rows have 2 labels.\nFix: "):
        LFAnalysis(np.zeros((3, 2), int)).lf_empirical_accuracies([0, 1])


# predictions and scores


@given(arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(2, 4)), elements=st.sampled_from([0.1, 0.2, 0.4])))
def test_ties_go_where_the_policy_says(proba):
    sure = probs_to_preds(proba, "abstain")
    for policy in ("random", "true-random"):
        preds = probs_to_preds(proba, policy)
        for row, pred, certain in zip(proba, preds, sure, strict=True):
            assert row[pred] == row.max()
            assert certain in (-1, pred)
            assert (certain == -1) == ((row == row.max()).sum() > 1)
    assert np.array_equal(probs_to_preds(proba), probs_to_preds(proba))


def test_probabilities_and_labels_that_are_none():
    for act in (
        lambda: probs_to_preds(np.ones((2, 1))),
        lambda: probs_to_preds(np.ones((2, 2)), "toss"),
        lambda: preds_to_probs(np.array([0, -1]), 2),
        lambda: preds_to_probs(np.array([0, 2]), 2),
    ):
        with pytest.raises(ModelError, match="\nFix: "):
            act()
    for labels in ([0.5], ["a"], [[0, 1], [1, 0]]):
        with pytest.raises(DataError, match="\nFix: "):
            to_int_label_array(np.array(labels))
    assert probs_to_preds(np.array([[np.nan, np.nan]])).tolist() == [-1]
    assert to_int_label_array(np.array([[1.0], [0.0]])).tolist() == [1, 0]
    assert to_int_label_array(np.array([[1]])).tolist() == [1]
    assert filter_labels({"golds": np.array([0])}, {})["golds"].tolist() == [0]


def test_metrics_that_cannot_be():
    golds, preds = np.array([0, 1, 2]), np.array([0, 1, 1])
    for act in (
        lambda: metric_score(golds, preds, metric="f2"),
        lambda: metric_score(golds, metric="accuracy"),
        lambda: metric_score(golds, preds, metric="f1"),
        lambda: metric_score(golds, preds, np.eye(3), metric="roc_auc"),
        lambda: metric_score(golds, preds, filter_dict={"gold": [1]}),
        lambda: Scorer(["f2"]),
        lambda: Scorer(["accuracy"]).score(golds[:0], preds[:0]),
        lambda: get_label_buckets(golds, preds[:2]),
        lambda: get_label_instances((1,), golds, golds, preds),
        lambda: get_label_instances((1, 1), golds[:2], golds, preds),
    ):
        with pytest.raises(DataError, match="\nFix: "):
            act()
    assert len(get_label_instances((5, 5), golds, golds, preds)) == 0


def test_ones_own_metrics_and_slices_without_rows():
    pd = pytest.importorskip("pandas")
    scorer = Scorer(["coverage"], {"pair": lambda golds, preds, probs: {"n": len(golds), "m": 1}}, abstain_label=None)
    golds, preds = np.array([0, 1]), np.array([-1, 1])
    slices = np.rec.fromarrays([[1, -1], [0, 0]], names=["first", "none"])
    scores = scorer.score_slices(slices, golds, preds, np.eye(2))
    assert scores["overall"] == {"coverage": 0.5, "n": 2, "m": 1}
    assert scores["first"] == {"coverage": 0.0, "n": 1, "m": 1}
    assert np.isnan(scores["none"]["coverage"])
    assert isinstance(scorer.score_slices(slices, golds, preds, np.eye(2), as_dataframe=True), pd.DataFrame)
    with pytest.raises(DataError, match="\nFix: give the same rows"):
        scorer.score_slices(slices, golds[:1], preds, np.eye(2))
