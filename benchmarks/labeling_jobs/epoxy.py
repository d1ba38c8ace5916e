"""Votes carried over by embeddings: how fast, and what rows are then right, beside the plain votes and an end model.

Lines of text sets say how many test rows are right (F1 of the last label for sms). "plain" is majority vote, or the
label model that LabelModel picks; "extended" has more votes for the same model, by radii learned without gold; "dev"
by radii checked on 150 rows of gold, taken from the train rows. The end model is a TextClassifier trained on what
LabelModel makes of the votes. Vectors are made before anything is timed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.data.embeddings import Tfidf
from consilience.label_models import Epoxy
from consilience.labeling.extend import EmbeddingExtender
from consilience.metrics import confusion, f1_by_class
from jobs import SEED, Found, Job
from stopwatch import clocked
from text_sets import SETS

from real_data import data_folder

DEV = 150
TEXT_SETS = ("youtube", "sms", "trec", "agnews", "yelp")
WAYS = ("plain", "extended", "dev")
DRAWS = 10

# speed, on clouds of vectors


def clouds(n: int, m: int, d: int, coverage: float = 0.1) -> tuple[cs.LabelMatrix, np.ndarray, np.ndarray]:
    """Votes right 85% of the time, on vectors whose cloud tells the class."""
    rng = np.random.default_rng(SEED)
    cloud = rng.integers(0, 200, n)
    truth = cloud % 2
    vectors = rng.normal(size=(200, d)).astype(np.float32)[cloud] + rng.normal(size=(n, d)).astype(np.float32)
    right = np.where(rng.random((n, m)) < 0.85, truth[:, None], 1 - truth[:, None])
    votes = np.where(rng.random((n, m)) < coverage, right, -1)
    return cs.LabelMatrix.from_votes(votes, ["no", "yes"]), vectors, truth


def extending(n: int, m: int, d: int, index: str, radii: float | None, runs: int, folder: Path) -> Found:
    """Fit on all rows and extend their votes. right: share of the new votes that are."""
    matrix, vectors, truth = clouds(n, m, d)
    times, made = clocked(
        lambda: EmbeddingExtender(index=index, radii=radii),
        lambda extender: extender.fit(matrix, vectors).transform(matrix, vectors),
        runs,
    )
    new = (made.votes >= 0) & (matrix.votes < 0)
    return {**times, "accuracy": float((made.votes == truth[:, None])[new].mean()), "new": float(new.mean())}


def peer_search(n: int, d: int, folder: Path) -> Found:
    """The nearest of all rows to each row by faiss's flat index, and nothing else: what a search costs at least."""
    import faiss

    faiss.omp_set_num_threads(1)
    _, vectors, _ = clouds(n, 1, d)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def search(index: Any) -> Any:
        index.add(vectors)
        return index.search(vectors, 2)

    return clocked(lambda: faiss.IndexFlatIP(d), search, 2)[0]


# digits


def digits(way: str, folder: Path) -> Found:
    """Whether a digit is 5 or more, by ten functions of 6% coverage each: the mean of ten draws."""
    draws = [_digits_draw(seed) for seed in range(DRAWS)]
    times, right = clocked(lambda: None, lambda _: [_right_digits(way, *draw) for draw in draws], 1)
    return {**times, "accuracy": float(np.mean(right)), "worst": min(right)}


def _right_digits(way: str, votes: np.ndarray, vectors: np.ndarray, truth: np.ndarray) -> float:
    """Share of the test digits that one way gets right."""
    from sklearn.linear_model import LogisticRegression

    gold = [("low", "high")[code] for code in truth]
    matrix = cs.LabelMatrix.from_votes(votes, ["low", "high"], gold=gold)
    train, dev, test = np.arange(1100), np.arange(1100, 1250), np.arange(1250, len(votes))
    if way == "probe":
        codes = LogisticRegression(max_iter=1000).fit(vectors[dev], truth[dev]).predict(vectors[test])
    else:
        codes = predicted(way, cs.LabelModel(), matrix, vectors, train, dev, matrix.take(test), vectors[test])
    return float((codes == truth[test]).mean())


def _digits_draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    pixels, digit = load_digits(return_X_y=True)
    order = rng.permutation(len(pixels))
    pixels, digit = pixels[order], digit[order]
    truth = (digit >= 5).astype(int)
    vectors = PCA(20, random_state=0).fit_transform(pixels)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    votes = np.full((len(digit), 10), -1)
    for j in range(10):
        rows = np.flatnonzero(np.isin(digit, rng.choice(10, 5, replace=False)))
        rows = rows[rng.random(len(rows)) < 0.12]
        votes[rows, j] = np.where(rng.random(len(rows)) < 0.87, truth[rows], 1 - truth[rows])
    return votes, vectors, truth


def predicted(
    way: str,
    model: Any,
    matrix: cs.LabelMatrix,
    vectors: np.ndarray,
    train: np.ndarray,
    dev: np.ndarray,
    test: cs.LabelMatrix,
    test_vectors: np.ndarray,
) -> np.ndarray:
    """What a label model says of the test rows, in one of the ways."""
    if way == "plain":
        return np.asarray(model.fit(matrix.take(train)).predict_codes(test))
    gold = {"dev": matrix.take(dev), "dev_embeddings": vectors[dev]} if way == "dev" else {}
    epoxy = Epoxy(model).fit(matrix.take(train), vectors[train], **gold)
    return epoxy.predict_codes(test, test_vectors)


# real text


def text_set(name: str, encoder: str, way: str, model: str, folder: Path) -> Found:
    """One set, one encoder, one way: test rows right (F1 of the last label for sets scored so)."""
    known = SETS[name]
    loaded = known.load(data_folder(known.group))
    matrix, test = (cs.apply(loaded.functions, part, labels=loaded.labels) for part in (loaded.train, loaded.test))
    with_: Any = Tfidf().fit(loaded.train.texts) if encoder == "tfidf" else encoder
    kept = folder if encoder == "minilm" else None
    vectors, there = (cs.embed(part, with_, cache=kept) for part in (loaded.train, loaded.test))
    order = np.random.default_rng(SEED).permutation(len(matrix))
    dev, train = order[:DEV], order[DEV:] if way == "dev" else order

    def act(_: Any) -> np.ndarray:
        if model == "end model":
            return _end_model(way, matrix, vectors, train, dev, loaded.test)
        made = cs.MajorityVote() if model == "majority" else cs.LabelModel()
        return predicted(way, made, matrix, vectors, train, dev, test, there)

    times, codes = clocked(lambda: None, act, 1)
    scored = test.gold >= 0
    gold = test.gold[scored].astype(np.int64)
    if known.metric == "F1":
        score = f1_by_class(confusion(gold, codes[scored], len(loaded.labels)))[-1]
    else:
        score = (codes[scored] == gold).mean()
    return {**times, "accuracy": float(score)}


def _end_model(
    way: str, matrix: cs.LabelMatrix, vectors: np.ndarray, train: np.ndarray, dev: np.ndarray, test: cs.Table
) -> np.ndarray:
    """What a classifier trained on the labels of the train rows says of the test rows."""
    rows = matrix.take(train)
    if way != "plain":
        gold = {"dev": matrix.take(dev), "dev_embeddings": vectors[dev]} if way == "dev" else {}
        rows = EmbeddingExtender().fit(rows, vectors[train], **gold).transform(rows, vectors[train])
    made = cs.LabelModel().fit(rows).training_set(rows)
    return np.asarray(made.labels.encode(cs.TextClassifier().fit(made).predict(test)))


def jobs() -> list[Job]:
    """All lines, in the order of the table."""
    speed = [
        Job("extend, given radius", "10k x 10, 384", partial(extending, 10_000, 10, 384, "auto", 0.3, 3), bar=5),
        Job("extend, radii learned", "10k x 10, 384", partial(extending, 10_000, 10, 384, "auto", None, 3), bar=5),
        Job("extend, given radius", "100k x 20, 384", partial(extending, 100_000, 20, 384, "auto", 0.3, 1), bar=20),
        Job("extend, radii learned", "100k x 20, 384", partial(extending, 100_000, 20, 384, "auto", None, 1), bar=20),
        Job("extend, graphs (hnsw)", "10k x 10, 384", partial(extending, 10_000, 10, 384, "hnsw", 0.3, 1)),
        Job("nearest of all rows, faiss flat", "10k, 384", partial(peer_search, 10_000, 384)),
    ]
    shapes = [Job(f"digits, {way}", f"{DRAWS} draws", partial(digits, way)) for way in (*WAYS, "probe")]
    quality = [
        Job(f"{name}, {model}, {way}", encoder, partial(text_set, name, encoder, way, model))
        for name in TEXT_SETS
        for encoder in ("minilm", "tfidf")
        for model in ("majority", "label model", "end model")
        for way in (WAYS if encoder == "minilm" else WAYS[1:])  # plain is the same for both
    ]
    return [*speed, *shapes, *quality]
