"""The knowledge bases of examples/kb: small ones against their closed forms, real ones against what they must reach."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import polars as pl
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "kb"
OWN_MODULES = (
    "documents",
    "features",
    "functions",
    "lfs",
    "sample",
    "ways",
)  # of the folders

ABSTRACT = """\
1|t|Clonidine-induced hypotension in rats.
1|a|Clonidine caused hypotension. No rat had asthma.
1\t0\t9\tClonidine\tChemical\tC1
1\t18\t29\thypotension\tDisease\tD1
1\t39\t48\tClonidine\tChemical\tC1
1\t56\t67\thypotension\tDisease\tD1
1\t80\t86\tasthma\tDisease\tD2
1\tCID\tC1\tD1

2|t|Renal toxicity of lithium and of clonidine.
2|a|Toxicity was seen with lithium. Dr. X agreed.
2\t0\t14\tRenal toxicity\tDisease\tD3
2\t18\t25\tlithium\tChemical\tC2
2\t33\t42\tclonidine\tChemical\tC1
2\t44\t52\tToxicity\tDisease\tD4|D5
2\t67\t74\tlithium\tChemical\tC2
2\tCID\tC2\tD3
"""


@pytest.fixture
def example(monkeypatch):
    """What a script of examples/kb defines, run as by `python run.py` but without its `main`."""

    def load(name: str, file: str = "run.py") -> dict[str, object]:
        for module in OWN_MODULES:
            sys.modules.pop(module, None)
        monkeypatch.syspath_prepend(str(EXAMPLES / name))
        return runpy.run_path(str(EXAMPLES / name / file))

    yield load
    for module in OWN_MODULES:
        sys.modules.pop(module, None)


def test_smoking_among_friends_is_the_sum_over_all_worlds(example):
    smoke = example("smoke")
    assert smoke["found"]() == pytest.approx(smoke["expected"](), abs=1e-9)


def test_a_chain_forgets_as_its_closed_form_says(example):
    chain = example("chain")
    up, heads = chain["found"]()
    assert len(up) == len(heads) == chain["LENGTH"]
    for step in range(chain["LENGTH"]):
        assert (up[step], heads[step]) == pytest.approx(chain["expected"](step), abs=1e-9)


def test_a_biased_coin_is_learned_where_the_penalised_likelihood_is_highest(example):
    coin = example("biased_coin")
    weight, unseen = coin["found"]()
    best, heads = coin["expected"]()
    assert weight == pytest.approx(best, abs=1e-3)
    assert list(unseen.values()) == pytest.approx([heads] * coin["UNSEEN"], abs=1e-3)
    assert heads == pytest.approx(coin["HEADS"] / (coin["HEADS"] + coin["TAILS"]), abs=0.005)


# ---- spouses


def test_people_are_runs_of_tokens_tagged_as_such(example):
    people = example("spouse", "functions.py")["people"]
    found = list(people("d", 3, ["Anna", "Berg", "and", "Tom"], ["PERSON", "PERSON", "O", "PERSON"]))
    assert found == [("d/3/0", "Anna Berg", "d", 3, 0, 1), ("d/3/3", "Tom", "d", 3, 3, 3)]


def test_the_path_of_dependencies_is_the_shortest(example):
    shortest = example("spouse", "functions.py")["shortest_path"]
    types, heads = ["nsubj", "", "dobj", "conj"], [2, 0, 2, 3]  # Anna married Tom (and) Paul
    assert shortest(types, heads, range(1), range(2, 3)) == [("nsubj^", 1), ("dobj_", 2)]
    assert shortest(types, heads, range(1), range(3, 4)) == [("nsubj^", 1), ("dobj_", 2), ("conj_", 3)]
    assert shortest([], [], range(1), range(2, 3)) is None


def test_spouses_of_the_sample_are_found(example):
    spouse = example("spouse")
    kb = spouse["spouses"](None)
    likely = spouse["couples"](kb).filter(pl.col("probability") > 0.7)
    found = {frozenset(pair) for pair in likely.select("one", "other").iter_rows()}
    assert {frozenset(("Anna Berg", "Tom Berg")), frozenset(("Jan Novak", "Vera Petrov"))} <= found
    assert frozenset(("Ivan Petrov", "Oleg Petrov")) not in found
    assert len(kb.calibration("has_spouse").held_out) > 0
    p = {(a, b): p for a, b, p in kb.marginals("married").select("one", "other", "probability").iter_rows()}
    assert all(p[a, b] == pytest.approx(p[b, a], abs=0.1) for a, b in p), "marriage is mutual"


def test_news_that_cannot_be_read_says_which_line(example, tmp_path):
    import bz2

    from consilience.errors import DataError

    spouse = example("spouse")
    (tmp_path / "x.bz2").write_bytes(bz2.compress(b'"d"\t1\t"a b"\n'))
    with pytest.raises(DataError, match="line 1 has 3 cells"):
        list(spouse["read_sentences"](tmp_path / "x.bz2"))
    with pytest.raises(DataError, match="There is no"):
        list(spouse["read_couples"](tmp_path / "absent"))


# ---- chemicals and diseases


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "Train.PubTator.txt"
    path.write_text(ABSTRACT)
    return path


def test_documents_have_sentences_mentions_and_candidates(example, corpus):
    cid = example("chemical_disease", "documents.py")
    (one, two), rejects = cid["read_documents"](corpus)
    assert not rejects
    assert [one.text[a:b].strip() for a, b in one.sentences][1:] == [
        "Clonidine caused hypotension.",
        "No rat had asthma.",
    ]
    assert len(two.sentences) == 3  # `Dr.` ends none
    assert one.pairs == [("C1", "D1"), ("C1", "D2")]
    assert one.facts == {("C1", "D1")}
    assert {m.entity for m in two.mentions if m.text == "Toxicity"} == {"D4", "D5"}
    assert cid["document"](*one.row) == one


def test_features_see_words_between_and_broader_names(example, corpus):
    features = example("chemical_disease", "features.py")
    one, two = sys.modules["documents"].read_documents(corpus)[0]
    found = {(c, x, kind, feature) for _, c, x, kind, feature, _ in features["pair_features"](*one.row)}
    assert ("C1", "D1", "phrase", "CD caus") in found
    assert ("C1", "D1", "trigger", "CD cause near") in found
    assert not [row for row in found if row[1] == "D2" and row[2] == "phrase"]
    assert set(features["broader_diseases"](*two.row)) == {("2", "D4", "D3"), ("2", "D5", "D3")}
    assert all(0 < strength <= 2 for *_, strength in features["pair_features"](*two.row))


def test_labeling_functions_vote_on_every_candidate(example, corpus):
    functions = example("chemical_disease", "lfs.py")
    documents, _ = sys.modules["documents"].read_documents(corpus)
    matrix = functions["votes"](documents)
    assert matrix.votes.shape == (2 + 6, 16)
    assert not [f.name for f in matrix.functions if f.failure]
    assert matrix.names_of("induced")[0] == "causes"
    assert matrix.names_of("never_together")[1] == "unrelated"


def test_a_threshold_is_where_f1_is_best(example, corpus):
    run = example("chemical_disease")
    documents = run["read"](corpus)
    scores = {(d.name, *pair): 0.9 if pair in d.facts else 0.2 for d in documents for pair in d.pairs}
    scores["2", "C1", "D3"] = 0.9
    threshold = run["best_threshold"](scores, documents)
    quality = run["quality_of"](scores, documents, threshold)
    assert threshold == pytest.approx(0.55)
    assert (quality.precision, quality.recall) == pytest.approx((2 / 3, 1))


def test_a_folder_without_training_file_and_a_document_twice_are_refused(example, corpus, tmp_path):
    from types import SimpleNamespace

    from consilience.errors import DataError

    run = example("chemical_disease")
    with pytest.raises(DataError, match=r"1 PubTator files, 1 of them.*\nFix:"):
        run["parts"](SimpleNamespace(data=tmp_path, train=None, score=[]))
    with pytest.raises(DataError, match=r"2 documents .the first: 1. are learned from or scored already"):
        run["parts"](SimpleNamespace(data=None, train=corpus, score=[corpus]))
    broken = tmp_path / "Dev.PubTator.txt"
    broken.write_text("1|t|Title\n1\t0\t3\tTot\tDisease\tD1\n")
    with pytest.raises(DataError, match="line 2: the text at 0 to 3 is 'Tit'"):
        run["read"](broken)


# ---- on real data


@pytest.fixture
def real(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES.parents[1] / "benchmarks"))
    from real_data import DataAbsent, data_folder

    try:
        return data_folder("kb")
    except DataAbsent as absent:
        pytest.skip(str(absent))


@pytest.mark.slow
def test_spouses_of_the_news(example, real):
    spouse = example("spouse")
    kb = spouse["spouses"](real / "deepdive_spouse")
    calibration = kb.calibration("has_spouse")
    assert len(kb.marginals("has_spouse")) > 500
    assert len(calibration.held_out) > 100
    assert calibration.error < 0.1


@pytest.mark.slow
def test_chemicals_and_diseases_reach_their_bar(example, real):
    from types import SimpleNamespace

    run = example("chemical_disease")
    train, scored = run["parts"](SimpleNamespace(data=real / "bc5cdr", train=None, score=[]))
    dev = next(iter(scored.values()))
    ways = {way.name: way for way in run["all_ways"](seed=0)}
    scores = ways["joint"].scores(train, dev)
    assert run["quality_of"](scores, dev, 0.32).f1 > 0.60
