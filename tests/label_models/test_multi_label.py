"""Rows with several labels: as good as one-vs-rest where labels are independent, better where they go together."""

from __future__ import annotations

import io
import itertools

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience import DawidSkene, LabelMatrix, LabelModel, MajorityVote, MultiLabel, Not, apply_multi, read
from consilience.errors import LabelError, ModelError, StoreError
from consilience.label_models.label_priors import TablePrior

NAMES = ["comedy", "romance", "war", "crime", "music", "sport"]


def simulate(n, k, *, seed, together=True, functions=4):
    """Votes on each of k labels. together: labels come in four kinds of rows, else each by itself.

    returns: a matrix a label, the labels rows have (n, k), and the exact posterior of each label (n, k).
    """
    rng = np.random.default_rng(seed)
    kinds = np.where(rng.random((4, k)) < 0.4, 0.9, 0.05) if together else np.tile(rng.uniform(0.1, 0.5, k), (4, 1))
    share = rng.dirichlet(np.full(4, 20.0))
    has = rng.random((n, k)) < kinds[rng.choice(4, n, p=share)]
    matrices, likely = {}, np.ones((n, k, 2))
    for c in range(k):
        votes = np.full((n, functions), -1)
        for j in range(functions):
            says, often = j % 2, rng.uniform(0.35, 0.6)
            chance = [often / rng.uniform(3, 6), often] if says else [often, often / rng.uniform(3, 6)]
            votes[rng.random(n) < np.where(has[:, c], chance[1], chance[0]), j] = says
            for z in (0, 1):
                likely[:, c, z] *= np.where(votes[:, j] >= 0, chance[z], 1 - chance[z])
        matrices[NAMES[c]] = LabelMatrix.from_votes(votes, ["no", "yes"])
    exact, total = np.zeros((n, k)), np.zeros(n)
    for z in itertools.product((0, 1), repeat=k):
        prior = sum(s * np.prod(np.where(z, kind, 1 - kind)) for s, kind in zip(share, kinds, strict=True))
        weight = prior * np.prod([likely[:, c, z[c]] for c in range(k)], axis=0)
        exact += weight[:, None] * np.array(z)
        total += weight
    return matrices, has, exact / total[:, None]


def pairs(n_pairs, *, seed, n=1000):
    """Votes both ways on labels of which two and two mostly come together; and which rows have them."""
    rng = np.random.default_rng(seed)
    matrices, truth = {}, []
    for pair in range(n_pairs):
        one = rng.random(n) < 0.4
        for name, has in ((f"a{pair}", one), (f"b{pair}", np.where(rng.random(n) < 0.9, one, ~one))):
            votes = np.where(rng.random((n, 3)) < 0.75, has[:, None], ~has[:, None]).astype(int)
            matrices[name] = LabelMatrix.from_votes(np.where(rng.random((n, 3)) < 0.6, votes, -1), ["no", "yes"])
            truth.append(has)
    return matrices, np.array(truth).T


def f1(proba, has):
    guess = proba > 0.5
    return 2 * (guess & has).sum() / (guess.sum() + has.sum())


def scores(model, matrices, has):
    return f1(model.fit(matrices).predict_proba(matrices).to_numpy(), has)


@pytest.mark.parametrize("base", [None, DawidSkene()])
def test_labels_that_go_together_are_found_better_jointly_and_near_the_exact_posterior(base):
    found = []
    for seed in range(3):
        matrices, has, exact = simulate(2000, 6, seed=seed)
        model = MultiLabel(base=base)
        joint, apart = scores(model, matrices, has), scores(MultiLabel(base=base, joint=False), matrices, has)
        counted = scores(MultiLabel(base=MajorityVote()), matrices, has)
        assert model.prior_ is not None and "so labels are joined by a t" in str(model)
        found.append([f1(exact, has), joint, apart, counted])
    best, joint, apart, counted = np.mean(found, axis=0)
    assert joint > apart + 0.02 and joint > counted + 0.05 and joint > best - 0.04


def test_independent_labels_are_kept_apart_and_nothing_is_lost():
    found = []
    for seed in range(3):
        matrices, has, _ = simulate(2000, 6, seed=seed, together=False)
        model, apart = MultiLabel(), MultiLabel(joint=False)
        found.append([scores(model, matrices, has), scores(MultiLabel(base=MajorityVote()), matrices, has)])
        assert model.prior_ is None and "so labels are kept apart" in model.findings()
        assert model.predict_proba(matrices).equals(apart.fit(matrices).predict_proba(matrices))
    joint, counted = np.mean(found, axis=0)
    assert joint > counted


def test_with_the_true_tables_and_prior_the_answer_is_the_exact_posterior(monkeypatch):
    monkeypatch.setattr("consilience.label_models.multi_label.SURE", 1e-15)
    rng = np.random.default_rng(1)
    theta, table = (
        rng.dirichlet(np.ones(3), (3, 2, 2)),
        rng.dirichlet(np.ones(8)).reshape(4, 2),
    )  # 3 labels, 2 functions
    votes = rng.integers(-1, 2, (50, 3, 2))
    matrices = {NAMES[c]: LabelMatrix.from_votes(votes[:, c], ["no", "yes"]) for c in range(3)}
    model = MultiLabel(base=DawidSkene()).fit(matrices)
    for c, inner in enumerate(model.models_.values()):
        inner.theta_, inner.prior_ = theta[c], np.array([0.3, 0.7])
    model.usual_, model.prior_ = np.full(3, 0.7), TablePrior({"table": table})
    found = model.predict_proba(matrices).to_numpy()
    for i in range(50):
        weights = {}
        for place, z in enumerate(itertools.product((0, 1), repeat=3)):
            likely = [theta[c, j, z[c], votes[i, c, j] + 1] for c in range(3) for j in range(2)]
            weights[z] = table.ravel()[place] * np.prod(likely)
        expected = [sum(w for z, w in weights.items() if z[c]) / sum(weights.values()) for c in range(3)]
        assert np.allclose(found[i], expected)


def test_learned_probabilities_come_near_those_of_enumeration():
    matrices, has, exact = simulate(20_000, 3, seed=5)
    model = MultiLabel(base=DawidSkene()).fit(matrices)
    found = model.predict_proba(matrices).to_numpy()
    assert np.abs(found - exact).mean() < 0.03  # tables and prior are learned; 20,000 rows leave little to chance
    assert np.abs(model.shares_ - has.mean(axis=0)).max() < 0.03


def test_many_labels_are_joined_by_a_tree():
    matrices, truth = pairs(7, seed=0)
    model = MultiLabel(base=DawidSkene())
    joint, apart = scores(model, matrices, truth), scores(MultiLabel(base=DawidSkene(), joint=False), matrices, truth)
    assert list(model.gains_) == ["tree"] and joint > apart + 0.02
    parent = model.prior_.arrays["parent"]
    assert sum(parent[2 * pair] == 2 * pair + 1 or parent[2 * pair + 1] == 2 * pair for pair in range(7)) >= 6


def test_what_counting_says_of_a_label_stays_as_it_is():
    matrices, _, _ = simulate(1000, 4, seed=1)
    model = MultiLabel(base=MajorityVote()).fit(matrices)
    assert model.joined_ == [] and "fewer than two have a model that learned" in str(model)
    for label, matrix in matrices.items():
        alone = MajorityVote().fit(matrix).predict_proba(matrix)[:, 1]
        assert (model.predict_proba(matrices)[label].to_numpy() == alone).all()
    mixed, _ = pairs(1, seed=0)
    yes_only = {name: np.where(matrix.votes == 1, 1, -1) for name, matrix in matrices.items()}  # no contradictions
    mixed |= {name: LabelMatrix.from_votes(votes, ["no", "yes"]) for name, votes in yes_only.items()}
    model = MultiLabel().fit(mixed)
    assert model.joined_ == ["a0", "b0"] and model.prior_ is not None
    assert "counting decides, and stays apart: comedy, romance, war, crime" in str(model)


# laws


SMALL, HAS, _ = simulate(600, 4, seed=3)


def test_the_order_of_rows_and_of_labels_is_free_and_a_seed_decides():
    model = MultiLabel().fit(SMALL)
    proba = model.predict_proba(SMALL)
    order = np.random.default_rng(0).permutation(600)
    turned = {label: matrix.take(order) for label, matrix in SMALL.items()}
    assert MultiLabel().fit(turned).predict_proba(turned).equals(proba[order])
    assert MultiLabel().fit(SMALL).predict_proba(SMALL).equals(proba)
    other = dict(reversed(SMALL.items()))
    assert model.predict_proba(other).equals(proba)
    again = MultiLabel().fit(other).predict_proba(other).select(proba.columns)
    assert np.allclose(again.to_numpy(), proba.to_numpy(), atol=1e-3)


@pytest.mark.parametrize("base", [None, DawidSkene(shrink=0.2), MajorityVote()])
@pytest.mark.parametrize("joint", [True, False])
def test_saved_and_loaded_it_gives_the_same_to_the_last_bit(base, joint, tmp_path):
    model = MultiLabel(base=base, joint=joint).fit(SMALL)
    model.save(tmp_path / "model.npz")
    again = MultiLabel.load(tmp_path / "model.npz")
    assert again.predict_proba(SMALL).equals(model.predict_proba(SMALL))
    assert again.findings() == model.findings() and str(again.summary()) == str(model.summary())
    assert again.joint == joint and type(again.base) is type(base)
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


def test_a_tree_is_saved_too(tmp_path):
    matrices, _ = pairs(1, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("consilience.label_models.multi_label.TABLE_LABELS", 1)
        model = MultiLabel(base=DawidSkene()).fit(matrices)
    model.save(tmp_path / "model.npz")
    again = MultiLabel.load((tmp_path / "model.npz").read_bytes())
    assert "joined by a tree" in str(again) and again.predict_proba(matrices).equals(model.predict_proba(matrices))


def test_other_files_and_pickles_are_not_loaded(tmp_path):
    MajorityVote().fit(SMALL["war"]).save(tmp_path / "vote.npz")
    with pytest.raises(StoreError, match=r"holds a majority vote, not a multi-label.\nFix"):
        MultiLabel.load(tmp_path / "vote.npz")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError, match="pickles are never loaded"):
        MultiLabel.load(buffer.getvalue())


@pytest.mark.parametrize(
    "votes", [[[0, 1]], [[-1, -1]], [[-1, -1], [-1, -1]], [[0, 0], [0, -1]], [[1, 1], [1, 1]], [[1, -1], [-1, 0]]]
)
@pytest.mark.parametrize("base", [None, DawidSkene(), MajorityVote()])
def test_small_and_empty_cases(votes, base):
    matrices = {name: LabelMatrix.from_votes(votes, ["no", "yes"]) for name in "ab"}
    proba = MultiLabel(base=base).fit(matrices).predict_proba(matrices).to_numpy()
    assert proba.shape == (len(votes), 2) and np.isfinite(proba).all() and (proba >= 0).all() and (proba <= 1).all()


def test_rows_never_seen_are_answered_and_labels_come_as_sets():
    model = MultiLabel().fit(SMALL)
    asked = {name: LabelMatrix.from_votes([[-1, 1, -1, 1], [0, -1, 0, -1], [-1] * 4], ["no", "yes"]) for name in SMALL}
    said = model.predict(asked)
    assert len(said[0]) >= 3 and said[1] == set()
    assert model.predict(asked, threshold=1.0) == [set(), set(), set()]


# gold and shares


def test_gold_teaches():
    matrices, has, _ = simulate(800, 4, seed=7, functions=2)
    gold = [{NAMES[c] for c in range(4) if has[i, c]} if i < 400 else None for i in range(800)]
    without, taught = (
        MultiLabel(base=DawidSkene()).fit(matrices),
        MultiLabel(base=DawidSkene()).fit(matrices, gold=gold),
    )
    rest = slice(400, None)
    figures = [f1(m.predict_proba(matrices).to_numpy()[rest], has[rest]) for m in (without, taught)]
    assert figures[1] > figures[0]
    assert np.abs(taught.shares_ - has.mean(axis=0)).max() < 0.1


def test_a_share_may_be_said():
    model = MultiLabel(joint=False).fit(SMALL, shares={"war": 0.05})
    assert model.models_["war"].class_balance_.tolist() == [0.95, 0.05]
    with pytest.raises(LabelError, match=r"A share is given of 'waf', no label.\nFix: Did you mean 'war'"):
        MultiLabel().fit(SMALL, shares={"waf": 0.05})
    with pytest.raises(ModelError, match=r"The class balance(.|\n)*Fix"):
        MultiLabel().fit(SMALL, shares={"war": 1.5})


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([{"war"}], "1 gold sets of labels for 600 rows"),
        ([{"waf"}] * 600, "'waf', which is not a label(.|\n)*Did you mean 'war'"),
        (["war"] * 600, "'war', which is not a label(.|\n)*give sets"),
    ],
)
def test_gold_that_cannot_be_is_refused(gold, message):
    with pytest.raises((LabelError, ModelError), match=message):
        MultiLabel().fit(SMALL, gold=gold)


# errors


def test_matrices_that_do_not_fit_together_are_refused():
    two, three = LabelMatrix.from_votes([[0], [1]], ["no", "yes"]), LabelMatrix.from_votes([[0], [1]], ["a", "b", "c"])
    other = LabelMatrix.from_votes([[0], [1]], ["no", "yes"], ids=["x", "y"])
    counted = LabelMatrix.from_counts([[0], [1]], [3, 4], ["no", "yes"])
    for matrices, message in [
        ({}, "There are no matrices"),
        ({"a": two, "b": three}, r"The matrix of 'b' has the labels \['a', 'b', 'c'\]"),
        ({"a": counted}, "The matrix of 'a' has the labels"),
        ({"a": two, "b": other}, "The matrices of 'a' and 'b' have other rows"),
    ]:
        with pytest.raises(ModelError, match=rf"(?s){message}.*\nFix: "):
            MultiLabel().fit(matrices)
    model = MultiLabel().fit({"a": two, "b": two})
    with pytest.raises(ModelError, match=r"There are matrices of \['a'\], but the model knows \['a', 'b'\].\nFix"):
        model.predict({"a": two})
    with pytest.raises(ModelError, match=r"This MultiLabel has learned nothing yet.\nFix"):
        MultiLabel().predict_proba({"a": two})
    assert str(MultiLabel()) == "MultiLabel, not fitted"
    with pytest.raises(ModelError, match=r"is no label model to start from.\nFix: give one"):
        MultiLabel(base=DawidSkene)


# from functions

ROWS = [
    {"text": "a funny love story", "y": "comedy | romance"},
    {"text": "war and love", "y": "romance"},
    {"text": "grim war", "y": None},
]


@cs.labeling_function("comedy", Not("comedy"))
def laughs(row):
    return "comedy" if "funny" in row.text else Not("comedy") if "grim" in row.text else None


FUNCTIONS = {
    "love": cs.keywords("romance", ["love"]),
    "war": cs.keywords(Not("romance"), ["war"]),
    "laughs": laughs,
    "plain": cs.keywords("not comedy", ["war"]),
}


def test_functions_are_sorted_by_the_label_they_are_about_and_gold_by_label():
    votes = apply_multi(FUNCTIONS, read(ROWS, gold="y"))
    assert {label: matrix.names for label, matrix in votes.items()} == {
        "romance": ["love", "war"],
        "comedy": ["laughs", "plain"],
    }
    assert votes["comedy"].names_of("laughs") == ["comedy", None, "not comedy"]
    assert votes["comedy"].names_of("plain") == [None, "not comedy", "not comedy"]
    assert votes["romance"].gold.tolist() == [1, 1, -1] and votes["comedy"].gold.tolist() == [1, 0, -1]
    assert votes["romance"].summary().lines[1].accuracy.value == 0.0
    love = FUNCTIONS["love"]
    ordered = apply_multi([laughs, love], read(ROWS), labels=["romance", "comedy"])
    assert list(ordered) == ["romance", "comedy"]


def test_columns_are_kept_with_the_table_or_in_a_cache():
    table, cache = read(ROWS, gold="y"), {}
    for _ in range(2):
        first = apply_multi(FUNCTIONS, table)
        second = apply_multi(FUNCTIONS, table, cache=cache)
    assert all(info.from_store for votes in (first, second) for m in votes.values() for info in m.functions)


def test_a_label_called_not_something_is_a_label():
    votes = apply_multi({"f": cs.keywords("not spam", ["love"])}, read(ROWS), labels=["not spam"])
    assert votes["not spam"].names_of("f") == ["not spam", "not spam", None]


@pytest.mark.parametrize(
    ("functions", "labels", "message"),
    [
        ({"f": cs.keywords(cs.OneOf("a", "b"), ["x"])}, None, r"Function 'f' may say \['a\|b'\]"),
        ({"f": cs.keywords(Not("a", "b"), ["x"])}, None, "Function 'f' may say"),
        ({"f": cs.labeling_function("a", "b")(lambda row: None)}, None, "Function 'f' may say"),
        ({"f": cs.labeling_function()(lambda row: None)}, None, "Function 'f' may say any label"),
        ({"f": cs.keywords("a", ["x"])}, ["b"], "Function 'f' is about 'a', no label"),
        ({"f": cs.keywords("a", ["x"])}, ["a", "b"], "No function is about 'b'"),
        ({}, None, "No function is about 'anything'"),
    ],
)
def test_functions_that_are_about_no_label_or_several_are_refused(functions, labels, message):
    with pytest.raises((cs.errors.FunctionError, LabelError), match=rf"(?s){message}.*\nFix: "):
        apply_multi(functions, read(ROWS), labels=labels)


def test_gold_of_an_unknown_label_is_refused():
    with pytest.raises(LabelError, match=r"Gold has 'comdy', which is not a label.\nFix: Did you mean 'comedy'"):
        apply_multi(FUNCTIONS, read([{"text": "x", "y": "comdy|romance"}], gold="y"))


def test_the_frame_of_probabilities_has_a_column_a_label():
    proba = MultiLabel().fit(SMALL).predict_proba(SMALL)
    assert isinstance(proba, pl.DataFrame) and proba.columns == NAMES[:4] and len(proba) == 600
    assert isinstance(MultiLabel().fit({"a": SMALL["war"]}).models_["a"], LabelModel)
