"""Suggested functions: what they rest on, that they are what they say, and hostile input."""

from __future__ import annotations

import ast
import tomllib

import numpy as np
import polars as pl
import pytest
from tests.reference import words as reference

import consilience as cs
from consilience.errors import DataError, VoteError
from consilience.labeling.beliefs import Beliefs, openness
from consilience.labeling.suggest import declaration, python_line, suggest_functions
from consilience.labeling.terms import find_terms
from consilience.labeling.word_worth import SMOOTHING, WordEvidence, wilson_low
from consilience.metrics import wilson

WORDS = {
    "spam": """free cash prize win claim urgent offer reply txt mobile tone award guaranteed rate chat draw camera""",
    "ham": """home see dinner mum love ok later sorry lunch sleep tonight class bus film birthday morning weather""",
}
SPAM, HAM = (words.split() for words in WORDS.values())


def messages(n=800, seed=0, noise=0.1):
    """Texts of eight words, mostly of their own label's, and two of nobody's."""
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(n):
        label = int(rng.random() < 0.4)
        own, other = (SPAM, HAM) if label else (HAM, SPAM)
        words = [str(rng.choice(other if rng.random() < noise else own)) for _ in range(3)]
        words += [f"w{rng.integers(0, 60)}" for _ in range(2)]
        rng.shuffle(words)
        rows.append({"id": place, "text": " ".join(words), "gold": ["ham", "spam"][label]})
    return cs.read(rows, gold="gold", labels=["ham", "spam"])


def votes_on(table, **functions):
    matrix = cs.apply(functions, table)
    return matrix.with_gold(np.full(len(matrix), -1, np.int16))


FUNCTIONS = {
    "free": cs.keywords("spam", ["free"]),
    "cash": cs.keywords("spam", ["cash"]),
    "home": cs.keywords("ham", ["home"]),
    "see": cs.keywords("ham", ["see"]),
}


def test_words_of_a_label_are_found_for_it_and_no_others():
    table = messages()
    found = suggest_functions(votes_on(table, **FUNCTIONS), 4, words=3)
    for one in found.items:
        own = SPAM if one.label == "spam" else HAM
        assert set(one.function.phrases) <= set(own) | {f"{a} {b}" for a in own for b in own}
    assert {one.label for one in found.items} == {"ham", "spam"}
    gains = [one.gain for one in found.items]
    assert gains == sorted(gains, reverse=True)


def test_a_suggestion_votes_as_it_says():
    table = messages()
    matrix = votes_on(table, **FUNCTIONS)
    for one in suggest_functions(matrix, 3).items:
        said = cs.apply([one.function], table).covered
        assert (one.rows, one.new_rows) == (said.sum(), (said & ~matrix.covered).sum())
        assert set(tomllib.loads(one.toml())) == {one.name}
        call = ast.parse(one.python()).body[0]
        assert call.targets[0].id == one.name
        label, phrases = map(ast.literal_eval, call.value.args)
        assert cs.keywords(label, phrases).fingerprint == one.function.fingerprint


def test_it_expects_about_what_comes_true():
    table = messages(3000)
    matrix = votes_on(table, **FUNCTIONS)
    gold = table.gold_codes(matrix.labels)
    for one in suggest_functions(matrix, 2).items:
        votes = cs.apply([one.function], table).votes[:, 0]
        new = (votes >= 0) & ~matrix.covered
        assert one.right - 0.1 < (votes == gold)[new].mean()


def test_a_word_that_only_goes_with_one_functions_votes_is_not_believed_for_it():
    """The rows that have "bonus" get their label from a function that looks for it; their other words say ham."""
    rows = [{"text": f"bonus pack {word}"} for word in ("dinner", "mum", "love") * 15]
    rows += [{"text": f"bonus {word} {i}"} for i, word in enumerate(["dinner", "mum", "love"] * 15)]
    rows += [{"text": f"home {word} {i}"} for i, word in enumerate(["dinner", "mum", "love"] * 60)]
    rows += [{"text": f"free {word} {i}"} for i, word in enumerate(["cash", "prize", "win"] * 60)]
    table = cs.read([{"id": i, **row} for i, row in enumerate(rows)], labels=["ham", "spam"])
    functions = {"pack": cs.keywords("spam", ["bonus pack"]), "free": FUNCTIONS["free"], "home": FUNCTIONS["home"]}
    found = suggest_functions(votes_on(table, **functions), 5)
    assert not any("bonus" in phrase for one in found.items if one.label == "spam" for phrase in one.function.phrases)


def test_what_a_function_says_already_is_not_suggested():
    table = messages()
    matrix = votes_on(table, **FUNCTIONS, spam=cs.keywords("spam", SPAM), ham=cs.keywords("ham", HAM))
    known = suggest_functions(matrix, 5)
    assert sum(one.new_rows for one in known.items) == 0


def test_words_around_agree_with_the_slow_reference():
    table = messages(120)
    matrix = votes_on(table, **FUNCTIONS)
    terms = find_terms(pl.Series(table.texts), longest=1, min_rows=1)
    beliefs = Beliefs(matrix)
    evidence = WordEvidence(terms, beliefs, np.arange(len(matrix)))
    proba, covered = beliefs.of_rows()
    rows = [set(text.split()) for text in table.texts]
    weights = reference.weights(rows, proba.tolist(), covered.tolist(), SMOOTHING)
    for name, place in evidence.place_of_word.items():
        assert evidence.weights[place] == pytest.approx(weights[name])
    left = openness(proba, covered)
    worth = evidence.of_terms(1.0)
    for place, name in enumerate(terms.names):
        near = evidence.near[place]
        new = left if near < 0 else np.where(matrix.votes[:, near] >= 0, 0.0, left)
        has = [name in row for row in rows]
        share = reference.around(rows, weights, new.tolist(), name) if new[has].any() else None
        if share is not None:
            assert worth.right[place] <= share[worth.label[place]] + 1e-9


def test_low_ends_are_wilsons():
    share, n = np.array([[0.0, 1.0], [0.3, 0.7], [0.5, 0.5]]), np.array([3.0, 20.0, 0.0])
    low = wilson_low(share, n)
    for i in range(2):
        assert low[i] == pytest.approx([wilson(share[i, y] * n[i], n[i]).low for y in range(2)])
    assert low[2].tolist() == [0, 0]


def test_the_same_rows_give_the_same_suggestions_in_any_order():
    table = messages()
    turned = table.take(np.arange(len(table))[::-1])
    first, second = (suggest_functions(votes_on(rows, **FUNCTIONS), 3).records() for rows in (table, turned))
    for one, other in zip(first, second, strict=True):
        assert one["keywords"] == other["keywords"] and one["right"] == pytest.approx(other["right"])


def test_a_label_model_and_gold_are_listened_to():
    table = messages()
    matrix = votes_on(table, **FUNCTIONS)
    model = cs.LabelModel().fit(matrix)
    assert suggest_functions(matrix, 2, predict=model.predict_proba).items
    gold = table.gold_codes(matrix.labels)
    silent = cs.apply({"never": cs.keywords("spam", ["nowhere"])}, table).with_gold(
        np.where(np.arange(800) < 400, gold, -1)
    )
    assert {one.label for one in suggest_functions(silent, 4).items} == {"ham", "spam"}


@pytest.mark.parametrize(
    "texts",
    [[""], [None, None], ["..."] * 9, ["a"] * 50, ["\x00 \U0001f600 ﬁ İ"] * 30, ["x " * 50_000]],
    ids=["empty", "null", "signs", "one word", "odd", "long"],
)
def test_texts_with_nothing_to_say(texts):
    table = cs.Table(
        pl.DataFrame({"id": range(len(texts)), "text": pl.Series(texts, dtype=pl.String)}), labels=["ham", "spam"]
    )
    for phrase in ("a", "nowhere"):
        found = suggest_functions(votes_on(table, f=cs.keywords("ham", [phrase])), 3)
        assert found.items == () and found.why_none and str(found.view())


def test_no_rows_and_no_functions():
    none = cs.Table(pl.DataFrame({"id": [], "text": []}, schema={"id": pl.Int64, "text": pl.String}), labels=["a", "b"])
    assert suggest_functions(votes_on(none, f=cs.keywords("a", ["x"]))).items == ()
    one = cs.Table(pl.DataFrame({"id": [1], "text": ["x"]}), labels=["a"])
    assert "one label" in suggest_functions(votes_on(one, f=cs.keywords("a", ["x"]))).why_none


def test_errors_say_what_is_missing():
    with pytest.raises(VoteError, match=r"no rows behind them.\nFix: "):
        suggest_functions(cs.LabelMatrix.from_votes([[0]], ["a", "b"]))
    with pytest.raises(DataError, match="no column 'body'"):
        suggest_functions(votes_on(messages(10), **FUNCTIONS), column="body")


def test_lines_hold_any_name_label_and_word():
    made = cs.keywords('a "b"\\', ["ünï", 'q"x', "tab\tx", "\x7f"], name="é è", column="the body")
    read = tomllib.loads(declaration(made))["é è"]
    assert read == {"label": 'a "b"\\', "keywords": ["ünï", 'q"x', "tab\tx", "\x7f"], "column": "the body"}
    assert "column='the body'" in python_line(made)


def test_names_are_new_and_can_be_variables():
    table = messages()
    taken = {*SPAM, *HAM} - {"win"}
    found = suggest_functions(votes_on(table, **FUNCTIONS), 4, words=1, taken=taken)
    names = [one.name for one in found.items]
    assert all(name.isidentifier() for name in names) and len({*names, *taken, *FUNCTIONS}) == len(names) + len(taken)
