"""Votes cast by Arrow batches, as Spark's executors cast them, are those of `apply`. Spark itself: the slow tests."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import TEXT

import consilience as cs
from consilience import LabelMatrix, Labels, Not
from consilience.errors import DataError, ExtraError, FunctionError, LabelError
from consilience.label_models.predict_spark import predict_spark
from consilience.labeling.apply_spark import FAILURES, Casting, apply_spark, cast_batches

pa = pytest.importorskip("pyarrow")

LABELS = Labels("ham", "spam", "非")
PRAISE = frozenset({"love", "great"})
LIMIT = re.compile(r"[0-9]{2,}")


def made_functions():
    """One function of each plain kind; the Python ones use closures, constants and modules of this file."""
    shortest = 6

    @cs.labeling_function("ham")
    def brief(row):
        return len(row.text) < shortest

    @cs.labeling_function("ham", Not("spam"), name="two minds")
    def praises(row):
        if row.n is not None and row.n % 13 == 0:
            return {"ham", "非"}
        return "ham" if PRAISE & set(row.text.split()) else None

    @cs.labeling_function("spam", name="fragile.`x`")
    def fragile(row):
        return LIMIT.search(row.text) is not None and 10 / (row.n % 7) > 2

    return [
        cs.keywords("spam", ["free", "win"], name="asks"),
        cs.pattern(Not("spam"), r"\?$", name="question"),
        cs.expression("非", "n > 90", name="large"),
        cs.recorded("anna"),
        brief,
        praises,
        fragile,
    ]


def made_frame(n, seed=0):
    rng = np.random.default_rng(seed)
    words = ["free", "win", "love", "great", "hi?", "42", "7", "é", "😀", "a\x00b", "日本", ""]
    return pl.DataFrame(
        {
            "key": [f"r{place:05d}" for place in rng.permutation(n)],
            "body": [" ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(n)],
            "n": rng.integers(0, 100, n),
            "anna": rng.choice(["ham", "spam", "非", None], n).tolist(),
            "y": rng.choice(["ham", "spam", None], n).tolist(),
        },
        schema_overrides={"anna": pl.String, "y": pl.String},
    )


def casting_of(functions, labels=LABELS, text="body", gold="y"):
    space = Labels.of(labels)
    for function in functions:
        space = space.with_votes(function.labels or ())
    return Casting(tuple(functions), Labels.of(labels), space, "key", text, gold)


def batches_of(frame, size):
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches(size)


def said(made):
    return pl.concat([pl.DataFrame(pl.from_arrow(batch)) for batch in made])


def local_names(functions, frame, labels=LABELS):
    matrix = cs.apply(functions, cs.Table(frame, id="key", text="body", gold="y"), labels=labels)
    return pl.DataFrame(
        {"key": matrix.ids, **{n: pl.Series(matrix.names_of(n), dtype=pl.String) for n in matrix.names}}
    ), matrix


# batches, without Spark


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 3))
def test_votes_by_batches_are_those_of_apply(n, size, seed):
    functions, frame = made_functions(), made_frame(n, seed)
    rows = said(cast_batches(casting_of(functions), iter(batches_of(frame, size))))
    local, _ = local_names(functions, frame)
    assert rows.select(local.columns).equals(local), "in order, too: nothing here shuffles"
    assert rows["y"].equals(frame["y"])


@given(st.lists(st.none() | TEXT, min_size=1, max_size=8))
def test_any_text_and_none_is_voted_on_as_at_home(texts):
    frame = pl.DataFrame({"key": range(len(texts)), "body": pl.Series(texts, dtype=pl.String)})
    functions = [cs.keywords("spam", ["a"], name="a"), cs.labeling_function("ham")(lambda row: len(row.text) < 3)]
    functions[1].name = "short"
    rows = said(cast_batches(casting_of(functions, gold=None), iter(batches_of(frame, 3))))
    matrix = cs.apply(functions, cs.Table(frame, id="key", text="body"), labels=LABELS)
    assert all(rows[name].to_list() == matrix.names_of(name) for name in matrix.names)


def test_batches_without_rows_give_none():
    frame = made_frame(3)
    empty = pa.RecordBatch.from_pylist([], schema=frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
    casting = casting_of(made_functions())
    assert list(cast_batches(casting, iter([]))) == []
    assert list(cast_batches(casting, iter([empty, empty]))) == []
    assert len(said(cast_batches(casting, iter([empty, *batches_of(frame, 2), empty])))) == 3


def test_an_id_that_repeats_within_a_batch_is_refused():
    frame = made_frame(4).with_columns(pl.lit("same").alias("key"))
    with pytest.raises(DataError, match=r"ids in column 'key' are missing or repeated.\nFix"):
        list(cast_batches(casting_of(made_functions()), iter(batches_of(frame, 4))))


def test_failures_are_told_once_a_batch_and_add_up():
    functions, frame = made_functions(), made_frame(200)
    rows = said(cast_batches(casting_of(functions), iter(batches_of(frame, 30))))
    _, matrix = local_names(functions, frame)
    told = rows[FAILURES].drop_nulls().explode().struct.unnest()
    theirs = {info.name: info.failure for info in matrix.functions if info.failure}
    assert set(told["function"]) == set(theirs) == {"fragile.`x`"}
    assert told["count"].sum() == theirs["fragile.`x`"].count > 1
    assert told["first_id"][0] == theirs["fragile.`x`"].first_id
    assert "ZeroDivisionError" in told["first_error"][0]


def test_gold_is_hidden_from_functions_and_kept_beside_the_votes():
    peeks = cs.labeling_function("spam", name="peeks")(lambda row: row.y == "spam")
    frame = made_frame(5).with_columns(pl.Series("y", [0, 1, None, 1, 0]))
    rows = said(cast_batches(casting_of([peeks]), iter(batches_of(frame, 5))))
    assert rows["y"].to_list() == ["0", "1", None, "1", "0"]
    assert "hidden from labeling functions" in rows[FAILURES][0][0]["first_error"]


def test_a_batch_that_spark_cuts_out_of_a_larger_one_is_read_from_its_own_rows():
    functions, frame = made_functions(), made_frame(50)
    whole = batches_of(frame, 50)[0]
    rows = said(cast_batches(casting_of(functions), iter([whole.slice(20, 10)])))
    local, _ = local_names(functions, frame[20:30])
    assert rows.select(local.columns).equals(local)


def lfs_module(tmp_path, monkeypatch):
    """Functions of a file that is not on the path, which uses a module beside it: a project's lfs.py."""
    (tmp_path / "wordlists_beside.py").write_text(
        "SPAM = {'free', 'win'}\ndef any_of(words): return bool(SPAM & words)\n"
    )
    (tmp_path / "lfs.py").write_text(
        "import re\nimport consilience as cs\nimport wordlists_beside\nfrom wordlists_beside import SPAM\n"
        "FIRST = re.compile('[a-z]')\n"
        "def helper(row): return wordlists_beside.any_of(set(row.text.split())) and len(SPAM) == 2\n"
        "@cs.labeling_function('spam')\ndef listed(row): return helper(row)\n"
        "@cs.labeling_function('ham')\ndef cased(row): return FIRST.match(row.text) is None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.spec_from_file_location("consilience_lfs_123", tmp_path / "lfs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "consilience_lfs_123", module)
    monkeypatch.setitem(sys.modules, "wordlists_beside", None)
    del sys.modules["wordlists_beside"]
    spec.loader.exec_module(module)
    return [module.listed, module.cased]


# Spark itself


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark")
    from consilience.engines.spark import check_java, local_session

    try:
        check_java()
    except ExtraError as error:
        pytest.skip(str(error))
    session = local_session(2, settings={"spark.sql.execution.arrow.maxRecordsPerBatch": "700"})
    yield session
    session.stop()


def parquet_folder(frame, folder):
    """A folder partitioned by a column, as others write it."""
    for place, part in enumerate(frame.iter_slices(len(frame) // 5 + 1)):
        (folder / f"day={place}").mkdir(parents=True)
        part.write_parquet(folder / f"day={place}" / "part.parquet")
    return folder


@pytest.mark.slow
def test_spark_votes_as_apply_does_and_its_counts_fit_the_same_model(spark, tmp_path):
    functions, frame = made_functions(), made_frame(5000)
    folder = parquet_folder(frame, tmp_path / "rows")
    votes = apply_spark(functions, folder, labels=LABELS, id="key", text="body", gold="y", into=tmp_path / "votes")
    local, matrix = local_names(functions, frame)
    back = pl.read_parquet(tmp_path / "votes" / "*.parquet")
    assert back.select(local.columns).sort("key").equals(local.sort("key"))
    counted = votes.matrix()
    assert counted.names == matrix.names and counted.labels == matrix.labels and counted.n_rows == 5000
    assert np.array_equal(counted.patterns.votes, matrix.patterns.votes)
    assert np.array_equal(counted.patterns.counts, matrix.patterns.counts)
    ours, theirs = counted.functions[6].failure, matrix.functions[6].failure
    assert (ours.count, votes.failures()) == (theirs.count, {"fragile.`x`": ours})
    assert "ZeroDivisionError" in ours.first_error
    assert [line.coverage for line in counted.summary().lines] == [line.coverage for line in matrix.summary().lines]
    with_gold, their_gold = votes.gold_matrix(), matrix.take(matrix.gold >= 0)
    assert with_gold.summary().lines[0].accuracy == their_gold.summary().lines[0].accuracy
    assert np.array_equal(with_gold.on(their_gold).votes, their_gold.votes)
    assert np.array_equal(with_gold.on(their_gold).gold, their_gold.gold)
    scanned = LabelMatrix.scan(
        pl.DataFrame(pl.from_arrow(votes.frame.groupBy("asks", "anna").count().toArrow())), LABELS, count="count"
    )
    assert np.array_equal(scanned.patterns.counts, matrix.only("asks", "anna").patterns.counts)
    near, far = cs.DawidSkene().fit(matrix), cs.DawidSkene().fit(counted)
    assert np.array_equal(near.theta_, far.theta_)
    made = predict_spark(far, votes, into=tmp_path / "probabilities")
    assert made.columns == ["key", "p ham", "p spam", "p 非"]
    again = pl.read_parquet(tmp_path / "probabilities" / "*.parquet").sort("key")
    order = matrix.ids.arg_sort().to_numpy()
    assert np.array_equal(again["key"].to_numpy(), matrix.ids.to_numpy()[order])
    assert np.array_equal(again.drop("key").to_numpy(), near.predict_proba(matrix)[order])
    assert predict_spark(far, tmp_path / "votes", id="key", spark=spark).count() == 5000


@pytest.mark.slow
def test_functions_of_a_file_that_executors_do_not_have(spark, tmp_path, monkeypatch):
    functions, frame = lfs_module(tmp_path, monkeypatch), made_frame(1500)
    rows = spark.createDataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    votes = apply_spark(functions, rows, labels=LABELS, id="key", text="body", gold="y")
    local, _ = local_names(functions, frame)
    ours = pl.DataFrame(pl.from_arrow(votes.frame.toArrow()))
    assert ours.select(local.columns).sort("key").equals(local.sort("key")) and not votes.failures()
    votes.release()


@pytest.mark.slow
def test_rows_without_id_or_text_are_set_aside_and_counted(spark):
    rows = spark.createDataFrame(
        [("a", "win"), (None, "x"), (" \u2003", "y"), ("b", None), ("c", "")], "key string, body string"
    )
    votes = apply_spark([cs.keywords("spam", ["win"], name="w")], rows, labels=LABELS, id="key", text="body")
    assert sorted(votes.frame.collect()) == [("a", "spam"), ("c", None)]
    assert votes.set_aside() == {"no id in column 'key'": 2, "no text in column 'body'": 1}
    assert votes.matrix().n_rows == 2


@pytest.mark.slow
def test_what_cannot_be_is_said_before_the_cluster_runs(spark, tmp_path, monkeypatch):
    frame = made_frame(40)
    rows = spark.createDataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    asks = cs.keywords("spam", ["win"], name="asks")
    how = {"labels": LABELS, "id": "key", "text": "body", "spark": spark}
    with pytest.raises(DataError, match=r"no column 'bdy'.\nFix: Did you mean 'body'"):
        apply_spark([asks], rows, labels=LABELS, id="key", text="bdy")
    with pytest.raises(DataError, match=r"'n' is of type bigint.\nFix: cast it"):
        apply_spark([asks], rows, labels=LABELS, id="key", text="n")
    with pytest.raises(DataError, match=r"no column 'nope'.\nFix"):
        apply_spark([cs.keywords("spam", ["win"], name="asks", column="nope")], rows, **how)
    with pytest.raises(DataError, match=r"stands on 2 rows.\nFix: name a column that tells"):
        apply_spark([asks], rows.union(rows), **how)
    with pytest.raises(DataError, match=r"PATH_NOT_FOUND.*\nFix: check the path"):
        apply_spark([asks], tmp_path / "none", **how)
    with pytest.raises(DataError, match=r"cannot read a dict.\nFix"):
        apply_spark([asks], {}, **how)
    with pytest.raises(FunctionError, match=r"'Asks' would make a second column.*\nFix"):
        apply_spark([asks, asks.named("Asks")], rows, **how)
    with pytest.raises(FunctionError, match=r"'key' would make a second column.*\nFix"):
        apply_spark([asks.named("key")], rows, **how)
    with pytest.raises(FunctionError, match=r"no functions to apply.\nFix"):
        apply_spark([], rows, **how)
    with pytest.raises(LabelError, match=r"'spam' is not a label.\nFix"):
        apply_spark([asks], rows, labels=["ham"], id="key", text="body")
    lock = threading.Lock()
    with pytest.raises(FunctionError, match=r"'logs' cannot be sent to other processes.*\nFix: keep no open"):
        apply_spark([cs.labeling_function("ham", name="logs")(lambda row: lock.locked())], rows, **how)
    written = tmp_path / "votes"
    votes = apply_spark([asks], rows, **how, into=written)
    with pytest.raises(DataError, match=r"\nFix: write to a folder that is not there yet"):
        votes.write(written)
    with pytest.raises(DataError, match=r"No gold column was named.\nFix"):
        votes.gold_matrix()
    with pytest.raises(DataError, match=r"no rows of votes to count.\nFix"):
        apply_spark([asks], rows.where("n < 0"), **how).matrix()
    wrong = rows.where("anna is not null").withColumn("anna", rows["y"].isNull().cast("string"))
    with pytest.raises(DataError, match=r"Column 'anna' says '(true|false)', which is not one of.*\nFix: There are"):
        apply_spark([cs.recorded("anna")], wrong, **how).matrix()
