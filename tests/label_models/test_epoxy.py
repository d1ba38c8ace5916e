"""Extended votes and a label model in one: what it predicts, and that it comes back as it was saved."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.errors import DataError, ModelError, StoreError
from consilience.label_models import Epoxy
from consilience.label_models.majority import MajorityVote
from consilience.labeling.matrix import LabelMatrix

LABELS = ["ham", "spam", "eggs"]


def world(seed=0, n=1500, k=3):
    """Votes on few rows, vectors in clouds that tell the class, and the class."""
    rng = np.random.default_rng(seed)
    cloud = rng.integers(0, 9, n)
    truth = cloud % k
    vectors = rng.normal(size=(9, 6))[cloud] * 2 + 0.7 * rng.normal(size=(n, 6))
    right = np.where(rng.random((n, 7)) < 0.88, truth[:, None], rng.integers(0, k, (n, 7)))
    votes = np.where(rng.random((n, 7)) < 0.07, right, -1)
    matrix = LabelMatrix.from_votes(votes, LABELS[:k], gold=[LABELS[code] for code in truth])
    return matrix, vectors, truth


def parts(matrix, vectors, truth):
    train, test = np.arange(1000), np.arange(1000, 1500)
    return matrix.take(train), vectors[train], matrix.take(test), vectors[test], truth[test]


def test_rows_nobody_voted_on_are_told_by_their_neighbours():
    train, here, test, there, truth = parts(*world())
    plain = MajorityVote().fit(train)
    model = Epoxy(MajorityVote()).fit(train, here)
    assert (model.predict_codes(test, there) == truth).mean() > (plain.predict_codes(test) == truth).mean() + 0.2
    proba = model.predict_proba(test, there)
    assert proba.shape == (500, 3)
    assert np.allclose(proba.sum(axis=1), 1)
    assert sum(label is None for label in model.predict(test, there)) < sum(
        label is None for label in plain.predict(test)
    )
    assert np.array_equal(proba, model.model_.predict_proba(model.extend(test, there)))


@pytest.mark.parametrize("model", [Epoxy(), Epoxy(MajorityVote(), metric="l2", radii=1.5), Epoxy(n_partitions=4)])
def test_what_is_saved_comes_back(model, tmp_path):
    train, here, test, there, _ = parts(*world(1))
    model.fit(train, here)
    model.save(tmp_path / "epoxy.npz")
    again = Epoxy.load(tmp_path / "epoxy.npz")
    assert np.array_equal(again.predict_proba(test, there), model.predict_proba(test, there))
    assert again.predict(test, there) == model.predict(test, there)
    assert again.settings() == model.settings()
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "epoxy.npz").read_bytes()
    assert str(again.summary()) == str(model.summary())


def test_a_saved_label_model_is_no_epoxy(tmp_path):
    train, *_ = parts(*world(2))
    MajorityVote().fit(train).save(tmp_path / "model.npz")
    with pytest.raises(StoreError, match="not a epoxy"):
        Epoxy.load(tmp_path / "model.npz")


def test_functions_good_in_one_place_only_need_partitions():
    """In two far clouds two functions of three are right, not the same two: one model for all cannot know."""
    rng = np.random.default_rng(3)
    n = 4000
    truth, side = rng.integers(0, 2, n), rng.integers(0, 2, n)
    vectors = np.column_stack([np.where(side, 9.0, -9.0), rng.normal(size=n)]) + 0.1 * rng.normal(size=(n, 2))
    good = np.array([[0.95, 0.95, 0.9, 0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 0.95, 0.95, 0.9]])[side]
    votes = np.where(rng.random((n, 6)) < good, truth[:, None], 1 - truth[:, None])
    matrix = LabelMatrix.from_votes(votes, LABELS[:2])
    right = [
        (
            Epoxy(cs.DawidSkene(), radii=1.0, n_partitions=count).fit(matrix, vectors).predict_codes(matrix, vectors)
            == truth
        ).mean()
        for count in (1, 2)
    ]
    assert right[1] > right[0] + 0.1


def test_small_partitions_have_the_model_of_all():
    train, here, test, there, _ = parts(*world(4))
    one = Epoxy(MajorityVote(), radii=0.9).fit(train, here)
    many = Epoxy(MajorityVote(), radii=0.9, n_partitions=300).fit(train, here)
    assert not any(many.partition_models_)
    assert np.array_equal(one.predict_proba(test, there), many.predict_proba(test, there))


def test_it_makes_training_sets():
    rows = [{"text": text} for text in ["win a prize", "win a prize now", "go home", "go home now", "???"]]
    table = cs.read(rows)
    functions = {"now": cs.expression("spam", "text = 'win a prize now'"), "go": cs.keywords("ham", ["go home now"])}
    matrix = cs.apply(functions, table)
    vectors = cs.embed(table)
    made = Epoxy(MajorityVote(), radii=0.5).fit(matrix, vectors).training_set(matrix, vectors)
    assert made.table.texts == ["win a prize", "win a prize now", "go home", "go home now"]


def test_the_summary_names_functions_and_radii():
    train, here, *_ = parts(*world(5))
    shown = str(Epoxy(MajorityVote()).fit(train, here).summary())
    assert "f0" in shown
    assert "radius" in shown


def test_gold_and_balance_reach_the_label_model():
    train, here, *_ = parts(*world(6))
    gold = [LABELS[code] for code in train.gold]
    model = Epoxy(cs.DawidSkene()).fit(train, here, gold=gold, class_balance={"ham": 0.5, "spam": 0.3, "eggs": 0.2})
    assert model.model_.class_balance_ == pytest.approx([0.5, 0.3, 0.2], abs=0.05)


def test_what_cannot_be_is_said():
    train, here, *_ = parts(*world(7))
    with pytest.raises(ModelError, match=r"0 partitions are none.\nFix: "):
        Epoxy(n_partitions=0)
    with pytest.raises(ModelError, match=r"no label model.\nFix: "):
        Epoxy("majority")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"learned nothing yet.\nFix: "):
        Epoxy().predict(train, here)
    with pytest.raises(DataError, match=r"not finite.\nFix: "):
        Epoxy().fit(train, np.full((1000, 2), np.nan))
