"""Every label model keeps the laws of the contract; and the parts of the contract that all share."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from tests.reference.partial import simulate_partial
from tests.strategies import class_names, partial_votes, vote_matrices

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote, apply, keywords, read
from consilience.errors import LabelError, ModelError, StoreError, VoteError
from consilience.label_models import (
    EBCC,
    Calibrated,
    Committee,
    DataProgramming,
    HyperLabelModel,
    MomentMatching,
    OneCoin,
    Triplets,
    WeightedVote,
)
from consilience.label_models.base import best_class
from consilience.label_models.zoo import load_label_model
from consilience.store import arrays
from consilience.testing import check_label_model, simulate

MODELS = [
    MajorityVote,
    WeightedVote,
    DawidSkene,
    HyperLabelModel,
    Committee,
    LabelModel,
    lambda: EBCC(subtypes=3, starts=2),
    lambda: DawidSkene(shrink=0.5, balance="uniform"),
    lambda: DawidSkene(abstains="ignored"),
    lambda: DawidSkene(form="one coin"),
    lambda: EBCC(subtypes=1, abstains="ignored"),
    OneCoin,
    Triplets,
    MomentMatching,
    Calibrated,
    lambda: Calibrated(DawidSkene(), method="bias"),
    DataProgramming,
    lambda: DataProgramming(dependencies="learn", balance="learn"),
]
SIMULATED = simulate(300, 5, ["ham", "spam"], balance=[0.7, 0.3], seed=3)


@pytest.mark.parametrize("make", MODELS)
def test_every_model_keeps_the_laws(make):
    check_label_model(make)


@pytest.mark.parametrize("make", MODELS)
@given(made=vote_matrices())
def test_any_votes_give_distributions(make, made):
    votes, k = made
    matrix = LabelMatrix.from_votes(votes, class_names(k))
    proba = make().fit(matrix).predict_proba(matrix)
    assert proba.shape == (len(votes), k) and (proba >= 0).all() and np.allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("make", MODELS)
@given(made=partial_votes())
def test_votes_for_sets_give_distributions_that_hang_on_no_name_and_come_back_from_files(make, made):
    votes, meanings, k = made
    names = class_names(k)
    groups = {f"g{9 - code}": [names[y] for y in group] for code, group in enumerate(meanings[k:])}  # not in ABC order
    matrix = LabelMatrix.from_votes(votes, Labels(*names, groups=groups))
    model = make().fit(matrix)
    proba = model.predict_proba(matrix)
    assert proba.shape == (len(votes), k) and (proba >= 0).all() and np.allclose(proba.sum(axis=1), 1)
    again = load_label_model(arrays.pack(model.kind, *model.state()))
    assert again.predict_proba(matrix).tobytes() == proba.tobytes()
    turned = Labels(*reversed(names), groups=groups)
    codes = np.append([turned.vote_index(name) for name in matrix.labels.votes], -1)
    other = LabelMatrix.from_votes(codes[votes], turned)
    assert np.allclose(make().fit(other).predict_proba(other)[:, ::-1], proba, atol=1e-6)


@pytest.mark.parametrize("make", MODELS)
def test_votes_for_sets_teach_better_than_chance(make):
    made = simulate_partial(2000, 5, ["sets"] * 5 + ["not"] * 3 + ["label"] * 2, seed=1)
    best, right = [
        (p.argmax(axis=1) == made.truth).mean()
        for p in (made.posterior, make().fit(made.matrix).predict_proba(made.matrix))
    ]
    assert right > 0.85 * best


@pytest.mark.parametrize("make", MODELS)
def test_rows_never_seen_in_fitting_are_answered_too(make):
    model = make().fit(LabelMatrix.from_votes([[0, 0], [1, 1]] * 20, ["a", "b"]))
    proba = model.predict_proba(LabelMatrix.from_votes([[0, -1], [-1, 1], [0, 1], [-1, -1]], ["a", "b"]))
    assert np.isfinite(proba).all() and proba[0, 0] > 0.5 and proba[1, 1] > 0.5


# the most probable class


def test_ties_go_to_the_rarer_label_then_to_the_first():
    even = np.array([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3 + 1e-12]])
    assert best_class(even, np.array([0.5, 0.2, 0.3])).tolist() == [1, 1]
    assert best_class(even, np.full(3, 1 / 3)).tolist() == [0, 0]
    assert best_class(np.array([[0.2, 0.5, 0.3]]), np.array([1.0, 0, 0])).tolist() == [1]


@pytest.mark.parametrize("make", MODELS)
def test_a_row_without_votes_has_no_label_but_the_most_frequent_code(make):
    matrix = LabelMatrix.from_votes([[1, 1]] * 30 + [[0, 0]] * 10 + [[-1, -1]], ["a", "b"])
    model = make().fit(matrix, class_balance=[0.3, 0.7])
    assert model.predict(matrix)[-1] is None and model.predict_codes(matrix)[-1] == 1


# class balance


@pytest.mark.parametrize("make", MODELS)
def test_a_class_balance_may_be_given_by_name_or_in_order(make):
    by_name = make().fit(SIMULATED.matrix, class_balance={"spam": 0.3, "ham": 0.7})
    in_order = make().fit(SIMULATED.matrix, class_balance=[0.7, 0.3])
    assert by_name.class_balance_.tolist() == in_order.class_balance_.tolist() == [0.7, 0.3]


@pytest.mark.parametrize("balance", [[0.5], [0.7, 0.7], [1.0, 0.0], [1.5, -0.5], {"ham": 0.3}, [np.nan, 1]])
def test_shares_that_are_no_balance_are_refused(balance):
    with pytest.raises(ModelError, match=r"The class balance .* is none for \['ham', 'spam'\].\nFix"):
        MajorityVote().fit(SIMULATED.matrix, class_balance=balance)


def test_a_balance_of_unknown_labels_is_answered_with_the_nearest():
    with pytest.raises(LabelError, match=r"'spma' is not a label.\nFix: Did you mean 'spam'"):
        MajorityVote().fit(SIMULATED.matrix, class_balance={"ham": 0.5, "spma": 0.5})


# gold


@pytest.mark.parametrize("gold", [["ham"], ["ham"] * 299])
def test_gold_of_another_length_is_refused(gold):
    with pytest.raises(ModelError, match=r"gold labels for 300 rows.\nFix"):
        MajorityVote().fit(SIMULATED.matrix, gold=gold)


def test_gold_of_other_functions_is_refused():
    with pytest.raises(ModelError, match=r"The gold matrix has other functions or labels.\nFix"):
        MajorityVote().fit(SIMULATED.matrix, gold=SIMULATED.matrix.only("f0"))


def test_the_matrix_own_gold_is_not_looked_at():
    with_gold = SIMULATED.matrix.with_gold(SIMULATED.truth.astype(np.int16))
    for make in MODELS:
        first, second = make().fit(SIMULATED.matrix), make().fit(with_gold)
        assert (first.predict_proba(with_gold) == second.predict_proba(with_gold)).all()


# training sets


def test_ties_train_as_they_are_predicted_and_are_no_confident_rows():
    table = read([{"text": "free"}, {"text": "free hello"}, {"text": "hello"}, {"text": "hello you"}, {"text": "none"}])
    matrix = apply({"f": keywords("spam", ["free"]), "g": keywords("ham", ["hello"])}, table, labels=["ham", "spam"])
    model = MajorityVote().fit(matrix)
    assert model.predict_proba(matrix)[1].tolist() == [0.5, 0.5] and model.predict(matrix)[1] == "spam"
    made = model.training_set(matrix, uncovered=True)
    assert made.soft_labels.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0], [0.5, 0.5]]
    assert len(model.training_set(matrix, min_confidence=0.6)) == 3


def test_a_training_set_has_the_covered_rows_their_probabilities_and_who_voted():
    table = read([{"text": "free cash"}, {"text": "hello"}, {"text": "nothing"}])
    matrix = apply({"f": keywords("spam", ["free"]), "g": keywords("ham", ["hello"])}, table)
    model = MajorityVote().fit(matrix)
    made = model.training_set(matrix)
    assert made.texts == ["free cash", "hello"] and made.why == ["f=spam", "g=ham"]
    assert made.soft_labels.tolist() == [[1, 0], [0, 1]] and made.weights.tolist() == [1, 1]
    assert model.training_set(matrix, uncovered=True).why[2] == "no votes"
    assert len(model.training_set(matrix, min_confidence=0.9)) == 2


def test_when_no_row_is_left_or_there_are_none_that_is_an_error():
    table = read([{"text": "x"}])
    silent = apply({"f": keywords("spam", ["free"])}, table)
    with pytest.raises(ModelError, match=r"No row is left to train on.\nFix"):
        MajorityVote().fit(silent).training_set(silent)
    with pytest.raises(ModelError, match=r"These votes have no rows behind them.\nFix"):
        MajorityVote().fit(SIMULATED.matrix).training_set(SIMULATED.matrix)


# what it says


@pytest.mark.parametrize("make", MODELS)
def test_the_summary_has_a_line_a_function_and_the_balance(make):
    matrix = SIMULATED.matrix.with_gold(SIMULATED.truth.astype(np.int16))
    model = make().fit(matrix)
    assert [line[0] for line in model.summary().rows] == matrix.names
    assert model.summary(matrix).columns == ["function", model.accuracy_means, "on gold", "low", "high", "gold"]
    assert "class balance: ham " in str(model.summary())


def test_an_unfitted_model_and_other_votes_say_what_is_wrong():
    with pytest.raises(ModelError, match=r"This LabelModel has learned nothing yet.\nFix"):
        LabelModel().summary()
    with pytest.raises(ModelError, match=r"missing \['f4'\], new \[\](.|\n)*Fix: apply the same functions"):
        MajorityVote().fit(SIMULATED.matrix).predict(SIMULATED.matrix.only("f0", "f1", "f2", "f3"))
    with pytest.raises(VoteError, match=r"The matrix has 0 rows and 2 functions.\nFix"):
        MajorityVote().fit(LabelMatrix.from_votes(np.empty((0, 2), int), ["a"]))


# saved files


@pytest.mark.parametrize("make", MODELS)
def test_another_process_gives_the_same_probabilities_to_the_last_bit(make, tmp_path):
    model = make().fit(SIMULATED.matrix)
    model.save(tmp_path / "model.npz")
    np.save(tmp_path / "votes.npy", SIMULATED.matrix.votes)
    code = (
        "import sys, numpy as np, consilience as cs\n"
        "from consilience.label_models.zoo import load_label_model\n"
        "matrix = cs.LabelMatrix.from_votes(np.load(sys.argv[1] + '/votes.npy'), ['ham', 'spam'])\n"
        "np.save(sys.argv[1] + '/proba.npy', load_label_model(sys.argv[1] + '/model.npz').predict_proba(matrix))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert np.load(tmp_path / "proba.npy").tobytes() == model.predict_proba(SIMULATED.matrix).tobytes()


@pytest.mark.parametrize("make", MODELS)
def test_equal_models_are_equal_files(make, tmp_path):
    for name in ("a", "b"):
        make().fit(SIMULATED.matrix).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    kind = type(make())
    assert kind.load((tmp_path / "a").read_bytes()).labels_ == SIMULATED.matrix.labels


class Evil:
    """What a pickle would run, were it loaded."""

    def __reduce__(self):
        return print, ("a pickle was loaded",)


def pickled(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.npy", buffer.getvalue())


def test_pickles_are_never_loaded(tmp_path, capsys):
    pickled(tmp_path / "evil.npz")
    np.save(tmp_path / "plain.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    for name in ("evil.npz", "plain.npy"):
        with pytest.raises(StoreError, match=r"is not a model saved by Consilience(.|\n)*pickles are never loaded"):
            LabelModel.load(tmp_path / name)
    assert capsys.readouterr().out == ""


def test_a_file_cut_short_anywhere_is_an_error_of_ours(tmp_path):
    MajorityVote().fit(SIMULATED.matrix).save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    for length in range(0, len(whole), max(len(whole) // 40, 1)):
        with pytest.raises(StoreError, match="Fix"):
            MajorityVote.load(whole[:length])


def test_other_kinds_and_missing_files_are_named(tmp_path):
    MajorityVote().fit(SIMULATED.matrix).save(tmp_path / "model.npz")
    with pytest.raises(StoreError, match=r"holds a majority vote, not a Dawid-Skene.\nFix"):
        DawidSkene.load(tmp_path / "model.npz")
    with pytest.raises(StoreError, match=r"There is no file .*none.npz.\nFix"):
        DawidSkene.load(tmp_path / "none.npz")
    assert isinstance(load_label_model(tmp_path / "model.npz"), MajorityVote)
    arrays.save(tmp_path / "other.npz", "text classifier", {}, {})
    with pytest.raises(ModelError, match=r"A 'text classifier' is no label model.\nFix"):
        load_label_model(tmp_path / "other.npz")


def test_a_model_of_an_earlier_version_says_so(tmp_path):
    meta, parts = MajorityVote().fit(SIMULATED.matrix).state()
    del meta["settings"]
    arrays.save(tmp_path / "old.npz", MajorityVote.kind, meta, parts)
    with pytest.raises(ModelError, match=r"saved by an earlier version.\nFix: fit it again"):
        MajorityVote.load(tmp_path / "old.npz")
